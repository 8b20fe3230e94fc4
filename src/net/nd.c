/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbour discovery's messages (RFC 4861): checks of what comes, and building. What they mean for
 * neighbours is in neigh.c, for addresses and routers in addrconf.c.
 */

#include "net/ip6.h"
#include "net/neigh.h"
#include "net/packet.h"
#include "net/route.h"
#include "net/rx.h"
#include "abi/net.h"
#include "diag/counter.h"

COUNTER(nd_rx_malformed);
COUNTER(nd_solicitations);

static const struct ip_addr all_nodes = { .b = { 0xff, 2, [15] = 1 } },
			    all_routers = { .b = { 0xff, 2, [15] = 2 } };

/* ---- what we send ---- */

static struct packet *message(uint8_t type, size_t size)
{
	struct packet *p = packet_alloc(TX_HEADROOM, size + 8);

	if (p) {
		memset(packet_put(p, size), 0, size);
		p->data[0] = type;
	}
	return p;
}

static void put_mac(struct packet *p, uint8_t option, const struct netdev *dev)
{
	uint8_t *o = packet_put(p, 8);

	o[0] = option;
	o[1] = 1;
	memcpy(o + 2, dev->mac, 6);
}

void nd_send_solicitation(
	struct netdev *dev, struct ip_addr src, struct ip_addr target, const uint8_t *mac)
{
	struct packet *p = message(ICMP6_NEIGH_SOL, sizeof(struct nd_neighbour));

	if (!p)
		return;
	counter_inc(nd_solicitations);
	memcpy(((struct nd_neighbour *)p->data)->target, target.b, 16);
	if (!ip_is_any(src))
		put_mac(p, ND_OPT_SOURCE, dev);
	icmp6_send_on_link(dev, p, src, mac ? target : nd_solicited_node(target), mac, 255, false);
}

void nd_solicit(struct netdev *dev, struct ip_addr target, const uint8_t *mac)
{
	struct ip_addr src = ip6_source(dev, target);

	if (!ip_is_any(src)) /* from "any" it would look like a test for duplicates */
		nd_send_solicitation(dev, src, target, mac);
}

void nd_send_advertisement(struct netdev *dev, struct ip_addr src, struct ip_addr dst,
	const uint8_t *mac, struct ip_addr target, uint32_t flags)
{
	struct packet *p = message(ICMP6_NEIGH_ADV, sizeof(struct nd_neighbour));
	struct nd_neighbour *n;

	if (!p)
		return;
	n = (struct nd_neighbour *)p->data;
	n->flags = be32(flags);
	memcpy(n->target, target.b, 16);
	put_mac(p, ND_OPT_TARGET, dev);
	icmp6_send_on_link(dev, p, src, dst, mac, 255, false);
}

void nd_send_router_solicitation(struct netdev *dev, struct ip_addr src)
{
	struct packet *p = message(ICMP6_ROUTER_SOL, 8);

	if (!p)
		return;
	if (!ip_is_any(src))
		put_mac(p, ND_OPT_SOURCE, dev);
	icmp6_send_on_link(dev, p, src, all_routers, NULL, 255, false);
}

/* ---- what comes ---- */

bool nd_option(const uint8_t **o, size_t *len, const uint8_t **out)
{
	if (*len < 2 || !(*o)[1] || (*o)[1] * 8u > *len)
		return false;
	*out = *o;
	*len -= (*o)[1] * 8u;
	*o += (*o)[1] * 8u;
	return true;
}

/* The hardware address that an option carries, or NULL. All options must be well formed. */
static bool find_mac(const uint8_t *o, size_t len, uint8_t kind, const uint8_t **mac)
{
	const uint8_t *option;

	*mac = NULL;
	while (nd_option(&o, &len, &option))
		if (option[0] == kind && option[1] == 1 && !(option[2] & 1))
			*mac = option + 2;
	return len == 0;
}

/* RFC 4861 7.1.1, 7.2.3, 7.2.4; RFC 4862 5.4.3 */
static bool solicited(struct netdev *dev, const struct pkt_cb *cb, const struct nd_neighbour *n,
	const uint8_t *mac)
{
	struct ip_addr target = ip_from_bytes(n->target), src = cb->src;
	bool test = ip_is_any(src);

	if (ip_is_multicast(target) ||
		(test && (mac || !ip_equal(cb->dst, nd_solicited_node(target)))))
		return false;
	if (nd_duplicate(dev, target, test))
		return true;
	if (ip_local_kind(target) != IP_LOCAL || ip_is_loopback(target))
		return true;
	if (test) {
		nd_send_advertisement(dev, target, all_nodes, NULL, target, NA_OVERRIDE);
		return true;
	}
	if (mac)
		neigh_update(dev, src, mac, NEIGH_CREATE | NEIGH_OVERRIDE);
	nd_send_advertisement(dev, target, src, mac, target, NA_SOLICITED | NA_OVERRIDE);
	return true;
}

