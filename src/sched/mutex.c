/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock-free mutex of Gidenstam & Papatriantafilou, "LFthreads: a lock-free thread library"
 * (OPODIS 2007), with the responsibility hand-off.
 *
 * count is the holder plus those who came and want to hold. Who makes it 1 has the lock. Everybody
 * else puts a waiter record, which lies on its stack, on the queue and sleeps; the lock is given
 * to it by name. The queue has many producers and one consumer at a time: the one with the right to
 * pop, which is part of holding the lock.
 *
 * The hard case is an unlock that finds count > 1 but the queue still empty: somebody has counted
 * itself but not queued yet. Waiting for it would be spinning. Instead the unlocker posts a token
 * in 'handoff' and leaves: whoever takes the token has the lock's responsibilities, that is the
 * right to pop and the duty to give the lock to the thread popped.
 *
 *	lock, count++ was not 0       unlock, count-- was not 1
 *	  push own record               pop; somebody: give
 *	  token posted? CAS it away:    nobody: post a token, then look again:
 *	    pop, give                     somebody came? CAS it away: pop, give
 *	  sleep until given
 *
 *  M1 Exactly one thread holds the lock, or exactly one token is posted, or count is 0.
 *  M2 A posted token is taken once: by a locker, which pushed before it looked for the token, or by
 *     its unlocker, which looks at the queue after it posted. Both orders are sequentially
 *     consistent, so at least one of them sees the other.
 *  M3 Tokens differ (sequence), so a locker cannot take a token other than the one it read: one
 *     that it read before its own record was popped is gone by then.
 *  M4 When a locker takes a token its own record is still queued: had it been popped, this thread
 *     would hold the lock and no token could be posted. So pop finds somebody.
 *  M5 The holder may queue another thread, which sleeps for a condition: it counts it and pushes
 *     its record as the thread itself would. It need not look for a token, as there is none while
 *     somebody holds the lock (M1), and the pop of its own unlock comes later.
 * Differs from the paper: the giver pins the waiting thread, because from the moment the record
 * says "yours" the thread may run, unlock, and exit; and the queue is a stack reversed in batches.
 *
 * A mutex must not live in memory that its last unlocker's successor frees: an unlock may look at
 * it once more. Use an atomic reference count to decide who frees.
 */

#include "sched/mutex.h"
#include "cpu/barrier.h"
#include "lib/bug.h"
#include "sched/clock.h"
#include "sched/thread.h"

struct mutex_waiter {
	struct thread *thread; /* atomic; NULL: the lock is yours */
	struct mutex_waiter *next;
};

void mutex_init_class(struct mutex *m, const struct lock_class *class)
{
	*m = (struct mutex){ .class = lock_class_index(class) };
}

static void push(struct mutex *m, struct mutex_waiter *w)
{
	struct mutex_waiter *old = load_relaxed(&m->pushed);

	do
		w->next = old;
	while (!atomic_cas(&m->pushed, &old, w));
}

/* Needs the right to pop. */
static struct mutex_waiter *pop(struct mutex *m)
{
	struct mutex_waiter *w = load_relaxed(&m->popped), *next;

	if (!w) {
		struct mutex_waiter *newest = atomic_xchg(&m->pushed, NULL);

		for (; newest; newest = next) {
			next = newest->next;
			newest->next = w;
			w = newest;
		}
		if (!w)
			return NULL;
	}
	store_relaxed(&m->popped, w->next);
	return w;
}

/* Anyone may ask; exact for who posted a token and for who has the right to pop. */
static bool queue_empty(struct mutex *m)
{
	return !load_relaxed(&m->popped) && !__atomic_load_n(&m->pushed, __ATOMIC_SEQ_CST);
}

static void give(struct mutex_waiter *w)
{
	struct thread *t = w->thread;

	thread_pin(t);
	store_release(&w->thread, NULL); /* from here on the record may be gone */
	thread_wake(t);
	thread_unpin(t);
}

