/* SPDX-License-Identifier: BSD-2-Clause */
/* mremap(2): areas grow, shrink and move with their pages. */

#include "vm/impl.h"

/* What one call is about, after the checks that need no lock. Lengths are whole pages. */
struct remap {
	uintptr_t old, new; /* new: for MREMAP_FIXED */
	size_t old_len, new_len;
	int flags;
};

static int remap_decode(struct remap *r)
{
	if (r->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && r->old_len != r->new_len)
		return -EINVAL;
	if (!IS_ALIGNED(r->old, PAGE_SIZE) || r->old_len > USER_MAX || r->new_len > USER_MAX)
		return -EINVAL;
	r->old_len = ALIGN_UP(r->old_len, PAGE_SIZE);
	r->new_len = ALIGN_UP(r->new_len, PAGE_SIZE);
	if (r->new_len == 0 || r->old > USER_MAX - r->old_len)
		return -EINVAL;
	if (!(r->flags & MREMAP_FIXED))
		return 0;
	if (!vm_range_ok(r->new, r->new_len))
		return -EINVAL;
	if (r->new < MMAP_MIN_ADDR)
		return -EPERM;
	if (r->old + r->old_len > r->new && r->new + r->new_len > r->old)
		return -EINVAL;
	return 0;
}

struct move {
	struct vm_space *s;
	uintptr_t delta; /* new - old */
	struct vm_gather *g;
	bool failed;
};

static void move_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct move *m = arg;
	pte_t *to = pagetable_walk(&m->s->pt, va + m->delta, level, true), old;

	if (!to ||
		load_relaxed(to)) { /* no memory; or a table stands where a huge leaf should go */
		m->failed = true;
		return;
	}
	old = atomic_xchg(pte, 0);
	store_release(to, old);
	if (old & PTE_PRESENT) {
		m->g->start = MIN(m->g->start, va);
		m->g->end = MAX(m->g->end, va + (level == 2 ? HUGE_SIZE : PAGE_SIZE));
	}
}

/* The tables that the moved leaves need, so that moving cannot fail half way. */
static bool prepare_tables(struct vm_space *s, uintptr_t old, uintptr_t new, size_t len)
{
	size_t step;

	for (size_t at = 0; at < len; at += step) {
		step = MIN(HUGE_SIZE - (new + at) % HUGE_SIZE, len - at);
		if (!pagetable_walk(&s->pt, old + at, 2, false) &&
			!pagetable_walk(&s->pt, old + at + step - 1, 2, false))
			continue;
		if (!pagetable_walk(&s->pt, new + at, 1, true))
			return false;
	}
	return true;
}

/* The same where both places are equally aligned, so that huge leaves may move whole. */
static bool prepare_huge(struct vm_space *s, uintptr_t old, uintptr_t new, size_t len)
{
	for (uintptr_t at = old; at < old + len; at = ALIGN_DOWN(at, HUGE_SIZE) + HUGE_SIZE) {
		pte_t *from = pagetable_walk(&s->pt, at, 2, false), *to;

		if (!from || !load_relaxed(from))
			continue;
		to = pagetable_walk(&s->pt, at + (new - old), 2, true);
		if (!to)
			return false;
		if ((load_relaxed(from) & PTE_HUGE) && !load_relaxed(to))
			continue;
		if (split_huge_at(s, ALIGN_DOWN(at, HUGE_SIZE) + PAGE_SIZE) ||
			!pagetable_walk(&s->pt, at + (new - old), 1, true))
			return false;
	}
	return true;
}

static int split_all_huge(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	for (uintptr_t at = ALIGN_DOWN(start, HUGE_SIZE); at < end; at += HUGE_SIZE)
		if (split_huge_at(s, at + PAGE_SIZE))
			return -ENOMEM;
	return 0;
}

/*
 * The pages of [old, old + len) appear at new, where an area is and nothing is mapped. Without
 * MREMAP_DONTUNMAP the old area goes afterwards.
 */
static int move_pages(
	struct vm_space *s, uintptr_t old, uintptr_t new, size_t len, struct vm_backing *backing)
{
	struct vm_gather g;
	struct move m = { .s = s, .delta = new - old, .g = &g };

