/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NETLINK_ROUTE (rtnetlink(7)): dumps of links, addresses, routes and neighbours, as getifaddrs(3)
 * and ip(8) ask for them, and what those hear who listen to changes (ip monitor). Everything else
 * is answered with -EOPNOTSUPP.
 */

#include "net/ip6.h"
#include "net/neigh.h"
#include "net/netif.h"
#include "net/netlink.h"
#include "net/route.h"
#include "abi/errno.h"
#include "abi/net.h"
#include "abi/socket.h"
#include "mem/heap.h"
#include "sched/clock.h"

/* Of a message with all attributes; so small that whole tables fit one answer. */
#define ROOM_LINK   512u
#define ROOM_OTHERS 128u
#define ROOM_NEIGH  64u
_Static_assert(NEIGH_COUNT *ROOM_NEIGH <= NL_REPLY_MAX, "all neighbours");

static void dump_links(struct nl_reply *r, uint16_t flags, int only)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, none[6];

	for (struct netdev *d = netdev_first(); d; d = d->next) {
		bool lo = d->features & NETDEV_LOOPBACK;
		struct ifinfomsg *i;
		uint32_t qlen = 1000;
		uint8_t up = d->link_up ? (lo ? 0 : 6) : 2;

		if (only && d->index != only)
			continue;
		i = nl_begin(r, RTM_NEWLINK, flags, sizeof(*i), ROOM_LINK);
		if (!i)
			return;
		i->ifi_type = lo ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		i->ifi_index = d->index;
		i->ifi_flags = IFF_UP | (d->link_up ? IFF_RUNNING | IFF_LOWER_UP : 0) |
			       (lo ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
		nl_attr(r, IFLA_IFNAME, d->name, strlen(d->name) + 1);
		nl_attr(r, IFLA_TXQLEN, &qlen, 4);
		nl_attr(r, IFLA_OPERSTATE, &up, 1);
		nl_attr(r, IFLA_MTU, &d->mtu, 4);
		nl_attr(r, IFLA_QDISC, lo ? "noqueue" : "mq", lo ? 8 : 3);
		nl_attr(r, IFLA_ADDRESS, lo ? none : d->mac, 6);
		nl_attr(r, IFLA_BROADCAST, lo ? none : all, 6);
		struct netdev_stats s = netdev_stats(d);
		uint64_t stats[24] = { s.rx_packets, s.tx_packets, s.rx_bytes, s.tx_bytes, 0, 0,
			s.rx_dropped, s.tx_dropped };

		nl_attr(r, IFLA_STATS64, stats, sizeof(stats));
		nl_finish(r);
	}
}

static const void *raw_addr(const struct ip_addr *a)
{
	return ip_is_v4(*a) ? a->b + 12 : a->b;
}

struct lifetimes {
	uint32_t preferred, valid; /* seconds, ~0: for ever */
};

static void address_attributes(
	struct nl_reply *r, const struct net_addr *a, const struct lifetimes *l)
{
	bool v4 = ip_is_v4(a->addr);
	uint32_t life[4] = { l->preferred, l->valid, 0, 0 }, f;

	f = (a->flags & ADDR_TENTATIVE ? IFA_F_TENTATIVE : 0) |
	    (a->flags & ADDR_DUPLICATE ? IFA_F_DADFAILED : 0) |
	    (a->flags & ADDR_DEPRECATED ? IFA_F_DEPRECATED : 0) |
	    (a->flags & ADDR_DYNAMIC ? 0 : IFA_F_PERMANENT);
	nl_attr(r, IFA_ADDRESS, raw_addr(&a->addr), v4 ? 4 : 16);
	if (v4) {
		nl_attr(r, IFA_LOCAL, raw_addr(&a->addr), 4);
		if (!(a->dev->features & NETDEV_LOOPBACK))
			nl_attr(r, IFA_BROADCAST, &a->broadcast, 4);
		nl_attr(r, IFA_LABEL, a->dev->name, strlen(a->dev->name) + 1);
	}
	nl_attr(r, IFA_FLAGS, &f, 4);
	nl_attr(r, IFA_CACHEINFO, life, 16);
}

