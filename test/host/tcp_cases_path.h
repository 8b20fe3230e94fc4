/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: the path's MTU (RFC 1191, 4821, 5927) and other things that ICMP says. */
#ifndef TEST_HOST_TCP_CASES_PATH_H
#define TEST_HOST_TCP_CASES_PATH_H

#include "tcp_case.h"

/* An error about a segment of ours that began at seq. */
static void icmp_about(uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq)
{
	uint8_t f[100];
	size_t at = put_ip(f, IPPROTO_ICMP, 8 + 20 + 8, PEER, ME);
	struct ip_header *q = (struct ip_header *)(f + at + 8);

	memset(f + at, 0, 36);
	f[at] = type;
	f[at + 1] = code;
	put_be16(f + at + 6, mtu);
	q->ver_ihl = 0x45;
	q->protocol = IPPROTO_TCP;
	q->total_len = be16(1500);
	q->src = ME;
	q->dst = PEER;
	put_be16(f + at + 28, my_port);
	put_be16(f + at + 30, 5000);
	put_be32(f + at + 32, seq);
	uint16_t sum = csum_fold(csum_add(0, f + at, 36));

	memcpy(f + at + 2, &sum, 2);
	inject(f, at + 36);
}
static void too_big(uint16_t mtu, uint32_t seq)
{
	icmp_about(ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, mtu, seq);
}
/* Segments of 1460 bytes, as Ethernet takes them. */
static void connect_full(bool sack)
{
	static const uint8_t o[] = { 2, 4, 5, 0xb4, 4, 2, 1, 1 };
	struct seg s;

	peer_options = sack ? O_SACK : 0;
	peer_seq = 1001;
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = sack ? 8 : 4);
	REQUIRE(sent(&s));
	iss = s.seq;
	after(40);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1);
	REQUIRE(accept_next());
	CHECK(s.has_mss && s.mss == 1460); /* what we can take is the link's */
}
static void open_full(bool sack)
{
	peer_setup();
	my_port = 80;
	l = listener_at(80);
	connect_full(sack);
	CHECK_EQ(sk_of(c)->mss, 1460);
}
/* 2920 bytes are out in two segments. */
static void two_full(struct seg *s)
{
	env_write(c, buf, 2920, 0);
	EXPECT(*s, TCP_ACK, iss + 1, 1001, 1460);
	EXPECT(*s, TCP_ACK | TCP_PSH, iss + 1461, 1001, 1460);
	CHECK(s->df);
}
TEST(too_big_holds_for_the_next_connection)
{
	struct file *first;
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(1360, iss + 1);
	first = c;
	out_clear();
	peer_port = 5001;
	connect_full(false);
	env_write(c, buf, 4000, 0);
	EXPECT(s, TCP_ACK, iss + 1, 1001, 1360 - tcp_headers(sk_of(c)));
	CHECK_EQ(info().tcpi_pmtu, 1360);
	file_put(first);
	close_all();
}
TEST(too_big_is_news_to_all_connections)
{
	struct file *first;
	uint32_t first_iss, len;
	struct seg s;

	open_full(false);
	two_full(&s);
	first = c;
	first_iss = iss;
	peer_port = 5001;
	connect_full(false);
	two_full(&s);
	len = 1360 - tcp_headers(sk_of(c));
	peer_port = 5000;
	too_big(1360, first_iss + 1);
	EXPECT(s, s.flags, first_iss + 1, 1001, len);
	out_clear();
	peer_port = 5001;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .wnd = 60000);
	EXPECT(s, s.flags, iss + 1, 1001, len); /* what was too long, before it is missed */
	file_put(first);
	close_all();
}
TEST(too_big_says_nothing_of_short_segments)
{
	struct seg s;

	open_full(false);
	set_option(SOL_TCP, TCP_NODELAY, 1);
	env_write(c, buf, 1460, 0);
	after(1); /* a run of its own */
	env_write(c, buf, 700, 0);
	out_clear();
	too_big(1360, iss + 1);
	EXPECT(s, s.flags, iss + 1, 1001, 1360 - tcp_headers(sk_of(c)));
	EXPECT(s, s.flags, s.seq, 1001, 1460 - (1360 - tcp_headers(sk_of(c))));
	SILENCE();
	close_all();
}
#ifndef PEER_V6 /* the sizes are IPv4's: tcp6_test has its own */
TEST(too_big_is_sent_again_in_smaller_segments)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	uint32_t cwnd = sk_of(c)->cwnd;

	too_big(1006, iss + 1);
	EXPECT(s, s.flags, iss + 1, 1001, 966);
	EXPECT(s, s.flags, iss + 967, 1001, 966);
	EXPECT(s, s.flags, iss + 1933, 1001, 966);
	EXPECT(s, s.flags, iss + 2899, 1001, 22);
	CHECK_EQ(sk_of(c)->cwnd, cwnd); /* not congestion */
	CHECK_EQ(sk_of(c)->ssthresh, 0x7fffffff);
	CHECK_EQ(info().tcpi_pmtu, 1006);
	close_all();
}
TEST(too_big_is_not_believed_if_it_asks_for_more)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(1500, iss + 1);
	too_big(9000, iss + 1);
	SILENCE();
	CHECK_EQ(sk_of(c)->mss, 1460);
	close_all();
}
TEST(too_big_never_raises_what_is_known)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(1006, iss + 1);
	out_clear();
	too_big(1400, iss + 1);
	SILENCE();
	CHECK_EQ(sk_of(c)->mss, 966);
	CHECK_EQ(info().tcpi_pmtu, 1006);
	close_all();
}
TEST(too_big_is_not_believed_outside_what_is_in_flight)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(600, iss - 5000);
	too_big(600, iss + 9000);
	SILENCE();
	CHECK_EQ(sk_of(c)->mss, 1460);
	close_all();
}
TEST(too_big_is_not_believed_when_nothing_is_in_flight)
{
	open_full(false);
	too_big(600, iss + 1);
	SILENCE();
	CHECK_EQ(sk_of(c)->mss, 1460);
	close_all();
}
TEST(too_big_cannot_make_segments_tiny)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(68, iss + 1);
	REQUIRE(sent(&s));
	CHECK_EQ(s.len, 552 - 40);
	CHECK(!s.df); /* routers may cut it further */
	close_all();
}
TEST(too_big_of_an_old_router_names_the_next_plateau)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(0, iss + 1);
	REQUIRE(sent(&s));
	CHECK_EQ(s.len, 1492 - 40);
	close_all();
}
TEST(without_discovery_nothing_forbids_fragments)
{
	struct seg s;

	open_full(false);
	set_option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	env_write(c, buf, 1460, 0);
	REQUIRE(sent(&s));
	CHECK(!s.df);
	too_big(1006, iss + 1);
	SILENCE();
	CHECK_EQ(sk_of(c)->mss, 1460);
	close_all();
}
TEST(probing_programs_hear_of_it_themselves)
{
	struct seg s;

	open_full(false);
	set_option(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	env_write(c, buf, 1460, 0);
	REQUIRE(sent(&s));
	CHECK(!s.df); /* as Linux, of TCP */
	too_big(1006, iss + 1);
	SILENCE();
	close_all();
}
TEST(a_small_path_is_forgotten_after_ten_minutes)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(1006, iss + 1);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2921);
	after(601000);
	out_clear();
	env_write(c, "x", 1, 0);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2922);
	CHECK_EQ(sk_of(c)->mss, 1460);
	close_all();
}
TEST(black_hole_is_found_after_two_timeouts)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	after(245);
	EXPECT(s, s.flags, iss + 1, 1001, 1460);
	after(485);
	EXPECT(s, s.flags, iss + 1, 1001, 1024);
	close_all();
}
TEST(black_hole_may_be_narrower_still)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	after(245 + 485);
	out_clear();
	after(965);
	EXPECT(s, s.flags, iss + 1, 1001, 552 - 40);
	close_all();
}
TEST(timeouts_of_small_segments_are_no_black_hole)
{
	open_full(false);
	env_write(c, buf, 300, 0);
	after(5000);
	CHECK(sk_of(c)->retransmits > 2);
	CHECK_EQ(sk_of(c)->mss, 1460);
	close_all();
}
/* After a black hole: 1024 bytes get through, and there is much to send. */
static void searching(void)
{
	struct seg s;

	open_full(true);
	two_full(&s);
	after(850); /* the tail's probe and two timeouts */
	out_clear();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2921);
	CHECK_EQ(sk_of(c)->mss, 1024);
	sk_of(c)->cwnd = 20 * 1024;
	env_write(c, buf, 12000, 0);
	EXPECT(s, TCP_ACK, iss + 2921, 1001, (1064 + 1499 + 1) / 2 - 40);
}
TEST(search_raises_the_segment_when_the_probe_arrives)
{
	searching();
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 2921 + 1242);
	CHECK_EQ(sk_of(c)->mss, 1242);
	close_all();
}
TEST(search_takes_a_lost_probe_for_no_congestion)
{
	struct seg s;
	uint8_t o[12] = { 1, 1, TCPOPT_SACK, 10 };
	uint32_t probe, cwnd;

	searching();
	probe = iss + 2921;
	cwnd = sk_of(c)->cwnd;
	out_clear();
	after(40);
	put_be32(o + 4, probe + 1242);
	put_be32(o + 8, probe + 1242 + 5 * 1024);
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = probe, .opt = o, .opt_len = 12);
	EXPECT(s, s.flags, probe, 1001, 1024); /* in pieces that are known to pass */
	EXPECT(s, s.flags, probe + 1024, 1001, 1242 - 1024);
	CHECK_EQ(sk_of(c)->cwnd, cwnd);
	CHECK_EQ(sk_of(c)->mtup.high, 1281);
	CHECK_EQ(sk_of(c)->mss, 1024);
	close_all();
}
TEST(search_ends_near_the_limit)
{
	struct tcp_sock *t;

	searching();
	t = sk_of(c);
	for (int k = 0; k < 200; k++) { /* every probe up to 1300 arrives, others do not */
		uint8_t o[12] = { 1, 1, TCPOPT_SACK, 10 };
		uint32_t upto = t->snd_nxt;

		out_clear();
		after(40);
		if (t->mtup.on && t->mtup.size > 1300 && seq_gt(upto, t->mtup.end)) {
			put_be32(o + 4, t->mtup.end);
			put_be32(o + 8, upto);
			SEND(.flags = TCP_ACK, .seq = 1001, .ack = t->mtup.start, .opt = o,
				.opt_len = 12);
			after(40);
		}
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = t->snd_nxt);
		env_write(c, buf, 12000, 0);
	}
	CHECK(t->mtup.low <= 1300 && t->mtup.low > 1300 - 10);
	CHECK_EQ(t->mss, t->mtup.low - 40);
	close_all();
}
#endif

