/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * barging: threads on one CPU take a mutex again and again, and give the CPU away only while they
 * hold it, by sched_yield or by a short sleep. So whoever waits for it finds it locked, unless the
 * owner is preempted after it has woken him, before it takes the mutex again. Everybody is to get
 * it. In virtual time (-icount), as a host that stops the virtual CPU preempts as well.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define THREADS 4

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool stop; /* atomic */
static bool yields;
static unsigned long turns, got[THREADS]; /* guarded by mutex */

static void *take_again(void *arg)
{
	unsigned long *mine = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&mutex);
		++*mine;
		if (++turns % 8 == 0) {
			if (yields)
				sched_yield();
			else
				nanosleep(&(struct timespec){ 0, 20000 }, NULL);
		}
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

/* A tenth of an equal share is enough. */
static void measure(const char *what)
{
	pthread_t id[THREADS];
	bool fair = true;

	turns = 0;
	stop = false;
	for (int i = 0; i < THREADS; i++) {
		got[i] = 0;
		if (pthread_create(&id[i], NULL, take_again, &got[i]))
			return;
	}
	nanosleep(&(struct timespec){ 0, 500000000 }, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < THREADS; i++)
		fair = fair && got[i] >= turns / THREADS / 10;
	printf("%s: %s\n", what, fair ? "everybody got it" : "somebody starved");
	for (int i = 0; i < THREADS && !fair; i++)
		fprintf(stderr, "%s: %lu of %lu\n", what, got[i], turns);
}

int main(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	measure("asleep with it");
	yields = true;
	measure("yielding with it");
	return 0;
}
