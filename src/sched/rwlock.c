/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers-writer lock: counts under a mutex that is held for a few instructions, waiters in one
 * queue in order of arrival. The lock is given to waiters by name: a writer alone, or all readers
 * in front of the next writer.
 */

#include "cpu/barrier.h"
#include "lib/bug.h"
#include "sched/clock.h"
#include "sched/mutex.h"
#include "sched/thread.h"

struct rw_waiter {
	struct rw_waiter *next;
	struct thread *thread; /* atomic; NULL: granted */
	bool writer;
};

void rwlock_init_class(struct rwlock *l, const struct lock_class *class)
{
	*l = (struct rwlock){ 0 };
	mutex_init_class(&l->lock, class);
}

/* l->lock is held, and released here. */
static void wait_for_grant(struct rwlock *l, bool writer)
{
	struct rw_waiter w = { .thread = thread_current(), .writer = writer };
	uint64_t since = clock_now();

	if (l->tail)
		l->tail->next = &w;
	else
		l->head = &w;
	l->tail = &w;
	mutex_unlock(&l->lock);
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (!load_acquire(&w.thread))
			break;
		schedule();
	}
	thread_cancel_sleep();
	lock_class_waited(l->lock.class, since, false);
}

/* l->lock is held: hands the free lock to whoever is first. */
static void grant(struct rwlock *l)
{
	struct rw_waiter *w;

	while ((w = l->head)) {
		struct thread *t = w->thread;
		bool writer = w->writer;

		if (writer ? l->readers || l->writer : l->writer)
			return;
		l->head = w->next;
		if (!l->head)
			l->tail = NULL;
		if (writer) {
			l->writer = true;
			l->waiting_writers--;
		} else {
			l->readers++;
		}
		thread_pin(t);
		store_release(&w->thread, NULL);
		thread_wake(t);
		thread_unpin(t);
		if (writer)
			return;
	}
}

void read_lock(struct rwlock *l)
{
	mutex_lock(&l->lock);
	if (l->writer || l->waiting_writers) {
		wait_for_grant(l, false);
		return;
	}
	l->readers++;
	mutex_unlock(&l->lock);
}

void read_unlock(struct rwlock *l)
{
	mutex_lock(&l->lock);
	BUG_ON(!l->readers);
	if (--l->readers == 0)
		grant(l);
	mutex_unlock(&l->lock);
}

void write_lock(struct rwlock *l)
{
	mutex_lock(&l->lock);
	if (l->writer || l->readers || l->head) {
		l->waiting_writers++;
		wait_for_grant(l, true);
		return;
	}
	l->writer = true;
	mutex_unlock(&l->lock);
}

void write_unlock(struct rwlock *l)
{
	mutex_lock(&l->lock);
	BUG_ON(!l->writer);
	l->writer = false;
	grant(l);
	mutex_unlock(&l->lock);
}
