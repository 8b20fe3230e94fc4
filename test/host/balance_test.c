/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: src/sched/balance.c src/sched/runqueue.c src/lib/rbtree.c */
/*
 * Which CPU gets what: the rules of src/sched/balance.c one by one, on run queues that the test
 * fills. Where threads are and how busy CPUs were of late is set; nothing runs and no time passes.
 */
#include "bug_host.h"
#include "abi/sched.h"
#include "diag/trace.h"
#include "sched/clock.h"
#include "sched/impl.h"

#define CPUS  4
#define PARTS 64 /* of a CPU: what balance.c counts in */
#define NOW   1000000000ull

_Thread_local struct thread *host_current;
_Thread_local uint32_t host_cpu_id;
uint32_t cpu_online_count = CPUS;
DEFINE_PERCPU(struct runqueue, runqueue);
bool trace_scheduling;
void (*sched_kick_halted)(uint32_t cpu);

static unsigned ipis[CPUS], kicks[CPUS];
static struct thread idle[CPUS], driver;

void trace(uint16_t event, uint64_t a, uint64_t b)
{
}
void sched_send_ipi(uint32_t cpu)
{
	ipis[cpu]++;
}
static void kick(uint32_t cpu)
{
	kicks[cpu]++;
}

static struct runqueue *rq_of(uint32_t cpu)
{
	return cpu_of(runqueue, cpu);
}

/* It has taken so many parts of its CPU of late. */
static void set_parts(struct thread *t, unsigned parts)
{
	t->run_key = t->weight * (rq_of(0)->scale_last / PARTS) * parts;
}

static struct thread *make(struct thread *t, unsigned parts)
{
	*t = (struct thread){ .policy = SCHED_OTHER };
	memset(t->affinity, 0xff, sizeof(t->affinity));
	rq_set_weight(t);
	set_parts(t, parts);
	return t;
}

static struct thread *queue(uint32_t cpu, struct thread *t)
{
	t->cpu = cpu;
	rq_insert(rq_of(cpu), t);
	return t;
}

/* Whether the thread was handed to that CPU; and what it was handed besides is forgotten. */
static bool given(struct thread *t, uint32_t cpu)
{
	bool found = false;

	for (struct mpsc_node *n = mpsc_take_all(&rq_of(cpu)->incoming); n; n = n->next)
		found |= n == &t->incoming;
	return found && t->cpu == cpu;
}

/* CPU 0 is ours and its idle thread had so many parts of it; a card's thread runs on it. */
static struct runqueue *begin(unsigned idle_parts)
{
	memset(ipis, 0, sizeof(ipis));
	memset(kicks, 0, sizeof(kicks));
	memset(sched_idle_mask, 0, sizeof(sched_idle_mask));
	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		memset(rq_of(cpu), 0, sizeof(struct runqueue));
		rq_init(rq_of(cpu));
		rq_of(cpu)->scale_last = rq_scale(rq_of(cpu), 0);
		rq_of(cpu)->idle = make(&idle[cpu], cpu ? 0 : idle_parts);
	}
	make(&driver, 0);
	driver.kernel_thread = true;
	driver.policy = SCHED_FIFO;
	driver.class = THREAD_REALTIME;
	driver.rt_priority = 1;
	host_current = &driver;
	host_cpu_id = 0;
	sched_kick_halted = NULL;
	return rq_of(0);
}

static void set_idle(uint32_t cpu)
{
	sched_idle_mask[0] |= 1ul << cpu;
	rq_of(cpu)->mode = CPU_HALTED;
}

TEST(who_comes_needs_room_beside_the_driver)
{
	struct runqueue *rq = begin(0);
	struct thread t;

	set_parts(&driver, 16);
	CHECK(balance_room(rq, make(&t, 40)));
	CHECK(!balance_room(rq, make(&t, 41)));
	set_parts(&driver, 60);
	CHECK(!balance_room(rq, make(&t, 0)));
}

TEST(crowded_is_where_the_cpu_is_full_and_others_have_much_of_it)
{
	struct runqueue *rq = begin(3);
	struct thread t;

	CHECK(balance_crowded(rq, make(&t, 40)));
	CHECK(balance_crowded(rq, make(&t, 57)));
	CHECK(!balance_crowded(rq, make(&t, 58))); /* it is full of him: he would gain nothing */
	rq = begin(4);
	CHECK(!balance_crowded(rq, make(&t, 40)));
}

