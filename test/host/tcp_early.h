/* SPDX-License-Identifier: BSD-2-Clause */
/* The invariants of net/tcp_ooo.h. */
#ifndef TEST_HOST_TCP_EARLY_H
#define TEST_HOST_TCP_EARLY_H

#include "net/tcp.h"

/* One run: O2, and what it pins. */
static bool early_run_sound(const struct tcp_run *r)
{
	uint32_t at = r->start, bytes = sizeof(*r);

	for (struct packet *p = r->first; p; p = p->next) {
		struct pkt_cb *cb = pkt_cb(p);

		if (cb->seq != at || !pkt_total(p) || pkt_total(p) != cb->end_seq - at)
			return false;
		if (!p->next && p != r->last)
			return false;
		at = cb->end_seq;
		bytes += pkt_truesize(p);
	}
	return at == r->end && bytes == r->bytes;
}
static bool early_sound(const struct tcp_ooo *q)
{
	unsigned count = 0, recent = 0;
	uint32_t bytes = 0, end = 0;

	for (struct rb_node *n = rb_first(&q->runs); n; n = rb_next(n), count++) {
		const struct tcp_run *r = rb_entry(n, struct tcp_run, node);

		if ((count && seq_le(r->start, end)) || !early_run_sound(r)) /* O1 */
			return false;
		end = r->end;
		bytes += r->bytes;
	}
	for (const struct list_node *n = q->recent.next; n != &q->recent; n = n->next)
		recent++;
	return count == q->count && recent == count && bytes == q->bytes;
}
#endif
