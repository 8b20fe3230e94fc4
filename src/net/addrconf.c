/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What IPv6 knows of a link and when it ends: addresses (RFC 4862), routers and prefixes (RFC 4861
 * 6.3), redirects; name servers are in nd_names.c. One timer serves all of it.
 *
 *	address: (none) --nd_add_address--> TENTATIVE --a second without an answer--> PREFERRED
 *	TENTATIVE --somebody has it--> DUPLICATE (stays, unused)
 *	PREFERRED --preferred lifetime--> DEPRECATED --valid lifetime--> (none)
 *
 * An address made from a prefix has the card's EUI-64 in its lower half (RFC 4291, appendix A). RFC
 * 7217 would hide the card from trackers, but wants a secret that lives as long as the machine: we
 * have no place for one, so that each boot would have other addresses. A machine that never roams,
 * whose card's address its operator chose, is better off with one that can be known beforehand.
 */

#include "net/config.h"
#include "net/ip6.h"
#include "net/route.h"
#include "net/state.h"
#include "abi/errno.h"
#include "abi/net.h"
#include "abi/netlink.h"
#include "diag/log.h"
#include "lib/bug.h"
#include "mem/heap.h"
#include "sched/clock.h"

#define SOLICITATIONS	 3
#define SOLICIT_INTERVAL (4 * NSEC_PER_SEC)
#define REDIRECT_TIME	 (600 * NSEC_PER_SEC)
#define TWO_HOURS	 (7200 * NSEC_PER_SEC)
#define REACHABLE	 (30 * NSEC_PER_SEC)
#define ROUTE_METRIC	 1024u
#define LAST_CHOICE	 4096u /* more for a router that does not answer */
#define RTPROT_REDIRECT	 1
#define RTPROT_KERNEL	 2
#define RTPROT_RA	 9

static struct nd_state *the_nd(void)
{
	return the_net()->nd;
}

struct nd_link *nd_link_of(const struct netdev *dev)
{
	struct nd_link *l = dev ? load_acquire(&dev->stack) : NULL;

	return l && l->on ? l : NULL;
}

uint64_t nd_seconds(uint32_t s)
{
	return s == UINT32_MAX ? ND_FOREVER : clock_now() + (uint64_t)s * NSEC_PER_SEC;
}

/* ---- addresses ---- */

static struct nd_address *find(struct nd_link *l, struct ip_addr addr)
{
	for (unsigned i = 0; i < ND_ADDRESSES; i++)
		if (ip_equal(l->addr[i].addr, addr))
			return &l->addr[i];
	return NULL;
}

static void publish_flags(struct nd_link *l, const struct nd_address *a)
{
	netif_set_flags(&(struct net_addr){ .dev = l->dev,
		.addr = a->addr,
		.flags = (uint8_t)((a->dad_at || a->duplicate ? ADDR_TENTATIVE : 0) |
				   (a->duplicate ? ADDR_DUPLICATE : 0) |
				   (a->deprecated ? ADDR_DEPRECATED : 0) |
				   (a->valid_until == ND_FOREVER ? 0 : ADDR_DYNAMIC)),
		.preferred_until = a->preferred_until,
		.valid_until = a->valid_until });
}

static int add_address(struct nd_link *l, struct ip_addr addr, unsigned prefix,
	enum nd_origin origin, uint64_t valid_until, uint64_t preferred_until)
{
	struct nd_address *a = find(l, IP_ANY);
	uint64_t now = clock_now();
	int err;

	if (!a)
		return -ENOBUFS;
	err = netif_add(&(struct net_addr){ .dev = l->dev,
		.addr = addr,
		.prefix = (uint8_t)prefix,
		.flags = ADDR_TENTATIVE | (valid_until == ND_FOREVER ? 0 : ADDR_DYNAMIC) |
			 (origin == ND_SLAAC || origin == ND_DHCP ? ADDR_NO_ROUTE : 0),
		.preferred_until = preferred_until,
		.valid_until = valid_until });
	if (err)
		return err;
	*a = (struct nd_address){ .addr = addr,
		.prefix = (uint8_t)prefix,
		.origin = origin,
		.valid_until = valid_until,
		.preferred_until = preferred_until,
		.deprecated = preferred_until <= now,
		.dad_at = now,
		.dad_left = 1 };
	mld_join(l, nd_solicited_node(addr), true);
	nd_timer_arm(now);
	return 0;
}

