/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/net/tcp_cookie.c src/lib/hash.c $(HOST_MUTEX) */
/* flags: -DO_PATH=010000000 -Wno-unknown-warning-option -Wno-tsan */
/*
 * Keys of SYN cookies under a flood on several CPUs while time goes on: what was made in this
 * minute or the last is taken, what is older is not, and nobody meets a half-written key.
 */
#include "t.h"
#include "net/tcp.h"
#define clock_now shim_clock_now /* ours goes by the minute */
#include "sched_shim.h"
#undef clock_now

#define FLOODS	4
#define MINUTES 200
#define MINUTE	(64 * NSEC_PER_SEC)

static struct net_state stack;
struct net_state *host_net = &stack;
static uint64_t now;			      /* atomic */
static uint64_t drawn = 88172645463325252ull; /* atomic */

uint64_t clock_now(void)
{
	return __atomic_load_n(&now, __ATOMIC_SEQ_CST);
}
static bool draws_slowly;
uint64_t net_random(void)
{
	if (draws_slowly)
		usleep(500);
	return atomic_add(&drawn, 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
}
uint32_t tcp_ts_at(const struct tcp_sock *t, uint64_t time)
{
	return (uint32_t)(time / NSEC_PER_MSEC) + t->ts_offset;
}

static struct tcp_sock *connection(long flood)
{
	struct tcp_sock *t = calloc(1, sizeof(*t));

	t->i.laddr = ip_map(0x0100000a);
	t->i.raddr = ip_map(0x0200000a + (uint32_t)flood);
	t->i.lport = 80;
	t->i.rport = 1000;
	t->peer_mss = 1460;
	return t;
}

static atomic_long good, old;

static void flood(void *arg)
{
	struct tcp_sock *t = connection((long)arg);

	for (uint32_t n = 0;; n++) {
		uint64_t before = clock_now() / MINUTE, after;
		bool taken;

		if (before >= MINUTES)
			break;
		t->irs = n;
		t->iss = tcp_cookie_make(t);
		taken = tcp_cookie_check(t);
		after = clock_now() / MINUTE;
		if (after <= before + 1) {
			CHECK(taken);
			good++;
		}
		t->iss ^= 1 + n % 0xffffff;
		CHECK(!tcp_cookie_check(t));
		t->iss ^= 1 + n % 0xffffff;
		if (n % 64 == 0) {
			uint64_t until = clock_now() + 2 * MINUTE;

			while (clock_now() < until)
				usleep(20);
			CHECK(!tcp_cookie_check(t));
			old++;
		}
	}
	free(t);
}

static void pass_time(void *arg)
{
	while (clock_now() / MINUTE < MINUTES + 3) {
		atomic_add(&now, MINUTE / 3);
		usleep(100);
	}
}

static void flood_or_time(void *arg)
{
	if (arg)
		flood(arg);
	else
		pass_time(arg);
}

TEST(keys_change_during_a_flood)
{
	struct shim_thread t[FLOODS + 1];

	mutex_init(&stack.cookie_lock, "net_state.cookie_lock");
	for (long i = 0; i <= FLOODS; i++)
		shim_start(&t[i], flood_or_time, (void *)i, (int)i);
	for (int i = 0; i <= FLOODS; i++)
		shim_join(&t[i]);
	CHECK(good > MINUTES && old > FLOODS);
}

/* Nothing of a key is left when its minutes are over and another one is made. */
TEST(old_keys_are_wiped_out)
{
	struct tcp_sock *t = connection(1);
	uint64_t k0;

	now = 1000 * MINUTE;
	(void)tcp_cookie_make(t);
	k0 = stack.cookie_key[1001 & 1].k0;
	CHECK(k0);
	now = 1001 * MINUTE;
	(void)tcp_cookie_make(t);
	CHECK_EQ(stack.cookie_key[1001 & 1].k0, k0); /* still good */
	now = 1004 * MINUTE;			     /* the same parity as the second key */
	(void)tcp_cookie_make(t);
	for (int i = 0; i < 2; i++)
		CHECK(stack.cookie_key[i].k0 != k0);
	CHECK_EQ(stack.cookie_key[1004 & 1].minute, 0);
	free(t);
}

static bool good_at(struct tcp_sock *t, uint64_t time)
{
	now = time;
	return tcp_cookie_check(t);
}

TEST(a_cookie_lives_for_its_minute_and_the_next)
{
	struct tcp_sock *t = connection(1);

	for (uint64_t m = 2000; m < 2200; m += 50) {
		now = m * MINUTE + (m % 100 ? MINUTE - 1 : 0);
		t->iss = tcp_cookie_make(t);
		CHECK_EQ(t->iss >> 27, (m + 1) & 31);
		CHECK(good_at(t, m * MINUTE + MINUTE - 1));
		CHECK(good_at(t, (m + 1) * MINUTE)); /* has no key of its own */
		CHECK(good_at(t, (m + 2) * MINUTE - 1));
		CHECK(!good_at(t, (m + 2) * MINUTE));
		CHECK(!good_at(t, (m + 3) * MINUTE));
		CHECK(!good_at(t, (m + 32) * MINUTE)); /* the same five bits */
		CHECK(!good_at(t, (m + 33) * MINUTE));
	}
	/* the next minute has a key, too */
	now = 3000 * MINUTE;
	t->iss = tcp_cookie_make(t);
	now += MINUTE;
	(void)tcp_cookie_make(t);
	CHECK(good_at(t, 3001 * MINUTE));
	CHECK(!good_at(t, 3002 * MINUTE));
	free(t);
}

TEST(a_cookie_is_one_connections)
{
	struct tcp_sock *t = connection(1), *o = connection(1);
	uint32_t bits = 0;

	now = 4000 * MINUTE;
	t->irs = 77;
	t->iss = tcp_cookie_make(t);
	CHECK(tcp_cookie_check(t));
	for (int bit = 0; bit < 32; bit++) {
		uint32_t flip = 1u << bit;

		t->iss ^= flip;
		CHECK(!tcp_cookie_check(t));
		t->iss ^= flip;
	}
	for (int what = 0; what < 5; what++) {
		*o = *t;
		switch (what) {
		case 0: o->i.laddr = ip_map(0x0100000b); break;
		case 1: o->i.raddr = ip_map(0x0300000a); break;
		case 2: o->i.lport++; break;
		case 3: o->i.rport++; break;
		default: o->irs++;
		}
		CHECK(!tcp_cookie_check(o));
	}
	*o = *t;
	CHECK(tcp_cookie_check(o));
	for (o->irs = 0; o->irs < 64; o->irs++)
		bits |= tcp_cookie_make(o);
	CHECK_EQ(bits & 0xffffff, 0xffffff); /* all of the hash counts */
	free(o);
	free(t);
}

TEST(a_cookie_keeps_the_largest_size_that_fits)
{
	static const struct {
		uint16_t peer, kept;
	} rows[] = { { 1, 64 }, { 64, 64 }, { 535, 64 }, { 536, 536 }, { 1219, 536 },
		{ 1220, 1220 }, { 1360, 1360 }, { 1399, 1360 }, { 1400, 1400 }, { 1440, 1440 },
		{ 1451, 1440 }, { 1452, 1452 }, { 1459, 1452 }, { 1460, 1460 }, { 8960, 1460 } };
	struct tcp_sock *t = connection(1);

	now = 5000 * MINUTE;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		t->peer_mss = rows[i].peer;
		t->iss = tcp_cookie_make(t);
		t->peer_mss = 7;
		CHECK(tcp_cookie_check(t));
		CHECK_EQ(t->peer_mss, rows[i].kept);
	}
	free(t);
}

