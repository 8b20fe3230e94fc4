/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order in which threads run, and every decision that follows from it. Real-time threads first,
 * by priority, first come first served; then the normal ones by R, their exponentially decaying
 * average of run time (time constant 200 ms), smallest first. See impl.h for how R is stored;
 * doc/scheduler.md derives it. Knows no machine: test/host/runqueue_test.c runs it in virtual time.
 */

#include "sched/runqueue.h"

/* WEIGHT_ONE * 1.25^nice: what a nanosecond of run time costs, the inverse of sched(7)'s weight. */
static const uint32_t nice_weight[40] = { 47, 59, 74, 92, 115, 144, 180, 225, 281, 352, 440, 550,
	687, 859, 1074, 1342, 1678, 2097, 2621, 3277, 4096, 5120, 6400, 8000, 10000, 12500, 15625,
	19531, 24414, 30518, 38147, 47684, 59605, 74506, 93132, 116415, 145519, 181899, 227374,
	284217 };
#define WEIGHT_IDLE (WEIGHT_ONE * 1024 / 3) /* Linux gives SCHED_IDLE 3 where nice 0 has 1024 */

const uint32_t rq_power_of_two[33] = { 16777216, 17144589, 17520007, 17903645, 18295684, 18696307,
	19105703, 19524063, 19951585, 20388467, 20834917, 21291142, 21757357, 22233781, 22720638,
	23218155, 23726566, 24246111, 24777031, 25319578, 25874004, 26440571, 27019544, 27611195,
	28215802, 28833647, 29465022, 30110222, 30769550, 31443315, 32131834, 32835430, 33554432 };

static bool is_realtime(const struct thread *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR;
}

void rq_set_weight(struct thread *t)
{
	store_relaxed(
		&t->weight, t->policy == SCHED_IDLE ? WEIGHT_IDLE : nice_weight[t->nice + 20]);
}

void rq_init(struct runqueue *rq)
{
	*rq = (struct runqueue){
		.slice_end = UINT64_MAX, .armed = UINT64_MAX, .next_timer = UINT64_MAX
	};
	list_init(&rq->realtime);
	rq->scale_last = SCALE_ONE;
}

/* --- R --- */

static uint64_t key_shift(uint64_t key, uint64_t epochs)
{
	return epochs * SCALE_EPOCH_HALVES >= 64 ? 0 : key >> epochs * SCALE_EPOCH_HALVES;
}

void rq_enter_epoch(struct runqueue *rq, uint64_t now)
{
	uint64_t epoch = now / SCALE_EPOCH, passed = epoch - rq->epoch;

	/* shifting all by the same keeps the order: the tree stays as it is */
	for (struct rb_node *n = rq->first; n; n = rb_next(n)) {
		struct thread *t = rb_entry(n, struct thread, run_node);

		t->run_key = key_shift(t->run_key, passed);
		t->run_epoch = epoch;
	}
	rq->scale_last = key_shift(rq->scale_last, passed);
	rq->epoch = epoch;
	rq->epoch_start = epoch * SCALE_EPOCH;
}

/*
 * A thread that comes from a CPU in another epoch. An older key shifts right. A newer one, of a CPU
 * that has looked at the clock after us, shifts left; what does not fit is the last in the queue.
 */
static uint64_t rebase_key(uint64_t key, uint64_t from, uint64_t to)
{
	if (from <= to)
		return key_shift(key, to - from);
	if (from - to > 1 || key >> (KEY_BITS - SCALE_EPOCH_HALVES))
		return (1ull << KEY_BITS) - 1;
	return key << SCALE_EPOCH_HALVES;
}

void rq_rebase(struct runqueue *rq, struct thread *t)
{
	t->run_key = rebase_key(t->run_key, t->run_epoch, rq->epoch);
	t->run_epoch = rq->epoch;
}

/* --- The queue --- */

static void insert_realtime(struct runqueue *rq, struct thread *t, bool head)
{
	struct thread *other;

	list_for_each_entry (other, &rq->realtime, run_link)
		if (other->rt_priority < t->rt_priority ||
			(head && other->rt_priority == t->rt_priority))
			break;
	list_add_tail(&other->run_link, &t->run_link);
}

