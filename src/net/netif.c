/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: loopback, the way of received packets into the stack, addresses and routes, and the
 * network thread for what no caller waits for.
 */

#include "net/impl.h"
#include "diag/counter.h"
#include "diag/log.h"

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
	socket_kick(s);
	socket_put(s);
}

void rx_to_socket(struct rx *rx, struct socket *s, struct packet *p)
{
	if (rx->pending != s) {
		rx_flush(rx);
		rx->pending = s;
	} else {
		socket_put(s);
	}
	socket_deliver(s, p);
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
	memset(cb, 0, sizeof(*cb));
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
	case ETH_ARP: arp_input(rx->dev, p); return;
	default: counter_inc(net_rx_unknown_type); packet_free(p);
	}
}

void net_rx(struct netdev *dev, struct packet *batch)
{
	struct rx rx = { .dev = dev };

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

static int lo_send(struct netdev *dev, struct packet *p)
{
	struct net_state *n = the_net();
	struct packet *head = load_relaxed(&n->lo_queue);

	dev->tx_packets++;
	dev->tx_bytes += p->len;
	do {
		p->next = head;
	} while (!atomic_cas(&n->lo_queue, &head, p));
	return 0;
}

static unsigned lo_run_batch(struct net_state *n)
{
	struct packet *newest = atomic_xchg(&n->lo_queue, NULL), *batch = NULL;
	struct rx rx = { .dev = &n->lo };
	unsigned count = 0;

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
		memset(cb, 0, sizeof(*cb));
		cb->ifindex = (uint16_t)n->lo.index;
		cb->flags = PKT_LOOPBACK;
		counter_inc(net_lo_packets);
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

/* ---- addresses and routes: a new table replaces the old one ---- */

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

const struct net_addr *net_addr_of(const struct net_config *c, const struct netdev *dev)
{
	for (unsigned i = 0; i < c->addr_count; i++)
		if (c->addr[i].dev == dev)
			return &c->addr[i];
	return NULL;
}

/* config_lock held. */
static struct net_config *config_edit(void)
{
	struct net_config *c = heap_alloc(sizeof(*c));

	if (c) {
		memcpy(c, net_config(), sizeof(*c));
		c->older = net_config();
	}
	return c;
}

static void config_publish(struct net_config *c)
{
	store_release(&the_net()->config, c);
	atomic_add(&the_net()->config_generation, 1);
}

static uint32_t prefix_mask(unsigned prefix)
{
	return prefix ? be32(~0u << (32 - prefix)) : 0;
}

static int config_add_route(struct net_config *c, const struct route *r)
{
	unsigned at = 0;

	if (c->route_count == ARRAY_SIZE(c->route))
		return -ENOBUFS;
	/* longest prefix first, then lowest metric */
	while (at < c->route_count &&
		(c->route[at].prefix > r->prefix ||
			(c->route[at].prefix == r->prefix && c->route[at].metric <= r->metric)))
		at++;
	for (unsigned i = c->route_count; i > at; i--)
		c->route[i] = c->route[i - 1];
	c->route[at] = *r;
	c->route_count++;
	return 0;
}

int netif_add_address(struct netdev *dev, uint32_t addr, unsigned prefix)
{
	struct net_state *n = the_net();
	uint32_t mask = prefix_mask(prefix);
	struct route connected = { .dst = addr & mask,
		.mask = mask,
		.src = addr,
		.dev = dev,
		.prefix = (uint8_t)prefix,
		.protocol = 2 /* RTPROT_KERNEL */,
		.scope = 253 };
	int err = -ENOBUFS;

	mutex_lock(&n->config_lock);
	struct net_config *c = config_edit();

	if (c && c->addr_count < ARRAY_SIZE(c->addr)) {
		c->addr[c->addr_count++] = (struct net_addr){ .dev = dev,
			.addr = addr,
			.mask = mask,
			.broadcast = prefix < 31 ? addr | ~mask : INADDR_BROADCAST,
			.prefix = (uint8_t)prefix };
		err = prefix < 32 ? config_add_route(c, &connected) : 0;
	}
	if (!err)
		config_publish(c);
	else
		heap_free(c);
	mutex_unlock(&n->config_lock);
	return err;
}

int netif_remove_addresses(struct netdev *dev)
{
	struct net_state *n = the_net();
	unsigned k = 0;

	mutex_lock(&n->config_lock);
	struct net_config *c = config_edit();

	if (!c) {
		mutex_unlock(&n->config_lock);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < c->addr_count; i++)
		if (c->addr[i].dev != dev)
			c->addr[k++] = c->addr[i];
	c->addr_count = k;
	k = 0;
	for (unsigned i = 0; i < c->route_count; i++)
		if (c->route[i].dev != dev)
			c->route[k++] = c->route[i];
	c->route_count = k;
	config_publish(c);
	mutex_unlock(&n->config_lock);
	return 0;
}

int route_add(uint32_t dst, unsigned prefix, uint32_t gateway, struct netdev *dev, uint32_t metric,
	uint8_t protocol)
{
	struct net_state *n = the_net();
	uint32_t mask = prefix_mask(prefix);
	int err = -ENOBUFS;

	mutex_lock(&n->config_lock);
	struct net_config *c = config_edit();

	if (c) {
		const struct net_addr *a = net_addr_of(c, dev);
		struct route r = { .dst = dst & mask,
			.mask = mask,
			.gateway = gateway,
			.src = a ? a->addr : 0,
			.dev = dev,
			.prefix = (uint8_t)prefix,
			.protocol = protocol,
			.scope = gateway ? 0 : 253,
			.metric = metric };

		err = config_add_route(c, &r);
	}
	if (!err)
		config_publish(c);
	else
		heap_free(c);
	mutex_unlock(&n->config_lock);
	return err;
}

enum ip_local_kind ip_local_kind(uint32_t addr)
{
	const struct net_config *c = net_config();

	if (ip_is_loopback(addr))
		return IP_LOCAL;
	if (addr == INADDR_BROADCAST)
		return IP_LOCAL_BROADCAST;
	if (ip_is_multicast(addr))
		return IP_LOCAL_MULTICAST;
	for (unsigned i = 0; i < c->addr_count; i++) {
		if (c->addr[i].addr == addr)
			return IP_LOCAL;
		if (c->addr[i].broadcast == addr ||
			(c->addr[i].prefix < 31 && addr == (c->addr[i].addr & c->addr[i].mask)))
			return IP_LOCAL_BROADCAST;
	}
	return IP_NOT_LOCAL;
}

static struct netdev *default_device(const struct net_config *c, int bound_if)
{
	if (bound_if)
		return netdev_by_index(bound_if);
	for (unsigned i = 0; i < c->route_count; i++)
		if (c->route[i].prefix == 0)
			return c->route[i].dev;
	for (struct netdev *d = netdev_first(); d; d = d->next)
		if (!(d->features & NETDEV_LOOPBACK))
			return d;
	return NULL;
}

static const struct route *find_route(const struct net_config *c, uint32_t dst, int bound_if)
{
	for (unsigned i = 0; i < c->route_count; i++)
		if ((dst & c->route[i].mask) == c->route[i].dst &&
			(!bound_if || c->route[i].dev->index == bound_if))
			return &c->route[i];
	return NULL;
}

int route_lookup(uint32_t dst, uint32_t src, int bound_if, struct route_cache *out)
{
	struct net_state *n = the_net();
	uint32_t generation = load_acquire(&n->config_generation);
	const struct net_config *c = net_config();
	enum ip_local_kind kind = ip_local_kind(dst);
	const struct net_addr *a;

	*out = (struct route_cache){ .generation = generation, .dst = dst, .next_hop = dst };
	if (kind == IP_LOCAL) {
		out->dev = &n->lo;
		out->src = dst;
		out->local = true;
	} else if (kind == IP_LOCAL_MULTICAST || dst == INADDR_BROADCAST) {
		out->dev = default_device(c, bound_if);
		if (!out->dev)
			return -ENETUNREACH;
		a = net_addr_of(c, out->dev);
		out->src = a ? a->addr : 0;
		out->broadcast = kind != IP_LOCAL_MULTICAST;
	} else {
		const struct route *r = find_route(c, dst, bound_if);

		if (!r)
			return -ENETUNREACH;
		out->dev = r->dev;
		a = net_addr_of(c, r->dev);
		out->src = r->src ? r->src : a ? a->addr : 0;
		if (r->gateway)
			out->next_hop = r->gateway;
		out->broadcast = kind == IP_LOCAL_BROADCAST;
	}
	if (src)
		out->src = src;
	out->mtu = out->dev->mtu;
	return 0;
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
	n->lo.features = NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_LOOPBACK;
	n->lo.queues = 1;
	n->lo.link_up = true;
	n->lo.send = lo_send;
	netdev_register(&n->lo);
	BUG_ON(netif_add_address(&n->lo, IP4(127, 0, 0, 1), 8));
}

void net_init(void)
{
	struct net_state *n = the_net();
	struct net_config *c = heap_alloc_zeroed(sizeof(*c));

	BUG_ON(!c);
	n->config = c;
	n->config_generation = 1;
	n->hash_key = (struct hash_key){ net_random(), net_random() };
	n->isn_key = (struct hash_key){ net_random(), net_random() };
	n->ip_id = (uint32_t)net_random();
	mutex_init(&n->config_lock, "net_state.config_lock");
	wait_init(&n->configured_wait);
	netdev_registered = device_registered;
	arp_init();
	ip_frag_init();
	raw_init();
	udp_init();
	tcp_init();
	init_loopback(n);
	n->thread = kthread_create("net", net_thread, NULL, THREAD_REALTIME);
	BUG_ON(!n->thread);
}
