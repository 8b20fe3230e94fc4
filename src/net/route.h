/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: the addresses of this machine and the ways from it. */
#pragma once

#include "cpu/barrier.h"
#include "net/addr.h"
#include "net/state.h"
#include "sched/rcu.h"

struct netdev;

enum {
	ADDR_TENTATIVE = 1,  /* duplicate address detection runs: not ours yet (RFC 4862 5.4) */
	ADDR_DEPRECATED = 2, /* for what uses it already */
	ADDR_DYNAMIC = 4,    /* has a lifetime */
	ADDR_DUPLICATE = 8,  /* somebody else has it: never used */
	ADDR_NO_ROUTE = 16,  /* its prefix is not the link's: a router says which are */
};
struct net_addr {
	struct netdev *dev;
	struct ip_addr addr;
	uint32_t mask, broadcast; /* IPv4; netif_add: broadcast 0 is the usual one */
	uint8_t prefix;		  /* bits, as the family counts them */
	uint8_t flags;		  /* ADDR_*; IPv6 */
	/* ADDR_DYNAMIC: ns, when flags were set; routers may have said more since (nd_lifetimes) */
	uint64_t preferred_until, valid_until;
};
struct route {
	struct ip_addr dst, gateway, src; /* gateway any: on the link; src any: chosen */
	struct netdev *dev;
	uint8_t prefix; /* bits, as the family counts them */
	bool v4;
	uint8_t protocol, scope;
	uint32_t metric;
};
/*
 * Immutable once published; replaced as a whole, the old one freed after a grace period: readers
 * are in an RCU read section from net_config() to their last look.
 */
struct net_config {
	struct rcu_node rcu;
	unsigned addr_count, route_count;
	unsigned addr4_count; /* IPv4 addresses come first */
	struct net_addr addr[24];
	struct route route[64];
};

/* Addresses and routes. -ENOBUFS, -ENOMEM, -EEXIST; what is not there: -EADDRNOTAVAIL, -ESRCH. */
int netif_add(const struct net_addr *a); /* with the route to its link, but for v6 hosts' /128 */
int netif_set_flags(const struct net_addr *a); /* and when they end */
int netif_remove(struct netdev *dev, struct ip_addr addr);
int netif_add_address(struct netdev *dev, uint32_t addr, unsigned prefix); /* IPv4 */
int netif_remove_addresses(struct netdev *dev); /* IPv4, and its routes */
int route_insert(const struct route *r);
int route_remove(const struct route *r); /* the same dst, prefix, gateway and dev */
int route_add(uint32_t dst, unsigned prefix, uint32_t gateway, struct netdev *dev, uint32_t metric,
	uint8_t protocol); /* IPv4 */
/* In an RCU read section. The device's first IPv4 address, or NULL. */
const struct net_addr *net_addr_of(const struct net_config *c, const struct netdev *dev);
uint32_t net_addr4(const struct netdev *dev); /* its address, 0: none */
/* rtnetlink.c: tells who listens what differs. net_state.config_lock held. */
void rtnl_changed(const struct net_config *old, const struct net_config *new);
struct net_config *net_config_copy(void); /* for heap_free; NULL: no memory */
static inline const struct net_config *net_config(void)
{
	return rcu_load(&the_net()->config);
}

/* The way to a destination, kept by sockets; valid while generation is the current one. */
struct route_cache {
	uint32_t generation;	 /* 0: none */
	uint32_t mtu, link_mtu;	 /* of the path as far as it is known; of its first link */
	uint64_t path_until;	 /* ns: when the path is to be tried anew; 0: mtu is the link's */
	bool may_fragment;	 /* the path is narrower than mtu: routers shall cut (IPv4) */
	uint8_t hops;		 /* IPv6: what to send with by default */
	struct ip_addr dst, src; /* src: preferred */
	struct ip_addr next_hop;
	struct netdev *dev;
	bool broadcast, local;
};
/* 0, -ENETUNREACH, -EADDRNOTAVAIL (no source address). src any: chosen; bound_if 0: any. */
int route_lookup(struct ip_addr dst, struct ip_addr src, int bound_if, struct route_cache *out);
static inline bool route_valid(const struct route_cache *r, struct ip_addr dst)
{
	return r->generation == load_relaxed(&the_net()->config_generation) &&
	       ip_equal(r->dst, dst) && r->generation != 0;
}
enum ip_local_kind { IP_NOT_LOCAL, IP_LOCAL, IP_LOCAL_BROADCAST, IP_LOCAL_MULTICAST };
bool ip4_is_ours(uint32_t addr); /* an address of this machine */
/* src is one machine's and not ours, dst is ours, neither loopback: in one look. */
bool ip4_from_other_to_us(uint32_t src, uint32_t dst);
enum ip_local_kind ip4_local_kind(uint32_t addr);
enum ip_local_kind ip_local_kind(struct ip_addr addr);
