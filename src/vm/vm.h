/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program's address space: areas (vma) in an ordered tree, the mmap family, page faults, copy on
 * write. All calls may sleep. Errors are what the Linux call of the same name gives.
 * prot/flags are Linux's PROT_ and MAP_ bits (abi/mman.h).
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"
#include "mem/page.h"
#include "mem/pagetable.h"
#include "sched/mutex.h"

struct vm_space;
struct vm_backing;

/* What a file mapping shows. Pages are shared with read and write: this is the page cache's face.
 */
struct vm_backing_ops {
	/*
	 * The page at index (in pages), with a reference for the caller in *out. 'write' says that
	 * it is going to be written through a shared mapping (mark it dirty). May sleep.
	 * -EFAULT past the end (the program gets SIGBUS), -ENOMEM, -EIO.
	 */
	int (*get_page)(struct vm_backing *b, uint64_t index, bool write, struct page **out);
	/* References, so that a mapping keeps a deleted file alive. */
	void (*get)(struct vm_backing *b);
	void (*put)(struct vm_backing *b);
	/* The path for /proc/self/maps; writes a terminated text. May be NULL. */
	void (*describe)(
		struct vm_backing *b, char *buf, size_t size, uint64_t *device, uint64_t *inode);
	/* Pages [first, last) read as zero afterwards (MADV_REMOVE). No lock is held. May be NULL.
	 */
	int (*punch)(struct vm_backing *b, uint64_t first, uint64_t last);
	/* get_page never waits for a device (an in-RAM object): pages are then mapped around a
	 * fault. */
	bool contiguous;
};

struct vm_backing {
	const struct vm_backing_ops *ops;
	struct mutex lock;	/* guards 'areas' */
	struct list_node areas; /* every vma that maps this object */
	uint32_t unmap_count;	/* atomic: calls of vm_backing_unmap */
};
void vm_backing_init(struct vm_backing *b, const struct vm_backing_ops *ops);
/*
 * Takes pages [first, last) out of every mapping; when it returns no CPU reaches them there any
 * more. copies: private copies of them as well, as truncation does and punching a hole does not.
 * Waits for TLBs, but never for a fault. Not with a lock that get_page takes.
 */
void vm_backing_unmap(struct vm_backing *b, uint64_t first, uint64_t last, bool copies);

struct vm_space *vm_space_create(void); /* NULL: no memory */
void vm_space_get(struct vm_space *s);
void vm_space_put(struct vm_space *s); /* the last one unmaps everything */
/* Unmaps everything (exec). */
void vm_space_clear(struct vm_space *s);
uint64_t vm_space_root(const struct vm_space *s); /* for thread_set_root */
/* The running thread's space; NULL in kernel threads. Set by process/ when a task starts. */
struct vm_space *vm_current(void);
void vm_set_current(struct vm_space *s);

/* addr as for mmap(2): page aligned when MAP_FIXED. Returns the address or -errno. The backing
 * (NULL: anonymous) is referenced by the area. offset in bytes, page aligned. max_prot: what
 * mprotect may grant later. */
intptr_t vm_mmap(struct vm_space *s, uintptr_t addr, size_t len, int prot, int flags,
	struct vm_backing *backing, uint64_t offset, int max_prot);
int vm_munmap(struct vm_space *s, uintptr_t addr, size_t len);
int vm_mprotect(struct vm_space *s, uintptr_t addr, size_t len, int prot);
intptr_t vm_mremap(struct vm_space *s, uintptr_t old, size_t old_len, size_t new_len, int flags,
	uintptr_t new_addr);
int vm_madvise(struct vm_space *s, uintptr_t addr, size_t len, int advice);
int vm_msync(struct vm_space *s, uintptr_t addr, size_t len, int flags);
int vm_mincore(struct vm_space *s, uintptr_t addr, size_t len, uint8_t *user_vec);
/*
 * Pages of [start, start + len) written since they were last cleared: one bit each for user_bits
 * (may be NULL), cleared if 'clear'. How many, -EINVAL, -EFAULT, -ENOMEM.
 */
long vm_dirty_scan(
	struct vm_space *s, uintptr_t start, size_t len, uint64_t *user_bits, bool clear);
/* What Linux's /proc/<pid>/clear_refs does for 1 to 5. -EINVAL. */
int vm_clear_refs(struct vm_space *s, unsigned what);
/* Words of /proc/<pid>/pagemap for n pages. */
void vm_pagemap(struct vm_space *s, uintptr_t start, uint64_t *out, unsigned n);
/*
 * ioctl(PAGEMAP_SCAN) with checked arguments, 'end' page aligned; sets walk_end, and puts regions
 * where 'vec' says. How many, -EPERM, -EFAULT, -ENOMEM.
 */
