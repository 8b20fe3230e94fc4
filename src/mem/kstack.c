/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel stacks. KSTACKS is cut into slots: an unmapped lower part (the guard) and KSTACK_SIZE of
 * stack. A freed stack stays mapped on a free list. Beyond a limit that follows RAM its pages are
 * given back instead, and then its slot is never used again: another CPU's TLB may remember the
 * old pages, which is harmless as long as nobody has business at that address. There are 32
 * million slots, and only a burst of threads burns any.
 *
 * The free list is a lock-free stack of slots. The link and the slot's number are in the struct
 * page of the stack's lowest page, which can be read at any time; the head carries a tag that
 * changes with each push and pop, so that a head that went away and came back is told apart (ABA).
 *
 *	head            page frame number (34 bits) | tag (30 bits)
 *	page->private   next page frame number (34 bits) | slot (30 bits)
 */

#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "lib/bug.h"
#include "mem/impl.h"
#include "mem/page.h"
#include "mem/pagetable.h"

#define STACK_PAGES (KSTACK_SIZE / PAGE_SIZE)
#define STACK_ORDER 2
#define SLOT_SIZE   (2 * KSTACK_SIZE)
#define SLOT_COUNT  ((1ul << 40) / SLOT_SIZE)
#define LOW_BITS    30
#define LOW_MASK    ((1ull << LOW_BITS) - 1)
#define STACK_BITS  (PTE_PRESENT | PTE_WRITE | PTE_GLOBAL | PTE_ACCESSED | PTE_DIRTY | PTE_NX)

_Static_assert(STACK_PAGES == 1u << STACK_ORDER, "a stack is one run of pages if there is one");
_Static_assert(SLOT_COUNT <= LOW_MASK, "a slot's number fits beside a page frame number");

static uint64_t free_head;  /* atomic; page frame 0 is never a stack: empty */
static uint64_t free_count; /* atomic; may lag behind the list */
static uint64_t next_slot;  /* atomic */

static uintptr_t slot_top(uint64_t slot)
{
	return KSTACKS_BASE + (slot + 1) * SLOT_SIZE;
}

static pte_t *slot_entry(uint64_t slot, unsigned page, bool create)
{
	uintptr_t va = slot_top(slot) - KSTACK_SIZE + page * PAGE_SIZE;

	return pagetable_walk(&kernel_pagetable, va, 1, create);
}

static void push_free(uint64_t pfn, struct page *page, uint64_t slot)
{
	uint64_t old = load_relaxed(&free_head);

	do {
		store_relaxed(&page->private, (old >> LOW_BITS) << LOW_BITS | slot);
	} while (!atomic_cas(&free_head, &old, pfn << LOW_BITS | ((old + 1) & LOW_MASK)));
}

static bool pop_free(uint64_t *slot)
{
	uint64_t old = load_acquire(&free_head), link;

	do {
		uint64_t pfn = old >> LOW_BITS;

		if (pfn == 0)
			return false;
		/* Garbage if the page was just taken off: then the tag differs and the CAS fails.
		 */
		link = load_relaxed(&phys_to_page(PADDR(pfn << PAGE_SHIFT))->private);
	} while (!atomic_cas(&free_head, &old, (link & ~LOW_MASK) | ((old + 1) & LOW_MASK)));
	*slot = link & LOW_MASK;
	return true;
}

/* Takes the pages out of a slot and frees them. */
static void unmap_slot(uint64_t slot)
{
	for (unsigned i = 0; i < STACK_PAGES; i++) {
		pte_t *e = slot_entry(slot, i, false);
		pte_t old = e ? atomic_xchg(e, 0) : 0;
		struct page *page;

		if (!(old & PTE_PRESENT))
			continue;
		page = phys_to_page(PADDR(old & PTE_ADDR_MASK));
		/* A run is freed as a whole through its first page, which comes first. */
		if (!(old & PTE_SW_SPECIAL))
			page_put(page);
	}
}

/* The pages of a run but the first hold no reference of their own: PTE_SW_SPECIAL. */
static bool map_slot(uint64_t slot)
{
	struct page *run = page_alloc(STACK_ORDER);

	for (unsigned i = 0; i < STACK_PAGES; i++) {
		pte_t *e = slot_entry(slot, i, true);
		struct page *page = run ? run + i : e ? page_alloc(0) : NULL;

		if (!e || !page) {
			if (run && i == 0)
				page_put(run);
			unmap_slot(slot);
			return false;
		}
		store_release(e,
			page_to_phys(page).raw | STACK_BITS | (run && i > 0 ? PTE_SW_SPECIAL : 0));
	}
	return true;
}

uintptr_t kstack_alloc(void)
{
	uint64_t slot;

	if (pop_free(&slot)) {
		(void)atomic_sub(&free_count, 1);
		return slot_top(slot);
	}
	if (load_relaxed(&next_slot) >= SLOT_COUNT)
		return 0;
	slot = atomic_add(&next_slot, 1);
	if (slot >= SLOT_COUNT || !map_slot(slot))
		return 0;
	return slot_top(slot);
}

/* Free stacks may hold 1/64 of RAM. */
static uint64_t free_limit(void)
{
	uint64_t n = page_stats().total / 64 / STACK_PAGES;

	return n < 8 ? 8 : n;
}

void kstack_free(uintptr_t top)
{
	uint64_t slot = (top - KSTACKS_BASE) / SLOT_SIZE - 1;
	pte_t *e = slot_entry(slot, 0, false);
	uint64_t pa;

	BUG_ON(!e || !(*e & PTE_PRESENT) || slot_top(slot) != top);
	pa = *e & PTE_ADDR_MASK;
	if (atomic_add(&free_count, 1) >= free_limit()) {
		(void)atomic_sub(&free_count, 1);
		unmap_slot(slot);
		return;
	}
	push_free(pa >> PAGE_SHIFT, phys_to_page(PADDR(pa)), slot);
}
