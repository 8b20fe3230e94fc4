/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NETLINK_ROUTE: what is asked about the loopback interface, its addresses and routes, with and
 * without NETLINK_GET_STRICT_CHK; requests that are wrong; answers that do not fit a buffer.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include "net6.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

struct request {
	struct nlmsghdr h;
	unsigned char body[200];
};

static void begin(struct request *q, int type, int flags, const void *body, size_t n)
{
	memset(q, 0, sizeof(*q));
	q->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(n);
	q->h.nlmsg_type = (uint16_t)type;
	q->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->h.nlmsg_seq = 77;
	memcpy(q->body, body, n);
}

static void attribute(struct request *q, int type, const void *data, size_t n)
{
	struct rtattr *a = (void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	a->rta_type = (uint16_t)type;
	a->rta_len = (uint16_t)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), data, n);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static void hex(const void *p, size_t n)
{
	for (size_t k = 0; k < n; k++)
		printf("%02x", ((const unsigned char *)p)[k]);
}

/* Attributes whose values are facts of any loopback interface. */
static void attributes(const struct rtattr *a, size_t n, const char *known)
{
	for (; *known; known++) {
		const struct rtattr *b = a;

		for (size_t left = n; RTA_OK(b, left); b = RTA_NEXT(b, left))
			if (b->rta_type == *known - 'A') {
				printf(" %d=", b->rta_type);
				hex(RTA_DATA(b), RTA_PAYLOAD(b));
			}
	}
}

static bool show(const struct nlmsghdr *h)
{
	const void *body = NLMSG_DATA(h);
	size_t left = h->nlmsg_len - NLMSG_LENGTH(0);

	switch (h->nlmsg_type) {
	case NLMSG_DONE:
		printf("  done %d flags %x\n", *(const int *)body, h->nlmsg_flags);
		return true;
	case NLMSG_ERROR:
		printf("  error %s of type %d\n", t_errno(-((const struct nlmsgerr *)body)->error),
			((const struct nlmsgerr *)body)->msg.nlmsg_type);
		return true;
	case RTM_NEWLINK: {
		const struct ifinfomsg *i = body;

		if (i->ifi_index != 1)
			break;
		printf("  link flags %x: %d %d %x", h->nlmsg_flags, i->ifi_index, i->ifi_type,
			i->ifi_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
		attributes(IFLA_RTA(i), left - NLMSG_ALIGN(sizeof(*i)), "BCDE"); /* to the MTU */
		puts("");
		break;
	}
	case RTM_NEWADDR: {
		const struct ifaddrmsg *a = body;

		if (a->ifa_index != 1) {
			puts("  another's address");
			break;
		}
		printf("  address flags %x: %d/%d scope %d", h->nlmsg_flags, a->ifa_family,
			a->ifa_prefixlen, a->ifa_scope);
		attributes(IFA_RTA(a), left - NLMSG_ALIGN(sizeof(*a)), "BCD");
		puts("");
		break;
	}
	case RTM_NEWROUTE: {
		const struct rtmsg *r = body;

		printf("  route flags %x: %d/%d type %d", h->nlmsg_flags, r->rtm_family,
			r->rtm_dst_len, r->rtm_type);
		attributes(RTM_RTA(r), left - NLMSG_ALIGN(sizeof(*r)), "BEH"); /* dst oif prefsrc */
		puts("");
		break;
	}
	default: printf("  message %d\n", h->nlmsg_type);
	}
	return !(h->nlmsg_flags & NLM_F_MULTI);
}

static void ask(const char *what, int fd, const struct request *q)
{
	char b[32768];
	bool end = false;

	printf("%s:\n", what);
	if (send(fd, q, q->h.nlmsg_len, 0) < 0) {
		printf("  send: %s\n", t_errno(errno));
		return;
	}
	while (!end) {
		ssize_t n = recv(fd, b, sizeof(b), 0);
		struct nlmsghdr *h = (void *)b;

		NEED(n > 0);
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n))
			end = show(h);
	}
	while (recv(fd, b, sizeof(b), MSG_DONTWAIT) > 0)
		puts("  and more");
}

