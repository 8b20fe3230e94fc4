/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads and the scheduler's interface. One run queue per CPU that only its CPU touches; other
 * CPUs reach it through a lock-free incoming list. Kernel code is never preempted, only the
 * program is: a thread in the kernel runs until it sleeps or calls cond_resched().
 *
 * Sleeping, in its raw form (use sched/wait.h and sched/mutex.h instead wherever they fit):
 *	thread_prepare_sleep(SLEEP_...);      announces that wake-ups count from now on
 *	if (condition) thread_cancel_sleep(); the condition is read after the announcement
 *	else schedule();                      returns after a thread_wake, or at once if one came
 * A wake-up may be spurious: always re-check in a loop.
 */
#pragma once

#include "lib/types.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lockfree/mpsc.h"
#include "cpu/context.h"
#include "cpu/percpu.h"

struct mutex;

/* thread->flags: the first word of struct thread, tested by entry code on the way to the program.
 */
enum thread_flags {
	THREAD_NEED_RESCHED = 1, /* give up the CPU before returning to the program */
	THREAD_SIGNAL = 2,	 /* process/ has something to deliver; ends interruptible sleeps */
	THREAD_TRACE = 4,	 /* log system calls */
	THREAD_NOTIFY = 8,	 /* process/ wants a call before the program continues */
	THREAD_EXIT_WORK = THREAD_NEED_RESCHED | THREAD_SIGNAL | THREAD_NOTIFY,
};

enum sleep_kind {
	SLEEP_UNINTERRUPTIBLE,
	SLEEP_INTERRUPTIBLE, /* thread_interrupt() wakes too; check thread_signalled() */
};

enum thread_class {
	THREAD_NORMAL,
	THREAD_REALTIME
}; /* realtime: driver and timer threads, FIFO/RR */

/* CPU time in ns and what of it was whose (sched/cputime.h). */
struct cputime {
	uint64_t user, system;
};

struct thread {
	uint32_t flags; /* atomic, enum thread_flags; must be first */
	uint32_t id;	/* unique, never 0 in a program; the Linux tid. Fixed. */
	char name[16];
	struct cpu_context context;
	uintptr_t kstack_top;

	/* Scheduler's: touched by the CPU that has the thread, except the atomic ones. */
	uint32_t state;	   /* atomic, enum thread_state in sched/impl.h */
	uint32_t on_cpu;   /* atomic: a CPU runs on its stack (still, or already) */
	uint32_t wakers;   /* atomic: thread_pin count; top bit: dead */
	uint32_t told_cpu; /* 1 + the CPU its program believes it is on (rseq); 0: not told */
	uint32_t cpu;	   /* atomic: last CPU, or the one it is queued on */
	struct mpsc_node incoming; /* lock-free incoming list; the reaper's after death */
	struct rb_node run_node;
	struct list_node run_link;
	uint64_t run_key; /* decayed average R in the CPU's epoch; order of the run queue */
	uint64_t run_epoch;
	uint64_t rr_used;  /* ns of its round-robin slice */
	uint32_t weight;   /* what run time costs: of nice and policy, rq_set_weight */
	uint64_t cpu_time; /* ns run in total, without the current slice */
	uint64_t slice_start;
	uint64_t least_end; /* the cpu_time at which its least slice ends: rq_least_left */
	uint64_t voluntary_switches, involuntary_switches;
	uint64_t system_time;  /* atomic, written by the thread: ns in the kernel, cputime.h */
	uint64_t sample_began; /* the thread's: 0, or it is in a call that is measured */
	int8_t nice;
	uint8_t class; /* enum thread_class */
	uint8_t rt_priority;
	uint8_t policy;	    /* SCHED_* number as the program set it */
	bool reset_on_fork; /* its children start as SCHED_OTHER and with a nice of at least 0 */
	uint64_t affinity[MAX_CPUS / 64];

	/* Fixed after creation. */
	void (*entry)(void *);
	void *arg;
	bool kernel_thread;
	bool keep_id; /* set by the owner: the id outlives the thread, thread_id_free gives it back
		       */

	/* Of the running address space; vm/ sets it through thread_set_root. */
	uint64_t page_root; /* CR3 value, 0: any will do (kernel threads) */

	/* Called on the scheduler's side when the thread is gone for good and its stack is free. */
	void (*release)(struct thread *);
};

void sched_init(void);	   /* boot CPU; turns the boot flow into thread 'boot' */
void sched_init_cpu(void); /* each other CPU, on its boot stack, before others know of it */
__noreturn void sched_start_cpu(void); /* then: becomes idle */

