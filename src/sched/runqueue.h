/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run queue of a CPU and the order in it; inside sched/ only. What nearly every decision needs
 * is inline here: a queue that holds nobody or one thread costs no tree. The rest is runqueue.c.
 */
#pragma once

#include "abi/sched.h"
#include "cpu/barrier.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lockfree/mpsc.h"
#include "sched/thread.h"

/*
 * Order of the normal threads: the decaying average R, kept in units that grow with time instead of
 * decaying every sleeper: scale(now) doubles every SCALE_HALF_LIFE. All CPUs read the same clock
 * and so share the scale; a key moves between CPUs as it is. Every SCALE_EPOCH_HALVES half-lives
 * an epoch ends and keys shift right by as many bits.
 */
#define SCALE_TAU	   200000000ull /* ns */
#define SCALE_HALF_LIFE	   138629436ull /* tau * ln 2 */
#define SCALE_EPOCH_HALVES 16
#define SCALE_EPOCH	   (SCALE_HALF_LIFE * SCALE_EPOCH_HALVES)
#define SCALE_ONE	   (1ull << 24)
#define WEIGHT_ONE	   4096
#define KEY_BITS	   62 /* a key is at most weight * scale < 2^21 * 2^40 */
#define LEAD_DIV	   40 /* tau / 5 ms: by how much one must be ahead to be preempted */
#define SWITCH_SHIFT	   14 /* being switched to costs tau / 2^14 = 12 us of run time */
#define SLICE_MIN	   500000ull
#define SLICE_RR	   100000000ull

struct runqueue {
	/* of its own CPU, in thread context */
	struct rb_tree normal;
	struct rb_node *first; /* smallest key */
	struct list_node realtime;
	uint64_t epoch, epoch_start;
	uint64_t scale_last; /* at the start of the running slice */
	uint64_t now;	     /* time of the last decision */
	struct thread *idle, *prev;
	uint64_t running_root; /* page_root of the thread that runs; 0: a kernel thread */
	bool yielding;
	bool prev_moves; /* finish_switch gives prev to another CPU */
	uint64_t next_balance;
	uint64_t push_seen; /* slice_start of whom a first look let wait */
	uint64_t poll_ns;   /* how long idle looks before it halts */
	uint64_t switches, ipis, idle_ns;

	/* atomic, read by others */
	uint32_t queued;
	uint32_t barrier_wanted;
	union {
		struct {
			uint32_t quiescent_wanted; /* rcu.c asks for a scheduling decision */
			uint16_t resort;	   /* somebody's policy or affinity was changed */
			uint16_t pull_request;	   /* CPU + 1 that asks for work */
		};
		uint64_t wanted; /* all of these: a decision looks at one word */
	};
	uint64_t running_key; /* of the running thread; 0 for real-time ones */
	struct mpsc_list incoming __aligned(CACHE_LINE);
	uint32_t mode; /* enum cpu_mode, written by its own CPU */

	/* own CPU, also from interrupt handlers: interrupts off, but see limit_slice */
	uint64_t slice_end, armed;
	uint64_t timer_interrupts;
	/* atomic: written under the timer queue's mutex by anyone */
	uint64_t next_timer;
	struct thread *timer_thread;
};
DECLARE_PERCPU(struct runqueue, runqueue);

void rq_init(struct runqueue *rq);
/* Policy or nice has changed. */
void rq_set_weight(struct thread *t);
/* The class that t's policy asks for; t->class changes only while it is not queued. */
uint8_t rq_class(const struct thread *t);

static inline bool thread_may_run_on(const struct thread *t, uint32_t cpu)
{
	return t->affinity[cpu / 64] >> (cpu % 64) & 1;
}

/* --- R --- */

extern const uint32_t rq_power_of_two[33]; /* 2^24 * 2^(i/32) */
void rq_enter_epoch(struct runqueue *rq, uint64_t now);
void rq_rebase(struct runqueue *rq, struct thread *t);

/*
 * Brings rq into the epoch of 'now'; returns the scale. It is piecewise linear between 32 points
 * per doubling: the slope is off by < 1.1%.
 */
static inline uint64_t rq_scale(struct runqueue *rq, uint64_t now)
{
	uint64_t x;
	unsigned i;

	if (unlikely(now - rq->epoch_start >= SCALE_EPOCH))
		rq_enter_epoch(rq, now);
	/* doublings, 24 fraction bits: 2^51 / SCALE_HALF_LIFE; the product stays below 2^56 */
	x = (now - rq->epoch_start) * 16243302ull >> 27;
	i = x >> 19 & 31;
	return (rq_power_of_two[i] +
		       ((uint64_t)(rq_power_of_two[i + 1] - rq_power_of_two[i]) * (x & 0x7ffff) >>
			       19))
	       << (x >> 24);
}

