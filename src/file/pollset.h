/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for several files at once, for poll(2) and select(2): the first round of polling puts
 * the running thread on every queue, later rounds only ask.
 *
 *	pollset_begin(&set, deadline);
 *	do { for each file: pollset_check(&set, f) ... } while (nothing && pollset_sleep(&set) ==
 *0); pollset_end(&set);
 */
#pragma once

#include "file/file.h"
#include "sched/wait.h"

#define POLLSET_INLINE 6

struct pollset_chunk;

/* Holds the file: its queue must not go away while we are on it. */
struct pollset_entry {
	struct wait_entry wait;
	struct file *file;
};

struct pollset {
	struct poll_table table;
	struct file *checking; /* by pollset_check just now */
	struct pollset_entry entries[POLLSET_INLINE];
	unsigned count;
	struct pollset_chunk *more;
	bool queued; /* the first round is over */
	bool failed; /* no memory for an entry: poll gives -ENOMEM */
	struct sleep_timer timer;
};

void pollset_begin(struct pollset *set, uint64_t deadline);
uint32_t pollset_check(struct pollset *set, struct file *f);
/* Sleeps until something changed: 0; -ETIMEDOUT; -EINTR; -ENOMEM. */
int pollset_sleep(struct pollset *set);
void pollset_end(struct pollset *set);
