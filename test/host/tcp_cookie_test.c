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
uint64_t net_random(void)
{
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
