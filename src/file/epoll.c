/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll(7). Each watched (file, fd) is an item with an entry on the wait queues of its file. A
 * wake-up puts the item on the list of woken ones, without a lock; epoll_wait asks the files on
 * that list what is true.
 *
 * Locks, outermost first:
 *   nesting_lock     a set is added to a set: global, nothing else takes it
 *   ep->lock         the items; held over a scan, so that no item goes away under it
 *   file->epoll_lock of the watched file: the list of its items
 *   the watched file's wait queue, whose wake-ups come in here with it held
 *   ep->wait, ep->poll_wait
 *
 * An item that is to be looked at is 'queued': on ep->woken, where wake-ups push it, or on
 * ep->ready, where scans, which hold ep->lock, keep what they took from there.
 *   R1  Who makes queued 1 puts it on a list. A wake-up that finds 1 leaves it at that: whoever
 *       makes it 0 looks at the file after that, and so sees what the wake-up is about (both are
 *       exchanges, sequentially consistent).
 *   R2  A scan counts as one ready item while it runs (ready_count): who asks meanwhile waits for
 *       its end, and does not miss what it has in hand. At its end it wakes a waiter if it leaves
 *       something. "Push, then look for waiters" pairs with "be on ep->wait, then look at both
 *       lists" (wait_events).
 *
 * Two ends may meet: of the set and of the file. An item holds no reference on its file, as the
 * file's end takes the item out (epoll_forget_file); but it holds one on the memory of its set.
 *   E1  An item is in the set's tree and in the file's list, or in neither. It leaves both under
 *       ep->lock, by somebody who holds a reference on the file, or by the file's end.
 *   E2  The file's end comes after the last reference: nobody else is, or will be, at the file's
 *       list any more. Whoever took an item off it did so with a reference (E1) that was given up
 *       after that, through the file's atomic count. So it needs no lock for the list.
 *   E3  The set's end takes a reference on each file that still has one. What it cannot get is
 *       at its own end, which takes the item out: in between the set is memory without a file,
 *       where wake-ups find nobody, and which goes with its last item.
 *
 * X5 (wait.h has X1 to X4). An exclusive item that is told keeps the event from the other ones. It
 * looks for it: a thread of its set was picked, and that one scans (X1). If the item is taken out
 * first, who takes it out looks in its stead, and passes on what it finds.
 */
#include "file/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/barrier.h"
#include "cpu/refcount.h"
#include "cpu/uaccess.h"
#include "file/anon.h"
#include "file/impl.h"
#include "lib/bug.h"
#include "lib/rbtree.h"
#include "lockfree/mpsc.h"
#include "mem/heap.h"

#define QUEUES_MAX   4 /* wait queues that one file may announce on */
#define NESTING_MAX  5
#define PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define ALWAYS_BITS                                                                                \
	(POLLERR | POLLHUP) /* whether asked for or not; gone once EPOLLONESHOT is over */

struct epoll {
	uint32_t refcount; /* atomic: its file's, and one of each item */
	struct mutex lock;
	struct rb_tree items;	     /* guarded by lock; by (file, fd) */
	struct list_node ready;	     /* guarded by lock */
	uint32_t ready_count;	     /* atomic: length of 'ready', R2; changed under lock */
	struct mpsc_list woken;	     /* taken under lock */
	struct wait_queue wait;	     /* threads in epoll_wait */
	struct wait_queue poll_wait; /* who polls the epoll file itself */
};

struct epoll_item {
	struct rb_node node;
	struct file *file;
	int fd;
	struct epoll *ep;
	struct epoll_event event;    /* guarded by ep->lock; events also read by wake-ups */
	uint32_t queued;	     /* atomic, R1 */
	struct mpsc_node woken_link; /* of who made queued 1 */
	struct list_node ready_link; /* guarded by ep->lock */
	struct list_node file_link;  /* guarded by file->epoll_lock, but see E2 */
	struct wait_entry entries[QUEUES_MAX];
	unsigned entry_count;
};

static DEFINE_MUTEX(nesting_lock);
static const struct file_ops epoll_ops;

/* Not with ep->lock held: an unlock looks at the mutex once more after the next holder has it. */
static void put_set(struct epoll *ep)
{
	if (atomic_sub(&ep->refcount, 1) == 1)
		heap_free(ep);
}

/* Exact under ep->lock, and for a waiter on ep->wait (R2). */
static bool has_ready(const struct epoll *ep)
{
	return __atomic_load_n(&ep->ready_count, __ATOMIC_SEQ_CST) || !mpsc_empty(&ep->woken);
}

/* True: a thread was woken for it. */
static bool make_ready(struct epoll_item *item)
{
	struct epoll *ep = item->ep;

	if (!atomic_xchg(&item->queued, 1))
		mpsc_push(&ep->woken, &item->woken_link);
	bool somebody = wait_wake_one(&ep->wait, 0);

	if (wait_active(&ep->poll_wait))
		wait_wake_all(&ep->poll_wait, POLLIN | POLLRDNORM);
	return somebody;
}