/* The thread's key in the epoch of the queue. */
static inline uint64_t rq_key(struct runqueue *rq, struct thread *t)
{
	if (unlikely(t->run_epoch != rq->epoch))
		rq_rebase(rq, t);
	return t->run_key;
}

/* t has run for ns since rq->scale_last. */
static inline void rq_charge(struct runqueue *rq, struct thread *t, uint64_t scale, uint64_t ns)
{
	if (likely(scale > rq->scale_last))
		t->run_key = rq_key(rq, t) + t->weight * (scale - rq->scale_last);
	if (unlikely(t->policy == SCHED_RR))
		t->rr_used += ns;
}

/* t is being switched to. */
static inline void rq_charge_switch(struct runqueue *rq, struct thread *t, uint64_t scale)
{
	t->run_key = rq_key(rq, t) + (t->weight * scale >> SWITCH_SHIFT);
}

/* --- The queue --- */

void rq_insert_among(struct runqueue *rq, struct thread *t);
void rq_remove_from_among(struct runqueue *rq, struct thread *t);

/* A thread that was woken, is new or was moved here. */
static inline void rq_insert(struct runqueue *rq, struct thread *t)
{
	if (unlikely(t->policy != SCHED_OTHER) || unlikely(rq->first)) {
		rq_insert_among(rq, t);
		return;
	}
	store_relaxed(&rq->queued, rq->queued + 1);
	t->class = THREAD_NORMAL;
	rq_key(rq, t);
	rb_insert_alone(&rq->normal, &t->run_node);
	rq->first = &t->run_node;
}

/* While a thread is queued its class stays, even if its policy is changed. */
static inline void rq_remove(struct runqueue *rq, struct thread *t)
{
	if (unlikely(t->class == THREAD_REALTIME) ||
		unlikely(!rb_is_alone(&rq->normal, &t->run_node))) {
		rq_remove_from_among(rq, t);
		return;
	}
	store_relaxed(&rq->queued, rq->queued - 1);
	rq->normal.root = NULL;
	rq->first = NULL;
}

static inline struct thread *rq_first(struct runqueue *rq)
{
	if (unlikely(!list_empty(&rq->realtime)))
		return list_first_entry(&rq->realtime, struct thread, run_link);
	return rq->first ? rb_entry(rq->first, struct thread, run_node) : NULL;
}

/* Queues a runnable thread that does not stay; 'next' runs and is out of the queue already. */
void rq_put_back(struct runqueue *rq, struct thread *prev, const struct thread *next);
/* A queued thread that may run on 'cpu', taken out; NULL: none. */
struct thread *rq_steal(struct runqueue *rq, uint32_t cpu);
/* A queued thread that belongs elsewhere, by its policy, or by its affinity and not on its stack.
 */
struct thread *rq_misplaced(struct runqueue *rq, uint32_t cpu);

/* --- Who runs --- */

_Static_assert(LEAD_DIV < 64, "rq_preempts takes a short cut");
bool rq_ahead(const struct thread *next, const struct thread *running, uint64_t scale);

/*
 * Is 'next', which is queued, due before 'running'? Of two normal threads the running one must be
 * ahead by the lead.
 */
static inline bool rq_preempts(
	const struct thread *next, const struct thread *running, uint64_t scale)
{
	if (likely(next->class == THREAD_NORMAL) && likely(running->class == THREAD_NORMAL)) {
		if (running->run_key <= next->run_key)
			return false;
		/* The lead of equals is 1/40 of this: less than 1/64 is not enough, without a
		 * division. */
		if (likely(running->weight == next->weight) &&
			running->run_key - next->run_key <= running->weight * scale >> 6)
			return false;
	}
	return rq_ahead(next, running, scale);
}

/*
 * A normal thread keeps the CPU for SLICE_MIN against its like: most who wake somebody sleep soon,
 * and the switch is due then. That is run time between two preemptions, over sleeps and yields. If
 * each of these began it anew, one that does not run that long at a stretch would never be
 * preempted by those it wakes: they could only run while it sleeps, with the mutex locked perhaps
 * that they were woken for.
 */
static inline bool rq_protects(const struct thread *running, const struct thread *next)
{
	return running->class == next->class && running->class == THREAD_NORMAL &&
	       running->policy != SCHED_IDLE;
}

/* What is left of it, in ns, when t was last charged. */
static inline uint64_t rq_least_left(const struct thread *t)
{
	return t->least_end > t->cpu_time ? t->least_end - t->cpu_time : 0;
}

/* At a decision, when prev may be yielding or at the end of a round-robin slice. */
bool rq_stays(
	const struct runqueue *rq, struct thread *prev, const struct thread *next, uint64_t scale);
/* Nanoseconds until rq_first may take over from 'running'; UINT64_MAX: never. */
uint64_t rq_slice(struct runqueue *rq, const struct thread *running, uint64_t scale);
