/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: windows that close and open, from both sides (RFC 9293 3.8.6, 7323 2, 1122 4.2.3). */
#ifndef TEST_HOST_TCP_CASES_WINDOW_H
#define TEST_HOST_TCP_CASES_WINDOW_H

#include "tcp_case.h"

/* ---- the peer's ---- */

TEST(window_is_filled_and_no_more)
{
	open_with(0, 0);
	ack_window("0", 3000);
	write_segments(5);
	SENT(0, 3);
	SILENCE();
	ack_window("1", 3000);
	SENT(3, 4);
	SILENCE();
	close_all();
}
TEST(window_that_shrinks_is_obeyed_from_then_on)
{
	open_with(0, 0);
	ack_window("0", 5000);
	write_segments(8);
	SENT(0, 5);
	ack_window("2", 1000); /* the right edge moved from 5 to 3 */
	SILENCE();
	ack_window("5", 1000);
	SENT(5, 6);
	close_all();
}
TEST(acknowledgements_lie_within_a_window_that_shrank)
{
	struct seg s;

	open_with(0, 0);
	ack_window("0", 5000);
	write_segments(5);
	SENT(0, 5);
	ack_window("2", 1000);
	SEND(.flags = TCP_ACK | TCP_PSH, .seq = 1001, .ack = iss + 1 + 2 * SEG, .wnd = 1000,
		.text = "is this heard?");
	after(50);
	REQUIRE(sent(&s));
	CHECK_EQ(s.len, 0);
	CHECK_EQ(s.ack, 1015);
	CHECK_EQ(s.seq, iss + 1 + 3 * SEG);
	ack_window("5", 5000);
	close_all();
}
TEST(window_of_an_older_segment_is_not_believed)
{
	open_with(0, 0);
	peer_says("x");
	ack_window("0", 20000);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .wnd = 500); /* from before the x */
	CHECK_EQ(sk_of(c)->snd_wnd, 20000);
	close_all();
}
/* A lost segment that is sent again has an older number and says what its end knows now. */
TEST(window_belongs_to_what_was_acknowledged_with_it)
{
	open_with(0, 0);
	SEND(.flags = TCP_ACK, .seq = 1002, .ack = iss + 1, .wnd = 5000, .text = "y");
	out_clear();
	write_segments(8);
	SENT(0, 5);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + 3 * SEG, .wnd = 2000, .text = "x");
	CHECK_EQ(sk_of(c)->snd_wnd, 2000); /* up to where it was before */
	CHECK_EQ(sk_of(c)->snd_nxt, iss + 1 + 5 * SEG);
	out_clear();
	peer_seq = 1003;
	ack_window("5", 2000);
	SENT(5, 7);
	close_all();
}
TEST(window_is_scaled_as_the_peer_said)
{
	open_with(O_WSCALE, 0);
	ack_window("0", 4); /* times 256 */
	CHECK_EQ(sk_of(c)->snd_wnd, 1024);
	write_segments(3);
	SENT(0, 1);
	SILENCE();
	close_all();
}
TEST(window_in_a_syn_is_not_scaled)
{
	uint8_t o[40];

	open_listener();
	size_t n = put_syn(o, O_WSCALE);

	SEND(.flags = TCP_SYN, .seq = 1000, .wnd = 700, .opt = o, .opt_len = n);
	struct tcp_sock *t =
		list_first_entry(&sk_of(l)->listener->syn_queue, struct tcp_sock, queue_link);

	CHECK_EQ(t->snd_wnd, 700);
	out_clear();
	close_all();
}
TEST(scale_above_14_counts_as_14)
{
	static const uint8_t o[] = { TCPOPT_WSCALE, 3, 15, TCPOPT_NOP };
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = 4);
	REQUIRE(sent(&s));
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .wnd = 1);
	REQUIRE(accept_next());
	CHECK_EQ(sk_of(c)->snd_wnd, 1u << 14);
	close_all();
}
TEST(zero_window_probes_back_off)
{
	uint64_t gap = 0, last;
	struct seg s;

	open_with(0, 1);
	ack_window("0", -1);
	write_segments(1);
	last = env_now;
	for (int k = 0; k < 5; k++) {
		while (!out_first && env_step(env_now + 100 * NSEC_PER_SEC))
			;
		EXPECT(s, TCP_ACK, iss, 1001, 0);
		if (gap)
			CHECK(env_now - last >= gap * 19 / 10 && env_now - last <= gap * 21 / 10);
		gap = env_now - last;
		last = env_now;
		ack_window("0", -1);
	}
	close_all();
}
TEST(zero_window_is_outlived_while_the_peer_answers)
{
	struct seg s;

	open_with(0, 1);
	ack_window("0", -1);
	write_segments(1);
	for (int k = 0; k < 60; k++) { /* two hours */
		after(120000);
		while (sent(&s))
			ack_window("0", -1);
		meet_peer(); /* its address is still good */
	}
	CHECK_EQ(state(), TCP_ESTABLISHED);
	ack("0");
	SENT(0, 1);
	close_all();
}
TEST(zero_window_without_answers_times_out)
{
	open_with(0, 1);
	ack_window("0", -1);
	write_segments(1);
	after(3600000);
	CHECK_EQ(state(), TCP_CLOSE);
	CHECK_EQ(env_read(c, buf, 1, 0), -ETIMEDOUT);
	close_all();
}
TEST(zero_window_and_user_timeout)
{
	struct seg s;

	open_with(0, 1);
	set_option(SOL_TCP, TCP_USER_TIMEOUT, 5000);
	ack_window("0", -1);
	write_segments(1);
	for (int k = 0; k < 100; k++) {
		after(100);
		while (sent(&s) && !(s.flags & TCP_RST))
			ack_window("0", -1);
	}
	CHECK_EQ(state(), TCP_CLOSE);
	close_all();
}
TEST(fin_waits_for_the_window_behind_the_data)
{
	struct seg s;

	open_with(0, 0);
	ack_window("0", 1000);
	write_segments(2);
	socket_shutdown(c, SHUT_WR);
	SENT(0, 1);
	SILENCE();
	ack("1");
	EXPECT(s, TCP_ACK | TCP_PSH | TCP_FIN, iss + 1 + SEG, 1001, SEG);
	close_all();
}
TEST(a_small_window_sends_no_silly_segments)
{
	open_with(0, 0);
	write_segments(2);
	SENT(0, 2);
	ack_window("0", 2100);
	write_segments(5); /* 100 bytes would fit */
	SILENCE();
	ack_window("1", 2100);
	SENT(2, 3);
	close_all();
}

