/* SPDX-License-Identifier: BSD-2-Clause */
/* madvise, msync, mincore, mlock: calls that walk over the areas of a range. */

#include "cpu/uaccess.h"
#include "sched/thread.h"
#include "vm/impl.h"

/*
 * The areas of [start, end), cut at its bounds; fn gets each with the part inside. Goes on over
 * holes and then answers -ENOMEM, as Linux does; another error of fn ends it. With the lock; what
 * takes longer drops it in fn, with a change for the whole range.
 */
typedef int area_fn(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end, long arg);

static int each_area(struct vm_space *s, uintptr_t start, uintptr_t end, area_fn *fn, long arg)
{
	uintptr_t at = start;
	bool hole = false;
	int err;

	while (at < end) {
		struct vma *v = vma_find(s, at);
		uintptr_t stop;

		if (!v || v->start >= end) {
			hole = true;
			break;
		}
		if (v->start > at) {
			hole = true;
			at = v->start;
		}
		stop = MIN(v->end, end);
		err = fn(s, v, at, stop, arg);
		if (err)
			return err;
		at = stop;
	}
	return hole ? -ENOMEM : 0;
}

/* each_area with a change for the range, or, if it does nothing to pages, without. */
static int over_areas(
	struct vm_space *s, uintptr_t start, uintptr_t end, area_fn *fn, long arg, bool pages)
{
	struct vm_change c = { .start = start, .end = end };
	int err;

	space_lock(s);
	if (!pages) {
		change_wait_exclusive(s, start, end);
		err = each_area(s, start, end, fn, arg);
		space_unlock(s);
		return err;
	}
	while (!change_enter(s, &c))
		;
	err = each_area(s, start, end, fn, arg);
	change_leave(s, &c);
	return err;
}

/* Sets and clears flags of [start, end) of v; arg: set | clear << 32. */
static int change_flags(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end, long arg)
{
	uint32_t set = arg, clear = (uint64_t)arg >> 32;
	uint32_t flags = (v->flags & ~clear) | set;

	if (flags == v->flags)
		return 0;
	v = vma_cut(s, v, start, end);
	if (!v)
		return -ENOMEM;
	tree_change(s);
	store_release(&v->flags, flags);
	vma_merge(s, v);
	return 0;
}

static int dont_need(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end, long arg)
{
	struct vm_gather g;
	int err;

	if ((v->flags & VMA_LOCKED) && arg != MADV_DONTNEED_LOCKED)
		return -EINVAL;
	if (arg == MADV_FREE && v->backing)
		return -EINVAL;
	space_unlock(s);
	err = split_huge_bounds(s, start, end);
	if (!err) {
		vm_patch_undo(s, start, end);
		gather_init(&g, s);
		g.from = start;
		g.to = end;
		zap_range(&g, start, end);
		gather_finish(&g);
	}
	space_lock(s);
	return err;
}

/*
 * The next part of [*at, end), taken under the lock, is punched without it: files take their own
 * locks, and those come before ours where a file reads from program memory.
 */
static int punch_part(struct vm_space *s, uintptr_t *at, uintptr_t end)
{
	struct vm_backing *b;
	struct vma *v;
	uint64_t first = 0, pages = 0;
	int err = 0;

	space_lock(s);
	change_wait_exclusive(s, *at, end);
	v = vma_find(s, *at);
	b = v ? v->backing : NULL;
	if (!v || v->start > *at)
		err = -ENOMEM;
	else if (!b || !(v->flags & VMA_SHARED))
		err = -EINVAL;
	else if (!(v->max_prot & PROT_WRITE))
		err = -EACCES;
	else if (!b->ops->punch)
		err = -EOPNOTSUPP;
	if (!err) {
		first = (v->offset + (*at - v->start)) >> PAGE_SHIFT;
		pages = (MIN(end, v->end) - *at) >> PAGE_SHIFT;
		b->ops->get(b);
	}
	space_unlock(s);
	if (err)
		return err;
	err = b->ops->punch(b, first, first + pages);
	b->ops->put(b);
	*at += pages << PAGE_SHIFT;
	return err;
}

static int punch(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	int err = 0;

	while (start < end && !err)
		err = punch_part(s, &start, end);
	return err;
}

