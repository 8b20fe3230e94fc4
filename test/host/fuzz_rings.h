/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program of net_fuzz_test, where it has packets by reference (skiff.h): it answers, keeps,
 * gives back, and writes into the shared memory what it likes, its own part and the kernel's.
 */
#ifndef TEST_HOST_FUZZ_RINGS_H
#define TEST_HOST_FUZZ_RINGS_H

#include "fuzz_peer.h"
#include "net/rings.h"

/* A socket's rings, and what the program has taken out of them. */
struct app_rings {
	struct skiff_rings *shared;
	struct {
		uint64_t handle;
		uint8_t *data;
		uint32_t room;
	} kept[32];
	unsigned count;
	bool wild; /* it has written nonsense: what it reads may be nonsense, too */
};

static void rings_keep(struct app_rings *r, const struct skiff_packet *p)
{
	unsigned k = r->count < ARRAY_SIZE(r->kept) ? r->count++ : rnd(ARRAY_SIZE(r->kept));

	r->kept[k].handle = p->handle;
	r->kept[k].data = p->data;
	r->kept[k].room = p->room;
}
/* All of it may be read. */
static void app_sees(const uint8_t *data, size_t n)
{
	static volatile uint8_t sum;

	for (size_t k = 0; k < n; k++)
		sum += data[k];
}
static void rings_take(struct app_rings *r)
{
	struct skiff_rings *s = r->shared;

	for (unsigned k = rnd(12); k && s->packets_head != s->packets_tail; k--) {
		const struct skiff_packet *p = &s->packets[s->packets_head & (s->entries - 1)];

		if (!r->wild) {
			CHECK(p->handle && p->length <= p->room);
			app_sees(p->data, p->length);
		}
		rings_keep(r, p);
		s->packets_head++;
	}
}
static void rings_order(struct app_rings *r)
{
	struct skiff_rings *s = r->shared;
	unsigned k = rnd(r->count);
	struct skiff_order o = { .handle = r->kept[k].handle,
		.kind = (uint16_t)PICK(1, 2, 2, 3, 3, chance(50) ? rnd(65536) : 2),
		.length = MIN(PICK(0, 1, 20, 1000, 1472, 1473, 1452), r->kept[k].room),
		.peer_port = (uint16_t)PICK(53, 1000, 9999, 0),
		.ifindex = rnd(4) };

	memcpy(o.peer, peer_any(rnd(2)).b, 16);
	if (o.length && !r->wild)
		memset(r->kept[k].data, 0x66, o.length);
	if (chance(30)) { /* nobody's, or another one's that it still counts on */
		o.handle ^= 1ull << rnd(64);
		r->wild = true;
	}
	if (chance(30))
		o.length = fuzz_choose(0);
	for (unsigned twice = 1 + chance(30); twice; twice--)
		s->orders[s->orders_tail++ & (s->order_entries - 1)] = o;
	r->kept[k] = r->kept[--r->count];
}
/* Only what the kernel must not believe: pointers are the program's own business. */
static void rings_spoil(struct skiff_rings *s)
{
	uint32_t *const word[] = { &s->packets_head, &s->orders_tail, &s->packets_tail,
		&s->orders_head };

	*word[rnd(ARRAY_SIZE(word))] += PICK(1, 2, 16, 1000, 0x80000000, 0xffffffff);
}

static void rings_move(struct file *f, struct app_rings *r, unsigned spoils)
{
	struct skiff_packet fresh[8];
	uint32_t head, tail, orders;
	long n;

	if (!r->shared) {
		socket_rings_open(f, PICK(16, 16, 64, 256, 3, 0, 1 << 20), &r->shared);
		return;
	}
	head = r->shared->packets_head;
	tail = r->shared->packets_tail;
	orders = r->shared->orders_tail;
	rings_take(r);
	if (rnd(4) == 0) {
		n = socket_rings_alloc(f, fresh, 1 + rnd(ARRAY_SIZE(fresh)));
		for (long k = 0; k < n; k++)
			rings_keep(r, &fresh[k]);
	}
	for (unsigned k = rnd(8); k && r->count; k--)
		rings_order(r);
	if (!chance(spoils)) {
		socket_rings_run(f, 0);
		return;
	}
	/* A program that writes nonsense, is told so, and mends what is its own. */
	r->wild = true;
	rings_spoil(r->shared);
	socket_rings_run(f, 0);
	if (r->shared->packets_head != head && rnd(2))
		r->shared->packets_head = tail;
	if (rnd(2))
		r->shared->orders_tail = orders;
}
#endif
