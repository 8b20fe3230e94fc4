/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The multicast groups of a socket, and which senders it hears in them (RFC 3376 3.1, 3810 4.2,
 * 3678). A list that receivers read under RCU: a group is written, then published at the head; one
 * that is left, or has got other senders, is unlinked and freed after a grace period, and keeps its
 * next until then. Changes hold net_state.group_lock.
 */

#include "net/igmp.h"
#include "net/inet.h"
#include "net/ip6.h"
#include "net/netif.h"
#include "net/route.h"
#include "net/state.h"
#include "abi/errno.h"
#include "mem/heap.h"

static bool has_source(const struct inet_group *g, struct ip_addr source)
{
	for (unsigned k = 0; k < g->source_count; k++)
		if (ip_equal(g->sources[k], source))
			return true;
	return false;
}

bool inet_in_group(const struct inet_sock *i, const struct pkt_cb *cb)
{
	bool found = false, wanted = false;
	const struct inet_group *g;

	rcu_read_lock();
	for (g = rcu_load(&i->groups); g; g = rcu_load(&g->next)) {
		if (!ip_equal(g->group, cb->dst) || g->ifindex != cb->ifindex)
			continue;
		found = true;
		wanted |= has_source(g, cb->src) == g->include;
	}
	rcu_read_unlock();
	if (found)
		return wanted;
	/* Linux: by default all groups that the machine is in. For IPv6 ip6.c has looked. */
	if (!ip_is_v4(cb->dst))
		return i->v6.mcast_all;
	return i->mcast_all && igmp_is_member(cb->ifindex, cb->dst);
}

/* group_lock held. Where (group, ifindex) is linked: *result is NULL if nowhere. ifindex 0: any. */
static struct inet_group **find(struct inet_sock *i, struct ip_addr group, int ifindex)
{
	struct inet_group **at = &i->groups;

	while (*at && !(ip_equal((*at)->group, group) && (!ifindex || (*at)->ifindex == ifindex)))
		at = &(*at)->next;
	return at;
}

static void free_group(struct rcu_node *n)
{
	heap_free(container_of(n, struct inet_group, rcu));
}

static int join_group(struct inet_sock *i, struct ip_addr group, int ifindex, bool include)
{
	struct inet_group *g = heap_alloc_zeroed(sizeof(*g));
	int err = 0;

	if (!g)
		return -ENOMEM;
	g->group = group;
	g->ifindex = ifindex;
	g->include = include;
	mutex_lock(&the_net()->group_lock);
	if (*find(i, group, ifindex)) {
		err = -EADDRINUSE;
	} else if (i->group_count == INET_GROUPS) {
		err = -ENOBUFS;
	} else {
		i->group_count++;
		g->next = i->groups;
		rcu_store(&i->groups, g);
	}
	mutex_unlock(&the_net()->group_lock);
	if (err)
		heap_free(g);
	return err;
}

/* The interface that it was joined on, or an error. */
static int leave_group(struct inet_sock *i, struct ip_addr group, int ifindex)
{
	struct inet_group **at, *g;

	mutex_lock(&the_net()->group_lock);
	at = find(i, group, ifindex);
	g = *at;
	if (g) {
		i->group_count--;
		rcu_store(at, g->next);
	}
	mutex_unlock(&the_net()->group_lock);
	if (!g)
		return -EADDRNOTAVAIL;
	ifindex = g->ifindex;
	rcu_call(&g->rcu, free_group);
	return ifindex;
}

/* What the machine as a whole listens to follows. */
static int tell_link(int ifindex, struct ip_addr group, bool join)
{
	struct netdev *dev = netdev_by_index(ifindex);

	return ip_is_v4(group) ? igmp_change(dev, group, join) : mld_change(dev, group, join);
}

static int change(struct inet_sock *i, bool join, struct ip_addr group, int ifindex, bool include)
{
	int err;

	if (!join) {
		ifindex = leave_group(i, group, ifindex);
		return ifindex < 0 ? ifindex : tell_link(ifindex, group, false);
	}
	err = join_group(i, group, ifindex, include);
	if (err)
		return err;
	err = tell_link(ifindex, group, true);
	if (err)
		leave_group(i, group, ifindex);
	return err;
}

