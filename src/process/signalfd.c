/* SPDX-License-Identifier: BSD-2-Clause */
/* signalfd(2): signals as bytes. What is read is what the reading task could take at that moment.
 */

#include "process/impl.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"

static uint64_t mask_of(const struct file *f)
{
	return load_relaxed((const uint64_t *)f->private);
}

static void to_signalfd(const siginfo_t *i, struct signalfd_siginfo *s)
{
	memset(s, 0, sizeof(*s));
	s->ssi_signo = i->si_signo;
	s->ssi_errno = i->si_errno;
	s->ssi_code = i->si_code;
	if (i->si_code == SI_TIMER) {
		s->ssi_tid = i->si_timerid;
		s->ssi_overrun = i->si_overrun;
		s->ssi_int = i->si_timer_value.sival_int;
		s->ssi_ptr = (uint64_t)i->si_timer_value.sival_ptr;
		return;
	}
	if (i->si_code > 0 && i->si_code != SI_KERNEL &&
		(i->si_signo == SIGSEGV || i->si_signo == SIGBUS || i->si_signo == SIGILL ||
			i->si_signo == SIGFPE || i->si_signo == SIGTRAP)) {
		s->ssi_addr = (uint64_t)i->si_addr;
		s->ssi_addr_lsb = i->si_addr_lsb;
		return;
	}
	s->ssi_pid = i->si_pid;
	s->ssi_uid = i->si_uid;
	s->ssi_int = i->si_value.sival_int;
	s->ssi_ptr = (uint64_t)i->si_value.sival_ptr;
}

static ssize_t signalfd_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct process *p = process_current();
	struct signalfd_siginfo out;
	siginfo_t info;
	ssize_t done = 0;

	if (to->left < sizeof(out))
		return -EINVAL;
	while (to->left >= sizeof(out)) {
		int sig = signal_take(mask_of(f), &info);

		if (!sig && done)
			break;
		if (!sig && (f->flags & O_NONBLOCK))
			return -EAGAIN;
		if (!sig) {
			int err = wait_event_interruptible(
				&p->signal_wait, (sig = signal_take(mask_of(f), &info)) != 0);

			if (!sig)
				return err;
		}
		to_signalfd(&info, &out);
		if (iter_copy_to(to, &out, sizeof(out)) < sizeof(out))
			return done ? done : -EFAULT;
		done += sizeof(out);
	}
	return done;
}

static uint32_t signalfd_poll(struct file *f, struct poll_table *table)
{
	struct task *t = task_current();
	struct process *p = t->process;
	uint64_t pending;

	poll_wait(table, &p->signal_wait);
	mutex_lock(&p->signal_lock);
	pending = signal_pending_mask(t) & mask_of(f);
	mutex_unlock(&p->signal_lock);
	return pending ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	heap_free(f->private);
}

static void signalfd_describe(struct file *f, char *buf, size_t size)
{
	format(buf, size, "sigmask:\t%016lx\n", mask_of(f));
}

static const struct file_ops signalfd_ops = {
	.kind = "anon_inode:[signalfd]",
	.no_position = true,
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.describe = signalfd_describe,
};

struct file *signalfd_create(uint64_t mask, uint32_t flags)
{
	uint64_t *private = heap_alloc(sizeof(*private));
	struct file *f;

	if (!private)
		return ERR_PTR(-ENOMEM);
	*private = mask;
	f = file_create(&signalfd_ops, private, O_RDWR | flags);
	if (!f)
		heap_free(private);
	return f ? f : ERR_PTR(-ENOMEM);
}

int signalfd_set_mask(struct file *f, uint64_t mask)
{
	if (f->ops != &signalfd_ops)
		return -EINVAL;
	store_relaxed((uint64_t *)f->private, mask);
	wait_wake_all(&process_current()->signal_wait, POLLIN);
	return 0;
}
