/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page-table edits. Several threads may walk and create in the same tables at once (faults in one
 * address space): a new table is put in place by CAS, and the loser frees its own. Tables go away
 * only where the caller knows that nobody walks (prune, destroy).
 */

#include "mem/pagetable.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/impl.h"
#include "mem/page.h"

#define ENTRIES	   512u
#define USER_SLOTS 256u /* of the root: the lower half */
/* Permissions are the leaf's matter. */
#define TABLE_BITS (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)

static inline unsigned slot(uintptr_t va, unsigned level)
{
	return (va >> (12 + 9 * (level - 1))) % ENTRIES;
}
static inline uintptr_t level_size(unsigned level)
{
	return 1ul << (12 + 9 * (level - 1));
}
static inline pte_t *table_of(pte_t e)
{
	return phys_to_virt(PADDR(e & PTE_ADDR_MASK));
}
static inline struct page *table_page(pte_t e)
{
	return phys_to_page(PADDR(e & PTE_ADDR_MASK));
}
static inline pte_t load(const pte_t *e)
{
	return load_acquire(e);
}

bool pagetable_roots_made;

int pagetable_create(struct pagetable *pt)
{
	struct page *page = page_alloc_zeroed(0);
	pte_t *root, *kernel;

	if (!page)
		return -ENOMEM;
	root = page_to_virt(page);
	kernel = phys_to_virt(kernel_pagetable.root);
	memcpy(root + USER_SLOTS, kernel + USER_SLOTS, (ENTRIES - USER_SLOTS) * sizeof(pte_t));
	pt->root = page_to_phys(page);
	pagetable_roots_made = true;
	return 0;
}

static void free_tables(pte_t e, unsigned level)
{
	pte_t *table = table_of(e);

	for (unsigned i = 0; level > 1 && i < ENTRIES; i++)
		if (table[i]) {
			BUG_ON(table[i] & PTE_HUGE);
			free_tables(table[i], level - 1);
		}
	page_put(table_page(e));
}

void pagetable_destroy(struct pagetable *pt)
{
	pte_t *root = phys_to_virt(pt->root);

	BUG_ON(pt->root.raw == kernel_pagetable.root.raw);
	for (unsigned i = 0; i < USER_SLOTS; i++)
		if (root[i] & PTE_PRESENT)
			free_tables(root[i], 3);
	page_put(phys_to_page(pt->root));
	pt->root = PADDR(0);
}

/* The entry's table, made if it is absent. */
static pte_t *table_create(pte_t *entry)
{
	struct page *page = page_alloc_zeroed(0);
	pte_t old = 0;

	if (!page)
		return NULL;
	if (atomic_cas(entry, &old, page_to_phys(page).raw | TABLE_BITS))
		return page_to_virt(page);
	page_put(page); /* another CPU was faster */
	return old & PTE_HUGE ? NULL : table_of(old);
}

/* One step down. NULL as for pagetable_walk. */
static __always_inline pte_t *step(pte_t *entry, bool create)
{
	pte_t e = load(entry);

	if (unlikely(e == 0))
		return create ? table_create(entry) : NULL;
	return unlikely(e & PTE_HUGE) ? NULL : table_of(e);
}

pte_t *pagetable_down(pte_t *entry, uintptr_t va, bool create)
{
	pte_t *table = step(entry, create);

	return table ? &table[slot(va, 1)] : NULL;
}

/* A straight line for each level: this is a third of a page fault. */
static __always_inline pte_t *walk(pte_t *table, uintptr_t va, unsigned level, bool create)
{
	table = step(&table[slot(va, 4)], create);
	if (unlikely(!table))
		return NULL;
	if (level == 3)
		return &table[slot(va, 3)];
	table = step(&table[slot(va, 3)], create);
	if (unlikely(!table))
		return NULL;
	if (level == 2)
		return &table[slot(va, 2)];
	table = step(&table[slot(va, 2)], create);
	return likely(table) ? &table[slot(va, 1)] : NULL;
}

pte_t *pagetable_walk(struct pagetable *pt, uintptr_t va, unsigned level, bool create)
{
	pte_t *root = phys_to_virt(pt->root);

	switch (level) {
	case 1: return walk(root, va, 1, create);
	case 2: return walk(root, va, 2, create);
	default: return walk(root, va, 3, create);
	}
}

pte_t *pagetable_leaf(struct pagetable *pt, uintptr_t va, unsigned *level)
{
	pte_t *table = phys_to_virt(pt->root);

	for (unsigned l = 4; l >= 1; l--) {
		pte_t *entry = &table[slot(va, l)];
		pte_t e = load(entry);

		if (e == 0)
			return NULL;
		if (l == 1 || (e & PTE_HUGE)) {
			*level = l;
			return entry;
		}
		table = table_of(e);
	}
	return NULL;
}

