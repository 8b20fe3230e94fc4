/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll(7). Each watched (file, fd) is an item with an entry on the wait queues of its file. A
 * wake-up puts the item on the ready list; epoll_wait asks the files on that list what is true.
 *
 * Locks, outermost first:
 *   teardown    ends of epoll sets and of watched files, and nesting checks: rare, global
 *   ep->lock    the items; held over a scan, so that no item goes away under it
 *   the watched file's wait queue, whose wake-ups come in here with it held
 *   ep->ready_lock   the ready list alone
 *   ep->wait, ep->poll_wait
 * An item holds no reference on its file: the file's end takes it out (epoll_forget_file).
 */
#include "file/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/barrier.h"
#include "cpu/uaccess.h"
#include "file/anon.h"
#include "file/impl.h"
#include "lib/bug.h"
#include "lib/rbtree.h"
#include "mem/heap.h"

#define QUEUES_MAX   4 /* wait queues that one file may announce on */
#define NESTING_MAX  5
#define PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

struct epoll {
	struct mutex lock;
	struct rb_tree items; /* guarded by lock; by (file, fd) */
	struct mutex ready_lock;
	struct list_node ready;	     /* guarded by ready_lock */
	uint32_t ready_count;	     /* atomic: changed under ready_lock, read by waiters without */
	struct wait_queue wait;	     /* threads in epoll_wait */
	struct wait_queue poll_wait; /* who polls the epoll file itself */
};

struct epoll_item {
	struct rb_node node;
	struct file *file;
	int fd;
	struct epoll *ep;
	struct epoll_event event;    /* guarded by ep->lock; events also read by wake-ups */
	struct list_node ready_link; /* guarded by ep->ready_lock; empty when not ready */
	struct list_node file_link;  /* guarded by file->epoll_lock */
	struct wait_entry entries[QUEUES_MAX];
	unsigned entry_count;
};

static struct mutex teardown = MUTEX_INIT;
static const struct file_ops epoll_ops;

static bool is_ready_item(const struct epoll_item *item)
{
	return !list_empty(&item->ready_link);
}

static void make_ready(struct epoll_item *item)
{
	struct epoll *ep = item->ep;
	bool new = false;

	mutex_lock(&ep->ready_lock);
	if (!is_ready_item(item)) {
		list_add_tail(&ep->ready, &item->ready_link);
		__atomic_store_n(&ep->ready_count, ep->ready_count + 1, __ATOMIC_SEQ_CST);
		new = true;
	}
	mutex_unlock(&ep->ready_lock);
	if (new || wait_active(&ep->wait))
		wait_wake_one(&ep->wait, 0);
	if (wait_active(&ep->poll_wait))
		wait_wake_all(&ep->poll_wait, POLLIN | POLLRDNORM);
}

/* Under the watched file's wait queue lock. */
static bool item_woken(struct wait_entry *entry, uint32_t events)
{
	struct epoll_item *item = entry->arg;
	uint32_t wanted = load_relaxed(&item->event.events) & ~PRIVATE_BITS;
	bool somebody = wait_active(&item->ep->wait);

	if (!wanted || (events && !(events & (wanted | POLLERR | POLLHUP))))
		return false;
	make_ready(item);
	return somebody; /* consumes an exclusive wake-up only if a thread gets it */
}

struct item_table {
	struct poll_table table;
	struct epoll_item *item;
};

static void queue_item(struct poll_table *table, struct wait_queue *q)
{
	struct epoll_item *item = container_of(table, struct item_table, table)->item;
	struct wait_entry *e;

	BUG_ON(item->entry_count == QUEUES_MAX);
	e = &item->entries[item->entry_count++];
	*e = (struct wait_entry){ .fn = item_woken, .arg = item };
	if (item->event.events & EPOLLEXCLUSIVE)
		wait_add_exclusive(q, e);
	else
		wait_add(q, e);
}

