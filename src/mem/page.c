/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical page allocator: a cache of single pages per CPU, above the pool that all share
 * (mem/pool.c).
 *
 * Only a CPU's own threads touch its cache, and kernel code is not preempted, so it has no guard:
 * the usual page_alloc and page_put touch nothing that another CPU writes. An empty cache takes
 * half its limit from the pool at once, a full one gives half back, the pages of one word of a
 * block's map together. Cached pages count as free, their bits are set.
 *
 * operation x operation, on any CPUs: alloc, free, get, put, stats are all safe against each other.
 *
 * The struct page of a free page holds garbage: nothing about free pages is kept there, so boot
 * need not touch gigabytes of them. page_alloc writes it whole.
 */

#include "mem/page.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "diag/counter.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/impl.h"

#define CACHE_MAX 64u
#define REPORT	  128 /* pages by which a CPU may be ahead of page_pool_free */

COUNTER(page_refill);
COUNTER(page_drain);

struct page_pool page_pool;
uint64_t page_total, page_pool_free;

struct page_cpu { /* all zero is a valid initial state */
	uint32_t cached;
	uint32_t limit; /* of 'cached'; worked out when it is reached */
	struct pool_hint hint;
	int64_t taken; /* from the pool and not yet subtracted from page_pool_free */
	/* Pages allocated - freed on this CPU: only the sum over CPUs means something. */
	int64_t used;		       /* atomic: others read it */
	struct page *cache[CACHE_MAX]; /* the last one freed is the first one used */
};
static DEFINE_PERCPU(struct page_cpu, page_cpu);

#ifdef SKIFF_HOST
bool (*mem_alloc_must_fail)(void);

void page_forget_cpus(void)
{
	memset(page_cpu_percpu, 0, sizeof(page_cpu_percpu));
}
#endif

/* ---- struct page and addresses ---- */

bool page_region(unsigned i, uint64_t *start, uint64_t *end)
{
	if (i >= page_pool.region_count)
		return false;
	*start = page_pool.region[i].start;
	*end = page_pool.region[i].end;
	return true;
}

struct page *phys_to_page(paddr_t pa)
{
	for (unsigned i = 0; i < page_pool.region_count; i++)
		if (pa.raw - page_pool.region[i].start <
			page_pool.region[i].end - page_pool.region[i].start)
			return page_pool.pages + page_pool.region[i].first_page +
			       ((pa.raw - page_pool.region[i].start) >> PAGE_SHIFT);
	return NULL;
}

paddr_t page_to_phys(const struct page *page)
{
	uint64_t n = page - page_pool.pages;
	unsigned i = page_pool.region_count - 1;

	while (n < page_pool.region[i].first_page)
		i--;
	return PADDR(
		page_pool.region[i].start + ((n - page_pool.region[i].first_page) << PAGE_SHIFT));
}

/* ---- per-CPU cache of single pages ---- */

/* All caches together hold at most 1/256 of RAM, and no fewer than 4 pages each. */
static uint32_t cache_limit(void)
{
	uint64_t n = page_total / 256 / cpu_count();

	return n < 4 ? 4 : n > CACHE_MAX ? CACHE_MAX : n;
}

/* n more pages of the pool are this CPU's. */
static void took(struct page_cpu *c, int64_t n)
{
	c->taken += n;
	if (c->taken < REPORT && c->taken > -REPORT)
		return;
	(void)atomic_sub(&page_pool_free, c->taken);
	c->taken = 0;
}

static bool cache_refill(struct page_cpu *c)
{
	counter_inc(page_refill);
	c->limit = cache_limit();
	c->cached = pool_take_many(&c->hint, c->cache, c->limit / 2);
	took(c, c->cached);
	return c->cached;
}

