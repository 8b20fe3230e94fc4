/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* Many callers, one on duty at a time, who hands over to a helper when it was on it for long. */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include "lockfree/duty.h"
#include "lockfree/mpsc.h"

#define CALLERS 3
#define CALLS	20000
#define BUDGET	8

struct work {
	struct mpsc_node node;
	long value;
};

static struct duty duty;
static struct mpsc_list list;
static long sum, jobs; /* of who is on duty: nothing else guards them */
static atomic_bool stop;
static atomic_int handed;
static atomic_long handovers;

static void serve(uint32_t seen)
{
	int budget = BUDGET;

	do {
		struct mpsc_node *n = mpsc_take_all(&list), *next;

		for (; n; n = next) {
			struct work *w = container_of(n, struct work, node);

			next = load_relaxed(&n->next);
			sum += w->value;
			jobs++;
			budget--;
			free(w);
			if (jobs % 512 == 0) /* on duty for long: the others' work piles up */
				usleep(200);
		}
		if (budget <= 0) {
			atomic_fetch_add(&handovers, 1);
			atomic_store(&handed, 1);
			return;
		}
	} while (!duty_done(&duty, &seen));
}

static void *caller(void *arg)
{
	for (long i = 1; i <= CALLS; i++) {
		struct work *w = malloc(sizeof(*w));

		w->value = i;
		mpsc_push(&list, &w->node);
		if (duty_call(&duty))
			serve(1);
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void *helper(void *arg)
{
	while (!atomic_load(&stop) || load_acquire(&duty.owed))
		if (atomic_exchange(&handed, 0))
			serve(duty_seen(&duty));
		else
			usleep(10);
	return NULL;
}

TEST(duty_all_work_is_done)
{
	pthread_t c[CALLERS], h;

	pthread_create(&h, NULL, helper, NULL);
	for (int i = 0; i < CALLERS; i++)
		pthread_create(&c[i], NULL, caller, NULL);
	for (int i = 0; i < CALLERS; i++)
		pthread_join(c[i], NULL);
	atomic_store(&stop, true);
	pthread_join(h, NULL);
	CHECK_EQ(jobs, CALLERS * CALLS);
	CHECK_EQ(sum, (long)CALLERS * CALLS * (CALLS + 1) / 2);
	CHECK(mpsc_empty(&list) && duty.owed == 0);
	CHECK(atomic_load(&handovers) > 0);
}

TEST(duty_alone)
{
	struct duty d = { 0 };
	uint32_t seen = 1;

	CHECK(duty_call(&d));
	CHECK(!duty_call(&d)); /* more came */
	CHECK(!duty_done(&d, &seen));
	CHECK_EQ(seen, 1);
	CHECK(duty_done(&d, &seen));
	CHECK(duty_call(&d));
}
