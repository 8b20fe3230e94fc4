/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an acknowledgement does: window, round-trip time (RFC 6298), congestion control (RFC 5681)
 * and loss recovery (RFC 6582 without SACK, RFC 6675 with it).
 */

#include "net/tcp.h"
#include "diag/counter.h"

COUNTER(tcp_fast_recoveries);
COUNTER(tcp_rx_old_ack);

/* ---- round-trip time, microseconds ---- */

static void rtt_sample(struct tcp_sock *t, uint32_t rtt)
{
	rtt = MAX(rtt, 1u);
	if (!t->min_rtt || rtt < t->min_rtt)
		t->min_rtt = rtt;
	if (!t->srtt) {
		t->srtt = rtt << 3;
		t->rttvar = rtt << 1; /* R/2, kept times 4 */
	} else {
		int32_t err = (int32_t)(rtt - (t->srtt >> 3));

		t->srtt = (uint32_t)((int32_t)t->srtt + err);
		if (err < 0)
			err = -err;
		t->rttvar = (uint32_t)((int32_t)t->rttvar + err - (int32_t)(t->rttvar >> 2));
	}
	t->rto = MIN((t->srtt >> 3) + MAX(t->rttvar, TCP_RTO_MIN), TCP_RTO_MAX);
}

/* Karn: a segment that was sent twice gives a sample only by its timestamp. */
void tcp_take_rtt(struct tcp_sock *t, const struct tcp_seg *seg)
{
	uint64_t now = clock_now();

	if (t->rtt_timing && seq_ge(t->snd_una, t->rtt_seq)) {
		t->rtt_timing = false;
		rtt_sample(
			t, (uint32_t)MIN((now - t->rtt_start) / NSEC_PER_USEC, (uint64_t)60000000));
	} else if (t->ts_ok && seg->has_ts && seg->ts_ecr && !t->rtt_timing) {
		uint32_t ms = tcp_ts_now(t) - seg->ts_ecr;

		if (ms < 60000 && (ms > 0 || !t->srtt))
			rtt_sample(t, ms * 1000);
	}
}

/* ---- congestion window ---- */

static void grow_window(struct tcp_sock *t, uint32_t acked)
{
	if (!t->cwnd_limited)
		return;
	if (t->cwnd <
		t->ssthresh) { /* slow start, RFC 3465 with L = 2 in effect for delayed ACKs */
		uint32_t n = MIN(acked, t->ssthresh - t->cwnd);

		t->cwnd += n;
		acked -= n;
	}
	if (acked)
		t->cong->acked(t, acked);
	t->cwnd = MIN(t->cwnd, 0x3fffffffu);
}

static void enter_recovery(struct tcp_sock *t)
{
	counter_inc(tcp_fast_recoveries);
	t->ca_state = CA_RECOVERY;
	t->recover = t->snd_nxt;
	t->high_rxt = t->snd_una;
	t->ssthresh = t->cong->ssthresh(t);
	t->cwnd = t->ssthresh;
	t->rtt_timing = false;
}

static void leave_recovery(struct tcp_sock *t)
{
	if (t->ca_state == CA_RECOVERY) /* no burst: RFC 6582 3.2, step 3 */
		t->cwnd = MIN(t->ssthresh, MAX(tcp_pipe(t), (uint32_t)t->mss) + (uint32_t)t->mss);
	t->ca_state = CA_OPEN;
	t->dupacks = 0;
	t->high_rxt = t->snd_una;
}

/* Something new was acknowledged. */
static void progress(struct tcp_sock *t, const struct tcp_seg *seg, uint32_t acked)
{
	t->snd_una = seg->ack;
	t->progress_time = clock_now();
	t->bytes_acked += acked;
	t->backoff = t->retransmits = t->probes = 0;
	tcp_take_rtt(t, seg);
	if (t->srtt)
		t->rto = MIN((t->srtt >> 3) + MAX(t->rttvar, TCP_RTO_MIN), TCP_RTO_MAX);
	tcp_free_acked(t);
	tcp_sack_trim(t);
	if (seq_gt(t->snd_una, t->high_rxt))
		t->high_rxt = t->snd_una;
	if (t->ca_state == CA_OPEN) {
		t->dupacks = 0;
		grow_window(t, acked);
	} else if (seq_ge(t->snd_una, t->recover)) {
		leave_recovery(t);
	} else {
		if (t->ca_state == CA_LOSS)
			grow_window(t, acked);
		else if (!t->sack_ok) { /* partial ACK: its segments left the network */
			unsigned segments = DIV_ROUND_UP(acked, t->mss);

			t->dupacks -= MIN(t->dupacks, segments);
		}
	}
	/* a new timer for what is still out, RFC 6298 5.3 */
	tcp_arm_retx(t);
}

static void duplicate(struct tcp_sock *t, const struct tcp_seg *seg, bool sack_news)
{
	if (t->snd_una == t->snd_nxt)
		return;
	if (t->sack_ok ? sack_news : true)
		t->dupacks++;
	if (t->ca_state == CA_OPEN && (t->dupacks >= 3 || seq_gt(tcp_lost_edge(t), t->snd_una)))
		if (seq_gt(seg->ack, t->recover) || t->sack_ok || t->recover == t->iss)
			enter_recovery(t);
}

/* ---- window ---- */

static void update_window(struct tcp_sock *t, const struct tcp_seg *seg)
{
	uint32_t wnd = seg->wnd << t->snd_wscale;

	if (!(seq_lt(t->snd_wl1, seg->seq) ||
		    (t->snd_wl1 == seg->seq && seq_le(t->snd_wl2, seg->ack))))
		return;
	t->snd_wl1 = seg->seq;
	t->snd_wl2 = seg->ack;
	t->snd_wnd = wnd;
	t->max_wnd = MAX(t->max_wnd, wnd);
	if (wnd) {
		t->probes = 0;
		tcp_timer_stop(t, TCP_T_PERSIST);
	}
}

static void tell_writer(struct tcp_sock *t)
{
	struct socket *s = &t->i.s;

	if (__atomic_load_n(&s->nospace, __ATOMIC_SEQ_CST) && tcp_writable(t)) {
		__atomic_store_n(&s->nospace, 0, __ATOMIC_SEQ_CST);
		socket_wake(s, POLLOUT | POLLWRNORM | POLLWRBAND);
	}
}

bool tcp_ack_segment(struct tcp_sock *t, const struct tcp_seg *seg)
{
	uint32_t old_wnd = t->snd_wnd, acked;
	bool sack_news = false;

	t->last_ack_rx = t->last_rx;
	if (seq_gt(seg->ack, t->snd_nxt)) { /* of what was never sent */
		tcp_send_ack(t);
		return false;
	}
	if (seq_lt(seg->ack, t->snd_una)) {
		counter_inc(tcp_rx_old_ack);
		if (seq_lt(seg->ack, t->snd_una - MAX(t->max_wnd, 65535u))) { /* RFC 5961 5.2 */
			tcp_challenge_ack(t);
			return false;
		}
		return true;
	}
	acked = seg->ack - t->snd_una;
	update_window(t, seg);
	if (t->sack_ok && seg->sack_count)
		sack_news = tcp_sack_update(t, seg);
	if (acked)
		progress(t, seg, acked);
	if (sack_news || (!acked && !seg->len && old_wnd == t->snd_wnd && !(seg->flags & TCP_FIN)))
		duplicate(t, seg, sack_news);
	if (acked)
		tell_writer(t);
	return true;
}
