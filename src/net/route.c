/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and routes: a table that is replaced as a whole (struct net_config), routes by longest
 * prefix, source addresses (RFC 6724, section 5).
 */

#include "net/ip6.h"
#include "net/netif.h"
#include "net/path_mtu.h"
#include "net/route.h"
#include "net/state.h"
#include "abi/errno.h"
#include "mem/heap.h"

const struct net_addr *net_addr_of(const struct net_config *c, const struct netdev *dev)
{
	for (unsigned i = 0; i < c->addr4_count; i++)
		if (c->addr[i].dev == dev)
			return &c->addr[i];
	return NULL;
}

uint32_t net_addr4(const struct netdev *dev)
{
	rcu_read_lock();
	const struct net_addr *a = net_addr_of(net_config(), dev);
	uint32_t addr = a ? ip_v4(a->addr) : 0;

	rcu_read_unlock();
	return addr;
}

struct net_config *net_config_copy(void)
{
	struct net_config *c = heap_alloc(sizeof(*c));

	if (!c)
		return NULL;
	rcu_read_lock();
	memcpy(c, net_config(), sizeof(*c));
	rcu_read_unlock();
	return c;
}

/* ---- changes ---- */

/* config_lock held. */
static struct net_config *config_edit(void)
{
	struct net_config *c = heap_alloc(sizeof(*c));

	if (c)
		memcpy(c, the_net()->config, sizeof(*c));
	return c;
}

static void free_config(struct rcu_node *r)
{
	heap_free(container_of(r, struct net_config, rcu));
}

/* The lock passes: given up before the old table is, which may sleep. err: nothing changes. */
static int config_finish(struct net_config *c, int err)
{
	struct net_state *n = the_net();
	struct net_config *old = (struct net_config *)n->config;

	if (!c)
		err = -ENOMEM;
	if (!err) {
		rcu_store(&n->config, c);
		atomic_add(&n->config_generation, 1);
		rtnl_changed(old, c);
	}
	mutex_unlock(&n->config_lock);
	if (!err)
		rcu_call(&old->rcu, free_config);
	else
		heap_free(c);
	return err;
}

static uint32_t prefix_mask(unsigned prefix)
{
	return prefix ? be32(~0u << (32 - prefix)) : 0;
}

static unsigned prefix_bits(const struct route *r)
{
	return r->prefix + (r->v4 ? 96u : 0u);
}

static int config_add_route(struct net_config *c, const struct route *r)
{
	unsigned at = 0;

	if (c->route_count == ARRAY_SIZE(c->route))
		return -ENOBUFS;
	/* longest prefix first, then lowest metric */
	while (at < c->route_count && (prefix_bits(&c->route[at]) > prefix_bits(r) ||
					      (prefix_bits(&c->route[at]) == prefix_bits(r) &&
						      c->route[at].metric <= r->metric)))
		at++;
	for (unsigned i = c->route_count; i > at; i--)
		c->route[i] = c->route[i - 1];
	c->route[at] = *r;
	c->route_count++;
	return 0;
}

static void config_add_addr(struct net_config *c, const struct net_addr *a)
{
	unsigned at = ip_is_v4(a->addr) ? c->addr4_count++ : c->addr_count;

	for (unsigned i = c->addr_count; i > at; i--)
		c->addr[i] = c->addr[i - 1];
	c->addr[at] = *a;
	c->addr_count++;
}

static struct net_addr *config_find(struct net_config *c, struct netdev *dev, struct ip_addr addr)
{
	for (unsigned i = 0; c && i < c->addr_count; i++)
		if (c->addr[i].dev == dev && ip_equal(c->addr[i].addr, addr))
			return &c->addr[i];
	return NULL;
}

static void config_remove_addr(struct net_config *c, unsigned k)
{
	if (k < c->addr4_count)
		c->addr4_count--;
	c->addr_count--;
	for (; k < c->addr_count; k++)
		c->addr[k] = c->addr[k + 1];
}

int netif_add(const struct net_addr *given)
{
	struct net_addr a = *given;
	bool v4 = ip_is_v4(a.addr);

	if (v4) {
		a.mask = prefix_mask(a.prefix);
		if (!a.broadcast)
			a.broadcast = a.prefix < 31 ? ip_v4(a.addr) | ~a.mask : INADDR_BROADCAST;
	}
	struct route connected = { .dst = ip_prefix(a.addr, a.prefix + (v4 ? 96u : 0u)),
		.src = v4 ? a.addr : IP_ANY,
		.dev = a.dev,
		.prefix = a.prefix,
		.v4 = v4,
		.protocol = 2 /* RTPROT_KERNEL */,
		.scope = v4 ? 253 : 0,
		.metric = v4 ? 0 : 256 };

	mutex_lock(&the_net()->config_lock);
	struct net_config *c = config_edit();
	int err = 0;

	if (config_find(c, a.dev, a.addr))
		err = -EEXIST;
	else if (c && c->addr_count == ARRAY_SIZE(c->addr))
		err = -ENOBUFS;
	else if (c && a.prefix < (v4 ? 32 : 128) && !(a.flags & ADDR_NO_ROUTE))
		err = config_add_route(c, &connected);
	if (c && !err)
		config_add_addr(c, &a);
	return config_finish(c, err);
}

