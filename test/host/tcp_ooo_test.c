/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What came too early, by itself: against a model that knows every byte, what an arrival costs, and
 * where there is no memory. The counter of steps is static: the source is included.
 */
/* sources: $(HOST_GRO) src/drivers/netdev.c src/lib/string.c src/lib/format.c src/lib/rbtree.c */
/* flags: -D_GNU_SOURCE */
#include "t.h"
#include "bug_host.h"
#include "heap_host.h"
#include "../../src/net/tcp_ooo.c"
#include "file/iter.h"
#include "tcp_early.h"
#include <sanitizer/asan_interface.h>

void mutex_lock(struct mutex *m)
{
}
void mutex_unlock(struct mutex *m)
{
}
size_t iter_copy_to(struct iter *to, const void *from, size_t n)
{
	abort();
}

static struct tcp_ooo q;
static unsigned long seed;

static unsigned below(unsigned n)
{
	return (unsigned)(t_random(&seed) >> 33) % n;
}

/* Bytes of the given value; some in pieces, as merged segments are. NULL: no memory. */
static struct packet *early(uint32_t seq, uint32_t n, uint8_t value, unsigned pieces)
{
	struct packet *p = packet_alloc(0, n), **end;

	if (!p)
		return NULL;
	*pkt_cb(p) = (struct pkt_cb){ .seq = seq, .end_seq = seq + n };
	end = &p->frags;
	for (uint32_t k; pieces > 1 && n > 1; pieces--, n -= k) {
		struct packet *f;

		k = 1 + below(n - 1);
		f = packet_alloc(0, k);
		if (!f)
			break;
		memset(packet_put(f, k), value, k);
		*end = f;
		end = &f->next;
	}
	memset(packet_put(p, n), value, n);
	return p;
}

/* ---- the model: whose each byte is, and when something last arrived for its run ---- */

#define SPACE 600u
static uint32_t base; /* position 0; what is before 'taken' is gone */
static unsigned taken;
static uint8_t owner[SPACE + 1]; /* 0: missing */
static unsigned touched[SPACE + 1], now;

static unsigned end_of_run(unsigned at)
{
	while (owner[at])
		at++;
	return at;
}
static unsigned start_of_run(unsigned at)
{
	while (at > taken && owner[at - 1])
		at--;
	return at;
}
/* What is to be held of [from, to), and the first range that is there already. */
static enum tcp_ooo_fate model_add(
	unsigned from, unsigned to, uint8_t value, struct tcp_range *known)
{
	unsigned at = from;
	bool any = false;

	*known = (struct tcp_range){ base + from, base + from };
	while (at < to) {
		unsigned end = end_of_run(at);

		if (end == at) {
			owner[at++] = value;
			any = true;
			continue;
		}
		note(known, base + at, base + MIN(end, to));
		at = MIN(end, to);
	}
	now++;
	for (at = start_of_run(from); owner[at]; at++)
		touched[at] = now;
	return any ? TCP_OOO_HELD : TCP_OOO_KNOWN;
}
/* Runs that begin behind 'from' and end in 'to' or before are the packet's then. */
static void model_cover(unsigned from, unsigned to, uint8_t value)
{
	for (unsigned at = from + 1; at < to; at++)
		if (owner[at] && !owner[at - 1]) {
			unsigned end = end_of_run(at);

			if (end <= to)
				memset(owner + at, value, end - at);
			at = end;
		}
}
static bool recent_is_right(void)
{
	struct tcp_range r[SPACE];
	unsigned n = tcp_ooo_recent(&q, r, SPACE), last = now + 1, runs = 0;

	for (unsigned at = taken; at < SPACE; at++)
		runs += owner[at] && (at == taken || !owner[at - 1]);
	if (n != runs)
		return false;
	for (unsigned k = 0; k < n; k++) {
		unsigned at = r[k].start - base;

		if (start_of_run(at) != at || base + end_of_run(at) != r[k].end ||
			touched[at] >= last)
			return false;
		last = touched[at];
	}
	return true;
}
static bool take_is_right(unsigned next)
{
	struct packet *list = tcp_ooo_take(&q, base + next), *p;
	bool right = true;

	for (taken = next, p = list; p; p = p->next) {
		uint8_t bytes[SPACE];
		unsigned n = (unsigned)pkt_total(p);

		right = right && pkt_cb(p)->seq == base + taken && n &&
			pkt_cb(p)->end_seq == base + taken + n;
		pkt_copy_out(p, 0, bytes, n);
		right = right && memcmp(bytes, owner + taken, n) == 0;
		taken += n;
	}
	pkt_free_list(list);
	return right && !owner[taken];
}

