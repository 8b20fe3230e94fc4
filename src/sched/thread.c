/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a thread: made, started, changed, ended, released. */

#include "sched/thread.h"
#include "abi/errno.h"
#include "abi/sched.h"
#include "cpu/barrier.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/pagetable.h"
#include "sched/clock.h"
#include "sched/impl.h"
#include "sched/mutex.h"
#include "sched/timer.h"
#include "sched/wait.h"

/*
 * Program threads count from 1 and reuse an id only after all others had their turn; kernel
 * threads have ids that no program sees.
 */
#define ID_KERNEL_FIRST 0x20000000u
static uint64_t id_used[THREAD_ID_COUNT / 64] = { 1 }; /* atomic */
static uint32_t id_next = 1;			       /* atomic, a hint */
static uint32_t id_next_kernel = ID_KERNEL_FIRST;      /* atomic */

static uint32_t id_alloc(void)
{
	uint32_t start = load_relaxed(&id_next);

	for (uint32_t i = 0; i < THREAD_ID_COUNT; i++) {
		uint32_t id = (start + i) % THREAD_ID_COUNT;
		uint64_t bit = 1ull << (id % 64);

		if (load_relaxed(&id_used[id / 64]) & bit)
			continue;
		if (atomic_or(&id_used[id / 64], bit) & bit)
			continue;
		store_relaxed(&id_next, id + 1);
		return id;
	}
	return 0;
}

uint32_t thread_id_kernel(void)
{
	return atomic_add(&id_next_kernel, 1);
}

void thread_id_free(uint32_t id)
{
	if (id && id < THREAD_ID_COUNT)
		atomic_and(&id_used[id / 64], ~(1ull << (id % 64)));
}

/*
 * --- The end ---
 *
 * What a dead thread leaves is taken apart by somebody who can sleep: by the next one who makes a
 * thread on that CPU, who wants just such a stack and memory, or else, when too many wait there, by
 * the reaper. So a program that makes and ends threads switches to nobody else for it.
 */
#define DEAD_MAX 8

struct dead {
	struct mpsc_list list; /* pushed to by this CPU, taken by any */
	int32_t count;	       /* atomic; changes after the list, so it may lag behind it */
};
static DEFINE_PERCPU(struct dead, dead_threads);
static struct thread *reaper;
static bool reaper_wanted; /* atomic; set after the push that makes it so */

static void bury(struct thread *t)
{
	struct dead *d = this_cpu(dead_threads);

	mpsc_push(&d->list, &t->incoming);
	if (atomic_add(&d->count, 1) + 1 < DEAD_MAX || !reaper)
		return;
	(void)atomic_xchg(&reaper_wanted, true);
	thread_wake(reaper);
}

/* Called off its stack, interrupts off. Whoever comes last, this or the last pin, buries it. */
void sched_reap(struct thread *t)
{
	if (atomic_or(&t->wakers, WAKERS_DEAD) == 0)
		bury(t);
}

void thread_unpin(struct thread *t)
{
	if (atomic_sub(&t->wakers, 1) == (WAKERS_DEAD | 1))
		bury(t);
}

static void release(struct thread *t)
{
	if (t->context.kstack_top)
		kstack_free(t->kstack_top);
	if (!t->keep_id && !t->kernel_thread)
		thread_id_free(t->id);
	if (t->release)
		t->release(t);
}

/* May sleep. */
static void release_dead(struct dead *d)
{
	struct mpsc_node *n, *next;

	for (n = mpsc_take_all(&d->list); n; n = next) {
		next = load_relaxed(&n->next);
		(void)atomic_sub(&d->count, 1);
		release(container_of(n, struct thread, incoming));
	}
}

static void release_all_dead(void)
{
	for_each_cpu (cpu)
		release_dead(cpu_of(dead_threads, cpu));
}

static void reaper_main(void *arg)
{
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (!atomic_xchg(&reaper_wanted, false))
			schedule();
		thread_cancel_sleep();
		release_all_dead();
	}
}

void sched_reaper_init(void)
{
	reaper = kthread_create("reaper", reaper_main, NULL, THREAD_NORMAL);
	BUG_ON(!reaper);
}

static int take_id_and_stack(struct thread *t, bool kernel)
{
	t->id = kernel ? thread_id_kernel() : id_alloc();
	if (!t->id)
		return -EAGAIN;
	t->kstack_top = kstack_alloc();
	if (t->kstack_top)
		return 0;
	if (!kernel)
		thread_id_free(t->id);
	return -ENOMEM;
}

static int init(struct thread *t, const char *name, void (*entry)(void *), void *arg, bool kernel)
{
	int err;

	release_dead(this_cpu(dead_threads));
	err = take_id_and_stack(t, kernel);
	if (err) { /* the dead of other CPUs hold some too */
		release_all_dead();
		err = take_id_and_stack(t, kernel);
	}
	if (err)
		return err;
	str_copy(t->name, name, sizeof(t->name));
	t->entry = entry;
	t->arg = arg;
	t->kernel_thread = kernel;
	t->state = STATE_NEW;
	t->least_end = SLICE_MIN;
	for (unsigned w = 0; w < ARRAY_SIZE(t->affinity); w++)
		t->affinity[w] = UINT64_MAX;
	rq_set_weight(t);
	list_init(&t->run_link);
	cpu_context_init(&t->context, t->kstack_top, sched_thread_trampoline, t);
	return 0;
}

