/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: queues, SYN floods and cookies (RFC 4987), shared ports, reused ones (RFC 6191). */
#ifndef TEST_HOST_TCP_CASES_LISTEN_H
#define TEST_HOST_TCP_CASES_LISTEN_H

#include "tcp_case.h"

/* ---- the end of listening ---- */

/* A listener with a child that waits for accept, and a half-open one; both are to be reset. */
static void listen_with_two(void)
{
	struct seg s;

	peer_setup();
	my_port = 80;
	l = listener_at(80);
	SEND(.flags = TCP_SYN, .seq = 1000);
	REQUIRE(sent(&s));
	iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	peer_port = 5001;
	SEND(.flags = TCP_SYN, .seq = 1000);
	REQUIRE(sent(&s));
	SILENCE();
}
static void both_are_reset(void)
{
	struct file *other = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct seg s;
	int yes = 1;

	CHECK(sent(&s) && (s.flags & TCP_RST) && s.dport == 5000 && s.seq == iss + 1);
	CHECK(sent(&s) && (s.flags & TCP_RST) && s.dport == 5001);
	SILENCE();
	CHECK_EQ(PTR_ERR(socket_accept(l, SOCK_NONBLOCK, NULL, NULL)), -EINVAL);
	CHECK_EQ(env_poll(l), POLLOUT | POLLWRNORM | POLLHUP);
	/* the port is still its own, but nobody listens there */
	CHECK_EQ(env_bind(other, 0, 80), -EADDRINUSE);
	CHECK_EQ(socket_setopt(l, SOL_SOCKET, SO_REUSEADDR, &yes, 4), 0);
	CHECK_EQ(socket_setopt(other, SOL_SOCKET, SO_REUSEADDR, &yes, 4), 0);
	CHECK_EQ(env_bind(other, 0, 80), 0);
	CHECK_EQ(socket_listen(other, 5), 0);
	CHECK_EQ(socket_listen(l, 5), -EADDRINUSE);
	file_put(other);
	CHECK_EQ(socket_listen(l, 5), 0);
	connect_from(5002, O_SACK, 0);
	close_all();
}
TEST(a_dissolved_listener_resets_its_children)
{
	listen_with_two();
	CHECK_EQ(dissolve(l), 0);
	both_are_reset();
}
TEST(a_shut_down_listener_resets_its_children)
{
	listen_with_two();
	CHECK_EQ(socket_shutdown(l, SHUT_RD), 0);
	both_are_reset();
}
/* A port that listen(2) chose goes with the listener, and the next one holds its own. */
TEST(a_chosen_port_goes_with_its_listener)
{
	struct file *other = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	uint16_t port;

	peer_setup();
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(socket_listen(l, 5), 0);
	port = sk_of(l)->i.lport;
	CHECK_EQ(dissolve(l), 0);
	CHECK_EQ(env_bind(other, 0, port), 0);
	file_put(other);
	other = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(socket_listen(l, 5), 0);
	CHECK_EQ(env_bind(other, 0, sk_of(l)->i.lport), -EADDRINUSE);
	file_put(other);
	close_all();
}

/* ---- floods ---- */

