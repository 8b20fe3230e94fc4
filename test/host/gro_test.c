/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Merging of received segments, rule by rule (G1 to G5 in gro.c), and with random batches against
 * the plain truth: what comes out, taken apart, is what went in.
 */
/* sources: $(HOST_GRO) src/drivers/netdev.c src/lib/string.c src/lib/format.c */
/* flags: -D_GNU_SOURCE */
#include "t.h"
#include "bug_host.h"
#include "heap_host.h"

#include "abi/net.h"
#include "abi/socket.h"
#include "file/iter.h"
#include "net/packet.h"
#include "net/rx.h"

void mutex_lock(struct mutex *m)
{
}
void mutex_unlock(struct mutex *m)
{
}
size_t iter_copy_to(struct iter *to, const void *from, size_t n)
{
	abort();
}

#define MSS 100u

/* One frame as it lies on the wire; what a case wants otherwise it changes before build(). */
struct shape {
	bool v6, vouched, bad_sum, bad_ip_sum;
	uint16_t sport, id, window, urgent, frag;
	uint32_t seq, ack, stamp;
	uint8_t flags, tos, ttl, from, reserved, version_ihl;
	unsigned n, padding, missing;
	bool stamps;
};
static struct shape basic(uint32_t seq)
{
	return (struct shape){ .sport = 4000,
		.id = (uint16_t)(7 + seq / MSS),
		.window = 500,
		.frag = IP_DF,
		.seq = seq,
		.ack = 77,
		.flags = TCP_ACK,
		.ttl = 64,
		.n = MSS,
		.version_ihl = 0x45 };
}

static uint8_t byte_at(uint16_t sport, uint32_t seq)
{
	return (uint8_t)(seq * 31 + seq / 256 + sport);
}

static unsigned put_ip_header(uint8_t *ip, const struct shape *s, unsigned l4)
{
	uint16_t sum;

	memset(ip, 0, 40);
	if (s->v6) {
		put_be32(ip, 6u << 28 | (uint32_t)s->tos << 20);
		put_be16(ip + 4, (uint16_t)l4);
		ip[6] = IPPROTO_TCP;
		ip[7] = s->ttl;
		ip[8] = ip[24] = 0x20;
		ip[23] = 1;
		ip[39] = 2;
		return 40;
	}
	ip[0] = s->version_ihl;
	ip[1] = s->tos;
	put_be16(ip + 2, (uint16_t)(20 + l4));
	put_be16(ip + 4, s->id);
	put_be16(ip + 6, s->frag);
	ip[8] = s->ttl;
	ip[9] = IPPROTO_TCP;
	put_be32(ip + 12, 0x0a000001);
	put_be32(ip + 16, 0x0a000002);
	sum = csum_fold(csum_add(0, ip, 20));
	memcpy(ip + 10, &sum, 2);
	ip[10] ^= s->bad_ip_sum;
	return 20;
}

static uint32_t pseudo(const uint8_t *ip, bool v6, unsigned l4)
{
	uint32_t src, dst;

	if (v6)
		return csum_pseudo6(ip_from_bytes(ip + 8), ip_from_bytes(ip + 24), IPPROTO_TCP, l4);
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	return csum_pseudo(src, dst, IPPROTO_TCP, l4);
}

static struct packet *build(const struct shape *s)
{
	unsigned options = s->stamps ? 12 : 0, l4 = 20 + options + s->n;
	struct packet *p = packet_alloc(0, 14 + 40 + l4 + s->padding);
	uint8_t *at = p->data, *tcp;
	uint16_t sum;

	memset(at, 2, 12);
	at[11] = s->from;
	put_be16(at + 12, s->v6 ? ETH_IPV6 : ETH_IPV4);
	tcp = at + 14 + put_ip_header(at + 14, s, l4);
	memset(tcp, 0, 20);
	put_be16(tcp, s->sport);
	put_be16(tcp + 2, 80);
	put_be32(tcp + 4, s->seq);
	put_be32(tcp + 8, s->ack);
	tcp[12] = (uint8_t)((20 + options) / 4 << 4 | s->reserved);
	tcp[13] = s->flags;
	put_be16(tcp + 14, s->window);
	put_be16(tcp + 18, s->urgent);
	if (s->stamps) {
		put_be32(tcp + 20, 0x0101080a);
		put_be32(tcp + 24, s->stamp);
		put_be32(tcp + 28, 5);
	}
	for (unsigned i = 0; i < s->n; i++)
		tcp[20 + options + i] = byte_at(s->sport, s->seq + i);
	sum = csum_fold(csum_add(pseudo(at + 14, s->v6, l4), tcp, l4));
	memcpy(tcp + 16, &sum, 2);
	tcp[16] ^= s->bad_sum;
	memset(tcp + l4, 0, s->padding);
	packet_put(p, (size_t)(tcp + l4 - at) + s->padding - s->missing);
	p->csum_flags = s->vouched ? PACKET_CSUM_VALID : PACKET_CSUM_NONE;
	p->queue = 3;
	return p;
}

