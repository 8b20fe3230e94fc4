/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to mem/. */
#pragma once

#include "lib/types.h"
#include "cpu/barrier.h"
#include "cpu/boot_info.h"
#include "mem/page.h"
#include "mem/pagetable.h"

/* ---- pool.c: the free pages that all CPUs share ---- */

#define BLOCK_PAGES 512u
#define BLOCK_WORDS 8u
#define STATE_COUNT 0xffffu
#define STATE_OWNED 0x10000u /* some CPU prefers this block */
#define MAX_REGIONS (BOOT_MAX_RANGES + 4)

/* All of a block on one cache line but for the state words, which are scanned. */
struct block_map {
	uint64_t word[BLOCK_WORDS]; /* atomic */
} __aligned(CACHE_LINE);

/* Physical memory [start, end), 2 MiB aligned, whose struct pages start at pages + first_page. */
struct region {
	uint64_t start, end;
	uint64_t first_page;
};

/* Fixed after page_init (page_boot.c), except what map and state point to. */
extern struct page_pool {
	struct region region[MAX_REGIONS];
	unsigned region_count;
	struct page *pages;
	struct block_map *map;
	uint32_t *state; /* atomic */
	uint32_t blocks;
	uint32_t limit; /* blocks from here on are not mapped yet; rises once, at boot */
} page_pool;

/* Where a CPU looks first; all zero is a valid initial state. */
struct pool_hint {
	uint32_t preferred; /* block + 1, 0: none */
	uint32_t next_huge; /* where the last 2 MiB page was found */
};

/* NULL: none. The struct page is not written. */
struct page *pool_take(struct pool_hint *h, unsigned order);
/* Single pages, up to 'want' (> 0) of one block; returns how many, 0: there is none. */
unsigned pool_take_many(struct pool_hint *h, struct page **out, unsigned want);
void pool_give(struct page *page, unsigned order);
/* n pages by their bits in a word of the maps: pages + 64 * word is bit 0. */
void pool_give_word(uint64_t word, uint64_t bits, unsigned n);

/*
 * Boot has mapped only the first 4 GiB when page_init runs. Until the kernel's own tables stand,
 * page_alloc gives out pages below that; this opens the rest. Once.
 */
void page_open_high_memory(void);

/* The parts of physical memory that have struct pages, 2 MiB aligned, ascending. False past the
 * end. */
bool page_region(unsigned i, uint64_t *start, uint64_t *end);

/* A program's root exists: no new entries in the top level of the upper half. */
extern bool pagetable_roots_made;

/* Splits the huge leaf in *entry (level 2 or 3) into 512 of the level below. -ENOMEM. */
int pagetable_split_entry(pte_t *entry, unsigned level, void (*split_page)(struct page *));

/* Host tests make chosen allocations fail through this; the kernel has no such door. */
#ifdef SKIFF_HOST
extern bool (*mem_alloc_must_fail)(void);
void page_forget_cpus(void); /* before another page_init */
void heap_forget_cpus(void);
static inline bool mem_alloc_fails(void)
{
	return mem_alloc_must_fail && mem_alloc_must_fail();
}
#else
static inline bool mem_alloc_fails(void)
{
	return false;
}
#endif
