/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open files. The memory of a struct file is only ever reused for another struct file (a per-CPU
 * free list, never given back): a reader of a descriptor table may therefore touch the reference
 * count of a file that is just being closed, see fd_get in fdtable.c.
 */
#include "file/file.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/percpu.h"
#include "file/impl.h"
#include "file/lock.h"
#include "lib/bug.h"
#include "mem/heap.h"

#define MAX_RW 0x7ffff000ul /* what Linux transfers at most in one call */

struct free_files {
	struct file *first; /* linked by 'private'; of this CPU, thread context only */
};
static DEFINE_PERCPU(struct free_files, free_files);

static struct file *take_memory(void)
{
	struct free_files *pool = this_cpu(free_files);
	struct file *f = pool->first;

	if (!f)
		return heap_alloc_zeroed(sizeof(*f));
	pool->first = f->private;
	return f;
}

struct file *file_create(const struct file_ops *ops, void *private, uint32_t flags)
{
	struct file *f = take_memory();

	if (!f)
		return NULL;
	f->flags = flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	f->ops = ops;
	f->private = private;
	f->vnode = NULL;
	f->path = NULL;
	f->pos = 0;
	f->has_locks = false;
	f->owner_pid = f->owner_signal = 0;
	mutex_init(&f->pos_lock, "file.pos_lock");
	mutex_init(&f->epoll_lock, "file.epoll_lock");
	list_init(&f->epoll_items);
	__atomic_store_n(&f->refcount, 1, __ATOMIC_RELEASE); /* pairs with fd_get's acquire */
	return f;
}

void file_get(struct file *f)
{
	BUG_ON(__atomic_fetch_add(&f->refcount, 1, __ATOMIC_RELAXED) == 0);
}

void file_put(struct file *f)
{
	struct free_files *pool;

	if (__atomic_fetch_sub(&f->refcount, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	epoll_forget_file(f);
	if (f->has_locks) {
		lock_release_owner(f, true, f);
		lock_release_owner(f, false, f);
	}
	if (f->ops->release)
		f->ops->release(f);
	pool = this_cpu(free_files);
	f->private = pool->first;
	pool->first = f;
}

static ssize_t check_access(const struct file *f, bool write)
{
	uint32_t mode = f->flags & O_ACCMODE;

	if (f->flags & O_PATH)
		return -EBADF;
	if (write)
		return mode == O_RDONLY ? -EBADF : 0;
	return mode == O_WRONLY ? -EBADF : 0;
}

static ssize_t transfer(struct file *f, struct iter *it, int64_t *pos, bool write)
{
	ssize_t (*op)(struct file *, struct iter *, int64_t *) =
		write ? f->ops->write : f->ops->read;

	if (!op)
		return -EINVAL;
	if (it->left > MAX_RW)
		it->left = MAX_RW;
	return op(f, it, pos);
}

static ssize_t at_file_position(struct file *f, struct iter *it, bool write)
{
	ssize_t n = check_access(f, write);

	if (n)
		return n;
	if (!f->ops->seek)
		return transfer(f, it, &f->pos, write);
	mutex_lock(&f->pos_lock);
	n = transfer(f, it, &f->pos, write);
	mutex_unlock(&f->pos_lock);
	return n;
}

static ssize_t at_position(struct file *f, struct iter *it, int64_t pos, bool write)
{
	ssize_t err;

	if (pos < 0)
		return -EINVAL;
	if (!f->ops->seek)
		return -ESPIPE;
	err = check_access(f, write);
	return err ? err : transfer(f, it, &pos, write);
}

ssize_t file_read(struct file *f, struct iter *to)
{
	return at_file_position(f, to, false);
}

ssize_t file_write(struct file *f, struct iter *from)
{
	return at_file_position(f, from, true);
}

ssize_t file_pread(struct file *f, struct iter *to, int64_t pos)
{
	return at_position(f, to, pos, false);
}

ssize_t file_pwrite(struct file *f, struct iter *from, int64_t pos)
{
	return at_position(f, from, pos, true);
}
