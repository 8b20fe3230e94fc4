/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Merging of what a card brings in pieces: TCP segments of one flow that follow each other in one
 * batch become one packet, whose headers IP, the tables and TCP then look at once.
 *
 * A batch is what came until the ring was empty, so nothing waits to be merged. Rules:
 *  G1 Nothing is reordered within a flow: a packet joins the last one of its flow in the batch, and
 *     a packet that cannot join ends that one. What cannot be told to be of no flow (fragments,
 *     options, headers that are not in one piece) ends all.
 *  G2 TCP sees apart what it has to: a packet joins only if it carries on the bytes, and all its
 *     headers say the same but for sequence number, length, checksums, IPv4's identification and
 *     PSH. So there is no SYN, FIN, RST, URG, ECE or CWR, no other acknowledgement, window, option
 *     (time stamps too), ECN or TTL, and no segment without data.
 *  G3 The sender's cuts can be told: all segments but the last have the first one's size, which is
 *     gso_size. TCP counts by it. A smaller one, and PSH, end the packet.
 *  G4 Nothing is believed that a checksum would have found: those of both packets are right, or the
 *     card vouches for them, before they join.
 *  G5 IPv4's identification grows by one, or, where fragments are forbidden, may be constant: else
 *     it is no run of one sender's segments (RFC 6864).
 */

#include "net/packet.h"
#include "net/rx.h"
#include "abi/net.h"
#include "abi/socket.h"
#include "diag/counter.h"

COUNTER(net_rx_merged);

#define FLOWS	  8u /* looked at in one batch */
#define TCP_FIXED 20u
#define V4_HEADER 20u
#define V6_HEADER 40u

/* Where in the headers. */
#define AT_IP	   ETH_HLEN
#define AT_V4_SRC  (AT_IP + 12u)
#define AT_V6_HOPS (AT_IP + 7u)
#define AT_V6_SRC  (AT_IP + 8u)

struct segment {
	bool v6;
	bool joins;	  /* as far as it alone says */
	unsigned tcp;	  /* where its header is */
	unsigned headers; /* all of them, bytes */
	uint32_t payload, seq;
	uint32_t flow; /* a hash of addresses and ports */
};

struct gro_flow {
	struct packet *first, **tail;
	struct segment s; /* of the first */
	uint32_t next_seq, bytes;
	unsigned count;
	uint16_t id; /* of the last */
	bool id_constant, checked;
};

enum kind {
	OTHER,	 /* of no TCP flow */
	UNKNOWN, /* perhaps of one */
	TCP,
};

/* ---- what a packet is ---- */

static uint32_t mix(const uint8_t *addresses, unsigned n, const uint8_t *ports)
{
	uint32_t h = 0, w;

	for (unsigned i = 0; i < n; i += 4) {
		memcpy(&w, addresses + i, 4);
		h = (h ^ w) * 0x9e3779b1u;
	}
	memcpy(&w, ports, 4);
	return (h ^ w) * 0x9e3779b1u;
}

/* The IP header: where TCP begins, and how long the packet says it is from there. */
static enum kind look_at_ip(const struct packet *p, struct segment *s, uint32_t *l4)
{
	const struct eth_header *eth = (const void *)p->data;
	const struct ip_header *ip4 = (const void *)(p->data + AT_IP);
	const struct ip6_header *ip6 = (const void *)(p->data + AT_IP);

	if (p->len < AT_IP)
		return OTHER;
	if (eth->type == be16(ETH_IPV4)) {
		if (p->len < AT_IP + V4_HEADER)
			return UNKNOWN;
		if (ip4->protocol != IPPROTO_TCP)
			return OTHER;
		if (ip4->ver_ihl != 0x45 || (ip4->frag & ~be16(IP_DF)))
			return UNKNOWN;
		s->tcp = AT_IP + V4_HEADER;
		*l4 = be16(ip4->total_len) - V4_HEADER; /* too little: more than there is */
		return TCP;
	}
	if (eth->type != be16(ETH_IPV6))
		return OTHER;
	if (p->len < AT_IP + V6_HEADER)
		return UNKNOWN;
	if (ip6->next_header == IPPROTO_UDP || ip6->next_header == IPPROTO_ICMPV6)
		return OTHER;
	if (ip6->next_header != IPPROTO_TCP)
		return UNKNOWN;
	s->v6 = true;
	s->tcp = AT_IP + V6_HEADER;
	*l4 = be16(ip6->payload_len);
	return TCP;
}

