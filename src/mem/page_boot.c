/* SPDX-License-Identifier: BSD-2-Clause */
/* Which physical pages are ours: from the boot loader's map to the pool's blocks. */

#include "cpu/barrier.h"
#include "cpu/boot_info.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/impl.h"
#include "mem/page.h"

#define LOW_RESERVED MIB(1)	  /* BIOS data, ACPI, the page that other CPUs start in */
#define BOOT_MAPPED  GIB(4)	  /* what the boot page tables map */
#define PHYS_LIMIT   (1ull << 46) /* PHYSMAP's size */
#define MERGE_GAP    MIB(16) /* holes up to this get struct pages rather than a region border */
#define MAX_FREE     (2 * BOOT_MAX_RANGES + 8)

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
		page_pool.region[i] = (struct region){ l.at[i].start, l.at[i].end, first_page };
		first_page += (l.at[i].end - l.at[i].start) >> PAGE_SHIFT;
	}
	page_pool.region_count = l.count;
	page_pool.blocks = first_page / BLOCK_PAGES;
}

/* Finds room for the struct pages and maps in memory that boot has mapped; drops the highest
 * memory when there is not enough for all of it. */
static void place_metadata(struct span_list *free, const struct boot_info *b)
{
	for (; free->count > 0; free->count--) {
		uint64_t page_bytes, map_bytes, bytes;

		find_regions(free, b);
		page_bytes = (uint64_t)page_pool.blocks * BLOCK_PAGES * sizeof(struct page);
		map_bytes = page_pool.blocks * sizeof(struct block_map);
		bytes = page_bytes + map_bytes + page_pool.blocks * sizeof(uint32_t);
		bytes = ALIGN_UP(bytes, PAGE_SIZE);
		for (unsigned i = 0; i < free->count; i++) {
			uint64_t start = free->at[i].start;

			if (MIN(free->at[i].end, BOOT_MAPPED) < start + bytes)
				continue;
			page_pool.pages = phys_to_virt(PADDR(start));
			page_pool.map = (void *)((char *)page_pool.pages + page_bytes);
			page_pool.state = (void *)((char *)page_pool.map + map_bytes);
			memset(page_pool.map, 0, bytes - page_bytes);
			span_subtract(free, start, start + bytes);
			return;
		}
	}
	BUG("no usable memory");
}

/* Pages [first, last) of one block become free. */
static void free_part(uint32_t block, unsigned first, unsigned last)
{
	struct block_map *m = &page_pool.map[block];

	if (last - first == BLOCK_PAGES) {
		page_pool.state[block] = BLOCK_PAGES;
		return;
	}
	if (page_pool.state[block] == 0) /* the first free part of this block */
		memset(m, 0xff, sizeof(*m));
	for (unsigned i = first; i < last; i++)
		m->word[i / 64] &= ~(1ull << (i % 64));
	page_pool.state[block] += last - first;
}

static void free_span(struct span s)
{
	uint64_t n = phys_to_page(PADDR(s.start)) - page_pool.pages;
	uint64_t end = n + ((s.end - s.start) >> PAGE_SHIFT);

	page_total += end - n;
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

	for (unsigned i = 0; i < page_pool.region_count; i++) {
		uint64_t at = page_pool.region[i].start;

		for (; f < free->count && free->at[f].start < page_pool.region[i].end; f++) {
			reserve(at, free->at[f].start);
			at = free->at[f].end;
		}
		reserve(at, page_pool.region[i].end);
	}
}

void page_init(const struct boot_info *boot)
{
	static struct span_list free; /* too big for a boot stack */

	free.count = 0;
	page_total = 0;
	find_free(&free, boot);
	place_metadata(&free, boot);
	for (unsigned i = 0; i < free.count; i++)
		free_span(free.at[i]);
	reserve_rest(&free);
	page_pool_free = page_total;
	page_pool.limit = page_pool.blocks;
	for (unsigned i = 0; i < page_pool.region_count; i++)
		if (page_pool.region[i].end > BOOT_MAPPED) {
			uint64_t low = page_pool.region[i].start < BOOT_MAPPED
					       ? BOOT_MAPPED - page_pool.region[i].start
					       : 0;

			page_pool.limit = (page_pool.region[i].first_page + (low >> PAGE_SHIFT)) /
					  BLOCK_PAGES;
			break;
		}
}

void page_open_high_memory(void)
{
	store_release(&page_pool.limit, page_pool.blocks);
}
