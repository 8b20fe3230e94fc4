/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes. A waiter is a record on its thread's stack, in the bucket that its key hashes to.
 *
 * No lost wake-up: a waiter counts itself in the bucket, then reads the program's word under the
 * bucket's lock; a waker's program has changed the word before the call, a fence, then the count
 * is read. So a wake with nobody there costs no lock, and one that sees a count takes the lock
 * behind the waiter that has looked at the word already.
 *
 * The word is read with the lock held and that may fault and sleep: it is a sleeping lock, and the
 * fault handler never comes here. A record belongs to its bucket until it is unlinked under the
 * bucket's lock; from the store to 'state' that follows it belongs to its thread again.
 */

#include "sched/futex.h"
#include "abi/errno.h"
#include "abi/futex.h"
#include "cpu/barrier.h"
#include "cpu/uaccess.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "mem/heap.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/timer.h"

#define BUCKETS 256

struct bucket {
	struct mutex lock;
	struct list_node waiters; /* guarded by lock; in order of arrival */
	uint32_t count;		  /* atomic: waiters and those about to be */
} __aligned(CACHE_LINE);
static struct bucket buckets[BUCKETS];
LOCK_CLASS_OF(buckets, "futex_bucket.lock");

enum waiter_state { WAITING, WOKEN, GRANTED };
enum waiter_kind {
	PLAIN,
	PI_WAITER,  /* wants the PI futex at its key */
	REQUEUE_PI, /* waits for being moved to one */
};

struct waiter {
	struct list_node link;
	struct futex_key key;  /* guarded by the bucket's lock, like kind */
	struct bucket *bucket; /* atomic: changed by requeue under both locks */
	struct thread *thread; /* fixed */
	uint32_t bitset, tid;  /* fixed */
	uint32_t state;	       /* atomic, enum waiter_state */
	uint32_t kind;
	struct futex_key pi_key; /* fixed; REQUEUE_PI */
};

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&buckets[i].waiters);
}

static inline struct bucket *bucket_at(uint64_t object, uint64_t offset)
{
	uint64_t h = (object ^ offset >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> 56];
}

static struct bucket *bucket_of(const struct futex_key *key)
{
	return bucket_at(key->object, key->offset);
}
_Static_assert(BUCKETS == 256, "bucket_of takes 8 bits");

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}

/* Counted before the word is read: pairs with the fence in bucket_quiet. */
static void bucket_enter(struct bucket *b)
{
	__atomic_fetch_add(&b->count, 1, __ATOMIC_SEQ_CST);
	mutex_lock(&b->lock);
}

static void bucket_leave(struct bucket *b)
{
	mutex_unlock(&b->lock);
	__atomic_fetch_sub(&b->count, 1, __ATOMIC_SEQ_CST);
}

static bool bucket_quiet(struct bucket *b)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load_relaxed(&b->count) == 0;
}

static void lock_two(struct bucket *a, struct bucket *b)
{
	if (a == b) {
		mutex_lock(&a->lock);
	} else {
		mutex_lock(a < b ? &a->lock : &b->lock);
		mutex_lock(a < b ? &b->lock : &a->lock);
	}
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
}

/* The bucket's lock is held, here and below. */
static void enqueue(struct bucket *b, struct waiter *w)
{
	w->bucket = b;
	list_add_tail(&b->waiters, &w->link);
}

static void unlink_waiter(struct waiter *w)
{
	list_del(&w->link);
	__atomic_fetch_sub(&w->bucket->count, 1, __ATOMIC_SEQ_CST);
}

static inline void wake_waiter(struct waiter *w, enum waiter_state state)
{
	struct thread *t = w->thread;

	unlink_waiter(w);
	thread_pin(t);
	store_release(&w->state, state); /* from here on the record may be gone */
	thread_wake(t);
	thread_unpin(t);
}

static inline int wake_in(struct bucket *b, const struct futex_key *key, int n, uint32_t bitset)
{
	struct waiter *w, *next;
	int woken = 0;

	list_for_each_entry_safe (w, next, &b->waiters, link) {
		if (woken >= n)
			break;
		if (!(w->bitset & bitset) || !same_key(&w->key, key))
			continue;
		wake_waiter(w, WOKEN);
		woken++;
	}
	return woken;
}

static __noinline int wake_slow(uint64_t object, uint64_t offset, int n, uint32_t bitset)
{
	struct futex_key key = { object, offset };
	struct bucket *b = bucket_of(&key);
	int woken;

	mutex_lock(&b->lock);
	woken = wake_in(b, &key, n, bitset);
	mutex_unlock(&b->lock);
	return woken;
}

/* The key by value and the rest elsewhere: with nobody there this needs no stack. */
int futex_wake(uint64_t object, uint64_t offset, int n, uint32_t bitset)
{
	if (likely(bucket_quiet(bucket_at(object, offset))))
		return 0;
	return wake_slow(object, offset, n, bitset);
}

