/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read-copy-update by quiescent states. The kernel is not preempted, so a read section runs on one
 * CPU without a break, and a CPU that is at a scheduling decision (reschedule), or idle, is in
 * none. A grace period asks every CPU to come by once; it costs a reader nothing.
 *
 *	grace period              a CPU
 *	wanted = 1 (exchange)     at reschedule: wanted? claim
 *	mode is idle? claim       leaves idle: mode = BUSY (exchange), then it reads
 *	  for it                  becomes idle: mode = IDLE (exchange), then: wanted? claim
 * To claim is to exchange wanted with 0; who got the 1 counts 'pending' down, the last one wakes.
 *
 *  R1 A section that began before the grace period on a CPU has ended when that CPU claims: it
 *     claims between sections. Its reads come before the claim (release), the claim before the
 *     waiter goes on (acquire through pending), hence before the memory is freed.
 *  R2 A section that begins after its CPU's claim does not see what was removed before the grace
 *     period: the claim read the 1 that was written after the removal.
 *  R3 If the grace period claims for an idle CPU: it has removed, exchanged wanted, and then seen
 *     mode idle; the CPU exchanges mode and then reads. All four are sequentially consistent, so
 *     the mode that was seen says that the CPU's later reads come after the removal. The idle
 *     thread itself never reads, nor do interrupt handlers.
 *  R4 Each CPU is counted once: of the two that may claim, one gets the 1.
 *  R5 The waiter's own CPU is in no section: the waiter runs there and is not in one.
 *  R6 None is forgotten: reschedule looks at wanted a last time with interrupts off, so an
 *     interrupt of ours that came before is answered there, and one that comes later finds the next
 *     thread and sends it to reschedule; a CPU that becomes idle looks after it said so.
 *
 * How long. A CPU in the kernel comes by when its thread sleeps or goes back to the program with
 * THREAD_NEED_RESCHED set. One that runs a program without ever entering the kernel would not, so
 * after LAZY, or at once when somebody waits or many nodes do, it gets the wake interrupt, whose
 * handler sets that flag. A halted CPU is never woken for this. A virtual CPU that the hypervisor
 * has stopped in the kernel delays frees, and only frees, until it runs again; meanwhile memory is
 * bounded by RCU_LIMIT nodes per CPU, then callers of rcu_call sleep. Nobody spins.
 */

#include "sched/rcu.h"
#include "cpu/apic.h"
#include "cpu/irq.h"
#include "lib/bug.h"
#include "sched/clock.h"
#include "sched/impl.h"
#include "sched/mutex.h"
#include "sched/wait.h"

#define LAZY (10 * 1000000ull) /* ns: nodes gather, and CPUs may come by on their own */

struct rcu_cpu {
	struct mpsc_list list;
	uint64_t called; /* by this CPU's threads */
	uint64_t throttled;
	uint64_t freed __aligned(CACHE_LINE); /* atomic: by the reclaimer */
};
static DEFINE_PERCPU(struct rcu_cpu, rcu_cpu);

static struct thread *reclaimer;
static struct wait_queue work;	  /* the reclaimer: nodes came */
static struct wait_queue hurried; /* the reclaimer: many nodes wait */
static struct wait_queue drained; /* rcu_call above the limit */
static bool hurry;		  /* atomic */

/* One grace period at a time. */
static DEFINE_MUTEX(period_lock);
static uint64_t begun, ended;	 /* atomic: numbers of grace periods; written under the lock */
static struct thread *waiter;	 /* fixed while pending > 0 */
static uint32_t pending;	 /* atomic: CPUs that were not in a quiescent state yet, + 1 */
static uint64_t interrupts_sent; /* under the lock */

/* For a CPU that is seen to be in no section, by the waiter itself. */
static void claim(struct runqueue *rq)
{
	if (atomic_xchg(&rq->quiescent_wanted, 0))
		__atomic_fetch_sub(&pending, 1, __ATOMIC_SEQ_CST);
}

/* The CPU claims for itself. Until it has counted down, the waiter waits; then it may be gone. */
void sched_quiescent(struct runqueue *rq)
{
	struct thread *t;

	if (!atomic_xchg(&rq->quiescent_wanted, 0))
		return;
	t = waiter;
	thread_pin(t);
	if (__atomic_fetch_sub(&pending, 1, __ATOMIC_SEQ_CST) == 1)
		thread_wake(t);
	thread_unpin(t);
}

static bool is_quiet(struct runqueue *rq)
{
	uint32_t mode = __atomic_load_n(&rq->mode, __ATOMIC_SEQ_CST);

	return mode == CPU_IDLE || mode == CPU_HALTED;
}

static bool all_passed(void)
{
	return !__atomic_load_n(&pending, __ATOMIC_SEQ_CST);
}

/* Does not sleep: this CPU stays the same. */
static void ask_all(void)
{
	store_release(&pending, 1);
	for_each_cpu (cpu) {
		struct runqueue *rq = cpu_of(runqueue, cpu);

		if (cpu == cpu_id()) /* R5 */
			continue;
		atomic_add(&pending, 1);
		atomic_xchg(&rq->quiescent_wanted, 1);
		if (is_quiet(rq)) /* R3 */
			claim(rq);
	}
	__atomic_fetch_sub(&pending, 1, __ATOMIC_SEQ_CST);
}

