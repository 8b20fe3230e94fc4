/* SPDX-License-Identifier: BSD-2-Clause */
/* mmap, munmap, mprotect, brk: decode and check first, then change. */

#include "lib/string.h"
#include "sched/random.h"
#include "vm/impl.h"

#define LOW_2GB_START 0x40000000ul /* where MAP_32BIT places */
#define LOW_2GB_END   0x80000000ul

bool vm_range_ok(uintptr_t addr, size_t len)
{
	return IS_ALIGNED(addr, PAGE_SIZE) && len <= USER_MAX && addr <= USER_MAX - len;
}

bool vm_may_grow(struct vm_space *s, const struct vma *like, uint64_t pages)
{
	bool data = (like->prot & PROT_WRITE) && !(like->flags & (VMA_SHARED | VMA_GROWSDOWN));

	if (s->total + pages > s->limit_as >> PAGE_SHIFT)
		return false;
	if (data && s->data + pages > s->limit_data >> PAGE_SHIFT)
		return false;
	/* Linux's heuristic overcommit: only what can never be had is refused. */
	if ((like->prot & PROT_WRITE) && !(like->flags & VMA_NORESERVE) &&
		pages > page_stats().total)
		return false;
	return true;
}

/* A free place that nobody is still taking pages out of. */
static uintptr_t find_gap(
	struct vm_space *s, size_t len, size_t align, uintptr_t low, uintptr_t high, bool *in_use)
{
	uintptr_t at, used;

	while ((at = vma_find_gap(s, len, align, low, high)) != 0) {
		used = change_at(s, at, at + len);
		if (likely(!used))
			break;
		*in_use = true;
		high = used;
	}
	return at;
}

intptr_t vm_place(struct vm_space *s, uintptr_t hint, size_t len, int flags, bool huge)
{
	uintptr_t at, low = MMAP_MIN_ADDR, high = s->mmap_top;
	bool in_use = false;
	struct vma *v;

	if (len > USER_MAX - MMAP_MIN_ADDR)
		return -ENOMEM;
	if (flags & MAP_32BIT) {
		low = LOW_2GB_START;
		high = LOW_2GB_END;
	} else if (hint) {
		hint = MAX(ALIGN_DOWN(hint, PAGE_SIZE), MMAP_MIN_ADDR);
		v = vma_find(s, hint);
		if (hint <= USER_MAX - len && (!v || hint + len <= vma_guard_start(v)) &&
			!change_at(s, hint, hint + len))
			return hint;
	}
	at = huge ? find_gap(s, len, HUGE_SIZE, low, high, &in_use) : 0;
	if (!at)
		at = find_gap(s, len, PAGE_SIZE, low, high, &in_use);
	if (!at && !(flags & MAP_32BIT)) /* above it, what the stack leaves */
		at = find_gap(s, len, PAGE_SIZE, low, USER_MAX, &in_use);
	if (at)
		return at;
	return in_use ? -EAGAIN : -ENOMEM;
}

/* ---- munmap ---- */

/*
 * The areas of [start, end), from v on, leave the tree, to *dead; in the middle of one it has been
 * cut. Returns the next.
 */
static struct vma *detach_range(
	struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end, struct vma **dead)
{
	struct vma *next;

	for (; v && v->start < end; v = next) {
		next = vma_next(v);
		if (v->start >= start && v->end <= end)
			vma_remove(s, v, dead);
		else if (v->start < start)
			vma_resize(s, v, v->start, start);
		else
			vma_resize(s, v, end, v->end);
	}
	return v;
}

/* The hole that [start, end) is in, below next, and whether it has room for a table's span. */
static bool prunable(struct vm_space *s, struct vma *next, uintptr_t start, uintptr_t end,
	uintptr_t *floor, uintptr_t *ceiling)
{
	struct vma *prev = vma_below(s, next);
	uintptr_t block;

	*floor = prev ? prev->end : 0;
	*ceiling = next ? next->start : 1ul << 47;
	change_clip(s, start, end, floor, ceiling);
	block = MAX(ALIGN_UP(*floor, HUGE_SIZE), ALIGN_DOWN(start, HUGE_SIZE));
	return block < end && block + HUGE_SIZE <= *ceiling;
}

/* With the lock, dropped meanwhile: bounds are ready in the hold in which this returns 0. */
static int make_bounds(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	int err = 0;

	while (!err) {
		bool low = bound_ready(s, start), high = bound_ready(s, end);

		if (likely(low && high))
			break;
		space_unlock(s);
		if (!low)
			err = bound_prepare(s, start);
		if (!err && !high)
			err = bound_prepare(s, end);
		space_lock(s);
	}
	return err;
}

