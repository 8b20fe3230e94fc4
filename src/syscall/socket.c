/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets: making, naming, connecting, options. Messages are in socket_msg.c. */

#include "syscall/socket_util.h"

int socket_borrow(int fd, struct fd *out)
{
	int err;

	*out = fd_borrow(fd);
	if (unlikely(!out->file))
		return -EBADF;
	err = socket_check(out->file);
	if (unlikely(err))
		fd_return(*out);
	return err;
}

int get_address(struct sockaddr_storage *a, const void *uaddr, int len)
{
	if (len < 0 || (size_t)len > sizeof(*a))
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	return len ? copy_from_user(a, uaddr, (size_t)len) : 0;
}

int put_address(void *uaddr, int *ulen, const struct sockaddr_storage *a, uint32_t len)
{
	int room;

	if (!uaddr)
		return 0;
	if (get_user(room, ulen))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_to_user(uaddr, a, MIN((uint32_t)room, len)))
		return -EFAULT;
	return put_user((int)len, ulen);
}

SYSCALL_DEFINE3(socket, int, family, int, type, int, protocol)
{
	return install_file(socket_create(family, type, protocol), type & SOCK_CLOEXEC);
}

SYSCALL_DEFINE4(socketpair, int, family, int, type, int, protocol, int *, ufds)
{
	struct fdtable *t = process_current()->fds;
	struct file *f[2] = { NULL };
	int fd[2], err = socket_pair(family, type, protocol, f);

	if (err)
		return err;
	fd[0] = fd_install(t, f[0], 0, type & SOCK_CLOEXEC);
	if (fd[0] < 0) {
		file_put(f[0]);
		file_put(f[1]);
		return fd[0];
	}
	fd[1] = fd_install(t, f[1], 0, type & SOCK_CLOEXEC);
	if (fd[1] < 0) {
		fd_close(t, fd[0]);
		file_put(f[1]);
		return fd[1];
	}
	if (copy_to_user(ufds, fd, sizeof(fd))) {
		fd_close(t, fd[0]);
		fd_close(t, fd[1]);
		return -EFAULT;
	}
	return 0;
}

static long with_address(int fd, const void *uaddr, int len,
	int (*call)(struct file *f, const struct sockaddr_storage *a, uint32_t len,
		const struct path_context *c))
{
	struct path_context c = process_path_context();
	struct sockaddr_storage a;
	struct fd f;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	r = get_address(&a, uaddr, len);
	if (!r)
		r = call(f.file, &a, (uint32_t)len, &c);
	fd_return(f);
	return r;
}

SYSCALL_DEFINE3(bind, int, fd, const void *, uaddr, int, len)
{
	return with_address(fd, uaddr, len, socket_bind);
}

SYSCALL_DEFINE3(connect, int, fd, const void *, uaddr, int, len)
{
	return with_address(fd, uaddr, len, socket_connect);
}

SYSCALL_DEFINE2(listen, int, fd, int, backlog)
{
	struct fd f;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	r = socket_listen(f.file, backlog);
	fd_return(f);
	return r;
}

static long do_accept_flags(int fd, void *uaddr, int *ulen, int flags)
{
	struct fd f;
	struct file *child;
	struct sockaddr_storage a;
	uint32_t len = 0;
	long r;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	r = socket_borrow(fd, &f);
	if (unlikely(r))
		return r;
	memset(&a, 0, sizeof(a));
	child = socket_accept(f.file, (uint32_t)flags, &a, &len);
	fd_return(f);
	if (IS_ERR(child))
		return PTR_ERR(child);
	r = put_address(uaddr, ulen, &a, len);
	if (r) {
		file_put(child);
		return r;
	}
	return install_file(child, flags & SOCK_CLOEXEC);
}

SYSCALL_DEFINE3(accept, int, fd, void *, uaddr, int *, ulen)
{
	return do_accept_flags(fd, uaddr, ulen, 0);
}

SYSCALL_DEFINE4(accept4, int, fd, void *, uaddr, int *, ulen, int, flags)
{
	return do_accept_flags(fd, uaddr, ulen, flags);
}

static long get_name(int fd, void *uaddr, int *ulen, bool peer)
{
	struct sockaddr_storage a;
	uint32_t len = 0;
	struct fd f;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	memset(&a, 0, sizeof(a));
	r = socket_getname(f.file, peer, &a, &len);
	if (!r)
		r = uaddr ? put_address(uaddr, ulen, &a, len) : -EFAULT;
	fd_return(f);
	return r;
}

SYSCALL_DEFINE3(getsockname, int, fd, void *, uaddr, int *, ulen)
{
	return get_name(fd, uaddr, ulen, false);
}

SYSCALL_DEFINE3(getpeername, int, fd, void *, uaddr, int *, ulen)
{
	return get_name(fd, uaddr, ulen, true);
}

SYSCALL_DEFINE2(shutdown, int, fd, int, how)
{
	struct fd f;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	r = socket_shutdown(f.file, how);
	fd_return(f);
	return r;
}

SYSCALL_DEFINE5(getsockopt, int, fd, int, level, int, name, void *, uval, int *, ulen)
{
	uint8_t val[512] = { 0 };
	struct fd f;
	uint32_t len;
	int room;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	r = get_user(room, ulen) ? -EFAULT : room < 0 ? -EINVAL : 0;
	if (!r) {
		len = MIN((uint32_t)room, (uint32_t)sizeof(val));
		r = socket_getopt(f.file, level, name, val, &len);
	}
	if (!r && (copy_to_user(uval, val, len) || put_user((int)len, ulen)))
		r = -EFAULT;
	fd_return(f);
	return r;
}

SYSCALL_DEFINE5(setsockopt, int, fd, int, level, int, name, const void *, uval, int, len)
{
	uint8_t val[512] = { 0 };
	struct fd f;
	long r = socket_borrow(fd, &f);

	if (unlikely(r))
		return r;
	if (len < 0)
		r = -EINVAL;
	else if (copy_from_user(val, uval, MIN((size_t)len, sizeof(val))))
		r = -EFAULT;
	else
		r = socket_setopt(
			f.file, level, name, val, MIN((uint32_t)len, (uint32_t)sizeof(val)));
	fd_return(f);
	return r;
}
