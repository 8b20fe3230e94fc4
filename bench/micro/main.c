/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * micro [--wall] [--other-cpu] [--rounds N] [NAME...]: runs the named benchmarks, or all, and prints
 * a line `NAME COST` for each, as soon as it is there. --rounds: each is done so many times and no
 * more, to be profiled; the cost is then rough.
 */
#include "micro.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

static bool wall, other_cpu;
static unsigned long rounds;

uint64_t micro_now(void)
{
	struct timespec t;

	if (!wall)
		return __rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

uint64_t micro_enough(void)
{
	return wall ? 300000000 : 30000000;
}

void micro_die(const char *what)
{
	fprintf(stderr, "micro: %s: %s\n", what, strerror(errno));
	exit(1);
}

void micro_pin(int thread)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(other_cpu ? thread : 0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		micro_die("sched_setaffinity");
	if (sched_getcpu() != (other_cpu ? thread : 0))
		micro_die("not on the CPU it is pinned to");
}

static void (*volatile the_op)(void);

__attribute__((noinline)) static void nothing(void)
{
	__asm__ volatile("");
}

/* The function is read from memory in each turn, so that the loop is the same for every one. */
__attribute__((noinline)) static uint64_t run_op(unsigned long count)
{
	uint64_t from = micro_now();

	for (unsigned long i = 0; i < count; i++)
		the_op();
	return micro_now() - from;
}

static unsigned long find_count(uint64_t (*run)(unsigned long))
{
	unsigned long count = 4;

	run(count); /* warms up */
	if (rounds)
		return rounds;
	for (;;) {
		uint64_t took = run(count);

		if (took >= micro_enough() / 4)
			return count * 4;
		count *= took < micro_enough() / 64 ? 8 : 2;
	}
}

double micro_per_count(uint64_t (*run)(unsigned long))
{
	unsigned long count = find_count(run);

	return (double)run(count) / count;
}

double micro_per_op(void (*op)(void))
{
	unsigned long count;
	uint64_t with, without;

	the_op = op;
	count = find_count(run_op);
	with = run_op(count);
	the_op = nothing;
	run_op(count / 8);
	without = run_op(count);
	return ((double)with - without) / count;
}

static int run_named(const struct micro *m, const char *name)
{
	int found = 0;

	for (; m->name; m++) {
		if (name && strcmp(name, m->name))
			continue;
		printf("%s %.1f\n", m->name, m->measure());
		fflush(stdout);
		found++;
	}
	return found;
}

static int run_all(const char *name)
{
	return run_named(micro_calls, name) + run_named(micro_memory, name) +
	       run_named(micro_handover, name) + run_named(micro_net, name);
}

int main(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--wall"))
			wall = true;
		else if (!strcmp(argv[i], "--other-cpu"))
			other_cpu = true;
		else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
			rounds = strtoul(argv[++i], NULL, 10);
	}
	micro_pin(0);
	if (i == argc)
		run_all(NULL);
	for (; i < argc; i++)
		if (!run_all(argv[i])) {
			fprintf(stderr, "micro: there is no benchmark %s\n", argv[i]);
			return 2;
		}
	return 0;
}
