/* SPDX-License-Identifier: BSD-2-Clause */
/* How often do the CPUs' timers interrupt while nothing runs, and while one thread runs alone? */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CPUS 64

static int interrupts; /* /proc/interrupts, open all the time: what a close leaves to be freed later
			* is work, and not what is counted here */

/* The row LOC. */
static int read_timers(unsigned long *count)
{
	static char text[16384];
	ssize_t len = pread(interrupts, text, sizeof(text) - 1, 0);
	char *p, *end;
	int n = 0;

	text[len > 0 ? len : 0] = 0;
	p = strstr(text, "LOC:");
	for (p = p ? p + 4 : p; p && n < CPUS; p = end) {
		count[n] = strtoul(p, &end, 10);
		if (end == p)
			break;
		n++;
	}
	return n;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void sleep_alone(void)
{
	struct timespec second = { 1, 0 };

	nanosleep(&second, NULL);
}

static void run_alone(void)
{
	for (double end = now() + 1; now() < end;)
		;
}

static void measure(const char *what, void (*fn)(void))
{
	unsigned long before[CPUS], after[CPUS];
	int n = read_timers(before), bad = 0;

	fn();
	if (!n || read_timers(after) != n)
		printf("no row LOC\n");
	for (int i = 0; i < n; i++)
		if (after[i] - before[i] > 2) {
			printf("CPU %d: %lu\n", i, after[i] - before[i]);
			bad = 1;
		}
	printf("%s: %s than 2 timer interrupts per CPU in a second\n", what,
		bad ? "more" : "no more");
}

/*
 * Where nobody tells the rate of the TSC, the kernel measures it 10 ms, 110 ms and 1.1 s after its
 * start (and a last time after 11 s), each time by a timer: those are not a tick.
 */
static void wait_for_calibration(void)
{
	struct timespec up;

	do {
		usleep(100000);
		clock_gettime(CLOCK_BOOTTIME, &up);
	} while (up.tv_sec < 2);
}

int main(void)
{
	interrupts = open("/proc/interrupts", O_RDONLY);
	wait_for_calibration();
	measure("asleep", sleep_alone);
	measure("alone", run_alone);
	measure("asleep", sleep_alone);
	return 0;
}
