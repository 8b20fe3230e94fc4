/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pages the program has written, from the page table's dirty bits: no write faults, no
 * write protection. Here: skiff_dirty_scan, clear_refs and pagemap; scan.c: PAGEMAP_SCAN.
 *
 * Hardware sets PTE_DIRTY at the first write through an entry whose TLB copy is not dirty yet;
 * clearing it in the table and flushing the TLBs makes it do so again.
 *
 * PTE_DIRTY has several users, so whoever clears it leaves behind in software bits what the others
 * have not seen (leaf_clean). A page counts as written if PTE_DIRTY is set or
 *
 *	the file's page is to be marked		PTE_SW_DIRTY is set
 *	soft-dirty				PTE_SW_SOFT_DIRTY is set
 *	skiff_dirty_scan			PTE_SW_WRITTEN is set
 *	PAGEMAP_SCAN				PTE_SW_UFFD_WP is not set
 *
 * No write is missed:
 *  1. A leaf loses its bits only by the compare-and-swap that also reports it. A write that sets
 *     PTE_DIRTY before that makes the swap fail or is seen; one after it waits for the next call.
 *  2. A CPU whose TLB still holds the entry as dirty writes without setting the bit, until it is
 *     flushed. Its page is being reported by this very call, which flushes before it returns, so
 *     who looks at the page after the call sees that write. After the flush the bit is set anew.
 *  3. So does a call that finds only a software bit: PTE_DIRTY was cleared by another user of it,
 *     who may not have flushed yet. Hence every call flushes what it clears, whatever it found.
 *  4. A 2 MiB leaf that is only partly in the range is reported but not cleared. The bounds are
 *     split first, so that happens only if the program maps memory there at the same time.
 */

#include "abi/pagemap.h"
#include "cpu/uaccess.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/thread.h"
#include "vm/impl.h"

#define SCAN_MAX  GIB(64) /* its bit map is the largest block that the heap has */
#define SCAN_STEP MIB(64) /* that other calls are kept from at a time */

struct scan {
	uintptr_t base; /* of the bit map */
	uintptr_t from, to;
	uint64_t *bits;
	uint64_t pages; /* found written */
	bool clear;
	uintptr_t flush_start, flush_end;
};

static void scan_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct scan *c = arg;
	uintptr_t end = va + (level == 2 ? HUGE_SIZE : PAGE_SIZE);
	bool whole = va >= c->from && end <= c->to;
	pte_t old = load_relaxed(pte), new;

	do {
		if (!(old & (PTE_DIRTY | PTE_SW_WRITTEN)))
			return;
		if (!c->clear || !whole)
			break;
		new = leaf_clean(old) & ~PTE_SW_WRITTEN;
	} while (!atomic_cas(pte, &old, new));
	if (c->clear && whole) {
		c->flush_start = MIN(c->flush_start, va);
		c->flush_end = MAX(c->flush_end, end);
	}
	end = MIN(end, c->to);
	for (va = MAX(va, c->from); va < end; va += PAGE_SIZE) {
		uint64_t n = (va - c->base) >> PAGE_SHIFT;

		c->bits[n / 64] |= 1ull << (n % 64);
		c->pages++;
	}
}

/* 2 MiB pages across the bounds become small ones. */
static int prepare_bounds(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vm_change c = { .start = start, .end = end };
	int err;

	if (IS_ALIGNED(start, HUGE_SIZE) && IS_ALIGNED(end, HUGE_SIZE))
		return 0;
	walk_enter(s, &c);
	err = split_huge_bounds(s, start, end);
	walk_leave(s, &c);
	return err;
}

