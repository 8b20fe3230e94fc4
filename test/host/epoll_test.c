/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/file/epoll.c src/file/file.c $(HOST_MUTEX) src/sched/wait.c src/lib/rbtree.c */
/* flags: -DO_PATH=010000000 -Wno-unknown-warning-option -Wno-tsan */
/* The ready list among wakers and waiters, and sets and files that end at the same time. */
#include "t.h"
#include "sched_shim.h"
#include "heap_host.h"
#include "poll_host.h"
#include "uaccess_host.h"
#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "file/epoll.h"
#include "file/file.h"

#define NEVER UINT64_MAX

/* A file that counts. */
struct counter {
	struct wait_queue queue;
	long value; /* atomic */
};
static atomic_long live;

static uint32_t counter_poll(struct file *f, struct poll_table *table)
{
	struct counter *c = f->private;

	poll_wait(table, &c->queue);
	return __atomic_load_n(&c->value, __ATOMIC_SEQ_CST) ? POLLIN : 0;
}

static void counter_release(struct file *f)
{
	struct counter *c = f->private;

	CHECK_EQ(c->queue.count, 0); /* no epoll set is left on it */
	heap_free(c);
	atomic_fetch_sub(&live, 1);
}

static const struct file_ops counter_ops = { .poll = counter_poll, .release = counter_release };

static struct file *counter_create(void)
{
	struct counter *c = heap_alloc_zeroed(sizeof(*c));

	wait_init(&c->queue);
	atomic_fetch_add(&live, 1);
	return file_create(&counter_ops, c, O_RDWR);
}

static void counter_add(struct file *f, long n)
{
	struct counter *c = f->private;

	__atomic_fetch_add(&c->value, n, __ATOMIC_SEQ_CST);
	wait_wake_all(&c->queue, POLLIN);
}

static long counter_take(struct file *f)
{
	return __atomic_exchange_n(&((struct counter *)f->private)->value, 0, __ATOMIC_SEQ_CST);
}

static void watch(struct file *ep, struct file *f, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data = (uint64_t)fd };

	CHECK_EQ(epoll_control(ep, EPOLL_CTL_ADD, f, fd, &e), 0);
}

/* --- No event is lost, whatever the mode --- */

#define FILES	  4
#define WRITERS	  2
#define WAITERS	  3
#define ADDITIONS 3000

static struct file *set, *files[FILES + 1]; /* the last one tells the waiters to go */
static atomic_long taken;
static uint32_t mode;

static void writer(void *arg)
{
	for (long i = 0; i < ADDITIONS; i++)
		counter_add(files[(i + (long)arg) % FILES], 1);
}

static void waiter(void *arg)
{
	struct epoll_event e[2];

	for (;;) {
		int n = epoll_wait_events(set, e, 2, NEVER);

		CHECK(n > 0);
		for (int i = 0; i < n; i++) {
			struct epoll_event again = { .events = mode, .data = e[i].data };

			CHECK(e[i].events == POLLIN);
			if (e[i].data == FILES)
				return;
			atomic_fetch_add(&taken, counter_take(files[e[i].data]));
			if (mode & EPOLLONESHOT)
				CHECK_EQ(epoll_control(set, EPOLL_CTL_MOD, files[e[i].data],
						 (int)e[i].data, &again),
					0);
		}
	}
}

static void run_mode(uint32_t events)
{
	struct shim_thread w[WRITERS], r[WAITERS];

	mode = events;
	atomic_store(&taken, 0);
	set = epoll_create(0);
	for (int i = 0; i <= FILES; i++) {
		files[i] = counter_create();
		watch(set, files[i], i, i < FILES ? mode : POLLIN);
	}
	for (int i = 0; i < WAITERS; i++)
		shim_start(&r[i], waiter, NULL, i);
	for (int i = 0; i < WRITERS; i++)
		shim_start(&w[i], writer, (void *)(long)i, WAITERS + i);
	for (int i = 0; i < WRITERS; i++)
		shim_join(&w[i]);
	while (atomic_load(&taken) < WRITERS * ADDITIONS) /* or for ever */
		usleep(100);
	counter_add(files[FILES], 1);
	for (int i = 0; i < WAITERS; i++)
		shim_join(&r[i]);
	CHECK_EQ(atomic_load(&taken), WRITERS * ADDITIONS);
	for (int i = 0; i <= FILES; i++)
		file_put(files[i]);
	file_put(set);
	CHECK_EQ(atomic_load(&live), 0);
}

