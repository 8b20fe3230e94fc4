/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advisory locks of all files in one hash of lists, keyed by vnode (or, without one, by what the
 * file stands for: both ends of a pipe are one object). Taken rarely; each bucket has its mutex and
 * its waiters.
 *
 * What one owner holds on an object is disjoint; locks of one kind that touch are one lock. On the
 * list those of an owner lie together, in the order of their ranges: F_GETLK shows it.
 */
#include "file/lock.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "file/file.h"
#include "lib/hash.h"
#include "mem/heap.h"
#include "sched/wait.h"

#define BUCKETS 32

struct held_lock {
	struct list_node link; /* guarded by the bucket's lock, like all below */
	const void *object;
	void *owner;
	struct lock_range range;
	int pid;
	bool flock, write;
};

static struct bucket {
	struct mutex lock;
	struct list_node locks; /* next == NULL: never used */
	struct wait_queue wait;
	uint64_t generation; /* atomic: changes whenever a lock goes away */
} buckets[BUCKETS];
LOCK_CLASS_OF(buckets, "record_bucket.lock");

bool lock_records_used; /* atomic */

static const void *object_of(const struct file *f)
{
	if (f->vnode)
		return f->vnode;
	return f->private ? f->private : f;
}

static struct bucket *bucket_of(const void *object)
{
	return &buckets[hash_u64((uintptr_t)object) % BUCKETS];
}

static void lock_bucket(struct bucket *b)
{
	mutex_lock(&b->lock);
	if (!b->locks.next) {
		list_init(&b->locks);
		wait_init(&b->wait);
	}
}

static bool overlap(const struct lock_range *a, const struct lock_range *b)
{
	return a->start < b->end && b->start < a->end;
}

static struct held_lock *find_conflict(struct bucket *b, const void *object, bool flock,
	void *owner, bool write, const struct lock_range *r)
{
	struct held_lock *l;

	list_for_each_entry (l, &b->locks, link)
		if (l->object == object && l->flock == flock && l->owner != owner &&
			(write || l->write) && overlap(&l->range, r))
			return l;
	return NULL;
}

static void drop(struct held_lock *l)
{
	list_del(&l->link);
	heap_free(l);
}

static bool same_holder(const struct held_lock *a, const struct held_lock *b)
{
	return a->object == b->object && a->flock == b->flock && a->owner == b->owner;
}

/* What the holder has of the same kind in the range or next to it becomes a part of it. */
static void absorb(struct bucket *b, struct held_lock *new)
{
	struct held_lock *l, *tmp;

	list_for_each_entry_safe (l, tmp, &b->locks, link) {
		if (!same_holder(l, new) || l->write != new->write ||
			l->range.start > new->range.end || new->range.start > l->range.end)
			continue;
		new->range.start = MIN(new->range.start, l->range.start);
		new->range.end = MAX(new->range.end, l->range.end);
		drop(l);
	}
}

/* Cuts the range out of what the holder has; 'spare' becomes the right part when a lock is split in
 * two. */
static bool cut(struct bucket *b, const struct held_lock *want, struct held_lock **spare)
{
	const struct lock_range *r = &want->range;
	struct held_lock *l, *tmp;
	bool changed = false;

	list_for_each_entry_safe (l, tmp, &b->locks, link) {
		if (!same_holder(l, want) || !overlap(&l->range, r))
			continue;
		changed = true;
		if (l->range.start < r->start && l->range.end > r->end) {
			**spare = *l;
			(*spare)->range.start = r->end;
			list_add(&l->link, &(*spare)->link);
			*spare = NULL;
			l->range.end = r->start;
		} else if (l->range.start < r->start) {
			l->range.end = r->start;
		} else if (l->range.end > r->end) {
			l->range.start = r->end;
		} else {
			drop(l);
		}
	}
	return changed;
}