/* Asks CPU 0 on behalf of CPU 1, which has become idle. */
static void ask(struct runqueue *rq, const struct thread *prev, bool runnable)
{
	set_idle(1);
	rq->pull_request = 1 + 1;
	balance_serve(rq, prev, runnable);
	CHECK_EQ(rq->pull_request, 0);
}

TEST(who_waits_for_a_driver_alone_is_not_pulled)
{
	struct runqueue *rq = begin(20);
	struct thread t;

	queue(0, make(&t, 30));
	ask(rq, &driver, true);
	CHECK_EQ(rq->queued, 1);
	CHECK_EQ(ipis[1], 0);
}

TEST(one_of_two_who_wait_is_pulled)
{
	struct runqueue *rq = begin(20);
	struct thread a, b;

	queue(0, make(&a, 10));
	queue(0, make(&b, 5));
	ask(rq, &driver, true);
	CHECK(given(&b, 1)); /* who has had less, and so is due first */
	CHECK_EQ(rq->queued, 1);
	CHECK_EQ(ipis[1], 1);
}

TEST(who_waits_for_a_program_is_pulled)
{
	struct runqueue *rq = begin(20);
	struct thread running, t;

	queue(0, make(&t, 30));
	ask(rq, make(&running, 30), true);
	CHECK(given(&t, 1));
	rq = begin(20);
	queue(0, make(&t, 30));
	ask(rq, &running, false); /* he sleeps: t is the one to run here */
	CHECK_EQ(rq->queued, 1);
}

TEST(who_waits_for_a_driver_alone_is_pulled_where_it_is_crowded)
{
	struct runqueue *rq = begin(1);
	struct thread t;

	queue(0, make(&t, 30));
	ask(rq, &driver, true);
	CHECK(given(&t, 1));
}

/* Of the real-time threads those of the program count, not the cards'. */
TEST(queued_drivers_are_nobody_to_pull_for)
{
	struct runqueue *rq = begin(20);
	struct thread second = driver, urgent, t;

	rq_set_weight(&second);
	memset(second.affinity, 0, sizeof(second.affinity));
	second.affinity[0] = 1; /* where its interrupts arrive */
	queue(0, &second);
	queue(0, make(&t, 30));
	ask(rq, &driver, true);
	CHECK_EQ(rq->queued, 2);

	make(&urgent, 0);
	urgent.policy = SCHED_FIFO;
	urgent.rt_priority = 50;
	queue(0, &urgent);
	ask(rq, &driver, true);
	CHECK(given(&urgent, 1));
	CHECK_EQ(rq->queued, 2);
}

TEST(nobody_is_given_to_oneself_or_to_no_cpu)
{
	struct runqueue *rq = begin(1);
	struct thread a, b;

	queue(0, make(&a, 1));
	queue(0, make(&b, 1));
	for (unsigned request = 0; request < 300; request++) {
		if (request == 2 || request == 3 || request == 4) /* CPUs 1 to 3 */
			continue;
		rq->pull_request = (uint16_t)request;
		balance_serve(rq, &driver, true);
	}
	CHECK_EQ(rq->queued, 2);
}

TEST(an_idle_cpu_asks_the_longest_queue_once)
{
	struct runqueue *rq = begin(0);
	struct thread t[3];

	queue(1, make(&t[0], 1));
	queue(2, make(&t[1], 1));
	queue(2, make(&t[2], 1));
	balance_pull(rq);
	CHECK_EQ(rq_of(2)->pull_request, 1);
	CHECK_EQ(ipis[2], 1);
	host_cpu_id = 3;
	balance_pull(rq_of(3)); /* the first one's request stands */
	CHECK_EQ(rq_of(2)->pull_request, 1);
	CHECK_EQ(ipis[1] + ipis[2], 1);
}

TEST(a_push_looks_twice_at_who_waits_for_a_driver_alone)
{
	struct runqueue *rq = begin(20);
	struct thread t;

	set_idle(1);
	queue(0, make(&t, 30))->slice_start = 100;
	balance_push(rq, &driver, true, NOW);
	CHECK_EQ(rq->queued, 1);
	CHECK(rq->next_balance > NOW && rq->next_balance < NOW + NSEC_PER_MSEC);
	t.slice_start = 200; /* he has run meanwhile */
	balance_push(rq, &driver, true, NOW + NSEC_PER_MSEC);
	CHECK_EQ(rq->queued, 1);
	balance_push(rq, &driver, true, NOW + 2 * NSEC_PER_MSEC);
	CHECK(given(&t, 1));
}

