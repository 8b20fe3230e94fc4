/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to vm/: the structures, and what each file offers the others. How threads that fault,
 * map, unmap and protect keep out of each other's way, with the argument why it is right: change.h.
 *
 * Order of locks: brk_lock, patch_lock, space->lock, backing->lock, a shoot-down slot's mutex;
 * split_lock is a leaf. A change is entered before patch_lock and everything below it.
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
	/* its own */
	struct vma *dead;  /* areas to be freed when it has ended, by node.parent */
	struct vma *spare; /* for a cut that must not fail; area_count has it in */
};

struct vm_space {
	uint32_t refcount; /* atomic: who uses it; without any there are no areas */
	uint32_t holds;	   /* atomic: 1 for all of these, and 1 for each flush that is due (S9) */
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

#include "vm/change.h"

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
/* The part of v in [start, end), which must not be empty, as an area of its own; NULL: no memory.
 */
struct vma *vma_cut(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end);
/* Moves bounds; the offset follows start. The caller knows the room is free. */
void vma_resize(struct vm_space *s, struct vma *v, uintptr_t start, uintptr_t end);
/* Out of the tree and off its backing's list, and onto *dead if something is left to be dropped. */
void vma_remove(struct vm_space *s, struct vma *v, struct vma **dead);
/* Drops references and memory of such; without the lock. */
void vma_free_dead(struct vma *dead);
/* Memory for an area, and back: it may still be read as one. NULL: none. */
struct vma *vma_take(struct vm_space *s);
void vma_give(struct vm_space *s, struct vma *v);
#define VMA_SPARES 64 /* that a space keeps */
/* Joins v with its neighbours where they are of a kind; returns the area that has v's bytes. */
struct vma *vma_merge(struct vm_space *s, struct vma *v);
/* How many pages v adds to the sums of /proc/self/status; sign: 1 or -1. */
void vma_account(struct vm_space *s, const struct vma *v, uint64_t pages, int sign);
void vma_update(struct rb_node *node);

/* ---- space.c ---- */
/*
 * A hold keeps the structure and the tables, if not the areas, and tells others that leaves have
 * changed whose flush is still to come (S9): taken before they do, given back after it.
 */
void space_hold(struct vm_space *s);
void space_release(struct vm_space *s);
/* Somebody has cleared or moved a leaf that the caller has found so, and not flushed yet. 'own':
 * the caller's holds. */
static inline bool flush_is_due(const struct vm_space *s, unsigned own)
{
	return unlikely(__atomic_load_n(&s->holds, __ATOMIC_SEQ_CST) > 1 + own);
}

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
/* A leaf that the caller has taken out, with its reference. May flush to make room. */
void gather_leaf(struct vm_gather *g, pte_t old, uintptr_t va, uintptr_t size);
/* All of [start, end) will be flushed. */
static inline void gather_flush_all(struct vm_gather *g, uintptr_t start, uintptr_t end)
{
	g->start = MIN(g->start, start);
	g->end = MAX(g->end, end);
}
/* Empties [start, end); leaves 2 MiB leaves alone that reach beyond it. */
void zap_range(struct vm_gather *g, uintptr_t start, uintptr_t end);
/* Makes addr a bound between leaves. -ENOMEM. Of who has a change there. */
int split_huge_at(struct vm_space *s, uintptr_t addr);
int split_huge_bounds(struct vm_space *s, uintptr_t start, uintptr_t end);
/* With the lock: no 2 MiB leaf crosses addr, and none can come. */
bool bound_ready(struct vm_space *s, uintptr_t addr);
/* Without: splits it, or puts a table there, if that is not aligned. -ENOMEM. */
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
 * -ENOMEM: nothing has happened; never if c has a spare and tables are at the bounds.
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
