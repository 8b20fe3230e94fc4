/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets lent to a program: the kernel's side of skiff.h's rings. Knows buffers, handles and
 * indexes, no protocol (udp_rings.c does).
 *
 *	             push     publish  orders   alloc    waiting
 *	push         safe     safe     safe     safe     safe
 *	publish      safe     safe     safe     safe     safe
 *	orders       safe     safe     safe     safe     safe
 *	alloc        safe     safe     safe     caller   safe
 * 'caller': one at a time, by a lock of the caller's. init and free: nobody else is there.
 *
 * A buffer's way, and who owns it and its entry of lent[]:
 *
 *	the stack --push--> incoming --publish (on receive duty)--> the program
 *	the program --orders (on order duty)--> the card, or freed;  its entry > free[] > publish
 *
 * R1 One at a time lends: an entry is free exactly while its number is in free[], a ring of which
 *    the order duty is the producer, and the receive duty (received buffers) or the caller of alloc
 *    (the others) the consumer. So 'packet' and 'serial' have one writer at any time.
 * R2 One at a time takes back, on order duty. An entry is lent while its handle is not 0: lending
 *    releases the handle after the packet, taking back acquires it before. Whatever number
 *    a program makes up, comparing it with the handle finds exactly what is lent, or nothing.
 * R3 No handle is used twice: serial only grows, 48 bits of it.
 * R4 What the program can write is read once, and copied before it is checked. What the kernel
 *    counts on (indexes, sizes, lent[]) is not in the shared memory; that has copies.
 * R5 Bounded: 'entries' received buffers and as many allocated ones with the program, as many again
 *    in 'incoming' (a holder of the duty may be stopped by the hypervisor).
 */
#pragma once

#include "lib/types.h"
#include "lockfree/duty.h"
#include "lockfree/mpsc.h"
#include "lockfree/spsc.h"
#include "skiff.h"

struct packet;

struct rings_lent {
	uint64_t handle; /* atomic; 0: not lent */
	uint64_t serial;
	struct packet *packet;
};

struct rings {
	/* fixed */
	struct skiff_rings *shared;
	struct skiff_packet *packets; /* shared memory, too */
	struct skiff_order *orders;
	uint32_t entries, order_entries;
	struct rings_lent *lent; /* received: the first 'entries'; allocated: those after */
	void *memory;

	struct mpsc_list incoming;
	uint32_t incoming_count; /* atomic; may be a little behind */
	struct duty receive_duty, order_duty;
	uint64_t refused; /* atomic */

	/* of who is on receive duty */
	uint32_t packets_tail; /* read by all */
	uint64_t dropped, copied;

	/* of who is on order duty */
	uint32_t orders_head;

	struct spsc free[2]; /* numbers of lent[], plus one */
};

/* entries: SKIFF_PACKET_ENTRIES_MIN to MAX, a power of two. -EINVAL, -ENOMEM. */
int rings_init(struct rings *r, unsigned entries);
void rings_free(struct rings *r); /* with all that is lent */

/*
 * p: linear, its data the payload, its cb as the stack fills it; ownership passes. Then publish,
 * once for a run of packets: true if the program has something new to read.
 */
void rings_push(struct rings *r, struct packet *p);
/* Likewise a run of 'count' packets, linked by next from the newest to the oldest. */
void rings_push_run(struct rings *r, struct packet *newest, struct packet *oldest, unsigned count);
bool rings_publish(struct rings *r);
/* Packets that the program has not passed; -EINVAL: its index is out of bounds. */
long rings_waiting(struct rings *r);

/*
 * What an order to send does: p->len is set, ownership passes. reply: to who sent it. 0 or -errno
 * for the program.
 */
typedef int rings_send_fn(void *arg, struct packet *p, const struct skiff_order *o);
/* Carries out all orders, or leaves them to whoever is at it. -EINVAL: the index is out of bounds.
 */
int rings_orders(struct rings *r, rings_send_fn *send, void *arg);

/* Lends p (ownership passes, not on failure), describes it in *to. False: enough are out. */
bool rings_lend_new(struct rings *r, struct packet *p, struct skiff_packet *to);