static void random_arrivals(unsigned long s)
{
	seed = s * 7919;
	base = below(2) ? (uint32_t)-300 : below(1u << 31); /* numbers wrap */
	taken = now = 0;
	memset(owner, 0, sizeof(owner));
	tcp_ooo_init(&q);
	unsigned longest = 1 + below(80), packets = 1 + below(150);

	for (unsigned k = 1; k <= packets && taken < SPACE - 2; k++) {
		unsigned from = taken + 1 + below(SPACE - taken - 2),
			 to = MIN(from + 1 + below(longest), SPACE - 1);
		uint8_t value = (uint8_t)(1 + k % 255);
		struct tcp_range known, want;
		uint8_t before[SPACE + 1];
		struct packet *p = early(base + from, to - from, value, below(4));

		REQUIRE(p);
		memcpy(before, owner, sizeof(before));
		model_cover(from, to, value);
		enum tcp_ooo_fate fate = model_add(from, to, value, &want);

		if (below(16) == 0)
			t_fail_alloc(1);
		enum tcp_ooo_fate got = tcp_ooo_add(&q, p, &known);

		if (got == TCP_OOO_PRUNED) { /* only what touches nothing needs memory */
			CHECK(t_failing());
			CHECK(!owner[from - 1] && !owner[to] && want.start == want.end);
			memcpy(owner, before, sizeof(owner));
		} else {
			CHECK_EQ(got, fate);
		}
		t_fail_alloc(0);
		CHECK(known.start == want.start && known.end == want.end);
		CHECK(early_sound(&q));
		CHECK(recent_is_right());
		if (below(20) == 0) {
			unsigned next = taken + 1 + below(60);

			if (next < SPACE - 2)
				CHECK(take_is_right(next));
			CHECK(early_sound(&q));
		}
	}
	for (unsigned at = SPACE; q.count && at > taken; at--)
		if (owner[at - 1]) {
			CHECK(tcp_ooo_ends_at(&q, base + at));
			CHECK(!tcp_ooo_ends_at(&q, base + at - 1));
			break;
		}
	tcp_ooo_free(&q);
	CHECK(!q.count && !q.bytes && list_empty(&q.recent));
}
TEST(arrivals_against_a_model)
{
	for (unsigned long s = 1; s <= 5000 && !t_failures; s++) {
		random_arrivals(s);
		if (t_failures)
			fprintf(stderr, "with seed %lu\n", s);
	}
	CHECK_EQ(t_live(), 0);
}

/* ---- what it costs ---- */

/* [seq, seq + n) arrives; the runs that were looked at for it. */
static unsigned steps_of(uint32_t seq, uint32_t n)
{
	uint64_t before = counter_tcp_ooo_steps;
	struct tcp_range known;

	CHECK_EQ(tcp_ooo_add(&q, early(seq, n, 1, 1), &known), TCP_OOO_HELD);
	return (unsigned)(counter_tcp_ooo_steps - before);
}
/* A window behind one hole: what is in the middle is not even looked at. */
TEST(data_behind_a_hole_costs_one_step)
{
	enum { N = 20000 };
	struct tcp_range r[4];
	struct packet *p, *next;

	tcp_ooo_init(&q);
	for (uint32_t k = 1; k <= N; k++) {
		CHECK(steps_of(10 * k, 10) <= 1);
		struct tcp_run *run = run_after(&q, NULL);

		CHECK_EQ(q.count, 1);
		if (k == 3) /* the middle of the list, once for all that come behind */
			ASAN_POISON_MEMORY_REGION(run->first->next, sizeof(*p));
		CHECK_EQ(tcp_ooo_recent(&q, r, 4), 1);
		CHECK(r[0].start == 10 && r[0].end == 10 * k + 10);
	}
	p = run_after(&q, NULL)->first;
	ASAN_UNPOISON_MEMORY_REGION(p->next, sizeof(*p));
	p = tcp_ooo_take(&q, 10);
	for (unsigned n = 0; p; p = next, n++) {
		CHECK_EQ(pkt_cb(p)->seq, 10 * n + 10);
		next = p->next;
		p->next = NULL;
		packet_free(p);
	}
	CHECK_EQ(q.bytes, 0);
	CHECK_EQ(t_live(), 0);
}
/* Segments of two losses far from each other come in turn: the tree is two steps deep. */
TEST(few_holes_cost_few_steps)
{
	tcp_ooo_init(&q);
	for (uint32_t k = 1; k <= 5000; k++) {
		CHECK(steps_of(10 * k, 10) <= 3);
		CHECK(steps_of(1000000 + 10 * k, 10) <= 3);
	}
	CHECK_EQ(q.count, 2);
	tcp_ooo_free(&q);
}

enum order { ASCENDING, DESCENDING, BOTH_ENDS, RANDOM, ORDERS };

