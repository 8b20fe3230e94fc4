/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping locks. Only threads take them; never an interrupt handler. Uncontended lock and unlock
 * are one atomic operation each. The mutex is the lock-free one with responsibility hand-off
 * (see mutex.c); not recursive; it knows its holder, and BUGs on misuse.
 */
#pragma once

#include "lib/types.h"

struct thread;
struct mutex_waiter;

struct mutex {
	int32_t count;		     /* atomic: holder + waiters */
	uint32_t handoff;	     /* atomic: token of an unlock that found no waiter yet */
	uint32_t sequence;	     /* atomic */
	struct thread *owner;	     /* written by the holder */
	struct mutex_waiter *pushed; /* atomic: newest waiters, LIFO */
	struct mutex_waiter *popped; /* oldest waiters, FIFO; of whoever has the hand-off right */
};
#define MUTEX_INIT                                                                                 \
	{                                                                                          \
		0                                                                                  \
	}

void mutex_init(struct mutex *m); /* all zero is also an unlocked mutex */
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by the running thread; for assertions */

/* Many readers or one writer; writers have preference. Not recursive on either side. */
struct rwlock {
	struct mutex lock;
	uint32_t readers;
	bool writer;
	uint32_t waiting_writers;
	struct rw_waiter *head, *tail; /* guarded by lock */
};
#define RWLOCK_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}
void rwlock_init(struct rwlock *l);
void read_lock(struct rwlock *l);
void read_unlock(struct rwlock *l);
void write_lock(struct rwlock *l);
void write_unlock(struct rwlock *l);
