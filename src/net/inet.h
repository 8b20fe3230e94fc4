/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: what AF_INET and AF_INET6 sockets have, whatever their protocol. */
#pragma once

#include "abi/socket.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "net/flow.h"
#include "net/ip.h"
#include "net/packet.h"
#include "net/route.h"
#include "net/socket.h"
#include "net/state.h"

#define INET_GROUPS  20 /* as Linux's igmp_max_memberships */
#define INET_SOURCES 10 /* as Linux's igmp_max_msf */
/* Never changed once it is published: another one takes its place. */
struct inet_group {
	struct inet_group *next; /* atomic */
	struct ip_addr group;
	int ifindex; /* never 0 */
	/* RFC 3376 3.1: only from these, or from all but these. */
	bool include;
	uint8_t source_count;
	struct ip_addr sources[INET_SOURCES];
	struct rcu_node rcu;
};
/* What IPPROTO_IPV6 options say; of AF_INET6 sockets. */
struct inet6_options {
	int16_t hops, mcast_hops; /* -1: the default */
	uint8_t tclass, pmtudisc;
	bool v6only, recverr, mcast_loop, mcast_all, dontfrag, recvpathmtu, autoflow;
	int32_t mcast_if, unicast_if;
	int32_t checksum; /* raw: offset of the checksum, -1: none */
	uint32_t flow;
	uint32_t fragment_size;	 /* 0: the path's MTU */
	uint32_t icmp_filter[8]; /* bit set: blocked */
};
struct inet_sock {
	struct socket s;
	struct list_node bind_link; /* guarded by the bucket's lock, with lport, explicit_port */
	struct inet_bucket *bind_bucket;
	struct flow *flow;	       /* guarded by the socket's lock: by what packets find it */
	struct flow_table *flow_table; /* that it is in */
	struct ip_addr laddr, raddr;   /* any: not bound, not connected */
	uint16_t lport, rport;	       /* host order, 0: none */
	uint8_t families;	       /* IP_V4, IP_V6: whose packets it takes; with laddr */
	bool explicit_port;	       /* taken by bind or listen, not by connect or send */
	bool keeps_port;	       /* bind said which: it is held beyond a connection */
	bool bound_reuseport;	       /* TCP: SO_REUSEPORT, as it was when the port was taken */
	bool bound_any;		       /* laddr was left to connect */
	struct route_cache route;
	uint8_t ttl, tos, mcast_ttl, pmtudisc;
	/* What a message is received with, as socket.notes; the last three are IPV6_* options. */
	union {
		struct {
			bool pktinfo, recvttl, recvtos, pktinfo6, recvhops, recvtclass;
			uint16_t rare_notes; /* by inet_note_of */
		};
		uint64_t notes;
	};
	bool recverr, freebind, mcast_loop, mcast_all, hdrincl, bind_no_port, transparent;
	bool passsec, checksum, nodefrag; /* only read back: there is nothing to tell of them */
	/* Of TCP: less is not for it (RFC 5082). 'floors' is both, 0: none. */
	union {
		struct {
			uint8_t min_ttl, min_hops;
		};
		uint16_t floors;
	};
	uint32_t port_range; /* IP_LOCAL_PORT_RANGE: last << 16 | first, 0: the system's */
	int32_t unicast_if;  /* where IPv4 datagrams go out that are not to a group, 0: any */
	bool binds_group;    /* laddr may be one: nothing comes from there */
	uint32_t mcast_addr;
	int32_t mcast_if;
	unsigned group_count;	   /* guarded by net_state.group_lock, as changes of groups */
	struct inet_group *groups; /* atomic: read under RCU */
	uint32_t icmp_filter;
	struct inet6_options v6;
};
static inline struct inet_sock *inet_sk(struct socket *s)
{
	return container_of(s, struct inet_sock, s);
}
/* A packet to addr (of the bit's family) is for this socket, as far as its address says. */
static inline bool inet_takes(const struct inet_sock *i, struct ip_addr addr)
{
	return ip_is_any(i->laddr) ? (i->families & ip_family_bit(addr)) != 0
				   : ip_equal(i->laddr, addr);
}
/* Headers of what it sends to raddr, without options of one message; it may be cut anywhere. */
static inline struct ip_send inet_how(const struct inet_sock *i, uint8_t protocol)
{
	if (likely(ip_is_v4(i->raddr)))
		return (struct ip_send){ .src = i->laddr,
			.dst = i->raddr,
			.protocol = protocol,
			.ttl = i->ttl,
			.tos = i->tos };
	return (struct ip_send){ .src = i->laddr,
		.dst = i->raddr,
		.flow = i->v6.flow,
		.protocol = protocol,
		.ttl = i->v6.hops < 0 ? 0 : (uint8_t)i->v6.hops,
		.tos = i->v6.tclass };
}
/* The program wants to hear all that ICMP says of what it sent there. */
static inline bool inet_recverr(const struct inet_sock *i, struct ip_addr raddr)
{
	return ip_is_v4(raddr) ? i->recverr : i->v6.recverr;
}
/*
 * Spreads peers over sockets that share a port and are met one after the other: whether the flow
 * goes to the latest of so many. *draw is 0 before the first; each look takes bits of its own from
 * the hash (Knuth's multiplier), so all have the same chance.
 */
static inline bool inet_flow_draw(const struct pkt_cb *cb, uint64_t *draw, unsigned count)
{
	if (!*draw)
		*draw = 1ull << 32 |
			flow_hash(&the_net()->hash_key, cb->dst, cb->dport, cb->src, cb->sport);
	*draw = *draw * 6364136223846793005u + 1442695040888963407u;
	return ((*draw >> 32) * count) >> 32 == 0;
}

