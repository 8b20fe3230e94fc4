/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inotify(7). Watches hang on vnodes; all of them, and every instance's list of watches, are
 * guarded by one mutex, which is not even looked at while nobody watches anything. An instance's
 * event queue has a mutex of its own, taken last.
 */

#include "fs/inotify.h"
#include "fs/impl.h"

#include "abi/ioctl.h"
#include "cpu/uaccess.h"
#include "file/poll.h"
#include "sched/wait.h"

enum { MAX_QUEUED = 16384, MAX_WATCHES = 65536 };

struct event {
	struct list_node link;
	struct inotify_event head;
	char name[]; /* head.len bytes, zero padded */
};

struct inotify {
	struct list_node watches; /* watch_lock */
	int32_t next_wd;	  /* watch_lock */
	unsigned watch_count;	  /* watch_lock */
	struct mutex lock;
	struct list_node events; /* lock, as the following */
	unsigned count;
	size_t bytes;
	struct wait_queue wait;
};

struct watch {
	struct inotify *owner;
	struct vnode *vnode; /* referenced */
	int32_t wd;
	uint32_t mask;
	struct watch *next_on_vnode;
	struct list_node link; /* owner->watches */
};

static DEFINE_MUTEX(watch_lock);
static uint32_t total_watches; /* atomic */

static bool same_event(struct inotify *in, int32_t wd, uint32_t mask, uint32_t cookie,
	const char *name, size_t len)
{
	struct event *last;

	if (list_empty(&in->events))
		return false;
	last = list_last_entry(&in->events, struct event, link);
	if (last->head.wd != wd || last->head.mask != mask || last->head.cookie != cookie)
		return false;
	if (!name)
		return last->head.len == 0;
	return last->head.len && strlen(last->name) == len && !memcmp(last->name, name, len);
}

static void queue_event(struct inotify *in, int32_t wd, uint32_t mask, uint32_t cookie,
	const char *name, size_t len)
{
	size_t padded = name ? ALIGN_UP(len + 1, sizeof(struct inotify_event)) : 0;
	struct event *e;

	mutex_lock(&in->lock);
	if (in->count >= MAX_QUEUED) {
		wd = -1;
		mask = IN_Q_OVERFLOW;
		cookie = 0;
		name = NULL;
		padded = 0;
	}
	if (same_event(in, wd, mask, cookie, name, len))
		goto out;
	e = heap_alloc_zeroed(sizeof(*e) + padded + 1);
	if (!e)
		goto out;
	e->head = (struct inotify_event){
		.wd = wd, .mask = mask, .cookie = cookie, .len = (uint32_t)padded
	};
	if (name)
		memcpy(e->name, name, len);
	list_add_tail(&in->events, &e->link);
	in->count++;
	in->bytes += sizeof(e->head) + padded;
out:
	mutex_unlock(&in->lock);
	wait_wake_all(&in->wait, POLLIN | POLLRDNORM);
}

/* watch_lock is held. The vnode's reference goes to the caller, who puts it after unlocking. */
static struct vnode *detach_watch(struct watch *w, bool tell)
{
	struct vnode *v = w->vnode;
	struct watch **p = (struct watch **)&v->watches;

	while (*p != w)
		p = &(*p)->next_on_vnode;
	store_release(p, w->next_on_vnode);
	list_del(&w->link);
	w->owner->watch_count--;
	atomic_sub(&total_watches, 1);
	if (tell)
		queue_event(w->owner, w->wd, IN_IGNORED, 0, NULL, 0);
	heap_free(w);
	return v;
}

static void tell(struct vnode *v, uint32_t mask, uint32_t cookie, const char *name, size_t len)
{
	struct watch *w, *next;
	struct vnode *put[8];
	unsigned n = 0;

	if (!load_acquire(&v->watches))
		return;
	mutex_lock(&watch_lock);
	for (w = v->watches; w; w = next) {
		next = w->next_on_vnode;
		if (!(w->mask & mask & IN_ALL_EVENTS) || ((w->mask & IN_EXCL_UNLINK) && !v->nlink))
			continue;
		queue_event(w->owner, w->wd, mask & (IN_ALL_EVENTS | IN_ISDIR), cookie, name, len);
		if ((w->mask & IN_ONESHOT) && n < ARRAY_SIZE(put))
			put[n++] = detach_watch(w, true);
	}
	mutex_unlock(&watch_lock);
	while (n)
		vnode_put(put[--n]);
}