TEST(epoll_level)
{
	run_mode(POLLIN);
}
TEST(epoll_edge)
{
	run_mode(POLLIN | EPOLLET);
}
TEST(epoll_oneshot)
{
	run_mode(POLLIN | EPOLLONESHOT);
}

/* --- Of exclusive sets one is told, and may lose the file before it looks (X5) --- */

#define LOSSES 3000
#define GO     1 /* fd of the file that tells the waiters to go */

static struct file *rivals[2], *go;
static atomic_long told;

static void rival(void *arg)
{
	struct epoll_event e;

	for (;;) {
		CHECK_EQ(epoll_wait_events(rivals[(long)arg], &e, 1, NEVER), 1);
		if (e.data == GO)
			return;
		atomic_fetch_add(&told, counter_take(files[0]));
	}
}

static void lose_one(long round)
{
	struct counter *c = files[0]->private;
	struct file *first = rivals[round % 2];

	watch(first, files[0], 0, POLLIN | EPOLLEXCLUSIVE);
	watch(rivals[!(round % 2)], files[0], 0, POLLIN | EPOLLEXCLUSIVE);
	if (round % 3)
		usleep(100); /* both sleep */
	__atomic_fetch_add(&c->value, 1, __ATOMIC_SEQ_CST);
	wait_wake_one(&c->queue, POLLIN);
	CHECK_EQ(epoll_control(first, EPOLL_CTL_DEL, files[0], 0, NULL), 0);
	while (atomic_load(&told) <= round) /* or for ever */
		usleep(20);
	CHECK_EQ(epoll_control(rivals[!(round % 2)], EPOLL_CTL_DEL, files[0], 0, NULL), 0);
}

TEST(epoll_exclusive)
{
	struct shim_thread t[2];

	atomic_store(&told, 0);
	files[0] = counter_create();
	go = counter_create();
	for (long i = 0; i < 2; i++) {
		rivals[i] = epoll_create(0);
		watch(rivals[i], go, GO, POLLIN);
		shim_start(&t[i], rival, (void *)i, (uint32_t)i);
	}
	for (long round = 0; round < LOSSES; round++)
		lose_one(round);
	counter_add(go, 1);
	for (int i = 0; i < 2; i++)
		shim_join(&t[i]);
	CHECK_EQ(atomic_load(&told), LOSSES);
	for (int i = 0; i < 2; i++)
		file_put(rivals[i]);
	file_put(files[0]);
	file_put(go);
	CHECK_EQ(atomic_load(&live), 0);
}

/* --- Sets, files and wake-ups end at the same time --- */

#define SETS   2
#define ENDERS (SETS + FILES)
#define ROUNDS 1000

static struct file *sets[SETS], *outer;
static pthread_barrier_t start, end;

/* Drops one reference on a set or a file; a file is used until then, the sets are asked. */
static void ender(void *arg)
{
	unsigned me = (unsigned)(long)arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct epoll_event e[FILES];

		pthread_barrier_wait(&start);
		if (me < SETS) {
			if (round % 2)
				epoll_wait_events(sets[me], e, FILES, 0);
			if (round % 3 == 0)
				CHECK_EQ(epoll_control(sets[me], EPOLL_CTL_DEL, files[0], 0, NULL),
					0);
			file_put(sets[me]);
		} else {
			struct file *f = files[me - SETS];

			counter_add(f, 1);
			if (round % 2)
				counter_add(f, 1);
			file_put(f);
		}
		pthread_barrier_wait(&end);
	}
}

TEST(epoll_ends_meet)
{
	struct shim_thread t[ENDERS];

	pthread_barrier_init(&start, NULL, ENDERS + 1);
	pthread_barrier_init(&end, NULL, ENDERS + 1);
	for (long i = 0; i < ENDERS; i++)
		shim_start(&t[i], ender, (void *)i, (uint32_t)i + 1);
	for (int round = 0; round < ROUNDS; round++) {
		outer = epoll_create(0);
		for (int i = 0; i < SETS; i++) {
			sets[i] = epoll_create(0);
			watch(outer, sets[i], i, POLLIN);
		}
		for (int i = 0; i < FILES; i++) {
			files[i] = counter_create();
			for (int s = 0; s < SETS; s++)
				watch(sets[s], files[i], i, POLLIN);
		}
		file_get(files[0]); /* for EPOLL_CTL_DEL */
		pthread_barrier_wait(&start);
		file_put(outer);
		pthread_barrier_wait(&end);
		file_put(files[0]);
		CHECK_EQ(atomic_load(&live), 0);
	}
	for (int i = 0; i < ENDERS; i++)
		shim_join(&t[i]);
}
