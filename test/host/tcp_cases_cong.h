/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: timeouts and round trips (RFC 6298), the congestion window (5681, 9438, 9406). */
#ifndef TEST_HOST_TCP_CASES_CONG_H
#define TEST_HOST_TCP_CASES_CONG_H

#include "tcp_case.h"

/* ---- timeouts ---- */

TEST(timeout_begins_again_with_one_segment)
{
	open_with(0, 40);
	write_segments(8);
	SENT(0, 8);
	after(245);
	SENT(0, 1);
	SILENCE();
	CHECK_EQ(sk_of(c)->ssthresh, 8 * SEG * 7 / 10);
	ack("1");
	SENT(1, 3);
	ack("3");
	SENT(3, 7);
	close_all();
}
TEST(timeout_keeps_what_was_sacked)
{
	open_with(O_SACK, 40);
	write_segments(6);
	SENT(0, 6);
	after(40);
	ack("0 sack 1-2 4-5");
	after(60);
	out_clear(); /* what RACK sent is lost as well */
	after(1000);
	out_clear();
	ack("2 sack 4-5"); /* one segment and the one that is news: 2 may go, as on Linux */
	SENT(2, 4);
	SILENCE();
	close_all();
}
/* What SACK had reported has let other data go already; the timeout's slow start begins at one. */
TEST(slow_start_after_a_timeout_does_not_count_what_sack_reported)
{
	open_with(O_SACK, 40);
	set_cwnd(20);
	write_segments(20);
	SENT(0, 20);
	after(40);
	ack("0 sack 1-20");
	SENT(0, 1);
	after(3000); /* lost again, and again */
	CHECK_EQ(ca_state(), CA_LOSS);
	out_clear();
	ack("20");
	CHECK(sk_of(c)->cwnd <= 3 * SEG);
	close_all();
}
TEST(second_timeout_leaves_the_threshold)
{
	open_with(0, 40);
	write_segments(8);
	after(245);
	uint32_t first = sk_of(c)->ssthresh;

	after(500);
	CHECK_EQ(sk_of(c)->retransmits, 2);
	CHECK_EQ(sk_of(c)->ssthresh, first);
	close_all();
}
TEST(karn_keeps_the_backoff_until_there_is_a_sample)
{
	open_with(0, 40);
	write_segments(1);
	SENT(0, 1);
	after(245);
	SENT(0, 1);
	ack("1"); /* which of the two? */
	write_segments(1);
	SENT(1, 2);
	after(470);
	SILENCE();
	after(20);
	SENT(1, 2);
	close_all();
}
TEST(karn_ignores_what_lies_behind_a_filled_hole)
{
	open_with(0, 40);
	write_segments(3);
	SENT(0, 3);
	after(245); /* 1 and 2 arrived at once, but only now that may be said */
	SENT(0, 1);
	after(40);
	ack("3");
	CHECK_EQ(info().tcpi_rtt, 40000);
	close_all();
}
TEST(timestamps_give_a_sample_of_a_retransmission)
{
	open_with(O_TS, 40);
	write_segments(1);
	SENT(0, 1);
	after(245);
	SENT(0, 1);
	after(30);
	ack("1");
	CHECK_EQ(sk_of(c)->backoff, 0);
	close_all();
}
TEST(rto_follows_the_round_trip)
{
	open_with(0, 500);
	CHECK_EQ(info().tcpi_rtt, 500000);
	CHECK_EQ(info().tcpi_rto, 1500000); /* R + 4 * R/2 */
	write_segments(1);
	SENT(0, 1);
	after(1490);
	SILENCE();
	after(20);
	SENT(0, 1);
	close_all();
}
TEST(shortest_round_trip_lives_five_minutes)
{
	static const struct {
		unsigned rtt, wait, min;
	} step[] = { { 10, 0, 10 }, { 60, 0, 10 }, { 60, 299000, 10 }, { 60, 2000, 60 } };

	open_with(0, 40);
	for (unsigned k = 0; k < ARRAY_SIZE(step); k++) {
		char script[8];

		after(step[k].wait);
		meet_peer();
		write_segments(1);
		after(step[k].rtt);
		snprintf(script, sizeof(script), "%u", k + 1);
		ack(script);
		CHECK_EQ(info().tcpi_min_rtt, step[k].min * 1000);
	}
	close_all();
}
TEST(rto_is_at_least_200_ms_over_the_round_trip)
{
	open_with(0, 1);
	write_segments(1);
	SENT(0, 1);
	after(199);
	SILENCE();
	after(5);
	SENT(0, 1);
	close_all();
}
TEST(timer_restarts_with_each_new_acknowledgement)
{
	open_with(0, 40);
	write_segments(3);
	SENT(0, 3);
	after(200);
	ack("1");
	after(200);
	SILENCE();
	close_all();
}

