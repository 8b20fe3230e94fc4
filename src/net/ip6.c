/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6 (RFC 8200): header and extension headers in, output, fragments both ways, path MTU (8201).
 *
 * Headers are walked once, with a bound on their number and length; what is behind them is bounded
 * by the packet. A packet that is put together from fragments is walked again from its first byte,
 * as if it had come whole; a fragment inside of it is dropped.
 */

#include "net/icmp.h"
#include "net/ip.h"
#include "net/ip6.h"
#include "net/packet.h"
#include "net/route.h"
#include "net/rx.h"
#include "net/state.h"
#include "abi/errno.h"
#include "abi/socket.h"
#include "diag/counter.h"

#define MAX_HEADERS	 8u   /* extension headers of a packet */
#define MAX_HEADER_BYTES 512u /* all of them */

COUNTER(ip6_rx_malformed);
COUNTER(ip6_rx_martian);
COUNTER(ip6_rx_not_mine);
COUNTER(ip6_rx_bad_options);
COUNTER(ip6_tx_fragments);

/* ---- extension headers ---- */

struct walk {
	unsigned off;	  /* of the header that comes next, from the packet's first byte */
	unsigned next_at; /* where its kind is written */
	uint8_t next;
	unsigned count;
	bool whole; /* was put together: no further fragment header */
};
enum walk_result { WALK_UPPER, WALK_DROP, WALK_FRAGMENT };

static enum walk_result parameter_problem(struct packet *p, uint8_t code, unsigned at)
{
	counter_inc(ip6_rx_bad_options);
	icmp6_send_error(p, ICMP6_PARAMETER, code, at);
	return WALK_DROP;
}

/* RFC 8200 4.2. p's first byte is the IPv6 header's; the options are at [at, end). */
static enum walk_result walk_options(struct packet *p, unsigned at, unsigned end)
{
	while (at < end) {
		uint8_t type = p->data[at];

		if (type == 0) { /* Pad1 */
			at++;
			continue;
		}
		if (at + 2 > end || at + 2 + p->data[at + 1] > end)
			return parameter_problem(p, ICMP6_BAD_HEADER, at + 1);
		if (type != 1 && type != 5) /* PadN, router alert */
			switch (type >> 6) {
			case 0: break;
			case 1: counter_inc(ip6_rx_bad_options); return WALK_DROP;
			case 2: return parameter_problem(p, ICMP6_BAD_OPTION, at);
			case 3:
				if (ip_is_multicast(pkt_cb(p)->dst)) {
					counter_inc(ip6_rx_bad_options);
					return WALK_DROP;
				}
				return parameter_problem(p, ICMP6_BAD_OPTION, at);
			}
		at += 2u + p->data[at + 1];
	}
	return WALK_UPPER;
}

/* Over all extension headers up to a fragment's or to the upper layer's. */
static enum walk_result walk_headers(struct packet *p, struct walk *w)
{
	for (;; w->count++) {
		bool options = w->next == IP6_HOPOPTS || w->next == IP6_DSTOPTS;

		if (w->next == IP6_NONE)
			return WALK_DROP;
		if (!options && w->next != IP6_ROUTING && w->next != IP6_FRAGMENT)
			return WALK_UPPER;
		if (w->next == IP6_HOPOPTS && w->off != sizeof(struct ip6_header))
			return parameter_problem(p, ICMP6_BAD_NEXT, w->next_at);
		if (w->count == MAX_HEADERS || !pkt_pull_up(p, w->off + 8))
			return WALK_DROP;
		if (w->next == IP6_FRAGMENT)
			return WALK_FRAGMENT;
		unsigned end = w->off + (p->data[w->off + 1] + 1u) * 8;

		if (end > sizeof(struct ip6_header) + MAX_HEADER_BYTES || !pkt_pull_up(p, end))
			return WALK_DROP;
		if (options && walk_options(p, w->off + 2, end) == WALK_DROP)
			return WALK_DROP;
		/* RFC 8200 4.4, 5095: nothing is forwarded by us, whatever the type. */
		if (w->next == IP6_ROUTING && p->data[w->off + 3] != 0)
			return parameter_problem(p, ICMP6_BAD_HEADER, w->off + 2);
		w->next = p->data[w->off];
		w->next_at = w->off;
		w->off = end;
	}
}

/* RFC 7112: a first fragment has all headers, and the first bytes of the upper layer's. */
static bool has_upper_layer(const struct packet *p, unsigned off, uint8_t next)
{
	for (unsigned k = 0; k < MAX_HEADERS; k++) {
		if (next != IP6_HOPOPTS && next != IP6_DSTOPTS && next != IP6_ROUTING)
			return next == IP6_NONE || p->len >= off + (next == IPPROTO_TCP ? 20 : 8);
		if (p->len < off + 8)
			return false;
		next = p->data[off];
		off += (p->data[off + 1] + 1u) * 8;
	}
	return false;
}

