/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which CPU gets what: idle CPUs, and threads that wait on one CPU while another is idle or has a
 * shorter queue. A CPU takes threads only out of its own queue. Three occasions:
 *
 *	wake	goes to an idle CPU that has not been given anything yet, but for one who is woken
 *		by a driver's thread and may share its CPU: schedule.c
 *	pull	a CPU that becomes idle asks the one with the longest queue (flag, interrupt)
 *	push	a CPU that queues somebody whom an idle CPU could run ends the running slice
 *		after PUSH_DELAY at the latest, and then gives every idle CPU one who still waits
 *
 * Nobody is moved who only waits for driver threads' few microseconds, after which he runs where
 * his packets arrive; unless it is crowded here, or he has got no time PUSH_AGAIN after the first
 * look either. (The host may have let this CPU stand still: then PUSH_DELAY is over at once.)
 *
 * When all are busy, a CPU with a queue compares the lengths, at most every BALANCE_INTERVAL, at
 * decisions that it makes anyway; one that runs a single thread has no timer and cannot look.
 */

#include "abi/sched.h"
#include "cpu/barrier.h"
#include "diag/trace.h"
#include "sched/impl.h"

#define BALANCE_INTERVAL (SCALE_TAU / 4)
#define PUSH_DELAY	 1000000ull /* ns */
#define PUSH_AGAIN	 500000ull  /* ns */
#define PUSH_SOON	 1000ull    /* ns */
#define PUSH_LOOK	 8	    /* this many of the queue are looked at */

/*
 * Parts of a CPU: how busy it is of late, by R, that of its idle thread being the idle part. R is
 * its own CPU's, or of a thread that sleeps its waker's.
 */
#define PARTS	     64
#define ROOM_TO_COME 8 /* who comes and the driver's thread leave so much idle */
#define ROOM_TO_STAY 4 /* with less the CPU is full */
#define DRIVERS_MUCH 4 /* so much would he gain on a CPU of his own */

uint64_t sched_idle_mask[MAX_CPUS / 64];

/* One that was given a thread already will not be idle for long. */
uint32_t sched_find_idle(const struct thread *t)
{
	for (unsigned w = 0; w < DIV_ROUND_UP(cpu_count(), 64); w++) {
		uint64_t idle = load_relaxed(&sched_idle_mask[w]) & t->affinity[w];

		for (; idle; idle &= idle - 1) {
			uint32_t cpu = w * 64 + __builtin_ctzll(idle);

			if (mpsc_empty(&cpu_of(runqueue, cpu)->incoming))
				return cpu;
		}
	}
	return MAX_CPUS;
}

static uint64_t parts_of(struct runqueue *rq, struct thread *t)
{
	return rq_key(rq, t) / (t->weight * (rq->scale_last / PARTS));
}

bool balance_room(struct runqueue *rq, struct thread *t)
{
	return parts_of(rq, t) + parts_of(rq, thread_current()) + ROOM_TO_COME <= PARTS;
}

bool balance_crowded(struct runqueue *rq, struct thread *t)
{
	uint64_t idle = parts_of(rq, rq->idle);

	return unlikely(idle < ROOM_TO_STAY) && idle + parts_of(rq, t) + DRIVERS_MUCH <= PARTS;
}

/* The other CPU has t on its list: will it look soon enough? */
static void alert(struct runqueue *rq, uint32_t cpu, bool realtime, uint64_t key)
{
	switch (__atomic_load_n(&rq->mode, __ATOMIC_SEQ_CST)) {
	case CPU_IDLE: return;
	case CPU_HALTED:
		if (!sched_kick_halted)
			break;
		sched_kick_halted(cpu);
		return;
	case CPU_SLICED:
		if (!realtime && key >= load_relaxed(&rq->running_key))
			return;
		break;
	}
	sched_send_ipi(cpu);
}

void sched_give(struct thread *t, uint32_t cpu)
{
	struct runqueue *rq = cpu_of(runqueue, cpu);
	bool realtime = rq_class(t) == THREAD_REALTIME;
	uint64_t key = t->run_key;

	trace_sched(TRACE_WAKE, t->id, cpu);
	store_relaxed(&t->cpu, cpu);
	mpsc_push(&rq->incoming, &t->incoming); /* t is not ours any more: it may run, and end */
	if (cpu != cpu_id())
		alert(rq, cpu, realtime, key);
	else if (thread_current())
		atomic_or(&thread_current()->flags, THREAD_NEED_RESCHED);
}

