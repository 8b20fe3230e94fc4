/* SPDX-License-Identifier: BSD-2-Clause */
/* futex(2), futex_waitv(2), robust lists, membarrier(2): arguments; sched/futex.c does the work. */

#include "sched/futex.h"
#include "abi/futex.h"
#include "abi/time.h"
#include "mem/heap.h"
#include "process/process.h"
#include "sched/clock.h"
#include "sched/wait.h"
#include "syscall/syscall.h"
#include "syscall/time_util.h"
#include "vm/vm.h"

/* Private words are known by address, shared ones by the object that is mapped there. */
static int make_key(struct futex_key *key, const uint32_t *uaddr, bool private)
{
	struct vm_space *vm = process_current()->vm;

	if ((uintptr_t)uaddr % sizeof(uint32_t))
		return -EINVAL;
	if (!user_range_ok(uaddr, sizeof(uint32_t)))
		return -EFAULT;
	if (!private)
		return vm_object_key(vm, (uintptr_t)uaddr, &key->object, &key->offset);
	key->object = (uint64_t)vm;
	key->offset = (uint64_t)uaddr;
	return 0;
}

/* restart_syscall(2): word, expected << 32 | bitset, deadline, private */
static long wait_restart(struct task *t);

static long do_wait(
	uint32_t *uaddr, uint32_t expected, uint32_t bitset, uint64_t deadline, bool private)
{
	struct futex_key key;
	struct task *t = task_current();
	int err;

	if (!bitset)
		return -EINVAL;
	err = make_key(&key, uaddr, private);
	if (err)
		return err;
	err = futex_wait(&key, uaddr, expected, bitset, deadline);
	if (err != -ERESTARTSYS || deadline == WAIT_FOREVER)
		return err;
	t->restart.fn = wait_restart;
	t->restart.arg[0] = (uint64_t)uaddr;
	t->restart.arg[1] = (uint64_t)expected << 32 | bitset;
	t->restart.arg[2] = deadline;
	t->restart.arg[3] = private;
	return -ERESTART_RESTARTBLOCK;
}

static long wait_restart(struct task *t)
{
	return do_wait((uint32_t *)t->restart.arg[0], t->restart.arg[1] >> 32, t->restart.arg[1],
		t->restart.arg[2], t->restart.arg[3]);
}

/*
 * An owner that does not exist will never unlock. One that has unlocked and ended between our two
 * looks, at the word and for its owner, is none: then the word has changed.
 */
static int check_owner(uint32_t *uaddr)
{
	uint32_t value, again;
	int err = user_load_u32(uaddr, &value);

	while (!err && value & FUTEX_TID_MASK) {
		struct task *owner = task_find(value & FUTEX_TID_MASK);

		if (owner) {
			task_put(owner);
			return 0;
		}
		err = user_load_u32(uaddr, &again);
		if (!err && again == value)
			return -ESRCH;
		value = again;
	}
	return err;
}

/*
 * Deadlock over several futexes: the owner of the word waits for another whose owner waits, and so
 * on back to us. Everybody says what he wants before he looks, with a full barrier between, so the
 * last one to close a circle sees all of it (two that come last at the same moment may both see
 * it).
 *
 * What is seen link by link was not true at one moment. So two walks must agree: then each task of
 * the chain was in the same call throughout, which it cannot have left or unlocked anything in, and
 * between the walks all links held together. Only FUTEX_LOCK_PI of one process is followed.
 */
#define PI_CHAIN_MAX 1024 /* as Linux: a longer one counts as a circle */

/* True if the chain of owners leads back to this task; *trace tells chains apart. */
static bool pi_walk(const uint32_t *word, uint64_t *trace)
{
	const struct task *self = task_current();

	*trace = 0;
	for (unsigned n = 0; n < PI_CHAIN_MAX; n++) {
		uint32_t value, tid, waits, *wanted;
		struct task *owner;
		bool ours;

		if (user_load_u32(word, &value))
			return false;
		tid = value & FUTEX_TID_MASK;
		if (tid == self->thread.id)
			return true;
		owner = tid ? task_find(tid) : NULL;
		if (!owner)
			return false;
		ours = owner->process == self->process;
		waits = load_acquire(&owner->pi_waits);
		wanted = load_acquire(&owner->pi_word);
		if (load_relaxed(&owner->pi_waits) != waits)
			waits = 0;
		task_put(owner);
		/* what he wants may be his already, by the unlock of the one before him */
		if (!ours || waits % 2 == 0 || wanted == word)
			return false;
		word = wanted;
		*trace = (*trace ^ tid) * 0x9e3779b97f4a7c15ull + waits;
	}
	return true;
}

static bool pi_deadlock(const uint32_t *word)
{
	uint64_t first, second;

	return pi_walk(word, &first) && pi_walk(word, &second) && first == second;
}