long vm_dirty_scan(struct vm_space *s, uintptr_t start, size_t len, uint64_t *user_bits, bool clear)
{
	struct scan c = { .base = start, .clear = clear, .flush_start = UINTPTR_MAX };
	uintptr_t end;
	size_t bytes;
	int err;

	if (!IS_ALIGNED(start, PAGE_SIZE) || len > SCAN_MAX)
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!vm_range_ok(start, len))
		return -EINVAL;
	end = start + len;
	bytes = DIV_ROUND_UP(len >> PAGE_SHIFT, 64) * sizeof(uint64_t);
	if (user_bits && !user_range_ok(user_bits, bytes))
		return -EFAULT;
	if (len == 0)
		return 0;
	c.bits = heap_alloc_zeroed(bytes);
	if (!c.bits)
		return -ENOMEM;
	err = clear ? prepare_bounds(s, start, end) : 0;
	for (c.from = start; !err && c.from < end;) {
		uintptr_t stop = MIN(ALIGN_DOWN(c.from, HUGE_SIZE) + SCAN_STEP, end);

		struct vm_change step = { .start = c.from, .end = stop };

		walk_enter(s, &step);
		c.to = stop;
		pagetable_for_each_leaf(&s->pt, c.from, stop, scan_leaf, &c);
		walk_leave(s, &step);
		c.from = stop;
		cond_resched();
	}
	/* One round for all; see 2 above. */
	if (c.flush_start < c.flush_end)
		tlb_flush(s, c.flush_start, c.flush_end);
	if (!err && user_bits)
		err = copy_to_user(user_bits, c.bits, bytes);
	heap_free(c.bits);
	return err ? err : (long)c.pages;
}

/* ---- /proc/<pid>/clear_refs and pagemap ---- */

struct clear {
	pte_t bits;	  /* to be cleared */
	pte_t only, not ; /* of leaves that have these bits, and do not have those */
};

static void clear_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct clear *c = arg;
	pte_t old = load_relaxed(pte), new;

	do {
		if (!(old & c->bits) || (old & c->only) != c->only || (old & c->not ))
			return;
		new = (c->bits & PTE_DIRTY ? leaf_clean(old) : old) & ~c->bits;
	} while (!atomic_cas(pte, &old, new));
}

static void clear_all(struct vm_space *s, struct clear *c)
{
	struct vma_view v;

	for (uintptr_t at = 0;; at = v.end) {
		struct vm_change step = { 0 };

		vma_lookup(s, at, &v);
		if (v.end == 0)
			break;
		step.start = MAX(v.start, at);
		step.end = v.end;
		walk_enter(s, &step);
		pagetable_for_each_leaf(&s->pt, step.start, step.end, clear_leaf, c);
		walk_leave(s, &step);
	}
	/* Even if nothing was left to clear: another thread may be about to do this. See 3 above.
	 */
	tlb_flush(s, 0, 1ul << 47);
}

int vm_clear_refs(struct vm_space *s, unsigned what)
{
	struct clear c = { .bits = PTE_ACCESSED };
	uint64_t anon, file;

	switch (what) {
	case 1: break;
	case 2: c.only = PTE_SW_ANON; break;
	case 3: c.not = PTE_SW_ANON; break;
	case 4: c.bits = PTE_DIRTY | PTE_SW_SOFT_DIRTY; break;
	case 5:
		sum_resident(s, &anon, &file);
		store_relaxed(&s->resident_peak, anon + file);
		return 0;
	default: return -EINVAL;
	}
	clear_all(s, &c);
	return 0;
}

struct pagemap {
	uintptr_t start, end;
	uint64_t *out;
};

static void pagemap_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct pagemap *m = arg;
	pte_t e = load_acquire(pte);
	uint64_t word = PM_PRESENT | (e & PTE_ADDR_MASK) >> PAGE_SHIFT;

	if (!e)
		return;
	if (e & (PTE_DIRTY | PTE_SW_SOFT_DIRTY))
		word |= PM_SOFT_DIRTY;
	if ((e & (PTE_DIRTY | PTE_SW_UFFD_WP)) == PTE_SW_UFFD_WP)
		word |= PM_UFFD_WP;
	if (e & PTE_SW_ANON)
		word |= PM_EXCLUSIVE; /* nothing shares private pages yet */
	else if (leaf_page(e) != vm_zero_page)
		word |= PM_FILE;
	if (level == 1) {
		m->out[(va - m->start) >> PAGE_SHIFT] = word;
		return;
	}
	for (uintptr_t at = MAX(va, m->start); at < MIN(va + HUGE_SIZE, m->end); at += PAGE_SIZE)
		m->out[(at - m->start) >> PAGE_SHIFT] = word + ((at - va) >> PAGE_SHIFT);
}

void vm_pagemap(struct vm_space *s, uintptr_t start, uint64_t *out, unsigned n)
{
	struct pagemap m = { start, start + n * PAGE_SIZE, out };

	memset(out, 0, n * sizeof(*out));
	space_lock(s); /* tables are unlinked under it */
	pagetable_for_each_leaf(&s->pt, m.start, m.end, pagemap_leaf, &m);
	space_unlock(s);
}