static struct packet *batch_of(const struct shape *s, unsigned count)
{
	struct packet *list = NULL, **tail = &list;

	for (unsigned i = 0; i < count; i++) {
		*tail = build(&s[i]);
		tail = &(*tail)->next;
	}
	return list;
}
static unsigned length(const struct packet *list)
{
	unsigned n = 0;

	for (; list; list = list->next)
		n++;
	return n;
}

/* p is the merged packet of these bytes. */
static void check_merged(const struct packet *p, const struct shape *s, uint32_t bytes)
{
	unsigned ip = s->v6 ? 40 : 20, headers = 14 + ip + 20 + (s->stamps ? 12 : 0);
	uint8_t got[70000];

	REQUIRE(pkt_total(p) == headers + bytes);
	pkt_copy_out(p, 0, got, headers + bytes);
	for (uint32_t i = 0; i < bytes; i++)
		REQUIRE(got[headers + i] == byte_at(s->sport, s->seq + i));
	CHECK_EQ(get_be32(got + 14 + ip + 4), s->seq);
	CHECK_EQ(p->gso_size, s->n);
	CHECK_EQ(p->gso_type, s->v6 ? PACKET_GSO_TCP6 : PACKET_GSO_TCP4);
	CHECK_EQ(p->header_len, headers);
	CHECK_EQ(p->csum_flags, PACKET_CSUM_VALID);
	CHECK_EQ(p->queue, 3);
	if (s->v6) {
		CHECK_EQ(get_be16(got + 18), headers - 54 + bytes);
		return;
	}
	CHECK_EQ(get_be16(got + 16), headers - 14 + bytes);
	CHECK_EQ(csum_fold(csum_add(0, got + 14, 20)), 0);
	CHECK_EQ(get_be16(got + 18), s->id);
}

/* Three that follow each other. */
static void three(bool v6, bool stamps, bool vouched)
{
	struct shape s[3];
	struct packet *list;

	for (unsigned i = 0; i < 3; i++) {
		s[i] = basic(0xffffff80u + i * MSS); /* over the end of the numbers */
		s[i].id = (uint16_t)(0xfffe + i);
		s[i].v6 = v6;
		s[i].stamps = stamps;
		s[i].vouched = vouched;
	}
	s[2].n = 1; /* G3: the last may be smaller */
	s[2].flags |= TCP_PSH;
	list = gro_receive(batch_of(s, 3));
	CHECK_EQ(length(list), 1);
	check_merged(list, &s[0], 2 * MSS + 1);
	CHECK_EQ(list->data[14 + (v6 ? 40 : 20) + 13], TCP_ACK | TCP_PSH);
	pkt_free_list(list);
}
TEST(segments_in_order_are_one)
{
	for (int i = 0; i < 8; i++)
		three(i & 1, i & 2, i & 4);
	CHECK_EQ(t_live(), 0);
}

