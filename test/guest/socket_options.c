/* SPDX-License-Identifier: BSD-2-Clause */
/* What options read back, their limits, and the errors of those that cannot be. */
#include "t.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static void show(int fd, int level, int name, const char *what)
{
	int v[4] = { 0, 0, 0, 0 };
	socklen_t n = sizeof(v);
	int r = getsockopt(fd, level, name, v, &n);
	printf("%s: %d len %u value %d %d errno %s\n", what, r, r ? 0 : n, v[0], v[1],
		t_errno(r ? errno : 0));
}
#define SHOW(fd, level, name) show(fd, level, name, #name)
static void set(int fd, int level, int name, int value, const char *what)
{
	int r = setsockopt(fd, level, name, &value, sizeof(value));
	printf("set %s %d: %d %s; ", what, value, r, t_errno(r ? errno : 0));
	show(fd, level, name, "now");
}
#define SET(fd, level, name, value) set(fd, level, name, value, #name)

int main(void)
{
	int t = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0),
	    x = socket(AF_UNIX, SOCK_STREAM, 0);
	int fds[] = { t, u, x }, v;
	socklen_t n;

	for (int i = 0; i < 3; i++) {
		int fd = fds[i];
		SHOW(fd, SOL_SOCKET, SO_TYPE);
		SHOW(fd, SOL_SOCKET, SO_DOMAIN);
		SHOW(fd, SOL_SOCKET, SO_PROTOCOL);
		SHOW(fd, SOL_SOCKET, SO_ERROR);
		SHOW(fd, SOL_SOCKET, SO_ACCEPTCONN);
		SHOW(fd, SOL_SOCKET, SO_LINGER);
		SHOW(fd, SOL_SOCKET, SO_RCVLOWAT);
		SHOW(fd, SOL_SOCKET, SO_RCVTIMEO);
		SET(fd, SOL_SOCKET, SO_REUSEADDR, 5);
		SET(fd, SOL_SOCKET, SO_REUSEADDR, 0);
		SET(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		SET(fd, SOL_SOCKET, SO_BROADCAST, 1);
		SET(fd, SOL_SOCKET, SO_RCVBUF, 10000);
		SET(fd, SOL_SOCKET, SO_SNDBUF, 10000);
		SET(fd, SOL_SOCKET, SO_RCVBUF, 1);
		SET(fd, SOL_SOCKET, SO_SNDBUF, 1);
		SET(fd, SOL_SOCKET, SO_PRIORITY, 3);
		SET(fd, SOL_SOCKET, SO_TYPE, 3);
		SET(fd, SOL_SOCKET, 9999, 3);
	}
	SET(t, IPPROTO_TCP, TCP_NODELAY, 1);
	SET(t, IPPROTO_TCP, TCP_CORK, 1);
	SET(t, IPPROTO_TCP, TCP_KEEPIDLE, 100);
	SET(t, IPPROTO_TCP, TCP_KEEPIDLE, 0);
	SET(t, IPPROTO_TCP, TCP_KEEPIDLE, 40000);
	SET(t, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	SET(t, IPPROTO_TCP, TCP_KEEPCNT, 200);
	SET(t, IPPROTO_TCP, TCP_KEEPCNT, 5);
	SET(t, IPPROTO_TCP, TCP_SYNCNT, 3);
	SET(t, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
	SET(t, IPPROTO_TCP, TCP_USER_TIMEOUT, -1);
	SET(t, IPPROTO_TCP, TCP_MAXSEG, 1000);
	SET(t, IPPROTO_TCP, TCP_MAXSEG, 40000);
	SET(t, IPPROTO_TCP, 9999, 1);
	SET(u, IPPROTO_TCP, TCP_NODELAY, 1);
	SET(x, IPPROTO_TCP, TCP_NODELAY, 1);
	SET(u, IPPROTO_IP, IP_TTL, 10);
	SET(u, IPPROTO_IP, IP_TTL, 0);
	SET(u, IPPROTO_IP, IP_TTL, -1);
	SET(u, IPPROTO_IP, IP_TTL, 256);
	SET(u, IPPROTO_IP, IP_TOS, 16);
	SET(u, IPPROTO_IP, IP_MULTICAST_TTL, 5);
	SET(u, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	SET(u, IPPROTO_IP, IP_MTU_DISCOVER, 2);
	SET(u, IPPROTO_IP, IP_MTU_DISCOVER, 9);
	SET(u, IPPROTO_IP, IP_RECVERR, 1);
	SHOW(u, IPPROTO_IP, IP_MTU);
	SET(u, IPPROTO_IP, 9999, 1);

	v = 1;
	RET(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &v, 2));
	RET(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, BAD_PTR, 4));
	RET(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &v, -1));
	n = 2;
	RET(getsockopt(t, SOL_SOCKET, SO_REUSEADDR, &v, &n));
	printf("short length gives %u\n", n);
	n = -1;
	RET(getsockopt(t, SOL_SOCKET, SO_REUSEADDR, &v, &n));
	RET(getsockopt(t, SOL_SOCKET, SO_REUSEADDR, &v, BAD_PTR));
	n = 4;
	RET(getsockopt(t, SOL_SOCKET, SO_REUSEADDR, BAD_PTR, &n));
	struct timeval tv = { 1, 2000000 };
	RET(setsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	tv.tv_usec = 500000;
	RET(setsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	RET(setsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, 4));
	RET(setsockopt(1, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)));
	RET(setsockopt(99, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)));
	RET(setsockopt(t, IPPROTO_TCP, TCP_CONGESTION, "none", 4));
	RET(ioctl(t, 0x12345, &v));
	RET(socket(AF_INET, SOCK_STREAM | 0x100, 0));
	RET(socket(AF_INET, 0, 0));
	RET(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	RET(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	RET(socket(AF_INET, SOCK_SEQPACKET, 0));
	RET(socket(AF_UNIX, 77, 0));
	RET(socket(AF_UNIX, SOCK_STREAM, 3));
	RET(socket(200, SOCK_STREAM, 0));
	RET(socketpair(AF_INET, SOCK_STREAM, 0, fds));
	struct stat st;
	NEED(fstat(t, &st) == 0);
	printf("socket mode %o size %ld\n", st.st_mode, (long)st.st_size);
	RET(lseek(t, 0, SEEK_SET));
	RET(pread(t, &v, 1, 0));
	RET(ftruncate(t, 0));
	RET(fsync(t));
	return 0;
}
