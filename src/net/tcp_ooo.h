/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/tcp*.c: data that came too early, beyond rcv_nxt. What follows each other without
 * a gap is one run, however many packets it is:
 *
 *	rcv_nxt
 *	|  missing  | run: p - p - p - p |  missing  | run: p |  missing  | run: p - p |
 *
 *  O1. between two runs at least one byte is missing
 *  O2. a run's packets cover exactly [start, end), each begins where the one before ends
 *  O3. nothing that is held leaves but by tcp_ooo_take and tcp_ooo_free, or for one packet that
 *      covers a whole run: the peer may rely on what a SACK block has reported (RFC 2018, 8)
 *  O4. what a call does is bounded by the logarithm of the number of runs, and by what it hands out
 *      or frees. What goes on where the last arrival ended is found at once.
 *
 * The caller bounds the memory (bytes); the number of runs is bounded here. All with the socket's
 * lock. While nothing is missing nothing is allocated.
 */
#pragma once

#include "lib/list.h"
#include "lib/rbtree.h"

#define TCP_MAX_RUNS 1024 /* every second segment of 2 MiB may be lost */

struct packet;
struct tcp_range;

struct tcp_run {
	uint32_t start, end;
	struct packet *first, *last; /* linked by next */
	uint32_t bytes;		     /* that they pin, and this */
	struct rb_node node;
	struct list_node recent;
};

struct tcp_ooo {
	struct rb_tree runs;	 /* by start */
	struct list_node recent; /* the same, first the one that the last arrival belonged to */
	unsigned count;		 /* of runs */
	uint32_t bytes;		 /* all that they pin */
};

enum tcp_ooo_fate {
	TCP_OOO_HELD,	/* some of it at least was new */
	TCP_OOO_KNOWN,	/* all of it was there */
	TCP_OOO_PRUNED, /* no memory for a run, or too many of them: as if it were lost */
};

/* Something is held. */
static inline bool tcp_ooo_any(const struct tcp_ooo *q)
{
	return q->runs.root != NULL;
}
void tcp_ooo_init(struct tcp_ooo *q);
void tcp_ooo_free(struct tcp_ooo *q); /* all that it holds; it is as new */
/*
 * Takes p, by its cb's range, which is not empty. Of what is there already the old bytes stay, but
 * for whole runs that p covers. known: the first range of p that was there, or an empty one.
 */
enum tcp_ooo_fate tcp_ooo_add(struct tcp_ooo *q, struct packet *p, struct tcp_range *known);
/* What is next at 'next', a list the first of which begins there, or NULL. All before is freed. */
struct packet *tcp_ooo_take(struct tcp_ooo *q, uint32_t next);
/* The runs that arrivals belonged to last, latest first; how many, at most max. */
unsigned tcp_ooo_recent(const struct tcp_ooo *q, struct tcp_range *out, unsigned max);
/* Whether seq is where the highest run ends. */
bool tcp_ooo_ends_at(const struct tcp_ooo *q, uint32_t seq);