/* Takes a record back that may still be queued. True if it was woken instead. */
static bool dequeue(struct waiter *w)
{
	for (;;) {
		struct bucket *b = load_acquire(&w->bucket);
		bool same, woken;

		if (load_acquire(&w->state) != WAITING)
			return true;
		mutex_lock(&b->lock);
		same = load_relaxed(&w->bucket) == b;
		/* If it was moved, its waker held another bucket's lock: acquire. */
		woken = load_acquire(&w->state) != WAITING;
		if (same && !woken)
			unlink_waiter(w);
		mutex_unlock(&b->lock);
		if (woken)
			return true;
		if (same)
			return false;
	}
}

/* Sleeps until one of the records is woken: 0, -ETIMEDOUT or -ERESTARTSYS. They stay queued. */
static int sleep_on(struct waiter *w, unsigned count, uint64_t deadline)
{
	struct sleep_timer timer;
	int ret = 0;

	sleep_timer_start(&timer, deadline);
	for (;;) {
		unsigned i;

		thread_prepare_sleep(SLEEP_INTERRUPTIBLE);
		for (i = 0; i < count; i++)
			if (load_acquire(&w[i].state) != WAITING)
				break;
		if (i < count)
			break;
		if (thread_signalled()) {
			ret = -ERESTARTSYS;
			break;
		}
		if (sleep_timer_expired(&timer)) {
			ret = -ETIMEDOUT;
			break;
		}
		schedule();
	}
	thread_cancel_sleep();
	sleep_timer_stop(&timer);
	return ret;
}

/* Puts w on its bucket if the word holds what is expected. */
static inline int wait_setup(struct waiter *w, const uint32_t *uaddr, uint32_t expected)
{
	struct bucket *b = bucket_of(&w->key);
	uint32_t value;
	int err;

	bucket_enter(b);
	err = user_load_u32(uaddr, &value);
	if (unlikely(err || value != expected)) {
		bucket_leave(b);
		return err ? err : -EAGAIN;
	}
	enqueue(b, w); /* keeps its count until it is unlinked */
	mutex_unlock(&b->lock);
	return 0;
}

int futex_wait(const struct futex_key *key, const uint32_t *uaddr, uint32_t expected,
	uint32_t bitset, uint64_t deadline)
{
	struct waiter w = { .key = *key, .thread = thread_current(), .bitset = bitset };
	int err = wait_setup(&w, uaddr, expected);

	if (err)
		return err;
	err = sleep_on(&w, 1, deadline);
	if (err && dequeue(&w))
		err = 0;
	return err;
}

/* After schedule() the thread is awake: if that was by the waker, there is nothing to take back. */
static inline int sleep_for_good(struct waiter *w)
{
	for (;;) {
		thread_prepare_sleep(SLEEP_INTERRUPTIBLE);
		if (unlikely(load_acquire(&w->state) != WAITING)) {
			thread_cancel_sleep();
			return 0;
		}
		if (unlikely(thread_signalled())) {
			thread_cancel_sleep();
			return dequeue(w) ? 0 : -ERESTARTSYS;
		}
		schedule();
		if (likely(load_acquire(&w->state) != WAITING))
			return 0;
	}
}

int futex_wait_plain(uint64_t object, uint64_t offset, const uint32_t *uaddr, uint32_t expected)
{
	struct waiter w;
	int err;

	w.key.object = object;
	w.key.offset = offset;
	w.thread = thread_current();
	w.bitset = FUTEX_BITSET_MATCH_ANY;
	w.state = WAITING;
	w.kind = PLAIN;
	err = wait_setup(&w, uaddr, expected);
	return unlikely(err) ? err : sleep_for_good(&w);
}

int futex_wait_many(const struct futex_wait_one *wait, unsigned count, uint64_t deadline)
{
	struct waiter *w = heap_alloc_zeroed(count * sizeof(*w));
	int woken = -1, err = 0;
	unsigned queued;

	if (!w)
		return -ENOMEM;
	for (queued = 0; queued < count; queued++) {
		w[queued].key = wait[queued].key;
		w[queued].thread = thread_current();
		w[queued].bitset = FUTEX_BITSET_MATCH_ANY;
		err = wait_setup(&w[queued], wait[queued].uaddr, wait[queued].expected);
		if (err)
			break;
	}
	if (!err)
		err = sleep_on(w, count, deadline);
	for (unsigned i = 0; i < queued; i++)
		if (dequeue(&w[i]))
			woken = i;
	heap_free(w);
	return woken >= 0 ? woken : err;
}

