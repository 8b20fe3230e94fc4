/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_NET_EMULATOR_H
#define TEST_NET_EMULATOR_H
/*
 * One direction of a bad link: frames go in with the time and come out later, or never, or twice.
 * What happens to the n-th frame follows from the seed and n alone, so a run of the same frames is
 * the same run. The caller brings the clock (any nanoseconds that do not go back): the same code
 * works in real time (link.c) and in a test's (test/host/link_test.c).
 *
 *	emulator_put:  rate and its queue --> loss --> delay + jitter + hold --> heap, by due time
 *	emulator_take: the frame that is due first, if its time has come
 *
 * Without jitter and hold frames leave in the order they came. Every frame put is counted once in
 * dropped or overflowed, or it leaves once, and once more if it was doubled:
 *	put + doubled == taken + dropped + overflowed + waiting
 *
 * Not safe for several threads.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EMULATOR_FRAMES 16384 /* that wait at a time, at most */
#define EMULATOR_NEVER	UINT64_MAX
#define EMULATOR_SECOND 1000000000ull

struct emulator_rules {
	uint64_t seed;
	/* how many of a million frames */
	uint32_t loss, doubled, held, corrupted;
	/* nanoseconds: of each frame; more, up to; more for a held one, up to */
	uint64_t delay, jitter, hold;
	uint64_t rate;	/* bits per second; 0: no limit */
	uint64_t queue; /* bytes that may wait for the rate */
};

struct emulator_frame {
	uint64_t due, order;
	size_t len;
	unsigned char bytes[];
};

struct emulator {
	struct emulator_rules rules;
	bool cut; /* everything is lost, as if the cable were out */
	uint64_t wire_free;
	struct emulator_frame *heap[EMULATOR_FRAMES]; /* the one due first at 0 */
	size_t waiting;
	uint64_t put, taken, dropped, overflowed, doubled, held, corrupted;
	uint64_t order; /* of frames that entered the heap: equal times keep it */
};

/* What chance 'what' (a small number of its own) says about frame n: 64 bits, the finaliser of
 * SplitMix64 over seed, frame and question. */
static inline uint64_t emulator_chance(const struct emulator *e, uint64_t n, uint64_t what)
{
	uint64_t x = e->rules.seed + (n * 8 + what + 1) * 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static inline bool emulator_happens(
	const struct emulator *e, uint64_t n, uint64_t what, uint32_t of_a_million)
{
	return emulator_chance(e, n, what) % 1000000 < of_a_million;
}

static inline bool emulator_before(const struct emulator_frame *a, const struct emulator_frame *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* False: no room, the frame is gone. */
static inline bool emulator_push(
	struct emulator *e, const void *bytes, size_t len, uint64_t due, int64_t flipped)
{
	struct emulator_frame *f;
	size_t i = e->waiting;

	if (i == EMULATOR_FRAMES || !(f = malloc(sizeof(*f) + len)))
		return false;
	memcpy(f->bytes, bytes, len);
	if (flipped >= 0)
		f->bytes[flipped / 8] ^= 1 << flipped % 8;
	f->len = len;
	f->due = due;
	f->order = e->order++;
	e->waiting++;
	for (; i && emulator_before(f, e->heap[(i - 1) / 2]); i = (i - 1) / 2)
		e->heap[i] = e->heap[(i - 1) / 2];
	e->heap[i] = f;
	return true;
}

/* When a frame of this length has left the card, or EMULATOR_NEVER if the queue before it is full.
 */
static inline uint64_t emulator_transmit(struct emulator *e, size_t len, uint64_t now)
{
	const struct emulator_rules *r = &e->rules;
	uint64_t begin = e->wire_free > now ? e->wire_free : now;

	if (!r->rate)
		return now;
	if ((begin - now) * (r->rate / 8) / EMULATOR_SECOND + len > r->queue)
		return EMULATOR_NEVER;
	e->wire_free = begin + len * 8 * EMULATOR_SECOND / r->rate;
	return e->wire_free;
}

static inline void emulator_put(struct emulator *e, const void *bytes, size_t len, uint64_t now)
{
	enum { LOSS, DOUBLED, JITTER, HELD, HOLD, CORRUPTED, BIT };
	const struct emulator_rules *r = &e->rules;
	uint64_t n = e->put++, due = emulator_transmit(e, len, now);
	int64_t flipped = -1;

	if (due == EMULATOR_NEVER) {
		e->overflowed++;
		return;
	}
	if (e->cut || emulator_happens(e, n, LOSS, r->loss)) {
		e->dropped++;
		return;
	}
	due += r->delay + (r->jitter ? emulator_chance(e, n, JITTER) % (r->jitter + 1) : 0);
	if (r->hold && emulator_happens(e, n, HELD, r->held)) {
		due += emulator_chance(e, n, HOLD) % (r->hold + 1);
		e->held++;
	}
	if (len && emulator_happens(e, n, CORRUPTED, r->corrupted)) {
		flipped = emulator_chance(e, n, BIT) % (len * 8);
		e->corrupted++;
	}
	if (!emulator_push(e, bytes, len, due, flipped))
		e->overflowed++;
	else if (emulator_happens(e, n, DOUBLED, r->doubled) &&
		 emulator_push(e, bytes, len, due, flipped))
		e->doubled++;
}

/* When the next frame is due; EMULATOR_NEVER: none waits. */
static inline uint64_t emulator_due(const struct emulator *e)
{
	return e->waiting ? e->heap[0]->due : EMULATOR_NEVER;
}

/* The frame that is due first, the caller's to free; NULL: none is due yet. */
static inline struct emulator_frame *emulator_take(struct emulator *e, uint64_t now)
{
	struct emulator_frame *first, *last;
	size_t i = 0, child;

	if (emulator_due(e) > now || !e->waiting)
		return NULL;
	first = e->heap[0];
	last = e->heap[--e->waiting];
	for (; (child = 2 * i + 1) < e->waiting; i = child) {
		if (child + 1 < e->waiting && emulator_before(e->heap[child + 1], e->heap[child]))
			child++;
		if (!emulator_before(e->heap[child], last))
			break;
		e->heap[i] = e->heap[child];
	}
	if (e->waiting)
		e->heap[i] = last;
	e->taken++;
	return first;
}

#endif
