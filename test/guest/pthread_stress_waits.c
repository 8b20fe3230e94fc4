/* SPDX-License-Identifier: BSD-2-Clause */
/* Condition variables under threads: signal, broadcast, timed waits; no wake is lost. */
#include "stress.h"

#define ROUNDS 400
#define PLACES 3

static pthread_mutex_t mutex;
static pthread_cond_t not_full, not_empty, turn_cond[STRESS_THREADS];
static int queued; /* guarded by mutex, like all below */
static long in, out, turns;
static int generation, at_gate, turn;
static clockid_t wait_clock;

static void make(int protocol, int pshared, clockid_t clock)
{
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;

	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setprotocol(&ma, protocol);
	pthread_mutexattr_setpshared(&ma, pshared);
	NEED((errno = pthread_mutex_init(&mutex, &ma)) == 0);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, pshared);
	pthread_condattr_setclock(&ca, clock);
	pthread_cond_init(&not_full, &ca);
	pthread_cond_init(&not_empty, &ca);
	for (int i = 0; i < STRESS_THREADS; i++)
		pthread_cond_init(&turn_cond[i], &ca);
	wait_clock = clock;
	queued = generation = at_gate = turn = 0;
	in = out = turns = 0;
}

static void unmake(void)
{
	HOLDS(pthread_cond_destroy(&not_full) == 0);
	HOLDS(pthread_cond_destroy(&not_empty) == 0);
	for (int i = 0; i < STRESS_THREADS; i++)
		HOLDS(pthread_cond_destroy(&turn_cond[i]) == 0);
	HOLDS(pthread_mutex_destroy(&mutex) == 0);
}

/* One wait, of a random kind. Time outs are as good as spurious wake-ups to the callers. */
static void wait_some(struct stress *s, pthread_cond_t *cond)
{
	if (stress_random(s) % 4 == 0) {
		struct timespec ts = stress_deadline(s, wait_clock);
		int err = pthread_cond_timedwait(cond, &mutex, &ts);

		HOLDS(err == 0 || err == ETIMEDOUT);
	} else {
		HOLDS(pthread_cond_wait(cond, &mutex) == 0);
	}
}

/* A queue of few places: one signal for each place that changes hands. */
static void *queue_user(void *arg)
{
	struct stress *s = arg;
	bool puts = s->index % 2;
	long done = 0;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		while (puts ? queued == PLACES : queued == 0)
			wait_some(s, puts ? &not_full : &not_empty);
		queued += puts ? 1 : -1;
		HOLDS(queued >= 0 && queued <= PLACES);
		*(puts ? &in : &out) += 1;
		if (stress_random(s) % 2) {
			pthread_cond_signal(puts ? &not_empty : &not_full);
			pthread_mutex_unlock(&mutex);
		} else {
			pthread_mutex_unlock(&mutex);
			pthread_cond_signal(puts ? &not_empty : &not_full);
		}
		stress_pause(s);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

/* A gate: the last one to come opens it for all. */
static void *gate_user(void *arg)
{
	struct stress *s = arg;
	long done = 0;

	for (int i = 0; i < ROUNDS / 2; i++) {
		int now;

		pthread_mutex_lock(&mutex);
		now = generation;
		HOLDS(now == i);
		if (++at_gate == STRESS_THREADS) {
			at_gate = 0;
			generation++;
			pthread_cond_broadcast(&not_full);
		} else {
			while (generation == now)
				wait_some(s, &not_full);
		}
		pthread_mutex_unlock(&mutex);
		stress_pause(s);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

/* A token goes round; each has a condition variable of its own and hears of it only by one signal.
 */
static void *ring_user(void *arg)
{
	struct stress *s = arg;
	long done = 0;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != (int)s->index)
			HOLDS(pthread_cond_wait(&turn_cond[s->index], &mutex) == 0);
		HOLDS(turns++ % STRESS_THREADS == s->index);
		turn = (turn + 1) % STRESS_THREADS;
		pthread_cond_signal(&turn_cond[turn]);
		pthread_mutex_unlock(&mutex);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

/* Nobody ever signals: every wait ends by its time, with the mutex held. */
static void *timeout_user(void *arg)
{
	struct stress *s = arg;
	long done = 0;

	for (int i = 0; i < 60; i++) {
		struct timespec ts = stress_deadline(s, wait_clock);
		int err;

		pthread_mutex_lock(&mutex);
		do
			err = pthread_cond_timedwait(&not_full, &mutex, &ts);
		while (err == 0);
		HOLDS(err == ETIMEDOUT);
		HOLDS(at_gate++ == 0);
		stress_pause(s);
		HOLDS(--at_gate == 0);
		pthread_mutex_unlock(&mutex);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

int main(void)
{
	for (int v = 0; v < 8; v++) {
		char name[64];
		int protocol = v & 1 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE;
		clockid_t clock = v & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
		int pshared = v & 4 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE;
		long done;

		make(protocol, pshared, clock);
		done = v % 2 ? stress_run_signalled(queue_user, SA_RESTART)
			     : stress_run(STRESS_THREADS, queue_user);
		HOLDS(in == out && queued == 0);
		snprintf(name, sizeof(name), "queue%s%s%s", v & 1 ? " pi" : "",
			v & 2 ? " monotonic" : "", v & 4 ? " shared" : "");
		stress_report(name, done);
		done = v % 2 ? stress_run(STRESS_THREADS, gate_user)
			     : stress_run_signalled(gate_user, 0);
		HOLDS(generation == ROUNDS / 2);
		stress_report("gate", done);
		stress_report("ring", stress_run(STRESS_THREADS, ring_user));
		stress_report(
			"timeouts", stress_run_signalled(timeout_user, v & 4 ? 0 : SA_RESTART));
		unmake();
	}
	return 0;
}