static int not_locked(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end, long arg)
{
	return v->flags & VMA_LOCKED ? -EINVAL : 0;
}

static int nothing(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end, long arg)
{
	return 0;
}

#define SET(flag)   ((long)(flag))
#define CLEAR(flag) ((long)(flag) << 32)

struct advice {
	int number;
	area_fn *fn;
	long arg;
};
static const struct advice advices[] = {
	{ MADV_NORMAL, nothing, 0 },
	{ MADV_RANDOM, nothing, 0 },
	{ MADV_SEQUENTIAL, nothing, 0 },
	{ MADV_WILLNEED, nothing, 0 },
	{ MADV_DONTNEED, dont_need, MADV_DONTNEED },
	{ MADV_DONTNEED_LOCKED, dont_need, MADV_DONTNEED_LOCKED },
	{ MADV_FREE, dont_need, MADV_FREE },
	{ MADV_DONTFORK, change_flags, SET(VMA_DONTFORK) },
	{ MADV_DOFORK, change_flags, CLEAR(VMA_DONTFORK) },
	{ MADV_MERGEABLE, nothing, 0 },
	{ MADV_UNMERGEABLE, nothing, 0 },
	{ MADV_HUGEPAGE, change_flags, SET(VMA_HUGE) | CLEAR(VMA_NOHUGE) },
	{ MADV_NOHUGEPAGE, change_flags, SET(VMA_NOHUGE) | CLEAR(VMA_HUGE) },
	{ MADV_DONTDUMP, change_flags, SET(VMA_DONTDUMP) },
	{ MADV_DODUMP, change_flags, CLEAR(VMA_DONTDUMP) },
	{ MADV_WIPEONFORK, change_flags, SET(VMA_WIPEONFORK) },
	{ MADV_KEEPONFORK, change_flags, CLEAR(VMA_WIPEONFORK) },
	{ MADV_COLD, not_locked, 0 },
	{ MADV_PAGEOUT, not_locked, 0 },
	{ MADV_COLLAPSE, nothing, 0 },
};

static const struct advice *find_advice(int number)
{
	for (unsigned i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].number == number)
			return &advices[i];
	return NULL;
}

static int populate(struct vm_space *s, uintptr_t start, uintptr_t end, int advice)
{
	int err = vm_populate(s, start, end, advice == MADV_POPULATE_WRITE ? VM_WRITE : VM_READ);

	switch (err) {
	case -EFAULT: return -ENOMEM; /* a hole */
	case -EACCES: return -EINVAL;
	case -EIO: return -EFAULT;
	default: return err;
	}
}

int vm_madvise(struct vm_space *s, uintptr_t addr, size_t len, int advice)
{
	const struct advice *a = find_advice(advice);
	bool fill = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;

	if (!a && !fill && advice != MADV_REMOVE)
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || (len && ALIGN_UP(len, PAGE_SIZE) == 0))
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (addr + len < addr)
		return -EINVAL;
	if (len == 0)
		return 0;
	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	if (fill)
		return populate(s, addr, addr + len, advice);
	if (advice == MADV_REMOVE)
		return punch(s, addr, addr + len);
	if (a->fn == change_flags && (a->arg & VMA_WIPEONFORK)) {
		struct vma_view v;

		vma_lookup(s, addr, &v);
		if (v.end && v.backing)
			return -EINVAL;
	}
	return over_areas(s, addr, addr + len, a->fn, a->arg, a->fn == dont_need);
}

/* ---- msync ---- */

static void clean_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	pte_t e = load_acquire(pte);
	struct page *page = leaf_page(e);

	if ((e & PTE_EVER_DIRTY) && !(load_relaxed(&page->flags) & PAGE_RESERVED))
		(void)atomic_or(&page->flags, PAGE_DIRTY);
}

