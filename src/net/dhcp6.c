/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DHCPv6 client's life (RFC 8415), in a thread of its own, once a router has said that there is
 * a server: M for addresses, O for name servers alone. One for each card with such a router.
 *
 *	SOLICIT --advertise--> REQUEST --reply--> (bound) --T1--> RENEW --T2--> REBIND
 *	   ^                      | refused          ^ reply        |              |
 *	   +--- valid lifetime over, no such lease <-+--------------+--------------+
 *	INFORMATION-REQUEST --reply--> (asked again when it is old)
 */

#include "net/config.h"
#include "net/dhcp6.h"
#include "net/ip6.h"
#include "net/netif.h"
#include "net/socket.h"
#include "net/state.h"
#include "net/udp_client.h"
#include "abi/errno.h"
#include "diag/log.h"
#include "mem/heap.h"
#include "sched/thread.h"

#define REFRESH_DEFAULT 86400u
#define REFRESH_LEAST	600u
#define DAD_TIME	(1500 * NSEC_PER_MSEC)

struct dhcp6_client {
	/* fixed when the client is in the list */
	struct dhcp6_client *next;
	struct netdev *dev;
	struct dhcp6_id id;
	struct socket *s; /* its thread alone receives */

	/* of its thread alone */
	uint32_t xid;
	uint64_t started;
	uint64_t bound_at; /* ns */

	/* written under lock by its thread, which reads them without; others read under it */
	struct mutex lock;
	struct dhcp6_answer lease; /* while bound */
	bool bound;

	uint32_t stateful; /* atomic: addresses are wanted too; from 0 to 1 only */
	struct wait_queue changed;
};

static DEFINE_MUTEX(start_lock);     /* so that two routers start one client */
static struct dhcp6_client *clients; /* atomic, newest first; only grows, under start_lock */

/* Without a tested link-local address nothing leaves: the next try will. */
static void send_request(
	struct dhcp6_client *c, const struct dhcp6_answer *server, struct dhcp6_request r)
{
	static const struct ip_addr servers = { .b = { 0xff, 2, [13] = 1, 0, 2 } };
	uint8_t buf[DHCP6_MAX_PACKET];

	r.server = server ? server->server : NULL;
	r.server_len = server ? server->server_len : 0;
	r.id = c->id;
	udp_client_send(c->s, buf, dhcp6_build(buf, &r), servers, DHCP6_SERVER_PORT);
}

static void client_send(struct dhcp6_client *c, uint8_t type, const struct dhcp6_answer *server,
	struct ip_addr addr)
{
	send_request(c, server,
		(struct dhcp6_request){ .type = type,
			.xid = c->xid,
			.addr = addr,
			.elapsed = (uint16_t)MIN(
				(clock_now() - c->started) / (10 * NSEC_PER_MSEC), 65535ull) });
}

/* The next sound answer of this type until the deadline; false: none came. */
static bool client_wait(
	struct dhcp6_client *c, uint8_t type, uint64_t deadline, struct dhcp6_answer *out)
{
	uint8_t buf[1500];
	size_t n;

	while ((n = udp_client_recv(c->s, buf, sizeof(buf), deadline)))
		if (dhcp6_parse(buf, n, c->xid, &c->id, out) && out->type == type)
			return true;
	return false;
}

/* Section 15: each wait twice as long, give or take a tenth. */
static uint64_t jitter(uint64_t wait)
{
	return wait - wait / 10 + net_random() % (wait / 5);
}
static uint64_t next_wait(uint64_t wait, uint64_t max)
{
	return jitter(MIN(wait * 2, max));
}

static uint32_t new_xid(void)
{
	return (uint32_t)net_random() & 0xffffff;
}

static void begin(struct dhcp6_client *c)
{
	c->started = clock_now();
	c->xid = new_xid();
}

static uint64_t lifetime(uint32_t s)
{
	return s == UINT32_MAX ? ND_FOREVER : (uint64_t)s * NSEC_PER_SEC;
}

static void publish(struct dhcp6_client *c, const struct dhcp6_answer *a)
{
	struct net_names names = { .dns_count = a->dns_count };

	_Static_assert(
		sizeof(a->dns) <= sizeof(names.dns) && sizeof(a->search) <= sizeof(names.search),
		"all of them");
	memcpy(names.dns, a->dns, sizeof(a->dns));
	memcpy(names.search, a->search, sizeof(a->search));
	net_publish_names(c->dev, NAMES_DHCP6, &names);
}