int netif_add_address(struct netdev *dev, uint32_t addr, unsigned prefix)
{
	return netif_add(
		&(struct net_addr){ .dev = dev, .addr = ip_map(addr), .prefix = (uint8_t)prefix });
}

int netif_set_flags(const struct net_addr *of)
{
	mutex_lock(&the_net()->config_lock);
	struct net_config *c = config_edit();
	struct net_addr *a = config_find(c, of->dev, of->addr);

	if (a) {
		a->flags = of->flags | (a->flags & ADDR_NO_ROUTE);
		a->preferred_until = of->preferred_until;
		a->valid_until = of->valid_until;
	}
	return config_finish(c, a ? 0 : -EADDRNOTAVAIL);
}

int netif_remove(struct netdev *dev, struct ip_addr addr)
{
	mutex_lock(&the_net()->config_lock);
	struct net_config *c = config_edit();
	struct net_addr *a = config_find(c, dev, addr);

	if (a)
		config_remove_addr(c, (unsigned)(a - c->addr));
	return config_finish(c, a ? 0 : -EADDRNOTAVAIL);
}

int netif_remove_addresses(struct netdev *dev)
{
	unsigned k = 0;

	mutex_lock(&the_net()->config_lock);
	struct net_config *c = config_edit();

	for (unsigned i = c ? c->addr4_count : 0; i--;)
		if (c->addr[i].dev == dev)
			config_remove_addr(c, i);
	for (unsigned i = 0; c && i < c->route_count; i++)
		if (c->route[i].dev != dev || !c->route[i].v4)
			c->route[k++] = c->route[i];
	if (c)
		c->route_count = k;
	return config_finish(c, 0);
}

static bool same_route(const struct route *a, const struct route *b)
{
	return a->dev == b->dev && a->v4 == b->v4 && a->prefix == b->prefix &&
	       ip_equal(a->dst, b->dst) && ip_equal(a->gateway, b->gateway);
}

int route_insert(const struct route *r)
{
	mutex_lock(&the_net()->config_lock);
	struct net_config *c = config_edit();
	struct route new = *r;

	new.dst = ip_prefix(r->dst, prefix_bits(r));
	if (c && r->v4 && ip_is_any(r->src)) {
		const struct net_addr *a = net_addr_of(c, r->dev);

		new.src = a ? a->addr : IP_ANY;
	}
	return config_finish(c, c ? config_add_route(c, &new) : -ENOMEM);
}

int route_remove(const struct route *r)
{
	unsigned k = 0;
	int err = -ESRCH;

	mutex_lock(&the_net()->config_lock);
	struct net_config *c = config_edit();

	for (unsigned i = 0; c && i < c->route_count; i++) {
		if (err && same_route(&c->route[i], r))
			err = 0;
		else
			c->route[k++] = c->route[i];
	}
	if (c)
		c->route_count = k;
	return config_finish(c, err);
}

int route_add(uint32_t dst, unsigned prefix, uint32_t gateway, struct netdev *dev, uint32_t metric,
	uint8_t protocol)
{
	return route_insert(&(struct route){ .dst = ip_map(dst),
		.gateway = ip_map_any(gateway),
		.dev = dev,
		.prefix = (uint8_t)prefix,
		.v4 = true,
		.protocol = protocol,
		.scope = gateway ? 0 : 253,
		.metric = metric });
}

/* ---- what an address is to us ---- */

bool ip4_is_ours(uint32_t addr)
{
	bool ours = false;

	rcu_read_lock();
	const struct net_config *c = net_config();

	for (unsigned i = 0; i < c->addr4_count && !ours; i++)
		ours = ip_v4(c->addr[i].addr) == addr;
	rcu_read_unlock();
	return ours || ip4_is_loopback(addr);
}

