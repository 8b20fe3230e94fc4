/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared anonymous memory behaves as one object, also when moved or mapped over. */
#include "t.h"

static void *thread(void *arg)
{
	int *p = arg;
	for (int i = 0; i < 10000; i++)
		__atomic_fetch_add(&p[i % 4 * 1024], 1, __ATOMIC_RELAXED);
	return NULL;
}

int main(void)
{
	int *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	pthread_t a = t_thread(thread, p), b = t_thread(thread, p);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	printf("%d %d %d %d\n", p[0], p[1024], p[2048], p[3072]);
	int *second = mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE);
	NEED(second != MAP_FAILED);
	second[5] = 55;
	printf("%d\n", p[5]);
	/* DONTNEED drops the mapping's pages, not the object's */
	RET(madvise(p, 4 * PAGE, MADV_DONTNEED));
	printf("%d %d\n", p[5], p[1024]);
	RET(madvise(p, PAGE, MADV_REMOVE));
	printf("%d %d %d\n", p[0], second[5], p[1024]);
	RET(munmap(p, 4 * PAGE));
	printf("%d\n", second[1024]);
	return 0;
}
