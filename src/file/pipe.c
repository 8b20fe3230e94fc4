/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes (pipe(7), fifo(7)): a ring of pages. Writes of up to PIPE_BUF bytes are atomic; longer ones
 * may be interleaved and may block in between.
 *
 * Programs see how bytes lie in pages: by how many of them fill a pipe, by O_DIRECT. So this is as
 * on Linux: what a write has beyond whole pages goes to the last page if it fits there as it is;
 * the rest takes pages of its own.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/stat.h"
#include "cpu/barrier.h"
#include "cpu/uaccess.h"
#include "file/pipe_impl.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "sched/clock.h"

#define DEFAULT_SLOTS 16u
#define MAX_SLOTS     256u /* 1 MiB, /proc/sys/fs/pipe-max-size */

void (*pipe_sigpipe)(void);
static uint64_t next_inode = 1000; /* atomic */
static const struct file_ops pipe_ops;

struct pipe *pipe_object_create(void)
{
	struct pipe *p = heap_alloc_zeroed(sizeof(*p));

	if (!p)
		return NULL;
	p->slots = heap_alloc_zeroed(DEFAULT_SLOTS * sizeof(struct slot));
	if (!p->slots) {
		heap_free(p);
		return NULL;
	}
	p->refcount = 1;
	p->slot_count = DEFAULT_SLOTS;
	p->inode = atomic_add(&next_inode, 1);
	mutex_init(&p->lock, "pipe.lock");
	wait_init(&p->read_wait);
	wait_init(&p->write_wait);
	return p;
}

void pipe_object_get(struct pipe *p)
{
	atomic_add(&p->refcount, 1);
}

static void drop_contents(struct pipe *p)
{
	for (unsigned n = 0; n < p->used; n++)
		drop_slot(slot_at(p, n));
	set_used(p, 0);
	if (p->spare)
		page_put(virt_to_page(p->spare));
	p->spare = NULL;
}

void pipe_object_put(struct pipe *p)
{
	if (atomic_sub(&p->refcount, 1) != 1)
		return;
	drop_contents(p);
	heap_free(p->slots);
	heap_free(p);
}

bool file_is_pipe(const struct file *f)
{
	return f->ops->read == pipe_ops.read; /* a FIFO has a table of its own */
}

