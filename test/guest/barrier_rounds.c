/* SPDX-License-Identifier: BSD-2-Clause */
/* A barrier lets all through together, once per round one of them is told so. */
#include "t.h"

#define THREADS 5
#define ROUNDS	100
static pthread_barrier_t barrier;
static int arrived[ROUNDS], serial, early;

static void *thread(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		__atomic_fetch_add(&arrived[i], 1, __ATOMIC_RELAXED);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
		if (__atomic_load_n(&arrived[i], __ATOMIC_RELAXED) != THREADS)
			__atomic_fetch_add(&early, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(void)
{
	pthread_t id[THREADS];
	ERR(pthread_barrier_init(&barrier, NULL, 0));
	ERR(pthread_barrier_init(&barrier, NULL, THREADS));
	for (int i = 0; i < THREADS; i++)
		id[i] = t_thread(thread, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	printf("serial %d, early %d\n", serial, early);
	ERR(pthread_barrier_destroy(&barrier));
	return 0;
}