void notify_vnode(struct vnode *v, uint32_t mask)
{
	if (!load_relaxed(&total_watches))
		return;
	if (S_ISDIR(v->mode) && !(mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
		mask |= IN_ISDIR;
	if (mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		mask &= ~IN_ISDIR;
	tell(v, mask, 0, NULL, 0);
}

void notify_child(struct dentry *dir, const char *name, size_t len, uint32_t mask, uint32_t cookie)
{
	if (load_relaxed(&total_watches))
		tell(dir->vnode, mask, cookie, name, len);
}

void notify_dentry(struct dentry *d, uint32_t mask)
{
	char name[NAME_MAX_LEN + 1];
	struct dentry *parent;
	size_t len;

	if (!load_relaxed(&total_watches))
		return;
	if (S_ISDIR(d->vnode->mode))
		mask |= IN_ISDIR;
	parent = dentry_place(d, name, &len);
	if (parent) {
		if (!load_acquire(&d->gone))
			tell(parent->vnode, mask, 0, name, len);
		dentry_put(parent);
	}
	tell(d->vnode, mask, 0, NULL, 0);
}

/* The file has no name any more: its watches end. */
void notify_gone(struct vnode *v)
{
	struct watch *w;
	unsigned n = 0;

	if (!load_acquire(&v->watches))
		return;
	mutex_lock(&watch_lock);
	while ((w = v->watches)) {
		if (w->mask & IN_DELETE_SELF)
			queue_event(w->owner, w->wd, IN_DELETE_SELF, 0, NULL, 0);
		detach_watch(w, true);
		n++;
	}
	mutex_unlock(&watch_lock);
	while (n--)
		vnode_put(v);
}

/* --- the file --- */

static ssize_t inotify_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct inotify *in = f->private;
	ssize_t done = 0;
	int err;

	for (;;) {
		struct event *e = NULL;

		mutex_lock(&in->lock);
		if (!list_empty(&in->events)) {
			e = list_first_entry(&in->events, struct event, link);
			if (sizeof(e->head) + e->head.len > to->left) {
				mutex_unlock(&in->lock);
				return done ? done : -EINVAL;
			}
			list_del(&e->link);
			in->count--;
			in->bytes -= sizeof(e->head) + e->head.len;
		}
		mutex_unlock(&in->lock);
		if (e) {
			size_t n = iter_copy_to(to, &e->head, sizeof(e->head));

			n += iter_copy_to(to, e->name, e->head.len);
			done += n;
			n = n < sizeof(e->head) + e->head.len;
			heap_free(e);
			if (n)
				return -EFAULT;
			continue;
		}
		if (done)
			return done;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&in->wait, load_acquire(&in->count));
		if (err)
			return err;
	}
}

static uint32_t inotify_poll(struct file *f, struct poll_table *table)
{
	struct inotify *in = f->private;

	poll_wait(table, &in->wait);
	return load_acquire(&in->count) ? POLLIN | POLLRDNORM : 0;
}

static long inotify_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct inotify *in = f->private;

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user((int)load_relaxed(&in->bytes), (int *)arg);
}

static void inotify_release(struct file *f)
{
	struct inotify *in = f->private;

	for (;;) {
		struct vnode *v = NULL;

		mutex_lock(&watch_lock);
		if (!list_empty(&in->watches))
			v = detach_watch(list_first_entry(&in->watches, struct watch, link), false);
		mutex_unlock(&watch_lock);
		if (!v)
			break;
		vnode_put(v);
	}
	while (!list_empty(&in->events)) {
		struct event *e = list_first_entry(&in->events, struct event, link);

		list_del(&e->link);
		heap_free(e);
	}
	heap_free(in);
}

static const struct file_ops inotify_ops = {
	.kind = "anon_inode:inotify",
	.no_position = true,
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
};

struct file *inotify_create(uint32_t flags)
{
	struct inotify *in = heap_alloc_zeroed(sizeof(*in));
	struct file *f;

	if (!in)
		return ERR_PTR(-ENOMEM);
	list_init(&in->watches);
	list_init(&in->events);
	mutex_init(&in->lock, "inotify.lock");
	wait_init(&in->wait);
	in->next_wd = 1;
	f = file_create(&inotify_ops, in, O_RDONLY | flags);
	if (!f) {
		heap_free(in);
		return ERR_PTR(-ENOMEM);
	}
	return f;
}

int inotify_add(struct file *f, struct dentry *d, uint32_t mask)
{
	struct inotify *in = f->private;
	struct vnode *v = d->vnode;
	struct watch *w;
	int wd;

	if (f->ops != &inotify_ops)
		return -EINVAL;
	if (!(mask & IN_ALL_EVENTS))
		return -EINVAL;
	mutex_lock(&watch_lock);
	for (w = v->watches; w && w->owner != in; w = w->next_on_vnode)
		;
	if (w) {
		if (mask & IN_MASK_CREATE) {
			wd = -EEXIST;
		} else {
			w->mask = mask & IN_MASK_ADD ? w->mask | mask : mask;
			wd = w->wd;
		}
		goto out;
	}
	wd = -ENOSPC;
	if (in->watch_count >= MAX_WATCHES)
		goto out;
	wd = -ENOMEM;
	w = heap_alloc(sizeof(*w));
	if (!w)
		goto out;
	vnode_get(v);
	wd = in->next_wd++;
	*w = (struct watch){
		.owner = in, .vnode = v, .wd = wd, .mask = mask, .next_on_vnode = v->watches
	};
	store_release(&v->watches, w);
	list_add_tail(&in->watches, &w->link);
	in->watch_count++;
	atomic_add(&total_watches, 1);
out:
	mutex_unlock(&watch_lock);
	return wd;
}

int inotify_remove(struct file *f, int wd)
{
	struct inotify *in = f->private;
	struct vnode *v = NULL;
	struct watch *w;

	if (f->ops != &inotify_ops)
		return -EINVAL;
	mutex_lock(&watch_lock);
	list_for_each_entry (w, &in->watches, link) {
		if (w->wd == wd) {
			v = detach_watch(w, true);
			break;
		}
	}
	mutex_unlock(&watch_lock);
	if (!v)
		return -EINVAL;
	vnode_put(v);
	return 0;
}
