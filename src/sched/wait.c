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

/* Taking the lock also waits for a waker that is just using the entry. */
void wait_remove(struct wait_entry *e)
{
	struct wait_queue *q = e->queue;

	if (!q)
		return;
	mutex_lock(&q->lock);
	list_del(&e->link);
	__atomic_fetch_sub(&q->count, 1, __ATOMIC_SEQ_CST);
	mutex_unlock(&q->lock);
	e->queue = NULL;
}

static bool wake_entry(struct wait_entry *e, uint32_t events)
{
	if (e->events && events && !(e->events & events))
		return false;
	return e->fn ? e->fn(e, events) : thread_wake(e->thread);
}

static void wake(struct wait_queue *q, uint32_t events, bool all)
{
	struct wait_entry *e, *next;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!load_relaxed(&q->count))
		return;
	mutex_lock(&q->lock);
	list_for_each_entry_safe (e, next, &q->waiters, link)
		/* one that was awake already may be busy with something else: try the next too */
		if (wake_entry(e, events) && e->exclusive && !all)
			break;
	mutex_unlock(&q->lock);
}

void wait_wake_all(struct wait_queue *q, uint32_t events)
{
	wake(q, events, true);
}

void wait_wake_one(struct wait_queue *q, uint32_t events)
{
	wake(q, events, false);
}