static void remove_address(struct nd_link *l, struct nd_address *a)
{
	netif_remove(l->dev, a->addr);
	mld_join(l, nd_solicited_node(a->addr), false);
	*a = (struct nd_address){ 0 };
}

int nd_add_address(struct netdev *dev, struct ip_addr addr, unsigned prefix, enum nd_origin origin,
	uint64_t valid, uint64_t preferred)
{
	struct nd_link *l = nd_link_of(dev);
	uint64_t now = clock_now();
	int err = 0;

	if (!l)
		return -EADDRNOTAVAIL;
	valid = valid == ND_FOREVER ? valid : now + valid;
	preferred = preferred == ND_FOREVER ? preferred : now + preferred;
	mutex_lock(&the_nd()->lock);
	struct nd_address *a = find(l, addr);

	if (a) {
		a->valid_until = valid;
		a->preferred_until = preferred;
		a->deprecated = preferred <= now;
		publish_flags(l, a);
		nd_timer_arm(MIN(valid, preferred));
	} else {
		err = add_address(l, addr, prefix, origin, valid, preferred);
	}
	mutex_unlock(&the_nd()->lock);
	return err;
}

int nd_remove_address(struct netdev *dev, struct ip_addr addr)
{
	struct nd_link *l = nd_link_of(dev);

	if (!l)
		return -EADDRNOTAVAIL;
	mutex_lock(&the_nd()->lock);
	struct nd_address *a = find(l, addr);

	if (a)
		remove_address(l, a);
	mutex_unlock(&the_nd()->lock);
	return a ? 0 : -EADDRNOTAVAIL;
}

bool nd_duplicate(struct netdev *dev, struct ip_addr addr, bool conflict)
{
	struct nd_link *l = nd_link_of(dev);
	char text[IP_TEXT];

	if (!l || ip_is_any(addr))
		return false;
	mutex_lock(&the_nd()->lock);
	struct nd_address *a = find(l, addr);
	bool testing = a && (a->dad_at || a->duplicate);

	if (testing && conflict && !a->duplicate) {
		ip_format(addr, text);
		log_warn("%s: somebody else has %s", dev->name, text);
		a->duplicate = true;
		a->dad_at = 0;
		publish_flags(l, a);
		if (a->origin ==
			ND_LINK_LOCAL) /* the card's address is not its own: RFC 4862 5.4.5 */
			l->on = false;
	}
	mutex_unlock(&the_nd()->lock);
	return testing;
}

/* What is due for an address; when it is the next time. It may be gone afterwards. */
static uint64_t run_address(struct nd_link *l, struct nd_address *a, uint64_t now)
{
	if (a->dad_at && now >= a->dad_at) {
		if (a->dad_left) {
			nd_send_solicitation(l->dev, IP_ANY, a->addr, NULL);
			a->dad_left--;
			a->dad_at = now + l->retransmit;
		} else {
			a->dad_at = 0;
			publish_flags(l, a);
			if (a->origin != ND_LINK_LOCAL)
				net_ip6_ready();
		}
	}
	if (now >= a->valid_until) {
		remove_address(l, a);
		return ND_FOREVER;
	}
	if (!a->deprecated && now >= a->preferred_until) {
		a->deprecated = true;
		publish_flags(l, a);
	}
	uint64_t next = a->deprecated ? a->valid_until : MIN(a->valid_until, a->preferred_until);

	return a->dad_at ? MIN(next, a->dad_at) : next;
}

/* ---- prefixes (RFC 4862 5.5.3, RFC 4861 6.3.4) ---- */

