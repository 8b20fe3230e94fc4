/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/sched/rcu.c $(HOST_MUTEX) src/sched/wait.c */
/* flags: -Wno-unknown-warning-option -Wno-tsan */
/*
 * Each test thread plays a CPU: it reads, replaces, and between sections comes by its "scheduling
 * decision" as the kernel does, when it is asked or when it goes to sleep. AddressSanitizer and
 * ThreadSanitizer see a free that comes too early.
 */
#include "t.h"
#include "rcu_host.h"

#define SLOTS 8

struct item {
	struct rcu_node rcu;
	long value, twice;
};
static struct item *slot[SLOTS];
static atomic_long made, gone;

static struct item *make_item(long value)
{
	struct item *it = malloc(sizeof(*it));

	it->value = value;
	it->twice = 2 * value;
	atomic_fetch_add(&made, 1);
	return it;
}

static void free_item(struct rcu_node *n)
{
	struct item *it = container_of(n, struct item, rcu);

	it->value = it->twice = -1;
	free(it);
	atomic_fetch_add(&gone, 1);
}

static void await_frees(long count)
{
	while (atomic_load(&gone) != count)
		usleep(1000);
}

static int rounds = 4000;

static void read_and_replace(void *arg)
{
	long self = (long)arg;

	sleeping(false);
	for (int i = 0; i < rounds; i++) {
		struct item *it;

		rcu_read_lock();
		it = rcu_load(&slot[(i + self) % SLOTS]);
		if (it && it->twice != 2 * it->value)
			T_FAIL("read what was freed");
		if (i % 64 == 0)
			sched_yield();
		if (it && it->twice != 2 * it->value)
			T_FAIL("freed while it was read");
		rcu_read_unlock();
		come_by();
		if (i % 4 == self) {
			it = atomic_xchg(&slot[i % SLOTS], make_item(i));
			if (it)
				rcu_call(&it->rcu, free_item);
		}
		if (i % 512 == self) { /* wait as a writer may that frees by itself */
			it = atomic_xchg(&slot[i % SLOTS], NULL);
			rcu_synchronize();
			if (it)
				free_item(&it->rcu);
		}
	}
	sleeping(true);
}

TEST(rcu_readers_and_writers)
{
	struct shim_thread t[CPUS];
	long left = 0;

	rcu_host_init();
	for (int i = 0; i < CPUS; i++)
		shim_start(&t[i], read_and_replace, (void *)(long)i, i);
	for (int i = 0; i < CPUS; i++)
		shim_join(&t[i]);
	for (int i = 0; i < SLOTS; i++)
		left += slot[i] != NULL;
	await_frees(atomic_load(&made) - left);
	for (int i = 0; i < SLOTS; i++)
		if (slot[i])
			free_item(&slot[i]->rcu);
}

/* A section holds up the free until it ends, and an idle CPU does not. */
static atomic_int inside, leave;

static void stay_inside(void *arg)
{
	sleeping(false);
	rcu_read_lock();
	atomic_store(&inside, 1);
	while (!atomic_load(&leave))
		usleep(100);
	rcu_read_unlock();
	atomic_store(&inside, 0);
	come_by();
	sleeping(true);
}

static void synchronize(void *arg)
{
	sleeping(false);
	rcu_synchronize();
	if (atomic_load(&inside))
		T_FAIL("did not wait for the section");
	atomic_store((atomic_int *)arg, 1);
	sleeping(true);
}

TEST(rcu_waits_for_sections)
{
	struct shim_thread reader, writer;
	atomic_int done = 0;

	rcu_host_init();
	shim_start(&reader, stay_inside, NULL, 0);
	while (!atomic_load(&inside))
		usleep(100);
	shim_start(&writer, synchronize, &done, 1);
	usleep(20000);
	CHECK_EQ(atomic_load(&done), 0);
	atomic_store(&leave, 1);
	shim_join(&writer);
	shim_join(&reader);
	CHECK_EQ(atomic_load(&done), 1);
}

/* While one CPU does not come by, the others may defer so much and no more. */
static atomic_long deferred;

static void defer_many(void *arg)
{
	sleeping(false);
	for (unsigned i = 0; i < RCU_LIMIT + 500; i++) {
		rcu_call(&make_item(i)->rcu, free_item);
		atomic_fetch_add(&deferred, 1);
		come_by();
	}
	sleeping(true);
}

TEST(rcu_backlog_is_bounded)
{
	struct shim_thread reader, writer;
	struct rcu_stats before, after;

	rcu_host_init();
	atomic_store(&leave, 0);
	atomic_store(&made, 0);
	atomic_store(&gone, 0);
	rcu_stats(&before);
	shim_start(&reader, stay_inside, NULL, 0);
	while (!atomic_load(&inside))
		usleep(100);
	shim_start(&writer, defer_many, NULL, 1);
	while (atomic_load(&deferred) < RCU_LIMIT - 1) /* the next one has to wait */
		usleep(1000);
	usleep(20000);
	CHECK_EQ(atomic_load(&deferred), RCU_LIMIT - 1);
	CHECK_EQ(atomic_load(&gone), 0);
	atomic_store(&leave, 1);
	shim_join(&writer);
	shim_join(&reader);
	await_frees(RCU_LIMIT + 500);
	rcu_stats(&after);
	CHECK_EQ(after.called - before.called, RCU_LIMIT + 500);
	CHECK(after.throttled > before.throttled);
}
