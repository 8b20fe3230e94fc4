/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spread: eight threads on all CPUs, with the scheduler's trace on: for how long does a CPU idle at
 * a stretch while a thread waits for one? First they compute and sometimes sleep; then, ten times,
 * all wait on one CPU and are set free, so that only this CPU's own look at the others moves them.
 *
 * A bound can only be told where no virtual CPU stands still because the host runs something else.
 * So the virtual machine is to count instructions (-icount): its CPUs share one virtual time, in
 * which they take turns, whatever the host does. The emulator gives the next one its turn at a
 * timer or at a pause instruction; the threads see to it that a turn is short.
 *
 * Every event of the trace is taken in the order of time. A decision tells whether its CPU idles
 * from now on and how many threads it has queued; a wake-up puts one more on the CPU that it names.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS	 8
#define CPUS	 64
#define RELEASES 10
#define BOUND	 0.002 /* s */
#define MIX_TIME 1.0   /* s */

struct event {
	unsigned cpu;
	bool wake;
	double at;
	unsigned long a, b;
};

/* A time in which every worker may run everywhere. */
struct window {
	double from, to;
};

static struct event *events;
static size_t count;
static double mix_end;
static bool stop; /* atomic */

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void sleep_for(double s)
{
	nanosleep(&(struct timespec){ 0, (long)(s * 1e9) }, NULL);
}

/* A few microseconds of work. */
static void turn(void)
{
	for (volatile int i = 0; i < 1000; i++)
		;
	__builtin_ia32_pause();
}

static void *mix(void *arg)
{
	unsigned seed = (unsigned)(long)arg;

	while (now(CLOCK_MONOTONIC) < mix_end) {
		double used = now(CLOCK_THREAD_CPUTIME_ID) + 0.005 + rand_r(&seed) % 40 / 1e3;

		while (now(CLOCK_THREAD_CPUTIME_ID) < used)
			turn();
		sleep_for(rand_r(&seed) % 8 * 0.001);
	}
	return NULL;
}

static void *compute(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		turn();
	return NULL;
}

static struct window run_mix(void)
{
	pthread_t id[THREADS];
	struct window w = { now(CLOCK_MONOTONIC), 0 };

	mix_end = w.from + MIX_TIME;
	for (long i = 0; i < THREADS; i++)
		pthread_create(&id[i], NULL, mix, (void *)(i + 1));
	for (long i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	w.to = now(CLOCK_MONOTONIC);
	return w;
}

static struct window release(unsigned cpus, unsigned on)
{
	pthread_t id[THREADS];
	pthread_attr_t one;
	cpu_set_t set;
	struct window w;

	CPU_ZERO(&set);
	CPU_SET(on, &set);
	pthread_attr_init(&one);
	pthread_attr_setaffinity_np(&one, sizeof(set), &set);
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&id[i], &one, compute, NULL);
	sleep_for(0.005);
	for (unsigned i = 0; i < cpus; i++)
		CPU_SET(i, &set);
	w.from = now(CLOCK_MONOTONIC);
	for (long i = 0; i < THREADS; i++)
		pthread_setaffinity_np(id[i], sizeof(set), &set);
	sleep_for(0.03);
	w.to = now(CLOCK_MONOTONIC);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (long i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	return w;
}

static void tell_trace(const char *text)
{
	FILE *f = fopen("/proc/skiff/trace", "w");

	if (!f || fputs(text, f) < 0 || fclose(f)) {
		printf("cannot write /proc/skiff/trace\n");
		exit(1);
	}
}

static int earlier(const void *a, const void *b)
{
	double x = ((const struct event *)a)->at, y = ((const struct event *)b)->at;

	return (x > y) - (x < y);
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
	qsort(events, count, sizeof(*events), earlier);
}

/* The longest stretch of the window in which a CPU idles and a thread waits, in seconds. */
static double idle_beside_queue(unsigned cpus, const struct window *w)
{
	bool idle[CPUS] = { false };
	unsigned long queued[CPUS] = { 0 };
	double since = 0, longest = 0;

	for (size_t i = 0; i < count && events[i].at < w->to; i++) {
		const struct event *e = &events[i];
		bool any_idle = false, any_queued = false;

		if (since && e->at - since > longest)
			longest = e->at - since;
		if (!e->wake) {
			idle[e->cpu] = !(e->a & 0xffffffff);
			queued[e->cpu] = e->b;
		} else if (e->b < CPUS) {
			queued[e->b]++;
		}
		for (unsigned c = 0; c < cpus; c++) {
			any_idle |= idle[c];
			any_queued |= queued[c];
		}
		if (!any_idle || !any_queued)
			since = 0;
		else if (!since)
			since = e->at > w->from ? e->at : w->from;
	}
	if (since && w->to - since > longest)
		longest = w->to - since;
	return longest;
}

int main(int argc, char **argv)
{
	unsigned cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct window windows[RELEASES + 1];
	double longest = 0;

	tell_trace("16384\n");
	windows[0] = run_mix();
	for (unsigned i = 0; i < RELEASES; i++)
		windows[i + 1] = release(cpus, i % cpus);
	tell_trace("0\n");
	read_trace();
	for (unsigned i = 0; i <= RELEASES; i++) {
		double one = idle_beside_queue(cpus, &windows[i]);

		longest = one > longest ? one : longest;
		if (one >= BOUND || argc > 1)
			printf("%s %u: %.3f ms\n", i ? "release" : "mix", i, one * 1e3);
	}
	printf("%u CPUs, %s\n", cpus, count > 100 ? "traced" : "not traced");
	printf("a CPU idled while a thread waited: %s\n",
		longest < BOUND ? "less than 2 ms" : "too long");
	return 0;
}