/* The leaves of [start, end), where nothing is mapped any more, and the tables. As unmap_held. */
static void unmap_pages(struct vm_space *s, struct vma *next, uintptr_t start, uintptr_t end)
{
	uintptr_t floor, ceiling;
	bool prune = prunable(s, next, start, end, &floor, &ceiling);
	uint64_t seq = s->seq;
	struct vm_gather g;

	space_unlock(s);
	slots_wait(s, start, end); /* S3 */
	gather_init(&g, s);
	zap_range(&g, start, end);
	if (!prune)
		gather_finish(&g);
	space_lock(s);
	if (!prune && s->seq == seq + (seq & 1)) /* no neighbour has gone */
		return;
	/* What was taken out goes with one flush, if it can. */
	if (prunable(s, vma_find(s, start), start, end, &floor, &ceiling))
		g.tables = pagetable_prune(&s->pt, start, end, floor, ceiling);
	else if (!prune)
		return;
	space_unlock(s);
	gather_finish(&g);
	space_lock(s);
}

int unmap_held(struct vm_space *s, struct vm_change *c, uintptr_t start, uintptr_t end)
{
	struct vma *v = vma_find(s, start);

	if (!v || v->start >= end)
		return 0;
	if (vm_patch_any(s, v, end)) {
		space_unlock(s);
		vm_patch_undo(s, start, end);
		space_lock(s);
	}
	/* Whatever may lack memory comes first. */
	if (make_bounds(s, start, end))
		return -ENOMEM;
	v = vma_find(s, start); /* bounds outside may have moved meanwhile */
	change_give_spare(s, c);
	if (v->start < start && v->end > end && !vma_split(s, v, end))
		return -ENOMEM;
	unmap_pages(s, detach_range(s, v, start, end, &c->dead), start, end);
	return 0;
}

int vm_unmap(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vm_change c = { .start = start, .end = end };
	int err;

	space_lock(s);
	while (!change_enter(s, &c))
		;
	err = unmap_held(s, &c, start, end);
	change_leave(s, &c);
	return err;
}

int vm_munmap(struct vm_space *s, uintptr_t addr, size_t len)
{
	if (len == 0 || len > USER_MAX)
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!vm_range_ok(addr, len))
		return -EINVAL;
	return vm_unmap(s, addr, addr + len);
}

/* ---- mmap ---- */

static uint32_t area_flags(int flags)
{
	uint32_t f = 0;

	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		f |= VMA_SHARED;
	if (flags & MAP_GROWSDOWN)
		f |= VMA_GROWSDOWN;
	if (flags & MAP_NORESERVE)
		f |= VMA_NORESERVE;
	if (flags & MAP_LOCKED)
		f |= VMA_LOCKED;
	if (flags & MAP_STACK)
		f |= VMA_STACK;
	return f;
}

static intptr_t mmap_check(uintptr_t addr, size_t len, int prot, int flags,
	struct vm_backing *backing, uint64_t offset, int max_prot)
{
	int type = flags & MAP_TYPE;
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

