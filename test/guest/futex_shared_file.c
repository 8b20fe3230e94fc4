/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared futexes meet by the page of the object, whatever the address of the mapping. */
#include "futex.h"

static void *waiter(void *arg)
{
	return (void *)futex(arg, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static uint32_t *map(int fd, int flags, long offset)
{
	uint32_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, offset);
	NEED(p != MAP_FAILED);
	return p;
}

static void meet(const char *name, uint32_t *wait, uint32_t *wake)
{
	void *r;
	pthread_t id = t_thread(waiter, wait);
	futex_await_waiters(wait, 0, 1);
	long private = futex(wait, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	long n = futex(wake, FUTEX_WAKE, 1, NULL, NULL, 0);
	if (n == 0)
		futex(wait, FUTEX_WAKE, 1, NULL, NULL, 0);
	pthread_join(id, &r);
	printf("%s: woke %ld by the other mapping, %ld privately\n", name, n, private);
}

int main(void)
{
	int fd = t_file("f", "");
	NEED(ftruncate(fd, 2 * PAGE) == 0);
	int other = open("f", O_RDWR), mem = memfd_create("m", 0);
	NEED(ftruncate(mem, 2 * PAGE) == 0);
	meet("file", map(fd, MAP_SHARED, 0) + 3, map(other, MAP_SHARED, 0) + 3);
	meet("file, other offset", map(fd, MAP_SHARED, 0) + 3, map(fd, MAP_SHARED, PAGE) + 3);
	meet("file, other word", map(fd, MAP_SHARED, 0) + 3, map(fd, MAP_SHARED, 0) + 4);
	meet("memfd", map(mem, MAP_SHARED, PAGE), map(mem, MAP_SHARED, PAGE));
	meet("private copy", map(mem, MAP_SHARED, 0), map(mem, MAP_PRIVATE, 0));
	uint32_t *anon = map(-1, MAP_SHARED | MAP_ANONYMOUS, 0);
	uint32_t *alias = mremap(anon, 0, PAGE, MREMAP_MAYMOVE);
	NEED(alias != MAP_FAILED);
	meet("anonymous", anon + 9, alias + 9);
	uint32_t *own = map(-1, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	own[1] = 0;
	meet("private memory", own + 1, own + 1);
	return 0;
}