static void insert(struct runqueue *rq, struct thread *t, bool head)
{
	struct rb_node **link = &rq->normal.root, *parent = NULL;
	bool leftmost = true;

	store_relaxed(&rq->queued, rq->queued + 1);
	if (unlikely(is_realtime(t))) {
		t->class = THREAD_REALTIME;
		insert_realtime(rq, t, head);
		return;
	}
	t->class = THREAD_NORMAL;
	rq_key(rq, t);
	while (*link) {
		parent = *link;
		if (t->run_key < rb_entry(parent, struct thread, run_node)->run_key) {
			link = &parent->left;
		} else {
			link = &parent->right;
			leftmost = false;
		}
	}
	rb_insert(&rq->normal, &t->run_node, parent, link);
	if (leftmost)
		rq->first = &t->run_node;
}

void rq_insert_among(struct runqueue *rq, struct thread *t)
{
	if (unlikely(t->policy == SCHED_BATCH))
		t->run_key = rq_key(rq, t) + t->weight * rq->scale_last / LEAD_DIV;
	insert(rq, t, false);
}

void rq_remove_from_among(struct runqueue *rq, struct thread *t)
{
	store_relaxed(&rq->queued, rq->queued - 1);
	if (unlikely(t->class == THREAD_REALTIME)) {
		list_del(&t->run_link);
		return;
	}
	if (rq->first == &t->run_node)
		rq->first = rb_next(&t->run_node);
	rb_erase(&rq->normal, &t->run_node);
}

/* --- Who runs --- */

/*
 * How far the running thread's key must be ahead of the next one's: 5 ms of the lighter one's run
 * time, but no less than gives the heavier one slices of SLICE_MIN. The same in both directions, so
 * that the mean of both R is equal and shares are not bent by it.
 */
static uint64_t lead(const struct thread *running, const struct thread *next, uint64_t scale)
{
	uint32_t light = MIN(running->weight, next->weight),
		 heavy = MAX(running->weight, next->weight);

	return MAX(light * scale / LEAD_DIV, heavy * scale / (2 * SCALE_TAU / SLICE_MIN));
}

/*
 * A light thread may never get so far ahead of a much heavier one: at nice -20 R is at most 2.3 ms
 * of ours. For it half of its R is enough, though not less than 5 ms of its own run time.
 */
static uint64_t capped_limit(
	const struct thread *running, const struct thread *next, uint64_t scale)
{
	return MAX(next->run_key + running->weight * scale / LEAD_DIV, 2 * next->run_key);
}

bool rq_ahead(const struct thread *next, const struct thread *running, uint64_t scale)
{
	if (unlikely(next->class != running->class))
		return next->class == THREAD_REALTIME;
	if (unlikely(next->class == THREAD_REALTIME))
		return next->rt_priority > running->rt_priority;
	if (running->run_key <= next->run_key)
		return false;
	if (running->run_key - next->run_key > lead(running, next, scale))
		return true;
	if (likely(running->weight == next->weight))
		return false;
	if (running->policy == SCHED_IDLE)
		return true;
	return running->weight < next->weight &&
	       running->run_key > capped_limit(running, next, scale);
}

bool rq_stays(
	const struct runqueue *rq, struct thread *prev, const struct thread *next, uint64_t scale)
{
	if (likely(prev->class == THREAD_NORMAL)) {
		if (next->class != THREAD_NORMAL || rq->yielding)
			return false;
		return !rq_preempts(next, prev, scale) ||
		       (rq_protects(prev, next) && rq_least_left(prev));
	}
	if (next->class != THREAD_REALTIME || next->rt_priority < prev->rt_priority)
		return true;
	if (next->rt_priority > prev->rt_priority)
		return false;
	return !rq->yielding && !(prev->policy == SCHED_RR && prev->rr_used >= SLICE_RR);
}

void rq_put_back(struct runqueue *rq, struct thread *prev, const struct thread *next)
{
	bool head = true;

	if (unlikely(prev->policy == SCHED_RR) && prev->rr_used >= SLICE_RR) {
		prev->rr_used = 0;
		head = false;
	}
	if (rq->yielding) {
		head = false;
		/* sched_yield(2): to the end of the queue, and no claim on the CPU after that */
		if (prev->class == THREAD_NORMAL && next->class == THREAD_NORMAL) {
			struct rb_node *last = rb_last(&rq->normal);

			prev->run_key = MAX(rq_key(rq, prev), next->run_key);
			if (last)
				prev->run_key = MAX(prev->run_key,
					rb_entry(last, struct thread, run_node)->run_key);
			prev->least_end = 0;
		}
	} else if (next->class == THREAD_NORMAL) {
		prev->least_end = prev->cpu_time + SLICE_MIN; /* preempted: it begins anew */
	}
	insert(rq, prev, head);
}

/*
 * log2(1 + num/den) in doublings with 24 fraction bits, at most 20; the inverse of the piecewise
 * linear scale.
 */