static enum kind look(const struct packet *p, struct segment *s)
{
	const struct tcp_header *h;
	unsigned address = 0;
	enum kind kind;
	uint32_t l4;

	*s = (struct segment){ 0 };
	kind = look_at_ip(p, s, &l4);
	if (kind != TCP)
		return kind;
	if (p->len < s->tcp + TCP_FIXED)
		return UNKNOWN;
	h = (const void *)(p->data + s->tcp);
	s->headers = s->tcp + (h->offset >> 4) * 4u;
	address = s->v6 ? AT_V6_SRC : AT_V4_SRC;
	s->flow = mix(p->data + address, s->tcp - address, p->data + s->tcp);
	s->seq = be32(h->seq);
	/* Not padded, not cut off, and in one piece that no card merged. */
	if (p->frags || p->gso_type != PACKET_GSO_NONE || p->len != s->tcp + l4 ||
		s->headers < s->tcp + TCP_FIXED || p->len <= s->headers)
		return TCP;
	s->payload = p->len - s->headers;
	s->joins = (h->flags & ~TCP_PSH) == TCP_ACK && !(h->offset & 15);
	return TCP;
}

/* ---- merging ---- */

static bool same_flow(const struct gro_flow *f, const struct packet *p, const struct segment *s)
{
	unsigned from = s->v6 ? AT_V6_SRC : AT_V4_SRC;

	return f->s.flow == s->flow && f->s.v6 == s->v6 &&
	       memcmp(f->first->data + from, p->data + from, s->tcp + 4 - from) == 0;
}

static uint16_t ip_id(const struct packet *p)
{
	return get_be16(p->data + AT_IP + 4);
}

/* G5 */
static bool id_follows(struct gro_flow *f, const struct packet *p)
{
	bool atomic = p->data[AT_IP + 6] & (IP_DF >> 8), constant = ip_id(p) == f->id;

	if (!constant && ip_id(p) != (uint16_t)(f->id + 1))
		return false;
	if (f->count == 1)
		f->id_constant = constant;
	return f->id_constant == constant && (atomic || !constant);
}

/* G2. The flow is the same, so are versions and addresses. */
static bool same_headers(const struct gro_flow *f, const struct packet *p, const struct segment *s)
{
	const uint8_t *a = f->first->data, *b = p->data;
	const struct tcp_header *x = (const void *)(a + s->tcp), *y = (const void *)(b + s->tcp);

	if (memcmp(a, b, ETH_HLEN) != 0 || f->s.headers != s->headers)
		return false;
	if (s->v6 ? memcmp(a + AT_IP, b + AT_IP, 4) != 0 || a[AT_V6_HOPS] != b[AT_V6_HOPS]
		  : a[AT_IP + 1] != b[AT_IP + 1] || memcmp(a + AT_IP + 6, b + AT_IP + 6, 3) != 0)
		return false;
	/* The lengths are the same, so the byte of the length is, see look(). */
	return x->ack == y->ack && x->window == y->window && x->urgent == y->urgent &&
	       memcmp(x + 1, y + 1, s->headers - s->tcp - TCP_FIXED) == 0;
}

/* G4. What was found right is not looked at again: of TCP, csum_flags says so. */
static bool checksums_right(struct packet *p, const struct segment *s)
{
	uint32_t n = p->len - s->tcp, src, dst, pseudo;

	if (!s->v6 && csum_fold(csum_add(0, p->data + AT_IP, V4_HEADER)) != 0)
		return false;
	if (p->csum_flags != PACKET_CSUM_NONE)
		return true;
	if (s->v6) {
		pseudo = csum_pseudo6(ip_from_bytes(p->data + AT_V6_SRC),
			ip_from_bytes(p->data + AT_V6_SRC + 16), IPPROTO_TCP, n);
	} else {
		memcpy(&src, p->data + AT_V4_SRC, 4);
		memcpy(&dst, p->data + AT_V4_SRC + 4, 4);
		pseudo = csum_pseudo(src, dst, IPPROTO_TCP, n);
	}
	if (csum_fold(csum_add(pseudo, p->data + s->tcp, n)) != 0)
		return false;
	p->csum_flags = PACKET_CSUM_VALID;
	return true;
}