static inline struct thread *thread_current(void)
{
#ifndef SKIFF_HOST
	struct thread *t;

	__asm__ volatile("mov %%gs:%c1, %0" : "=r"(t) : "i"(offsetof(struct cpu_local, current)));
	return t;
#else
	extern _Thread_local struct thread *host_current;
	return host_current;
#endif
}

/*
 * Initialises the caller's storage (zeroed before), allocates the kernel stack. -ENOMEM. The
 * thread does not run until thread_start. fpu_area as in struct cpu_context (may be NULL).
 */
int thread_init(struct thread *t, const char *name, void (*entry)(void *), void *arg);
void thread_start(struct thread *t);
/* A kernel thread that is its own storage. NULL: no memory. Runs until it returns. */
struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class);
/* Ends the running thread; ->release is called later from another context. */
__noreturn void thread_exit(void);

void thread_prepare_sleep(enum sleep_kind kind);
void thread_cancel_sleep(void);
void schedule(void); /* interrupts on, irq_depth 0 */
/* Lock-free, callable from interrupt handlers. True if it was asleep (or about to be). The thread
 * must not be able to go away meanwhile: the caller guarantees its life (RCU, a lock, ownership).
 */
bool thread_wake(struct thread *t);
/*
 * A waker that lets the sleeper know by a word in memory ("you have the lock") before it calls
 * thread_wake pins the thread first: from the moment of that word on the sleeper may run on, and
 * exit. A pinned thread's memory stays.
 */
static inline void thread_pin(struct thread *t)
{
	__atomic_fetch_add(&t->wakers, 1, __ATOMIC_ACQ_REL);
}
void thread_unpin(struct thread *t);
/* Sets THREAD_SIGNAL and ends an interruptible sleep; kicks the CPU if it runs the program. */
void thread_interrupt(struct thread *t);
static inline bool thread_signalled(void)
{
	return __atomic_load_n(&thread_current()->flags, __ATOMIC_ACQUIRE) & THREAD_SIGNAL;
}
void thread_yield(void);
/* Lets others run if the scheduler wants it; call in long loops of kernel work. May sleep. */
static inline void cond_resched(void)
{
	if (__atomic_load_n(&thread_current()->flags, __ATOMIC_RELAXED) & THREAD_NEED_RESCHED)
		schedule();
}

/* What ps shows, of a moment ago: R (runs or could), S (a signal would end its sleep), D, X (gone).
 */
char thread_state_letter(const struct thread *t);
/* CPU time used, ns, the current slice included. Any thread. */
uint64_t thread_cpu_time(const struct thread *t);
/* Sleeps for ns. 0, or -ERESTARTSYS with *left set to what remains (left may be NULL). */
int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left);
/*
 * Policy, priority and affinity changes take effect at once: the CPU that runs or queues the thread
 * is interrupted. A changed nice value counts for the time that it runs from then on. -EINVAL.
 */
int thread_set_affinity(struct thread *t, const uint64_t *mask, unsigned words);
int thread_set_policy(struct thread *t, unsigned policy, unsigned rt_priority);
void thread_set_nice(struct thread *t, int nice);
/* A thread that is not started yet gets policy, nice and affinity of the one that makes it. */
void thread_inherit(struct thread *t, const struct thread *parent);

#define THREAD_ID_COUNT 65536u /* program threads have ids below this */
void thread_id_free(uint32_t id);

/* Returns when every CPU has executed a full memory barrier since the call. May sleep. */
void sched_barrier(void);

/* Switches the running thread to another page-table root now. */
void thread_set_root(uint64_t cr3);

struct sched_stats {
	uint64_t switches, ipis, timer_interrupts, idle_ns;
	uint32_t runnable;
};
void sched_stats(uint32_t cpu, struct sched_stats *out);
/*
 * The caller is a driver's thread and nobody queues behind it on its CPU. If that is no more so
 * after it has woken somebody, that one runs here as soon as the caller sleeps.
 */
bool sched_free_soon(void);
/* How many threads are runnable or running, for /proc/loadavg. */
unsigned sched_runnable_count(void);

/* Set by drivers/ before there is a second CPU: ends that CPU's halt, or its next one if it is not
 * halted, without an interrupt. NULL: interrupts do. */
extern void (*sched_kick_halted)(uint32_t cpu);
/* Set by vm/: is asked on every switch between threads with different page_root, may be NULL. */
extern void (*sched_root_switched)(uint64_t from, uint64_t to);
