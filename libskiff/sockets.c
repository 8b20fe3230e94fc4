/* SPDX-License-Identifier: BSD-2-Clause */
/* What servers call once per message or once per connection. */

#define _GNU_SOURCE
#include <sys/socket.h>

#include "call.h"

/* ---- cancellation points ---- */

EXPORT ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	if (flags & MSG_DONTWAIT)
		return UNWAITING6(SYS_sendto, fd, buf, n, flags, 0, 0);
	return CANCELLABLE5(SYS_sendto, fd, buf, n, flags, 0);
}
EXPORT ssize_t sendto(
	int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	if (flags & MSG_DONTWAIT)
		return UNWAITING6(SYS_sendto, fd, buf, n, flags, to.__sockaddr__, len);
	return CANCELLABLE6(SYS_sendto, fd, buf, n, flags, to.__sockaddr__, len);
}
EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (flags & MSG_DONTWAIT)
		return UNWAITING6(SYS_sendmsg, fd, m, flags, 0, 0, 0);
	return CANCELLABLE3(SYS_sendmsg, fd, m, flags);
}
EXPORT ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	if (flags & MSG_DONTWAIT)
		return UNWAITING6(SYS_recvfrom, fd, buf, n, flags, 0, 0);
	return CANCELLABLE5(SYS_recvfrom, fd, buf, n, flags, 0);
}
EXPORT ssize_t recvfrom(int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *len)
{
	if (flags & MSG_DONTWAIT)
		return UNWAITING6(SYS_recvfrom, fd, buf, n, flags, from.__sockaddr__, len);
	return CANCELLABLE6(SYS_recvfrom, fd, buf, n, flags, from.__sockaddr__, len);
}
EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	if (flags & MSG_DONTWAIT)
		return UNWAITING6(SYS_recvmsg, fd, m, flags, 0, 0, 0);
	return CANCELLABLE3(SYS_recvmsg, fd, m, flags);
}
EXPORT int accept(int fd, __SOCKADDR_ARG from, socklen_t *len)
{
	return CANCELLABLE3(SYS_accept, fd, from.__sockaddr__, len);
}
EXPORT int accept4(int fd, __SOCKADDR_ARG from, socklen_t *len, int flags)
{
	return CANCELLABLE5(SYS_accept4, fd, from.__sockaddr__, len, flags, 0);
}
EXPORT int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	return CANCELLABLE3(SYS_connect, fd, to.__sockaddr__, len);
}

/* ---- others ---- */

EXPORT int shutdown(int fd, int how)
{
	return CALL3(SYS_shutdown, fd, how, 0);
}
EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return CALL6(SYS_setsockopt, fd, level, name, value, len, 0);
}
EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return CALL6(SYS_getsockopt, fd, level, name, value, len, 0);
}
