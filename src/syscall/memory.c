/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory calls: mmap and its family, locking, and the answers of a machine with one node. */

#include "abi/fcntl.h"
#include "abi/mman.h"
#include "file/file.h"
#include "process/process.h"
#include "sched/cputime.h"
#include "syscall/syscall.h"
#include "vm/vm.h"

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/* What Linux knows; anything else makes MAP_SHARED_VALIDATE fail. */
#define MAP_KNOWN                                                                                  \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |        \
		MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK |        \
		MAP_STACK | MAP_HUGETLB | MAP_FIXED_NOREPLACE)

static struct vm_space *space(void)
{
	return process_current()->vm;
}

/* What a mapping of this file may ever be given, or -errno. */
static int file_max_prot(const struct file *f, int prot, int flags)
{
	int mode = f->flags & O_ACCMODE, max = PROT_ALL;

	if (f->flags & O_PATH)
		return -EBADF;
	if (mode == O_WRONLY)
		return -EACCES;
	if ((flags & MAP_TYPE) != MAP_PRIVATE && mode != O_RDWR) {
		if (prot & PROT_WRITE)
			return -EACCES;
		max &= ~PROT_WRITE;
	}
	return max;
}

static long mmap_file(
	uintptr_t addr, size_t len, int prot, int flags, struct file *f, uint64_t offset)
{
	int max_prot = file_max_prot(f, prot, flags);
	struct vm_backing *b;

	if (max_prot < 0)
		return max_prot;
	if (!f->ops->mmap)
		return -ENODEV;
	b = f->ops->mmap(f, flags, &max_prot);
	if (IS_ERR(b))
		return PTR_ERR(b);
	if (prot & ~max_prot) /* a seal, as the descriptor itself would allow it */
		return -EPERM;
	return vm_mmap(space(), addr, len, prot, flags, b, offset, max_prot);
}

SYSCALL_DEFINE6(
	mmap, uintptr_t, addr, size_t, len, int, prot, int, flags, int, fd, uint64_t, offset)
{
	int type = flags & MAP_TYPE;
	struct file *f;
	long at;

	if (offset & (PAGE_SIZE - 1))
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (flags & ~MAP_KNOWN))
		return -EOPNOTSUPP;
	prot &= PROT_ALL; /* Linux ignores the rest here */
	if (flags & MAP_ANONYMOUS) {
		if (flags & MAP_HUGETLB) /* no pool of them is set aside, as by default on Linux */
			return len ? -ENOMEM : -EINVAL;
		return vm_mmap(space(), addr, len, prot, flags, NULL, offset, PROT_ALL);
	}
	f = fd_get(process_current()->fds, fd);
	if (!f)
		return -EBADF;
	if (flags & MAP_HUGETLB)
		at = -EINVAL;
	else if (len == 0)
		at = -EINVAL;
	else
		at = mmap_file(addr, len, prot, flags, f, offset);
	file_put(f);
	return at;
}

SYSCALL_DEFINE3(mprotect, uintptr_t, addr, size_t, len, int, prot)
{
	return vm_mprotect(space(), addr, len, prot);
}

SYSCALL_DEFINE2(munmap, uintptr_t, addr, size_t, len)
{
	return cputime_measured(len, vm_munmap(space(), addr, len));
}

SYSCALL_DEFINE1(brk, uintptr_t, addr)
{
	return vm_brk(space(), addr);
}

SYSCALL_DEFINE5(
	mremap, uintptr_t, old, size_t, old_len, size_t, new_len, int, flags, uintptr_t, new)
{
	return cputime_measured(old_len, vm_mremap(space(), old, old_len, new_len, flags, new));
}

SYSCALL_DEFINE3(msync, uintptr_t, addr, size_t, len, int, flags)
{
	return vm_msync(space(), addr, len, flags);
}

SYSCALL_DEFINE3(mincore, uintptr_t, addr, size_t, len, uint8_t *, vec)
{
	return vm_mincore(space(), addr, len, vec);
}

SYSCALL_DEFINE3(madvise, uintptr_t, addr, size_t, len, int, advice)
{
	return cputime_measured(len, vm_madvise(space(), addr, len, advice));
}

SYSCALL_DEFINE2(mlock, uintptr_t, addr, size_t, len)
{
	return cputime_measured(len, vm_mlock(space(), addr, len, true));
}

SYSCALL_DEFINE3(mlock2, uintptr_t, addr, size_t, len, int, flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	/* Nothing is ever paged out here: what a fault brings stays. */
	return flags ? 0 : vm_mlock(space(), addr, len, true);
}

SYSCALL_DEFINE2(munlock, uintptr_t, addr, size_t, len)
{
	return vm_mlock(space(), addr, len, false);
}

