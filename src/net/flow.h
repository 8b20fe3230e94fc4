/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classification: which socket gets a packet. Tables of flows, hashed by addresses and ports, that
 * any number of receive threads read without a lock and without writing anything shared.
 *
 *	             flow_first, _next  flow_link         flow_unlink
 *	first, next  safe               safe              safe
 *	link         safe               the chain's lock  the chain's lock
 *	unlink       safe               the chain's lock  the chain's lock
 *
 * A reader is in an RCU read section from flow_first to its last look at the flow or its socket;
 * what it is to keep longer it holds by socket_get_live, which fails when the socket is at its end.
 * Writers sleep for the lock, which they take with flow_lock; 16 serve the chains of a table.
 *
 * Argument
 *  F1 A chain is always whole. A flow is written completely, then published by one store (release)
 *     to the head. Unlinking is one store to its predecessor's next. Both under the chain's lock.
 *     An unlinked flow keeps its next, so a reader that stands on it goes on to the end; it misses
 *     none that was in the chain all the time, as new ones come only at the head.
 *  F2 A flow is found by what it says for its whole life: it is linked once, its key is never
 *     changed, and its memory is used again only after a grace period (flow_free). A socket that
 *     binds or connects anew gets a new flow. So there is no torn key and no chain that leads into
 *     another one, and a socket that was found matches the packet.
 *  F3 A flow's socket is memory for as long as a reader may look: the flow is unlinked before the
 *     socket's last reference is given up (destroy asserts it), and its memory goes after a grace
 *     period from then on (socket_free). Whether it lives the count says.
 *  F4 A reader that finds a socket at its end looks again, from the head: the flow was unlinked
 *     before the count fell, so it is not met twice. Each new look is due to another end.
 *  F5 A receiver may give the next packet of a flow to who got the last one of the same batch
 *     (rx.h), whom it holds. For TCP's connections that is as if both had come a moment earlier.
 *     Who finds a datagram may change with each call, and who sends after a call counts on it: so
 *     net_state.udp_lookups is counted on after each change and before the call returns, and read
 *     (acquire) after a packet has come and before the look that it shall stand for.
 *
 * What may happen at the same time, and what comes of it
 *  - A connection ends: the packet finds it (its state answers), or a listener, or nobody (reset),
 *    as if it had come a moment earlier or later.
 *  - A connection takes the place of one in TIME_WAIT: the new one is linked before the
 *    old one is unlinked, so each reader meets at least one. What reaches the old one came before
 *    the new one had sent its SYN.
 *  - A handshake: the child is linked before its SYN,ACK goes out, so whoever answers finds it. A
 *    repeated SYN that was on its way to the listener finds the child's place taken there.
 *  - A listener closes: SYNs in its channel are answered with a reset by the closed socket; who
 *    holds a flow of it finds no reference, looks again and finds nobody.
 *  - A group of SO_REUSEPORT changes: a flow goes to one that was in the group while it was read.
 *    Only first packets are spread: a connection's others find its own flow.
 *  - A datagram socket connects: its new flow is linked before the old one is unlinked; in between
 *    a packet may come by either, as it may have been on its way.
 *
 * The hash of connections is SipHash-1-3 with a key of this boot, for both families: who does not
 * know the key cannot choose addresses or ports that meet in a chain (Aumasson & Bernstein; this
 * strength is theirs for hash tables). What is only bound was bound by the program itself, so no
 * stranger chooses what meets there, and a few multiplications do (flow_hash_bound).
 */
#pragma once

#include "lib/hash.h"
#include "net/addr.h"
#include "sched/mutex.h"
#include "sched/rcu.h"

struct socket;

#define FLOW_LOCKS 16

struct flow {
	struct flow *next; /* atomic */
	/* fixed when it is linked */
	struct socket *s;
	struct ip_addr laddr, raddr; /* any: not bound, not connected */
	uint16_t lport, rport;	     /* host order */
	uint32_t hash;
	bool linked; /* guarded by the chain's lock */
	struct rcu_node rcu;
};

struct flow_table {
	struct flow **chain; /* atomic heads */
	uint32_t mask;
	uint32_t count; /* atomic: a hint; 0: empty */
	uint32_t named; /* atomic: of those only bound, with an address; counted before linked */
	struct mutex lock[FLOW_LOCKS];
};

/* chains: a power of two. */
void flow_table_init(struct flow_table *t, unsigned chains);
void flow_table_free(struct flow_table *t); /* it is empty; for tests */
/* How many chains a machine of this size wants for its connections. */
unsigned flow_chains(void);

uint32_t flow_hash(const struct hash_key *k, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport);
static inline uint32_t flow_hash_bound(
	const struct hash_key *k, struct ip_addr laddr, uint16_t lport)
{
	return (uint32_t)hash_u64(
		(laddr.hi ^ k->k1) * 0x9e3779b97f4a7c15ull ^ laddr.lo ^ k->k0 ^ lport);
}

/* Not linked yet. raddr any: by flow_hash_bound. NULL: no memory. */
struct flow *flow_create(struct socket *s, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport);
/* It is not linked; a reader may still stand on it. NULL is fine. */
void flow_free(struct flow *f);

struct mutex *flow_lock(struct flow_table *t, uint32_t hash); /* taken */
void flow_link(struct flow_table *t, struct flow *f);
void flow_unlink(struct flow_table *t, struct flow *f);

static inline struct flow *flow_first(const struct flow_table *t, uint32_t hash)
{
	return rcu_load(&t->chain[hash & t->mask]);
}
static inline struct flow *flow_next(const struct flow *f)
{
	return rcu_load(&f->next);
}
#define for_each_flow(f, t, hash) for (f = flow_first(t, hash); f; f = flow_next(f))
static inline bool flow_is(const struct flow *f, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport)
{
	return f->rport == rport && f->lport == lport && ip_equal(f->raddr, raddr) &&
	       ip_equal(f->laddr, laddr);
}
