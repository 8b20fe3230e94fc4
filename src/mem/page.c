/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical page allocator, after LLFree (Wrenger et al., USENIX ATC 2023), simplified.
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
 * Above that, each CPU caches single pages; only its own threads touch the cache, and kernel code
 * is not preempted, so it has no guard. Cached pages count as free, their bits are set.
 *
 * operation x operation, on any CPUs: alloc, free, get, put, stats are all safe against each other.
 *
 * The struct page of a free page holds garbage: nothing about free pages is kept there, so boot
 * need not touch gigabytes of them. page_alloc writes it whole.
 */

#include "mem/page.h"
#include "cpu/barrier.h"
#include "cpu/boot_info.h"
#include "cpu/percpu.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/impl.h"

#define BLOCK_PAGES  512u
#define BLOCK_WORDS  8u
#define LOW_RESERVED MIB(1)	  /* BIOS data, ACPI, the page that other CPUs start in */
#define BOOT_MAPPED  GIB(4)	  /* what the boot page tables map */
#define PHYS_LIMIT   (1ull << 46) /* PHYSMAP's size */
#define MERGE_GAP    MIB(16) /* holes up to this get struct pages rather than a region border */
#define MAX_REGIONS  (BOOT_MAX_RANGES + 4)
#define MAX_FREE     (2 * BOOT_MAX_RANGES + 8)
#define CACHE_MAX    64u

#define STATE_COUNT 0xffffu
#define STATE_OWNED 0x10000u /* some CPU prefers this block */

/* All of a block on one cache line but for the state words, which are scanned. */
struct block_map {
	uint64_t word[BLOCK_WORDS];
} __aligned(CACHE_LINE);

/* Physical memory [start, end), 2 MiB aligned, whose struct pages start at pages + first_page. */
struct region {
	uint64_t start, end;
	uint64_t first_page;
};

/* Fixed after page_init. */
static struct region region[MAX_REGIONS];
static unsigned region_count;
static struct page *pages;
static struct block_map *block_map;
static uint32_t *block_state; /* atomic */
static uint32_t block_total;
static uint32_t block_limit; /* blocks from here on are not mapped yet; rises once, at boot */
static uint64_t total_pages;

struct page_cpu { /* all zero is a valid initial state */
	uint32_t cached;
	uint32_t preferred; /* block + 1, 0: none */
	uint32_t next_huge; /* where the last 2 MiB page was found */
	int64_t used; /* pages allocated - freed on this CPU; only the sum over CPUs means something
		       */
	struct page *cache[CACHE_MAX];
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
	if (i >= region_count)
		return false;
	*start = region[i].start;
	*end = region[i].end;
	return true;
}

struct page *phys_to_page(paddr_t pa)
{
	for (unsigned i = 0; i < region_count; i++)
		if (pa.raw - region[i].start < region[i].end - region[i].start)
			return pages + region[i].first_page +
			       ((pa.raw - region[i].start) >> PAGE_SHIFT);
	return NULL;
}

paddr_t page_to_phys(const struct page *page)
{
	uint64_t n = page - pages;
	unsigned i = region_count - 1;

	while (n < region[i].first_page)
		i--;
	return PADDR(region[i].start + ((n - region[i].first_page) << PAGE_SHIFT));
}

static inline struct page *block_page(uint32_t block, unsigned bit)
{
	return pages + (uint64_t)block * BLOCK_PAGES + bit;
}

/* ---- the common pool ---- */

/* Promises n pages of the block. */
static bool block_promise(uint32_t block, uint32_t n)
{
	uint32_t old = load_relaxed(&block_state[block]);

	while ((old & STATE_COUNT) >= n)
		if (atomic_cas(&block_state[block], &old, old - n))
			return true;
	return false;
}

