/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking pages out of an address space: clear the leaves, flush the TLBs, and only then let go of
 * the pages and tables.
 */

#include "vm/impl.h"

void gather_init(struct vm_gather *g, struct vm_space *s)
{
	g->space = s;
	g->from = g->to = 0;
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
	if (g->from < g->to && (g->anon || g->count)) /* S5 */
		slots_wait(g->space, g->from, g->to);
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
	if (g->tables && g->start >= g->end) { /* tables were walked even if nothing was there */
		g->start = 0;
		g->end = USER_MAX;
	}
	gather_flush(g);
	put_chain(g->tables);
	g->tables = NULL;
	if (g->anon_pages || g->file_pages)
		count_out(g->space, g->anon_pages, g->file_pages);
	g->anon_pages = g->file_pages = 0;
}

/* ---- how many are resident ---- */

void sum_resident(struct vm_space *s, uint64_t *anon, uint64_t *file)
{
	int64_t a = 0, f = 0;

	for (uint32_t n = 0; n < s->cpu_known; n++) {
		a += load_relaxed(&s->cpu[n].anon);
		f += load_relaxed(&s->cpu[n].file);
	}
	*anon = MAX(a, 0); /* the CPUs are read one after the other */
	*file = MAX(f, 0);
}

uint64_t resident_peak(struct vm_space *s)
{
	uint64_t anon, file, peak = load_relaxed(&s->resident_peak);

	sum_resident(s, &anon, &file);
	while (anon + file > peak)
		if (atomic_cas(&s->resident_peak, &peak, anon + file))
			return anon + file;
	return peak;
}

/* Only pages that go can hide a peak: it is looked at before every PEAK_STEP of them. */
void count_out(struct vm_space *s, int64_t anon, int64_t file)
{
	struct vm_cpu *c = vm_cpu(s);

	c->taken_out += anon + file;
	if (c->taken_out >= PEAK_STEP) {
		c->taken_out = 0;
		(void)resident_peak(s);
	}
	count(&c->anon, -anon);
	count(&c->file, -file);
}

/* ---- leaves ---- */

void gather_leaf(struct vm_gather *g, pte_t old, uintptr_t va, uintptr_t size)
{
	struct page *page = leaf_page(old);

	if (old & PTE_PRESENT) /* otherwise no TLB has it */
		gather_flush_all(g, va, va + size);
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

struct zap {
	struct vm_gather *g;
	uintptr_t start, end;
};

static void zap_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct zap *z = arg;
	uintptr_t size = level == 2 ? HUGE_SIZE : PAGE_SIZE;
	pte_t old;

	/* Came across a bound since that was made ready, where no area is taken away: later. */
	if (level == 2 && (va < z->start || va + size > z->end))
		return;
	old = atomic_xchg(pte, 0);
	if (old) /* otherwise vm_backing_unmap was faster */
		gather_leaf(z->g, old, va, size);
}

void zap_range(struct vm_gather *g, uintptr_t start, uintptr_t end)
{
	struct zap z = { g, start, end };

	pagetable_for_each_leaf(&g->space->pt, start, end, zap_leaf, &z);
	if (flush_is_due(g->space, 0)) /* S9; of what was found empty above */
		gather_flush_all(g, start, end);
}

/*
 * Others may be splitting the same leaf for the other side of the bound, and nobody takes it away,
 * as that would need a change for all of it. The struct pages are made before the small leaves can
 * be seen.
 */
int split_huge_at(struct vm_space *s, uintptr_t addr)
{
	pte_t *e;
	int err = 0;

	if (IS_ALIGNED(addr, HUGE_SIZE))
		return 0;
	e = pagetable_walk(&s->pt, addr, 2, false);
	if (!e || !(load_relaxed(e) & PTE_HUGE))
		return 0;
	mutex_lock(&s->split_lock);
	if (load_relaxed(e) & PTE_HUGE)
		err = pagetable_split(&s->pt, addr, page_split);
	mutex_unlock(&s->split_lock);
	return err;
}

int split_huge_bounds(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	int err = split_huge_at(s, start);

	return err ? err : split_huge_at(s, end);
}

/*
 * Whether a fault may put a huge leaf over addr: areas that touch fill its 2 MiB, none of a kind
 * that never gets one. Areas that touch, not one area: a fault that is in flight may know one that
 * has been split meanwhile.
 */
static bool may_be_huge(struct vm_space *s, uintptr_t addr)
{
	uintptr_t at = ALIGN_DOWN(addr, HUGE_SIZE), end = at + HUGE_SIZE;
	struct vma *v;

	for (v = vma_find(s, at); v && v->start <= at; v = vma_next(v)) {
		if (v->backing || (v->flags & (VMA_STACK | VMA_GROWSDOWN)))
			return false;
		at = v->end;
		if (at >= end)
			return true;
	}
	return false;
}

bool bound_ready(struct vm_space *s, uintptr_t addr)
{
	pte_t *e, leaf;

	if (IS_ALIGNED(addr, HUGE_SIZE))
		return true;
	e = pagetable_walk(&s->pt, addr, 2, false);
	leaf = e ? load_relaxed(e) : 0;
	if (leaf)
		return !(leaf & PTE_HUGE);
	return !may_be_huge(s, addr);
}

int bound_prepare(struct vm_space *s, uintptr_t addr)
{
	int err = split_huge_at(s, addr);

	if (IS_ALIGNED(addr, HUGE_SIZE))
		return 0;
	/* A fault may put a huge leaf in our table's place: bound_ready will see. */
	if (!err && !pagetable_walk(&s->pt, addr, 1, true)) {
		pte_t *e = pagetable_walk(&s->pt, addr, 2, false);

		if (!e || !(load_relaxed(e) & PTE_HUGE))
			err = -ENOMEM;
	}
	return err;
}