static void move_waiter(struct waiter *w, struct bucket *to, const struct futex_key *key)
{
	w->key = *key;
	if (w->bucket == to)
		return;
	list_del(&w->link);
	__atomic_fetch_add(&to->count, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&w->bucket->count, 1, __ATOMIC_SEQ_CST);
	list_add_tail(&to->waiters, &w->link);
	store_release(&w->bucket, to);
}

int futex_requeue(const struct futex_key *key1, const uint32_t *uaddr1,
	const struct futex_key *key2, int nwake, int nmove, const uint32_t *cmp, bool count_moved)
{
	struct bucket *b1 = bucket_of(key1), *b2 = bucket_of(key2);
	struct waiter *w, *next;
	int woken = 0, moved = 0;

	lock_two(b1, b2);
	if (cmp) {
		uint32_t value;
		int err = user_load_u32(uaddr1, &value);

		if (!err && value != *cmp)
			err = -EAGAIN;
		if (err) {
			unlock_two(b1, b2);
			return err;
		}
	}
	list_for_each_entry_safe (w, next, &b1->waiters, link) {
		if (!same_key(&w->key, key1) || w->kind != PLAIN)
			continue;
		if (woken < nwake) {
			wake_waiter(w, WOKEN);
			woken++;
		} else if (moved < nmove) {
			if (!same_key(key1, key2))
				move_waiter(w, b2, key2);
			moved++;
		} else {
			break;
		}
	}
	unlock_two(b1, b2);
	return count_moved ? woken + moved : woken;
}

/* Linux's encoding: op << 28 | cmp << 24 | oparg << 12 | cmparg, both args sign-extended. */
static int wake_op_apply(uint32_t *uaddr, uint32_t encoded, bool *matches)
{
	unsigned op = encoded >> 28 & 7, cmp = encoded >> 24 & 15;
	int32_t arg = (int32_t)(encoded << 8) >> 20, cmparg = (int32_t)(encoded << 20) >> 20, old;
	uint32_t value, new;
	int err;

	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = (int32_t)(1u << (arg & 31));
	if (op > FUTEX_OP_XOR || cmp > FUTEX_OP_CMP_GE)
		return -ENOSYS;
	err = user_load_u32(uaddr, &value);
	for (uint32_t seen = value; !err; value = seen) {
		switch (op) {
		case FUTEX_OP_SET: new = arg; break;
		case FUTEX_OP_ADD: new = value + arg; break;
		case FUTEX_OP_OR: new = value | arg; break;
		case FUTEX_OP_ANDN: new = value & ~arg; break;
		default: new = value ^ arg; break;
		}
		seen = value;
		err = user_cas_u32(uaddr, &seen, new);
		if (seen == value)
			break;
	}
	if (err)
		return err;
	old = value;
	switch (cmp) {
	case FUTEX_OP_CMP_EQ: *matches = old == cmparg; break;
	case FUTEX_OP_CMP_NE: *matches = old != cmparg; break;
	case FUTEX_OP_CMP_LT: *matches = old < cmparg; break;
	case FUTEX_OP_CMP_LE: *matches = old <= cmparg; break;
	case FUTEX_OP_CMP_GT: *matches = old > cmparg; break;
	default: *matches = old >= cmparg; break;
	}
	return 0;
}

int futex_wake_op(const struct futex_key *key1, const struct futex_key *key2, uint32_t *uaddr2,
	int nwake1, int nwake2, uint32_t op)
{
	struct bucket *b1 = bucket_of(key1), *b2 = bucket_of(key2);
	bool matches = false;
	int ret;

	lock_two(b1, b2);
	ret = wake_op_apply(uaddr2, op, &matches);
	if (!ret) {
		ret = wake_in(b1, key1, nwake1, FUTEX_BITSET_MATCH_ANY);
		if (matches)
			ret += wake_in(b2, key2, nwake2, FUTEX_BITSET_MATCH_ANY);
	}
	unlock_two(b1, b2);
	return ret;
}

/* --- Priority inheritance: the word holds the owner's tid, the kernel passes it on --- */

static struct waiter *first_pi(
	struct bucket *b, const struct futex_key *key, const struct waiter *but)
{
	struct waiter *w, *best = NULL;

	list_for_each_entry (w, &b->waiters, link)
		if (w != but && w->kind == PI_WAITER && same_key(&w->key, key) &&
			(!best || w->thread->rt_priority > best->thread->rt_priority))
			best = w;
	return best;
}

/*
 * One attempt under the bucket's lock. 0: taken. -EBUSY: held by another, which knows now that
 * somebody waits (unless only trying).
 */
