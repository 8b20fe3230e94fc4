/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: src/sched/runqueue.c src/lib/rbtree.c */
/* flags: -lm -D_GNU_SOURCE */
/*
 * The scheduler's decisions: the code of src/sched/runqueue.c against the exact formulas in
 * floating point, and in virtual time against what doc/scheduler.md promises.
 */
#include "t.h"
#include <math.h>
#include "sched_shim.h"
#include "abi/sched.h"

#define MS  1000000ull
#define SEC (1000 * MS)

/* A generator of our own, so that the workloads are the same everywhere. */
static uint64_t random_state;
static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

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

static struct thread make_policy(int nice, int policy, int priority)
{
	struct thread t = { .nice = nice, .policy = policy, .rt_priority = priority };

	rq_set_weight(&t);
	return t;
}

static struct thread make(int nice)
{
	return make_policy(nice, SCHED_OTHER, 0);
}

/* R of a key, in ns of run time at nice 0, as doc/scheduler.md defines it */
static double average(struct runqueue *rq, struct thread *t, uint64_t scale)
{
	return (double)rq_key(rq, t) / scale * SCALE_TAU / WEIGHT_ONE;
}

/*
 * Threads of every nice value run for random times, one at a time, with pauses short and long (of
 * several epochs too). R is always right within 1.1% (the slope of the scale), and a microsecond.
 */
static void random_workload(uint64_t seed, double *worst)
{
	enum { N = 12 };
	struct runqueue rq;
	struct thread t[N];
	double exact[N] = { 0 }, weight[N];
	uint64_t now = random_below(SEC), scale;

	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
	rq_init(&rq);
	for (int i = 0; i < N; i++) {
		int nice = (int)random_below(40) - 20;

		t[i] = make(nice);
		weight[i] = pow(1.25, nice);
	}
	for (int step = 0; step < 4000; step++) {
		int who = random_below(N);
		uint64_t ran = random_below(3) ? random_below(10 * MS) : random_below(400 * MS),
			 idle = random_below(50) ? 0 : random_below(6 * SEC);

		/* a thread that is queued while time passes is decayed with the queue's */
		for (int i = 0; i < N; i++)
			if (i != who && (i + step) % 3 == 0)
				rq_insert(&rq, &t[i]);
		rq.scale_last = rq_scale(&rq, now);
		now += ran;
		scale = rq_scale(&rq, now);
		rq_charge(&rq, &t[who], scale, ran);
		for (int i = 0; i < N; i++)
			exact[i] *= exp(-(double)ran / SCALE_TAU);
		exact[who] += weight[who] * SCALE_TAU * (1 - exp(-(double)ran / SCALE_TAU));
		now += idle;
		scale = rq_scale(&rq, now);
		for (int i = 0; i < N; i++) {
			double e = exact[i] *= exp(-(double)idle / SCALE_TAU), is;

			if (i != who && (i + step) % 3 == 0)
				rq_remove(&rq, &t[i]);
			is = average(&rq, &t[i], scale);
			/* WEIGHT_ONE rounds the weight of nice -20 by 0.5% */
			*worst = fmax(*worst, (fabs(is - e) - 1000) / (e + 1e-9));
		}
	}
}

TEST(average_error_bound)
{
	double worst = 0;

	for (uint64_t seed = 1; seed <= 25; seed++)
		random_workload(seed, &worst);
	if (!(worst < 0.016))
		T_FAIL("R is off by %f", worst);
}

