/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: socket options, timers, TCP_INFO. */
#ifndef TEST_HOST_TCP_CASES_OPTION_H
#define TEST_HOST_TCP_CASES_OPTION_H

#include "tcp_case.h"

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

	open_listener();
	socket_setopt(l, SOL_TCP, TCP_DEFER_ACCEPT, &secs, 4);
	SEND(.flags = TCP_SYN, .seq = 1000);
	sent(&s);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	CHECK(IS_ERR(socket_accept(l, 0, NULL, NULL)));
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .text = "GET");
	REQUIRE(accept_next());
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
TEST(info_of_loss_and_delivery)
{
	struct tcp_info i;

	open_with(O_SACK, 40);
	write_segments(10);
	after(40);
	ack("0 sack 1-4");
	i = info();
	CHECK_EQ(i.tcpi_ca_state, CA_RECOVERY);
	CHECK_EQ(i.tcpi_unacked, 10);
	CHECK_EQ(i.tcpi_sacked, 3);
	CHECK_EQ(i.tcpi_lost, 0); /* it is out again */
	CHECK_EQ(i.tcpi_retrans, 1);
	CHECK_EQ(i.tcpi_total_retrans, 1);
	CHECK_EQ(i.tcpi_bytes_retrans, SEG);
	CHECK_EQ(i.tcpi_bytes_sent, 11 * SEG);
	CHECK_EQ(i.tcpi_bytes_acked, 0);
	CHECK_EQ(i.tcpi_delivered, 3);
	CHECK_EQ(i.tcpi_min_rtt, 40000);
	CHECK_EQ(i.tcpi_rtt, 40000);
	CHECK_EQ(i.tcpi_notsent_bytes, 0);
	CHECK(i.tcpi_options & TCPI_OPT_SACK);
	CHECK(!(i.tcpi_options & TCPI_OPT_TIMESTAMPS));
	ack("10 sack 0-1");
	CHECK_EQ(info().tcpi_dsack_dups, 1);
	close_all();
}
TEST(info_of_times)
{
	struct tcp_info i;

	open_with(0, 40);
	write_segments(10);
	after(40);
	ack("10");
	i = info();
	CHECK_EQ(i.tcpi_busy_time, 40000);
	CHECK_EQ(i.tcpi_rwnd_limited, 0);
	CHECK_EQ(i.tcpi_last_data_sent, 40);
	CHECK_EQ(i.tcpi_last_ack_recv, 0);
	after(7);
	CHECK_EQ(info().tcpi_last_ack_recv, 7);
	CHECK_EQ(info().tcpi_busy_time, 40000); /* idle since */
	peer_says("x");
	after(5);
	CHECK_EQ(info().tcpi_last_data_recv, 5);
	ack_window("10", 2000);
	write_segments(5);
	after(40);
	ack_window("12", 2000);
	i = info();
	CHECK_EQ(i.tcpi_rwnd_limited, 40000);
	CHECK_EQ(i.tcpi_busy_time, 80000);
	close_all();
}
TEST(info_of_the_delivery_rate)
{
	open_with(0, 40);
	write_segments(30);
	after(40);
	ack("10");
	after(40);
	ack("20");
	after(40);
	ack("30"); /* 10 segments in each round of 40 ms */
	CHECK_EQ(info().tcpi_delivery_rate, 10 * SEG * 25);
	close_all();
}
TEST(maxseg_limits_what_we_send_and_announce)
{
	struct seg s;
	int mss = 500;
	uint8_t o[40];

	open_listener();
	CHECK_EQ(socket_setopt(l, SOL_TCP, TCP_MAXSEG, &mss, 4), 0);
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = put_syn(o, 0));
	REQUIRE(sent(&s));
	CHECK_EQ(s.mss, 500);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	REQUIRE(accept_next());
	env_write(c, buf, 1000, 0);
	CHECK(sent(&s) && s.len == 500);
	mss = 87;
	CHECK_EQ(socket_setopt(l, SOL_TCP, TCP_MAXSEG, &mss, 4), -EINVAL);
	close_all();
}
TEST(notsent_lowat_holds_the_writer)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_NOTSENT_LOWAT, 5000);
	write_segments(12); /* 10 are out, 2 are not */
	CHECK(env_poll(c) & POLLOUT);
	write_segments(4);
	CHECK(!(env_poll(c) & POLLOUT));
	ack("2");
	CHECK(env_poll(c) & POLLOUT);
	close_all();
}
TEST(window_clamp)
{
	struct seg s;

	open_with(0, 0);
	set_option(SOL_TCP, TCP_WINDOW_CLAMP, 4000);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .text = buf, .len = SEG);
	REQUIRE(sent(&s));
	uint32_t edge = sk_of(c)->rcv_adv; /* does not move left, but not on either */

	for (int k = 1; k < 20; k++)
		SEND(.flags = TCP_ACK, .seq = 1001 + SEG * k, .ack = iss + 1, .text = buf,
			.len = SEG);
	CHECK_EQ(sk_of(c)->rcv_adv, edge);
	close_all();
}
TEST(syncnt_limits_the_attempts)
{
	struct seg s;
	unsigned n = 0;
	int two = 2;

	peer_setup();
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socket_setopt(l, SOL_TCP, TCP_SYNCNT, &two, 4);
	CHECK_EQ(env_dial(l, PEER, 5000), -EINPROGRESS);
	after(60000);
	while (sent(&s))
		n++;
	CHECK_EQ(n, 3);
	CHECK_EQ(env_dial(l, PEER, 5000), -ETIMEDOUT);
	close_all();
}
TEST(linger2_shortens_fin_wait2)
{
	struct seg s;

	open_with(0, 0);
	set_option(SOL_TCP, TCP_LINGER2, 5);
	file_put(c);
	c = NULL;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2);
	out_clear();
	after(4000);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 900, .ack = iss + 2);
	CHECK(sent(&s) && s.flags == TCP_ACK);
	after(1500);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = iss + 2);
	CHECK(sent(&s) && s.flags == TCP_RST);
	close_all();
}
TEST(quickack_off_delays_and_on_sends)
{
	struct seg s;

	open_with(0, 0);
	set_option(SOL_TCP, TCP_QUICKACK, 0);
	peer_says("a");
	SILENCE();
	set_option(SOL_TCP, TCP_QUICKACK, 1);
	EXPECT(s, TCP_ACK, iss + 1, 1002, 0);
	close_all();
}
TEST(more_holds_like_a_cork)
{
	struct seg s;

	open_with(0, 0);
	env_write(c, "a", 1, MSG_MORE);
	SILENCE();
	env_write(c, "b", 1, 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 2);
	close_all();
}
TEST(lent_bytes_wait_for_more_until_told_that_none_comes)
{
	struct seg s;

	open_with(0, 0);
	CHECK_EQ(env_write_lent(c, "ab", 2, PIECES_MORE), 2);
	SILENCE();
	struct piece none;

	CHECK_EQ(c->ops->write_pieces(c, &none, 0, 0), 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 2);
	CHECK_EQ(env_pages_used, 1);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 3);
	CHECK_EQ(env_pages_used, 0);
	close_all();
}
TEST(keepalive_waits_for_data_in_flight)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_KEEPIDLE, 1);
	set_option(SOL_SOCKET, SO_KEEPALIVE, 1);
	write_segments(1);
	SENT(0, 1);
	for (int k = 0; k < 3; k++) {
		after(1000);
		struct seg s;

		while (sent(&s))
			CHECK(s.len); /* retransmissions, no probes */
	}
	close_all();
}
TEST(keepalive_is_answered)
{
	struct seg s;

	open_with(0, 0);
	SEND(.flags = TCP_ACK, .seq = 1000, .ack = iss + 1);
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	SEND(.flags = TCP_ACK, .seq = 1000, .ack = iss + 1, .text = "g"); /* with a garbage byte */
	EXPECT(s, TCP_ACK, iss + 1, 1001, 0);
	close_all();
}
TEST(user_timeout_needs_silence_not_slowness)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_USER_TIMEOUT, 3000);
	write_segments(9);
	for (unsigned k = 1; k < 9; k++) {
		char script[8];

		after(1500);
		snprintf(script, sizeof(script), "%u", k);
		ack(script);
	}
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}
TEST(unknown_options_are_refused)
{
	int v = 1;
	uint32_t n = sizeof(v);

	open_with(0, 0);
	CHECK_EQ(socket_setopt(c, SOL_TCP, 200, &v, 4), -ENOPROTOOPT);
	CHECK_EQ(socket_getopt(c, SOL_TCP, 200, &v, &n), -ENOPROTOOPT);
	CHECK_EQ(socket_setopt(c, SOL_TCP, TCP_NODELAY, &v, 2), -EINVAL);
	CHECK_EQ(socket_setopt(c, SOL_TCP, TCP_KEEPCNT, (int[]){ 128 }, 4), -EINVAL);
	CHECK_EQ(socket_setopt(c, SOL_TCP, TCP_USER_TIMEOUT, (int[]){ -1 }, 4), -EINVAL);
	close_all();
}
TEST(urgent_data_is_marked_when_sent)
{
	struct seg s;

	open_with(0, 0);
	env_write(c, "abc", 3, MSG_OOB);
	REQUIRE(sent(&s));
	CHECK(s.flags & TCP_URG);
	CHECK_EQ(s.urgent, 3); /* behind the urgent byte, as Linux */
	ack("0.003");
	env_write(c, "d", 1, 0);
	CHECK(sent(&s) && !(s.flags & TCP_URG));
	close_all();
}
TEST(urgent_mark_before_its_byte)
{
	open_with(0, 0);
	SEND(.flags = TCP_ACK | TCP_URG, .seq = 1001, .ack = iss + 1, .text = "ab", .urgent = 5);
	CHECK_EQ(env_read(c, buf, 1, MSG_OOB), -EAGAIN); /* announced, not here */
	CHECK(!(env_poll(c) & POLLPRI));
	SEND(.flags = TCP_ACK, .seq = 1003, .ack = iss + 1, .text = "cd!e");
	CHECK(env_poll(c) & POLLPRI);
	CHECK_EQ(env_read(c, buf, 100, 0), 4);
	CHECK_MEM(buf, "abcd", 4);
	CHECK_EQ(env_read(c, buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], '!');
	CHECK_EQ(env_read(c, buf, 100, 0), 1);
	close_all();
}
TEST(user_timeout_is_exact)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_USER_TIMEOUT, 5000);
	write_segments(1);
	after(4990);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	after(20);
	CHECK_EQ(state(), TCP_CLOSE);
	CHECK_EQ(env_read(c, buf, 1, 0), -ETIMEDOUT);
	close_all();
}
TEST(user_timeout_of_a_call)
{
	static const struct {
		int timeout, from, to;				  /* ms; over at a time between */
	} cases[] = { { 3000, 2990, 3010 }, { 500, 990, 1010 } }; /* not before a second SYN */
	struct seg s;
	unsigned n;

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		peer_setup();
		l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		c = l;
		file_get(c);
		set_option(SOL_TCP, TCP_USER_TIMEOUT, cases[k].timeout);
		CHECK_EQ(env_dial(c, PEER, 5000), -EINPROGRESS);
		after(cases[k].from);
		CHECK_EQ(state(), TCP_SYN_SENT);
		after(cases[k].to - cases[k].from);
		CHECK_EQ(state(), TCP_CLOSE);
		CHECK_EQ(env_dial(c, PEER, 5000), -ETIMEDOUT);
		for (n = 0; sent(&s); n++)
			;
		CHECK_EQ(n, 2);
		close_all();
	}
}
TEST(user_timeout_does_not_count_idle_time)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_USER_TIMEOUT, 5000);
	after(20000);
	write_segments(1);
	after(4900);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}
TEST(user_timeout_of_a_closed_window_does_not_count_idle_time)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_USER_TIMEOUT, 5000);
	ack_window("0", -1);
	after(20000);
	write_segments(1);
	after(4900);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	after(200);
	CHECK_EQ(state(), TCP_CLOSE);
	close_all();
}
#endif
