/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool of free pages that all CPUs share, after LLFree (Wrenger et al., USENIX ATC 2023),
 * simplified. Lock-free.
 *
 * RAM is cut into blocks of 2 MiB. A block has a 512-bit map (1 = taken) and a state word with the
 * number of pages that may still be promised:
 *
 *	allocate   state: count -= n by CAS, only if count >= n     (1) the promise
 *	           map:   0 -> 1 on an aligned run, by CAS          (2) the choice
 *	           no such run: count += n again, next block        (3)
 *	free       map:   1 -> 0                                    (4)
 *	           state: count += n                                (5)
 *
 * Invariant 1: count <= zero bits of the map - promises whose bit is not chosen yet. Bits become
 *   zero before the count grows (4 before 5) and the count shrinks before bits become one (1
 *   before 2). Hence a promise of a single page always finds its bit: a scan that misses it was
 *   overtaken by another CPU's success, so the whole is lock-free.
 * Invariant 2: count == 512 means that the map is all zero and no promise is open. A 2 MiB page is
 *   taken by one CAS 512 -> 0 and freed by adding 512; the map stays zero meanwhile, and nobody
 *   looks at it because the count is 0.
 *
 * This differs from the paper in having no tree level: a CPU keeps a block for itself (the
 * OWNED bit, only a preference) and looks for the next one from where it found the last.
 *
 * operation x operation, on any CPUs: take, take_many, give, give_word are all safe against each
 * other; a pool_hint is its CPU's own.
 */

#include "cpu/barrier.h"
#include "lib/bug.h"
#include "lib/types.h"
#include "mem/impl.h"

static inline struct page *block_page(uint32_t block, unsigned bit)
{
	return page_pool.pages + (uint64_t)block * BLOCK_PAGES + bit;
}

/* Promises n pages of the block. */
static bool block_promise(uint32_t block, uint32_t n)
{
	uint32_t old = load_relaxed(&page_pool.state[block]);

	while ((old & STATE_COUNT) >= n)
		if (atomic_cas(&page_pool.state[block], &old, old - n))
			return true;
	return false;
}

static void block_release(uint32_t block, uint32_t n)
{
	uint32_t old = atomic_add(&page_pool.state[block], n);

	BUG_ON((old & STATE_COUNT) + n > BLOCK_PAGES);
}

/* A bit at the start of each aligned run of 2^order zero bits, order <= 6. */
static uint64_t zero_runs(uint64_t word, unsigned order)
{
	static const uint64_t aligned[] = { ~0ull, 0x5555555555555555, 0x1111111111111111,
		0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1 };
	uint64_t free = ~word;

	for (unsigned i = 0; i < order; i++)
		free &= free >> (1u << i);
	return free & aligned[order];
}

/* Step 2 for runs inside one word. The bit number, or -1. */
static int map_take_run(struct block_map *m, unsigned order)
{
	uint64_t run = order == 6 ? ~0ull : (1ull << (1u << order)) - 1;

	for (unsigned i = 0; i < BLOCK_WORDS; i++) {
		uint64_t old = load_relaxed(&m->word[i]);
		uint64_t at;

		while ((at = zero_runs(old, order)) != 0) {
			unsigned bit = __builtin_ctzll(at);

			if (atomic_cas(&m->word[i], &old, old | run << bit))
				return i * 64 + bit;
		}
	}
	return -1;
}

/* Step 2 for orders 7 and 8: whole words, undone when one of them is not free. */
static int map_take_words(struct block_map *m, unsigned order)
{
	unsigned n = 1u << (order - 6);

	for (unsigned first = 0; first < BLOCK_WORDS; first += n) {
		unsigned i;

		for (i = 0; i < n; i++) {
			uint64_t zero = 0;

			if (!atomic_cas(&m->word[first + i], &zero, ~0ull))
				break;
		}
		if (i == n)
			return first * 64;
		while (i-- > 0)
			store_release(&m->word[first + i], 0);
	}
	return -1;
}

static struct page *block_take(uint32_t block, unsigned order)
{
	struct block_map *m = &page_pool.map[block];
	int bit;

	if (!block_promise(block, 1u << order))
		return NULL;
	do {
		bit = order <= 6 ? map_take_run(m, order) : map_take_words(m, order);
		if (bit >= 0)
			return block_page(block, bit);
	} while (order == 0); /* invariant 1: it is there */
	block_release(block, 1u << order);
	return NULL;
}

