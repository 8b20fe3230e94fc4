/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: src/net/rings.c */
/* flags: -D_GNU_SOURCE */
/* tsan */
/* Packets lent to a program: what a program may do wrong, by chance and on purpose, and receivers,
 * a program and callers at the same time. */
#include "t.h"
#include "bug_host.h"
#include "heap_host.h"
#include <pthread.h>
#include <sched.h>
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "net/packet.h"
#include "net/rings.h"

#define ENTRIES	     16
#define SHARED_BYTES (sizeof(struct skiff_rings) + 3 * ENTRIES * 64) /* with both rings */

/* ---- the world around rings.c ---- */

void packet_free(struct packet *p)
{
	t_free(p);
}
void pkt_free_list(struct packet *list)
{
	for (struct packet *next; list; list = next) {
		next = list->next;
		packet_free(list);
	}
}

/* A packet with a number as its payload, and room for 100 bytes. */
static struct packet *make(uint64_t number)
{
	struct packet *p = t_calloc(sizeof(*p) + 100);

	p->head = p->data = (uint8_t *)(p + 1);
	p->end = p->data + 100;
	p->len = 8;
	memcpy(p->data, &number, 8);
	return p;
}

static unsigned long sent; /* packets */
static uint32_t sent_bytes;
static int send_result;
static const struct skiff_rings *shared_of_send; /* of the rings that send is used with */

static int send(void *arg, struct packet *p, const struct skiff_order *o)
{
	const uint8_t *at = (const uint8_t *)o, *s = (const uint8_t *)shared_of_send;

	CHECK(at < s || at >= s + SHARED_BYTES); /* a copy, not what the program can write */
	sent++;
	sent_bytes = p->len;
	packet_free(p);
	return send_result;
}

/* That many, of numbers from 'first', as one run. */
static void push_run(struct rings *r, uint64_t first, unsigned count)
{
	struct packet *newest = NULL, *oldest = NULL;

	for (unsigned i = 0; i < count; i++) {
		struct packet *p = make(first + i);

		p->next = newest;
		newest = p;
		if (!i)
			oldest = p;
	}
	rings_push_run(r, newest, oldest, count);
}

static struct skiff_packet *peek(struct skiff_rings *s)
{
	uint32_t head = s->packets_head;

	return head == load_acquire(&s->packets_tail) ? NULL : &s->packets[head & (s->entries - 1)];
}
static void put(struct skiff_rings *s, uint16_t kind, uint64_t handle, uint32_t length)
{
	struct skiff_order *o = &s->orders[s->orders_tail & (s->order_entries - 1)];

	*o = (struct skiff_order){ .handle = handle, .kind = kind, .length = length };
	store_release(&s->orders_tail, s->orders_tail + 1);
}
static int order(struct rings *r, uint16_t kind, uint64_t handle, uint32_t length)
{
	struct skiff_order *o = &r->shared->orders[r->shared->orders_tail & (r->order_entries - 1)];

	shared_of_send = r->shared;
	put(r->shared, kind, handle, length);
	CHECK_EQ(rings_orders(r, send, NULL), 0);
	return o->result;
}

/* ---- one thread ---- */

TEST(rings_sizes)
{
	struct rings r;

	CHECK_EQ(rings_init(&r, 0), -EINVAL);
	CHECK_EQ(rings_init(&r, 4), -EINVAL);
	CHECK_EQ(rings_init(&r, 24), -EINVAL);
	CHECK_EQ(rings_init(&r, 8192), -EINVAL);
	T_EACH_ALLOC_FAILS({
		int err = rings_init(&r, 4096);

		CHECK_EQ(err, t_failing() ? -ENOMEM : 0);
		if (!err)
			rings_free(&r);
	});
	CHECK_EQ(t_live(), 0);
}

TEST(rings_bounds)
{
	struct rings r;
	struct skiff_packet first;

	CHECK_EQ(rings_init(&r, ENTRIES), 0);
	for (uint64_t i = 0; i < ENTRIES + 5; i++)
		rings_push(&r, make(i));
	CHECK(rings_publish(&r));
	CHECK(!rings_publish(&r)); /* nothing new */
	CHECK_EQ(rings_waiting(&r), ENTRIES);
	CHECK_EQ(r.shared->dropped, 5);
	first = *peek(r.shared);
	r.shared->packets_head = ENTRIES;
	rings_push(&r, make(99)); /* all passed, but none given back */
	CHECK(!rings_publish(&r));
	CHECK_EQ(r.shared->dropped, 6);
	CHECK_EQ(order(&r, SKIFF_ORDER_FREE, first.handle, 0), 0);
	rings_push(&r, make(100));
	CHECK(rings_publish(&r));
	CHECK_EQ(*(uint64_t *)peek(r.shared)->data, 100);
	CHECK(peek(r.shared)->handle != first.handle);
	for (int i = 0; i < 10 * ENTRIES; i++) /* nobody publishes: bounded, too */
		rings_push(&r, make(0));
	CHECK(t_live() <= 3 * ENTRIES + 2);
	rings_free(&r);
	CHECK_EQ(t_live(), 0);
}

