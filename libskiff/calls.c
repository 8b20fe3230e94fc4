/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions that programs get in place of libc's. */

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"

#define SIGSET_SIZE 8 /* the kernel's */

/* ---- cancellation points ---- */

EXPORT ssize_t read(int fd, void *buf, size_t n)
{
	return CANCELLABLE(SYS_read, fd, buf, n, 0, 0, 0);
}
EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
	return CANCELLABLE(SYS_write, fd, buf, n, 0, 0, 0);
}
EXPORT ssize_t readv(int fd, const struct iovec *v, int n)
{
	return CANCELLABLE(SYS_readv, fd, v, n, 0, 0, 0);
}
EXPORT ssize_t writev(int fd, const struct iovec *v, int n)
{
	return CANCELLABLE(SYS_writev, fd, v, n, 0, 0, 0);
}
EXPORT ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return CANCELLABLE(SYS_sendto, fd, buf, n, flags, 0, 0);
}
EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	return CANCELLABLE(SYS_sendmsg, fd, m, flags, 0, 0, 0);
}
EXPORT ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	return CANCELLABLE(SYS_recvfrom, fd, buf, n, flags, 0, 0);
}
EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	return CANCELLABLE(SYS_recvmsg, fd, m, flags, 0, 0, 0);
}
EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return CANCELLABLE(SYS_poll, fds, n, timeout, 0, 0, 0);
}
EXPORT int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	return CANCELLABLE(SYS_epoll_wait, fd, events, max, timeout, 0, 0);
}
EXPORT int epoll_pwait(
	int fd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	return CANCELLABLE(SYS_epoll_pwait, fd, events, max, timeout, mask, SIGSET_SIZE);
}

/* ---- others ---- */

EXPORT int epoll_ctl(int fd, int op, int of, struct epoll_event *event)
{
	return CALL(SYS_epoll_ctl, fd, op, of, event, 0, 0);
}
EXPORT void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)CALL(SYS_mmap, at, len, prot, flags, fd, offset);
}
/* What programs built with 64-bit file offsets call; the same here. */
EXPORT void *mmap64(void *at, size_t len, int prot, int flags, int fd, off64_t offset)
{
	return (void *)CALL(SYS_mmap, at, len, prot, flags, fd, offset);
}
EXPORT int munmap(void *at, size_t len)
{
	return CALL(SYS_munmap, at, len, 0, 0, 0, 0);
}
EXPORT int mprotect(void *at, size_t len, int prot)
{
	return CALL(SYS_mprotect, at, len, prot, 0, 0, 0);
}
EXPORT int madvise(void *at, size_t len, int advice)
{
	return CALL(SYS_madvise, at, len, advice, 0, 0, 0);
}
EXPORT int sched_yield(void)
{
	return CALL(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

/* ---- never fail ---- */

EXPORT pid_t getpid(void)
{
	return call_short(SYS_getpid);
}
EXPORT pid_t getppid(void)
{
	return call_short(SYS_getppid);
}
EXPORT pid_t gettid(void)
{
	return call_short(SYS_gettid);
}
EXPORT uid_t getuid(void)
{
	return call_short(SYS_getuid);
}
EXPORT uid_t geteuid(void)
{
	return call_short(SYS_geteuid);
}
EXPORT gid_t getgid(void)
{
	return call_short(SYS_getgid);
}
EXPORT gid_t getegid(void)
{
	return call_short(SYS_getegid);
}