/* Up to want single pages in one go, from one word of the map. */
static unsigned block_take_many(uint32_t block, struct page **out, unsigned want)
{
	uint32_t old = load_relaxed(&page_pool.state[block]);
	unsigned promised, got = 0;

	do {
		promised = MIN(want, old & STATE_COUNT);
		if (promised == 0)
			return 0;
	} while (!atomic_cas(&page_pool.state[block], &old, old - promised));

	for (unsigned i = 0; i < BLOCK_WORDS && got < promised; i++) {
		uint64_t word = load_relaxed(&page_pool.map[block].word[i]);
		uint64_t take, left;

		do {
			take = 0;
			left = ~word;
			for (unsigned n = got; n < promised && left; n++) {
				take |= left & -left;
				left &= left - 1;
			}
		} while (take && !atomic_cas(&page_pool.map[block].word[i], &word, word | take));
		for (; take; take &= take - 1)
			out[got++] = block_page(block, i * 64 + __builtin_ctzll(take));
	}
	if (got < promised)
		block_release(block, promised - got);
	return got;
}

/* Which blocks the search for a new preferred block accepts, in this order. */
enum pass {
	PASS_PARTIAL, /* started by somebody and nobody's now: keeps whole blocks whole */
	PASS_WHOLE,
	PASS_ANY, /* another CPU's too */
	PASS_COUNT,
};

static bool pass_accepts(enum pass pass, uint32_t state, uint32_t n)
{
	uint32_t count = state & STATE_COUNT;

	if (count < n)
		return false;
	switch (pass) {
	case PASS_PARTIAL: return count < BLOCK_PAGES && !(state & STATE_OWNED);
	case PASS_WHOLE: return count == BLOCK_PAGES && !(state & STATE_OWNED);
	default: return true;
	}
}

static void prefer(struct pool_hint *h, uint32_t block)
{
	if (h->preferred)
		(void)atomic_and(&page_pool.state[h->preferred - 1], ~STATE_OWNED);
	h->preferred = block + 1;
	(void)atomic_or(&page_pool.state[block], STATE_OWNED);
}

/* The next block after 'from' (circular) that the pass accepts, starting at offset *step. */
static bool find_block(uint32_t from, uint32_t *step, enum pass pass, uint32_t n, uint32_t *block)
{
	uint32_t limit = page_pool.limit;

	for (; *step < limit; (*step)++) {
		uint32_t b = from + *step;

		if (b >= limit)
			b -= limit;
		if (pass_accepts(pass, load_relaxed(&page_pool.state[b]), n)) {
			*block = b;
			(*step)++;
			return true;
		}
	}
	return false;
}

static struct page *take_huge(struct pool_hint *h)
{
	uint32_t step = 0, block;

	while (find_block(h->next_huge, &step, PASS_ANY, BLOCK_PAGES, &block)) {
		uint32_t state = load_relaxed(&page_pool.state[block]);

		while ((state & STATE_COUNT) == BLOCK_PAGES)
			if (atomic_cas(&page_pool.state[block], &state, state - BLOCK_PAGES)) {
				h->next_huge = block + 1 < page_pool.limit ? block + 1 : 0;
				return block_page(block, 0);
			}
	}
	return NULL;
}

struct page *pool_take(struct pool_hint *h, unsigned order)
{
	struct page *page;
	uint32_t from = 0, step, block;

	if (order == PAGE_ORDER_HUGE)
		return take_huge(h);
	if (h->preferred) {
		from = h->preferred - 1;
		page = block_take(from, order);
		if (page)
			return page;
	}
	for (enum pass pass = 0; pass < PASS_COUNT; pass++) {
		step = 0;
		while (find_block(from, &step, pass, 1u << order, &block)) {
			page = block_take(block, order);
			if (!page)
				continue;
			if (pass != PASS_ANY)
				prefer(h, block);
			return page;
		}
	}
	return NULL;
}

unsigned pool_take_many(struct pool_hint *h, struct page **out, unsigned want)
{
	unsigned got = 0;

	if (h->preferred)
		got = block_take_many(h->preferred - 1, out, want);
	if (got)
		return got;
	out[0] = pool_take(h, 0);
	if (!out[0])
		return 0;
	got = 1;
	if (h->preferred && want > got) /* usually another block by now */
		got += block_take_many(h->preferred - 1, out + got, want - got);
	return got;
}

void pool_give_word(uint64_t word, uint64_t bits, unsigned n)
{
	uint32_t block = word / BLOCK_WORDS;
	uint64_t old = atomic_and(&page_pool.map[block].word[word % BLOCK_WORDS], ~bits);

	BUG_ON((old & bits) != bits); /* freed twice */
	block_release(block, n);
}

void pool_give(struct page *page, unsigned order)
{
	uint64_t n = page - page_pool.pages;
	uint32_t block = n / BLOCK_PAGES;

	if (order <= 6) {
		uint64_t run = order == 6 ? ~0ull : (1ull << (1u << order)) - 1;

		pool_give_word(n / 64, run << n % 64, 1u << order);
		return;
	}
	if (order < PAGE_ORDER_HUGE)
		for (unsigned i = 0; i < 1u << (order - 6); i++)
			BUG_ON(atomic_xchg(&page_pool.map[block].word[n % BLOCK_PAGES / 64 + i],
				       0) != ~0ull);
	block_release(block, 1u << order);
}
