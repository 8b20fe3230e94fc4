/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* What an accepted socket has of its listener's options, said before listening and after it. */
#include "net6.h"

struct option {
	int level, name, value;
};
static const struct option options[] = { { SOL_SOCKET, SO_DEBUG, 1 },
	{ SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_REUSEPORT, 1 },
	{ SOL_SOCKET, SO_DONTROUTE, 1 }, { SOL_SOCKET, SO_BROADCAST, 1 },
	{ SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_OOBINLINE, 1 },
	{ SOL_SOCKET, SO_NO_CHECK, 1 }, { SOL_SOCKET, SO_PRIORITY, 5 },
	{ SOL_SOCKET, SO_RCVLOWAT, 7 }, { SOL_SOCKET, SO_MARK, 9 },
	{ SOL_SOCKET, SO_SNDBUF, 40000 }, { SOL_SOCKET, SO_RCVBUF, 50000 },
	{ SOL_SOCKET, SO_TIMESTAMP, 1 }, { SOL_SOCKET, SO_TIMESTAMPNS, 1 },
	{ SOL_SOCKET, SO_TIMESTAMPING, 16 }, { SOL_SOCKET, SO_RXQ_OVFL, 1 },
	{ SOL_SOCKET, SO_PEEK_OFF, 3 }, { SOL_SOCKET, SO_NOFCS, 1 },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1 }, { SOL_SOCKET, SO_BUSY_POLL, 50 },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, 1000000 }, { SOL_SOCKET, SO_ZEROCOPY, 1 },
	{ SOL_SOCKET, 62, 1 }, { SOL_SOCKET, 72, 3 }, { SOL_SOCKET, 74, 0 },
	{ SOL_SOCKET, SO_LOCK_FILTER, 1 }, { SOL_SOCKET, 69, 1 }, { SOL_SOCKET, 75, 1 },
	{ IPPROTO_IP, IP_TOS, 0x48 }, { IPPROTO_IP, IP_TTL, 77 }, { IPPROTO_IP, IP_MINTTL, 5 },
	{ IPPROTO_IP, IP_PKTINFO, 1 }, { IPPROTO_IP, IP_RECVTTL, 1 }, { IPPROTO_IP, IP_RECVTOS, 1 },
	{ IPPROTO_IP, IP_RECVERR, 1 }, { IPPROTO_IP, IP_RECVOPTS, 1 },
	{ IPPROTO_IP, IP_FREEBIND, 1 }, { IPPROTO_IP, IP_TRANSPARENT, 1 },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, 1 }, { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, 2 }, { IPPROTO_IP, IP_MULTICAST_ALL, 0 },
	{ IPPROTO_IP, 51, 0x9c419c40 }, { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 88 },
	{ IPPROTO_IPV6, 73, 4 }, { IPPROTO_IPV6, IPV6_TCLASS, 0x48 },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 }, { IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, 1 }, { IPPROTO_IPV6, IPV6_RECVERR, 1 },
	{ IPPROTO_IPV6, IPV6_RECVPATHMTU, 1 }, { IPPROTO_IPV6, IPV6_MTU_DISCOVER, 2 },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, 1 }, { IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0 },
	{ IPPROTO_IPV6, IPV6_V6ONLY, 1 }, { IPPROTO_IPV6, 29, 0 }, { IPPROTO_IPV6, 78, 1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0 }, { IPPROTO_TCP, TCP_NODELAY, 1 },
	{ IPPROTO_TCP, TCP_CORK, 1 }, { IPPROTO_TCP, TCP_MAXSEG, 900 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 33 }, { IPPROTO_TCP, TCP_KEEPINTVL, 22 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 4 }, { IPPROTO_TCP, TCP_SYNCNT, 3 },
	{ IPPROTO_TCP, TCP_LINGER2, 17 }, { IPPROTO_TCP, TCP_USER_TIMEOUT, 5000 },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000 }, { IPPROTO_TCP, TCP_FASTOPEN, 5 },
	{ IPPROTO_TCP, TCP_THIN_DUPACK, 1 } };

static void one(int family, const struct option *o, bool late)
{
	struct sockaddr_in6 a = addr6("::1", 0);
	struct sockaddr_in in = net_addr(0);
	void *to = family == AF_INET ? (void *)&in : (void *)&a;
	socklen_t len = family == AF_INET ? sizeof(in) : sizeof(a);
	int l = socket(family, SOCK_STREAM, 0), c = socket(family, SOCK_STREAM, 0), s, e = 0;

	if (!late && setsockopt(l, o->level, o->name, &o->value, sizeof(int)))
		e = errno;
	NEED(bind(l, to, len) == 0 && listen(l, 3) == 0);
	NEED(getsockname(l, to, &len) == 0);
	if (late && setsockopt(l, o->level, o->name, &o->value, sizeof(int)))
		e = errno;
	NEED(connect(c, to, len) == 0);
	s = accept(l, NULL, NULL);
	printf("%d, %d/%d%s: %s, listener %d, accepted %d", family, o->level, o->name,
		late ? " late" : "", t_errno(e), net_option(l, o->level, o->name),
		net_option(s, o->level, o->name));
	if (o->level != SOL_SOCKET || (o->name != SO_SNDBUF && o->name != SO_RCVBUF))
		printf(", peer %d", net_option(c, o->level, o->name));
	puts("");
	close(s);
	close(c);
	close(l);
}

int main(void)
{
	for (int late = 0; late < 2; late++)
		for (size_t k = 0; k < LENGTH(options); k++) {
			if (options[k].level != IPPROTO_IPV6)
				one(AF_INET, &options[k], late);
			one(AF_INET6, &options[k], late);
		}
	return 0;
}
