/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A value of several words that is read much and written rarely. Unlike a plain seqlock, a reader
 * never waits for a writer, not even for one whose CPU was stopped in the middle of writing, nor
 * for the one that it interrupted: there are two copies and one of them is always whole.
 *
 *	             read              write
 *	read         safe              safe
 *	write        safe              one at a time (the caller's mutex)
 *
 *	reader:	do { s = latch_read(&l); use copy[s & 1]; } while (latch_changed(&l, s));
 *	writer:	latch_write_first(&l);  change copy[0];  latch_write_second(&l);  change copy[1];
 *
 * Argument: while copy 0 is written, seq is odd and readers use copy 1; while copy 1 is written,
 *seq is even and readers use copy 0. A reader that was overtaken sees another seq and does it
 *again; that takes a whole write each time. The release fences keep a copy's changes between the
 *two steps of seq; they pair with the reader's acquire load (first) and acquire fence (last). The
 *copies' words are read and written with relaxed atomics.
 */
#pragma once

#include "cpu/barrier.h"
#include "lib/types.h"

struct latch {
	uint32_t seq; /* atomic */
};

static inline uint32_t latch_read(const struct latch *l)
{
	return load_acquire(&l->seq);
}
static inline bool latch_changed(const struct latch *l, uint32_t seq)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return load_relaxed(&l->seq) != seq;
}
static inline void latch_step(struct latch *l)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	store_relaxed(&l->seq, l->seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}
static inline void latch_write_first(struct latch *l)
{
	latch_step(l);
}
static inline void latch_write_second(struct latch *l)
{
	latch_step(l);
}
