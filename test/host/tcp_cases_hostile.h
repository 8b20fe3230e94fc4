/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: attacks, rubbish, no memory. */
#ifndef TEST_HOST_TCP_CASES_HOSTILE_H
#define TEST_HOST_TCP_CASES_HOSTILE_H

#include "tcp_case.h"

/* ---- RFC 5961: blind attacks ---- */

/* A reset in each state: exact ones end it, others in the window are challenged, the rest dropped.
 */
static const struct {
	const char *what;
	int32_t offset; /* from rcv_nxt */
	bool ends, challenged;
	bool ends_after_fin; /* it is the number of the peer's FIN, then */
} resets[] = {
	{ "exact", 0, true, false },
	{ "one beyond", 1, false, true },
	{ "at the end of the window", 65000, false, true },
	{ "one before", -1, false, false, true },
	{ "two before", -2, false, false },
	{ "far away", 0x40000000, false, false },
};
static void reach_established(void)
{
	open_with(0, 0);
}
static void reach_fin_wait1(void)
{
	open_with(0, 0);
	socket_shutdown(c, SHUT_WR);
}
static void reach_fin_wait2(void)
{
	reach_fin_wait1();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
}
static void reach_close_wait(void)
{
	open_with(0, 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1);
}
static void reach_last_ack(void)
{
	reach_close_wait();
	socket_shutdown(c, SHUT_WR);
}
static void reach_closing(void)
{
	reach_fin_wait1();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1);
}
static void reach_time_wait(void)
{
	reach_fin_wait2();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2);
}
static const struct {
	void (*reach)(void);
	int state, error;
} states[] = {
	{ reach_established, TCP_ESTABLISHED, ECONNRESET },
	{ reach_fin_wait1, TCP_FIN_WAIT1, ECONNRESET },
	{ reach_fin_wait2, TCP_FIN_WAIT2, ECONNRESET },
	{ reach_close_wait, TCP_CLOSE_WAIT, EPIPE },
	{ reach_last_ack, TCP_LAST_ACK, ECONNRESET },
	{ reach_closing, TCP_CLOSING, ECONNRESET },
	{ reach_time_wait, TCP_TIME_WAIT, 0 },
};
TEST(resets_in_every_state)
{
	struct seg s;

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(resets); k++) {
			states[i].reach();
			out_clear();
			CHECK_EQ(state(), states[i].state);
			SEND(.flags = TCP_RST,
				.seq = sk_of(c)->rcv_nxt + (uint32_t)resets[k].offset);
			bool after_fin = states[i].state == TCP_CLOSE_WAIT ||
					 states[i].state == TCP_LAST_ACK ||
					 states[i].state == TCP_CLOSING;
			bool ends = resets[k].ends || (after_fin && resets[k].ends_after_fin);

			if ((state() == TCP_CLOSE) != ends ||
				(sent(&s) && s.flags == TCP_ACK) != resets[k].challenged)
				T_FAIL("state %d, reset %s", states[i].state, resets[k].what);
			if (ends)
				CHECK_EQ(sk_of(c)->i.s.error, states[i].error);
			SILENCE();
			close_all();
		}
}
TEST(syns_in_every_state_are_challenged)
{
	struct seg s;

	for (unsigned i = 0; i + 1 < ARRAY_SIZE(states); i++) {
		states[i].reach();
		out_clear();
		SEND(.flags = TCP_SYN, .seq = sk_of(c)->rcv_nxt);
		CHECK(sent(&s) && s.flags == TCP_ACK && s.ack == sk_of(c)->rcv_nxt);
		CHECK_EQ(state(), states[i].state);
		SEND(.flags = TCP_SYN, .seq = sk_of(c)->rcv_nxt + 0x40000000);
		CHECK_EQ(state(), states[i].state);
		close_all();
	}
}
TEST(data_without_ack_is_dropped_in_every_state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		states[i].reach();
		out_clear();
		SEND(.flags = TCP_PSH, .seq = sk_of(c)->rcv_nxt, .ack = sk_of(c)->snd_una,
			.text = "x");
		CHECK_EQ(state(), states[i].state);
		CHECK_EQ(tcp_readable_bytes(sk_of(c)), 0);
		close_all();
	}
}
TEST(data_in_states_that_read)
{
	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		bool reads = states[i].state == TCP_ESTABLISHED ||
			     states[i].state == TCP_FIN_WAIT1 || states[i].state == TCP_FIN_WAIT2;

		states[i].reach();
		SEND(.flags = TCP_ACK, .seq = sk_of(c)->rcv_nxt, .ack = sk_of(c)->snd_una,
			.text = "x");
		if (state() != TCP_CLOSE)
			CHECK_EQ(tcp_readable_bytes(sk_of(c)), reads);
		out_clear();
		close_all();
	}
}
TEST(blind_data_needs_a_plausible_ack)
{
	struct seg s;

	open_with(0, 0);
	write_segments(1);
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss - 100000, .text = "evil");
	EXPECT(s, TCP_ACK, iss + 1 + SEG, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + 2 * SEG, .text = "evil");
	EXPECT(s, TCP_ACK, iss + 1 + SEG, 1001, 0);
	CHECK_EQ(env_read(c, buf, 10, 0), -EAGAIN);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss, .text = "late"); /* an old ACK, no attack */
	CHECK_EQ(env_read(c, buf, 10, 0), 4);
	close_all();
}
TEST(challenges_are_limited_a_second)
{
	struct seg s;
	unsigned n = 0;

	open_with(0, 0);
	for (int second = 0; second < 3; second++) {
		for (int k = 0; k < 50; k++)
			SEND(.flags = TCP_SYN, .seq = 1005);
		after(1100);
	}
	while (sent(&s))
		n++;
	CHECK_EQ(n, 30);
	close_all();
}
TEST(initial_numbers_are_not_to_be_guessed)
{
	uint32_t first, second;
	struct seg s;

	open_listener();
	peer_port = 6000;
	SEND(.flags = TCP_SYN, .seq = 1000);
	REQUIRE(sent(&s));
	first = s.seq;
	peer_port = 6001;
	SEND(.flags = TCP_SYN, .seq = 1000);
	REQUIRE(sent(&s));
	second = s.seq;
	CHECK(second - first > 1000000 && first - second > 1000000);
	peer_port = 6000; /* but the same connection's go up with time, RFC 6528 */
	SEND(.flags = TCP_RST, .seq = 1001);
	after(10);
	SEND(.flags = TCP_SYN, .seq = 1000);
	REQUIRE(sent(&s));
	CHECK_EQ(s.seq - first, 10000000 >> 6);
	peer_port = 5000;
	close_all();
}

