/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * userfaultfd(2) for one purpose: to register memory whose writes PAGEMAP_SCAN tells. That is
 * asynchronous write protection (UFFD_FEATURE_WP_ASYNC) of private anonymous memory; everything
 * else is refused as by a kernel that is built without it. No fault is ever reported, so a read
 * finds nothing.
 */

#include "abi/fcntl.h"
#include "abi/userfaultfd.h"
#include "file/anon.h"
#include "file/file.h"
#include "mem/heap.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"
#include "vm/vm.h"

#define FEATURES (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED)

enum uffd_state { NEW, SYNC, ASYNC }; /* UFFDIO_API ends NEW, once; SYNC can register nothing */

/* Also the owner of its areas' registrations. */
struct uffd {
	struct vm_space *space; /* fixed, referenced */
	uint32_t state;		/* atomic */
	struct wait_queue wait; /* nothing ever comes */
};

static bool range_ok(const struct uffdio_range *r)
{
	return IS_ALIGNED(r->start | r->len, PAGE_SIZE) && r->len && r->start >= USER_MIN &&
	       r->start < USER_MAX && r->len <= USER_MAX - r->start;
}

static long ioctl_api(struct uffd *u, struct uffdio_api *user)
{
	struct uffdio_api a, none = { 0 };
	uint32_t new = NEW;

	if (copy_from_user(&a, user, sizeof(a)))
		return -EFAULT;
	if (a.api != UFFD_API || (a.features & ~FEATURES) ||
		!atomic_cas(&u->state, &new, a.features & UFFD_FEATURE_WP_ASYNC ? ASYNC : SYNC)) {
		if (copy_to_user(user, &none, sizeof(none)))
			return -EFAULT;
		return -EINVAL;
	}
	a.features = FEATURES;
	a.ioctls = UFFD_BIT_API | UFFD_BIT_REGISTER | UFFD_BIT_UNREGISTER;
	return copy_to_user(user, &a, sizeof(a));
}

static long ioctl_register(struct uffd *u, struct uffdio_register *user)
{
	struct uffdio_register r;
	int err;

	if (copy_from_user(&r, user, offsetof(struct uffdio_register, ioctls)))
		return -EFAULT;
	if (r.mode != UFFDIO_REGISTER_MODE_WP || load_relaxed(&u->state) != ASYNC ||
		!range_ok(&r.range))
		return -EINVAL;
	err = vm_watch(u->space, r.range.start, r.range.start + r.range.len, u);
	return err ? err : put_user(UFFD_BIT_WRITEPROTECT | UFFD_BIT_WAKE, &user->ioctls);
}

static long ioctl_range(struct uffd *u, const struct uffdio_range *user, bool unregister)
{
	struct uffdio_range r;

	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	if (!range_ok(&r))
		return -EINVAL;
	/* UFFDIO_WAKE: nobody waits. */
	return unregister ? vm_unwatch(u->space, r.start, r.start + r.len, u) : 0;
}

static long ioctl_protect(struct uffd *u, const struct uffdio_writeprotect *user)
{
	struct uffdio_writeprotect w;
	bool protect;

	if (copy_from_user(&w, user, sizeof(w)))
		return -EFAULT;
	protect = w.mode & UFFDIO_WRITEPROTECT_MODE_WP;
	if (!range_ok(&w.range) ||
		(w.mode & ~(UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE)) ||
		(protect && (w.mode & UFFDIO_WRITEPROTECT_MODE_DONTWAKE)))
		return -EINVAL;
	return vm_watch_protect(u->space, w.range.start, w.range.start + w.range.len, protect);
}

static long uffd_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct uffd *u = f->private;

	if (cmd != UFFDIO_API && load_relaxed(&u->state) == NEW)
		return -EINVAL;
	switch (cmd) {
	case UFFDIO_API: return ioctl_api(u, (void *)arg);
	case UFFDIO_REGISTER: return ioctl_register(u, (void *)arg);
	case UFFDIO_UNREGISTER: return ioctl_range(u, (void *)arg, true);
	case UFFDIO_WAKE: return ioctl_range(u, (void *)arg, false);
	case UFFDIO_WRITEPROTECT: return ioctl_protect(u, (void *)arg);
	default: return -EINVAL;
	}
}

static ssize_t uffd_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct uffd *u = f->private;

	if (load_relaxed(&u->state) == NEW || to->left < UFFD_MSG_SIZE)
		return -EINVAL;
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(&u->wait, false);
}

static uint32_t uffd_poll(struct file *f, struct poll_table *table)
{
	struct uffd *u = f->private;

	poll_wait(table, &u->wait);
	return load_relaxed(&u->state) == NEW || !(f->flags & O_NONBLOCK) ? POLLERR : 0;
}

static void uffd_release(struct file *f)
{
	struct uffd *u = f->private;

	vm_unwatch_all(u->space, u);
	vm_space_put(u->space);
	heap_free(u);
}

static const struct file_ops uffd_ops = {
	.kind = "anon_inode:[userfaultfd]",
	.read = uffd_read,
	.poll = uffd_poll,
	.ioctl = uffd_ioctl,
	.stat = anon_file_stat,
	.release = uffd_release,
};

static struct file *uffd_create(uint32_t flags)
{
	struct uffd *u = heap_alloc_zeroed(sizeof(*u));
	struct file *f;

	if (!u)
		return ERR_PTR(-ENOMEM);
	wait_init(&u->wait);
	u->space = vm_current();
	f = file_create(&uffd_ops, u, O_RDWR | (flags & O_NONBLOCK));
	if (!f) {
		heap_free(u);
		return ERR_PTR(-ENOMEM);
	}
	vm_space_get(u->space);
	return f;
}

SYSCALL_DEFINE1(userfaultfd, int, flags)
{
	if (flags & ~(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY))
		return -EINVAL;
	return install_file(uffd_create(flags), flags & O_CLOEXEC);
}
