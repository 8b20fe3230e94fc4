/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Areas that are watched for writes: the registrations of userfaultfd's asynchronous write
 * protection. Nothing is ever protected: PTE_SW_UFFD_WP says that a page has not been written since
 * it would have been, see track.c. It is set only in watched areas.
 */

#include "vm/impl.h"

static bool watchable(const struct vma *v)
{
	return !v->backing;
}

/* Areas of [start, end), cut at its bounds, get this owner. */
static int set_watch(struct vm_space *s, uintptr_t start, uintptr_t end, const void *owner)
{
	for (struct vma *v = vma_find(s, start); v && v->start < end; v = vma_next(v)) {
		if (v->watch == owner)
			continue;
		v = vma_cut(s, v, start, end);
		if (!v)
			return -ENOMEM;
		v->watch = owner;
		v = vma_merge(s, v);
	}
	return 0;
}

/* Whether every area there is watchable and nobody else's; and there is one. */
static int check_areas(struct vm_space *s, uintptr_t start, uintptr_t end, const void *owner)
{
	struct vma *v = vma_find(s, start);

	if (!v || v->start >= end)
		return -EINVAL;
	for (; v && v->start < end; v = vma_next(v)) {
		if (!watchable(v))
			return -EINVAL;
		if (!(v->max_prot & PROT_WRITE))
			return -EPERM;
		if (v->watch && v->watch != owner)
			return -EBUSY;
	}
	return 0;
}

int vm_watch(struct vm_space *s, uintptr_t start, uintptr_t end, const void *owner)
{
	int err;

	space_lock(s);
	change_wait_exclusive(s, start, end);
	err = check_areas(s, start, end, owner);
	if (!err)
		err = set_watch(s, start, end, owner);
	space_unlock(s);
	return err;
}

/* All that is there counts as written: no TLB needs to know. */
static void forget_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	(void)atomic_and(pte, ~PTE_SW_UFFD_WP);
}

/* With a change for the range, and the lock, which it drops. */
static void forget(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	space_unlock(s);
	pagetable_for_each_leaf(&s->pt, start, end, forget_leaf, NULL);
	space_lock(s);
}

int vm_unwatch(struct vm_space *s, uintptr_t start, uintptr_t end, const void *owner)
{
	struct vm_change c = { .start = start, .end = end };
	int err;

	space_lock(s);
	while (!change_enter(s, &c))
		;
	err = check_areas(s, start, end, owner);
	if (!err) {
		space_unlock(s);
		err = split_huge_bounds(s, start, end);
		space_lock(s);
	}
	if (!err)
		err = set_watch(s, start, end, NULL);
	if (!err)
		forget(s, start, end);
	change_leave(s, &c);
	return err == -EBUSY || err == -EPERM ? -EINVAL : err;
}

void vm_unwatch_all(struct vm_space *s, const void *owner)
{
	struct vma *v;

	space_lock(s);
	for (v = vma_find(s, 0); v;) {
		struct vm_change c = { .start = v->start, .end = v->end };

		if (v->watch != owner) {
			v = vma_next(v);
			continue;
		}
		if (change_enter(s, &c)) {
			v->watch = NULL;
			vma_merge(s, v);
			forget(s, c.start, c.end);
			change_leave(s, &c);
			space_lock(s);
		}
		v = vma_find(s, c.start); /* it may have changed while the lock was not held */
	}
	space_unlock(s);
}

static int all_watched(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vma *v = vma_find(s, start);
	int err = -ENOENT;

	for (; v && v->start < end; v = vma_next(v)) {
		if (!v->watch)
			return -ENOENT;
		err = 0;
	}
	return err;
}

int vm_watch_protect(struct vm_space *s, uintptr_t start, uintptr_t end, bool protect)
{
	struct vm_change c = { .start = start, .end = end };
	int err;

	space_lock(s);
	while (!change_enter(s, &c))
		;
	err = all_watched(s, start, end);
	if (!err) {
		space_unlock(s);
		err = split_huge_bounds(s, start, end);
		space_lock(s);
	}
	if (!err && !protect)
		forget(s, start, end);
	change_leave(s, &c);
	/* Areas that come or go from here on do so beside this call. */
	return err || !protect ? err : vm_scan_protect(s, start, end);
}
