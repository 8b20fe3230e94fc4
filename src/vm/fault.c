/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults. The space's lock is held shared, so areas and tables stand still while leaves
 * come and go: a leaf is put in place by compare-and-swap, and whoever loses throws its page away
 * and lets the program try again.
 *
 *	area			read			write
 *	private anonymous	the zero page		a zeroed page, or a 2 MiB one
 *	private file		the file's page		a copy
 *	shared			the file's page, writable only once it is marked dirty
 *
 * A leaf that is not writable although its area is, belongs to somebody else as well (the zero
 * page, a file, later a forked process), or to a file whose page is not marked dirty yet.
 */

#include "diag/counter.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "vm/impl.h"

#define AROUND_PAGES 16u

COUNTER(fault_anon);
COUNTER(fault_file);
COUNTER(fault_copy);
COUNTER(fault_huge);
COUNTER(fault_lost_race);

struct page *vm_zero_page;

struct fault {
	struct vm_space *s;
	struct vma *v;
	uintptr_t addr; /* of the page */
	bool write;
};

pte_t leaf_bits(const struct vma *v)
{
	pte_t bits = PTE_ACCESSED;

	if (v->prot)
		bits |= PTE_PRESENT;
	if (!(v->prot & PROT_EXEC))
		bits |= PTE_NX;
	return bits;
}

bool leaf_may_write(const struct vma *v, pte_t leaf)
{
	if (v->flags & VMA_SHARED)
		return (leaf & PTE_EVER_DIRTY) || backing_is_anon_shared(v->backing);
	return (leaf & PTE_SW_ANON) && load_acquire(&leaf_page(leaf)->refcount) == 1;
}

static pte_t make_leaf(const struct vma *v, const struct page *page, bool write)
{
	pte_t e = page_to_phys(page).raw | leaf_bits(v);

	return write && (v->prot & PROT_WRITE) ? e | PTE_WRITE | PTE_DIRTY : e;
}

static void count_pages(uint64_t *counter, struct vm_space *s, uint64_t n)
{
	uint64_t now = __atomic_add_fetch(counter, n, __ATOMIC_RELAXED);

	now = load_relaxed(&s->resident_anon) + load_relaxed(&s->resident_file);
	if (now > load_relaxed(&s->resident_peak)) /* may be a little behind under races */
		store_relaxed(&s->resident_peak, now);
}

/* ---- 2 MiB pages ---- */

/* Only where nothing is short: a quarter of RAM stays free, and small machines never. */
static bool memory_is_plenty(void)
{
	struct page_stats st = page_stats();

	return st.total >= MIB(64) >> PAGE_SHIFT && st.free > st.total / 4 + 1024;
}

static bool huge_fits(const struct fault *f)
{
	uintptr_t start = ALIGN_DOWN(f->addr, HUGE_SIZE);

	return f->write && start >= f->v->start && f->v->end - start >= HUGE_SIZE &&
	       !(f->v->flags & (VMA_NOHUGE | VMA_STACK | VMA_GROWSDOWN)) && memory_is_plenty();
}

/* -EAGAIN: none to be had, take a small one. */
static int fault_new_huge(const struct fault *f, pte_t *e)
{
	struct page *page = page_alloc_zeroed(PAGE_ORDER_HUGE);
	pte_t old = 0;

	if (!page)
		return -EAGAIN;
	if (!atomic_cas(e, &old, make_leaf(f->v, page, true) | PTE_SW_ANON | PTE_HUGE)) {
		counter_inc(fault_lost_race);
		page_put(page);
		return 0;
	}
	counter_inc(fault_huge);
	count_pages(&f->s->resident_anon, f->s, HUGE_SIZE >> PAGE_SHIFT);
	return 0;
}

/* ---- private memory ---- */

static int fault_new_anon(const struct fault *f, pte_t *e)
{
	struct page *page = f->write ? page_alloc_zeroed(0) : vm_zero_page;
	pte_t old = 0, anon = f->write ? PTE_SW_ANON : 0;

	if (!page)
		return -ENOMEM;
	if (!atomic_cas(e, &old, make_leaf(f->v, page, f->write) | anon)) {
		counter_inc(fault_lost_race);
		page_put(page);
		return 0;
	}
	counter_inc(fault_anon);
	if (f->write)
		count_pages(&f->s->resident_anon, f->s, 1);
	return 0;
}

/* Puts a leaf in the place of *old_leaf, which hardware or a dirty scan may be marking. False: it
 * is another now.
 */
static bool replace_leaf(pte_t *e, pte_t *old_leaf, pte_t new)
{
	pte_t expect = *old_leaf, mask = ~(pte_t)(PTE_ACCESSED | PTE_DIRTY | PTE_TRACK);

	while (!atomic_cas(e, &expect, new))
		if ((expect & mask) != (*old_leaf & mask))
			return false;
	*old_leaf = expect;
	return true;
}

