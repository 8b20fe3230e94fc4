/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DHCP client's life (RFC 2131, 4.4), in a thread of its own: one for each card that asks.
 *
 *	INIT --discover--> SELECTING --offer--> REQUESTING --ack--> BOUND --T1--> RENEWING
 *	  ^                                        | nak                 ^ ack |      | T2
 *	  +------ lease over, nak: address goes <--+---------------------+-----+-- REBINDING
 *	  +------ decline: somebody else has it <---------- BOUND
 *
 * An address is asked for by ARP while the server is asked for it (2131 3.1, step 5; 5227), which
 * costs no time: who has it answers as fast as the server does. It is in use when the server's word
 * comes, and given up again if another host speaks as it within PROBE_TIME. After that we keep it
 * and say so (5227 2.4 c): any host of the link could take it from us otherwise.
 */

#include "net/config.h"
#include "net/dhcp.h"
#include "net/neigh.h"
#include "net/route.h"
#include "net/socket.h"
#include "net/state.h"
#include "net/udp_client.h"
#include "abi/errno.h"
#include "diag/log.h"
#include "mem/heap.h"
#include "sched/thread.h"

#define FIRST_WAIT (NSEC_PER_SEC)
#define MAX_WAIT   (64 * NSEC_PER_SEC)

#define PROBE_TIME   (2 * NSEC_PER_SEC)	 /* RFC 5227 PROBE_WAIT + PROBE_MAX */
#define DEFEND_TIME  (10 * NSEC_PER_SEC) /* 5227 DEFEND_INTERVAL */
#define DECLINE_WAIT (10 * NSEC_PER_SEC) /* 2131 3.1 step 5, but not before the first new try */

struct dhcp_client {
	/* fixed when the client is in the list */
	struct dhcp_client *next;
	struct netdev *dev;
	struct socket *s;  /* its thread alone receives */
	unsigned card;	   /* 0: the first, which names the machine and is waited for */
	uint32_t card_mtu; /* without a lease */

	/* of its thread alone */
	uint32_t xid;
	uint64_t started, bound_at, first_bound; /* monotonic ns */
	uint32_t declined;			 /* in a row */

	/* written under lock by its thread, which reads them without; others read under it */
	struct mutex lock;
	struct dhcp_lease lease; /* valid while bound */
	bool bound;

	/* with who receives on the card */
	uint32_t watched;	 /* atomic: the address offered or had */
	uint32_t conflict;	 /* atomic: another host speaks as it */
	struct wait_queue heard; /* of a conflict */
};

static struct dhcp_client *clients; /* atomic, newest first; only grows */

static void send_request(struct dhcp_client *c, uint32_t to, struct dhcp_request r)
{
	uint8_t buf[DHCP_MAX_PACKET];

	r.hostname = the_net()->hostname;
	memcpy(r.mac, c->dev->mac, 6);
	udp_client_send(c->s, buf, dhcp_build(buf, &r), ip_map(to), DHCP_SERVER_PORT);
}

static void client_send(struct dhcp_client *c, uint8_t type, uint32_t to, uint32_t requested,
	uint32_t server, uint32_t ciaddr)
{
	send_request(c, to,
		(struct dhcp_request){ .type = type,
			.xid = c->xid,
			.requested = requested,
			.server = server,
			.ciaddr = ciaddr,
			.secs = (uint16_t)MIN(
				(clock_now() - c->started) / NSEC_PER_SEC, 65535ull) });
}

/* The next answer of type 'want' (or a NAK) until the deadline; false: none came. */
static bool client_wait(struct dhcp_client *c, uint8_t want, uint32_t server, uint64_t deadline,
	struct dhcp_lease *out)
{
	uint8_t buf[1500];
	size_t n;

	while ((n = udp_client_recv(c->s, buf, sizeof(buf), deadline))) {
		if (!dhcp_parse(buf, n, c->xid, c->dev->mac, out))
			continue;
		if (server && out->server && out->server != server)
			continue;
		if (out->type == want || (out->type == DHCPNAK && want == DHCPACK))
			return true;
	}
	return false;
}

/* RFC 2131 4.1: each wait twice as long, give or take a second's fraction. */
static uint64_t next_wait(uint64_t wait)
{
	return MIN(wait * 2, (uint64_t)MAX_WAIT) + net_random() % (NSEC_PER_SEC / 4);
}

static bool same_config(const struct dhcp_lease *a, const struct dhcp_lease *b)
{
	return a->addr == b->addr && a->prefix == b->prefix && a->router == b->router &&
	       a->route_count == b->route_count && a->mtu == b->mtu &&
	       a->dns_count == b->dns_count && a->ntp_count == b->ntp_count &&
	       a->broadcast == b->broadcast && memcmp(a->ntp, b->ntp, sizeof(a->ntp)) == 0 &&
	       memcmp(a->routes, b->routes, sizeof(a->routes)) == 0 &&
	       memcmp(a->dns, b->dns, sizeof(a->dns)) == 0 && strcmp(a->domain, b->domain) == 0 &&
	       strcmp(a->search, b->search) == 0;
}

