/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP against a scripted peer: one rule of an RFC each. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "tcp_peer.h"

static struct file *l, *c;
static uint32_t iss;

/* A fresh accepted connection; our next byte is iss + 1, the peer's 1001. */
static void open_passive(void)
{
	peer_setup();
	my_port = 80;
	l = listener_at(80);
	c = accepted(l, &iss);
	SILENCE();
}
static void close_all(void)
{
	if (c)
		file_put(c);
	file_put(l);
	c = NULL;
	peer_teardown();
}
static int state(void)
{
	return sk_of(c)->state;
}
/* An active open: the SYN has been sent. */
static void open_active(struct seg *s)
{
	peer_setup();
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c = l;
	file_get(c);
	CHECK_EQ(env_dial(c, PEER, 5000), -EINPROGRESS);
	REQUIRE(sent(s));
	CHECK_EQ(s->flags, TCP_SYN);
	my_port = s->sport;
	iss = s->seq;
}
static char buf[70000];

/* ---- opening ---- */

TEST(passive_open)
{
	struct seg s;

	peer_setup();
	my_port = 80;
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000);
	EXPECT(s, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
	CHECK(s.has_mss && s.mss == 1460 && !s.ts && s.wscale == -1);
	CHECK(IS_ERR(socket_accept(l, SOCK_NONBLOCK, NULL, NULL)));
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	REQUIRE(!IS_ERR(c));
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}
TEST(passive_open_takes_offered_options)
{
	static const uint8_t o[] = { 2, 4, 5, 0xb4, 1, 3, 3, 9, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0,
		0 };
	struct seg s;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = sizeof(o));
	EXPECT(s, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
	CHECK(s.ts && s.ts_ecr == 7);
	CHECK_EQ(s.wscale, 7);
	close_all();
}
TEST(syn_ack_is_repeated_with_backoff_and_given_up)
{
	struct seg s;
	unsigned n = 0;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000);
	while (sent(&s))
		n++;
	env_run(300 * NSEC_PER_SEC);
	while (sent(&s))
		n++;
	CHECK_EQ(n, 1 + TCP_SYNACK_RETRIES);
	CHECK_EQ(sk_of(l)->listener->syn_count, 0);
	close_all();
}
TEST(repeated_syn_gets_the_same_answer)
{
	struct seg s, t;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000);
	sent(&s);
	SEND(.flags = TCP_SYN, .seq = 1000);
	EXPECT(t, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
	close_all();
}
TEST(ack_to_listener_is_reset)
{
	struct seg s;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_ACK, .seq = 5, .ack = 77);
	EXPECT(s, TCP_RST, 77, 0, 0);
	SEND(.flags = TCP_RST, .seq = 5);
	SILENCE();
	close_all();
}
TEST(wrong_ack_in_syn_recv_is_reset)
{
	struct seg s;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000);
	sent(&s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 5);
	EXPECT(s, TCP_RST, s.seq, 0, 0);
	close_all();
}
TEST(closed_port_is_reset)
{
	struct seg s;

	peer_setup();
	l = listener_at(80);
	my_port = 81;
	SEND(.flags = TCP_SYN, .seq = 1000);
	EXPECT(s, TCP_RST | TCP_ACK, 0, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1000, .ack = 5555, .text = "x");
	EXPECT(s, TCP_RST, 5555, 0, 0);
	SEND(.flags = TCP_RST, .seq = 1000);
	SILENCE();
	my_port = 80;
	close_all();
}
TEST(bad_checksum_is_dropped)
{
	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000, .bad_checksum = true);
	SILENCE();
	close_all();
}
TEST(accept_queue_limit)
{
	struct seg s;
	unsigned answered = 0;

	peer_setup();
	l = listener_at(80);
	socket_listen(l, 1);
	for (peer_port = 6000; peer_port < 6010; peer_port++) {
		SEND(.flags = TCP_SYN, .seq = 1000);
		if (!sent(&s))
			continue;
		answered++;
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	}
	peer_port = 5000;
	CHECK_EQ(answered, 2); /* backlog + 1, as Linux */
	close_all();
}
TEST(active_open)
{
	struct seg s;

	open_active(&s);
	CHECK(s.ts && s.has_mss && s.wscale == 7);
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 9000, .ack = iss + 1);
	EXPECT(s, TCP_ACK, iss + 1, 9001, 0);
	CHECK(!s.ts); /* the peer did not offer them */
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK_EQ(env_dial(c, PEER, 5000), 0);
	CHECK_EQ(env_dial(c, PEER, 5000), -EISCONN);
	close_all();
}
TEST(active_open_refused)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_RST | TCP_ACK, .seq = 0, .ack = iss + 1);
	CHECK_EQ(env_poll(c) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
	CHECK_EQ(env_dial(c, PEER, 5000), -ECONNREFUSED);
	close_all();
}
TEST(active_open_ignores_reset_with_wrong_ack)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_RST | TCP_ACK, .seq = 0, .ack = iss + 7);
	SEND(.flags = TCP_RST, .seq = 0);
	CHECK_EQ(state(), TCP_SYN_SENT);
	close_all();
}
TEST(active_open_answers_wrong_ack_with_reset)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 9000, .ack = iss + 9);
	EXPECT(s, TCP_RST, iss + 9, 0, 0);
	CHECK_EQ(state(), TCP_SYN_SENT);
	close_all();
}
TEST(active_open_times_out)
{
	struct seg s;
	unsigned n = 1;

	open_active(&s);
	env_run(400 * NSEC_PER_SEC);
	while (sent(&s))
		n += s.flags == TCP_SYN;
	CHECK_EQ(n, 1 + TCP_SYN_RETRIES);
	CHECK_EQ(env_dial(c, PEER, 5000), -ETIMEDOUT);
	close_all();
}
TEST(simultaneous_open)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_SYN, .seq = 9000);
	EXPECT(s, TCP_SYN | TCP_ACK, iss, 9001, 0);
	CHECK_EQ(state(), TCP_SYN_RECV);
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 9000, .ack = iss + 1);
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 9001, .ack = iss + 1);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}