/* ---- ours ---- */

/* Segments of SEG bytes until our window is full. Returns how many. */
static unsigned fill_window(void)
{
	unsigned n = 0;

	while (sk_of(c)->rcv_adv - peer_seq >= SEG && n < 1000) {
		SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1, .text = buf, .len = SEG);
		peer_seq += SEG;
		n++;
	}
	return n;
}
static void open_with_full_window(void)
{
	open_with(0, 0);
	set_option(SOL_SOCKET, SO_RCVBUF, 8192);
	fill_window();
	after(100);
	out_clear();
}
static struct seg last_sent(void)
{
	struct seg s, last = { 0 };

	while (sent(&s))
		last = s;
	return last;
}
TEST(window_never_moves_left)
{
	struct seg s;
	uint32_t edge = 0;

	open_with(0, 0);
	for (int k = 0; k < 60; k++) {
		SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1, .text = buf, .len = 700);
		peer_seq += 700;
		while (sent(&s)) {
			CHECK(!edge || seq_ge(s.ack + s.wnd, edge));
			edge = s.ack + s.wnd;
		}
		if (k % 7 == 0)
			env_read(c, buf + 40000, 300, 0);
	}
	close_all();
}
TEST(a_full_window_is_zero_and_refuses_more)
{
	struct seg s;

	open_with(0, 0);
	set_option(SOL_SOCKET, SO_RCVBUF, 8192);
	fill_window();
	after(100);
	s = last_sent();
	CHECK_EQ(s.ack, peer_seq);
	CHECK(s.wnd < SEG);
	uint32_t edge = sk_of(c)->rcv_adv;

	SEND(.flags = TCP_ACK, .seq = edge, .ack = iss + 1, .text = "beyond");
	CHECK_EQ(sk_of(c)->rcv_nxt, peer_seq);
	CHECK_EQ(last_sent().ack, peer_seq);
	close_all();
}
TEST(a_zero_window_probe_is_answered)
{
	struct seg s;

	open_with_full_window();
	SEND(.flags = TCP_ACK, .seq = peer_seq - 1, .ack = iss + 1, .text = "x"); /* an old byte */
	EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
	SEND(.flags = TCP_ACK, .seq = peer_seq - 1, .ack = iss + 1); /* as Linux probes */
	EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
	close_all();
}
TEST(acks_count_in_a_closed_window)
{
	open_with(0, 0);
	set_option(SOL_SOCKET, SO_RCVBUF, 8192);
	write_segments(1);
	fill_window();
	sk_of(c)->rcv_adv = sk_of(c)->rcv_nxt; /* quite closed */
	out_clear();
	SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1 + SEG);
	CHECK_EQ(sk_of(c)->snd_una, iss + 1 + SEG);
	close_all();
}
TEST(reading_a_little_announces_nothing_silly)
{
	open_with_full_window();
	env_read(c, buf, 100, 0);
	SILENCE();
	close_all();
}
TEST(reading_much_opens_the_window)
{
	struct seg s;

	open_with_full_window();
	while (env_read(c, buf, 4000, 0) > 0)
		;
	REQUIRE(sent(&s));
	CHECK(s.wnd >= 2 * SEG);
	close_all();
}
TEST(receive_buffer_follows_a_fast_sender)
{
	uint32_t before;

	open_with(O_TS | O_WSCALE, 20);
	before = sk_of(c)->i.s.rcvbuf;
	for (int round = 0; round < 6; round++) {
		uint8_t o[12];

		for (unsigned n = 0; n < 60; n++) {
			size_t len = put_ts(o);

			SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1, .text = buf,
				.len = SEG, .opt = o, .opt_len = len);
			peer_seq += SEG;
		}
		struct seg s;

		while (sent(&s))
			peer_echo = s.ts_val;
		while (env_read(c, buf, sizeof(buf), 0) > 0)
			;
		after(21);
	}
	CHECK(sk_of(c)->i.s.rcvbuf > before);
	CHECK(sk_of(c)->i.s.rcvbuf <= me.net.buffer_max);
	close_all();
}
/* A round trip shorter than a millisecond: what is read in a millisecond counts. */
TEST(receive_buffer_follows_bursts_on_a_fast_wire)
{
	uint32_t before;

	open_with(O_TS | O_WSCALE, 0);
	before = sk_of(c)->i.s.rcvbuf;
	for (int round = 0; round < 6; round++) {
		for (unsigned burst = 0; burst < 5; burst++) {
			for (unsigned n = 0; n < 13; n++) {
				uint8_t o[12];
				size_t len = put_ts(o);

				SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1, .text = buf,
					.len = SEG, .opt = o, .opt_len = len);
				peer_seq += SEG;
			}
			while (env_read(c, buf, sizeof(buf), 0) > 0)
				;
			env_run(210000);
		}
		out_clear();
	}
	CHECK(sk_of(c)->i.s.rcvbuf >= before * 2);
	close_all();
}
TEST(receive_buffer_that_was_set_stays)
{
	open_with(0, 20);
	set_option(SOL_SOCKET, SO_RCVBUF, 30000);
	uint32_t before = sk_of(c)->i.s.rcvbuf;

	for (int round = 0; round < 20; round++) {
		fill_window();
		out_clear();
		while (env_read(c, buf, sizeof(buf), 0) > 0)
			;
		after(21);
	}
	CHECK_EQ(sk_of(c)->i.s.rcvbuf, before);
	close_all();
}
TEST(send_buffer_follows_the_congestion_window)
{
	size_t took = 0;
	ssize_t r;

	open_with(0, 0);
	set_cwnd(200);
	while ((r = env_write(c, buf, 10000, MSG_DONTWAIT)) > 0)
		took += (size_t)r;
	CHECK(took >= 390 * SEG); /* two windows, or a fast path would starve */
	close_all();
}
TEST(early_segments_are_bounded)
{
	open_with(O_SACK, 0);
	for (unsigned k = 0; k < 3000; k++)
		SEND(.flags = TCP_ACK, .seq = peer_seq + 3 + 2 * k % 60000, .ack = iss + 1,
			.text = "x");
	out_clear();
	CHECK(sk_of(c)->ooo.count == TCP_MAX_RUNS);
	close_all();
}
TEST(sack_blocks_are_at_most_three_with_timestamps)
{
	struct seg s;

	open_with(O_SACK | O_TS, 0);
	for (unsigned k = 1; k < 8; k++) {
		uint8_t o[12];
		size_t n = put_ts(o);

		SEND(.flags = TCP_ACK, .seq = peer_seq + 10 * k, .ack = iss + 1, .text = "x",
			.opt = o, .opt_len = n);
		REQUIRE(sent(&s));
		CHECK_EQ(s.sacks, 2 * MIN(k, 3u));
		CHECK_EQ(s.sack[0], peer_seq + 10 * k); /* the newest first */
	}
	close_all();
}
TEST(dsack_reports_what_was_known_already)
{
	struct seg s;

	open_with(O_SACK, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	REQUIRE(sent(&s));
	CHECK(s.sacks == 2 && s.sack[0] == 1001 && s.sack[1] == 1006 && s.ack == 1006);
	SEND(.flags = TCP_ACK, .seq = 1003, .ack = iss + 1, .text = "llo you");
	CHECK(sent(&s) && s.sacks == 2 && s.sack[0] == 1003 && s.sack[1] == 1006);
	SEND(.flags = TCP_ACK, .seq = 1010, .ack = iss + 1, .text = "!");
	CHECK(sent(&s) && s.sacks == 0); /* said once */
	close_all();
}
TEST(a_filled_hole_is_acknowledged_at_once)
{
	struct seg s;

	open_with(O_SACK, 0);
	set_option(SOL_TCP, TCP_QUICKACK, 0);
	SEND(.flags = TCP_ACK, .seq = 1006, .ack = iss + 1, .text = "world");
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "hello");
	EXPECT(s, TCP_ACK, iss + 1, 1011, 0);
	CHECK_EQ(s.sacks, 0);
	close_all();
}
TEST(every_second_full_segment_is_acknowledged)
{
	struct seg s;

	open_with(0, 0);
	fill_window(); /* teaches it the peer's segment size, uses the quick ACKs up */
	while (env_read(c, buf, sizeof(buf), 0) > 0)
		;
	set_option(SOL_TCP, TCP_QUICKACK, 0);
	after(100);
	out_clear();
	for (int k = 0; k < 6; k++) {
		SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1, .text = buf, .len = SEG);
		peer_seq += SEG;
		if (k % 2)
			EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
		SILENCE();
	}
	close_all();
}

