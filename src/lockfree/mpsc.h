/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list that many push onto and somebody takes all of. Nodes are the users' own memory.
 *
 *	             push              take_all          empty
 *	push         safe              safe              safe
 *	take_all     safe              safe (*)          safe
 *	empty        safe              safe              safe (a hint for all but a lone taker)
 *
 * (*) Each node comes out once, to one of them. Only with a single taker, at a time, is the order
 * of all nodes that of their pushes.
 *
 * Callable from interrupt handlers. A node belongs to the list from the call of push until the
 * take_all that returned it.
 *
 * Argument: the list is a singly linked stack whose only shared word is 'head'. push writes its
 * node's next before the compare-and-swap (release) that publishes it; take_all's exchange
 * (acquire) gets the whole stack, after which nobody else can reach its nodes. ABA does not arise:
 * no operation removes a single node, so a head that compares equal heads the same list. take_all
 * reverses, so nodes come out in the order of their pushes. Both operations on head are
 * sequentially consistent, so that "push, then look whether the consumer sleeps" pairs with
 * "announce sleep, then look whether the list is empty" in sched/schedule.c.
 */
#pragma once

#include "cpu/barrier.h"
#include "lib/types.h"

struct mpsc_node {
	struct mpsc_node *next;
};

struct mpsc_list {
	struct mpsc_node *head; /* atomic; newest first */
};

/* A chain of the caller's at once, newest first. True if the list was empty. */
static inline bool mpsc_push_chain(
	struct mpsc_list *l, struct mpsc_node *newest, struct mpsc_node *oldest)
{
	struct mpsc_node *old = load_relaxed(&l->head);

	do
		store_relaxed(&oldest->next, old);
	while (!atomic_cas(&l->head, &old, newest));
	return !old;
}

/* True if the list was empty. */
static inline bool mpsc_push(struct mpsc_list *l, struct mpsc_node *n)
{
	return mpsc_push_chain(l, n, n);
}

static inline bool mpsc_empty(const struct mpsc_list *l)
{
	return !__atomic_load_n(&l->head, __ATOMIC_SEQ_CST);
}

/* The nodes in the order they were pushed, linked by next; NULL if there are none. */
static inline struct mpsc_node *mpsc_take_all(struct mpsc_list *l)
{
	struct mpsc_node *n, *next, *first = NULL;

	if (!load_relaxed(&l->head))
		return NULL;
	for (n = atomic_xchg(&l->head, NULL); n; n = next) {
		next = load_relaxed(&n->next);
		store_relaxed(&n->next, first);
		first = n;
	}
	return first;
}