/* ---- the congestion window ---- */

TEST(initial_window_is_ten)
{
	open_with(0, 0);
	write_segments(20);
	SENT(0, 10);
	SILENCE();
	close_all();
}
TEST(a_lost_syn_ack_makes_it_one)
{
	struct seg s;
	uint8_t o[4];

	open_listener();
	size_t n = put_syn(o, 0);

	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = n);
	REQUIRE(sent(&s));
	after(1100);
	EXPECT(s, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
	iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	REQUIRE(accept_next());
	write_segments(5);
	SENT(0, 1);
	SILENCE();
	close_all();
}
TEST(a_window_that_is_not_used_does_not_grow)
{
	open_with(0, 40);
	for (int k = 0; k < 5; k++) {
		char script[8];

		write_segments(1);
		snprintf(script, sizeof(script), "%d", k + 1);
		ack(script);
	}
	CHECK_EQ(sk_of(c)->cwnd, 10 * SEG);
	close_all();
}
TEST(reno_grows_by_a_segment_a_round_trip)
{
	open_with(0, 40);
	socket_setopt(c, SOL_TCP, TCP_CONGESTION, "reno", 4);
	sk_of(c)->ssthresh = 10 * SEG;
	write_segments(40);
	for (int k = 1; k <= 10; k++) {
		char script[8];

		snprintf(script, sizeof(script), "%d", k);
		ack(script);
	}
	CHECK(sk_of(c)->cwnd > 10 * SEG + 900 && sk_of(c)->cwnd <= 11 * SEG);
	close_all();
}
TEST(cubic_comes_back_after_k_seconds)
{
	struct tcp_sock *t;

	open_with(0, 100);
	t = sk_of(c);
	t->cwnd = 100 * SEG;
	t->snd_nxt += 100 * SEG; /* as if in flight */
	t->ssthresh = t->cwnd = t->cong->ssthresh(t);
	t->snd_nxt -= 100 * SEG;
	CHECK_EQ(t->cwnd, 70 * SEG);
	/* K = cbrt(30 / 0.4) = 4.22 s; W(K / 2) = 100 - 0.4 * 2.11^3 = 96.2 */
	for (int k = 0; k <= 42; k++) {
		t->cong->acked(t, t->cwnd);
		if (k == 21)
			CHECK(t->cwnd > 95 * SEG && t->cwnd < 98 * SEG);
		env_now += 100 * NSEC_PER_MSEC;
	}
	CHECK(t->cwnd > 99 * SEG && t->cwnd < 101 * SEG);
	for (int k = 0; k < 42; k++) {
		t->cong->acked(t, t->cwnd);
		env_now += 100 * NSEC_PER_MSEC;
	}
	CHECK(t->cwnd > 125 * SEG && t->cwnd < 135 * SEG); /* and looks for more: 130 */
	close_all();
}
TEST(cubic_is_not_slower_than_reno)
{
	struct tcp_sock *t;

	open_with(0, 1);
	t = sk_of(c);
	t->cwnd = 10 * SEG;
	t->snd_nxt += 10 * SEG;
	t->ssthresh = t->cwnd = t->cong->ssthresh(t);
	t->snd_nxt -= 10 * SEG;
	for (int k = 0; k < 20; k++) { /* 20 ms: nothing for a cube, 10 segments for alpha 0.53 */
		t->cong->acked(t, t->cwnd);
		env_now += NSEC_PER_MSEC;
	}
	CHECK(t->cwnd > 15 * SEG);
	close_all();
}
TEST(cubic_yields_when_it_lost_below_its_last_maximum)
{
	struct tcp_sock *t;

	open_with(0, 1);
	t = sk_of(c);
	t->snd_nxt += 100 * SEG;
	t->cwnd = 100 * SEG;
	t->cong->ssthresh(t);
	CHECK_EQ(t->cubic.w_max, 100 * SEG);
	t->cwnd = 80 * SEG;
	t->cong->ssthresh(t);
	CHECK_EQ(t->cubic.w_max, 80 * SEG * 85 / 100);
	t->snd_nxt -= 100 * SEG;
	close_all();
}
TEST(idle_time_shrinks_the_window_to_the_initial_one)
{
	open_with(0, 40);
	set_cwnd(40);
	write_segments(1);
	SENT(0, 1);
	ack("1");
	sk_of(c)->ssthresh = 5 * SEG;
	after(10000);
	write_segments(40);
	SENT(1, 11);
	SILENCE();
	CHECK_EQ(sk_of(c)->ssthresh, 30 * SEG); /* remembers where it was */
	close_all();
}
TEST(short_idle_time_halves_once)
{
	open_with(0, 40);
	set_cwnd(40);
	write_segments(1);
	SENT(0, 1);
	ack("1");
	after(300); /* one timeout of 240 ms */
	write_segments(40);
	SENT(1, 21);
	SILENCE();
	close_all();
}