static void block_release(uint32_t block, uint32_t n)
{
	uint32_t old = atomic_add(&block_state[block], n);

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
	struct block_map *m = &block_map[block];
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
	uint32_t old = load_relaxed(&block_state[block]);
	unsigned promised, got = 0;

	do {
		promised = MIN(want, old & STATE_COUNT);
		if (promised == 0)
			return 0;
	} while (!atomic_cas(&block_state[block], &old, old - promised));

	for (unsigned i = 0; i < BLOCK_WORDS && got < promised; i++) {
		uint64_t word = load_relaxed(&block_map[block].word[i]);
		uint64_t take, left;

		do {
			take = 0;
			left = ~word;
			for (unsigned n = got; n < promised && left; n++) {
				take |= left & -left;
				left &= left - 1;
			}
		} while (take && !atomic_cas(&block_map[block].word[i], &word, word | take));
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

static void prefer(struct page_cpu *c, uint32_t block)
{
	if (c->preferred)
		(void)atomic_and(&block_state[c->preferred - 1], ~STATE_OWNED);
	c->preferred = block + 1;
	(void)atomic_or(&block_state[block], STATE_OWNED);
}

/* The next block after 'from' (circular) that the pass accepts, starting at offset *step. */
static bool find_block(uint32_t from, uint32_t *step, enum pass pass, uint32_t n, uint32_t *block)
{
	uint32_t limit = block_limit;

	for (; *step < limit; (*step)++) {
		uint32_t b = from + *step;

		if (b >= limit)
			b -= limit;
		if (pass_accepts(pass, load_relaxed(&block_state[b]), n)) {
			*block = b;
			(*step)++;
			return true;
		}
	}
	return false;
}

static struct page *take_huge(struct page_cpu *c)
{
	uint32_t step = 0, block;

	while (find_block(c->next_huge, &step, PASS_ANY, BLOCK_PAGES, &block)) {
		uint32_t state = load_relaxed(&block_state[block]);

		while ((state & STATE_COUNT) == BLOCK_PAGES)
			if (atomic_cas(&block_state[block], &state, state - BLOCK_PAGES)) {
				c->next_huge = block + 1 < block_limit ? block + 1 : 0;
				return block_page(block, 0);
			}
	}
	return NULL;
}

static struct page *take_from_pool(struct page_cpu *c, unsigned order)
{
	struct page *page;
	uint32_t from = 0, step, block;

	if (order == PAGE_ORDER_HUGE)
		return take_huge(c);
	if (c->preferred) {
		from = c->preferred - 1;
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
				prefer(c, block);
			return page;
		}
	}
	return NULL;
}

static void give_to_pool(struct page *page, unsigned order)
{
	uint64_t n = page - pages;
	uint32_t block = n / BLOCK_PAGES;
	unsigned bit = n % BLOCK_PAGES;

	if (order <= 6) {
		uint64_t run = (order == 6 ? ~0ull : (1ull << (1u << order)) - 1) << (bit % 64);
		uint64_t old = atomic_and(&block_map[block].word[bit / 64], ~run);

		BUG_ON((old & run) != run); /* freed twice */
	} else if (order < PAGE_ORDER_HUGE) {
		for (unsigned i = 0; i < 1u << (order - 6); i++)
			BUG_ON(atomic_xchg(&block_map[block].word[bit / 64 + i], 0) != ~0ull);
	}
	block_release(block, 1u << order);
}

/* ---- per-CPU cache of single pages ---- */

/* All caches together hold at most 1/256 of RAM, and no fewer than 4 pages each. */
static uint32_t cache_limit(void)
{
	uint64_t n = total_pages / 256 / cpu_count();

	return n < 4 ? 4 : n > CACHE_MAX ? CACHE_MAX : n;
}

static bool cache_refill(struct page_cpu *c)
{
	uint32_t want = cache_limit() / 2;

	if (c->preferred)
		c->cached = block_take_many(c->preferred - 1, c->cache, want);
	if (c->cached)
		return true;
	c->cache[0] = take_from_pool(c, 0);
	c->cached = c->cache[0] != NULL;
	return c->cached;
}

static void cache_drain(struct page_cpu *c, uint32_t keep)
{
	while (c->cached > keep)
		give_to_pool(c->cache[--c->cached], 0);
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
		page = take_from_pool(c, order);
		if (!page && c->cached) {
			cache_drain(c, 0); /* may complete a run */
			page = take_from_pool(c, order);
		}
		if (!page)
			return NULL;
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
		give_to_pool(page, order);
		return;
	}
	if (unlikely(c->cached == CACHE_MAX) || unlikely(c->cached >= cache_limit()))
		cache_drain(c, c->cached / 2);
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
	uint64_t n = page - pages;
	unsigned order = page->order;

	BUG_ON(load_relaxed(&page->refcount) != 1 || (page->flags & PAGE_RESERVED));
	if (order == PAGE_ORDER_HUGE) /* until now only the count said that it is taken */
		for (unsigned i = 0; i < BLOCK_WORDS; i++)
			store_relaxed(&block_map[n / BLOCK_PAGES].word[i], ~0ull);
	for (unsigned i = 0; i < 1u << order; i++)
		page[i] = (struct page){ .refcount = 1, .flags = page->flags };
}

