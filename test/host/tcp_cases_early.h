/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: data that comes too early, and what is reported of it. */
#ifndef TEST_HOST_TCP_CASES_EARLY_H
#define TEST_HOST_TCP_CASES_EARLY_H

#include "tcp_case.h"

/* Bytes [from, to) of the peer's stream arrive; each tells its place. */
static void arrives(uint32_t from, uint32_t to)
{
	static char text[SEG];

	for (uint32_t k = from; k < to; k++)
		text[k - from] = (char)('a' + k % 23);
	SEND(.flags = TCP_ACK, .seq = 1001 + from, .ack = sk_of(c)->snd_nxt, .text = text,
		.len = to - from);
}
static void read_to(uint32_t end)
{
	uint32_t at = 0;
	ssize_t n;

	while ((n = env_read(c, buf, sizeof(buf), 0)) > 0)
		for (ssize_t k = 0; k < n; k++, at++)
			if (buf[k] != (char)('a' + at % 23)) {
				T_FAIL("byte %u is another", at);
				return;
			}
	CHECK_EQ(at, end);
}
/* The next segment sent is an ACK up to 'upto' with these blocks: pairs, ended by a 0. */
static void acked(int line, uint32_t upto, const uint32_t *blocks)
{
	unsigned n = 0;
	struct seg s;

	if (!sent(&s)) {
		T_FAIL("line %d: nothing was sent", line);
		return;
	}
	if (s.ack != 1001 + upto)
		T_FAIL("line %d: up to %u", line, s.ack - 1001);
	while (blocks[n + 1])
		n += 2;
	if (s.sacks != n)
		T_FAIL("line %d: %u blocks", line, s.sacks / 2);
	for (unsigned k = 0; k < MIN(n, s.sacks); k++)
		if (s.sack[k] != 1001 + blocks[k])
			T_FAIL("line %d: number %u is %u", line, k, s.sack[k] - 1001);
}
#define ACKED(upto, ...) acked(__LINE__, upto, (const uint32_t[]){ __VA_ARGS__ })

TEST(the_first_block_is_of_the_segment_that_is_answered)
{
	open_with(O_SACK, 0);
	for (uint32_t k = 1; k <= 6; k++)
		arrives(100 * k, 100 * k + 10);
	out_clear();
	arrives(210, 220); /* an old run grows */
	ACKED(0, 200, 220, 600, 610, 500, 510, 400, 410, 0, 0);
	arrives(490, 500); /* to the left */
	ACKED(0, 490, 510, 200, 220, 600, 610, 400, 410, 0, 0);
	arrives(700, 710); /* a new one */
	ACKED(0, 700, 710, 490, 510, 200, 220, 600, 610, 0, 0);
	arrives(110, 200); /* two become one */
	ACKED(0, 100, 220, 700, 710, 490, 510, 600, 610, 0, 0);
	arrives(0, 100); /* the first is not early any more */
	ACKED(220, 700, 710, 490, 510, 600, 610, 400, 410, 0, 0);
	CHECK_EQ(sk_of(c)->ooo.count, 5);
	read_to(220);
	close_all();
}
/* RFC 9293, 3.10.7.4: segments that come early are held, with all that they say. */
TEST(an_early_fin_is_kept_with_its_data)
{
	open_with(O_SACK, 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1301, .ack = iss + 1, .text = "fghij");
	ACKED(0, 300, 306, 0, 0); /* with the FIN's number */
	arrives(100, 300);
	ACKED(0, 100, 306, 0, 0);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	arrives(0, 100);
	ACKED(306, 0, 0);
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	CHECK_EQ(env_read(c, buf, sizeof(buf), 0), 305);
	CHECK_EQ(env_read(c, buf, sizeof(buf), 0), 0);
	close_all();
}
TEST(an_early_fin_without_data_is_kept)
{
	open_with(O_SACK, 0);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = 1101, .ack = iss + 1);
	ACKED(0, 0, 0);
	arrives(0, 50);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	out_clear();
	arrives(50, 100);
	ACKED(101, 0, 0);
	CHECK_EQ(state(), TCP_CLOSE_WAIT);
	close_all();
}
/* What is beyond the window has not come. */
TEST(a_fin_beyond_the_window_is_not_kept)
{
	open_with(O_SACK, 0);
	uint32_t edge = sk_of(c)->rcv_adv;

	memset(buf, 'x', SEG);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = edge - 10, .ack = iss + 1, .text = buf, .len = 11);
	CHECK(!sk_of(c)->fin_early);
	SEND(.flags = TCP_ACK | TCP_FIN, .seq = edge - 10, .ack = iss + 1, .text = buf, .len = 10);
	CHECK(sk_of(c)->fin_early);
	close_all();
}
/* A loss of ACKs hides none: each run is told as often as there are blocks. */
TEST(each_run_is_reported_four_times)
{
	static unsigned told[50];
	struct seg s;

	memset(told, 0, sizeof(told));
	open_with(O_SACK, 0);
	for (uint32_t k = 1; k < 50; k++) {
		arrives(100 * (50 - k), 100 * (50 - k) + 10); /* the highest comes first */
		REQUIRE(sent(&s));
		for (unsigned b = 0; b < s.sacks; b += 2)
			told[(s.sack[b] - 1001) / 100]++;
	}
	for (unsigned k = 4; k < 50; k++)
		CHECK_EQ(told[k], 4);
	close_all();
}
TEST(descending_segments_are_one_run)
{
	open_with(O_SACK, 0);
	for (uint32_t at = 40000; at > 500; at -= 500) {
		arrives(at - 500, at);
		ACKED(0, at - 500, 40000, 0, 0);
		CHECK_EQ(sk_of(c)->ooo.count, 1);
	}
	arrives(0, 500);
	ACKED(40000, 0, 0);
	CHECK(!sk_of(c)->ooo.count && !sk_of(c)->ooo.bytes);
	CHECK_EQ(info().tcpi_rcv_ooopack, 79);
	read_to(40000);
	close_all();
}

