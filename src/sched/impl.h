/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of sched/ only. */
#pragma once

#include "sched/runqueue.h"
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

/* balance.c */
extern uint64_t sched_idle_mask[MAX_CPUS / 64]; /* atomic */
static inline bool sched_is_idle(uint32_t cpu)
{
	return load_relaxed(&sched_idle_mask[cpu / 64]) >> (cpu % 64) & 1;
}
/* A thread like that of a card: works off a batch of microseconds and sleeps. */
static inline bool sched_is_driver(const struct thread *t)
{
	return t->kernel_thread && t->class == THREAD_REALTIME;
}

uint32_t sched_find_idle(const struct thread *t); /* MAX_CPUS: none that it may run on */
/* Onto the list of a CPU, which hears of it if it would not look soon enough; t is gone then. */
void sched_give(struct thread *t, uint32_t cpu);
/*
 * Of this CPU: is there room for t, of another one, beside the driver's thread that runs? Is it so
 * full that t, of this one, had better leave it to the driver threads, which take part of it? Who
 * has left does not find room at once.
 */
bool balance_room(struct runqueue *rq, struct thread *t);
bool balance_crowded(struct runqueue *rq, struct thread *t);
/* At a decision, where prev wants to go on or not: an idle CPU asked. */
void balance_serve(struct runqueue *rq, const struct thread *prev, bool runnable);
/* Two or more want to run here, and it is time to look for an idle CPU. */
void balance_push(struct runqueue *rq, const struct thread *prev, bool runnable, uint64_t now);
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
/* It is later than it was: what is armed stays, an interrupt that comes in vain arms the rest. */
void sched_timer_later(uint32_t cpu, uint64_t expiry);
__noreturn void sched_thread_trampoline(void *arg);
void sched_account(void);    /* charges the running thread up to now */
void sched_reschedule(void); /* the scheduling decision, by the thread that runs */

/* idle.c */
__noreturn void sched_idle(void *unused); /* the idle thread */

/* barrier.c: from the handler of IRQ_VECTOR_WAKE */
void sched_barrier_answer(struct runqueue *rq);

/* rcu.c: at a scheduling decision, and when the CPU becomes idle, if quiescent_wanted is set */
void sched_quiescent(struct runqueue *rq);

/* thread.c */
void sched_reap(struct thread *t); /* dead and off its stack */
void sched_reaper_init(void);
uint32_t thread_id_kernel(void);