/* The k-th of n numbers. */
static void put_in_order(unsigned at[], unsigned n, enum order how)
{
	for (unsigned k = 0; k < n; k++) {
		unsigned other = below(k + 1);

		at[k] = how == ASCENDING    ? k
			: how == DESCENDING ? n - 1 - k
			: k % 2		    ? n - 1 - k / 2
					    : k / 2;
		if (how == RANDOM) {
			at[k] = at[other];
			at[other] = k;
		}
	}
}
/* As many holes as there may be, in whatever order, and then they are filled in another. */
static void hole_by_hole(enum order made, enum order filled)
{
	enum { LIMIT = 21 }; /* a red-black tree of 1024 is 20 deep at most */
	static unsigned at[TCP_MAX_RUNS];
	struct tcp_range r[4];

	tcp_ooo_init(&q);
	put_in_order(at, TCP_MAX_RUNS, made);
	for (unsigned k = 0; k < TCP_MAX_RUNS; k++)
		CHECK(steps_of(100 + 2 * at[k], 1) <= LIMIT);
	CHECK_EQ(q.count, TCP_MAX_RUNS);
	uint64_t reported = counter_tcp_ooo_steps;

	CHECK_EQ(tcp_ooo_recent(&q, r, 4), 4);
	CHECK_EQ(counter_tcp_ooo_steps - reported, 4);
	put_in_order(at, TCP_MAX_RUNS, filled);
	for (unsigned k = 0; k < TCP_MAX_RUNS; k++)
		CHECK(steps_of(101 + 2 * at[k], 1) <= LIMIT);
	CHECK_EQ(q.count, 1);
	CHECK(early_sound(&q));
	tcp_ooo_free(&q);
}
TEST(the_worst_orders_cost_the_depth_of_the_tree)
{
	seed = 1;
	for (enum order made = 0; made < ORDERS; made++)
		for (enum order filled = 0; filled < ORDERS; filled++)
			hole_by_hole(made, filled);
	CHECK_EQ(t_live(), 0);
}

/* However it may be counted: nothing walks the runs to get to the other end. */
TEST(the_lowest_run_is_not_looked_at_for_the_highest)
{
	struct tcp_range r[4];
	struct tcp_run *lowest;

	tcp_ooo_init(&q);
	(void)steps_of(100, 1);
	lowest = run_after(&q, NULL);
	for (uint32_t k = 1; k < 500; k++)
		(void)steps_of(100 + 2 * k, 1);
	ASAN_POISON_MEMORY_REGION(lowest, sizeof(*lowest));
	for (uint32_t k = 500; k < TCP_MAX_RUNS; k++)
		(void)steps_of(100 + 2 * k, 1);
	(void)steps_of(1101, 1);
	CHECK_EQ(tcp_ooo_recent(&q, r, 4), 4);
	CHECK(tcp_ooo_ends_at(&q, 100 + 2 * TCP_MAX_RUNS - 1));
	ASAN_UNPOISON_MEMORY_REGION(lowest, sizeof(*lowest));
	CHECK(early_sound(&q));
	tcp_ooo_free(&q);
}

/* ---- bounds ---- */

TEST(beyond_the_bound_of_runs_only_what_makes_no_new_one_is_held)
{
	struct tcp_range known;
	uint32_t top = 100 + 10 * TCP_MAX_RUNS;

	tcp_ooo_init(&q);
	for (uint32_t seq = 100; seq < top; seq += 10)
		(void)steps_of(seq, 5);
	uint32_t bytes = q.bytes;

	CHECK_EQ(tcp_ooo_add(&q, early(top, 5, 1, 1), &known), TCP_OOO_PRUNED);
	CHECK_EQ(tcp_ooo_add(&q, early(50, 5, 1, 1), &known), TCP_OOO_PRUNED);
	CHECK_EQ(tcp_ooo_add(&q, early(106, 2, 1, 1), &known), TCP_OOO_PRUNED);
	CHECK(q.bytes == bytes && q.count == TCP_MAX_RUNS && early_sound(&q));
	(void)steps_of(top - 5, 2); /* behind one */
	(void)steps_of(98, 2);	    /* before one */
	(void)steps_of(118, 8);	    /* over one, and no two touch */
	(void)steps_of(205, 5);	    /* between two */
	CHECK_EQ(q.count, TCP_MAX_RUNS - 1);
	(void)steps_of(top, 5); /* now there is room */
	CHECK(q.count == TCP_MAX_RUNS && early_sound(&q));
	tcp_ooo_free(&q);
	CHECK_EQ(t_live(), 0);
}
TEST(nothing_is_allocated_but_for_runs)
{
	struct tcp_range known;
	struct packet *p[3];

	tcp_ooo_init(&q);
	for (uint32_t k = 0; k < 3; k++)
		p[k] = early(100 + 10 * k, 10, 1, 1);
	t_fail_alloc(1);
	CHECK(!tcp_ooo_take(&q, 100));
	CHECK_EQ(tcp_ooo_add(&q, p[0], &known), TCP_OOO_PRUNED);
	CHECK(t_failing() && !q.count && !q.bytes);
	t_fail_alloc(2);
	CHECK_EQ(tcp_ooo_add(&q, p[1], &known), TCP_OOO_HELD);
	CHECK_EQ(tcp_ooo_add(&q, p[2], &known), TCP_OOO_HELD);
	CHECK(!t_failing());
	t_fail_alloc(0);
	tcp_ooo_free(&q);
	CHECK_EQ(t_live(), 0);
}
