/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: resets and the ways to close. */
#ifndef TEST_HOST_TCP_CASES_CLOSE_H
#define TEST_HOST_TCP_CASES_CLOSE_H

#include "tcp_case.h"

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

	open_listener();
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
/* A FIN that is acknowledged is nothing that waits to be sent: a closed window is not probed for
 * it, nor does it keep a keep-alive from asking. */
TEST(half_closed_has_nothing_to_send)
{
	int one = 1, idle = 1000;
	struct seg s;

	open_passive();
	socket_shutdown(c, SHUT_WR);
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 1, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2, .wnd = -1);
	CHECK_EQ(state(), TCP_FIN_WAIT2);
	env_run(300 * NSEC_PER_SEC);
	SILENCE();
	CHECK(!sk_of(c)->when[TCP_T_PERSIST]);
	socket_setopt(c, SOL_TCP, TCP_KEEPIDLE, &idle, 4);
	socket_setopt(c, SOL_SOCKET, SO_KEEPALIVE, &one, 4);
	env_run(1010 * NSEC_PER_SEC);
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
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

	open_listener();
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
TEST(half_closed_connection_still_receives)
{
	struct seg s;

	open_with(0, 0);
	socket_shutdown(c, SHUT_WR);
	EXPECT(s, TCP_ACK | TCP_FIN, iss + 1, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	for (int k = 0; k < 5; k++)
		SEND(.flags = TCP_ACK, .seq = 1001 + 5 * k, .ack = iss + 2, .text = "hello");
	CHECK_EQ(env_read(c, buf, 100, 0), 25);
	after(200000); /* for as long as the program keeps it open */
	CHECK_EQ(state(), TCP_FIN_WAIT2);
	close_all();
}
TEST(half_closed_connection_still_sends)
{
	open_with(0, 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1);
	out_clear();
	peer_seq = 1002;
	write_segments(15);
	SENT(0, 10);
	ack("10");
	SENT(10, 15);
	close_all();
}
TEST(fin_arrives_before_the_data_in_front_of_it)
{
	open_with(O_SACK, 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1004, .ack = iss + 1, .text = "def");
	CHECK_EQ(state(), TCP_ESTABLISHED);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = "abc");
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1004, .ack = iss + 1, .text = "def");
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	CHECK_EQ(env_read(c, buf, 100, 0), 6);
	CHECK_EQ(env_read(c, buf, 100, 0), 0);
	close_all();
}
TEST(data_after_the_fin_is_ignored)
{
	open_with(0, 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1, .text = "end");
	SEND(.flags = TCP_ACK, .seq = 1005, .ack = iss + 1, .text = "more");
	CHECK_EQ(env_read(c, buf, 100, 0), 3);
	CHECK_EQ(env_read(c, buf, 100, 0), 0);
	close_all();
}
TEST(a_repeated_fin_is_acknowledged_again)
{
	struct seg s;

	open_with(0, 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1);
	out_clear();
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 1);
	EXPECT(s, TCP_ACK, iss + 1, 1002, 0);
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	close_all();
}
TEST(a_closed_program_finishes_sending)
{
	struct seg s;

	open_with(0, 0);
	write_segments(15);
	file_put(c);
	c = NULL;
	SENT(0, 10);
	ack("10");
	SENT(10, 14);
	EXPECT(s, TCP_ACK | TCP_PSH | TCP_FIN, iss + 1 + 14 * SEG, 1001, SEG);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2 + 15 * SEG);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2 + 15 * SEG);
	EXPECT(s, TCP_ACK, iss + 2 + 15 * SEG, 1002, 0);
	close_all();
}
TEST(a_closed_program_gives_up_on_a_silent_peer)
{
	open_with(0, 0);
	write_segments(1);
	file_put(c);
	c = NULL;
	after(300000);
	meet_peer();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	struct seg s;

	EXPECT(s, TCP_RST, iss + 1, 0, 0); /* forgotten */
	close_all();
}
TEST(time_wait_is_bounded_for_closed_programs)
{
	open_with(0, 0);
	me.net.time_wait_max = 0;
	file_put(c);
	c = NULL;
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2);
	CHECK_EQ(me.net.tcp_time_wait, 0);
	close_all();
}
#endif
