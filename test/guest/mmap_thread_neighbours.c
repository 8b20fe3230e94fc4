/* SPDX-License-Identifier: BSD-2-Clause */
/* One area that some threads cut and join again while others fault in the rest of it; beside them
 * mappings come and go in each other's places. What was written stays, what is new is zero. */
#include "t.h"

#define WRITERS 2
#define PAGES	1200 /* bounds are inside 2 MiB blocks */
#define ROUNDS	30

static _Atomic long bad;
static _Atomic int running = WRITERS;
static char *area; /* writers have PAGES each, then come as many that are cut */

static long *word(char *p, long page)
{
	return (long *)(p + page * PAGE + 8);
}

static void *writer(void *arg)
{
	long id = (long)arg;
	char *mine = area + id * PAGES * PAGE;
	for (long round = 1; round <= ROUNDS; round++) {
		long tag = round * 100000 + id * 10000;
		for (long i = round % 3; i < PAGES; i += 3) {
			if (*word(mine, i))
				bad++;
			*word(mine, i) = tag + i;
		}
		for (long i = round % 3; i < PAGES; i += 3)
			if (*word(mine, i) != tag + i)
				bad++;
		bad += madvise(mine, PAGES * PAGE, MADV_DONTNEED) != 0;
	}
	running--;
	return NULL;
}

static void *cutter(void *arg)
{
	char *mine = area + WRITERS * PAGES * PAGE;
	for (long i = 0; running; i++) {
		char *p = mine + (1 + i * 7 % (PAGES - 9)) * PAGE;
		*word(p, 0) = i;
		bad += mprotect(p, 3 * PAGE, PROT_READ) != 0;
		if (*word(p, 0) != i)
			bad++;
		bad += mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE) != 0;
		/* the writers' last and the cutter's first page touch */
		bad += mprotect(mine, PAGE, i & 1 ? PROT_NONE : PROT_READ | PROT_WRITE) != 0;
		if (i % 5 == 0)
			bad += mmap(p, 2 * PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p ||
			       *word(p, 0) != 0;
	}
	return NULL;
}

static void *comer(void *arg)
{
	unsigned long r = (unsigned long)arg;
	while (running) {
		r = r * 6364136223846793005ul + 1442695040888963407ul;
		long pages = 1 + (r >> 33) % 40;
		char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (long i = 0; i < pages; i += 2) {
			if (*word(p, i))
				bad++;
			*word(p, i) = (long)(r + i);
		}
		for (long i = 0; i < pages; i += 2)
			if (*word(p, i) != (long)(r + i))
				bad++;
		bad += munmap(p, pages * PAGE) != 0;
	}
	return NULL;
}

int main(void)
{
	pthread_t t[WRITERS + 3];
	area = mmap(NULL, (WRITERS + 1) * PAGES * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < WRITERS; i++)
		t[i] = t_thread(writer, (void *)i);
	t[WRITERS] = t_thread(cutter, NULL);
	t[WRITERS + 1] = t_thread(comer, (void *)1);
	t[WRITERS + 2] = t_thread(comer, (void *)2);
	for (int i = 0; i < WRITERS + 3; i++)
		pthread_join(t[i], NULL);
	printf("wrong: %ld\n", bad);
	return 0;
}
