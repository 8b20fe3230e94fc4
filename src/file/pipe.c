/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes (pipe(7), fifo(7)): a ring of pages. Writes of up to PIPE_BUF bytes are atomic; longer ones
 * may be interleaved and may block in between.
 */
#include "file/pipe.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/stat.h"
#include "cpu/barrier.h"
#include "cpu/uaccess.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "sched/clock.h"

#define DEFAULT_SLOTS 16u
#define MAX_SLOTS     256u /* 1 MiB, /proc/sys/fs/pipe-max-size */

struct slot {
	struct page *page;
	uint32_t start, end; /* bytes in use, from the page's begin */
};

struct pipe {
	uint32_t refcount; /* atomic */
	struct mutex lock;
	/* guarded by lock */
	struct slot *slots;
	unsigned slot_count; /* a power of two */
	unsigned head, used; /* first slot with bytes, how many have some */
	size_t bytes;
	unsigned readers, writers;
	uint64_t reader_opens, writer_opens; /* ever, for FIFO opens that wait */
	struct page *spare;
	uint64_t inode;
	struct wait_queue read_wait, write_wait;
};

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

static struct slot *slot_at(struct pipe *p, unsigned n)
{
	return &p->slots[(p->head + n) & (p->slot_count - 1)];
}

static void drop_contents(struct pipe *p)
{
	for (unsigned n = 0; n < p->used; n++)
		page_put(slot_at(p, n)->page);
	p->used = 0;
	p->bytes = 0;
	if (p->spare)
		page_put(p->spare);
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

/* Bytes that fit now, lock held: whole free pages and the rest of the last one. */
static size_t room(struct pipe *p)
{
	size_t n = (size_t)(p->slot_count - p->used) * PAGE_SIZE;

	if (p->used)
		n += PAGE_SIZE - slot_at(p, p->used - 1)->end;
	return n;
}

static size_t take_bytes(struct pipe *p, struct iter *to)
{
	size_t done = 0;

	while (p->used && to->left) {
		struct slot *s = slot_at(p, 0);
		size_t want = MIN((size_t)(s->end - s->start), to->left);
		size_t n = iter_copy_to(to, (char *)page_to_virt(s->page) + s->start, want);

		s->start += n;
		p->bytes -= n;
		done += n;
		if (s->start == s->end) {
			if (p->spare)
				page_put(s->page);
			else
				p->spare = s->page;
			p->head++;
			p->used--;
		}
		if (n < want)
			break;
	}
	return done;
}

static struct slot *slot_to_fill(struct pipe *p)
{
	struct slot *s;

	if (p->used && slot_at(p, p->used - 1)->end < PAGE_SIZE)
		return slot_at(p, p->used - 1);
	if (p->used == p->slot_count)
		return NULL;
	s = slot_at(p, p->used);
	s->page = p->spare ? p->spare : page_alloc(0);
	p->spare = NULL;
	if (!s->page)
		return NULL;
	s->start = s->end = 0;
	p->used++;
	return s;
}

/* Puts in what fits; -ENOMEM or -EFAULT only if nothing did. */
static ssize_t put_bytes(struct pipe *p, struct iter *from)
{
	size_t done = 0;

	while (from->left) {
		struct slot *s = slot_to_fill(p);
		size_t want, n;

		if (!s)
			return done || p->used == p->slot_count ? (ssize_t)done : -ENOMEM;
		want = MIN(PAGE_SIZE - s->end, from->left);
		n = iter_copy_from(from, (char *)page_to_virt(s->page) + s->end, want);
		s->end += n;
		p->bytes += n;
		done += n;
		if (s->start == s->end) { /* a fault before the first byte */
			p->used--;
			p->spare = s->page;
		}
		if (n < want)
			return done ? (ssize_t)done : -EFAULT;
	}
	return done;
}

static ssize_t pipe_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct pipe *p = f->private;

	if (!to->left)
		return 0;
	for (;;) {
		size_t n = 0;
		bool ended, faulted;
		int err;

		mutex_lock(&p->lock);
		if (p->bytes)
			n = take_bytes(p, to);
		faulted = to->fault;
		ended = !p->writers;
		mutex_unlock(&p->lock);
		if (n) {
			wait_wake_all(&p->write_wait, POLLOUT | POLLWRNORM);
			return n;
		}
		if (faulted)
			return -EFAULT;
		if (ended)
			return 0;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(
			&p->read_wait, load_acquire(&p->bytes) || !load_acquire(&p->writers));
		if (err)
			return err;
	}
}

/* One try under the lock; *wanted is the room that would let it go on. */
static ssize_t try_write(struct pipe *p, struct iter *from, size_t total, size_t *wanted)
{
	ssize_t n;

	mutex_lock(&p->lock);
	*wanted = total <= PIPE_BUF ? from->left : 1;
	if (!p->readers)
		n = -EPIPE;
	else if (room(p) < *wanted)
		n = 0;
	else
		n = put_bytes(p, from);
	mutex_unlock(&p->lock);
	return n;
}

static bool has_room(struct pipe *p, size_t wanted)
{
	bool yes;

	mutex_lock(&p->lock);
	yes = !p->readers || room(p) >= wanted;
	mutex_unlock(&p->lock);
	return yes;
}

