/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/socket.h"
#include "net/state.h"
#include "lib/bug.h"
#include "mem/heap.h"
#include "mem/page.h"

void flow_table_init(struct flow_table *t, unsigned chains)
{
	BUG_ON(!chains || (chains & (chains - 1)));
	t->chain = heap_alloc_zeroed(chains * sizeof(*t->chain));
	BUG_ON(!t->chain);
	t->mask = chains - 1;
	t->count = t->named = 0;
	for (unsigned i = 0; i < FLOW_LOCKS; i++)
		mutex_init(&t->lock[i], "flow_table.lock");
}

void flow_table_free(struct flow_table *t)
{
	BUG_ON(t->count || t->named);
	heap_free(t->chain);
	t->chain = NULL;
}

/* One for 32 KiB of memory: a connection pins a few kilobytes, so chains stay short. */
unsigned flow_chains(void)
{
	size_t want = page_stats().total * PAGE_SIZE / KIB(32);
	unsigned n = 256;

	while (n < want && n < 65536)
		n *= 2;
	return n;
}

/* ---- the hash ---- */

static __always_inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

struct sip {
	uint64_t a, b, c, d;
};

static __always_inline void sip_round(struct sip *v)
{
	v->a += v->b;
	v->b = rotl(v->b, 13) ^ v->a;
	v->a = rotl(v->a, 32);
	v->c += v->d;
	v->d = rotl(v->d, 16) ^ v->c;
	v->a += v->d;
	v->d = rotl(v->d, 21) ^ v->a;
	v->c += v->b;
	v->b = rotl(v->b, 17) ^ v->c;
	v->c = rotl(v->c, 32);
}

static __always_inline void absorb(struct sip *v, uint64_t m)
{
	v->d ^= m;
	sip_round(v);
	v->a ^= m;
}

/* SipHash-1-3 of the addresses and ports; IPv4's in short. */
uint32_t flow_hash(const struct hash_key *k, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport)
{
	uint64_t ports = (uint64_t)lport << 16 | rport;
	struct sip v = { k->k0 ^ 0x736f6d6570736575ull, k->k1 ^ 0x646f72616e646f6dull,
		k->k0 ^ 0x6c7967656e657261ull, k->k1 ^ 0x7465646279746573ull };

	if (likely(ip_is_v4(laddr))) {
		absorb(&v, (uint64_t)ip_v4(laddr) << 32 | ip_v4(raddr));
		absorb(&v, 12ull << 56 | ports);
	} else {
		absorb(&v, laddr.hi);
		absorb(&v, laddr.lo);
		absorb(&v, raddr.hi);
		absorb(&v, raddr.lo);
		absorb(&v, 36ull << 56 | ports);
	}
	v.c ^= 0xff;
	sip_round(&v);
	sip_round(&v);
	sip_round(&v);
	return (uint32_t)(v.a ^ v.b ^ v.c ^ v.d);
}

/* ---- writers ---- */

struct flow *flow_create(struct socket *s, struct ip_addr laddr, uint16_t lport,
	struct ip_addr raddr, uint16_t rport)
{
	const struct hash_key *k = &the_net()->hash_key;
	struct flow *f = heap_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->next = NULL;
	f->linked = false;
	f->s = s;
	f->laddr = laddr;
	f->lport = lport;
	f->raddr = raddr;
	f->rport = rport;
	f->hash = ip_is_any(raddr) ? flow_hash_bound(k, laddr, lport)
				   : flow_hash(k, laddr, lport, raddr, rport);
	return f;
}

static void free_flow(struct rcu_node *n)
{
	heap_free(container_of(n, struct flow, rcu));
}

void flow_free(struct flow *f)
{
	if (!f)
		return;
	BUG_ON(f->linked);
	rcu_call(&f->rcu, free_flow);
}

struct mutex *flow_lock(struct flow_table *t, uint32_t hash)
{
	struct mutex *lock = &t->lock[(hash & t->mask) % FLOW_LOCKS];

	mutex_lock(lock);
	return lock;
}

/* Bound to one address of ours, not connected: rare, so connections do not touch the count. */
static bool is_named(const struct flow *f)
{
	return ip_is_any(f->raddr) && !ip_is_any(f->laddr);
}

void flow_link(struct flow_table *t, struct flow *f)
{
	struct flow **head = &t->chain[f->hash & t->mask];

	f->linked = true;
	store_relaxed(&f->next, *head);
	if (is_named(f))
		atomic_add(&t->named, 1);
	rcu_store(head, f);
	atomic_add(&t->count, 1);
}

void flow_unlink(struct flow_table *t, struct flow *f)
{
	struct flow **at = &t->chain[f->hash & t->mask];

	while (*at != f)
		at = &(*at)->next;
	rcu_store(at, f->next);
	f->linked = false;
	if (is_named(f))
		atomic_sub(&t->named, 1);
	atomic_sub(&t->count, 1);
}
