/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time as a function of a counter, made of straight lines: ns = base_ns + (ticks - base_ticks) *
 * mult >> 32, with a 128-bit product, so that it is exact however long the machine runs. The rate
 * may change while others read. Time never goes back, not between CPUs either, as long as the
 * counter does not; and nobody waits: a reader that meets a change half done helps it on.
 *
 *	             now               change
 *	now          safe              safe
 *	change       safe              one at a time (the caller's mutex)
 *	init         no                no
 *
 * Where the new line begins must lie behind every tick that was read by the old line, and before
 * every tick read by the new one; else time would step by what the lines differ. So the beginning
 * ("turn") is chosen while the change is already visible (seq is odd), by the first who needs it:
 *
 *	seq even   readers use line[seq / 2 % 2], and try again if seq changed meanwhile.
 *		   What counts was therefore read before seq became odd.
 *	seq odd	   the other line has its mult. Whoever comes, the changer too, offers the
 *		   ticks it reads now as turn, by compare-and-swap; one wins. All compute
 *		   with the winner's.
 *	seq + 1	   the changer has written the turn into the line.
 *
 * A reader that slept through a whole change cannot offer an old tick: an open turn holds seq.
 * The loop ends as soon as no change was completed during one turn of it; changes are rare.
 */
#pragma once

#include "cpu/barrier.h"
#include "lib/types.h"

#define TIMELINE_SHIFT 32
#define TIMELINE_OPEN  (1ull << 63) /* | seq: nobody has offered ticks yet; ticks stay below it */

/* All words are atomic. Its size is a power of two: one of two lines is a shift away. */
struct timeline_line {
	uint64_t base_ticks, base_ns;
	uint64_t mult; /* ns per tick << TIMELINE_SHIFT */
} __attribute__((aligned(32)));
struct timeline {
	struct timeline_line line[2];
	uint64_t seq;  /* changer writes */
	uint64_t turn; /* valid while seq is odd */
};

static inline uint64_t timeline_ns(uint64_t ticks, uint64_t mult)
{
	return (unsigned __int128)ticks * mult >> TIMELINE_SHIFT;
}

/* A counter that is a little behind on this CPU reads as standing still. */
static inline uint64_t timeline_at(const struct timeline_line *l, uint64_t ticks)
{
	uint64_t since = ticks - load_acquire(&l->base_ticks);

	if (unlikely((int64_t)since < 0))
		since = 0;
	return load_acquire(&l->base_ns) + timeline_ns(since, load_acquire(&l->mult));
}

/* The tick at which change seq (odd) begins; any value when that change is over. */
static inline uint64_t timeline_turn(struct timeline *t, uint64_t seq, uint64_t (*read)(void))
{
	uint64_t turn = TIMELINE_OPEN | seq, mine = read();

	return atomic_cas(&t->turn, &turn, mine) ? mine : turn;
}

/* Now, in ns. Any context. */
static inline uint64_t timeline_now(struct timeline *t, uint64_t (*read)(void))
{
	uint64_t seq, ns;

	do { /* [waits: timeline] */
		const struct timeline_line *old;

		seq = load_acquire(&t->seq);
		old = &t->line[seq / 2 % 2];
		if (likely(seq % 2 == 0)) {
			ns = timeline_at(old, read());
		} else {
			const struct timeline_line *new = &t->line[(seq / 2 + 1) % 2];
			uint64_t turn = timeline_turn(t, seq, read), since = read() - turn;

			if (unlikely((int64_t)since < 0))
				since = 0;
			ns = timeline_at(old, turn) + timeline_ns(since, load_acquire(&new->mult));
		}
	} while (unlikely(load_acquire(&t->seq) != seq));
	return ns;
}

/* Starts at ns, at this tick. Before anybody else reads. */
static inline void timeline_init(struct timeline *t, uint64_t ticks, uint64_t ns, uint64_t mult)
{
	store_relaxed(&t->line[0].base_ticks, ticks);
	store_relaxed(&t->line[0].base_ns, ns);
	store_relaxed(&t->line[0].mult, mult);
	store_release(&t->seq, 0);
}

/* Goes on from what it is now, at another rate. Returns the line that holds from now on. */
static inline const struct timeline_line *timeline_change(
	struct timeline *t, uint64_t mult, uint64_t (*read)(void))
{
	uint64_t seq = load_relaxed(&t->seq) + 1, turn;
	const struct timeline_line *old = &t->line[seq / 2 % 2];
	struct timeline_line *new = &t->line[(seq / 2 + 1) % 2];

	/* Release: who sees one of these also sees that seq has moved on since this line's time. */
	store_release(&new->mult, mult);
	store_release(&t->turn, TIMELINE_OPEN | seq);
	__atomic_store_n(&t->seq, seq, __ATOMIC_SEQ_CST); /* before the counter is read */
	turn = timeline_turn(t, seq, read);
	store_release(&new->base_ns, timeline_at(old, turn));
	store_release(&new->base_ticks, turn);
	store_release(&t->seq, seq + 1);
	return new;
}