static int sync_area(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end, long flags)
{
	struct vm_backing *b = v->backing; /* stays, as we have a change for the area */

	if ((flags & MS_INVALIDATE) && (v->flags & VMA_LOCKED))
		return -EBUSY;
	if (!(v->flags & VMA_SHARED))
		return 0;
	space_unlock(s);
	/* With the backing's lock neither truncation (vm_backing_unmap) nor a fault (forget_page)
	 * frees a page that was in a leaf. For a table at a time, as others map the file. */
	for (uintptr_t at = start, stop; at < end; at = stop) {
		stop = MIN(ALIGN_DOWN(at, HUGE_SIZE) + HUGE_SIZE, end);
		mutex_lock(&b->lock);
		pagetable_for_each_leaf(&s->pt, at, stop, clean_leaf, NULL);
		mutex_unlock(&b->lock);
		cond_resched();
	}
	space_lock(s);
	return 0;
}

int vm_msync(struct vm_space *s, uintptr_t addr, size_t len, int flags)
{
	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || !IS_ALIGNED(addr, PAGE_SIZE) ||
		((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (addr + len < addr)
		return -ENOMEM;
	if (len == 0)
		return 0;
	if (!vm_range_ok(addr, len))
		return -ENOMEM;
	return over_areas(s, addr, addr + len, sync_area, flags, true);
}

/* ---- mincore ---- */

static int mincore_chunk(struct vm_space *s, uintptr_t addr, uint8_t *vec, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		uintptr_t at = addr + i * PAGE_SIZE;
		struct vma *v = vma_find(s, at);
		unsigned level;

		if (!v || v->start > at)
			return -ENOMEM;
		vec[i] = pagetable_leaf(&s->pt, at, &level) != NULL;
		if (!vec[i] && v->backing && v->backing->ops->contiguous)
			vec[i] = 1; /* the object itself is in RAM */
	}
	return 0;
}

int vm_mincore(struct vm_space *s, uintptr_t addr, size_t len, uint8_t *user_vec)
{
	uint8_t vec[256];
	size_t pages, n;
	int err = 0;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (len > USER_MAX || !vm_range_ok(addr, ALIGN_UP(len, PAGE_SIZE)))
		return -ENOMEM;
	pages = ALIGN_UP(len, PAGE_SIZE) >> PAGE_SHIFT;
	if (!user_range_ok(user_vec, pages))
		return -EFAULT;
	for (; pages && !err; pages -= n) {
		n = MIN(pages, sizeof(vec));
		space_lock(s); /* tables are unlinked under it */
		change_wait_exclusive(s, addr, addr + n * PAGE_SIZE);
		err = mincore_chunk(s, addr, vec, n);
		space_unlock(s);
		if (!err)
			err = copy_to_user(user_vec, vec, n);
		addr += n * PAGE_SIZE;
		user_vec += n;
		cond_resched();
	}
	return err;
}

/* ---- mlock ---- */

int vm_mlock(struct vm_space *s, uintptr_t addr, size_t len, bool lock)
{
	uintptr_t start = ALIGN_DOWN(addr, PAGE_SIZE), end = ALIGN_UP(addr + len, PAGE_SIZE);
	int err;

	if (end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	if (!vm_range_ok(start, end - start))
		return -ENOMEM;
	err = over_areas(
		s, start, end, change_flags, lock ? SET(VMA_LOCKED) : CLEAR(VMA_LOCKED), false);
	/* What cannot be had (PROT_NONE) is no error: it stays locked in its absence. */
	if (!err && lock)
		for (uintptr_t at = start; at < end; at += PAGE_SIZE)
			if (vm_populate(s, at, at + PAGE_SIZE, VM_WRITE) == -EACCES)
				(void)vm_populate(s, at, at + PAGE_SIZE, VM_READ);
	return err;
}

void vm_mlock_all(struct vm_space *s, bool current, bool future)
{
	struct vma_view v;
	uintptr_t at = 0;

	space_lock(s);
	change_wait_exclusive(s, 0, USER_MAX);
	s->lock_future = future;
	tree_change(s);
	for (struct rb_node *n = rb_first(&s->areas); n; n = rb_next(n)) {
		struct vma *each = rb_entry(n, struct vma, node);

		store_release(&each->flags,
			current ? each->flags | VMA_LOCKED : each->flags & ~VMA_LOCKED);
	}
	space_unlock(s);
	for (; current; at = v.end) {
		vma_lookup(s, at, &v);
		if (!v.end)
			break;
		(void)vm_populate(
			s, MAX(v.start, at), v.end, v.prot & PROT_WRITE ? VM_WRITE : VM_READ);
	}
}