static ssize_t pipe_write(struct file *f, struct iter *from, int64_t *pos)
{
	struct pipe *p = f->private;
	size_t total = from->left, done = 0, wanted;

	if (!total)
		return 0;
	for (;;) {
		ssize_t n = try_write(p, from, total, &wanted);

		if (n < 0)
			return done ? (ssize_t)done : n;
		done += n;
		if (n)
			wait_wake_all(&p->read_wait, POLLIN | POLLRDNORM);
		if (!from->left || from->fault)
			return done;
		if (n)
			continue;
		if (f->flags & O_NONBLOCK)
			return done ? (ssize_t)done : -EAGAIN;
		n = wait_event_interruptible(&p->write_wait, has_room(p, wanted));
		if (n)
			return done ? (ssize_t)done : n;
	}
}

static uint32_t pipe_poll(struct file *f, struct poll_table *table)
{
	struct pipe *p = f->private;
	uint32_t events = 0;

	if (can_read(f))
		poll_wait(table, &p->read_wait);
	if (can_write(f))
		poll_wait(table, &p->write_wait);
	mutex_lock(&p->lock);
	if (can_read(f)) {
		if (p->bytes)
			events |= POLLIN | POLLRDNORM;
		if (!p->writers && (p->writer_opens || !can_write(f)))
			events |= POLLHUP;
	}
	if (can_write(f)) {
		if (p->used < p->slot_count)
			events |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			events |= POLLERR;
	}
	mutex_unlock(&p->lock);
	return events;
}

static long set_size(struct pipe *p, unsigned long bytes)
{
	unsigned count = 1;
	struct slot *slots;

	if (bytes > MAX_SLOTS * PAGE_SIZE)
		return bytes > INT32_MAX ? -EINVAL : -EPERM;
	while (count * PAGE_SIZE < bytes)
		count *= 2;
	slots = heap_alloc_zeroed(count * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	mutex_lock(&p->lock);
	if (p->used > count) {
		mutex_unlock(&p->lock);
		heap_free(slots);
		return -EBUSY;
	}
	for (unsigned n = 0; n < p->used; n++)
		slots[n] = *slot_at(p, n);
	heap_free(p->slots);
	p->slots = slots;
	p->slot_count = count;
	p->head = 0;
	mutex_unlock(&p->lock);
	wait_wake_all(&p->write_wait, POLLOUT | POLLWRNORM);
	return count * PAGE_SIZE;
}

static long pipe_fcntl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = f->private;

	if (cmd == F_GETPIPE_SZ)
		return p->slot_count * PAGE_SIZE;
	if (cmd == F_SETPIPE_SZ)
		return set_size(p, arg);
	return -EINVAL;
}

static long pipe_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = f->private;

	if (cmd == FIONREAD)
		return put_user((int)load_relaxed(&p->bytes), (int *)arg);
	return -ENOTTY;
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
	p->readers -= can_read(f);
	p->writers -= can_write(f);
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
	if (can_read(f)) {
		p->readers++;
		p->reader_opens++;
	}
	if (can_write(f)) {
		p->writers++;
		p->writer_opens++;
	}
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

/* Both locks held. Shares whole slots by copying their bytes: pages here have one owner. */
static ssize_t copy_slots(struct pipe *from, struct pipe *to, size_t n)
{
	size_t done = 0;

	for (unsigned i = 0; i < from->used && done < n; i++) {
		struct slot *s = slot_at(from, i);
		struct iter it;
		ssize_t put;

		iter_init_one(&it, (char *)page_to_virt(s->page) + s->start,
			MIN((size_t)(s->end - s->start), n - done), false);
		put = put_bytes(to, &it);
		if (put > 0)
			done += put;
		if (put <= 0 || it.left)
			break;
	}
	return done;
}

static ssize_t tee_now(struct file *from, struct file *to, size_t n)
{
	struct pipe *a = from->private, *b = to->private;
	struct pipe *first = a < b ? a : b, *second = a < b ? b : a;
	ssize_t done;

	if (a == b)
		return -EINVAL;
	mutex_lock(&first->lock);
	mutex_lock(&second->lock);
	if (!b->readers)
		done = -EPIPE;
	else if (!a->bytes)
		done = a->writers ? -EAGAIN : 0;
	else if (!room(b))
		done = -EAGAIN;
	else
		done = copy_slots(a, b, n);
	mutex_unlock(&second->lock);
	mutex_unlock(&first->lock);
	if (done > 0)
		wait_wake_all(&b->read_wait, POLLIN | POLLRDNORM);
	return done;
}

static bool has_bytes(struct pipe *p)
{
	return load_acquire(&p->bytes) || !load_acquire(&p->writers);
}

ssize_t pipe_tee_wait(struct file *from, struct file *to, size_t n, bool nonblock)
{
	struct pipe *a = from->private, *b = to->private;

	for (;;) {
		ssize_t done = tee_now(from, to, n);

		if (done != -EAGAIN || nonblock)
			return done;
		done = wait_event_interruptible(&a->read_wait, has_bytes(a));
		if (!done)
			done = wait_event_interruptible(&b->write_wait, has_room(b, 1));
		if (done)
			return done;
	}
}