static struct ip_addr eui64(const struct netdev *dev, struct ip_addr prefix)
{
	const uint8_t *m = dev->mac;
	uint8_t id[8] = { m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5] };

	memcpy(prefix.b + 8, id, 8);
	return prefix;
}

static void autoconf_prefix(struct nd_link *l, const struct nd_prefix *o)
{
	uint32_t valid = be32(o->valid), preferred = be32(o->preferred);
	struct ip_addr addr = eui64(l->dev, ip_from_bytes(o->prefix));
	struct nd_address *a = find(l, addr);

	if (preferred > valid || o->prefix_len != 64)
		return;
	if (!a) {
		if (valid)
			add_address(
				l, addr, 64, ND_SLAAC, nd_seconds(valid), nd_seconds(preferred));
		return;
	}
	if (a->origin != ND_SLAAC)
		return;
	uint64_t now = clock_now(), until = nd_seconds(valid),
		 left = a->valid_until == ND_FOREVER ? ND_FOREVER : a->valid_until - now;

	/* Nobody may take an address away within two hours by a forged advertisement. */
	if (until == ND_FOREVER || until - now > TWO_HOURS || until > a->valid_until)
		a->valid_until = until;
	else if (left > TWO_HOURS)
		a->valid_until = now + TWO_HOURS;
	bool was = a->deprecated;

	a->preferred_until = MIN(nd_seconds(preferred), a->valid_until);
	a->deprecated = a->preferred_until <= now;
	if (was != a->deprecated)
		publish_flags(l, a);
}

/* Adds or prolongs a route among the n of 'table'; until is now or before: it goes. */
static void keep_route(struct nd_route *table, unsigned n, const struct route *r, uint64_t until)
{
	struct nd_route *slot = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (table[i].until && table[i].route.prefix == r->prefix &&
			ip_equal(table[i].route.dst, r->dst)) {
			slot = &table[i];
			break;
		}
		if (!table[i].until && !slot)
			slot = &table[i];
	}
	if (!slot)
		return;
	if (until <= clock_now()) {
		if (slot->until)
			route_remove(&slot->route);
		slot->until = 0;
		return;
	}
	if (slot->until && !ip_equal(slot->route.gateway, r->gateway)) {
		route_remove(&slot->route);
		slot->until = 0;
	}
	if (!slot->until && route_insert(r))
		return;
	slot->route = *r;
	slot->until = until;
}

static void prefix_option(struct nd_link *l, const uint8_t *option)
{
	struct nd_prefix o;

	if (option[1] != sizeof(o) / 8)
		return;
	memcpy(&o, option, sizeof(o));
	struct ip_addr prefix = ip_from_bytes(o.prefix);

	if (o.prefix_len > 128 || ip_is_link_local(prefix) || ip_is_multicast(prefix) ||
		ip_is_v4(prefix) || (o.prefix_len < 8 && (o.flags & ND_PREFIX_ONLINK)))
		return;
	if (o.flags & ND_PREFIX_ONLINK)
		keep_route(l->onlink, ND_PREFIXES,
			&(struct route){ .dst = ip_prefix(prefix, o.prefix_len),
				.prefix = o.prefix_len,
				.dev = l->dev,
				.protocol = RTPROT_KERNEL,
				.metric = 256 },
			nd_seconds(be32(o.valid)));
	if (o.flags & ND_PREFIX_AUTO)
		autoconf_prefix(l, &o);
}

/* ---- routers ---- */

static struct route default_route(const struct nd_link *l, const struct nd_router *r)
{
	return (struct route){ .gateway = r->addr,
		.dev = l->dev,
		.protocol = RTPROT_RA,
		.metric = r->metric + (r->unreachable ? LAST_CHOICE : 0) };
}

static void drop_router(struct nd_link *l, struct nd_router *r)
{
	struct route route = default_route(l, r);

	route_remove(&route);
	*r = (struct nd_router){ 0 };
}