static int pi_take(uint32_t *uaddr, uint32_t tid, bool waiters, bool try)
{
	uint32_t value;
	int err = user_load_u32(uaddr, &value);

	while (!err) {
		uint32_t seen = value, new;
		bool take = !(value & FUTEX_TID_MASK);

		if ((value & FUTEX_TID_MASK) == tid)
			return -EDEADLK;
		if (!take && (try || value & FUTEX_WAITERS))
			return -EBUSY;
		new = take ? tid | (value & FUTEX_OWNER_DIED) | (waiters ? FUTEX_WAITERS : 0)
			   : value | FUTEX_WAITERS;
		err = user_cas_u32(uaddr, &seen, new);
		if (!err && seen == value)
			return take ? 0 : -EBUSY;
		value = seen;
	}
	return err;
}

int futex_lock_pi(
	const struct futex_key *key, uint32_t *uaddr, uint32_t tid, uint64_t deadline, bool try)
{
	struct bucket *b = bucket_of(key);
	int err;

	for (;;) {
		struct waiter w = { .key = *key,
			.thread = thread_current(),
			.bitset = FUTEX_BITSET_MATCH_ANY,
			.tid = tid,
			.kind = PI_WAITER };

		bucket_enter(b);
		err = pi_take(uaddr, tid, first_pi(b, key, NULL) != NULL, try);
		if (err != -EBUSY || try) {
			bucket_leave(b);
			return err == -EBUSY ? -EAGAIN : err;
		}
		enqueue(b, &w);
		mutex_unlock(&b->lock);
		err = sleep_on(&w, 1, deadline);
		if (err && !dequeue(&w))
			return err == -ERESTARTSYS ? -ERESTARTNOINTR : err;
		if (load_relaxed(&w.state) == GRANTED)
			return 0;
		/* woken to try again: the owner died */
	}
}

int futex_unlock_pi(const struct futex_key *key, uint32_t *uaddr, uint32_t tid)
{
	struct bucket *b = bucket_of(key);
	struct waiter *next;
	uint32_t value;
	int err;

	mutex_lock(&b->lock);
	next = first_pi(b, key, NULL);
	err = user_load_u32(uaddr, &value);
	while (!err) {
		uint32_t seen = value, new = 0;

		if ((value & FUTEX_TID_MASK) != tid) {
			err = -EPERM;
			break;
		}
		if (next)
			new = next->tid | (first_pi(b, key, next) ? FUTEX_WAITERS : 0);
		err = user_cas_u32(uaddr, &seen, new);
		if (!err && seen == value) {
			if (next)
				wake_waiter(next, GRANTED);
			break;
		}
		value = seen;
	}
	mutex_unlock(&b->lock);
	return err;
}

int futex_wait_requeue_pi(const struct futex_key *key1, const uint32_t *uaddr1, uint32_t expected,
	uint32_t bitset, uint64_t deadline, const struct futex_key *key2, uint32_t *uaddr2,
	uint32_t tid)
{
	struct waiter w = { .key = *key1,
		.thread = thread_current(),
		.bitset = bitset,
		.tid = tid,
		.kind = REQUEUE_PI,
		.pi_key = *key2 };
	int err;

	if (same_key(key1, key2))
		return -EINVAL;
	err = wait_setup(&w, uaddr1, expected);
	if (err)
		return err;
	err = sleep_on(&w, 1, deadline);
	if (err && !dequeue(&w))
		return err == -ERESTARTSYS && load_relaxed(&w.kind) == REQUEUE_PI ? -EAGAIN : err;
	if (load_relaxed(&w.state) == GRANTED)
		return 0;
	/* Woken without the lock: as the owner of the PI futex died, or by a plain wake. */
	if (load_relaxed(&w.kind) == PI_WAITER)
		return futex_lock_pi(key2, uaddr2, tid, deadline, false);
	return -EAGAIN;
}

int futex_requeue_pi(const struct futex_key *key1, const uint32_t *uaddr1,
	const struct futex_key *key2, uint32_t *uaddr2, int nmove, uint32_t cmp)
{
	struct bucket *b1 = bucket_of(key1), *b2 = bucket_of(key2);
	struct waiter *w, *next;
	uint32_t value;
	int done = 0, err;

	lock_two(b1, b2);
	err = user_load_u32(uaddr1, &value);
	if (!err && value != cmp)
		err = -EAGAIN;
	list_for_each_entry_safe (w, next, &b1->waiters, link) {
		if (err || done > nmove)
			break;
		if (!same_key(&w->key, key1))
			continue;
		if (w->kind != REQUEUE_PI || !same_key(&w->pi_key, key2)) {
			err = -EINVAL;
			break;
		}
		/* the first may get the lock at once; from then on the others find it held */
		err = pi_take(uaddr2, w->tid, false, false);
		if (!err) {
			wake_waiter(w, GRANTED);
		} else if (err == -EBUSY) {
			err = 0;
			w->kind = PI_WAITER;
			move_waiter(w, b2, key2);
		}
		done += !err;
	}
	unlock_two(b1, b2);
	return err && !done ? err : done;
}
