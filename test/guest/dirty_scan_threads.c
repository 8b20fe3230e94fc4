/* SPDX-License-Identifier: BSD-2-Clause */
/* Skiff's own dirty_scan: with writers on several CPUs and a scanner that clears meanwhile, no
 * write is missed. Linux does not have the call; there the test only says what must come out. */
#include "t.h"
#include <sched.h>
#include "../../include/skiff.h"

#define WRITERS 3
#define PAGES	1024ul
#define SCANS	60

struct page {
	unsigned long word[PAGE / sizeof(long)];
};
static struct page *area, *copy;
static _Atomic bool stop;
static uint64_t bits[PAGES / 64];
static _Atomic unsigned long written[WRITERS + 1];

/* Each writer has a word of its own in every page. */
static void *writer(void *arg)
{
	unsigned long id = (unsigned long)arg, r = id;
	while (!stop) {
		r = r * 6364136223846793005ul + 1442695040888963407ul;
		((volatile struct page *)&area[(r >> 33) % PAGES])->word[id]++;
		written[id]++;
	}
	return NULL;
}

static void take(void)
{
	long n = skiff_dirty_scan(area, PAGES * PAGE, bits, SKIFF_DIRTY_CLEAR), found = 0;
	for (unsigned long i = 0; i < PAGES; i++)
		if (bits[i / 64] >> (i % 64) & 1) {
			memcpy(&copy[i], &area[i], PAGE);
			found++;
		}
	if (n != found)
		printf("wrong count\n");
}

static long missed(int advice)
{
	pthread_t t[WRITERS];
	long wrong = 0;
	stop = false;
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	copy = calloc(PAGES, PAGE);
	NEED(area != MAP_FAILED && copy);
	madvise(area, PAGES * PAGE, advice);
	for (long i = 0; i < WRITERS; i++)
		t[i] = t_thread(writer, (void *)(i + 1));
	for (int i = 0; i < SCANS; i++) {
		take();
		/* Everybody writes some pages between two scans. */
		for (long w = 1; w <= WRITERS; w++)
			for (unsigned long from = written[w]; written[w] - from < 50;)
				sched_yield();
	}
	stop = true;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	take();
	for (unsigned long i = 0; i < PAGES; i++)
		wrong += memcmp(&copy[i], &area[i], PAGE) != 0;
	if (skiff_dirty_scan(area, PAGES * PAGE, NULL, 0) != 0)
		wrong++;
	munmap(area, PAGES * PAGE);
	free(copy);
	return wrong;
}

int main(void)
{
	bool skiff = access("/proc/skiff", F_OK) == 0;
	printf("missed in small pages: %ld\n", skiff ? missed(MADV_NOHUGEPAGE) : 0);
	printf("missed in large pages: %ld\n", skiff ? missed(MADV_HUGEPAGE) : 0);
	return 0;
}