SYSCALL_DEFINE1(mlockall, int, flags)
{
	if (!(flags & (MCL_CURRENT | MCL_FUTURE)) ||
		(flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
		return -EINVAL;
	if (!(flags & MCL_ONFAULT))
		vm_mlock_all(space(), flags & MCL_CURRENT, flags & MCL_FUTURE);
	return 0;
}

SYSCALL_DEFINE0(munlockall)
{
	vm_mlock_all(space(), false, false);
	return 0;
}

/* Deprecated since Linux 3.16 and emulated there; no program of today makes it. */
SYSCALL_DEFINE5(
	remap_file_pages, uintptr_t, addr, size_t, size, int, prot, size_t, pgoff, int, flags)
{
	return -EINVAL;
}

/* ---- NUMA: one node, number 0 ---- */

#define MPOL_DEFAULT	    0
#define MPOL_LOCAL	    4
#define MPOL_MAX	    6
#define MPOL_MODE_FLAGS	    0xe000
#define MPOL_F_NODE	    1
#define MPOL_F_ADDR	    2
#define MPOL_F_MEMS_ALLOWED 4

/* The first word of a node mask of maxnode - 1 bits; other nodes do not exist. */
static int get_nodes(const uint64_t *mask, unsigned long maxnode, uint64_t *nodes)
{
	uint64_t word;

	*nodes = 0;
	if (!mask || maxnode <= 1)
		return 0;
	if (maxnode - 1 > PAGE_SIZE * 8)
		return -EINVAL;
	if (get_user(word, mask))
		return -EFAULT;
	if (maxnode - 1 < 64)
		word &= (1ull << (maxnode - 1)) - 1;
	*nodes = word;
	return 0;
}

static int check_policy(int mode, const uint64_t *mask, unsigned long maxnode)
{
	int policy = mode & ~MPOL_MODE_FLAGS, err;
	uint64_t nodes;

	if (policy < 0 || policy > MPOL_MAX)
		return -EINVAL;
	err = get_nodes(mask, maxnode, &nodes);
	if (err)
		return err;
	if (policy == MPOL_DEFAULT || policy == MPOL_LOCAL)
		return nodes ? -EINVAL : 0;
	if (nodes == 0)
		return policy == 1 ? 0 : -EINVAL; /* MPOL_PREFERRED of no node is local */
	return nodes & 1 ? 0 : -EINVAL;
}

SYSCALL_DEFINE6(mbind, uintptr_t, addr, size_t, len, int, mode, const uint64_t *, mask,
	unsigned long, maxnode, unsigned, flags)
{
	if (flags & ~7u || addr % PAGE_SIZE)
		return -EINVAL;
	return check_policy(mode, mask, maxnode);
}

SYSCALL_DEFINE3(set_mempolicy, int, mode, const uint64_t *, mask, unsigned long, maxnode)
{
	return check_policy(mode, mask, maxnode);
}

SYSCALL_DEFINE5(get_mempolicy, int *, mode, uint64_t *, mask, unsigned long, maxnode, uintptr_t,
	addr, unsigned long, flags)
{
	bool mems = flags & MPOL_F_MEMS_ALLOWED;
	size_t bytes = ALIGN_UP(maxnode ? maxnode - 1 : 0, 64) / 8;

	if (flags & ~7ul || (mems && (flags & (MPOL_F_NODE | MPOL_F_ADDR))))
		return -EINVAL;
	if (!(flags & MPOL_F_ADDR) && addr)
		return -EINVAL;
	if (mask && maxnode < 1)
		return -EINVAL;
	if (mode && put_user(0, mode)) /* MPOL_DEFAULT, or node 0 */
		return -EFAULT;
	if (mask && bytes) {
		if (clear_user(mask, MIN(bytes, PAGE_SIZE)))
			return -EFAULT;
		if (mems && put_user(1ul, mask))
			return -EFAULT;
	}
	return 0;
}

SYSCALL_DEFINE4(migrate_pages, int, pid, unsigned long, maxnode, const uint64_t *, from,
	const uint64_t *, to)
{
	return 0; /* all pages are on the only node: none could not be moved */
}

SYSCALL_DEFINE6(move_pages, int, pid, unsigned long, count, const uintptr_t *, pages, const int *,
	nodes, int *, status, int, flags)
{
	for (unsigned long i = 0; i < count; i++) {
		struct vm_area_info a;
		uintptr_t at;
		int node = 0;

		if (get_user(at, pages + i))
			return -EFAULT;
		if (nodes && get_user(node, nodes + i))
			return -EFAULT;
		if (node != 0)
			return -ENODEV;
		if (vm_area_next(space(), at, false, &a) || a.start > at)
			node = -EFAULT;
		if (put_user(node, status + i))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

SYSCALL_DEFINE4(set_mempolicy_home_node, uintptr_t, addr, size_t, len, unsigned long, node,
	unsigned long, flags)
{
	return addr % PAGE_SIZE || node || flags ? -EINVAL : 0;
}

/* ---- protection keys: the CPU may have them, we do not use them ---- */

SYSCALL_DEFINE4(pkey_mprotect, uintptr_t, addr, size_t, len, int, prot, int, pkey)
{
	return pkey == -1 ? vm_mprotect(space(), addr, len, prot) : -EINVAL;
}

SYSCALL_DEFINE2(pkey_alloc, unsigned long, flags, unsigned long, rights)
{
	return flags || rights & ~3ul ? -EINVAL : -ENOSPC;
}

SYSCALL_DEFINE1(pkey_free, int, pkey)
{
	return -EINVAL;
}

/* ---- Skiff's own ---- */

#define DIRTY_CLEAR 1u /* SKIFF_DIRTY_CLEAR of include/skiff.h */

SYSCALL_DEFINE4(dirty_scan, uintptr_t, start, size_t, len, uint64_t *, bits, unsigned, flags)
{
	if (flags & ~DIRTY_CLEAR)
		return -EINVAL;
	return vm_dirty_scan(space(), start, len, bits, flags & DIRTY_CLEAR);
}