static bool can_read(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool can_write(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

/* Lock held. One more or one less open end, all that was done by it comes before. */
static void add_end(unsigned *ends, int n)
{
	store_release(ends, *ends + n);
}

/* Lock held. The page is to be used again, or goes. */
static void keep_spare(struct pipe *p, struct slot *s)
{
	if (p->spare || s->ops || load_acquire(&virt_to_page(s->page)->refcount) != 1)
		drop_slot(s);
	else
		p->spare = s->page;
}

/* Lock held. Bytes; 0 at end of file; -EAGAIN: there is nothing; -EFAULT: what faulted stays. */
static ssize_t take_bytes(struct pipe *p, struct iter *to)
{
	size_t done = 0;

	if (unlikely(!p->used || p->passing))
		return p->writers || p->passing ? -EAGAIN : 0;
	do {
		struct slot *s = slot_at(p, 0);
		size_t n = MIN((size_t)(s->end - s->start), to->left);

		if (unlikely(iter_copy_to(to, s->page + s->start, n) != n))
			return done ? (ssize_t)done : -EFAULT;
		s->start += n;
		done += n;
		if (s->start != s->end && !s->packet)
			break;
		keep_spare(p, s);
		p->head++;
		set_used(p, p->used - 1);
		if (s->packet)
			break;
	} while (to->left && p->used);
	return done;
}

static ssize_t read_now(struct pipe *p, struct iter *to)
{
	bool was_full;
	ssize_t n;

	mutex_lock(&p->lock);
	was_full = is_full(p);
	n = take_bytes(p, to);
	mutex_unlock(&p->lock);
	if (unlikely(was_full) && !is_full(p))
		wait_wake_all(&p->write_wait, POLLOUT | POLLWRNORM);
	return n;
}

/* There was nothing yet. */
static __noinline ssize_t read_later(struct file *f, struct iter *to)
{
	struct pipe *p = f->private;
	ssize_t n;

	do {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		n = wait_event_interruptible(&p->read_wait, is_readable(p));
		if (!n)
			n = read_now(p, to);
	} while (n == -EAGAIN);
	return n;
}

static ssize_t pipe_read(struct file *f, struct iter *to, int64_t *pos)
{
	ssize_t n;

	if (unlikely(!to->left))
		return 0;
	n = read_now(f->private, to);
	return likely(n != -EAGAIN) ? n : read_later(f, to);
}

/* Lock held, a slot is free. What fits into a page; -ENOMEM, -EFAULT: then nothing is put in. */
static ssize_t fill_slot(struct pipe *p, struct iter *from, bool packet)
{
	size_t n = MIN((size_t)PAGE_SIZE, from->left);
	char *page = p->spare;

	p->spare = NULL;
	if (unlikely(!page)) {
		struct page *new = page_alloc(0);

		if (!new)
			return -ENOMEM;
		page = page_to_virt(new);
	}
	if (unlikely(iter_copy_from(from, page, n) != n)) {
		p->spare = page;
		return -EFAULT;
	}
	*slot_at(p, p->used) = (struct slot){ page, 0, n, packet, packet, NULL, NULL };
	set_used(p, p->used + 1);
	return n;
}

/* Lock held. To the last page, if what a write has beyond whole pages fits there. */
static ssize_t join_last_page(struct pipe *p, struct iter *from)
{
	struct slot *s = slot_at(p, p->used - 1);
	size_t n = from->left % PAGE_SIZE;

	if (!n || s->closed || s->end + n > PAGE_SIZE)
		return 0;
	if (unlikely(iter_copy_from(from, s->page + s->end, n) != n))
		return -EFAULT;
	s->end += n;
	return n;
}

/* Lock held. What fits; -EPIPE, -EFAULT and -ENOMEM only if nothing was put in. */
static ssize_t put_bytes(struct pipe *p, struct iter *from, bool join, bool packet)
{
	ssize_t n = 0;
	size_t done;

	if (unlikely(!p->readers))
		return -EPIPE;
	if (join && p->used)
		n = join_last_page(p, from);
	if (unlikely(n < 0))
		return n;
	done = n;
	while (from->left && !is_full(p)) {
		n = fill_slot(p, from, packet);
		if (unlikely(n < 0))
			return done ? (ssize_t)done : n;
		done += n;
	}
	return done;
}

static ssize_t write_now(struct file *f, struct iter *from, bool join)
{
	struct pipe *p = f->private;
	ssize_t n;

	mutex_lock(&p->lock);
	n = put_bytes(p, from, join, f->flags & O_DIRECT);
	mutex_unlock(&p->lock);
	if (likely(n > 0))
		wait_wake_all(&p->read_wait, POLLIN | POLLRDNORM);
	else if (n == -EPIPE)
		pipe_sigpipe();
	return n;
}

/* The pipe is full, 'done' bytes are in. */
static __noinline ssize_t write_later(struct file *f, struct iter *from, size_t done)
{
	struct pipe *p = f->private;
	ssize_t n;

	while (from->left && !from->fault) {
		if (f->flags & O_NONBLOCK)
			return done ? (ssize_t)done : -EAGAIN;
		n = wait_event_interruptible(
			&p->write_wait, !is_full(p) || !load_acquire(&p->readers));
		if (!n)
			n = write_now(f, from, false);
		if (n < 0)
			return done ? (ssize_t)done : n;
		done += n;
	}
	return done;
}

static ssize_t pipe_write(struct file *f, struct iter *from, int64_t *pos)
{
	ssize_t n;

	if (unlikely(!from->left))
		return 0;
	n = write_now(f, from, true);
	return likely(!from->left || n < 0) ? n : write_later(f, from, n);
}

/*
 * Without the lock, so in this order: when the writers of whom it is known that they came are seen
 * to be gone (and not just about to be counted), all that they wrote can be seen. Writers who were
 * gone before this end was opened are nobody's hangup.
 */
static uint32_t pipe_poll(struct file *f, struct poll_table *table)
{
	struct pipe *p = f->private;
	uint32_t events = 0;

	if (can_read(f)) {
		poll_wait(table, &p->read_wait);
		if (load_acquire(&p->writer_opens) != (uint64_t)f->pos &&
			!load_acquire(&p->writers))
			events |= POLLHUP;
		if (load_acquire(&p->used))
			events |= POLLIN | POLLRDNORM;
	}
	if (can_write(f)) {
		poll_wait(table, &p->write_wait);
		if (!is_full(p))
			events |= POLLOUT | POLLWRNORM;
		if (!load_acquire(&p->readers))
			events |= POLLERR;
	}
	return events;
}

static long set_size(struct pipe *p, uint32_t bytes)
{
	unsigned count = 1;
	struct slot *slots, *old;

	if (bytes > 1u << 31)
		return -EINVAL;
	while (count * PAGE_SIZE < bytes)
		count *= 2;
	if (count > MAX_SLOTS && count > load_relaxed(&p->slot_count))
		return -EPERM;
	slots = heap_alloc_zeroed(count * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	mutex_lock(&p->lock);
	if (p->used + p->passing > count) {
		mutex_unlock(&p->lock);
		heap_free(slots);
		return -EBUSY;
	}
	for (unsigned n = 0; n < p->used; n++)
		slots[n] = *slot_at(p, n);
	old = p->slots;
	p->slots = slots;
	store_release(&p->slot_count, count);
	p->head = 0;
	mutex_unlock(&p->lock);
	heap_free(old);
	wait_wake_all(&p->write_wait, POLLOUT | POLLWRNORM);
	return count * PAGE_SIZE;
}

static long pipe_fcntl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = f->private;

	if (cmd == F_GETPIPE_SZ)
		return load_relaxed(&p->slot_count) * PAGE_SIZE;
	if (cmd == F_SETPIPE_SZ)
		return set_size(p, arg);
	return -EINVAL;
}

static long pipe_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = f->private;

	int bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (unsigned n = 0; n < p->used; n++)
		bytes += slot_at(p, n)->end - slot_at(p, n)->start;
	mutex_unlock(&p->lock);
	return put_user(bytes, (int *)arg);
}

static int pipe_stat(struct file *f, struct stat *st)
{
	struct pipe *p = f->private;
	uint64_t now = clock_realtime();

	memset(st, 0, sizeof(*st));
	st->st_dev = 0xc;
	st->st_ino = p->inode;
	st->st_mode = S_IFIFO | 0600;
	st->st_nlink = 1;
	st->st_blksize = PAGE_SIZE;
	st->st_atim.tv_sec = st->st_mtim.tv_sec = st->st_ctim.tv_sec = now / NSEC_PER_SEC;
	return 0;
}

static void pipe_describe(struct file *f, char *buf, size_t size)
{
	struct pipe *p = f->private;

	format(buf, size, "pipe:[%lu]", p->inode);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->private;

	mutex_lock(&p->lock);
	add_end(&p->readers, -can_read(f));
	add_end(&p->writers, -can_write(f));
	if (!p->readers && !p->writers)
		drop_contents(p);
	mutex_unlock(&p->lock);
	wait_wake_all(&p->read_wait, POLLHUP | POLLIN);
	wait_wake_all(&p->write_wait, POLLERR | POLLOUT);
	pipe_object_put(p);
}

static const struct file_ops pipe_ops = {
	.kind = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.write_pieces = pipe_write_pieces,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.fcntl = pipe_fcntl,
	.stat = pipe_stat,
	.describe = pipe_describe,
	.release = pipe_release,
};

/* How the other side stood at the moment at which an end was opened. */
struct peers {
	bool readers, writers;
	uint64_t reader_opens, writer_opens;
};

/* An end of p with a reference of its own. */
static struct file *open_end(struct pipe *p, uint32_t flags, struct peers *peers)
{
	struct file *f = file_create(&pipe_ops, p, flags);

	if (!f)
		return NULL;
	pipe_object_get(p);
	mutex_lock(&p->lock);
	*peers = (struct peers){ p->readers, p->writers, p->reader_opens, p->writer_opens };
	f->pos = p->writers ? 0 : (int64_t)p->writer_opens; /* for pipe_poll */
	add_end(&p->readers, can_read(f));
	add_end(&p->writers, can_write(f));
	/* Last: who sees it sees the end too, until that is closed. */
	store_release(&p->reader_opens, p->reader_opens + can_read(f));
	store_release(&p->writer_opens, p->writer_opens + can_write(f));
	mutex_unlock(&p->lock);
	wait_wake_all(&p->read_wait, 0);
	wait_wake_all(&p->write_wait, 0);
	return f;
}

int pipe_create(struct file *ends[2], uint32_t flags)
{
	struct pipe *p = pipe_object_create();
	struct peers unused;

	if (!p)
		return -ENOMEM;
	flags &= O_NONBLOCK | O_DIRECT;
	ends[0] = open_end(p, O_RDONLY | flags, &unused);
	ends[1] = ends[0] ? open_end(p, O_WRONLY | flags, &unused) : NULL;
	pipe_object_put(p);
	if (ends[1])
		return 0;
	if (ends[0])
		file_put(ends[0]);
	return -ENOMEM;
}

struct file *pipe_object_open(struct pipe *p, uint32_t flags)
{
	uint32_t mode = flags & O_ACCMODE;
	struct peers peers;
	struct file *f;
	int err = 0;

	if (mode == O_WRONLY && flags & O_NONBLOCK && !load_acquire(&p->readers))
		return ERR_PTR(-ENXIO);
	f = open_end(p, flags, &peers);
	if (!f)
		return ERR_PTR(-ENOMEM);
	if (flags & O_NONBLOCK || mode == O_RDWR)
		return f;
	/* The peer may come and go while we wait, and one that was there when we came may be gone
	 * by now, because our coming let it go on: its having been there is enough. */
	if (mode == O_RDONLY && !peers.writers)
		err = wait_event_interruptible(
			&p->read_wait, load_acquire(&p->writer_opens) != peers.writer_opens);
	else if (mode == O_WRONLY && !peers.readers)
		err = wait_event_interruptible(
			&p->write_wait, load_acquire(&p->reader_opens) != peers.reader_opens);
	if (!err)
		return f;
	file_put(f);
	return ERR_PTR(err);
}
