/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: finding losses (RFC 8985, 6582) and repairing them (6937, 5681). */
#ifndef TEST_HOST_TCP_CASES_LOSS_H
#define TEST_HOST_TCP_CASES_LOSS_H

#include "tcp_case.h"

/* ---- RACK ---- */

TEST(rack_waits_a_quarter_round_trip_for_reordering)
{
	open_with(O_SACK, 40);
	write_segments(4);
	SENT(0, 4);
	after(40);
	ack("0 sack 1-2");
	after(9);
	SILENCE();
	after(2);
	SENT(0, 1);
	SILENCE();
	CHECK_EQ(ca_state(), CA_RECOVERY);
	close_all();
}
TEST(rack_sees_reordering_and_reduces_nothing)
{
	open_with(O_SACK, 40);
	write_segments(4);
	SENT(0, 4);
	after(40);
	ack("0 sack 1-2");
	after(5);
	ack("2");
	after(30);
	SILENCE();
	CHECK_EQ(ca_state(), CA_OPEN);
	CHECK_EQ(info().tcpi_reord_seen, 1);
	CHECK(sk_of(c)->cwnd >= 10 * SEG);
	close_all();
}
TEST(rack_three_segments_are_enough_while_nothing_reorders)
{
	open_with(O_SACK, 40);
	write_segments(5);
	SENT(0, 5);
	after(40);
	ack("0 sack 1-3");
	SILENCE();
	ack("0 sack 1-4");
	SENT(0, 1);
	SILENCE();
	close_all();
}
static void see_reordering(void)
{
	write_segments(2);
	SENT(0, 2);
	after(40);
	ack("0 sack 1-2");
	ack("2");
	CHECK(sk_of(c)->rack.reordering_seen);
}
TEST(rack_waits_even_for_three_once_it_has_seen_reordering)
{
	open_with(O_SACK, 40);
	see_reordering();
	write_segments(5);
	SENT(2, 7);
	after(40);
	ack("2 sack 3-7");
	after(9);
	SILENCE();
	after(2);
	SENT(2, 3);
	close_all();
}
TEST(rack_window_grows_when_dsack_says_it_was_wrong)
{
	open_with(O_SACK, 40);
	see_reordering();
	ack("2 sack 0-1"); /* a duplicate arrived that we did not need to send */
	write_segments(5);
	SENT(2, 7);
	after(40);
	ack("2 sack 3-7");
	after(19);
	SILENCE();
	after(2);
	SENT(2, 3);
	close_all();
}
TEST(rack_window_grows_once_a_round_trip)
{
	open_with(O_SACK, 40);
	see_reordering();
	write_segments(2);
	SENT(2, 4);
	ack("2 sack 0-1");
	ack("2 sack 0-1");
	CHECK_EQ(sk_of(c)->rack.reo_mult, 1);
	ack("4");
	ack("4 sack 2-3");
	CHECK_EQ(sk_of(c)->rack.reo_mult, 2);
	close_all();
}
TEST(rack_window_is_never_more_than_a_round_trip)
{
	open_with(O_SACK, 40);
	see_reordering();
	sk_of(c)->rack.reo_mult = 200;
	write_segments(5);
	SENT(2, 7);
	after(40);
	ack("2 sack 3-7");
	after(38);
	SILENCE();
	after(4);
	SENT(2, 3);
	close_all();
}
TEST(rack_window_shrinks_after_sixteen_recoveries)
{
	open_with(O_SACK, 40);
	sk_of(c)->rack.reo_mult = 3;
	sk_of(c)->rack.reo_persist = 16;
	for (unsigned k = 0; k < 16; k++) {
		char script[40];

		CHECK_EQ(sk_of(c)->rack.reo_mult, 3);
		set_cwnd(10);
		write_segments(5);
		SENT(5 * k, 5 * k + 5);
		after(40);
		snprintf(script, sizeof(script), "%u sack %u-%u", 5 * k, 5 * k + 1, 5 * k + 5);
		ack(script);
		SENT(5 * k, 5 * k + 1);
		after(40);
		snprintf(script, sizeof(script), "%u", 5 * k + 5);
		ack(script);
		CHECK_EQ(ca_state(), CA_OPEN);
	}
	CHECK_EQ(sk_of(c)->rack.reo_mult, 0);
	close_all();
}
TEST(rack_finds_a_lost_retransmission)
{
	open_with(O_SACK, 40);
	write_segments(14);
	SENT(0, 10);
	after(40);
	ack("0 sack 1-4");
	SENT(0, 1);
	after(1);
	ack("0 sack 1-6");
	SENT(10, 12); /* sent behind the retransmission */
	after(40);
	ack("0 sack 1-12");
	SENT(0, 1);
	close_all();
}
TEST(rack_looks_behind_a_fresh_retransmission)
{
	open_with_ten_out();
	after(40);
	ack("0 sack 1-4");
	SENT(0, 1);
	after(1);
	ack("0 sack 1-4 6-9"); /* 0 is younger than all that, 4 and 5 are not */
	SENT(4, 6);
	SILENCE();
	close_all();
}
TEST(rack_does_not_resend_what_is_only_younger)
{
	open_with(O_SACK, 40);
	write_segments(3);
	SENT(0, 3);
	after(20);
	write_segments(3);
	SENT(3, 6);
	after(20);
	ack("0 sack 1-3"); /* 3 to 5 were sent later than all that has arrived */
	after(12);
	SENT(0, 1);
	SILENCE();
	CHECK_EQ(sk_of(c)->sent_bytes_lost, 0);
	close_all();
}
TEST(rack_ignores_an_answer_faster_than_any_round_trip)
{
	open_with(O_SACK, 40);
	write_segments(5);
	SENT(0, 5);
	after(40);
	ack("0 sack 1-4");
	SENT(0, 1);
	uint64_t before = sk_of(c)->rack.time;

	after(3); /* the original of 0, late */
	ack("1");
	CHECK_EQ(sk_of(c)->rack.time, before);
	close_all();
}
TEST(rack_ignores_an_answer_that_echoes_the_original)
{
	open_with(O_SACK | O_TS, 1);
	write_segments(5);
	SENT(0, 5);
	uint32_t original = peer_echo;

	after(1);
	ack("0 sack 1-4");
	SENT(0, 1);
	uint64_t before = sk_of(c)->rack.time;

	after(50); /* later than the shortest round trip */
	peer_echo = original;
	ack("1");
	CHECK_EQ(sk_of(c)->rack.time, before);
	close_all();
}
TEST(several_holes_are_filled_in_order)
{
	open_with_ten_out();
	after(40);
	ack("0 sack 1-2 3-4 5-10"); /* 0, 2 and 4; ssthresh 7 lets 7 of 10 go */
	SENT(0, 1);
	SENT(2, 3);
	SENT(4, 5);
	SILENCE();
	close_all();
}

