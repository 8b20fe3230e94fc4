/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of net_fuzz_test: sound ones are made here, then spoiled. A spoiled frame gets its
 * checksums made right again more often than not, so that what is behind them is reached.
 */
#ifndef TEST_HOST_FUZZ_WIRE_H
#define TEST_HOST_FUZZ_WIRE_H

#include "fuzz_device.h"

#define FRAME_MAX 70000u
struct frame {
	unsigned n;
	uint8_t d[FRAME_MAX];
};

static const uint8_t my_mac[6] = { 2, 0, 0, 0, 0, 1 };
static unsigned wire_spoils;	/* so many of 1000 frames are spoiled */
static unsigned wire_fragments; /* so many go in fragments */
static unsigned wire_options;	/* so many have options or extension headers */

/* The last frames that went in, to be sent again, spoiled or joined with others. */
#define WIRE_OLD 64
static struct {
	unsigned n;
	uint8_t d[2048];
} wire_old[WIRE_OLD];
static unsigned wire_old_count;

/* ---- headers ---- */

/* The upper layer's offset and length, and its protocol; 0: there is none that is whole. */
static unsigned wire_upper(const struct frame *f, unsigned *len, uint8_t *protocol)
{
	unsigned at = 14, end, total;

	if (f->n < 54)
		return 0;
	if (get_be16(f->d + 12) == ETH_IPV4) {
		unsigned hlen = (f->d[14] & 15) * 4u;

		total = get_be16(f->d + 16);
		*protocol = f->d[23];
		if (hlen < 20 || (get_be16(f->d + 20) & (IP_MF | IP_OFFSET)))
			return 0;
		end = MIN(f->n, 14 + total);
		at += hlen;
	} else if (get_be16(f->d + 12) == ETH_IPV6) {
		end = MIN(f->n, 54u + get_be16(f->d + 18));
		*protocol = f->d[20];
		at = 54;
		while (*protocol == IP6_HOPOPTS || *protocol == IP6_DSTOPTS ||
			*protocol == IP6_ROUTING) {
			if (at + 8 > end)
				return 0;
			*protocol = f->d[at];
			at += (f->d[at + 1] + 1u) * 8;
		}
		if (*protocol == IP6_FRAGMENT && at + 8 <= end &&
			!(get_be16(f->d + at + 2) & ~6u)) {
			*protocol = f->d[at];
			at += 8;
		}
	} else {
		return 0;
	}
	if (at + 8 > end)
		return 0;
	*len = end - at;
	return at;
}

static uint32_t wire_pseudo(const struct frame *f, uint8_t protocol, unsigned len)
{
	uint32_t src, dst;

	if (get_be16(f->d + 12) == ETH_IPV6)
		return csum_pseudo6(
			ip_from_bytes(f->d + 22), ip_from_bytes(f->d + 38), protocol, len);
	memcpy(&src, f->d + 26, 4);
	memcpy(&dst, f->d + 30, 4);
	return csum_pseudo(src, dst, protocol, len);
}

static void wire_fix_sums(struct frame *f)
{
	uint8_t protocol;
	unsigned len, at, field;
	uint16_t sum;

	if (f->n >= 34 && get_be16(f->d + 12) == ETH_IPV4) {
		unsigned hlen = MIN((f->d[14] & 15) * 4u, f->n - 14);

		memset(f->d + 24, 0, 2);
		sum = csum_fold(csum_add(0, f->d + 14, hlen));
		memcpy(f->d + 24, &sum, 2);
	}
	at = wire_upper(f, &len, &protocol);
	if (!at)
		return;
	switch (protocol) {
	case IPPROTO_TCP: field = 16; break;
	case IPPROTO_UDP: field = 6; break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: field = 2; break;
	default: return;
	}
	if (field + 2 > len)
		return;
	memset(f->d + at + field, 0, 2);
	sum = csum_fold(csum_add(
		protocol == IPPROTO_ICMP ? 0 : wire_pseudo(f, protocol, len), f->d + at, len));
	if (!sum && protocol == IPPROTO_UDP)
		sum = 0xffff;
	memcpy(f->d + at + field, &sum, 2);
}

