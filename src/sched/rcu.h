/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read-copy-update: readers of a shared structure take no lock and write nothing shared; who
 * removes an element has its memory freed only when nobody can still look at it.
 *
 *	reader	rcu_read_lock();  p = rcu_load(&head->first);  use *p;  rcu_read_unlock();
 *	writer	(its own mutex held)  rcu_store(&head->first, p->next);  rcu_call(&p->rcu, free_it);
 *
 *	              read section  rcu_store           rcu_call           rcu_synchronize
 *	read section  safe          safe                safe               safe
 *	rcu_store     safe          the writer's mutex  safe               safe
 *	rcu_call      safe          safe                safe, once a node  safe
 *	synchronize   safe          safe                safe               safe, in turn
 *
 * rcu_load belongs into a read section, or under the writer's mutex.
 *
 * Contract
 *  - Threads only: no interrupt handler and no idle thread reads, or calls any of this.
 *  - A read section does not sleep: no mutex that may be contended, no wait, no memory of the
 *    program (its fault may sleep), no cond_resched. Allocation (mem/) is fine. Sections nest. A
 *    thread that goes to sleep inside one stops the machine (schedule() asserts read_depth == 0),
 *    so a mistake is found by the first test that contends, not by a reader of freed memory.
 *  - What a section found is good until its end; to keep it longer take a reference, and only if
 *    its count is not zero already (the element may have been removed meanwhile).
 *  - rcu_call owns the node until fn runs, in the thread "reclaim", some 10 ms later (sooner when
 *    many wait). fn may sleep, but takes no lock that is ever held around rcu_call or
 *    rcu_synchronize. What costs others something to keep (pages, files) is given up when the
 *    element is removed; fn is for the memory that readers look at.
 *  - rcu_call may sleep, not for long, when its CPU has RCU_LIMIT nodes waiting: so no more than
 *    RCU_LIMIT + the callers that are waiting per CPU are ever outstanding.
 * The argument why this is right is at the top of rcu.c.
 */
#pragma once

#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "lib/types.h"
#include "lockfree/mpsc.h"

#define RCU_LIMIT 4096u /* nodes that wait on one CPU before its callers do */
#define RCU_HURRY 1024u /* ... before CPUs that run a program are interrupted for it at once */

struct rcu_node {
	struct mpsc_node link;
	void (*fn)(struct rcu_node *);
};

/* One instruction on a word of this CPU. The section holds its CPU, as the kernel does not preempt.
 */
static inline void rcu_read_lock(void)
{
#ifndef SKIFF_HOST
	__asm__ volatile("incl %%gs:%c0" ::"i"(offsetof(struct cpu_local, read_depth))
			 : "memory", "cc");
#endif
}
static inline void rcu_read_unlock(void)
{
#ifndef SKIFF_HOST
	__asm__ volatile("decl %%gs:%c0" ::"i"(offsetof(struct cpu_local, read_depth))
			 : "memory", "cc");
#endif
}

/* Pairs with rcu_store: what was written before the element was published is seen. */
#define rcu_load(p)	load_acquire(p)
#define rcu_store(p, v) store_release(p, v)

/* fn(n) once every read section that runs now has ended. The element is unreachable already. */
void rcu_call(struct rcu_node *n, void (*fn)(struct rcu_node *));
/* Returns when every read section that ran at the call has ended. Sleeps; interrupts busy CPUs. */
void rcu_synchronize(void);
void rcu_init(void);

struct rcu_stats {
	uint64_t called, freed; /* nodes since boot */
	uint64_t grace_periods;
	uint64_t interrupts; /* CPUs that had to be asked */
	uint64_t throttled;  /* rcu_call had to wait */
};
void rcu_stats(struct rcu_stats *out);
