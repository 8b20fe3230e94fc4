/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/sched/futex.c $(HOST_MUTEX) */
/* flags: -Wno-unknown-warning-option -Wno-tsan */
#include "t.h"
#include "sched_shim.h"
#include "heap_host.h"
#include "sched/futex.h"
#include "sched/timer.h"
#include "abi/errno.h"

/* A deadline is either never or long ago: no timers needed. */
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = deadline;
}
void sleep_timer_stop(struct sleep_timer *s)
{
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return s->deadline != UINT64_MAX && clock_now() >= s->deadline;
}
int user_load_u32(const uint32_t *p, uint32_t *v)
{
	*v = __atomic_load_n(p, __ATOMIC_SEQ_CST);
	return 0;
}
int user_cas_u32(uint32_t *p, uint32_t *expected, uint32_t desired)
{
	atomic_cas(p, expected, desired);
	return 0;
}

#define ANY   0xffffffffu
#define NEVER UINT64_MAX

static uint32_t word, word2;
static struct futex_key key = { 1, 0x1000 }, key2 = { 1, 0x2000 };
static atomic_int count;

static void init(void)
{
	static bool done;

	if (!done)
		futex_init();
	done = true;
	word = word2 = 0;
	atomic_store(&count, 0);
}

TEST(futex_returns_at_once)
{
	init();
	CHECK_EQ(futex_wait(&key, &word, 1, ANY, NEVER), -EAGAIN);
	CHECK_EQ(futex_wait(&key, &word, 0, ANY, 1), -ETIMEDOUT);
	CHECK_EQ(futex_wake(key.object, key.offset, 1, ANY), 0);
}

static void wait_once(void *arg)
{
	CHECK_EQ(futex_wait(&key, &word, 0, (uint32_t)(long)arg, NEVER), 0);
	atomic_fetch_add(&count, 1);
}

static void await(int n)
{
	while (atomic_load(&count) < n)
		usleep(1000);
}

/* Wakes until n were there to be woken. */
static void wake_exactly(int n, uint32_t bitset)
{
	while (n > 0) {
		n -= futex_wake(key.object, key.offset, n, bitset);
		usleep(100);
	}
}

TEST(futex_bitset)
{
	struct shim_thread a, b;

	init();
	shim_start(&a, wait_once, (void *)1l, 0);
	shim_start(&b, wait_once, (void *)2l, 1);
	wake_exactly(1, 2);
	await(1);
	shim_join(&b);
	CHECK_EQ(futex_wake(key.object, key.offset, 1, 4), 0);
	wake_exactly(1, ANY);
	shim_join(&a);
}

TEST(futex_requeue)
{
	struct shim_thread t[3];
	uint32_t zero = 0, one = 1;
	int total = 0;

	init();
	for (int i = 0; i < 3; i++)
		shim_start(&t[i], wait_once, (void *)(long)ANY, i);
	CHECK_EQ(futex_requeue(&key, &word, &key2, 1, 9, &one, true), -EAGAIN);
	while (total < 3) {
		total += futex_requeue(&key, &word, &key2, 0, 9, &zero, true);
		usleep(100);
	}
	CHECK_EQ(total, 3);
	CHECK_EQ(futex_wake(key.object, key.offset, 9, ANY), 0);
	CHECK_EQ(futex_wake(key2.object, key2.offset, 9, ANY), 3);
	for (int i = 0; i < 3; i++)
		shim_join(&t[i]);
}

TEST(futex_wake_op)
{
	init();
	word2 = 5;
	/* *word2 += 3; compare old == 5 */
	CHECK_EQ(futex_wake_op(&key, &key2, &word2, 1, 1, 1u << 28 | 0u << 24 | 3u << 12 | 5), 0);
	CHECK_EQ(word2, 8);
	/* *word2 |= 1 << 8 */
	CHECK_EQ(futex_wake_op(&key, &key2, &word2, 1, 1, (2u | 8u) << 28 | 8u << 12), 0);
	CHECK_EQ(word2, 8 | 256);
	CHECK_EQ(futex_wake_op(&key, &key2, &word2, 1, 1, 7u << 28), -ENOSYS);
}

/* A mutex as a C library makes it: 0 free, 1 held, 2 held and wanted. */
static long protected;

static void libc_mutex(void *arg)
{
	for (int i = 0; i < 5000; i++) {
		uint32_t free = 0;

		if (!atomic_cas(&word, &free, 1))
			while (atomic_xchg(&word, 2) != 0)
				futex_wait(&key, &word, 2, ANY, NEVER);
		protected++;
		if (atomic_xchg(&word, 0) == 2)
			futex_wake(key.object, key.offset, 1, ANY);
	}
}

TEST(futex_as_mutex)
{
	struct shim_thread t[4];

	init();
	protected = 0;
	for (int i = 0; i < 4; i++)
		shim_start(&t[i], libc_mutex, NULL, i);
	for (int i = 0; i < 4; i++)
		shim_join(&t[i]);
	CHECK_EQ(protected, 20000);
}

static void pi_mutex(void *arg)
{
	uint32_t tid = host_current->id;

	for (int i = 0; i < 3000; i++) {
		uint32_t v = 0;

		if (!atomic_cas(&word, &v, tid))
			CHECK_EQ(futex_lock_pi(&key, &word, tid, NEVER, false), 0);
		if ((load_relaxed(&word) & 0x3fffffff) != tid)
			T_FAIL("not the owner");
		protected++;
		v = tid;
		if (!atomic_cas(&word, &v, 0))
			CHECK_EQ(futex_unlock_pi(&key, &word, tid), 0);
	}
}