/* An options header of IPv6 (RFC 8200 4.2), sound; its length. */
static unsigned wire_options6(uint8_t *o, uint8_t next)
{
	unsigned n = 2, words = PICK(1, 1, 1, 2, 4, 31), end = words * 8;

	memset(o, 0, end);
	o[0] = next;
	o[1] = (uint8_t)(words - 1);
	while (n < end) {
		unsigned room = end - n, k = room >= 2 ? rnd(MIN(room - 1, 40u)) : 0;

		if (room == 1 || chance(100)) {
			o[n++] = 0;
			continue;
		}
		o[n] = (uint8_t)PICK(1, 1, 1, 5, 0x1e, 0x5e, 0x9e, 0xde);
		o[n + 1] = (uint8_t)k;
		for (unsigned i = 0; i < k; i++)
			o[n + 2 + i] = (uint8_t)rnd(256);
		n += 2 + k;
	}
	return end;
}

/* A packet with headers in front of n bytes, some with options. */
static void wire_packet(struct frame *f, struct ip_addr src, struct ip_addr dst, uint8_t protocol,
	const void *data, unsigned n)
{
	bool v6 = !ip_is_v4(dst), rare = chance(wire_options);
	unsigned at = 14, options = 0;

	memcpy(f->d, my_mac, 6);
	memcpy(f->d + 6, (uint8_t[]){ 2, 0, 0, 0, 1, src.b[15] }, 6);
	put_be16(f->d + 12, v6 ? ETH_IPV6 : ETH_IPV4);
	if (ip_is_multicast(dst))
		memcpy(f->d, (uint8_t[]){ 0x33, 0x33, dst.b[12], dst.b[13], dst.b[14], dst.b[15] },
			6);
	if (!v6 && (ip_v4(dst) == INADDR_BROADCAST || (dst.b[12] >> 4) == 14))
		memset(f->d, 0xff, 6);
	if (v6) {
		struct ip6_header *h = (struct ip6_header *)(f->d + at);
		uint8_t *next = &h->next_header;

		*h = (struct ip6_header){ .ver_class_flow = be32(6u << 28 | rnd(1 << 20)),
			.hop_limit = 255 };
		memcpy(h->src, src.b, 16);
		memcpy(h->dst, dst.b, 16);
		at += sizeof(*h);
		for (unsigned k = rare ? 1 + rnd(3) : 0; k; k--) {
			*next = (uint8_t)PICK(
				IP6_HOPOPTS, IP6_DSTOPTS, IP6_DSTOPTS, IP6_ROUTING, IP6_FRAGMENT);
			next = f->d + at;
			if (next[-1] == IP6_FRAGMENT || rnd(5) == 0) {
				memset(f->d + at, 0, 8);
				at += 8;
			} else {
				at += wire_options6(f->d + at, 0);
			}
		}
		*next = protocol;
		h->payload_len = be16((uint16_t)(at - 54 + n));
	} else {
		struct ip_header *h = (struct ip_header *)(f->d + at);

		options = rare ? rnd(11) * 4 : 0;
		*h = (struct ip_header){ .ver_ihl = (uint8_t)(0x45 + options / 4),
			.tos = (uint8_t)PICK(0, 0, 0, 0x10, 0xb8, 3),
			.total_len = be16((uint16_t)(20 + options + n)),
			.id = be16((uint16_t)rnd(65536)),
			.frag = be16((uint16_t)PICK(0, IP_DF)),
			.ttl = (uint8_t)PICK(64, 64, 255, 1),
			.protocol = protocol,
			.src = ip_v4(src),
			.dst = ip_v4(dst) };
		for (unsigned k = 0; k < options; k++)
			f->d[at + 20 + k] = (uint8_t)PICK(0, 1, 1, 7, 4, 131, 148, 40);
		at += 20 + options;
	}
	if (n)
		memcpy(f->d + at, data, n);
	f->n = at + n;
	wire_fix_sums(f);
}

/* ---- spoiling ---- */

