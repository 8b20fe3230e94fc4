/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking pages out of an address space: clear the leaves, flush the TLBs, and only then let go of
 * the pages and tables.
 */

#include "vm/impl.h"

void gather_init(struct vm_gather *g, struct vm_space *s)
{
	g->space = s;
	g->start = UINTPTR_MAX;
	g->end = 0;
	g->anon = g->tables = NULL;
	g->anon_pages = g->file_pages = 0;
	g->count = 0;
}

static void put_chain(struct page *p)
{
	while (p) {
		struct page *next = p->next;

		page_put(p);
		p = next;
	}
}

static void gather_flush(struct vm_gather *g)
{
	if (g->start < g->end)
		tlb_flush(g->space, g->start, g->end);
	put_chain(g->anon);
	page_put_many(g->page, g->count);
	g->anon = NULL;
	g->count = 0;
	g->start = UINTPTR_MAX;
	g->end = 0;
}

void gather_finish(struct vm_gather *g)
{
	struct vm_space *s = g->space;

	if (g->tables && g->start >= g->end) { /* tables were walked even if nothing was there */
		g->start = 0;
		g->end = USER_MAX;
	}
	gather_flush(g);
	put_chain(g->tables);
	g->tables = NULL;
	if (g->anon_pages)
		(void)atomic_sub(&s->resident_anon, g->anon_pages);
	if (g->file_pages)
		(void)atomic_sub(&s->resident_file, g->file_pages);
	g->anon_pages = g->file_pages = 0;
}

static void zap_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct vm_gather *g = arg;
	pte_t old = atomic_xchg(pte, 0);
	uintptr_t size = level == 2 ? HUGE_SIZE : PAGE_SIZE;
	struct page *page = leaf_page(old);

	if (!old) /* vm_backing_unmap was faster */
		return;
	if (old & PTE_PRESENT) { /* otherwise no TLB has it */
		g->start = MIN(g->start, va);
		g->end = MAX(g->end, va + size);
	}
	if (page == vm_zero_page)
		return;
	if (old & PTE_SW_ANON) {
		g->anon_pages += size >> PAGE_SHIFT;
		if (load_acquire(&page->refcount) == 1) {
			page->next = g->anon;
			g->anon = page;
			return;
		}
	} else {
		g->file_pages++;
		if (load_relaxed(&page->flags) & PAGE_RESERVED)
			return;
		if ((old & PTE_EVER_DIRTY) && !(load_relaxed(&page->flags) & PAGE_DIRTY))
			(void)atomic_or(&page->flags, PAGE_DIRTY);
	}
	if (g->count == ARRAY_SIZE(g->page))
		gather_flush(g); /* of this leaf, too */
	g->page[g->count++] = page;
}

void zap_range(struct vm_gather *g, uintptr_t start, uintptr_t end)
{
	pagetable_for_each_leaf(&g->space->pt, start, end, zap_leaf, g);
}

int split_huge_at(struct vm_space *s, uintptr_t addr)
{
	pte_t *e, old;

	if (IS_ALIGNED(addr, HUGE_SIZE))
		return 0;
	e = pagetable_walk(&s->pt, addr, 2, false);
	if (!e || !(load_relaxed(e) & PTE_HUGE))
		return 0;
	old = load_acquire(e);
	if (pagetable_split(&s->pt, addr) < 0)
		return -ENOMEM;
	/* Each small leaf now holds a reference to its own page. */
	page_split(leaf_page(old));
	return 0;
}

int split_huge_bounds(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	int err = split_huge_at(s, start);

	return err ? err : split_huge_at(s, end);
}