/* The slice ends when the next one may preempt: never early, at most 5% late. */
TEST(slice_error_bound)
{
	random_state = 77;
	for (int n = 0; n < 20000; n++) {
		struct runqueue rq;
		struct thread run = make((int)random_below(40) - 20),
			      next = make((int)random_below(40) - 20);
		uint64_t now = random_below(SCALE_EPOCH), scale, slice, early, late;

		rq_init(&rq);
		scale = rq_scale(&rq, now);
		run.run_key = random_below(run.weight * scale);
		next.run_key = random_below(next.weight * scale);
		rq_insert(&rq, &next);
		if (rq_preempts(&next, &run, scale))
			continue;
		slice = rq_slice(&rq, &run, scale);
		CHECK(slice >= SLICE_MIN);
		early = slice - slice / 20;
		late = slice;
		for (int i = 0; i < 2; i++) {
			struct runqueue later = { .epoch = rq.epoch,
				.epoch_start = rq.epoch_start,
				.scale_last = scale };
			struct thread r = run, q = next;
			bool preempted;
			uint64_t s;

			/* in this epoch: the other is in no queue that is shifted */
			if (now + late >= SCALE_EPOCH)
				break;
			s = rq_scale(&later, now + (i ? early : late));
			rq_charge(&later, &r, s, 0);
			preempted = rq_preempts(&q, &r, s);
			if (i == 0 && !preempted && slice < 15 * SCALE_HALF_LIFE)
				T_FAIL("not preempted after a slice of %lu, nice %d and %d", slice,
					run.nice, next.nice);
			if (i == 1 && preempted && slice > 2 * SLICE_MIN)
				T_FAIL("a slice of %lu is too long, nice %d and %d", slice,
					run.nice, next.nice);
		}
	}
}

/* --- One CPU in virtual time, deciding as schedule.c does --- */

struct actor {
	struct thread thread;
	uint64_t burst, pause; /* pause 0: never sleeps */
	uint64_t left, wake_at;
	bool asleep, random;
	uint64_t ran, runs, waited_max, ready_since, latency_max;
};

struct sim {
	struct runqueue rq;
	struct actor *actor, *running;
	int count;
	uint64_t now, slice_end, switches;
};

static struct actor *actor_of(struct thread *t)
{
	return container_of(t, struct actor, thread);
}

static void sim_decide(struct sim *s, bool runnable)
{
	uint64_t scale = rq_scale(&s->rq, s->now), slice;
	struct thread *prev = s->running ? &s->running->thread : NULL, *next;

	s->rq.now = s->now;
	next = rq_first(&s->rq);
	if (prev && runnable && (!next || rq_stays(&s->rq, prev, next, scale)))
		next = prev;
	if (next != prev) {
		if (next)
			rq_remove(&s->rq, next);
		if (prev && runnable) {
			rq_put_back(&s->rq, prev, next);
			actor_of(prev)->ready_since = s->now;
		}
		if (next) {
			struct actor *a = actor_of(next);

			rq_charge_switch(&s->rq, next, scale);
			a->waited_max = MAX(a->waited_max, s->now - a->ready_since);
			if (!a->runs++ || a->left == a->burst)
				a->latency_max = MAX(a->latency_max, s->now - a->ready_since);
		}
		s->switches++;
		s->running = next ? actor_of(next) : NULL;
	}
	s->rq.yielding = false;
	s->rq.scale_last = scale;
	slice = next ? rq_slice(&s->rq, next, scale) : UINT64_MAX;
	s->slice_end = slice == UINT64_MAX ? UINT64_MAX : s->now + slice;
}

static void sim_advance(struct sim *s, uint64_t to)
{
	uint64_t ns = to - s->now, scale;

	s->now = to;
	scale = rq_scale(&s->rq, to);
	if (s->running) {
		rq_charge(&s->rq, &s->running->thread, scale, ns);
		s->running->thread.cpu_time += ns;
		s->running->ran += ns;
		s->running->left -= ns;
	}
	s->rq.scale_last = scale;
}

static uint64_t about(const struct actor *a, uint64_t ns)
{
	return a->random ? 1 + random_below(2 * ns) : ns;
}