/* ---- duplicates: RFC 2883 ---- */

TEST(a_duplicate_is_reported_before_the_run_that_has_it)
{
	open_with(O_SACK, 0);
	for (uint32_t k = 1; k <= 5; k++)
		arrives(100 * k, 100 * k + 50);
	out_clear();
	arrives(110, 120);
	ACKED(0, 110, 120, 100, 150, 500, 550, 400, 450, 0, 0);
	arrives(600, 650);
	ACKED(0, 600, 650, 100, 150, 500, 550, 400, 450, 0, 0); /* once */
	CHECK_EQ(sk_of(c)->ooo.count, 6);
	close_all();
}
TEST(what_overlaps_several_runs_makes_them_one)
{
	open_with(O_SACK, 0);
	for (uint32_t k = 1; k <= 5; k++)
		arrives(100 * k, 100 * k + 50);
	out_clear();
	arrives(130, 420); /* the end of one, two whole, the start of another */
	ACKED(0, 130, 150, 100, 450, 500, 550, 0, 0);
	CHECK_EQ(sk_of(c)->ooo.count, 2);
	arrives(480, 560); /* all of one and more on both sides */
	ACKED(0, 500, 550, 480, 560, 100, 450, 0, 0);
	arrives(440, 490);
	ACKED(0, 440, 450, 100, 560, 0, 0);
	arrives(0, 300); /* in order, and over the start of what is there */
	ACKED(560, 0, 0);
	CHECK(!sk_of(c)->ooo.count && !sk_of(c)->ooo.bytes);
	read_to(560);
	close_all();
}
TEST(data_in_order_may_pass_runs)
{
	open_with(O_SACK, 0);
	for (uint32_t k = 1; k <= 5; k++)
		arrives(100 * k, 100 * k + 50);
	out_clear();
	arrives(0, 350);
	ACKED(350, 500, 550, 400, 450, 0, 0);
	arrives(350, 410);
	ACKED(450, 500, 550, 0, 0);
	arrives(450, 600);
	ACKED(600, 0, 0);
	read_to(600);
	close_all();
}
/* Every segment may come in any order, cut in any way, and again. */
TEST(random_early_segments)
{
	unsigned long seed = 4;

	for (unsigned round = 0; round < 50; round++) {
		open_with(round % 2 ? O_SACK : 0, 0);
		while (sk_of(c)->rcv_nxt != 1001 + 3000) {
			uint32_t from = t_random(&seed) % 3000, n = 1 + t_random(&seed) % 200;

			arrives(from, MIN(from + n, 3000u));
			out_clear();
		}
		CHECK(!sk_of(c)->ooo.count && !sk_of(c)->ooo.bytes);
		read_to(3000);
		close_all();
	}
}

