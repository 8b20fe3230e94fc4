/* SPDX-License-Identifier: BSD-2-Clause */
/* What memory costs: mapping, the first touch, protection, and the library's allocator above them.
 */
#include "micro.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define HUGE (2ul << 20)

static char *map(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		micro_die("mmap");
	return p;
}

static void touch(char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile char *)(p + i) = 1;
}

static void op_mmap_4k(void)
{
	char *p = map(PAGE);

	touch(p, PAGE);
	munmap(p, PAGE);
}

static double mmap_4k(void)
{
	return micro_per_op(op_mmap_4k);
}

static void op_mmap_2m(void)
{
	char *p = map(HUGE);

	touch(p, HUGE);
	munmap(p, HUGE);
}

static double mmap_2m(void)
{
	return micro_per_op(op_mmap_2m);
}

/* Only the touches of 64 new pages; mapping and unmapping are outside the clock. */
static uint64_t run_faults(unsigned long count)
{
	uint64_t took = 0;

	for (unsigned long i = 0; i < count; i++) {
		char *p = map(64 * PAGE);
		uint64_t from = micro_now();

		touch(p, 64 * PAGE);
		took += micro_now() - from;
		munmap(p, 64 * PAGE);
	}
	return took;
}

static double faults_64(void)
{
	return micro_per_count(run_faults);
}

/* One page alone: nothing that is next to it can be brought in by the same fault. */
static uint64_t run_fault(unsigned long count)
{
	uint64_t took = 0;

	for (unsigned long i = 0; i < count; i++) {
		char *p = map(PAGE);
		uint64_t from = micro_now();

		touch(p, PAGE);
		took += micro_now() - from;
		munmap(p, PAGE);
	}
	return took;
}

static double fault_4k(void)
{
	return micro_per_count(run_fault);
}

static char *protected_page;

static void op_mprotect(void)
{
	if (mprotect(protected_page, PAGE, PROT_READ) ||
		mprotect(protected_page, PAGE, PROT_READ | PROT_WRITE))
		micro_die("mprotect");
	touch(protected_page, PAGE);
}

static double mprotect_touch(void)
{
	char *p = map(16 * PAGE);
	double cost;

	touch(p, 16 * PAGE);
	protected_page = p + 8 * PAGE;
	cost = micro_per_op(op_mprotect);
	munmap(p, 16 * PAGE);
	return cost;
}

/* ---- malloc ---- */

static void op_malloc_64(void)
{
	void *p = malloc(64);

	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
}

static double malloc_64(void)
{
	return micro_per_op(op_malloc_64);
}

#define SLOTS 1024

static void *slot[SLOTS];
static size_t mix_limit;

/* Frees an old block and allocates a new one, 16 bytes to mix_limit, small ones more often. */
static void op_malloc_mix(void)
{
	static uint32_t seed = 1;
	size_t size = 16;
	unsigned i;

	seed = seed * 1664525 + 1013904223;
	i = seed >> 22;
	while (size < mix_limit && (seed & (size << 4)))
		size *= 2;
	free(slot[i]);
	slot[i] = malloc(size + (seed >> 16) % size);
	*(volatile char *)slot[i] = 1;
}

static double mix(size_t limit)
{
	double cost;

	mix_limit = limit;
	cost = micro_per_op(op_malloc_mix);
	for (int i = 0; i < SLOTS; i++) {
		free(slot[i]);
		slot[i] = NULL;
	}
	return cost;
}

static double malloc_mix(void)
{
	return mix(2048);
}

/* Above the size from which the library maps each block: mmap, fault and munmap in disguise. */
static void op_malloc_large(void)
{
	char *p = malloc(1 << 20);

	touch(p, 1 << 20);
	free(p);
}

static double malloc_large(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 << 10); /* else it grows, and nothing is mapped again */
	return micro_per_op(op_malloc_large);
}

const struct micro micro_memory[] = {
	{ "mmap_4k", mmap_4k },
	{ "mmap_2m", mmap_2m },
	{ "fault_4k", fault_4k },
	{ "faults_64", faults_64 },
	{ "mprotect", mprotect_touch },
	{ "malloc_64", malloc_64 },
	{ "malloc_mix", malloc_mix },
	{ "malloc_large", malloc_large },
	{ NULL, NULL },
};