int inet_change_group(struct inet_sock *i, bool join, struct ip_addr group, int ifindex)
{
	return change(i, join, group, ifindex, false);
}

/* ---- sources ---- */

/* In a copy that nobody reads yet. *last: the group has no sender left that it would hear. */
static int edit_sources(
	struct inet_group *g, bool add, bool include, struct ip_addr source, bool *last)
{
	unsigned k = 0;

	if (g->include != include) {
		if (g->source_count) /* one list cannot be both */
			return -EINVAL;
		g->include = include;
	}
	if (add == has_source(g, source))
		return -EADDRNOTAVAIL;
	if (add) {
		if (g->source_count == INET_SOURCES)
			return -ENOBUFS;
		g->sources[g->source_count++] = source;
		return 0;
	}
	while (!ip_equal(g->sources[k], source))
		k++;
	g->sources[k] = g->sources[--g->source_count];
	*last = include && !g->source_count;
	return 0;
}

static int change_source(struct inet_sock *i, bool add, bool include, struct ip_addr group,
	int ifindex, struct ip_addr source)
{
	struct inet_group **at, *old = NULL, *g;
	bool last = false;
	int err = 0;

	if (add && include) {
		err = change(i, true, group, ifindex, true);
		if (err && err != -EADDRINUSE)
			return err;
	}
	g = heap_alloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	mutex_lock(&the_net()->group_lock);
	at = find(i, group, ifindex);
	err = -EINVAL;
	if (*at) {
		*g = **at;
		err = edit_sources(g, add, include, source, &last);
	}
	if (!err) {
		old = *at;
		rcu_store(at, g);
	}
	mutex_unlock(&the_net()->group_lock);
	if (old)
		rcu_call(&old->rcu, free_group);
	else
		heap_free(g);
	return last ? change(i, false, group, ifindex, false) : err;
}

/* ---- options ---- */

bool group_option_is(int level, int name)
{
	switch (name) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
	case IP_BLOCK_SOURCE:
	case IP_UNBLOCK_SOURCE:
	case IP_ADD_SOURCE_MEMBERSHIP:
	case IP_DROP_SOURCE_MEMBERSHIP: return level == SOL_IP;
	case IPV6_JOIN_GROUP:
	case IPV6_LEAVE_GROUP: return level == SOL_IPV6;
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP: return true;
	default: return false;
	}
}

/* IPv4: an interface by its number, its address, or where the group's route leads; 0: none. */
static int interface4(uint32_t group, uint32_t addr, int ifindex)
{
	struct route_cache r;

	if (ifindex)
		return netdev_by_index(ifindex) ? ifindex : 0;
	if (addr)
		return inet_interface_of(addr);
	return route_lookup(ip_map(group), IP_ANY, 0, &r) ? 0 : r.dev->index;
}

static int join4(struct inet_sock *i, bool join, const struct ip_mreqn *m)
{
	int ifindex;

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (!ip4_is_multicast(m->imr_multiaddr))
		return join ? -EINVAL : -EADDRNOTAVAIL;
	ifindex = interface4(m->imr_multiaddr, m->imr_address, m->imr_ifindex);
	if (!ifindex)
		return !join && m->imr_address ? -EADDRNOTAVAIL : -ENODEV;
	return inet_change_group(i, join, ip_map(m->imr_multiaddr), ifindex);
}

static int membership4(struct inet_sock *i, bool join, const void *val, uint32_t len)
{
	struct ip_mreqn m = { 0 };

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (len < 8)
		return -EINVAL;
	memcpy(&m, val, MIN(len, (uint32_t)sizeof(m)));
	return join4(i, join, &m);
}

static int source4(struct inet_sock *i, int name, const void *val, uint32_t len)
{
	bool add = name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_BLOCK_SOURCE;
	bool include = name == IP_ADD_SOURCE_MEMBERSHIP || name == IP_DROP_SOURCE_MEMBERSHIP;
	struct ip_mreq_source m;

	if (len != sizeof(m))
		return -EINVAL;
	memcpy(&m, val, sizeof(m));
	if (!ip4_is_multicast(m.imr_multiaddr))
		return -EINVAL;
	int ifindex = interface4(m.imr_multiaddr, m.imr_interface, 0);

	if (!ifindex)
		return -ENODEV;
	return change_source(
		i, add, include, ip_map(m.imr_multiaddr), ifindex, ip_map(m.imr_sourceaddr));
}

