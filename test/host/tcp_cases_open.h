/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: handshakes, refused and accepted. */
#ifndef TEST_HOST_TCP_CASES_OPEN_H
#define TEST_HOST_TCP_CASES_OPEN_H

#include "tcp_case.h"

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
	REQUIRE(accept_next());
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}
TEST(passive_open_takes_offered_options)
{
	static const uint8_t o[] = { 2, 4, 5, 0xb4, 1, 3, 3, 9, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0,
		0 };
	struct seg s;

	open_listener();
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

	open_listener();
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

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000);
	sent(&s);
	SEND(.flags = TCP_SYN, .seq = 1000);
	EXPECT(t, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
	close_all();
}
TEST(ack_to_listener_is_reset)
{
	struct seg s;

	open_listener();
	SEND(.flags = TCP_ACK, .seq = 5, .ack = 77);
	EXPECT(s, TCP_RST, 77, 0, 0);
	SEND(.flags = TCP_RST, .seq = 5);
	SILENCE();
	close_all();
}
TEST(wrong_ack_in_syn_recv_is_reset)
{
	struct seg s;

	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000);
	sent(&s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 5);
	EXPECT(s, TCP_RST, s.seq, 0, 0);
	close_all();
}
TEST(closed_port_is_reset)
{
	struct seg s;

	open_listener();
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
	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000, .bad_checksum = true);
	SILENCE();
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
/* The peer's SYN,ACK has the ACK that is waited for: answered with ours again, both never cease. */
TEST(simultaneous_open_ends_with_the_syn_ack)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_SYN, .seq = 9000);
	EXPECT(s, TCP_SYN | TCP_ACK, iss, 9001, 0);
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 9000, .ack = iss + 1);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	EXPECT(s, TCP_ACK, iss + 1, 9001, 0);
	SILENCE();
	close_all();
}
TEST(second_connection_has_nothing_of_the_first)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 9000, .ack = iss + 1);
	CHECK_EQ(env_dial(c, PEER, 5000), 0);
	SEND(.flags = TCP_ACK, .seq = 9001, .ack = iss + 1, .text = "stale");
	SEND(.flags = TCP_RST, .seq = 9006);
	CHECK_EQ(state(), TCP_CLOSE);
	out_clear();
	CHECK_EQ(env_dial(c, PEER, 5000), -EISCONN); /* until it is told to forget */
	CHECK_EQ(dissolve(c), 0);
	CHECK_EQ(env_dial(c, PEER, 5000), -EINPROGRESS);
	REQUIRE(sent(&s));
	my_port = s.sport;
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 500, .ack = s.seq + 1);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK_EQ(env_read(c, buf, 100, 0), -EAGAIN);
	close_all();
}
TEST(simultaneous_open_offers_what_the_peer_offered)
{
	uint8_t o[40];
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_SYN, .seq = 9000, .opt = o, .opt_len = put_syn(o, O_SACK | O_WSCALE));
	EXPECT(s, TCP_SYN | TCP_ACK, iss, 9001, 0);
	CHECK(!s.ts && s.wscale == TCP_WSCALE);
	SEND(.flags = TCP_ACK, .seq = 9001, .ack = iss + 1);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK(sk_of(c)->sack_ok && sk_of(c)->snd_wscale == 8 && !sk_of(c)->ts_ok);
	close_all();
}
TEST(simultaneous_open_then_close_waits_for_the_handshake)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_SYN, .seq = 9000);
	EXPECT(s, TCP_SYN | TCP_ACK, iss, 9001, 0);
	socket_shutdown(c, SHUT_WR);
	SILENCE();
	SEND(.flags = TCP_ACK, .seq = 9001, .ack = iss + 1);
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 1, 9001, 0);
	CHECK_EQ(state(), TCP_FIN_WAIT1);
	close_all();
}
TEST(active_open_keeps_what_both_offered)
{
	uint8_t o[40];
	struct seg s;

	open_active(&s);
	uint32_t stamp = s.ts_val;

	peer_echo = stamp;
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 9000, .ack = iss + 1, .opt = o,
		.opt_len = put_syn(o, O_SACK | O_TS | O_WSCALE));
	EXPECT(s, TCP_ACK, iss + 1, 9001, 0);
	CHECK(s.ts && s.ts_ecr == peer_clock());
	CHECK(sk_of(c)->sack_ok && sk_of(c)->wscale_ok);
	CHECK_EQ(sk_of(c)->mss, SEG);
	close_all();
}
TEST(syn_is_repeated_with_the_same_number)
{
	struct seg s;
	uint32_t gap[] = { 1000, 2000, 4000 };

	open_active(&s);
	for (int k = 0; k < 3; k++) {
		after(gap[k] - 10);
		SILENCE();
		after(20);
		EXPECT(s, TCP_SYN, iss, 0, 0);
		env_now -= 10 * NSEC_PER_MSEC;
	}
	close_all();
}
TEST(data_with_the_last_ack_of_the_handshake)
{
	struct seg s;

	REQUIRE(open_half(&s));
	SEND(.flags = TCP_ACK | TCP_PSH, .seq = 1001, .ack = s.seq + 1, .text = "hello");
	REQUIRE(accept_next());
	CHECK_EQ(env_read(c, buf, 10, 0), 5);
	close_all();
}
TEST(fin_with_the_last_ack_of_the_handshake)
{
	struct seg s;

	REQUIRE(open_half(&s));
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = s.seq + 1, .text = "bye");
	REQUIRE(accept_next());
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	CHECK_EQ(env_read(c, buf, 10, 0), 3);
	CHECK_EQ(env_read(c, buf, 10, 0), 0);
	close_all();
}
TEST(a_lost_syn_ack_is_noticed_by_the_repeated_syn)
{
	struct seg s, t;

	REQUIRE(open_half(&s));
	after(500);
	SEND(.flags = TCP_SYN, .seq = 1000);
	EXPECT(t, TCP_SYN | TCP_ACK, s.seq, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	REQUIRE(accept_next());
	CHECK_EQ(sk_of(c)->srtt, 0); /* Karn: which of the two? */
	close_all();
}
TEST(handshake_gives_the_first_round_trip)
{
	open_with(0, 123);
	CHECK_EQ(sk_of(c)->srtt >> 3, 123000);
	close_all();
}
TEST(a_second_attempt_is_a_whole_one)
{
	struct seg s;
	unsigned n = 0;

	open_active(&s);
	after(200000);
	CHECK_EQ(env_dial(c, PEER, 5000), -ETIMEDOUT);
	meet_peer();
	CHECK_EQ(env_dial(c, PEER, 5000), -EINPROGRESS);
	after(200000);
	while (sent(&s))
		n += s.flags == TCP_SYN;
	CHECK_EQ(n, 1 + TCP_SYN_RETRIES);
	close_all();
}
TEST(a_dissolved_socket_starts_anew)
{
	struct seg s;

	open_active(&s);
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 9000, .ack = iss + 1);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	write_segments(3);
	after(1000);
	out_clear();
	CHECK_EQ(dissolve(c), 0);
	CHECK(sent(&s) && (s.flags & TCP_RST));
	CHECK_EQ(env_read(c, buf, 1, 0), -ECONNRESET);
	CHECK_EQ(env_read(c, buf, 1, 0), -ENOTCONN);
	CHECK_EQ(env_poll(c), POLLOUT | POLLWRNORM | POLLHUP);
	CHECK_EQ(env_dial(c, PEER, 5000), -EINPROGRESS);
	REQUIRE(sent(&s));
	CHECK(s.flags == TCP_SYN && s.ts && s.wscale == TCP_WSCALE);
	my_port = s.sport;
	iss = s.seq;
	SEND(.flags = TCP_SYN | TCP_ACK, .seq = 7000, .ack = iss + 1);
	EXPECT(s, TCP_ACK, iss + 1, 7001, 0);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK_EQ(sk_of(c)->cwnd, 10 * 536);
	CHECK_EQ(ca_state(), CA_OPEN);
	close_all();
}
#endif