/* ---- how much is held ---- */

/* So much is in flight on a fast far link: of one lost segment nothing else follows. */
TEST(one_loss_in_a_large_window_loses_nothing_else)
{
	uint32_t n = 0;

	open_with(O_SACK | O_WSCALE, 0);
	set_option(SOL_SOCKET, SO_RCVBUFFORCE, 2 << 20);
	arrives(0, SEG); /* tells of the window */
	peer_seq = 1001 + 2 * SEG;
	while (seq_le(peer_seq + SEG, sk_of(c)->rcv_adv)) {
		arrives(peer_seq - 1001, peer_seq - 1001 + SEG);
		peer_seq += SEG;
		n++;
	}
	CHECK(n > 1500);
	CHECK_EQ(sk_of(c)->ooo.count, 1);
	CHECK_EQ(info().tcpi_rcv_ooopack, n);
	out_clear();
	arrives(SEG, 2 * SEG);
	CHECK_EQ(sk_of(c)->rcv_nxt, peer_seq);
	CHECK_EQ(sk_of(c)->ooo.bytes, 0);
	read_to(peer_seq - 1001);
	close_all();
}
/* Bytes with holes between: as many runs as may be, and what was reported stays. */
TEST(beyond_the_bound_of_runs_nothing_is_taken_back)
{
	open_with(O_SACK, 0);
	for (uint32_t k = 1; k <= TCP_MAX_RUNS; k++)
		arrives(2 * k, 2 * k + 1);
	CHECK_EQ(sk_of(c)->ooo.count, TCP_MAX_RUNS);
	out_clear();
	arrives(5000, 5001); /* not held, so not reported */
	ACKED(0, 2048, 2049, 2046, 2047, 2044, 2045, 2042, 2043, 0, 0);
	arrives(1001, 1002); /* a hole is filled */
	ACKED(0, 1000, 1003, 2048, 2049, 2046, 2047, 2044, 2045, 0, 0);
	out_clear();
	for (uint32_t k = 0; k < TCP_MAX_RUNS; k++)
		arrives(2 * k, 2 * k + 2);
	CHECK_EQ(sk_of(c)->rcv_nxt, 1001 + 2 * TCP_MAX_RUNS + 1);
	read_to(2 * TCP_MAX_RUNS + 1);
	out_clear();
	close_all();
}
/* Of small segments it is the memory that counts, not what the window would let in. */
TEST(early_segments_are_bounded_by_the_buffer)
{
	uint32_t k, most;

	open_with(O_SACK, 0);
	set_option(SOL_SOCKET, SO_RCVBUF, 4096);
	most = 2 * sk_of(c)->i.s.rcvbuf + 65536;
	for (k = 1; k < 3000; k++)
		arrives(k, k + 1);
	CHECK(sk_of(c)->ooo.bytes > most && sk_of(c)->ooo.bytes < most + 2000);
	CHECK_EQ(sk_of(c)->ooo.count, 1);
	CHECK_EQ(info().tcpi_rcv_ooopack, 2999);
	arrives(0, 1);
	CHECK(sk_of(c)->rcv_nxt > 1001 + 100 && sk_of(c)->rcv_nxt < 1001 + 2999);
	read_to(sk_of(c)->rcv_nxt - 1001);
	out_clear();
	close_all();
}
/* As large as it can be set: the bound of the memory is not beyond what 32 bits count. */
TEST(the_largest_buffer_holds_early_segments)
{
	open_with(O_SACK | O_WSCALE, 0);
	set_option(SOL_SOCKET, SO_RCVBUFFORCE, -1);
	for (uint32_t k = 1; k < 60; k++)
		arrives(k * SEG, k * SEG + SEG);
	arrives(0, SEG);
	out_clear();
	read_to(60 * SEG);
	close_all();
}
TEST(early_segments_without_memory)
{
	for (long n = 1; n < 60; n++) {
		open_with(O_SACK, 0);
		t_fail_alloc(n);
		for (uint32_t k = 6; k > 0; k--)
			arrives(10 * k, 10 * k + 5);
		arrives(12, 52);
		t_fail_alloc(0);
		env_check_tcp(sk_of(c));
		for (uint32_t k = 0; k < 65; k += 13) /* all is sent again */
			arrives(k, k + 13);
		read_to(65);
		out_clear();
		close_all();
	}
}
#endif
