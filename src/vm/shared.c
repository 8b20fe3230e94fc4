/* SPDX-License-Identifier: BSD-2-Clause */
/* Backings in general, and shared anonymous memory, which is one that lives here. */

#include "lib/string.h"
#include "mem/heap.h"
#include "vm/impl.h"

/* ---- any backing ---- */

void vm_backing_init(struct vm_backing *b, const struct vm_backing_ops *ops)
{
	memset(b, 0, sizeof(*b));
	b->ops = ops;
	mutex_init(&b->lock, "vm_backing.lock");
	list_init(&b->areas);
}

/*
 * Pages are taken out by the batch: under the lock as many as one flush is for, of one space, and
 * without it the flush. Progress is told in pages of the object, not in areas, as these come, go
 * and merge meanwhile: a leaf stays at its page of the object whatever happens to its area, so
 * what has been emptied stays so, but for faults, which see unmap_count.
 */
struct unmap {
	struct vm_gather g; /* g.space NULL: empty */
	bool copies;
	uint64_t first, last; /* this pass is for these pages of the object; last may shrink */
	bool again;	      /* it has left some */
};

#define UNMAP_BATCH 32u
_Static_assert(UNMAP_BATCH <= sizeof(((struct vm_gather *)0)->page) / sizeof(struct page *),
	"the gather would flush under the lock");

/* False: the batch has no room for it. */
static bool unmap_leaf(struct unmap *u, struct vm_space *s, pte_t *pte, uintptr_t va)
{
	struct vm_gather *g = &u->g;
	pte_t old = load_relaxed(pte);

	/* Faults change leaves beside us and may free what they held: hands off until it is ours.
	 */
	do {
		if (!old || ((old & PTE_SW_ANON) && !u->copies))
			return true;
		if (!g->space) {
			gather_init(g, s);
			space_hold(s); /* its area is listed, so it is there */
		}
		if (g->space != s || g->anon_pages + g->file_pages == UNMAP_BATCH)
			return false;
	} while (!atomic_cas(pte, &old, 0));
	gather_leaf(g, old, va, PAGE_SIZE);
	return true;
}

static void unmap_area(struct unmap *u, struct vma *v)
{
	uint64_t v_first = v->offset >> PAGE_SHIFT;
	uint64_t v_last = v_first + ((v->end - v->start) >> PAGE_SHIFT);
	uint64_t from = MAX(u->first, v_first), to = MIN(u->last, v_last), index;
	uintptr_t at, end;
	unsigned level;
	pte_t *pte;

	if (from >= to)
		return;
	at = v->start + ((from - v_first) << PAGE_SHIFT);
	end = v->start + ((to - v_first) << PAGE_SHIFT);
	for (; (pte = pagetable_next_leaf(&v->space->pt, &at, end, &level)); at += PAGE_SIZE) {
		if (unmap_leaf(u, v->space, pte, at))
			continue;
		/* What lies behind is of a later pass, for all areas. */
		index = v_first + ((at - v->start) >> PAGE_SHIFT);
		if (index > u->first)
			u->last = index;
		else
			u->again = true;
		return;
	}
}

/* With what was taken out, if anything: the flush, and only then the pages go. */
static void unmap_finish(struct vm_gather *g)
{
	struct vm_space *s = g->space;

	if (!s)
		return;
	if (flush_is_due(s, 1)) /* S9: it may be known by another address yet */
		gather_flush_all(g, 0, USER_MAX);
	gather_finish(g);
	space_release(s);
}

void vm_backing_unmap(struct vm_backing *b, uint64_t first, uint64_t last, bool copies)
{
	struct unmap u = { .copies = copies, .first = first, .last = last };
	struct vma *v;

	/* Partner: fault_backing reads this before get_page and again after its leaf is in place.
	 */
	(void)__atomic_fetch_add(&b->unmap_count, 1, __ATOMIC_SEQ_CST);
	while (u.first < last) {
		u.g.space = NULL;
		u.again = false;
		mutex_lock(&b->lock);
		list_for_each_entry (v, &b->areas, backing_link)
			unmap_area(&u, v);
		mutex_unlock(&b->lock);
		unmap_finish(&u.g);
		if (!u.again) {
			u.first = u.last;
			u.last = last;
		}
	}
}