struct page_stats page_stats(void)
{
	struct page_stats s = { .total = total_pages };
	int64_t used = 0;

	for_each_cpu (n)
		used += load_relaxed(&cpu_of(page_cpu, n)->used);
	if (used < 0) /* the CPUs are read one after the other */
		used = 0;
	s.free = (uint64_t)used < s.total ? s.total - used : 0;
	return s;
}

void page_open_high_memory(void)
{
	store_release(&block_limit, block_total);
}

/* ---- boot ---- */

struct span {
	uint64_t start, end;
};
struct span_list {
	struct span at[MAX_FREE];
	unsigned count;
};

static void span_remove_at(struct span_list *l, unsigned i)
{
	l->count--;
	memmove(&l->at[i], &l->at[i + 1], (l->count - i) * sizeof(l->at[0]));
}

static void span_insert_at(struct span_list *l, unsigned i, struct span s)
{
	BUG_ON(l->count == ARRAY_SIZE(l->at));
	memmove(&l->at[i + 1], &l->at[i], (l->count - i) * sizeof(l->at[0]));
	l->at[i] = s;
	l->count++;
}

/* Keeps the list sorted and disjoint; spans closer than gap become one. */
static void span_add(struct span_list *l, uint64_t start, uint64_t end, uint64_t gap)
{
	unsigned i = 0;

	if (start >= end)
		return;
	while (i < l->count && l->at[i].end + gap < start)
		i++;
	while (i < l->count && l->at[i].start <= end + gap) {
		start = MIN(start, l->at[i].start);
		end = MAX(end, l->at[i].end);
		span_remove_at(l, i);
	}
	span_insert_at(l, i, (struct span){ start, end });
}

static void span_subtract(struct span_list *l, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	for (unsigned i = 0; i < l->count; i++) {
		struct span s = l->at[i];

		if (s.end <= start || s.start >= end)
			continue;
		span_remove_at(l, i);
		if (end < s.end)
			span_insert_at(l, i, (struct span){ end, s.end });
		if (s.start < start)
			span_insert_at(l, i, (struct span){ s.start, start });
	}
}

/* Addresses from outside: no wrap, nothing beyond PHYSMAP. */
static uint64_t clip(uint64_t a)
{
	return a < PHYS_LIMIT ? a : PHYS_LIMIT;
}

static void find_free(struct span_list *l, const struct boot_info *b)
{
	unsigned n = MIN(b->range_count, (unsigned)BOOT_MAX_RANGES);

	for (unsigned i = 0; i < n; i++) {
		const struct boot_range *r = &b->range[i];

		if (r->usable)
			span_add(l, ALIGN_UP(clip(r->start), PAGE_SIZE),
				ALIGN_DOWN(clip(r->end), PAGE_SIZE), 0);
	}
	for (unsigned i = 0; i < n; i++) { /* what two ranges disagree on is not ours */
		const struct boot_range *r = &b->range[i];

		if (!r->usable)
			span_subtract(l, ALIGN_DOWN(clip(r->start), PAGE_SIZE),
				ALIGN_UP(clip(r->end), PAGE_SIZE));
	}
	span_subtract(l, 0, LOW_RESERVED);
	span_subtract(l, ALIGN_DOWN(clip(b->kernel_start), PAGE_SIZE),
		ALIGN_UP(clip(b->kernel_end), PAGE_SIZE));
	span_subtract(l, ALIGN_DOWN(clip(b->initrd_start), PAGE_SIZE),
		ALIGN_UP(clip(b->initrd_end), PAGE_SIZE));
}

static void region_add(struct span_list *l, uint64_t start, uint64_t end)
{
	if (start < end)
		span_add(l, ALIGN_DOWN(clip(start), HUGE_SIZE), ALIGN_UP(clip(end), HUGE_SIZE),
			MERGE_GAP);
}

