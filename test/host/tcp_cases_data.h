/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: data in and out, windows, timeouts. */
#ifndef TEST_HOST_TCP_CASES_DATA_H
#define TEST_HOST_TCP_CASES_DATA_H

#include "tcp_case.h"

TEST(data_in_order)
{
	open_passive();
	SEND(.flags = TCP_ACK | TCP_PSH, .seq = 1001, .ack = iss + 1, .text = "hello");
	CHECK_EQ(env_read(c, buf, 100, 0), 5);
	CHECK_MEM(buf, "hello", 5);
	CHECK_EQ(env_read(c, buf, 100, 0), -EAGAIN);
	close_all();
}
TEST(data_out_of_order_is_reassembled)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1006, .ack = iss + 1, .text = "world");
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1011, .ack = iss + 1, .text = "!");
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	EXPECT(s, TCP_ACK, iss + 1, 1012, 0);
	CHECK_EQ(env_read(c, buf, 100, 0), 11);
	CHECK_MEM(buf, "helloworld!", 11);
	close_all();
}
TEST(overlapping_segments)
{
	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1003, .ack = iss + 1, .text = "cde");
	SEND(.flags = TCP_ACK, .seq = 1005, .ack = iss + 1, .text = "efgh");
	SEND(.flags = TCP_ACK, .seq = 1002, .ack = iss + 1, .text = "bcdefghi");
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "abc");
	CHECK_EQ(env_read(c, buf, 100, 0), 9);
	CHECK_MEM(buf, "abcdefghi", 9);
	close_all();
}
TEST(old_data_is_acknowledged_again)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	EXPECT(s, TCP_ACK, iss + 1, 1006, 0);
	CHECK_EQ(env_read(c, buf, 100, 0), 5);
	close_all();
}
TEST(partly_old_data)
{
	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	SEND(.flags = TCP_ACK, .seq = 1003, .ack = iss + 1, .text = "llo you");
	CHECK_EQ(env_read(c, buf, 100, 0), 9);
	CHECK_MEM(buf, "hello you", 9);
	close_all();
}
TEST(data_beyond_the_window_is_cut)
{
	struct seg s;

	open_passive();
	uint32_t edge = sk_of(c)->rcv_adv;

	SEND(.flags = TCP_ACK, .seq = edge, .ack = iss + 1, .text = "x");
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = edge - 2, .ack = iss + 1, .text = "abcd");
	CHECK_EQ(sk_of(c)->ooo.count, 1);
	CHECK(tcp_ooo_ends_at(&sk_of(c)->ooo, edge));
	close_all();
}
TEST(sequence_numbers_wrap)
{
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 0xfffffff0u);
	sent(&s);
	iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 0xfffffff1u, .ack = iss + 1);
	REQUIRE(accept_next());
	SEND(.flags = TCP_ACK, .seq = 1, .ack = iss + 1, .text = "QRST");
	SEND(.flags = TCP_ACK, .seq = 0xfffffff1u, .ack = iss + 1, .text = "ABCDEFGHIJKLMNOP");
	CHECK_EQ(env_read(c, buf, 100, 0), 20);
	CHECK_MEM(buf, "ABCDEFGHIJKLMNOPQRST", 20);
	close_all();
}
TEST(urgent_byte_out_of_band)
{
	open_passive();
	SEND(.flags = TCP_ACK | TCP_URG, .seq = 1001, .ack = iss + 1, .text = "ab!cd", .urgent = 3);
	CHECK(env_poll(c) & POLLPRI);
	CHECK_EQ(env_read(c, buf, 100, 0), 2); /* stops at the mark */
	CHECK_EQ(env_read(c, buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], '!');
	CHECK_EQ(env_read(c, buf, 1, MSG_OOB), -EINVAL);
	CHECK_EQ(env_read(c, buf, 100, 0), 2);
	CHECK_MEM(buf, "cd", 2);
	close_all();
}
TEST(urgent_byte_inline)
{
	int one = 1;

	open_passive();
	socket_setopt(c, SOL_SOCKET, SO_OOBINLINE, &one, 4);
	SEND(.flags = TCP_ACK | TCP_URG, .seq = 1001, .ack = iss + 1, .text = "ab!cd", .urgent = 3);
	CHECK_EQ(env_read(c, buf, 1, MSG_OOB), -EINVAL);
	CHECK_EQ(env_read(c, buf, 100, 0), 5);
	close_all();
}
TEST(peek_leaves_the_data)
{
	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	CHECK_EQ(env_read(c, buf, 3, MSG_PEEK), 3);
	CHECK_EQ(env_read(c, buf, 100, MSG_PEEK), 5);
	CHECK_EQ(env_read(c, buf, 100, 0), 5);
	close_all();
}
TEST(delayed_ack)
{
	int zero = 0;
	struct seg s;

	open_passive();
	socket_setopt(c, SOL_TCP, TCP_QUICKACK, &zero, 4);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "a");
	SILENCE();
	env_run(30 * NSEC_PER_MSEC);
	SILENCE();
	env_run(20 * NSEC_PER_MSEC);
	EXPECT(s, TCP_ACK, iss + 1, 1002, 0);
	close_all();
}
/* What was merged on the way up counts as what it was: every second segment is acknowledged. */
TEST(merged_segments_count_as_segments)
{
	static char text[700];
	struct tcp_info info;
	uint32_t len = sizeof(info), seq = 1001, before;
	int zero = 0;
	struct seg s;

	open_passive();
	socket_setopt(c, SOL_TCP, TCP_QUICKACK, &zero, 4);
	socket_getopt(c, SOL_TCP, TCP_INFO, &info, &len);
	before = info.tcpi_segs_in;
	gathering = true;
	for (int i = 0; i < 3; i++, seq += 700)
		SEND(.flags = TCP_ACK, .seq = seq, .ack = iss + 1, .text = text, .len = 700);
	inject_gathered();
	EXPECT(s, TCP_ACK, iss + 1, seq, 0);
	socket_setopt(c, SOL_TCP, TCP_QUICKACK, &zero, 4);
	socket_getopt(c, SOL_TCP, TCP_INFO, &info, &len);
	CHECK_EQ(info.tcpi_segs_in, before + 3);
	CHECK_EQ(info.tcpi_data_segs_in, 3);
	CHECK_EQ(info.tcpi_rcv_mss, 700);
	for (int i = 0; i < 2; i++, seq += 700) {
		SILENCE();
		SEND(.flags = TCP_ACK, .seq = seq, .ack = iss + 1, .text = text, .len = 700);
	}
	EXPECT(s, TCP_ACK, iss + 1, seq, 0);
	SILENCE();
	close_all();
}
TEST(answer_carries_the_ack)
{
	int zero = 0;
	struct seg s;

	open_passive();
	socket_setopt(c, SOL_TCP, TCP_QUICKACK, &zero, 4);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "ping");
	env_write(c, "pong", 4, 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1005, 4);
	env_run(100 * NSEC_PER_MSEC);
	SILENCE();
	close_all();
}