/* ---- ACKs that are left to a busy reader ---- */

static void stream(unsigned n)
{
	for (; n; n--) {
		SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = iss + 1, .text = buf, .len = SEG);
		peer_seq += SEG;
	}
}
/* Nobody has read 33 segments, 32 are acknowledged. */
static void open_with_busy_reader(int rcvbuf, int clamp)
{
	struct seg s;

	open_with(O_WSCALE, 0);
	if (rcvbuf) /* twice as much, half of which is the window */
		set_option(SOL_SOCKET, SO_RCVBUF, rcvbuf);
	if (clamp)
		set_option(SOL_TCP, TCP_WINDOW_CLAMP, clamp);
	set_option(SOL_TCP, TCP_QUICKACK, 0);
	stream(32);
	for (unsigned k = 2; k <= 32; k += 2)
		EXPECT(s, TCP_ACK, iss + 1, 1001 + k * SEG, 0);
	stream(1);
	SILENCE();
}
TEST(acks_of_a_burst_are_left_to_a_busy_reader)
{
	struct seg s;
	uint32_t edge;

	open_with_busy_reader(200000, 0);
	edge = sk_of(c)->rcv_adv;
	stream(11);
	SILENCE();
	CHECK_EQ(env_read(c, buf, 10000, 0), 10000); /* 34000 are left */
	SILENCE();
	stream(2);
	CHECK_EQ(env_read(c, buf, 3000, 0), 3000); /* 33000 */
	SILENCE();
	CHECK_EQ(env_read(c, buf, 1000, 0), 1000); /* not so much any more: one for all */
	EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
	CHECK(sk_of(c)->rcv_adv >= edge + 12000); /* and of the room */
	SILENCE();
	CHECK_EQ(env_read(c, buf, 1000, 0), 1000);
	SILENCE();
	close_all();
}
TEST(a_busy_reader_that_has_read_half_of_a_burst_acknowledges)
{
	struct seg s;

	open_with_busy_reader(200000, 0);
	stream(77); /* 78 came since the last ACK */
	SILENCE();
	CHECK_EQ(env_read(c, buf, 70000, 0), 70000); /* 40000 */
	SILENCE();
	CHECK_EQ(env_read(c, buf, 2000, 0), 2000); /* 38000 are left */
	EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
	SILENCE();
	close_all();
}
TEST(an_ack_that_is_left_to_the_reader_is_a_delayed_one)
{
	struct seg s;

	open_with_busy_reader(200000, 0);
	stream(5);
	after(30);
	SILENCE();
	after(20);
	EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
	SILENCE();
	close_all();
}
TEST(half_of_the_window_is_acknowledged_though_the_reader_is_busy)
{
	uint32_t half;
	struct seg s;

	open_with_busy_reader(200000, 60000);
	half = (sk_of(c)->rcv_adv - sk_of(c)->rcv_wup) / 2;
	CHECK(half < 20000);
	for (unsigned n = 2; n * SEG < half; n++) {
		stream(1);
		SILENCE();
	}
	stream(1);
	EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
	SILENCE();
	close_all();
}
TEST(no_ack_goes_while_half_of_the_window_waits_to_be_read)
{
	struct seg s;

	open_with_busy_reader(65536, 0);
	CHECK((sk_of(c)->rcv_adv - sk_of(c)->rcv_wup) / 2 < 20000);
	stream(30);
	SILENCE();
	CHECK_EQ(env_read(c, buf, 30000, 0), 30000); /* 33000 */
	SILENCE();
	CHECK_EQ(env_read(c, buf, 1000, 0), 1000);
	EXPECT(s, TCP_ACK, iss + 1, peer_seq, 0);
	SILENCE();
	close_all();
}
TEST(a_busy_reader_does_not_hold_the_ack_of_a_filled_hole)
{
	struct seg s;

	open_with_busy_reader(200000, 0);
	peer_seq += SEG;
	stream(1);
	EXPECT(s, TCP_ACK, iss + 1, 1001 + 33 * SEG, 0);
	peer_seq -= 2 * SEG;
	stream(1);
	EXPECT(s, TCP_ACK, iss + 1, 1001 + 35 * SEG, 0);
	SILENCE();
	close_all();
}

