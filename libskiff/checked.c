/* SPDX-License-Identifier: BSD-2-Clause */
/* What compilers and older headers make of the same calls: functions that know how large the
 * buffer is (_FORTIFY_SOURCE), and the fstat of programs built before glibc 2.33. */

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"

/* Declared by libc's headers only for those who are compiled so. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define STAT_VERSIONS 2 /* 0 is the kernel's struct stat, 1 is libc's, which is the same */

extern __attribute__((weak, noreturn)) void __chk_fail(void);

/* Says that a buffer overflow was detected, and aborts. */
static void check(bool fits)
{
	if (__builtin_expect(fits, 1))
		return;
	if (__chk_fail)
		__chk_fail();
	__builtin_trap();
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t size)
{
	check(n <= size);
	return read(fd, buf, n);
}
EXPORT ssize_t __pread_chk(int fd, void *buf, size_t n, off_t at, size_t size)
{
	check(n <= size);
	return pread(fd, buf, n, at);
}
EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t n, off64_t at, size_t size)
{
	check(n <= size);
	return pread(fd, buf, n, at);
}
EXPORT ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags)
{
	check(n <= size);
	return recv(fd, buf, n, flags);
}
EXPORT ssize_t __recvfrom_chk(
	int fd, void *buf, size_t n, size_t size, int flags, __SOCKADDR_ARG from, socklen_t *len)
{
	check(n <= size);
	return recvfrom(fd, buf, n, flags, from, len);
}
EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
	check(n <= size / sizeof(*fds));
	return poll(fds, n, timeout);
}
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *mask, size_t size)
{
	check(n <= size / sizeof(*fds));
	return ppoll(fds, n, timeout, mask);
}

EXPORT int __fxstat(int version, int fd, struct stat *st)
{
	if ((unsigned)version >= STAT_VERSIONS)
		return skiff_error(-EINVAL);
	return CALL3(SYS_fstat, fd, st, 0);
}
EXPORT int __fxstat64(int version, int fd, struct stat64 *st)
{
	if ((unsigned)version >= STAT_VERSIONS)
		return skiff_error(-EINVAL);
	return CALL3(SYS_fstat, fd, st, 0);
}
