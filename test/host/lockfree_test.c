/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include "lockfree/mpsc.h"
#include "lockfree/spsc.h"
#include "lockfree/timeline.h"

#define PUSHERS 3
#define EACH	20000

struct item {
	struct mpsc_node node;
	int from, number;
};

static struct mpsc_list list;
static struct item items[PUSHERS][EACH];

static void *pusher(void *arg)
{
	long me = (long)arg;

	for (int i = 0, k; i < EACH; i += k) { /* one alone, or several at once */
		k = MIN(1 + (int)me * (i % 4), EACH - i);
		for (int j = i; j < i + k; j++) {
			items[me][j] = (struct item){ .from = me, .number = j };
			items[me][j].node.next = j > i ? &items[me][j - 1].node : NULL;
		}
		if (k == 1)
			mpsc_push(&list, &items[me][i].node);
		else
			mpsc_push_chain(&list, &items[me][i + k - 1].node, &items[me][i].node);
	}
	return NULL;
}

TEST(mpsc_all_in_order)
{
	pthread_t t[PUSHERS];
	int next[PUSHERS] = { 0 }, got = 0;

	for (long i = 0; i < PUSHERS; i++)
		pthread_create(&t[i], NULL, pusher, (void *)i);
	while (got < PUSHERS * EACH) {
		struct mpsc_node *n = mpsc_take_all(&list);

		for (; n; n = load_relaxed(&n->next)) {
			struct item *it = container_of(n, struct item, node);

			if (it->number != next[it->from]++)
				T_FAIL("out of order");
			got++;
		}
		sched_yield();
	}
	for (int i = 0; i < PUSHERS; i++)
		pthread_join(t[i], NULL);
	CHECK(mpsc_empty(&list));
	CHECK(!mpsc_take_all(&list));
}

TEST(mpsc_push_says_empty)
{
	struct mpsc_list l = { 0 };
	struct mpsc_node a, b, c;

	CHECK(mpsc_push(&l, &a));
	CHECK(!mpsc_push(&l, &b));
	CHECK(mpsc_take_all(&l) == &a);
	CHECK(a.next == &b && !b.next);
	b.next = &a;
	CHECK(mpsc_push_chain(&l, &b, &a));
	CHECK(!mpsc_push_chain(&l, &c, &c));
	CHECK(mpsc_take_all(&l) == &a);
	CHECK(a.next == &b && b.next == &c && !c.next);
}

static struct spsc ring;
static void *slots[64];
static long values[1000];

static void *producer(void *arg)
{
	for (int i = 0; i < 200000; i++) {
		values[i % 1000] = i; /* plain: the ring must order it */
		while (!spsc_put(&ring, &values[i % 1000]))
			sched_yield();
	}
	return NULL;
}

TEST(spsc_in_order)
{
	pthread_t t;

	spsc_init(&ring, slots, ARRAY_SIZE(slots));
	CHECK(!spsc_get(&ring));
	pthread_create(&t, NULL, producer, NULL);
	for (int i = 0; i < 200000; i++) {
		long *p;

		while (!(p = spsc_get(&ring)))
			sched_yield();
		if (*p != i)
			T_FAIL("%ld is not %d", *p, i);
	}
	pthread_join(t, NULL);
	CHECK_EQ(spsc_count(&ring), 0);
}

TEST(spsc_full_and_wrap)
{
	spsc_init(&ring, slots, 4);
	ring.head = ring.tail = ring.head_seen = ring.tail_seen = UINT32_MAX - 1;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++)
			CHECK(spsc_put(&ring, &values[i]));
		CHECK(!spsc_put(&ring, &values[9]));
		for (int i = 0; i < 4; i++)
			CHECK(spsc_get(&ring) == &values[i]);
		CHECK(!spsc_get(&ring));
	}
}

/* Time through many changes of rate, read by several threads: none sees it go back. */
#define READERS 3
#define CHANGES 20000

static struct timeline timeline;
static uint64_t counter, latest; /* atomic */
static uint32_t changes_done;	 /* atomic */

static uint64_t read_counter(void)
{
	return __atomic_fetch_add(&counter, 100, __ATOMIC_SEQ_CST);
}

static void *time_reader(void *arg)
{
	while (!load_acquire(&changes_done)) {
		uint64_t before = load_acquire(&latest),
			 now = timeline_now(&timeline, read_counter);

		if (now < before)
			T_FAIL("%lu after %lu", now, before);
		while (before < now && !atomic_cas(&latest, &before, now))
			;
	}
	return NULL;
}

TEST(timeline_never_goes_back)
{
	pthread_t t[READERS];

	timeline_init(&timeline, 0, 1000, 1ull << TIMELINE_SHIFT);
	for (int i = 0; i < READERS; i++)
		pthread_create(&t[i], NULL, time_reader, NULL);
	for (int i = 0; i < CHANGES; i++) {
		/* rates of one half to two */
		uint64_t mult = (1ull << (TIMELINE_SHIFT - 1)) * (1 + i % 4);

		timeline_change(&timeline, mult, read_counter);
		if (i % 8 == 0)
			sched_yield();
	}
	store_release(&changes_done, 1);
	for (int i = 0; i < READERS; i++)
		pthread_join(t[i], NULL);
	CHECK(latest > 1000);
}

TEST(timeline_keeps_its_rates)
{
	struct timeline t = { 0 };
	uint64_t start;

	timeline_init(&t, counter, 5, 3ull << TIMELINE_SHIFT);
	start = counter;
	counter += 1000000;
	CHECK_EQ(timeline_now(&t, read_counter), 5 + 3 * (counter - 100 - start));
	timeline_change(&t, 7ull << TIMELINE_SHIFT, read_counter);
	start = 5 + 3 * (counter - 100 - start);
	counter += 1000;
	CHECK_EQ(timeline_now(&t, read_counter), start + 7 * 1100);
}
