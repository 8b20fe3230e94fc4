/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A memory barrier on every CPU, for membarrier(2): each other CPU is interrupted, its handler is
 * the barrier (an interrupt serialises), and the last one wakes the caller. Nobody loops.
 */

#include "cpu/apic.h"
#include "cpu/barrier.h"
#include "cpu/irq.h"
#include "sched/impl.h"
#include "sched/mutex.h"
#include "sched/wait.h"

static DEFINE_MUTEX(barrier_lock); /* one caller at a time */
static struct thread *caller;	   /* fixed while pending > 0 */
static uint32_t pending;	   /* atomic: CPUs that have not answered, + 1 */

void sched_barrier_answer(struct runqueue *rq)
{
	struct thread *t;

	if (!atomic_xchg(&rq->barrier_wanted, 0))
		return;
	/* It waits for us until pending says otherwise, and may be gone right after. */
	t = caller;
	thread_pin(t);
	if (atomic_sub(&pending, 1) == 2)
		thread_wake(t);
	thread_unpin(t);
}

void sched_barrier(void)
{
	mutex_lock(&barrier_lock);
	caller = thread_current();
	store_release(&pending, 1);
	for_each_cpu (cpu) {
		if (cpu == cpu_id())
			continue;
		atomic_add(&pending, 1);
		atomic_xchg(&cpu_of(runqueue, cpu)->barrier_wanted, 1);
		apic_send_ipi(cpu, IRQ_VECTOR_WAKE);
	}
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (load_acquire(&pending) == 1)
			break;
		schedule();
	}
	thread_cancel_sleep();
	mutex_unlock(&barrier_lock);
}
