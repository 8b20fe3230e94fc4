/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical pages. Never sleeps; lock-free between CPUs, per-CPU caches on the fast path. NULL
 * means no memory. Every page of RAM, the root image's included, has a struct page.
 *
 * A page from page_alloc has one reference; the last page_put frees it. Blocks of 2^order pages
 * are naturally aligned and freed as a whole (only the first struct page counts).
 */
#pragma once

#include "lib/types.h"
#include "cpu/bulk.h"
#include "cpu/layout.h"
#include "lib/string.h"

#define PAGE_ORDER_HUGE 9 /* 2 MiB */

enum page_flags {
	PAGE_RESERVED = 1, /* kernel image, root image, holes: put never frees it */
	PAGE_DIRTY = 2,	   /* page cache: newer than its store (atomic or) */
};

struct page {
	uint32_t refcount; /* atomic */
	uint16_t flags;	   /* atomic */
	uint8_t order;	   /* fixed while allocated */
	uint8_t pad;
	union { /* of whoever owns the page */
		uint64_t private;
		struct page *next;
	};
};

struct boot_info;
void page_init(const struct boot_info *boot);

struct page *page_alloc(unsigned order);	/* contents undefined; order 0..9 */
struct page *page_alloc_zeroed(unsigned order); /* contents zero */
void page_get(struct page *page);
void page_put(struct page *page);
/* Turns a block with exactly one reference into 2^order pages with one reference each. */
void page_split(struct page *page);
/* Drops one reference of an order-0 page, or of a whole block. Same as page_put; batch form. */
void page_put_many(struct page **pages, unsigned n);

paddr_t page_to_phys(const struct page *page);
struct page *phys_to_page(paddr_t pa); /* NULL if no RAM is there */
static inline void *page_to_virt(const struct page *page)
{
	return phys_to_virt(page_to_phys(page));
}
static inline struct page *virt_to_page(const void *va)
{
	return phys_to_page(virt_to_phys(va));
}

/* Whole pages' contents, in the way that this CPU does best. */
static inline void page_clear(struct page *page, unsigned order)
{
#ifndef SKIFF_HOST
	cpu_clear_pages(page_to_virt(page), PAGE_SIZE << order);
#else
	memset(page_to_virt(page), 0, PAGE_SIZE << order);
#endif
}
/* One page, or all of 2^order; not onto itself. */
static inline void page_copy(struct page *to, const struct page *from, unsigned order)
{
#ifndef SKIFF_HOST
	cpu_copy_pages(page_to_virt(to), page_to_virt(from), PAGE_SIZE << order);
#else
	memcpy(page_to_virt(to), page_to_virt(from), PAGE_SIZE << order);
#endif
}

struct page_stats {
	uint64_t total, free; /* pages */
};
struct page_stats page_stats(void);
extern uint64_t page_total;	/* fixed after page_init */
extern uint64_t page_pool_free; /* atomic, mem/page.c's */
/*
 * Free pages, for decisions that must be cheap: one load. Pages in the CPUs' caches are not
 * counted, and each CPU may be 128 pages behind.
 */
static inline uint64_t page_free_estimate(void)
{
	int64_t n = __atomic_load_n(&page_pool_free, __ATOMIC_RELAXED);

	return n > 0 ? n : 0;
}
/* Gives this CPU's cached pages back to the common pool, when memory is short. */
void page_drain_cache(void);