/* A write to a private leaf that others have too. */
static int fault_copy(const struct fault *f, pte_t *e, pte_t old)
{
	struct page *from = leaf_page(old), *page;

	if ((old & PTE_SW_ANON) && load_acquire(&from->refcount) == 1) {
		(void)replace_leaf(e, &old, make_leaf(f->v, from, true) | PTE_SW_ANON);
		return 0; /* more rights need no flush: a stale entry faults once more */
	}
	page = from == vm_zero_page ? page_alloc_zeroed(0) : page_alloc(0);
	if (!page)
		return -ENOMEM;
	if (from != vm_zero_page)
		memcpy(page_to_virt(page), page_to_virt(from), PAGE_SIZE);
	if (!replace_leaf(e, &old, make_leaf(f->v, page, true) | PTE_SW_ANON)) {
		page_put(page);
		return 0;
	}
	counter_inc(fault_copy);
	if (!(old & PTE_SW_ANON)) {
		count_pages(&f->s->resident_anon, f->s, 1);
		if (from != vm_zero_page)
			(void)atomic_sub(&f->s->resident_file, 1);
	}
	tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
	page_put(from);
	return 0;
}

/* ---- files ---- */

static uint64_t backing_index(const struct vma *v, uintptr_t addr)
{
	return (v->offset + (addr - v->start)) >> PAGE_SHIFT;
}

/* Readable neighbours that cost nothing but the entry. Best effort. */
static void fault_around(const struct fault *f)
{
	struct vm_backing *b = f->v->backing;
	uintptr_t start = MAX(ALIGN_DOWN(f->addr, AROUND_PAGES * PAGE_SIZE), f->v->start);
	uintptr_t end =
		MIN(ALIGN_DOWN(f->addr, AROUND_PAGES * PAGE_SIZE) + AROUND_PAGES * PAGE_SIZE,
			f->v->end);
	pte_t *e = pagetable_walk(&f->s->pt, start, 1, false);
	uint64_t n = 0;

	/* The window is aligned, so all of it is in one table. */
	for (uintptr_t at = start; e && at < end; at += PAGE_SIZE, e++) {
		uint32_t seen = load_acquire(&b->unmap_count);
		struct page *page;
		pte_t old = 0, new;

		if (load_relaxed(e))
			continue;
		if (b->ops->get_page(b, backing_index(f->v, at), false, &page) < 0)
			break;
		new = make_leaf(f->v, page, false);
		if (!atomic_cas(e, &old, new)) {
			page_put(page);
			continue;
		}
		n++;
		if (__atomic_load_n(&b->unmap_count, __ATOMIC_SEQ_CST) != seen &&
			replace_leaf(e, &new, 0)) {
			tlb_flush(f->s, at, at + PAGE_SIZE);
			page_put(page);
			n--;
		}
	}
	if (n)
		count_pages(&f->s->resident_file, f->s, n);
}

static int backing_error(int err)
{
	switch (err) {
	case -EFAULT:
	case -ENOSPC: return -EIO; /* SIGBUS */
	default: return err;
	}
}

/* A private copy at once, rather than the file's page first. */
static int fault_private_write(const struct fault *f, pte_t *e, struct page *from)
{
	struct page *page = page_alloc(0);
	pte_t old = 0;

	if (!page) {
		page_put(from);
		return -ENOMEM;
	}
	memcpy(page_to_virt(page), page_to_virt(from), PAGE_SIZE);
	page_put(from);
	if (!atomic_cas(e, &old, make_leaf(f->v, page, true) | PTE_SW_ANON)) {
		page_put(page);
		return 0;
	}
	counter_inc(fault_copy);
	count_pages(&f->s->resident_anon, f->s, 1);
	return 0;
}

/* old: 0, or the read-only leaf of a shared area that is to be written. */
static int fault_backing(const struct fault *f, pte_t *e, pte_t old)
{
	struct vm_backing *b = f->v->backing;
	bool shared = f->v->flags & VMA_SHARED;
	bool writable = shared && (f->write || backing_is_anon_shared(b));
	uint32_t seen = __atomic_load_n(&b->unmap_count, __ATOMIC_SEQ_CST);
	struct page *page;
	pte_t new;
	int err = b->ops->get_page(b, backing_index(f->v, f->addr), f->write && shared, &page);

	if (err)
		return backing_error(err);
	if (f->write && !shared)
		return fault_private_write(f, e, page);
	new = make_leaf(f->v, page, writable);
	if (!replace_leaf(e, &old, new)) {
		counter_inc(fault_lost_race);
		page_put(page);
		return 0;
	}
	counter_inc(fault_file);
	if (old) { /* its reference goes; the page may be another one now */
		if (leaf_page(old) != page)
			tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
		page_put(leaf_page(old));
	} else {
		count_pages(&f->s->resident_file, f->s, 1);
	}
	/* Partner: vm_backing_unmap counts before it looks at leaves. */
	if (__atomic_load_n(&b->unmap_count, __ATOMIC_SEQ_CST) != seen) {
		if (replace_leaf(e, &new, 0)) {
			tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
			(void)atomic_sub(&f->s->resident_file, 1);
			page_put(page);
		}
		return -EAGAIN;
	}
	if (!f->write && b->ops->contiguous)
		fault_around(f);
	return 0;
}