/* ---- data ---- */

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
	CHECK_EQ(sk_of(c)->ooo_count, 1);
	CHECK_EQ(pkt_cb(sk_of(c)->ooo)->end_seq, edge);
	close_all();
}
TEST(sequence_numbers_wrap)
{
	struct seg s;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 0xfffffff0u);
	sent(&s);
	iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 0xfffffff1u, .ack = iss + 1);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	REQUIRE(!IS_ERR(c));
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

	peer_setup();
	l = listener_at(80);
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
	env_run(3600 * NSEC_PER_SEC);
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

	peer_setup();
	l = listener_at(80);
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

	peer_setup();
	l = listener_at(80);
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

/* ---- resets ---- */

TEST(reset_in_sequence)
{
	open_passive();
	SEND(.flags = TCP_RST, .seq = 1001);
	CHECK_EQ(state(), TCP_CLOSE);
	CHECK_EQ(env_read(c, buf, 10, 0), -ECONNRESET);
	CHECK_EQ(env_write(c, "x", 1, 0), -EPIPE);
	close_all();
}
TEST(reset_in_window_is_challenged)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_RST, .seq = 1005);
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	SEND(.flags = TCP_RST, .seq = 900);
	SILENCE();
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}
TEST(syn_in_window_is_challenged)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_SYN, .seq = 1005);
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}
TEST(challenges_are_limited)
{
	struct seg s;
	unsigned n = 0;

	open_passive();
	for (int i = 0; i < 100; i++)
		SEND(.flags = TCP_RST, .seq = 1005);
	while (sent(&s))
		n++;
	CHECK_EQ(n, 10);
	close_all();
}
TEST(data_before_reset_can_be_read)
{
	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "last words");
	SEND(.flags = TCP_RST, .seq = 1011);
	CHECK_EQ(env_read(c, buf, 100, 0), 10);
	CHECK_EQ(env_read(c, buf, 100, 0), -ECONNRESET);
	close_all();
}
TEST(paws_rejects_old_timestamps)
{
	static const uint8_t o[] = { 8, 10, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1 };
	uint8_t t[12];
	struct seg s;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = 12);
	sent(&s);
	iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .opt = o, .opt_len = 12);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	memcpy(t, o, 12);
	put_be32(t + 2, 0x80);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .opt = t, .opt_len = 12, .text = "old");
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	CHECK_EQ(env_read(c, buf, 10, 0), -EAGAIN);
	put_be32(t + 2, 0x101);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .opt = t, .opt_len = 12, .text = "new");
	CHECK_EQ(env_read(c, buf, 10, 0), 3);
	close_all();
}

