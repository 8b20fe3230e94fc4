/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions that programs get in place of libc's; sockets.c has more. */

#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"

#define SIGSET_SIZE 8 /* the kernel's */

/* ---- cancellation points ---- */

EXPORT ssize_t read(int fd, void *buf, size_t n)
{
	return CANCELLABLE3(SYS_read, fd, buf, n);
}
EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
	return CANCELLABLE3(SYS_write, fd, buf, n);
}
EXPORT ssize_t readv(int fd, const struct iovec *v, int n)
{
	return CANCELLABLE3(SYS_readv, fd, v, n);
}
EXPORT ssize_t writev(int fd, const struct iovec *v, int n)
{
	return CANCELLABLE3(SYS_writev, fd, v, n);
}
EXPORT ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	return CANCELLABLE5(SYS_pread64, fd, buf, n, at, 0);
}
EXPORT ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return CANCELLABLE5(SYS_pwrite64, fd, buf, n, at, 0);
}
EXPORT int close(int fd)
{
	return CANCELLABLE3(SYS_close, fd, 0, 0);
}
EXPORT ssize_t getrandom(void *buf, size_t n, unsigned flags)
{
	return CANCELLABLE3(SYS_getrandom, buf, n, flags);
}
EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (timeout == 0)
		return UNWAITING6(SYS_poll, fds, n, 0, 0, 0, 0);
	return CANCELLABLE3(SYS_poll, fds, n, timeout);
}
/* The call writes back the time that is left, the function must not. */
EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left;

	if (timeout)
		left = *timeout;
	return CANCELLABLE5(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, SIGSET_SIZE);
}
EXPORT int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	if (timeout == 0)
		return UNWAITING6(SYS_epoll_wait, fd, events, max, 0, 0, 0);
	return CANCELLABLE5(SYS_epoll_wait, fd, events, max, timeout, 0);
}
EXPORT int epoll_pwait(
	int fd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	return CANCELLABLE6(SYS_epoll_pwait, fd, events, max, timeout, mask, SIGSET_SIZE);
}
EXPORT int eventfd_read(int fd, eventfd_t *value)
{
	ssize_t n = CANCELLABLE3(SYS_read, fd, value, sizeof(*value));

	return n == sizeof(*value) ? 0 : -1;
}
EXPORT int eventfd_write(int fd, eventfd_t value)
{
	ssize_t n = CANCELLABLE3(SYS_write, fd, &value, sizeof(value));

	return n == sizeof(value) ? 0 : -1;
}

/* ---- others ---- */

EXPORT off_t lseek(int fd, off_t to, int from)
{
	return CALL3(SYS_lseek, fd, to, from);
}
EXPORT int fstat(int fd, struct stat *st)
{
	return CALL3(SYS_fstat, fd, st, 0);
}
EXPORT ssize_t sendfile(int to, int from, off_t *at, size_t n)
{
	return CALL6(SYS_sendfile, to, from, at, n, 0, 0);
}
EXPORT int epoll_ctl(int fd, int op, int of, struct epoll_event *event)
{
	return CALL6(SYS_epoll_ctl, fd, op, of, event, 0, 0);
}
EXPORT int timerfd_settime(
	int fd, int flags, const struct itimerspec *to, struct itimerspec *before)
{
	return CALL6(SYS_timerfd_settime, fd, flags, to, before, 0, 0);
}
EXPORT void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)CALL6(SYS_mmap, at, len, prot, flags, fd, offset);
}
EXPORT int munmap(void *at, size_t len)
{
	return CALL3(SYS_munmap, at, len, 0);
}
EXPORT int mprotect(void *at, size_t len, int prot)
{
	return CALL3(SYS_mprotect, at, len, prot);
}
EXPORT int madvise(void *at, size_t len, int advice)
{
	return CALL3(SYS_madvise, at, len, advice);
}
EXPORT int sched_yield(void)
{
	return CALL0(SYS_sched_yield);
}

/* ---- the same under the names for 64-bit file offsets ---- */

#define SAME(name) __attribute__((alias(#name), visibility("default")))
SAME(pread) __typeof__(pread64) pread64;
SAME(pwrite) __typeof__(pwrite64) pwrite64;
SAME(lseek) __typeof__(lseek64) lseek64;
SAME(mmap) __typeof__(mmap64) mmap64;
SAME(sendfile) __typeof__(sendfile64) sendfile64;
EXPORT int fstat64(int fd, struct stat64 *st)
{
	return CALL3(SYS_fstat, fd, st, 0);
}

/* ---- never fail ---- */

#define GETTER(type, name)                                                                         \
	EXPORT type name(void)                                                                     \
	{                                                                                          \
		return call0(SYS_##name, &skiff_call_short);                                       \
	}
GETTER(pid_t, getpid)
GETTER(pid_t, getppid)
GETTER(pid_t, gettid)
GETTER(uid_t, getuid)
GETTER(uid_t, geteuid)
GETTER(gid_t, getgid)
GETTER(gid_t, getegid)