/* Of a run that is too long the first stay. */
TEST(rings_bounds_of_runs)
{
	struct rings r;

	CHECK_EQ(rings_init(&r, ENTRIES), 0);
	long before = t_live();

	push_run(&r, 0, ENTRIES / 2);
	push_run(&r, ENTRIES / 2, 3 * ENTRIES);
	CHECK_EQ(t_live(), before + 2 * ENTRIES);
	push_run(&r, 1000, 5);
	CHECK_EQ(t_live(), before + 2 * ENTRIES);
	CHECK(rings_publish(&r));
	CHECK_EQ(rings_waiting(&r), ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i++)
		CHECK_EQ(*(uint64_t *)r.shared->packets[i].data, i);
	rings_free(&r);
	CHECK_EQ(t_live(), 0);
}

/* Whatever numbers a program orders with, exactly what it has is taken, once. */
TEST(rings_random_misuse)
{
	unsigned long seed = 7, refused = 0, ends = 0;
	struct rings r, other;
	struct {
		uint64_t handle;
		bool out, received;
	} known[4096];
	unsigned count = 0;

	CHECK_EQ(rings_init(&r, ENTRIES), 0);
	CHECK_EQ(rings_init(&other, ENTRIES), 0);
	memset(known, 0, sizeof(known));
	sent = 0;
	for (int round = 0; round < 60000 && count < 4000; round++) {
		struct skiff_packet p, *q;
		unsigned k = count ? t_random(&seed) % count : 0;
		uint16_t kind = t_random(&seed) % 5;
		uint32_t length = t_random(&seed) % 120;
		uint64_t handle;
		int want, got;

		switch (t_random(&seed) % 12) {
		case 0:
			rings_push(&r, make(round));
			rings_publish(&r);
			while ((q = peek(r.shared))) {
				known[count].received = known[count].out = true;
				known[count++].handle = q->handle;
				r.shared->packets_head++;
			}
			continue;
		case 1: {
			struct packet *n = make(round);

			if (rings_lend_new(&r, n, &p)) {
				known[count].out = true;
				known[count++].handle = p.handle;
			} else {
				packet_free(n);
			}
			continue;
		}
		case 2: /* any number */
			handle = (uint64_t)t_random(&seed) << 32 ^ t_random(&seed);
			CHECK_EQ(order(&r, kind, handle & 0xffff00000000ffff, length), -EINVAL);
			refused++;
			continue;
		case 3: /* right in one half */
			handle = count ? known[k].handle ^ (1ull << (t_random(&seed) % 64)) : 0;
			for (unsigned i = 0; i < count; i++)
				if (known[i].handle == handle)
					handle = 0;
			CHECK_EQ(order(&r, kind, handle, length), -EINVAL);
			refused++;
			continue;
		case 4: /* another's */
			if (count && known[k].out) {
				CHECK_EQ(order(&other, kind, known[k].handle, length), -EINVAL);
			}
			continue;
		case 5: { /* an index that jumps */
			uint32_t by = 2 * ENTRIES + 1 + t_random(&seed) % 1000000;

			r.shared->orders_tail += by;
			CHECK_EQ(rings_orders(&r, send, NULL), -EINVAL);
			r.shared->orders_tail -= by;
			refused++;
			continue;
		}
		}
		if (!count)
			continue;
		if (t_random(&seed) % 2 && count > 64) /* mostly what may be out still */
			k = count - 1 - t_random(&seed) % 64;
		want = !known[k].out || !kind || kind > 3 ||
				       (kind == SKIFF_ORDER_REPLY && !known[k].received)
			       ? -EINVAL
		       : kind != SKIFF_ORDER_FREE && length > 100 ? -EMSGSIZE
								  : 0;
		got = order(&r, kind, known[k].handle, length);
		CHECK_EQ(got, want);
		if (want) {
			refused++;
		} else {
			known[k].out = false;
			ends++;
			if (kind != SKIFF_ORDER_FREE)
				CHECK_EQ(sent_bytes, length);
		}
	}
	CHECK(ends > 500 && refused > 500);
	CHECK_EQ(r.shared->refused, refused);
	rings_free(&r);
	rings_free(&other);
	CHECK_EQ(t_live(), 0);
}