/* ---- HyStart++ ---- */

/* A round trip of ms in slow start: all that is in flight is acknowledged, one by one. */
static void slow_start_round(uint64_t ms, unsigned *acked)
{
	unsigned end;

	while (sk_of(c)->write_seq - sk_of(c)->snd_nxt < 60 * SEG)
		CHECK(env_write(c, buf, 20 * SEG, MSG_DONTWAIT) > 0);
	out_clear();
	end = (sk_of(c)->snd_nxt - iss - 1) / SEG;
	after(ms);
	while (*acked < end) {
		char script[16];

		snprintf(script, sizeof(script), "%u", ++*acked);
		ack(script);
	}
	out_clear();
}
TEST(slow_start_doubles_while_the_round_trip_stays)
{
	unsigned acked = 0;

	open_with(0, 40);
	sk_of(c)->i.s.sndbuf = 1000000;
	for (unsigned k = 1; k <= 2; k++) {
		slow_start_round(40, &acked);
		CHECK_EQ(sk_of(c)->cwnd, (10 * SEG) << k);
	}
	close_all();
}
TEST(slow_start_slows_down_when_the_round_trip_grows)
{
	unsigned acked = 0;
	uint32_t before;

	open_with(0, 40);
	sk_of(c)->i.s.sndbuf = 1000000;
	slow_start_round(40, &acked);
	before = sk_of(c)->cwnd;
	slow_start_round(46, &acked); /* more than an eighth */
	CHECK(sk_of(c)->hystart.css);
	/* 7 samples before it is sure count whole, 13 count a quarter */
	CHECK_EQ(sk_of(c)->cwnd, before + 7 * SEG + 13 * SEG / 4);
	close_all();
}
TEST(slow_start_does_not_mind_an_eighth)
{
	unsigned acked = 0;

	open_with(0, 40);
	sk_of(c)->i.s.sndbuf = 1000000;
	slow_start_round(40, &acked);
	slow_start_round(44, &acked);
	CHECK(!sk_of(c)->hystart.css);
	CHECK_EQ(sk_of(c)->cwnd, 40 * SEG);
	close_all();
}
TEST(slow_start_goes_on_after_a_false_alarm)
{
	unsigned acked = 0;

	open_with(0, 40);
	sk_of(c)->i.s.sndbuf = 1000000;
	slow_start_round(40, &acked);
	slow_start_round(60, &acked);
	CHECK(sk_of(c)->hystart.css);
	slow_start_round(41, &acked);
	CHECK(!sk_of(c)->hystart.css);
	CHECK_EQ(sk_of(c)->ssthresh, TCP_SSTHRESH_NONE);
	close_all();
}
TEST(slow_start_is_over_after_five_slow_rounds)
{
	unsigned acked = 0;

	open_with(O_WSCALE, 40);
	sk_of(c)->i.s.sndbuf = 1000000;
	slow_start_round(40, &acked);
	slow_start_round(60, &acked);
	for (int k = 0; k < 4; k++) {
		CHECK_EQ(sk_of(c)->ssthresh, TCP_SSTHRESH_NONE);
		slow_start_round(60, &acked);
	}
	slow_start_round(60, &acked);
	CHECK(sk_of(c)->ssthresh <= sk_of(c)->cwnd);
	close_all();
}
#endif
