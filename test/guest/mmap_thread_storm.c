/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that map, fill, protect, move and unmap at once: stale TLB entries would show as foreign
 * bytes. */
#include "t.h"

#define THREADS 4
#define ROUNDS	40

static _Atomic long bad;

static void expect(char *p, size_t len, long tag)
{
	for (size_t k = 0; k < len; k += PAGE)
		if (*(long *)(p + k) != (tag ? tag + (long)k : 0))
			bad++;
}

static void one_round(long id, unsigned long r)
{
	size_t len = (r >> 20) % 16 ? (1 + (r >> 8) % 64) * PAGE : 4 << 20;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	if (p == MAP_FAILED) {
		bad++;
		return;
	}
	expect(p, len, 0);
	for (size_t k = 0; k < len; k += PAGE)
		*(long *)(p + k) = id + (long)k;
	bad += mprotect(p, len, PROT_READ) != 0;
	expect(p, len, id);
	bad += mprotect(p, len, PROT_READ | PROT_WRITE) != 0;
	q = mremap(p, len, 2 * len, MREMAP_MAYMOVE);
	if (q == MAP_FAILED) {
		bad++;
		munmap(p, len);
		return;
	}
	expect(q, len, id);
	expect(q + len, len, 0);
	bad += madvise(q, len, MADV_DONTNEED) != 0;
	expect(q, len, 0);
	if (r >> 12 & 1)
		bad += munmap(q + PAGE, 2 * len - PAGE) != 0 || munmap(q, PAGE) != 0;
	else
		bad += munmap(q, 2 * len) != 0;
}

static void *worker(void *arg)
{
	long id = (long)arg * 1000000007l;
	unsigned long r = (unsigned long)arg;
	for (int i = 0; i < ROUNDS; i++) {
		r = r * 6364136223846793005ul + 1442695040888963407ul;
		one_round(id, r >> 8);
	}
	return NULL;
}

int main(void)
{
	pthread_t t[THREADS];
	for (long i = 0; i < THREADS; i++)
		t[i] = t_thread(worker, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	printf("wrong: %ld\n", bad);
	return 0;
}