/* The offered options, through the timestamp, and back. scale 15: none. */
static void through_the_timestamp(uint32_t offset, bool sack, unsigned scale)
{
	struct tcp_sock *t = connection(1);
	struct tcp_seg ack = { .wnd = 5678, .has_ts = true, .ts_val = 99 }, syn;
	uint32_t plain;

	t->ts_offset = offset;
	t->ts_ok = true;
	t->sack_ok = sack;
	t->wscale_ok = scale < 15;
	t->snd_wscale = scale < 15 ? (uint8_t)scale : 0;
	t->rcv_wscale = 7;
	plain = tcp_ts_at(t, now);
	(void)tcp_cookie_make(t);
	ack.ts_ecr = tcp_ts_at(t, now);
	CHECK(plain - ack.ts_ecr < 64); /* a little behind the clock, never ahead */
	CHECK(t->sack_ok == sack && t->wscale_ok == (scale < 15) && t->rcv_wscale == 7);
	tcp_cookie_options(&ack, &syn);
	CHECK(syn.sack_ok == sack && syn.has_wscale == (scale < 15));
	if (scale < 15)
		CHECK_EQ(syn.wscale, scale);
	CHECK(syn.wnd == 5678 && syn.has_ts && syn.ts_val == 99);
	free(t);
}