/* ---- rubbish ---- */

TEST(syn_with_fin_is_dropped)
{
	open_listener();
	SEND(.flags = TCP_SYN | TCP_FIN, .seq = 1000);
	SILENCE();
	SEND(.flags = TCP_SYN | TCP_RST, .seq = 1000);
	SILENCE();
	SEND(.flags = 0, .seq = 1000);
	SILENCE();
	CHECK_EQ(sk_of(l)->listener->syn_count, 0);
	close_all();
}
TEST(syn_ack_to_a_listener_is_reset)
{
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 1000, .ack = 55);
	EXPECT(s, TCP_RST, 55, 0, 0);
	close_all();
}
TEST(options_that_lie_about_their_length)
{
	static const uint8_t bad[][8] = {
		{ 2, 0, 0, 0 },		     /* no length */
		{ 2, 1, 0, 0 },		     /* shorter than itself */
		{ 2, 40, 0, 0 },	     /* beyond the header */
		{ 1, 1, 1, 2 },		     /* cut off */
		{ 8, 10, 0, 0, 1, 1, 1, 8 }, /* cut off */
		{ 5, 9, 0, 0, 0, 0, 0, 0 },  /* no whole block */
		{ 99, 8, 1, 2, 3, 4, 5, 6 }, /* unknown */
	};
	struct seg s;

	for (unsigned k = 0; k < ARRAY_SIZE(bad); k++) {
		peer_setup();
		l = listener_at(80);
		SEND(.flags = TCP_SYN, .seq = 1000, .opt = bad[k], .opt_len = 8);
		EXPECT(s, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
		CHECK(!s.ts && s.wscale == -1);
		close_all();
	}
}
TEST(options_behind_an_unknown_one_count)
{
	static const uint8_t o[] = { 99, 4, 7, 7, 3, 3, 5, 1, 30, 2, 4, 2 };
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = sizeof(o));
	EXPECT(s, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
	CHECK_EQ(s.wscale, TCP_WSCALE);
	close_all();
}
TEST(options_of_a_syn_mean_nothing_later)
{
	static const uint8_t o[] = { TCPOPT_WSCALE, 3, 14, TCPOPT_NOP, TCPOPT_MSS, 4, 0, 80 };

	open_with(0, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .wnd = 1000, .opt = o, .opt_len = 8);
	CHECK_EQ(sk_of(c)->snd_wnd, 1000);
	CHECK_EQ(sk_of(c)->mss, SEG);
	close_all();
}
TEST(a_tiny_mss_is_not_obeyed)
{
	static const uint8_t o[] = { TCPOPT_MSS, 4, 0, 1 };
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = 4);
	REQUIRE(sent(&s));
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	REQUIRE(accept_next());
	CHECK_EQ(sk_of(c)->mss, TCP_MIN_MSS);
	close_all();
}
TEST(header_lengths_that_lie)
{
	for (unsigned words = 0; words < 16; words++) {
		uint8_t f[200];
		size_t at = put_ip(f, IPPROTO_TCP, 24, PEER, ME);
		struct tcp_header *h = (struct tcp_header *)(f + at);

		open_with(0, 0);
		memset(h, 0, 24);
		*h = (struct tcp_header){ be16(5000), be16(80), be32(1001), be32(iss + 1),
			(uint8_t)(words << 4), TCP_RST, be16(1000), 0, 0 };
		h->checksum = csum_fold(csum_add(csum_pseudo(PEER, ME, IPPROTO_TCP, 24), h, 24));
		inject(f, at + 24);
		/* 5 and 6 words fit into what came; a reset may carry data */
		CHECK_EQ(state(), words == 5 || words == 6 ? TCP_CLOSE : TCP_ESTABLISHED);
		close_all();
	}
}
TEST(timestamps_missing_where_agreed_are_tolerated)
{
	open_with(O_TS, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "x");
	CHECK_EQ(env_read(c, buf, 10, 0), 1); /* as Linux; RFC 7323 3.2 would drop */
	close_all();
}
TEST(timestamps_not_agreed_are_ignored)
{
	static const uint8_t o[] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0 };

	open_with(0, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "a", .opt = o, .opt_len = 12);
	SEND(.flags = TCP_ACK, .seq = 1002, .ack = iss + 1, .text = "b");
	CHECK_EQ(env_read(c, buf, 10, 0), 2);
	close_all();
}
TEST(paws_lets_a_connection_that_slept_go_on)
{
	uint8_t o[12];

	open_with(O_TS, 0);
	env_now += 25ull * 86400 * NSEC_PER_SEC; /* the peer's clock may have gone round */
	put_ts(o);
	put_be32(o + 4, sk_of(c)->ts_recent - 1000);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "x", .opt = o, .opt_len = 12);
	CHECK_EQ(env_read(c, buf, 10, 0), 1);
	close_all();
}
TEST(paws_does_not_apply_to_resets)
{
	uint8_t o[12];

	open_with(O_TS, 0);
	put_ts(o);
	put_be32(o + 4, sk_of(c)->ts_recent - 1000);
	SEND(.flags = TCP_RST, .seq = 1001, .opt = o, .opt_len = 12);
	CHECK_EQ(state(), TCP_CLOSE);
	close_all();
}
TEST(echo_is_of_the_segment_that_the_ack_waits_for)
{
	uint8_t o[12];
	struct seg s;
	uint32_t first;

	open_with(O_TS, 0);
	after(10);
	put_ts(o);
	first = get_be32(o + 4);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "a", .opt = o, .opt_len = 12);
	REQUIRE(sent(&s));
	CHECK_EQ(s.ts_ecr, first);
	after(10);
	put_ts(o); /* beyond a hole: not remembered (RFC 7323, 4.3) */
	SEND(.flags = TCP_ACK, .seq = 1003, .ack = iss + 1, .text = "c", .opt = o, .opt_len = 12);
	REQUIRE(sent(&s));
	CHECK_EQ(s.ts_ecr, first);
	close_all();
}