static void syn_from(uint16_t port, unsigned options)
{
	uint8_t o[40];
	size_t n = put_syn(o, options);

	peer_port = port;
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = n);
}
/* A listener whose queue of half-open connections is full. */
static void flooded(void)
{
	peer_setup();
	my_port = 80;
	l = listener_at(80);
	c = NULL;
	for (uint16_t k = 0; k < 128; k++)
		syn_from((uint16_t)(20000 + k), O_SACK | O_TS | O_WSCALE);
	out_clear();
	CHECK_EQ(sk_of(l)->listener->syn_count, 128);
}
/* A SYN that is answered with a cookie; then env_now moves on by ms; the ACK comes. */
static void answer_cookie(unsigned options, uint64_t ms, uint32_t wrong, const char *text)
{
	uint8_t o[40];
	struct seg s;

	out_clear();
	syn_from(5000, options);
	REQUIRE(sent(&s));
	CHECK_EQ(s.flags, TCP_SYN | TCP_ACK);
	CHECK_EQ(s.ts, !!(options & O_TS));
	iss = s.seq;
	peer_echo = s.ts_val;
	after(ms);
	out_clear();
	size_t n = options & O_TS ? put_ts(o) : 0;

	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + wrong, .opt = o, .opt_len = n,
		.text = text);
	struct file *f = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);

	c = IS_ERR(f) ? NULL : f;
}
/* A SYN is answered with a cookie; o: the options of what follows, returned is their size. */
static size_t cookie_from(struct seg *s, uint8_t *o)
{
	flooded();
	syn_from(5000, O_SACK | O_TS);
	CHECK(sent(s));
	peer_echo = s->ts_val;
	return put_ts(o);
}
TEST(syn_flood_keeps_the_queue_bounded)
{
	long before;

	flooded();
	before = t_live();
	for (uint16_t k = 0; k < 2000; k++)
		syn_from((uint16_t)(30000 + k), O_SACK | O_TS);
	out_clear();
	CHECK_EQ(sk_of(l)->listener->syn_count, 128);
	CHECK_EQ(t_live(), before);
	peer_port = 5000;
	close_all();
}
TEST(syn_flood_is_over_when_it_times_out)
{
	flooded();
	after(130000);
	out_clear();
	CHECK_EQ(sk_of(l)->listener->syn_count, 0);
	connect_from(5000, O_SACK, 0);
	CHECK(!sk_of(c)->from_cookie);
	close_all();
}
TEST(cookie_opens_a_connection_during_a_flood)
{
	flooded();
	answer_cookie(O_SACK | O_TS | O_WSCALE, 40, 0, NULL);
	REQUIRE(c);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK(sk_of(c)->from_cookie);
	peer_seq = 1001;
	peer_options = O_TS;
	peer_says("hello");
	CHECK_EQ(env_read(c, buf, 100, 0), 5);
	out_clear();
	write_segments(2);
	close_all();
}
TEST(cookie_keeps_the_options_in_the_timestamp)
{
	flooded();
	answer_cookie(O_SACK | O_TS | O_WSCALE, 40, 0, NULL);
	REQUIRE(c);
	struct tcp_sock *t = sk_of(c);

	CHECK(t->ts_ok && t->sack_ok && t->wscale_ok);
	CHECK_EQ(t->snd_wscale, 8);
	CHECK_EQ(t->rcv_wscale, TCP_WSCALE);
	CHECK_EQ(t->snd_wnd, 65535u << 8);
	CHECK(t->peer_mss <= SEG + 12 && t->peer_mss == 536);
	close_all();
}
TEST(cookie_without_window_scale)
{
	flooded();
	answer_cookie(O_TS, 40, 0, NULL);
	REQUIRE(c);
	CHECK(!sk_of(c)->sack_ok && !sk_of(c)->wscale_ok && sk_of(c)->ts_ok);
	CHECK_EQ(sk_of(c)->rcv_wscale, 0);
	close_all();
}
TEST(cookie_without_timestamps_offers_nothing)
{
	struct seg s;

	flooded();
	syn_from(5000, O_SACK | O_WSCALE);
	REQUIRE(sent(&s));
	CHECK(!s.ts && s.wscale == -1 && s.has_mss);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	REQUIRE(accept_next());
	CHECK(!sk_of(c)->sack_ok && !sk_of(c)->wscale_ok && !sk_of(c)->ts_ok);
	close_all();
}
TEST(cookie_timestamp_is_not_ahead_of_the_clock)
{
	flooded();
	answer_cookie(O_SACK | O_TS | O_WSCALE, 0, 0, NULL);
	REQUIRE(c);
	CHECK((int32_t)(tcp_ts_now(sk_of(c)) - peer_echo) >= 0);
	CHECK((int32_t)(tcp_ts_now(sk_of(c)) - peer_echo) < 128);
	close_all();
}
TEST(cookie_answer_may_carry_data)
{
	flooded();
	answer_cookie(O_SACK | O_TS, 40, 0, "GET /");
	REQUIRE(c);
	CHECK_EQ(env_read(c, buf, 100, 0), 5);
	CHECK_MEM(buf, "GET /", 5);
	close_all();
}
/* The ACK of a cookie, data and FIN in one run: the last two come to the listener as well. */
TEST(cookie_answer_and_more_in_one_run)
{
	uint8_t o[40];
	struct seg s;
	size_t n = cookie_from(&s, o);

	socket_lock(&sk_of(l)->i.s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .opt = o, .opt_len = n);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .opt = o, .opt_len = n,
		.text = "hello");
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1006, .ack = s.seq + 1, .opt = o, .opt_len = n);
	socket_unlock(&sk_of(l)->i.s);
	REQUIRE(accept_next());
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	CHECK_EQ(env_read(c, buf, 100, 0), 5);
	CHECK_EQ(env_read(c, buf, 100, 0), 0);
	while (sent(&s))
		CHECK(!(s.flags & TCP_RST));
	close_all();
}
TEST(cookie_answer_and_reset_in_one_run)
{
	uint8_t o[40];
	struct seg s;
	size_t n = cookie_from(&s, o);

	socket_lock(&sk_of(l)->i.s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .opt = o, .opt_len = n);
	SEND(.flags = TCP_RST, .seq = 1001);
	socket_unlock(&sk_of(l)->i.s);
	REQUIRE(accept_next());
	CHECK_EQ(env_read(c, buf, 100, 0), -ECONNRESET);
	close_all();
}
TEST(cookie_answer_is_lost_and_what_follows_comes)
{
	uint8_t o[40];
	struct seg s;

	flooded();
	syn_from(5000, O_SACK | O_TS);
	REQUIRE(sent(&s));
	iss = s.seq;
	peer_echo = s.ts_val;
	size_t n = put_ts(o);

	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1006, .ack = iss + 1, .opt = o, .opt_len = n);
	SEND(.flags = TCP_ACK, .seq = 1004, .ack = iss + 1, .opt = o, .opt_len = n, .text = "lo");
	SILENCE();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .opt = o, .opt_len = n, .text = "hel");
	REQUIRE(accept_next());
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
	/* When no cookies are about this is somebody who speaks of a connection that is not. */
	open_listener();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1006, .ack = iss + 1);
	EXPECT(s, TCP_RST, iss + 1, 0, 0);
	c = NULL;
	close_all();
}
TEST(cookie_is_good_for_a_minute)
{
	flooded();
	answer_cookie(O_SACK | O_TS, 60000, 0, NULL);
	CHECK(c);
	close_all();
}
TEST(cookie_is_refused_after_two_minutes)
{
	struct seg s;

	flooded();
	answer_cookie(O_SACK | O_TS, 130000, 0, NULL);
	CHECK(!c);
	EXPECT(s, TCP_RST, iss + 1, 0, 0);
	close_all();
}
TEST(cookie_must_be_exact)
{
	struct seg s;

	flooded();
	answer_cookie(O_SACK | O_TS, 10, 1, NULL);
	CHECK(!c);
	EXPECT(s, TCP_RST, iss + 2, 0, 0);
	answer_cookie(O_SACK | O_TS, 10, 1u << 24, NULL); /* another MSS */
	CHECK(!c);
	answer_cookie(O_SACK | O_TS, 10, 1u << 27, NULL); /* another minute */
	CHECK(!c);
	close_all();
}
TEST(cookie_belongs_to_its_connection)
{
	struct seg s;

	flooded();
	syn_from(5000, O_SACK);
	REQUIRE(sent(&s));
	peer_port = 5001;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	CHECK(IS_ERR(socket_accept(l, SOCK_NONBLOCK, NULL, NULL)));
	peer_port = 5000; /* and to the number that its SYN had */
	SEND(.flags = TCP_ACK, .seq = 1002, .ack = s.seq + 1);
	CHECK(IS_ERR(socket_accept(l, SOCK_NONBLOCK, NULL, NULL)));
	peer_addr = IP4(10, 0, 0, 3);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	CHECK(IS_ERR(socket_accept(l, SOCK_NONBLOCK, NULL, NULL)));
	peer_addr = PEER;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	REQUIRE(accept_next());
	close_all();
}
TEST(cookie_means_nothing_when_none_was_sent)
{
	struct tcp_sock fake = { .irs = 1000, .peer_mss = 1460 };
	struct seg s;

	peer_setup();
	my_port = 80;
	l = listener_at(80);
	fake.i.laddr = PEER_ADDR(ME);
	fake.i.raddr = PEER_ADDR(PEER);
	fake.i.lport = 80;
	fake.i.rport = 5000;
	uint32_t cookie = tcp_cookie_make(&fake); /* somebody who knows the key */

	me.net.cookie_time = 0;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = cookie + 1);
	EXPECT(s, TCP_RST, cookie + 1, 0, 0);
	me.net.cookie_time = env_now;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = cookie + 1);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	CHECK(!IS_ERR(c));
	close_all();
}
TEST(cookie_gives_no_round_trip)
{
	flooded();
	answer_cookie(O_SACK | O_TS, 500, 0, NULL);
	REQUIRE(c);
	CHECK_EQ(sk_of(c)->srtt, 0);
	close_all();
}

