/* SPDX-License-Identifier: BSD-2-Clause */
/* send*, recv* and their many-message forms. */

#include "syscall/socket_util.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "sched/wait.h"

#define CONTROL_MAX 20480 /* as net.core.optmem_max */

static long send_one(struct file *f, struct socket_message *m)
{
	struct path_context c = process_path_context();

	m->fds = process_current()->fds;
	return socket_send(f, m, &c);
}

SYSCALL_DEFINE6(
	sendto, int, fd, void *, buf, size_t, n, unsigned, flags, const void *, uaddr, int, alen)
{
	struct file *f = get_socket(fd);
	struct socket_message m = { .flags = flags };
	struct iter it;
	long r = 0;

	if (IS_ERR(f))
		return PTR_ERR(f);
	iter_init_one(&it, buf, MIN(n, (size_t)0x7ffff000), true);
	m.data = &it;
	if (uaddr) {
		r = get_address(&m.name, uaddr, alen);
		m.name_len = (uint32_t)alen;
	}
	if (!r)
		r = send_one(f, &m);
	file_put(f);
	return r;
}

SYSCALL_DEFINE6(
	recvfrom, int, fd, void *, buf, size_t, n, unsigned, flags, void *, uaddr, int *, ulen)
{
	struct file *f = get_socket(fd);
	struct socket_message m = { .flags = flags };
	struct iter it;
	long r;

	if (IS_ERR(f))
		return PTR_ERR(f);
	iter_init_one(&it, buf, MIN(n, (size_t)0x7ffff000), true);
	m.data = &it;
	r = socket_recv(f, &m);
	if (r >= 0 && uaddr) {
		int err = put_address(uaddr, ulen, &m.name, m.name_len);

		r = err ? err : r;
	}
	file_put(f);
	return r;
}

/* ---- with a msghdr ---- */

struct user_message {
	struct msghdr h;
	struct user_iovec v;
	struct socket_message m;
	uint8_t control[256], *big; /* big: when 256 bytes are too few */
};

static void message_free(struct user_message *u)
{
	user_iovec_free(&u->v);
	heap_free(u->big);
}

static int message_get(struct user_message *u, const struct msghdr *uh, unsigned flags)
{
	int err;

	if (copy_from_user(&u->h, uh, sizeof(u->h)))
		return -EFAULT;
	if (u->h.msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	err = user_iovec_get(&u->v, u->h.msg_iov, u->h.msg_iovlen);
	if (err)
		return err;
	u->big = NULL;
	memset(&u->m, 0, sizeof(u->m));
	u->m.data = &u->v.iter;
	u->m.flags = flags;
	u->m.fds = process_current()->fds;
	u->m.control = u->control;
	u->m.control_len = MIN(u->h.msg_controllen, (size_t)CONTROL_MAX);
	if (!u->h.msg_control)
		u->m.control_len = 0;
	if (u->m.control_len > sizeof(u->control)) {
		u->big = heap_alloc(u->m.control_len);
		u->m.control = u->big;
		if (!u->big)
			err = -ENOBUFS;
	}
	if (err)
		message_free(u);
	return err;
}

static long send_message(struct file *f, const struct msghdr *uh, unsigned flags)
{
	struct user_message u;
	long r = message_get(&u, uh, flags);

	if (r)
		return r;
	if (u.h.msg_controllen > CONTROL_MAX)
		r = -ENOBUFS;
	else if (u.m.control_len && copy_from_user(u.m.control, u.h.msg_control, u.m.control_len))
		r = -EFAULT;
	if (!r && u.h.msg_name && u.h.msg_namelen) {
		r = get_address(&u.m.name, u.h.msg_name,
			(int)MIN(u.h.msg_namelen, (uint32_t)sizeof(u.m.name)));
		u.m.name_len = MIN(u.h.msg_namelen, (uint32_t)sizeof(u.m.name));
	}
	if (!r)
		r = send_one(f, &u.m);
	message_free(&u);
	return r;
}

/* What recvmsg gives back besides the data. */
static int message_put(struct user_message *u, struct msghdr *uh)
{
	struct socket_message *m = &u->m;

	if (u->h.msg_name) {
		if ((int)u->h.msg_namelen < 0)
			return -EINVAL;
		if (copy_to_user(u->h.msg_name, &m->name, MIN(u->h.msg_namelen, m->name_len)) ||
			put_user(m->name_len, &uh->msg_namelen))
			return -EFAULT;
	}
	if (m->control_used && copy_to_user(u->h.msg_control, m->control, m->control_used))
		return -EFAULT;
	if (put_user(m->control_used, &uh->msg_controllen) || put_user(m->flags, &uh->msg_flags))
		return -EFAULT;
	return 0;
}

static long recv_message(struct file *f, struct msghdr *uh, unsigned flags)
{
	struct user_message u;
	long r = message_get(&u, uh, flags);

	if (r)
		return r;
	r = socket_recv(f, &u.m);
	if (r >= 0) {
		u.m.flags |= flags & MSG_CMSG_CLOEXEC;
		int err = message_put(&u, uh);

		r = err ? err : r;
	}
	message_free(&u);
	return r;
}

SYSCALL_DEFINE3(sendmsg, int, fd, const struct msghdr *, uh, unsigned, flags)
{
	struct file *f = get_socket(fd);
	long r;

	if (IS_ERR(f))
		return PTR_ERR(f);
	r = send_message(f, uh, flags);
	file_put(f);
	return r;
}

SYSCALL_DEFINE3(recvmsg, int, fd, struct msghdr *, uh, unsigned, flags)
{
	struct file *f = get_socket(fd);
	long r;

	if (IS_ERR(f))
		return PTR_ERR(f);
	r = recv_message(f, uh, flags);
	file_put(f);
	return r;
}

SYSCALL_DEFINE4(sendmmsg, int, fd, struct mmsghdr *, vec, unsigned, count, unsigned, flags)
{
	struct file *f = get_socket(fd);
	unsigned done = 0;
	long r = 0;

	if (IS_ERR(f))
		return PTR_ERR(f);
	count = MIN(count, (unsigned)IOV_MAX);
	for (; done < count; done++) {
		r = send_message(f, &vec[done].msg_hdr, flags);
		if (r < 0)
			break;
		if (put_user((uint32_t)r, &vec[done].msg_len)) {
			r = -EFAULT;
			break;
		}
		cond_resched();
	}
	file_put(f);
	return done ? done : r;
}

SYSCALL_DEFINE5(recvmmsg, int, fd, struct mmsghdr *, vec, unsigned, count, unsigned, flags,
	const struct timespec *, utimeout)
{
	struct file *f;
	struct timespec ts;
	uint64_t deadline = WAIT_FOREVER;
	unsigned done = 0;
	long r = 0;

	if (utimeout && copy_from_user(&ts, utimeout, sizeof(ts)))
		return -EFAULT;
	r = deadline_from_timespec(utimeout ? &ts : NULL, &deadline);
	if (r)
		return r;
	f = get_socket(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	count = MIN(count, (unsigned)IOV_MAX);
	while (done < count) {
		r = recv_message(f, &vec[done].msg_hdr, flags & ~MSG_WAITFORONE);
		if (r < 0)
			break;
		if (put_user((uint32_t)r, &vec[done].msg_len)) {
			r = -EFAULT;
			break;
		}
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline != WAIT_FOREVER &&
			clock_now() >= deadline) /* Linux looks only here, too */
			break;
		cond_resched();
	}
	file_put(f);
	return done ? done : r;
}