static uint8_t address_scope(const struct net_addr *a)
{
	if (a->dev->features & NETDEV_LOOPBACK)
		return RT_SCOPE_HOST;
	return ip_is_link_local(a->addr) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/* False: r is full. */
static bool put_address(struct nl_reply *r, uint16_t type, uint16_t flags, const struct net_addr *a,
	const struct lifetimes *life)
{
	struct ifaddrmsg *m = nl_begin(r, type, flags, sizeof(*m), ROOM_OTHERS);

	if (!m)
		return false;
	m->ifa_family = ip_is_v4(a->addr) ? AF_INET : AF_INET6;
	m->ifa_prefixlen = a->prefix;
	m->ifa_flags = (a->flags & ADDR_DYNAMIC ? 0 : IFA_F_PERMANENT) |
		       (a->flags & ADDR_TENTATIVE ? IFA_F_TENTATIVE : 0) |
		       (a->flags & ADDR_DEPRECATED ? IFA_F_DEPRECATED : 0);
	m->ifa_scope = address_scope(a);
	m->ifa_index = (uint32_t)a->dev->index;
	address_attributes(r, a, life);
	nl_finish(r);
	return true;
}

/* index: only those of the interface, 0: all. */
static void dump_addresses(
	struct nl_reply *r, uint16_t flags, int family, int index, const struct net_config *c)
{
	for (unsigned k = 0; k < c->addr_count; k++) {
		const struct net_addr *a = &c->addr[k];
		bool v4 = ip_is_v4(a->addr);
		struct lifetimes life = { ~0u, ~0u };

		if ((family && family != (v4 ? AF_INET : AF_INET6)) ||
			(index && a->dev->index != index))
			continue;
		if (!v4)
			nd_lifetimes(a, &life.preferred, &life.valid);
		if (!put_address(r, RTM_NEWADDR, flags, a, &life))
			return;
	}
}

/* False: r is full. */
static bool put_route(struct nl_reply *r, uint16_t type, uint16_t flags, const struct route *t)
{
	struct rtmsg *m = nl_begin(r, type, flags, sizeof(*m), ROOM_OTHERS);
	uint32_t table = RT_TABLE_MAIN, oif = (uint32_t)t->dev->index;
	size_t n = t->v4 ? 4 : 16;

	if (!m)
		return false;
	m->rtm_family = t->v4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = t->prefix;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = t->protocol;
	m->rtm_scope = t->scope;
	m->rtm_type = RTN_UNICAST;
	nl_attr(r, RTA_TABLE, &table, 4);
	if (t->prefix)
		nl_attr(r, RTA_DST, raw_addr(&t->dst), n);
	if (!ip_is_any(t->gateway))
		nl_attr(r, RTA_GATEWAY, raw_addr(&t->gateway), n);
	if (!ip_is_any(t->src))
		nl_attr(r, RTA_PREFSRC, raw_addr(&t->src), n);
	nl_attr(r, RTA_OIF, &oif, 4);
	if (t->metric)
		nl_attr(r, 6 /* RTA_PRIORITY */, &t->metric, 4);
	nl_finish(r);
	return true;
}

/* Linux has those of the loopback interface in another table, which is not shown. */
static bool in_main_table(const struct route *t)
{
	return !(t->dev->features & NETDEV_LOOPBACK);
}

static void dump_routes(struct nl_reply *r, uint16_t flags, int family, const struct net_config *c)
{
	for (unsigned k = 0; k < c->route_count; k++) {
		const struct route *t = &c->route[k];

		if (!in_main_table(t) || (family && family != (t->v4 ? AF_INET : AF_INET6)))
			continue;
		if (!put_route(r, RTM_NEWROUTE, flags, t))
			return;
	}
}

static void dump_neighbours(struct nl_reply *r, uint16_t flags, int family)
{
	struct neigh_info *table = heap_alloc(NEIGH_COUNT * sizeof(*table));
	unsigned count = table ? neigh_list(table, NEIGH_COUNT) : 0;

	for (unsigned k = 0; k < count; k++) {
		const struct neigh_info *e = &table[k];
		bool v4 = ip_is_v4(e->ip);
		struct ndmsg *m;

		if (family && family != (v4 ? AF_INET : AF_INET6))
			continue;
		m = nl_begin(
			r, RTM_NEWNEIGH, flags, sizeof(*m), ROOM_NEIGH - sizeof(struct nlmsghdr));
		if (!m)
			break;
		m->ndm_family = v4 ? AF_INET : AF_INET6;
		m->ndm_ifindex = e->dev->index;
		m->ndm_state = e->state;
		m->ndm_flags = e->router ? NTF_ROUTER : 0;
		m->ndm_type = RTN_UNICAST;
		nl_attr(r, NDA_DST, raw_addr(&e->ip), v4 ? 4 : 16);
		if (e->state != NUD_INCOMPLETE)
			nl_attr(r, NDA_LLADDR, e->mac, 6);
		nl_finish(r);
	}
	heap_free(table);
}

/* The first attribute of this type behind a request's body, of n bytes at least; NULL: none. */
static const uint8_t *request_attr(
	const struct nlmsghdr *h, size_t len, size_t body, uint16_t type, size_t n)
{
	size_t at = sizeof(*h) + body;

	while (at + sizeof(struct rtattr) <= len) {
		struct rtattr a;

		memcpy(&a, (const uint8_t *)h + at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len - at)
			return NULL;
		if (a.rta_type == type && a.rta_len >= sizeof(a) + n)
			return (const uint8_t *)h + at + sizeof(a);
		at += NLMSG_ALIGN(a.rta_len);
	}
	return NULL;
}

/* The destination that a request for one route is about; false: it names none. */
static bool wanted_route(const struct nlmsghdr *h, size_t len, struct ip_addr *dst)
{
	size_t body = sizeof(struct rtmsg);
	bool v4 =
		len >= sizeof(*h) + body && ((const struct rtmsg *)(h + 1))->rtm_family == AF_INET;
	const uint8_t *data = request_attr(h, len, body, RTA_DST, v4 ? 4 : 16);
	uint32_t four;

	if (!data)
		return false;
	memcpy(&four, data, 4);
	*dst = v4 ? ip_map(four) : ip_from_bytes(data);
	return true;
}

static int get_route(struct nl_reply *r, const struct nlmsghdr *h, size_t len)
{
	struct route_cache c;
	struct ip_addr dst;
	struct rtmsg *m;
	int err;

	if (!wanted_route(h, len, &dst))
		return -EINVAL;
	err = route_lookup(dst, IP_ANY, 0, &c);
	if (err)
		return err;
	m = nl_begin(r, RTM_NEWROUTE, 0, sizeof(*m), ROOM_OTHERS);
	if (!m)
		return -ENOBUFS;
	size_t n = ip_is_v4(dst) ? 4 : 16;
	uint32_t oif = (uint32_t)c.dev->index;

	m->rtm_family = n == 4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = (uint8_t)(8 * n);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_type = c.local ? RTN_LOCAL : RTN_UNICAST;
	nl_attr(r, RTA_DST, raw_addr(&dst), n);
	nl_attr(r, RTA_OIF, &oif, 4);
	nl_attr(r, RTA_PREFSRC, raw_addr(&c.src), n);
	if (!ip_equal(c.next_hop, dst))
		nl_attr(r, RTA_GATEWAY, raw_addr(&c.next_hop), n);
	nl_finish(r);
	return 0;
}

/* ---- requests ---- */

/* The interface by number or by name. -EINVAL: neither is said; -ENODEV. */
static int get_link(struct nl_reply *r, const struct nlmsghdr *h, size_t len)
{
	struct ifinfomsg m;
	char name[IFNAMSIZ] = { 0 };

	if (len < sizeof(*h) + sizeof(m))
		return -EINVAL;
	memcpy(&m, h + 1, sizeof(m));
	if (!m.ifi_index) {
		const uint8_t *text = request_attr(h, len, sizeof(m), IFLA_IFNAME, 1);

		if (!text)
			return -EINVAL;
		memcpy(name, text, MIN(sizeof(name) - 1, len - (size_t)(text - (uint8_t *)h)));
		struct netdev *d = netdev_by_name(name);

		m.ifi_index = d ? d->index : -1;
	}
	if (!netdev_by_index(m.ifi_index))
		return -ENODEV;
	dump_links(r, 0, m.ifi_index);
	return 0;
}

/*
 * NETLINK_GET_STRICT_CHK: a header must make sense, and then the interface in it filters. Without,
 * what follows the family means nothing, as programs used to send what they liked there.
 */
static int get_addresses(struct nl_reply *r, const struct nlmsghdr *h, size_t len, bool strict,
	uint16_t *flags, const struct net_config *c)
{
	struct ifaddrmsg m = { 0 };
	int err = 0;

	memcpy(&m, h + 1, MIN(sizeof(m), len - sizeof(*h)));
	if (strict &&
		(len < sizeof(*h) + sizeof(m) || m.ifa_prefixlen || m.ifa_flags || m.ifa_scope))
		return -EINVAL;
	if (!strict)
		m.ifa_index = 0;
	if (m.ifa_index) {
		*flags |= NLM_F_DUMP_FILTERED;
		err = netdev_by_index((int)m.ifa_index) ? 0 : -ENODEV;
	}
	if (!err)
		dump_addresses(r, *flags, m.ifa_family, (int)m.ifa_index, c);
	return err;
}

int rtnl_request(struct nl_reply *r, const struct nlmsghdr *h, size_t len, bool dump, bool strict,
	uint16_t *flags)
{
	struct net_config *c = net_config_copy();
	uint8_t family = len > sizeof(*h) ? ((const uint8_t *)(h + 1))[0] : 0;
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (h->nlmsg_type == RTM_GETLINK && dump)
		dump_links(r, *flags, 0);
	else if (h->nlmsg_type == RTM_GETLINK)
		err = get_link(r, h, len);
	else if (h->nlmsg_type == RTM_GETADDR && dump)
		err = get_addresses(r, h, len, strict, flags, c);
	else if (h->nlmsg_type == RTM_GETROUTE && dump)
		dump_routes(r, *flags, family, c);
	else if (h->nlmsg_type == RTM_GETROUTE)
		err = get_route(r, h, len);
	else if (h->nlmsg_type == RTM_GETNEIGH && dump)
		dump_neighbours(r, *flags, family);
	else
		err = -EOPNOTSUPP;
	heap_free(c);
	return err;
}

/* ---- what has changed ---- */

static uint64_t group_bit(unsigned group)
{
	return 1ull << (group - 1);
}

static const struct net_addr *find_address(const struct net_config *c, const struct net_addr *a)
{
	for (unsigned k = 0; k < c->addr_count; k++)
		if (c->addr[k].dev == a->dev && c->addr[k].prefix == a->prefix &&
			ip_equal(c->addr[k].addr, a->addr))
			return &c->addr[k];
	return NULL;
}

static bool has_route(const struct net_config *c, const struct route *t)
{
	for (unsigned k = 0; k < c->route_count; k++) {
		const struct route *o = &c->route[k];

		if (o->dev == t->dev && o->v4 == t->v4 && o->prefix == t->prefix &&
			o->protocol == t->protocol && o->scope == t->scope &&
			o->metric == t->metric && ip_equal(o->dst, t->dst) &&
			ip_equal(o->gateway, t->gateway) && ip_equal(o->src, t->src))
			return true;
	}
	return false;
}

static void tell(struct nl_reply *r, unsigned group)
{
	nl_multicast(group, r->m->data, r->m->size);
	r->m->size = 0;
}

static uint32_t seconds_to(uint64_t until)
{
	uint64_t now = clock_now();

	return until == ND_FOREVER ? ~0u : (uint32_t)((MAX(until, now) - now) / NSEC_PER_SEC);
}

static void tell_address(struct nl_reply *r, uint16_t type, const struct net_addr *a)
{
	bool dynamic = a->flags & ADDR_DYNAMIC;
	struct lifetimes life = { dynamic ? seconds_to(a->preferred_until) : ~0u,
		dynamic ? seconds_to(a->valid_until) : ~0u };

	put_address(r, type, 0, a, &life);
	tell(r, ip_is_v4(a->addr) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR);
}

/* As Linux: an address that is not sure to be ours yet is not told of. */
static void tell_new_address(
	struct nl_reply *r, const struct net_addr *a, const struct net_addr *before)
{
	if (before && before->flags == a->flags)
		return;
	if ((a->flags & ADDR_TENTATIVE) && !(a->flags & ADDR_DUPLICATE))
		return;
	tell_address(r, RTM_NEWADDR, a);
}

static void tell_routes(struct nl_reply *r, uint16_t type, uint16_t flags,
	const struct net_config *of, const struct net_config *not_of)
{
	for (unsigned k = 0; k < of->route_count; k++) {
		const struct route *t = &of->route[k];

		if (!in_main_table(t) || has_route(not_of, t))
			continue;
		put_route(r, type, flags, t);
		tell(r, t->v4 ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE);
	}
}

void rtnl_changed(const struct net_config *old, const struct net_config *new)
{
	struct nl_reply r = { 0 };

	if (likely(!(load_relaxed(&the_net()->nl_groups) &
		     (group_bit(RTNLGRP_IPV4_IFADDR) | group_bit(RTNLGRP_IPV6_IFADDR) |
			     group_bit(RTNLGRP_IPV4_ROUTE) | group_bit(RTNLGRP_IPV6_ROUTE)))))
		return;
	if (!nl_reply_alloc(&r)) {
		nl_lost();
		return;
	}
	for (unsigned k = 0; k < old->addr_count; k++)
		if (!find_address(new, &old->addr[k]))
			tell_address(&r, RTM_DELADDR, &old->addr[k]);
	for (unsigned k = 0; k < new->addr_count; k++)
		tell_new_address(&r, &new->addr[k], find_address(old, &new->addr[k]));
	tell_routes(&r, RTM_DELROUTE, 0, old, new);
	tell_routes(&r, RTM_NEWROUTE, NLM_F_EXCL | NLM_F_CREATE, new, old);
	heap_free(r.m);
}
