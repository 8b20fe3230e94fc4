/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RACK-TLP (RFC 8985): a segment is lost when one that was sent sufficiently later has arrived, and
 * a silent tail is probed before the retransmission timeout has to do it. "Sufficiently" is the
 * reordering window: nothing until the path has been seen to reorder, then a part of the shortest
 * round trip that grows when D-SACK says that we were wrong.
 */

#include "net/tcp.h"
#include "diag/counter.h"

COUNTER(tcp_tail_probes);
COUNTER(tcp_rack_marked);

#define REO_WND_PERSIST 16 /* recoveries */

/* RACK_sent_after: later, or in the same burst and behind. */
static bool sent_after(uint64_t t1, uint32_t seq1, uint64_t t2, uint32_t seq2)
{
	return t1 > t2 || (t1 == t2 && seq_gt(seq1, seq2));
}

/* Step 2: the latest sent of what has arrived. */
void tcp_rack_delivered(
	struct tcp_sock *t, uint64_t sent, uint32_t end, bool again, const struct tcp_delivery *d)
{
	uint64_t rtt = d->now - sent;

	if (again) {
		/* Which of the two arrived? A timestamp from before the second, or less than any
		 * round trip, tells that it was the first. */
		if (d->has_echo && (int32_t)(d->echo - tcp_ts_at(t, sent)) < 0)
			return;
		if (rtt < (uint64_t)t->min_rtt * NSEC_PER_USEC)
			return;
	}
	if (t->rack.on && !sent_after(sent, end, t->rack.time, t->rack.end))
		return;
	t->rack.time = sent;
	t->rack.end = end;
	t->rack.rtt = rtt;
	t->rack.on = true;
}

/* Step 4. A D-SACK that is not about the tail probe: the window was too small. Once a round. */
static void adapt_window(struct tcp_sock *t, const struct tcp_delivery *d)
{
	if (t->rack.dsack_round_on && seq_ge(t->snd_una, t->rack.dsack_round))
		t->rack.dsack_round_on = false;
	if (!d->dsack || t->rack.dsack_round_on)
		return;
	t->rack.dsack_round_on = true;
	t->rack.dsack_round = t->snd_nxt;
	t->rack.reo_mult = (uint8_t)MIN(t->rack.reo_mult + 1, 255);
	t->rack.reo_persist = REO_WND_PERSIST;
}

void tcp_rack_recovery_over(struct tcp_sock *t)
{
	if (t->rack.reo_persist && --t->rack.reo_persist == 0)
		t->rack.reo_mult = 0;
}

/* ns */
static uint64_t reordering_window(const struct tcp_sock *t)
{
	uint64_t wnd;

	if (!t->rack.reordering_seen &&
		(t->ca_state != CA_OPEN || t->sent_bytes_sacked > 2u * t->mss))
		return 0;
	wnd = (uint64_t)t->min_rtt * NSEC_PER_USEC / 4 * (1u + t->rack.reo_mult);
	return MIN(wnd, (uint64_t)(t->srtt >> 3) * NSEC_PER_USEC);
}

/* Step 5: marks what is lost; when to look again, 0: need not. */
static uint64_t detect(struct tcp_sock *t, uint64_t now)
{
	uint64_t wnd = reordering_window(t), again = 0;
	bool marked = false;

	for (unsigned k = 0; k < t->sent_count; k++) {
		const struct tcp_sent *r = &t->sent[k];

		if (r->flags & (SENT_SACKED | SENT_LOST))
			continue;
		if (!sent_after(t->rack.time, t->rack.end, r->time, r->end)) {
			/* what was never sent again lies in order of time */
			if (seq_ge(r->start, t->rack.high_rxt))
				break;
			continue;
		}
		uint64_t due = r->time + t->rack.rtt + wnd;

		if (due <= now) {
			counter_inc(tcp_rack_marked);
			tcp_sent_mark_lost(t, k);
			marked = true;
		} else {
			again = MAX(again, due);
		}
	}
	if (marked)
		tcp_sent_merge_lost(t);
	return again;
}

