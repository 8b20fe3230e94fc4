/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion avoidance: NewReno (RFC 5681) and CUBIC (RFC 9438). Windows in bytes; CUBIC computes
 * in segments times 1024 and milliseconds, integers only: C = 0.4, beta = 0.7.
 */

#include "net/tcp.h"

static void reno_init(struct tcp_sock *t)
{
}

static void reno_acked(struct tcp_sock *t, uint32_t bytes)
{
	t->cwnd += (uint32_t)MAX((uint64_t)t->mss * bytes / t->cwnd, 1ull);
}

static uint32_t reno_ssthresh(struct tcp_sock *t)
{
	return MAX((t->snd_nxt - t->snd_una) / 2, 2u * t->mss);
}

const struct tcp_cong tcp_reno = { "reno", reno_init, reno_acked, reno_ssthresh };

/* The integer cube root, for x < 2^63. */
static uint32_t cube_root(uint64_t x)
{
	uint64_t r = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t c = r | 1ull << bit;

		if (c * c * c <= x)
			r = c;
	}
	return (uint32_t)r;
}

static void cubic_init(struct tcp_sock *t)
{
	memset(&t->cubic, 0, sizeof(t->cubic));
}

static void cubic_epoch(struct tcp_sock *t, uint64_t now)
{
	uint32_t mss = t->mss;

	t->cubic.epoch_start = now;
	t->cubic.w_est = t->cwnd;
	if (t->cwnd < t->cubic.w_max) {
		/* K = cbrt((w_max - cwnd) / C) seconds; in ms: cbrt(segments * 2.5 * 10^9) */
		uint64_t segments = (t->cubic.w_max - t->cwnd) / mss;

		t->cubic.k_ms = cube_root(MIN(segments, 1000000ull) * 2500000000ull);
		t->cubic.origin = t->cubic.w_max;
	} else {
		t->cubic.k_ms = 0;
		t->cubic.origin = t->cwnd;
	}
}

static void cubic_acked(struct tcp_sock *t, uint32_t bytes)
{
	uint64_t now = clock_now(), ms;
	uint32_t mss = t->mss;
	int64_t d, target;

	if (!t->cubic.epoch_start)
		cubic_epoch(t, now);
	ms = (now - t->cubic.epoch_start) / NSEC_PER_MSEC + (t->srtt >> 3) / 1000;
	d = (int64_t)MIN(ms, 1000000ull) - (int64_t)t->cubic.k_ms;
	d = MAX(MIN(d, (int64_t)100000), (int64_t)-1000000);
	/* 0.4 * (d/1000)^3 segments = d^3 * 4 / 10^10 */
	target = (int64_t)t->cubic.origin + d * d / 1000 * d * 4 / 10000000 * (int64_t)mss;
	target = MAX(MIN(target, (int64_t)t->cwnd * 3 / 2), (int64_t)t->cwnd);
	/* the Reno-friendly region: alpha = 3 * (1 - beta) / (1 + beta) = 0.53 until it has won
	 * back what was lost, then Reno's 1 */
	uint32_t alpha = t->cubic.w_est < t->cubic.cwnd_prior ? 53 : 100;

	t->cubic.w_est += (uint32_t)((uint64_t)mss * bytes * alpha / 100 / MAX(t->cwnd, mss));
	if (target > (int64_t)t->cwnd)
		t->cwnd += (uint32_t)MAX((uint64_t)(target - t->cwnd) * bytes / t->cwnd, 1ull);
	else
		t->cwnd += (uint32_t)((uint64_t)mss * bytes / (100ull * t->cwnd));
	if (t->cubic.w_est > t->cwnd)
		t->cwnd = t->cubic.w_est;
}

static uint32_t cubic_ssthresh(struct tcp_sock *t)
{
	t->cubic.epoch_start = 0;
	t->cubic.cwnd_prior = t->cwnd;
	/* fast convergence: leave room for newcomers */
	if (t->cwnd < t->cubic.w_last_max)
		t->cubic.w_max = (uint32_t)((uint64_t)t->cwnd * 17 / 20);
	else
		t->cubic.w_max = t->cwnd;
	t->cubic.w_last_max = t->cwnd;
	return MAX(
		(uint32_t)((uint64_t)MIN(t->cwnd, t->snd_nxt - t->snd_una) * 7 / 10), 2u * t->mss);
}

const struct tcp_cong tcp_cubic = { "cubic", cubic_init, cubic_acked, cubic_ssthresh };

/*
 * HyStart++ (RFC 9406): the first slow start ends before the queue of the bottleneck overflows.
 * When a round trip's shortest sample is well above that of the round before, the window grows by a
 * quarter as much for five rounds (CSS); if the samples fall again it was a false alarm.
 */
#define HYSTART_SAMPLES	   8
#define HYSTART_CSS_ROUNDS 5
#define HYSTART_MIN	   4000u /* us */
#define HYSTART_MAX	   16000u

static void hystart_round(struct tcp_sock *t)
{
	t->hystart.round_end = t->snd_nxt;
	t->hystart.last_min = t->hystart.min;
	t->hystart.min = 0;
	t->hystart.samples = 0;
	if (t->hystart.css && ++t->hystart.css_rounds >= HYSTART_CSS_ROUNDS)
		t->ssthresh = t->cwnd;
}

/* In slow start, before it grows: what acked bytes are to count, given a sample (us, 0: none). */
uint32_t tcp_hystart(struct tcp_sock *t, uint32_t acked, uint32_t rtt)
{
	uint32_t last = t->hystart.last_min;

	if (t->ssthresh != TCP_SSTHRESH_NONE)
		return acked;
	if (rtt) {
		t->hystart.samples++;
		if (!t->hystart.min || rtt < t->hystart.min)
			t->hystart.min = rtt;
	}
	if (t->hystart.css) {
		if (t->hystart.min && t->hystart.min < t->hystart.css_base)
			t->hystart.css = false;
	} else if (t->hystart.samples >= HYSTART_SAMPLES && last &&
		   t->hystart.min >= last + MIN(MAX(last / 8, HYSTART_MIN), HYSTART_MAX)) {
		t->hystart.css = true;
		t->hystart.css_base = t->hystart.min;
		t->hystart.css_rounds = 0;
	}
	if (seq_ge(t->snd_una, t->hystart.round_end))
		hystart_round(t);
	return t->hystart.css ? acked / 4 : acked;
}

const struct tcp_cong *tcp_cong_find(const char *name)
{
	if (strcmp(name, tcp_cubic.name) == 0)
		return &tcp_cubic;
	return strcmp(name, tcp_reno.name) == 0 ? &tcp_reno : NULL;
}