/* The fragment header out of a packet that is whole now; data is at the payload behind it. */
static void remove_fragment_header(struct packet *p)
{
	unsigned front = pkt_cb(p)->ip_len - (unsigned)sizeof(struct ip6_fragment);
	uint8_t *h = p->data - pkt_cb(p)->ip_len, *next = h + 6, kind = h[front];
	unsigned off = sizeof(struct ip6_header);

	while (off < front) {
		next = h + off;
		off += (h[off + 1] + 1u) * 8;
	}
	*next = kind;
	memmove(h + sizeof(struct ip6_fragment), h, front);
	packet_push(p, front);
	put_be16(p->data + 4,
		(uint16_t)MIN(pkt_total(p) - sizeof(struct ip6_header), (size_t)IP_MAX_TOTAL));
	pkt_cb(p)->ip_len = 0;
}

/* At a fragment header. The whole packet, its data at the IPv6 header, or NULL: p is gone. */
static struct packet *take_fragment(struct packet *p, struct walk *w)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct ip6_fragment f;
	size_t total = pkt_total(p), have = total - w->off - sizeof(f);

	memcpy(&f, p->data + w->off, sizeof(f));
	unsigned offset = be16(f.offset) & ~7u;
	bool more = be16(f.offset) & IP6_MF;
	struct frag_key key = { cb->src, cb->dst, f.id, 0 };

	if (w->whole) {
		counter_inc(ip6_rx_malformed);
		goto drop;
	}
	if (more && (have & 7)) {
		parameter_problem(p, ICMP6_BAD_HEADER, 4);
		goto drop;
	}
	if (offset + have > IP_MAX_TOTAL) {
		parameter_problem(p, ICMP6_BAD_HEADER, w->off + 2);
		goto drop;
	}
	if (!offset && more && !has_upper_layer(p, w->off + 8, f.next_header)) {
		parameter_problem(p, 3, w->off);
		goto drop;
	}
	cb->ip_len = (uint16_t)(w->off + sizeof(f));
	packet_pull(p, cb->ip_len);
	if (offset || more) { /* else it is whole by itself, whatever others are (RFC 6946) */
		p = ip_reassemble(p, &key, offset, more);
		if (!p)
			return NULL;
	}
	remove_fragment_header(p);
	return p;
drop:
	packet_free(p);
	return NULL;
}

/* ---- input ---- */

static bool check_header(struct packet *p)
{
	struct ip6_header *h;
	size_t have, total;

	if (!pkt_pull_up(p, sizeof(*h)))
		return false;
	h = (struct ip6_header *)p->data;
	total = sizeof(*h) + be16(h->payload_len);
	have = pkt_total(p);
	if (be32(h->ver_class_flow) >> 28 != 6 || have < total)
		return false;
	if (have > total)
		pkt_truncate(p, total);
	return true;
}

static void take_header(struct pkt_cb *cb, const struct ip6_header *h)
{
	cb->src = ip_from_bytes(h->src);
	cb->dst = ip_from_bytes(h->dst);
	cb->ttl = h->hop_limit;
	cb->tos = (uint8_t)(be32(h->ver_class_flow) >> 20);
}

/*
 * Neither side may be what a wire does not carry; mapped addresses (they are our own notation, and
 * would pass as IPv4) above all.
 */
static bool is_martian(const struct pkt_cb *cb)
{
	bool lo = cb->flags & PKT_LOOPBACK;

	if (ip_is_multicast(cb->src) || ip_is_any(cb->dst) || ip_is_v4(cb->src) ||
		ip_is_v4(cb->dst))
		return true;
	if (lo)
		return false;
	return ip_is_loopback(cb->src) || ip_is_loopback(cb->dst) ||
	       ip_local_kind(cb->src) == IP_LOCAL ||
	       (cb->dst.b[0] == 0xff && (cb->dst.b[1] & 15) <= 1); /* RFC 4291 2.7 */
}

static bool for_us(const struct rx *rx, struct pkt_cb *cb)
{
	switch (ip_local_kind(cb->dst)) {
	case IP_LOCAL: return !(cb->flags & (PKT_MULTICAST | PKT_BROADCAST));
	case IP_LOCAL_MULTICAST:
		cb->flags |= PKT_MULTICAST;
		return (cb->flags & PKT_LOOPBACK) || mld_is_member(rx->dev, cb->dst);
	default: return false;
	}
}