static unsigned sleeper_left, sleeper_acks;

static void feed_sleeper(struct timer *t)
{
	struct seg s;

	stream(1);
	while (sent(&s))
		sleeper_acks++;
	if (--sleeper_left)
		timer_arm(t, env_now + NSEC_PER_MSEC);
}
/* It wants more than is there: it does not come, and the sender must not wait for that. */
TEST(a_reader_that_sleeps_for_more_is_not_busy)
{
	struct timer t;

	open_with(O_WSCALE, 0);
	set_option(SOL_TCP, TCP_QUICKACK, 0);
	c->flags &= ~(uint32_t)O_NONBLOCK;
	sleeper_left = 50;
	sleeper_acks = 0;
	timer_init(&t, feed_sleeper, NULL);
	timer_arm(&t, env_now + NSEC_PER_MSEC);
	CHECK_EQ(env_read(c, buf, 50 * SEG, MSG_WAITALL), 50 * SEG);
	CHECK(sleeper_acks >= 24);
	close_all();
}

/* ---- the memory of all connections ---- */

TEST(early_segments_of_all_connections_are_bounded)
{
	struct file *all[8];
	uint64_t sum = 0;

	open_with(O_SACK, 0);
	all[0] = c;
	me.net.tcp_bytes_max = 200000;
	for (uint16_t k = 1; k < 8; k++) {
		connect_from((uint16_t)(5000 + k), O_SACK, 0);
		all[k] = c;
	}
	for (uint16_t k = 0; k < 8; k++) {
		peer_port = (uint16_t)(5000 + k);
		for (unsigned n = 1; n < 50; n++)
			SEND(.flags = TCP_ACK, .seq = 1001 + n * SEG, .ack = sk_of(all[k])->snd_nxt,
				.text = buf, .len = SEG);
	}
	for (int k = 0; k < 8; k++) {
		CHECK(sk_of(all[k])->ooo.bytes >= TCP_LITTLE); /* everybody gets something */
		sum += sk_of(all[k])->ooo.bytes;
	}
	CHECK(sum <= 200000 + 9 * (TCP_LITTLE + 4096));
	for (int k = 1; k < 8; k++)
		file_put(all[k]);
	c = all[0];
	out_clear();
	close_all();
}
TEST(unread_data_is_bounded_under_pressure_and_flows_again)
{
	open_with(0, 0);
	me.net.tcp_bytes_max = 20000;
	fill_window();
	CHECK(sk_of(c)->rq_truesize > 20000 && sk_of(c)->rq_truesize < 80000);
	uint32_t got = sk_of(c)->rcv_nxt;

	SEND(.flags = TCP_ACK, .seq = got, .ack = iss + 1, .text = "more");
	CHECK_EQ(sk_of(c)->rcv_nxt, got); /* not now */
	while (env_read(c, buf, sizeof(buf), 0) > 0)
		;
	SEND(.flags = TCP_ACK, .seq = got, .ack = iss + 1, .text = "more");
	CHECK_EQ(env_read(c, buf, 100, 0), 4);
	close_all();
}
TEST(unsent_data_is_bounded_under_pressure)
{
	size_t took = 0;
	ssize_t r;

	open_with(0, 0);
	me.net.tcp_bytes_max = 20000;
	while ((r = env_write(c, buf, 5000, MSG_DONTWAIT)) > 0)
		took += (size_t)r;
	CHECK_EQ(r, -EAGAIN);
	CHECK(took >= TCP_LITTLE && took < 60000);
	close_all();
}
#endif
