/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: $(HOST_MUTEX) src/sched/wait.c */
/* flags: -include test/host/stall.h -Wno-unknown-warning-option -Wno-tsan */
#include "t.h"
#include "sched_shim.h"
#include "sched/mutex.h"
#include "sched/wait.h"

/* sched/wait.c is linked without its timers here. */
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
}
void sleep_timer_stop(struct sleep_timer *s)
{
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return false;
}

#define THREADS 4
#define ROUNDS	20000

static struct mutex lock;
static long shared;
static atomic_int inside;

static void run(void (*fn)(void *), int threads)
{
	struct shim_thread t[8];

	for (int i = 0; i < threads; i++)
		shim_start(&t[i], fn, (void *)(long)i, i);
	for (int i = 0; i < threads; i++)
		shim_join(&t[i]);
}

static void count_up(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		mutex_lock(&lock);
		if (!mutex_held(&lock))
			T_FAIL("not held");
		shared++;
		mutex_unlock(&lock);
		if (mutex_held(&lock))
			T_FAIL("still held");
	}
}

TEST(mutex_excludes)
{
	mutex_init(&lock, "test.lock");
	shared = 0;
	run(count_up, THREADS);
	CHECK_EQ(shared, THREADS * ROUNDS);
	CHECK_EQ(lock.count, 0);
	CHECK(!lock.pushed && !lock.popped);
}

/* Gives the others time to queue, so that hand-overs and tokens both happen. */
static void hold_long(void *arg)
{
	for (int i = 0; i < 300; i++) {
		mutex_lock(&lock);
		if (atomic_fetch_add(&inside, 1))
			T_FAIL("two holders");
		if (i % 3 == 0)
			sched_yield();
		atomic_fetch_sub(&inside, 1);
		mutex_unlock(&lock);
	}
}

TEST(mutex_hand_over)
{
	mutex_init(&lock, "test.lock");
	run(hold_long, 8);
	CHECK_EQ(lock.count, 0);
}

static void try_often(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		if ((long)arg % 2 ? mutex_trylock(&lock) : (mutex_lock(&lock), true)) {
			shared++;
			mutex_unlock(&lock);
		} else {
			atomic_fetch_add(&inside, 1);
		}
}

TEST(mutex_trylock)
{
	mutex_init(&lock, "test.lock");
	shared = 0;
	atomic_store(&inside, 0);
	run(try_often, THREADS);
	CHECK_EQ(shared + atomic_load(&inside), THREADS * ROUNDS);
	CHECK(mutex_trylock(&lock));
	CHECK(!mutex_trylock(&lock));
	mutex_unlock(&lock);
	atomic_store(&inside, 0);
}

/* A ring of one item: who puts and who takes wait for each other on one condvar. */
static struct condvar changed;
static int filled, took[THREADS];

static void put_or_take(void *arg)
{
	long self = (long)arg;

	for (int i = 0; i < 3000; i++) {
		mutex_lock(&lock);
		while (filled == (int)(self % 2 == 0))
			condvar_wait(&changed, &lock);
		if (!mutex_held(&lock))
			T_FAIL("not held after a wait");
		filled = self % 2 == 0;
		took[self]++;
		condvar_wake_all(&changed, &lock);
		mutex_unlock(&lock);
	}
}

TEST(condvar_producers_consumers)
{
	mutex_init(&lock, "test.lock");
	memset(took, 0, sizeof(took));
	run(put_or_take, THREADS);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(took[i], 3000);
	CHECK_EQ(filled, 0);
	CHECK_EQ(lock.count, 0);
	CHECK(!lock.pushed && !lock.popped && !changed.first);
}

/* All wait before the first is let go, again and again: a barrier, with threads that only lock. */
static int arrived, generation;

static void meet(void *arg)
{
	for (int i = 0; i < 500; i++) {
		int mine;

		mutex_lock(&lock);
		shared++;
		if ((long)arg < THREADS) {
			mine = generation;
			if (++arrived == THREADS) {
				arrived = 0;
				generation++;
				condvar_wake_all(&changed, &lock);
			}
			while (mine == generation)
				condvar_wait(&changed, &lock);
		}
		mutex_unlock(&lock);
	}
}

TEST(condvar_wakes_all)
{
	mutex_init(&lock, "test.lock");
	shared = arrived = generation = 0;
	run(meet, 8);
	CHECK_EQ(generation, 500);
	CHECK_EQ(shared, 8 * 500);
	CHECK_EQ(lock.count, 0);
}

