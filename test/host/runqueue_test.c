/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: src/sched/runqueue.c src/lib/rbtree.c */
/* flags: -lm */
#include "t.h"
#include <math.h>
#include "sched_shim.h"

#define MS 1000000ull

static double exact_scale(uint64_t ns)
{
	return (double)SCALE_ONE * exp((double)ns / SCALE_TAU);
}

TEST(scale_error_bound)
{
	struct runqueue rq;
	double worst = 0, worst_slope = 0;

	rq_init(&rq);
	for (uint64_t t = 0; t < SCALE_EPOCH; t += 1234567) {
		double a = rq_scale(&rq, t), e = exact_scale(t), d;

		worst = fmax(worst, fabs(a / e - 1));
		if (t + MS < SCALE_EPOCH) {
			d = (rq_scale(&rq, t + MS) - a) / (exact_scale(t + MS) - e);
			worst_slope = fmax(worst_slope, fabs(d - 1));
		}
	}
	CHECK(worst < 0.0001);
	CHECK(worst_slope < 0.012);
}

TEST(scale_grows)
{
	struct runqueue rq;
	uint64_t last = 0;

	rq_init(&rq);
	for (uint64_t t = 0; t < SCALE_EPOCH; t += 999983) {
		uint64_t s = rq_scale(&rq, t);

		if (s < last)
			T_FAIL("scale falls at %lu", t);
		last = s;
	}
}

static struct thread make(int nice)
{
	return (struct thread){ .nice = nice };
}

/* Simulates one CPU: who runs how much of 'total' ns. */
static void simulate(struct thread *t, int n, uint64_t total, uint64_t *ran, unsigned *switches)
{
	struct runqueue rq;
	struct thread *running = NULL;
	uint64_t now = 0, scale;

	rq_init(&rq);
	for (int i = 0; i < n; i++) {
		ran[i] = 0;
		rq_insert(&rq, &t[i]);
	}
	*switches = 0;
	while (now < total) {
		struct thread *next = rq_first(&rq);
		uint64_t slice, from;

		scale = rq_scale(&rq, now);
		if (!running || (next && rq_preempts(next, running, scale))) {
			rq_remove(&rq, next);
			if (running)
				rq_insert(&rq, running);
			running = next;
			++*switches;
		}
		slice = rq_slice(&rq, running, scale);
		if (slice > total - now)
			slice = total - now;
		from = scale;
		rq.scale_last = from;
		now += slice;
		scale = rq_scale(&rq, now);
		rq_charge(&rq, running, rq.scale_last, scale);
		ran[running - t] += slice;
	}
}

TEST(equal_hogs_alternate_in_10_ms)
{
	struct thread t[2] = { make(0), make(0) };
	uint64_t ran[2];
	unsigned switches;

	simulate(t, 2, 10000 * MS, ran, &switches);
	CHECK(fabs((double)ran[0] / ran[1] - 1) < 0.02);
	CHECK(switches > 800 && switches < 1300);
}

TEST(nice_is_a_weight)
{
	struct thread t[2] = { make(0), make(5) };
	uint64_t ran[2];
	unsigned switches;

	simulate(t, 2, 20000 * MS, ran, &switches);
	/* 86^(5/20) = 3.05 */
	CHECK(fabs((double)ran[0] / ran[1] / 3.05 - 1) < 0.05);
}

TEST(many_hogs_share)
{
	struct thread t[10];
	uint64_t ran[10];
	unsigned switches;

	for (int i = 0; i < 10; i++)
		t[i] = make(0);
	simulate(t, 10, 20000 * MS, ran, &switches);
	for (int i = 0; i < 10; i++)
		CHECK(fabs((double)ran[i] / (2000 * MS) - 1) < 0.05);
}

TEST(sleeper_decays)
{
	struct runqueue rq;
	struct thread hog = make(0), sleeper = make(0);
	uint64_t s;

	rq_init(&rq);
	/* both ran 100 ms, then one slept 400 ms while the other ran on */
	s = rq_scale(&rq, 100 * MS);
	rq_charge(&rq, &hog, SCALE_ONE, s);
	sleeper.run_key = hog.run_key;
	rq_charge(&rq, &hog, s, rq_scale(&rq, 500 * MS));
	CHECK(rq_preempts(&sleeper, &hog, rq_scale(&rq, 500 * MS)));
	/* 10 s later the key of an old epoch is next to nothing */
	s = rq_scale(&rq, 10500 * MS);
	CHECK(rq_key(&rq, &sleeper) < s / 1000);
}

TEST(epoch_keeps_order)
{
	struct runqueue rq;
	struct thread t[3] = { make(0), make(0), make(0) };

	rq_init(&rq);
	rq_scale(&rq, SCALE_EPOCH - 1);
	for (int i = 0; i < 3; i++) {
		t[i].run_key = (3 - i) * 1000000000000ull;
		rq_insert(&rq, &t[i]);
	}
	rq_scale(&rq, SCALE_EPOCH + 1);
	CHECK_EQ(t[0].run_key, 3000000000000ull >> SCALE_EPOCH_HALVES);
	CHECK(rq_first(&rq) == &t[2]);
	rq_remove(&rq, &t[2]);
	CHECK(rq_first(&rq) == &t[1]);
	rq_scale(&rq, 100 * SCALE_EPOCH);
	CHECK_EQ(t[0].run_key, 0);
}

TEST(realtime_first)
{
	struct runqueue rq;
	struct thread n = make(0), a = make(0), b = make(0), c = make(0);

	rq_init(&rq);
	a.policy = b.policy = c.policy = 1; /* SCHED_FIFO */
	a.rt_priority = 10;
	b.rt_priority = 20;
	c.rt_priority = 10;
	rq_insert(&rq, &n);
	rq_insert(&rq, &a);
	rq_insert(&rq, &b);
	rq_insert(&rq, &c);
	CHECK_EQ(rq.queued, 4);
	struct thread *order[] = { &b, &a, &c, &n };
	for (int i = 0; i < 4; i++) {
		CHECK(rq_first(&rq) == order[i]);
		rq_remove(&rq, rq_first(&rq));
	}
	CHECK(!rq_first(&rq));
}

TEST(steal_respects_affinity)
{
	struct runqueue rq;
	struct thread a = make(0), b = make(0);

	rq_init(&rq);
	a.affinity[0] = 1;
	b.affinity[0] = 3;
	a.run_key = 1;
	b.run_key = 2;
	rq_insert(&rq, &a);
	rq_insert(&rq, &b);
	CHECK(rq_steal(&rq, 1) == &b);
	CHECK(!rq_steal(&rq, 1));
	CHECK(rq_steal(&rq, 0) == &a);
	CHECK_EQ(rq.queued, 0);
}