static void insert(struct bucket *b, struct held_lock *new)
{
	struct list_node *at = &b->locks; /* it goes before this */
	struct held_lock *l;

	list_for_each_entry (l, &b->locks, link) {
		if (!same_holder(l, new))
			continue;
		at = l->link.next;
		if (l->range.start > new->range.start) {
			at = &l->link;
			break;
		}
	}
	list_add_tail(at, &new->link);
}

/* flock(2): a change of kind gives up the old lock first, and for good if the new one fails. Tells
 * whether there is nothing to do. */
static bool flock_convert(struct bucket *b, const struct held_lock *want, bool *changed)
{
	struct held_lock *l, *tmp;

	list_for_each_entry_safe (l, tmp, &b->locks, link) {
		if (!same_holder(l, want))
			continue;
		if (l->write == want->write)
			return true;
		drop(l);
		*changed = true;
	}
	return false;
}

static void tell_waiters(struct bucket *b)
{
	__atomic_fetch_add(&b->generation, 1, __ATOMIC_SEQ_CST);
	wait_wake_all(&b->wait, 0);
}

/* One try: -EAGAIN when somebody is in the way. */
static int try_set(
	struct bucket *b, const struct held_lock *want, bool unlock, uint64_t *generation)
{
	struct held_lock *new = heap_alloc(sizeof(*new)), *spare = heap_alloc(sizeof(*spare));
	bool changed = false;
	int err = 0;

	if (!new || !spare) {
		err = -ENOLCK;
		goto out;
	}
	*new = *want;
	lock_bucket(b);
	*generation = b->generation;
	if (unlock) {
		changed = cut(b, want, &spare);
	} else if (want->flock && flock_convert(b, want, &changed)) {
		/* it has that one */
	} else if (find_conflict(
			   b, want->object, want->flock, want->owner, want->write, &want->range)) {
		err = -EAGAIN;
	} else {
		absorb(b, new);
		changed |= cut(b, want, &spare);
		insert(b, new);
		new = NULL;
	}
	mutex_unlock(&b->lock);
	if (changed)
		tell_waiters(b);
out:
	heap_free(new);
	heap_free(spare);
	return err;
}

int lock_set(
	struct file *f, bool flock, void *owner, int pid, int type, struct lock_range r, bool wait)
{
	struct held_lock want = { .object = object_of(f),
		.owner = owner,
		.range = r,
		.pid = pid,
		.flock = flock,
		.write = type == F_WRLCK };
	struct bucket *b = bucket_of(want.object);

	f->has_locks = true;
	if (!flock)
		__atomic_store_n(&lock_records_used, true, __ATOMIC_RELAXED);
	for (;;) {
		uint64_t generation = 0;
		int err = try_set(b, &want, type == F_UNLCK, &generation);

		if (err != -EAGAIN || !wait)
			return err;
		err = wait_event_interruptible(
			&b->wait, __atomic_load_n(&b->generation, __ATOMIC_SEQ_CST) != generation);
		if (err)
			return err;
	}
}

void lock_test(struct file *f, void *owner, int *type, struct lock_range *r, int *pid)
{
	struct bucket *b = bucket_of(object_of(f));
	struct held_lock *l;

	lock_bucket(b);
	l = find_conflict(b, object_of(f), false, owner, *type == F_WRLCK, r);
	if (l) {
		*type = l->write ? F_WRLCK : F_RDLCK;
		*r = l->range;
		*pid = l->pid;
	} else {
		*type = F_UNLCK;
	}
	mutex_unlock(&b->lock);
}

void lock_release_owner(struct file *f, bool flock, void *owner)
{
	const void *object = object_of(f);
	struct bucket *b = bucket_of(object);
	struct held_lock *l, *tmp;
	bool changed = false;

	lock_bucket(b);
	list_for_each_entry_safe (l, tmp, &b->locks, link) {
		if (l->object != object || l->flock != flock || l->owner != owner)
			continue;
		drop(l);
		changed = true;
	}
	mutex_unlock(&b->lock);
	if (changed)
		tell_waiters(b);
}