static uint32_t poll_file(struct file *f, struct poll_table *table)
{
	return f->ops->poll ? f->ops->poll(f, table) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

static uint32_t item_events(struct epoll_item *item)
{
	uint32_t wanted = item->event.events & ~PRIVATE_BITS;

	return wanted ? poll_file(item->file, NULL) & (wanted | POLLERR | POLLHUP) : 0;
}

static int compare(const struct epoll_item *item, const struct file *f, int fd)
{
	if (item->file != f)
		return item->file < f ? -1 : 1;
	return item->fd - fd;
}

/* ep->lock held. Where (f, fd) is, or NULL and where it would go. */
static struct epoll_item *find(
	struct epoll *ep, struct file *f, int fd, struct rb_node **parent, struct rb_node ***link)
{
	*parent = NULL;
	*link = &ep->items.root;
	while (**link) {
		struct epoll_item *item = rb_entry(**link, struct epoll_item, node);
		int order = compare(item, f, fd);

		if (!order)
			return item;
		*parent = **link;
		*link = order > 0 ? &item->node.left : &item->node.right;
	}
	return NULL;
}

static void take_off_ready(struct epoll_item *item)
{
	struct epoll *ep = item->ep;

	mutex_lock(&ep->ready_lock);
	if (is_ready_item(item)) {
		list_del(&item->ready_link);
		store_relaxed(&ep->ready_count, ep->ready_count - 1);
	}
	mutex_unlock(&ep->ready_lock);
}

/* ep->lock held. */
static void remove_item(struct epoll_item *item)
{
	for (unsigned i = 0; i < item->entry_count; i++)
		wait_remove(&item->entries[i]); /* afterwards item_woken does not run any more */
	take_off_ready(item);
	mutex_lock(&item->file->epoll_lock);
	list_del(&item->file_link);
	mutex_unlock(&item->file->epoll_lock);
	rb_erase(&item->ep->items, &item->node);
	heap_free(item);
}

/* ep->lock held. */
static int add_item(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	struct rb_node *parent, **link;
	struct epoll_item *item;
	struct item_table t = { .table.queue = queue_item };
	uint32_t now;

	if (find(ep, f, fd, &parent, &link))
		return -EEXIST;
	item = heap_alloc_zeroed(sizeof(*item));
	if (!item)
		return -ENOMEM;
	item->file = f;
	item->fd = fd;
	item->ep = ep;
	item->event = *event;
	list_init(&item->ready_link);
	rb_insert(&ep->items, &item->node, parent, link);
	mutex_lock(&f->epoll_lock);
	list_add_tail(&f->epoll_items, &item->file_link);
	mutex_unlock(&f->epoll_lock);
	t.item = item;
	now = poll_file(f, &t.table);
	if (now & ((event->events & ~PRIVATE_BITS) | POLLERR | POLLHUP))
		make_ready(item);
	return 0;
}

/* ep->lock held. */
static int modify_item(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	struct rb_node *parent, **link;
	struct epoll_item *item = find(ep, f, fd, &parent, &link);

	if (!item)
		return -ENOENT;
	if ((item->event.events | event->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	item->event.data = event->data;
	__atomic_store_n(&item->event.events, event->events, __ATOMIC_SEQ_CST);
	/* A change in between is seen either by item_woken with the new mask, or here. */
	if (item_events(item))
		make_ready(item);
	return 0;
}

static int delete_item(struct epoll *ep, struct file *f, int fd)
{
	struct rb_node *parent, **link;
	struct epoll_item *item = find(ep, f, fd, &parent, &link);

	if (!item)
		return -ENOENT;
	remove_item(item);
	return 0;
}

/* teardown held. How deep the sets below ep are nested; more than NESTING_MAX if 'self' is among
 * them. */
static int nesting(struct epoll *ep, const struct epoll *self, int depth)
{
	int deepest = depth;

	if (ep == self || depth > NESTING_MAX)
		return NESTING_MAX + 1;
	mutex_lock(&ep->lock);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct file *f = rb_entry(n, struct epoll_item, node)->file;

		if (f->ops == &epoll_ops)
			deepest = MAX(deepest, nesting(f->private, self, depth + 1));
	}
	mutex_unlock(&ep->lock);
	return deepest;
}

static int check_exclusive(int op, const struct file *f, uint32_t events)
{
	if (!(events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD || f->ops == &epoll_ops)
		return -EINVAL;
	return events & ~(EPOLLEXCLUSIVE | EPOLLET | EPOLLWAKEUP | POLLIN | POLLOUT | POLLERR |
				POLLHUP | POLLRDNORM | POLLWRNORM)
		       ? -EINVAL
		       : 0;
}

int epoll_control(struct file *epf, int op, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll *ep = epf->private;
	bool nested = f->ops == &epoll_ops && op == EPOLL_CTL_ADD;
	int err;

	if (epf->ops != &epoll_ops || epf == f)
		return -EINVAL;
	if (!f->ops->poll) /* regular files and directories */
		return -EPERM;
	if (op != EPOLL_CTL_DEL && (err = check_exclusive(op, f, event->events)))
		return err;
	if (nested) {
		mutex_lock(&teardown);
		if (nesting(f->private, ep, 1) > NESTING_MAX) {
			mutex_unlock(&teardown);
			return -ELOOP;
		}
	}
	mutex_lock(&ep->lock);
	switch (op) {
	case EPOLL_CTL_ADD: err = add_item(ep, f, fd, event); break;
	case EPOLL_CTL_MOD: err = modify_item(ep, f, fd, event); break;
	case EPOLL_CTL_DEL: err = delete_item(ep, f, fd); break;
	default: err = -EINVAL;
	}
	mutex_unlock(&ep->lock);
	if (nested)
		mutex_unlock(&teardown);
	return err;
}

static struct epoll_item *pop_ready(struct epoll *ep)
{
	struct epoll_item *item = NULL;

	mutex_lock(&ep->ready_lock);
	if (!list_empty(&ep->ready)) {
		item = list_first_entry(&ep->ready, struct epoll_item, ready_link);
		list_del(&item->ready_link);
		store_relaxed(&ep->ready_count, ep->ready_count - 1);
	}
	mutex_unlock(&ep->ready_lock);
	return item;
}

/* Back at the tail, without waking: the caller is the one that waits. */
static void push_ready_quietly(struct epoll *ep, struct epoll_item *item)
{
	mutex_lock(&ep->ready_lock);
	if (!is_ready_item(item)) {
		list_add_tail(&ep->ready, &item->ready_link);
		store_relaxed(&ep->ready_count, ep->ready_count + 1);
	}
	mutex_unlock(&ep->ready_lock);
}

/* Each item that is ready at the start is looked at once. */
static int collect(struct epoll *ep, struct epoll_event *user_events, int max)
{
	uint32_t budget;
	int n = 0;

	mutex_lock(&ep->lock);
	budget = load_relaxed(&ep->ready_count);
	while (n < max && budget--) {
		struct epoll_item *item = pop_ready(ep);
		struct epoll_event out;

		if (!item)
			break;
		out.events = item_events(item);
		if (!out.events)
			continue;
		out.data = item->event.data;
		if (copy_to_user(&user_events[n], &out, sizeof(out))) {
			push_ready_quietly(ep, item);
			n = n ? n : -EFAULT;
			break;
		}
		n++;
		if (item->event.events & EPOLLONESHOT)
			store_relaxed(&item->event.events, item->event.events & PRIVATE_BITS);
		else if (!(item->event.events & EPOLLET))
			push_ready_quietly(ep, item);
	}
	mutex_unlock(&ep->lock);
	/* More is ready than we took: another waiter may have it. */
	if (load_relaxed(&ep->ready_count) && wait_active(&ep->wait))
		wait_wake_one(&ep->wait, 0);
	return n;
}

/* As wait_event_until, but exclusive: one event wakes one waiter. */
static int wait_ready(struct epoll *ep, uint64_t deadline)
{
	struct wait_entry e = { .thread = thread_current(), .exclusive = true };
	struct sleep_timer timer;
	int err = 0;

	sleep_timer_start(&timer, deadline);
	wait_add_exclusive(&ep->wait, &e);
	for (;;) {
		thread_prepare_sleep(SLEEP_INTERRUPTIBLE);
		if (__atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST))
			break;
		if (thread_signalled())
			err = -EINTR;
		else if (sleep_timer_expired(&timer))
			err = -ETIMEDOUT;
		if (err)
			break;
		schedule();
	}
	thread_cancel_sleep();
	wait_remove(&e);
	sleep_timer_stop(&timer);
	return err;
}

int epoll_wait_events(struct file *epf, struct epoll_event *user_events, int max, uint64_t deadline)
{
	struct epoll *ep = epf->private;

	if (epf->ops != &epoll_ops || max <= 0 || max > INT32_MAX / (int)sizeof(struct epoll_event))
		return -EINVAL;
	if (!user_range_ok(user_events, max * sizeof(struct epoll_event)))
		return -EFAULT;
	for (;;) {
		int n = 0, err;

		if (load_acquire(&ep->ready_count))
			n = collect(ep, user_events, max);
		if (n)
			return n;
		if (!deadline)
			return 0;
		err = wait_ready(ep, deadline);
		if (err)
			return err == -ETIMEDOUT ? 0 : err;
	}
}

/* Ready if an item really is: what is no longer true is taken off the list on the way. */
static uint32_t epoll_poll(struct file *f, struct poll_table *table)
{
	struct epoll *ep = f->private;
	uint32_t budget, events = 0;

	poll_wait(table, &ep->poll_wait);
	mutex_lock(&ep->lock);
	budget = load_acquire(&ep->ready_count);
	while (budget-- && !events) {
		struct epoll_item *item = pop_ready(ep);

		if (!item)
			break;
		if (item_events(item)) {
			push_ready_quietly(ep, item);
			events = POLLIN | POLLRDNORM;
		}
	}
	mutex_unlock(&ep->lock);
	return events;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->private;
	struct rb_node *n;

	mutex_lock(&teardown);
	mutex_lock(&ep->lock);
	while ((n = rb_first(&ep->items)))
		remove_item(rb_entry(n, struct epoll_item, node));
	mutex_unlock(&ep->lock);
	mutex_unlock(&teardown);
	heap_free(ep);
}

/* Nobody can add items any more: that needs a reference. 'teardown' keeps the sets alive. */
void epoll_forget_file(struct file *f)
{
	if (list_empty(&f->epoll_items))
		return;
	mutex_lock(&teardown);
	for (;;) {
		struct epoll_item *item = NULL;
		struct epoll *ep;

		mutex_lock(&f->epoll_lock);
		if (!list_empty(&f->epoll_items))
			item = list_first_entry(&f->epoll_items, struct epoll_item, file_link);
		mutex_unlock(&f->epoll_lock);
		if (!item)
			break;
		ep = item->ep;
		mutex_lock(&ep->lock);
		remove_item(item);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&teardown);
}

static const struct file_ops epoll_ops = {
	.kind = "anon_inode:[eventpoll]",
	.poll = epoll_poll,
	.stat = anon_file_stat,
	.release = epoll_release,
};

struct file *epoll_create(uint32_t flags)
{
	struct epoll *ep = heap_alloc_zeroed(sizeof(*ep));
	struct file *f;

	if (!ep)
		return ERR_PTR(-ENOMEM);
	mutex_init(&ep->lock);
	mutex_init(&ep->ready_lock);
	list_init(&ep->ready);
	wait_init(&ep->wait);
	wait_init(&ep->poll_wait);
	f = file_create(&epoll_ops, ep, O_RDWR);
	if (f)
		return f;
	heap_free(ep);
	return ERR_PTR(-ENOMEM);
}