/* ---- the accept queue ---- */

TEST(accept_queue_limit)
{
	struct seg s;
	unsigned answered = 0;

	open_listener();
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
TEST(accept_queue_full_leaves_the_last_ack_unanswered)
{
	struct seg s;
	uint32_t first[4];

	open_listener();
	socket_listen(l, 1);
	for (int k = 0; k < 4; k++) { /* all SYNs before the first ACK */
		peer_port = (uint16_t)(6000 + k);
		SEND(.flags = TCP_SYN, .seq = 1000);
		REQUIRE(sent(&s));
		first[k] = s.seq;
	}
	for (int k = 0; k < 4; k++) {
		peer_port = (uint16_t)(6000 + k);
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = first[k] + 1);
	}
	CHECK_EQ(sk_of(l)->listener->accept_count, 2);
	SILENCE();
	for (int k = 0; k < 2; k++) {
		struct file *f = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);

		REQUIRE(!IS_ERR(f));
		file_put(f);
	}
	out_clear();
	after(1100); /* the SYN,ACK goes out again, is answered again, and there is room */
	peer_port = 6002;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = first[2] + 1);
	REQUIRE(accept_next());
	peer_port = 5000;
	close_all();
}
TEST(cookie_waits_for_room_in_the_accept_queue)
{
	struct seg s;
	uint32_t first[2];

	flooded();
	socket_listen(l, 0);
	for (int k = 0; k < 2; k++) {
		peer_port = (uint16_t)(6000 + k);
		SEND(.flags = TCP_SYN, .seq = 1000);
		REQUIRE(sent(&s));
		first[k] = s.seq;
	}
	for (int k = 0; k < 2; k++) {
		peer_port = (uint16_t)(6000 + k);
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = first[k] + 1);
	}
	SILENCE(); /* no reset: it may come again */
	struct file *f = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);

	REQUIRE(!IS_ERR(f));
	file_put(f);
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = first[1] + 1);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	CHECK(!IS_ERR(c));
	peer_port = 5000;
	close_all();
}
TEST(a_reset_frees_its_place_in_the_queue)
{
	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000);
	CHECK_EQ(sk_of(l)->listener->syn_count, 1);
	SEND(.flags = TCP_RST, .seq = 1001);
	CHECK_EQ(sk_of(l)->listener->syn_count, 0);
	out_clear();
	close_all();
}
TEST(defer_accept_is_over_after_its_time)
{
	int secs = 5;
	struct seg s;

	open_listener();
	socket_setopt(l, SOL_TCP, TCP_DEFER_ACCEPT, &secs, 4);
	SEND(.flags = TCP_SYN, .seq = 1000);
	REQUIRE(sent(&s));
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	after(6900); /* 5 seconds are rounded up to the third SYN,ACK, as Linux does */
	CHECK(IS_ERR(socket_accept(l, SOCK_NONBLOCK, NULL, NULL)));
	after(200);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	CHECK(!IS_ERR(c));
	close_all();
}

