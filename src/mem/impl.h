/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to mem/. */
#pragma once

#include "lib/types.h"
#include "mem/page.h"
#include "mem/pagetable.h"

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
int pagetable_split_entry(pte_t *entry, unsigned level);

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