void ip6_input(struct rx *rx, struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct walk w = { .off = sizeof(struct ip6_header), .next_at = 6 };

	if (!check_header(p)) {
		counter_inc(ip6_rx_malformed);
		goto drop;
	}
	take_header(cb, (struct ip6_header *)p->data);
	if (is_martian(cb)) {
		counter_inc(ip6_rx_martian);
		goto drop;
	}
	if (!for_us(rx, cb)) {
		counter_inc(ip6_rx_not_mine);
		goto drop;
	}
	w.next = p->data[6];
	for (;;) {
		enum walk_result r = walk_headers(p, &w);

		if (r == WALK_UPPER)
			break;
		if (r == WALK_DROP)
			goto drop;
		p = take_fragment(p, &w);
		if (!p)
			return;
		w = (struct walk){ .off = sizeof(struct ip6_header),
			.next_at = 6,
			.next = p->data[6],
			.whole = true };
	}
	cb = pkt_cb(p);
	cb->protocol = w.next;
	if (w.off > p->len)
		goto drop;
	cb->ip_len = (uint16_t)w.off;
	packet_pull(p, w.off);
	if (ip6_dispatch(rx, p))
		return;
	icmp6_send_error(p, ICMP6_PARAMETER, ICMP6_BAD_NEXT, w.next_at);
drop:
	packet_free(p);
}

bool ip6_quote(const uint8_t *header, size_t len, struct ip_quote *q)
{
	const struct ip6_header *h = (const struct ip6_header *)header;
	size_t off = sizeof(*h);
	uint8_t next;

	if (len < off || header[0] >> 4 != 6)
		return false;
	next = h->next_header;
	for (unsigned k = 0; k < MAX_HEADERS; k++) {
		if (len < off + 8)
			return false;
		if (next == IP6_FRAGMENT) {
			if (get_be16(header + off + 2) & ~7u)
				return false;
			next = header[off];
			off += 8;
		} else if (next == IP6_HOPOPTS || next == IP6_DSTOPTS || next == IP6_ROUTING) {
			next = header[off];
			off += (header[off + 1] + 1u) * 8;
		} else {
			*q = (struct ip_quote){ .src = ip_from_bytes(h->src),
				.dst = ip_from_bytes(h->dst),
				.protocol = next,
				.l4 = header + off,
				.len = len - off };
			return !ip_is_v4(q->src) && !ip_is_v4(q->dst);
		}
	}
	return false;
}

/* ---- output ---- */

static void fill_header(struct ip6_header *h, const struct ip_send *how,
	const struct route_cache *r, uint8_t next, size_t payload)
{
	h->ver_class_flow = be32(6u << 28 | (uint32_t)how->tos << 20 | how->flow);
	h->payload_len = be16((uint16_t)payload);
	h->next_header = next;
	h->hop_limit = how->ttl ? how->ttl : r->hops;
	memcpy(h->src, how->src.b, 16);
	memcpy(h->dst, how->dst.b, 16);
}

static int send_fragments(struct packet *p, const struct ip_send *how, const struct route_cache *r)
{
	const size_t headers = sizeof(struct ip6_header) + sizeof(struct ip6_fragment);
	size_t total = pkt_total(p), step = (r->mtu - headers) & ~7ul;
	uint32_t id = (uint32_t)net_random(); /* RFC 7739: not to be guessed */
	int err = 0;

	csum_finish(p);
	for (size_t off = 0; off < total && !err; off += step) {
		size_t n = MIN(step, total - off);
		struct packet *f = packet_alloc(TX_HEADROOM, n);
		struct ip6_fragment *h;

		if (!f) {
			err = -ENOBUFS;
			break;
		}
		f->queue = p->queue;
		if (off + n == total)
			packet_keep(f, p);
		pkt_copy_out(p, off, packet_put(f, n), n);
		h = packet_push(f, sizeof(*h));
		*h = (struct ip6_fragment){ .next_header = how->protocol,
			.offset = be16((uint16_t)(off | (off + n < total ? IP6_MF : 0))),
			.id = id };
		fill_header(packet_push(f, sizeof(struct ip6_header)), how, r, IP6_FRAGMENT,
			n + sizeof(*h));
		counter_inc(ip6_tx_fragments);
		err = ip_link_output(f, how->dst, r);
		if (off + n == total) /* and p with it, some time */
			return err;
	}
	packet_free(p);
	return err;
}

int ip6_output(struct packet *p, const struct ip_send *how, const struct route_cache *r)
{
	size_t payload = pkt_total(p);
	bool merged = p->gso_type != PACKET_GSO_NONE;

	if (payload > IP_MAX_TOTAL) {
		packet_free(p);
		return -EMSGSIZE;
	}
	if (!merged && payload + sizeof(struct ip6_header) > r->mtu) {
		if (how->whole) {
			packet_free(p);
			return -EMSGSIZE;
		}
		return send_fragments(p, how, r);
	}
	if (p->csum_flags == PACKET_CSUM_PARTIAL && !(r->dev->features & NETDEV_TX_CSUM))
		csum_finish(p);
	fill_header(packet_push(p, sizeof(struct ip6_header)), how, r, how->protocol, payload);
	p->csum_start += sizeof(struct ip6_header);
	p->header_len += sizeof(struct ip6_header);
	return ip_link_output(p, how->dst, r);
}
