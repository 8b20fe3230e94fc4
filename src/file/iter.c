/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/iter.h"
#include "cpu/uaccess.h"
#include "lib/bug.h"
#include "lib/string.h"

void iter_init(struct iter *it, const struct iter_segment *segments, unsigned count, bool user)
{
	*it = (struct iter){ .segments = segments, .count = count, .user = user };
	for (unsigned i = 0; i < count; i++)
		it->left += segments[i].len;
}

void iter_init_one(struct iter *it, void *base, size_t len, bool user)
{
	*it = (struct iter){ .count = 1, .left = len, .user = user, .one = { base, len } };
	it->segments = &it->one;
}

/* The current segment, skipping used-up ones; NULL at the end. */
static const struct iter_segment *current_segment(struct iter *it)
{
	while (it->count && it->offset == it->segments->len) {
		it->segments++;
		it->count--;
		it->offset = 0;
	}
	return it->count ? it->segments : NULL;
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

static size_t move(struct iter *it, char *other, size_t n, enum direction dir)
{
	const struct iter_segment *s;
	size_t done = 0;

	n = MIN(n, it->left);
	while (done < n && !it->fault && (s = current_segment(it))) {
		size_t piece = MIN(n - done, s->len - it->offset);
		size_t missed = move_piece(
			it, (char *)s->base + it->offset, other ? other + done : NULL, piece, dir);

		it->fault = missed != 0;
		it->offset += piece - missed;
		it->left -= piece - missed;
		done += piece - missed;
	}
	return done;
}

size_t iter_copy_to(struct iter *it, const void *src, size_t n)
{
	return move(it, (char *)src, n, TO_ITER);
}

size_t iter_copy_from(struct iter *it, void *dst, size_t n)
{
	return move(it, dst, n, FROM_ITER);
}

size_t iter_zero(struct iter *it, size_t n)
{
	return move(it, NULL, n, ZERO_ITER);
}

void iter_advance(struct iter *it, size_t n)
{
	const struct iter_segment *s;

	n = MIN(n, it->left);
	it->left -= n;
	while (n && (s = current_segment(it))) {
		size_t piece = MIN(n, s->len - it->offset);

		it->offset += piece;
		n -= piece;
	}
}

void iter_revert(struct iter *it, size_t n)
{
	it->left += n;
	while (n) {
		size_t piece = MIN(n, it->offset);

		it->offset -= piece;
		n -= piece;
		if (n) {
			it->segments--;
			it->count++;
			it->offset = it->segments->len;
		}
	}
}
