/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of the program that others read without it: what MSG_ZEROCOPY sends, what vmsplice puts
 * into a pipe. A pinned page has a reference beside its leaf's, and so stays what it was when the
 * program unmaps, forgets, moves or copies it, or ends. Nothing else about it changes: the program
 * goes on writing to it, and who has it sees that, as on Linux.
 *
 * No lock: pinning is like a fault that fills no leaf. It has a slot, finds its area, reads the
 * leaf, and takes a reference; S11 says why the page is still there by then.
 */

#include "diag/counter.h"
#include "vm/impl.h"

COUNTER(pages_pinned);
COUNTER(pin_split_huge);

#define WINDOW (AROUND_PAGES * PAGE_SIZE) /* what a slot covers */

struct pin {
	struct vm_space *s;
	struct fault_slot slot;
	struct vma_view v;
	uintptr_t at, stop; /* what is to be pinned under one slot, page aligned */
	struct page **out;  /* the next */
};

/* With the slot. The area that 'at' is in, or the next one above it. */
static void find_area(struct pin *p)
{
	struct vm_space *s = p->s;
	struct vma *v;
	uint64_t seq;

	if (likely(lookup_fast(s, p->at, &p->v, &seq)))
		return;
	space_lock(s);
	slot_wait_exclusive(s, &p->slot, p->at | SLOT_AROUND, p->at, p->stop);
	v = vma_find(s, p->at);
	if (v)
		vma_copy(v, &p->v);
	else
		p->v.end = 0;
	space_unlock(s);
}

/* The program's own copy of a file's page; -EAGAIN: the file was cut there, look again. */
static int pin_copy(struct pin *p, const pte_t *e)
{
	pte_t leaf;

	mutex_lock(&p->v.backing->lock); /* S10: with it vm_backing_unmap frees none */
	leaf = load_acquire(e);
	if (leaf & PTE_SW_ANON)
		page_get(*p->out = leaf_page(leaf));
	mutex_unlock(&p->v.backing->lock);
	return leaf & PTE_SW_ANON ? 0 : -EAGAIN;
}

static int pin_file(struct pin *p)
{
	struct vm_backing *b = p->v.backing;
	uint64_t index = (p->v.offset + (p->at - p->v.start)) >> PAGE_SHIFT;
	int err = b->ops->get_page(b, index, false, p->out);

	return err && err != -ENOMEM ? -EFAULT : err;
}

/* The page at p->at, whose leaf is *e; NULL: there is no table. -EAGAIN: look again. */
static inline int pin_page(struct pin *p, const pte_t *e)
{
	pte_t leaf = e ? load_acquire(e) : 0;

	if (unlikely(p->v.backing))
		return leaf & PTE_SW_ANON ? pin_copy(p, e) : pin_file(p);
	/* What has never been written reads as zeroes, and is not that page any more afterwards. */
	*p->out = leaf & PTE_SW_ANON ? leaf_page(leaf) : vm_zero_page;
	page_get(*p->out);
	return 0;
}

/* -E2BIG: a 2 MiB leaf is there. */
static int pin_area(struct pin *p)
{
	uintptr_t end;
	pte_t *e, table;
	int err = 0;

	find_area(p);
	if (p->v.end == 0 || p->v.start > p->at || !p->v.prot)
		return -EFAULT;
	/* The window is aligned, so all of it is in one table. */
	e = pagetable_find(&p->s->pt, p->at);
	table = e ? load_acquire(e) : 0;
	if (unlikely(table & PTE_HUGE))
		return -E2BIG;
	e = table ? pagetable_in(table, p->at) : NULL;
	end = MIN(p->stop, p->v.end);
	while (p->at < end && !(err = pin_page(p, e))) {
		p->at += PAGE_SIZE;
		p->out++;
		e += e != NULL;
	}
	return err;
}

static int split(struct vm_space *s, uintptr_t at)
{
	struct vm_change c = { .start = ALIGN_DOWN(at, HUGE_SIZE) };
	int err;

	c.end = c.start + HUGE_SIZE;
	walk_enter(s, &c);
	err = split_huge_at(s, c.start + PAGE_SIZE);
	walk_leave(s, &c);
	counter_inc(pin_split_huge);
	return err;
}

/* [at, stop), as far as it goes: all of it, or the error. */
static int pin_window(struct pin *p)
{
	int err;

	do {
		slot_enter(p->s, &p->slot, p->at | SLOT_AROUND);
		err = pin_area(p);
		slot_leave(p->s, &p->slot);
		if (unlikely(err == -E2BIG))
			err = split(p->s, p->at);
		else if (unlikely(err == -EFAULT) && p->v.end && (p->v.flags & VMA_GROWSDOWN) &&
			 p->v.start > p->at)
			err = vm_fault(p->s, p->at, VM_READ) ? -EFAULT : 0; /* grows the stack */
		else if (err == -EAGAIN)
			err = 0;
	} while (!err && p->at < p->stop);
	return err;
}

int vm_pin(struct vm_space *s, uintptr_t addr, size_t len, struct page **pages, unsigned max)
{
	struct pin p = { .s = s, .at = ALIGN_DOWN(addr, PAGE_SIZE), .out = pages };
	uintptr_t end;
	int err = 0;

	if (len > USER_MAX || addr > USER_MAX - len)
		return -EFAULT;
	end = ALIGN_UP(addr + len, PAGE_SIZE);
	end = MIN(end, p.at + max * PAGE_SIZE);
	while (!err && p.at < end) {
		p.stop = MIN(end, ALIGN_DOWN(p.at, WINDOW) + WINDOW);
		err = pin_window(&p);
	}
	counter_add(pages_pinned, (uint64_t)(p.out - pages));
	return p.out > pages ? (int)(p.out - pages) : err;
}