static void sim_run(struct sim *s, uint64_t until)
{
	while (s->now < until) {
		uint64_t next = MIN(until, s->slice_end);
		bool runnable = true;

		if (s->running)
			next = MIN(next, s->now + s->running->left);
		for (int i = 0; i < s->count; i++)
			if (s->actor[i].asleep)
				next = MIN(next, MAX(s->now, s->actor[i].wake_at));
		sim_advance(s, next);
		for (int i = 0; i < s->count; i++) {
			struct actor *a = &s->actor[i];

			if (!a->asleep || a->wake_at > s->now)
				continue;
			a->asleep = false;
			a->left = a->burst = about(a, a->burst);
			a->ready_since = s->now;
			rq_insert(&s->rq, &a->thread);
		}
		if (s->running && !s->running->left) {
			struct actor *a = s->running;

			a->left = a->burst;
			if (a->pause) {
				a->asleep = true;
				a->wake_at = s->now + about(a, a->pause);
				runnable = false;
			}
		}
		sim_decide(s, runnable);
	}
}

static void sim_init(struct sim *s, struct actor *actor, int count)
{
	memset(s, 0, sizeof(*s));
	rq_init(&s->rq);
	s->actor = actor;
	s->count = count;
	s->slice_end = UINT64_MAX;
	for (int i = 0; i < count; i++) {
		struct actor *a = &actor[i];

		a->left = a->burst;
		if (a->wake_at)
			a->asleep = true;
		else
			rq_insert(&s->rq, &a->thread);
	}
	sim_decide(s, false);
}

static struct actor hog(int nice)
{
	return (struct actor){ .thread = make(nice), .burst = 1ull << 62 };
}

static struct actor sleeper(int nice, uint64_t burst, uint64_t pause)
{
	return (struct actor){ .thread = make(nice), .burst = burst, .pause = pause };
}

TEST(two_equal_hogs_alternate_in_10_ms)
{
	for (int nice = -20; nice < 20; nice++) {
		struct actor a[2] = { hog(nice), hog(nice) };
		struct sim s;
		double slice;

		sim_init(&s, a, 2);
		sim_run(&s, 100 * SEC);
		slice = 100e3 / s.switches;
		if (fabs((double)a[0].ran / a[1].ran - 1) > 0.02)
			T_FAIL("nice %d: %lu and %lu", nice, a[0].ran, a[1].ran);
		if (slice < 8 || slice > 12)
			T_FAIL("nice %d: slices of %f ms", nice, slice);
	}
}

TEST(equal_hogs_share_equally)
{
	static const int counts[] = { 2, 3, 5, 10, 40, 100 };

	for (unsigned c = 0; c < ARRAY_SIZE(counts); c++) {
		struct actor a[100];
		struct sim s;
		int n = counts[c];
		double total = 2.0 * n * SEC;

		for (int i = 0; i < n; i++)
			a[i] = hog(0);
		sim_init(&s, a, n);
		sim_run(&s, total);
		for (int i = 0; i < n; i++)
			if (fabs(a[i].ran * n / total - 1) > 0.02)
				T_FAIL("%d hogs: one has %f of its share", n, a[i].ran * n / total);
	}
}

/* sched(7): a factor of 1.25 for each step. Within 5%, steps of 1 anywhere and all pairs to 10. */
TEST(nice_is_a_weight)
{
	for (int low = -20; low < 20; low++) {
		for (int high = low + 1; high < 20 && high <= low + 10; high++) {
			struct actor a[2] = { hog(low), hog(high) };
			double is, want = pow(1.25, high - low);
			struct sim s;

			sim_init(&s, a, 2);
			sim_run(&s, 200 * SEC);
			is = (double)a[0].ran / a[1].ran;
			if (fabs(is / want - 1) > 0.05)
				T_FAIL("nice %d and %d share %f, not %f", low, high, is, want);
		}
	}
}

TEST(nice_among_several)
{
	struct actor a[5] = { hog(0), hog(0), hog(5), hog(-5), hog(1) };
	double sum = 0;
	struct sim s;

	sim_init(&s, a, 5);
	sim_run(&s, 200 * SEC);
	for (int i = 0; i < 5; i++)
		sum += pow(1.25, -a[i].thread.nice);
	for (int i = 0; i < 5; i++) {
		double want = pow(1.25, -a[i].thread.nice) / sum * 200e9;

		if (fabs(a[i].ran / want - 1) > 0.05)
			T_FAIL("nice %d: %f of its share", a[i].thread.nice, a[i].ran / want);
	}
}

