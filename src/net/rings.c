/* SPDX-License-Identifier: BSD-2-Clause */
/* See rings.h for the argument. R1 to R5 are its numbers. */

#include "net/packet.h"
#include "net/rings.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "diag/counter.h"
#include "lib/string.h"
#include "mem/heap.h"

#define INDEX_BITS 16
_Static_assert(
	2 * SKIFF_PACKET_ENTRIES_MAX <= 1 << INDEX_BITS, "a handle holds the entry's number");
_Static_assert(sizeof(struct skiff_packet) == 64 && sizeof(struct skiff_order) == 64,
	"an entry is a cache line");
_Static_assert(offsetof(struct packet, next) == 0, "is the list's node");

COUNTER(packet_rings_received);
COUNTER(packet_rings_dropped);
COUNTER(packet_rings_batches);
COUNTER(packet_rings_orders);
COUNTER(packet_rings_refused);

/* ---- life ---- */

static void *carve(uint8_t **at, size_t size)
{
	void *p = *at;

	*at += ALIGN_UP(size, (size_t)CACHE_LINE);
	return p;
}

int rings_init(struct rings *r, unsigned entries)
{
	uint32_t orders = 2 * entries;
	size_t size = 0;
	uint8_t *at;

	if (entries < SKIFF_PACKET_ENTRIES_MIN || entries > SKIFF_PACKET_ENTRIES_MAX ||
		(entries & (entries - 1)))
		return -EINVAL;
	size += ALIGN_UP(sizeof(struct skiff_rings), (size_t)CACHE_LINE);
	size += entries * sizeof(struct skiff_packet) + orders * sizeof(struct skiff_order);
	size += ALIGN_UP(orders * sizeof(struct rings_lent), (size_t)CACHE_LINE);
	size += 2 * entries * sizeof(void *) + CACHE_LINE;
	*r = (struct rings){ .entries = entries, .order_entries = orders };
	r->memory = heap_alloc_zeroed(size);
	if (!r->memory)
		return -ENOMEM;
	at = (uint8_t *)ALIGN_UP((uintptr_t)r->memory, (uintptr_t)CACHE_LINE);
	r->shared = carve(&at, sizeof(*r->shared));
	*r->shared =
		(struct skiff_rings){ .version = 1, .entries = entries, .order_entries = orders };
	r->shared->packets = r->packets = carve(&at, entries * sizeof(struct skiff_packet));
	r->shared->orders = r->orders = carve(&at, orders * sizeof(struct skiff_order));
	r->lent = carve(&at, orders * sizeof(struct rings_lent));
	for (unsigned k = 0; k < 2; k++) {
		spsc_init(&r->free[k], carve(&at, entries * sizeof(void *)), entries);
		for (uintptr_t i = 1; i <= entries; i++)
			spsc_put(&r->free[k], (void *)(k * entries + i));
	}
	return 0;
}

void rings_free(struct rings *r)
{
	pkt_free_list((struct packet *)mpsc_take_all(&r->incoming));
	for (unsigned i = 0; i < r->order_entries; i++)
		if (r->lent[i].handle)
			packet_free(r->lent[i].packet);
	heap_free(r->memory);
}

/* ---- to the program ---- */

/* The entry, by its number in free[k], is the caller's (R1). */
static void lend(struct rings *r, uintptr_t number, struct packet *p, struct skiff_packet *to)
{
	struct rings_lent *l = &r->lent[number - 1];
	const struct pkt_cb *cb = pkt_cb(p);
	uint64_t handle = ++l->serial << INDEX_BITS | (number - 1);

	to->data = p->data; /* each field once: it is a cache line without a hole */
	to->handle = handle;
	to->length = p->len;
	to->room = (uint32_t)(p->end - p->data);
	to->peer_port = cb->sport;
	to->ifindex = cb->ifindex;
	to->flags = (cb->flags & (PKT_BROADCAST | PKT_MULTICAST) ? SKIFF_PACKET_GROUP : 0) |
		    (cb->flags & PKT_COPIED ? SKIFF_PACKET_COPIED : 0);
	memcpy(to->peer, cb->src.b, sizeof(to->peer));
	memcpy(to->local, cb->dst.b, sizeof(to->local));
	l->packet = p;
	store_release(&l->handle, handle); /* R2 */
}

bool rings_lend_new(struct rings *r, struct packet *p, struct skiff_packet *to)
{
	void *number = spsc_get(&r->free[1]);

	if (!number)
		return false;
	lend(r, (uintptr_t)number, p, to);
	return true;
}

void rings_push_run(struct rings *r, struct packet *newest, struct packet *oldest, unsigned count)
{
	uint32_t there = load_relaxed(&r->incoming_count);
	uint32_t room = there < 2 * r->entries ? 2 * r->entries - there : 0;

	for (; unlikely(count > room); count--) { /* R5 */
		struct packet *p = newest;

		newest = p->next;
		counter_inc(packet_rings_dropped);
		packet_free(p);
	}
	if (!count)
		return;
	__atomic_fetch_add(&r->incoming_count, count, __ATOMIC_RELAXED);
	mpsc_push_chain(&r->incoming, (struct mpsc_node *)newest, (struct mpsc_node *)oldest);
}