/* NULL: there is none any more. */
static void set_lease(struct dhcp6_client *c, const struct dhcp6_answer *a)
{
	mutex_lock(&c->lock);
	if (a)
		c->lease = *a;
	c->bound = a != NULL;
	mutex_unlock(&c->lock);
}

/* All that came with the lease goes; what other cards have stays. */
static void unbind(struct dhcp6_client *c)
{
	set_lease(c, NULL);
	nd_remove_address(c->dev, c->lease.addr);
	net_publish_names(c->dev, NAMES_DHCP6, NULL);
}

static bool is_duplicate(const struct dhcp6_client *c, struct ip_addr addr)
{
	bool found = false;

	rcu_read_lock();
	const struct net_config *n = net_config();

	for (unsigned i = 0; i < n->addr_count; i++)
		found |= n->addr[i].dev == c->dev && ip_equal(n->addr[i].addr, addr) &&
			 (n->addr[i].flags & ADDR_DUPLICATE);
	rcu_read_unlock();
	return found;
}

static void apply(struct dhcp6_client *c, const struct dhcp6_answer *a)
{
	char text[IP_TEXT];
	bool fresh = !c->bound || !ip_equal(c->lease.addr, a->addr);

	if (c->bound && fresh)
		unbind(c);
	set_lease(c, a);
	c->bound_at = clock_now();
	if (nd_add_address(
		    c->dev, a->addr, 128, ND_DHCP, lifetime(a->valid), lifetime(a->preferred))) {
		set_lease(c, NULL);
		return;
	}
	publish(c, a);
	if (!fresh)
		return;
	ip_format(a->addr, text);
	log_info("%s: %s for %u s", c->dev->name, text, a->valid);
	thread_sleep(DAD_TIME, false, NULL);
	if (is_duplicate(c, a->addr)) {
		begin(c);
		client_send(c, DHCP6_DECLINE, a, a->addr);
		unbind(c);
	}
}

static bool has_address(const struct dhcp6_answer *a)
{
	return a->status == DHCP6_OK && a->has_ia && a->ia_status == DHCP6_OK &&
	       !ip_is_any(a->addr);
}

/* 18.2.1, 18.2.9: the best offer of the first wait, or the first one of a later wait. */
static void solicit(struct dhcp6_client *c, struct dhcp6_answer *best)
{
	uint64_t wait = NSEC_PER_SEC + net_random() % (NSEC_PER_SEC / 10);
	struct dhcp6_answer a;
	bool found = false;

	begin(c);
	for (bool first = true;; first = false) {
		uint64_t deadline = clock_now() + wait;

		client_send(c, DHCP6_SOLICIT, NULL, IP_ANY);
		while (!(found && (!first || best->preference == 255)) &&
			client_wait(c, DHCP6_ADVERTISE, deadline, &a)) {
			if (!has_address(&a) || (found && a.preference <= best->preference))
				continue;
			*best = a;
			found = true;
		}
		if (found)
			return;
		wait = next_wait(wait, 3600 * NSEC_PER_SEC);
	}
}

static bool request(struct dhcp6_client *c, const struct dhcp6_answer *offer)
{
	uint64_t wait = jitter(NSEC_PER_SEC);
	struct dhcp6_answer a;

	begin(c);
	for (int tries = 0; tries < 10; tries++) {
		client_send(c, DHCP6_REQUEST, offer, offer->addr);
		if (client_wait(c, DHCP6_REPLY, clock_now() + wait, &a)) {
			if (!has_address(&a))
				return false;
			apply(c, &a);
			return c->bound;
		}
		wait = next_wait(wait, 30 * NSEC_PER_SEC);
	}
	return false;
}

/* Asks for more time until 'end'. False: nobody answered, or *refused. */
static bool extend(struct dhcp6_client *c, uint8_t type, uint64_t end, bool *refused)
{
	uint64_t wait = jitter(10 * NSEC_PER_SEC);
	struct dhcp6_answer a;

	*refused = false;
	begin(c);
	while (clock_now() < end) {
		client_send(c, type, type == DHCP6_RENEW ? &c->lease : NULL, c->lease.addr);
		if (client_wait(c, DHCP6_REPLY, MIN(end, clock_now() + wait), &a)) {
			if (has_address(&a)) {
				apply(c, &a);
				return true;
			}
			if (a.ia_status == DHCP6_NO_BINDING || a.ia_status == DHCP6_NOT_ON_LINK ||
				a.ia_status == DHCP6_NO_ADDRESSES) {
				*refused = true;
				return false;
			}
		}
		wait = next_wait(wait, 600 * NSEC_PER_SEC);
	}
	return false;
}

