/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: segments that are built where the program's bytes lie, and those that cannot be. */
#ifndef TEST_HOST_TCP_CASES_PLACE_H
#define TEST_HOST_TCP_CASES_PLACE_H

#include "tcp_case.h"

/* A card that keeps what it is given, as one does that is slow: the first HELD packets. */
#define HELD 80
static struct packet *held[HELD];
static unsigned held_count;
static uint8_t held_bytes[HELD][2000]; /* as they were given */
static int (*cable_send)(struct netdev *dev, struct packet *p);

static int holding_send(struct netdev *dev, struct packet *p)
{
	struct packet *copy = pkt_linearise(p, 0);

	BUG_ON(held_count == HELD || pkt_total(p) > sizeof(held_bytes[0]));
	held[held_count] = p;
	pkt_copy_out(p, 0, held_bytes[held_count++], pkt_total(p));
	return cable_send(dev, copy);
}
static void hold(void)
{
	held_count = 0;
	cable_send = me.eth.send;
	me.eth.send = holding_send;
}
/* What the card has still to read is what it was given. */
static void check_held(void)
{
	uint8_t now[2000];

	for (unsigned i = 0; i < held_count; i++) {
		size_t n = pkt_total(held[i]);

		pkt_copy_out(held[i], 0, now, n);
		CHECK_MEM(now, held_bytes[i], n);
	}
}
static void let_go(void)
{
	check_held();
	for (unsigned i = 0; i < held_count; i++)
		packet_free(held[i]);
	held_count = 0;
}
static void hold_no_more(void)
{
	let_go();
	me.eth.send = cable_send;
}
static void open_holding(void)
{
	open_with(O_SACK | O_TS, 40);
	set_option(SOL_TCP, TCP_NODELAY, 1);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + i / 256);
	out_clear();
	hold();
}
/* The held packet i is one piece that ends in the bytes of the connection's chunk. */
static bool in_place(unsigned i, const struct tcp_chunk *chunk)
{
	const struct packet *p = held[i];

	return !p->frags && p->data < chunk->data + chunk->start &&
	       p->data + p->len > chunk->data + chunk->start &&
	       p->data + p->len <= chunk->data + chunk->end;
}
static bool ends_with(unsigned i, const void *text, size_t n)
{
	size_t total = pkt_total(held[i]);

	return total >= n && memcmp(held_bytes[i] + total - n, text, n) == 0;
}

TEST(message_goes_out_where_it_lies)
{
	static const size_t sizes[] = { 1, 100, 600, SEG };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		open_holding();
		CHECK_EQ(env_write(c, buf, sizes[i], 0), sizes[i]);
		CHECK_EQ(held_count, 1);
		CHECK(in_place(0, sk_of(c)->chunks));
		CHECK(ends_with(0, buf, sizes[i]));
		hold_no_more();
		out_clear();
		close_all();
	}
}
TEST(sent_again_while_the_first_packet_is_in_the_card)
{
	open_holding();
	CHECK_EQ(env_write(c, buf, 500, 0), 500);
	CHECK(in_place(0, sk_of(c)->chunks));
	after(2000);
	CHECK(held_count > 1);
	for (unsigned i = 1; i < held_count; i++) {
		CHECK(!in_place(i, sk_of(c)->chunks));
		CHECK(ends_with(i, buf, 500));
	}
	hold_no_more();
	out_clear();
	close_all();
}
TEST(sent_again_in_place_when_the_card_is_done)
{
	open_holding();
	CHECK_EQ(env_write(c, buf, 500, 0), 500);
	let_go();
	after(450);
	CHECK_EQ(held_count, 1);
	CHECK(in_place(0, sk_of(c)->chunks));
	CHECK(ends_with(0, buf, 500));
	hold_no_more();
	out_clear();
	close_all();
}
TEST(headers_lie_on_acknowledged_bytes_only_when_nobody_reads_them)
{
	for (int done = 0; done < 2; done++) {
		open_holding();
		CHECK_EQ(env_write(c, buf, SEG, 0), SEG);
		if (done)
			let_go();
		SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1 + 300);
		CHECK_EQ(sk_of(c)->chunks->start, 300);
		unsigned before = held_count;

		after(2000);
		CHECK(held_count > before);
		CHECK_EQ(in_place(before, sk_of(c)->chunks), done);
		CHECK(ends_with(before, buf + 300, SEG - 300));
		hold_no_more();
		out_clear();
		close_all();
	}
}
TEST(answers_in_a_row_have_a_packet_each_up_to_a_bound)
{
	open_holding();
	set_cwnd(64);
	for (unsigned i = 0; i < 70; i++) {
		CHECK_EQ(env_write(c, buf + 10 * i, 10, 0), 10);
		REQUIRE(held_count == i + 1);
		CHECK(ends_with(i, buf + 10 * i, 10));
		if (i < 16)
			CHECK(in_place(i, sk_of(c)->chunk_last));
	}
	CHECK(sk_of(c)->chunk_count <= 34);
	hold_no_more();
	out_clear();
	close_all();
}
TEST(bytes_that_wait_share_a_chunk)
{
	open_holding();
	set_option(SOL_TCP, TCP_CORK, 1);
	for (unsigned i = 0; i < 50; i++)
		CHECK_EQ(env_write(c, buf + 10 * i, 10, 0), 10);
	CHECK_EQ(held_count, 0);
	CHECK_EQ(sk_of(c)->chunk_count, 1);
	set_option(SOL_TCP, TCP_CORK, 0);
	CHECK_EQ(held_count, 1);
	CHECK(in_place(0, sk_of(c)->chunks));
	CHECK(ends_with(0, buf, 500));
	hold_no_more();
	out_clear();
	close_all();
}
#endif