static void wire_splice(struct frame *f)
{
	unsigned k = rnd(MIN(wire_old_count, (unsigned)WIRE_OLD)), from, to, n;

	if (!wire_old_count || !wire_old[k].n)
		return;
	from = rnd(wire_old[k].n);
	to = rnd(2) ? from : rnd(f->n);
	n = MIN(wire_old[k].n - from, FRAME_MAX - to);
	memcpy(f->d + to, wire_old[k].d + from, n);
	f->n = MAX(f->n, to + n);
}

static void wire_spoil_once(struct frame *f)
{
	unsigned at = rnd(f->n), n, upper;
	uint8_t protocol;

	upper = wire_upper(f, &n, &protocol);
	if (rnd(3) == 0) /* near the front, where headers are */
		at = rnd(MIN(f->n, 14u + 60));
	else if (upper && rnd(2))
		at = upper + rnd(MIN(n, 60u));
	switch (rnd(10)) {
	case 0: f->d[at] ^= (uint8_t)(1u << rnd(8)); break;
	case 1: f->d[at] = (uint8_t)PICK(0, 1, 2, 3, 4, 7, 8, 127, 128, 254, 255); break;
	case 2: f->d[at] = (uint8_t)rnd(256); break;
	case 3: /* a length, perhaps */
		if (at + 2 <= f->n)
			put_be16(f->d + (at & ~1u),
				(uint16_t)(get_be16(f->d + (at & ~1u)) +
					   PICK(1, 2, 4, 8, 65535, 65534, 65528)));
		break;
	case 4:
		if (at + 2 <= f->n)
			put_be16(f->d + at, (uint16_t)PICK(0, 1, 7, 8, 20, 28, 0x7fff, 0x8000,
						    0xffff, f->n, f->n - 14));
		break;
	case 5:
		if (at + 4 <= f->n)
			put_be32(f->d + at,
				(uint32_t)PICK(0, 1, 0x7fffffff, 0x80000000, 0xffffffff));
		break;
	case 6: f->n = 1 + rnd(f->n); break;
	case 7:
		n = rnd(200);
		for (unsigned k = 0; k < n && f->n < FRAME_MAX; k++)
			f->d[f->n++] = (uint8_t)rnd(256);
		break;
	case 8: /* a piece twice, or left out */
		n = MIN(rnd(40), f->n - at);
		if (rnd(2) && f->n + n <= FRAME_MAX) {
			memmove(f->d + at + n, f->d + at, f->n - at);
			f->n += n;
		} else {
			memmove(f->d + at, f->d + at + n, f->n - at - n);
			f->n -= n;
		}
		break;
	case 9: wire_splice(f); break;
	}
	if (!f->n)
		f->n = 1;
}

/* ---- into the card ---- */

static void wire_remember(const struct frame *f)
{
	unsigned k = wire_old_count++ % WIRE_OLD;

	wire_old[k].n = MIN(f->n, (unsigned)sizeof(wire_old[k].d));
	memcpy(wire_old[k].d, f->d, wire_old[k].n);
}

static void wire_to_card(struct frame *f)
{
	struct virtio_net_hdr h = { 0 };

	if (chance(wire_spoils)) {
		for (unsigned k = 1 + rnd(3) * rnd(3); k; k--)
			wire_spoil_once(f);
		if (chance(880))
			wire_fix_sums(f);
	}
	/* What a card says that has looked at checksums, or joined segments. */
	if ((card.dev.features & VIRTIO_NET_F_GUEST_CSUM) && rnd(4) == 0)
		h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	if ((card.dev.features & VIRTIO_NET_F_GUEST_USO4) && f->n > 1514 &&
		get_be16(f->d + 12) == ETH_IPV4 && f->d[23] == IPPROTO_UDP) {
		h = (struct virtio_net_hdr){ .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
			.gso_size = (uint16_t)PICK(1000, 1472, 500, 7),
			.hdr_len = 42,
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = 34,
			.csum_offset = 6 };
	} else if ((card.dev.features & VIRTIO_NET_F_GUEST_TSO4) && f->n > 1514) {
		h.gso_type = get_be16(f->d + 12) == ETH_IPV6 ? VIRTIO_NET_HDR_GSO_TCPV6
							     : VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = 1448;
		h.hdr_len = 66;
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	}
	wire_remember(f);
	if (!card_receives(f->d, f->n, h)) {
		fuzz_run_threads(); /* the ring was empty: the driver has not run */
		card_receives(f->d, f->n, h);
	}
}

