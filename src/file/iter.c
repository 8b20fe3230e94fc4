/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/iter.h"
#include "cpu/uaccess.h"
#include "lib/bug.h"
#include "lib/string.h"

void iter_init(struct iter *it, const struct iter_segment *segments, unsigned count, bool user)
{
	*it = (struct iter){ .user = user };
	if (!count)
		return;
	it->segments = segments;
	it->count = count - 1;
	it->at = segments->base;
	it->here = segments->len;
	for (unsigned i = 0; i < count; i++)
		it->left += segments[i].len;
}

size_t iter_current(struct iter *it)
{
	while (!it->here && it->count) {
		it->segments++;
		it->count--;
		it->at = it->segments->base;
		it->here = MIN(it->segments->len, it->left);
	}
	return it->here;
}

static void advance_here(struct iter *it, size_t n)
{
	it->at += n;
	it->here -= n;
	it->left -= n;
}

enum direction { TO_ITER, FROM_ITER, ZERO_ITER };

/* clear_user failed somewhere: up to where can it be done? Bytes not done. */
static size_t zero_partial(char *place, size_t n)
{
	static const char zeros[64];

	while (n) {
		size_t piece = MIN(n, sizeof(zeros)),
		       missed = copy_to_user_partial(place, zeros, piece);

		n -= piece - missed;
		place += piece;
		if (missed)
			break;
	}
	return n;
}

/* Bytes not done. */
static size_t move_piece(struct iter *it, void *place, char *other, size_t n, enum direction dir)
{
	if (!it->user) {
		if (dir == TO_ITER)
			memcpy(place, other, n);
		else if (dir == FROM_ITER)
			memcpy(other, place, n);
		else
			memset(place, 0, n);
		return 0;
	}
	if (dir == TO_ITER)
		return copy_to_user_partial(place, other, n);
	if (dir == FROM_ITER)
		return copy_from_user_partial(other, place, n);
	return clear_user(place, n) ? zero_partial(place, n) : 0;
}

/* Whatever n is: several segments, kernel memory, the rest of what there is. Once for each dir. */
static __always_inline size_t move(struct iter *it, char *other, size_t n, enum direction dir)
{
	size_t done = 0, here;

	n = MIN(n, it->left);
	while (done < n && !it->fault && (here = iter_current(it))) {
		size_t piece = MIN(n - done, here);
		size_t missed = move_piece(it, it->at, other ? other + done : NULL, piece, dir);

		it->fault = missed != 0;
		advance_here(it, piece - missed);
		done += piece - missed;
	}
	return done;
}

static __noinline size_t move_to(struct iter *it, const void *src, size_t n)
{
	return move(it, (char *)src, n, TO_ITER);
}

static __noinline size_t move_from(struct iter *it, void *dst, size_t n)
{
	return move(it, dst, n, FROM_ITER);
}

size_t iter_copy_to(struct iter *it, const void *src, size_t n)
{
	size_t missed;

	if (unlikely(n > it->here || !it->user))
		return move_to(it, src, n);
	missed = copy_to_user_partial(it->at, src, n);
	if (unlikely(missed)) {
		it->fault = true;
		n -= missed;
	}
	advance_here(it, n);
	return n;
}

size_t iter_copy_from(struct iter *it, void *dst, size_t n)
{
	size_t missed;

	if (unlikely(n > it->here || !it->user))
		return move_from(it, dst, n);
	missed = copy_from_user_partial(dst, it->at, n);
	if (unlikely(missed)) {
		it->fault = true;
		n -= missed;
	}
	advance_here(it, n);
	return n;
}

size_t iter_zero(struct iter *it, size_t n)
{
	return move(it, NULL, n, ZERO_ITER);
}

void iter_advance(struct iter *it, size_t n)
{
	size_t here;

	n = MIN(n, it->left);
	while (n && (here = iter_current(it))) {
		size_t piece = MIN(n, here);

		advance_here(it, piece);
		n -= piece;
	}
}

void iter_revert(struct iter *it, size_t n)
{
	while (n) {
		size_t piece = n;

		if (it->segments)
			piece = MIN(n, (size_t)(it->at - (char *)it->segments->base));
		it->at -= piece;
		it->here += piece;
		it->left += piece;
		n -= piece;
		if (n) {
			it->segments--;
			it->count++;
			it->at = (char *)it->segments->base + it->segments->len;
			it->here = 0;
		}
	}
}
