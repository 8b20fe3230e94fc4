/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Says how many cycles the machine has run when the program begins. Under QEMU's
 * `-icount shift=0,sleep=off` the time-stamp counter counts guest instructions from power-on.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

/* "hello rate": the counter's rate in kHz, for a Linux guest that cannot find it out. */
static void print_rate(void)
{
	struct timespec pause = { 0, 50000000 }, a, b;
	unsigned long long from, to;

	clock_gettime(CLOCK_MONOTONIC, &a);
	from = __rdtsc();
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	to = __rdtsc();
	printf("%.0f\n", (to - from) / ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec) * 1e6);
}

int main(int argc, char **argv)
{
	unsigned long long now = __rdtsc();

	(void)argv;
	if (argc > 1) {
		print_rate();
		return 0;
	}
	printf("hello at %llu\n", now);
	return 0;
}