static void find_regions(const struct span_list *free, const struct boot_info *b)
{
	struct span_list l = { .count = 0 };
	uint64_t first_page = 0;

	for (unsigned i = 0; i < free->count; i++)
		region_add(&l, free->at[i].start, free->at[i].end);
	region_add(&l, b->kernel_start, b->kernel_end);
	region_add(&l, b->initrd_start, b->initrd_end);
	BUG_ON(l.count > MAX_REGIONS);
	for (unsigned i = 0; i < l.count; i++) {
		region[i] = (struct region){ l.at[i].start, l.at[i].end, first_page };
		first_page += (l.at[i].end - l.at[i].start) >> PAGE_SHIFT;
	}
	region_count = l.count;
	block_total = first_page / BLOCK_PAGES;
}

/* Finds room for the struct pages and maps in memory that boot has mapped; drops the highest
 * memory when there is not enough for all of it. */
static void place_metadata(struct span_list *free, const struct boot_info *b)
{
	for (; free->count > 0; free->count--) {
		uint64_t page_bytes, map_bytes, bytes;

		find_regions(free, b);
		page_bytes = (uint64_t)block_total * BLOCK_PAGES * sizeof(struct page);
		map_bytes = block_total * sizeof(struct block_map);
		bytes = page_bytes + map_bytes + block_total * sizeof(uint32_t);
		bytes = ALIGN_UP(bytes, PAGE_SIZE);
		for (unsigned i = 0; i < free->count; i++) {
			uint64_t start = free->at[i].start;

			if (MIN(free->at[i].end, BOOT_MAPPED) < start + bytes)
				continue;
			pages = phys_to_virt(PADDR(start));
			block_map = (void *)((char *)pages + page_bytes);
			block_state = (void *)((char *)block_map + map_bytes);
			memset(block_map, 0, bytes - page_bytes);
			span_subtract(free, start, start + bytes);
			return;
		}
	}
	BUG("no usable memory");
}

/* Pages [first, last) of one block become free. */
static void free_part(uint32_t block, unsigned first, unsigned last)
{
	struct block_map *m = &block_map[block];

	if (last - first == BLOCK_PAGES) {
		block_state[block] = BLOCK_PAGES;
		return;
	}
	if (block_state[block] == 0) /* the first free part of this block */
		memset(m, 0xff, sizeof(*m));
	for (unsigned i = first; i < last; i++)
		m->word[i / 64] &= ~(1ull << (i % 64));
	block_state[block] += last - first;
}

static void free_span(struct span s)
{
	uint64_t n = phys_to_page(PADDR(s.start)) - pages;
	uint64_t end = n + ((s.end - s.start) >> PAGE_SHIFT);

	total_pages += end - n;
	while (n < end) {
		uint64_t stop = MIN(end, ALIGN_DOWN(n, BLOCK_PAGES) + BLOCK_PAGES);

		free_part(n / BLOCK_PAGES, n % BLOCK_PAGES, (stop - 1) % BLOCK_PAGES + 1);
		n = stop;
	}
}

static void reserve(uint64_t start, uint64_t end)
{
	struct page *page = start < end ? phys_to_page(PADDR(start)) : NULL;

	for (uint64_t n = (end - start) >> PAGE_SHIFT; page && n > 0; n--)
		*page++ = (struct page){ .refcount = 1, .flags = PAGE_RESERVED };
}

/* Everything in the regions that is not free. */
static void reserve_rest(const struct span_list *free)
{
	unsigned f = 0;

	for (unsigned i = 0; i < region_count; i++) {
		uint64_t at = region[i].start;

		for (; f < free->count && free->at[f].start < region[i].end; f++) {
			reserve(at, free->at[f].start);
			at = free->at[f].end;
		}
		reserve(at, region[i].end);
	}
}

void page_init(const struct boot_info *boot)
{
	static struct span_list free; /* too big for a boot stack */

	free.count = 0;
	total_pages = 0;
	find_free(&free, boot);
	place_metadata(&free, boot);
	for (unsigned i = 0; i < free.count; i++)
		free_span(free.at[i]);
	reserve_rest(&free);
	block_limit = block_total;
	for (unsigned i = 0; i < region_count; i++)
		if (region[i].end > BOOT_MAPPED) {
			uint64_t low =
				region[i].start < BOOT_MAPPED ? BOOT_MAPPED - region[i].start : 0;

			block_limit = (region[i].first_page + (low >> PAGE_SHIFT)) / BLOCK_PAGES;
			break;
		}
}