/*
 * If the caller was about to sleep for something (thread_prepare_sleep, then a condition that takes
 * this mutex), a wake-up for that may come while it sleeps here. So the announcement is not put
 * back but counts as answered: the caller's schedule() returns at once and it looks again.
 */
static void sleep_until_given(struct mutex_waiter *w)
{
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (!load_acquire(&w->thread))
			break;
		schedule();
	}
	thread_cancel_sleep();
}

/* The class of a zero-initialised mutex is looked up once, by its first waiter or several at once.
 */
static void count_wait(struct mutex *m, uint64_t since, bool token)
{
	uint16_t class = load_relaxed(&m->class);

	if (!class) {
		class = lock_class_find(m);
		store_relaxed(&m->class, class);
	}
	lock_class_waited(class, since, token);
}

static __noinline void lock_slow(struct mutex *m)
{
	struct thread *self = thread_current();
	struct mutex_waiter w = { .thread = self }, *first = NULL;
	uint64_t since = clock_now();
	uint32_t token;

	BUG_ON(load_relaxed(&m->owner) == self); /* locked twice */
	push(m, &w);
	token = __atomic_load_n(&m->handoff, __ATOMIC_SEQ_CST);
	if (token && atomic_cas(&m->handoff, &token, 0)) {
		first = pop(m);
		BUG_ON(!first); /* M4 */
		if (first != &w)
			give(first);
	}
	if (first != &w)
		sleep_until_given(&w);
	store_relaxed(&m->owner, self);
	count_wait(m, since, first);
}

void mutex_lock(struct mutex *m)
{
	if (likely(__atomic_fetch_add(&m->count, 1, __ATOMIC_SEQ_CST) == 0)) {
		store_relaxed(&m->owner, thread_current());
		return;
	}
	lock_slow(m);
}

bool mutex_trylock(struct mutex *m)
{
	int32_t free = 0;

	if (!atomic_cas(&m->count, &free, 1))
		return false;
	store_relaxed(&m->owner, thread_current());
	return true;
}

static __noinline void unlock_slow(struct mutex *m)
{
	for (;;) {
		struct mutex_waiter *w = pop(m);
		uint32_t token;

		if (w) {
			give(w);
			return;
		}
		token = load_relaxed(&m->sequence) + 1;
		if (!token)
			token = 1;
		store_relaxed(&m->sequence, token);
		atomic_xchg(&m->handoff, token);
		if (queue_empty(m))
			return; /* whoever comes sees the token */
		if (!atomic_cas(&m->handoff, &token, 0))
			return; /* somebody came and took it */
	}
}

void mutex_unlock(struct mutex *m)
{
	BUG_ON(load_relaxed(&m->owner) != thread_current()); /* not the holder's */
	store_relaxed(&m->owner, NULL);
	if (likely(__atomic_fetch_sub(&m->count, 1, __ATOMIC_SEQ_CST) == 1))
		return;
	unlock_slow(m);
}

bool mutex_held(const struct mutex *m)
{
	return load_relaxed(&m->count) > 0 && load_relaxed(&m->owner) == thread_current();
}

void condvar_wait(struct condvar *c, struct mutex *m)
{
	struct thread *self = thread_current();
	struct mutex_waiter w = { .thread = self };

	if (c->first)
		c->last->next = &w;
	else
		c->first = &w;
	c->last = &w;
	mutex_unlock(m);
	sleep_until_given(&w);
	store_relaxed(&m->owner, self);
}

void condvar_wake_all(struct condvar *c, struct mutex *m)
{
	struct mutex_waiter *w, *next;

	BUG_ON(!mutex_held(m));
	for (w = c->first; w; w = next) {
		next = w->next;
		__atomic_fetch_add(&m->count, 1, __ATOMIC_SEQ_CST); /* M5 */
		push(m, w);
	}
	c->first = c->last = NULL;
}