/* Nobody starves, however far the nice values are apart. */
TEST(extremes_do_not_starve)
{
	struct actor a[2] = { hog(-20), hog(19) };
	struct sim s;

	sim_init(&s, a, 2);
	sim_run(&s, 60 * SEC);
	CHECK(a[1].runs > 30);
	CHECK((double)a[0].ran / 60e9 > 0.99);
}

TEST(interactive_runs_at_once)
{
	/* 2 ms of work every 20 ms: 10% of the CPU, all of it at once */
	struct actor a[3] = { hog(0), sleeper(0, 2 * MS, 18 * MS), hog(0) };
	struct sim s;

	for (int hogs = 1; hogs <= 2; hogs++) {
		struct actor b[3] = { a[0], a[1], a[2] };

		sim_init(&s, b, hogs == 1 ? 2 : 3);
		sim_run(&s, 1 * SEC); /* settle */
		b[1].latency_max = b[1].ran = 0;
		sim_run(&s, 21 * SEC);
		if (b[1].latency_max > 0)
			T_FAIL("%d hogs: it waited %lu ns", hogs, b[1].latency_max);
		CHECK(fabs(b[1].ran / 2e9 - 1) < 0.02);
	}
}

/* The same at random times: it may meet a hog that has just begun its least slice. */
TEST(interactive_waits_for_the_least_slice_at_most)
{
	struct actor a[3] = { hog(0), sleeper(0, 2 * MS, 18 * MS), hog(0) };
	struct sim s;

	random_state = 99;
	a[1].random = true;
	sim_init(&s, a, 3);
	sim_run(&s, 1 * SEC);
	a[1].latency_max = 0;
	sim_run(&s, 101 * SEC);
	CHECK(a[1].latency_max > 0);
	CHECK(a[1].latency_max <= SLICE_MIN);
}

TEST(least_slice)
{
	uint64_t scale;
	struct thread run = make(0), quiet = make(0), fifo = make_policy(0, SCHED_FIFO, 1);
	struct runqueue rq;

	rq_init(&rq);
	scale = rq_scale(&rq, 500 * MS);
	run.cpu_time = 300 * MS;
	run.least_end = run.cpu_time + 1;
	run.run_key = run.weight * scale;
	rq_insert(&rq, &quiet);
	CHECK(rq_preempts(&quiet, &run, scale));
	CHECK(rq_stays(&rq, &run, &quiet, scale));
	CHECK_EQ(rq_slice(&rq, &run, scale), 1);
	run.cpu_time++;
	CHECK(!rq_stays(&rq, &run, &quiet, scale));
	/* preempted it begins a new one */
	rq_remove(&rq, &quiet);
	rq_put_back(&rq, &run, &quiet);
	rq_remove(&rq, &run);
	rq_insert(&rq, &quiet);
	CHECK_EQ(rq_least_left(&run), SLICE_MIN);
	CHECK_EQ(rq_slice(&rq, &run, scale), SLICE_MIN);
	/* not against real-time threads, not when it yields, not for SCHED_IDLE */
	CHECK(rq_stays(&rq, &run, &quiet, scale));
	rq.yielding = true;
	CHECK(!rq_stays(&rq, &run, &quiet, scale));
	rq.yielding = false;
	rq_insert(&rq, &fifo);
	CHECK(!rq_stays(&rq, &run, &fifo, scale));
	run.policy = SCHED_IDLE;
	rq_set_weight(&run);
	CHECK(!rq_stays(&rq, &run, &quiet, scale));
}

/*
 * One that is far ahead wakes another every 20 us and then sleeps, or yields. As it never runs for
 * a least slice at a stretch, this is to be one over the sleeps: no more preemptions than that, and
 * no fewer. A yield gives it up.
 */