/* Splits a huge leaf of any level into leaves one level below. */
int pagetable_split_entry(pte_t *entry, unsigned level, void (*split_page)(struct page *))
{
	struct page *page = page_alloc(0);
	uintptr_t step = level_size(level - 1);
	pte_t *table, old = load(entry);

	if (!page)
		return -ENOMEM;
	table = page_to_virt(page);
	if (split_page && (old & PTE_HUGE))
		split_page(table_page(old));
	do {
		pte_t bits = old;

		if (!(old & PTE_HUGE)) { /* another CPU was faster */
			page_put(page);
			return 0;
		}
		if (level == 2)
			bits &= ~(pte_t)PTE_HUGE; /* bit 7 of a level-1 leaf is PAT */
		for (unsigned i = 0; i < ENTRIES; i++)
			table[i] = bits + i * step;
		/* Hardware may set accessed or dirty meanwhile: then fill it in again. */
	} while (!atomic_cas(entry, &old, page_to_phys(page).raw | TABLE_BITS));
	return 0;
}

int pagetable_split(struct pagetable *pt, uintptr_t va, void (*split_page)(struct page *))
{
	pte_t *entry = pagetable_walk(pt, va, 2, false);

	return entry ? pagetable_split_entry(entry, 2, split_page) : 0;
}

struct prune {
	uintptr_t start, end, floor, ceiling;
	struct page *freed;
};

/* Unlinks the tables below 'table' (of 'level', mapping from base) that p describes. */
static void prune_level(pte_t *table, unsigned level, uintptr_t base, struct prune *p)
{
	uintptr_t size = level_size(level);
	unsigned i = p->start > base ? (p->start - base) / size : 0;

	for (; i < ENTRIES && base + i * size < p->end; i++) {
		uintptr_t va = base + i * size;
		pte_t e = load(&table[i]); /* at the ends of the hole neighbours make tables */

		if (e == 0 || (e & PTE_HUGE))
			continue;
		if (level > 2)
			prune_level(table_of(e), level - 1, va, p);
		if (va >= p->floor && va + size <= p->ceiling) {
			struct page *page = table_page(e);

			atomic_xchg(&table[i], 0);
			page->next = p->freed;
			p->freed = page;
		}
	}
}

struct page *pagetable_prune(
	struct pagetable *pt, uintptr_t start, uintptr_t end, uintptr_t floor, uintptr_t ceiling)
{
	struct prune p = { start, end, floor, ceiling, NULL };

	/* No level-1 table fits: the usual case. */
	if (ALIGN_UP(floor, HUGE_SIZE) >= ALIGN_DOWN(ceiling, HUGE_SIZE))
		return NULL;
	prune_level(phys_to_virt(pt->root), 4, 0, &p);
	return p.freed;
}

#define GROUP 8u

static inline bool group_is_empty(const pte_t *e)
{
	return !(load_relaxed(&e[0]) | load_relaxed(&e[1]) | load_relaxed(&e[2]) |
		 load_relaxed(&e[3]) | load_relaxed(&e[4]) | load_relaxed(&e[5]) |
		 load_relaxed(&e[6]) | load_relaxed(&e[7]));
}

/* Most tables are nearly empty (the stacks of threads are), so they are looked at by the group. */
static void each_leaf(pte_t *table, unsigned level, uintptr_t base, uintptr_t start, uintptr_t end,
	pagetable_leaf_fn *fn, void *arg)
{
	unsigned shift = PAGE_SHIFT + 9 * (level - 1);
	unsigned i = start > base ? (start - base) >> shift : 0;
	unsigned stop = MIN((end - base - 1) >> shift, (uintptr_t)ENTRIES - 1) + 1;

	while (i < stop) {
		uintptr_t va = base + ((uintptr_t)i << shift);
		pte_t e;

		if (i % GROUP == 0 && stop - i >= GROUP && group_is_empty(&table[i])) {
			i += GROUP;
			continue;
		}
		e = load(&table[i]);
		if (e && (level == 1 || (e & PTE_HUGE)))
			fn(&table[i], va, level, arg);
		else if (e)
			each_leaf(table_of(e), level - 1, va, start, end, fn, arg);
		i++;
	}
}

void pagetable_for_each_leaf(
	struct pagetable *pt, uintptr_t start, uintptr_t end, pagetable_leaf_fn *fn, void *arg)
{
	pte_t *table = phys_to_virt(pt->root);

	/* Only the lower half: the upper one's addresses are not a continuation of it. */
	BUG_ON(end > 1ul << 47);
	if (start < end)
		each_leaf(table, 4, 0, start, end, fn, arg);
}

pte_t *pagetable_next_leaf(struct pagetable *pt, uintptr_t *va, uintptr_t end, unsigned *level)
{
	pte_t *table, *entry, e;

	BUG_ON(end > 1ul << 47);
	while (*va < end) {
		table = phys_to_virt(pt->root);
		for (*level = 4;; --*level) {
			entry = &table[slot(*va, *level)];
			e = load(entry);
			if (!e || *level == 1 || (e & PTE_HUGE))
				break;
			table = table_of(e);
		}
		if (e)
			return entry;
		*va = ALIGN_DOWN(*va, level_size(*level)) + level_size(*level);
		/* The rest of a level-1 table needs no way down from the root. */
		for (; *level == 1 && slot(*va, 1) && *va < end; *va += PAGE_SIZE)
			if (load_relaxed(++entry))
				break;
	}
	return NULL;
}
