/* SPDX-License-Identifier: BSD-2-Clause */
/* Who listens to changes of addresses and routes (rtnetlink(7)): what is heard, and what is lost.
 */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "ip6_peer.h"
#include "net/netlink.h"

#define GROUP(n) (1u << ((n)-1))
#define ALL                                                                                        \
	(GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV4_ROUTE) | GROUP(RTNLGRP_IPV6_IFADDR) |     \
		GROUP(RTNLGRP_IPV6_ROUTE))

static struct file *listener(uint32_t groups)
{
	struct file *f = socket_create(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_storage a = { 0 };
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = groups };

	CHECK(!IS_ERR(f));
	memcpy(&a, &nl, sizeof(nl));
	CHECK_EQ(socket_bind(f, &a, sizeof(nl), NULL), 0);
	return f;
}

static const struct rtattr *attribute(const struct nlmsghdr *h, size_t body, unsigned type)
{
	size_t at = sizeof(*h) + body;

	while (at + sizeof(struct rtattr) <= h->nlmsg_len) {
		const struct rtattr *a = (const void *)((const uint8_t *)h + at);

		if (a->rta_type == type)
			return a;
		at += NLMSG_ALIGN(a->rta_len);
	}
	return NULL;
}

static void put_address_text(char *text, const struct rtattr *a)
{
	uint32_t four;

	text[0] = 0;
	if (!a)
		return;
	memcpy(&four, a + 1, 4);
	ip_format(a->rta_len == sizeof(*a) + 4 ? ip_map(four)
					       : ip_from_bytes((const uint8_t *)(a + 1)),
		text);
}

static uint32_t preferred; /* of the last address that was heard of */

/* The next message in words: what, which, flags, group. An error as a number. */
static const char *heard(struct file *f)
{
	static char text[200];
	static _Alignas(8) uint8_t buf[4096];
	char dst[IP_TEXT], via[IP_TEXT];
	const struct nlmsghdr *h = (const void *)buf;
	const struct ifaddrmsg *a = (const void *)(h + 1);
	const struct rtmsg *r = (const void *)(h + 1);
	struct iter it;
	struct socket_message m = { .data = &it };
	ssize_t n;

	iter_init_one(&it, buf, sizeof(buf), false);
	n = socket_recv(f, &m);
	if (n < 0) {
		snprintf(text, sizeof(text), "%zd", n);
		return n == -EAGAIN ? "" : text;
	}
	CHECK_EQ(n, h->nlmsg_len);
	CHECK_EQ(h->nlmsg_seq | h->nlmsg_pid, 0);
	uint32_t groups = ((struct sockaddr_nl *)&m.name)->nl_groups;
	int group = groups ? __builtin_ctz(groups) + 1 : 0;

	if (h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR) {
		const struct rtattr *info = attribute(h, sizeof(*a), IFA_CACHEINFO);

		memcpy(&preferred, info + 1, 4);
		put_address_text(dst, attribute(h, sizeof(*a), IFA_ADDRESS));
		snprintf(text, sizeof(text), "%s %s/%d flags %x in %d",
			h->nlmsg_type == RTM_NEWADDR ? "new" : "gone", dst, a->ifa_prefixlen,
			a->ifa_flags, group);
	} else {
		CHECK(h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE);
		put_address_text(dst, attribute(h, sizeof(*r), RTA_DST));
		put_address_text(via, attribute(h, sizeof(*r), RTA_GATEWAY));
		snprintf(text, sizeof(text), "%s route %s/%d%s%s flags %x in %d",
			h->nlmsg_type == RTM_NEWROUTE ? "new" : "gone", dst, r->rtm_dst_len,
			via[0] ? " via " : "", via, h->nlmsg_flags, group);
	}
	return text;
}

TEST(addresses_and_their_routes)
{
	peer_setup();
	struct file *f = listener(ALL), *other = listener(GROUP(RTNLGRP_IPV6_IFADDR));

	CHECK_STR(heard(f), ""); /* nothing of what was before */
	CHECK_EQ(netif_add_address(&me.eth, IP4(192, 168, 7, 1), 24), 0);
	CHECK(env_poll(f) & POLLIN);
	CHECK_STR(heard(f), "new 192.168.7.1/24 flags 80 in 5");
	CHECK_EQ(preferred, UINT32_MAX);
	CHECK_STR(heard(f), "new route 192.168.7.0/24 flags 600 in 7");
	CHECK_STR(heard(f), "");
	CHECK(!(env_poll(f) & POLLIN));
	CHECK_EQ(netif_add_address(&me.eth, IP4(192, 168, 7, 1), 24), -EEXIST);
	CHECK_STR(heard(f), "");
	CHECK_EQ(netif_remove(&me.eth, ip_map(IP4(192, 168, 7, 1))), 0);
	CHECK_STR(heard(f), "gone 192.168.7.1/24 flags 80 in 5");
	CHECK_STR(heard(f), "");
	CHECK_EQ(netif_remove_addresses(&me.eth), 0); /* as the end of a lease does */
	CHECK_STR(heard(f), "gone 10.0.0.1/24 flags 80 in 5");
	CHECK_STR(heard(f), "gone route 10.0.0.0/24 flags 0 in 7");
	CHECK_STR(heard(f), "gone route 192.168.7.0/24 flags 0 in 7");
	CHECK_STR(heard(f), "");
	CHECK_STR(heard(other), "");
	file_put(f);
	file_put(other);
	peer_teardown();
}

