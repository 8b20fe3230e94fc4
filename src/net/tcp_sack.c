/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selective acknowledgement (RFC 2018, 2883, 6675): the sender's scoreboard as ascending ranges of
 * sequence space, and the receiver's blocks. Without SACK, duplicate ACKs stand for sacked segments
 * (RFC 6582): the same pipe and recovery code serves both.
 */

#include "net/tcp.h"

/* Adds [start, end) to the scoreboard; returns whether it covers anything new. */
static bool add_range(struct tcp_sock *t, uint32_t start, uint32_t end)
{
	struct tcp_range *r = t->sacked;
	unsigned n = t->sacked_count, first = 0, last;

	while (first < n && seq_lt(r[first].end, start))
		first++;
	last = first;
	if (first < n && seq_le(r[first].start, start) && seq_ge(r[first].end, end))
		return false;
	while (last < n && seq_le(r[last].start, end)) {
		start = seq_min(start, r[last].start);
		end = seq_max(end, r[last].end);
		last++;
	}
	if (last == first) { /* touches none: insert */
		if (n == TCP_MAX_RANGES)
			return false;
		for (unsigned k = n; k > first; k--)
			r[k] = r[k - 1];
		t->sacked_count++;
	} else {
		for (unsigned k = last; k < n; k++)
			r[first + 1 + k - last] = r[k];
		t->sacked_count = n - (last - first - 1);
	}
	r[first] = (struct tcp_range){ start, end };
	return true;
}

bool tcp_sack_update(struct tcp_sock *t, const struct tcp_seg *seg)
{
	bool news = false;

	for (unsigned k = 0; k < seg->sack_count; k++) {
		uint32_t start = seg->sack[k].start, end = seg->sack[k].end;

		if (seq_ge(start, end))
			continue;
		/* D-SACK: a duplicate is reported below the ACK, or inside the second block */
		if (k == 0 && (seq_le(end, seg->ack) ||
				      (seg->sack_count > 1 && seq_ge(start, seg->sack[1].start) &&
					      seq_le(end, seg->sack[1].end)))) {
			t->dsack_dups++;
			continue;
		}
		if (seq_le(end, t->snd_una) || seq_gt(end, t->snd_nxt) || seq_lt(start, t->snd_una))
			continue;
		news |= add_range(t, start, end);
	}
	return news;
}

/* After snd_una moved. */
void tcp_sack_trim(struct tcp_sock *t)
{
	unsigned k = 0;

	while (k < t->sacked_count && seq_le(t->sacked[k].end, t->snd_una))
		k++;
	for (unsigned i = k; i < t->sacked_count; i++)
		t->sacked[i - k] = t->sacked[i];
	t->sacked_count -= k;
	/* The receiver dropped what it had reported: forget it all (RFC 2018, section 8). */
	if (t->sacked_count && seq_le(t->sacked[0].start, t->snd_una))
		t->sacked_count = 0;
}

/* What lies below and is not sacked is lost (RFC 6675 IsLost); snd_una if nothing is. */
uint32_t tcp_lost_edge(const struct tcp_sock *t)
{
	uint32_t edge = t->snd_una, above = 0;
	unsigned count = 0;

	for (unsigned k = t->sacked_count; k-- > 0;) {
		above += t->sacked[k].end - t->sacked[k].start;
		if (++count >= 3 || above > 2u * t->mss) {
			edge = t->sacked[k].start;
			break;
		}
	}
	if (t->ca_state == CA_LOSS)
		edge = seq_max(edge, seq_min(t->loss_end, t->snd_nxt));
	else if (t->ca_state == CA_RECOVERY) /* the first segment was the reason */
		edge = seq_max(edge, seq_min(t->snd_una + t->mss, t->snd_nxt));
	return edge;
}

/* Bytes believed to be in the network. */
uint32_t tcp_pipe(const struct tcp_sock *t)
{
	uint32_t pipe = 0, edge, at = t->snd_una;

	if (t->ca_state == CA_OPEN && !t->sacked_count && !t->dupacks)
		return t->snd_nxt - t->snd_una;
	edge = tcp_lost_edge(t);
	for (unsigned k = 0; k <= t->sacked_count; k++) { /* each hole [at, end) */
		uint32_t end = k < t->sacked_count ? t->sacked[k].start : t->snd_nxt;

		if (seq_gt(end, edge))
			pipe += end - seq_max(at, edge);
		uint32_t resent = seq_min(seq_min(end, edge), t->high_rxt);

		if (t->ca_state != CA_OPEN && seq_gt(resent, at))
			pipe += resent - at;
		if (k < t->sacked_count)
			at = t->sacked[k].end;
	}
	if (!t->sack_ok && t->dupacks) {
		uint32_t gone = MIN(t->dupacks * (uint32_t)t->mss, pipe);

		pipe -= gone;
	}
	return pipe;
}

/* The next range to retransmit in this recovery. */
bool tcp_next_lost(const struct tcp_sock *t, uint32_t *seq, uint32_t *len)
{
	uint32_t at = seq_max(t->snd_una, t->high_rxt), edge = tcp_lost_edge(t), end = edge;

	if (t->ca_state == CA_OPEN)
		return false;
	for (unsigned k = 0; k < t->sacked_count; k++) {
		if (seq_lt(at, t->sacked[k].start)) {
			end = seq_min(edge, t->sacked[k].start);
			break;
		}
		at = seq_max(at, t->sacked[k].end);
	}
	if (seq_ge(at, end))
		return false;
	*seq = at;
	*len = end - at;
	return true;
}

/* The blocks to report: D-SACK, the newest, then the others (RFC 2018, section 4). */
unsigned tcp_sack_blocks(struct tcp_sock *t, struct tcp_range out[4], unsigned max)
{
	unsigned n = 0;

	if (t->dsack_due) {
		out[n++] = t->dsack;
		t->dsack_due = false;
	}
	if (!t->ooo)
		return n;

	for (int pass = 0; pass < 2; pass++) { /* first the block that holds the newest segment */
		struct packet *p = t->ooo;

		while (p && n < max) {
			struct tcp_range r = { pkt_cb(p)->seq, pkt_cb(p)->end_seq };

			for (p = p->next; p && pkt_cb(p)->seq == r.end; p = p->next)
				r.end = pkt_cb(p)->end_seq;
			bool is_newest = seq_le(r.start, t->last_ooo.start) &&
					 seq_lt(t->last_ooo.start, r.end);

			if (is_newest == (pass == 0))
				out[n++] = r;
		}
	}
	return n;
}
