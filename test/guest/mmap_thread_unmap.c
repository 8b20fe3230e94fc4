/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads map, write, check and unmap at the same time: nobody sees another's page. */
#include "t.h"

static void *thread(void *arg)
{
	unsigned long me = (unsigned long)arg, bad = 0;
	for (unsigned long i = 0; i < 300; i++) {
		unsigned long pages = 1 + (i * 7 + me) % 9;
		unsigned long *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return (void *)100000;
		for (unsigned long j = 0; j < pages; j++) {
			bad += p[j * 512 + 3] != 0;
			p[j * 512 + 3] = me * 1000 + i;
		}
		if (i % 16 == 0)
			sched_yield();
		for (unsigned long j = 0; j < pages; j++)
			bad += p[j * 512 + 3] != me * 1000 + i;
		munmap(p, pages * PAGE);
	}
	return (void *)bad;
}

int main(void)
{
	pthread_t id[6];
	for (long i = 0; i < 6; i++)
		id[i] = t_thread(thread, (void *)(i + 1));
	for (int i = 0; i < 6; i++) {
		void *bad;
		pthread_join(id[i], &bad);
		printf("thread %d: %ld bad\n", i, (long)bad);
	}
	return 0;
}
