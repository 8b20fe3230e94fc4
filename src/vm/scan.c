/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ioctl(PAGEMAP_SCAN): ranges of pages by category, and those found count as not written from now
 * on (PM_SCAN_WP_MATCHING). track.c says how dirty bits are shared and why no write is missed; its
 * invariants hold here, too:
 *
 *  1. A leaf gets PTE_SW_UFFD_WP and loses PTE_DIRTY by one compare-and-swap, after it was found
 *     written and put among the regions of this call.
 *  2. The call flushes before it returns, wherever a TLB may hold a leaf as dirty.
 *  3. A 2 MiB leaf of which a part only is wanted, or fits into max_pages, is split first.
 *
 * In a watched area a page that is absent counts as written: it has been taken out
 * (MADV_DONTNEED), or never was there. To protect it, the zero page is put in its place, so that it
 * stays as it is until it is written.
 *
 * A step of one area at a time has a change for its range, beside which faults go on; regions go to
 * the program between steps.
 */

#include "abi/pagemap.h"
#include "cpu/uaccess.h"
#include "mem/heap.h"
#include "sched/thread.h"
#include "vm/impl.h"

#define STEP	MIB(4) /* what is left of it is walked in vain when the output is full */
#define REGIONS 512u   /* gathered before the program gets them */

struct scan {
	const struct pm_scan_arg *arg;
	uintptr_t next; /* what is below is done */
	struct vm_space *s;
	/* the step */
	uint8_t prot;
	uintptr_t from, to;
	uint64_t area; /* categories of the area */
	int status; /* why it stopped. -ENOSPC: output is full, -EAGAIN: split at 'split' first */
	uintptr_t split;
	/* the output; regions is NULL if none is wanted */
	struct page_region *regions;
	uint64_t count, given; /* gathered, and with the program */
	uint64_t pages_left;
	uintptr_t flush_start, flush_end;
};

static bool wanted(const struct pm_scan_arg *a, uint64_t categories)
{
	categories ^= a->category_inverted;
	return (categories & a->category_mask) == a->category_mask &&
	       (!a->category_anyof_mask || (categories & a->category_anyof_mask));
}

static bool put_region(struct scan *c, uintptr_t start, uintptr_t end, uint64_t categories)
{
	struct page_region *last = c->count ? &c->regions[c->count - 1] : NULL;

	if (last && last->end == start && last->categories == categories) {
		last->end = end;
		return true;
	}
	if (c->count == REGIONS || c->given + c->count == c->arg->vec_len)
		return false;
	c->regions[c->count++] = (struct page_region){ start, end, categories };
	return true;
}

/* As much of [start, end) as there is room for: where that ends. */
static uintptr_t report(struct scan *c, uintptr_t start, uintptr_t end, uint64_t categories)
{
	uint64_t pages = MIN((end - start) >> PAGE_SHIFT, c->pages_left);
	uintptr_t stop = start + (pages << PAGE_SHIFT);

	if (!c->regions)
		return end;
	if (stop != end)
		c->status = -ENOSPC;
	if (!pages)
		return start;
	if (!put_region(c, start, stop, categories & c->arg->return_mask)) {
		c->status = -ENOSPC;
		return start;
	}
	c->pages_left -= pages;
	return stop;
}

/* ---- one leaf ---- */

static uint64_t leaf_categories(pte_t e, unsigned level)
{
	uint64_t is = PAGE_IS_PRESENT;

	if ((e & (PTE_DIRTY | PTE_SW_UFFD_WP)) != PTE_SW_UFFD_WP)
		is |= PAGE_IS_WRITTEN;
	if (e & (PTE_DIRTY | PTE_SW_SOFT_DIRTY))
		is |= PAGE_IS_SOFT_DIRTY;
	if (level == 2)
		is |= PAGE_IS_HUGE;
	if (e & PTE_SW_ANON)
		return is;
	return is | (leaf_page(e) == vm_zero_page ? PAGE_IS_PFNZERO : PAGE_IS_FILE);
}

/* It has been reported: whatever it is by now, it counts as not written. */
static void protect_leaf(struct scan *c, pte_t *pte, uintptr_t va, unsigned level)
{
	pte_t old = load_relaxed(pte);

	while (old && !atomic_cas(pte, &old, leaf_clean(old) | PTE_SW_UFFD_WP))
		;
	/* Not only if it was dirty: who cleared that may not have flushed yet. */
	if (old & (PTE_DIRTY | PTE_WRITE)) {
		c->flush_start = MIN(c->flush_start, va);
		c->flush_end = MAX(c->flush_end, va + (level == 2 ? HUGE_SIZE : PAGE_SIZE));
	}
}

/* ---- where there is no leaf ---- */

/* A fault may be faster: then that page is found written by the next scan. */
static int fill(struct scan *c, uintptr_t start, uintptr_t end)
{
	pte_t new = page_to_phys(vm_zero_page).raw | leaf_bits(c->prot) | PTE_SW_UFFD_WP;

	for (uintptr_t va = start; va < end; va += PAGE_SIZE) {
		pte_t *pte = pagetable_walk(&c->s->pt, va, 1, true), *huge, old = 0;

		if (pte) {
			(void)atomic_cas(pte, &old, new);
			continue;
		}
		huge = pagetable_walk(&c->s->pt, va, 2, false);
		if (!huge || !(load_acquire(huge) & PTE_HUGE))
			return -ENOMEM;
		va = ALIGN_DOWN(va, HUGE_SIZE) + HUGE_SIZE - PAGE_SIZE;
	}
	return 0;
}