TEST(routes_alone)
{
	peer_setup();
	struct file *f = listener(GROUP(RTNLGRP_IPV4_ROUTE));

	CHECK_EQ(route_add(0, 0, PEER, &me.eth, 0, 3), 0);
	CHECK_STR(heard(f), "new route /0 via 10.0.0.2 flags 600 in 7");
	CHECK_EQ(netif_add_address(&me.eth, IP4(192, 168, 7, 1), 32), 0);
	CHECK_STR(heard(f), "");
	CHECK_EQ(route_remove(&(struct route){
			 .gateway = ip_map(PEER), .dst = ip_map(0), .dev = &me.eth, .v4 = true }),
		0);
	CHECK_STR(heard(f), "gone route /0 via 10.0.0.2 flags 0 in 7");
	file_put(f);
	peer_teardown();
}

/* An address is told of when it is ours (RFC 4862), with its lifetimes, and when that changes. */
TEST(what_routers_say)
{
	peer_setup();
	struct file *f = listener(ALL);

	nd_start(&me.eth, true);
	CHECK_STR(heard(f), "new route fe80::/64 flags 600 in 11");
	CHECK_STR(heard(f), "");
	env_run(3 * NSEC_PER_SEC);
	CHECK_STR(heard(f), "new " ME_LL "/64 flags 80 in 9");
	CHECK_STR(heard(f), "");
	SEND_RA(.lifetime = 1800, .prefix = "2001:db8::", .valid = 300, .preferred = 100);
	CHECK_STR(heard(f), "new route /0 via " PEER_LL " flags 600 in 11");
	CHECK_STR(heard(f), "new route 2001:db8::/64 flags 600 in 11");
	CHECK_STR(heard(f), "");
	env_run(3 * NSEC_PER_SEC);
	CHECK_STR(heard(f), "new " ME_GLOBAL "/64 flags 0 in 9");
	CHECK(preferred >= 97 && preferred <= 100);
	env_run(100 * NSEC_PER_SEC);
	CHECK_STR(heard(f), "new " ME_GLOBAL "/64 flags 20 in 9");
	CHECK_EQ(preferred, 0);
	CHECK_STR(heard(f), "");
	env_run(300 * NSEC_PER_SEC);
	CHECK_STR(heard(f), "gone " ME_GLOBAL "/64 flags 20 in 9");
	file_put(f);
	peer_teardown();
}

TEST(members_join_and_leave)
{
	int group = RTNLGRP_IPV4_IFADDR;
	uint32_t groups[2] = { 0 }, len = sizeof(groups);

	peer_setup();
	struct file *f = listener(0);

	CHECK_EQ(load_relaxed(&me.net.nl_groups), 0);
	CHECK_EQ(socket_setopt(f, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4), 0);
	CHECK_EQ(socket_getopt(f, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &len), 0);
	CHECK_EQ(groups[0], GROUP(RTNLGRP_IPV4_IFADDR));
	CHECK_EQ(netif_add_address(&me.eth, IP4(192, 168, 7, 1), 24), 0);
	CHECK_STR(heard(f), "new 192.168.7.1/24 flags 80 in 5");
	CHECK_STR(heard(f), "");
	CHECK_EQ(socket_setopt(f, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, 4), 0);
	CHECK_EQ(netif_add_address(&me.eth, IP4(192, 168, 8, 1), 24), 0);
	CHECK_STR(heard(f), "");
	CHECK_EQ(load_relaxed(&me.net.nl_groups), 0);
	CHECK_EQ(socket_setopt(f, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4), 0);
	file_put(f);
	CHECK_EQ(load_relaxed(&me.net.nl_groups), 0);
	peer_teardown();
}

static void change(unsigned times)
{
	for (unsigned k = 0; k < times; k++) {
		CHECK_EQ(netif_add_address(&me.eth, IP4(192, 168, 7, 1), 32), 0);
		CHECK_EQ(netif_remove(&me.eth, ip_map(IP4(192, 168, 7, 1))), 0);
	}
}

/* Messages until there is none, of which none may be an error. */
static unsigned drain(struct file *f)
{
	unsigned count = 0;
	const char *s;

	while (*(s = heard(f))) {
		CHECK(*s != '-');
		count++;
	}
	return count;
}

/* netlink(7): ENOBUFS once, then what was kept; and again only when the reader had caught up. */
TEST(who_reads_too_slowly_is_told_once)
{
	char enobufs[16];
	int size = 4096, on = 1;

	snprintf(enobufs, sizeof(enobufs), "%d", -ENOBUFS);
	for (unsigned times = 10; times <= 10000; times *= 1000) { /* the channel's limit, too */
		peer_setup();
		struct file *f = listener(GROUP(RTNLGRP_IPV4_IFADDR)), *silent = listener(ALL),
			    *large = listener(ALL);

		CHECK_EQ(socket_setopt(f, SOL_SOCKET, SO_RCVBUF, &size, 4), 0);
		CHECK_EQ(socket_setopt(silent, SOL_SOCKET, SO_RCVBUF, &size, 4), 0);
		CHECK_EQ(socket_setopt(silent, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, 4), 0);
		change(times);
		CHECK(env_poll(f) & POLLERR);
		CHECK_STR(heard(f), enobufs);
		CHECK_STR(heard(f), "new 192.168.7.1/32 flags 80 in 5");
		change(times); /* it has not caught up: no word of these */
		CHECK(drain(f) < 2 * times);
		change(1);
		CHECK_EQ(drain(f), 2);
		change(times);
		CHECK_STR(heard(f), enobufs);
		CHECK(drain(silent) > 0);
		if (times == 10)
			CHECK_EQ(drain(large), 2 * 3 * times + 2);
		drain(f);
		nl_lost(); /* where there is no memory */
		CHECK_STR(heard(f), enobufs);
		CHECK_STR(heard(f), "");
		change(1);
		CHECK_EQ(drain(f), 2);
		file_put(f);
		file_put(silent);
		file_put(large);
		peer_teardown();
	}
}
