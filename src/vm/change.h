/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults beside calls that change areas or take pages out; part of impl.h.
 *
 * space->lock	a mutex: the tree of areas, the sums, the list of changes. Held for operations on
 *		these only, never while leaves are cleared, TLBs flushed, files asked for pages or
 *		faults waited for.
 *
 * a change	(struct vm_change) a range that one call has for itself. Calls whose ranges overlap
 *		wait for each other, others do not. A call enters one change, and then no other.
 *
 * a slot	a word of a CPU that says "a fault is in flight at this page".
 *
 * space->seq	odd while the tree is being changed or a change is exclusive. A lookup without the
 *		lock counts if seq was even before it and is the same after it.
 *
 * Who meets whom, and what keeps them apart:
 *
 *			fault		pin		call with a change	vm_backing_unmap
 *	fault		CAS on leaves	S11		S1 to S6		unmap_count, CAS on
 *									leaves, S9, S10
 *	pin				references	S11, a change to split	backing->lock, S11
 *	change						the range		backing->lock, S9
 *	unmap									CAS on leaves
 *
 * S1 A fault puts its page into a slot (CAS) and then looks its area up (load of seq). Who changes
 *    the tree stores seq (sequentially consistent, space_unlock) and then looks at the slots
 *    (slots_wait). One of the two sees the other: either the fault has found what is new, or it is
 *    waited for. So when slots_wait returns no fault acts on what was before, in that range.
 *
 * S2 A slot covers all leaves that its fault may fill. To fill more than its page (a 2 MiB page, or
 *    neighbours in the file) a fault widens it first (atomic or) and reads seq again: then as S1.
 *
 * S3 munmap takes the areas out of the tree, waits for the slots, and so can clear the leaves: none
 *    comes any more. Nobody is placed there before the change ends, as placement avoids changes.
 *
 * S4 mprotect changes the areas, waits for the slots, and then changes the leaves that are there;
 *    those that come meanwhile are right. A fault that meets one which has less than its area
 *    allows brings it up to date itself (leaf_in): nobody is refused what others have already.
 *
 * S5 madvise(MADV_DONTNEED) changes no area. It clears leaves, waits for the slots, and only then
 *    frees the pages: who has read such a leaf has a slot (its CAS comes before that read, the
 *    exchange of the leaf before the look at the slots). A private page does not come back into the
 *    same leaf with the same bits while a fault holds it, so the fault's CAS fails.
 *
 * S6 Of MAP_FIXED over something, and of mremap, nobody may see the state between: their change is
 *    exclusive. seq stays odd, so every lookup takes the lock; if it is about that range the fault
 *    gives up its slot and sleeps until the change has ended, otherwise it goes on.
 *
 * S7 Page tables are unlinked under the lock, where a table's whole span is a hole between areas
 *    and others' changes, and freed after a flush. Everybody who walks keeps its tables from that:
 *    a fault (its page is in an area, or the change that took the area out waits for it); who has a
 *    change; who holds the lock; vm_backing_unmap (an area leaves the backing's list, and bounds
 *    change, only under the backing's lock, and before the tables go). That one enters no change,
 *    because the fault path waits for file systems, so file systems must not wait for it.
 *
 * S8 No 2 MiB leaf crosses a bound at which the tree is changed: bound_ready has said so in the
 *    same hold of the lock. What crosses is split (split_huge_at), and where one could still come
 *    the empty entry gets a table, which stays as long as there are areas.
 *
 * S9 vm_backing_unmap holds the backing's lock for a batch of leaves at a time, and flushes without
 *    it. Its steps, and what others find between them:
 *
 *    1. It counts (unmap_count). A fault counts only if the number is the same before it asked for
 *       its page and after its leaf is in place: otherwise it takes the leaf out again. So a page
 *       that the file has lost before comes into no leaf that step 3 has passed.
 *    2. It takes a hold of the space (space_hold), under the lock: the area is listed, so the space
 *       is there. Whoever drops the last reference leaves tables and structure to the last hold.
 *    3. It clears leaves, still under the lock. Their references are the batch's now.
 *    4. Without the lock it flushes, and only then puts the pages. All that is open now is that
 *       CPUs reach pages that are still held, at addresses whose leaf is empty or new.
 *    5. It gives up the hold, and goes on with what is left. When it returns, all is flushed.
 *
 *    Between 3 and 5 munmap, mprotect, mremap and MADV_DONTNEED may find such a leaf empty, and a
 *    fault may fill it, and would have nothing to flush. They must not return before nobody reaches
 *    the old page there: so whoever has been over leaves looks at the holds (flush_is_due) and
 *    flushes what it was over. If it sees none, the flush was over: the hold is taken before the
 *    leaf is cleared, and given up after the flush. (Loads stay in order on x86.)
 *
 *    mremap moves a leaf under the backing's lock and flushes the old address without it, with a
 *    hold as well. vm_backing_unmap that takes the leaf out at its new place sees that hold, and
 *    flushes the whole space before it puts the page.
 *
 * S10 With 'copies' vm_backing_unmap frees private pages, too, and no slot is waited for. A fault
 *    on such a leaf goes by the leaf alone, and its CAS fails. A fault that copies the file's page
 *    has a reference of its own, not the leaf's (fault_private_write); if the file was cut before
 *    the copy was in place, it looks again whether the file has that page (check_cut).
 *
 * S11 Pinning (pin.c) has a slot for what it pins, and then finds the area, as a fault does. It
 *    reads a leaf and adds a reference to that page, which must not have been freed in between. Who
 *    takes a private page out of a leaf and puts it
 *    - has made the area unknown and waited for slots before (S3, S6: munmap, mremap): nobody has
 *      read the leaf;
 *    - or waits for slots after it has emptied the leaf, and puts the page then: MADV_DONTNEED (in
 *      S5), taking a patched call site back (patch.c), and the faults that replace a page which is
 *      pinned or which its file has lost (put_unseen). As of S5: the slot is there before the leaf
 *      is read, the leaf is another one before the slots are looked at, so either the pin reads
 *      what is new or it is waited for, and has its reference. These faults give up their own slot
 *      first, so two of them never wait for each other;
 *    - or empties the leaf under the backing's lock and waits for nobody: vm_backing_unmap with
 *      'copies', and patching. So a copy of a file's page is pinned under that lock.
 *    A file's page comes from the file (get_page) with a reference of its own, whatever its leaf
 *    says. A 2 MiB block has one count for all of it and may have to be split, so it is never
 *    pinned: its leaf is split first, in a change for all of it, which keeps others from taking it
 *    out meanwhile (split_huge_at). Pins sleep with a slot only where faults do (get_page), and for
 *    the backing's lock, whose holders wait for no slot.
 */
#pragma once

/* ---- change.c ---- */
static inline void space_lock(struct vm_space *s)
{
	mutex_lock(&s->lock);
}
void space_unlock(struct vm_space *s);
/* Before the first store to what lookups read; space_unlock ends it. */
static inline void tree_change(struct vm_space *s)
{
	if (!(s->seq & 1))
		store_release(&s->seq, s->seq + 1);
}
/* All with the lock held. True: c is entered. False: slept, without the lock: look again. */
bool change_enter(struct vm_space *s, struct vm_change *c);
/* Faults in it wait from here on; those in flight are for slots_wait. */
void change_exclude(struct vm_space *s, struct vm_change *c);
/* A spare for one area more, whatever others do; given up by a cut, or at the end. False: none. */
bool change_take_spare(struct vm_space *s, struct vm_change *c);
void change_give_spare(struct vm_space *s, struct vm_change *c);
/* Unlocks. Wakes who waits, frees c->dead. */
void change_leave(struct vm_space *s, struct vm_change *c);
/* The start of a change's range that overlaps [start, end), or 0. */
uintptr_t change_at(struct vm_space *s, uintptr_t start, uintptr_t end);
bool change_excludes(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Sleeps, without the lock, until some change ends; without the lock altogether: after 'ended'. */
void change_wait(struct vm_space *s);
void change_wait_since(struct vm_space *s, uint32_t ended);
/* Until no change / no exclusive change overlaps. */
void change_wait_all(struct vm_space *s, uintptr_t start, uintptr_t end);
void change_wait_exclusive(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Without the lock: nobody takes tables or pages of the range away until it is given back. Faults
 * go on. */
void walk_enter(struct vm_space *s, struct vm_change *c);
void walk_leave(struct vm_space *s, struct vm_change *c);
/* Shrinks the hole [*floor, *ceiling) around [start, end) by what changes beside it work on. */
void change_clip(
	struct vm_space *s, uintptr_t start, uintptr_t end, uintptr_t *floor, uintptr_t *ceiling);

/* ---- slot.c ---- */
enum {
	SLOT_USED = 1 << 0,
	SLOT_WAITED = 1 << 1, /* somebody sleeps until it is free */
	SLOT_AROUND = 1 << 2, /* the aligned AROUND_PAGES of the page */
	SLOT_HUGE = 1 << 3,   /* its 2 MiB */
};
#define AROUND_PAGES 16u

struct fault_slot {
	uint64_t *word; /* in a vm_cpu, or 'own' */
	uint64_t own;	/* when every word of the CPU is taken */
	struct list_node link;
};
/* No free word on this CPU: takes the lock. */
void slot_enter_slow(struct vm_space *s, struct fault_slot *slot, uint64_t value);
void slot_leave_slow(struct vm_space *s, struct fault_slot *slot, uint64_t old);
/*
 * With the lock, dropped meanwhile: until no exclusive change overlaps [start, end). The slot, of
 * that value, is given up while it sleeps.
 */
void slot_wait_exclusive(struct vm_space *s, struct fault_slot *slot, uint64_t value,
	uintptr_t start, uintptr_t end);
/* Returns when no fault that began before is in flight in [start, end). Without the lock. */
void slots_wait(struct vm_space *s, uintptr_t start, uintptr_t end);

static inline struct vm_cpu *vm_cpu(struct vm_space *s)
{
	uint32_t id = cpu_id();

	/* A CPU that came up after boot had given it up shares; words are claimed by CAS. */
	return &s->cpu[likely(id < s->cpu_known) ? id : 0];
}

static inline void slot_enter(struct vm_space *s, struct fault_slot *slot, uintptr_t page)
{
	uint64_t *word = vm_cpu(s)->slot, free = 0, value = page | SLOT_USED;

	slot->word = word;
	if (unlikely(load_relaxed(word) || !atomic_cas(word, &free, value)))
		slot_enter_slow(s, slot, value);
}

static inline void slot_leave(struct vm_space *s, struct fault_slot *slot)
{
	uint64_t old = 0;

	if (likely(slot->word != &slot->own))
		old = atomic_xchg(slot->word, 0);
	if (unlikely(old & SLOT_WAITED || slot->word == &slot->own))
		slot_leave_slow(s, slot, old);
}

/* ---- lookup.c ---- */
static inline void vma_copy(const struct vma *v, struct vma_view *out)
{
	out->start = load_acquire(&v->start);
	out->end = load_acquire(&v->end);
	out->offset = load_acquire(&v->offset);
	out->backing = load_acquire(&v->backing);
	out->flags = load_acquire(&v->flags);
	out->prot = load_acquire(&v->prot);
}
/*
 * The first area that ends above addr, without the lock; *seq for lookup_still. False: lock.
 * lookup.c says why the walk is right.
 */
static inline bool lookup_fast(
	struct vm_space *s, uintptr_t addr, struct vma_view *out, uint64_t *seq);
static inline bool lookup_still(struct vm_space *s, uint64_t seq)
{
	return __atomic_load_n(&s->seq, __ATOMIC_SEQ_CST) == seq;
}
/* The same by any means; waits for exclusive changes there. Not for who has one. */
void vma_lookup(struct vm_space *s, uintptr_t addr, struct vma_view *out);

/* A red-black tree of MAX_AREAS nodes is less deep; a walk through a changing one ends, too. */
#define LOOKUP_STEPS 40

static inline const struct vma *lookup_walk(const struct vm_space *s, uintptr_t addr)
{
	const struct rb_node *n = load_acquire(&s->areas.root);
	const struct vma *best = NULL;

	for (unsigned steps = 0; n && steps < LOOKUP_STEPS; steps++) {
		const struct vma *v = rb_entry(n, const struct vma, node);

		if (load_acquire(&v->end) <= addr) {
			n = load_acquire(&n->right);
			continue;
		}
		best = v;
		if (load_acquire(&v->start) <= addr)
			break;
		n = load_acquire(&n->left);
	}
	return best;
}

static inline bool lookup_fast(
	struct vm_space *s, uintptr_t addr, struct vma_view *out, uint64_t *seq)
{
	uint64_t before = __atomic_load_n(&s->seq, __ATOMIC_SEQ_CST);
	const struct vma *v;

	*seq = before;
	if (unlikely(before & 1))
		return false;
	rcu_read_lock();
	v = lookup_walk(s, addr);
	if (likely(v))
		vma_copy(v, out);
	else
		out->end = 0;
	rcu_read_unlock();
	return likely(load_relaxed(&s->seq) == before);
}
