/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/sched/timer.c $(HOST_MUTEX) src/sched/wait.c src/lib/rbtree.c */
/* flags: -Wno-unknown-warning-option -Wno-tsan */
#include "t.h"
#include "sched_shim.h"
#include "sched/timer.h"
#include "sched/wait.h"

#define MS 1000000ull

/* --- The hardware timer: a pthread that wakes the timer thread when next_timer is reached --- */

static struct shim_thread timer_threads[4];
static pthread_t interrupts;

static void *interrupt_main(void *arg)
{
	for (;;) {
		usleep(500);
		for (int i = 0; i < 2; i++) {
			struct runqueue *rq = cpu_of(runqueue, i);
			struct thread *t = load_acquire(&rq->timer_thread);

			if (t && load_acquire(&rq->next_timer) <= clock_now()) {
				store_release(&rq->next_timer, UINT64_MAX);
				thread_wake(t);
			}
		}
	}
	return NULL;
}

void sched_timer_set(uint32_t cpu, uint64_t expiry)
{
	store_release(&cpu_of(runqueue, cpu)->next_timer, expiry);
}

void sched_timer_later(uint32_t cpu, uint64_t expiry)
{
	sched_timer_set(cpu, expiry);
}

struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	static uint32_t n;
	struct shim_thread *s = &timer_threads[n++];

	shim_start(s, entry, arg, host_cpu_id);
	return &s->thread;
}

int thread_set_affinity(struct thread *t, const uint64_t *mask, unsigned words)
{
	return 0;
}

static void start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	cpu_online_count = 2;
	for (int i = 0; i < 2; i++)
		cpu_of(runqueue, i)->next_timer = UINT64_MAX;
	timer_system_init();
	pthread_create(&interrupts, NULL, interrupt_main, NULL);
	pthread_detach(interrupts);
}

static atomic_int fired;
static uint64_t fired_at;

static void fire(struct timer *t)
{
	fired_at = clock_now();
	atomic_fetch_add(&fired, 1);
}

static void wait_for(int n)
{
	for (int i = 0; i < 10000 && atomic_load(&fired) < n; i++)
		usleep(1000);
	CHECK_EQ(atomic_load(&fired), n);
}

TEST(timer_fires_not_early)
{
	struct timer t;
	uint64_t at;

	start();
	atomic_store(&fired, 0);
	timer_init(&t, fire, NULL);
	at = clock_now() + 20 * MS;
	timer_arm(&t, at);
	wait_for(1);
	timer_cancel_sync(&t);
	CHECK(fired_at >= at);
}

TEST(timer_cancel)
{
	struct timer t;

	start();
	atomic_store(&fired, 0);
	timer_init(&t, fire, NULL);
	CHECK(!timer_cancel(&t));
	timer_arm(&t, clock_now() + 3600 * 1000 * MS);
	CHECK(timer_cancel(&t));
	CHECK(!timer_cancel(&t));
	timer_arm(&t, clock_now() + 5 * MS);
	timer_arm(&t, clock_now() + 3600 * 1000 * MS); /* replaces */
	usleep(20000);
	CHECK(timer_cancel_sync(&t));
	CHECK_EQ(atomic_load(&fired), 0);
}

#define HOUR (3600 * 1000 * MS)

/* An interrupt for what has been put off or cancelled wakes nobody. */
TEST(timer_head_moves_away)
{
	uint64_t now = clock_now(), *next;
	struct timer a, b;

	start();
	timer_init(&a, fire, NULL);
	timer_init(&b, fire, NULL);
	timer_arm(&a, now + HOUR);
	timer_arm(&b, now + 2 * HOUR);
	next = &cpu_of(runqueue, a.cpu)->next_timer;
	CHECK_EQ(load_acquire(next), now + HOUR);
	timer_arm(&a, now + 3 * HOUR);
	CHECK_EQ(load_acquire(next), now + 2 * HOUR);
	CHECK(timer_cancel(&b));
	CHECK_EQ(load_acquire(next), now + 3 * HOUR);
	CHECK(timer_cancel_sync(&a));
	CHECK_EQ(load_acquire(next), UINT64_MAX);
}

static void fire_again(struct timer *t)
{
	if (atomic_fetch_add(&fired, 1) < 4)
		timer_arm(t, clock_now() + MS);
}

TEST(timer_rearms_itself)
{
	struct timer t;

	start();
	atomic_store(&fired, 0);
	timer_init(&t, fire_again, NULL);
	timer_arm(&t, clock_now());
	wait_for(5);
	timer_cancel_sync(&t);
}

static void fire_slowly(struct timer *t)
{
	atomic_fetch_add(&fired, 1);
	usleep(50000);
	*(int *)t->arg = 1;
}

TEST(timer_cancel_sync_waits)
{
	struct timer t;
	int finished = 0;

	start();
	atomic_store(&fired, 0);
	timer_init(&t, fire_slowly, &finished);
	timer_arm(&t, clock_now());
	wait_for(1);
	CHECK(!timer_cancel_sync(&t));
	CHECK_EQ(finished, 1);
}

static void sleep_often(void *arg)
{
	struct wait_queue q;

	wait_init(&q);
	for (int i = 0; i < 30; i++) {
		uint64_t deadline = clock_now() + i * 100000;

		CHECK_EQ(wait_event_timeout(&q, false, deadline), -ETIMEDOUT);
		CHECK(clock_now() >= deadline);
	}
}

TEST(sleepers_on_two_cpus)
{
	struct shim_thread t[6];

	start();
	for (int i = 0; i < 6; i++)
		shim_start(&t[i], sleep_often, NULL, i % 2);
	for (int i = 0; i < 6; i++)
		shim_join(&t[i]);
}
