/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of sched/ only. */
#pragma once

#include "lib/list.h"
#include "lib/rbtree.h"
#include "lockfree/mpsc.h"
#include "sched/thread.h"

/*
 * States of a thread and who moves it (the drawing is in doc/scheduler.md):
 *
 *	NEW --thread_start--> RUNNING --thread_exit--> DEAD
 *	RUNNING --prepare_sleep--> PREPARED --schedule (CAS)--> ASLEEP --wake (CAS)--> RUNNING
 *	PREPARED --wake (CAS) or cancel_sleep--> RUNNING
 *
 * RUNNING covers running, queued and on an incoming list. Invariants:
 *  S1 Only the thread itself leaves RUNNING.
 *  S2 Who wins the CAS from ASLEEP owns the thread until it has put it on a queue or an incoming
 *     list. It is then on exactly one of these, or runs.
 *  S3 on_cpu is 1 from before the switch to the thread until its registers are saved. A waker gives
 *     a thread to a CPU other than thread->cpu only when it sees 0; the thread's own CPU may get
 *     it at any time, because it takes it from its list only after it has switched away.
 */
enum thread_state {
	STATE_NEW,
	STATE_RUNNING,
	STATE_PREPARED,	    /* uninterruptible */
	STATE_PREPARED_INT, /* interruptible */
	STATE_ASLEEP,
	STATE_ASLEEP_INT,
	STATE_DEAD,
};
#define WAKERS_DEAD (1u << 31)

/* What a CPU does, for those who hand it threads. Everything but the two quiet ones gets an IPI. */
enum cpu_mode {
	CPU_BUSY,   /* between decisions, or runs with no end of slice set */
	CPU_SLICED, /* the timer ends the running thread's slice: it will look then */
	CPU_IDLE,   /* idle loop, awake: it will look before it halts */
	CPU_HALTED,
};

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
#define KEY_BITS	   62	    /* a key is at most weight * scale < 2^21 * 2^40 */
#define LEAD_DIV	   40	    /* tau / 5 ms: by how much one must be ahead to be preempted */
#define SWITCH_PENALTY	   10000ull /* ns of run time that being switched to costs */
#define SLICE_MIN	   500000ull
#define SLICE_RR	   100000000ull

struct runqueue {
	/* of its own CPU, in thread context */
	struct rb_tree normal;
	struct rb_node *first; /* smallest key */
	struct list_node realtime;
	uint64_t epoch, epoch_start;
	uint64_t scale_last; /* at the start of the running slice */
	struct thread *idle, *prev;
	uint64_t running_root; /* page_root of the thread that runs; 0: a kernel thread */
	bool yielding;
	bool prev_moves; /* finish_switch gives prev to another CPU */
	uint64_t next_balance;
	uint64_t poll_ns; /* how long idle looks before it halts */
	uint64_t switches, ipis, idle_ns;

	/* atomic, read by others */
	uint32_t queued;
	uint32_t barrier_wanted;
	uint32_t pull_request; /* CPU + 1 that asks for work */
	union {
		struct {
			uint32_t quiescent_wanted; /* rcu.c asks for a scheduling decision */
			uint32_t resort;	   /* somebody's policy or affinity was changed */
		};
		uint64_t wanted; /* both: a decision looks at one word */
	};
	uint64_t running_key; /* of the running thread; 0 for real-time ones */
	struct mpsc_list incoming __aligned(CACHE_LINE);
	uint32_t mode;

	/* own CPU, also from interrupt handlers: interrupts off */
	uint64_t slice_end, armed;
	uint64_t timer_interrupts;
	/* atomic: written under the timer queue's mutex by anyone */
	uint64_t next_timer;
	struct thread *timer_thread;
};
DECLARE_PERCPU(struct runqueue, runqueue);

/* runqueue.c: pure, builds on the host */
void rq_init(struct runqueue *rq);
/* Brings rq into the epoch of 'now'; returns the scale. */
uint64_t rq_scale(struct runqueue *rq, uint64_t now);
/* The thread's key in the epoch of the queue. */
uint64_t rq_key(struct runqueue *rq, struct thread *t);
/* Policy or nice has changed. */
void rq_set_weight(struct thread *t);
/* t has run for ns since rq->scale_last. */
void rq_charge(struct runqueue *rq, struct thread *t, uint64_t scale, uint64_t ns);
/* t is being switched to. */
void rq_charge_switch(struct runqueue *rq, struct thread *t, uint64_t scale);
/* A thread that was woken, is new or was moved here. */
void rq_insert(struct runqueue *rq, struct thread *t);
void rq_remove(struct runqueue *rq, struct thread *t);
struct thread *rq_first(struct runqueue *rq);
/* Should 'next', which is queued, run instead of 'running'? */
bool rq_preempts(const struct thread *next, const struct thread *running, uint64_t scale);
/* The same at a decision, where prev may be yielding or at the end of a round-robin slice. */
bool rq_stays(
	const struct runqueue *rq, struct thread *prev, const struct thread *next, uint64_t scale);
/* Queues a runnable thread that does not stay; 'next' runs and is out of the queue already. */
void rq_put_back(struct runqueue *rq, struct thread *prev, const struct thread *next);
/* Nanoseconds until rq_first may preempt 'running'; UINT64_MAX: never. */
uint64_t rq_slice(struct runqueue *rq, const struct thread *running, uint64_t scale);
/* A queued thread that may run on 'cpu', taken out; NULL: none. */
struct thread *rq_steal(struct runqueue *rq, uint32_t cpu);

static inline bool thread_may_run_on(const struct thread *t, uint32_t cpu)
{
	return t->affinity[cpu / 64] >> (cpu % 64) & 1;
}

/* The class that t's policy asks for; t->class changes only while it is not queued. */
uint8_t rq_class(const struct thread *t);
/* A queued thread that belongs elsewhere, by its policy, or by its affinity and not on its stack.
 */
struct thread *rq_misplaced(struct runqueue *rq, uint32_t cpu);

/* balance.c */
extern uint64_t sched_idle_mask[MAX_CPUS / 64]; /* atomic */
bool sched_is_idle(uint32_t cpu);
uint32_t sched_find_idle(const struct thread *t); /* MAX_CPUS: none that it may run on */
bool sched_needs_ipi(struct runqueue *rq, struct thread *t);
/* At a decision: an idle CPU asked; it is time to look for one. */
void balance_serve(struct runqueue *rq);
void balance_push(struct runqueue *rq, uint64_t now, bool runnable);
/* Could an idle CPU run somebody queued here? Then in how many ns should this one look again? */
bool balance_wanted(struct runqueue *rq);
uint64_t balance_delay(struct runqueue *rq, uint64_t now);
/* This CPU has become idle. */
void balance_pull(struct runqueue *rq);

/* schedule.c */
void sched_send_ipi(uint32_t cpu);
void sched_submit(struct thread *t);  /* a RUNNING thread that is on no list: gives it to a CPU */
void sched_changed(struct thread *t); /* its policy, priority or affinity */
void sched_timer_set(uint32_t cpu, uint64_t expiry); /* timer queue's head changed */
__noreturn void sched_thread_trampoline(void *arg);

/* barrier.c: from the handler of IRQ_VECTOR_WAKE */
void sched_barrier_answer(struct runqueue *rq);

/* rcu.c: at a scheduling decision, and when the CPU becomes idle, if quiescent_wanted is set */
void sched_quiescent(struct runqueue *rq);

/* thread.c */
void sched_reap(struct thread *t); /* dead and off its stack */
void sched_reaper_init(void);
uint32_t thread_id_kernel(void);
