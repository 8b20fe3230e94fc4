/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of a thread's CPU time was the kernel's. The sum is exact (thread_cpu_time); its parts
 * are not: a clock read at every call would cost more than many calls do. So
 *
 *	what takes long is measured: page faults, transfers and mappings of CPUTIME_LONG and more;
 *	of all other calls each CPU measures one in CPUTIME_SAMPLE and counts it that many times,
 *	but what it took beyond CPUTIME_STOPPED once: that was not the call as a rule, but a
 *	hypervisor that ran something else. Long calls of a kind that is not measured count short.
 *
 * Linux's parts are estimates as well, from where its tick finds the thread. All but cputime_split
 * is for the running thread, which alone writes these words of its own; any thread may read them.
 */
#pragma once

#include "cpu/barrier.h"
#include "sched/clock.h"
#include "sched/thread.h"

#define CPUTIME_SAMPLE	61 /* syscall.S counts down from one less */
#define CPUTIME_STOPPED (100 * NSEC_PER_USEC)
#define CPUTIME_LONG	(64u << 10) /* bytes: to clear or copy them takes longer than two clocks */

/* Around the call that is measured for those that are not. */
void cputime_sample_begin(void);
void cputime_sample_end(void);

/* Around what is long; may sleep in between. Not twice inside each other. */
uint64_t cputime_long_begin(void);
void cputime_long_end(uint64_t begin);
/* The call's value; it is measured if it works on many bytes. */
#ifndef SKIFF_HOST
#define cputime_measured(bytes, call)                                                              \
	({                                                                                         \
		bool _long = unlikely((bytes) >= CPUTIME_LONG);                                    \
		uint64_t _begin = _long ? cputime_long_begin() : 0;                                \
		__typeof__(call) _value = (call);                                                  \
		if (_long)                                                                         \
			cputime_long_end(_begin);                                                  \
		_value;                                                                            \
	})
#else /* units of it have no CPU time */
#define cputime_measured(bytes, call) (call)
#endif

/* Around a page fault of the program. One that sleeps is not counted: it was waiting. */
struct cputime_fault {
	uint64_t began, switches;
};
static inline struct cputime_fault cputime_fault_begin(void)
{
	return (struct cputime_fault){ clock_now(), thread_current()->voluntary_switches };
}
static inline void cputime_fault_end(struct cputime_fault f)
{
	struct thread *t = thread_current();

	if (likely(f.switches == t->voluntary_switches))
		store_relaxed(&t->system_time, t->system_time + clock_now() - f.began);
}

/*
 * ns of user and system that make up total, when system_time says 'system'. Neither part ever goes
 * back: *shown is what was told last, guarded by the caller.
 */
struct cputime cputime_split(uint64_t total, uint64_t system, struct cputime *shown);
