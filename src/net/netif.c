/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: loopback, the way of received packets into the stack, and the network thread for what
 * no caller waits for.
 */

#include "net/config.h"
#include "net/igmp.h"
#include "net/ip6.h"
#include "net/neigh.h"
#include "net/netif.h"
#include "net/rx.h"
#include "net/steer.h"
#include "net/transport.h"
#include "net/udp.h"
#include "net/zerocopy.h"
#include "diag/counter.h"
#include "diag/log.h"
#include "lib/bug.h"
#include "mem/heap.h"
#include "sched/thread.h"

COUNTER(net_rx_packets);
COUNTER(net_rx_unknown_type);
COUNTER(net_lo_packets);
COUNTER(net_lo_handed_over);

#ifndef SKIFF_HOST
struct net_state net_state;
#else
struct net_state *host_net;
#endif

/* ---- received packets ---- */

void rx_flush(struct rx *rx)
{
	struct socket *s = rx->pending;

	if (!s)
		return;
	rx->pending = NULL;
	rx->found = 0;
	if (unlikely(rx->rings))
		udp_rings_end_run(rx, s);
	/* rings alone: nothing lies in the channel that somebody would have to look after */
	if (likely(!rx->rings) || rx->run || !channel_empty(&s->channel))
		channel_end_run(s, rx->run);
	rx->newest = NULL;
	rx->rings = 0;
	rx->run = 0;
	socket_put(s);
}

void rx_to_socket(struct rx *rx, struct socket *s, struct packet *p, unsigned kind)
{
	if (rx->pending != s) {
		rx_flush(rx);
		rx->pending = s;
	}
	steer_note_arrival(s);
	rx->run |= channel_push(s, p, kind);
}

static void eth_input(struct rx *rx, struct packet *p)
{
	struct eth_header *eth = (struct eth_header *)p->data;
	struct pkt_cb *cb = pkt_cb(p);
	uint16_t type;

	if (p->len < sizeof(*eth)) {
		packet_free(p);
		return;
	}
	pkt_cb_clear(cb);
	cb->ifindex = (uint16_t)rx->dev->index;
	if (eth->dst[0] & 1)
		cb->flags = eth->dst[0] == 0xff ? PKT_BROADCAST : PKT_MULTICAST;
	else if (memcmp(eth->dst, rx->dev->mac, 6) != 0) {
		packet_free(p);
		return;
	}
	type = be16(eth->type);
	packet_pull(p, sizeof(*eth));
	switch (type) {
	case ETH_IPV4: ip_input(rx, p); return;
	case ETH_IPV6: ip6_input(rx, p); return;
	case ETH_ARP: arp_input(rx->dev, p); return;
	default: counter_inc(net_rx_unknown_type); packet_free(p);
	}
}

void net_rx(struct netdev *dev, struct packet *batch)
{
	struct rx rx;

	rx_init(&rx, dev);
	batch = gro_receive(batch);
	while (batch) {
		struct packet *next = batch->next;

		batch->next = NULL;
		counter_inc(net_rx_packets);
		eth_input(&rx, batch);
		batch = next;
	}
	rx_flush(&rx);
	lo_run();
}

/* ---- loopback ---- */

#define LO_BUDGET 256 /* packets that one sender works off before the network thread takes over */

static __noinline bool take_copies(struct packet *p)
{
	if (zc_take_copies(p))
		return true;
	packet_free(p);
	return false;
}

static int lo_send(struct netdev *dev, struct packet *p)
{
	struct net_state *n = the_net();
	struct packet *head;

	if (unlikely(p->lent) && !take_copies(p))
		return -ENOBUFS;
	head = load_relaxed(&n->lo_queue);
	__atomic_fetch_add(&dev->tx_packets, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&dev->tx_bytes, p->len, __ATOMIC_RELAXED);
	do {
		p->next = head;
	} while (!atomic_cas(&n->lo_queue, &head, p));
	return 0;
}

static unsigned lo_run_batch(struct net_state *n)
{
	struct packet *newest = atomic_xchg(&n->lo_queue, NULL), *batch = NULL;
	unsigned count = 0;
	struct rx rx;

	rx_init(&rx, &n->lo);
	while (newest) {
		struct packet *next = newest->next;

		newest->next = batch;
		batch = newest;
		newest = next;
	}
	while (batch) {
		struct packet *next = batch->next;
		struct pkt_cb *cb = pkt_cb(batch);

		batch->next = NULL;
		pkt_cb_clear(cb);
		cb->ifindex = batch->looped ? batch->looped : (uint16_t)n->lo.index;
		cb->flags = PKT_LOOPBACK;
		counter_inc(net_lo_packets);
		if (batch->data[0] >> 4 == 6)
			ip6_input(&rx, batch);
		else
			ip_input(&rx, batch);
		batch = next;
		count++;
	}
	rx_flush(&rx);
	return count;
}

