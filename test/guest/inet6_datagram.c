/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* UDP, ICMPv6 and raw sockets over ::1: both families, ancillary data, groups, errors. */
#include <netinet/icmp6.h>
#include "net6.h"

static void show_message(int fd)
{
	struct sockaddr_in6 from = { 0 };
	char buf[100], control[300];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	if (RET(recvmsg(fd, &m, MSG_DONTWAIT)) < 0)
		return;
	show6("from", &from, m.msg_namelen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		char text[64];
		printf("cmsg level %d type %d len %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *p = (void *)CMSG_DATA(c);
			inet_ntop(AF_INET6, &p->ipi6_addr, text, sizeof(text));
			printf(" if %d to %s", (int)p->ipi6_ifindex, text);
		} else if (c->cmsg_type == IPV6_HOPLIMIT || c->cmsg_type == IPV6_TCLASS) {
			printf(" %d", *(int *)CMSG_DATA(c));
		}
		putchar('\n');
	}
}

static ssize_t send_with(int fd, struct sockaddr_in6 *to, int type, const void *data, size_t n)
{
	union {
		struct cmsghdr h;
		char room[100];
	} c = { .h = { CMSG_LEN(n), IPPROTO_IPV6, type } };
	struct iovec iov = { "data", 4 };
	struct msghdr m = { .msg_name = to,
		.msg_namelen = sizeof(*to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &c,
		.msg_controllen = CMSG_SPACE(n) };

	memcpy(CMSG_DATA(&c.h), data, n);
	return sendmsg(fd, &m, 0);
}

static void both_families(void)
{
	struct sockaddr_in6 a = addr6("::", 0), b;
	struct sockaddr_in v4;
	int on = 1, u = socket(AF_INET6, SOCK_DGRAM, 0), w = socket(AF_INET6, SOCK_DGRAM, 0),
	    x = socket(AF_INET, SOCK_DGRAM, 0);

	RET(bind(u, (void *)&a, sizeof(a)));
	uint16_t port = port6(u);
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on)));
	b = addr6("::1", port);
	RET(sendto(w, "six", 3, 0, (void *)&b, sizeof(b)));
	show_message(u);
	b = addr6("::ffff:127.0.0.1", port);
	RET(sendto(w, "mapped", 6, 0, (void *)&b, sizeof(b)));
	show_message(u);
	v4 = net_addr(port);
	RET(sendto(x, "four", 4, 0, (void *)&v4, sizeof(v4)));
	show_message(u);
	RET(sendto(w, "plain", 5, 0, (void *)&v4, sizeof(v4)));
	show_message(u);
	b = addr6("::", port);
	RET(sendto(w, "any", 3, 0, (void *)&b, sizeof(b)));
	show_message(u);
	int v = 77;
	b = addr6("::1", port);
	RET(send_with(w, &b, IPV6_HOPLIMIT, &v, sizeof(v)));
	show_message(u);
	RET(send_with(w, &b, IPV6_TCLASS, &v, sizeof(v)));
	show_message(u);
	v = 256;
	RET(send_with(w, &b, IPV6_HOPLIMIT, &v, sizeof(v)));
	RET(send_with(w, &b, 99, &v, sizeof(v)));
	struct in6_pktinfo info = { .ipi6_addr = a.sin6_addr, .ipi6_ifindex = 1 };
	RET(send_with(w, &b, IPV6_PKTINFO, &info, sizeof(info)));
	show_message(u);
	info.ipi6_addr = addr6("2001:db8::1", 0).sin6_addr;
	RET(send_with(w, &b, IPV6_PKTINFO, &info, sizeof(info)));
	RET(send_with(w, &b, IPV6_PKTINFO, &info, 4));
	b.sin6_port = 0;
	RET(sendto(w, "x", 1, 0, (void *)&b, sizeof(b)));
	RET(sendto(w, "x", 1, 0, (void *)&b, 23));
	b.sin6_family = 99;
	RET(sendto(w, "x", 1, 0, (void *)&b, sizeof(b)));
	RET(setsockopt(w, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	close(w);
	w = socket(AF_INET6, SOCK_DGRAM, 0);
	RET(setsockopt(w, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	b = addr6("::ffff:127.0.0.1", port);
	RET(sendto(w, "x", 1, 0, (void *)&b, sizeof(b)));
	RET(sendto(w, "x", 1, 0, (void *)&v4, sizeof(v4)));
	RET(connect(w, (void *)&v4, sizeof(v4)));
	close(u);
	close(w);
	close(x);
}

static void connected(void)
{
	struct sockaddr_in6 a = addr6("::1", 0), any = { .sin6_family = AF_UNSPEC };
	char buf[100];
	int u = socket(AF_INET6, SOCK_DGRAM, 0), w = socket(AF_INET6, SOCK_DGRAM, 0);

	printf("--- connected\n");
	RET(bind(u, (void *)&a, sizeof(a)));
	a.sin6_port = htons(port6(u));
	RET(connect(w, (void *)&a, sizeof(a)));
	show_name(w, false);
	show_name(w, true);
	RET(send(w, "abc", 3, 0));
	RET(recv(u, buf, 100, MSG_DONTWAIT));
	close(u);
	RET(send(w, "abc", 3, 0));
	RET(send(w, "abc", 3, 0));
	RET(connect(w, (void *)&any, sizeof(any)));
	show_name(w, false);
	show_name(w, true);
	a = addr6("fe80::1", 9);
	RET(connect(w, (void *)&a, sizeof(a)));
	a = addr6("::ffff:127.0.0.1", 9);
	RET(connect(w, (void *)&a, sizeof(a)));
	show_name(w, false);
	RET(send(w, "abc", 3, 0));
	RET(recv(w, buf, 100, 0));
	static char large[65528];
	RET(send(w, large, 65508, 0));
	close(w);
	w = socket(AF_INET6, SOCK_DGRAM, 0);
	a = addr6("::1", 9);
	RET(sendto(w, large, 65528, 0, (void *)&a, sizeof(a)));
	RET(sendto(w, large, 65527, 0, (void *)&a, sizeof(a)));
	close(w);
}

static void groups(void)
{
	struct sockaddr_in6 a = addr6("::", 0);
	struct ipv6_mreq m = { .ipv6mr_interface = 1 };
	int off = 0, on = 1, u = socket(AF_INET6, SOCK_DGRAM, 0), t;

	printf("--- groups\n");
	m.ipv6mr_multiaddr = addr6("ff02::1234", 0).sin6_addr;
	RET(bind(u, (void *)&a, sizeof(a)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, 8));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_MULTICAST_IF, &on, sizeof(on)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)));
	m.ipv6mr_interface = 4711;
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)));
	m.ipv6mr_multiaddr = addr6("::1", 0).sin6_addr;
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)));
	RET(setsockopt(u, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof(off)));
	close(u);
	t = socket(AF_INET6, SOCK_STREAM, 0);
	RET(setsockopt(t, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)));
	RET(setsockopt(t, IPPROTO_IPV6, IPV6_MULTICAST_IF, &on, sizeof(on)));
	RET(setsockopt(t, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &on, sizeof(on)));
	close(t);
}