static uint64_t log2_growth(uint64_t num, uint64_t den)
{
	uint64_t x, m;
	unsigned whole, i;

	if (num / den >= 1ull << 20)
		return 20ull << 24;
	while (num >= 1ull << 39) {
		num >>= 1;
		den >>= 1;
	}
	x = (1ull << 24) + (num << 24) / MAX(den, 1ull);
	whole = 63 - __builtin_clzll(x) - 24;
	m = x >> whole; /* 2^24 <= m < 2^25 */
	/* log2(1 + f) is f + 0.344 f (1 - f) within 0.009: the right segment or a neighbour */
	i = (m - (1ull << 24)) >> 19;
	i += i * (32 - i) * 11 >> 10;
	while (i < 31 && rq_power_of_two[i + 1] <= m)
		i++;
	while (rq_power_of_two[i] > m)
		i--;
	return ((uint64_t)whole << 24) + ((uint64_t)i << 19) +
	       ((m - rq_power_of_two[i]) << 19) / (rq_power_of_two[i + 1] - rq_power_of_two[i]);
}

/* ns until a key has grown from 'from' to 'to', when it grows by gain while the scale doubles */
static uint64_t growth_time(uint64_t from, uint64_t to, uint64_t gain)
{
	uint64_t ns;

	if (to <= from)
		return 0;
	if (!gain)
		return 20 * SCALE_HALF_LIFE;
	ns = log2_growth(to - from, gain) * SCALE_HALF_LIFE >> 24;
	/* Scale and logarithm are off by up to 1.1% each; a timer that is too early is paid twice.
	 */
	return ns + ns / 40;
}

uint64_t rq_slice(struct runqueue *rq, const struct thread *running, uint64_t scale)
{
	struct thread *next = rq_first(rq);
	uint64_t ahead, p, ns, least = rq_least_left(running);

	if (!next)
		return UINT64_MAX;
	if (unlikely(running->class == THREAD_REALTIME)) {
		if (next->class == THREAD_NORMAL || running->policy != SCHED_RR ||
			next->rt_priority < running->rt_priority)
			return UINT64_MAX;
		return running->rr_used < SLICE_RR ? MAX(SLICE_MIN, SLICE_RR - running->rr_used)
						   : SLICE_MIN;
	}
	/* The lead grows with the scale as well: p*c is to gain on it. */
	p = running->weight * scale;
	ahead = lead(running, next, scale);
	ns = growth_time(running->run_key, next->run_key + ahead, p > ahead ? p - ahead : 0);
	if (unlikely(running->weight < next->weight))
		ns = MIN(ns, growth_time(running->run_key, capped_limit(running, next, scale),
				     p - p / LEAD_DIV));
	if (!ns && least)
		return least; /* due, but for its least slice */
	return MAX(SLICE_MIN, ns);
}

/* --- Giving away --- */

/* One that is just leaving this CPU (woken before it was off it) must not go elsewhere: S3. */
static bool may_steal(const struct thread *t, uint32_t cpu)
{
	return thread_may_run_on(t, cpu) && !load_acquire(&t->on_cpu);
}

struct thread *rq_steal(struct runqueue *rq, uint32_t cpu)
{
	struct thread *t;

	list_for_each_entry (t, &rq->realtime, run_link)
		if (may_steal(t, cpu)) {
			rq_remove(rq, t);
			return t;
		}
	for (struct rb_node *n = rq->first; n; n = rb_next(n)) {
		t = rb_entry(n, struct thread, run_node);
		if (may_steal(t, cpu)) {
			rq_remove(rq, t);
			return t;
		}
	}
	return NULL;
}

/* --- Changes of those queued --- */

uint8_t rq_class(const struct thread *t)
{
	return is_realtime(t) ? THREAD_REALTIME : THREAD_NORMAL;
}

static bool misplaced(const struct thread *t, uint32_t cpu)
{
	return t->class != rq_class(t) || (!thread_may_run_on(t, cpu) && !load_acquire(&t->on_cpu));
}

struct thread *rq_misplaced(struct runqueue *rq, uint32_t cpu)
{
	unsigned before = UINT8_MAX;
	struct thread *t;

	list_for_each_entry (t, &rq->realtime, run_link) {
		unsigned priority = load_relaxed(&t->rt_priority);

		if (misplaced(t, cpu) || priority > before)
			return t;
		before = priority;
	}
	for (struct rb_node *n = rq->first; n; n = rb_next(n))
		if (misplaced(rb_entry(n, struct thread, run_node), cpu))
			return rb_entry(n, struct thread, run_node);
	return NULL;
}
