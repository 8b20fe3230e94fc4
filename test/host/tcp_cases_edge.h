/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP cases: segments at the edges of our window, and what is believed of them. What was asked of
 * Linux with a scripted peer stands here as its answer.
 */
#ifndef TEST_HOST_TCP_CASES_EDGE_H
#define TEST_HOST_TCP_CASES_EDGE_H

#include "tcp_cases_hostile.h"
#include "tcp_cases_window.h"

/* A segment of ours is out; the right edge of the window that the peer was shown. */
static uint32_t open_with_edge(unsigned options)
{
	open_with(options, 0);
	write_segments(1);
	SENT(0, 1);
	return sk_of(c)->rcv_adv;
}

/* ---- the right edge ---- */

static const struct {
	uint8_t flags;
	const char *text;
	bool answered; /* at the edge or before; beyond it all are */
} at_edge[] = {
	{ TCP_ACK, NULL, false },
	{ TCP_ACK | TCP_FIN, NULL, true },
	{ TCP_ACK | TCP_PSH, "x", true },
	{ TCP_ACK | TCP_PSH | TCP_FIN, "x", true },
};
TEST(acks_count_up_to_the_edge_of_the_window)
{
	struct seg s;

	for (unsigned k = 0; k < ARRAY_SIZE(at_edge); k++)
		for (int off = -1; off <= 1; off++) {
			uint32_t edge = open_with_edge(O_SACK);

			SEND(.flags = at_edge[k].flags, .seq = edge + (uint32_t)off,
				.ack = iss + 1 + SEG, .text = at_edge[k].text);
			CHECK_EQ(sk_of(c)->snd_una, off <= 0 ? iss + 1 + SEG : iss + 1);
			CHECK_EQ(sent(&s), at_edge[k].answered || off > 0);
			CHECK_EQ(sk_of(c)->rcv_nxt, 1001);
			CHECK_EQ(sk_of(c)->ooo.count, off < 0 && at_edge[k].text ? 1 : 0);
			CHECK_EQ(state(), TCP_ESTABLISHED);
			close_all();
		}
}
/* It has filled our window, the first of that is lost, and so is something of ours. */
TEST(a_peer_with_a_full_window_repairs_our_losses)
{
	open_with(0, 40);
	set_cwnd(10);
	write_segments(8);
	SENT(0, 8);
	peer_seq = sk_of(c)->rcv_adv;
	for (int k = 0; k < 3; k++)
		ack("1");
	ack("1");
	SENT(1, 2);
	ack("8");
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 8 * SEG);
	close_all();
}
TEST(resets_up_to_the_edge_of_the_window_are_challenged)
{
	struct seg s;

	for (int off = -1; off <= 1; off++) {
		uint32_t edge = open_with_edge(0);

		SEND(.flags = TCP_RST, .seq = edge + (uint32_t)off);
		CHECK_EQ(sent(&s), off <= 0);
		CHECK_EQ(state(), TCP_ESTABLISHED);
		close_all();
	}
}
TEST(urgent_mark_at_the_edge_of_the_window)
{
	uint32_t edge = open_with_edge(0);

	SEND(.flags = TCP_ACK | TCP_URG, .seq = edge, .ack = iss + 1 + SEG, .urgent = 1);
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + SEG);
	CHECK_EQ(sk_of(c)->urg, URG_NOT_YET);
	CHECK_EQ(sk_of(c)->urg_seq, edge);
	close_all();
}

/* ---- a closed window: its edge is the next byte ---- */

