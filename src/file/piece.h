/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that move between files by reference: part of a page of a file, of a pipe's page, of a
 * received packet. Several may hold them at once, so nobody writes through a piece; the file they
 * came from may be written meanwhile, and then all see it (sendfile(2), splice(2)).
 *
 * A piece with len > 0 has a reference on its owner, which piece_put gives back. One that is used
 * up has len 0 and no reference.
 */
#pragma once

#include "file/iter.h"
#include "lib/types.h"

struct page;

struct piece_ops { /* callable from any thread; do not sleep */
	void (*get)(void *owner);
	void (*put)(void *owner);
};
extern const struct piece_ops piece_of_page; /* the owner is a struct page of order 0 */

struct piece {
	uint8_t *data;
	uint32_t len;
	bool packet; /* a pipe's: a read takes it whole (O_DIRECT) */
	void *owner;
	const struct piece_ops *ops;
};

#define PIECES_MAX 16 /* what is moved at a time: 64 KiB in pages */

enum piece_flags {
	PIECES_MORE = 1,     /* others will follow at once */
	PIECES_NONBLOCK = 2, /* for this call only */
};

static inline void piece_get(const struct piece *p)
{
	p->ops->get(p->owner);
}
static inline void piece_put(struct piece *p)
{
	if (p->len)
		p->ops->put(p->owner);
	p->len = 0;
}
/* Cuts n bytes off the front, which are not needed any more. */
static inline void piece_advance(struct piece *p, uint32_t n)
{
	if (n == p->len) {
		piece_put(p);
	} else {
		p->data += n;
		p->len -= n;
	}
}
/* The first n bytes as a piece of their own, n > 0. */
static inline struct piece piece_take(struct piece *p, uint32_t n)
{
	struct piece front = *p;

	front.len = n;
	if (n == p->len) {
		p->len = 0;
	} else {
		piece_get(p);
		p->data += n;
		p->len -= n;
	}
	return front;
}

/*
 * The program's memory at the front of 'from', which does not move on: up to n bytes, a piece for
 * each page that they lie in, 'max' at most (PIECES_MAX or less). What the program does with its
 * mapping later changes nothing about the pieces; what it writes to that memory may show in them.
 * Their number; *err is why it ends before (-EFAULT, -ENOMEM), or 0.
 */
unsigned pieces_pin(const struct iter *from, size_t n, struct piece *p, unsigned max, int *err);
/* Set by syscall/: vm_pin for the running program. */
extern int (*pieces_pin_pages)(uintptr_t addr, size_t len, struct page **pages, unsigned max);

size_t pieces_bytes(const struct piece *p, unsigned count);
void pieces_advance(struct piece *p, unsigned count, size_t n);
void pieces_put(struct piece *p, unsigned count);
/* As kernel memory to copy from, in PIECES_MAX segments of the caller's. */
void pieces_iter(
	const struct piece *p, unsigned count, struct iter_segment *segments, struct iter *it);
/* Part of a page of zeroes, n bytes; a hole in a file. False: no memory. */
bool piece_of_zeroes(struct piece *p, uint32_t n);
