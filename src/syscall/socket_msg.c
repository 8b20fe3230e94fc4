/* SPDX-License-Identifier: BSD-2-Clause */
/* send*, recv* and their many-message forms. */

#include "syscall/socket_util.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "sched/wait.h"

#define CAP_IPC_LOCK 14
#define CONTROL_MAX  20480 /* as net.core.optmem_max */

/* Pages that messages may pin together, as Linux reckons RLIMIT_MEMLOCK. */
static uint64_t pin_limit(const struct process *p)
{
	uint64_t limit = load_relaxed(&p->rlimit[RLIMIT_MEMLOCK].soft);

	if (p->cap_effective >> CAP_IPC_LOCK & 1 || limit == UINT64_MAX)
		return UINT64_MAX;
	return limit >> PAGE_SHIFT;
}

static long send_one(struct file *f, struct socket_message *m)
{
	struct path_context c = process_path_context();

	m->fds = process_current()->fds;
	if (unlikely(m->flags & MSG_ZEROCOPY))
		m->pin_limit = pin_limit(process_current());
	return socket_send(f, m, &c);
}

/* All but the name, which is as large as the rest twice: filled in where it is used. */
static void message_init(struct socket_message *m, struct iter *data, unsigned flags)
{
	_Static_assert(offsetof(struct socket_message, name) == 0, "the rest lies behind it");
	memset(&m->name_len, 0, sizeof(*m) - offsetof(struct socket_message, name_len));
	m->data = data;
	m->flags = flags;
}

SYSCALL_DEFINE6(
	sendto, int, fd, void *, buf, size_t, n, unsigned, flags, const void *, uaddr, int, alen)
{
	struct socket_message m;
	struct iter it;
	struct fd f;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	iter_init_one(&it, buf, MIN(n, (size_t)0x7ffff000), true);
	message_init(&m, &it, flags);
	if (uaddr) {
		r = get_address(&m.name, uaddr, alen);
		m.name_len = (uint32_t)alen;
	}
	if (!r)
		r = send_one(f.file, &m);
	fd_return(f);
	return r;
}

