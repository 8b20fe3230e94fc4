/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of CPU time: they make up the sum, never go back, and follow the estimate. */
/* sources: src/sched/cputime.c */
#include "t.h"
#include "sched/cputime.h"

_Thread_local struct thread *host_current;
static uint64_t used;

uint64_t thread_cpu_time(const struct thread *t)
{
	return used;
}

uint64_t clock_now(void)
{
	return used;
}

TEST(parts_make_up_the_sum)
{
	struct cputime shown = { 0 }, before = { 0 };
	unsigned long seed = 3;
	uint64_t total = 0, system = 0;

	for (int i = 0; i < 100000; i++) {
		struct cputime now;

		total += t_random(&seed) % 1000;
		/* Samples count for others and so run ahead of what was used, too. */
		if (t_random(&seed) % 8 == 0)
			system += t_random(&seed) % 9000;
		now = cputime_split(total, system, &shown);
		CHECK_EQ(now.user + now.system, total);
		CHECK(now.user >= before.user && now.system >= before.system);
		CHECK(now.system <= MAX(system, before.system));
		before = now;
	}
}

TEST(a_sum_read_late_takes_nothing_back)
{
	struct cputime shown = { 0 };

	(void)cputime_split(1000, 300, &shown);
	CHECK_EQ(cputime_split(900, 250, &shown).user, 700);
	CHECK_EQ(shown.system, 300);
}

TEST(a_sample_counts_for_all_but_what_is_measured)
{
	struct thread t = { 0 };
	uint64_t began;

	host_current = &t;
	used = 5000;
	cputime_sample_begin();
	used += 10;
	began = cputime_long_begin();
	used += 700;
	cputime_long_end(began);
	used += 5;
	cputime_sample_end();
	CHECK_EQ(t.system_time, 700 + 15 * CPUTIME_SAMPLE);
	cputime_sample_end(); /* of a call that began with the frame taken apart */
	CHECK_EQ(t.system_time, 700 + 15 * CPUTIME_SAMPLE);
}

/* A sample stands for the calls that are not measured, what a hypervisor took in it for itself. */
TEST(a_stop_within_a_sample_counts_once)
{
	static struct thread t;

	host_current = &t;
	used = 1000;
	cputime_sample_begin();
	used += 700;
	cputime_sample_end();
	CHECK_EQ(t.system_time, 700 * CPUTIME_SAMPLE);
	t.system_time = 0;
	cputime_sample_begin();
	used += 5 * NSEC_PER_MSEC;
	cputime_sample_end();
	CHECK_EQ(t.system_time, 5 * NSEC_PER_MSEC + CPUTIME_STOPPED * (CPUTIME_SAMPLE - 1));
	host_current = NULL;
}