static unsigned preemptions(bool yields)
{
	struct thread run = make(0), woken = make(0);
	struct runqueue rq;
	uint64_t scale;
	unsigned n = 0;

	rq_init(&rq);
	scale = rq_scale(&rq, 0);
	run.run_key = run.weight * scale;
	run.least_end = SLICE_MIN;
	for (int turn = 0; turn < 1000; turn++) {
		rq_insert(&rq, &woken);
		if (!rq_stays(&rq, &run, &woken, scale)) {
			n++;
			rq_remove(&rq, &woken);
			rq_put_back(&rq, &run, &woken);
			rq_remove(&rq, &run); /* the woken one sleeps again */
			rq_insert(&rq, &woken);
			CHECK(rq_stays(&rq, &run, &woken, scale));
		}
		run.cpu_time += 20000;
		rq_remove(&rq, &woken);
		if (!yields)
			continue;
		rq.yielding = true;
		rq_put_back(&rq, &run, &woken);
		rq.yielding = false;
		rq_remove(&rq, &run);
	}
	return n;
}

TEST(least_slice_over_sleeps)
{
	CHECK_EQ(preemptions(false), 1000 * 20000 / SLICE_MIN - 1);
	CHECK_EQ(preemptions(true), 999);
}

/* The short ways in and out of a queue of one, mixed with the long ones. */
TEST(queue_of_one)
{
	struct runqueue rq;
	struct thread t[4];
	bool in[4] = { false };
	unsigned queued = 0;

	random_state = 5;
	rq_init(&rq);
	for (int i = 0; i < 4; i++)
		t[i] = i == 3 ? make_policy(0, SCHED_FIFO, 7) : make(0);
	for (int n = 0; n < 20000; n++) {
		int i = random_below(4);
		struct thread *first = NULL;

		if (in[i]) {
			rq_remove(&rq, &t[i]);
			queued--;
		} else {
			t[i].run_key = random_below(1000);
			rq_insert(&rq, &t[i]);
			queued++;
		}
		in[i] = !in[i];
		for (int j = 0; j < 3; j++)
			if (in[j] && (!first || t[j].run_key < first->run_key))
				first = &t[j];
		if (in[3])
			first = &t[3];
		CHECK_EQ(rq.queued, queued);
		CHECK(!first == !rq_first(&rq));
		if (first && first != &t[3])
			CHECK_EQ(rq_first(&rq)->run_key, first->run_key);
		else
			CHECK(rq_first(&rq) == first);
	}
}

/*
 * doc/scheduler.md: k threads that wake after a long sleep keep a hog waiting for at most
 * tau * (ln(k + 1) - ln(1 - (k + 1) / 80)); 3% more for the slope of the scale and the slices.
 */
static double starvation_bound(int k)
{
	return 1.03 * SCALE_TAU * (log(k + 1) - log(1 - (k + 1) / 80.0));
}

TEST(long_sleepers_starve_nobody_beyond_the_bound)
{
	for (int k = 1; k <= 16; k++) {
		struct actor a[17];
		struct sim s;

		a[0] = hog(0);
		for (int i = 1; i <= k; i++) {
			a[i] = hog(0);
			a[i].wake_at = 20 * SEC;
		}
		sim_init(&s, a, k + 1);
		sim_run(&s, 30 * SEC);
		if (a[0].waited_max > starvation_bound(k))
			T_FAIL("%d sleepers: %f ms, bound %f", k, a[0].waited_max / 1e6,
				starvation_bound(k) / 1e6);
		/* and it is no empty bound */
		CHECK(a[0].waited_max > 0.9 * starvation_bound(k));
	}
}

