/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of IPPROTO_IPV6: defaults, limits, what a socket of which type has. */
#include "net6.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static const struct {
	int name;
	const char *text;
} options[] = {
#define O(x)                                                                                       \
	{                                                                                          \
		x, #x                                                                              \
	}
	O(IPV6_V6ONLY),
	O(IPV6_UNICAST_HOPS),
	O(IPV6_MULTICAST_HOPS),
	O(IPV6_MULTICAST_IF),
	O(IPV6_MULTICAST_LOOP),
	O(IPV6_MULTICAST_ALL),
	O(IPV6_MTU_DISCOVER),
	O(IPV6_MTU),
	O(IPV6_RECVERR),
	O(IPV6_RECVPKTINFO),
	O(IPV6_RECVHOPLIMIT),
	O(IPV6_RECVTCLASS),
	O(IPV6_RECVPATHMTU),
	O(IPV6_DONTFRAG),
	O(IPV6_TCLASS),
	O(IPV6_AUTOFLOWLABEL),
	O(IPV6_FREEBIND),
	O(IPV6_ADDR_PREFERENCES),
	O(IPV6_CHECKSUM),
	{ 250, "250" },
};

static void show(int fd, const char *what)
{
	printf("--- %s\n", what);
	for (unsigned i = 0; i < LENGTH(options); i++) {
		int v = -1;
		socklen_t len = sizeof(v);
		if (getsockopt(fd, IPPROTO_IPV6, options[i].name, &v, &len))
			printf("%s: %s\n", options[i].text, t_errno(errno));
		else
			printf("%s: %d, %u bytes\n", options[i].text, v, len);
	}
}

static void limits(int fd)
{
	static const int values[] = { -2, -1, 0, 1, 2, 5, 6, 64, 255, 256, 1279, 1280, 100000 };
	static const int names[] = { IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP,
		IPV6_MTU_DISCOVER, IPV6_TCLASS, IPV6_MTU, IPV6_DONTFRAG, IPV6_RECVERR };

	for (unsigned i = 0; i < LENGTH(names); i++)
		for (unsigned k = 0; k < LENGTH(values); k++) {
			int v = values[k];
			int r = setsockopt(fd, IPPROTO_IPV6, names[i], &v, sizeof(v));
			printf("set %d to %d: %s", names[i], v, r ? t_errno(errno) : "ok");
			if (!r && names[i] != IPV6_MTU)
				printf(", is %d", net_option(fd, IPPROTO_IPV6, names[i]));
			putchar('\n');
		}
	char c = 1;
	RET(setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &c, 1));
	RET(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &c, 1));
}

int main(void)
{
	struct sockaddr_in6 a = addr6("::1", 9);
	int u = socket(AF_INET6, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_STREAM, 0);
	int on = 1;

	show(u, "datagram");
	show(t, "stream");
	limits(u);
	printf("--- stream\n");
	limits(t);
	RET(connect(u, (void *)&a, sizeof(a)));
	printf("mtu %d\n", net_option(u, IPPROTO_IPV6, IPV6_MTU));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	RET(net_option(u, SOL_SOCKET, SO_DOMAIN));
	RET(net_option(u, SOL_SOCKET, SO_PROTOCOL));
	RET(net_option(t, IPPROTO_IP, IP_TTL));
	RET(net_option(u, IPPROTO_IP, IP_TTL));
	RET(setsockopt(u, IPPROTO_IP, IP_TTL, &on, sizeof(on)));
	int v4 = socket(AF_INET, SOCK_DGRAM, 0);
	RET(net_option(v4, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	RET(setsockopt(v4, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &on, sizeof(on)));
	return 0;
}