/* Second and first do not become one, and neither is touched. */
static void apart(const char *why, struct shape first, struct shape second)
{
	struct shape s[2] = { first, second };
	struct packet *was = batch_of(s, 2), *list = gro_receive(batch_of(s, 2));

	if (length(list) != 2)
		T_FAIL("%s: merged", why);
	for (struct packet *p = list, *q = was; p && q; p = p->next, q = q->next)
		if (p->len != q->len || memcmp(p->data, q->data, q->len) != 0 || p->gso_size ||
			p->frags)
			T_FAIL("%s: changed", why);
	pkt_free_list(list);
	pkt_free_list(was);
}
#define APART(change)                                                                              \
	do {                                                                                       \
		for (int v6 = 0; v6 < 2; v6++) {                                                   \
			struct shape a = basic(0), b = basic(MSS);                                 \
			a.v6 = b.v6 = v6;                                                          \
			change;                                                                    \
			apart(#change, a, b);                                                      \
		}                                                                                  \
	} while (0)
#define APART4(change)                                                                             \
	do {                                                                                       \
		struct shape a = basic(0), b = basic(MSS);                                         \
		change;                                                                            \
		apart(#change, a, b);                                                              \
	} while (0)

TEST(other_bytes_stay_apart)
{
	APART(b.seq++);
	APART(b.seq--);
	APART(b.seq = 0);
	APART(b.n = 0);
	APART(a.n = 0; b.seq = 0);
	APART(b.n = MSS + 1);
	APART(b.sport++);
}
TEST(what_tcp_must_see_stays_apart)
{
	APART(b.flags |= TCP_FIN);
	APART(b.flags |= TCP_SYN);
	APART(b.flags |= TCP_RST);
	APART(b.flags |= TCP_URG);
	APART(b.flags |= 0x40); /* ECE */
	APART(b.flags |= 0x80); /* CWR */
	APART(b.flags = TCP_PSH);
	APART(a.flags |= TCP_FIN);
	APART(a.flags |= TCP_URG; b.flags |= TCP_URG);
	APART(a.flags |= 0x80);
	APART(a.flags |= TCP_PSH);
	APART(b.ack++);
	APART(b.window++);
	APART(b.urgent++);
	APART(b.reserved = 1);
	APART(a.reserved = b.reserved = 1);
	APART(a.stamps = b.stamps = true; b.stamp++);
	APART(b.stamps = true);
	APART(b.tos = 1);
	APART(b.tos = 4);
	APART(b.ttl--);
	APART(b.from++);
}
TEST(strange_packets_stay_apart)
{
	APART(b.padding = 1);
	APART(b.missing = 1);
	APART(a.vouched = b.vouched = true; b.n = MSS / 2; b.padding = 6);
	APART(a.vouched = b.vouched = true; b.missing = 1);
	APART(a.vouched = b.vouched = true; a.missing = 1; b.n = MSS / 2);
	APART4(b.missing = MSS + 25);
	APART4(b.frag = 0);
	APART4(a.frag = 0; a.id = b.id);
	APART4(a.frag = b.frag = 0; b.id = a.id);
	APART4(a.frag = b.frag = 0; b.id += 1);
	APART4(b.frag |= IP_MF);
	APART4(b.frag |= 1);
	APART4(b.frag |= 0x8000);
	APART4(a.frag |= IP_MF; b.frag |= IP_MF);
	APART4(b.id += 1);
	APART4(b.id -= 2);
	APART4(b.version_ihl = 0x46);
	APART4(a.version_ihl = b.version_ihl = 0x65);
}
TEST(bad_checksums_stay_apart)
{
	APART(b.bad_sum = true);
	APART(a.bad_sum = true);
	APART4(b.bad_ip_sum = true);
	APART4(a.bad_ip_sum = true);
	APART4(a.bad_ip_sum = b.bad_ip_sum = true; a.vouched = b.vouched = true);
	struct shape s[2] = { basic(0), basic(MSS) }; /* the card knows better */

	s[0].vouched = s[1].vouched = s[0].bad_sum = s[1].bad_sum = true;
	struct packet *list = gro_receive(batch_of(s, 2));

	CHECK_EQ(length(list), 1);
	pkt_free_list(list);
}

/* Which of a batch came out, as "first:bytes" words. */
static const char *flatten(struct packet *list)
{
	static char text[4096];
	size_t at = 0;

	text[0] = 0;
	for (struct packet *p = list; p; p = p->next)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u/%u:%u", at ? " " : "",
			get_be16(p->data + 34), get_be32(p->data + 38) / MSS,
			(unsigned)(pkt_total(p) - 54) / MSS);
	pkt_free_list(list);
	return text;
}
static struct shape of(uint16_t sport, unsigned number)
{
	struct shape s = basic(number * MSS);

	s.sport = sport;
	return s;
}
TEST(flows_keep_their_order)
{
	struct shape two[] = { of(1, 0), of(2, 0), of(1, 1), of(2, 1), of(1, 2) };
	struct shape swapped[] = { of(1, 0), of(1, 2), of(1, 1), of(1, 3) };
	struct shape twice[] = { of(1, 0), of(1, 0), of(1, 1), of(1, 1) };
	struct shape fragment[] = { of(1, 0), of(1, 9), of(1, 1) };
	struct shape ack[] = { of(1, 0), of(1, 1), of(1, 1), of(1, 2) };
	struct shape many[40];

	CHECK_STR(flatten(gro_receive(batch_of(two, 5))), "1/0:3 2/0:2");
	CHECK_STR(flatten(gro_receive(batch_of(swapped, 4))), "1/0:1 1/2:1 1/1:1 1/3:1");
	CHECK_STR(flatten(gro_receive(batch_of(twice, 4))), "1/0:1 1/0:2 1/1:1");
	fragment[1].frag = IP_MF; /* of whatever flow */
	CHECK_STR(flatten(gro_receive(batch_of(fragment, 3))), "1/0:1 1/9:1 1/1:1");
	ack[1].n = 0; /* the peer's acknowledgement, between its data */
	CHECK_STR(flatten(gro_receive(batch_of(ack, 4))), "1/0:1 1/1:0 1/1:2");
	for (unsigned i = 0; i < 40; i++) /* more flows than are looked at */
		many[i] = of((uint16_t)(1 + i % 20), i / 20);
	struct packet *list = gro_receive(batch_of(many, 40));

	CHECK(length(list) >= 40 - 8);
	for (struct packet *p = list; p; p = p->next)
		CHECK(get_be32(p->data + 38) == 0 || pkt_total(p) == 54 + MSS);
	pkt_free_list(list);
}
TEST(push_and_small_ones_end)
{
	struct shape s[] = { of(1, 0), of(1, 1), of(1, 2), of(1, 3) };

	s[1].flags |= TCP_PSH;
	CHECK_STR(flatten(gro_receive(batch_of(s, 4))), "1/0:2 1/2:2");
	s[1].flags = TCP_ACK;
	s[1].n = 50;
	s[2].seq = s[1].seq + 50;
	s[3].seq = s[2].seq + MSS;
	struct packet *list = gro_receive(batch_of(s, 4));

	CHECK_EQ(length(list), 2);
	check_merged(list, &s[0], MSS + 50);
	check_merged(list->next, &s[2], 2 * MSS);
	pkt_free_list(list);
}
TEST(no_longer_than_a_header_can_say)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct shape s[50];
		struct packet *list;

		for (unsigned i = 0; i < 50; i++) {
			s[i] = basic(0);
			s[i].v6 = v6;
			s[i].id = (uint16_t)i;
			s[i].n = 1448;
			s[i].seq = i * 1448;
		}
		list = gro_receive(batch_of(s, 50));
		CHECK_EQ(length(list), 2);
		check_merged(list, &s[0], 45 * 1448);
		check_merged(list->next, &s[45], 5 * 1448);
		pkt_free_list(list);
	}
}
TEST(identification)
{
	struct shape s[] = { of(1, 0), of(1, 1), of(1, 2), of(1, 3) };

	for (int i = 0; i < 4; i++)
		s[i].id = 5; /* without fragments: one value is as good as another */
	CHECK_STR(flatten(gro_receive(batch_of(s, 4))), "1/0:4");
	s[2].id = 6; /* but it is one or the other */
	s[3].id = 7;
	CHECK_STR(flatten(gro_receive(batch_of(s, 4))), "1/0:2 1/2:2");
	for (int i = 0; i < 4; i++) {
		s[i].id = (uint16_t)(5 + i);
		s[i].frag = 0;
	}
	CHECK_STR(flatten(gro_receive(batch_of(s, 4))), "1/0:4");
	s[3].id = 7;
	CHECK_STR(flatten(gro_receive(batch_of(s, 4))), "1/0:3 1/3:1");
}