/* NULL: there is none any more. */
static void set_lease(struct dhcp_client *c, const struct dhcp_lease *l)
{
	mutex_lock(&c->lock);
	if (l)
		c->lease = *l;
	c->bound = l != NULL;
	mutex_unlock(&c->lock);
}

static void add_routes(struct dhcp_client *c, const struct dhcp_lease *l)
{
	uint32_t metric = DHCP_METRIC + c->card * CARD_METRIC;

	if (l->has_routes) {
		for (unsigned i = 0; i < l->route_count; i++)
			route_add(l->routes[i].dst, l->routes[i].prefix, l->routes[i].gateway,
				c->dev, metric, 16);
	} else if (l->router) {
		route_add(0, 0, l->router, c->dev, metric, 16);
	}
}

static void publish(struct dhcp_client *c, const struct dhcp_lease *l)
{
	struct net_names names = { .dns_count = l->dns_count, .ntp_count = l->ntp_count };

	_Static_assert(
		DHCP_MAX_DNS <= ARRAY_SIZE(names.dns) && DHCP_MAX_NTP <= ARRAY_SIZE(names.ntp),
		"all of them");
	for (unsigned i = 0; i < l->dns_count; i++)
		names.dns[i] = ip_map(l->dns[i]);
	for (unsigned i = 0; i < l->ntp_count; i++)
		names.ntp[i] = ip_map(l->ntp[i]);
	str_copy(names.search, l->search[0] ? l->search : l->domain, sizeof(names.search));
	net_publish_names(c->dev, NAMES_DHCP, &names);
}

/* Option 26 makes it smaller than the card's own while the lease lives; 0: it is not there. */
static void set_mtu(struct dhcp_client *c, uint32_t mtu)
{
	store_relaxed(&c->dev->mtu, mtu ? MIN(mtu, c->card_mtu) : c->card_mtu);
}

static void apply(struct dhcp_client *c, const struct dhcp_lease *l)
{
	const uint8_t *a = (const uint8_t *)&l->addr;
	bool same = c->bound && same_config(&c->lease, l);

	c->bound_at = clock_now();
	if (c->bound && !same)
		netif_remove_addresses(c->dev);
	set_lease(c, l);
	if (same)
		return;
	set_mtu(c, l->mtu);
	netif_add(&(struct net_addr){ .dev = c->dev,
		.addr = ip_map(l->addr),
		.prefix = (uint8_t)l->prefix,
		.broadcast = l->broadcast });
	add_routes(c, l);
	arp_announce(c->dev, l->addr);
	publish(c, l);
	if (c->card == 0) {
		if (l->hostname[0] && net_hostname && !the_net()->hostname[0])
			net_hostname(l->hostname);
		net_set_configured();
	}
	log_info("%s: %u.%u.%u.%u/%u for %u s", c->dev->name, a[0], a[1], a[2], a[3], l->prefix,
		l->lease);
}

/* All that came with the lease goes; what other cards have stays. */
static void unbind(struct dhcp_client *c)
{
	set_lease(c, NULL);
	set_mtu(c, 0);
	netif_remove_addresses(c->dev);
	net_publish_names(c->dev, NAMES_DHCP, NULL);
}

void dhcp_arp(const struct netdev *dev, uint32_t addr)
{
	struct dhcp_client *c = load_acquire(&clients);

	while (c && c->dev != dev)
		c = c->next;
	if (!c || addr != load_relaxed(&c->watched))
		return;
	store_release(&c->conflict, 1);
	wait_wake_all(&c->heard, 0);
}

/* From now on dhcp_arp tells of those who have it. */
static void watch(struct dhcp_client *c, uint32_t addr)
{
	store_relaxed(&c->watched, addr);
	store_release(&c->conflict, 0);
	arp_probe(c->dev, addr);
}

/* RFC 2131 4.4.4: to all, without an address of ours. */
static void decline(struct dhcp_client *c, uint32_t addr, uint32_t server)
{
	const uint8_t *a = (const uint8_t *)&addr;

	log_warn("%s: another host has %u.%u.%u.%u", c->dev->name, a[0], a[1], a[2], a[3]);
	if (c->bound)
		unbind(c);
	c->xid = (uint32_t)net_random();
	client_send(c, DHCPDECLINE, INADDR_BROADCAST, addr, server, 0);
	if (c->declined++)
		thread_sleep(DECLINE_WAIT, false, NULL);
}

/* BOUND until the given time. False: the address was declined. */
static bool stay_bound(struct dhcp_client *c, uint64_t until)
{
	uint64_t defended = 0;

	while (clock_now() < until) {
		(void)wait_event_timeout(&c->heard, load_acquire(&c->conflict), until);
		uint64_t now = clock_now();

		if (!load_acquire(&c->conflict))
			continue;
		if (now - c->first_bound < PROBE_TIME) {
			decline(c, c->lease.addr, c->lease.server);
			return false;
		}
		store_release(&c->conflict, 0);
		if (defended && now - defended < DEFEND_TIME)
			continue;
		defended = now;
		arp_announce(c->dev, c->lease.addr);
	}
	return true;
}