/* The rarely wanted ancillary data: which option asks for which. */
enum {
	NOTE_OPTIONS = 1,
	NOTE_ORIGDST = 2,
	NOTE_ORIGDST6 = 4,
	NOTE_FLOWINFO = 8,
	NOTE_HOPOPTS = 16,
	NOTE_DSTOPTS = 32,
	NOTE_RTHDR = 64,
	/* likewise, with RFC 2292's numbers */
	NOTE_OLD_PKTINFO = 128,
	NOTE_OLD_HOPLIMIT = 256,
	NOTE_OLD_HOPOPTS = 512,
	NOTE_OLD_DSTOPTS = 1024,
	NOTE_OLD_RTHDR = 2048
};
uint16_t inet_note_of(int level, int name); /* 0: none */
static inline void inet_set_note(struct inet_sock *i, uint16_t note, bool on)
{
	i->rare_notes = on ? i->rare_notes | note : i->rare_notes & (uint16_t)~note;
}

void inet_setup(struct inet_sock *i);	/* after socket_setup */
void inet_release(struct inet_sock *i); /* when it is destroyed */
/*
 * Takes a local port. port 0: any free one, or (bind, with IP_BIND_ADDRESS_NO_PORT) the address
 * alone until connect, listen or send. -EADDRINUSE.
 */
int inet_bind_port(
	struct inet_sock *i, struct inet_bucket *table, struct ip_addr addr, uint16_t port);
bool inet_bind_later(struct inet_sock *i, struct ip_addr addr, uint16_t port);
/* The address that it has, as bind was given it. */
static inline struct ip_addr inet_bound_addr(const struct inet_sock *i)
{
	return i->families == IP_V4 && ip_is_any(i->laddr) ? ip_map(0) : i->laddr;
}
/* A child shares its listener's port. */
void inet_share_port(struct inet_sock *i, struct inet_bucket *table);
void inet_unbind(struct inet_sock *i);
void inet_set_laddr(struct inet_sock *i, struct ip_addr laddr); /* its own; the lock held */
/*
 * Of UDP, raw and ping sockets: sets the addresses, and packets find i by them and its port from
 * now on. The socket's lock held. -ENOMEM: nothing has changed.
 */
int inet_publish(struct inet_sock *i, struct ip_addr laddr, struct ip_addr raddr, uint16_t rport);
void inet_withdraw(struct inet_sock *i); /* no packet finds it any more */
/*
 * In a read section. Who is bound to where the packet goes, and not connected: to the address
 * before to any, as Linux; then to an interface, then of AF_INET; equals with SO_REUSEPORT share by
 * flow.
 */
struct flow *inet_find_bound(const struct flow_table *t, const struct pkt_cb *cb);
/* Likewise, who is connected to where it comes from; of a link only where that is so (0: any). */
struct flow *inet_find_connected(const struct flow_table *t, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport, int ifindex);
/*
 * The addresses that bind, connect and send get. bind: *addr is what may be bound (any of IPv4 in
 * an AF_INET6 socket: mapped). peer: "any" is the own machine; a link's address binds the socket to
 * the link (*ifindex, in: what it is bound to).
 */
int inet_check_bind(struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	struct ip_addr *addr, uint16_t *port);
int inet_check_peer(const struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len,
	struct ip_addr *addr, uint16_t *port, int *ifindex);
int inet_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len);
int inet_getopt(struct inet_sock *i, int name, void *val, uint32_t *len);
int inet_setopt(struct inet_sock *i, int name, const void *val, uint32_t len);
int inet6_getopt(struct inet_sock *i, int name, void *val, uint32_t *len);
int inet6_setopt(struct inet_sock *i, int name, const void *val, uint32_t len);
void inet6_new_flow(struct inet_sock *i);
/* IP_UNICAST_IF, IPV6_UNICAST_IF: the index in network order. */
int inet_set_unicast_if(const struct inet_sock *i, int32_t *field, const void *val, uint32_t len);
/* Where to if nothing else says it, 0: the routes do. */
static inline int inet_default_if(const struct inet_sock *i, struct ip_addr dst)
{
	bool v4 = ip_is_v4(dst);

	if (ip_is_multicast(dst))
		return v4 ? i->mcast_if : i->v6.mcast_if;
	return v4 ? i->unicast_if : i->v6.unicast_if;
}
int inet_route(struct inet_sock *i, struct ip_addr dst, struct route_cache *out);
void inet_addr(struct sockaddr_storage *a, uint32_t *len, uint32_t addr, uint16_t port);
/* As a socket of this family says it; ifindex: of a link's address. */
void inet_put_addr(struct sockaddr_storage *a, uint32_t *len, int family, struct ip_addr addr,
	uint16_t port, int ifindex);
int inet_interface_of(uint32_t addr); /* the one that has the address, 0: none */
/* group.c: cb's packet is to a group; it is for this socket. */
bool inet_in_group(const struct inet_sock *i, const struct pkt_cb *cb);
int inet_change_group(struct inet_sock *i, bool join, struct ip_addr group, int ifindex);
bool group_option_is(int level, int name); /* of those that follow */
int group_setopt4(struct inet_sock *i, int name, const void *val, uint32_t len);
int group_setopt6(struct inet_sock *i, int name, const void *val, uint32_t len);
/* A random first candidate of i's range, and how many there are. */
uint16_t inet_ephemeral(const struct inet_sock *i, unsigned *count);
uint16_t inet_ephemeral_next(const struct inet_sock *i, uint16_t port);
static inline struct inet_bucket *inet_port_bucket(struct inet_bucket *table, uint16_t port)
{
	return &table[(port ^ port >> 8) & (BIND_BUCKETS - 1)];
}
struct inet_bucket *inet_table_create(unsigned n);
