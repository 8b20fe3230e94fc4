/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: reductions that were wrong and are taken back (RFC 3522, 3708, 4015, 5682). */
#ifndef TEST_HOST_TCP_CASES_SPURIOUS_H
#define TEST_HOST_TCP_CASES_SPURIOUS_H

#include "tcp_case.h"

/* 10 segments out, 0 is taken for lost and sent again; the rest has arrived. */
static void false_alarm(unsigned options, uint32_t *original)
{
	open_with(options, 40);
	write_segments(10);
	SENT(0, 10);
	*original = peer_echo;
	after(40);
	ack("0 sack 1-10");
	SENT(0, 1);
	CHECK_EQ(ca_state(), CA_RECOVERY);
	after(5);
}
TEST(eifel_undoes_a_recovery_by_timestamp)
{
	uint32_t original;

	false_alarm(O_SACK | O_TS, &original);
	peer_echo = original;
	ack("10");
	CHECK_EQ(ca_state(), CA_OPEN);
	CHECK_EQ(sk_of(c)->cwnd, 10 * SEG);
	CHECK_EQ(sk_of(c)->ssthresh, 0x7fffffff);
	close_all();
}
TEST(eifel_believes_the_retransmissions_timestamp)
{
	uint32_t original;

	false_alarm(O_SACK | O_TS, &original);
	ack("10"); /* echoes the retransmission */
	CHECK_EQ(sk_of(c)->cwnd, 7 * SEG);
	CHECK_EQ(sk_of(c)->ssthresh, 7 * SEG);
	close_all();
}
TEST(dsack_undoes_a_recovery)
{
	uint32_t original;

	false_alarm(O_SACK, &original);
	ack("10 sack 0-1");
	CHECK_EQ(sk_of(c)->cwnd, 10 * SEG);
	CHECK_EQ(sk_of(c)->ssthresh, 0x7fffffff);
	close_all();
}
TEST(dsack_after_the_recovery_undoes_it_too)
{
	uint32_t original;

	false_alarm(O_SACK, &original);
	ack("10");
	CHECK_EQ(sk_of(c)->cwnd, 7 * SEG);
	after(5);
	ack("10 sack 0-1");
	CHECK_EQ(sk_of(c)->cwnd, 10 * SEG);
	close_all();
}
TEST(dsack_of_a_part_undoes_nothing)
{
	open_with_ten_out();
	after(40);
	ack("0 sack 2-10");
	SENT(0, 2);
	after(5);
	ack("10 sack 0-1"); /* but 1 was lost */
	CHECK_EQ(sk_of(c)->cwnd, 7 * SEG);
	close_all();
}
TEST(dsack_of_old_data_undoes_nothing)
{
	uint32_t original;

	open_with(O_SACK, 40);
	write_segments(1);
	SENT(0, 1);
	ack("1");
	write_segments(9);
	after(40);
	ack("1 sack 2-10");
	(void)original;
	ack("10 sack 0-1"); /* from before the recovery */
	CHECK(sk_of(c)->ssthresh < 10 * SEG);
	close_all();
}
/* 4 segments out, then silence until the timeout; 0 goes out again. */
static void false_timeout(unsigned options)
{
	open_with(options, 40);
	set_cwnd(4);
	write_segments(12);
	SENT(0, 4);
	after(83);
	if (options & O_SACK)
		SENT(4, 5); /* the tail's probe */
	after(245);
	SENT(0, 1);
	SILENCE();
	CHECK_EQ(ca_state(), CA_LOSS);
}
TEST(frto_undoes_a_timeout_that_was_only_a_delay)
{
	false_timeout(O_SACK);
	ack("1");
	SENT(5, 7); /* new data instead of 1 to 4 */
	SILENCE();
	ack("2"); /* 1 was never sent again: the originals arrive */
	CHECK_EQ(ca_state(), CA_OPEN);
	CHECK(sk_of(c)->cwnd >= 4 * SEG);
	CHECK_EQ(sk_of(c)->ssthresh, 0x7fffffff);
	CHECK_EQ(sk_of(c)->sent_bytes_lost, 0);
	close_all();
}
TEST(frto_sees_a_true_timeout)
{
	false_timeout(O_SACK);
	ack("1");
	SENT(5, 7);
	ack("1 sack 5-6"); /* only the new data arrived */
	CHECK_EQ(ca_state(), CA_LOSS);
	struct seg s;

	REQUIRE(sent(&s));
	CHECK_EQ(s.seq, iss + 1 + SEG);
	close_all();
}
TEST(frto_without_new_data_goes_on_as_usual)
{
	open_with(O_SACK, 40);
	write_segments(4);
	SENT(0, 4);
	after(83);
	SENT(3, 4);
	after(245);
	SENT(0, 1);
	ack("1");
	SENT(1, 3);
	CHECK_EQ(ca_state(), CA_LOSS);
	close_all();
}
TEST(frto_is_not_tried_without_sack)
{
	false_timeout(0);
	ack("1"); /* it may hold more than it can say */
	SENT(1, 3);
	CHECK_EQ(ca_state(), CA_LOSS);
	close_all();
}
TEST(eifel_undoes_a_timeout_without_sack)
{
	uint32_t original;

	open_with(O_TS, 40);
	write_segments(4);
	SENT(0, 4);
	original = peer_echo;
	after(245);
	SENT(0, 1);
	peer_echo = original;
	ack("1");
	CHECK_EQ(ca_state(), CA_OPEN);
	CHECK(sk_of(c)->cwnd >= 10 * SEG);
	SILENCE();
	close_all();
}
/* The first ACK of a run says that the recovery was wrong, the second says more in all but that. */
TEST(eifel_hears_each_ack_of_a_run)
{
	uint32_t original, newer;

	open_with(O_TS, 40);
	write_segments(10);
	SENT(0, 10);
	original = peer_echo;
	after(40);
	for (int k = 0; k < 3; k++)
		ack("0");
	SENT(0, 1);
	CHECK_EQ(ca_state(), CA_RECOVERY);
	CHECK(!sk_of(c)->cwnd_limited);
	newer = peer_echo;
	after(5);
	gathering = true;
	peer_echo = original;
	ack("4");
	peer_echo = newer;
	ack("10");
	inject_gathered();
	CHECK_EQ(ca_state(), CA_OPEN);
	CHECK_EQ(sk_of(c)->cwnd, 10 * SEG);
	CHECK_EQ(sk_of(c)->ssthresh, 0x7fffffff);
	close_all();
}
TEST(undo_restores_what_cubic_knew)
{
	struct tcp_cubic before;
	uint32_t original;

	open_with(O_SACK | O_TS, 40);
	write_segments(10);
	SENT(0, 10);
	original = peer_echo;
	sk_of(c)->cubic = (struct tcp_cubic){ 1, 2, 3, 4, 5, 6, 7 };
	before = sk_of(c)->cubic;
	after(40);
	ack("0 sack 1-10");
	CHECK(memcmp(&before, &sk_of(c)->cubic, sizeof(before)) != 0);
	peer_echo = original;
	ack("10");
	CHECK_MEM(&before, &sk_of(c)->cubic, sizeof(before));
	close_all();
}
#endif
