/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wait queues: threads (or callbacks, for epoll) that want to hear of an event. Thread context
 * only; an interrupt handler wakes one particular driver thread with thread_wake instead.
 *
 *	waiter:  err = wait_event_interruptible(&q, ring_has_data(r));
 *	waker:   make the condition true; then wait_wake_all(&q, POLLIN);
 *
 *	             init   add    remove   wake_all, wake_one   active
 *	init         no     no     no       no                   no
 *	add          no     safe   safe     safe                 safe
 *	remove       no     safe   safe     safe; waits for fn   safe
 *	wake         no     safe   safe     safe                 safe
 *	active       no     safe   safe     safe                 safe, a hint
 * An entry is one thread's own: two do not add or remove the same one.
 *
 * Nothing is lost: a waiter is on the queue before it evaluates the condition, a waker makes it
 * true before it looks at the queue, and a full barrier stands between the two on each side (the
 * addition to count in wait.c, the fence in wake).
 *
 * Hazards
 *  - The condition is evaluated several times, and may be false again when wait_event returns 0:
 *    who shares the event takes the lock and looks once more.
 *  - It may take mutexes, and sleeps there count as a wake-up (one more turn of the loop); but it
 *    must not wait for anything else.
 *  - A callback runs with the queue's lock held: it takes no lock that is held around wake, add or
 *    remove of this queue, and neither adds to nor removes from it. wait_wake_* itself takes the
 *    queue's lock, so callers may hold any lock that no callback takes.
 *  - The queue outlives its entries: remove looks at it. A waker does not look at it any more when
 *    it has let go of the lock, but for the mutex's own rule (mutex.h).
 *
 * Exclusive waiters: of several threads that each take one thing (a connection, a datagram), one
 * is woken for each thing. wake_one picks the one that waits longest and takes its entry off the
 * queue in the same moment, so that the next event picks another one.
 *  X1 Who is picked looks before it gives up: wait_event_exclusive is 0 then, even if a signal or
 *     the deadline came as well, and its caller tries to take what there is. So what it was picked
 *     for is taken, by it or by whoever was faster. Only if there is nothing it waits again, or
 *     hears of the signal.
 *  X2 Who finds the condition true by itself and is picked before it is off the queue has been
 *     given something that it does not need, and passes it on to the next.
 *  X3 The waker of several things at once wakes one: who takes one of them and leaves others, and
 *     was picked, passes on. wait_pass_on wakes one more exclusive waiter and nobody else, as the
 *     others have been told.
 *  X4 To write 'picked' is the last that a waker does with an entry, off the queue by then. So who
 *     reads it goes without the lock, while the waker may still hold that: whoever wakes exclusive
 *     waiters has a reference of its own to what the queue is in. test/model/picked.pml tries X1 to
 *     X4 out, step by step; test/host/mutex_test.c has the order of the words.
 */
#pragma once

#include "lib/list.h"
#include "sched/mutex.h"
#include "sched/thread.h"

struct wait_queue {
	struct mutex lock;
	struct list_node waiters; /* struct wait_entry, guarded by lock */
	uint32_t count;		  /* atomic: an empty queue is seen without taking the lock */
};

struct wait_entry;
/* Runs with the queue's lock held; must not sleep on it. Returns true if it consumed an exclusive
 * wake. */
typedef bool wait_wake_fn(struct wait_entry *entry, uint32_t events);

struct wait_entry {
	struct list_node link;
	struct wait_queue *queue; /* while queued */
	wait_wake_fn *fn;	  /* NULL: wake 'thread' */
	struct thread *thread;
	uint32_t events; /* wake only for these, 0: all */
	bool exclusive;	 /* wait_wake_one stops after one of these */
	bool picked; /* atomic: a thread's, off the queue by the waker; written under the lock */
	void *arg;
};

void wait_init(struct wait_queue *q);
void wait_add(struct wait_queue *q, struct wait_entry *e);
void wait_add_exclusive(struct wait_queue *q, struct wait_entry *e); /* at the tail */
/* For a thread's own entry; the rest is set when it is added. */
static inline void wait_entry_init(struct wait_entry *e, uint32_t events)
{
	e->queue = NULL;
	e->fn = NULL;
	e->thread = thread_current();
	e->events = events;
}
/* Fine if not queued; afterwards fn does not run any more. True: it was picked. */
bool wait_remove(struct wait_entry *e);
/* events: POLL* bits that happened; 0 = everybody. */
void wait_wake_all(struct wait_queue *q, uint32_t events);
/* All that are not exclusive, and one that is. True: there was one. */
bool wait_wake_one(struct wait_queue *q, uint32_t events);
void wait_pass_on(struct wait_queue *q, uint32_t events); /* X3 */
static inline bool wait_active(struct wait_queue *q)
{
	return __atomic_load_n(&q->count, __ATOMIC_SEQ_CST) != 0;
}

