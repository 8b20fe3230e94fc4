/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP over ::1, mapped addresses, both families on one listener, names, errors. */
#include "net6.h"

static void talk(int listener, int c)
{
	struct sockaddr_in6 a = { 0 };
	socklen_t len = sizeof(a);
	static char buf[200000];
	int s = GET(accept(listener, (void *)&a, &len));

	if (s < 0)
		return;
	show6("accepted from", &a, len);
	show_name(s, false);
	show_name(s, true);
	show_name(c, false);
	show_name(c, true);
	RET(send(c, "hello", 5, 0));
	RET(recv(s, buf, 100, 0));
	memset(buf, 'x', sizeof(buf));
	RET(send(s, buf, 50000, 0));
	RET(recv(c, buf, 50000, MSG_WAITALL));
	printf("mss above 30000: %d\n", net_option(c, IPPROTO_TCP, TCP_MAXSEG) > 30000);
	close(s);
	RET(recv(c, buf, 1, 0));
	close(c);
}

static int stream(int family)
{
	return socket(family, SOCK_STREAM, 0);
}

int main(void)
{
	struct sockaddr_in6 a = addr6("::", 0), b;
	struct sockaddr_in v4;
	int on = 1, l = stream(AF_INET6), c, d;

	RET(bind(l, (void *)&a, sizeof(struct sockaddr_in)));
	RET(bind(l, (void *)&a, 24));
	show_name(l, false);
	RET(listen(l, 10));
	RET(bind(l, (void *)&a, sizeof(a)));
	RET(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	uint16_t port = port6(l);

	static const char *to[] = { "::1", "::", "::ffff:127.0.0.1", "::ffff:127.0.0.9",
		"::ffff:0.0.0.0" };
	for (unsigned i = 0; i < LENGTH(to); i++) {
		printf("--- %s\n", to[i]);
		b = addr6(to[i], port);
		c = stream(AF_INET6);
		if (RET(connect(c, (void *)&b, sizeof(b))) == 0)
			talk(l, c);
		else
			close(c);
	}
	printf("--- IPv4\n");
	v4 = net_addr(port);
	c = stream(AF_INET);
	RET(connect(c, (void *)&v4, sizeof(v4)));
	talk(l, c);

	printf("--- IPv6 only\n");
	d = stream(AF_INET6);
	RET(setsockopt(d, IPPROTO_IPV6, IPV6_V6ONLY, &on, 1));
	RET(setsockopt(d, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	b = addr6("::ffff:127.0.0.1", 0);
	RET(bind(d, (void *)&b, sizeof(b)));
	b.sin6_port = htons(port);
	RET(connect(d, (void *)&b, sizeof(b)));
	b = addr6("::", 0);
	RET(bind(d, (void *)&b, sizeof(b)));
	RET(listen(d, 5));
	v4 = net_addr(port6(d));
	c = stream(AF_INET);
	RET(connect(c, (void *)&v4, sizeof(v4)));
	close(c);
	c = stream(AF_INET);
	RET(bind(c, (void *)&v4, sizeof(v4))); /* the other family's port is free */
	close(c);
	close(d);

	printf("--- errors\n");
	c = stream(AF_INET6);
	b = addr6("::1", 1);
	RET(connect(c, (void *)&b, sizeof(b)));
	RET(connect(c, (void *)&b, 23));
	b.sin6_family = AF_INET;
	RET(connect(c, (void *)&b, sizeof(b)));
	b = addr6("fe80::1", 1);
	RET(connect(c, (void *)&b, sizeof(b)));
	b = addr6("ff02::1", 1);
	RET(connect(c, (void *)&b, sizeof(b)));
	b = addr6("2001:db8::1", 0);
	RET(bind(c, (void *)&b, sizeof(b)));
	b = addr6("ff02::1", 0);
	RET(bind(c, (void *)&b, sizeof(b)));
	b = addr6("fe80::1", 0);
	RET(bind(c, (void *)&b, sizeof(b)));
	b = addr6("::ffff:127.0.0.1", 0);
	RET(bind(c, (void *)&b, sizeof(b)));
	show_name(c, false);
	b = addr6("::1", port);
	RET(connect(c, (void *)&b, sizeof(b)));
	close(c);
	c = stream(AF_INET6);
	b = addr6("::ffff:0.0.0.0", 0);
	RET(bind(c, (void *)&b, sizeof(b)));
	show_name(c, false);
	show_name(c, true);
	close(c);
	c = stream(AF_INET6);
	b = addr6("::1", 0);
	RET(bind(c, (void *)&b, sizeof(b)));
	show_name(c, false);
	close(c);
	c = stream(AF_INET);
	b = addr6("::1", port);
	RET(connect(c, (void *)&b, sizeof(b)));
	RET(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	close(c);
	close(l);
	GET(socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP));
	GET(socket(AF_INET6, SOCK_DGRAM, IPPROTO_TCP));
	GET(socket(AF_INET6, SOCK_SEQPACKET, 0));
	int pair[2];
	RET(socketpair(AF_INET6, SOCK_STREAM, 0, pair));
	return 0;
}
