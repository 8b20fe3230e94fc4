/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done about loss, and about having been wrong:
 *
 *	OPEN --something is lost: enter_recovery--> RECOVERY --recover is acknowledged--> OPEN
 *	  any --retransmission timeout: tcp_enter_loss--> LOSS --recover is acknowledged--> OPEN
 *	RECOVERY, LOSS --nothing was lost after all: undo--> OPEN, with the old window
 *
 * In RECOVERY the window shrinks in proportion to what arrives (RFC 6937), in LOSS it starts from
 * one segment (RFC 5681). A reduction was wrong when every retransmission is reported as a
 * duplicate (RFC 2883, 3708), when the answer echoes a timestamp from before the first of them
 * (Eifel, RFC 3522), or, after a timeout, when what was never sent twice arrives (F-RTO, RFC 5682).
 */

#include "net/tcp.h"
#include "diag/counter.h"

COUNTER(tcp_fast_recoveries);
COUNTER(tcp_losses_undone);
COUNTER(tcp_sack_reneged);

static void save_for_undo(struct tcp_sock *t)
{
	t->undo = (struct tcp_undo){
		.on = true, .una = t->snd_una, .cwnd = t->cwnd, .ssthresh = t->ssthresh
	};
	t->cubic_before = t->cubic;
}

static void enter_recovery(struct tcp_sock *t)
{
	counter_inc(tcp_fast_recoveries);
	save_for_undo(t);
	t->ca_state = CA_RECOVERY;
	t->recover = t->snd_nxt;
	t->tlp.on = false;
	t->prr.delivered = t->prr.out = 0;
	t->prr.flight = MAX(t->snd_nxt - t->snd_una, 1u);
	t->ssthresh = t->cong->ssthresh(t);
}

static void leave_recovery(struct tcp_sock *t)
{
	if (t->ca_state == CA_RECOVERY) {
		t->cwnd = t->ssthresh;
		tcp_rack_recovery_over(t);
	}
	t->ca_state = CA_OPEN;
	t->dupacks = 0;
	t->frto = t->frto_new = false;
}

static void undo(struct tcp_sock *t)
{
	counter_inc(tcp_losses_undone);
	t->cwnd = MAX(t->cwnd, t->undo.cwnd);
	t->ssthresh = MAX(t->ssthresh, t->undo.ssthresh);
	t->cubic = t->cubic_before;
	t->undo.on = false;
	tcp_sent_unmark_lost(t);
	if (t->ca_state == CA_RECOVERY)
		tcp_rack_recovery_over(t);
	t->ca_state = CA_OPEN;
	t->dupacks = 0;
	t->frto = t->frto_new = false;
}

static bool was_wrong(const struct tcp_sock *t, const struct tcp_delivery *d)
{
	if (!t->undo.on || !t->undo.again)
		return false;
	if (t->undo.duplicates >= t->undo.again)
		return true;
	return t->ca_state != CA_OPEN && d->acked && d->has_echo &&
	       (int32_t)(d->echo - t->undo.stamp) < 0;
}

/* Something of [seq, end) was sent again at now. */
void tcp_undo_note_again(struct tcp_sock *t, uint32_t len, uint64_t now)
{
	if (!t->undo.on)
		return;
	if (!t->undo.again)
		t->undo.stamp = tcp_ts_at(t, now);
	t->undo.again += len;
}

/* RFC 6937: so much may leave for what has arrived. */
static void proportional_rate(struct tcp_sock *t, uint32_t delivered, bool good)
{
	uint32_t pipe = tcp_pipe(t), send;

	t->prr.delivered += delivered;
	if (pipe > t->ssthresh) {
		uint64_t want = ((uint64_t)t->prr.delivered * t->ssthresh + t->prr.flight - 1) /
				t->prr.flight;

		send = want > t->prr.out ? (uint32_t)want - t->prr.out : 0;
	} else {
		send = t->prr.delivered > t->prr.out ? t->prr.delivered - t->prr.out : 0;
		if (good) /* slow start towards ssthresh only while nothing more is lost */
			send = MAX(send, delivered) + t->mss;
		send = MIN(send, t->ssthresh - pipe);
	}
	if (!t->prr.out) /* the fast retransmission itself */
		send = MAX(send, (uint32_t)t->mss);
	t->cwnd = pipe + send;
}

