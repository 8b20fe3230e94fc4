/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet output and the neighbours of both families (RFC 826 and 1122 2.3.2, RFC 4861 7.3).
 *
 *	(none) --output--> INCOMPLETE: packets wait, a request each second --answer--> REACHABLE
 *	INCOMPLETE --three requests unanswered--> (none), waiting packets are answered "host
 *		unreachable"
 *	REACHABLE --a minute, IPv6: what the router says--> STALE, used on
 *	STALE --output--> (IPv6: DELAY five seconds) PROBE: unicast requests --answer--> REACHABLE
 *	PROBE --three unanswered--> (none)
 *
 * Senders read a valid entry without a lock: 'change' is odd while ip and mac change, and differs
 * afterwards.
 */

#include "net/icmp.h"
#include "net/ip6.h"
#include "net/neigh.h"
#include "net/netif.h"
#include "net/packet.h"
#include "net/state.h"
#include "abi/errno.h"
#include "abi/net.h"
#include "abi/netlink.h"
#include "abi/socket.h"
#include "cpu/barrier.h"
#include "diag/counter.h"
#include "lib/bug.h"
#include "mem/heap.h"
#include "sched/clock.h"

#define NEIGH_VALID  (1ull << 63)
#define NEIGH_PROBES 3
#define NEIGH_FRESH  (60 * NSEC_PER_SEC)
#define NEIGH_DELAY  (5 * NSEC_PER_SEC)
#define NEIGH_RETRY  NSEC_PER_SEC
#define NEIGH_WAYS   8
#define PENDING_MAX  327680 /* bytes of memory for one address: a full SO_SNDBUF in fragments */

COUNTER(neigh_unresolved_drops);

static uint64_t mac_pack(const uint8_t *m)
{
	uint64_t v = 0;

	memcpy(&v, m, 6);
	return v;
}

int eth_output(struct netdev *dev, struct packet *p, const uint8_t *dst, uint16_t type)
{
	struct eth_header *eth = packet_push(p, sizeof(*eth));

	memcpy(eth->dst, dst, 6);
	memcpy(eth->src, dev->mac, 6);
	eth->type = be16(type);
	p->csum_start += sizeof(*eth);
	p->header_len += sizeof(*eth);
	p->next = NULL;
	return dev->send(dev, p);
}

static void solicit(struct neigh *e)
{
	uint64_t mac = e->mac & ~NEIGH_VALID;
	const uint8_t *to = e->mac & NEIGH_VALID ? (const uint8_t *)&mac : NULL;

	if (ip_is_v4(e->ip))
		arp_solicit(e->dev, ip_v4(e->ip), to);
	else
		nd_solicit(e->dev, e->ip, to);
}

static struct neigh *way(struct net_state *n, struct ip_addr ip, unsigned k)
{
	return &n->neigh[(hash_u64(ip.hi ^ ip.lo) + k) & (NEIGH_COUNT - 1)];
}

/* Lock-free: the mac if there is a valid, fresh entry, else 0. */
static uint64_t lookup_fast(struct netdev *dev, struct ip_addr ip)
{
	struct net_state *n = the_net();

	for (unsigned k = 0; k < NEIGH_WAYS; k++) {
		struct neigh *e = way(n, ip, k);
		uint32_t seq = load_acquire(&e->change);

		if (load_relaxed(&e->ip.lo) != ip.lo || load_relaxed(&e->ip.hi) != ip.hi ||
			e->dev != dev)
			continue;
		uint64_t mac = load_acquire(&e->mac), fresh = load_relaxed(&e->fresh_until);

		if ((seq & 1) || load_acquire(&e->change) != seq)
			return 0;
		return (mac & NEIGH_VALID) && clock_now() < fresh ? mac : 0;
	}
	return 0;
}

/* All below: neigh_lock held. */
static void entry_set(struct neigh *e, struct netdev *dev, struct ip_addr ip, uint64_t mac)
{
	atomic_add(&e->change, 1);
	store_relaxed(&e->ip.hi, ip.hi);
	store_relaxed(&e->ip.lo, ip.lo);
	store_relaxed(&e->mac, mac);
	e->dev = dev;
	atomic_add(&e->change, 1);
}

static struct packet *take_pending(struct neigh *e)
{
	struct packet *list = e->pending;

	e->pending = NULL;
	e->pending_tail = &e->pending;
	e->pending_bytes = 0;
	return list;
}

static struct neigh *entry_find(struct net_state *n, struct netdev *dev, struct ip_addr ip)
{
	for (unsigned k = 0; k < NEIGH_WAYS; k++)
		if (ip_equal(way(n, ip, k)->ip, ip) && way(n, ip, k)->dev == dev)
			return way(n, ip, k);
	return NULL;
}