bool ip4_from_other_to_us(uint32_t src, uint32_t dst)
{
	bool ours = false, other = true;

	if (ip4_is_loopback(src) || ip4_is_multicast(src) || src == INADDR_BROADCAST)
		return false;
	rcu_read_lock();
	const struct net_config *c = net_config();

	for (unsigned i = 0; i < c->addr4_count; i++) {
		uint32_t own = ip_v4(c->addr[i].addr);

		ours |= own == dst;
		other &= own != src;
	}
	rcu_read_unlock();
	return ours && other && dst && !ip4_is_loopback(dst);
}

enum ip_local_kind ip4_local_kind(uint32_t addr)
{
	enum ip_local_kind kind = IP_NOT_LOCAL;

	if (ip4_is_ours(addr)) /* nearly always */
		return IP_LOCAL;
	if (addr == INADDR_BROADCAST)
		return IP_LOCAL_BROADCAST;
	if (ip4_is_multicast(addr))
		return IP_LOCAL_MULTICAST;
	rcu_read_lock();
	const struct net_config *c = net_config();

	for (unsigned i = 0; i < c->addr4_count && kind == IP_NOT_LOCAL; i++) {
		const struct net_addr *a = &c->addr[i];

		if (a->broadcast == addr || (a->prefix < 31 && addr == (ip_v4(a->addr) & a->mask)))
			kind = IP_LOCAL_BROADCAST;
	}
	rcu_read_unlock();
	return kind;
}

enum ip_local_kind ip_local_kind(struct ip_addr addr)
{
	enum ip_local_kind kind = IP_NOT_LOCAL;

	if (ip_is_v4(addr))
		return ip4_local_kind(ip_v4(addr));
	if (ip_is_multicast(addr))
		return IP_LOCAL_MULTICAST;
	rcu_read_lock();
	const struct net_config *c = net_config();

	for (unsigned i = c->addr4_count; i < c->addr_count && kind == IP_NOT_LOCAL; i++)
		if (ip_equal(c->addr[i].addr, addr) &&
			!(c->addr[i].flags & (ADDR_TENTATIVE | ADDR_DUPLICATE)))
			kind = IP_LOCAL;
	rcu_read_unlock();
	return kind;
}

/* ---- source addresses of IPv6 (RFC 6724) ---- */

/* The table of section 2.1, longest prefix first, with Linux's labels. */
static const struct {
	uint8_t prefix[16], bits, label;
} policy[] = {
	{ { [15] = 1 }, 128, 0 },
	{ { [10] = 0xff, 0xff }, 96, 4 },
	{ { 0 }, 96, 3 },
	{ { 0x20, 0x01 }, 32, 6 },
	{ { 0x20, 0x01, 0, 0x10 }, 28, 7 },
	{ { 0x20, 0x02 }, 16, 2 },
	{ { 0xfe, 0xc0 }, 10, 11 },
	{ { 0xfc }, 7, 5 },
	{ { 0 }, 0, 1 },
};

static unsigned label_of(struct ip_addr a)
{
	unsigned i = 0;

	while (!ip_prefix_equal(a, ip_from_bytes(policy[i].prefix), policy[i].bits))
		i++;
	return policy[i].label;
}

/* RFC 6724 3.1; of unicast addresses as large as the smallest multicast scope that is like them. */
static unsigned scope_of(struct ip_addr a)
{
	if (a.b[0] == 0xff)
		return a.b[1] & 15;
	if (ip_is_link_local(a) || ip_equal(a, IP6_ONE))
		return 2;
	return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0xc0 ? 5 : 14;
}

static unsigned common_prefix(struct ip_addr a, struct ip_addr b, unsigned max)
{
	unsigned n = 0;

	while (n < max && !((a.b[n / 8] ^ b.b[n / 8]) & (0x80 >> (n % 8))))
		n++;
	return n;
}

/* Section 5: whether a is a better source for dst than b. */
static bool better_source(const struct net_addr *a, const struct net_addr *b, struct ip_addr dst)
{
	unsigned sa = scope_of(a->addr), sb = scope_of(b->addr), sd = scope_of(dst);
	bool da = a->flags & ADDR_DEPRECATED, db = b->flags & ADDR_DEPRECATED;

	if (ip_equal(a->addr, dst) || ip_equal(b->addr, dst)) /* rule 1 */
		return ip_equal(a->addr, dst);
	if (sa != sb) /* rule 2 */
		return sa < sb ? sa >= sd : sb < sd;
	if (da != db) /* rule 3 */
		return db;
	bool la = label_of(a->addr) == label_of(dst), lb = label_of(b->addr) == label_of(dst);

	if (la != lb) /* rule 6; 5 holds: they are of one interface; 4 and 7 do not apply */
		return la;
	return common_prefix(a->addr, dst, a->prefix) > common_prefix(b->addr, dst, b->prefix);
}

