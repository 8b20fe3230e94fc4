/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's memory: its areas (maps, smaps), and its page table (pagemap, clear_refs). */

#include "syscall/procfs.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/pagemap.h"
#include "cpu/uaccess.h"
#include "file/file.h"
#include "file/iter.h"
#include "fs/vnode.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "process/process.h"
#include "sched/thread.h"
#include "vm/vm.h"

/* --- areas --- */

static size_t print_area(char *line, size_t size, const struct vm_area_info *a)
{
	int n = format(line, size, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", a->start, a->end,
		a->prot & 1 ? 'r' : '-', a->prot & 2 ? 'w' : '-', a->prot & 4 ? 'x' : '-',
		a->flags & 1 ? 's' : 'p', a->offset, DEV_MAJOR(a->device), DEV_MINOR(a->device),
		a->inode);

	while (a->name[0] && n < 73)
		line[n++] = ' ';
	n += format(line + n, size - n, "%s\n", a->name);
	return (size_t)n;
}

static int show_areas(struct text *t, struct process *p, bool details)
{
	struct vm_area_info *a = heap_alloc(sizeof(*a));
	char *line = heap_alloc(512);
	uintptr_t at = 0;

	if (!a || !line) {
		heap_free(a);
		heap_free(line);
		return -ENOMEM;
	}
	while (vm_area_next(p->vm, at, details, a) == 0) {
		bool anonymous = !a->inode;

		text_write(t, line, print_area(line, 512, a));
		if (details) {
			uint64_t kb = a->resident * 4;

			text_printf(t,
				"Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
				"Rss:            %8lu kB\nPss:            %8lu kB\nShared_Clean:          0 kB\n"
				"Shared_Dirty:          0 kB\nPrivate_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n",
				(a->end - a->start) / 1024, kb, kb, anonymous ? 0 : kb,
				anonymous ? kb : 0);
			text_printf(t,
				"Referenced:     %8lu kB\nAnonymous:      %8lu kB\nLazyFree:              0 kB\n"
				"AnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
				"Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\nSwap:                  0 kB\n"
				"SwapPss:               0 kB\nLocked:                0 kB\nTHPeligible:    %8u\n"
				"VmFlags:%s%s%s mr mw me\n",
				kb, anonymous ? kb : 0, anonymous, a->prot & 1 ? " rd" : "",
				a->prot & 2 ? " wr" : "", a->prot & 4 ? " ex" : "");
		}
		at = a->end;
	}
	heap_free(a);
	heap_free(line);
	return 0;
}

int procfs_show_maps(struct text *t, struct process *p, struct task *task)
{
	return show_areas(t, p, false);
}

int procfs_show_smaps(struct text *t, struct process *p, struct task *task)
{
	return show_areas(t, p, true);
}

int procfs_show_smaps_rollup(struct text *t, struct process *p, struct task *task)
{
	struct vm_stats vm;

	vm_stats(p->vm, &vm);
	text_printf(t,
		"%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n"
		"Rss:            %8lu kB\nPss:            %8lu kB\nShared_Clean:   %8lu kB\n"
		"Shared_Dirty:          0 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:  %8lu kB\n"
		"Referenced:     %8lu kB\nAnonymous:      %8lu kB\nSwap:                  0 kB\n"
		"SwapPss:               0 kB\nLocked:                0 kB\n",
		p->code_start, p->stack_start, vm.resident * 4, vm.resident * 4, vm.shared * 4,
		(vm.resident - vm.shared) * 4, vm.resident * 4, (vm.resident - vm.shared) * 4);
	return 0;
}

/* --- the page table --- */

#define CHUNK 64u /* entries at a time */

/* One 64-bit word for each page of the program's half, at page number * 8. */
static ssize_t pagemap_read(struct file *f, struct iter *to, int64_t *pos)
{
	uint64_t words[CHUNK];
	ssize_t done = 0;

	if (*pos < 0 || *pos % 8 || to->left % 8)
		return -EINVAL;
	while (to->left && !to->fault && *pos < (int64_t)(USER_MAX / PAGE_SIZE * 8)) {
		uint64_t first = (uint64_t)*pos / 8, left = USER_MAX / PAGE_SIZE - first;
		unsigned n = MIN(MIN((uint64_t)CHUNK, to->left / 8), left);
		size_t copied;

		vm_pagemap(f->private, first * PAGE_SIZE, words, n);
		copied = iter_copy_to(to, words, n * 8);
		*pos += copied;
		done += copied;
		if (copied < n * 8)
			break;
		cond_resched();
	}
	return done == 0 && to->fault ? -EFAULT : done;
}

/* Checks in Linux's order. 0 or the error. */
static int scan_decode(struct pm_scan_arg *a)
{
	uint64_t categories =
		a->category_inverted | a->category_mask | a->category_anyof_mask | a->return_mask;

	if (a->size != sizeof(*a) || (a->flags & ~(PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC)) ||
		(categories & ~PAGE_CATEGORIES) || !IS_ALIGNED(a->start, PAGE_SIZE))
		return -EINVAL;
	if (!user_range_ok((void *)a->start, a->end - a->start))
		return -EFAULT;
	if (!a->vec && a->vec_len)
		return -EINVAL;
	if (a->vec &&
		(a->vec_len > USER_MAX / sizeof(struct page_region) ||
			!user_range_ok((void *)a->vec, a->vec_len * sizeof(struct page_region))))
		return -EFAULT;
	a->end = ALIGN_UP(a->end, PAGE_SIZE);
	return 0;
}

static long pagemap_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pm_scan_arg a, *user = (void *)arg;
	long n;

	if (cmd != PAGEMAP_SCAN)
		return -EINVAL; /* not ENOTTY: Linux knows this file has an ioctl */
	if (copy_from_user(&a, user, sizeof(a)))
		return -EFAULT;
	n = scan_decode(&a);
	if (n)
		return n;
	n = vm_pagemap_scan(f->private, &a);
	return put_user(a.walk_end, &user->walk_end) ? -EFAULT : n;
}

static void pagemap_release(struct file *f)
{
	vm_space_put(f->private);
	file_detach(f);
}

static const struct file_ops pagemap_ops = {
	.read = pagemap_read,
	.seek = fs_seek_no_end,
	.ioctl = pagemap_ioctl,
	.stat = file_stat_vnode,
	.release = pagemap_release,
};

struct file *procfs_open_pagemap(uint32_t pid, uint32_t flags)
{
	struct process *p = process_find(pid);
	struct vm_space *s;
	struct file *f;

	if (!p)
		return ERR_PTR(-ESRCH);
	s = p->vm;
	vm_space_get(s);
	process_put(p);
	f = file_create(&pagemap_ops, s, flags);
	if (!f)
		vm_space_put(s);
	return f;
}

ssize_t procfs_clear_refs(uint32_t pid, const char *data, size_t n)
{
	struct process *p;
	uint64_t what;
	int err;

	if (n == 0 || data[0] < '1' || data[0] > '5' || (n > 1 && data[1] != '\n'))
		return -EINVAL;
	what = data[0] - '0';
	p = process_find(pid);
	if (!p)
		return -ESRCH;
	err = vm_clear_refs(p->vm, what);
	process_put(p);
	return err ? err : (ssize_t)n;
}