	if (IS_ALIGNED(new - old, HUGE_SIZE)) {
		if (split_huge_bounds(s, old, old + len) || !prepare_huge(s, old, new, len))
			return -ENOMEM;
	} else if (split_all_huge(s, old, old + len) || !prepare_tables(s, old, new, len)) {
		return -ENOMEM;
	}
	gather_init(&g, s);
	/* vm_backing_unmap must see each page at one place or the other. */
	if (backing)
		mutex_lock(&backing->lock);
	pagetable_for_each_leaf(&s->pt, old, old + len, move_leaf, &m);
	if (backing)
		mutex_unlock(&backing->lock);
	BUG_ON(m.failed);
	gather_finish(&g);
	return 0;
}

static intptr_t remap_move(struct vm_space *s, struct vma *v, struct remap *r)
{
	struct vma like = *v;
	struct vm_backing *backing = v->backing;
	size_t move = MIN(r->old_len, r->new_len);
	intptr_t at = r->new;
	bool keep = r->flags & MREMAP_DONTUNMAP;
	int err;

	if (!vm_may_grow(s, &like, (keep ? r->new_len : r->new_len - move) >> PAGE_SHIFT))
		return -ENOMEM;
	if (!(r->flags & MREMAP_FIXED)) {
		at = vm_place(s, r->new, r->new_len, 0, !backing && r->new_len >= HUGE_SIZE);
		if (at < 0)
			return at;
	}
	like.offset += r->old - v->start;
	like.start = at;
	like.end = at + r->new_len;
	like.flags &= ~(keep ? VMA_LOCKED : 0);
	/* May join a neighbour, or even v itself: v is not used after this. */
	err = vma_add(s, &like);
	if (err)
		return err;
	err = move_pages(s, r->old, at, move, backing);
	if (err) {
		(void)vm_unmap_locked(s, at, at + r->new_len);
		return err;
	}
	if (!keep && r->old_len)
		err = vm_unmap_locked(s, r->old, r->old + r->old_len);
	return err ? err : at;
}

/* True if it could grow where it is. */
static bool remap_grow(struct vm_space *s, struct vma *v, struct remap *r, intptr_t *result)
{
	uintptr_t end = r->old + r->new_len;
	struct vma *next = vma_next(v);
	uint64_t more = (end - v->end) >> PAGE_SHIFT;

	if (r->old + r->old_len != v->end || end < r->old || end > USER_MAX)
		return false;
	if (next && vma_guard_start(next) < end)
		return false;
	if (!vm_may_grow(s, v, more)) {
		*result = -ENOMEM;
		return true;
	}
	vma_resize(s, v, v->start, end);
	vma_merge(s, v);
	*result = r->old;
	return true;
}

static intptr_t remap_locked(struct vm_space *s, struct remap *r, bool *locked)
{
	struct vma *v;
	intptr_t result;
	int err = 0;

	vm_patch_undo(s, r->old, r->old + r->old_len);
	if (r->flags & MREMAP_FIXED) {
		err = vm_unmap_locked(s, r->new, r->new + r->new_len);
		if (!err && r->old_len > r->new_len) {
			err = vm_unmap_locked(s, r->old + r->new_len, r->old + r->old_len);
			r->old_len = r->new_len;
		}
		if (err)
			return err;
	} else if (r->old_len >= r->new_len && !(r->flags & MREMAP_DONTUNMAP)) {
		v = vma_find(s, r->old);
		if (!v || v->start > r->old)
			return -EFAULT;
		if (r->old_len > r->new_len)
			err = vm_unmap_locked(s, r->old + r->new_len, r->old + r->old_len);
		return err ? err : (intptr_t)r->old;
	}
	v = vma_find(s, r->old);
	if (!v || v->start > r->old)
		return -EFAULT;
	if (r->old_len > v->end - r->old)
		return -EFAULT;
	if (r->old_len == 0 && !(v->flags & VMA_SHARED))
		return -EINVAL;
	*locked = v->flags & VMA_LOCKED;
	if (!(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && r->old_len &&
		remap_grow(s, v, r, &result))
		return result;
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	return remap_move(s, v, r);
}

intptr_t vm_mremap(struct vm_space *s, uintptr_t old, size_t old_len, size_t new_len, int flags,
	uintptr_t new_addr)
{
	struct remap r = { old, flags & MREMAP_FIXED ? new_addr : 0, old_len, new_len, flags };
	bool locked = false;
	intptr_t at = remap_decode(&r);

	if (at < 0)
		return at;
	write_lock(&s->lock);
	at = remap_locked(s, &r, &locked);
	write_unlock(&s->lock);
	if (at > 0 && locked && r.new_len > r.old_len)
		(void)vm_populate(s, at + r.old_len, at + r.new_len, VM_WRITE);
	return at;
}