/* ---- several listeners ---- */

static struct file *shared_listener(void)
{
	struct file *f = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int one = 1;

	CHECK_EQ(socket_setopt(f, SOL_SOCKET, SO_REUSEPORT, &one, 4), 0);
	CHECK_EQ(env_bind(f, 0, 80), 0);
	CHECK_EQ(socket_listen(f, 5), 0);
	return f;
}
TEST(reuseport_spreads_connections_by_flow)
{
	struct file *f[4];
	unsigned got[4] = { 0 }, again[4] = { 0 };

	peer_setup();
	my_port = 80;
	for (int k = 0; k < 4; k++)
		f[k] = shared_listener();
	for (uint16_t port = 10000; port < 10400; port++)
		syn_from(port, 0);
	out_clear();
	for (int k = 0; k < 4; k++) {
		got[k] = sk_of(f[k])->listener->syn_count;
		CHECK(got[k] > 72 && got[k] < 128); /* 100 on average, 9 the deviation */
	}
	after(200000); /* given up; the same flows come again and go where they went */
	out_clear();
	for (uint16_t port = 10000; port < 10400; port++)
		syn_from(port, 0);
	for (int k = 0; k < 4; k++) {
		again[k] = sk_of(f[k])->listener->syn_count;
		CHECK_EQ(got[k], again[k]);
		file_put(f[k]);
	}
	peer_port = 5000;
	peer_teardown();
}
TEST(ports_are_shared_only_if_both_want_to)
{
	struct file *other = NULL;
	int one = 1;

	open_listener();
	other = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socket_setopt(other, SOL_SOCKET, SO_REUSEPORT, &one, 4);
	CHECK_EQ(env_bind(other, 0, 80), -EADDRINUSE);
	file_put(other);
	close_all();
}
TEST(the_more_specific_listener_wins)
{
	struct file *any, *mine;
	int one = 1;

	peer_setup();
	my_port = 80;
	any = shared_listener();
	mine = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socket_setopt(mine, SOL_SOCKET, SO_REUSEPORT, &one, 4);
	CHECK_EQ(env_bind(mine, ME, 80), 0);
	CHECK_EQ(socket_listen(mine, 5), 0);
	for (uint16_t port = 10000; port < 10020; port++)
		syn_from(port, 0);
	CHECK_EQ(sk_of(mine)->listener->syn_count, 20);
	peer_port = 5000;
	file_put(any);
	file_put(mine);
	peer_teardown();
}

