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

intptr_t vm_place(struct vm_space *s, uintptr_t hint, size_t len, int flags, bool huge)
{
	uintptr_t at, low = MMAP_MIN_ADDR, high = s->mmap_top;
	struct vma *v;

	if (len > USER_MAX - MMAP_MIN_ADDR)
		return -ENOMEM;
	if (flags & MAP_32BIT) {
		low = LOW_2GB_START;
		high = LOW_2GB_END;
	} else if (hint) {
		hint = MAX(ALIGN_DOWN(hint, PAGE_SIZE), MMAP_MIN_ADDR);
		v = vma_find(s, hint);
		if (hint <= USER_MAX - len && (!v || hint + len <= vma_guard_start(v)))
			return hint;
	}
	at = huge ? vma_find_gap(s, len, HUGE_SIZE, low, high) : 0;
	if (!at)
		at = vma_find_gap(s, len, PAGE_SIZE, low, high);
	if (!at && !(flags & MAP_32BIT)) /* above it, what the stack leaves */
		at = vma_find_gap(s, len, PAGE_SIZE, low, USER_MAX);
	return at ? (intptr_t)at : -ENOMEM;
}

/* ---- munmap ---- */

/* The areas of [start, end) leave the tree and are chained; bounds have been made to fit. */
static struct vma *detach_range(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vma *chain = NULL, *v = vma_find(s, start), *next;

	for (; v && v->start < end; v = next) {
		next = vma_next(v);
		if (v->start >= start && v->end <= end) {
			vma_detach(s, v);
			v->node.parent = chain ? &chain->node : NULL;
			chain = v;
		} else if (v->start < start) {
			vma_resize(s, v, v->start, start);
		} else {
			vma_resize(s, v, end, v->end);
		}
	}
	return chain;
}

static void free_chain(struct vma *chain)
{
	while (chain) {
		struct rb_node *next = chain->node.parent;

		vma_free(chain);
		chain = next ? rb_entry(next, struct vma, node) : NULL;
	}
}

int vm_unmap_locked(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vma *v = vma_find(s, start), *next, *prev, *chain;
	struct vm_gather g;

	if (!v || v->start >= end)
		return 0;
	vm_patch_undo(s, start, end);
	/* Whatever may lack memory comes first. */
	if (split_huge_bounds(s, start, end))
		return -ENOMEM;
	if (v->start < start && v->end > end && !vma_split(s, v, end))
		return -ENOMEM;
	chain = detach_range(s, start, end);
	gather_init(&g, s);
	zap_range(&g, start, end);
	next = vma_find(s, end);
	prev = next ? vma_prev(next) : NULL;
	if (!next) {
		struct rb_node *last = rb_last(&s->areas);

		prev = last ? rb_entry(last, struct vma, node) : NULL;
	}
	g.tables = pagetable_prune(
		&s->pt, start, end, prev ? prev->end : 0, next ? next->start : 1ul << 47);
	gather_finish(&g);
	free_chain(chain);
	return 0;
}

int vm_munmap(struct vm_space *s, uintptr_t addr, size_t len)
{
	int err;

	if (len == 0 || len > USER_MAX)
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!vm_range_ok(addr, len))
		return -EINVAL;
	write_lock(&s->lock);
	err = vm_unmap_locked(s, addr, addr + len);
	write_unlock(&s->lock);
	return err;
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

/* Under the lock. The address or -errno. */
static intptr_t mmap_locked(
	struct vm_space *s, struct vma *like, uintptr_t addr, size_t len, int flags)
{
	bool huge = !like->backing && len >= HUGE_SIZE && !(flags & (MAP_STACK | MAP_GROWSDOWN));
	intptr_t at = addr;
	int err;

	if (flags & MAP_FIXED_NOREPLACE) {
		if (!vma_range_is_free(s, addr, addr + len))
			return -EEXIST;
	} else if (!(flags & MAP_FIXED)) {
		at = vm_place(s, addr, len, flags, huge);
		if (at < 0)
			return at;
	}
	if (!vm_may_grow(s, like, len >> PAGE_SHIFT))
		return -ENOMEM;
	if (flags & MAP_FIXED) {
		err = vm_unmap_locked(s, at, at + len);
		if (err)
			return err;
	}
	if (s->lock_future)
		like->flags |= VMA_LOCKED;
	like->start = at;
	like->end = at + len;
	err = vma_add(s, like);
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
	write_lock(&s->lock);
	at = mmap_locked(s, &like, addr, len, flags);
	populate = (like.flags & VMA_LOCKED) ||
		   (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	write_unlock(&s->lock);
	if (made)
		made->ops->put(made);
	if (at >= 0 && populate && like.prot)
		(void)vm_populate(s, at, at + len, like.prot & PROT_WRITE ? VM_WRITE : VM_READ);
	return at;
}

/* ---- mprotect ---- */

struct protect {
	const struct vma *vma;
	uintptr_t start, end; /* to be flushed: somebody may have less than before */
};

static void protect_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	struct protect *p = arg;
	pte_t keep = PTE_ADDR_MASK | PTE_DIRTY | PTE_HUGE | PTE_SW_ANON | PTE_TRACK;
	pte_t old = load_acquire(pte), new;