/* 7.1.2, 7.2.5 */
static bool advertised(struct netdev *dev, const struct pkt_cb *cb, const struct nd_neighbour *n,
	const uint8_t *mac)
{
	struct ip_addr target = ip_from_bytes(n->target);
	uint32_t flags = be32(n->flags);

	if (ip_is_multicast(target) || ((flags & NA_SOLICITED) && ip_is_multicast(cb->dst)))
		return false;
	if (nd_duplicate(dev, target, true))
		return true;
	neigh_update(dev, target, mac,
		(flags & NA_SOLICITED ? NEIGH_SOLICITED : 0) |
			(flags & NA_OVERRIDE ? NEIGH_OVERRIDE : 0) |
			(flags & NA_ROUTER ? NEIGH_ROUTER : NEIGH_HOST));
	return true;
}

/* 8.1, 8.3 */
static bool redirected(struct netdev *dev, const struct pkt_cb *cb, const struct nd_redirect *r,
	const uint8_t *mac)
{
	struct ip_addr target = ip_from_bytes(r->target), dst = ip_from_bytes(r->dst);

	if (!ip_is_link_local(cb->src) || ip_is_multicast(dst) || ip_is_any(dst) || ip_is_v4(dst) ||
		(!ip_is_link_local(target) && !ip_equal(target, dst)))
		return false;
	nd_redirected(dev, dst, target, cb->src);
	if (mac)
		neigh_update(dev, target, mac,
			NEIGH_CREATE | NEIGH_OVERRIDE | (ip_equal(target, dst) ? 0 : NEIGH_ROUTER));
	return true;
}

/* 6.1.2 */
static bool router_advertised(
	struct netdev *dev, const struct pkt_cb *cb, const struct packet *p, const uint8_t *mac)
{
	const struct nd_router_adv *ra = (const struct nd_router_adv *)p->data;

	if (!ip_is_link_local(cb->src))
		return false;
	if (mac)
		neigh_update(dev, cb->src, mac, NEIGH_CREATE | NEIGH_OVERRIDE | NEIGH_ROUTER);
	nd_router_advertisement(
		dev, cb->src, ra->hop_limit, ra, p->data + sizeof(*ra), p->len - sizeof(*ra));
	return true;
}

static bool take(struct rx *rx, struct packet *p)
{
	const struct pkt_cb *cb = pkt_cb(p);
	static const uint8_t size[] = {
		[ICMP6_ROUTER_ADV - ICMP6_ROUTER_ADV] = sizeof(struct nd_router_adv),
		[ICMP6_NEIGH_SOL - ICMP6_ROUTER_ADV] = sizeof(struct nd_neighbour),
		[ICMP6_NEIGH_ADV - ICMP6_ROUTER_ADV] = sizeof(struct nd_neighbour),
		[ICMP6_REDIRECT - ICMP6_ROUTER_ADV] = sizeof(struct nd_redirect),
	};
	size_t n = size[p->data[0] - ICMP6_ROUTER_ADV];
	uint8_t kind = p->data[0] == ICMP6_NEIGH_SOL || p->data[0] == ICMP6_ROUTER_ADV
			       ? ND_OPT_SOURCE
			       : ND_OPT_TARGET;
	const uint8_t *mac;

	if (cb->ttl != 255 || p->data[1] != 0 || (cb->flags & PKT_LOOPBACK) || p->len < n ||
		!find_mac(p->data + n, p->len - n, kind, &mac))
		return false;
	switch (p->data[0]) {
	case ICMP6_ROUTER_ADV: return router_advertised(rx->dev, cb, p, mac);
	case ICMP6_NEIGH_SOL:
		return solicited(rx->dev, cb, (const struct nd_neighbour *)p->data, mac);
	case ICMP6_NEIGH_ADV:
		return advertised(rx->dev, cb, (const struct nd_neighbour *)p->data, mac);
	default: return redirected(rx->dev, cb, (const struct nd_redirect *)p->data, mac);
	}
}

void nd_input(struct rx *rx, struct packet *p)
{
	struct packet *q = p->frags ? pkt_linearise(p, 0) : p;

	if (q && !take(rx, q))
		counter_inc(nd_rx_malformed);
	if (q && q != p)
		packet_free(q);
	packet_free(p);
}