/* ep->lock held, by scans and by who removes an item; all of these. */
static void set_ready_count(struct epoll *ep, uint32_t n)
{
	__atomic_store_n(&ep->ready_count, n, __ATOMIC_RELEASE);
}

static void add_ready(struct epoll *ep, struct epoll_item *item)
{
	list_add_tail(&ep->ready, &item->ready_link);
	set_ready_count(ep, ep->ready_count + 1);
}

static void take_woken(struct epoll *ep)
{
	struct mpsc_node *n, *next;

	for (n = mpsc_take_all(&ep->woken); n; n = next) {
		next = load_relaxed(&n->next);
		add_ready(ep, container_of(n, struct epoll_item, woken_link));
	}
}

/* Starts a scan: how many items there are to look at. */
static uint32_t scan_begin(struct epoll *ep)
{
	set_ready_count(ep, ep->ready_count + 1);
	take_woken(ep);
	return ep->ready_count - 1;
}

static void scan_end(struct epoll *ep)
{
	set_ready_count(ep, ep->ready_count - 1);
}

/* Before the caller looks at the file (R1). */
static struct epoll_item *pop_ready(struct epoll *ep)
{
	struct epoll_item *item = list_first_entry(&ep->ready, struct epoll_item, ready_link);

	list_del(&item->ready_link);
	set_ready_count(ep, ep->ready_count - 1);
	atomic_xchg(&item->queued, 0);
	return item;
}

/* Back at the tail, without waking: the caller is the one that waits. */
static void push_ready_quietly(struct epoll *ep, struct epoll_item *item)
{
	if (!atomic_xchg(&item->queued, 1))
		add_ready(ep, item);
}