static uint64_t after(const struct dhcp6_client *c, uint32_t s)
{
	return s == UINT32_MAX ? ND_FOREVER : c->bound_at + (uint64_t)s * NSEC_PER_SEC;
}

/* From no lease through one to its end. */
static void lease_life(struct dhcp6_client *c)
{
	struct dhcp6_answer offer;
	bool refused;

	solicit(c, &offer);
	if (!request(c, &offer)) { /* 14.1: not in a loop with a server that offers and refuses */
		thread_sleep(jitter(NSEC_PER_SEC), false, NULL);
		return;
	}
	while (c->bound) {
		uint64_t t1 = after(c, c->lease.t1), now = clock_now();

		if (t1 > now)
			thread_sleep(t1 - now, false, NULL);
		if (t1 == ND_FOREVER || extend(c, DHCP6_RENEW, after(c, c->lease.t2), &refused))
			continue;
		if (!refused && extend(c, DHCP6_REBIND, after(c, c->lease.valid), &refused))
			continue;
		log_warn("%s: the DHCPv6 lease is over", c->dev->name);
		unbind(c);
	}
}

/* 18.2.6: until there is an answer, or addresses are wanted as well. */
static void ask_information(struct dhcp6_client *c)
{
	uint64_t wait = jitter(NSEC_PER_SEC);
	struct dhcp6_answer a;

	begin(c);
	while (!load_acquire(&c->stateful)) {
		client_send(c, DHCP6_INFORMATION, NULL, IP_ANY);
		if (client_wait(c, DHCP6_REPLY, clock_now() + wait, &a)) {
			uint32_t refresh =
				a.refresh ? MAX(a.refresh, REFRESH_LEAST) : REFRESH_DEFAULT;

			publish(c, &a);
			(void)wait_event_timeout(&c->changed, load_acquire(&c->stateful),
				clock_now() + refresh * NSEC_PER_SEC);
			return;
		}
		wait = next_wait(wait, 3600 * NSEC_PER_SEC);
	}
}

static void client_thread(void *arg)
{
	struct dhcp6_client *c = arg;

	for (;;)
		if (load_acquire(&c->stateful))
			lease_life(c);
		else
			ask_information(c);
}

/* The one with the lowest number; one that comes later has a higher one. */
static const struct netdev *first_card(const struct netdev *dev)
{
	for (struct netdev *d = netdev_next(NULL); d; d = netdev_next(d))
		if (!(d->features & NETDEV_LOOPBACK) && d->index < dev->index)
			dev = d;
	return dev;
}

/* start_lock held. */
static int start(struct netdev *dev, bool stateful)
{
	struct dhcp6_client *c = heap_alloc_zeroed(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->next = clients;
	c->dev = dev;
	c->id = dhcp6_id(first_card(dev)->mac, dev->mac);
	c->stateful = stateful;
	mutex_init(&c->lock, "dhcp6_client.lock");
	wait_init(&c->changed);
	err = udp_client_create(AF_INET6, dev, DHCP6_CLIENT_PORT, &c->s);
	if (!err && !kthread_create("dhcp6", client_thread, c, THREAD_NORMAL))
		err = -ENOMEM;
	if (!err) {
		store_release(&clients, c);
		return 0;
	}
	if (c->s) {
		c->s->ops->close(c->s);
		socket_put(c->s);
	}
	heap_free(c);
	return err;
}

void dhcp6_start(struct netdev *dev, bool stateful)
{
	int err = 0;

	mutex_lock(&start_lock);
	struct dhcp6_client *c = clients;

	while (c && c->dev != dev)
		c = c->next;
	if (!c) {
		err = start(dev, stateful);
	} else if (stateful) { /* it asks for names: now for addresses too */
		store_release(&c->stateful, 1);
		wait_wake_all(&c->changed, 0);
	}
	mutex_unlock(&start_lock);
	if (err)
		log_err("%s: DHCPv6 cannot start: %d", dev->name, -err);
}

/* Gives the addresses back; the packets leave with the machine's last breath, or do not. */
void dhcp6_stop(void)
{
	struct dhcp6_answer lease;

	for (struct dhcp6_client *c = load_acquire(&clients); c; c = c->next) {
		mutex_lock(&c->lock);
		bool bound = c->bound;

		lease = c->lease;
		mutex_unlock(&c->lock);
		if (bound)
			send_request(c, &lease,
				(struct dhcp6_request){ .type = DHCP6_RELEASE,
					.xid = new_xid(),
					.addr = lease.addr });
	}
}
