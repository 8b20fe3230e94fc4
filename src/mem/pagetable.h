/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables: 4 levels, 4 KiB and 2 MiB leaves. The upper half is one set of tables shared by
 * every root. Callers own the range they edit (vm/ by its lock); an entry may at any time get its
 * accessed and dirty bits from hardware, so leaves are changed by atomic exchange only.
 *
 * Publication: whoever puts a leaf in place does so by atomic exchange (a release), after it has
 * written the page and its struct page. Whoever goes on from a leaf to the page or its struct page
 * must have read that leaf with acquire. Without a lock that keeps the leaf in place its page may
 * be freed at any moment, so the struct page may be touched only by who has taken the leaf out (and
 * with it the leaf's reference); what a walker must know before that, the leaf says itself
 * (PTE_SW_ANON).
 *
 * An entry is absent when it is 0; a leaf without PTE_PRESENT keeps its page but lets nobody in
 * (PROT_NONE). Editing never flushes a TLB: the caller does, with cpu/tlb.h or vm's shoot-down.
 */
#pragma once

#include "lib/types.h"
#include "cpu/layout.h"

enum pte_bits {
	PTE_PRESENT = 1 << 0,
	PTE_WRITE = 1 << 1,
	PTE_USER = 1 << 2,
	PTE_PWT = 1 << 3,
	PTE_PCD = 1 << 4,
	PTE_ACCESSED = 1 << 5,
	PTE_DIRTY = 1 << 6,
	PTE_HUGE = 1 << 7, /* in a level-2 entry: a 2 MiB leaf */
	PTE_GLOBAL = 1 << 8,
	PTE_SW_ANON = 1 << 9, /* software: a program's private page, not a file's */
	PTE_SW_SOFT_DIRTY = 1 << 10,
	PTE_SW_SPECIAL = 1 << 11, /* software: no struct page reference is held */
};
/* Software: what was known of PTE_DIRTY when somebody cleared it, see vm/track.c. */
#define PTE_SW_DIRTY   (1ull << 52)
#define PTE_SW_WRITTEN (1ull << 53)
#define PTE_SW_UFFD_WP (1ull << 54) /* not written since a scan said so; void if PTE_DIRTY */
#define PTE_NX	       (1ull << 63)
#define PTE_ADDR_MASK  0x000ffffffffff000ull

typedef uint64_t pte_t;

struct page;
struct pagetable {
	paddr_t root;
};

/* Kernel tables: maps RAM in the upper half and switches to them; once, right after page_init. The
 * other CPUs need EFER.NXE, CR0.WP and CR4.PGE before they load this root. Nothing is mapped at its
 * physical address any more afterwards (GDT, IDT, stack must be reached through the upper half). */
struct boot_info;
void pagetable_init_kernel(const struct boot_info *boot);
extern struct pagetable kernel_pagetable;

int pagetable_create(struct pagetable *pt); /* empty lower half, shared upper half; -ENOMEM */
/* All leaves must be gone already; frees the tables of the lower half and the root. */
void pagetable_destroy(struct pagetable *pt);

/*
 * The entry that maps va at level 1 (4 KiB), 2 (2 MiB) or 3, creating tables down to it if
 * 'create'. NULL: absent (or no memory, when creating; or a huge leaf stands where level 1 was
 * asked).
 */
pte_t *pagetable_walk(struct pagetable *pt, uintptr_t va, unsigned level, bool create);
/* The level-2 entry for va if its tables are there, else NULL: the usual case of a fault, in line.
 */
static inline pte_t *pagetable_find(const struct pagetable *pt, uintptr_t va)
{
	pte_t *table = phys_to_virt(pt->root), e;

	e = __atomic_load_n(&table[va >> 39 & 511], __ATOMIC_ACQUIRE);
	if (__builtin_expect(e == 0, 0))
		return NULL;
	table = phys_to_virt(PADDR(e & PTE_ADDR_MASK));
	e = __atomic_load_n(&table[va >> 30 & 511], __ATOMIC_ACQUIRE);
	if (__builtin_expect(e == 0 || (e & PTE_HUGE), 0))
		return NULL;
	table = phys_to_virt(PADDR(e & PTE_ADDR_MASK));
	return &table[va >> 21 & 511];
}
/* The level-1 entry for va in the table that e, a level-2 entry that is one, leads to. */
static inline pte_t *pagetable_in(pte_t e, uintptr_t va)
{
	return (pte_t *)phys_to_virt(PADDR(e & PTE_ADDR_MASK)) + (va >> 12 & 511);
}
/* From va's level-2 entry to its level-1 entry; NULL as above. */
pte_t *pagetable_down(pte_t *entry, uintptr_t va, bool create);
/* The leaf that maps va, of either size, with its level; NULL if nothing is there. */
pte_t *pagetable_leaf(struct pagetable *pt, uintptr_t va, unsigned *level);
/*
 * Splits the 2 MiB leaf over va, if there is one, into 512 leaves of the same page block and bits.
 * Before these can be seen, and after nothing can fail any more, split_page gets the block; the
 * caller sees to it that the leaf stays and that nobody else splits it. -ENOMEM.
 */
int pagetable_split(struct pagetable *pt, uintptr_t va, void (*split_page)(struct page *));
/*
 * Unlinks the tables of the lower half that map some of [start, end) and whose whole span lies in
 * [floor, ceiling), where no leaf is left and nobody adds any (the caller knows). CPUs may still
 * walk through them until their TLBs are flushed: returns them chained by page->next, for the
 * caller to put after the flush.
 */
struct page *pagetable_prune(
	struct pagetable *pt, uintptr_t start, uintptr_t end, uintptr_t floor, uintptr_t ceiling);

/* Calls fn for every leaf of the lower half that overlaps [start, end), in order; fn may
 * change the entry. */
typedef void pagetable_leaf_fn(pte_t *pte, uintptr_t va, unsigned level, void *arg);
void pagetable_for_each_leaf(
	struct pagetable *pt, uintptr_t start, uintptr_t end, pagetable_leaf_fn *fn, void *arg);

/* Device registers into PHYSMAP, uncached. Idempotent. NULL: no memory, or beyond what PHYSMAP can
 * reach once processes exist: map devices at boot. */
volatile void *map_device(paddr_t base, size_t len);

/*
 * The first leaf of the lower half that maps some of [*va, end), whose address *va becomes if it
 * is higher. NULL: none, and *va is at or behind end. For who may stop between two leaves.
 */
pte_t *pagetable_next_leaf(struct pagetable *pt, uintptr_t *va, uintptr_t end, unsigned *level);

/* A kernel stack of KSTACK_SIZE with an unmapped guard page below; returns its top, 0: no memory.
 */
uintptr_t kstack_alloc(void);
void kstack_free(uintptr_t top);

/* Kernel text and constants read-only, everything else no-execute; called when boot is over. */
void pagetable_seal_kernel(void);
