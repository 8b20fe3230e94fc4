/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gc [OPTION...] [WAY...]: runs the same program with the collector of gc.h by each way, and says
 * what a store and a minor collection cost. Fails if two ways found different pointers.
 *
 *	--old MIB	the old generation (64)
 *	--mutators N	threads that store pointers, up to 6 (1)
 *	--stores N	between two collections, of all mutators (400000)
 *	--spread N	one store in N goes anywhere, the others to 1 MiB of it (256)
 *	--cycles N	collections (10)
 *	--wall		nanoseconds instead of time-stamp counts, which under QEMU's
 *			`-icount shift=0` are instructions
 *	--figures	lines of a name and a figure, for bench/run
 */
#include "gc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

static bool wall, figures;

uint64_t gc_clock(void)
{
	struct timespec t;

	if (!wall)
		return __rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void gc_die(const char *what)
{
	fprintf(stderr, "gc: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void say(const struct setting *s, const struct way *w, const struct cost *c)
{
	double stores = (double)s->stores / s->mutators * s->mutators * s->cycles;
	double cycle = (double)(c->storing / s->mutators + c->collecting) / s->cycles;

	if (figures) {
		printf("gc_%s_store %.2f\ngc_%s_collect %.0f\ngc_%s_cycle %.0f\n", w->name,
			c->storing / stores, w->name, (double)c->collecting / s->cycles, w->name,
			cycle);
		return;
	}
	printf("%-6s %10.2f %12.0f %12.0f %12.0f %10.0f %9.0f  %s\n", w->name, c->storing / stores,
		(double)c->asking / s->cycles, (double)c->collecting / s->cycles, cycle,
		(double)c->bytes / s->cycles / 1024, (double)c->pointers / s->cycles, w->what);
}

static bool chosen(const struct way *w, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strcmp(*names, w->name) == 0)
			return true;
	return false;
}

static unsigned long number(char **arg, unsigned long low, unsigned long high)
{
	unsigned long n = arg[1] ? strtoul(arg[1], NULL, 10) : 0;

	if (n < low || n > high) {
		fprintf(stderr, "gc: %s takes a number from %lu to %lu\n", arg[0], low, high);
		exit(2);
	}
	return n;
}

static char **options(char **arg, struct setting *s)
{
	for (; *arg && **arg == '-'; arg++) {
		if (strcmp(*arg, "--wall") == 0)
			wall = true;
		else if (strcmp(*arg, "--figures") == 0)
			figures = true;
		else if (strcmp(*arg, "--old") == 0)
			s->old_mib = number(arg++, 2, 65536);
		else if (strcmp(*arg, "--mutators") == 0)
			s->mutators = number(arg++, 1, GC_MUTATORS_MAX);
		else if (strcmp(*arg, "--stores") == 0)
			s->stores = number(arg++, 100, 100000000);
		else if (strcmp(*arg, "--spread") == 0)
			s->spread = number(arg++, 1, 1000000000);
		else if (strcmp(*arg, "--cycles") == 0)
			s->cycles = number(arg++, 1, 1000000);
		else {
			fprintf(stderr, "gc: no option %s; see bench/gc/main.c\n", *arg);
			exit(2);
		}
	}
	return arg;
}

int main(int count, char **argv)
{
	struct setting s = {
		.old_mib = 64, .mutators = 1, .cycles = 10, .stores = 400000, .spread = 256
	};
	char **names = count ? options(argv + 1, &s) : argv;
	struct cost first = { 0 };
	bool any = false;
	int status = 0;

	if (!figures)
		printf("%zu MiB old, %u mutators, %lu stores between collections, one in %lu "
		       "anywhere\n%-6s %10s %12s %12s %12s %10s %9s\n",
			s.old_mib, s.mutators, s.stores, s.spread, "", "a store", "asking",
			"a collection", "a cycle", "KiB seen", "pointers");
	for (const struct way *w = gc_ways; w->name; w++) {
		struct cost c;

		if (!chosen(w, names))
			continue;
		if (!gc_run(&s, w, &c)) {
			if (!figures)
				printf("%-6s is not on this kernel: %s\n", w->name, w->what);
			continue;
		}
		say(&s, w, &c);
		fflush(stdout);
		if (!any)
			first = c;
		any = true;
		if (c.hash == first.hash && c.pointers == first.pointers)
			continue;
		fprintf(stderr, "gc: %s found other pointers than the first way\n", w->name);
		status = 1;
	}
	return any ? status : 3;
}
