/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_STRESS_H
#define TEST_GUEST_STRESS_H
/*
 * What the pthread_stress_* programs share: a number of threads that run one function with an own
 * seed, random pauses in bad places, and faults that are counted and printed at the end of a part.
 * Each part has a bounded number of rounds. A lost wake-up shows as a test that never ends.
 */
#include "t.h"
#include <sched.h>

#define STRESS_THREADS 6

struct stress {
	pthread_t id;
	unsigned index;
	uint32_t seed;
	long done; /* the thread's own count */
};

static int stress_faults; /* atomic */

/* An invariant that does not hold. Counted, as the number printed differs from 0 then. */
#define HOLDS(cond)                                                                                \
	do {                                                                                       \
		if (!(cond) && __atomic_fetch_add(&stress_faults, 1, __ATOMIC_RELAXED) < 5)        \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);                  \
	} while (0)

static inline uint32_t stress_random(struct stress *s)
{
	s->seed ^= s->seed << 13;
	s->seed ^= s->seed >> 17;
	s->seed ^= s->seed << 5;
	return s->seed;
}

/* Mostly nothing, now and then another thread's turn, seldom a short sleep. */
static inline void stress_pause(struct stress *s)
{
	uint32_t r = stress_random(s) % 64;

	if (r < 8) {
		sched_yield();
	} else if (r < 16) {
		for (volatile int i = 0; i < 300; i++)
			;
	} else if (r == 16) {
		struct timespec ts = { 0, 20000 };
		nanosleep(&ts, NULL);
	}
}

/* CLOCK_REALTIME or CLOCK_MONOTONIC now plus up to 200 microseconds, now and then long ago. */
static inline struct timespec stress_deadline(struct stress *s, clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += stress_random(s) % 200000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	if (stress_random(s) % 8 == 0)
		ts.tv_sec--;
	return ts;
}

static inline void stress_start(struct stress *s, unsigned count, void *(*fn)(void *))
{
	for (unsigned i = 0; i < count; i++) {
		s[i] = (struct stress){ .index = i, .seed = 2463534242u + i * 7919 };
		s[i].id = t_thread(fn, &s[i]);
	}
}

static inline long stress_join(struct stress *s, unsigned count)
{
	long done = 0;

	for (unsigned i = 0; i < count; i++) {
		pthread_join(s[i].id, NULL);
		done += s[i].done;
	}
	return done;
}

/* Runs fn in count threads; the sum of what they did. */
static inline long stress_run(unsigned count, void *(*fn)(void *))
{
	struct stress s[count];

	stress_start(s, count, fn);
	return stress_join(s, count);
}

/* --- A thread that interrupts the others' calls, until stress_quiet --- */

static struct stress *stress_targets;
static int stress_stop;	    /* atomic */
static long stress_signals; /* atomic: handled */
static pthread_t stress_killer;

static void stress_handler(int sig)
{
	__atomic_fetch_add(&stress_signals, 1, __ATOMIC_RELAXED);
}

static void *stress_kill(void *arg)
{
	struct stress self = { .seed = 12345 };

	while (!__atomic_load_n(&stress_stop, __ATOMIC_ACQUIRE)) {
		struct timespec ts = { 0, 50000 };

		pthread_kill(stress_targets[stress_random(&self) % STRESS_THREADS].id, SIGUSR1);
		nanosleep(&ts, NULL);
	}
	return NULL;
}

/* As stress_run with STRESS_THREADS threads, under signals; flags: SA_RESTART or 0. */
static inline long stress_run_signalled(void *(*fn)(void *), int flags)
{
	struct sigaction sa = { .sa_handler = stress_handler, .sa_flags = flags };
	struct stress s[STRESS_THREADS];
	long done = 0;

	sigaction(SIGUSR1, &sa, NULL);
	stress_targets = s;
	stress_stop = 0;
	stress_start(s, STRESS_THREADS, fn);
	stress_killer = t_thread(stress_kill, NULL);
	/* The ids are good for pthread_kill until they are joined: first stop who uses them. */
	for (unsigned i = 0; i < STRESS_THREADS; i++)
		while (!__atomic_load_n(&s[i].done, __ATOMIC_ACQUIRE))
			t_sleep_ms(1);
	__atomic_store_n(&stress_stop, 1, __ATOMIC_RELEASE);
	pthread_join(stress_killer, NULL);
	for (unsigned i = 0; i < STRESS_THREADS; i++) {
		pthread_join(s[i].id, NULL);
		done += s[i].done;
	}
	return done;
}

static inline void stress_report(const char *part, long done)
{
	printf("%s: %ld done, %d faults\n", part, done, stress_faults);
	fflush(stdout);
	stress_faults = 0;
}
#endif
