/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/cputime.h"

static void charge(struct thread *t, uint64_t ns)
{
	store_relaxed(&t->system_time, t->system_time + ns);
}

void cputime_sample_begin(void)
{
	struct thread *t = thread_current();

	t->sample_began = thread_cpu_time(t) + 1;
}

void cputime_sample_end(void)
{
	struct thread *t = thread_current();

	if (t->sample_began) { /* else the call took its frame apart and began anew */
		uint64_t took = thread_cpu_time(t) + 1 - t->sample_began;

		charge(t, took + MIN(took, CPUTIME_STOPPED) * (CPUTIME_SAMPLE - 1));
	}
	t->sample_began = 0;
}

uint64_t cputime_long_begin(void)
{
	return thread_cpu_time(thread_current());
}

void cputime_long_end(uint64_t begin)
{
	struct thread *t = thread_current();
	uint64_t took = thread_cpu_time(t) - begin;

	charge(t, took);
	if (t->sample_began) /* measured already: not to be counted for other calls */
		t->sample_began += took;
}

struct cputime cputime_split(uint64_t total, uint64_t system, struct cputime *shown)
{
	total = MAX(total, shown->user + shown->system); /* as another thread has read it */
	system = MIN(MAX(system, shown->system), total - shown->user);
	shown->system = system;
	shown->user = total - system;
	return *shown;
}