/* After an ACK, or when the timer says so. */
void tcp_rack_detect(struct tcp_sock *t, uint64_t now)
{
	/* All that is out was sent behind what has arrived: the usual case. */
	if (!t->rack.on || !(t->sent_bytes_sacked || t->sent_bytes_retrans)) {
		t->rack.due = 0;
		return;
	}
	t->rack.due = detect(t, now);
}

void tcp_rack_ack(struct tcp_sock *t, const struct tcp_delivery *d)
{
	if (d->edge_valid && seq_gt(d->edge, t->rack.fack))
		t->rack.fack = d->edge;
	if (seq_gt(t->snd_una, t->rack.high_rxt))
		t->rack.high_rxt = t->snd_una;
	if (seq_gt(t->snd_una, t->rack.fack))
		t->rack.fack = t->snd_una;
	adapt_window(t, d);
	tcp_rack_detect(t, d->now);
}

/* RFC 8985 6.3: at a timeout the first segment is lost, and what could have been answered. */
void tcp_rack_timeout(struct tcp_sock *t, uint64_t now)
{
	uint64_t wnd = t->rack.rtt + reordering_window(t);

	for (unsigned k = 0; k < t->sent_count; k++) {
		const struct tcp_sent *r = &t->sent[k];

		if (!(r->flags & (SENT_SACKED | SENT_LOST)) &&
			(k == 0 || !t->sack_ok || r->time + wnd <= now))
			tcp_sent_mark_lost(t, k);
	}
	tcp_sent_merge_lost(t);
	t->rack.due = 0;
}

/* ---- tail loss probe, section 7 ---- */

/* When the probe is due after now; 0: none is wanted. */
uint64_t tcp_probe_time(const struct tcp_sock *t, uint64_t now)
{
	uint64_t pto;

	if (!t->sack_ok || t->ca_state != CA_OPEN || t->sent_bytes_sacked || t->tlp.on ||
		!t->was_connected)
		return 0;
	if (!t->srtt)
		return now + (uint64_t)TCP_RTO_INIT * NSEC_PER_USEC;
	pto = 2ull * (t->srtt >> 3) * NSEC_PER_USEC;
	/* a lone segment may meet a delayed ACK */
	return now + pto + (t->snd_nxt - t->snd_una <= t->mss ? TCP_MAX_DELACK : 2 * NSEC_PER_MSEC);
}

/* The probe is due: new data if there is any that may go, else the last segment again. */
void tcp_probe_send(struct tcp_sock *t, uint64_t now)
{
	uint32_t before = t->snd_nxt;

	if (!tcp_probe_time(t, now) || !t->sent_count)
		return;
	counter_inc(tcp_tail_probes);
	t->tlp.on = true;
	t->tlp.again = false;
	tcp_output_probe(t, now);
	if (t->snd_nxt == before) {
		const struct tcp_sent *r = &t->sent[t->sent_count - 1];
		uint32_t start = r->end - r->start > t->mss ? r->end - t->mss : r->start;

		t->tlp.again = tcp_retransmit(t, start, r->end - start, now);
	}
	t->tlp.end = t->snd_nxt;
}

/* 7.4: what the answer to a probe says. True: the probe repaired a loss nobody else saw. */
bool tcp_probe_acked(struct tcp_sock *t, const struct tcp_seg *seg, const struct tcp_delivery *d)
{
	if (!t->tlp.on || seq_lt(seg->ack, t->tlp.end))
		return false;
	if (!t->tlp.again || d->dsack_probe) { /* both copies arrived */
		t->tlp.on = false;
		return false;
	}
	if (seq_gt(seg->ack, t->tlp.end)) {
		t->tlp.on = false;
		return true;
	}
	if (!d->acked && !seg->sack_count && !seg->len) /* a duplicate ACK: for the second copy */
		t->tlp.on = false;
	return false;
}
