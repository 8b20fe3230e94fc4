/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a callback at a point of monotonic time, run in a timer thread (it may take mutexes, but
 * should be short). Thread context only. The timer's memory belongs to the caller.
 */
#pragma once

#include "lib/rbtree.h"
#include "lib/types.h"

struct thread;
struct timer;
typedef void timer_fn(struct timer *t);

struct timer {
	struct rb_node node; /* guarded by its queue's mutex, like all below */
	uint64_t expires;    /* monotonic ns */
	timer_fn *fn;
	void *arg;
	uint32_t cpu;
	bool armed;
	bool running;
};

void timer_system_init(void);
void timer_init(struct timer *t, timer_fn *fn, void *arg);
/* (Re)arms. May be called from the timer's own callback. */
void timer_arm(struct timer *t, uint64_t expires);
/* True if it was armed. When it returns the callback is not armed, but may still be running. */
bool timer_cancel(struct timer *t);
/* As timer_cancel, and waits until a running callback has returned. Not from the callback. */
bool timer_cancel_sync(struct timer *t);

/* Wakes the running thread at a deadline; for wait loops. deadline UINT64_MAX: never, costs
 * nothing. */
struct sleep_timer {
	struct timer timer;
	struct thread *thread;
	uint64_t deadline;
	bool fired; /* atomic: by then it has expired, whatever this CPU's clock says */
};
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline);
void sleep_timer_stop(struct sleep_timer *s);
bool sleep_timer_expired(const struct sleep_timer *s);
