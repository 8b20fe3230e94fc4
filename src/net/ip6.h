/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: what only IPv6 has. Locks: an interface's state (addresses being configured,
 * routers, groups) is guarded by nd_state.lock, which is taken with no neighbour or configuration
 * lock held and may be held while those are taken.
 */
#pragma once

#include "net/addr.h"
#include "net/membership.h"
#include "net/route.h"
#include "sched/mutex.h"
#include "sched/timer.h"

struct ip_quote;
struct ip_send;
struct nd_router_adv;
struct netdev;
struct packet;
struct rx;

/* ip6.c */
void ip6_input(struct rx *rx, struct packet *p); /* data at the IPv6 header */
int ip6_output(struct packet *p, const struct ip_send *how, const struct route_cache *r);
bool ip6_quote(const uint8_t *header, size_t len, struct ip_quote *q);
/* Its address that a packet to dst should come from (RFC 6724); any: it has none. */
struct ip_addr ip6_source(const struct netdev *dev, struct ip_addr dst);

/* icmp6.c */
void icmp6_input(struct rx *rx, struct packet *p);
/* p, not consumed: data at the transport header, or at the IP header while cb->ip_len is 0. */
void icmp6_send_error(struct packet *p, uint8_t type, uint8_t code, uint32_t info);
/*
 * A message of the link's own protocols (ND, MLD), from src, which may be any, to dst on dev; mac
 * NULL: dst's is looked up. With router_alert a hop-by-hop option goes in front (RFC 2711).
 */
void icmp6_send_on_link(struct netdev *dev, struct packet *p, struct ip_addr src,
	struct ip_addr dst, const uint8_t *mac, uint8_t hops, bool router_alert);

/* ---- the state of interfaces ---- */

#define ND_LINKS     4
#define ND_ADDRESSES 8
#define ND_ROUTERS   4
#define ND_PREFIXES  8
#define ND_REDIRECTS 16
#define ND_SERVERS   4
#define ND_FOREVER   UINT64_MAX

enum nd_origin { ND_STATIC, ND_LINK_LOCAL, ND_SLAAC, ND_DHCP };
struct nd_address {
	struct ip_addr addr; /* any: a free slot */
	uint8_t prefix;
	enum nd_origin origin;
	uint64_t valid_until, preferred_until; /* ns; ND_FOREVER */
	uint64_t dad_at;		       /* the next step of duplicate detection; 0: over */
	unsigned dad_left;		       /* solicitations to send */
	bool deprecated, duplicate;
};
struct nd_router {
	struct ip_addr addr;
	uint64_t until;
	uint32_t metric; /* of its default route; 0: a free slot */
	bool unreachable;
};
struct nd_route { /* an on-link prefix, or a redirected destination */
	struct route route;
	uint64_t until; /* 0: a free slot */
};
struct nd_link {
	struct netdev *dev; /* NULL: a free slot */
	bool on, autoconf;  /* IPv6 runs here; routers are heard */
	uint8_t hops;	    /* atomic: what a router said, 0: nothing */
	uint32_t mtu;	    /* atomic: what a router said, 0: nothing */
	uint64_t reachable; /* atomic: ns */
	uint64_t retransmit;
	uint64_t solicit_at; /* the next router solicitation, 0: none */
	unsigned solicit_left;
	struct nd_address addr[ND_ADDRESSES];
	struct nd_router router[ND_ROUTERS];
	struct nd_route onlink[ND_PREFIXES], redirect[ND_REDIRECTS];
	unsigned next_redirect;
	struct {
		struct ip_addr addr;
		uint64_t until;
	} server[ND_SERVERS];
	char search[256];
	uint64_t search_until;
	bool managed, other; /* M and O of the last advertisement */

	struct membership groups;
};
struct nd_state {
	struct mutex lock;
	struct nd_link link[ND_LINKS];
	struct timer timer;
	uint64_t timer_at; /* 0: not armed */
};

/* nd.c: neighbour discovery's messages (RFC 4861) */
void nd_init(void);
void nd_input(struct rx *rx, struct packet *p); /* data at the ICMPv6 header, checksum is right */
/* mac NULL: to the solicited-node group. neigh_lock may be held. */
void nd_solicit(struct netdev *dev, struct ip_addr target, const uint8_t *mac);
void nd_send_solicitation(
	struct netdev *dev, struct ip_addr src, struct ip_addr target, const uint8_t *mac);
void nd_send_advertisement(struct netdev *dev, struct ip_addr src, struct ip_addr dst,
	const uint8_t *mac, struct ip_addr target, uint32_t flags);
void nd_send_router_solicitation(struct netdev *dev, struct ip_addr src);
uint64_t nd_reachable_time(const struct netdev *dev);
static inline struct ip_addr nd_solicited_node(struct ip_addr a)
{
	return (struct ip_addr){ .b = { 0xff, 2, [11] = 1, 0xff, a.b[13], a.b[14], a.b[15] } };
}

/* addrconf.c: addresses, routers and lifetimes of a link (RFC 4862, 8106) */
void nd_start(struct netdev *dev, bool autoconf); /* link-local address; what routers say */
/* Adds an address of ours after duplicate detection. Lifetimes in ns from now, or ND_FOREVER. */
int nd_add_address(struct netdev *dev, struct ip_addr addr, unsigned prefix, enum nd_origin origin,
	uint64_t valid, uint64_t preferred);
int nd_remove_address(struct netdev *dev, struct ip_addr addr);
struct nd_link *nd_link_of(const struct netdev *dev); /* NULL: IPv6 does not run there */
/* True: we test addr. conflict: somebody else has it, or tests it as well: it is given up. */
bool nd_duplicate(struct netdev *dev, struct ip_addr addr, bool conflict);
void nd_router_advertisement(struct netdev *dev, struct ip_addr router, uint8_t hop_limit,
	const struct nd_router_adv *ra, const uint8_t *options, size_t len);
void nd_redirected(
	struct netdev *dev, struct ip_addr dst, struct ip_addr target, struct ip_addr by);
void nd_unreachable(struct netdev *dev, struct ip_addr ip); /* a neighbour that does not answer */
void nd_router_gone(struct netdev *dev, struct ip_addr ip);
/* Preferred and valid lifetimes in s for RTM_GETADDR; ~0: for ever. */
void nd_lifetimes(const struct net_addr *a, uint32_t *preferred, uint32_t *valid);
/* nd_state.lock held: the timer fires at 'when' at the latest. */
void nd_timer_arm(uint64_t when);
/* One option of an ND message. False: there is none, or the rest is malformed (*len says: != 0). */
bool nd_option(const uint8_t **o, size_t *len, const uint8_t **out);

uint64_t nd_seconds(uint32_t s); /* from now; ND_FOREVER */

/* nd_names.c. Options and time with nd_state.lock held; true: nd_publish_servers is due, without.
 */
bool nd_servers_option(struct nd_link *l, const uint8_t *o);
bool nd_search_option(struct nd_link *l, const uint8_t *o);
bool nd_run_servers(struct nd_link *l, uint64_t now, uint64_t *next);
void nd_publish_servers(struct nd_link *l);

/* mld.c: which groups we are in, told to the routers and switches (RFC 3810, 2710) */
int mld_change(struct netdev *dev, struct ip_addr group, bool join); /* dev NULL: nothing */
int mld_join(struct nd_link *l, struct ip_addr group, bool join);    /* nd_state.lock held */
bool mld_is_member(const struct netdev *dev, struct ip_addr group);
void mld_input(struct rx *rx, struct packet *p);
uint64_t mld_run(struct nd_link *l, uint64_t now); /* what is due; when the next is, 0: never */
