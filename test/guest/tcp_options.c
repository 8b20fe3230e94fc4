/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of TCP: what can be set reads back, what cannot is refused. */
#include "net.h"

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

int main(void)
{
	int p[2];
	net_pair(p);
	int fd = p[0];
	printf("type %d, family %d, protocol %d, listening %d\n",
		net_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM,
		net_option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET,
		net_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP,
		net_option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	RET(set(fd, IPPROTO_TCP, TCP_NODELAY, 1));
	RET(net_option(fd, IPPROTO_TCP, TCP_NODELAY));
	RET(set(fd, IPPROTO_TCP, TCP_NODELAY, 0));
	RET(net_option(fd, IPPROTO_TCP, TCP_NODELAY));
	RET(set(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
	RET(net_option(fd, SOL_SOCKET, SO_KEEPALIVE));
	RET(set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 77));
	RET(net_option(fd, IPPROTO_TCP, TCP_KEEPIDLE));
	RET(set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 7));
	RET(net_option(fd, IPPROTO_TCP, TCP_KEEPINTVL));
	RET(set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3));
	RET(net_option(fd, IPPROTO_TCP, TCP_KEEPCNT));
	RET(set(fd, IPPROTO_TCP, TCP_KEEPCNT, 1000));
	RET(set(fd, SOL_SOCKET, SO_SNDBUF, 50000));
	IS(net_option(fd, SOL_SOCKET, SO_SNDBUF) == 100000);
	RET(set(fd, SOL_SOCKET, SO_RCVBUF, 60000));
	IS(net_option(fd, SOL_SOCKET, SO_RCVBUF) == 120000);
	RET(net_option(fd, SOL_SOCKET, SO_ERROR));
	RET(set(fd, IPPROTO_TCP, TCP_CORK, 1));
	RET(net_option(fd, IPPROTO_TCP, TCP_CORK));
	RET(set(fd, IPPROTO_TCP, TCP_CORK, 0));
	RET(set(fd, IPPROTO_TCP, TCP_QUICKACK, 1));
	RET(set(fd, IPPROTO_IP, IP_TOS, 0x10));
	RET(net_option(fd, IPPROTO_IP, IP_TOS));
	RET(set(fd, IPPROTO_IP, IP_TTL, 33));
	RET(net_option(fd, IPPROTO_IP, IP_TTL));
	struct tcp_info info;
	socklen_t len = sizeof(info);
	memset(&info, 0xff, sizeof(info));
	RET(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("state %d\n", info.tcpi_state);
	len = 1;
	RET(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	struct linger l = { 1, 5 };
	RET(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	l.l_linger = 0;
	len = sizeof(l);
	RET(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len));
	printf("linger %d %d\n", l.l_onoff, l.l_linger);
	IS(net_option(fd, IPPROTO_TCP, TCP_MAXSEG) >= 536);
	RET(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &l, 1));
	RET(set(fd, SOL_SOCKET, 9999, 1));
	RET(set(fd, 9999, 1, 1));
	RET(set(fd, IPPROTO_TCP, 9999, 1));
	RET(set(999, SOL_SOCKET, SO_KEEPALIVE, 1));
	RET(set(open("/dev/null", O_RDONLY), SOL_SOCKET, SO_KEEPALIVE, 1));
	struct timeval bad = { 0, 2000000 };
	RET(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof(bad)));
	return 0;
}
