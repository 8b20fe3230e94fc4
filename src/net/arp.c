/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet output and ARP (RFC 826, 5227 announcements).
 *
 *	(none) --output--> INCOMPLETE: packets wait, requests each second --reply--> VALID
 *	INCOMPLETE --three requests unanswered--> (none), waiting packets are answered "host
 *unreachable" VALID --unconfirmed for a minute and used--> VALID with unicast probes --no answer-->
 *(none)
 *
 * Senders read a valid entry without a lock: 'change' is odd while ip and mac change, and differs
 * afterwards.
 */

#include "net/impl.h"
#include "diag/counter.h"

#define NEIGH_VALID  (1ull << 63)
#define NEIGH_PROBES 3
#define NEIGH_FRESH  (60 * NSEC_PER_SEC)
#define NEIGH_RETRY  NSEC_PER_SEC
#define NEIGH_WAYS   8
#define PENDING_MAX  64

COUNTER(arp_requests);
COUNTER(arp_unresolved_drops);

static const uint8_t broadcast_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

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

static void arp_send(struct netdev *dev, uint16_t op, uint32_t spa, uint32_t tpa,
	const uint8_t *tha, const uint8_t *to)
{
	struct packet *p = packet_alloc(TX_HEADROOM, sizeof(struct arp_packet));
	struct arp_packet *a;

	if (!p)
		return;
	a = packet_put(p, sizeof(*a));
	a->htype = be16(1);
	a->ptype = be16(ETH_IPV4);
	a->hlen = 6;
	a->plen = 4;
	a->op = be16(op);
	memcpy(a->sha, dev->mac, 6);
	a->spa = spa;
	if (tha)
		memcpy(a->tha, tha, 6);
	else
		memset(a->tha, 0, 6);
	a->tpa = tpa;
	eth_output(dev, p, to, ETH_ARP);
}

static uint32_t source_for(struct netdev *dev)
{
	const struct net_addr *a = net_addr_of(net_config(), dev);

	return a ? a->addr : 0;
}

static void send_request(struct neigh *e)
{
	uint64_t mac = e->mac & ~NEIGH_VALID;

	counter_inc(arp_requests);
	arp_send(e->dev, ARP_REQUEST, source_for(e->dev), e->ip, NULL,
		e->mac & NEIGH_VALID ? (const uint8_t *)&mac : broadcast_mac);
}

void arp_announce(struct netdev *dev, uint32_t addr)
{
	arp_send(dev, ARP_REQUEST, addr, addr, NULL, broadcast_mac);
}

static struct neigh *way(struct net_state *n, uint32_t ip, unsigned k)
{
	return &n->neigh[(hash_u64(ip) + k) & (NEIGH_COUNT - 1)];
}

/* Lock-free: the mac if there is a valid, fresh entry, else 0. */
static uint64_t lookup_fast(struct netdev *dev, uint32_t ip)
{
	struct net_state *n = the_net();

	for (unsigned k = 0; k < NEIGH_WAYS; k++) {
		struct neigh *e = way(n, ip, k);
		uint32_t seq = load_acquire(&e->change);

		if (load_relaxed(&e->ip) != ip)
			continue;
		uint64_t mac = load_acquire(&e->mac), confirmed = load_relaxed(&e->confirmed);

		if ((seq & 1) || load_acquire(&e->change) != seq || e->dev != dev)
			return 0;
		if (!(mac & NEIGH_VALID) || clock_now() - confirmed > NEIGH_FRESH)
			return 0;
		return mac;
	}
	return 0;
}

/* All below: neigh_lock held. */
static void entry_set(struct neigh *e, struct netdev *dev, uint32_t ip, uint64_t mac)
{
	atomic_add(&e->change, 1);
	store_relaxed(&e->ip, ip);
	store_relaxed(&e->mac, mac);
	e->dev = dev;
	atomic_add(&e->change, 1);
}

static struct packet *take_pending(struct neigh *e)
{
	struct packet *list = e->pending;

	e->pending = NULL;
	e->pending_tail = &e->pending;
	e->pending_count = 0;
	return list;
}

static struct neigh *entry_find(struct net_state *n, struct netdev *dev, uint32_t ip)
{
	for (unsigned k = 0; k < NEIGH_WAYS; k++)
		if (way(n, ip, k)->ip == ip && way(n, ip, k)->dev == dev)
			return way(n, ip, k);
	return NULL;
}

/* A new entry, in place of the least recently confirmed one that nobody waits for. */
static struct neigh *entry_make(struct net_state *n, struct netdev *dev, uint32_t ip)
{
	struct neigh *best = NULL;

