/* SPDX-License-Identifier: BSD-2-Clause */
/* pidfd_open(2): a descriptor that stands for a process and becomes readable when it has ended. */

#include "process/impl.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/format.h"

static uint32_t pidfd_poll(struct file *f, struct poll_table *table)
{
	struct process *p = f->private;

	poll_wait(table, &p->exit_wait);
	return load_acquire(&p->task_count) ? 0 : POLLIN | POLLRDNORM;
}

static void pidfd_release(struct file *f)
{
	process_put(f->private);
}

static void pidfd_describe(struct file *f, char *buf, size_t size)
{
	const struct process *p = f->private;

	format(buf, size, "Pid:\t%u\nNSpid:\t%u\n", p->pid, p->pid);
}

static const struct file_ops pidfd_ops = {
	.kind = "anon_inode:[pidfd]",
	.poll = pidfd_poll,
	.release = pidfd_release,
	.describe = pidfd_describe,
};

struct file *pidfd_create(struct process *p, uint32_t flags)
{
	struct file *f = file_create(&pidfd_ops, p, O_RDWR | flags);

	if (!f)
		return ERR_PTR(-ENOMEM);
	atomic_add(&p->refcount, 1);
	return f;
}

struct process *pidfd_process(struct file *f)
{
	return f->ops == &pidfd_ops ? f->private : NULL;
}