/* ---- sending ---- */

TEST(nagle_holds_the_second_small_segment)
{
	struct seg s;

	open_passive();
	env_write(c, "a", 1, 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 1);
	env_write(c, "b", 1, 0);
	env_write(c, "c", 1, 0);
	SILENCE();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 2, 1001, 2);
	close_all();
}
TEST(nodelay_sends_at_once)
{
	int one = 1;
	struct seg s;

	open_passive();
	socket_setopt(c, SOL_TCP, TCP_NODELAY, &one, 4);
	env_write(c, "a", 1, 0);
	env_write(c, "b", 1, 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 1);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 2, 1001, 1);
	close_all();
}
TEST(cork_holds_until_it_is_pulled_or_200_ms)
{
	int one = 1, zero = 0;
	struct seg s;

	open_passive();
	socket_setopt(c, SOL_TCP, TCP_CORK, &one, 4);
	env_write(c, "a", 1, 0);
	SILENCE();
	socket_setopt(c, SOL_TCP, TCP_CORK, &zero, 4);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 1);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	socket_setopt(c, SOL_TCP, TCP_CORK, &one, 4);
	env_write(c, "b", 1, 0);
	env_run(150 * NSEC_PER_MSEC);
	SILENCE();
	env_run(100 * NSEC_PER_MSEC);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 2, 1001, 1);
	close_all();
}
TEST(segments_respect_the_peers_mss)
{
	static const uint8_t o[] = { 2, 4, 1, 0 }; /* 256 */
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = 4);
	sent(&s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	env_write(c, buf, 1000, 0);
	for (int i = 0; i < 3; i++)
		EXPECT(s, s.flags, s.seq, 1001, 256);
	close_all();
}
TEST(peers_window_is_respected)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .wnd = 700);
	env_write(c, buf, 3000, 0);
	unsigned total = 0;

	while (sent(&s))
		total += s.len;
	CHECK(total <= 700 && total > 0);
	close_all();
}
TEST(zero_window_is_probed_and_opens)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .wnd = -1);
	env_write(c, "hello", 5, 0);
	SILENCE();
	env_run(1100 * NSEC_PER_MSEC);
	EXPECT(s, TCP_ACK, iss, 1001, 0); /* an old byte asks for the window */
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .wnd = -1);
	env_run(100 * NSEC_PER_SEC);
	unsigned probes = 0;

	while (sent(&s)) {
		CHECK_EQ(s.len, 0);
		probes++;
	}
	CHECK(probes >= 3 && probes < 12); /* with backoff */
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .wnd = 1000);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 5);
	close_all();
}
TEST(window_closes_and_update_is_sent_after_reading)
{
	static char text[1000];
	struct seg s;
	uint32_t seq = 1001;
	int small = 8192;

	open_passive();
	socket_setopt(c, SOL_SOCKET, SO_RCVBUF, &small, 4);
	while (seq - 1001 < 200000) {
		uint32_t room = sk_of(c)->rcv_adv - seq;

		if (room < 1000)
			break;
		SEND(.flags = TCP_ACK, .seq = seq, .ack = iss + 1, .text = text, .len = 1000);
		seq += 1000;
	}
	out_clear();
	size_t total = seq - 1001;

	while (total) {
		ssize_t r = env_read(c, buf, sizeof(buf), 0);

		REQUIRE(r > 0);
		total -= (size_t)r;
	}
	REQUIRE(sent(&s));
	CHECK(s.len == 0 && s.wnd >= 1000);
	close_all();
}
TEST(retransmission_with_backoff)
{
	struct seg s;

	open_passive();
	uint64_t last = env_now, gap = 0;

	env_write(c, "hello", 5, 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 5);
	for (int i = 0; i < 4; i++) {
		while (!out_first && env_step(env_now + 60 * NSEC_PER_SEC))
			;
		EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 5);
		if (gap)
			CHECK(env_now - last >= gap * 19 / 10);
		gap = env_now - last;
		last = env_now;
	}
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 6);
	env_run(10 * NSEC_PER_SEC);
	SILENCE();
	close_all();
}
TEST(connection_times_out_when_nobody_answers)
{
	open_passive();
	env_write(c, "hello", 5, 0);
	for (int k = 0; k < 60; k++) {
		env_run(60 * NSEC_PER_SEC);
		meet_peer(); /* its host is there, only nobody in it */
	}
	CHECK_EQ(state(), TCP_CLOSE);
	CHECK_EQ(env_read(c, buf, 10, 0), -ETIMEDOUT);
	CHECK_EQ(env_read(c, buf, 10, 0), 0);
	close_all();
}
TEST(user_timeout)
{
	int ms = 5000;

	open_passive();
	socket_setopt(c, SOL_TCP, TCP_USER_TIMEOUT, &ms, 4);
	env_write(c, "hello", 5, 0);
	env_run(20 * NSEC_PER_SEC);
	CHECK_EQ(env_read(c, buf, 10, 0), -ETIMEDOUT);
	close_all();
}
TEST(fast_retransmit_after_three_duplicates)
{
	struct seg s;

	open_passive();
	env_write(c, buf, 536 * 6, 0);
	for (int i = 0; i < 6; i++)
		EXPECT(s, s.flags, iss + 1 + 536u * i, 1001, 536);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	SILENCE();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	EXPECT(s, s.flags, iss + 1, 1001, 536);
	/* NewReno: a partial ACK brings the next hole at once */
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + 536 * 3);
	EXPECT(s, s.flags, iss + 1 + 536 * 3, 1001, 536);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + 536 * 6);
	CHECK_EQ(sk_of(c)->ca_state, CA_OPEN);
	close_all();
}
TEST(sack_recovery_sends_only_the_holes)
{
	static const uint8_t o[] = { 2, 4, 2, 24, 4, 2, 1, 1 }; /* mss 536, sack */
	struct seg s;
	uint8_t sack[12] = { 1, 1, 5, 10 };

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = 8);
	sent(&s);
	iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	env_write(c, buf, 536 * 8, 0);
	out_clear();
	/* the first and nothing else is missing */
	for (unsigned k = 2; k <= 4; k++) {
		put_be32(sack + 4, iss + 1 + 536);
		put_be32(sack + 8, iss + 1 + 536 * k);
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .opt = sack, .opt_len = 12);
	}
	EXPECT(s, s.flags, iss + 1, 1001, 536);
	SILENCE();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + 536 * 8);
	CHECK_EQ(sk_of(c)->ca_state, CA_OPEN);
	CHECK_EQ(sk_of(c)->sent_bytes_sacked, 0);
	close_all();
}
TEST(sack_blocks_report_what_came_early)
{
	static const uint8_t o[] = { 4, 2, 1, 1 };
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = 4);
	sent(&s);
	iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	SEND(.flags = TCP_ACK, .seq = 1003, .ack = iss + 1, .text = "c");
	REQUIRE(sent(&s));
	CHECK(s.sacks == 2 && s.sack[0] == 1003 && s.sack[1] == 1004);
	SEND(.flags = TCP_ACK, .seq = 1006, .ack = iss + 1, .text = "f");
	REQUIRE(sent(&s));
	CHECK(s.sacks == 4 && s.sack[0] == 1006 && s.sack[2] == 1003); /* the newest first */
	SEND(.flags = TCP_ACK, .seq = 1006, .ack = iss + 1, .text = "f");
	REQUIRE(sent(&s));
	CHECK(s.sacks >= 4 && s.sack[0] == 1006 && s.sack[1] == 1007); /* D-SACK */
	close_all();
}
TEST(ack_of_unsent_data_is_answered_and_dropped)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 500, .text = "x");
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	CHECK_EQ(env_read(c, buf, 10, 0), -EAGAIN);
	close_all();
}

