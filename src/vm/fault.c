/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults. No lock: the area is copied, and stays what it was as far as the page goes while the
 * fault has its slot (impl.h, S1). Leaves are put in place by compare-and-swap, and whoever loses
 * throws its page away and lets the program try again.
 *
 *	area			read			write
 *	private anonymous	the zero page		a zeroed page, or a 2 MiB one
 *	private file		the file's page		a copy
 *	shared			the file's page, writable only once it is marked dirty
 *
 * A leaf that is not writable although its area is, belongs to somebody else as well (the zero
 * page, a file, later a forked process), or to a file whose page is not marked dirty yet, or
 * mprotect has not come to it yet.
 */

#include "diag/counter.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "vm/impl.h"

COUNTER(fault_anon);
COUNTER(fault_file);
COUNTER(fault_copy);
COUNTER(fault_huge);
COUNTER(fault_lost_race);

struct page *vm_zero_page;

struct fault {
	struct vm_space *s;
	struct fault_slot slot;
	struct vma_view v;
	uint64_t seq;	/* of the lookup without the lock; odd: it was with */
	uintptr_t addr; /* of the page */
	bool write, exec;
	bool wide;  /* the slot covers 2 MiB */
	bool found; /* nothing was to be done */
	bool huge;  /* found, and of 2 MiB */
};

pte_t leaf_bits(unsigned prot)
{
	pte_t bits = PTE_ACCESSED;

	if (prot)
		bits |= PTE_PRESENT;
	if (!(prot & PROT_EXEC))
		bits |= PTE_NX;
	return bits;
}

/* Whether this leaf may be writable at once, given that its area is. */
static bool leaf_may_write(const struct vma_view *v, pte_t leaf)
{
	if (v->flags & VMA_SHARED)
		return (leaf & PTE_EVER_DIRTY) || backing_is_anon_shared(v->backing);
	/* Its page may have been freed by a fault just now: then the caller's CAS fails. */
	return (leaf & PTE_SW_ANON) && load_acquire(&leaf_page(leaf)->refcount) == 1;
}

#define LEAF_KEEP (PTE_ADDR_MASK | PTE_DIRTY | PTE_HUGE | PTE_SW_ANON | PTE_TRACK)

pte_t leaf_in(const struct vma_view *v, pte_t leaf)
{
	pte_t new = (leaf & LEAF_KEEP) | leaf_bits(v->prot);

	return (v->prot & PROT_WRITE) && leaf_may_write(v, leaf) ? new | PTE_WRITE : new;
}

static inline pte_t make_leaf(const struct vma_view *v, const struct page *page, bool write)
{
	pte_t e = page_to_phys(page).raw | leaf_bits(v->prot);

	return write && (v->prot & PROT_WRITE) ? e | PTE_WRITE | PTE_DIRTY : e;
}

static inline void count_anon(const struct fault *f, int64_t n)
{
	count(&vm_cpu(f->s)->anon, n);
}

static inline void count_file(const struct fault *f, int64_t n)
{
	count(&vm_cpu(f->s)->file, n);
}

/*
 * The slot covers what 'wide' says from here on. False: perhaps too late for somebody who has
 * changed the tree since the lookup (S2).
 */
static bool widen(struct fault *f, uint64_t wide)
{
	if (f->seq & 1)
		return false;
	(void)__atomic_fetch_or(f->slot.word, wide, __ATOMIC_SEQ_CST);
	return lookup_still(f->s, f->seq);
}

/* ---- 2 MiB pages ---- */

/* Only where nothing is short: a quarter of RAM stays free, and small machines never. */
static bool memory_is_plenty(void)
{
	return page_total >= MIB(64) >> PAGE_SHIFT && page_free_estimate() > page_total / 4 + 1024;
}