/* Under the watched file's wait queue lock. */
static bool item_woken(struct wait_entry *entry, uint32_t events)
{
	struct epoll_item *item = entry->arg;
	uint32_t wanted = load_relaxed(&item->event.events) & ~PRIVATE_BITS;

	if (!wanted || (events && !(events & wanted)))
		return false;
	return make_ready(item); /* consumes an exclusive wake-up only if a thread gets it */
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

	return wanted ? poll_file(item->file, NULL) & wanted : 0;
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

/* ep->lock held; no wake-up comes any more. */
static void take_off_ready(struct epoll_item *item)
{
	struct epoll *ep = item->ep;

	if (!load_acquire(&item->queued))
		return;
	take_woken(ep);
	list_del(&item->ready_link);
	set_ready_count(ep, ep->ready_count - 1);
}

/* ep->lock held, and a reference on the file. X5; what an item without EPOLLEXCLUSIVE is told the
 * others have been told as well. */
static void leave_queues(struct epoll_item *item)
{
	struct wait_queue *queues[QUEUES_MAX];
	uint32_t events = 0;

	for (unsigned i = 0; i < item->entry_count; i++) {
		queues[i] = item->entries[i].queue;
		wait_remove(&item->entries[i]); /* afterwards item_woken does not run any more */
	}
	if ((item->event.events & EPOLLEXCLUSIVE) && load_acquire(&item->queued))
		events = item_events(item);
	for (unsigned i = 0; events && i < item->entry_count; i++)
		wait_pass_on(queues[i], events);
}

/* ep->lock held, and a reference on the file (or it has none left, E2: then nobody waits for it).
 */
static void unlink_item(struct epoll_item *item, bool file_alive)
{
	struct file *f = item->file;

	if (file_alive)
		leave_queues(item);
	else
		for (unsigned i = 0; i < item->entry_count; i++)
			wait_remove(&item->entries[i]);
	take_off_ready(item);
	if (file_alive)
		mutex_lock(&f->epoll_lock);
	list_del(&item->file_link);
	if (file_alive)
		mutex_unlock(&f->epoll_lock);
	rb_erase(&item->ep->items, &item->node);
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
	atomic_add(&ep->refcount, 1);
	item->event = *event;
	item->event.events |= ALWAYS_BITS;
	rb_insert(&ep->items, &item->node, parent, link);
	mutex_lock(&f->epoll_lock);
	list_add_tail(&f->epoll_items, &item->file_link);
	mutex_unlock(&f->epoll_lock);
	t.item = item;
	now = poll_file(f, &t.table);
	if (now & item->event.events & ~PRIVATE_BITS)
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
	__atomic_store_n(&item->event.events, event->events | ALWAYS_BITS, __ATOMIC_SEQ_CST);
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
	unlink_item(item, true);
	heap_free(item);
	atomic_sub(&ep->refcount, 1); /* not the last: the caller has the set's file */
	return 0;
}

/* nesting_lock held. How deep the sets below ep are nested; more than NESTING_MAX if 'self' is
 * among them. */
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

	if ((epf->flags | f->flags) & O_PATH)
		return -EBADF;
	if (epf->ops != &epoll_ops || epf == f)
		return -EINVAL;
	if (!f->ops->poll) /* regular files and directories */
		return -EPERM;
	if (op != EPOLL_CTL_DEL && (err = check_exclusive(op, f, event->events)))
		return err;
	if (nested) {
		mutex_lock(&nesting_lock);
		if (nesting(f->private, ep, 1) > NESTING_MAX) {
			mutex_unlock(&nesting_lock);
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
		mutex_unlock(&nesting_lock);
	return err;
}

/* Each item that is ready at the start is looked at once. */
static int collect(struct epoll *ep, struct epoll_event *user_events, int max)
{
	uint32_t budget;
	int n = 0;

	mutex_lock(&ep->lock);
	budget = scan_begin(ep);
	while (n < max && budget--) {
		struct epoll_item *item = pop_ready(ep);
		struct epoll_event out;

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
	scan_end(ep);
	mutex_unlock(&ep->lock);
	/* More is ready than we took: another waiter may have it. The unlock was a full barrier. */
	if (wait_active(&ep->wait) && has_ready(ep))
		wait_wake_one(&ep->wait, 0);
	return n;
}

static __noinline int wait_events(
	struct epoll *ep, struct epoll_event *user_events, int max, uint64_t deadline)
{
	for (;;) {
		int n = 0, err;

		if (has_ready(ep))
			n = collect(ep, user_events, max);
		if (n)
			return n;
		if (!deadline)
			return 0;
		err = wait_event_exclusive(&ep->wait, 0, has_ready(ep), deadline);
		if (err)
			return err == -ETIMEDOUT ? 0 : -EINTR;
	}
}

/* Not inline: its callers would save registers for what nobody who finds nothing needs. */
__noinline int epoll_wait_events(
	struct file *epf, struct epoll_event *user_events, int max, uint64_t deadline)
{
	struct epoll *ep = epf->private;

	if (epf->ops != &epoll_ops || max <= 0 || max > INT32_MAX / (int)sizeof(struct epoll_event))
		return epf->flags & O_PATH ? -EBADF : -EINVAL;
	if (!user_range_ok(user_events, max * sizeof(struct epoll_event)))
		return -EFAULT;
	if (!deadline && !has_ready(ep))
		return 0;
	return wait_events(ep, user_events, max, deadline);
}

/* Ready if an item really is: what is no longer true is taken off the list on the way. */
static uint32_t epoll_poll(struct file *f, struct poll_table *table)
{
	struct epoll *ep = f->private;
	uint32_t budget, events = 0;

	poll_wait(table, &ep->poll_wait);
	mutex_lock(&ep->lock);
	budget = scan_begin(ep);
	while (budget-- && !events) {
		struct epoll_item *item = pop_ready(ep);

		if (item_events(item)) {
			push_ready_quietly(ep, item);
			events = POLLIN | POLLRDNORM;
		}
	}
	scan_end(ep);
	mutex_unlock(&ep->lock);
	return events;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->private;
	struct list_node removed = LIST_INIT(removed);
	struct epoll_item *item, *after;
	struct rb_node *n, *next;

	mutex_lock(&ep->lock);
	for (n = rb_first(&ep->items); n; n = next) {
		next = rb_next(n);
		item = rb_entry(n, struct epoll_item, node);
		if (!refcount_get_live(&item->file->refcount))
			continue; /* E3 */
		unlink_item(item, true);
		list_add(&removed, &item->ready_link);
	}
	mutex_unlock(&ep->lock);
	/* Now, as each of these may be a file's end. */
	list_for_each_entry_safe (item, after, &removed, ready_link) {
		file_put(item->file);
		heap_free(item);
		put_set(ep);
	}
	put_set(ep);
}

/* The list is this caller's alone (E2); an item on it keeps its set's memory (E3). */
void epoll_forget_file(struct file *f)
{
	while (!list_empty(&f->epoll_items)) {
		struct epoll_item *item =
			list_first_entry(&f->epoll_items, struct epoll_item, file_link);
		struct epoll *ep = item->ep;

		mutex_lock(&ep->lock);
		unlink_item(item, false);
		mutex_unlock(&ep->lock);
		heap_free(item);
		put_set(ep);
	}
}

static const struct file_ops epoll_ops = {
	.kind = "anon_inode:[eventpoll]",
	.no_position = true,
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
	ep->refcount = 1;
	mutex_init(&ep->lock, "epoll.lock");
	list_init(&ep->ready);
	wait_init(&ep->wait);
	wait_init(&ep->poll_wait);
	f = file_create(&epoll_ops, ep, O_RDWR);
	if (f)
		return f;
	heap_free(ep);
	return ERR_PTR(-ENOMEM);
}