/* RFC 4191 2.2: the preference of a router, as a metric. */
static uint32_t preference(uint8_t flags)
{
	switch (flags >> 3 & 3) {
	case 1: return ROUTE_METRIC - 1;
	case 3: return ROUTE_METRIC + 1;
	default: return ROUTE_METRIC;
	}
}

static void keep_router(struct nd_link *l, struct ip_addr addr, uint32_t lifetime, uint32_t metric)
{
	struct nd_router *r = NULL, *spare = NULL;

	for (unsigned i = 0; i < ND_ROUTERS && !r; i++) {
		if (l->router[i].metric && ip_equal(l->router[i].addr, addr))
			r = &l->router[i];
		else if (!l->router[i].metric)
			spare = &l->router[i];
	}
	if (r && (!lifetime || r->metric != metric || r->unreachable)) {
		spare = r;
		drop_router(l, r);
		r = NULL;
	}
	if (!lifetime)
		return;
	if (!r && spare) {
		*spare = (struct nd_router){ .addr = addr, .metric = metric };
		struct route route = default_route(l, spare);

		if (route_insert(&route)) {
			spare->metric = 0;
			return;
		}
		r = spare;
	}
	if (r)
		r->until = clock_now() + lifetime * NSEC_PER_SEC;
}

static void drop_redirects(struct nd_link *l, struct ip_addr by_way_of)
{
	for (unsigned i = 0; i < ND_REDIRECTS; i++)
		if (l->redirect[i].until &&
			(ip_equal(l->redirect[i].route.gateway, by_way_of) ||
				ip_equal(l->redirect[i].route.dst, by_way_of))) {
			route_remove(&l->redirect[i].route);
			l->redirect[i].until = 0;
		}
}

/* Another router is asked first, if there is one (RFC 4861 6.3.6). */
void nd_unreachable(struct netdev *dev, struct ip_addr ip)
{
	struct nd_link *l = nd_link_of(dev);

	if (!l)
		return;
	mutex_lock(&the_nd()->lock);
	drop_redirects(l, ip);
	for (unsigned i = 0; i < ND_ROUTERS; i++) {
		struct nd_router *r = &l->router[i];

		if (!r->metric || r->unreachable || !ip_equal(r->addr, ip))
			continue;
		struct route route = default_route(l, r);

		route_remove(&route);
		r->unreachable = true;
		route = default_route(l, r);
		route_insert(&route);
	}
	mutex_unlock(&the_nd()->lock);
}

void nd_router_gone(struct netdev *dev, struct ip_addr ip)
{
	struct nd_link *l = nd_link_of(dev);

	if (!l)
		return;
	mutex_lock(&the_nd()->lock);
	keep_router(l, ip, 0, 0);
	drop_redirects(l, ip);
	mutex_unlock(&the_nd()->lock);
}

void nd_redirected(struct netdev *dev, struct ip_addr dst, struct ip_addr target, struct ip_addr by)
{
	struct nd_link *l = nd_link_of(dev);
	struct route_cache now;

	/* Only the router that we ask for this destination may send us elsewhere. */
	if (!l || !l->autoconf || route_lookup(dst, IP_ANY, dev->index, &now) ||
		!ip_equal(now.next_hop, by))
		return;
	mutex_lock(&the_nd()->lock);
	struct nd_route *slot = &l->redirect[l->next_redirect++ % ND_REDIRECTS];

	drop_redirects(l, dst);
	if (slot->until)
		route_remove(&slot->route);
	slot->until = 0;
	slot->route = (struct route){ .dst = dst,
		.prefix = 128,
		.gateway = ip_equal(target, dst) ? IP_ANY : target,
		.dev = dev,
		.protocol = RTPROT_REDIRECT,
		.metric = 1 };
	if (!route_insert(&slot->route)) {
		slot->until = clock_now() + REDIRECT_TIME;
		nd_timer_arm(slot->until);
	}
	mutex_unlock(&the_nd()->lock);
}

/* ---- router advertisements (RFC 4861 6.3.4) ---- */

