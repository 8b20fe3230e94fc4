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
	const struct iter_segment *segments; /* the caller's, unchanged */
	unsigned count;			     /* segments left, the current one included */
	size_t offset;			     /* in the current segment */
	size_t left;			     /* bytes left in total */
	bool user;			     /* program memory: checked copies */
	bool fault;
	struct iter_segment one; /* for the single-segment constructors */
};

void iter_init(struct iter *it, const struct iter_segment *segments, unsigned count, bool user);
void iter_init_one(struct iter *it, void *base, size_t len, bool user);
/* Bytes copied (and advanced). */
size_t iter_copy_to(struct iter *it, const void *src, size_t n); /* src -> iter */
size_t iter_copy_from(struct iter *it, void *dst, size_t n);	 /* iter -> dst */
size_t iter_zero(struct iter *it, size_t n);
void iter_advance(struct iter *it, size_t n);
/* Goes back by n bytes that were just advanced over. */
void iter_revert(struct iter *it, size_t n);
