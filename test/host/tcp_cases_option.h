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
#endif