TEST(options_travel_in_the_timestamp)
{
	for (unsigned ms = 0; ms < 64; ms++) {
		now = 6000 * MINUTE + ms * NSEC_PER_MSEC;
		for (unsigned scale = 0; scale < 16; scale++)
			for (int sack = 0; sack < 2; sack++) {
				through_the_timestamp(1000, sack, scale);
				/* the clock goes round */
				through_the_timestamp(
					30 - (uint32_t)(now / NSEC_PER_MSEC), sack, scale);
			}
	}
}

TEST(without_timestamps_there_are_no_options)
{
	struct tcp_sock *t = connection(1);
	struct tcp_seg ack = { .wnd = 1, .ts_ecr = 16 + 3 }, syn;

	t->sack_ok = t->wscale_ok = true;
	t->rcv_wscale = 7;
	(void)tcp_cookie_make(t);
	CHECK(!t->sack_ok && !t->wscale_ok && !t->rcv_wscale && !t->ts_offset);
	tcp_cookie_options(&ack, &syn);
	CHECK(!syn.sack_ok && !syn.has_wscale && !syn.has_ts);
	CHECK_EQ(syn.wnd, 1);
	ack = (struct tcp_seg){ .has_ts = true, .ts_ecr = 15 };
	tcp_cookie_options(&ack, &syn);
	CHECK(syn.wscale <= 14 && !syn.has_wscale); /* 14 is the largest there is, RFC 7323 */
	free(t);
}

TEST(cookies_are_about_for_two_minutes)
{
	struct tcp_sock *t = connection(1);

	stack.cookie_time = 0;
	now = MINUTE; /* the machine is young */
	CHECK(!tcp_cookie_recent());
	now = 7000 * MINUTE + 5;
	(void)tcp_cookie_make(t);
	CHECK(tcp_cookie_recent());
	now += 2 * MINUTE - 1;
	CHECK(tcp_cookie_recent());
	now++;
	CHECK(!tcp_cookie_recent());
	free(t);
}

/* The first SYNs of a minute come on all CPUs at once, while its key is made: they all get that. */
#define TOGETHER 100
static pthread_barrier_t together;

static void ask_at_once(void *arg)
{
	struct tcp_sock *t = connection((long)arg);

	for (int round = 0; round < TOGETHER; round++) {
		if (pthread_barrier_wait(&together) == PTHREAD_BARRIER_SERIAL_THREAD)
			atomic_add(&now, MINUTE);
		pthread_barrier_wait(&together);
		t->iss = tcp_cookie_make(t);
		pthread_barrier_wait(&together);
		CHECK(tcp_cookie_check(t));
	}
	free(t);
}

TEST(all_ask_for_a_new_key_at_once)
{
	struct shim_thread t[FLOODS];

	now = 8000 * MINUTE;
	draws_slowly = true;
	pthread_barrier_init(&together, NULL, FLOODS);
	for (long i = 0; i < FLOODS; i++)
		shim_start(&t[i], ask_at_once, (void *)i, (int)i);
	for (int i = 0; i < FLOODS; i++)
		shim_join(&t[i]);
	pthread_barrier_destroy(&together);
	draws_slowly = false;
}
