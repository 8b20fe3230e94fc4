/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping locks. Only threads take them; never an interrupt handler or the idle thread. Nobody
 * spins: a thread that finds a lock taken sleeps until it is given the lock by name.
 */
#pragma once

#include "lib/types.h"
#include "sched/lock_class.h"

struct thread;
struct mutex_waiter;

/*
 * One holder. Lock and unlock are one atomic operation each while nobody waits; the argument for
 * the rest (M1 to M4) is at the top of mutex.c, and test/model/mutex.pml tries it out.
 *
 *	         init  lock           trylock        unlock              held
 *	init     no    no             no             no                  no
 *	lock     no    one, in order  safe           safe                safe
 *	trylock  no    safe           one succeeds   safe                safe
 *	unlock   no    safe           safe           the holder only     safe
 *	held     no    safe           safe           safe                safe
 *
 * Hazards
 *  - Not recursive, and it belongs to the thread that locked it: locking twice and unlocking what
 *    another holds stop the machine.
 *  - lock sleeps, so afterwards this_cpu() may be another CPU, and no read section of rcu.h may be
 *    around it. trylock never sleeps; unlock neither.
 *  - Order of arrival, but a newcomer takes a free lock; there is no free moment while somebody
 *    waits, so nobody is passed for ever.
 *  - unlock may look at the mutex once more after the next holder has it: no holder frees it, but
 *    who drops the last reference of an atomic count, which everybody drops after unlock.
 *  - A waiter's record lies on its stack: a thread that waits cannot be ended from outside.
 *  - Inside the condition of wait_event it answers the announced sleep: one more turn of the loop.
 */
struct mutex {
	int32_t count;		     /* atomic: holder + waiters */
	uint32_t handoff;	     /* atomic: token of an unlock that found no waiter yet */
	uint32_t sequence;	     /* atomic */
	uint16_t class;		     /* atomic: number of its class; 0: not known yet */
	struct thread *owner;	     /* written by the holder */
	struct mutex_waiter *pushed; /* atomic: newest waiters, LIFO */
	struct mutex_waiter *popped; /* oldest waiters, FIFO; of whoever has the hand-off right */
};
_Static_assert(sizeof(struct mutex) == 40, "it is in every object");

/* A static one, which is its own class: static DEFINE_MUTEX(name); */
#define DEFINE_MUTEX(name)                                                                         \
	struct mutex name;                                                                         \
	LOCK_CLASS_OF(name, #name)

/* All locks that are initialised at one place are one class: mutex_init(&p->lock, "pipe.lock"). */
#define mutex_init(m, class_name)                                                                  \
	do {                                                                                       \
		LOCK_CLASS_DEFINE(_class, class_name, NULL, 0);                                    \
		mutex_init_class(m, &_class);                                                      \
	} while (0)
/* All zero is an unlocked mutex too; its class is found by its address (LOCK_CLASS_OF). */
void mutex_init_class(struct mutex *m, const struct lock_class *class);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by the running thread; for assertions */

/*
 * A condition variable: threads that wait for a change of what a mutex guards, and hold it again
 * when they go on. Waiters are not woken to fight for the mutex: wake_all moves their records to
 * the mutex's queue, behind those who wait there already, and each goes on when it is its turn.
 *
 *	mutex_lock(m);  while (!condition) condvar_wait(c, m);  ...  mutex_unlock(m);
 *	mutex_lock(m);  make it true;  condvar_wake_all(c, m);  mutex_unlock(m);
 *
 * Both need the mutex, always the same one for one condvar; so nothing here happens at once.
 * All zero is one without waiters. Hazards: those of the mutex, and
 *  - the condition may be false again when its turn has come: look at it in a loop;
 *  - neither signals nor time end the wait. Where they have to, or poll and epoll wait for the same
 *    thing, or interrupt handlers and others without the mutex wake: wait_event (wait.h).
 */
struct condvar {
	struct mutex_waiter *first, *last; /* guarded by the mutex; in order of arrival */
};
void condvar_wait(struct condvar *c, struct mutex *m);
void condvar_wake_all(struct condvar *c, struct mutex *m);