static void take_parameters(struct nd_link *l, const struct nd_router_adv *ra)
{
	uint32_t reachable = be32(ra->reachable), retransmit = be32(ra->retransmit);

	if (ra->hop_limit)
		store_relaxed(&l->hops, ra->hop_limit);
	if (reachable && reachable <= 3600000)
		store_relaxed(&l->reachable,
			reachable * NSEC_PER_MSEC / 2 + net_random() % (reachable * NSEC_PER_MSEC));
	if (retransmit >= 100 && retransmit <= 60000)
		l->retransmit = retransmit * NSEC_PER_MSEC;
}

static bool take_option(struct nd_link *l, const uint8_t *o)
{
	switch (o[0]) {
	case ND_OPT_PREFIX: prefix_option(l, o); return false;
	case ND_OPT_MTU:
		if (o[1] == 1 && get_be32(o + 4) >= IP6_MIN_MTU &&
			get_be32(o + 4) <= load_relaxed(&l->dev->mtu) &&
			load_relaxed(&l->mtu) != get_be32(o + 4)) {
			store_relaxed(&l->mtu, get_be32(o + 4));
			atomic_add(&the_net()->config_generation, 1); /* routes are asked anew */
		}
		return false;
	case ND_OPT_RDNSS: return o[1] >= 3 && nd_servers_option(l, o);
	case ND_OPT_DNSSL: return o[1] >= 2 && nd_search_option(l, o);
	default: return false;
	}
}

void nd_router_advertisement(struct netdev *dev, struct ip_addr router, uint8_t hop_limit,
	const struct nd_router_adv *ra, const uint8_t *options, size_t len)
{
	struct nd_link *l = nd_link_of(dev);
	const uint8_t *o;
	bool names = false;

	if (!l || !l->autoconf)
		return;
	mutex_lock(&the_nd()->lock);
	take_parameters(l, ra);
	keep_router(l, router, be16(ra->lifetime), preference(ra->flags));
	while (nd_option(&options, &len, &o))
		names |= take_option(l, o);
	if (ra->lifetime)
		l->solicit_at = 0;
	bool managed = (ra->flags & RA_MANAGED) && !l->managed,
	     other = (ra->flags & RA_OTHER) && !l->other && !l->managed;

	l->managed |= managed;
	l->other |= other;
	nd_timer_arm(clock_now()); /* it looks what is next */
	mutex_unlock(&the_nd()->lock);
	if (names)
		nd_publish_servers(l);
	if (managed || other)
		dhcp6_start(dev, managed);
}

/* ---- time ---- */

void nd_timer_arm(uint64_t when)
{
	struct nd_state *nd = the_nd();

	if (when == ND_FOREVER || (nd->timer_at && nd->timer_at <= when))
		return;
	nd->timer_at = when;
	timer_arm(&nd->timer, when);
}

static uint64_t run_routes(struct nd_route *table, unsigned n, uint64_t now)
{
	uint64_t next = ND_FOREVER;

	for (unsigned i = 0; i < n; i++) {
		if (!table[i].until)
			continue;
		if (now >= table[i].until) {
			route_remove(&table[i].route);
			table[i].until = 0;
		} else {
			next = MIN(next, table[i].until);
		}
	}
	return next;
}

static uint64_t run_solicitation(struct nd_link *l, uint64_t now)
{
	if (!l->solicit_at)
		return ND_FOREVER;
	if (now < l->solicit_at)
		return l->solicit_at;
	struct ip_addr src = ip6_source(l->dev, (struct ip_addr){ .b = { 0xff, 2, [15] = 2 } });

	nd_send_router_solicitation(l->dev, src);
	l->solicit_at = --l->solicit_left ? now + SOLICIT_INTERVAL : 0;
	return l->solicit_at ? l->solicit_at : ND_FOREVER;
}