static void open_flow(struct gro_flow *f, struct packet *p, const struct segment *s)
{
	*f = (struct gro_flow){ .first = p,
		.tail = &p->frags,
		.s = *s,
		.next_seq = s->seq + s->payload,
		.bytes = p->len - AT_IP,
		.count = 1,
		.id = s->v6 ? 0 : ip_id(p) };
}

static bool join(struct gro_flow *f, struct packet *p, const struct segment *s)
{
	if (!s->joins || s->seq != f->next_seq || s->payload > f->s.payload ||
		f->bytes + s->payload > IP_MAX_TOTAL || !same_headers(f, p, s) ||
		(!s->v6 && !id_follows(f, p)))
		return false;
	if (!f->checked && !checksums_right(f->first, &f->s))
		return false;
	f->checked = true;
	if (!checksums_right(p, s))
		return false;
	if (!s->v6)
		f->id = ip_id(p);
	f->first->data[s->tcp + 13] |= p->data[s->tcp + 13] & TCP_PSH;
	packet_pull(p, s->headers);
	*f->tail = p;
	f->tail = &p->next;
	f->next_seq += s->payload;
	f->bytes += s->payload;
	f->count++;
	counter_inc(net_rx_merged);
	return true;
}

/* The headers say what has become of it. TCP's checksum does not: csum_flags says that it was
 * right.
 */
static void finish(struct gro_flow *f)
{
	struct packet *p = f->first;
	uint16_t sum;

	if (f->count == 1)
		return;
	if (f->s.v6) {
		put_be16(p->data + AT_IP + 4, (uint16_t)(f->bytes - V6_HEADER));
		p->gso_type = PACKET_GSO_TCP6;
	} else {
		put_be16(p->data + AT_IP + 2, (uint16_t)f->bytes);
		put_be16(p->data + AT_IP + 10, 0);
		sum = csum_fold(csum_add(0, p->data + AT_IP, V4_HEADER));
		memcpy(p->data + AT_IP + 10, &sum, 2);
		p->gso_type = PACKET_GSO_TCP4;
	}
	p->gso_size = (uint16_t)f->s.payload;
	p->header_len = (uint16_t)f->s.headers;
}

struct table {
	struct gro_flow flow[FLOWS];
	unsigned count;
};

static void close_flow(struct table *t, struct gro_flow *f)
{
	finish(f);
	*f = t->flow[--t->count];
}

static void close_all(struct table *t)
{
	while (t->count)
		finish(&t->flow[--t->count]);
}

/* True: the packet has become a part of another one. */
static bool take(struct table *t, struct packet *p)
{
	struct gro_flow *f = NULL;
	struct segment s;

	switch (look(p, &s)) {
	case OTHER: return false;
	case UNKNOWN: close_all(t); return false;
	case TCP: break;
	}
	for (unsigned i = 0; i < t->count && !f; i++)
		if (same_flow(&t->flow[i], p, &s))
			f = &t->flow[i];
	if (f && join(f, p, &s)) {
		/* G3: what comes next begins anew. */
		if (s.payload < f->s.payload || (f->first->data[s.tcp + 13] & TCP_PSH))
			close_flow(t, f);
		return true;
	}
	if (f)
		close_flow(t, f); /* G1 */
	if (!s.joins || (p->data[s.tcp + 13] & TCP_PSH))
		return false;
	if (t->count == FLOWS)
		close_flow(t, &t->flow[0]);
	open_flow(&t->flow[t->count++], p, &s);
	return false;
}

struct packet *gro_receive(struct packet *batch)
{
	struct packet *list = NULL, **tail = &list, *next;
	struct table t;

	if (!batch || !batch->next)
		return batch;
	t.count = 0;
	for (struct packet *p = batch; p; p = next) {
		next = p->next;
		p->next = NULL;
		if (take(&t, p))
			continue;
		*tail = p;
		tail = &p->next;
	}
	close_all(&t);
	return list;
}