static void grow_window(struct tcp_sock *t, const struct tcp_delivery *d)
{
	/* what SACK reported earlier has left the network then, and let other data go */
	uint32_t acked = MIN(d->acked, d->bytes), rtt;

	if (!t->cwnd_limited || !acked)
		return;
	if (t->cwnd < t->ssthresh) { /* slow start counts bytes, RFC 3465 */
		rtt = d->first_sent ? (uint32_t)((d->now - d->first_sent) / NSEC_PER_USEC) : 0;
		uint32_t n = tcp_hystart(t, acked, rtt);

		n = MIN(n, t->ssthresh - MIN(t->cwnd, t->ssthresh));
		t->cwnd += n;
		acked = t->cwnd < t->ssthresh ? 0 : acked - n;
	}
	if (acked)
		t->cong->acked(t, acked);
	t->cwnd = MIN(t->cwnd, 0x3fffffffu);
}

/* Without SACK each duplicate ACK stands for a segment that arrived (RFC 6582). */
static void newreno_ack(struct tcp_sock *t, struct tcp_delivery *d, bool duplicate)
{
	if (duplicate) {
		t->dupacks++;
		d->bytes = t->mss;
		if (t->ca_state == CA_OPEN && t->dupacks >= 3 && seq_gt(t->snd_una, t->recover))
			tcp_sent_mark_front(t, t->mss);
	} else if (d->acked) {
		unsigned segments = DIV_ROUND_UP(d->acked, t->mss);

		t->dupacks -= MIN(t->dupacks, segments);
		if (t->ca_state == CA_RECOVERY && seq_lt(t->snd_una, t->recover))
			tcp_sent_mark_front(t, t->mss); /* a partial ACK shows the next hole */
		else if (t->ca_state == CA_OPEN)
			t->dupacks = 0;
	}
}

static bool may_send_new(const struct tcp_sock *t)
{
	return !t->fin_sent && seq_lt(t->snd_nxt, t->write_seq) &&
	       seq_lt(t->snd_nxt, t->snd_una + t->snd_wnd);
}

/* An ACK after a timeout: RFC 5682, 3.1 first, then slow start over what is lost. */
static void loss_ack(struct tcp_sock *t, const struct tcp_delivery *d, bool duplicate)
{
	if (t->frto && d->original) {
		undo(t);
		return;
	}
	if (t->frto && seq_gt(t->snd_nxt, t->recover)) { /* step 3: new data is out */
		if (d->sack_news || duplicate)
			t->frto = false;
	} else if (t->frto && d->acked && seq_lt(t->snd_una, t->recover)) { /* step 2 */
		t->recover = t->snd_nxt;
		t->frto = t->frto_new = may_send_new(t);
		return;
	}
	if (seq_ge(t->snd_una, t->recover))
		leave_recovery(t);
}

/* The tail probe repaired a loss that left no other trace: congestion all the same. */
static void tail_was_lost(struct tcp_sock *t)
{
	t->ssthresh = t->cong->ssthresh(t);
	t->cwnd = MIN(t->cwnd, t->ssthresh);
}

/* Lost, but not by congestion: sent again, the window stays. */
static void repair_without_blame(struct tcp_sock *t)
{
	if (t->ca_state == CA_LOSS)
		return;
	t->ca_state = CA_LOSS;
	t->recover = t->snd_nxt;
	t->undo.on = t->frto = false;
}

/* Nothing is wrong and the segment says nothing of it: the usual case. */
static bool all_quiet(const struct tcp_sock *t, const struct tcp_seg *seg, bool duplicate)
{
	return !duplicate && !seg->sack_count && tcp_recovery_quiet(t);
}