static void links(int fd)
{
	struct ifinfomsg by_index = { .ifi_index = 1 }, none = { 0 },
			 absent = { .ifi_index = 9999 };
	struct request q;

	begin(&q, RTM_GETLINK, 0, &by_index, sizeof(by_index));
	ask("link 1", fd, &q);
	q.h.nlmsg_flags |= NLM_F_ACK;
	ask("link 1, acknowledged", fd, &q);
	begin(&q, RTM_GETLINK, 0, &none, sizeof(none));
	attribute(&q, IFLA_IFNAME, "lo", 3);
	ask("link lo", fd, &q);
	begin(&q, RTM_GETLINK, 0, &none, sizeof(none));
	attribute(&q, IFLA_IFNAME, "absent0", 8);
	ask("link absent0", fd, &q);
	begin(&q, RTM_GETLINK, 0, &none, sizeof(none));
	ask("link of no name", fd, &q);
	begin(&q, RTM_GETLINK, 0, &absent, sizeof(absent));
	ask("link 9999", fd, &q);
	begin(&q, RTM_GETLINK, NLM_F_DUMP, &none, sizeof(none));
	ask("links", fd, &q);
}

static void addresses(int fd, bool strict)
{
	struct ifaddrmsg m = { 0 };
	struct request q;

	for (int family = 0; family <= AF_INET6; family += family ? AF_INET6 - AF_INET : AF_INET) {
		m = (struct ifaddrmsg){ .ifa_family = (uint8_t)family, .ifa_index = 1 };
		begin(&q, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
		if (strict)
			ask("addresses of 1", fd, &q);
	}
	m.ifa_index = 9999;
	begin(&q, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
	if (strict)
		ask("addresses of 9999", fd, &q);
	m.ifa_index = 0;
	m.ifa_prefixlen = 8;
	begin(&q, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
	if (strict)
		ask("addresses by prefix", fd, &q);
	begin(&q, RTM_GETADDR, NLM_F_DUMP, &m, 1);
	if (strict)
		ask("addresses, short", fd, &q);
}

static void routes(int fd)
{
	struct rtmsg four = { .rtm_family = AF_INET, .rtm_dst_len = 32 },
		     six = { .rtm_family = AF_INET6, .rtm_dst_len = 128 };
	struct sockaddr_in6 one = addr6("::1", 0);
	uint32_t home = htonl(INADDR_LOOPBACK), other = htonl(0x7f000005);
	struct request q;

	begin(&q, RTM_GETROUTE, 0, &four, sizeof(four));
	attribute(&q, RTA_DST, &home, 4);
	ask("route to 127.0.0.1", fd, &q);
	begin(&q, RTM_GETROUTE, 0, &four, sizeof(four));
	attribute(&q, RTA_DST, &other, 4);
	ask("route to 127.0.0.5", fd, &q);
	begin(&q, RTM_GETROUTE, 0, &six, sizeof(six));
	attribute(&q, RTA_DST, &one.sin6_addr, 16);
	ask("route to ::1", fd, &q);
}

static void wrong(int fd)
{
	struct ifinfomsg none = { .ifi_index = 1 };
	struct request q;
	char b[4000];

	begin(&q, 2000, 0, &none, sizeof(none));
	ask("unknown type", fd, &q);
	begin(&q, 2000, NLM_F_DUMP, &none, sizeof(none));
	ask("unknown type, dump", fd, &q);
	begin(&q, RTM_GETLINK, NLM_F_ACK, &none, sizeof(none));
	q.h.nlmsg_type = NLMSG_NOOP;
	ask("control type", fd, &q);
	begin(&q, RTM_GETLINK, 0, &none, sizeof(none));
	q.h.nlmsg_flags = 0;
	NEED(send(fd, &q, q.h.nlmsg_len, 0) > 0);
	RET(recv(fd, b, sizeof(b), MSG_DONTWAIT));
	q.h.nlmsg_flags = NLM_F_ACK;
	ask("only an acknowledgement", fd, &q);
	q.h.nlmsg_flags = NLM_F_REQUEST;
	q.h.nlmsg_len = 8;
	RET(send(fd, &q, 32, 0));
	RET(recv(fd, b, sizeof(b), MSG_DONTWAIT));
	q.h.nlmsg_len = 400;
	RET(send(fd, &q, 32, 0));
	RET(recv(fd, b, sizeof(b), MSG_DONTWAIT));
	RET(send(fd, &q, 0, 0));
	RET(send(fd, &q, 5, 0));
	RET(recv(fd, b, sizeof(b), MSG_DONTWAIT));
}

static void buffers(int fd)
{
	struct ifinfomsg one = { .ifi_index = 1 };
	struct request q;
	char b[8000];
	struct iovec v = { b, 20 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	begin(&q, RTM_GETLINK, 0, &one, sizeof(one));
	NEED(send(fd, &q, q.h.nlmsg_len, 0) > 0);
	ssize_t whole = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);

	IS(whole > 100);
	printf("peeked %zd", recvmsg(fd, &m, MSG_PEEK));
	printf(" truncated %d\n", !!(m.msg_flags & MSG_TRUNC));
	printf("read %zd", recvmsg(fd, &m, 0));
	printf(" truncated %d\n", !!(m.msg_flags & MSG_TRUNC));
	RET(recv(fd, b, sizeof(b), MSG_DONTWAIT));
	NEED(send(fd, &q, q.h.nlmsg_len, 0) > 0);
	IS(recv(fd, b, 20, MSG_TRUNC) == whole);
	RET(recv(fd, b, sizeof(b), MSG_DONTWAIT));
}

static void show_groups(const char *what, int fd)
{
	struct sockaddr_nl a = { 0 };
	socklen_t len = sizeof(a), n = 8;
	uint32_t all[2] = { 0 };
	char b[100];
	int r;

	NEED(getsockname(fd, (void *)&a, &len) == 0);
	r = getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, all, &n);
	printf("%s: groups %x, list %d %x %x; ", what, a.nl_groups, r, all[0], all[1]);
	r = (int)recv(fd, b, sizeof(b), MSG_DONTWAIT);
	printf("recv %s\n", t_errno(r < 0 ? errno : 0));
}

/* Who listens to changes. There are none here. */
static void groups(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), group = RTNLGRP_IPV6_ROUTE;

	show_groups("new", fd);
	RET(bind(fd, (void *)&a, sizeof(a)));
	show_groups("bound", fd);
	RET(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	show_groups("joined", fd);
	group = 34;
	RET(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	a.nl_groups = RTMGRP_IPV4_ROUTE;
	RET(bind(fd, (void *)&a, sizeof(a)));
	show_groups("not bound to others", fd);
	socklen_t len = sizeof(a);

	NEED(getsockname(fd, (void *)&a, &len) == 0);
	a.nl_groups = RTMGRP_IPV4_ROUTE;
	RET(bind(fd, (void *)&a, sizeof(a)));
	show_groups("bound to others", fd);
	group = RTNLGRP_IPV4_ROUTE;
	RET(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)));
	RET(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)));
	show_groups("left", fd);
	a.nl_groups = 0;
	RET(bind(fd, (void *)&a, sizeof(a)));
	show_groups("bound to none", fd);
	group = 0;
	RET(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	group = 1000;
	RET(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	close(fd);
}

int main(void)
{
	int before = net_own(); /* where nobody else changes anything */
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), on = 1;

	NEED(fd >= 0);
	links(fd);
	routes(fd);
	wrong(fd);
	buffers(fd);
	RET(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)));
	links(fd);
	addresses(fd, true);
	routes(fd);
	close(fd);
	groups();
	net_back(before);
	return 0;
}
