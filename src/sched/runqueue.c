/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order in which threads run. Real-time threads first, by priority, first come first served;
 * then the normal ones by R, their exponentially decaying average of run time (time constant
 * 200 ms), smallest first. See impl.h for how R is stored; doc/scheduler.md derives it.
 */

#include "sched/impl.h"
#include "abi/sched.h"
#include "cpu/barrier.h"

/* 1024 * 86^(nice/20): what a nanosecond of run time costs. */
static const uint32_t nice_weight[40] = { 12, 15, 19, 23, 29, 36, 45, 57, 71, 88, 110, 138, 172,
	215, 269, 336, 420, 525, 656, 820, 1024, 1279, 1599, 1997, 2496, 3118, 3896, 4868, 6083,
	7600, 9496, 11865, 14825, 18524, 23145, 28918, 36133, 45146, 56409, 70481 };

/* 2^24 * 2^(i/32) */
static const uint32_t power_of_two[33] = { 16777216, 17144589, 17520007, 17903645, 18295684,
	18696307, 19105703, 19524063, 19951585, 20388467, 20834917, 21291142, 21757357, 22233781,
	22720638, 23218155, 23726566, 24246111, 24777031, 25319578, 25874004, 26440571, 27019544,
	27611195, 28215802, 28833647, 29465022, 30110222, 30769550, 31443315, 32131834, 32835430,
	33554432 };

static uint32_t weight(const struct thread *t)
{
	return nice_weight[t->nice + 20];
}

void rq_init(struct runqueue *rq)
{
	*rq = (struct runqueue){
		.slice_end = UINT64_MAX, .armed = UINT64_MAX, .next_timer = UINT64_MAX
	};
	list_init(&rq->realtime);
	rq->scale_last = SCALE_ONE;
}

/* t < SCALE_EPOCH. Piecewise linear between 32 points per doubling: the slope is off by < 1.1%. */
static uint64_t scale_in_epoch(uint64_t t)
{
	/* 2^51 / SCALE_HALF_LIFE; the product stays below 2^56 */
	uint64_t x = t * 16243302ull >> 27; /* doublings, 24 fraction bits */
	unsigned whole = x >> 24, i = x >> 19 & 31, fraction = x & 0x7ffff;
	uint64_t step = power_of_two[i + 1] - power_of_two[i];

	return (power_of_two[i] + (step * fraction >> 19)) << whole;
}

static uint64_t key_shift(uint64_t key, uint64_t epochs)
{
	return epochs * SCALE_EPOCH_HALVES >= 64 ? 0 : key >> epochs * SCALE_EPOCH_HALVES;
}

static void enter_epoch(struct runqueue *rq, uint64_t now)
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

uint64_t rq_scale(struct runqueue *rq, uint64_t now)
{
	if (unlikely(now - rq->epoch_start >= SCALE_EPOCH))
		enter_epoch(rq, now);
	return scale_in_epoch(now - rq->epoch_start);
}

uint64_t rq_key(struct runqueue *rq, struct thread *t)
{
	if (unlikely(t->run_epoch != rq->epoch)) {
		/* another CPU may be a moment ahead: then its keys are used as they are */
		if (t->run_epoch < rq->epoch)
			t->run_key = key_shift(t->run_key, rq->epoch - t->run_epoch);
		t->run_epoch = rq->epoch;
	}
	return t->run_key;
}

void rq_charge(struct runqueue *rq, struct thread *t, uint64_t from_scale, uint64_t to_scale)
{
	if (to_scale > from_scale)
		t->run_key = rq_key(rq, t) + weight(t) * (to_scale - from_scale);
}

