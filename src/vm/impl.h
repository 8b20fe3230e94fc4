/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to vm/. Lock order: space->lock, then backing->lock, then a shoot-down slot's mutex.
 *
 *	faults			space->lock shared
 *	everything that changes areas or takes pages out	space->lock exclusive
 *	vm_backing_unmap	backing->lock only: see below
 *
 * Leaves are filled by compare-and-swap from 0, so faults of one space run beside each other. Page
 * tables go away only under the exclusive lock. vm_backing_unmap comes without the space's lock
 * (the fault path waits for file systems, so file systems must not wait for it): it walks the
 * tables under areas on the backing's list. Hence an area leaves that list before its tables go,
 * and its bounds change only under the backing's lock.
 */
#pragma once

#include "abi/errno.h"
#include "abi/mman.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "lib/bug.h"
#include "lib/rbtree.h"
#include "sched/mutex.h"
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

struct vma {
	/* guarded by space->lock; bounds and offset by backing->lock as well */
	struct rb_node node;
	uintptr_t start, end;
	uintptr_t gap;	   /* free bytes below start */
	uintptr_t max_gap; /* the largest gap in this node's subtree */
	uint32_t flags;
	uint8_t prot, max_prot;
	uint64_t offset; /* of start in the backing, bytes */
	char *name;	 /* heap, or NULL */
	/* fixed */
	struct vm_space *space;
	struct vm_backing *backing; /* referenced; NULL: private anonymous memory */
	/* guarded by backing->lock */
	struct list_node backing_link;
};

struct vm_space {
	uint32_t refcount; /* atomic */
	struct pagetable pt;

	struct rwlock lock;
	/* guarded by lock */
	struct rb_tree areas;
	unsigned area_count;
	uint64_t total, peak, data, stack, text, shared; /* pages mapped */
	uint64_t limit_as, limit_data, limit_stack;	 /* bytes */
	uintptr_t mmap_top;				 /* areas are placed downwards from here */
	uintptr_t brk_start, brk;
	bool lock_future; /* mlockall(MCL_FUTURE) */

	struct vm_patches *patches; /* patch.c; atomic, set once */

	/* atomic */
	uint64_t resident_anon, resident_file, resident_peak;
	uint64_t minor_faults, major_faults;
	uint64_t cpus[MAX_CPUS / 64]; /* that may have entries of this space in their TLB */
};

/* Written at some time: what a file's page must be told. */
#define PTE_EVER_DIRTY (PTE_DIRTY | PTE_SW_DIRTY)
/* Kept when the rights of a leaf change. */
#define PTE_TRACK (PTE_SW_SOFT_DIRTY | PTE_SW_DIRTY | PTE_SW_WRITTEN)

/* e: read with acquire (mem/pagetable.h says when the struct page may be touched). */
static inline struct page *leaf_page(pte_t e)
{
	return phys_to_page(PADDR(e & PTE_ADDR_MASK));
}

/* ---- vma.c: the tree; space->lock exclusive unless said otherwise ---- */

/* The first area that ends above addr, or NULL. Shared lock is enough for these three. */
struct vma *vma_find(struct vm_space *s, uintptr_t addr);
struct vma *vma_next(const struct vma *v);
struct vma *vma_prev(const struct vma *v);
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
/* Out of the tree and off its backing's list. vma_free then drops references and memory. */
void vma_detach(struct vm_space *s, struct vma *v);
void vma_free(struct vma *v);
/* Joins v with its neighbours where they are of a kind; returns the area that has v's bytes. */
struct vma *vma_merge(struct vm_space *s, struct vma *v);
/* How many pages v adds to the sums of /proc/self/status; sign: 1 or -1. */
void vma_account(struct vm_space *s, const struct vma *v, uint64_t pages, int sign);
void vma_update(struct rb_node *node);

/* ---- zap.c: taking pages out ---- */

/* Pages taken out of the tables, to be freed when no TLB can reach them any more. */
struct vm_gather {
	struct vm_space *space;
	uintptr_t start, end; /* to be flushed; empty: start >= end */
	struct page *anon;    /* only ours: chained by page->next */
	struct page *tables;  /* from pagetable_prune */
	int64_t anon_pages, file_pages;
	unsigned count;
	struct page *page[32];
};
void gather_init(struct vm_gather *g, struct vm_space *s);
void gather_finish(struct vm_gather *g); /* flushes and frees */
/* Empties [start, end). Huge leaves across the bounds must have been split. */
void zap_range(struct vm_gather *g, uintptr_t start, uintptr_t end);
/* Makes addr a bound between leaves. -ENOMEM. */
int split_huge_at(struct vm_space *s, uintptr_t addr);
int split_huge_bounds(struct vm_space *s, uintptr_t start, uintptr_t end);

/* ---- map.c ---- */
int vm_unmap_locked(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Range checks that the whole family shares: page aligned, inside the program's half. */
bool vm_range_ok(uintptr_t addr, size_t len);
/* A place for len bytes as mmap chooses it, or -ENOMEM. */
intptr_t vm_place(struct vm_space *s, uintptr_t hint, size_t len, int flags, bool huge);
/* RLIMIT_AS, RLIMIT_DATA and overcommit for 'pages' more of this kind. */
bool vm_may_grow(struct vm_space *s, const struct vma *like, uint64_t pages);
/* Faults pages of [start, end) in as far as possible; takes the lock itself. The first error. */
int vm_populate(struct vm_space *s, uintptr_t start, uintptr_t end, unsigned access);

/* ---- fault.c ---- */
/* The bits of a leaf in v, without PTE_WRITE, which each leaf must earn. One place for all. */
pte_t leaf_bits(const struct vma *v);
/* Whether this leaf may be writable at once, given that its area is. */
bool leaf_may_write(const struct vma *v, pte_t leaf);
extern struct page *vm_zero_page;

/* ---- tlb.c ---- */
void tlb_init(void);
/* No CPU uses an old entry of [start, end) of this space any more when it returns. Sleeps. */
void tlb_flush(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Takes every CPU off this space's tables, which are about to be freed. */
void tlb_leave(struct vm_space *s);

/* ---- patch.c; space->lock exclusive ---- */
void vm_patch_undo_range(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Before areas or leaves of [start, end) change: no call site there is patched any more. */
static inline void vm_patch_undo(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	if (s->patches)
		vm_patch_undo_range(s, start, end);
}
void vm_patch_destroy(struct vm_space *s);

/* ---- shared.c ---- */
/* Shared anonymous memory of so many bytes, one reference; NULL: no memory. */
struct vm_backing *anon_shared_create(uint64_t size);
bool backing_is_anon_shared(const struct vm_backing *b);