/* Random mixes: nobody who wants to run waits longer than the bound for its number of rivals. */
TEST(random_mixes_starve_nobody)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct actor a[10];
		struct sim s;
		int n;

		random_state = seed * 0x9e3779b97f4a7c15ull + 1;
		n = 2 + random_below(9);
		for (int i = 0; i < n; i++) {
			a[i] = sleeper(0, 1 + random_below(30 * MS), random_below(60 * MS));
			a[i].random = true;
			if (random_below(4) == 0)
				a[i] = hog(0);
		}
		sim_init(&s, a, n);
		sim_run(&s, 30 * SEC);
		for (int i = 0; i < n; i++)
			if (a[i].waited_max > starvation_bound(n - 1))
				T_FAIL("seed %lu, %d threads: one waited %f ms", seed, n,
					a[i].waited_max / 1e6);
	}
}

/* A batch thread is a little behind others when it wakes, and has its share nevertheless. */
TEST(batch_and_idle)
{
	struct actor a[2] = { hog(0), hog(0) };
	struct sim s;

	a[1].thread = make_policy(0, SCHED_BATCH, 0);
	sim_init(&s, a, 2);
	sim_run(&s, 100 * SEC);
	CHECK(fabs((double)a[0].ran / a[1].ran - 1) < 0.02);

	a[0] = hog(0);
	a[1] = hog(0);
	a[1].thread = make_policy(0, SCHED_IDLE, 0);
	sim_init(&s, a, 2);
	sim_run(&s, 100 * SEC);
	CHECK(a[1].ran > 0);
	CHECK((double)a[1].ran / a[0].ran < 0.005);
}