	if (len == 0 || !IS_ALIGNED(offset, PAGE_SIZE))
		return -EINVAL;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if ((flags & MAP_GROWSDOWN) && (type != MAP_PRIVATE || backing))
		return -EINVAL;
	if (len > USER_MAX)
		return -ENOMEM;
	if (type == MAP_SHARED_VALIDATE && !backing)
		return -EINVAL;
	if (backing && offset > INT64_MAX - ALIGN_UP(len, PAGE_SIZE))
		return -EOVERFLOW;
	if (fixed && !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (fixed && (addr > USER_MAX || ALIGN_UP(len, PAGE_SIZE) > USER_MAX - addr))
		return -ENOMEM;
	if (fixed && addr < MMAP_MIN_ADDR)
		return -EPERM;
	if (prot & ~max_prot & (PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EACCES;
	return 0;
}

/* MAP_FIXED over something: nobody sees the range without one or the other. */
static intptr_t mmap_over(struct vm_space *s, struct vma *like)
{
	struct vm_change c = { .start = like->start, .end = like->end };
	int err;

	while (!change_enter(s, &c))
		;
	change_exclude(s, &c);
	err = unmap_held(s, &c, c.start, c.end);
	if (!err)
		err = vma_add(s, like);
	change_leave(s, &c);
	return err ? err : (intptr_t)c.start;
}

/* With the lock, which it gives up. The address or -errno. */
static intptr_t mmap_locked(
	struct vm_space *s, struct vma *like, uintptr_t addr, size_t len, int flags)
{
	bool huge = !like->backing && len >= HUGE_SIZE && !(flags & (MAP_STACK | MAP_GROWSDOWN));
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE), free = true;
	intptr_t at = addr;
	int err = 0;

	if (fixed) {
		change_wait_all(s, addr, addr + len);
		free = vma_range_is_free(s, addr, addr + len);
	} else {
		while ((at = vm_place(s, addr, len, flags, huge)) == -EAGAIN)
			change_wait(s);
	}
	if (at < 0)
		err = at;
	else if (!free && (flags & MAP_FIXED_NOREPLACE))
		err = -EEXIST;
	else if (!vm_may_grow(s, like, len >> PAGE_SHIFT))
		err = -ENOMEM;
	if (s->lock_future)
		like->flags |= VMA_LOCKED;
	like->start = at;
	like->end = at + len;
	if (!err && !free)
		return mmap_over(s, like);
	if (!err)
		err = vma_add(s, like);
	space_unlock(s);
	return err ? err : at;
}

intptr_t vm_mmap(struct vm_space *s, uintptr_t addr, size_t len, int prot, int flags,
	struct vm_backing *backing, uint64_t offset, int max_prot)
{
	intptr_t at = mmap_check(addr, len, prot, flags, backing, offset, max_prot);
	struct vm_backing *made = NULL;
	struct vma like = {
		.prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC),
		.max_prot = max_prot,
		.flags = area_flags(flags),
		.backing = backing,
		.offset = backing ? offset : 0,
		.space = s,
	};
	bool populate;

	if (at < 0)
		return at;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!backing && (like.flags & VMA_SHARED)) {
		made = anon_shared_create(len);
		if (!made)
			return -ENOMEM;
		like.backing = made;
	}
	space_lock(s);
	at = mmap_locked(s, &like, addr, len, flags);
	populate = (like.flags & VMA_LOCKED) ||
		   (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	if (made)
		made->ops->put(made);
	if (at >= 0 && populate && like.prot)
		(void)vm_populate(s, at, at + len, like.prot & PROT_WRITE ? VM_WRITE : VM_READ);
	return at;
}

/* ---- mprotect ---- */

struct protect {
	struct vm_space *s;
	uintptr_t start, end;		  /* areas have changed here; empty: start >= end */
	struct vma_view view;		  /* of the last of them */
	uintptr_t flush_start, flush_end; /* somebody may have less than before */
};

static void protect_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct protect *p = arg;
	pte_t old = load_acquire(pte), new;

	do {
		if (!old)
			return;
		new = leaf_in(&p->view, old);
	} while (!atomic_cas(pte, &old, new));
	if ((old & PTE_PRESENT) &&
		((old & ~new &(PTE_PRESENT | PTE_WRITE)) || (new & ~old &PTE_NX))) {
		p->flush_start = MIN(p->flush_start, va);
		p->flush_end = MAX(p->flush_end, va + (level == 2 ? HUGE_SIZE : PAGE_SIZE));
	}
}

/* S4. Without the lock; areas in here keep their rights, if not their bounds, as we have a change.
 */
static void protect_pages(struct protect *p)
{
	struct vm_space *s = p->s;
	uintptr_t at, stop;

	slots_wait(s, p->start, p->end);
	for (at = p->start; at < p->end; at = stop) {
		if (p->view.start > at || p->view.end <= at)
			vma_lookup(s, at, &p->view);
		stop = MIN(p->view.end, p->end);
		pagetable_for_each_leaf(&s->pt, at, stop, protect_leaf, p);
	}
	if (flush_is_due(s, 0)) /* S9 */
		tlb_flush(s, p->start, p->end);
	else if (p->flush_start < p->flush_end)
		tlb_flush(s, p->flush_start, p->flush_end);
}

/* One area, or the part of it in [start, end), which must not be empty; bounds are ready. */
static int protect_area(
	struct protect *p, struct vma **vp, uintptr_t start, uintptr_t end, int prot)
{
	struct vm_space *s = p->s;
	struct vma *v = *vp, like = *v;
	bool ok;

	if ((prot & PROT_WRITE) && !(v->prot & PROT_WRITE)) {
		uint64_t pages = (end - start) >> PAGE_SHIFT;

		like.prot = prot;
		s->total -= pages; /* they are counted already */
		ok = vm_may_grow(s, &like, pages);
		s->total += pages;
		if (!ok)
			return -ENOMEM;
	}
	v = vma_cut(s, v, start, end);
	if (!v)
		return -ENOMEM;
	tree_change(s);
	vma_account(s, v, (v->end - v->start) >> PAGE_SHIFT, -1);
	store_release(&v->prot, prot);
	vma_account(s, v, (v->end - v->start) >> PAGE_SHIFT, 1);
	p->start = MIN(p->start, start);
	p->end = MAX(p->end, end);
	*vp = v;
	return 0;
}

/* The areas of [start, end), which the caller's change covers. The lock may be dropped meanwhile.
 */