/* In a read section. The best address of dev, or any. */
static struct ip_addr select_source(
	const struct net_config *c, const struct netdev *dev, struct ip_addr dst)
{
	const struct net_addr *best = NULL;

	for (unsigned i = c->addr4_count; i < c->addr_count; i++) {
		const struct net_addr *a = &c->addr[i];

		if (a->dev == dev && !(a->flags & (ADDR_TENTATIVE | ADDR_DUPLICATE)) &&
			(!best || better_source(a, best, dst)))
			best = a;
	}
	return best ? best->addr : IP_ANY;
}

struct ip_addr ip6_source(const struct netdev *dev, struct ip_addr dst)
{
	rcu_read_lock();
	struct ip_addr a = select_source(net_config(), dev, dst);

	rcu_read_unlock();
	return a;
}

/* ---- routes ---- */

static struct netdev *default_device(const struct net_config *c, bool v4, int bound_if)
{
	if (bound_if)
		return netdev_by_index(bound_if);
	for (unsigned i = 0; i < c->route_count; i++)
		if (c->route[i].prefix == 0 && c->route[i].v4 == v4)
			return c->route[i].dev;
	for (struct netdev *d = netdev_first(); d; d = d->next)
		if (!(d->features & NETDEV_LOOPBACK))
			return d;
	return v4 ? NULL : &the_net()->lo;
}

static const struct route *find_route(const struct net_config *c, struct ip_addr dst, int bound_if)
{
	bool v4 = ip_is_v4(dst);

	for (unsigned i = 0; i < c->route_count; i++) {
		const struct route *r = &c->route[i];

		if (r->v4 == v4 && ip_prefix_equal(dst, r->dst, prefix_bits(r)) &&
			(!bound_if || r->dev->index == bound_if))
			return r;
	}
	return NULL;
}

static int lookup(const struct net_config *c, struct ip_addr dst, int bound_if,
	enum ip_local_kind kind, struct route_cache *out)
{
	bool v4 = ip_is_v4(dst), all = v4 && ip_v4(dst) == INADDR_BROADCAST;
	const struct net_addr *a;

	if (kind == IP_LOCAL_MULTICAST || all) {
		out->dev = default_device(c, v4, bound_if);
		if (!out->dev)
			return -ENETUNREACH;
		out->broadcast = all;
	} else {
		const struct route *r = find_route(c, dst, bound_if);

		if (!r)
			return -ENETUNREACH;
		out->dev = r->dev;
		out->src = r->src;
		if (!ip_is_any(r->gateway))
			out->next_hop = r->gateway;
		out->broadcast = kind == IP_LOCAL_BROADCAST;
	}
	if (!ip_is_any(out->src))
		return 0;
	if (v4) {
		a = net_addr_of(c, out->dev);
		out->src = a ? a->addr : ip_map(0);
	} else {
		out->src = select_source(c, out->dev, dst);
	}
	return 0;
}

int route_lookup(struct ip_addr dst, struct ip_addr src, int bound_if, struct route_cache *out)
{
	uint32_t generation = load_acquire(&the_net()->config_generation);
	enum ip_local_kind kind = ip_local_kind(dst);

	out->generation = generation;
	out->dst = out->next_hop = dst;
	out->broadcast = false;
	out->local = kind == IP_LOCAL;
	out->hops = 64;
	out->path_until = 0;
	out->may_fragment = false;
	if (kind == IP_LOCAL) {
		out->dev = &the_net()->lo;
		if (!ip_is_any(src))
			out->src = src;
		else if (ip_is_v4(dst) && ip4_is_loopback(ip_v4(dst)))
			out->src = ip_map(IP4(127, 0, 0, 1));
		else
			out->src = dst;
		out->mtu = out->link_mtu = load_relaxed(&out->dev->mtu);
		return 0;
	}
	out->src = IP_ANY;
	rcu_read_lock();
	int err = lookup(net_config(), dst, bound_if, kind, out);

	rcu_read_unlock();
	if (err)
		return err;
	if (!ip_is_any(src))
		out->src = src;
	else if (ip_is_any(out->src))
		return -EADDRNOTAVAIL;
	out->mtu = load_relaxed(&out->dev->mtu);
	if (!ip_is_v4(dst)) {
		const struct nd_link *l = out->dev->stack;

		if (l && load_relaxed(&l->mtu))
			out->mtu = MIN(out->mtu, load_relaxed(&l->mtu));
		if (l && load_relaxed(&l->hops))
			out->hops = l->hops;
	}
	out->link_mtu = out->mtu;
	path_mtu_apply(out);
	return 0;
}