static long lock_pi(uint32_t *uaddr, uint64_t deadline, bool private, bool try)
{
	struct task *t = task_current();
	struct futex_key key;
	int err = make_key(&key, uaddr, private);

	if (!err)
		err = check_owner(uaddr);
	if (err)
		return err;
	if (try)
		return futex_lock_pi(&key, uaddr, t->thread.id, deadline, true);
	store_release(&t->pi_word, uaddr);
	atomic_add(&t->pi_waits, 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	err = pi_deadlock(uaddr) ? -EDEADLK
				 : futex_lock_pi(&key, uaddr, t->thread.id, deadline, false);
	atomic_add(&t->pi_waits, 1);
	return err;
}

static long two_words(int command, uint32_t *uaddr1, uint32_t *uaddr2, uint32_t n1, uint32_t n2,
	uint32_t value3, bool private)
{
	struct futex_key key1, key2;
	int err = make_key(&key1, uaddr1, private);

	if (!err)
		err = make_key(&key2, uaddr2, private);
	if (err)
		return err;
	switch (command) {
	case FUTEX_WAKE_OP:
		return futex_wake_op(
			&key1, &key2, uaddr2, MAX((int)n1, 1), MAX((int)n2, 1), value3);
	case FUTEX_CMP_REQUEUE_PI:
		if (n1 != 1 || (int)n2 < 0 || uaddr1 == uaddr2)
			return -EINVAL;
		return futex_requeue_pi(&key1, uaddr1, &key2, uaddr2, n2, value3);
	default:
		if ((int)n1 < 0 || (int)n2 < 0)
			return -EINVAL;
		return futex_requeue(&key1, uaddr1, &key2, n1, n2,
			command == FUTEX_CMP_REQUEUE ? &value3 : NULL, true);
	}
}

static long wait_requeue_pi(uint32_t *uaddr1, uint32_t expected, uint32_t bitset, uint64_t deadline,
	uint32_t *uaddr2, bool private)
{
	struct futex_key key1, key2;
	int err;

	if (!bitset)
		return -EINVAL;
	err = make_key(&key1, uaddr1, private);
	if (!err)
		err = make_key(&key2, uaddr2, private);
	return err ? err
		   : futex_wait_requeue_pi(&key1, uaddr1, expected, bitset, deadline, &key2, uaddr2,
			     thread_current()->id);
}

static bool has_timeout(int command)
{
	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
	       command == FUTEX_LOCK_PI2 || command == FUTEX_WAIT_REQUEUE_PI;
}

/* FUTEX_WAIT gives a duration, the others a point of time; FUTEX_LOCK_PI always of the real clock.
 */
static int get_deadline(int op, const struct timespec *uts, uint64_t *deadline)
{
	int command = op & FUTEX_CMD_MASK;
	struct timespec ts;
	uint64_t ns;

	*deadline = WAIT_FOREVER;
	if (!uts || !has_timeout(command))
		return 0;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_to_ns(&ts);
	if (command == FUTEX_WAIT)
		*deadline = clock_now() + ns;
	else
		*deadline = deadline_of_clock(
			ns, command == FUTEX_LOCK_PI || op & FUTEX_CLOCK_REALTIME);
	return 0;
}

static __noinline long futex_any(uint32_t *uaddr, int op, uint32_t val,
	const struct timespec *timeout, uint32_t *uaddr2, uint32_t val3)
{
	int command = op & FUTEX_CMD_MASK, err;
	bool private = op & FUTEX_PRIVATE_FLAG;
	uint32_t val2 = (uintptr_t)timeout;
	struct futex_key key;
	uint64_t deadline;

	if (command == FUTEX_WAKE) {
		val3 = FUTEX_BITSET_MATCH_ANY;
	} else {
		err = get_deadline(op, timeout, &deadline);
		if (err)
			return err;
	}
	if (op & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET &&
		command != FUTEX_WAIT_REQUEUE_PI && command != FUTEX_LOCK_PI2)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT: return do_wait(uaddr, val, FUTEX_BITSET_MATCH_ANY, deadline, private);
	case FUTEX_WAIT_BITSET: return do_wait(uaddr, val, val3, deadline, private);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		if (!val3)
			return -EINVAL;
		err = make_key(&key, uaddr, private);
		return err ? err : futex_wake(key.object, key.offset, MAX((int)val, 1), val3);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
	case FUTEX_CMP_REQUEUE_PI:
		return two_words(command, uaddr, uaddr2, val, val2, val3, private);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2: return lock_pi(uaddr, deadline, private, false);
	case FUTEX_TRYLOCK_PI: return lock_pi(uaddr, WAIT_FOREVER, private, true);
	case FUTEX_UNLOCK_PI:
		err = make_key(&key, uaddr, private);
		return err ? err : futex_unlock_pi(&key, uaddr, thread_current()->id);
	case FUTEX_WAIT_REQUEUE_PI:
		return wait_requeue_pi(uaddr, val, val3, deadline, uaddr2, private);
	default: return -ENOSYS;
	}
}