/* ---- tail loss probe ---- */

TEST(tail_probe_after_two_round_trips)
{
	open_with(O_SACK, 40);
	write_segments(3);
	SENT(0, 3);
	after(81);
	SILENCE();
	after(2);
	SENT(2, 3);
	SILENCE();
	CHECK_EQ(ca_state(), CA_OPEN);
	CHECK_EQ(sk_of(c)->cwnd, 10 * SEG);
	close_all();
}
TEST(tail_probe_is_new_data_if_there_is_any)
{
	open_with(O_SACK, 40);
	set_cwnd(3);
	write_segments(5);
	SENT(0, 3);
	after(83);
	SENT(3, 4);
	SILENCE();
	close_all();
}
TEST(tail_probe_respects_the_peers_window)
{
	open_with(O_SACK, 40);
	ack_window("0", 3000);
	write_segments(5);
	SENT(0, 3);
	after(83);
	SENT(2, 3); /* no room for 3 */
	close_all();
}
TEST(tail_probe_of_a_lone_segment_allows_for_a_delayed_ack)
{
	open_with(O_SACK, 10);
	write_segments(1);
	SENT(0, 1);
	after(200);
	SILENCE();
	after(11); /* the timeout would be now: the probe takes its place */
	SENT(0, 1);
	CHECK_EQ(ca_state(), CA_OPEN);
	close_all();
}
TEST(tail_probe_only_once_then_the_timeout)
{
	open_with(O_SACK, 40);
	write_segments(3);
	SENT(0, 3);
	after(83);
	SENT(2, 3);
	after(238);
	SILENCE();
	after(3);
	SENT(0, 1);
	SILENCE();
	CHECK_EQ(ca_state(), CA_LOSS);
	close_all();
}
TEST(tail_probe_that_repaired_a_loss_reduces_the_window)
{
	open_with(O_SACK, 40);
	write_segments(3);
	SENT(0, 3);
	after(83);
	SENT(2, 3);
	after(40);
	ack("3");
	write_segments(1);
	SENT(3, 4);
	after(40);
	ack("4");
	CHECK(sk_of(c)->ssthresh < 10 * SEG);
	CHECK_EQ(ca_state(), CA_OPEN);
	close_all();
}
TEST(tail_probe_that_was_a_duplicate_reduces_nothing)
{
	open_with(O_SACK, 40);
	write_segments(3);
	SENT(0, 3);
	after(83);
	SENT(2, 3);
	ack("3");
	after(40);
	ack("3 sack 2-3"); /* both copies arrived */
	write_segments(1);
	after(40);
	ack("4");
	CHECK_EQ(sk_of(c)->ssthresh, 0x7fffffff);
	CHECK_EQ(sk_of(c)->rack.reo_mult, 0);
	close_all();
}
TEST(tail_probe_and_original_acknowledged_together)
{
	open_with(O_SACK, 40);
	write_segments(3);
	SENT(0, 3);
	after(83);
	SENT(2, 3);
	after(40);
	ack("3 sack 2-3");
	write_segments(1);
	after(40);
	ack("4");
	CHECK_EQ(sk_of(c)->ssthresh, 0x7fffffff);
	close_all();
}
TEST(tail_probe_starts_a_recovery)
{
	open_with(O_SACK, 40);
	write_segments(4);
	SENT(0, 4);
	after(83);
	SENT(3, 4);
	after(40);
	ack("1 sack 3-4"); /* so 1 and 2 are lost, long before a timeout */
	SENT(1, 2);
	CHECK_EQ(ca_state(), CA_RECOVERY);
	close_all();
}
TEST(tail_probe_repeats_the_fin)
{
	struct seg s;

	open_with(O_SACK, 10);
	env_write(c, "bye", 3, 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 3);
	ack("0.003");
	socket_shutdown(c, SHUT_WR);
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 4, 1001, 0);
	after(215);
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 4, 1001, 0);
	close_all();
}
TEST(no_tail_probe_without_sack)
{
	open_with(0, 40);
	write_segments(3);
	SENT(0, 3);
	after(235);
	SILENCE();
	after(10);
	SENT(0, 1);
	CHECK_EQ(ca_state(), CA_LOSS);
	close_all();
}
TEST(no_tail_probe_when_all_is_acknowledged)
{
	open_with(O_SACK, 40);
	write_segments(3);
	SENT(0, 3);
	after(40);
	ack("3");
	after(1000);
	SILENCE();
	close_all();
}