/* The peer measures the round trip of the SYN that was answered. */
TEST(syn_sent_again_is_answered_with_its_own_timestamp)
{
	uint8_t o[40];
	struct seg s;

	open_listener();
	peer_echo = 0;
	for (unsigned k = 0; k < 2; k++) {
		size_t n = put_syn(o, O_TS);
		uint32_t stamp = peer_clock();

		SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = n);
		REQUIRE(sent(&s));
		CHECK_EQ(s.flags, TCP_SYN | TCP_ACK);
		CHECK_EQ(s.ts_ecr, stamp);
		after(500);
		out_clear();
	}
	c = NULL;
	close_all();
}

/* ---- TIME_WAIT and the next connection ---- */

/* We closed first; the peer's last number is peer_seq - 1. */
static void in_time_wait(unsigned options)
{
	uint8_t o[12];

	open_with(options, 1);
	socket_shutdown(c, SHUT_WR);
	size_t n = options & O_TS ? put_ts(o) : 0;

	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2, .opt = o, .opt_len = n);
	peer_seq = 1002;
	CHECK_EQ(state(), TCP_TIME_WAIT);
	out_clear();
}
static void syn_again(uint32_t seq, int ts_delta, bool ts)
{
	uint8_t o[40];
	size_t n = put_syn(o, ts ? O_TS : 0);

	if (ts)
		put_be32(o + 8, peer_clock() + (uint32_t)ts_delta);
	SEND(.flags = TCP_SYN, .seq = seq, .opt = o, .opt_len = n);
}
static bool answered_with(uint8_t flags)
{
	struct seg s;

	return sent(&s) && s.flags == flags;
}
/* RFC 6191, section 2, as a table. */
static const struct {
	const char *what;
	bool ts_before, ts_now;
	int ts_delta;
	uint32_t seq;
	bool opens;
} reopening[] = {
	{ "no timestamps, higher number", false, false, 0, 5000, true },
	{ "no timestamps, lower number", false, false, 0, 500, false },
	{ "timestamps are new", false, true, 0, 500, true },
	{ "timestamps are gone, higher number", true, false, 0, 5000, true },
	{ "timestamps are gone, lower number", true, false, 0, 500, false },
	{ "later timestamp, lower number", true, true, 10, 500, true },
	{ "same timestamp, higher number", true, true, 0, 5000, true },
	{ "same timestamp, lower number", true, true, 0, 500, false },
	{ "older timestamp, higher number", true, true, -10, 5000, false },
};
TEST(time_wait_reopens_by_the_table_of_rfc_6191)
{
	for (unsigned k = 0; k < ARRAY_SIZE(reopening); k++) {
		in_time_wait(reopening[k].ts_before ? O_TS : 0);
		syn_again(reopening[k].seq, reopening[k].ts_delta, reopening[k].ts_now);
		if (answered_with(TCP_SYN | TCP_ACK) != reopening[k].opens)
			T_FAIL("%s", reopening[k].what);
		close_all();
	}
}
/* RFC 1122, 4.2.2.13 (1): also if the old connection was faster than the clock of initial numbers.
 */
