/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a tree per CPU, ordered by expiry, and a thread per CPU that runs what is due. The timer
 * interrupt only wakes that thread. A timer whose callback runs stays with that queue when it is
 * armed again, so that one look tells whether it runs.
 */

#include "sched/timer.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "lib/bug.h"
#include "lib/list.h"
#include "sched/clock.h"
#include "sched/impl.h"
#include "sched/mutex.h"
#include "sched/thread.h"

struct timer_queue {
	struct mutex lock; /* guards all but 'started' */
	struct rb_tree tree;
	struct rb_node *first;
	struct timer *running; /* never dereferenced after its callback was called */
	struct condvar done;   /* running has changed */
	uint32_t cpu;
	bool started; /* atomic: fixed once true */
};
static struct timer_queue queues[MAX_CPUS];
LOCK_CLASS_OF(queues, "timer_queue.lock");

static void timer_thread(void *arg);

static struct timer_queue *queue_here(void)
{
	uint32_t cpu = cpu_id();
	struct timer_queue *q = &queues[cpu];

	if (likely(load_acquire(&q->started)))
		return q;
	mutex_lock(&q->lock);
	if (!q->started) {
		struct thread *t;

		q->cpu = cpu;
		t = kthread_create("timer", timer_thread, q, THREAD_REALTIME);
		if (t) {
			store_release(&cpu_of(runqueue, cpu)->timer_thread, t);
			store_release(&q->started, true);
		}
	}
	mutex_unlock(&q->lock);
	/* Without memory for a thread of its own this CPU uses the boot CPU's, made at boot. */
	return q->started ? q : &queues[0];
}

void timer_system_init(void)
{
	BUG_ON(!queue_here()->started);
}

void timer_init(struct timer *t, timer_fn *fn, void *arg)
{
	*t = (struct timer){ .fn = fn, .arg = arg, .cpu = MAX_CPUS };
}

/* q->lock held, likewise below */
static uint64_t first_expiry(const struct timer_queue *q)
{
	return q->first ? rb_entry(q->first, struct timer, node)->expires : UINT64_MAX;
}

static void publish_first(struct timer_queue *q)
{
	sched_timer_set(q->cpu, first_expiry(q));
}

static void insert(struct timer_queue *q, struct timer *t)
{
	struct rb_node **link = &q->tree.root, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (t->expires < rb_entry(parent, struct timer, node)->expires) {
			link = &parent->left;
		} else {
			link = &parent->right;
			leftmost = false;
		}
	}
	rb_insert(&q->tree, &t->node, parent, link);
	t->armed = true;
	if (leftmost) {
		q->first = &t->node;
		publish_first(q);
	}
}

static void erase(struct timer_queue *q, struct timer *t)
{
	bool was_first = q->first == &t->node;

	if (was_first)
		q->first = rb_next(&t->node);
	rb_erase(&q->tree, &t->node);
	t->armed = false;
}

/* The hardware's timer may fire in vain, which is cheaper than setting it, and wakes nobody. */
static void take_out(struct timer_queue *q, struct timer *t)
{
	bool was_first = q->first == &t->node;

	if (!t->armed)
		return;
	erase(q, t);
	if (was_first)
		sched_timer_later(q->cpu, first_expiry(q));
}

/*
 * Locks the queue that has the timer, or had it last. NULL if it was never armed. Only armers move
 * a timer, and only under the lock of the queue it leaves.
 */
static struct timer_queue *lock_queue_of(struct timer *t)
{
	for (;;) {
		uint32_t cpu = load_relaxed(&t->cpu);
		struct timer_queue *q;

		if (cpu >= MAX_CPUS)
			return NULL;
		q = &queues[cpu];
		mutex_lock(&q->lock);
		if (load_relaxed(&t->cpu) == cpu)
			return q;
		mutex_unlock(&q->lock);
	}
}

void timer_arm(struct timer *t, uint64_t expires)
{
	struct timer_queue *here = queue_here(), *q = lock_queue_of(t);

	if (q) {
		take_out(q, t);
		if (q != here && q->running != t) {
			store_relaxed(&t->cpu, here->cpu);
			mutex_unlock(&q->lock);
			q = NULL;
		}
	} else {
		store_relaxed(&t->cpu, here->cpu);
	}
	if (!q) {
		q = here;
		mutex_lock(&q->lock);
		/* two threads that arm the same timer at once: the later one wins */
		if (load_relaxed(&t->cpu) != q->cpu) {
			mutex_unlock(&q->lock);
			timer_arm(t, expires);
			return;
		}
		take_out(q, t);
	}
	t->expires = expires;
	insert(q, t);
	mutex_unlock(&q->lock);
}

bool timer_cancel(struct timer *t)
{
	struct timer_queue *q = lock_queue_of(t);
	bool armed;

	if (!q)
		return false;
	armed = t->armed;
	take_out(q, t);
	mutex_unlock(&q->lock);
	return armed;
}

bool timer_cancel_sync(struct timer *t)
{
	struct timer_queue *q = lock_queue_of(t);
	bool armed;

	if (!q)
		return false;
	armed = t->armed;
	take_out(q, t);
	while (q->running == t)
		condvar_wait(&q->done, &q->lock);
	mutex_unlock(&q->lock);
	return armed;
}

/* Runs what is due; returns with the next expiry published. */
static void run_due(struct timer_queue *q)
{
	mutex_lock(&q->lock);
	while (q->first) {
		struct timer *t = rb_entry(q->first, struct timer, node);

		if (t->expires > clock_now())
			break;
		erase(q, t);
		q->running = t;
		mutex_unlock(&q->lock);
		t->fn(t);
		mutex_lock(&q->lock);
		q->running = NULL;
		condvar_wake_all(&q->done, &q->lock);
	}
	publish_first(q);
	mutex_unlock(&q->lock);
}

static void timer_thread(void *arg)
{
	struct timer_queue *q = arg;
	uint64_t self[MAX_CPUS / 64] = { 0 };

	self[q->cpu / 64] = 1ull << (q->cpu % 64);
	thread_set_affinity(thread_current(), self, ARRAY_SIZE(self));
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		/* The interrupt takes next_timer away when it wakes us; we give it the next one. */
		run_due(q);
		schedule();
	}
}

/* --- Deadlines of wait loops --- */

static void wake_sleeper(struct timer *t)
{
	struct sleep_timer *s = container_of(t, struct sleep_timer, timer);

	store_release(&s->fired, true);
	thread_wake(s->thread);
}

void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = deadline;
	s->fired = false;
	if (deadline == UINT64_MAX)
		return;
	s->thread = thread_current();
	timer_init(&s->timer, wake_sleeper, NULL);
	timer_arm(&s->timer, deadline);
}

/* The callback uses the sleeper and its stack: wait for it. */
void sleep_timer_stop(struct sleep_timer *s)
{
	if (s->deadline != UINT64_MAX)
		timer_cancel_sync(&s->timer);
}

bool sleep_timer_expired(const struct sleep_timer *s)
{
	return s->deadline != UINT64_MAX && (load_acquire(&s->fired) || clock_now() >= s->deadline);
}