/* Hands the first queued thread that may go there to another CPU; false: there is none. */
static bool give_one(struct runqueue *rq, uint32_t to)
{
	struct thread *t = rq_steal(rq, to);

	if (t)
		sched_give(t, to);
	return t;
}

/*
 * How many there are for this CPU when the driver threads sleep again, which they do in a few
 * microseconds: two and more are counted as two. *queued is one of them who is queued, or NULL.
 */
static unsigned count_wanting(
	struct runqueue *rq, const struct thread *prev, bool runnable, struct thread **queued)
{
	unsigned n = runnable && !sched_is_driver(prev);
	struct thread *t;

	*queued = rq->first ? rb_entry(rq->first, struct thread, run_node) : NULL;
	if (rq->first)
		n += rb_next(rq->first) ? 2 : 1;
	list_for_each_entry (t, &rq->realtime, run_link) {
		if (n >= 2)
			break;
		if (!sched_is_driver(t)) {
			*queued = t;
			n++;
		}
	}
	return MIN(n, 2u);
}

/* Who is alone here but for driver threads stays, if they leave him enough. */
void balance_serve(struct runqueue *rq, const struct thread *prev, bool runnable)
{
	uint32_t to = atomic_xchg(&rq->pull_request, 0) - 1;
	struct thread *queued;

	if (to >= cpu_count() || to == cpu_id())
		return;
	if (count_wanting(rq, prev, runnable, &queued) >= 2 ||
		(queued && balance_crowded(rq, queued)))
		give_one(rq, to);
}

void balance_pull(struct runqueue *rq)
{
	uint32_t self = cpu_id(), best = self, most = 0;

	for_each_cpu (cpu) {
		uint32_t queued = load_relaxed(&cpu_of(runqueue, cpu)->queued);

		if (cpu != self && queued > most) {
			most = queued;
			best = cpu;
		}
	}
	if (best != self) {
		uint16_t nobody = 0;

		if (atomic_cas(
			    &cpu_of(runqueue, best)->pull_request, &nobody, (uint16_t)(self + 1)))
			sched_send_ipi(best);
	}
}

/* An idle CPU that may run one of the first in the queue; MAX_CPUS: none. */
static uint32_t find_taker(struct runqueue *rq)
{
	unsigned looked = 0;
	struct thread *t;
	uint32_t cpu;

	list_for_each_entry (t, &rq->realtime, run_link) {
		cpu = sched_find_idle(t);
		if (cpu < MAX_CPUS || ++looked == PUSH_LOOK)
			return cpu;
	}
	for (struct rb_node *n = rq->first; n && looked < PUSH_LOOK; n = rb_next(n), looked++) {
		cpu = sched_find_idle(rb_entry(n, struct thread, run_node));
		if (cpu < MAX_CPUS)
			return cpu;
	}
	return MAX_CPUS;
}

bool balance_wanted(struct runqueue *rq)
{
	uint64_t idle = 0;

	for (unsigned w = 0; w < DIV_ROUND_UP(cpu_count(), 64); w++)
		idle |= load_relaxed(&sched_idle_mask[w]);
	return unlikely(idle) && find_taker(rq) < MAX_CPUS;
}

uint64_t balance_delay(struct runqueue *rq, uint64_t now)
{
	if (rq->first && balance_crowded(rq, rb_entry(rq->first, struct thread, run_node)))
		rq->next_balance = now + PUSH_SOON;
	else if (rq->next_balance <= now || rq->next_balance > now + PUSH_DELAY)
		rq->next_balance = now + PUSH_DELAY;
	return rq->next_balance - now;
}

void balance_push(struct runqueue *rq, const struct thread *prev, bool runnable, uint64_t now)
{
	struct thread *queued;
	uint32_t least, to;
	bool given = false;

	/* slice_start: when he was last switched to. Did he get no time since the last look? */
	if (count_wanting(rq, prev, runnable, &queued) < 2 && queued &&
		!balance_crowded(rq, queued) && rq->push_seen != queued->slice_start) {
		rq->push_seen = queued->slice_start;
		rq->next_balance = now + PUSH_AGAIN;
		return;
	}
	rq->next_balance = now + BALANCE_INTERVAL;
	/* Who has been given one is no taker any more. */
	while ((to = find_taker(rq)) < MAX_CPUS && give_one(rq, to))
		given = true;
	if (given)
		return;
	least = rq->queued;
	for_each_cpu (cpu) {
		uint32_t queued = load_relaxed(&cpu_of(runqueue, cpu)->queued);

		if (queued < least) {
			least = queued;
			to = cpu;
		}
	}
	if (to < MAX_CPUS && rq->queued >= least + 2)
		give_one(rq, to);
}