/* The pages that were freed longest ago go, those of one word of the pool's maps together. */
static void cache_drain(struct page_cpu *c, uint32_t keep)
{
	uint32_t out = c->cached > keep ? c->cached - keep : 0;

	counter_inc(page_drain);
	took(c, -(int64_t)out);
	for (uint32_t left = out; left;) {
		uint64_t word = (c->cache[left - 1] - page_pool.pages) / 64, bits = 0;
		uint32_t others = 0;

		for (uint32_t i = 0; i < left; i++) {
			uint64_t n = c->cache[i] - page_pool.pages;

			if (n / 64 != word)
				c->cache[others++] = c->cache[i];
			else if (bits & 1ull << n % 64)
				BUG("a page was freed twice");
			else
				bits |= 1ull << n % 64;
		}
		pool_give_word(word, bits, left - others);
		left = others;
	}
	c->cached -= out;
	memmove(c->cache, c->cache + out, c->cached * sizeof(c->cache[0]));
}

void page_drain_cache(void)
{
	cache_drain(this_cpu(page_cpu), 0);
}

/* ---- the interface ---- */

static inline void account(struct page_cpu *c, int64_t n)
{
	store_relaxed(&c->used, c->used + n); /* other CPUs only read it */
}

struct page *page_alloc(unsigned order)
{
	struct page_cpu *c = this_cpu(page_cpu);
	struct page *page;

	BUG_ON(order > PAGE_ORDER_HUGE);
	if (mem_alloc_fails())
		return NULL;
	if (likely(order == 0)) {
		if (unlikely(c->cached == 0) && !cache_refill(c))
			return NULL;
		page = c->cache[--c->cached];
	} else {
		page = pool_take(&c->hint, order);
		if (!page && c->cached) {
			cache_drain(c, 0); /* may complete a run */
			page = pool_take(&c->hint, order);
		}
		if (!page)
			return NULL;
		took(c, 1ll << order);
	}
	account(c, 1ll << order);
	*page = (struct page){ .refcount = 1, .order = order };
	return page;
}

struct page *page_alloc_zeroed(unsigned order)
{
	struct page *page = page_alloc(order);

	if (page)
		page_clear(page, order);
	return page;
}

void page_get(struct page *page)
{
	if (load_relaxed(&page->flags) & PAGE_RESERVED)
		return;
	BUG_ON(__atomic_fetch_add(&page->refcount, 1, __ATOMIC_RELAXED) == 0);
}

static void page_free(struct page *page)
{
	struct page_cpu *c = this_cpu(page_cpu);
	unsigned order = page->order;

	account(c, -(1ll << order));
	if (order > 0) {
		took(c, -(1ll << order));
		pool_give(page, order);
		return;
	}
	if (unlikely(c->cached >= c->limit)) {
		c->limit = cache_limit();
		if (c->cached >= c->limit)
			cache_drain(c, c->limit / 2);
	}
	c->cache[c->cached++] = page;
}

void page_put(struct page *page)
{
	if (load_relaxed(&page->flags) & PAGE_RESERVED)
		return;
	/* The only holder needs no atomic decrement: nobody else can add a reference. */
	if (load_acquire(&page->refcount) != 1) {
		uint32_t old = atomic_sub(&page->refcount, 1);

		BUG_ON(old == 0);
		if (old != 1)
			return;
	}
	store_relaxed(&page->refcount, 0);
	page_free(page);
}

void page_put_many(struct page **list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		page_put(list[i]);
}

void page_split(struct page *page)
{
	uint64_t n = page - page_pool.pages;
	unsigned order = page->order;

	BUG_ON(load_relaxed(&page->refcount) != 1 || (page->flags & PAGE_RESERVED));
	if (order == PAGE_ORDER_HUGE) /* until now only the count said that it is taken */
		for (unsigned i = 0; i < BLOCK_WORDS; i++)
			store_relaxed(&page_pool.map[n / BLOCK_PAGES].word[i], ~0ull);
	for (unsigned i = 0; i < 1u << order; i++)
		page[i] = (struct page){ .refcount = 1, .flags = page->flags };
}

struct page_stats page_stats(void)
{
	struct page_stats s = { .total = page_total };
	int64_t used = 0;

	for_each_cpu (n)
		used += load_relaxed(&cpu_of(page_cpu, n)->used);
	if (used < 0) /* the CPUs are read one after the other */
		used = 0;
	s.free = (uint64_t)used < s.total ? s.total - used : 0;
	return s;
}
