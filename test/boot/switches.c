/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switches: two threads on one CPU take turns by a mutex and a condition variable, signalled with
 * the mutex held, after the first has computed for so long that the second is due whenever it is
 * woken. One switch for each turn is enough: the waker sleeps next.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define TURNS 10000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond[2] = { PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER };
static int turn;

static void *take_turns(void *arg)
{
	int me = arg != NULL;

	for (int i = 0; i < TURNS / 2; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&cond[me], &lock);
		turn = !me;
		pthread_cond_signal(&cond[!me]);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void compute(long ms)
{
	struct timespec ts;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	while (ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < ms);
}

static long switches(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_nvcsw + r.ru_nivcsw;
}

int main(void)
{
	pthread_t second;
	cpu_set_t one;
	long before;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (pthread_create(&second, NULL, take_turns, &turn))
		return 1;
	compute(400);
	before = switches();
	take_turns(NULL);
	pthread_join(second, NULL);
	before = switches() - before;
	printf("%s\n", before < TURNS * 3 / 2 ? "one switch a turn" : "more");
	if (before >= TURNS * 3 / 2)
		fprintf(stderr, "%ld switches for %d turns\n", before, TURNS);
	return 0;
}