TEST(a_push_looks_once_where_it_is_crowded)
{
	struct runqueue *rq = begin(1);
	struct thread t;

	set_idle(1);
	queue(0, make(&t, 30))->slice_start = 100;
	CHECK(balance_wanted(rq));
	CHECK(balance_delay(rq, NOW) < 10000); /* ns: at once */
	balance_push(rq, &driver, true, NOW);
	CHECK(given(&t, 1));
}

TEST(a_push_serves_every_idle_cpu)
{
	struct runqueue *rq = begin(0);
	struct thread running, t[5];

	make(&running, 1);
	set_idle(1);
	set_idle(3);
	for (unsigned i = 0; i < 5; i++)
		queue(0, make(&t[i], i));
	t[0].affinity[0] = 1 << 3;
	balance_push(rq, &running, true, NOW);
	CHECK_EQ(rq->queued, 3);
	CHECK_EQ(ipis[1], 1);
	CHECK_EQ(ipis[2], 0);
	CHECK_EQ(ipis[3], 1);
	CHECK(given(&t[0], 3));
	CHECK(given(&t[1], 1));
}

TEST(a_push_evens_out_when_nobody_is_idle)
{
	struct runqueue *rq = begin(0);
	struct thread running, t[6];

	make(&running, 1);
	queue(1, make(&t[3], 1));
	queue(2, make(&t[4], 1));
	queue(3, make(&t[5], 1));
	queue(0, make(&t[0], 1));
	queue(0, make(&t[1], 2));
	balance_push(rq, &running, true, NOW); /* two against one: it would only turn round */
	CHECK_EQ(rq->queued, 2);
	queue(0, make(&t[2], 3));
	balance_push(rq, &running, true, NOW);
	CHECK_EQ(rq->queued, 2);
	CHECK(given(&t[0], 1));
}

TEST(the_next_look_is_in_a_millisecond_or_when_it_was_to_be)
{
	struct runqueue *rq = begin(20);
	struct thread t;

	CHECK_EQ(balance_delay(rq, NOW), NSEC_PER_MSEC);
	CHECK_EQ(balance_delay(rq, NOW + 300000), NSEC_PER_MSEC - 300000);
	CHECK_EQ(balance_delay(rq, NOW + 2 * NSEC_PER_MSEC), NSEC_PER_MSEC);
	queue(0, make(&t, 1));
	CHECK(!balance_wanted(rq)); /* nobody is idle */
	set_idle(2);
	CHECK(balance_wanted(rq));
	t.affinity[0] = 1; /* he may not run there */
	CHECK(!balance_wanted(rq));
}

TEST(an_idle_cpu_that_was_given_one_is_not_found_again)
{
	struct runqueue *rq = begin(0);
	struct thread a, b, *t = make(&a, 0);

	CHECK_EQ(sched_find_idle(t), MAX_CPUS);
	set_idle(2);
	set_idle(3);
	CHECK_EQ(sched_find_idle(t), 2);
	sched_give(make(&b, 0), 2);
	CHECK_EQ(sched_find_idle(t), 3);
	t->affinity[0] = 1 << 2;
	CHECK_EQ(sched_find_idle(t), MAX_CPUS);
	CHECK_EQ(rq->queued, 0);
}

TEST(only_a_cpu_that_would_not_look_in_time_is_told)
{
	struct thread t[7]; /* a thread is on one list */

	begin(0);
	rq_of(1)->mode = CPU_IDLE; /* looks before it halts */
	sched_give(make(&t[0], 10), 1);
	rq_of(2)->mode = CPU_SLICED;
	rq_of(2)->running_key = t[0].run_key; /* goes first, and its slice ends */
	sched_give(make(&t[1], 10), 2);
	CHECK_EQ(ipis[1] + ipis[2], 0);
	rq_of(2)->running_key = t[0].run_key + 1;
	sched_give(make(&t[2], 10), 2);
	CHECK_EQ(ipis[2], 1);
	rq_of(3)->mode = CPU_BUSY;
	sched_give(make(&t[3], 10), 3);
	CHECK_EQ(ipis[3], 1);
	rq_of(3)->mode = CPU_HALTED;
	sched_give(make(&t[4], 10), 3);
	CHECK_EQ(ipis[3], 2);
	sched_kick_halted = kick;
	sched_give(make(&t[5], 10), 3);
	CHECK_EQ(ipis[3], 2);
	CHECK_EQ(kicks[3], 1);
	sched_give(make(&t[6], 10), 0);
	CHECK(driver.flags & THREAD_NEED_RESCHED);
}
