/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wait queues. A waker makes the condition true, then reads count; a waiter adds itself to count,
 * then reads the condition: with a full barrier between the two on each side (the atomic add here,
 * the fence in wake) one of them sees the other.
 */

#include "sched/wait.h"
#include "cpu/barrier.h"
#include "lib/bug.h"

void wait_init(struct wait_queue *q)
{
	mutex_init(&q->lock, "wait_queue.lock");
	list_init(&q->waiters);
	q->count = 0;
}

static void add(struct wait_queue *q, struct wait_entry *e, bool exclusive)
{
	BUG_ON(e->queue);
	e->exclusive = exclusive;
	e->picked = false;
	e->queue = q;
	mutex_lock(&q->lock);
	if (exclusive)
		list_add_tail(&q->waiters, &e->link);
	else
		list_add(&q->waiters, &e->link);
	__atomic_fetch_add(&q->count, 1, __ATOMIC_SEQ_CST);
	mutex_unlock(&q->lock);
}

void wait_add(struct wait_queue *q, struct wait_entry *e)
{
	add(q, e, false);
}

void wait_add_exclusive(struct wait_queue *q, struct wait_entry *e)
{
	add(q, e, true);
}

/* The lock held. */
static void take_off(struct wait_queue *q, struct wait_entry *e)
{
	list_del(&e->link);
	__atomic_fetch_sub(&q->count, 1, __ATOMIC_SEQ_CST);
}

static void wake_entry(struct wait_entry *e, uint32_t events)
{
	if (e->fn)
		(void)e->fn(e, events);
	else
		thread_wake(e->thread);
}

/* Taking the lock also waits for a waker that is just using the entry. */
bool wait_remove(struct wait_entry *e)
{
	struct wait_queue *q = e->queue;
	bool picked;

	if (!q)
		return false;
	mutex_lock(&q->lock);
	picked = e->picked;
	if (!picked)
		take_off(q, e);
	mutex_unlock(&q->lock);
	e->queue = NULL;
	return picked;
}

static bool wants(const struct wait_entry *e, uint32_t events)
{
	return !e->events || !events || (e->events & events);
}

/*
 * The lock held. A thread is picked in whatever state it is: awake it has not looked yet, or it is
 * on its way off the queue and will see it there (X1, X2). From then on it may run, and exit: it is
 * pinned until it has been woken.
 */
static inline bool pick(
	struct wait_queue *q, struct wait_entry *e, uint32_t events, struct thread **who)
{
	if (e->fn)
		return e->fn(e, events);
	*who = e->thread;
	thread_pin(*who);
	take_off(q, e);
	store_release(&e->picked, true); /* X4 */
	return true;
}

static __always_inline bool wake_one(struct wait_queue *q, uint32_t events, bool others)
{
	struct wait_entry *e, *next;
	struct thread *who = NULL;
	bool found = false;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!load_relaxed(&q->count))
		return false;
	mutex_lock(&q->lock);
	list_for_each_entry_safe (e, next, &q->waiters, link) {
		if (!wants(e, events))
			continue;
		if (!e->exclusive && others)
			wake_entry(e, events);
		else if (e->exclusive && (found = pick(q, e, events, &who)))
			break;
	}
	mutex_unlock(&q->lock);
	if (who) {
		thread_wake(who);
		thread_unpin(who);
	}
	return found;
}

bool wait_wake_one(struct wait_queue *q, uint32_t events)
{
	return wake_one(q, events, true);
}

void wait_pass_on(struct wait_queue *q, uint32_t events)
{
	(void)wake_one(q, events, false);
}

/* Nobody is picked: each looks, so nothing has to be passed on. */
void wait_wake_all(struct wait_queue *q, uint32_t events)
{
	struct wait_entry *e, *next;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!load_relaxed(&q->count))
		return;
	mutex_lock(&q->lock);
	list_for_each_entry_safe (e, next, &q->waiters, link)
		if (wants(e, events))
			wake_entry(e, events);
	mutex_unlock(&q->lock);
}