static inline bool wait_picked(const struct wait_entry *e)
{
	return load_acquire(&e->picked);
}

#define WAIT_FOREVER UINT64_MAX

/*
 * Evaluates to 0 when the condition is true, -ERESTARTSYS when 'interruptible' and a signal came,
 * -ETIMEDOUT when clock_now() passed 'deadline' (absolute monotonic ns, or WAIT_FOREVER).
 */
#define wait_event_until(q, condition, deadline, interruptible)                                    \
	((condition) ? 0 : wait_event_sleep(q, 0, condition, deadline, interruptible))
/*
 * As wait_event_until, where the condition has just been found false. bits: POLL* that may
 * make it true, so that what else is announced does not wake it; 0: any.
 */
#define wait_event_sleep(q, bits, condition, deadline, interruptible)                              \
	({                                                                                         \
		int _ret = 0;                                                                      \
		uint64_t _until = (deadline);                                                      \
		struct wait_entry _e;                                                              \
		struct sleep_timer _t;                                                             \
		wait_entry_init(&_e, bits);                                                        \
		if (unlikely(_until != WAIT_FOREVER))                                              \
			sleep_timer_start(&_t, _until);                                            \
		wait_add(q, &_e);                                                                  \
		for (;;) {                                                                         \
			thread_prepare_sleep(                                                      \
				(interruptible) ? SLEEP_INTERRUPTIBLE : SLEEP_UNINTERRUPTIBLE);    \
			if (condition)                                                             \
				break;                                                             \
			if ((interruptible) && thread_signalled()) {                               \
				_ret = -ERESTARTSYS;                                               \
				break;                                                             \
			}                                                                          \
			if (unlikely(_until != WAIT_FOREVER) && sleep_timer_expired(&_t)) {        \
				_ret = -ETIMEDOUT;                                                 \
				break;                                                             \
			}                                                                          \
			schedule();                                                                \
		}                                                                                  \
		thread_cancel_sleep();                                                             \
		wait_remove(&_e);                                                                  \
		if (unlikely(_until != WAIT_FOREVER))                                              \
			sleep_timer_stop(&_t);                                                     \
		_ret;                                                                              \
	})
/*
 * As wait_event_sleep, interruptible, for one of those who each take one thing. 0: the condition
 * may be true, take one or wait again (X1).
 */
#define wait_event_exclusive(q, bits, condition, deadline)                                         \
	({                                                                                         \
		int _ret = 0;                                                                      \
		bool _found = false;                                                               \
		uint64_t _until = (deadline);                                                      \
		struct wait_entry _e;                                                              \
		struct sleep_timer _t;                                                             \
		wait_entry_init(&_e, bits);                                                        \
		if (unlikely(_until != WAIT_FOREVER))                                              \
			sleep_timer_start(&_t, _until);                                            \
		wait_add_exclusive(q, &_e);                                                        \
		for (;;) {                                                                         \
			thread_prepare_sleep(SLEEP_INTERRUPTIBLE);                                 \
			if (wait_picked(&_e) || (_found = (condition)))                            \
				break;                                                             \
			if (thread_signalled()) {                                                  \
				_ret = -ERESTARTSYS;                                               \
				break;                                                             \
			}                                                                          \
			if (unlikely(_until != WAIT_FOREVER) && sleep_timer_expired(&_t)) {        \
				_ret = -ETIMEDOUT;                                                 \
				break;                                                             \
			}                                                                          \
			schedule();                                                                \
			if (likely(wait_picked(&_e)))                                              \
				break;                                                             \
		}                                                                                  \
		thread_cancel_sleep();                                                             \
		if (unlikely(_until != WAIT_FOREVER))                                              \
			sleep_timer_stop(&_t);                                                     \
		if (likely(wait_picked(&_e)) || wait_remove(&_e)) { /* X4 */                       \
			_ret = 0;                                                                  \
			if (_found)                                                                \
				wait_pass_on(q, bits); /* X2 */                                    \
		}                                                                                  \
		_ret;                                                                              \
	})
#define wait_event(q, condition)		   (void)wait_event_until(q, condition, WAIT_FOREVER, false)
#define wait_event_interruptible(q, condition)	   wait_event_until(q, condition, WAIT_FOREVER, true)
#define wait_event_timeout(q, condition, deadline) wait_event_until(q, condition, deadline, false)
#define wait_event_interruptible_timeout(q, condition, deadline)                                   \
	wait_event_until(q, condition, deadline, true)

#include "abi/errno.h"
#include "sched/timer.h"