	for (unsigned k = 0; k < NEIGH_WAYS; k++) {
		struct neigh *e = way(n, ip, k);

		if (!e->ip) {
			best = e;
			break;
		}
		if (!e->pending && (!best || e->confirmed < best->confirmed))
			best = e;
	}
	if (best) {
		entry_set(best, dev, ip, 0);
		best->probes = 0;
		best->next_probe = 0;
		best->confirmed = 0;
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

/* Takes p: it waits for the answer, or (true) goes out to *mac now. */
static bool resolve(
	struct net_state *n, struct netdev *dev, uint32_t ip, struct packet *p, uint64_t *mac)
{
	struct neigh *e = entry_find(n, dev, ip);
	uint64_t now = clock_now();

	if (!e)
		e = entry_make(n, dev, ip);
	if (e && now >= e->next_probe) {
		send_request(e);
		e->probes++;
		e->next_probe = now + NEIGH_RETRY;
		timer_start(n, e->next_probe);
	}
	if (e && (e->mac & NEIGH_VALID)) {
		*mac = e->mac;
		return true;
	}
	if (!e || e->pending_count >= PENDING_MAX) {
		counter_inc(arp_unresolved_drops);
		packet_free(p);
		return false;
	}
	p->next = NULL;
	*e->pending_tail = p;
	e->pending_tail = &p->next;
	e->pending_count++;
	return false;
}

/* Sends what waited, or gives it back to its senders as unreachable. Lock not held. */
static void flush_pending(struct netdev *dev, struct packet *list, uint64_t mac)
{
	while (list) {
		struct packet *next = list->next;

		list->next = NULL;
		if (mac) {
			eth_output(dev, list, (const uint8_t *)&mac, ETH_IPV4);
		} else {
			struct ip_header *ip = (struct ip_header *)list->data;
			size_t len = list->len;

			counter_inc(arp_unresolved_drops);
			if (ip->protocol == IPPROTO_TCP)
				tcp_icmp_error(ip, len, EHOSTUNREACH, false, 0);
			else if (ip->protocol == IPPROTO_UDP)
				udp_icmp_error(ip, len, EHOSTUNREACH, true, 0);
			packet_free(list);
		}
		list = next;
	}
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

		if (!e->ip || !e->probes)
			continue;
		if (now < e->next_probe) {
			again = true;
		} else if (e->probes < NEIGH_PROBES) {
			send_request(e);
			e->probes++;
			e->next_probe = now + NEIGH_RETRY;
			again = true;
		} else {
			struct packet *list = take_pending(e);
			struct netdev *dev = e->dev;

			entry_set(e, NULL, 0, 0);
			e->probes = 0;
			mutex_unlock(&n->neigh_lock);
			flush_pending(dev, list, 0);
			mutex_lock(&n->neigh_lock);
		}
	}
	if (again)
		timer_start(n, now + NEIGH_RETRY / 4);
	mutex_unlock(&n->neigh_lock);
	lo_run();
}

int arp_output(struct netdev *dev, struct packet *p, uint32_t next_hop)
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
	return eth_output(dev, p, (const uint8_t *)&mac, ETH_IPV4);
}

/* Somebody told us where ip lives. Only what we asked for or already know is believed. */
static void learn(struct netdev *dev, uint32_t ip, const uint8_t *sha, bool create)
{
	struct net_state *n = the_net();
	struct packet *list = NULL;
	uint64_t mac = mac_pack(sha) | NEIGH_VALID;

	if (!ip || ip_is_multicast(ip) || ip == INADDR_BROADCAST || (sha[0] & 1))
		return;
	mutex_lock(&n->neigh_lock);
	struct neigh *e = entry_find(n, dev, ip);

	if (!e && create)
		e = entry_make(n, dev, ip);
	if (e) {
		entry_set(e, dev, ip, mac);
		store_relaxed(&e->confirmed, clock_now());
		e->probes = 0;
		e->next_probe = 0;
		list = take_pending(e);
	}
	mutex_unlock(&n->neigh_lock);
	flush_pending(dev, list, mac);
}

void arp_input(struct netdev *dev, struct packet *p)
{
	struct arp_packet a;

	if (p->len >= sizeof(a)) {
		memcpy(&a, p->data, sizeof(a));
		if (be16(a.htype) == 1 && be16(a.ptype) == ETH_IPV4 && a.hlen == 6 && a.plen == 4 &&
			memcmp(a.sha, dev->mac, 6) != 0) {
			const struct net_addr *mine = net_addr_of(net_config(), dev);
			bool for_me = mine && a.tpa == mine->addr;

			learn(dev, a.spa, a.sha, for_me);
			if (for_me && be16(a.op) == ARP_REQUEST)
				arp_send(dev, ARP_REPLY, mine->addr, a.spa, a.sha, a.sha);
		}
	}
	packet_free(p);
}

void arp_init(void)
{
	struct net_state *n = the_net();

	n->neigh = heap_alloc_zeroed(NEIGH_COUNT * sizeof(*n->neigh));
	BUG_ON(!n->neigh);
	for (unsigned i = 0; i < NEIGH_COUNT; i++)
		take_pending(&n->neigh[i]);
	mutex_init(&n->neigh_lock, "net_state.neigh_lock");
	timer_init(&n->neigh_timer, neigh_timer_fired, NULL);
}