/* A new entry, in place of the least recently confirmed one that nobody waits for. */
static struct neigh *entry_make(struct net_state *n, struct netdev *dev, struct ip_addr ip)
{
	struct neigh *best = NULL;

	for (unsigned k = 0; k < NEIGH_WAYS; k++) {
		struct neigh *e = way(n, ip, k);

		if (ip_is_any(e->ip)) {
			best = e;
			break;
		}
		if (!e->pending && (!best || e->fresh_until < best->fresh_until))
			best = e;
	}
	if (best) {
		entry_set(best, dev, ip, 0);
		best->probes = 0;
		best->next_probe = 0;
		best->router = false;
		store_relaxed(&best->fresh_until, 0);
		take_pending(best);
	}
	return best;
}

static void timer_start(struct net_state *n, uint64_t when)
{
	if (!n->neigh_timer_on) {
		n->neigh_timer_on = true;
		timer_arm(&n->neigh_timer, when);
	}
}

static void probe(struct net_state *n, struct neigh *e, uint64_t now)
{
	solicit(e);
	e->probes++;
	e->next_probe = now + NEIGH_RETRY;
	timer_start(n, e->next_probe);
}

/* Takes p: it waits for the answer, or (true) goes out to *mac now. */
static bool resolve(
	struct net_state *n, struct netdev *dev, struct ip_addr ip, struct packet *p, uint64_t *mac)
{
	struct neigh *e = entry_find(n, dev, ip);
	uint64_t now = clock_now();
	uint32_t size;

	if (!e)
		e = entry_make(n, dev, ip);
	if (e && !e->next_probe) {
		if ((e->mac & NEIGH_VALID) && !ip_is_v4(ip)) {
			e->next_probe = now + NEIGH_DELAY;
			timer_start(n, now + NEIGH_RETRY / 4);
		} else {
			probe(n, e, now);
		}
	}
	if (e && (e->mac & NEIGH_VALID)) {
		*mac = e->mac;
		return true;
	}
	size = pkt_truesize(p);
	if (!e || (e->pending && e->pending_bytes + size > PENDING_MAX)) {
		counter_inc(neigh_unresolved_drops);
		packet_free(p);
		return false;
	}
	p->next = NULL;
	*e->pending_tail = p;
	e->pending_tail = &p->next;
	e->pending_bytes += size;
	return false;
}

/* Sends what waited, or tells its senders that it is unreachable. Lock not held. */
static void flush_pending(struct netdev *dev, struct packet *list, uint64_t mac)
{
	while (list) {
		struct packet *next = list->next;
		struct ip_quote q;

		list->next = NULL;
		if (mac) {
			eth_output(dev, list, (const uint8_t *)&mac,
				list->data[0] >> 4 == 6 ? ETH_IPV6 : ETH_IPV4);
		} else {
			counter_inc(neigh_unresolved_drops);
			if (ip_quote(list->data, list->len, &q)) { /* as if we had told ourselves */
				bool v4 = ip_is_v4(q.dst);

				q.offender = q.src;
				q.type = v4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE;
				q.code = v4 ? ICMP_HOST_UNREACH : 3;
				ip_quote_error(&q, EHOSTUNREACH, false, 0);
			}
			packet_free(list);
		}
		list = next;
	}
}

/* Nobody answered. The lock is given up meanwhile. */
static void entry_failed(struct net_state *n, struct neigh *e)
{
	struct packet *list = take_pending(e);
	struct netdev *dev = e->dev;
	struct ip_addr ip = e->ip;

	entry_set(e, NULL, IP_ANY, 0);
	e->probes = 0;
	e->next_probe = 0;
	mutex_unlock(&n->neigh_lock);
	flush_pending(dev, list, 0);
	if (!ip_is_v4(ip))
		nd_unreachable(dev, ip);
	mutex_lock(&n->neigh_lock);
}

static void neigh_timer_fired(struct timer *t)
{
	struct net_state *n = the_net();
	uint64_t now = clock_now();
	bool again = false;

	mutex_lock(&n->neigh_lock);
	n->neigh_timer_on = false;
	for (unsigned i = 0; i < NEIGH_COUNT; i++) {
		struct neigh *e = &n->neigh[i];

		if (ip_is_any(e->ip) || !e->next_probe)
			continue;
		if (now < e->next_probe) {
			again = true;
		} else if (e->probes < NEIGH_PROBES) {
			probe(n, e, now);
			again = true;
		} else {
			entry_failed(n, e);
		}
	}
	if (again)
		timer_start(n, now + NEIGH_RETRY / 4);
	mutex_unlock(&n->neigh_lock);
	lo_run();
}