/* ---- segments that come in one run ---- */

TEST(acks_of_one_run_count_as_their_last)
{
	open_with(O_SACK, 0);
	write_segments(5);
	SENT(0, 5);
	uint32_t before = sk_of(c)->segs_in, samples = sk_of(c)->hystart.samples;

	gathering = true;
	ack_window("1", 40000);
	ack_window("3", 41000);
	ack_window("4", 42000);
	inject_gathered();
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 4 * SEG);
	CHECK_EQ(sk_of(c)->snd_wnd, 42000);
	CHECK_EQ(sk_of(c)->segs_in, before + 3);
	CHECK_EQ(sk_of(c)->hystart.samples, samples);
	CHECK_EQ(sk_of(c)->sent_count, 1);
	SILENCE();
	close_all();
}
TEST(acks_that_a_full_window_waits_for_count_each)
{
	open_with(O_SACK, 10);
	set_cwnd(4);
	write_segments(8);
	SENT(0, 4);
	CHECK(sk_of(c)->cwnd_limited);
	after(10);
	gathering = true;
	ack("1");
	ack("2");
	ack("3");
	inject_gathered();
	CHECK_EQ(sk_of(c)->hystart.samples, 2); /* the first ended the round before */
	CHECK_EQ(sk_of(c)->cwnd, 7 * SEG);
	SENT(4, 8);
	close_all();
}
TEST(duplicate_acks_of_one_run_count_each)
{
	open_with(0, 10);
	write_segments(8);
	SENT(0, 8);
	after(10);
	gathering = true;
	for (int k = 0; k < 4; k++)
		ack("1");
	inject_gathered();
	SENT(1, 2); /* the fast retransmission */
	CHECK_EQ(ca_state(), CA_RECOVERY);
	close_all();
}
TEST(selective_acks_of_one_run_count_each)
{
	open_with(O_SACK, 10);
	write_segments(8);
	SENT(0, 8);
	after(10);
	gathering = true;
	ack("1 sack 2-3");
	ack("1 sack 2-4");
	ack("1 sack 2-5");
	ack("5");
	inject_gathered();
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 5 * SEG);
	CHECK(sk_of(c)->rack.reordering_seen); /* 1 came late, and only the SACKs tell */
	close_all();
}
TEST(an_ack_behind_which_an_impossible_one_follows_counts)
{
	struct seg s;

	open_with(O_SACK, 0);
	write_segments(3);
	SENT(0, 3);
	gathering = true;
	ack("2");
	ack("9"); /* of what was never sent */
	inject_gathered();
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 2 * SEG);
	EXPECT(s, TCP_ACK, iss + 1 + 3 * SEG, 1001, 0);
	close_all();
}
TEST(an_ack_behind_which_one_of_old_time_follows_counts)
{
	uint8_t o[12];

	open_with(O_SACK | O_TS, 0);
	write_segments(3);
	SENT(0, 3);
	put_ts(o);
	put_be32(o + 4, peer_clock() - 100000);
	gathering = true;
	ack("2");
	SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1 + 3 * SEG, .opt = o, .opt_len = 12);
	inject_gathered();
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 2 * SEG); /* PAWS drops the second */
	out_clear();
	close_all();
}
TEST(an_ack_with_data_behind_it)
{
	open_with(O_SACK | O_TS, 0);
	write_segments(3);
	SENT(0, 3);
	gathering = true;
	ack("1");
	ack("2");
	peer_says("question"); /* acknowledges the third */
	ack("3");
	inject_gathered();
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 3 * SEG);
	CHECK_EQ(env_read(c, buf, 100, 0), 8);
	out_clear();
	close_all();
}
/* Its sender doubled it, or the network changed the order. */
TEST(data_before_a_later_ack_of_the_same_place)
{
	uint8_t o[12];

	open_with(O_SACK | O_TS, 0);
	write_segments(3);
	SENT(0, 3);
	put_ts(o);
	gathering = true;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + SEG, .text = "question", .opt = o,
		.opt_len = 12);
	ack("2");
	/* bytes that look like the option but are behind the header */
	SEND(.flags = TCP_ACK, .seq = 1009, .ack = iss + 1 + 2 * SEG, .text = (const char *)o,
		.len = 12);
	peer_seq = 1009;
	ack("3");
	inject_gathered();
	CHECK_EQ(env_read(c, buf, 100, 0), 20);
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + 3 * SEG); /* no older than our last ACK */
	out_clear();
	close_all();
}
TEST(a_run_for_several_connections)
{
	struct file *other, *third, *u;
	uint8_t datagram[34 + 8 + 3] = { 0 };

	open_with(O_SACK, 0);
	other = c;
	connect_from(5001, O_SACK, 0);
	u = socket_create(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(env_bind(u, 0, 80), 0);
	put_be16(datagram + put_ip(datagram, IPPROTO_UDP, 11, PEER, ME), 5000);
	put_be16(datagram + 36, 80);
	put_be16(datagram + 38, 11);
	gathering = true;
	peer_port = 5000;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = sk_of(other)->snd_nxt, .text = "first");
	inject(datagram, sizeof(datagram));
	SEND(.flags = TCP_ACK, .seq = 1006, .ack = sk_of(other)->snd_nxt, .text = "again");
	peer_port = 5001;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = sk_of(c)->snd_nxt, .text = "second");
	peer_port = 5002;
	SEND(.flags = TCP_SYN, .seq = 2000);
	SEND(.flags = TCP_SYN, .seq = 2000);
	peer_port = 5000;
	SEND(.flags = TCP_ACK, .seq = 1011, .ack = sk_of(other)->snd_nxt, .text = ".");
	my_port = 81; /* nobody's */
	SEND(.flags = TCP_ACK, .seq = 1012, .ack = sk_of(other)->snd_nxt, .text = "x");
	my_port = 80;
	inject_gathered();
	CHECK_EQ(env_read(other, buf, 100, 0), 11);
	CHECK(memcmp(buf, "firstagain.", 11) == 0);
	CHECK_EQ(env_read(c, buf, 100, 0), 6);
	CHECK(memcmp(buf, "second", 6) == 0);
	if (PEER_HEADROOM == 0) /* to IPv6 only TCP is translated */
		CHECK_EQ(env_read(u, buf, 100, 0), 3);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	file_put(u);
	peer_port = 5002;
	SEND(.flags = TCP_ACK, .seq = 2001, .ack = 0);
	third = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	CHECK(IS_ERR(third)); /* the SYN made one half-open connection; that ACK is of none */
	out_clear();
	file_put(other);
	close_all();
}
#endif
