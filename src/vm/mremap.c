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
	store_release(to, old & ~PTE_SW_UFFD_WP);
	if (old & PTE_PRESENT)
		gather_flush_all(m->g, va, va + (level == 2 ? HUGE_SIZE : PAGE_SIZE));
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
 * Whatever may lack memory, before anything has changed: no fault is in flight in either place any
 * more, and none will be. Tables stay, as both places are in a change.
 */
static int prepare_move(struct vm_space *s, struct remap *r, uintptr_t at, size_t move)
{
	uintptr_t end = r->old + move;
	int err;

	vm_patch_undo(s, r->old, r->old + r->old_len);
	slots_wait(s, r->old, r->old + r->old_len);
	slots_wait(s, at, at + r->new_len);
	if (!move)
		return 0;
	/* The old range will be unmapped, and that must not fail: its bounds get tables now. */
	err = bound_prepare(s, r->old);
	if (!err)
		err = bound_prepare(s, r->old + r->old_len);
	if (err)
		return err;
	if (IS_ALIGNED(at - r->old, HUGE_SIZE))
		return split_huge_at(s, end) || !prepare_huge(s, r->old, at, move) ? -ENOMEM : 0;
	return split_all_huge(s, r->old, end) || !prepare_tables(s, r->old, at, move) ? -ENOMEM : 0;
}

/* The pages of [old, old + len) appear at new, where an area is and nothing is mapped. */
static void move_pages(
	struct vm_space *s, uintptr_t old, uintptr_t new, size_t len, struct vm_backing *backing)
{
	struct vm_gather g;
	struct move m = { .s = s, .delta = new - old, .g = &g };

	gather_init(&g, s);
	/* vm_backing_unmap must see each page at one place or the other; if it takes one out at the
	 * new place it must know of the old one's flush (S9). */
	if (backing)
		space_hold(s);
	for (uintptr_t at = old, stop; at < old + len; at = stop) {
		stop = MIN(ALIGN_DOWN(at, HUGE_SIZE) + HUGE_SIZE, old + len);
		if (backing)
			mutex_lock(&backing->lock);
		pagetable_for_each_leaf(&s->pt, at, stop, move_leaf, &m);
		if (backing)
			mutex_unlock(&backing->lock);
	}
	BUG_ON(m.failed);
	if (flush_is_due(s, backing != NULL))
		gather_flush_all(&g, old, old + len);
	gather_finish(&g);
	if (backing)
		space_release(s);
}

static int remap_check(struct vma *v, const struct remap *r)
{
	if (!v || v->start > r->old || r->old_len > v->end - r->old)
		return -EFAULT;
	return r->old_len == 0 && !(v->flags & VMA_SHARED) ? -EINVAL : 0;
}