/* ---- closing ---- */

TEST(close_active)
{
	struct seg s;

	open_passive();
	socket_shutdown(c, SHUT_WR);
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 1, 1001, 0);
	CHECK_EQ(state(), TCP_FIN_WAIT1);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	CHECK_EQ(state(), TCP_FIN_WAIT2);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2, .text = "still here");
	CHECK_EQ(env_read(c, buf, 100, 0), 10);
	out_clear();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1011, .ack = iss + 2);
	EXPECT(s, TCP_ACK, iss + 2, 1012, 0);
	CHECK_EQ(state(), TCP_TIME_WAIT);
	CHECK_EQ(env_read(c, buf, 100, 0), 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1011, .ack = iss + 2); /* our ACK was lost */
	EXPECT(s, TCP_ACK, iss + 2, 1012, 0);
	env_run(61 * NSEC_PER_SEC);
	CHECK_EQ(state(), TCP_CLOSE);
	close_all();
}
TEST(close_passive)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1);
	EXPECT(s, TCP_ACK, iss + 1, 1002, 0);
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	CHECK_EQ(env_poll(c) & (POLLIN | POLLRDHUP | POLLHUP), POLLIN | POLLRDHUP);
	CHECK_EQ(env_read(c, buf, 100, 0), 0);
	CHECK_EQ(env_write(c, "bye", 3, 0), 3);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1002, 3);
	socket_shutdown(c, SHUT_WR);
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 4, 1002, 0);
	CHECK_EQ(state(), TCP_LAST_ACK);
	SEND(.flags = TCP_ACK, .seq = 1002, .ack = iss + 5);
	CHECK_EQ(state(), TCP_CLOSE);
	close_all();
}
TEST(close_simultaneous)
{
	struct seg s;

	open_passive();
	socket_shutdown(c, SHUT_WR);
	out_clear();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1);
	EXPECT(s, TCP_ACK, iss + 2, 1002, 0);
	CHECK_EQ(state(), TCP_CLOSING);
	SEND(.flags = TCP_ACK, .seq = 1002, .ack = iss + 2);
	CHECK_EQ(state(), TCP_TIME_WAIT);
	close_all();
}
TEST(fin_with_data_and_ack_of_fin)
{
	open_passive();
	socket_shutdown(c, SHUT_WR);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2, .text = "end");
	CHECK_EQ(env_read(c, buf, 100, 0), 3);
	CHECK_EQ(env_read(c, buf, 100, 0), 0);
	CHECK_EQ(state(), TCP_TIME_WAIT);
	close_all();
}
TEST(fin_is_retransmitted)
{
	struct seg s;

	open_passive();
	env_write(c, "x", 1, 0);
	socket_shutdown(c, SHUT_WR);
	out_clear();
	env_run(2 * NSEC_PER_SEC);
	EXPECT(s, TCP_ACK | TCP_PSH | TCP_FIN, iss + 1, 1001, 1);
	close_all();
}
TEST(fin_before_missing_data_waits)
{
	open_passive();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1004, .ack = iss + 1);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "abc");
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1004, .ack = iss + 1);
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	CHECK_EQ(env_read(c, buf, 100, 0), 3);
	CHECK_EQ(env_read(c, buf, 100, 0), 0);
	close_all();
}
TEST(close_with_unread_data_resets)
{
	struct seg s;

	open_passive();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "unread");
	out_clear();
	file_put(c);
	c = NULL;
	EXPECT(s, TCP_RST | TCP_ACK, iss + 1, 1007, 0);
	close_all();
}
TEST(linger_zero_resets)
{
	struct linger on = { 1, 0 };
	struct seg s;

	open_passive();
	socket_setopt(c, SOL_SOCKET, SO_LINGER, &on, sizeof(on));
	file_put(c);
	c = NULL;
	EXPECT(s, TCP_RST | TCP_ACK, iss + 1, 1001, 0);
	close_all();
}
TEST(data_after_close_resets)
{
	struct seg s;

	open_passive();
	file_put(c);
	c = NULL;
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 1, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2, .text = "anybody?");
	REQUIRE(sent(&s));
	CHECK(s.flags & TCP_RST);
	close_all();
}
TEST(fin_wait2_of_a_closed_socket_times_out)
{
	open_passive();
	file_put(c);
	c = NULL;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	out_clear();
	env_run(61 * NSEC_PER_SEC);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	struct seg s;

	EXPECT(s, TCP_RST, iss + 2, 0, 0); /* no such connection */
	close_all();
}
TEST(time_wait_accepts_a_newer_syn)
{
	struct seg s;

	open_passive();
	socket_shutdown(c, SHUT_WR);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2);
	CHECK_EQ(state(), TCP_TIME_WAIT);
	out_clear();
	SEND(.flags = TCP_SYN, .seq = 500000);
	REQUIRE(sent(&s));
	CHECK_EQ(s.flags, TCP_SYN | TCP_ACK);
	CHECK_EQ(s.ack, 500001);
	close_all();
}
TEST(listener_close_resets_what_waits)
{
	struct seg s;

	peer_setup();
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000);
	sent(&s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	out_clear();
	file_put(l);
	REQUIRE(sent(&s));
	CHECK(s.flags & TCP_RST);
	l = socket_create(AF_INET, SOCK_STREAM, 0);
	close_all();
}
TEST(shutdown_read_gives_end_of_file)
{
	open_passive();
	socket_shutdown(c, SHUT_RD);
	CHECK_EQ(env_read(c, buf, 10, 0), 0);
	close_all();
}