TEST(time_wait_reopens_beyond_all_that_was_sent)
{
	for (unsigned fast = 0; fast < 2; fast++) {
		struct seg s;
		uint8_t o[40];

		open_with(0, 1);
		for (unsigned k = 0; k < 5 * fast; k++) {
			write_segments(10);
			SENT(10 * k, 10 * k + 10);
			SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1 + (k + 1) * 10 * SEG);
		}
		uint32_t end = sk_of(c)->snd_nxt;

		socket_shutdown(c, SHUT_WR);
		out_clear();
		SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = end + 1);
		CHECK_EQ(state(), TCP_TIME_WAIT);
		out_clear();
		if (!fast)
			after(1000);
		SEND(.flags = TCP_SYN, .seq = 5000, .opt = o, .opt_len = put_syn(o, 0));
		REQUIRE(sent(&s));
		CHECK_EQ(s.flags, TCP_SYN | TCP_ACK);
		if (fast)
			CHECK_EQ(s.seq, end + 1 + 65535 + 2);
		else
			CHECK(seq_gt(s.seq, iss + (uint32_t)(NSEC_PER_SEC / 64)));
		close_all();
	}
}
TEST(time_wait_answers_an_old_syn_with_an_ack)
{
	struct seg s;

	in_time_wait(0);
	syn_again(500, 0, false);
	EXPECT(s, TCP_ACK, iss + 2, 1002, 0);
	CHECK_EQ(state(), TCP_TIME_WAIT);
	close_all();
}
TEST(time_wait_outlives_old_data)
{
	struct seg s;

	in_time_wait(0);
	SEND(.flags = TCP_ACK, .seq = 900, .ack = iss + 2, .text = "old");
	EXPECT(s, TCP_ACK, iss + 2, 1002, 0);
	CHECK_EQ(state(), TCP_TIME_WAIT);
	close_all();
}
TEST(time_wait_starts_again_with_each_fin)
{
	in_time_wait(0);
	after(50000);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2);
	CHECK(answered_with(TCP_ACK));
	after(50000);
	CHECK_EQ(state(), TCP_TIME_WAIT);
	after(11000);
	CHECK_EQ(state(), TCP_CLOSE);
	close_all();
}
/* We connect from port 4000, close first, and connect again. */
static int dial_again(unsigned options, uint64_t wait_ms, uint32_t *old_end)
{
	uint8_t o[40];
	struct seg s;
	int err, one = 1;

	peer_setup();
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socket_setopt(l, SOL_SOCKET, SO_REUSEADDR, &one, 4);
	CHECK_EQ(env_bind(l, 0, 4000), 0);
	CHECK_EQ(env_dial(l, PEER, 5000), -EINPROGRESS);
	if (!sent(&s))
		return -1;
	my_port = 4000;
	iss = s.seq;
	peer_echo = s.ts_val;
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 1000, .ack = iss + 1, .opt = o,
		.opt_len = put_syn(o, options));
	socket_shutdown(l, SHUT_WR);
	size_t n = options & O_TS ? put_ts(o) : 0;

	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2, .opt = o, .opt_len = n);
	CHECK_EQ(sk_of(l)->state, TCP_TIME_WAIT);
	*old_end = sk_of(l)->snd_nxt;
	file_put(l);
	after(wait_ms);
	out_clear();
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socket_setopt(l, SOL_SOCKET, SO_REUSEADDR, &one, 4);
	err = env_bind(l, 0, 4000);
	if (!err)
		err = env_dial(l, PEER, 5000);
	c = NULL;
	return err;
}
TEST(connect_takes_the_place_of_time_wait)
{
	uint32_t end;
	struct seg s;

	CHECK_EQ(dial_again(O_TS, 1100, &end), -EINPROGRESS);
	REQUIRE(sent(&s));
	CHECK_EQ(s.flags, TCP_SYN);
	CHECK_EQ(s.seq, end + 65535 + 2); /* beyond all that the old one sent */
	CHECK_EQ(me.net.tcp_time_wait, 0);
	close_all();
}
TEST(connect_waits_until_the_timestamp_has_moved)
{
	uint32_t end;

	CHECK_EQ(dial_again(O_TS, 500, &end), -EADDRNOTAVAIL);
	CHECK_EQ(me.net.tcp_time_wait, 1);
	close_all();
}
TEST(connect_does_not_reuse_without_timestamps)
{
	uint32_t end;

	CHECK_EQ(dial_again(0, 5000, &end), -EADDRNOTAVAIL);
	close_all();
}
TEST(timestamps_of_two_connections_are_one_clock)
{
	struct seg s;
	uint32_t first;

	open_with(O_TS, 0);
	first = tcp_ts_now(sk_of(c));
	struct file *old = c;

	connect_from(5001, O_TS, 0);
	CHECK_EQ(tcp_ts_now(sk_of(c)), first);
	file_put(old);
	(void)s;
	close_all();
}
#endif