/* A segment of ours is out. */
static void open_with_closed_window(void)
{
	open_with(0, 0);
	set_option(SOL_SOCKET, SO_RCVBUF, 8192);
	write_segments(1);
	fill_window();
	sk_of(c)->rcv_adv = sk_of(c)->rcv_nxt;
	out_clear();
}
TEST(fin_without_data_is_taken_in_a_closed_window)
{
	struct seg s;

	open_with_closed_window();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = peer_seq, .ack = iss + 1 + SEG);
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	REQUIRE(sent(&s));
	CHECK_EQ(s.ack, peer_seq + 1);
	close_all();
}
TEST(data_is_refused_in_a_closed_window_but_its_ack_counts)
{
	struct seg s;

	open_with_closed_window();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = peer_seq, .ack = iss + 1 + SEG, .text = "x");
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + SEG);
	CHECK_EQ(sk_of(c)->rcv_nxt, peer_seq);
	REQUIRE(sent(&s));
	CHECK_EQ(s.ack, peer_seq);
	close_all();
}
TEST(reset_is_taken_in_a_closed_window)
{
	open_with_closed_window();
	SEND(.flags = TCP_RST, .seq = peer_seq);
	CHECK_EQ(state(), TCP_CLOSE);
	close_all();
}

/* ---- the left edge ---- */

TEST(an_ack_that_data_has_overtaken_counts)
{
	open_with_edge(0);
	sk_of(c)->quick = 0;
	peer_seq = 1101;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = buf, .len = 100);
	CHECK_EQ(sk_of(c)->rcv_nxt, 1101);
	CHECK_EQ(sk_of(c)->rcv_wup, 1001); /* the ACK is delayed */
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + SEG);
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + SEG);
	SILENCE();
	close_all();
}
TEST(an_ack_from_before_our_last_one_is_answered)
{
	struct seg s;

	open_with_edge(0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "x");
	after(50);
	REQUIRE(sent(&s));
	CHECK_EQ(s.ack, 1002);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + SEG);
	CHECK_EQ(sk_of(c)->snd_una, iss + 1);
	EXPECT(s, TCP_ACK, iss + 1 + SEG, 1002, 0);
	close_all();
}
TEST(the_ack_of_data_that_is_known_counts)
{
	struct seg s;

	open_with_edge(O_SACK);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "x");
	after(50);
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + SEG, .text = "x");
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + SEG);
	EXPECT(s, TCP_ACK, iss + 1 + SEG, 1002, 0);
	CHECK_EQ(s.sacks, 2);
	CHECK_EQ(s.sack[0], 1001);
	CHECK_EQ(s.sack[1], 1002);
	close_all();
}

TEST(dsack_reports_no_more_than_what_came_twice)
{
	struct seg s;

	open_with_edge(O_SACK);
	sk_of(c)->quick = 0;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = buf, .len = 100);
	SILENCE(); /* delayed */
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = buf, .len = 40);
	EXPECT(s, TCP_ACK, iss + 1 + SEG, 1101, 0);
	CHECK_EQ(s.sacks, 2);
	CHECK_EQ(s.sack[1], 1041);
	close_all();
}

/* ---- resets that have not the very next number, and are sound ---- */

TEST(reset_behind_what_came_early)
{
	static const struct {
		unsigned options;
		uint32_t seq;
		bool ends;
	} cases[] = {
		{ O_SACK, 1401, true }, { O_SACK, 1400, false }, { O_SACK, 1402, false },
		{ O_SACK, 1201, false }, /* the end of another block */
		{ 0, 1401, false },	 /* not told */
	};
	struct seg s;

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		open_with(cases[k].options, 0);
		SEND(.flags = TCP_ACK, .seq = 1101, .ack = iss + 1, .text = buf, .len = 100);
		SEND(.flags = TCP_ACK, .seq = 1301, .ack = iss + 1, .text = buf, .len = 100);
		out_clear();
		SEND(.flags = TCP_RST, .seq = cases[k].seq);
		CHECK_EQ(state() == TCP_CLOSE, cases[k].ends);
		CHECK_EQ(sent(&s), !cases[k].ends);
		close_all();
	}
}

/* ---- answers are limited: two ends that disagree must not go on for ever ---- */