/* ---- the way in ---- */

static int fault_present(const struct fault *f, pte_t *e, pte_t old)
{
	if (!(old & PTE_PRESENT))
		return -EACCES;
	if (!f->write || (old & PTE_WRITE))
		return 0; /* another CPU was faster, or this TLB remembers less than there is */
	if (f->v->flags & VMA_SHARED)
		return fault_backing(f, e, old);
	return fault_copy(f, e, old);
}

/* -EAGAIN: look again. */
static int fault_in(const struct fault *f)
{
	pte_t *huge = pagetable_walk(&f->s->pt, f->addr, 2, true), *e, old;
	int err;

	if (!huge)
		return -ENOMEM;
	old = load_acquire(huge);
	if (!f->v->backing) {
		if (old & PTE_HUGE) /* always ours alone: fork splits before it shares */
			return old & PTE_PRESENT ? 0 : -EACCES;
		if (old == 0 && huge_fits(f)) {
			err = fault_new_huge(f, huge);
			if (err != -EAGAIN)
				return err;
		}
	}
	e = pagetable_down(huge, f->addr, true);
	if (!e) /* a huge leaf came in between, or there is no memory for a table */
		return load_acquire(huge) & PTE_HUGE ? -EAGAIN : -ENOMEM;
	old = load_acquire(e);
	if (old)
		return fault_present(f, e, old);
	return f->v->backing ? fault_backing(f, e, 0) : fault_new_anon(f, e);
}

static bool allowed(const struct vma *v, unsigned access)
{
	if (access & VM_WRITE)
		return v->prot & PROT_WRITE;
	if (access & VM_EXEC)
		return v->prot & PROT_EXEC;
	return v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC); /* x86 cannot refuse to read */
}

/* A stack grows down to the page of addr, if the area above it is one and limits allow. */
static int grow_stack(struct vm_space *s, uintptr_t addr)
{
	uintptr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
	struct vma *v, *prev;
	int err = -EFAULT;

	write_lock(&s->lock);
	v = vma_find(s, addr);
	if (!v || !(v->flags & VMA_GROWSDOWN)) {
		err = v && v->start <= addr ? 0 : -EFAULT;
		goto out;
	}
	if (v->start <= addr) { /* another thread was faster */
		err = 0;
		goto out;
	}
	prev = vma_prev(v);
	if (v->end - start > s->limit_stack || start < MMAP_MIN_ADDR)
		goto out;
	if (prev && !(prev->flags & VMA_GROWSDOWN) && prev->prot &&
		start < prev->end + STACK_GUARD_GAP)
		goto out;
	if (prev && start < prev->end)
		goto out;
	if (!vm_may_grow(s, v, (v->start - start) >> PAGE_SHIFT))
		goto out;
	vma_resize(s, v, start, v->end);
	err = 0;
out:
	write_unlock(&s->lock);
	return err;
}

int vm_fault(struct vm_space *s, uintptr_t addr, unsigned access)
{
	struct fault f = {
		.s = s, .addr = ALIGN_DOWN(addr, PAGE_SIZE), .write = access & VM_WRITE
	};
	bool grow;
	int err;

	do {
		read_lock(&s->lock);
		f.v = vma_find(s, addr);
		grow = f.v && f.v->start > addr && (f.v->flags & VMA_GROWSDOWN);
		if (!f.v || f.v->start > addr)
			err = -EFAULT;
		else if (!allowed(f.v, access))
			err = -EACCES;
		else
			err = fault_in(&f);
		read_unlock(&s->lock);
		if (grow) {
			err = grow_stack(s, addr);
			if (!err)
				err = -EAGAIN;
		}
	} while (err == -EAGAIN);
	(void)__atomic_fetch_add(&s->minor_faults, 1, __ATOMIC_RELAXED);
	return err;
}

int vm_populate(struct vm_space *s, uintptr_t start, uintptr_t end, unsigned access)
{
	for (uintptr_t at = start; at < end; at += PAGE_SIZE) {
		unsigned level = 1;
		pte_t *e, old;
		int err;

		/* Skips what is there already; fault-around and huge pages make that the usual
		 * case. */
		read_lock(&s->lock);
		e = pagetable_leaf(&s->pt, at, &level);
		old = e ? load_acquire(e) : 0;
		read_unlock(&s->lock);
		if ((old & PTE_PRESENT) && (!(access & VM_WRITE) || (old & PTE_WRITE))) {
			if (level == 2)
				at = ALIGN_DOWN(at, HUGE_SIZE) + HUGE_SIZE - PAGE_SIZE;
			continue;
		}
		err = vm_fault(s, at, access);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}