/* After the record of what is in flight is up to date. */
void tcp_recovery_ack(
	struct tcp_sock *t, const struct tcp_seg *seg, struct tcp_delivery *d, bool duplicate)
{
	if (all_quiet(t, seg, duplicate)) {
		/* these marks are never so old that they would look new */
		t->rack.fack = seq_max(t->rack.fack, t->snd_una);
		t->rack.high_rxt = seq_max(t->rack.high_rxt, t->snd_una);
		t->recover = seq_max(t->recover, t->snd_una - 1);
		t->rack.due = 0;
		grow_window(t, d);
		return;
	}

	uint32_t lost = t->sent_bytes_lost;
	bool tail = tcp_probe_acked(t, seg, d);

	if (t->sack_ok)
		tcp_rack_ack(t, d);
	else
		newreno_ack(t, d, duplicate);
	bool more_lost = t->sent_bytes_lost > lost;

	if (was_wrong(t, d))
		undo(t);
	else if (t->ca_state == CA_LOSS)
		loss_ack(t, d, duplicate);
	else if (t->ca_state == CA_RECOVERY && seq_ge(t->snd_una, t->recover))
		leave_recovery(t);
	if (t->ca_state == CA_OPEN) {
		if (t->sent_bytes_lost && tcp_mtu_probe_lost(t))
			repair_without_blame(t);
		else if (t->sent_bytes_lost)
			enter_recovery(t);
		else if (tail)
			tail_was_lost(t);
	}
	if (t->ca_state == CA_RECOVERY)
		proportional_rate(t, d->bytes, d->acked && !more_lost);
	else
		grow_window(t, d);
	if (t->ca_state == CA_OPEN && seq_gt(t->snd_una, t->recover))
		t->recover = t->snd_una - 1; /* never so old that it would look new */
}

/* RACK's timer: no ACK came, but by now the window of reordering is over. */
void tcp_recovery_reorder_timeout(struct tcp_sock *t, uint64_t now)
{
	tcp_rack_detect(t, now);
	if (!t->sent_bytes_lost)
		return;
	if (t->ca_state == CA_OPEN)
		enter_recovery(t);
	if (t->ca_state == CA_RECOVERY)
		proportional_rate(t, 0, false);
}

/* RFC 5681, 3.1; RFC 8985, 6.3. first: of a run of timeouts without progress. */
void tcp_enter_loss(struct tcp_sock *t, bool first, uint64_t now)
{
	bool fresh = t->ca_state == CA_OPEN;

	if (fresh || seq_ge(t->snd_una, t->recover) || (t->ca_state == CA_LOSS && first)) {
		save_for_undo(t);
		t->ssthresh = t->cong->ssthresh(t);
	}
	if (t->sent_count && (t->sent->flags & SENT_SACKED)) {
		counter_inc(tcp_sack_reneged);
		tcp_sent_forget_sacks(t);
	}
	t->ca_state = CA_LOSS;
	t->recover = t->snd_nxt;
	t->dupacks = 0;
	t->tlp.on = false;
	tcp_rack_timeout(t, now);
	t->cwnd = tcp_pipe(t) + t->mss;
	t->frto = t->sack_ok && (fresh || !first) && !t->mtup.on;
	t->frto_new = false;
}

/*
 * What was sent may be too long for the path: once more in smaller pieces. Not congestion. What is
 * shorter than a segment is now has not been cut for a larger one.
 */
void tcp_recovery_resize(struct tcp_sock *t)
{
	bool any = false;

	for (unsigned k = 0; k < t->sent_count; k++) {
		const struct tcp_sent *r = &t->sent[k];

		if ((r->flags & (SENT_SACKED | SENT_LOST)) || r->end - r->start <= t->mss)
			continue;
		tcp_sent_mark_lost(t, k);
		any = true;
	}
	if (!any)
		return;
	tcp_sent_merge_lost(t);
	repair_without_blame(t);
}
