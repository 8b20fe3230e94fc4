/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readiness. A file's poll op calls poll_wait for each queue on which it announces changes, then
 * reports what is true now. Wakers call wait_wake_all(&queue, POLLIN | ...) after the change.
 * A table of NULL asks for the state only.
 */
#pragma once

#include "lib/types.h"
#include "sched/wait.h"

#define POLLIN	   0x0001
#define POLLPRI	   0x0002
#define POLLOUT	   0x0004
#define POLLERR	   0x0008
#define POLLHUP	   0x0010
#define POLLNVAL   0x0020
#define POLLRDNORM 0x0040
#define POLLRDBAND 0x0080
#define POLLWRNORM 0x0100
#define POLLWRBAND 0x0200
#define POLLRDHUP  0x2000

struct poll_table {
	/* Adds an entry on q; called by poll_wait. */
	void (*queue)(struct poll_table *table, struct wait_queue *q);
};

static inline void poll_wait(struct poll_table *table, struct wait_queue *q)
{
	if (table && table->queue)
		table->queue(table, q);
}