static bool huge_fits(const struct fault *f)
{
	uintptr_t start = ALIGN_DOWN(f->addr, HUGE_SIZE);

	return f->write && !f->v.backing && start >= f->v.start && f->v.end > start &&
	       f->v.end - start >= HUGE_SIZE &&
	       !(f->v.flags & (VMA_NOHUGE | VMA_STACK | VMA_GROWSDOWN));
}

/* -EAGAIN: none to be had, take a small one. */
static int fault_new_huge(const struct fault *f, pte_t *e)
{
	struct page *page = page_alloc_zeroed(PAGE_ORDER_HUGE);
	pte_t old = 0;

	if (!page)
		return -EAGAIN;
	if (!atomic_cas(e, &old, make_leaf(&f->v, page, true) | PTE_SW_ANON | PTE_HUGE)) {
		counter_inc(fault_lost_race);
		page_put(page);
		return 0;
	}
	counter_inc(fault_huge);
	count_anon(f, HUGE_SIZE >> PAGE_SHIFT);
	return 0;
}

/* ---- private memory ---- */

static int fault_new_anon(const struct fault *f, pte_t *e)
{
	struct page *page = f->write ? page_alloc_zeroed(0) : vm_zero_page;
	pte_t old = 0, anon = f->write ? PTE_SW_ANON : 0;

	if (!page)
		return -ENOMEM;
	if (!atomic_cas(e, &old, make_leaf(&f->v, page, f->write) | anon)) {
		counter_inc(fault_lost_race);
		page_put(page);
		return 0;
	}
	counter_inc(fault_anon);
	if (f->write)
		count_anon(f, 1);
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

/*
 * A private page that was mapped here until now. Who has read its leaf, and is about to pin it, has
 * a slot (S11). Ours is given up meanwhile: others may be waiting in the same way.
 */
static __noinline void put_unseen(struct fault *f, struct page *page)
{
	slot_leave(f->s, &f->slot);
	slots_wait(f->s, f->addr, f->addr + PAGE_SIZE);
	page_put(page);
	slot_enter(f->s, &f->slot, f->addr);
}

/* A write to a private leaf, not a file's, that others have too. The last thing a fault does. */
static int fault_copy(struct fault *f, pte_t *e, pte_t old)
{
	struct page *from = leaf_page(old), *page;

	if ((old & PTE_SW_ANON) && load_acquire(&from->refcount) == 1) {
		(void)replace_leaf(e, &old, make_leaf(&f->v, from, true) | PTE_SW_ANON);
		return 0; /* more rights need no flush: a stale entry faults once more */
	}
	page = from == vm_zero_page ? page_alloc_zeroed(0) : page_alloc(0);
	if (!page)
		return -ENOMEM;
	if (from != vm_zero_page)
		page_copy(page, from, 0);
	if (!replace_leaf(e, &old, make_leaf(&f->v, page, true) | PTE_SW_ANON)) {
		page_put(page);
		return 0;
	}
	counter_inc(fault_copy);
	if (!(old & PTE_SW_ANON))
		count_anon(f, 1);
	tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
	if (old & PTE_SW_ANON) /* it is pinned */
		put_unseen(f, from);
	return 0; /* the zero page is nobody's */
}

/* ---- files ---- */

static uint64_t backing_index(const struct vma_view *v, uintptr_t addr)
{
	return (v->offset + (addr - v->start)) >> PAGE_SHIFT;
}

/* Readable neighbours that cost nothing but the entry. Best effort. */
static void fault_around(const struct fault *f)
{
	struct vm_backing *b = f->v.backing;
	uintptr_t start = MAX(ALIGN_DOWN(f->addr, AROUND_PAGES * PAGE_SIZE), f->v.start);
	uintptr_t end = MIN(
		ALIGN_DOWN(f->addr, AROUND_PAGES * PAGE_SIZE) + AROUND_PAGES * PAGE_SIZE, f->v.end);
	pte_t *e = pagetable_walk(&f->s->pt, start, 1, false);
	uint64_t n = 0;

	/* The window is aligned, so all of it is in one table. */
	for (uintptr_t at = start; e && at < end; at += PAGE_SIZE, e++) {
		uint32_t seen = load_acquire(&b->unmap_count);
		struct page *page;
		pte_t old = 0, new;

		if (load_relaxed(e))
			continue;
		if (b->ops->get_page(b, backing_index(&f->v, at), false, &page) < 0)
			break;
		new = make_leaf(&f->v, page, false);
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
		count_file(f, n);
}

static int backing_error(int err)
{
	switch (err) {
	case -EFAULT:
	case -ENOSPC: return -EIO; /* SIGBUS */
	default: return err;
	}
}

/* The copy at *e, which 'leaf' says, must not stay if the file was cut before it was there. */
static int check_cut(struct fault *f, pte_t *e, pte_t leaf, uint64_t index)
{
	struct page *page;
	int err = f->v.backing->ops->get_page(f->v.backing, index, false, &page);

	if (!err)
		page_put(page);
	if (err != -EFAULT || !replace_leaf(e, &leaf, 0))
		return 0;
	count_anon(f, -1);
	tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
	put_unseen(f, leaf_page(leaf));
	return -EAGAIN;
}

/*
 * A private copy of 'from', the file's page: at once, or in the place of old, the file's leaf. That
 * one's reference may go to vm_backing_unmap at any moment, ours keeps what is being copied.
 */
static int fault_private_write(
	struct fault *f, pte_t *e, pte_t old, struct page *from, uint32_t seen)
{
	struct page *page = page_alloc(0);
	pte_t new;

	if (!page) {
		page_put(from);
		return -ENOMEM;
	}
	page_copy(page, from, 0);
	new = make_leaf(&f->v, page, true) | PTE_SW_ANON;
	if (!replace_leaf(e, &old, new)) {
		page_put(from);
		page_put(page);
		return 0;
	}
	page_put(from);
	counter_inc(fault_copy);
	count_anon(f, 1);
	if (old || flush_is_due(f->s, 0)) /* S9 */
		tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
	if (old) {
		count_file(f, -1);
		page_put(leaf_page(old));
	}
	/* Partner: vm_backing_unmap counts before it looks at leaves. */
	if (unlikely(__atomic_load_n(&f->v.backing->unmap_count, __ATOMIC_SEQ_CST) != seen))
		return check_cut(f, e, new, backing_index(&f->v, f->addr));
	return 0;
}

/* Nobody looks at the page any more that was mapped here: no TLB, and no msync (clean_leaf). */
static void forget_page(const struct fault *f, struct vm_backing *b)
{
	tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
	mutex_lock(&b->lock);
	mutex_unlock(&b->lock);
}

/* old: 0, or the file's read-only leaf, and it is a write. */
static __noinline int fault_backing(struct fault *f, pte_t *e, pte_t old)
{
	struct vm_backing *b = f->v.backing;
	bool shared = f->v.flags & VMA_SHARED;
	bool writable = shared && (f->write || backing_is_anon_shared(b));
	uint32_t seen = __atomic_load_n(&b->unmap_count, __ATOMIC_SEQ_CST);
	struct page *page;
	pte_t new;
	int err = b->ops->get_page(b, backing_index(&f->v, f->addr), f->write && shared, &page);

	if (err)
		return backing_error(err);
	if (f->write && !shared)
		return fault_private_write(f, e, old, page, seen);
	new = make_leaf(&f->v, page, writable);
	if (!replace_leaf(e, &old, new)) {
		counter_inc(fault_lost_race);
		page_put(page);
		return 0;
	}
	counter_inc(fault_file);
	if (old) { /* its reference goes; the page may be another one now */
		if (leaf_page(old) != page)
			forget_page(f, b);
		page_put(leaf_page(old));
	} else {
		count_file(f, 1);
		if (flush_is_due(f->s, 0)) /* S9 */
			tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
	}
	/* Partner: vm_backing_unmap counts before it looks at leaves. */
	if (__atomic_load_n(&b->unmap_count, __ATOMIC_SEQ_CST) != seen) {
		if (replace_leaf(e, &new, 0)) {
			tlb_flush(f->s, f->addr, f->addr + PAGE_SIZE);
			count_file(f, -1);
			page_put(page);
		}
		return -EAGAIN;
	}
	if (!f->write && b->ops->contiguous && widen(f, SLOT_AROUND))
		fault_around(f);
	return 0;
}

/* ---- the way in ---- */

/* The leaf has less than its area allows since mprotect changed that and has not come to it. */
static bool leaf_is_late(const struct fault *f, pte_t old)
{
	return !(old & PTE_PRESENT) || (f->exec && (old & PTE_NX));
}

static __noinline int fault_present(struct fault *f, pte_t *e, pte_t old)
{
	if (unlikely(leaf_is_late(f, old))) {
		(void)atomic_cas(e, &old, leaf_in(&f->v, old));
		return -EAGAIN;
	}
	if (!f->write || (old & PTE_WRITE)) {
		f->found = true; /* another CPU was faster, or this TLB remembers less */
		return 0;
	}
	if (f->v.backing && !(old & PTE_SW_ANON))
		return fault_backing(f, e, old);
	return fault_copy(f, e, old);
}

/* Always ours alone: fork splits before it shares. */
static __noinline int fault_present_huge(struct fault *f, pte_t *e, pte_t old)
{
	pte_t new = (old & LEAF_KEEP) | leaf_bits(f->v.prot);

	if (f->v.prot & PROT_WRITE)
		new |= PTE_WRITE;
	if (leaf_is_late(f, old) || (f->write && !(old & PTE_WRITE))) {
		(void)atomic_cas(e, &old, new);
		return -EAGAIN;
	}
	f->found = f->huge = true;
	return 0;
}

/* Nothing is there for the 2 MiB: 1 if a huge page was put there, 0: it is a table now. */
static __noinline int fault_new_table(struct fault *f)
{
	pte_t *huge = pagetable_walk(&f->s->pt, f->addr, 2, true);

	if (!huge)
		return -ENOMEM;
	if (huge_fits(f) && memory_is_plenty()) {
		int err;

		if (!f->wide)
			f->wide = widen(f, SLOT_HUGE);
		if (!f->wide && !(f->seq & 1))
			return -EAGAIN;
		err = f->wide ? fault_new_huge(f, huge) : -EAGAIN;
		if (err != -EAGAIN)
			return err < 0 ? err : 1;
	}
	/* A huge leaf may come in between. */
	return pagetable_down(huge, f->addr, true) || (load_acquire(huge) & PTE_HUGE) ? 0 : -ENOMEM;
}

/* -EAGAIN: look again. */
static inline int fault_in(struct fault *f)
{
	pte_t *huge = pagetable_find(&f->s->pt, f->addr), *e, old;
	int err;

	old = likely(huge) ? load_acquire(huge) : 0;
	if (unlikely(old == 0)) {
		err = fault_new_table(f);
		if (err)
			return err > 0 ? 0 : err;
		huge = pagetable_find(&f->s->pt, f->addr);
		old = load_acquire(huge);
	}
	if (unlikely(old & PTE_HUGE))
		return fault_present_huge(f, huge, old);
	e = pagetable_in(old, f->addr);
	old = load_acquire(e);
	if (old)
		return fault_present(f, e, old);
	return f->v.backing ? fault_backing(f, e, 0) : fault_new_anon(f, e);
}

static bool allowed(const struct vma_view *v, unsigned access)
{
	if (access & VM_WRITE)
		return v->prot & PROT_WRITE;
	if (access & VM_EXEC)
		return v->prot & PROT_EXEC;
	return v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC); /* x86 cannot refuse to read */
}

/* A stack grows down to the page of addr, if the area above it is one and limits allow. */
static __noinline int grow_stack(struct vm_space *s, uintptr_t addr)
{
	uintptr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
	struct vma *v, *prev;
	int err = -EFAULT;

	space_lock(s);
	v = vma_find(s, addr);
	if (!v || v->start <= addr || !(v->flags & VMA_GROWSDOWN)) { /* not what it was */
		err = -EAGAIN;
		goto out;
	}
	if (change_at(s, start, v->start) ||
		change_excludes(s, start - MIN(start, STACK_GUARD_GAP), start)) {
		change_wait(s);
		err = -EAGAIN;
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
	err = -EAGAIN;
out:
	space_unlock(s);
	return err;
}

/* For who met a change: with the lock. The slot is taken already. */
static __noinline void find_area_slow(struct fault *f, bool again)
{
	struct vm_space *s = f->s;
	uintptr_t block = ALIGN_DOWN(f->addr, HUGE_SIZE);
	struct vma *v;

	if (again && lookup_fast(s, f->addr, &f->v, &f->seq))
		return;
	space_lock(s);
	slot_wait_exclusive(s, &f->slot, f->addr, f->addr, f->addr + PAGE_SIZE);
	f->seq = 1;
	v = vma_find(s, f->addr);
	if (v)
		vma_copy(v, &f->v);
	else
		f->v.end = 0;
	if (v && huge_fits(f) && !change_excludes(s, block, block + HUGE_SIZE)) {
		(void)__atomic_fetch_or(f->slot.word, SLOT_HUGE, __ATOMIC_SEQ_CST);
		f->wide = true;
	}
	space_unlock(s);
}

#define FAST_TRIES 2 /* then the lock is taken: nobody is kept from going on by others' changes */

/* One try; addr and access are the program's. Its callers are two, and one is the fast path. */
static __always_inline int fault_once(
	struct fault *f, uintptr_t addr, unsigned access, unsigned tries)
{
	struct vm_space *s = f->s;
	int err;

	f->wide = false;
	slot_enter(s, &f->slot, f->addr);
	if (unlikely(tries >= FAST_TRIES || !lookup_fast(s, addr, &f->v, &f->seq)))
		find_area_slow(f, tries < FAST_TRIES);
	if (unlikely(f->v.end == 0 || f->v.start > addr))
		err = -EFAULT;
	else if (unlikely(!allowed(&f->v, access)))
		err = -EACCES;
	else
		err = fault_in(f);
	slot_leave(s, &f->slot);
	if (unlikely(err == -EFAULT) && f->v.end && (f->v.flags & VMA_GROWSDOWN))
		err = grow_stack(s, addr);
	return err;
}

/* The rest is made by each try. */
static inline void fault_init(struct fault *f, struct vm_space *s, uintptr_t addr, unsigned access)
{
	f->s = s;
	f->addr = ALIGN_DOWN(addr, PAGE_SIZE);
	f->write = access & VM_WRITE;
	f->exec = access & VM_EXEC;
	f->found = f->huge = false;
}

int vm_fault(struct vm_space *s, uintptr_t addr, unsigned access)
{
	struct fault f;
	unsigned tries = 0;
	int err;

	fault_init(&f, s, addr, access);
	do
		err = fault_once(&f, addr, access, tries++);
	while (unlikely(err == -EAGAIN));
	count(&vm_cpu(s)->minor_faults, 1);
	return err;
}

int vm_populate(struct vm_space *s, uintptr_t start, uintptr_t end, unsigned access)
{
	for (uintptr_t at = start; at < end; at += PAGE_SIZE) {
		struct fault f;
		unsigned tries = 0;
		int err;

		fault_init(&f, s, at, access);
		do
			err = fault_once(&f, at, access, tries++);
		while (err == -EAGAIN);
		if (err)
			return err;
		/* What is there already is skipped: fault-around and huge pages see to most. */
		if (f.huge)
			at = ALIGN_DOWN(at, HUGE_SIZE) + HUGE_SIZE - PAGE_SIZE;
		if (!f.found)
			count(&vm_cpu(s)->minor_faults, 1);
		cond_resched();
	}
	return 0;
}