static void scan_gap(struct scan *c, uintptr_t end)
{
	uint64_t is = c->area ? c->area | PAGE_IS_WRITTEN : 0;
	uintptr_t start = c->next;

	c->next = end;
	if (!wanted(c->arg, is))
		return;
	c->next = report(c, start, end, is);
	if (c->area && (c->arg->flags & PM_SCAN_WP_MATCHING) && fill(c, start, c->next))
		c->status = -ENOMEM;
}

static void scan_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct scan *c = arg;
	uintptr_t end = va + (level == 2 ? HUGE_SIZE : PAGE_SIZE);
	uintptr_t start = MAX(va, c->from), stop = MIN(end, c->to);
	pte_t e = load_acquire(pte);
	uint64_t is = leaf_categories(e, level) | c->area;
	bool protect = (c->arg->flags & PM_SCAN_WP_MATCHING) && (is & PAGE_IS_WRITTEN);

	if (!e) /* a file took it back: part of the next gap */
		return;
	if (!c->status && c->next < start)
		scan_gap(c, start);
	if (c->status)
		return;
	c->next = stop;
	if (!wanted(c->arg, is))
		return;
	if (protect && level == 2 &&
		(start != va || stop != end ||
			(c->regions && c->pages_left < HUGE_SIZE >> PAGE_SHIFT))) {
		c->next = start;
		c->status = c->pages_left ? -EAGAIN : -ENOSPC;
		c->split = va + PAGE_SIZE;
		return;
	}
	c->next = report(c, start, stop, is);
	if (protect && c->next > start)
		protect_leaf(c, pte, va, level);
}

/* ---- the walk ---- */

/* With the lock: the next step is [from, to) of this area, or, false, there is none in it. */
static bool choose_step(struct scan *c, const struct vma *v, uintptr_t end)
{
	const struct pm_scan_arg *a = c->arg;
	uint64_t must = a->category_mask & PAGE_IS_WPALLOWED;

	c->prot = v->prot;
	c->area = v->watch ? PAGE_IS_WPALLOWED : 0;
	c->next = MAX(c->next, v->start);
	if (!v->watch && (a->flags & PM_SCAN_CHECK_WPASYNC)) {
		c->status = -EPERM;
		return false;
	}
	if ((!v->watch && (a->flags & PM_SCAN_WP_MATCHING)) ||
		((c->area ^ a->category_inverted) & must) != must) {
		c->next = MIN(v->end, end);
		return false;
	}
	c->from = c->next;
	c->to = MIN(MIN(v->end, end), ALIGN_DOWN(c->from, HUGE_SIZE) + STEP);
	return true;
}

static void scan_step(struct scan *c, uintptr_t end)
{
	struct vm_change step = { 0 };
	struct vma *v;

	c->status = 0;
	space_lock(c->s);
	do {
		v = vma_find(c->s, c->next);
		if (!v || v->start >= end)
			c->next = end;
		if (!v || v->start >= end || !choose_step(c, v, end)) {
			space_unlock(c->s);
			return;
		}
		step.start = c->from;
		step.end = c->to;
	} while (!change_enter(c->s, &step));
	space_unlock(c->s);
	pagetable_for_each_leaf(&c->s->pt, c->from, c->to, scan_leaf, c);
	if (!c->status && c->next < c->to)
		scan_gap(c, c->to);
	walk_leave(c->s, &step);
}

static int split(struct scan *c)
{
	uintptr_t start = ALIGN_DOWN(c->split, HUGE_SIZE);
	struct vm_change around = { .start = start, .end = start + HUGE_SIZE };
	int err;

	walk_enter(c->s, &around);
	err = split_huge_at(c->s, c->split);
	walk_leave(c->s, &around);
	return err;
}

/* The program gets what was gathered. */
static int give_regions(struct scan *c)
{
	struct page_region *vec = (struct page_region *)c->arg->vec;
	int err = c->count ? copy_to_user(vec + c->given, c->regions, c->count * sizeof(*vec)) : 0;

	c->given += c->count;
	c->count = 0;
	return err;
}

static int scan_all(struct scan *c, uintptr_t end)
{
	int err = 0;

	while (!err && c->next < end) {
		scan_step(c, end);
		err = c->status;
		if (err == -EAGAIN) {
			err = split(c);
		} else if (err == -ENOSPC) {
			err = give_regions(c);
			if (!c->pages_left || c->given == c->arg->vec_len)
				break;
		}
		cond_resched();
	}
	/* One round for all; see 2 above. */
	if (c->flush_start < c->flush_end)
		tlb_flush(c->s, c->flush_start, c->flush_end);
	return err;
}

long vm_pagemap_scan(struct vm_space *s, struct pm_scan_arg *a)
{
	struct scan c = {
		.arg = a,
		.next = a->start,
		.s = s,
		.pages_left = a->max_pages ? a->max_pages : UINT64_MAX,
		.flush_start = UINTPTR_MAX,
	};
	int err;

	if (a->vec_len) {
		c.regions = heap_alloc(MIN(REGIONS, a->vec_len) * sizeof(*c.regions));
		if (!c.regions)
			return -ENOMEM;
	}
	err = scan_all(&c, a->end);
	a->walk_end = err ? a->end : c.next;
	if (give_regions(&c))
		err = -EFAULT;
	heap_free(c.regions);
	return err ? err : (long)c.given;
}

int vm_scan_protect(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct pm_scan_arg all = { .flags = PM_SCAN_WP_MATCHING, .start = start, .end = end };
	long n = vm_pagemap_scan(s, &all);

	return n < 0 ? n : 0;
}