TEST(answers_to_what_is_not_data_are_limited)
{
	static const struct {
		uint8_t flags;
		uint32_t seq, ack;
	} cases[] = {
		{ TCP_ACK, 1001, 5000 },    /* of what was never sent */
		{ TCP_ACK, 1001, -100000 }, /* older than any window */
		{ TCP_ACK, 400000, 1 },	    /* beyond the window */
		{ TCP_ACK, 900, 1 },	    /* before it */
		{ TCP_SYN, 400000, 1 },
		{ TCP_SYN | TCP_ACK, 1000, 1 },
	};
	struct seg s;

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		unsigned n = 0;

		open_with(0, 0);
		for (int i = 0; i < 50; i++)
			SEND(.flags = cases[k].flags, .seq = cases[k].seq,
				.ack = iss + cases[k].ack);
		while (sent(&s))
			n++;
		CHECK_EQ(n, 10);
		close_all();
	}
}

/* ---- timestamps ---- */

static void say_at(uint32_t stamp, uint32_t seq, uint32_t acked)
{
	uint8_t o[12];

	put_ts(o);
	put_be32(o + 4, stamp);
	SEND(.flags = TCP_ACK, .seq = seq, .ack = acked, .text = "x", .opt = o, .opt_len = 12);
}
/* Else a guess of the window alone would silence the peer for 24 days. */
TEST(a_timestamp_is_not_believed_without_a_plausible_ack)
{
	uint32_t before;

	open_with(O_TS, 0);
	before = sk_of(c)->ts_recent;
	say_at(before + 0x70000000, 1001, iss - 1000000);
	say_at(before + 0x70000000, 1001, iss + 5000);
	CHECK_EQ(sk_of(c)->ts_recent, before);
	say_at(before + 1, 1001, iss + 1);
	CHECK_EQ(sk_of(c)->ts_recent, before + 1);
	CHECK_EQ(env_read(c, buf, 10, 0), 1);
	close_all();
}
TEST(the_echo_goes_on_after_a_long_sleep)
{
	uint32_t stamp;
	struct seg s;

	open_with(O_TS, 0);
	env_now += 25ull * 86400 * NSEC_PER_SEC; /* the peer's clock may have gone round */
	meet_peer();
	stamp = sk_of(c)->ts_recent - 1000;
	say_at(stamp, 1001, iss + 1);
	REQUIRE(sent(&s));
	CHECK_EQ(s.ts_ecr, stamp);
	say_at(stamp - 1, 1002, iss + 1); /* and old ones are old again */
	CHECK_EQ(env_read(c, buf, 10, 0), 1);
	close_all();
}

/* ---- the peer's window ---- */

TEST(probes_of_a_closed_window_do_not_slow_what_follows)
{
	struct seg s;
	uint64_t start;

	open_with(0, 1);
	write_segments(1); /* a round trip */
	after(1);
	ack_window("1", -1);
	out_clear();
	write_segments(1);
	after(20000);
	CHECK(sk_of(c)->probes >= 5);
	meet_peer();
	ack("1");
	SENT(1, 2);
	start = env_now; /* and is lost */
	while (!out_first && env_step(start + 100 * NSEC_PER_SEC))
		;
	REQUIRE(sent(&s));
	CHECK_EQ(s.len, SEG);
	CHECK(env_now - start < NSEC_PER_SEC);
	close_all();
}
/* Taken back to nothing over what is in flight: retransmissions are the probes. */
static void open_with_window_taken_back(void)
{
	open_with(O_SACK, 1);
	write_segments(3);
	SENT(0, 3);
	after(1);
	ack_window("1", -1);
}
TEST(window_taken_back_is_outlived_while_the_peer_answers)
{
	struct seg s;

	open_with_window_taken_back();
	for (int k = 0; k < 60; k++) { /* two hours */
		after(120000);
		while (sent(&s))
			ack_window("1", -1);
		meet_peer();
	}
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK_EQ(sk_of(c)->mss, SEG);
	ack("1");
	out_clear();
	ack("3");
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 3 * SEG);
	close_all();
}
TEST(window_taken_back_without_answers_times_out)
{
	open_with_window_taken_back();
	for (int k = 0; k < 30; k++) {
		after(120000);
		out_clear();
		meet_peer(); /* somebody has its address, and says nothing */
	}
	CHECK_EQ(state(), TCP_CLOSE);
	CHECK_EQ(env_read(c, buf, 1, 0), -ETIMEDOUT);
	close_all();
}
#endif
