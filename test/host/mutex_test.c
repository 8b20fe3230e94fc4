/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/sched/mutex.c src/sched/lock_class.c src/sched/rwlock.c src/sched/wait.c */
/* flags: -Wno-unknown-warning-option -Wno-tsan */
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
static struct rwlock rw;
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

static void read_and_write(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		if (i % 4 == (long)arg % 4) {
			write_lock(&rw);
			if (atomic_fetch_add(&inside, 1000))
				T_FAIL("writer beside others");
			shared++;
			atomic_fetch_sub(&inside, 1000);
			write_unlock(&rw);
		} else {
			read_lock(&rw);
			if (atomic_fetch_add(&inside, 1) >= 1000)
				T_FAIL("reader beside writer");
			atomic_fetch_sub(&inside, 1);
			read_unlock(&rw);
		}
	}
}

TEST(rwlock)
{
	rwlock_init(&rw, "test.rw");
	shared = 0;
	run(read_and_write, THREADS);
	CHECK_EQ(shared, THREADS * 750);
	CHECK(!rw.readers && !rw.writer && !rw.head);
}

static struct wait_queue queue;
static int items;

static bool take_item(void)
{
	bool taken;

	mutex_lock(&lock);
	taken = items > 0;
	items -= taken;
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
	wait_wake_one(&queue, 1);
	CHECK_EQ(atomic_exchange(&woken, 0), 2); /* the shared one, the first exclusive one */
	wait_wake_all(&queue, 4);
	CHECK_EQ(atomic_exchange(&woken, 0), 4);
	for (int i = 0; i < 4; i++) {
		wait_remove(&e[i]);
		wait_remove(&e[i]);
	}
	CHECK(!wait_active(&queue));
}
