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
#include "sched/cputime.h"

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
	if (!list_empty(&f->epoll_items)) /* nobody else is at it any more (epoll.c, E2) */
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

/* What read(2) says of a file that may not be read, or cannot. */
static ssize_t check_read(const struct file *f)
{
	if (unlikely(!file_readable(f)))
		return -EBADF;
	return likely(f->ops->read) ? 0 : -EINVAL;
}

static ssize_t check_write(const struct file *f)
{
	if (unlikely(!file_writable(f)))
		return -EBADF;
	return likely(f->ops->write) ? 0 : -EINVAL;
}

/*
 * One call at a time uses the position, unless it means nothing. Who has the only reference is
 * alone: others would need one of their own to come here, and there is none that they could copy.
 */
static bool shares_position(const struct file *f)
{
	return f->ops->seek && !f->ops->no_position && load_relaxed(&f->refcount) != 1;
}

ssize_t file_read(struct file *f, struct iter *to)
{
	ssize_t n = check_read(f);

	if (unlikely(n))
		return n;
	iter_truncate(to, MAX_RW);
	if (likely(!shares_position(f)))
		return cputime_measured(to->left, f->ops->read(f, to, &f->pos));
	mutex_lock(&f->pos_lock);
	n = cputime_measured(to->left, f->ops->read(f, to, &f->pos));
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_write(struct file *f, struct iter *from)
{
	ssize_t n = check_write(f);

	if (unlikely(n))
		return n;
	iter_truncate(from, MAX_RW);
	if (likely(!shares_position(f)))
		return cputime_measured(from->left, f->ops->write(f, from, &f->pos));
	mutex_lock(&f->pos_lock);
	n = cputime_measured(from->left, f->ops->write(f, from, &f->pos));
	mutex_unlock(&f->pos_lock);
	return n;
}

static ssize_t check_position(const struct file *f, int64_t pos)
{
	if (unlikely(pos < 0))
		return -EINVAL;
	return likely(f->ops->seek) ? 0 : -ESPIPE;
}

ssize_t file_pread(struct file *f, struct iter *to, int64_t pos)
{
	ssize_t err = check_position(f, pos);

	if (likely(!err))
		err = check_read(f);
	if (unlikely(err))
		return err;
	iter_truncate(to, MAX_RW);
	return cputime_measured(to->left, f->ops->read(f, to, &pos));
}

ssize_t file_pwrite(struct file *f, struct iter *from, int64_t pos)
{
	ssize_t err = check_position(f, pos);

	if (likely(!err))
		err = check_write(f);
	if (unlikely(err))
		return err;
	iter_truncate(from, MAX_RW);
	return cputime_measured(from->left, f->ops->write(f, from, &pos));
}