SYSCALL_DEFINE6(
	recvfrom, int, fd, void *, buf, size_t, n, unsigned, flags, void *, uaddr, int *, ulen)
{
	struct socket_message m = { .flags = flags };
	struct iter it;
	struct fd f;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	iter_init_one(&it, buf, MIN(n, (size_t)0x7ffff000), true);
	m.data = &it;
	r = socket_recv(f.file, &m);
	if (r >= 0 && uaddr) {
		int err = put_address(uaddr, ulen, &m.name, m.name_len);

		r = err ? err : r;
	}
	fd_return(f);
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
	if (!u->h.msg_name)
		u->h.msg_namelen = 0;
	if ((int)u->h.msg_namelen < 0)
		return -EINVAL;
	if (u->h.msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	err = user_iovec_get(&u->v, u->h.msg_iov, u->h.msg_iovlen);
	if (err)
		return err;
	u->big = NULL;
	message_init(&u->m, &u->v.iter, flags);
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

/* *left: what did not go out of a message that went in part. */
static long send_message(struct file *f, const struct msghdr *uh, unsigned flags, size_t *left)
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
	*left = u.m.data->left;
	message_free(&u);
	return r;
}

/* What recvmsg gives back besides the data. */
static int message_put(struct user_message *u, struct msghdr *uh)
{
	struct socket_message *m = &u->m;

	if (u->h.msg_name) {
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

/* *out: the MSG_* that the message came with. */
static long recv_message(struct file *f, struct msghdr *uh, unsigned flags, uint32_t *out)
{
	struct user_message u;
	long r = message_get(&u, uh, flags);

	if (r)
		return r;
	memset(&u.m.name, 0, sizeof(u.m.name)); /* nothing of the stack goes to the program */
	r = socket_recv(f, &u.m);
	if (r >= 0) {
		u.m.flags |= flags & MSG_CMSG_CLOEXEC;
		*out = u.m.flags;
		int err = message_put(&u, uh);

		r = err ? err : r;
	}
	message_free(&u);
	return r;
}

/* A flag of Linux's own, for programs of 32 bits. */
static bool bad_flags(unsigned flags)
{
	return flags & MSG_CMSG_COMPAT;
}

SYSCALL_DEFINE3(sendmsg, int, fd, const struct msghdr *, uh, unsigned, flags)
{
	struct fd f;
	size_t left;
	long r = bad_flags(flags) ? -EINVAL : socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	r = send_message(f.file, uh, flags, &left);
	fd_return(f);
	return r;
}

SYSCALL_DEFINE3(recvmsg, int, fd, struct msghdr *, uh, unsigned, flags)
{
	struct fd f;
	uint32_t out;
	long r = bad_flags(flags) ? -EINVAL : socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	r = recv_message(f.file, uh, flags, &out);
	fd_return(f);
	return r;
}

/* The length of a message of a vector: 0 or -EFAULT. */
static long put_length(struct mmsghdr *m, long n)
{
	return put_user((uint32_t)n, &m->msg_len) ? -EFAULT : 0;
}

SYSCALL_DEFINE4(sendmmsg, int, fd, struct mmsghdr *, vec, unsigned, count, unsigned, flags)
{
	unsigned done = 0;
	size_t left = 0;
	struct fd f;
	long r = bad_flags(flags) ? -EINVAL : socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	count = MIN(count, (unsigned)IOV_MAX);
	/* A message that went out in part is the last one. */
	while (done < count && !left) {
		r = send_message(f.file, &vec[done].msg_hdr, flags, &left);
		if (r < 0 || (r = put_length(&vec[done], r)))
			break;
		done++;
		cond_resched();
	}
	fd_return(f);
	return done ? done : r;
}

/* As long as there are some and the time is not over; *n: how many came. 0, or what ended it. */
static long recv_many(struct file *f, struct mmsghdr *vec, unsigned count, unsigned flags,
	uint64_t deadline, unsigned *n)
{
	uint32_t out = 0;
	long r = 0;

	while (*n < count && !(out & MSG_OOB)) {
		r = recv_message(f, &vec[*n].msg_hdr, flags & ~MSG_WAITFORONE, &out);
		if (r < 0 || (r = put_length(&vec[*n], r)))
			break;
		++*n;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* Linux looks only here, too. */
		if (deadline != WAIT_FOREVER && clock_now() >= deadline)
			break;
		cond_resched();
	}
	return r;
}

/* The rest of the time goes back to the program. */
static long put_rest(struct timespec *utimeout, const struct timespec *whole, uint64_t deadline)
{
	struct timespec ts = *whole;

	if (deadline != WAIT_FOREVER) {
		uint64_t now = clock_now(), rest = deadline > now ? deadline - now : 0;

		ts.tv_sec = (int64_t)(rest / NSEC_PER_SEC);
		ts.tv_nsec = (int64_t)(rest % NSEC_PER_SEC);
	}
	return copy_to_user(utimeout, &ts, sizeof(ts)) ? -EFAULT : 0;
}

SYSCALL_DEFINE5(recvmmsg, int, fd, struct mmsghdr *, vec, unsigned, count, unsigned, flags,
	struct timespec *, utimeout)
{
	struct timespec ts;
	uint64_t deadline = WAIT_FOREVER;
	unsigned done = 0;
	struct fd f;
	long r = 0;

	if (bad_flags(flags))
		return -EINVAL;
	if (utimeout && copy_from_user(&ts, utimeout, sizeof(ts)))
		return -EFAULT;
	r = deadline_from_timespec(utimeout ? &ts : NULL, &deadline);
	if (!r)
		r = socket_borrow(fd, &f);
	if (unlikely(r))
		return r;
	if (!(flags & MSG_ERRQUEUE))
		r = socket_error(f.file);
	if (!r)
		r = recv_many(f.file, vec, count, flags, deadline, &done);
	if (done && r < 0 && r != -EAGAIN) /* for the next call, or SO_ERROR */
		socket_note_error(f.file, (int)-r);
	fd_return(f);
	if (done && utimeout && put_rest(utimeout, &ts, deadline))
		return -EFAULT;
	return done ? done : r;
}
