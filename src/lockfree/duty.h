/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that one at a time does for all, where nobody waits for whoever does it: callers put their
 * work into a shared list and call for it; the one who finds nobody on duty has the duty.
 *
 *	put the work where all find it;
 *	if (duty_call(&d)) {
 *		seen = 1;
 *		do { do all the work that is there; } while (!duty_done(&d, &seen));
 *	}
 *
 *	             duty_call         duty_done         duty_seen
 *	duty_call    safe              safe              safe
 *	duty_done    safe              on duty           on duty
 *	duty_seen    safe              on duty           on duty
 *
 * Any context that may do the work. The duty may be handed to somebody else in the middle (the
 * word stays above 0, so that nobody takes it): by what publishes a store and wakes; who takes over
 * begins with seen = duty_seen(&d).
 *
 * Argument: the word counts calls that are not answered.
 *  D1 One at a time: the call that raises the word from 0 gets the duty, and only duty_done lets
 *     the word come to 0 again.
 *  D2 Nothing is forgotten: work is there before its call counts (release); who is on duty reads
 *     the count (acquire) before it looks for the work, so a call that is subtracted was answered.
 *     A call that comes later is left in the word, and duty_done says false.
 *  D3 What belongs to the duty needs no other guard: duty_done's release to 0 pairs with the
 *     acquire of the call that raises it next.
 * A caller that is not on duty is done at once, even if the one on duty is stopped by the
 * hypervisor: what waits then is the work, not the caller.
 */
#pragma once

#include "cpu/barrier.h"
#include "lib/types.h"

struct duty {
	uint32_t owed; /* atomic */
};

/* True: the duty is the caller's. */
static inline bool duty_call(struct duty *d)
{
	return atomic_add(&d->owed, 1) == 0;
}

static inline uint32_t duty_seen(const struct duty *d)
{
	return load_acquire(&d->owed);
}

/* True: the duty is over. False: there were more calls, *seen counts them; do the work again. */
static inline bool duty_done(struct duty *d, uint32_t *seen)
{
	*seen = atomic_sub(&d->owed, *seen) - *seen;
	return *seen == 0;
}