struct pm_scan_arg;
long vm_pagemap_scan(struct vm_space *s, struct pm_scan_arg *arg);
/*
 * Private anonymous areas of [start, end) are watched for writes, for 'owner': what PAGEMAP_SCAN
 * calls WPALLOWED. -EINVAL: no area there, or one of another kind; -EPERM: one that can never be
 * written; -EBUSY: watched for another owner; -ENOMEM.
 */
int vm_watch(struct vm_space *s, uintptr_t start, uintptr_t end, const void *owner);
/* Not any more. -EINVAL: no area there, or one of another kind or owner; -ENOMEM. */
int vm_unwatch(struct vm_space *s, uintptr_t start, uintptr_t end, const void *owner);
/* The same for all areas of the owner, which then goes away. */
void vm_unwatch_all(struct vm_space *s, const void *owner);
/*
 * All pages of [start, end) count as not written from now on, or as written ('protect' is false).
 * -ENOENT: no area there, or one that is not watched; -ENOMEM.
 */
int vm_watch_protect(struct vm_space *s, uintptr_t start, uintptr_t end, bool protect);
int vm_mlock(struct vm_space *s, uintptr_t addr, size_t len, bool lock);
/* mlockall: what is mapped now, what will be; both false: munlockall. */
void vm_mlock_all(struct vm_space *s, bool current, bool future);
/* brk(2): the new break, or the old one when it cannot be. vm_set_brk_start is for exec. */
uintptr_t vm_brk(struct vm_space *s, uintptr_t new_break);
void vm_set_brk_start(struct vm_space *s, uintptr_t start);

enum vm_access { VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4 };
/*
 * Serves a page fault; may sleep. 0: retry the instruction. -EFAULT: no such mapping (SIGSEGV
 * SEGV_MAPERR), -EACCES: not allowed (SEGV_ACCERR), -EIO: SIGBUS, -ENOMEM: out of memory.
 */
int vm_fault(struct vm_space *s, uintptr_t addr, unsigned access);

/*
 * The pages of [addr, addr + len), which the program may read: the first 'max' of them, each with a
 * reference for the caller (page_put), who reads them and does not write. What the program does
 * with its mapping afterwards changes nothing about them; what it writes there shows, as long as
 * the page is mapped. 2 MiB pages are split. How many; fewer than there are: the next one has an
 * error. Or -EFAULT, -ENOMEM, for the first. May sleep, not with a lock that get_page takes.
 */
int vm_pin(struct vm_space *s, uintptr_t addr, size_t len, struct page **pages, unsigned max);

/*
 * Turns the `mov $nr,%eax` at site, which a syscall instruction follows, into a jump to a stub that
 * goes on at 'entry' with interrupts off, rax = nr and rcx = the address behind that instruction.
 * May sleep. -EPERM: never there (not such code, or memory that has been or may be written),
 * -ENOMEM: no room, -EAGAIN.
 */
int vm_patch_site(struct vm_space *s, uintptr_t site, uint32_t nr, uint64_t entry);
/* Whether the 7 bytes at 'at' are such a site, as the two bytes in front of it tell. */
bool vm_patch_site_ok(const uint8_t *at, uint32_t nr);
/*
 * If rip is in a stub: its syscall instruction and number, where the thread must go on. Interrupts
 * have been off since the program was interrupted.
 */
#define VM_STUB_ALIGN MIB(1) /* a page of stubs is the first page behind a multiple of this */
static inline bool vm_maybe_stub(uintptr_t rip)
{
	return (rip & (VM_STUB_ALIGN - PAGE_SIZE)) == 0;
}
bool vm_patch_leave(struct vm_space *s, uintptr_t rip, uintptr_t *site, uint32_t *nr);

/* The page at a user address for shared futexes and the like: fills the key that names the object.
 * object: backing or page pointer, offset in bytes. -EFAULT. */
int vm_object_key(struct vm_space *s, uintptr_t addr, uint64_t *object, uint64_t *offset);

/* One line per area for /proc/self/maps and the sums for status/statm. Pages. */
struct vm_area_info {
	uintptr_t start, end;
	int prot, flags;
	uint64_t offset, device, inode;
	uint64_t resident; /* pages present; only when asked */
	char name[256];	   /* path, [heap], [stack], [vdso] or empty */
};
/* The first area that ends above addr; -ENOENT past the last. */
int vm_area_next(struct vm_space *s, uintptr_t addr, bool count_resident, struct vm_area_info *out);
/* Names an area for the listing above: "[stack]", "[vdso]", "[vvar]". */
void vm_area_name(struct vm_space *s, uintptr_t addr, const char *name);
struct vm_stats {
	uint64_t total, peak, resident, resident_peak, data, stack, text, shared; /* pages */
	uint64_t minor_faults, major_faults;
};
void vm_stats(struct vm_space *s, struct vm_stats *out);

/* Limits from setrlimit, bytes: RLIMIT_AS and RLIMIT_DATA, RLIMIT_STACK (growth of MAP_GROWSDOWN).
 */
void vm_set_limits(struct vm_space *s, uint64_t as, uint64_t data, uint64_t stack);
void vm_init(void);
