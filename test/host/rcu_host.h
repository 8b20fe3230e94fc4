/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_HOST_RCU_HOST_H
#define TEST_HOST_RCU_HOST_H
/*
 * RCU on the host, for tests that link src/sched/rcu.c, mutex.c and wait.c: each test thread plays
 * a CPU. It calls sleeping(false) first, come_by() between its read sections, as the kernel does
 * with a scheduling decision, and sleeping(true) at its end.
 */
#include "sched_shim.h"
#include "sched/rcu.h"
#include "sched/timer.h"

#ifndef CPUS
#define CPUS 4
#endif
#define RECLAIM CPUS /* the reclaimer has a CPU of its own here, of which nobody asks anything */

/* Sleeps with a deadline do not sleep: the reclaimer is always in a hurry. */
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = deadline;
}
void sleep_timer_stop(struct sleep_timer *s)
{
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return s->deadline != UINT64_MAX;
}
void apic_send_ipi(uint32_t cpu, uint8_t vector)
{
}

/* A test with more of the kernel's threads has a kthread_create of its own. */
#ifndef RCU_HOST_KTHREAD
#define RCU_HOST_KTHREAD kthread_create
#endif
static struct shim_thread reclaim;
struct thread *RCU_HOST_KTHREAD(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	shim_start(&reclaim, entry, arg, RECLAIM);
	pthread_detach(reclaim.pthread);
	return &reclaim.thread;
}

static void come_by(void)
{
	struct runqueue *rq = this_cpu(runqueue);

	if (load_relaxed(&rq->quiescent_wanted))
		sched_quiescent(rq);
}

static void sleeping(bool asleep)
{
	struct runqueue *rq = this_cpu(runqueue);

	if (asleep) {
		atomic_xchg(&rq->mode, CPU_IDLE);
		come_by();
	} else {
		atomic_xchg(&rq->mode, CPU_BUSY);
	}
}

static void rcu_host_init(void)
{
	static bool done;

	if (!done) {
		shim_sleeping = sleeping;
		cpu_online_count = CPUS;
		for (int i = 0; i < MAX_CPUS; i++)
			cpu_of(runqueue, i)->mode = CPU_HALTED;
		rcu_init();
	}
	done = true;
	host_cpu_id = RECLAIM + 1; /* the test's own flow is none of the CPUs */
}
#endif