/* A private wait for any bit, without a timeout: by glibc's mutexes, or its condition variables. */
static inline bool waits_plainly(int op, const struct timespec *timeout, uint32_t val3)
{
	return !timeout &&
	       (op == (FUTEX_WAIT | FUTEX_PRIVATE_FLAG) ||
		       ((op & ~FUTEX_CLOCK_REALTIME) == (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG) &&
			       val3 == FUTEX_BITSET_MATCH_ANY));
}

/*
 * The commonest call is a private wake with nobody there: straight to it, in a function that needs
 * no stack; then the plain waits. An address that is no good goes the long way, to its error.
 */
SYSCALL_DEFINE6(futex, uint32_t *, uaddr, int, op, uint32_t, val, const struct timespec *, timeout,
	uint32_t *, uaddr2, uint32_t, val3)
{
	if (unlikely((uintptr_t)uaddr % sizeof(uint32_t)) || unlikely((uintptr_t)uaddr >= USER_MAX))
		return futex_any(uaddr, op, val, timeout, uaddr2, val3);
	if (likely(op == (FUTEX_WAKE | FUTEX_PRIVATE_FLAG)))
		return futex_wake((uint64_t)process_current()->vm, (uint64_t)uaddr,
			MAX((int)val, 1), FUTEX_BITSET_MATCH_ANY);
	if (likely(waits_plainly(op, timeout, val3)))
		return futex_wait_plain(
			(uint64_t)process_current()->vm, (uint64_t)uaddr, uaddr, val);
	return futex_any(uaddr, op, val, timeout, uaddr2, val3);
}

static int waitv_copy(
	struct futex_wait_one *out, const struct futex_waitv *uwaiters, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct futex_waitv w;
		int err;

		if (copy_from_user(&w, &uwaiters[i], sizeof(w)))
			return -EFAULT;
		if (w.flags & ~(FUTEX_32 | FUTEX_PRIVATE_FLAG) || w.__reserved ||
			!(w.flags & FUTEX_32))
			return -EINVAL;
		out[i].uaddr = (const uint32_t *)w.uaddr;
		out[i].expected = w.val;
		err = make_key(&out[i].key, out[i].uaddr, w.flags & FUTEX_PRIVATE_FLAG);
		if (err)
			return err;
	}
	return 0;
}

SYSCALL_DEFINE5(futex_waitv, const struct futex_waitv *, uwaiters, unsigned, count, unsigned, flags,
	const struct timespec *, utimeout, int, clockid)
{
	uint64_t deadline = WAIT_FOREVER;
	struct futex_wait_one *wait;
	long ret;

	if (flags || !count || count > FUTEX_WAITV_MAX || !uwaiters)
		return -EINVAL;
	if (utimeout) {
		struct timespec ts;

		if (clockid != CLOCK_REALTIME && clockid != CLOCK_MONOTONIC)
			return -EINVAL;
		if (copy_from_user(&ts, utimeout, sizeof(ts)))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = deadline_of_clock(timespec_to_ns(&ts), clockid == CLOCK_REALTIME);
	}
	wait = heap_alloc(count * sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	ret = waitv_copy(wait, uwaiters, count);
	if (!ret)
		ret = futex_wait_many(wait, count, deadline);
	heap_free(wait);
	return ret;
}

SYSCALL_DEFINE2(set_robust_list, void *, head, size_t, len)
{
	struct task *t = task_current();

	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	t->robust_list = head;
	t->robust_list_len = len;
	return 0;
}

SYSCALL_DEFINE3(get_robust_list, int, tid, void **, uhead, size_t *, ulen)
{
	struct task *t = tid ? task_find(tid) : task_current();
	void *head;

	if (!t)
		return -ESRCH;
	head = t->robust_list;
	if (tid)
		task_put(t);
	if (put_user(sizeof(struct robust_list_head), ulen) || put_user(head, uhead))
		return -EFAULT;
	return 0;
}

/*
 * Nothing needs to be registered, as an interrupt to all is what every form does; and an interrupt
 * returns by iret, which makes new code visible, so SYNC_CORE holds too.
 */
SYSCALL_DEFINE3(membarrier, int, command, unsigned, flags, int, cpu)
{
	if (flags)
		return -EINVAL;
	switch (command) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |
		       MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
		       MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: return 0;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE: sched_barrier(); return 0;
	default: return -EINVAL;
	}
}
