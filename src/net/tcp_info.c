/* SPDX-License-Identifier: BSD-2-Clause */
/* What TCP_INFO tells (tcp(7), linux/tcp.h), and the clocks that are kept only for it. */

#include "net/tcp.h"

/* What the time since the last look was spent on; then what is going on now. */
void tcp_info_chrono(struct tcp_sock *t, uint64_t now)
{
	uint64_t spent = now - t->chrono.since;

	switch (t->chrono.now) {
	case CHRONO_IDLE: break;
	case CHRONO_BUSY: t->chrono.busy += spent; break;
	case CHRONO_RWND: t->chrono.rwnd += spent; break;
	case CHRONO_SNDBUF: t->chrono.sndbuf += spent; break;
	}
	t->chrono.since = now;
	if (t->snd_una == t->snd_nxt && t->snd_nxt == t->write_seq)
		t->chrono.now = CHRONO_IDLE;
	else if (seq_lt(t->snd_nxt, t->write_seq))
		t->chrono.now = !t->cwnd_limited && t->snd_nxt - t->snd_una + t->mss > t->snd_wnd
					? CHRONO_RWND
					: CHRONO_BUSY;
	else
		t->chrono.now = load_relaxed(&t->i.s.nospace) ? CHRONO_SNDBUF : CHRONO_BUSY;
}

/* The rate of delivery over each round trip. */
void tcp_info_delivered(struct tcp_sock *t, const struct tcp_delivery *d)
{
	t->bytes_delivered += d->bytes;
	t->round.limited_now |= !t->cwnd_limited && t->snd_nxt == t->write_seq;
	if (seq_lt(t->snd_una, t->round.end))
		return;
	if (t->round.start && d->now > t->round.start) {
		t->round.rate = (t->bytes_delivered - t->round.delivered) * NSEC_PER_SEC /
				(d->now - t->round.start);
		t->round.app_limited = t->round.limited_now;
	}
	t->round.limited_now = false;
	t->round.start = d->now;
	t->round.delivered = t->bytes_delivered;
	t->round.end = t->snd_nxt;
}

void tcp_info_fill(struct tcp_sock *t, struct tcp_info *i)
{
	uint64_t now = clock_now();

	memset(i, 0, sizeof(*i));
	/* Linux leaves the socket behind while its connection is in TIME_WAIT. */
	i->tcpi_state = t->state == TCP_TIME_WAIT ? TCP_CLOSE : t->state;
	i->tcpi_ca_state = (uint8_t)t->ca_state;
	i->tcpi_retransmits = (uint8_t)t->retransmits;
	i->tcpi_probes = (uint8_t)t->probes;
	i->tcpi_backoff = (uint8_t)t->backoff;
	i->tcpi_options = (t->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) | (t->sack_ok ? TCPI_OPT_SACK : 0) |
			  (t->wscale_ok ? TCPI_OPT_WSCALE : 0);
	i->tcpi_wscale = (uint8_t)(t->snd_wscale | t->rcv_wscale << 4);
	i->tcpi_rto = t->rto << MIN(t->backoff, 7u);
	i->tcpi_ato = (uint32_t)(TCP_DELACK / 1000);
	i->tcpi_snd_mss = t->mss;
	i->tcpi_rcv_mss = t->rcv_mss;
	if (t->state == TCP_LISTEN) {
		i->tcpi_unacked = t->listener->accept_count;
		i->tcpi_sacked = t->listener->backlog;
		return;
	}
	i->tcpi_unacked = DIV_ROUND_UP(t->snd_nxt - t->snd_una, t->mss);
	i->tcpi_sacked = t->sack_ok ? DIV_ROUND_UP(t->sent_bytes_sacked, t->mss) : t->dupacks;
	i->tcpi_lost = DIV_ROUND_UP(t->sent_bytes_lost, t->mss);
	i->tcpi_retrans = DIV_ROUND_UP(t->sent_bytes_retrans, t->mss);
	i->tcpi_last_data_sent = (uint32_t)((now - t->last_tx_data) / NSEC_PER_MSEC);
	i->tcpi_last_data_recv = (uint32_t)((now - t->last_data_rx) / NSEC_PER_MSEC);
	i->tcpi_last_ack_recv = (uint32_t)((now - t->last_ack_rx) / NSEC_PER_MSEC);
	i->tcpi_pmtu = tcp_mtu_of(t, &t->i.route);
	i->tcpi_rcv_ssthresh = tcp_receive_window(t);
	i->tcpi_rtt = t->srtt >> 3;
	i->tcpi_rttvar = t->rttvar >> 2;
	i->tcpi_snd_ssthresh =
		t->ssthresh == TCP_SSTHRESH_NONE ? t->ssthresh : t->ssthresh / t->mss;
	i->tcpi_snd_cwnd = t->cwnd / t->mss;
	i->tcpi_advmss = t->adv_mss;
	i->tcpi_reordering = 3;
	i->tcpi_rcv_space = t->i.s.rcvbuf / 2;
	i->tcpi_total_retrans = t->total_retrans;
	i->tcpi_bytes_acked = t->bytes_acked;
	i->tcpi_bytes_received = t->bytes_received;
	i->tcpi_segs_out = t->segs_out;
	i->tcpi_segs_in = t->segs_in;
	i->tcpi_notsent_bytes = t->write_seq - seq_min(t->snd_nxt, t->write_seq);
	i->tcpi_min_rtt = t->min_rtt;
	i->tcpi_data_segs_in = t->data_segs_in;
	i->tcpi_data_segs_out = t->data_segs_out;
	i->tcpi_bytes_sent = t->bytes_sent;
	i->tcpi_bytes_retrans = t->bytes_retrans;
	i->tcpi_dsack_dups = t->dsack_dups;
	i->tcpi_reord_seen = t->rack.reordering_seen;
	i->tcpi_rcv_ooopack = t->rcv_ooopack;
	i->tcpi_snd_wnd = t->snd_wnd;
	i->tcpi_rcv_rtt = t->rcv_rtt;
	i->tcpi_delivered = (uint32_t)(t->bytes_delivered / t->mss);
	i->tcpi_delivery_rate = t->round.rate;
	i->tcpi_app_limited |= t->round.app_limited; /* bit 0; the rest is TCP Fast Open's */
	i->tcpi_max_pacing_rate = i->tcpi_pacing_rate = UINT64_MAX; /* nothing is paced */
	tcp_info_chrono(t, now);
	i->tcpi_busy_time = (t->chrono.busy + t->chrono.rwnd + t->chrono.sndbuf) / NSEC_PER_USEC;
	i->tcpi_rwnd_limited = t->chrono.rwnd / NSEC_PER_USEC;
	i->tcpi_sndbuf_limited = t->chrono.sndbuf / NSEC_PER_USEC;
}