int thread_init(struct thread *t, const char *name, void (*entry)(void *), void *arg)
{
	return init(t, name, entry, arg, false);
}

/* Where a new thread starts: on an idle CPU if there is one, else in turn. */
static uint32_t spread(const struct thread *t)
{
	static uint32_t turn; /* atomic */
	uint32_t first = atomic_add(&turn, 1);

	for (uint32_t i = 0; i < cpu_count(); i++) {
		uint32_t cpu = (first + i) % cpu_count();

		if (thread_may_run_on(t, cpu))
			return cpu;
	}
	return 0;
}

void thread_start(struct thread *t)
{
	struct thread *parent = thread_current();

	rq_set_weight(t);
	/* Its share so far is its parent's, up to now: threads are no way to get more of the CPU.
	 */
	sched_account();
	t->run_key = parent->run_key;
	t->run_epoch = parent->run_epoch;
	t->cpu = spread(t);
	store_release(&t->state, STATE_RUNNING);
	sched_submit(t);
}

static void release_kernel_thread(struct thread *t)
{
	heap_free(t);
}

struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	struct thread *t = heap_alloc_zeroed(sizeof(*t));

	if (!t)
		return NULL;
	if (init(t, name, entry, arg, true)) {
		heap_free(t);
		return NULL;
	}
	t->release = release_kernel_thread;
	if (class == THREAD_REALTIME) {
		t->class = THREAD_REALTIME;
		t->policy = SCHED_FIFO;
		t->rt_priority = 50;
	}
	thread_start(t);
	return t;
}

/* --- Properties --- */

char thread_state_letter(const struct thread *t)
{
	switch (load_relaxed(&t->state)) {
	case STATE_ASLEEP_INT: return 'S';
	case STATE_ASLEEP: return 'D';
	case STATE_DEAD: return 'X';
	default: return 'R';
	}
}

uint64_t thread_cpu_time(const struct thread *t)
{
	uint64_t start, used;

	do { /* [waits: cpu-time] */
		start = load_acquire(&t->slice_start);
		used = load_acquire(&t->cpu_time);
	} while (start != load_relaxed(&t->slice_start));
	if (load_acquire(&t->on_cpu)) {
		uint64_t now = clock_now();

		if (now > start)
			used += now - start;
	}
	return used;
}

int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left)
{
	uint64_t now = clock_now(), deadline = now + ns < now ? WAIT_FOREVER - 1 : now + ns;
	struct sleep_timer timer;
	int err = 0;

	sleep_timer_start(&timer, deadline);
	for (;;) {
		thread_prepare_sleep(interruptible ? SLEEP_INTERRUPTIBLE : SLEEP_UNINTERRUPTIBLE);
		if (sleep_timer_expired(&timer))
			break;
		if (interruptible && thread_signalled()) {
			err = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	thread_cancel_sleep();
	sleep_timer_stop(&timer);
	now = clock_now();
	if (err && left)
		*left = deadline > now ? deadline - now : 0;
	return err;
}

int thread_set_affinity(struct thread *t, const uint64_t *mask, unsigned words)
{
	uint64_t new[ARRAY_SIZE(t->affinity)] = { 0 };
	bool any = false;

	for (unsigned w = 0; w < MIN(words, (unsigned)ARRAY_SIZE(new)); w++)
		new[w] = mask[w];
	for_each_cpu (cpu)
		any |= new[cpu / 64] >> (cpu % 64) & 1;
	if (!any)
		return -EINVAL;
	for (unsigned w = 0; w < ARRAY_SIZE(new); w++)
		store_relaxed(&t->affinity[w], new[w]);
	if (t != thread_current()) {
		sched_changed(t);
	} else if (!thread_may_run_on(t, cpu_id())) {
		sched_changed(t);
		schedule();
	}
	return 0;
}

int thread_set_policy(struct thread *t, unsigned policy, unsigned rt_priority)
{
	bool rt = policy == SCHED_FIFO || policy == SCHED_RR;

	if (!rt && policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return -EINVAL;
	if (rt ? rt_priority < 1 || rt_priority > 99 : rt_priority != 0)
		return -EINVAL;
	store_relaxed(&t->rt_priority, rt_priority);
	store_relaxed(&t->policy, policy);
	rq_set_weight(t);
	sched_changed(t);
	return 0;
}

void thread_set_nice(struct thread *t, int nice)
{
	store_relaxed(&t->nice, MAX(-20, MIN(19, nice)));
	rq_set_weight(t);
}

void thread_inherit(struct thread *t, const struct thread *parent)
{
	t->nice = parent->nice;
	t->policy = parent->policy;
	t->rt_priority = parent->rt_priority;
	memcpy(t->affinity, parent->affinity, sizeof(t->affinity));
	if (!parent->reset_on_fork)
		return;
	if (t->policy == SCHED_FIFO || t->policy == SCHED_RR) {
		t->policy = SCHED_OTHER;
		t->rt_priority = 0;
		t->nice = 0;
	}
	t->nice = MAX(t->nice, 0);
}