/* ---- other news ---- */

TEST(unreachable_is_only_a_hint_when_connected)
{
	open_with(0, 0);
	write_segments(1);
	icmp_about(ICMP_UNREACHABLE, ICMP_PORT_UNREACH, 0, iss + 1);
	icmp_about(ICMP_UNREACHABLE, 1, 0, iss + 1);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK_EQ(env_read(c, buf, 1, 0), -EAGAIN);
	close_all();
}
TEST(unreachable_is_the_reason_of_a_timeout)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_USER_TIMEOUT, 5000);
	write_segments(1);
	icmp_about(ICMP_UNREACHABLE, 1, 0, iss + 1);
	after(5100);
	CHECK_EQ(env_read(c, buf, 1, 0), -EHOSTUNREACH);
	close_all();
}
TEST(unreachable_is_forgotten_with_the_next_answer)
{
	open_with(0, 0);
	set_option(SOL_TCP, TCP_USER_TIMEOUT, 5000);
	write_segments(1);
	icmp_about(ICMP_UNREACHABLE, 1, 0, iss + 1);
	ack("1");
	write_segments(1);
	after(5100);
	CHECK_EQ(env_read(c, buf, 1, 0), -ETIMEDOUT);
	close_all();
}
TEST(unreachable_is_an_error_for_those_who_asked)
{
	open_with(0, 0);
	set_option(SOL_IP, IP_RECVERR, 1);
	write_segments(1);
	icmp_about(ICMP_UNREACHABLE, 1, 0, iss + 1);
	CHECK(env_poll(c) & POLLERR);
	CHECK_EQ(env_read(c, buf, 1, 0), -EHOSTUNREACH);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	close_all();
}
TEST(icmp_port_unreachable_refuses_a_connect)
{
	struct seg s;

	open_active(&s);
	icmp_about(ICMP_UNREACHABLE, ICMP_PORT_UNREACH, 0, iss);
	CHECK_EQ(env_dial(c, PEER, 5000), -ECONNREFUSED);
	close_all();
}
TEST(icmp_about_another_syn_refuses_nothing)
{
	struct seg s;

	open_active(&s);
	icmp_about(ICMP_UNREACHABLE, ICMP_PORT_UNREACH, 0, iss + 77);
	CHECK_EQ(state(), TCP_SYN_SENT);
	close_all();
}
#endif
