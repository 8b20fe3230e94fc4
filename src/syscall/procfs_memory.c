/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/<pid>/pagemap (and its ioctl) and clear_refs: the page table as the program may see it. */

#include "syscall/procfs.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/pagemap.h"
#include "cpu/uaccess.h"
#include "file/file.h"
#include "file/iter.h"
#include "fs/vnode.h"
#include "lib/string.h"
#include "process/process.h"
#include "sched/thread.h"
#include "vm/vm.h"

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

static int64_t pagemap_seek(struct file *f, int64_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	f->pos = offset;
	return offset;
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
	.seek = pagemap_seek,
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