/* ---- shared anonymous memory ---- */

#define CHUNK_SLOTS (PAGE_SIZE / sizeof(struct page *))

/* Two levels of page pointers, filled by compare-and-swap when first touched. */
struct anon_shared {
	struct vm_backing b;
	uint32_t refcount;     /* atomic */
	uint64_t pages;	       /* fixed */
	struct page **chunk[]; /* atomic; each one page of atomic slots, or NULL */
};

static struct anon_shared *to_anon(struct vm_backing *b)
{
	return container_of(b, struct anon_shared, b);
}

static struct page **slot_of(struct anon_shared *a, uint64_t index)
{
	struct page ***chunk = &a->chunk[index / CHUNK_SLOTS], **old = load_acquire(chunk), **new;

	if (!old) {
		new = heap_alloc_zeroed(PAGE_SIZE);
		if (!new)
			return NULL;
		if (atomic_cas(chunk, &old, new))
			old = new;
		else
			heap_free(new);
	}
	return &old[index % CHUNK_SLOTS];
}

static int anon_get_page(struct vm_backing *b, uint64_t index, bool write, struct page **out)
{
	struct anon_shared *a = to_anon(b);
	struct page **slot, *page, *new;

	if (index >= a->pages)
		return -EFAULT;
	slot = slot_of(a, index);
	if (!slot)
		return -ENOMEM;
	page = load_acquire(slot);
	if (!page) {
		new = page_alloc_zeroed(0);
		if (!new)
			return -ENOMEM;
		if (atomic_cas(slot, &page, new))
			page = new;
		else
			page_put(new);
	}
	page_get(page);
	*out = page;
	return 0;
}

static void anon_get(struct vm_backing *b)
{
	(void)__atomic_fetch_add(&to_anon(b)->refcount, 1, __ATOMIC_RELAXED);
}

static void anon_put(struct vm_backing *b)
{
	struct anon_shared *a = to_anon(b);

	if (atomic_sub(&a->refcount, 1) != 1)
		return;
	for (uint64_t c = 0; c < DIV_ROUND_UP(a->pages, CHUNK_SLOTS); c++) {
		if (!a->chunk[c])
			continue;
		for (unsigned i = 0; i < CHUNK_SLOTS; i++)
			if (a->chunk[c][i])
				page_put(a->chunk[c][i]);
		heap_free(a->chunk[c]);
	}
	heap_free(a);
}

static void anon_describe(
	struct vm_backing *b, char *buf, size_t size, uint64_t *device, uint64_t *inode)
{
	str_copy(buf, "/dev/zero (deleted)", size);
	*device = 1;
	*inode = (uintptr_t)b >> 4 & 0xffffff;
}

static int anon_punch(struct vm_backing *b, uint64_t first, uint64_t last)
{
	struct anon_shared *a = to_anon(b);
	struct page *page;

	last = MIN(last, a->pages);
	for (uint64_t i = first; i < last; i++)
		if (load_acquire(&a->chunk[i / CHUNK_SLOTS])) {
			page = atomic_xchg(&a->chunk[i / CHUNK_SLOTS][i % CHUNK_SLOTS], NULL);
			if (!page)
				continue;
			vm_backing_unmap(b, i, i + 1, false);
			page_put(page);
		}
	return 0;
}

static const struct vm_backing_ops anon_ops = {
	.get_page = anon_get_page,
	.get = anon_get,
	.put = anon_put,
	.describe = anon_describe,
	.punch = anon_punch,
};

bool backing_is_anon_shared(const struct vm_backing *b)
{
	return b->ops == &anon_ops;
}

struct vm_backing *anon_shared_create(uint64_t size)
{
	uint64_t pages = DIV_ROUND_UP(size, PAGE_SIZE);
	uint64_t chunks = DIV_ROUND_UP(pages, CHUNK_SLOTS);
	struct anon_shared *a = heap_alloc_zeroed(sizeof(*a) + chunks * sizeof(a->chunk[0]));

	if (!a)
		return NULL;
	vm_backing_init(&a->b, &anon_ops);
	a->refcount = 1;
	a->pages = pages;
	return &a->b;
}
