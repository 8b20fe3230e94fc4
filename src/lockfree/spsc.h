/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of pointers between one producer and one consumer.
 *
 *	             put               get               count
 *	put          one at a time     safe              safe
 *	get          safe              one at a time     safe
 *	count        safe              safe              safe (exact only on one's own side)
 *
 * Never sleeps or allocates: the owner gives the slots, a power of two of them. Callable from
 * interrupt handlers as long as each side stays a single one.
 *
 * Argument: 'tail' is written by the producer only, 'head' by the consumer only; both count up and
 * wrap, their difference is the number of filled slots. put fills a slot and then releases tail
 * (pairs with get's acquire of tail: the slot's content is visible). get reads a slot and then
 * releases head (pairs with put's acquire of head: the slot may be overwritten). Each side keeps a
 * copy of the other's index and rereads it only when the copy says full or empty, so that the
 * other's cache line is touched about once per ring.
 */
#pragma once

#include "cpu/barrier.h"
#include "lib/types.h"

struct spsc {
	/* fixed */
	void **slots;
	uint32_t mask;
	/* producer's */
	uint32_t tail __aligned(CACHE_LINE); /* atomic */
	uint32_t head_seen;
	/* consumer's */
	uint32_t head __aligned(CACHE_LINE); /* atomic */
	uint32_t tail_seen;
};

static inline void spsc_init(struct spsc *r, void **slots, uint32_t count)
{
	*r = (struct spsc){ .slots = slots, .mask = count - 1 };
}

/* False: full. */
static inline bool spsc_put(struct spsc *r, void *item)
{
	uint32_t tail = r->tail;

	if (tail - r->head_seen > r->mask) {
		r->head_seen = load_acquire(&r->head);
		if (tail - r->head_seen > r->mask)
			return false;
	}
	r->slots[tail & r->mask] = item;
	store_release(&r->tail, tail + 1);
	return true;
}

/* NULL: empty. */
static inline void *spsc_get(struct spsc *r)
{
	uint32_t head = r->head;
	void *item;

	if (head == r->tail_seen) {
		r->tail_seen = load_acquire(&r->tail);
		if (head == r->tail_seen)
			return NULL;
	}
	item = r->slots[head & r->mask];
	store_release(&r->head, head + 1);
	return item;
}

static inline uint32_t spsc_count(const struct spsc *r)
{
	return load_acquire(&r->tail) - load_acquire(&r->head);
}