void rings_push(struct rings *r, struct packet *p)
{
	p->next = NULL;
	rings_push_run(r, p, p, 1);
}

/* On receive duty. How many the program got. */
static unsigned publish_all(struct rings *r)
{
	struct packet *p = (struct packet *)mpsc_take_all(&r->incoming), *next;
	uint32_t tail = r->packets_tail, taken = 0;

	for (; p; p = next, taken++) {
		void *number = spsc_get(&r->free[0]);

		next = p->next;
		p->next = NULL;
		if (unlikely(!number)) {
			r->dropped++;
			counter_inc(packet_rings_dropped);
			packet_free(p);
			continue;
		}
		r->copied += (pkt_cb(p)->flags & PKT_COPIED) != 0;
		lend(r, (uintptr_t)number, p, &r->packets[tail++ & (r->entries - 1)]);
	}
	if (!taken)
		return 0;
	__atomic_fetch_sub(&r->incoming_count, taken, __ATOMIC_RELAXED);
	store_relaxed(&r->shared->dropped, r->dropped);
	store_relaxed(&r->shared->copied, r->copied);
	taken = tail - r->packets_tail;
	store_release(&r->shared->packets_tail, tail);
	store_release(&r->packets_tail, tail);
	return taken;
}

bool rings_publish(struct rings *r)
{
	uint32_t seen = 1, count = 0;

	if (!duty_call(&r->receive_duty))
		return false;
	do
		count += publish_all(r);
	while (!duty_done(&r->receive_duty, &seen));
	counter_add(packet_rings_received, count);
	return count != 0;
}

static void refuse(struct rings *r)
{
	counter_inc(packet_rings_refused);
	store_relaxed(&r->shared->refused, atomic_add(&r->refused, 1) + 1);
}

long rings_waiting(struct rings *r)
{
	uint32_t n = load_acquire(&r->packets_tail) - load_acquire(&r->shared->packets_head);

	if (likely(n <= r->entries))
		return n;
	refuse(r);
	return -EINVAL;
}

/* ---- from the program ---- */

/* The buffer that o names, back from the program; NULL and *err: it stays where it is. */
static struct packet *take_back(struct rings *r, const struct skiff_order *o, int *err)
{
	uint32_t index = o->handle & ((1u << INDEX_BITS) - 1);
	struct rings_lent *l = &r->lent[index];
	struct packet *p;

	*err = -EINVAL;
	if (!o->handle || index >= r->order_entries || load_acquire(&l->handle) != o->handle)
		return NULL;
	p = l->packet;
	if (o->kind != SKIFF_ORDER_FREE) {
		if (o->kind != SKIFF_ORDER_SEND &&
			(o->kind != SKIFF_ORDER_REPLY || index >= r->entries))
			return NULL;
		*err = -EMSGSIZE;
		if (o->length > (size_t)(p->end - p->data))
			return NULL;
	}
	*err = 0;
	store_relaxed(&l->handle, 0);
	spsc_put(&r->free[index >= r->entries], (void *)(uintptr_t)(index + 1)); /* R1 */
	return p;
}

static int carry_out(struct rings *r, const struct skiff_order *o, rings_send_fn *send, void *arg)
{
	int err;
	struct packet *p = take_back(r, o, &err);

	if (unlikely(!p)) {
		refuse(r);
		return err;
	}
	if (o->kind == SKIFF_ORDER_FREE) {
		packet_free(p);
		return 0;
	}
	p->len = o->length;
	return send(arg, p, o);
}

/* On order duty. */
static int orders_all(struct rings *r, rings_send_fn *send, void *arg)
{
	uint32_t head = r->orders_head;
	uint32_t count = load_acquire(&r->shared->orders_tail) - head;

	if (unlikely(count > r->order_entries)) {
		refuse(r);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct skiff_order *at = &r->orders[(head + i) & (r->order_entries - 1)], o;

		memcpy(&o, at, offsetof(struct skiff_order, result));
		barrier(); /* R4: the copy is what counts */
		store_relaxed(&at->result, carry_out(r, &o, send, arg));
	}
	r->orders_head = head + count;
	store_release(&r->shared->orders_head, head + count);
	counter_add(packet_rings_orders, count);
	return 0;
}

int rings_orders(struct rings *r, rings_send_fn *send, void *arg)
{
	uint32_t seen = 1;
	int err = 0;

	counter_inc(packet_rings_batches);
	if (!duty_call(&r->order_duty))
		return 0;
	do
		err = orders_all(r, send, arg);
	while (!duty_done(&r->order_duty, &seen));
	return err;
}
