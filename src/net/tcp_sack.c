/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selective acknowledgement on the wire (RFC 2018, 2883): the sender reads blocks into the record
 * of what is in flight, the receiver writes them from what came early.
 */

#include "net/tcp.h"

/* A duplicate is reported below the ACK, or inside the second block (RFC 2883, section 4). */
static bool is_dsack(const struct tcp_seg *seg)
{
	const struct tcp_range *r = seg->sack;

	if (seq_le(r[0].end, seg->ack))
		return true;
	return seg->sack_count > 1 && seq_ge(r[0].start, r[1].start) && seq_le(r[0].end, r[1].end);
}

static void take_dsack(struct tcp_sock *t, const struct tcp_range *r, struct tcp_delivery *d)
{
	t->dsack_dups++;
	/* of what can be ours: no older than a window, and sent */
	if (seq_lt(r->start, t->snd_una - MAX(t->max_wnd, 65535u)) || seq_gt(r->end, t->snd_nxt))
		return;
	if (t->tlp.on && t->tlp.again && r->end == t->tlp.end)
		d->dsack_probe = true;
	else
		d->dsack = true;
	if (t->undo.on && seq_ge(r->start, t->undo.una))
		t->undo.duplicates += r->end - r->start;
}

/* snd_una has been moved to seg->ack. */
void tcp_sack_update(struct tcp_sock *t, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	for (unsigned k = 0; k < seg->sack_count; k++) {
		const struct tcp_range *r = &seg->sack[k];

		if (seq_ge(r->start, r->end))
			continue;
		if (k == 0 && is_dsack(seg))
			take_dsack(t, r, d);
		else if (seq_gt(r->start, t->snd_una) && seq_le(r->end, t->snd_nxt))
			d->sack_news |= tcp_sent_sacked(t, r->start, r->end, d);
	}
}

/*
 * The blocks to report: D-SACK, then the run of the latest segment, then those that were reported
 * last (RFC 2018, section 4): as the ACKs go on each is told several times, however many there are.
 */
unsigned tcp_sack_blocks(struct tcp_sock *t, struct tcp_range out[4], unsigned max)
{
	unsigned n = 0;

	if (t->dsack_due) {
		out[n++] = t->dsack;
		t->dsack_due = false;
	}
	n += tcp_ooo_recent(&t->ooo, out + n, max - n);
	for (unsigned k = 0; t->fin_early && k < n; k++)
		if (out[k].end == t->early_fin) /* held as well, and has a number */
			out[k].end++;
	return n;
}
