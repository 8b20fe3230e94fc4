/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads fault the same fresh pages at once: each page appears once, nobody's write is lost. */
#include "t.h"

#define THREADS 4
#define PAGES	512
static unsigned char *area;
static pthread_barrier_t barrier;
static volatile unsigned long sums[THREADS];

static void *thread(void *arg)
{
	long me = (long)arg;
	pthread_barrier_wait(&barrier);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < PAGES; i++) {
			int page = me & 1 ? PAGES - 1 - i : i;
			area[page * PAGE + me] += me + 1;
		}
		pthread_barrier_wait(&barrier);
		if (me == 0 && round == 1) /* throw everything away, once */
			madvise(area, PAGES * PAGE, MADV_DONTNEED);
		pthread_barrier_wait(&barrier);
	}
	for (int i = 0; i < PAGES; i++)
		sums[me] += area[i * PAGE + me];
	return NULL;
}

int main(void)
{
	pthread_t id[THREADS];
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(area != MAP_FAILED);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		id[i] = t_thread(thread, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < THREADS; i++)
		printf("thread %d: %lu\n", i, sums[i]);
	return 0;
}