/* INIT to BOUND; tries for ever. */
static void acquire(struct dhcp_client *c)
{
	struct dhcp_lease offer, ack;
	uint64_t wait = FIRST_WAIT;
	bool refused = false;

	c->started = clock_now();
	for (;;) {
		c->xid = (uint32_t)net_random();
		client_send(c, DHCPDISCOVER, INADDR_BROADCAST, 0, 0, 0);
		if (!client_wait(c, DHCPOFFER, 0, clock_now() + wait, &offer)) {
			wait = next_wait(wait);
			continue;
		}
		watch(c, offer.addr);
		for (int tries = 0; tries < 4; tries++) {
			client_send(c, DHCPREQUEST, INADDR_BROADCAST, offer.addr, offer.server, 0);
			if (!client_wait(c, DHCPACK, offer.server,
				    clock_now() + (FIRST_WAIT << tries), &ack))
				continue;
			if (ack.type == DHCPNAK) {
				if (refused) { /* a server that offers what it does not give */
					thread_sleep(wait, false, NULL);
					wait = next_wait(wait);
				}
				refused = true;
				break;
			}
			if (!ack.server)
				ack.server = offer.server;
			if (load_acquire(&c->conflict)) { /* before anybody heard of it */
				decline(c, ack.addr, ack.server);
				break;
			}
			c->first_bound = clock_now();
			apply(c, &ack);
			return;
		}
	}
}

static uint64_t after(const struct dhcp_client *c, uint32_t seconds)
{
	return seconds == UINT32_MAX ? UINT64_MAX : c->bound_at + (uint64_t)seconds * NSEC_PER_SEC;
}

/* Asks for more time until 'end'; half of what remains between tries, a minute at least. False:
 * refused or no answer. */
static bool extend(struct dhcp_client *c, uint32_t to, uint64_t end, bool *refused)
{
	struct dhcp_lease ack;

	*refused = false;
	c->started = clock_now();
	c->xid = (uint32_t)net_random();
	for (uint64_t now = clock_now(); now < end; now = clock_now()) {
		client_send(c, DHCPREQUEST, to, 0, 0, c->lease.addr);
		uint64_t until = MIN(end, now + MAX((end - now) / 2, 60 * NSEC_PER_SEC));

		if (!client_wait(c, DHCPACK, 0, until, &ack))
			continue;
		if (ack.type == DHCPNAK) {
			*refused = true;
			return false;
		}
		if (!ack.server)
			ack.server = c->lease.server;
		apply(c, &ack);
		return true;
	}
	return false;
}

static void client_thread(void *arg)
{
	struct dhcp_client *c = arg;
	bool refused;

	/* Before it asks for anything: dhcp_arp has to find it. */
	c->next = load_relaxed(&clients);
	while (!atomic_cas(&clients, &c->next, c))
		;
	for (;;) {
		if (!c->bound)
			acquire(c);
		uint64_t t1 = after(c, c->lease.t1), now = clock_now();

		if (t1 > now && !stay_bound(c, t1))
			continue;
		c->declined = 0;
		if (c->lease.lease == UINT32_MAX)
			continue;
		if (extend(c, c->lease.server, after(c, c->lease.t2), &refused))
			continue;
		if (!refused && extend(c, INADDR_BROADCAST, after(c, c->lease.lease), &refused))
			continue;
		log_warn("%s: the DHCP lease is over", c->dev->name);
		unbind(c);
	}
}

void dhcp_start(struct netdev *dev, unsigned card)
{
	struct dhcp_client *c = heap_alloc_zeroed(sizeof(*c));
	int err = -ENOMEM;

	if (c) {
		c->dev = dev;
		c->card = card;
		c->card_mtu = dev->mtu;
		mutex_init(&c->lock, "dhcp_client.lock");
		wait_init(&c->heard);
		err = udp_client_create(AF_INET, dev, DHCP_CLIENT_PORT, &c->s);
	}
	if (!err && !kthread_create("dhcp", client_thread, c, THREAD_NORMAL))
		err = -ENOMEM;
	if (!err)
		return;
	log_err("%s: DHCP cannot start: %d", dev->name, -err);
	if (c && c->s) {
		c->s->ops->close(c->s);
		socket_put(c->s);
	}
	heap_free(c);
	if (card == 0)
		net_set_configured();
}

/* Gives the addresses back; the packets leave with the machine's last breath, or do not (RFC 2131
 * allows). */
void dhcp_stop(void)
{
	for (struct dhcp_client *c = load_acquire(&clients); c; c = c->next) {
		mutex_lock(&c->lock);
		uint32_t addr = c->bound ? c->lease.addr : 0, server = c->lease.server;

		mutex_unlock(&c->lock);
		if (addr)
			send_request(c, server,
				(struct dhcp_request){ .type = DHCPRELEASE,
					.xid = (uint32_t)net_random(),
					.server = server,
					.ciaddr = addr });
	}
}