/*
 * One thread at a time works the queue off, so that order is kept. Push, then look at busy (the
 * sender) against clear busy, then look at the queue (the worker): one of the two sees the packet.
 */
void lo_run(void)
{
	struct net_state *n = the_net();
	unsigned done = 0;

	while (__atomic_load_n(&n->lo_queue, __ATOMIC_SEQ_CST)) {
		if (done >= LO_BUDGET && thread_current() != n->thread && n->thread) {
			counter_inc(net_lo_handed_over);
			net_thread_kick();
			return;
		}
		if (atomic_xchg(&n->lo_busy, 1))
			return;
		done += lo_run_batch(n);
		__atomic_store_n(&n->lo_busy, 0, __ATOMIC_SEQ_CST);
	}
}

/* ---- the network thread ---- */

void net_thread_kick(void)
{
	struct net_state *n = the_net();

	store_release(&n->thread_work, 1);
	if (n->thread)
		thread_wake(n->thread);
}

static void empty_graveyard(struct net_state *n)
{
	struct socket *s = atomic_xchg(&n->graveyard, NULL);

	while (s) {
		struct socket *next = s->grave_next;

		s->ops->destroy(s);
		s = next;
	}
}

bool net_thread_work(void)
{
	struct net_state *n = the_net();

	if (!atomic_xchg(&n->thread_work, 0))
		return false;
	empty_graveyard(n);
	channel_sweep(n);
	lo_run();
	return true;
}

static void net_thread(void *arg)
{
	struct net_state *n = the_net();

	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (load_acquire(&n->thread_work)) {
			thread_cancel_sleep();
			net_thread_work();
			cond_resched();
		} else {
			schedule();
		}
	}
}

/* ---- interfaces by number and name ---- */

struct netdev *netdev_next(struct netdev *dev)
{
	return dev ? dev->next : netdev_first();
}

struct netdev *netdev_by_index(int index)
{
	for (struct netdev *d = netdev_first(); d; d = d->next)
		if (d->index == index)
			return d;
	return NULL;
}

struct netdev *netdev_by_name(const char *name)
{
	for (struct netdev *d = netdev_first(); d; d = d->next)
		if (strncmp(d->name, name, IFNAMSIZ) == 0)
			return d;
	return NULL;
}

/* ---- start ---- */

static void device_registered(struct netdev *dev)
{
	if (dev->features & NETDEV_LOOPBACK)
		return;
	dev->rx = net_rx;
	net_config_device(dev);
}

static void init_loopback(struct net_state *n)
{
	str_copy(n->lo.name, "lo", sizeof(n->lo.name));
	n->lo.index = 1;
	n->lo.mtu = 65536;
	n->lo.features = NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_USO |
			 NETDEV_LOOPBACK;
	n->lo.queues = 1;
	n->lo.link_up = true;
	n->lo.send = lo_send;
	netdev_register(&n->lo);
	BUG_ON(netif_add_address(&n->lo, IP4(127, 0, 0, 1), 8));
	BUG_ON(netif_add(&(struct net_addr){ .dev = &n->lo, .addr = IP6_ONE, .prefix = 128 }));
}

void net_init(void)
{
	struct net_state *n = the_net();
	struct net_config *c = heap_alloc_zeroed(sizeof(*c));

	BUG_ON(!c);
	n->config = c;
	n->config_generation = 1;
	n->hash_key = (struct hash_key){ net_random(), net_random() };
	n->ident_key = (struct hash_key){ net_random(), net_random() };
	mutex_init(&n->config_lock, "net_state.config_lock");
	mutex_init(&n->group_lock, "net_state.group_lock");
	wait_init(&n->configured_wait);
	channel_init(n);
	netdev_registered = device_registered;
	neigh_init();
	nd_init();
	igmp_init();
	path_mtu_init();
	ip_frag_init();
	netlink_init();
	raw_init();
	ping_init();
	udp_init();
	tcp_init();
	init_loopback(n);
	n->thread = kthread_create("net", net_thread, NULL, THREAD_REALTIME);
	BUG_ON(!n->thread);
}