/* What a card merged stays as it is, and nothing joins it. */
TEST(a_cards_own_merging)
{
	struct shape s[] = { of(1, 0), of(1, 1), of(1, 2) };
	struct packet *batch = batch_of(s, 3), *list;

	batch->next->gso_type = PACKET_GSO_TCP4;
	batch->next->gso_size = 50;
	list = gro_receive(batch);
	CHECK_EQ(length(list), 3);
	CHECK_EQ(list->next->gso_size, 50);
	pkt_free_list(list);
	batch = batch_of(s, 3);
	batch->frags = build(&s[0]); /* a long packet in two buffers */
	list = gro_receive(batch);
	CHECK_EQ(length(list), 2);
	CHECK(!list->gso_size && list->next->gso_size);
	pkt_free_list(list);
}

/* --- random batches --- */

#define FLOWS_N 3
static unsigned long seed = 11;
static unsigned rnd(unsigned n)
{
	return (unsigned)(t_random(&seed) % n);
}

static struct shape random_shape(uint32_t *next)
{
	unsigned flow = rnd(FLOWS_N);
	struct shape s = basic(next[flow]);

	s.v6 = flow == 2;
	s.sport = (uint16_t)(1 + flow);
	s.id = (uint16_t)(next[flow] / MSS);
	s.n = rnd(6) ? MSS : rnd(MSS + 20);
	switch (rnd(12)) {
	case 0: s.seq += rnd(3) * MSS; break;
	case 1: s.flags = (uint8_t)rnd(256); break;
	case 2: s.ack += rnd(2); break;
	case 3: s.bad_sum = rnd(2); break;
	case 4: s.frag = (uint16_t)(rnd(8) << 13); break;
	case 5: s.padding = rnd(4); break;
	case 6: s.stamps = true; break;
	case 7: s.vouched = true; break;
	}
	next[flow] = s.seq + s.n;
	return s;
}