/* ---- the scoreboard ---- */

TEST(scoreboard_merges_and_trims)
{
	struct tcp_sock *t;

	open_with(O_SACK, 40);
	t = sk_of(c);
	write_segments(10);
	ack("0 sack 1-2");
	ack("0 sack 3-4 1-2");
	CHECK_EQ(t->sent_bytes_sacked, 2 * SEG);
	CHECK_EQ(t->sent_count, 5);
	ack("0 sack 1-4");
	CHECK_EQ(t->sent_bytes_sacked, 3 * SEG);
	CHECK_EQ(t->sent_count, 3);
	CHECK_EQ(t->sent[1].start, iss + 1 + SEG);
	CHECK_EQ(t->sent[1].end, iss + 1 + 4 * SEG);
	ack("4");
	CHECK_EQ(t->sent_bytes_sacked, 0);
	CHECK_EQ(t->sent->start, iss + 1 + 4 * SEG);
	ack("10");
	CHECK_EQ(t->sent_count, 0);
	close_all();
}
TEST(scoreboard_takes_pieces_of_segments)
{
	open_with(O_SACK, 40);
	write_segments(4);
	ack("0 sack 1.5-2.25");
	CHECK_EQ(sk_of(c)->sent_bytes_sacked, 750);
	ack("1.25");
	CHECK_EQ(sk_of(c)->sent_bytes_sacked, 750);
	ack("2.5");
	CHECK_EQ(sk_of(c)->sent_bytes_sacked, 0);
	close_all();
}
TEST(scoreboard_ignores_nonsense)
{
	open_with(O_SACK, 40);
	write_segments(4);
	ack("2");
	ack("2 sack 3-20");    /* never sent */
	ack("2 sack 4-3");     /* backwards */
	ack("2 sack 3-3");     /* empty */
	ack("2 sack 2-3");     /* would have been acknowledged */
	ack("2 sack 1-3 3-4"); /* begins below the ACK */
	CHECK_EQ(sk_of(c)->sent_bytes_sacked, SEG);
	close_all();
}
TEST(scoreboard_is_bounded)
{
	struct tcp_sock *t;

	open_with(O_SACK, 0);
	t = sk_of(c);
	t->cwnd = 100 * SEG;
	write_segments(60);
	out_clear();
	for (unsigned k = 0; k < 3000; k++) {
		uint8_t o[12] = { 1, 1, TCPOPT_SACK, 10 };

		put_be32(o + 4, iss + 1 + 20 * k + 10);
		put_be32(o + 8, iss + 1 + 20 * k + 20);
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .opt = o, .opt_len = 12);
		CHECK(t->sent_count <= TCP_MAX_SENT);
	}
	CHECK(t->sent_count > TCP_MAX_SENT / 2);
	ack("60");
	CHECK_EQ(t->sent_count, 0);
	CHECK_EQ(t->sent_bytes_sacked + t->sent_bytes_lost + t->sent_bytes_retrans, 0);
	close_all();
}
TEST(a_peer_that_takes_its_sack_back_gets_all_of_it)
{
	open_with(O_SACK, 40);
	write_segments(5);
	SENT(0, 5);
	after(40);
	ack("0 sack 2-5");
	SENT(0, 2);
	after(40);
	ack("2"); /* not 5: it has forgotten */
	CHECK_EQ(sk_of(c)->sent_bytes_sacked, 0);
	after(2000);
	SENT(2, 3);
	close_all();
}