static void raw(void)
{
	struct sockaddr_in6 a = addr6("::1", 0);
	struct icmp6_hdr echo = { .icmp6_type = ICMP6_ECHO_REQUEST, .icmp6_seq = 5 };
	struct icmp6_filter filter;
	char buf[100];
	int odd = 3, two = 2, r = GET(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));

	printf("--- raw\n");
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	RET(setsockopt(r, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)));
	RET(setsockopt(r, IPPROTO_IPV6, IPV6_CHECKSUM, &two, sizeof(two)));
	RET(net_option(r, IPPROTO_IPV6, IPV6_CHECKSUM));
	RET(sendto(r, &echo, sizeof(echo), 0, (void *)&a, sizeof(a)));
	IS(net_poll(r, POLLIN) == POLLIN);
	RET(recv(r, buf, sizeof(buf), MSG_DONTWAIT));
	printf("type %d\n", (unsigned char)buf[0]);
	close(r);
	r = GET(socket(AF_INET6, SOCK_RAW, 200));
	RET(net_option(r, IPPROTO_IPV6, IPV6_CHECKSUM));
	RET(setsockopt(r, IPPROTO_IPV6, IPV6_CHECKSUM, &odd, sizeof(odd)));
	RET(setsockopt(r, IPPROTO_IPV6, IPV6_CHECKSUM, &two, sizeof(two)));
	RET(sendto(r, "0123456789", 10, 0, (void *)&a, sizeof(a)));
	RET(recv(r, buf, sizeof(buf), MSG_DONTWAIT));
	printf("%.2s%.4s\n", buf, buf + 4);
	RET(sendto(r, "0", 1, 0, (void *)&a, sizeof(a)));
	close(r);
	GET(socket(AF_INET6, SOCK_RAW, 0));
}

int main(void)
{
	both_families();
	connected();
	groups();
	raw();
	return 0;
}