/* --- who waited is counted --- */

static struct {
	int before;
	struct mutex one[3];
} in_storage;
LOCK_CLASS_OF(in_storage, "test.in_storage");
static DEFINE_MUTEX(defined_lock);
static struct mutex classless;

static struct lock_stats stats_of(const char *name)
{
	struct lock_stats s;

	for (unsigned i = 0; lock_class_read(i, &s); i++)
		if (strcmp(s.name, name) == 0)
			return s;
	T_FAIL("no class %s", name);
	return s;
}

static void wait_for(void *arg)
{
	mutex_lock(arg);
	mutex_unlock(arg);
}

/* One thread waits for m for a known time at least. */
static void one_wait(struct mutex *m, const char *name)
{
	struct lock_stats before = stats_of(name), after;
	struct shim_thread t;
	uint64_t since;

	mutex_lock(m);
	shim_start(&t, wait_for, m, 3);
	while (__atomic_load_n(&m->count, __ATOMIC_SEQ_CST) == 1)
		usleep(100);
	/* It is counted from here on at the latest, if it has read the clock: it has, once asleep.
	 */
	while (__atomic_load_n(&t.thread.state, __ATOMIC_SEQ_CST) != STATE_ASLEEP)
		usleep(100);
	since = clock_now();
	usleep(3000);
	since = clock_now() - since;
	mutex_unlock(m);
	shim_join(&t);
	after = stats_of(name);
	CHECK_EQ(after.waits, before.waits + 1);
	CHECK_EQ(after.tokens, before.tokens);
	CHECK(after.wait_ns >= before.wait_ns + since);
	CHECK(after.longest_ns >= since);
	CHECK(after.longest_ns <= after.wait_ns);
	wait_for(m); /* nobody is in the way: nothing is counted */
	CHECK_EQ(stats_of(name).waits, after.waits);
}

TEST(lock_class_counts)
{
	static struct mutex initialised;

	cpu_online_count = THREADS;
	mutex_init(&initialised, "test.initialised");
	one_wait(&initialised, "test.initialised");
	one_wait(&initialised, "test.initialised");
	one_wait(&defined_lock, "defined_lock");
	one_wait(&in_storage.one[0], "test.in_storage");
	one_wait(&in_storage.one[2], "test.in_storage");
	one_wait(&classless, "other");
	CHECK_EQ(stats_of("test.initialised").waits, 2);
	cpu_online_count = 1;
}

/* Each thread is a CPU and counts on its own: nothing is lost. */
static void count_slow(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (!mutex_trylock(&defined_lock)) {
			mutex_lock(&defined_lock);
			shared++; /* at least found taken, though perhaps free a moment later */
		}
		mutex_unlock(&defined_lock);
	}
}

TEST(lock_class_all_cpus)
{
	struct lock_stats before, after;

	shared = 0;
	cpu_online_count = THREADS;
	before = stats_of("defined_lock");
	run(count_slow, THREADS);
	after = stats_of("defined_lock");
	CHECK(after.waits - before.waits <= (uint64_t)shared);
	CHECK(after.tokens - before.tokens <= after.waits - before.waits);
	cpu_online_count = 1;
}

static struct wait_queue queue;
static int items;

static bool take_item(void)
{
	bool taken;

	mutex_lock(&lock);
	taken = items > 0;
	store_relaxed(&items, items - taken);
	mutex_unlock(&lock);
	return taken;
}

/* The condition takes a contended mutex: its sleep must not eat the queue's wake-up. */
static void consume(void *arg)
{
	for (int i = 0; i < 3000; i++)
		wait_event(&queue, take_item());
}

static void produce(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		mutex_lock(&lock);
		items++;
		mutex_unlock(&lock);
		wait_wake_all(&queue, 0);
	}
}

static void produce_or_consume(void *arg)
{
	((long)arg % 2 ? produce : consume)(arg);
}

TEST(wait_no_lost_wakeup)
{
	mutex_init(&lock, "test.lock");
	wait_init(&queue);
	run(produce_or_consume, THREADS);
	CHECK_EQ(items, 0);
	CHECK_EQ(queue.count, 0);
}

/* One wake-up for each thing, and takers that do not wait take things away from under the woken. */
static void consume_one_each(void *arg)
{
	for (int i = 0; i < 3000; i++)
		while (!take_item())
			if (i % 8)
				(void)wait_event_exclusive(
					&queue, 0, load_relaxed(&items) > 0, WAIT_FOREVER);
}