static int protect_areas(struct protect *p, uintptr_t start, uintptr_t end, int prot)
{
	struct vm_space *s = p->s;
	uintptr_t at, stop;
	int err = 0;

	for (at = start; at < end && !err; at = stop) {
		struct vma *v = vma_find(s, at);

		if (!v || v->start > at)
			return -ENOMEM;
		if (prot & ~v->max_prot)
			return -EACCES;
		stop = MIN(v->end, end);
		if (v->prot == prot)
			continue;
		if (unlikely(!bound_ready(s, at) || !bound_ready(s, stop))) {
			err = make_bounds(s, at, stop);
			stop = at; /* look again: the lock was dropped */
			continue;
		}
		err = protect_area(p, &v, at, stop, prot);
		if (!err)
			vma_copy(vma_merge(s, v), &p->view);
	}
	return err;
}

/* Enters c for the range; PROT_GROWSDOWN says that it begins with its area. */
static int protect_enter(struct vm_space *s, struct vm_change *c, uintptr_t start, int prot)
{
	do {
		struct vma *v;

		change_wait_exclusive(s, start, c->end);
		v = vma_find(s, start);
		if (!v || v->start >= c->end)
			return -ENOMEM;
		if ((prot & PROT_GROWSDOWN) && !(v->flags & VMA_GROWSDOWN))
			return -EINVAL;
		c->start = prot & PROT_GROWSDOWN ? v->start : start;
	} while (!change_enter(s, c));
	return 0;
}

static int protect(struct vm_space *s, uintptr_t start, uintptr_t end, int prot)
{
	struct vm_change c = { .end = end };
	struct protect p = { .s = s, .start = UINTPTR_MAX, .flush_start = UINTPTR_MAX };
	int err;

	space_lock(s);
	err = protect_enter(s, &c, start, prot);
	if (err) {
		space_unlock(s);
		return err;
	}
	if (vm_patch_any(s, vma_find(s, c.start), end)) {
		space_unlock(s);
		vm_patch_undo(s, c.start, end);
		space_lock(s);
	}
	err = protect_areas(&p, c.start, end, prot & (PROT_READ | PROT_WRITE | PROT_EXEC));
	if (p.start < p.end) {
		space_unlock(s);
		protect_pages(&p);
		space_lock(s);
	}
	change_leave(s, &c);
	return err;
}

int vm_mprotect(struct vm_space *s, uintptr_t addr, size_t len, int prot)
{
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP | 8))
		return -EINVAL;
	if ((prot & PROT_GROWSDOWN) && (prot & PROT_GROWSUP))
		return -EINVAL;
	if (len == 0)
		return 0;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (len == 0 || !vm_range_ok(addr, len))
		return -ENOMEM;
	if (prot & PROT_GROWSUP) /* no such areas here */
		return -EINVAL;
	return protect(s, addr, addr + len, prot);
}

/* ---- brk ---- */

void vm_set_brk_start(struct vm_space *s, uintptr_t start)
{
	mutex_lock(&s->brk_lock);
	space_lock(s);
	s->brk_start = s->brk = start;
	space_unlock(s);
	mutex_unlock(&s->brk_lock);
}

/* With brk_lock. */
static bool brk_grow(struct vm_space *s, uintptr_t want, uintptr_t old_end, uintptr_t new_end)
{
	struct vma like = {
		.prot = PROT_READ | PROT_WRITE,
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		.start = old_end,
		.end = new_end,
		.flags = s->lock_future ? VMA_LOCKED : 0,
	};
	struct vma *next;

	change_wait_all(s, old_end, new_end + PAGE_SIZE);
	next = vma_find(s, old_end);
	if (next && vma_guard_start(next) < new_end + PAGE_SIZE)
		return false;
	return want - s->brk_start <= s->limit_data &&
	       vm_may_grow(s, &like, (new_end - old_end) >> PAGE_SHIFT) && vma_add(s, &like) == 0;
}

static void brk_to(struct vm_space *s, uintptr_t want)
{
	uintptr_t old_end = ALIGN_UP(s->brk, PAGE_SIZE), new_end = ALIGN_UP(want, PAGE_SIZE);

	if (want < s->brk_start || want > USER_MAX - PAGE_SIZE)
		return;
	if (new_end < old_end && vm_unmap(s, new_end, old_end))
		return;
	space_lock(s);
	if (new_end <= old_end || brk_grow(s, want, old_end, new_end))
		s->brk = want;
	space_unlock(s);
}

uintptr_t vm_brk(struct vm_space *s, uintptr_t new_break)
{
	uintptr_t old, brk;
	bool locked;

	mutex_lock(&s->brk_lock);
	old = s->brk;
	if (new_break)
		brk_to(s, new_break);
	brk = s->brk;
	locked = s->lock_future;
	mutex_unlock(&s->brk_lock);
	if (locked && brk > old)
		(void)vm_populate(s, ALIGN_UP(old, PAGE_SIZE), ALIGN_UP(brk, PAGE_SIZE), VM_WRITE);
	return brk;
}