/* The packets of one flow, cut again at gso_size: TCP's bytes with their numbers, in order. */
struct part {
	uint32_t seq, n;
	uint8_t flags;
	bool bad;
};
static bool right(const struct packet *p, unsigned ip)
{
	unsigned l4 = p->len - 14 - ip;

	return p->csum_flags == PACKET_CSUM_VALID ||
	       csum_fold(csum_add(pseudo(p->data + 14, ip == 40, l4), p->data + 14 + ip, l4)) == 0;
}
static unsigned pieces(const struct packet *list, uint16_t sport, struct part *out)
{
	unsigned count = 0;

	for (; list; list = list->next) {
		unsigned ip = get_be16(list->data + 12) == ETH_IPV6 ? 40 : 20;
		const uint8_t *tcp = list->data + 14 + ip;
		uint32_t left = (uint32_t)pkt_total(list) - 14 - ip - (tcp[12] >> 4) * 4,
			 seq = get_be32(tcp + 4);

		if (get_be16(tcp) != sport)
			continue;
		do {
			uint32_t n = list->gso_size ? MIN(left, (uint32_t)list->gso_size) : left;

			out[count++] = (struct part){ seq, n, tcp[13] & (left > n ? ~TCP_PSH : ~0),
				!right(list, ip) };
			seq += n;
			left -= n;
		} while (left);
	}
	return count;
}

TEST(random_batches_taken_apart_are_what_went_in)
{
	static struct part a[64], b[64];
	unsigned long merged = 0;

	for (int round = 0; round < 6000; round++) {
		struct shape s[64];
		unsigned count = 2 + rnd(40);
		uint32_t next[FLOWS_N] = { rnd(1000) * MSS, 0u - rnd(2000), rnd(5000) };
		struct packet *was, *list;

		for (unsigned i = 0; i < count; i++)
			s[i] = random_shape(next);
		was = batch_of(s, count);
		list = gro_receive(batch_of(s, count));
		merged += count - length(list);
		for (uint16_t sport = 1; sport <= FLOWS_N; sport++) {
			unsigned n = pieces(was, sport, a), m = pieces(list, sport, b);

			REQUIRE(n == m);
			for (unsigned i = 0; i < n; i++) {
				CHECK_EQ(a[i].seq, b[i].seq);
				CHECK_EQ(a[i].n, b[i].n);
				CHECK_EQ(a[i].flags, b[i].flags);
				CHECK_EQ(a[i].bad, b[i].bad);
			}
		}
		pkt_free_list(was);
		pkt_free_list(list);
	}
	CHECK(merged > 15000);
	CHECK_EQ(t_live(), 0);
}

TEST(mutated_frames)
{
	for (int round = 0; round < 8000; round++) {
		struct shape s[8];
		uint32_t next[FLOWS_N] = { 0, 0, 0 };
		struct packet *batch;
		size_t bytes = 0, out = 0;

		for (unsigned i = 0; i < 8; i++)
			s[i] = random_shape(next);
		batch = batch_of(s, 8);
		for (struct packet *p = batch; p; p = p->next) {
			for (unsigned i = rnd(4); i; i--)
				p->data[rnd(p->len)] = (uint8_t)t_random(&seed);
			if (rnd(4) == 0)
				p->len = rnd(p->len + 1);
			p->csum_flags = (uint8_t)(rnd(2) ? PACKET_CSUM_VALID : PACKET_CSUM_NONE);
			bytes += p->len;
		}
		batch = gro_receive(batch);
		for (struct packet *p = batch; p; p = p->next)
			out += pkt_total(p);
		CHECK(out <= bytes && length(batch) <= 8);
		pkt_free_list(batch);
	}
	CHECK_EQ(t_live(), 0);
}