/* The address in a request, if it is of the family. */
static bool address_of(const struct sockaddr_storage *a, int family, struct ip_addr *out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (a->ss_family != family)
		return false;
	memcpy(&in, a, sizeof(in));
	memcpy(&in6, a, sizeof(in6));
	*out = family == AF_INET ? ip_map(in.sin_addr) : ip_from_bytes(in6.sin6_addr);
	return true;
}

static int join6(struct inet_sock *i, bool join, struct ip_addr group, int ifindex)
{
	struct route_cache r;

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (!ip_is_multicast(group) || ip_is_v4(group))
		return -EINVAL;
	if (!ifindex && join) {
		if (route_lookup(group, IP6_ONE, 0, &r))
			return -ENODEV;
		ifindex = r.dev->index;
	}
	if (ifindex && !netdev_by_index(ifindex))
		return -ENODEV;
	return inet_change_group(i, join, group, ifindex);
}

/* RFC 3678 5.1: the requests that are the same for both families. */
static int any_membership(struct inet_sock *i, int family, bool join, const void *val, uint32_t len)
{
	struct group_req g;
	struct ip_addr group;

	if (len < sizeof(g))
		return -EINVAL;
	memcpy(&g, val, sizeof(g));
	if (!address_of(&g.gr_group, family, &group))
		return family == AF_INET ? -EINVAL : -EADDRNOTAVAIL;
	if (family == AF_INET6)
		return join6(i, join, group, (int)g.gr_interface);
	return join4(
		i, join, &(struct ip_mreqn){ ip_v4(group), .imr_ifindex = (int)g.gr_interface });
}

static int any_source(struct inet_sock *i, int family, int name, const void *val, uint32_t len)
{
	bool add = name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_BLOCK_SOURCE;
	bool include = name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_LEAVE_SOURCE_GROUP;
	struct group_source_req g;
	struct ip_addr group, source;
	struct route_cache r;

	if (len < sizeof(g))
		return -EINVAL;
	memcpy(&g, val, sizeof(g));
	if (!address_of(&g.gsr_group, family, &group) ||
		!address_of(&g.gsr_source, family, &source))
		return -EADDRNOTAVAIL;
	if (!ip_is_multicast(group))
		return -EINVAL;
	int ifindex = (int)g.gsr_interface;

	if (family == AF_INET)
		ifindex = interface4(ip_v4(group), 0, ifindex);
	else if (add && !ifindex && !route_lookup(group, IP6_ONE, 0, &r))
		ifindex = r.dev->index;
	if ((family == AF_INET && !ifindex) || (ifindex && !netdev_by_index(ifindex)))
		return -ENODEV;
	return change_source(i, add, include, group, ifindex, source);
}

static int any_option(struct inet_sock *i, int family, int name, const void *val, uint32_t len)
{
	switch (name) {
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return any_membership(i, family, name == MCAST_JOIN_GROUP, val, len);
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP: return any_source(i, family, name, val, len);
	default: return -ENOPROTOOPT;
	}
}

int group_setopt4(struct inet_sock *i, int name, const void *val, uint32_t len)
{
	switch (name) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP: return membership4(i, name == IP_ADD_MEMBERSHIP, val, len);
	case IP_BLOCK_SOURCE:
	case IP_UNBLOCK_SOURCE:
	case IP_ADD_SOURCE_MEMBERSHIP:
	case IP_DROP_SOURCE_MEMBERSHIP: return source4(i, name, val, len);
	default: return any_option(i, AF_INET, name, val, len);
	}
}

int group_setopt6(struct inet_sock *i, int name, const void *val, uint32_t len)
{
	struct ipv6_mreq m;

	if (name != IPV6_JOIN_GROUP && name != IPV6_LEAVE_GROUP)
		return any_option(i, AF_INET6, name, val, len);
	if (len < sizeof(m))
		return -EINVAL;
	memcpy(&m, val, sizeof(m));
	return join6(
		i, name == IPV6_JOIN_GROUP, ip_from_bytes(m.ipv6mr_multiaddr), m.ipv6mr_ifindex);
}