int neigh_output(struct netdev *dev, struct packet *p, struct ip_addr next_hop)
{
	struct net_state *n = the_net();
	uint64_t mac = lookup_fast(dev, next_hop);

	if (unlikely(!mac)) {
		mutex_lock(&n->neigh_lock);
		bool known = resolve(n, dev, next_hop, p, &mac);

		mutex_unlock(&n->neigh_lock);
		if (!known)
			return 0;
	}
	return eth_output(dev, p, (const uint8_t *)&mac, ip_is_v4(next_hop) ? ETH_IPV4 : ETH_IPV6);
}

bool neigh_pending(void)
{
	struct net_state *n = the_net();
	bool any = false;

	mutex_lock(&n->neigh_lock);
	for (unsigned i = 0; i < NEIGH_COUNT && !any; i++)
		any = n->neigh[i].pending;
	mutex_unlock(&n->neigh_lock);
	return any;
}

static void set_fresh(struct neigh *e, struct netdev *dev, bool reachable)
{
	uint64_t span = ip_is_v4(e->ip) ? NEIGH_FRESH : nd_reachable_time(dev);

	store_relaxed(&e->fresh_until, reachable ? clock_now() + span : 0);
	if (reachable || !e->probes) {
		e->probes = 0;
		e->next_probe = 0;
	}
}

/* RFC 4861 7.2.5 (and its appendix C) on an entry. Returns what waited for the address. */
static struct packet *update_entry(
	struct neigh *e, struct netdev *dev, struct ip_addr ip, uint64_t mac, unsigned how)
{
	bool known = e->mac & NEIGH_VALID;

	if (how & (NEIGH_ROUTER | NEIGH_HOST))
		e->router = how & NEIGH_ROUTER;
	if (!known) { /* INCOMPLETE */
		if (!mac)
			return NULL;
		entry_set(e, dev, ip, mac);
		e->probes = 0;
		set_fresh(e, dev, how & NEIGH_SOLICITED);
		return take_pending(e);
	}
	bool differs = mac && mac != e->mac;

	if (differs && !(how & NEIGH_OVERRIDE)) {
		if (clock_now() < e->fresh_until)
			set_fresh(e, dev, false);
		return NULL;
	}
	if (differs)
		entry_set(e, dev, ip, mac);
	if ((how & NEIGH_SOLICITED) || differs)
		set_fresh(e, dev, how & NEIGH_SOLICITED);
	return NULL;
}

void neigh_update(struct netdev *dev, struct ip_addr ip, const uint8_t *lladdr, unsigned how)
{
	struct net_state *n = the_net();
	struct packet *list = NULL;
	uint64_t mac = lladdr ? mac_pack(lladdr) | NEIGH_VALID : 0;
	bool lost_router = false;

	mutex_lock(&n->neigh_lock);
	struct neigh *e = entry_find(n, dev, ip);

	if (!e && (how & NEIGH_CREATE) && mac)
		e = entry_make(n, dev, ip);
	if (e) {
		lost_router = e->router && (how & NEIGH_HOST);
		list = update_entry(e, dev, ip, mac, how);
	}
	mutex_unlock(&n->neigh_lock);
	flush_pending(dev, list, mac);
	if (lost_router)
		nd_router_gone(dev, ip);
}

static uint16_t state_of(const struct neigh *e, uint64_t now)
{
	if (!(e->mac & NEIGH_VALID))
		return NUD_INCOMPLETE;
	if (e->probes)
		return NUD_PROBE;
	if (e->next_probe)
		return NUD_DELAY;
	return now < e->fresh_until ? NUD_REACHABLE : NUD_STALE;
}

unsigned neigh_list(struct neigh_info *out, unsigned max)
{
	struct net_state *n = the_net();
	uint64_t now = clock_now();
	unsigned count = 0;

	mutex_lock(&n->neigh_lock);
	for (unsigned i = 0; i < NEIGH_COUNT && count < max; i++) {
		const struct neigh *e = &n->neigh[i];

		if (ip_is_any(e->ip) || !e->dev)
			continue;
		out[count] = (struct neigh_info){
			.ip = e->ip, .dev = e->dev, .state = state_of(e, now), .router = e->router
		};
		memcpy(out[count++].mac, &e->mac, 6);
	}
	mutex_unlock(&n->neigh_lock);
	return count;
}

void neigh_init(void)
{
	struct net_state *n = the_net();

	n->neigh = heap_alloc_zeroed(NEIGH_COUNT * sizeof(*n->neigh));
	BUG_ON(!n->neigh);
	for (unsigned i = 0; i < NEIGH_COUNT; i++)
		take_pending(&n->neigh[i]);
	mutex_init(&n->neigh_lock, "net_state.neigh_lock");
	timer_init(&n->neigh_timer, neigh_timer_fired, NULL);
}
