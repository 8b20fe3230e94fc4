/* SPDX-License-Identifier: BSD-2-Clause */
/* MAP_FIXED over a mapping, and mremap onto one, while others read it: they see the old or the new,
 * never a hole and never anything else. */
#include "t.h"

#define PAGES	8
#define READERS 3
#define ROUNDS	400

static _Atomic long bad;
static _Atomic bool stop;
static char *place;

static void on_fault(int sig)
{
	static const char text[] = "a hole\n";
	(void)!write(1, text, sizeof(text) - 1);
	_exit(1);
}

static void *reader(void *arg)
{
	for (unsigned long i = (unsigned long)arg; !stop; i++) {
		long value = *(volatile long *)(place + i % PAGES * PAGE);
		if (value != 0 && value != 1000 && value != 2000 + (long)(i % PAGES) &&
			value != 3000 + (long)(i % PAGES))
			bad++;
	}
	return NULL;
}

static void fill(char *p, long tag)
{
	for (long i = 0; i < PAGES; i++)
		*(long *)(p + i * PAGE) = tag + i;
}

static void move_onto(void)
{
	char *p = mmap(
		NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fill(p, 3000);
	bad += mremap(p, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) != place;
	for (long i = 0; i < PAGES; i++)
		bad += *(long *)(place + i * PAGE) != 3000 + i;
}

int main(void)
{
	pthread_t t[READERS];
	int one = memfd_create("one", 0), two = memfd_create("two", 0), err = 0;
	long value = 1000;
	char *p;
	for (int i = 0; i < PAGES; i++)
		err |= pwrite(one, &value, sizeof(value), i * PAGE) != sizeof(value);
	err |= ftruncate(two, PAGES * PAGE);
	p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, two, 0);
	fill(p, 2000);
	place = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	signal(SIGSEGV, on_fault);
	for (long i = 0; i < READERS; i++)
		t[i] = t_thread(reader, (void *)i);
	for (int i = 0; i < ROUNDS; i++) {
		int n = 1 + i % PAGES, first = (PAGES - n) / 2;
		char *at = place + first * PAGE;
		long size = n * PAGE;
		if (i % 4 == 3)
			move_onto();
		else if (i % 4 == 2)
			bad += mmap(at, size, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at;
		else
			bad += mmap(at, size, PROT_READ,
				       (i & 8 ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
				       i % 4 ? two : one, first * PAGE) != at;
	}
	stop = true;
	for (int i = 0; i < READERS; i++)
		pthread_join(t[i], NULL);
	printf("errors: %d, wrong: %ld\n", err, bad);
	return 0;
}
