/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The futex core: hashed buckets of waiters keyed by (space, address) for private futexes and by
 * (object, offset) for shared ones; the caller (syscall/futex.c) makes the key. Thread context.
 */
#pragma once

#include "lib/types.h"

struct futex_key {
	uint64_t object; /* the address space, or the backing object */
	uint64_t offset; /* the address, or the offset in the object */
};

/*
 * Sleeps until woken with a bit of 'bitset', if *uaddr == expected when looked at under the
 * bucket's lock. 0; -EAGAIN: it differed; -EFAULT; -ETIMEDOUT (deadline: monotonic ns or
 * UINT64_MAX); -ERESTARTSYS.
 */
int futex_wait(const struct futex_key *key, const uint32_t *uaddr, uint32_t expected,
	uint32_t bitset, uint64_t deadline);
/* The same with any bit and no deadline, and the key by value: the commonest wait. */
int futex_wait_plain(uint64_t object, uint64_t offset, const uint32_t *uaddr, uint32_t expected);
/* Wakes up to n waiters; returns how many. The key by value: this is called most, with nobody
 * there. */
int futex_wake(uint64_t object, uint64_t offset, int n, uint32_t bitset);
/* Wakes nwake from key1, moves up to nmove to key2. With cmp: -EAGAIN unless *uaddr1 == *cmp.
 * Returns woken + moved as the Linux call does (FUTEX_REQUEUE: woken only counts as Linux
 * documents). */
int futex_requeue(const struct futex_key *key1, const uint32_t *uaddr1,
	const struct futex_key *key2, int nwake, int nmove, const uint32_t *cmp, bool count_moved);
/* FUTEX_WAKE_OP: encoded op on *uaddr2, wakes. -EFAULT, -ENOSYS. */
int futex_wake_op(const struct futex_key *key1, const struct futex_key *key2, uint32_t *uaddr2,
	int nwake1, int nwake2, uint32_t op);

/* Priority-inheritance futexes (ownership and hand-off as Linux; boosting is the scheduler's
 * matter). */
int futex_lock_pi(
	const struct futex_key *key, uint32_t *uaddr, uint32_t tid, uint64_t deadline, bool try);
int futex_unlock_pi(const struct futex_key *key, uint32_t *uaddr, uint32_t tid);
/*
 * FUTEX_WAIT_REQUEUE_PI: waits on key1 as futex_wait does, to be moved to key2, a PI futex. 0:
 * holds the PI futex. -EAGAIN too when woken by a plain futex_wake; the caller's C library takes
 * the lock.
 */
int futex_wait_requeue_pi(const struct futex_key *key1, const uint32_t *uaddr1, uint32_t expected,
	uint32_t bitset, uint64_t deadline, const struct futex_key *key2, uint32_t *uaddr2,
	uint32_t tid);
/* FUTEX_CMP_REQUEUE_PI: gives uaddr2 to the first waiter if it is free, moves the others. Woken +
 * moved. */
int futex_requeue_pi(const struct futex_key *key1, const uint32_t *uaddr1,
	const struct futex_key *key2, uint32_t *uaddr2, int nmove, uint32_t cmp);

/* futex_waitv(2): the index of one that was woken, or as futex_wait. count >= 1. -ENOMEM. */
struct futex_wait_one {
	struct futex_key key;
	const uint32_t *uaddr;
	uint32_t expected;
};
int futex_wait_many(const struct futex_wait_one *wait, unsigned count, uint64_t deadline);
void futex_init(void);