/* ---- timers and options ---- */

TEST(keepalive_probes_and_gives_up)
{
	int one = 1, idle = 10, interval = 5, count = 3;
	struct seg s;
	unsigned n = 0;

	open_passive();
	socket_setopt(c, SOL_TCP, TCP_KEEPIDLE, &idle, 4);
	socket_setopt(c, SOL_TCP, TCP_KEEPINTVL, &interval, 4);
	socket_setopt(c, SOL_TCP, TCP_KEEPCNT, &count, 4);
	socket_setopt(c, SOL_SOCKET, SO_KEEPALIVE, &one, 4);
	env_run(9 * NSEC_PER_SEC);
	SILENCE();
	env_run(2 * NSEC_PER_SEC);
	EXPECT(s, TCP_ACK, iss, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	env_run(9 * NSEC_PER_SEC);
	SILENCE();
	env_run(60 * NSEC_PER_SEC);
	while (sent(&s))
		n += !(s.flags & TCP_RST);
	CHECK_EQ(n, 3);
	CHECK_EQ(env_read(c, buf, 10, 0), -ETIMEDOUT);
	close_all();
}
TEST(defer_accept_waits_for_data)
{
	int secs = 5;
	struct seg s;

	peer_setup();
	l = listener_at(80);
	socket_setopt(l, SOL_TCP, TCP_DEFER_ACCEPT, &secs, 4);
	SEND(.flags = TCP_SYN, .seq = 1000);
	sent(&s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	CHECK(IS_ERR(socket_accept(l, 0, NULL, NULL)));
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .text = "GET");
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	REQUIRE(!IS_ERR(c));
	CHECK_EQ(env_read(c, buf, 10, 0), 3);
	close_all();
}
TEST(info_tells_the_truth)
{
	struct tcp_info i;
	uint32_t n = sizeof(i);

	open_passive();
	env_write(c, "hello", 5, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 6, .text = "abc");
	CHECK_EQ(socket_getopt(c, SOL_TCP, TCP_INFO, &i, &n), 0);
	CHECK_EQ(n, sizeof(i));
	CHECK_EQ(i.tcpi_state, TCP_ESTABLISHED);
	CHECK_EQ(i.tcpi_bytes_acked, 5);
	CHECK_EQ(i.tcpi_bytes_received, 3);
	CHECK_EQ(i.tcpi_snd_mss, 536);
	CHECK_EQ(i.tcpi_snd_cwnd, 10);
	close_all();
}
TEST(congestion_control_by_name)
{
	char name[16] = { 0 };
	uint32_t n = sizeof(name);

	open_passive();
	CHECK_EQ(socket_setopt(c, SOL_TCP, TCP_CONGESTION, "reno", 4), 0);
	CHECK_EQ(socket_getopt(c, SOL_TCP, TCP_CONGESTION, name, &n), 0);
	CHECK_STR(name, "reno");
	CHECK_EQ(socket_setopt(c, SOL_TCP, TCP_CONGESTION, "bbr", 3), -ENOENT);
	close_all();
}
TEST(slow_start_doubles)
{
	open_passive();
	struct tcp_sock *t = sk_of(c);
	uint32_t before = t->cwnd;

	env_write(c, buf, 60000, 0);
	out_clear();
	for (unsigned k = 1; k <= 10; k++)
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + 536 * k);
	CHECK_EQ(t->cwnd, 2 * before);
	close_all();
}
TEST(icmp_port_unreachable_refuses_a_connect)
{
	uint8_t f[100];
	struct seg s;

	open_active(&s);
	size_t at = put_ip(f, IPPROTO_ICMP, 8 + 20 + 8, PEER, ME);

	memset(f + at, 0, 36);
	f[at] = ICMP_UNREACHABLE;
	f[at + 1] = ICMP_PORT_UNREACH;
	struct ip_header *q = (struct ip_header *)(f + at + 8);

	q->ver_ihl = 0x45;
	q->protocol = IPPROTO_TCP;
	q->src = ME;
	q->dst = PEER;
	put_be16(f + at + 28, my_port);
	put_be16(f + at + 30, 5000);
	put_be32(f + at + 32, iss);
	uint16_t sum = csum_fold(csum_add(0, f + at, 36));

	memcpy(f + at + 2, &sum, 2);
	inject(f, at + 36);
	CHECK_EQ(env_dial(c, PEER, 5000), -ECONNREFUSED);
	close_all();
}
TEST(allocation_failures_are_survived)
{
	for (long n = 1; n < 120; n++) {
		peer_setup();
		l = listener_at(80);
		t_fail_alloc(n);
		struct seg s = { 0 };

		SEND(.flags = TCP_SYN, .seq = 1000);
		sent(&s);
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
		c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
		if (IS_ERR(c))
			c = NULL;
		if (c) {
			SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .text = "hello");
			env_write(c, buf, 5000, 0);
			env_read(c, buf, 100, 0);
		}
		t_fail_alloc(0);
		close_all();
	}
}
TEST(random_segments_never_break_it)
{
	unsigned long seed = 4711;

	for (int round = 0; round < 300; round++) {
		open_passive();
		env_write(c, buf, 3000, 0);
		for (int i = 0; i < 60; i++) {
			uint8_t o[40];
			size_t on = t_random(&seed) % 11 * 4;

			for (size_t k = 0; k < on; k++)
				o[k] = (uint8_t)(t_random(&seed) %
						 (t_random(&seed) % 2 ? 12 : 256));
			SEND(.flags = (uint8_t)(t_random(&seed) % 64 |
						(t_random(&seed) % 2 ? TCP_ACK : 0)),
				.seq = 1001 + (uint32_t)(t_random(&seed) % 200) - 50,
				.ack = iss + 1 + (uint32_t)(t_random(&seed) % 4000) - 200,
				.wnd = (int)(t_random(&seed) % 3000), .text = buf,
				.len = t_random(&seed) % 80 + 1, .opt = o, .opt_len = on,
				.urgent = (uint16_t)(t_random(&seed) % 50));
			if (t_random(&seed) % 5 == 0)
				env_read(c, buf + 60000, t_random(&seed) % 100, 0);
			if (t_random(&seed) % 10 == 0)
				env_run(t_random(&seed) % (2 * NSEC_PER_SEC));
			if (t_random(&seed) % 40 == 0)
				socket_shutdown(c, (int)(t_random(&seed) % 3));
		}
		close_all();
	}
}
