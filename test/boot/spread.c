/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spread: eight threads that compute and sometimes sleep, on all CPUs, with the scheduler's trace
 * on. From the trace: how much of the time did a CPU idle while a thread was queued on another?
 *
 * Every event of the trace is taken in the order of time. A decision tells whether its CPU idles
 * from now on and how many threads it has queued; a wake-up puts one more on the CPU that it names.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define CPUS	64

struct event {
	unsigned cpu;
	bool wake;
	double at;
	unsigned long a, b;
};

static struct event *events;
static size_t count;

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void *work(void *arg)
{
	unsigned seed = (unsigned)(long)arg;
	double end = now(CLOCK_MONOTONIC) + 2;

	while (now(CLOCK_MONOTONIC) < end) {
		double used = now(CLOCK_THREAD_CPUTIME_ID) + 0.005 + rand_r(&seed) % 40 / 1e3;
		struct timespec pause = { 0, rand_r(&seed) % 8 * 1000000 };

		while (now(CLOCK_THREAD_CPUTIME_ID) < used)
			;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void tell_trace(const char *text)
{
	FILE *f = fopen("/proc/skiff/trace", "w");

	if (!f || fputs(text, f) < 0 || fclose(f)) {
		printf("cannot write /proc/skiff/trace\n");
		exit(1);
	}
}

static void read_trace(void)
{
	FILE *f = fopen("/proc/skiff/trace", "r");
	char line[256], what[16];
	struct event e;
	size_t room = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %lf %15s %lx %lx", &e.cpu, &e.at, what, &e.a, &e.b) != 5 ||
			e.cpu >= CPUS)
			continue;
		e.wake = !strcmp(what, "wake");
		if (!e.wake && strcmp(what, "switch") != 0)
			continue;
		if (count == room) {
			room = room ? room * 2 : 4096;
			events = realloc(events, room * sizeof(e));
		}
		events[count++] = e;
	}
	if (f)
		fclose(f);
}

static int earlier(const void *a, const void *b)
{
	double x = ((const struct event *)a)->at, y = ((const struct event *)b)->at;

	return (x > y) - (x < y);
}

/* The part of the time in which a CPU idles and another has somebody queued; *longest: at a stretch
 */
static double idle_beside_queue(unsigned cpus, double *longest)
{
	bool idle[CPUS] = { false };
	unsigned long queued[CPUS] = { 0 };
	double bad = 0, since = 0;

	qsort(events, count, sizeof(*events), earlier);
	*longest = 0;
	for (size_t i = 0; i < count; i++) {
		const struct event *e = &events[i];
		bool any_idle = false, any_queued = false;

		if (!e->wake) {
			idle[e->cpu] = !(e->a & 0xffffffff);
			queued[e->cpu] = e->b;
		} else if (e->b < CPUS) {
			queued[e->b]++;
		}
		for (unsigned c = 0; c < cpus; c++) {
			any_idle |= idle[c] && !queued[c];
			any_queued |= !idle[c] && queued[c];
		}
		if (any_idle && any_queued) {
			since = since ? since : e->at;
			continue;
		}
		if (since) {
			bad += e->at - since;
			*longest = e->at - since > *longest ? e->at - since : *longest;
		}
		since = 0;
	}
	return count ? bad / (events[count - 1].at - events[0].at) : 1;
}

int main(int argc, char **argv)
{
	unsigned cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t id[THREADS];
	double part, longest;

	tell_trace("16384\n");
	for (long i = 0; i < THREADS; i++)
		pthread_create(&id[i], NULL, work, (void *)(i + 1));
	for (long i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	tell_trace("0\n");
	read_trace();
	part = idle_beside_queue(cpus, &longest);
	printf("%u CPUs, %s\n", cpus, count > 100 ? "traced" : "not traced");
	/* Virtual CPUs stand still while their host runs others: a part, not a time. */
	printf("a CPU idled while another queued: %s\n",
		part < 0.25 ? "less than a quarter of the time" : "too long");
	if (part >= 0.25 || argc > 1)
		printf("%.2f %% of the time, %.3f ms at most, %zu events\n", part * 100,
			longest * 1e3, count);
	return 0;
}
