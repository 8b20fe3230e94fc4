/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges that calls have for themselves (struct vm_change), and the lock of the tree. impl.h has
 * the argument. */

#include "diag/counter.h"
#include "mem/heap.h"
#include "vm/impl.h"

COUNTER(change_waited);

static void free_area(struct rcu_node *n)
{
	heap_free(container_of(n, struct vma, rcu));
}

/* More than VMA_SPARES leave: lookups may still be reading them. */
static struct vma *take_excess(struct vm_space *s)
{
	struct vma *excess = NULL;

	while (s->spares > VMA_SPARES) {
		struct vma *v = s->spare;

		s->spare = v->node.parent ? rb_entry(v->node.parent, struct vma, node) : NULL;
		s->spares--;
		v->node.parent = excess ? &excess->node : NULL;
		excess = v;
	}
	return excess;
}

void space_unlock(struct vm_space *s)
{
	struct vma *excess = NULL;

	if (unlikely(s->spares > VMA_SPARES))
		excess = take_excess(s);
	/* S1. Partner: the CAS in slot_enter, then the load in lookup_fast. */
	if (s->seq & 1)
		__atomic_store_n(&s->seq, s->seq + !s->exclusive, __ATOMIC_SEQ_CST);
	mutex_unlock(&s->lock);
	while (unlikely(excess)) {
		struct vma *v = excess;

		excess = v->node.parent ? rb_entry(v->node.parent, struct vma, node) : NULL;
		rcu_call(&v->rcu, free_area);
	}
}

static bool overlap(uintptr_t a, uintptr_t a_end, uintptr_t b, uintptr_t b_end)
{
	return a < b_end && b < a_end;
}

/* The start of c's range that overlaps, or 0. */
static uintptr_t overlap_of(const struct vm_change *c, uintptr_t start, uintptr_t end)
{
	if (overlap(c->start, c->end, start, end))
		return MAX(c->start, 1);
	if (overlap(c->start2, c->end2, start, end))
		return MAX(c->start2, 1);
	return 0;
}

uintptr_t change_at(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vm_change *c;

	list_for_each_entry (c, &s->changes, link)
		if (overlap_of(c, start, end))
			return overlap_of(c, start, end);
	return 0;
}

bool change_excludes(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	struct vm_change *c;

	if (s->exclusive)
		list_for_each_entry (c, &s->changes, link)
			if (c->exclusive && overlap_of(c, start, end))
				return true;
	return false;
}

void change_wait_since(struct vm_space *s, uint32_t ended)
{
	counter_inc(change_waited);
	wait_event(&s->change_wait, load_acquire(&s->changes_ended) != ended);
}

void change_wait(struct vm_space *s)
{
	uint32_t ended = s->changes_ended;

	space_unlock(s);
	change_wait_since(s, ended);
	space_lock(s);
}

void change_wait_all(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	while (unlikely(change_at(s, start, end)))
		change_wait(s);
}

void change_wait_exclusive(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	while (unlikely(change_excludes(s, start, end)))
		change_wait(s);
}

bool change_enter(struct vm_space *s, struct vm_change *c)
{
	if (unlikely(!list_empty(&s->changes)) &&
		(change_at(s, c->start, c->end) || change_at(s, c->start2, c->end2))) {
		change_wait(s);
		return false;
	}
	list_add_tail(&s->changes, &c->link);
	return true;
}

void change_exclude(struct vm_space *s, struct vm_change *c)
{
	BUG_ON(c->exclusive);
	c->exclusive = true;
	s->exclusive++;
	tree_change(s);
}

bool change_take_spare(struct vm_space *s, struct vm_change *c)
{
	c->spare = s->area_count < MAX_AREAS ? vma_take(s) : NULL;
	s->area_count += c->spare != NULL;
	return c->spare;
}

void change_give_spare(struct vm_space *s, struct vm_change *c)
{
	if (likely(!c->spare))
		return;
	vma_give(s, c->spare);
	s->area_count--;
	c->spare = NULL;
}

void change_leave(struct vm_space *s, struct vm_change *c)
{
	change_give_spare(s, c);
	list_del(&c->link);
	s->exclusive -= c->exclusive;
	store_release(&s->changes_ended, s->changes_ended + 1);
	space_unlock(s);
	/* The unlock is a full barrier; partner: wait_event queues, then reads changes_ended. */
	if (unlikely(wait_active(&s->change_wait)))
		wait_wake_all(&s->change_wait, 0);
	vma_free_dead(c->dead);
}

static void clip(uintptr_t a, uintptr_t a_end, uintptr_t start, uintptr_t end, uintptr_t *floor,
	uintptr_t *ceiling)
{
	if (a >= a_end)
		return;
	if (a_end <= start)
		*floor = MAX(*floor, a_end);
	else if (a >= end)
		*ceiling = MIN(*ceiling, a);
}

void change_clip(
	struct vm_space *s, uintptr_t start, uintptr_t end, uintptr_t *floor, uintptr_t *ceiling)
{
	struct vm_change *c;

	/* Of the caller's own the other range counts, too: mremap has made tables there. */
	list_for_each_entry (c, &s->changes, link) {
		clip(c->start, c->end, start, end, floor, ceiling);
		clip(c->start2, c->end2, start, end, floor, ceiling);
	}
}

void walk_enter(struct vm_space *s, struct vm_change *c)
{
	space_lock(s);
	while (!change_enter(s, c))
		;
	space_unlock(s);
}

void walk_leave(struct vm_space *s, struct vm_change *c)
{
	space_lock(s);
	change_leave(s, c);
}