/* What the sender says is the order's result; the buffer is gone in any case. */
TEST(rings_send_errors)
{
	struct rings r;

	CHECK_EQ(rings_init(&r, ENTRIES), 0);
	rings_push(&r, make(1));
	rings_publish(&r);
	send_result = -ENETUNREACH;
	CHECK_EQ(order(&r, SKIFF_ORDER_REPLY, peek(r.shared)->handle, 5), -ENETUNREACH);
	CHECK_EQ(order(&r, SKIFF_ORDER_REPLY, peek(r.shared)->handle, 5), -EINVAL);
	CHECK_EQ(r.shared->refused, 1);
	send_result = 0;
	rings_free(&r);
	CHECK_EQ(t_live(), 0);
}

/* ---- several ---- */

#define RECEIVERS 2
#define PACKETS	  30000

static struct rings shared_rings;
static atomic_bool stop;
static unsigned long seen[RECEIVERS], wrong, back;

static void *receiver(void *arg)
{
	uint64_t id = (uintptr_t)arg;

	for (uint64_t i = 1; i <= PACKETS; i++) {
		if (id && i + 5 < PACKETS) {
			push_run(&shared_rings, id << 32 | i, 1 + i % 5);
			i += i % 5;
		} else {
			rings_push(&shared_rings, make(id << 32 | i));
		}
		if (i % 7 == 0)
			rings_publish(&shared_rings);
		if (i % 64 == 0)
			sched_yield();
	}
	rings_publish(&shared_rings);
	return NULL;
}

/* Carries out orders beside the program's own calls. */
static void *caller(void *arg)
{
	while (!atomic_load(&stop)) {
		rings_orders(&shared_rings, send, NULL);
		rings_waiting(&shared_rings);
		sched_yield();
	}
	return NULL;
}

static void program_step(struct skiff_rings *s, unsigned long *last)
{
	struct skiff_packet *p;

	while ((p = peek(s))) {
		uint64_t number, id, handle = p->handle; /* not to be read when it is ordered */

		if (s->orders_tail - load_acquire(&s->orders_head) >= s->order_entries)
			break;
		memcpy(&number, p->data, 8);
		id = number >> 32;
		number &= 0xffffffff;
		if (id >= RECEIVERS || number <= last[id])
			wrong++;
		else
			last[id] = number;
		seen[id]++;
		memset(p->data, 0x55, p->room);
		put(s, number % 3 ? SKIFF_ORDER_REPLY : SKIFF_ORDER_FREE, handle, 50);
		back++;
		if (number % 5 == 0)
			put(s, SKIFF_ORDER_FREE, handle, 0); /* once too often */
		store_release(&s->packets_head, s->packets_head + 1);
	}
}

TEST(rings_threads)
{
	pthread_t t[RECEIVERS], c[2];
	unsigned long last[RECEIVERS] = { 0 };
	struct skiff_rings *s;

	CHECK_EQ(rings_init(&shared_rings, 256), 0);
	s = shared_rings.shared;
	sent = 0;
	for (uintptr_t i = 0; i < RECEIVERS; i++)
		pthread_create(&t[i], NULL, receiver, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_create(&c[i], NULL, caller, NULL);
	for (int idle = 0; idle < 200; idle++) {
		unsigned long before = back;

		program_step(s, last); /* the callers carry out what it orders */
		if (back != before)
			idle = 0;
		else
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	for (int i = 0; i < RECEIVERS; i++)
		pthread_join(t[i], NULL);
	program_step(s, last);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(c[i], NULL);
	rings_orders(&shared_rings, send, NULL);
	CHECK_EQ(wrong, 0);
	CHECK(seen[0] && seen[1]);
	CHECK(seen[0] + seen[1] + s->dropped <= RECEIVERS * PACKETS);
	CHECK_EQ(load_relaxed(&s->orders_head), s->orders_tail);
	CHECK(s->refused > 0);
	CHECK(sent > 0);
	for (unsigned i = 0; i < shared_rings.order_entries; i++)
		CHECK(!shared_rings.lent[i].handle); /* all came back */
	rings_free(&shared_rings);
	CHECK_EQ(t_live(), 0);
}

#ifndef __SANITIZE_THREAD__
/* A program that writes anything anywhere in what it shares, while the kernel works: races on
 * purpose, so not under TSan. */
static void *scribbler(void *arg)
{
	unsigned long seed = 99;
	uint8_t *at = (uint8_t *)shared_rings.shared;
	size_t size = (uint8_t *)shared_rings.lent - at;

	while (!atomic_load(&stop))
		store_relaxed(&at[t_random(&seed) % size], (uint8_t)t_random(&seed));
	return NULL;
}

TEST(rings_scribbled_over)
{
	pthread_t t, c;

	atomic_store(&stop, false);
	CHECK_EQ(rings_init(&shared_rings, 64), 0);
	pthread_create(&t, NULL, scribbler, NULL);
	pthread_create(&c, NULL, caller, NULL);
	receiver((void *)0);
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	pthread_join(c, NULL);
	rings_free(&shared_rings);
	CHECK_EQ(t_live(), 0);
}
#endif