static void produce_one_each(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		mutex_lock(&lock);
		store_relaxed(&items, items + 1);
		mutex_unlock(&lock);
		wait_wake_one(&queue, 0);
	}
}

static void produce_or_consume_one_each(void *arg)
{
	((long)arg % 2 ? produce_one_each : consume_one_each)(arg);
}

TEST(wait_exclusive_no_lost_wakeup)
{
	mutex_init(&lock, "test.lock");
	wait_init(&queue);
	run(produce_or_consume_one_each, THREADS);
	CHECK_EQ(items, 0);
	CHECK_EQ(queue.count, 0);
}

/*
 * X4: who reads 'picked' goes, without the lock and without having been woken. Its entry's memory
 * is another's at once, so nothing of the waker's may come later, nor earlier in no order (TSan).
 * The thread lasts, as the waker has pinned it. The waker stops behind the store until the other
 * has gone.
 */
#define PICKS 3000
static struct wait_entry *next_picked;
static int entries_gone; /* relaxed, to order nothing */
static int picks;	 /* the waker's */

void stalled(const void *word)
{
	struct wait_entry *e = load_relaxed(&next_picked);

	if (!e || word != &e->picked)
		return;
	for (uint64_t until = clock_now() + 20 * NSEC_PER_SEC;
		load_relaxed(&entries_gone) <= picks;) {
		if (clock_now() > until) {
			T_FAIL("the lock is wanted to go");
			break;
		}
		sched_yield();
	}
}

static void be_picked_and_go(void *arg)
{
	for (int i = 0; i < PICKS; i++) {
		struct wait_entry *e = malloc(sizeof(*e));

		wait_entry_init(e, 0);
		store_relaxed(&next_picked, e);
		wait_add_exclusive(&queue, e);
		while (!wait_picked(e))
			sched_yield();
		CHECK(load_relaxed(&host_current->wakers) > 0);
		free(e);
		store_relaxed(&entries_gone, i + 1);
	}
}

static void pick_one_each(void *arg)
{
	while (picks < PICKS) {
		picks += wait_wake_one(&queue, 0);
		sched_yield();
	}
}

static void pick_or_be_picked(void *arg)
{
	(arg ? pick_one_each : be_picked_and_go)(arg);
}

TEST(wait_picked_goes_without_the_lock)
{
	wait_init(&queue);
	picks = entries_gone = 0;
	run(pick_or_be_picked, 2);
	next_picked = NULL;
	CHECK_EQ(queue.count, 0);
	CHECK(list_empty(&queue.waiters));
}

static bool never;

static void wait_interrupted(void *arg)
{
	CHECK_EQ(wait_event_interruptible(&queue, load_acquire(&never)), -ERESTARTSYS);
	CHECK_EQ(host_current->state, STATE_RUNNING);
}

TEST(wait_interrupt)
{
	struct shim_thread t;

	wait_init(&queue);
	shim_start(&t, wait_interrupted, NULL, 0);
	while (!wait_active(&queue))
		usleep(1000);
	wait_wake_all(&queue, 0); /* not enough */
	thread_interrupt(&t.thread);
	shim_join(&t);
}

static atomic_int woken;

static bool count_wake(struct wait_entry *e, uint32_t events)
{
	atomic_fetch_add(&woken, 1);
	return true;
}

TEST(wait_exclusive_and_events)
{
	struct wait_entry e[4] = { 0 };

	wait_init(&queue);
	for (int i = 0; i < 4; i++)
		e[i].fn = count_wake;
	e[3].events = 4;
	wait_add(&queue, &e[0]);
	wait_add_exclusive(&queue, &e[1]);
	wait_add_exclusive(&queue, &e[2]);
	wait_add(&queue, &e[3]);
	CHECK(wait_wake_one(&queue, 1));
	CHECK_EQ(atomic_exchange(&woken, 0), 2); /* the shared one, the first exclusive one */
	wait_pass_on(&queue, 1);
	CHECK_EQ(atomic_exchange(&woken, 0), 1); /* the first exclusive one */
	wait_wake_all(&queue, 4);
	CHECK_EQ(atomic_exchange(&woken, 0), 4);
	for (int i = 0; i < 4; i++) {
		wait_remove(&e[i]);
		wait_remove(&e[i]);
	}
	CHECK(!wait_active(&queue));
}