/* All that is due on a link; when there is something to do again. */
static uint64_t run_link(struct nd_link *l, uint64_t now, bool *names)
{
	uint64_t next = run_solicitation(l, now), at;

	for (unsigned i = 0; i < ND_ADDRESSES; i++)
		if (!ip_is_any(l->addr[i].addr)) {
			at = run_address(l, &l->addr[i], now);
			next = MIN(next, at);
		}
	for (unsigned i = 0; i < ND_ROUTERS; i++) {
		if (l->router[i].metric && now >= l->router[i].until)
			drop_router(l, &l->router[i]);
		else if (l->router[i].metric)
			next = MIN(next, l->router[i].until);
	}
	at = run_routes(l->onlink, ND_PREFIXES, now);
	next = MIN(next, at);
	at = run_routes(l->redirect, ND_REDIRECTS, now);
	next = MIN(next, at);
	at = mld_run(l, now);
	if (at)
		next = MIN(next, at);
	*names = nd_run_servers(l, now, &next);
	return next;
}

static void timer_fired(struct timer *t)
{
	struct nd_state *nd = the_nd();
	bool names[ND_LINKS] = { false };

	mutex_lock(&nd->lock);
	nd->timer_at = 0;
	for (unsigned i = 0; i < ND_LINKS; i++)
		if (nd->link[i].dev && nd->link[i].on)
			nd_timer_arm(run_link(&nd->link[i], clock_now(), &names[i]));
	mutex_unlock(&nd->lock);
	for (unsigned i = 0; i < ND_LINKS; i++)
		if (names[i])
			nd_publish_servers(&nd->link[i]);
}

uint64_t nd_reachable_time(const struct netdev *dev)
{
	const struct nd_link *l = dev->stack;

	return l ? load_relaxed(&l->reachable) : REACHABLE;
}

void nd_lifetimes(const struct net_addr *addr, uint32_t *preferred, uint32_t *valid)
{
	struct nd_link *l = nd_link_of(addr->dev);
	uint64_t now = clock_now();

	*preferred = *valid = UINT32_MAX;
	if (!l)
		return;
	mutex_lock(&the_nd()->lock);
	struct nd_address *a = find(l, addr->addr);

	if (a && a->valid_until != ND_FOREVER)
		*valid = (uint32_t)((MAX(a->valid_until, now) - now) / NSEC_PER_SEC);
	if (a && a->preferred_until != ND_FOREVER)
		*preferred = (uint32_t)((MAX(a->preferred_until, now) - now) / NSEC_PER_SEC);
	mutex_unlock(&the_nd()->lock);
}

/* ---- start ---- */

void nd_start(struct netdev *dev, bool autoconf)
{
	static const struct ip_addr link_local = { .b = { 0xfe, 0x80 } };
	struct nd_state *nd = the_nd();
	struct nd_link *l = NULL;

	mutex_lock(&nd->lock);
	for (unsigned i = 0; i < ND_LINKS && !l; i++)
		if (!nd->link[i].dev)
			l = &nd->link[i];
	if (l) {
		*l = (struct nd_link){ .dev = dev,
			.on = true,
			.autoconf = autoconf,
			.reachable = REACHABLE / 2 + net_random() % REACHABLE,
			.retransmit = NSEC_PER_SEC };
		store_release(&dev->stack, l);
		/* The random wait of RFC 4862 5.4.2 is left out: a machine that boots has its
		 * program waiting, and its boot is no event that others share. */
		add_address(l, eui64(dev, link_local), 64, ND_LINK_LOCAL, ND_FOREVER, ND_FOREVER);
		if (autoconf) {
			l->solicit_at = clock_now();
			l->solicit_left = SOLICITATIONS;
		}
		nd_timer_arm(clock_now());
	}
	mutex_unlock(&nd->lock);
}

void nd_init(void)
{
	struct nd_state *nd = heap_alloc_zeroed(sizeof(*nd));

	BUG_ON(!nd);
	the_net()->nd = nd;
	mutex_init(&nd->lock, "nd_state.lock");
	timer_init(&nd->timer, timer_fired, NULL);
}