/* One fragment of f, whose headers are front bytes: n bytes from off on, said to be from 'says' on.
 */
static void wire_piece(const struct frame *f, unsigned front, unsigned off, unsigned says,
	unsigned n, bool more, uint32_t id)
{
	static struct frame piece;
	unsigned head = front;

	memcpy(piece.d, f->d, front);
	if (get_be16(f->d + 12) == ETH_IPV6) {
		struct ip6_fragment h = { f->d[20], 0,
			be16((uint16_t)((says & ~7u) | (more ? IP6_MF : 0))), be32(id) };

		piece.d[20] = IP6_FRAGMENT;
		memcpy(piece.d + front, &h, sizeof(h));
		head += sizeof(h);
		put_be16(piece.d + 18, (uint16_t)(n + sizeof(h)));
	} else {
		put_be16(piece.d + 16, (uint16_t)(front - 14 + n));
		put_be16(piece.d + 18, (uint16_t)id);
		put_be16(piece.d + 20, (uint16_t)(says / 8 | (more ? IP_MF : 0)));
	}
	memcpy(piece.d + head, f->d + front + off, n);
	piece.n = head + n;
	wire_fix_sums(&piece);
	wire_to_card(&piece);
}
/* In pieces, mostly all of them, in any order; some overlap, come twice or reach too far. */
static void wire_in_pieces(const struct frame *f)
{
	bool v6 = get_be16(f->d + 12) == ETH_IPV6, wrong = chance(200);
	unsigned front = v6 ? 54 : 14u + (f->d[14] & 15) * 4u, total = f->n - front, count, step;
	unsigned order[16];
	uint32_t id = chance(200) ? rnd(3) : rnd(65536); /* the same as another's */

	step = MAX(PICK(8, 16, 64, 256, 512, 1280), (total / 16 + 8) & ~7u) & ~7u;
	count = MIN((total + step - 1) / step, 16u);
	for (unsigned k = 0; k < count; k++)
		order[k] = k;
	for (unsigned k = 0; k + 1 < count && rnd(2); k++) {
		unsigned other = k + rnd(count - k), was = order[k];

		order[k] = order[other];
		order[other] = was;
	}
	for (unsigned k = 0; k < count; k++) {
		unsigned off = order[k] * step, n = MIN(step, total - off), says = off;
		bool more = off + n < total;

		if (chance(20))
			continue;
		if (wrong) {
			switch (rnd(12)) {
			case 0: n = MIN(n + 8, total - off); break; /* overlaps */
			case 1: says = PICK(65528, 65520, 60000, 0, off + 8); break;
			case 2: more = !more; break;
			case 3: n -= MIN(n - 1, rnd(8)); break;
			case 4: wire_piece(f, front, off, says, n, more, id); break;
			case 5: wire_piece(f, front, off, says, MIN(n, 8u), more, id); break;
			case 6: wire_piece(f, front, off, says, 0, more, id); break;
			case 7: wire_piece(f, front, 0, 0, MIN(total, 8u), true, id); break;
			}
		}
		wire_piece(f, front, off, says, n, more, id);
	}
}

static void wire_deliver(struct frame *f)
{
	uint16_t type = get_be16(f->d + 12);
	bool ip =
		type == ETH_IPV4 || (type == ETH_IPV6 && f->d[20] >= 6 && f->d[20] != IP6_FRAGMENT);

	if (ip && f->n > 70 && chance(wire_fragments))
		wire_in_pieces(f);
	else
		wire_to_card(f);
}
/* One of the past once more. */
static void wire_again(void)
{
	static struct frame f;
	unsigned k = rnd(MIN(wire_old_count, (unsigned)WIRE_OLD));

	if (!wire_old_count)
		return;
	f.n = wire_old[k].n;
	memcpy(f.d, wire_old[k].d, f.n);
	wire_to_card(&f);
}
#endif