	do {
		if (!old)
			return;
		new = (old & keep) | leaf_bits(p->vma);
		if ((p->vma->prot & PROT_WRITE) && leaf_may_write(p->vma, old))
			new |= PTE_WRITE;
	} while (!atomic_cas(pte, &old, new));
	if ((old & PTE_PRESENT) &&
		((old & ~new &(PTE_PRESENT | PTE_WRITE)) || (new & ~old &PTE_NX))) {
		p->start = MIN(p->start, va);
		p->end = MAX(p->end, va + (level == 2 ? HUGE_SIZE : PAGE_SIZE));
	}
}

/* One area, or the part of it in [start, end), which must not be empty. The area that is next. */
static int protect_area(struct vm_space *s, struct vma **vp, uintptr_t start, uintptr_t end,
	int prot, struct protect *p)
{
	struct vma *v = *vp;
	struct vma like = *v;

	if (prot & ~v->max_prot)
		return -EACCES;
	if (v->prot == prot)
		return 0;
	like.prot = prot;
	vm_patch_undo(s, MAX(start, v->start), MIN(end, v->end));
	if ((prot & PROT_WRITE) && !(v->prot & PROT_WRITE)) {
		uint64_t pages = (MIN(end, v->end) - MAX(start, v->start)) >> PAGE_SHIFT;

		s->total -= pages; /* they are counted already */
		bool ok = vm_may_grow(s, &like, pages);
		s->total += pages;
		if (!ok)
			return -ENOMEM;
	}
	if (split_huge_bounds(s, MAX(start, v->start), MIN(end, v->end)))
		return -ENOMEM;
	if (v->start < start) {
		v = vma_split(s, v, start);
		if (!v)
			return -ENOMEM;
	}
	if (v->end > end && !vma_split(s, v, end))
		return -ENOMEM;
	vma_account(s, v, (v->end - v->start) >> PAGE_SHIFT, -1);
	v->prot = prot;
	vma_account(s, v, (v->end - v->start) >> PAGE_SHIFT, 1);
	p->vma = v;
	pagetable_for_each_leaf(&s->pt, v->start, v->end, protect_leaf, p);
	*vp = v;
	return 0;
}

static int protect_locked(struct vm_space *s, uintptr_t start, uintptr_t end, int prot)
{
	struct vma *v = vma_find(s, start);
	struct protect p = { .start = UINTPTR_MAX };
	uintptr_t at;
	int err = 0;

	if (!v || v->start >= end)
		return -ENOMEM;
	if (prot & PROT_GROWSDOWN) {
		if (!(v->flags & VMA_GROWSDOWN))
			return -EINVAL;
		start = v->start;
	}
	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	for (at = start; at < end && !err;) {
		if (!v || v->start > at) {
			err = -ENOMEM;
			break;
		}
		err = protect_area(s, &v, at, end, prot, &p);
		at = v->end;
		if (err)
			break;
		v = vma_merge(s, v);
		if (v->end <= at) /* otherwise it took in what follows */
			v = vma_next(v);
	}
	if (p.start < p.end)
		tlb_flush(s, p.start, p.end);
	return err;
}

int vm_mprotect(struct vm_space *s, uintptr_t addr, size_t len, int prot)
{
	int err;

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
	write_lock(&s->lock);
	err = protect_locked(s, addr, addr + len, prot);
	write_unlock(&s->lock);
	return err;
}

/* ---- brk ---- */

void vm_set_brk_start(struct vm_space *s, uintptr_t start)
{
	write_lock(&s->lock);
	s->brk_start = s->brk = start;
	write_unlock(&s->lock);
}

static void brk_locked(struct vm_space *s, uintptr_t want)
{
	uintptr_t old_end = ALIGN_UP(s->brk, PAGE_SIZE), new_end = ALIGN_UP(want, PAGE_SIZE);
	struct vma like = {
		.prot = PROT_READ | PROT_WRITE,
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		.start = old_end,
		.end = new_end,
		.space = s,
		.flags = s->lock_future ? VMA_LOCKED : 0,
	};
	struct vma *next;

	if (want < s->brk_start || want > USER_MAX - PAGE_SIZE)
		return;
	if (new_end < old_end && vm_unmap_locked(s, new_end, old_end))
		return;
	if (new_end > old_end) {
		next = vma_find(s, old_end);
		if (next && vma_guard_start(next) < new_end + PAGE_SIZE)
			return;
		if (want - s->brk_start > s->limit_data ||
			!vm_may_grow(s, &like, (new_end - old_end) >> PAGE_SHIFT) ||
			vma_add(s, &like))
			return;
	}
	s->brk = want;
}

uintptr_t vm_brk(struct vm_space *s, uintptr_t new_break)
{
	uintptr_t old, brk;
	bool locked;

	write_lock(&s->lock);
	old = s->brk;
	if (new_break)
		brk_locked(s, new_break);
	brk = s->brk;
	locked = s->lock_future;
	write_unlock(&s->lock);
	if (locked && brk > old)
		(void)vm_populate(s, ALIGN_UP(old, PAGE_SIZE), ALIGN_UP(brk, PAGE_SIZE), VM_WRITE);
	return brk;
}
