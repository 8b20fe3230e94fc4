/* SPDX-License-Identifier: BSD-2-Clause */
/* eventfd(2): a counter that is read and added to. */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/barrier.h"
#include "file/anon.h"
#include "file/file.h"
#include "lib/string.h"
#include "mem/heap.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	uint64_t count; /* atomic */
	bool semaphore; /* fixed */
	struct wait_queue wait;
};

/* What is there, or one of it; 0: nothing. */
static uint64_t take(struct eventfd *e)
{
	uint64_t count = load_relaxed(&e->count), value;

	do {
		if (!count)
			return 0;
		value = e->semaphore ? 1 : count;
	} while (unlikely(!atomic_cas(&e->count, &count, count - value)));
	return value;
}

static bool add(struct eventfd *e, uint64_t value)
{
	uint64_t count = load_relaxed(&e->count);

	do
		if (value > COUNT_MAX - count)
			return false;
	while (unlikely(!atomic_cas(&e->count, &count, count + value)));
	return true;
}

static __noinline int wait_to_take(struct file *f, uint64_t *value)
{
	struct eventfd *e = f->private;

	do {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, load_acquire(&e->count));
		if (err)
			return err;
		*value = take(e);
	} while (!*value);
	return 0;
}

static ssize_t eventfd_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct eventfd *e = f->private;
	uint64_t value;
	int err;

	if (to->left < sizeof(value))
		return -EINVAL;
	value = take(e);
	if (unlikely(!value)) {
		err = wait_to_take(f, &value);
		if (err)
			return err;
	}
	wait_wake_all(&e->wait, POLLOUT | POLLWRNORM);
	return iter_copy_to(to, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value)
									: -EFAULT;
}

static __noinline int wait_to_add(struct file *f, uint64_t value)
{
	struct eventfd *e = f->private;

	do {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(
			&e->wait, value <= COUNT_MAX - load_acquire(&e->count));
		if (err)
			return err;
	} while (!add(e, value));
	return 0;
}

static ssize_t eventfd_write(struct file *f, struct iter *from, int64_t *pos)
{
	struct eventfd *e = f->private;
	uint64_t value;

	if (from->left < sizeof(value))
		return -EINVAL;
	if (iter_copy_from(from, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	if (unlikely(!add(e, value))) {
		int err = wait_to_add(f, value);

		if (err)
			return err;
	}
	wait_wake_all(&e->wait, POLLIN | POLLRDNORM);
	return sizeof(value);
}

static uint32_t eventfd_poll(struct file *f, struct poll_table *table)
{
	struct eventfd *e = f->private;
	uint64_t count;

	poll_wait(table, &e->wait);
	count = load_acquire(&e->count);
	return (count ? POLLIN | POLLRDNORM : 0) | (count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	heap_free(f->private);
}

static const struct file_ops eventfd_ops = {
	.kind = "anon_inode:[eventfd]",
	.no_position = true,
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.stat = anon_file_stat,
	.release = eventfd_release,
};

struct file *eventfd_create(uint32_t initial, bool semaphore, uint32_t flags)
{
	struct eventfd *e = heap_alloc_zeroed(sizeof(*e));
	struct file *f;

	if (!e)
		return ERR_PTR(-ENOMEM);
	e->count = initial;
	e->semaphore = semaphore;
	wait_init(&e->wait);
	f = file_create(&eventfd_ops, e, O_RDWR | (flags & O_NONBLOCK));
	if (f)
		return f;
	heap_free(e);
	return ERR_PTR(-ENOMEM);
}