/* ---- recovery ---- */

TEST(recovery_sends_in_proportion_to_what_arrives)
{
	open_with(O_SACK, 40);
	set_cwnd(20);
	write_segments(40);
	SENT(0, 20);
	after(40);
	ack("0 sack 1-4"); /* ssthresh is 14 of 20: 3 arrived, 2.1 may go */
	CHECK_EQ(sk_of(c)->ssthresh, 14 * SEG);
	SENT(0, 1);
	SENT(20, 21);
	SILENCE();
	ack("0 sack 1-5"); /* 2.8 */
	SILENCE();
	ack("0 sack 1-6"); /* 3.5 */
	SENT(21, 22);
	ack("0 sack 1-7"); /* 4.2 */
	SENT(22, 23);
	ack("0 sack 1-8"); /* 4.9 */
	SILENCE();
	close_all();
}
TEST(recovery_ends_with_the_reduced_window)
{
	open_with_ten_out();
	after(40);
	ack("0 sack 1-10");
	SENT(0, 1);
	after(40);
	ack("10");
	CHECK_EQ(ca_state(), CA_OPEN);
	CHECK_EQ(sk_of(c)->cwnd, 7 * SEG);
	close_all();
}
TEST(recovery_of_reno_halves)
{
	open_with(O_SACK, 40);
	CHECK_EQ(socket_setopt(c, SOL_TCP, TCP_CONGESTION, "reno", 4), 0);
	write_segments(10);
	SENT(0, 10);
	after(40);
	ack("0 sack 1-10");
	after(40);
	ack("10");
	CHECK_EQ(sk_of(c)->cwnd, 5 * SEG);
	close_all();
}
TEST(recovery_cut_short_ends_with_the_reduced_window)
{
	open_with(O_SACK, 40);
	CHECK_EQ(socket_setopt(c, SOL_TCP, TCP_CONGESTION, "reno", 4), 0);
	write_segments(10);
	SENT(0, 10);
	after(40);
	ack("0 sack 1-4");
	CHECK_EQ(sk_of(c)->cwnd, 7500); /* on the way: 6 out, half of 3 may go */
	after(40);
	ack("10");
	CHECK_EQ(sk_of(c)->cwnd, 5 * SEG);
	close_all();
}
TEST(one_recovery_reduces_once)
{
	open_with_ten_out();
	after(40);
	ack("0 sack 1-4");
	uint32_t reduced = sk_of(c)->ssthresh;

	ack("0 sack 1-4 5-8");
	ack("0 sack 1-4 5-8 9-10");
	CHECK_EQ(sk_of(c)->ssthresh, reduced);
	close_all();
}
TEST(limited_transmit)
{
	open_with(0, 40);
	set_cwnd(4);
	write_segments(8);
	SENT(0, 4);
	after(40);
	ack("0");
	SENT(4, 5);
	ack("0");
	SENT(5, 6);
	ack("0");
	SENT(0, 1); /* the third duplicate: now it is lost */
	close_all();
}
TEST(newreno_fills_one_hole_with_each_partial_ack)
{
	open_with(0, 40);
	write_segments(10);
	SENT(0, 10);
	after(40);
	for (int k = 0; k < 3; k++)
		ack("0");
	SENT(0, 1);
	after(40);
	ack("4");
	SENT(4, 5);
	after(40);
	ack("7");
	SENT(7, 8);
	ack("10");
	CHECK_EQ(ca_state(), CA_OPEN);
	SILENCE();
	close_all();
}
TEST(newreno_ignores_duplicates_of_its_own_retransmissions)
{
	open_with(0, 40);
	write_segments(5);
	SENT(0, 5);
	after(250); /* timeout: goes back to 0 */
	SENT(0, 1);
	ack("1");
	SENT(1, 3);
	ack("5");
	write_segments(10);
	struct seg s;
	unsigned n = 5;

	while (sent(&s))
		CHECK_EQ(s.seq, iss + 1 + SEG * n++);
	for (int k = 0; k < 4; k++) /* the originals, again (RFC 6582, 3.2 step 2) */
		ack("5");
	CHECK_EQ(ca_state(), CA_OPEN);
	while (sent(&s))
		CHECK(s.seq != iss + 1 + SEG * 5);
	ack("6");
	out_clear();
	for (int k = 0; k < 3; k++) /* these are news */
		ack("6");
	CHECK_EQ(ca_state(), CA_RECOVERY);
	close_all();
}
TEST(window_updates_are_no_duplicates)
{
	open_with(0, 40);
	write_segments(5);
	SENT(0, 5);
	for (int k = 1; k < 6; k++)
		ack_window("0", 10000 + 1000 * k);
	SILENCE();
	CHECK_EQ(sk_of(c)->dupacks, 0);
	close_all();
}
TEST(data_from_the_peer_is_no_duplicate_ack)
{
	open_with(0, 40);
	write_segments(5);
	SENT(0, 5);
	for (int k = 0; k < 5; k++) {
		SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1, .text = "x");
		peer_seq++;
	}
	CHECK_EQ(sk_of(c)->dupacks, 0);
	CHECK_EQ(ca_state(), CA_OPEN);
	close_all();
}
TEST(recovery_across_the_wrap_of_sequence_numbers)
{
	struct linger hard = { 1, 0 };

	open_with(O_SACK, 0); /* to learn how far the numbers are from the wrap */
	socket_setopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	file_put(c);
	out_clear();
	env_run((uint64_t)(uint32_t)(0u - 2500 - iss) << 6);
	connect_from(5000, O_SACK, 0);
	CHECK(iss > 0xfffff000u);
	write_segments(8);
	SENT(0, 8);
	ack("0 sack 1-2");
	ack("0 sack 1-2 3-6");
	SENT(0, 1);
	SENT(2, 3);
	ack("6");
	CHECK_EQ(sk_of(c)->sent_bytes_sacked, 0);
	ack("8");
	CHECK_EQ(ca_state(), CA_OPEN);
	SILENCE();
	close_all();
}
#endif
