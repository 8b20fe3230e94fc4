/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readiness. A file's poll op calls poll_wait for each queue on which it announces changes, then
 * reports what is true now. Wakers call wait_wake_all(&queue, POLLIN | ...) after the change.
 * A table of NULL asks for the state only.
 */
#pragma once

#include "abi/poll.h"
#include "lib/types.h"
#include "sched/wait.h"

struct poll_table {
	/* Adds an entry on q; called by poll_wait. */
	void (*queue)(struct poll_table *table, struct wait_queue *q);
};

static inline void poll_wait(struct poll_table *table, struct wait_queue *q)
{
	if (table && table->queue)
		table->queue(table, q);
}