/* Its exclusive change c is for the old range and for [at, at + new_len). */
static intptr_t remap_move(struct vm_space *s, struct vm_change *c, struct remap *r, uintptr_t at)
{
	size_t move = MIN(r->old_len, r->new_len);
	bool keep = r->flags & MREMAP_DONTUNMAP;
	struct vma like, *v;
	int err;

	if (!change_take_spare(s, c)) /* so that the old range can be cut out in the end */
		return -ENOMEM;
	space_unlock(s);
	err = prepare_move(s, r, at, move);
	space_lock(s);
	v = vma_find(s, r->old);
	if (!err)
		err = remap_check(v, r); /* of length 0, it was nobody's */
	if (err)
		return err;
	like = *v;
	like.offset += r->old - v->start;
	like.start = at;
	like.end = at + r->new_len;
	like.flags &= ~(keep ? VMA_LOCKED : 0);
	like.watch = NULL; /* as on Linux: what moves is not watched any more */
	/* May join a neighbour, or even v itself: v is not used after this. */
	err = vma_add(s, &like);
	if (err)
		return err;
	if (move) {
		space_unlock(s);
		move_pages(s, r->old, at, move, like.backing);
		space_lock(s);
	}
	if (!keep && r->old_len && unmap_held(s, c, r->old, r->old + r->old_len))
		BUG("mremap: no memory, but all was prepared");
	return at;
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

/* These three have the lock, and give it up. */

/* MREMAP_FIXED: first the room is made, whatever comes of the rest. */
static intptr_t remap_fixed(struct vm_space *s, struct remap *r, bool *locked)
{
	struct vm_change c = { .start = r->old,
		.end = r->old + r->old_len,
		.start2 = r->new,
		.end2 = r->new + r->new_len };
	size_t move = MIN(r->old_len, r->new_len);
	intptr_t at;
	struct vma *v;
	int err;

	while (!change_enter(s, &c))
		;
	change_exclude(s, &c);
	err = unmap_held(s, &c, r->new, r->new + r->new_len);
	if (!err && r->old_len > move) {
		err = unmap_held(s, &c, r->old + move, r->old + r->old_len);
		r->old_len = move;
	}
	at = err;
	if (!err) {
		v = vma_find(s, r->old);
		at = remap_check(v, r);
		if (!at) {
			*locked = v->flags & VMA_LOCKED;
			at = vm_may_grow(s, v,
				     (r->flags & MREMAP_DONTUNMAP ? r->new_len
								  : r->new_len - move) >>
					     PAGE_SHIFT)
				     ? remap_move(s, &c, r, r->new)
				     : -ENOMEM;
		}
	}
	change_leave(s, &c);
	return at;
}

static intptr_t remap_shrink(struct vm_space *s, struct remap *r)
{
	struct vma *v;
	bool there;

	change_wait_exclusive(s, r->old, r->old + PAGE_SIZE);
	v = vma_find(s, r->old);
	there = v && v->start <= r->old;
	space_unlock(s);
	if (!there)
		return -EFAULT;
	if (r->old_len > r->new_len) {
		int err = vm_unmap(s, r->old + r->new_len, r->old + r->old_len);

		if (err)
			return err;
	}
	return r->old;
}

/* Grows where it is, or moves to a place of our choice. */
static intptr_t remap_any(struct vm_space *s, struct remap *r, bool *locked)
{
	struct vm_change c = { .start = r->old, .end = r->old + r->old_len };
	bool keep = r->flags & MREMAP_DONTUNMAP;
	struct vma *v;
	intptr_t at;

	for (;;) {
		change_wait_all(s, r->old, r->old + MAX(r->old_len, r->new_len));
		v = vma_find(s, r->old);
		at = remap_check(v, r);
		if (at)
			break;
		*locked = v->flags & VMA_LOCKED;
		if (!keep && r->old_len && remap_grow(s, v, r, &at))
			break;
		at = -ENOMEM;
		if (!(r->flags & MREMAP_MAYMOVE) ||
			!vm_may_grow(
				s, v, (keep ? r->new_len : r->new_len - r->old_len) >> PAGE_SHIFT))
			break;
		at = vm_place(s, r->new, r->new_len, 0, !v->backing && r->new_len >= HUGE_SIZE);
		if (at == -EAGAIN) {
			change_wait(s);
			continue;
		}
		if (at < 0)
			break;
		c.start2 = at;
		c.end2 = at + r->new_len;
		if (!change_enter(s, &c))
			continue;
		change_exclude(s, &c);
		at = remap_move(s, &c, r, at);
		change_leave(s, &c);
		return at;
	}
	space_unlock(s);
	return at;
}

intptr_t vm_mremap(struct vm_space *s, uintptr_t old, size_t old_len, size_t new_len, int flags,
	uintptr_t new_addr)
{
	struct remap r = { old, flags & MREMAP_FIXED ? new_addr : 0, old_len, new_len, flags };
	bool locked = false;
	intptr_t at = remap_decode(&r);

	if (at < 0)
		return at;
	space_lock(s);
	if (r.flags & MREMAP_FIXED)
		at = remap_fixed(s, &r, &locked);
	else if (r.old_len >= r.new_len && !(r.flags & MREMAP_DONTUNMAP))
		at = remap_shrink(s, &r);
	else
		at = remap_any(s, &r, &locked);
	if (at > 0 && locked && r.new_len > r.old_len)
		(void)vm_populate(s, at + r.old_len, at + r.new_len, VM_WRITE);
	return at;
}