void rq_insert(struct runqueue *rq, struct thread *t)
{
	struct rb_node **link = &rq->normal.root, *parent = NULL;
	bool leftmost = true;

	store_relaxed(&rq->queued, rq->queued + 1);
	t->class =
		t->policy == SCHED_FIFO || t->policy == SCHED_RR ? THREAD_REALTIME : THREAD_NORMAL;
	if (t->class == THREAD_REALTIME) {
		struct thread *other;

		list_for_each_entry (other, &rq->realtime, run_link)
			if (other->rt_priority < t->rt_priority)
				break;
		list_add_tail(&other->run_link, &t->run_link);
		return;
	}
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

/* While a thread is queued its class stays, even if its policy is changed. */
void rq_remove(struct runqueue *rq, struct thread *t)
{
	store_relaxed(&rq->queued, rq->queued - 1);
	if (t->class == THREAD_REALTIME) {
		list_del(&t->run_link);
		return;
	}
	if (rq->first == &t->run_node)
		rq->first = rb_next(&t->run_node);
	rb_erase(&rq->normal, &t->run_node);
}

struct thread *rq_first(struct runqueue *rq)
{
	if (!list_empty(&rq->realtime))
		return list_first_entry(&rq->realtime, struct thread, run_link);
	return rq->first ? rb_entry(rq->first, struct thread, run_node) : NULL;
}

static uint64_t hysteresis(uint64_t scale)
{
	return WEIGHT_ONE * scale / HYSTERESIS_DIV;
}

bool rq_preempts(const struct thread *next, const struct thread *running, uint64_t scale)
{
	if (next->class != running->class)
		return next->class == THREAD_REALTIME;
	if (next->class == THREAD_REALTIME)
		return next->rt_priority > running->rt_priority;
	return next->run_key + hysteresis(scale) < running->run_key;
}

/* ns until the scale has grown by the factor 1 + num/den: tau * ln(1 + x), never too much */
static uint64_t growth_time(uint64_t num, uint64_t den)
{
	uint64_t x, m;
	unsigned whole;

	if (num / den >= 1ull << 20)
		return 20 * SCALE_HALF_LIFE;
	while (num >= 1ull << 40) {
		num >>= 1;
		den >>= 1;
	}
	x = (1ull << 20) + (num << 20) / MAX(den, 1ull);
	whole = 63 - __builtin_clzll(x) - 20;
	m = (x >> whole) - (1ull << 20); /* mantissa, 20 fraction bits */
	/* log2(1 + m) is m + 0.3437 m (1 - m) within 0.01 */
	m += (m * ((1ull << 20) - m) >> 20) * 352 >> 10;
	return whole * SCALE_HALF_LIFE + (m * SCALE_HALF_LIFE >> 20);
}

#define SLICE_MIN 500000ull
#define SLICE_RR  100000000ull

uint64_t rq_slice(struct runqueue *rq, const struct thread *running, uint64_t scale)
{
	struct thread *next = rq_first(rq);
	uint64_t limit;

	if (!next)
		return UINT64_MAX;
	if (running->class == THREAD_REALTIME)
		return running->policy == SCHED_RR && next->class == THREAD_REALTIME &&
				       next->rt_priority == running->rt_priority
			       ? SLICE_RR
			       : UINT64_MAX;
	limit = next->run_key + hysteresis(scale);
	if (limit <= running->run_key)
		return SLICE_MIN;
	return MAX(SLICE_MIN, growth_time(limit - running->run_key, weight(running) * scale));
}

/* One that is just leaving this CPU (woken before it was off it) must not go elsewhere: S3. */
static bool may_steal(const struct thread *t, uint32_t cpu)
{
	return thread_may_run_on(t, cpu) && !load_acquire(&t->on_cpu);
}

struct thread *rq_steal(struct runqueue *rq, uint32_t cpu)
{
	struct thread *t;

	/* One that fell asleep and was woken before its CPU switched away still stands on its
	 * stack. */
	list_for_each_entry (t, &rq->realtime, run_link)
		if (may_steal(t, cpu) && !load_acquire(&t->on_cpu)) {
			rq_remove(rq, t);
			return t;
		}
	for (struct rb_node *n = rq->first; n; n = rb_next(n)) {
		t = rb_entry(n, struct thread, run_node);
		if (may_steal(t, cpu) && !load_acquire(&t->on_cpu)) {
			rq_remove(rq, t);
			return t;
		}
	}
	return NULL;
}
