/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run of bytes in memory that an operation fills or empties: one or more segments, the
 * program's or the kernel's. Advances as it is used. On a bad program address the copy stops
 * early: less than asked was copied and iter->fault is set.
 */
#pragma once

#include "lib/types.h"

struct iter_segment {
	void *base;
	size_t len;
};

struct iter {
	char *at;    /* the current segment: where to go on */
	size_t here; /* ... and how much of it is left; never more than 'left' */
	size_t left; /* bytes left in total */
	const struct iter_segment *segments; /* the current one, the caller's; NULL: the only one */
	unsigned count;			     /* segments after the current one */
	bool user;			     /* program memory: checked copies */
	bool fault;
};

/* count may be 0. */
void iter_init(struct iter *it, const struct iter_segment *segments, unsigned count, bool user);
static inline void iter_init_one(struct iter *it, void *base, size_t len, bool user)
{
	*it = (struct iter){ .at = base, .here = len, .left = len, .user = user };
}
/* No more than n bytes from here on. */
static inline void iter_truncate(struct iter *it, size_t n)
{
	if (unlikely(it->left > n)) {
		it->left = n;
		it->here = MIN(it->here, n);
	}
}
/* How much of the current segment is left, at it->at; skips used-up ones. 0 at the end. */
size_t iter_current(struct iter *it);
/* Bytes copied (and advanced). */
size_t iter_copy_to(struct iter *it, const void *src, size_t n); /* src -> iter */
size_t iter_copy_from(struct iter *it, void *dst, size_t n);	 /* iter -> dst */
size_t iter_zero(struct iter *it, size_t n);
void iter_advance(struct iter *it, size_t n);
/* Goes back by n bytes that were just advanced over. */
void iter_revert(struct iter *it, size_t n);
