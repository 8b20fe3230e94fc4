/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Areas: an ordered tree in which each node knows the free room below it and the most of that in
 * its subtree, so that a place is found in logarithmic time however many areas there are.
 */

#include "lib/string.h"
#include "mem/heap.h"
#include "vm/impl.h"

static struct vma *entry(const struct rb_node *n)
{
	return n ? rb_entry(n, struct vma, node) : NULL;
}
struct vma *vma_next(const struct vma *v)
{
	return entry(rb_next(&v->node));
}
struct vma *vma_prev(const struct vma *v)
{
	return entry(rb_prev(&v->node));
}

struct vma *vma_below(struct vm_space *s, const struct vma *v)
{
	return v ? vma_prev(v) : entry(rb_last(&s->areas));
}

struct vma *vma_find(struct vm_space *s, uintptr_t addr)
{
	struct rb_node *n = s->areas.root;
	struct vma *best = NULL;

	while (n) {
		struct vma *v = entry(n);

		if (v->end > addr) {
			best = v;
			if (v->start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

/* ---- gaps ---- */

void vma_update(struct rb_node *node)
{
	struct vma *v = entry(node), *l = entry(node->left), *r = entry(node->right);
	uintptr_t max = v->gap;

	if (l && l->max_gap > max)
		max = l->max_gap;
	if (r && r->max_gap > max)
		max = r->max_gap;
	v->max_gap = max;
}

uintptr_t vma_guard_start(const struct vma *v)
{
	if (!(v->flags & VMA_GROWSDOWN))
		return v->start;
	return v->start > STACK_GUARD_GAP ? v->start - STACK_GUARD_GAP : 0;
}

static void update_gap(struct vm_space *s, struct vma *v)
{
	struct vma *prev;
	uintptr_t low, high;

	if (!v)
		return;
	prev = vma_prev(v);
	low = prev ? prev->end : 0;
	high = vma_guard_start(v);
	v->gap = high > low ? high - low : 0;
	/* Up to where it makes no difference. */
	for (struct rb_node *n = &v->node; n; n = n->parent) {
		uintptr_t old = entry(n)->max_gap;

		vma_update(n);
		if (entry(n)->max_gap == old)
			break;
	}
}

static uintptr_t fit(uintptr_t low, uintptr_t high, size_t len, size_t align)
{
	uintptr_t at;

	if (high < low || high - low < len)
		return 0;
	at = ALIGN_DOWN(high - len, align);
	return at >= low ? at : 0;
}

static uintptr_t search(
	const struct rb_node *node, size_t len, size_t align, uintptr_t low, uintptr_t high)
{
	const struct vma *v = entry(node);
	uintptr_t at = 0, gap_start, gap_end;

	if (!v || v->max_gap < len)
		return 0;
	if (v->end < high)
		at = search(node->right, len, align, low, high);
	if (at)
		return at;
	gap_end = vma_guard_start(v);
	gap_start = gap_end - MIN(v->gap, gap_end);
	at = fit(MAX(gap_start, low), MIN(gap_end, high), len, align);
	if (at || gap_start <= low)
		return at;
	return search(node->left, len, align, low, high);
}

uintptr_t vma_find_gap(struct vm_space *s, size_t len, size_t align, uintptr_t low, uintptr_t high)
{
	struct vma *last = entry(rb_last(&s->areas));
	uintptr_t at = fit(last ? MAX(last->end, low) : low, high, len, align);

	return at ? at : search(s->areas.root, len, align, low, high);
}

bool vma_range_is_free(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vma *v = vma_find(s, start);

	return !v || v->start >= end;
}

/* ---- sums ---- */

void vma_account(struct vm_space *s, const struct vma *v, uint64_t pages, int sign)
{
	uint64_t n = sign < 0 ? -pages : pages;

	s->total += n;
	if (s->total > s->peak)
		s->peak = s->total;
	if (v->flags & VMA_GROWSDOWN)
		s->stack += n;
	else if ((v->prot & PROT_WRITE) && !(v->flags & VMA_SHARED))
		s->data += n;
	else if ((v->prot & PROT_EXEC) && v->backing)
		s->text += n;
	if (v->flags & VMA_SHARED)
		s->shared += n;
}

static uint64_t pages_of(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}

/* ---- changing the tree ---- */

static void lock_backing(const struct vma *v)
{
	if (v->backing)
		mutex_lock(&v->backing->lock);
}
static void unlock_backing(const struct vma *v)
{
	if (v->backing)
		mutex_unlock(&v->backing->lock);
}

static void list_area(struct vma *v)
{
	mutex_lock(&v->backing->lock);
	list_add_tail(&v->backing->areas, &v->backing_link);
	mutex_unlock(&v->backing->lock);
}

static void attach(struct vm_space *s, struct vma *v)
{
	struct rb_node **link = &s->areas.root, *parent = NULL;

	tree_change(s);
	while (*link) {
		parent = *link;
		link = v->start < entry(parent)->start ? &parent->left : &parent->right;
	}
	v->gap = v->max_gap = 0;
	rb_insert(&s->areas, &v->node, parent, link);
	update_gap(s, v);
	update_gap(s, vma_next(v));
	s->area_count++;
	vma_account(s, v, pages_of(v), 1);
	if (v->backing && list_empty(&v->backing_link))
		list_area(v);
}

void vma_give(struct vm_space *s, struct vma *v)
{
	v->node.parent = s->spare ? &s->spare->node : NULL;
	s->spare = v;
	s->spares++;
}

struct vma *vma_take(struct vm_space *s)
{
	struct vma *v = s->spare;

	if (!v)
		return heap_alloc_zeroed(sizeof(*v));
	s->spare = entry(v->node.parent);
	s->spares--;
	return v;
}

void vma_remove(struct vm_space *s, struct vma *v, struct vma **dead)
{
	struct vma *next = vma_next(v);

	tree_change(s);
	rb_erase(&s->areas, &v->node);
	update_gap(s, next);
	s->area_count--;
	vma_account(s, v, pages_of(v), -1);
	if (v->backing) {
		mutex_lock(&v->backing->lock);
		list_del(&v->backing_link);
		mutex_unlock(&v->backing->lock);
	}
	if (!v->backing && !v->name) {
		vma_give(s, v);
		return;
	}
	v->node.parent = *dead ? &(*dead)->node : NULL;
	*dead = v;
}

static void free_area(struct rcu_node *n)
{
	heap_free(container_of(n, struct vma, rcu));
}

void vma_free_dead(struct vma *dead)
{
	while (dead) {
		struct vma *v = dead;

		dead = entry(v->node.parent);
		if (v->backing)
			v->backing->ops->put(v->backing);
		heap_free(v->name);
		rcu_call(&v->rcu, free_area); /* lookups may still be reading it */
	}
}

void vma_resize(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end)
{
	tree_change(s);
	vma_account(s, v, pages_of(v), -1);
	lock_backing(v);
	store_release(&v->offset, v->offset + (start - v->start));
	store_release(&v->start, start);
	store_release(&v->end, end);
	unlock_backing(v);
	vma_account(s, v, pages_of(v), 1);
	update_gap(s, v);
	update_gap(s, vma_next(v));
}

/* Walkers that went astray may be reading a recycled one. */
static struct vma *copy_of(struct vm_space *s, const struct vma *like)
{
	struct vma *v = vma_take(s);

	if (!v)
		return NULL;
	tree_change(s);
	store_release(&v->start, like->start);
	store_release(&v->end, like->end);
	store_release(&v->offset, like->offset);
	store_release(&v->backing, like->backing);
	store_release(&v->flags, like->flags);
	store_release(&v->prot, like->prot);
	v->max_prot = like->max_prot;
	v->watch = like->watch;
	v->space = s;
	list_init(&v->backing_link);
	/* Without memory it just loses its name. */
	v->name = like->name ? heap_strdup(like->name) : NULL;
	if (v->backing)
		v->backing->ops->get(v->backing);
	return v;
}

struct vma *vma_split(struct vm_space *s, struct vma *v, uintptr_t addr)
{
	struct vma *upper;

	BUG_ON(addr <= v->start || addr >= v->end);
	upper = s->area_count < MAX_AREAS ? copy_of(s, v) : NULL;
	if (!upper)
		return NULL;
	store_release(&upper->offset, v->offset + (addr - v->start));
	store_release(&upper->start, addr);
	/*
	 * The upper part is listed before the lower one shrinks, so that vm_backing_unmap
	 * never misses a byte of what both show.
	 */
	if (upper->backing)
		list_area(upper);
	vma_resize(s, v, v->start, addr);
	attach(s, upper);
	return upper;
}

struct vma *vma_cut(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end)
{
	if (v->start < start)
		v = vma_split(s, v, start);
	if (v && v->end > end && !vma_split(s, v, end))
		return NULL;
	return v;
}

/* Whether b may directly continue a. */
static bool alike(const struct vma *a, const struct vma *b)
{
	if (!a || !b || a->end != b->start)
		return false;
	if (a->prot != b->prot || a->max_prot != b->max_prot || a->flags != b->flags ||
		a->backing != b->backing || a->watch != b->watch || (a->flags & VMA_GROWSDOWN))
		return false;
	if (a->backing && a->offset + (a->end - a->start) != b->offset)
		return false;
	if (!a->name != !b->name || (a->name && strcmp(a->name, b->name) != 0))
		return false;
	return true;
}

/* b's bytes become a's. */
static void join(struct vm_space *s, struct vma *a, struct vma *b)
{
	uint64_t pages = pages_of(b);
	struct vma *dead = NULL;

	tree_change(s);
	/* First a grows, then b leaves the list: see vma_split. Sums count both meanwhile. */
	lock_backing(a);
	store_release(&a->end, b->end);
	unlock_backing(a);
	vma_remove(s, b, &dead);
	vma_account(s, a, pages, 1);
	update_gap(s, vma_next(a));
	if (dead) { /* a has the backing as well: this is not its last reference */
		if (dead->backing)
			dead->backing->ops->put(dead->backing);
		heap_free(dead->name);
		vma_give(s, dead);
	}
}

struct vma *vma_merge(struct vm_space *s, struct vma *v)
{
	struct vma *prev = vma_prev(v), *next = vma_next(v);

	if (alike(v, next))
		join(s, v, next);
	if (alike(prev, v)) {
		join(s, prev, v);
		v = prev;
	}
	return v;
}

int vma_add(struct vm_space *s, const struct vma *like)
{
	struct vma *next = vma_find(s, like->start);
	struct vma *prev = vma_below(s, next);
	struct vma *v;

	if (alike(prev, like)) {
		vma_resize(s, prev, prev->start, like->end);
		if (alike(prev, next))
			join(s, prev, next);
		return 0;
	}
	if (alike(like, next)) {
		vma_resize(s, next, like->start, next->end);
		return 0;
	}
	if (s->area_count >= MAX_AREAS)
		return -ENOMEM;
	v = copy_of(s, like);
	if (!v)
		return -ENOMEM;
	attach(s, v);
	return 0;
}
