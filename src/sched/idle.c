/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU does that has nothing to run. Its modes, and how wakers see them: schedule.c. */

#include "sched/impl.h"
#include "cpu/io.h"
#include "cpu/irqflags.h"
#include "sched/clock.h"

static void set_idle(uint32_t cpu, bool idle)
{
	if (idle)
		atomic_or(&sched_idle_mask[cpu / 64], 1ull << (cpu % 64));
	else
		atomic_and(&sched_idle_mask[cpu / 64], ~(1ull << (cpu % 64)));
}

/*
 * Before it halts an idle CPU looks for a while whether work comes, as being woken by an interrupt
 * costs both sides much more. How long follows what would have helped lately, as in KVM's halt
 * polling: longer when work came soon after the halt, not at all when it came late. With one CPU
 * only interrupts bring work, and they end a halt at once.
 */
#define POLL_MIN 5000ull
#define POLL_MAX 50000ull

static bool poll_for_work(struct runqueue *rq, uint64_t since)
{
	uint64_t until = since + rq->poll_ns;

	while (mpsc_empty(&rq->incoming)) { /* [waits: idle-poll] */
		if (clock_now() >= until)
			return false;
		cpu_pause();
	}
	return true;
}

static void adapt_poll(struct runqueue *rq, uint64_t waited)
{
	if (waited <= rq->poll_ns)
		return;
	if (waited <= 2 * POLL_MAX)
		rq->poll_ns = MIN(POLL_MAX, MAX(POLL_MIN, rq->poll_ns * 2));
	else
		rq->poll_ns /= 2;
}

static void halt(struct runqueue *rq)
{
	irq_disable();
	atomic_xchg(&rq->mode, CPU_HALTED);
	if (mpsc_empty(&rq->incoming))
		irq_enable_and_halt();
	else
		irq_enable();
	atomic_xchg(&rq->mode, CPU_IDLE);
}

/* The idle thread never sleeps: it may take no mutex. */
__noreturn void sched_idle(void *unused)
{
	struct runqueue *rq = this_cpu(runqueue);
	struct thread *self = thread_current();
	uint32_t cpu = cpu_id();
	uint64_t since = 0;

	for (;;) {
		if (!sched_is_idle(cpu)) {
			set_idle(cpu, true);
			atomic_xchg(&rq->mode, CPU_IDLE);
			if (unlikely(load_relaxed(&rq->quiescent_wanted)))
				sched_quiescent(rq);
			since = cpu_count() > 1 ? clock_now() : 0;
			if (mpsc_empty(&rq->incoming) && !rq->queued)
				balance_pull(rq);
		}
		if (mpsc_empty(&rq->incoming) && !rq->queued &&
			!(since && rq->poll_ns && poll_for_work(rq, since)))
			halt(rq);
		if (load_relaxed(&self->flags) & THREAD_NEED_RESCHED)
			atomic_and(&self->flags, ~THREAD_NEED_RESCHED);
		if (mpsc_empty(&rq->incoming) && !rq->queued)
			continue;
		if (since)
			adapt_poll(rq, clock_now() - since);
		set_idle(cpu, false);
		sched_reschedule();
	}
}