static void interrupt_late_ones(void)
{
	for_each_cpu (cpu) {
		struct runqueue *rq = cpu_of(runqueue, cpu);

		if (!load_relaxed(&rq->quiescent_wanted))
			continue;
		if (cpu == cpu_id() || is_quiet(rq)) { /* we may have moved there */
			claim(rq);
			continue;
		}
		interrupts_sent++;
		apic_send_ipi(cpu, IRQ_VECTOR_WAKE);
	}
}

static void wait_all(uint64_t deadline)
{
	struct sleep_timer timer;

	sleep_timer_start(&timer, deadline);
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (all_passed() || sleep_timer_expired(&timer))
			break;
		schedule();
	}
	thread_cancel_sleep();
	sleep_timer_stop(&timer);
}

static void grace_period(bool lazy)
{
	uint64_t seen;

	/* Removed, then looked at begun; pairs with the exchange of begun below. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	seen = load_relaxed(&begun);
	mutex_lock(&period_lock);
	if (ended > seen) { /* one began after our call and is over */
		mutex_unlock(&period_lock);
		return;
	}
	atomic_xchg(&begun, begun + 1);
	waiter = thread_current();
	ask_all();
	if (lazy && !all_passed())
		wait_all(clock_now() + LAZY);
	if (!all_passed()) {
		interrupt_late_ones();
		wait_all(WAIT_FOREVER);
	}
	store_relaxed(&ended, begun);
	mutex_unlock(&period_lock);
}

void rcu_synchronize(void)
{
	grace_period(false);
}

/* --- Deferred frees --- */

static uint64_t backlog(const struct rcu_cpu *c)
{
	return load_relaxed(&c->called) - load_acquire(&c->freed);
}

static void make_haste(struct rcu_cpu *c, uint64_t waiting)
{
	if (!load_relaxed(&hurry)) {
		store_release(&hurry, true);
		wait_wake_all(&hurried, 0);
	}
	/* The reclaimer's callbacks may defer more: it must not wait for itself. */
	if (waiting >= RCU_LIMIT && thread_current() != reclaimer)
		wait_event(&drained, backlog(c) < RCU_LIMIT);
}

void rcu_call(struct rcu_node *n, void (*fn)(struct rcu_node *))
{
	struct rcu_cpu *c = this_cpu(rcu_cpu);
	uint64_t waiting;
	bool first;

	/* The CPU's words first: waking may sleep, and then it is another's. */
	n->fn = fn;
	store_relaxed(&c->called, c->called + 1); /* before anybody can count it as freed */
	waiting = backlog(c);
	if (unlikely(waiting >= RCU_LIMIT))
		store_relaxed(&c->throttled, c->throttled + 1);
	first = mpsc_push(&c->list, &n->link); /* n is not ours any more */
	if (first)
		wait_wake_all(&work, 0);
	if (unlikely(waiting >= RCU_HURRY))
		make_haste(c, waiting);
}

static bool any_called(void)
{
	for_each_cpu (cpu)
		if (!mpsc_empty(&cpu_of(rcu_cpu, cpu)->list))
			return true;
	return false;
}

static uint64_t run_all(struct mpsc_node *n)
{
	uint64_t count = 0;

	for (struct mpsc_node *next; n; n = next) {
		struct rcu_node *node = container_of(n, struct rcu_node, link);

		next = load_relaxed(&n->next);
		node->fn(node);
		count++;
	}
	return count;
}

static void reclaim_once(void)
{
	static struct mpsc_node *batch[MAX_CPUS]; /* the reclaimer's own */
	bool lazy = !atomic_xchg(&hurry, false);

	for_each_cpu (cpu)
		batch[cpu] = mpsc_take_all(&cpu_of(rcu_cpu, cpu)->list);
	grace_period(lazy);
	for_each_cpu (cpu) {
		struct rcu_cpu *c = cpu_of(rcu_cpu, cpu);
		uint64_t count = run_all(batch[cpu]);

		batch[cpu] = NULL;
		store_release(&c->freed, c->freed + count);
		cond_resched();
	}
	wait_wake_all(&drained, 0);
}

static void reclaimer_main(void *arg)
{
	for (;;) {
		wait_event(&work, any_called());
		wait_event_timeout(&hurried, load_acquire(&hurry), clock_now() + LAZY);
		reclaim_once();
	}
}

void rcu_init(void)
{
	wait_init(&work);
	wait_init(&hurried);
	wait_init(&drained);
	reclaimer = kthread_create("reclaim", reclaimer_main, NULL, THREAD_NORMAL);
	BUG_ON(!reclaimer); /* the machine has no memory at all */
}

void rcu_stats(struct rcu_stats *out)
{
	*out = (struct rcu_stats){ .grace_periods = load_relaxed(&ended),
		.interrupts = load_relaxed(&interrupts_sent) };
	for_each_cpu (cpu) {
		const struct rcu_cpu *c = cpu_of(rcu_cpu, cpu);

		out->called += load_relaxed(&c->called);
		out->freed += load_relaxed(&c->freed);
		out->throttled += load_relaxed(&c->throttled);
	}
}