TEST(futex_pi)
{
	struct shim_thread t[4];

	init();
	protected = 0;
	for (int i = 0; i < 4; i++)
		shim_start(&t[i], pi_mutex, NULL, i);
	for (int i = 0; i < 4; i++)
		shim_join(&t[i]);
	CHECK_EQ(protected, 12000);
	CHECK_EQ(word, 0);
	word = 77;
	CHECK_EQ(futex_unlock_pi(&key, &word, 5), -EPERM);
	CHECK_EQ(futex_lock_pi(&key, &word, 77, NEVER, false), -EDEADLK);
	CHECK_EQ(futex_lock_pi(&key, &word, 5, NEVER, true), -EAGAIN);
	CHECK_EQ(futex_lock_pi(&key, &word, 5, 1, false), -ETIMEDOUT);
}

static void wait_pi(void *arg)
{
	CHECK_EQ(futex_wait_requeue_pi(&key, &word, 0, ANY, NEVER, &key2, &word2, host_current->id),
		0);
	CHECK_EQ(load_relaxed(&word2) & 0x3fffffff, host_current->id);
	protected++;
	CHECK_EQ(futex_unlock_pi(&key2, &word2, host_current->id), 0);
}

TEST(futex_requeue_pi)
{
	struct shim_thread t[3];
	int total = 0;

	init();
	protected = 0;
	for (int i = 0; i < 3; i++)
		shim_start(&t[i], wait_pi, NULL, i);
	while (total < 3) {
		int n = futex_requeue_pi(&key, &word, &key2, &word2, 9, 0);

		CHECK(n >= 0);
		total += n;
		usleep(100);
	}
	for (int i = 0; i < 3; i++)
		shim_join(&t[i]);
	CHECK_EQ(protected, 3);
	CHECK_EQ(word2, 0);
}

static void wait_two(void *arg)
{
	struct futex_wait_one w[2] = { { key, &word, 0 }, { key2, &word2, 0 } };

	CHECK_EQ(futex_wait_many(w, 2, NEVER), 1);
}

TEST(futex_wait_many)
{
	struct futex_wait_one w[2] = { { key, &word, 0 }, { key2, &word2, 1 } };
	struct shim_thread t;

	init();
	CHECK_EQ(futex_wait_many(w, 2, NEVER), -EAGAIN);
	CHECK_EQ(futex_wake(key.object, key.offset, 1, ANY), 0);
	T_EACH_ALLOC_FAILS({
		int err = futex_wait_many(w, 1, 1);

		CHECK_EQ(err, t_failing() ? -ENOMEM : -ETIMEDOUT);
	});
	shim_start(&t, wait_two, NULL, 0);
	while (!futex_wake(key2.object, key2.offset, 1, ANY))
		usleep(100);
	shim_join(&t);
}

static void wait_signal(void *arg)
{
	CHECK_EQ(futex_wait(&key, &word, 0, ANY, NEVER), -ERESTARTSYS);
}

TEST(futex_interrupt)
{
	struct shim_thread t;

	init();
	shim_start(&t, wait_signal, NULL, 0);
	usleep(2000);
	thread_interrupt(&t.thread);
	shim_join(&t);
	CHECK_EQ(futex_wake(key.object, key.offset, 1, ANY), 0);
}

/* A condition variable as a C library may make it: waiters are moved to the mutex, some give up. */
#define ITEMS	  40000
#define CONSUMERS 4
static long items, eaten; /* under the mutex */

static void lock(void)
{
	uint32_t free = 0;

	if (!atomic_cas(&word, &free, 1))
		while (atomic_xchg(&word, 2) != 0)
			futex_wait(&key, &word, 2, ANY, NEVER);
}

/* Somebody may have been moved here: from now on there may be waiters. */
static void lock_again(void)
{
	while (atomic_xchg(&word, 2) != 0)
		futex_wait(&key, &word, 2, ANY, NEVER);
}

static void unlock(void)
{
	if (atomic_xchg(&word, 0) == 2)
		futex_wake(key.object, key.offset, 1, ANY);
}

static void consumer(void *arg)
{
	unsigned turn = (unsigned)(long)arg;

	lock();
	for (;;) {
		while (!items && eaten < ITEMS) {
			uint32_t seq = load_relaxed(&word2);
			int err;

			unlock();
			err = futex_wait(&key2, &word2, seq, ANY, turn++ % 3 ? NEVER : 1);
			if (err == -ERESTARTSYS)
				atomic_and(&host_current->flags, ~THREAD_SIGNAL);
			lock_again();
		}
		if (!items)
			break;
		items--;
		if (++eaten == ITEMS) { /* the others go home */
			atomic_add(&word2, 1);
			futex_wake(key2.object, key2.offset, CONSUMERS, ANY);
		}
	}
	unlock();
}

TEST(futex_condvar_with_requeue)
{
	struct shim_thread t[CONSUMERS];

	init();
	items = eaten = 0;
	for (int i = 0; i < CONSUMERS; i++)
		shim_start(&t[i], consumer, (void *)(long)i, i);
	for (int i = 0; i < ITEMS; i++) {
		uint32_t seq;

		lock();
		items++;
		seq = atomic_add(&word2, 1) + 1;
		CHECK(futex_requeue(&key2, &word2, &key, 1, CONSUMERS, &seq, true) >= 0 ||
			load_relaxed(&word2) != seq);
		unlock();
		if (i % 128 == 0)
			thread_interrupt(&t[i / 128 % CONSUMERS].thread);
	}
	for (int i = 0; i < CONSUMERS; i++)
		shim_join(&t[i]);
	CHECK_EQ(items, 0);
	CHECK_EQ(eaten, ITEMS);
	CHECK_EQ(futex_wake(key2.object, key2.offset, CONSUMERS, ANY), 0);
}