TEST(sleeper_decays)
{
	struct runqueue rq;
	struct thread busy = make(0), quiet = make(0);
	uint64_t s;

	rq_init(&rq);
	/* both ran 100 ms, then one slept 400 ms while the other ran on */
	s = rq_scale(&rq, 100 * MS);
	rq_charge(&rq, &busy, s, 0);
	quiet.run_key = busy.run_key;
	rq.scale_last = s;
	rq_charge(&rq, &busy, rq_scale(&rq, 500 * MS), 0);
	CHECK(rq_preempts(&quiet, &busy, rq_scale(&rq, 500 * MS)));
	/* 10 s later the key of an old epoch is next to nothing */
	s = rq_scale(&rq, 10500 * MS);
	CHECK(rq_key(&rq, &quiet) < s / 1000);
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

/* A thread from a CPU that is already in the next epoch keeps its R; too much for us comes last. */
TEST(newer_epoch_is_understood)
{
	struct runqueue ahead, behind;
	struct thread t = make(0), busy = make(19);
	double there;
	uint64_t scale;

	rq_init(&ahead);
	rq_init(&behind);
	scale = rq_scale(&ahead, SCALE_EPOCH + MS);
	ahead.scale_last = SCALE_ONE;
	rq_charge(&ahead, &t, scale, 0);
	busy.run_epoch = 1;
	busy.run_key = 1ull << 60;
	there = average(&ahead, &t, scale);
	scale = rq_scale(&behind, SCALE_EPOCH - 1);
	CHECK(fabs(average(&behind, &t, scale) / there - 1) < 0.02);
	CHECK(rq_key(&behind, &busy) > 1ull << 61);
}

TEST(realtime_first)
{
	struct runqueue rq;
	struct thread n = make(0), a = make_policy(0, SCHED_FIFO, 10),
		      b = make_policy(0, SCHED_FIFO, 20), c = make_policy(0, SCHED_FIFO, 10);
	struct thread *order[] = { &b, &a, &c, &n };

	rq_init(&rq);
	rq_insert(&rq, &n);
	rq_insert(&rq, &a);
	rq_insert(&rq, &b);
	rq_insert(&rq, &c);
	CHECK_EQ(rq.queued, 4);
	for (int i = 0; i < 4; i++) {
		CHECK(rq_first(&rq) == order[i]);
		rq_remove(&rq, rq_first(&rq));
	}
	CHECK(!rq_first(&rq));
}

/* sched(7): a preempted FIFO thread stays at the head of its list, a yielding one goes to the tail.
 */
TEST(preempted_realtime_stays_first)
{
	struct runqueue rq;
	struct thread a = make_policy(0, SCHED_FIFO, 10), b = make_policy(0, SCHED_FIFO, 10),
		      high = make_policy(0, SCHED_FIFO, 20);

	rq_init(&rq);
	a.class = THREAD_REALTIME;
	rq_insert(&rq, &b);
	CHECK(rq_stays(&rq, &a, &b, SCALE_ONE));
	rq_insert(&rq, &high);
	CHECK(!rq_stays(&rq, &a, &high, SCALE_ONE));
	rq_remove(&rq, &high);
	rq_put_back(&rq, &a, &high);
	CHECK(rq_first(&rq) == &a);
	rq_remove(&rq, &a);
	rq.yielding = true;
	CHECK(!rq_stays(&rq, &a, &b, SCALE_ONE));
	rq_remove(&rq, &b);
	rq_put_back(&rq, &a, &b);
	rq_insert(&rq, &b);
	CHECK(rq_first(&rq) == &a);
}

TEST(round_robin_shares_by_slices)
{
	struct actor a[4] = { hog(0), hog(0), hog(0), hog(0) };
	struct sim s;

	a[0].thread = a[1].thread = make_policy(0, SCHED_RR, 5);
	a[2].thread = make_policy(0, SCHED_FIFO, 4);
	sim_init(&s, a, 4);
	sim_run(&s, 10 * SEC);
	CHECK_EQ(a[0].ran, 5 * SEC);
	CHECK_EQ(a[1].ran, 5 * SEC);
	CHECK_EQ(a[2].ran, 0);
	CHECK_EQ(a[3].ran, 0);
	CHECK(s.switches >= 100 && s.switches <= 101);
}

/* A FIFO thread of the same priority is not interrupted by a round-robin one. */
TEST(fifo_has_no_slices)
{
	struct actor a[2] = { hog(0), hog(0) };
	struct sim s;

	a[0].thread = make_policy(0, SCHED_FIFO, 5);
	a[1].thread = make_policy(0, SCHED_RR, 5);
	sim_init(&s, a, 2);
	sim_run(&s, 10 * SEC);
	CHECK_EQ(a[0].ran, 10 * SEC);
}

TEST(yield_lets_all_others_run)
{
	struct runqueue rq;
	struct thread t[4] = { make(0), make(0), make(0), make(0) }, *running = &t[0];

	rq_init(&rq);
	for (int i = 0; i < 4; i++) {
		t[i].run_key = (4 - i) * SCALE_ONE;
		if (i)
			rq_insert(&rq, &t[i]);
	}
	for (int round = 0; round < 3; round++) {
		unsigned seen = 0;

		for (int i = 0; i < 4; i++) {
			struct thread *next = rq_first(&rq);

			rq.yielding = true;
			CHECK(!rq_stays(&rq, running, next, SCALE_ONE));
			rq_remove(&rq, next);
			rq_put_back(&rq, running, next);
			running = next;
			seen |= 1u << (running - t);
		}
		CHECK_EQ(seen, 15);
	}
}

TEST(steal_respects_affinity)
{
	struct runqueue rq;
	struct thread a = make(0), b = make(0), far = make(0);

	rq_init(&rq);
	a.affinity[0] = 1;
	b.affinity[0] = 3;
	far.affinity[MAX_CPUS / 64 - 1] = 1ull << 63;
	a.run_key = 1;
	b.run_key = 2;
	far.run_key = 3;
	rq_insert(&rq, &a);
	rq_insert(&rq, &b);
	rq_insert(&rq, &far);
	CHECK(rq_steal(&rq, 1) == &b);
	CHECK(!rq_steal(&rq, 1));
	CHECK(rq_steal(&rq, MAX_CPUS - 1) == &far);
	CHECK(rq_steal(&rq, 0) == &a);
	CHECK_EQ(rq.queued, 0);
}
