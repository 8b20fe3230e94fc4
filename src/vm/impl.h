/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to vm/. How threads that fault, map, unmap and protect keep out of each other's way.
 *
 *	space->lock	a mutex: the tree of areas, the sums, the list of changes. Held for tree
 *			operations only, never while pages are taken out, TLBs flushed, files asked
 *			for pages or faults waited for.
 *	struct vm_change	"pages and areas of [start, end) are being worked on": a range that
 *one call has for itself, on space->changes. Calls whose ranges overlap wait for each other, others
 *do not. fault slots	"a fault at this page is in flight": one word each, in arrays per CPU.
 *	space->seq	odd while the tree is changed or a change is exclusive. A lookup without the
 *			lock is good if seq was even before it and is the same after it.
 *
 * Order of locks: patch_lock, lock, backing->lock, a shoot-down slot's mutex; split_lock is a leaf.
 *A change is entered before any of them is taken, and nobody who has one waits for another.
 *
 *			fault			change of the tree	exclusive change
 *	fault		CAS on the leaf		slot and seq		slot, then it waits
 *	change		slot and seq		the range		the range
 *	vm_backing_unmap	unmap_count	backing->lock		backing->lock
 *
 * S1 A fault puts its page into a slot (CAS), then looks its area up (load of seq). Whoever changes
 *    the tree does so (store of seq, sequentially consistent, in space_unlock), then looks at the
 *    slots (slots_wait). One of the two sees the other: either the fault has what is new, or the
 *    change waits until the fault is over. So once slots_wait returns no fault acts on what was
 *    before, in the range waited for.
 * S2 A slot covers all leaves that its fault may fill. To fill more than its page (a 2 MiB page,
 *the neighbours in a file) it is widened first (exchange) and seq read again: as S1, from there. S3
 *munmap takes the areas out of the tree first, so nothing comes into the range after slots_wait;
 *    then the leaves. Nobody is placed there before the change ends: placement avoids changes.
 * S4 mprotect changes the areas first, so after slots_wait every new leaf is right; then the leaves
 *    that are there. A fault that meets one which has less than its area allows brings it up to
 *    date itself (leaf_in), so nobody sees the rights come late.
 * S5 madvise(DONTNEED) changes no area. It takes leaves out, then waits for the slots before it
 *    frees the pages: who has read such a leaf has a slot (its CAS, our exchange of the leaf, as
 *    S1). The same leaf cannot come back meanwhile with the same page.
 * S6 MAP_FIXED over something, and mremap, must not let anybody see the state between: their
 *    change is exclusive. seq stays odd, so every lookup takes the lock, sees the change and, if
 *    it is about that range, sleeps without its slot until the change is over.
 * S7 Page tables are unlinked under the lock, in holes between areas and others' changes, and freed
 *    after a flush. Who walks: a fault (its page is in an area, or will be waited for by the change
 *    that removed it); who has a change (its range counts as no hole); who holds the lock;
 *    vm_backing_unmap (an area leaves the backing's list before its tables can go, and bounds
 *    change only under the backing's lock). It comes without a change as the fault path waits for
 *    file systems, so file systems must not wait for it.
 * S8 No 2 MiB leaf crosses the bounds of a change: bound_ready says so in the same hold of the lock
 *    as the change of the tree. split_huge_at splits what crosses, and where an area does, an empty
 *    entry gets a table, which stays as long as areas touch there.
 */
#pragma once

#include "abi/errno.h"
#include "abi/mman.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "lib/bug.h"
#include "lib/rbtree.h"
#include "sched/mutex.h"
#include "sched/rcu.h"
#include "sched/wait.h"
#include "vm/vm.h"

#define STACK_GUARD_GAP (256 * PAGE_SIZE) /* below a growing stack, as on Linux */
#define MAX_AREAS	65530
#define MMAP_MIN_ADDR	USER_MIN

enum vma_flags {
	VMA_SHARED = 1 << 0,
	VMA_GROWSDOWN = 1 << 1,
	VMA_NORESERVE = 1 << 2,
	VMA_LOCKED = 1 << 3,
	VMA_HUGE = 1 << 4, /* advice */
	VMA_NOHUGE = 1 << 5,
	VMA_DONTFORK = 1 << 6,
	VMA_WIPEONFORK = 1 << 7,
	VMA_DONTDUMP = 1 << 8,
	VMA_STACK = 1 << 9,
};

/* What lookups without the lock read is stored with release, between tree_change and the unlock. */
struct vma {
	/* guarded by space->lock; those marked *, and links of node, are also read without it */
	struct rb_node node;
	uintptr_t start, end; /* *; these two and offset change under backing->lock as well */
	uint64_t offset;      /* *; of start in the backing, bytes */
	uint32_t flags;	      /* * */
	uint8_t prot;	      /* * */
	uint8_t max_prot;
	uintptr_t gap;	   /* free bytes below start */
	uintptr_t max_gap; /* the largest gap in this node's subtree */
	char *name;	   /* heap, or NULL */
	const void *watch; /* whose writes are tracked for PAGEMAP_SCAN (watch.c), or NULL */
	/* fixed */
	struct vm_space *space;
	struct vm_backing *backing; /* *; referenced; NULL: private anonymous memory */
	union {
		struct list_node backing_link; /* guarded by backing->lock */
		struct rcu_node rcu;	       /* when it is gone */
	};
};

/* What a fault needs to know of its area: a copy, good while its slot is held. */
struct vma_view {
	uintptr_t start, end; /* end 0: there is none that ends above the address */
	uint64_t offset;
	struct vm_backing *backing;
	uint32_t flags;
	uint8_t prot;
};

#define FAULT_SLOTS 8

/* A space's words on one CPU. The slots' line is read by whoever changes areas. */
struct vm_cpu {
	uint64_t slot[FAULT_SLOTS]; /* atomic; 0: free, else a page and SLOT_ bits */
	/* Written by threads on this CPU alone, read by all. Sums over CPUs are what counts. */
	int64_t anon, file; /* pages */
	uint64_t minor_faults;
	uint64_t taken_out; /* pages, since resident_peak was looked at */
} __attribute__((aligned(CACHE_LINE)));

/* A range that one call works on. On its stack. */
struct vm_change {
	struct list_node link;	/* on space->changes; guarded by space->lock */
	uintptr_t start, end;	/* fixed while entered */
	uintptr_t start2, end2; /* mremap: where the pages go; else empty */
	bool exclusive;		/* faults in it wait; guarded by space->lock */
	struct vma *dead;	/* its own: areas to be freed when it has ended, by node.parent */
};

struct vm_space {
	uint32_t refcount; /* atomic */
	struct pagetable pt;
	/* fixed */
	struct vm_cpu *cpu; /* cpu_known of them */
	uint32_t cpu_known;
	void *cpu_memory;

	struct mutex lock;
	/* changed under lock, read without */
	uint64_t seq;
	struct rb_tree areas;
	uint32_t changes_ended;	 /* counts */
	uint32_t overflow_count; /* of slots on 'overflow' */
	/* guarded by lock */
	struct list_node changes;  /* vm_change */
	unsigned exclusive;	   /* how many of them are */
	struct list_node overflow; /* fault_slot: faults that found no free word */
	struct vma *spare;	   /* recycled areas, by node.parent */
	unsigned spares;
	unsigned area_count;
	uint64_t total, peak, data, stack, text, shared; /* pages mapped */
	uint64_t limit_as, limit_data, limit_stack;	 /* bytes */
	uintptr_t mmap_top;				 /* areas are placed downwards from here */
	uintptr_t brk_start, brk;			 /* and brk_lock */
	bool lock_future;				 /* mlockall(MCL_FUTURE) */

	struct wait_queue change_wait; /* for the end of a change */
	struct wait_queue slot_wait;   /* for the end of a fault */
	struct mutex brk_lock;	       /* one brk(2) at a time */
	struct mutex split_lock;       /* splitting of 2 MiB leaves */
	struct mutex patch_lock;       /* patch.c */
	struct vm_patches *patches;    /* patch.c; atomic, set once */

	/* atomic */
	uint64_t resident_peak;	      /* behind by less than PEAK_STEP pages per CPU */
	uint64_t cpus[MAX_CPUS / 64]; /* that may have entries of this space in their TLB */
};

/* Written at some time: what a file's page must be told. */
#define PTE_EVER_DIRTY (PTE_DIRTY | PTE_SW_DIRTY)
/* Kept when the rights of a leaf change. */
#define PTE_TRACK (PTE_SW_SOFT_DIRTY | PTE_SW_DIRTY | PTE_SW_WRITTEN | PTE_SW_UFFD_WP)

/* e: read with acquire (mem/pagetable.h says when the struct page may be touched). */
static inline struct page *leaf_page(pte_t e)
{
	return phys_to_page(PADDR(e & PTE_ADDR_MASK));
}

/*
 * A leaf without PTE_DIRTY, told to all who have not seen it: the file's page, soft-dirty, the
 * dirty scan, PAGEMAP_SCAN. Who clears it takes out, or puts in, his own bit.
 */
static inline pte_t leaf_clean(pte_t e)
{
	if (!(e & PTE_DIRTY))
		return e;
	e &= ~(PTE_DIRTY | PTE_SW_UFFD_WP);
	return e | PTE_SW_DIRTY | PTE_SW_SOFT_DIRTY | PTE_SW_WRITTEN;
}

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

/* ---- vma.c: the tree; space->lock ---- */

/* The first area that ends above addr, or NULL. */
struct vma *vma_find(struct vm_space *s, uintptr_t addr);
struct vma *vma_next(const struct vma *v);
struct vma *vma_prev(const struct vma *v);
/* The area with the highest addresses below v, which may be NULL: below infinity. */
struct vma *vma_below(struct vm_space *s, const struct vma *v);
/* Nothing may be mapped from here upwards below v: its start, or its guard gap's. */
uintptr_t vma_guard_start(const struct vma *v);
/* The highest free range of len bytes in [low, high), or 0. */
uintptr_t vma_find_gap(struct vm_space *s, size_t len, size_t align, uintptr_t low, uintptr_t high);
bool vma_range_is_free(struct vm_space *s, uintptr_t start, uintptr_t end);
/*
 * Adds the area that 'like' describes, by growing a neighbour if it is of the same kind. 'like'
 * is the caller's; its backing gets a reference if a new area keeps it, name is copied. -ENOMEM.
 */
int vma_add(struct vm_space *s, const struct vma *like);
/* Cuts v at addr, strictly inside; v keeps the lower part. Returns the upper; NULL: no memory. */
struct vma *vma_split(struct vm_space *s, struct vma *v, uintptr_t addr);
/* Moves bounds; the offset follows start. The caller knows the room is free. */
void vma_resize(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end);
/* Out of the tree and off its backing's list, and onto *dead if something is left to be dropped. */
void vma_remove(struct vm_space *s, struct vma *v, struct vma **dead);
/* Drops references and memory of such; without the lock. */
void vma_free_dead(struct vma *dead);
/* Makes sure that n areas can be made in this hold of the lock. False: no memory. */
bool vma_reserve(struct vm_space *s, unsigned n);
/* Memory for an area, for a later hold of the lock: vma_give it there. NULL: none. */
struct vma *vma_take(struct vm_space *s);
void vma_give(struct vm_space *s, struct vma *v);
#define VMA_SPARES 64 /* that a space keeps */
/* Joins v with its neighbours where they are of a kind; returns the area that has v's bytes. */
struct vma *vma_merge(struct vm_space *s, struct vma *v);
/* How many pages v adds to the sums of /proc/self/status; sign: 1 or -1. */
void vma_account(struct vm_space *s, const struct vma *v, uint64_t pages, int sign);
void vma_update(struct rb_node *node);

/* ---- zap.c: taking pages out ---- */

/* Pages taken out of the tables, to be freed when nobody can reach them any more. */
struct vm_gather {
	struct vm_space *space;
	uintptr_t from, to;   /* faults in there are waited for; empty: none can have seen them */
	uintptr_t start, end; /* to be flushed; empty: start >= end */
	struct page *anon;    /* only ours: chained by page->next */
	struct page *tables;  /* from pagetable_prune */
	int64_t anon_pages, file_pages;
	unsigned count;
	struct page *page[32];
};
void gather_init(struct vm_gather *g, struct vm_space *s);
void gather_finish(struct vm_gather *g); /* flushes and frees */
/* Empties [start, end); leaves 2 MiB leaves alone that reach beyond it. */
void zap_range(struct vm_gather *g, uintptr_t start, uintptr_t end);
/* Makes addr a bound between leaves. -ENOMEM. Of who has a change there. */
int split_huge_at(struct vm_space *s, uintptr_t addr);
int split_huge_bounds(struct vm_space *s, uintptr_t start, uintptr_t end);
/* With the lock: no 2 MiB leaf crosses addr, and none can come. */
bool bound_ready(struct vm_space *s, uintptr_t addr);
/* Without: makes it so. -ENOMEM. */
int bound_prepare(struct vm_space *s, uintptr_t addr);

/* Of a word of struct vm_cpu, by threads of that CPU. */
#define count(counter, n)                                                                          \
	({                                                                                         \
		__typeof__(counter) _c = (counter);                                                \
		store_relaxed(_c, load_relaxed(_c) + (n));                                         \
	})
#define PEAK_STEP 64
void count_out(struct vm_space *s, int64_t anon, int64_t file);
void sum_resident(struct vm_space *s, uint64_t *anon, uint64_t *file);
/* The peak, brought up to date. */
uint64_t resident_peak(struct vm_space *s);

/* ---- map.c ---- */
/*
 * Unmaps [start, end), which c, entered, contains. The lock is held, but dropped meanwhile.
 * -ENOMEM: nothing has happened; never if an area's memory is at hand (vma_give) and bounds are
 * ready.
 */
int unmap_held(struct vm_space *s, struct vm_change *c, uintptr_t start, uintptr_t end);
/* Enters a change for the range, unmaps it, ends it. */
int vm_unmap(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Range checks that the whole family shares: page aligned, inside the program's half. */
bool vm_range_ok(uintptr_t addr, size_t len);
/* With the lock: a place for len bytes as mmap chooses it, clear of areas and changes. -ENOMEM,
 * -EAGAIN: perhaps when a change has ended. */
intptr_t vm_place(struct vm_space *s, uintptr_t hint, size_t len, int flags, bool huge);
/* RLIMIT_AS, RLIMIT_DATA and overcommit for 'pages' more of this kind. */
bool vm_may_grow(struct vm_space *s, const struct vma *like, uint64_t pages);

/* ---- fault.c ---- */
/* The bits of a leaf of an area with that prot, without PTE_WRITE, which each leaf must earn. */
pte_t leaf_bits(unsigned prot);
/* What a leaf that is there has to be in an area like v. One place for all. */
pte_t leaf_in(const struct vma_view *v, pte_t leaf);
/* Faults pages of [start, end) in as far as possible. The first error. */
int vm_populate(struct vm_space *s, uintptr_t start, uintptr_t end, unsigned access);
extern struct page *vm_zero_page;

/* ---- scan.c ---- */
/* Pages of watched areas of [start, end) count as not written from now on. -ENOMEM. */
int vm_scan_protect(struct vm_space *s, uintptr_t start, uintptr_t end);

/* ---- tlb.c ---- */
void tlb_init(void);
/* The space whose tables this CPU has loaded: the running thread's, if it has one. */
struct vm_space *tlb_loaded(void);
/* No CPU uses an old entry of [start, end) of this space any more when it returns. Sleeps. */
void tlb_flush(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Takes every CPU off this space's tables, which are about to be freed. */
void tlb_leave(struct vm_space *s);

/* ---- patch.c ---- */
void vm_patch_undo_range(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Before areas or leaves of [start, end) change, which a change of the caller's covers: no call
 * site there is patched any more, and none will be until it ends. Without the lock. */
static inline void vm_patch_undo(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	if (load_acquire(&s->patches))
		vm_patch_undo_range(s, start, end);
}
void vm_patch_destroy(struct vm_space *s);
/* Whether there may be one in [start, end), where v is the first area; with the lock. */
static inline bool vm_patch_any(struct vm_space *s, const struct vma *v, uintptr_t end)
{
	if (!load_acquire(&s->patches))
		return false;
	for (; v && v->start < end; v = vma_next(v))
		if (v->prot & PROT_EXEC) /* sites and stubs are in no other area */
			return true;
	return false;
}

/* ---- shared.c ---- */
/* Shared anonymous memory of so many bytes, one reference; NULL: no memory. */
struct vm_backing *anon_shared_create(uint64_t size);
bool backing_is_anon_shared(const struct vm_backing *b);
