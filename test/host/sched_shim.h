/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_HOST_SCHED_SHIM_H
#define TEST_HOST_SCHED_SHIM_H
/*
 * The kernel's threads on the host: each test thread is a pthread, sleeping and waking are real
 * futexes, time is the host's. Included once by the test file; linked with the sources under test.
 */
#include "bug_host.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cpu/barrier.h"
#include "sched/clock.h"
#include "sched/impl.h"
#include "sched/thread.h"

_Thread_local struct thread *host_current;
_Thread_local uint32_t host_cpu_id;
uint32_t cpu_online_count = 1;
DEFINE_PERCPU(struct runqueue, runqueue);

uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static long shim_futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void thread_prepare_sleep(enum sleep_kind kind)
{
	atomic_xchg(&host_current->state,
		kind == SLEEP_INTERRUPTIBLE ? STATE_PREPARED_INT : STATE_PREPARED);
}

void thread_cancel_sleep(void)
{
	__atomic_store_n(&host_current->state, STATE_RUNNING, __ATOMIC_SEQ_CST);
}

/* A test that plays CPUs hears of the sleeps of its threads; true before, false after. */
static void (*shim_sleeping)(bool);

void schedule(void)
{
	struct thread *t = host_current;
	uint32_t state = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST), asleep;

	if (state == STATE_RUNNING)
		return;
	asleep = state + (STATE_ASLEEP - STATE_PREPARED);
	if (!atomic_cas(&t->state, &state, asleep))
		return;
	if (shim_sleeping)
		shim_sleeping(true);
	while (__atomic_load_n(&t->state, __ATOMIC_SEQ_CST) == asleep)
		shim_futex(&t->state, FUTEX_WAIT, asleep, NULL);
	if (shim_sleeping)
		shim_sleeping(false);
}

static bool shim_wake(struct thread *t, bool uninterruptible)
{
	uint32_t state;

	/* The caller's change to the condition comes before our look at the state. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	state = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST);
	for (;;) {
		bool prepared =
			state == STATE_PREPARED_INT || (uninterruptible && state == STATE_PREPARED);
		bool asleep =
			state == STATE_ASLEEP_INT || (uninterruptible && state == STATE_ASLEEP);

		if (!prepared && !asleep)
			return false;
		if (!atomic_cas(&t->state, &state, STATE_RUNNING))
			continue;
		if (asleep)
			shim_futex(&t->state, FUTEX_WAKE, 1, NULL);
		return true;
	}
}

static _Thread_local bool shim_woke; /* this thread, since sched_free_soon was asked last */
bool thread_wake(struct thread *t)
{
	bool woke = shim_wake(t, true);

	shim_woke |= woke;
	return woke;
}

/* Who is woken runs at once: it is as if it queued behind the waker. */
bool sched_free_soon(void)
{
	bool free = !shim_woke;

	shim_woke = false;
	return free;
}

void thread_interrupt(struct thread *t)
{
	atomic_or(&t->flags, THREAD_SIGNAL);
	shim_wake(t, false);
}

/* A pinned thread's memory stays: whoever ends waits for its pins (see shim_join). */
void thread_unpin(struct thread *t)
{
	atomic_sub(&t->wakers, 1);
}

/* --- Threads of a test --- */

struct shim_thread {
	struct thread thread;
	pthread_t pthread;
	void (*fn)(void *);
	void *arg;
	uint32_t cpu;
};

static void *shim_main(void *p)
{
	struct shim_thread *s = p;

	host_current = &s->thread;
	host_cpu_id = s->cpu;
	s->fn(s->arg);
	return NULL;
}

static void shim_start(struct shim_thread *s, void (*fn)(void *), void *arg, uint32_t cpu)
{
	memset(s, 0, sizeof(*s));
	s->thread.state = STATE_RUNNING;
	s->thread.id = cpu + 1;
	s->fn = fn;
	s->arg = arg;
	s->cpu = cpu;
	if (pthread_create(&s->pthread, NULL, shim_main, s))
		abort();
}

static void shim_join(struct shim_thread *s)
{
	pthread_join(s->pthread, NULL);
	while (load_acquire(&s->thread.wakers))
		usleep(100);
}

/* The test's own flow is a thread too. */
static struct shim_thread shim_self;
__attribute__((constructor)) static void shim_init(void)
{
	shim_self.thread.state = STATE_RUNNING;
	shim_self.thread.id = 1000;
	host_current = &shim_self.thread;
}
#endif
