/* SPDX-License-Identifier: BSD-2-Clause */
/* What an acknowledgement says: window, what has arrived, round-trip time (RFC 6298, 7323). */

#include "net/tcp.h"
#include "diag/counter.h"

#define MIN_RTT_LIFE (300 * NSEC_PER_SEC) /* routes change */

COUNTER(tcp_rx_old_ack);

/* ---- round-trip time, microseconds ---- */

static void rtt_sample(struct tcp_sock *t, uint32_t rtt, uint64_t now)
{
	rtt = MAX(rtt, 1u);
	if (!t->min_rtt || rtt <= t->min_rtt || now - t->min_rtt_time > MIN_RTT_LIFE) {
		t->min_rtt = rtt;
		t->min_rtt_time = now;
	}
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
	t->backoff = 0; /* Karn: not before there is a sample */
}

static void sample_since(struct tcp_sock *t, uint64_t sent, uint64_t now)
{
	rtt_sample(t, (uint32_t)MIN((now - sent) / NSEC_PER_USEC, (uint64_t)60000000), now);
}

/* What was sent twice gives a sample only by its timestamp, in milliseconds. */
static void sample_echo(struct tcp_sock *t, const struct tcp_seg *seg, uint64_t now)
{
	if (!t->ts_ok || !seg->has_ts || !seg->ts_ecr)
		return;
	uint32_t ms = tcp_ts_at(t, now) - seg->ts_ecr;

	if (ms < 60000)
		rtt_sample(t, MAX(ms, 1u) * 1000, now);
}

/* Our SYN is acknowledged. */
void tcp_take_syn_rtt(struct tcp_sock *t, const struct tcp_seg *seg)
{
	uint64_t now = t->last_rx;

	if (t->syn_time)
		sample_since(t, t->syn_time, now);
	else if (!t->from_cookie)
		sample_echo(t, seg, now);
}

/* snd_una moves. */
static void progress(struct tcp_sock *t, const struct tcp_seg *seg, struct tcp_delivery *d)
{
	t->snd_una = seg->ack;
	t->progress_time = d->now;
	t->bytes_acked += d->acked;
	t->retransmits = t->probes = 0;
	t->soft_error = 0;
	tcp_sent_acked(t, seg->ack, d);
	/* it does not know its own block any more: all reports are void (RFC 2018, section 8) */
	if (t->sent_bytes_sacked && (t->sent->flags & SENT_SACKED))
		tcp_sent_forget_sacks(t);
	tcp_free_acked(t);
}

/* ---- window ---- */

/*
 * SND.WND counts from SND.UNA, so a segment that moves SND.UNA brings its own, whatever its number:
 * what is sent again has an old number and says what its end knows now. RFC 9293 (3.10.7.4) keeps
 * the window of the later number there, and so would have us send beyond the edge.
 */
static void update_window(struct tcp_sock *t, const struct tcp_seg *seg)
{
	uint32_t wnd = seg->wnd << t->snd_wscale;

	if (!(seq_gt(seg->ack, t->snd_una) || seq_lt(t->snd_wl1, seg->seq) ||
		    (t->snd_wl1 == seg->seq && seq_le(t->snd_wl2, seg->ack))))
		return;
	t->snd_wl1 = seg->seq;
	t->snd_wl2 = seg->ack;
	t->snd_wnd = wnd;
	t->max_wnd = MAX(t->max_wnd, wnd);
	if (wnd) {
		if (t->probes && t->snd_una == t->snd_nxt)
			t->backoff = 0; /* of the probes; what goes out now is not late yet */
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
	uint32_t old_wnd = t->snd_wnd;
	struct tcp_delivery d;
	bool duplicate;

	t->last_ack_rx = t->last_rx;
	if (seq_gt(seg->ack, t->snd_nxt)) { /* of what was never sent */
		tcp_challenge_ack(t);
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
	d = (struct tcp_delivery){ .now = t->last_rx,
		.acked = seg->ack - t->snd_una,
		.has_echo = t->ts_ok && seg->has_ts && seg->ts_ecr,
		.echo = seg->ts_ecr };
	update_window(t, seg);
	if (d.acked)
		progress(t, seg, &d);
	if (t->sack_ok && seg->sack_count)
		tcp_sack_update(t, seg, &d);
	if (d.first_sent)
		sample_since(t, d.first_sent, d.now);
	else if (d.acked)
		sample_echo(t, seg, d.now);
	duplicate = !d.acked && !seg->len && old_wnd == t->snd_wnd && !(seg->flags & TCP_FIN) &&
		    t->snd_una != t->snd_nxt;
	if (d.bytes)
		tcp_info_delivered(t, &d);
	if (d.acked || d.sack_news || d.dsack || d.dsack_probe || duplicate)
		tcp_recovery_ack(t, seg, &d, duplicate);
	/* a new timer for what is still out, RFC 6298 5.3 */
	if (d.acked || t->rack.due || (d.sack_news && t->retx_kind != RETX_TIMEOUT))
		tcp_arm_retx(t, d.now);
	if (d.acked) {
		tcp_mtu_acked(t, d.now);
		if (t->snd_una == t->snd_nxt)
			tcp_info_chrono(t, d.now);
		tell_writer(t);
	}
	return true;
}