/* ---- at the end of memory, and at random ---- */

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
/* Rubbish with a grain of truth: numbers that nearly fit, SACK blocks that nearly make sense. */
static size_t random_options(unsigned long *seed, uint8_t *o)
{
	size_t n = peer_options & O_TS && t_random(seed) % 4 ? put_ts(o) : 0;

	if (t_random(seed) % 4 == 0) {
		size_t extra = t_random(seed) % 6 * 4;

		for (size_t k = 0; k < extra; k++)
			o[n++] = (uint8_t)(t_random(seed) % (t_random(seed) % 2 ? 12 : 256));
	} else if (t_random(seed) % 2) {
		unsigned blocks = 1 + (unsigned)(t_random(seed) % 3);

		memset(o + n, TCPOPT_NOP, 2);
		o[n + 2] = TCPOPT_SACK;
		o[n + 3] = (uint8_t)(2 + 8 * blocks);
		for (n += 4; blocks; blocks--, n += 8) {
			uint32_t start =
				sk_of(c)->snd_una + (uint32_t)(t_random(seed) % 12000) - 900;

			put_be32(o + n, start);
			put_be32(o + n + 4, start + (uint32_t)(t_random(seed) % 4000));
		}
	}
	return n;
}
TEST(random_segments_never_break_it)
{
	unsigned long seed = 4711;

	for (int round = 0; round < 600; round++) {
		open_with((unsigned)(t_random(&seed) % 8), (unsigned)(t_random(&seed) % 50));
		for (int i = 0; i < 60; i++) {
			struct tcp_sock *t = sk_of(c);
			uint8_t o[40], flags = t_random(&seed) % 8 ? 0 : t_random(&seed) % 64;
			size_t on = random_options(&seed, o);

			if (t->write_seq - t->snd_una < 30000)
				env_write(c, buf, t_random(&seed) % 6000, MSG_DONTWAIT);
			SEND(.flags = (uint8_t)(flags | (t_random(&seed) % 16 ? TCP_ACK : 0)),
				.seq = t->rcv_nxt + (uint32_t)(t_random(&seed) % 60) - 10,
				.ack = t->snd_una + (uint32_t)(t_random(&seed) % 4000) - 200,
				.wnd = (int)(t_random(&seed) % 20000), .text = buf,
				.len = t_random(&seed) % 80 + 1, .opt = o, .opt_len = on,
				.urgent = (uint16_t)(t_random(&seed) % 50));
			env_check_tcp(t);
			if (t_random(&seed) % 5 == 0)
				env_read(c, buf + 60000, t_random(&seed) % 100, 0);
			if (t_random(&seed) % 4 == 0)
				env_run(t_random(&seed) % (200 * NSEC_PER_MSEC));
			if (t_random(&seed) % 20 == 0)
				env_run(t_random(&seed) % (2 * NSEC_PER_SEC));
			if (t_random(&seed) % 80 == 0)
				socket_shutdown(c, (int)(t_random(&seed) % 3));
			out_clear();
			env_check_tcp(t);
		}
		close_all();
	}
}
#endif
