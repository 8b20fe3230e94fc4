/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending: segments are cut from the chunks (tcp_chunk.c) when windows and Nagle allow. */

#include "net/steer.h"
#include "net/tcp.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "diag/counter.h"

#define GSO_LIMIT (65535u - 20 - 60)

COUNTER(tcp_retransmits);

/* ---- segments ---- */

/* The window we may advertise: never moves the right edge back. */
uint32_t tcp_receive_window(struct tcp_sock *t)
{
	uint32_t queued = t->rcv_nxt - t->copied_seq, space = t->i.s.rcvbuf / 2, wnd;
	uint32_t shown = seq_gt(t->rcv_adv, t->rcv_nxt) ? t->rcv_adv - t->rcv_nxt : 0;

	if (t->window_clamp)
		space = MIN(space, t->window_clamp);
	if (queued >= TCP_LITTLE / 2 && tcp_pressure())
		space = MIN(space, (uint32_t)TCP_LITTLE);
	wnd = space > queued ? space - queued : 0;
	if (t->rq_truesize > 2 * t->i.s.rcvbuf) /* much memory for few bytes */
		wnd = 0;
	if (wnd < MIN(space / 2, (uint32_t)t->adv_mss)) /* not a silly one: RFC 9293 3.8.6.2.2 */
		wnd = 0;
	wnd = MAX(wnd, shown);
	wnd = MIN(wnd, 65535u << t->rcv_wscale);
	/* as the header can say it: rounded up, so that the edge does not move back */
	return ALIGN_UP(wnd, 1u << t->rcv_wscale) > 65535u << t->rcv_wscale
		       ? wnd
		       : ALIGN_UP(wnd, 1u << t->rcv_wscale);
}

static uint16_t window_field(struct tcp_sock *t, uint8_t flags)
{
	uint32_t wnd = tcp_receive_window(t);

	if (flags & TCP_SYN) {
		wnd = MIN(wnd, 65535u);
		t->rcv_adv = t->rcv_nxt + wnd;
		return (uint16_t)wnd;
	}
	uint16_t field = (uint16_t)(wnd >> t->rcv_wscale);

	t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + ((uint32_t)field << t->rcv_wscale));
	return field;
}

static void acked_with_this(struct tcp_sock *t, uint32_t len)
{
	if (len && t->sack_ok && (tcp_ooo_any(&t->ooo) || t->dsack_due) && t->ack_now)
		return; /* the duplicate ACK with its SACK blocks is still due */
	t->rcv_wup = t->rcv_nxt;
	t->ack_now = t->ack_pending = false;
	tcp_timer_stop(t, TCP_T_DELACK);
}

/* A division only where there are several. */
static uint32_t segments(const struct tcp_sock *t, uint32_t len)
{
	return len > t->mss ? DIV_ROUND_UP(len, t->mss) : 1;
}

static int push_out(struct tcp_sock *t, struct packet *p, struct route_cache *r, uint32_t len)
{
	struct ip_send how = inet_how(&t->i, IPPROTO_TCP);
	struct tcp_header *h = (struct tcp_header *)p->data;

	how.dont_fragment = tcp_mtu_dont_fragment(t);
	how.whole = how.dont_fragment || !ip_is_v4(how.dst);
	uint32_t total = (h->offset >> 4) * 4u + len;

	h->checksum = (uint16_t)~csum_fold(csum_pseudo_ip(how.src, how.dst, IPPROTO_TCP, total));
	p->csum_flags = PACKET_CSUM_PARTIAL;
	p->csum_start = 0;
	p->csum_offset = offsetof(struct tcp_header, checksum);
	p->header_len = (uint16_t)((h->offset >> 4) * 4);
	if (len > t->mss) {
		p->gso_type = ip_is_v4(how.dst) ? PACKET_GSO_TCP4 : PACKET_GSO_TCP6;
		p->gso_size = t->mss;
	}
	p->bounded = len || (h->flags & (TCP_SYN | TCP_FIN)); /* by what may be in flight */
	t->segs_out += len ? segments(t, len) : 1;
	/* The oldest of all that is in flight: nothing that it could overtake. */
	steer_packet(&t->i.s, p, r->dev, h->seq == be32(t->snd_una));
	return ip_output(p, &how, r);
}

void tcp_send_segment(struct tcp_sock *t, uint32_t seq, uint32_t len, uint8_t flags)
{
	struct route_cache *r = tcp_route(t);
	uint8_t options[TCP_OPTIONS_MAX];
	struct packet *p;
	struct tcp_header *h;
	unsigned n;

	if (!r)
		return;
	p = tcp_packet_of(t, seq, len);
	if (!p)
		return;
	n = tcp_write_options(t, options, flags, len < t->mss ? t->mss - len : 0);
	h = packet_push(p, sizeof(*h) + n);
	for (unsigned i = 0; i < n; i += 4) /* a few words */
		__builtin_memcpy((uint8_t *)(h + 1) + i, options + i, 4);
	h->sport = be16(t->i.lport);
	h->dport = be16(t->i.rport);
	h->seq = be32(seq);
	h->ack = flags & TCP_ACK ? be32(t->rcv_nxt) : 0;
	h->window = be16(window_field(t, flags));
	h->checksum = 0;
	h->urgent = 0;
	if (t->snd_urgent && !(flags & TCP_SYN)) {
		if (seq_gt(t->snd_up, seq) && t->snd_up - seq <= 0xffff) {
			flags |= TCP_URG;
			h->urgent = be16((uint16_t)(t->snd_up - seq));
		}
		if (seq_ge(t->snd_una, t->snd_up))
			t->snd_urgent = false;
	}
	h->offset = (uint8_t)((sizeof(*h) + n) / 4 << 4);
	h->flags = flags;
	if (flags & TCP_ACK)
		acked_with_this(t, len);
	if (len) {
		t->data_segs_out += segments(t, len);
		t->bytes_sent += len;
	}
	push_out(t, p, r, len);
}

/*
 * The number of a segment without data. If the peer has taken back a part of its window, SND.NXT is
 * far outside, and what we acknowledge with it would not be looked at: then the window's edge, as
 * Linux does. Less than a unit of the window's scale is what its rounding took.
 */
static uint32_t number_to_take(const struct tcp_sock *t)
{
	uint32_t edge = t->snd_una + t->snd_wnd;

	return !t->was_connected || seq_lt(t->snd_nxt, edge + (1u << t->snd_wscale)) ? t->snd_nxt
										     : edge;
}

void tcp_send_ack(struct tcp_sock *t)
{
	tcp_send_segment(t, number_to_take(t), 0, TCP_ACK);
}

void tcp_send_syn(struct tcp_sock *t, uint64_t now)
{
	bool passive = t->state == TCP_SYN_RECV;

	t->syn_time = t->syn_sent ? 0 : now; /* Karn */
	t->syn_sent = true;
	tcp_send_segment(t, t->iss, 0, passive ? TCP_SYN | TCP_ACK : TCP_SYN);
	t->retx_kind = RETX_TIMEOUT;
	tcp_timer_set(t, TCP_T_RETX, tcp_next_look(t, now));
}

void tcp_send_reset(struct tcp_sock *t)
{
	tcp_send_segment(t, number_to_take(t), 0, TCP_RST | TCP_ACK);
}

/* To a segment that belongs to no connection (RFC 9293 3.10.7.1). */
void tcp_reply_reset(const struct packet *in, const struct tcp_seg *seg)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)in);
	struct ip_send how = { .src = cb->dst,
		.dst = cb->src,
		.protocol = IPPROTO_TCP,
		.ttl = 64,
		.dont_fragment = true,
		.whole = true };
	struct route_cache r;
	struct packet *p;
	struct tcp_header *h;

	if ((seg->flags & TCP_RST) || (cb->flags & (PKT_BROADCAST | PKT_MULTICAST)))
		return;
	if (route_lookup(cb->src, cb->dst, ip_needs_scope(cb->src) ? cb->ifindex : 0, &r))
		return;
	p = packet_alloc(TX_HEADROOM, sizeof(*h));
	if (!p)
		return;
	h = packet_put(p, sizeof(*h));
	memset(h, 0, sizeof(*h));
	h->sport = be16(cb->dport);
	h->dport = be16(cb->sport);
	h->offset = 5 << 4;
	h->flags = TCP_RST;
	if (seg->flags & TCP_ACK) {
		h->seq = be32(seg->ack);
	} else {
		h->flags |= TCP_ACK;
		h->ack = be32(
			seg->seq + seg->len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN));
	}
	h->checksum =
		(uint16_t)~csum_fold(csum_pseudo_ip(how.src, how.dst, IPPROTO_TCP, sizeof(*h)));
	p->csum_flags = PACKET_CSUM_PARTIAL;
	p->csum_offset = offsetof(struct tcp_header, checksum);
	ip_output(p, &how, &r);
}

/* ---- what to send now ---- */

static uint32_t segment_limit(struct tcp_sock *t)
{
	struct route_cache *r = tcp_route(t);

	if (!r || !(r->dev->features & (ip_is_v4(r->dst) ? NETDEV_TSO4 : NETDEV_TSO6)))
		return t->mss;
	return MAX(GSO_LIMIT / t->mss, 1u) * t->mss;
}

bool tcp_retransmit(struct tcp_sock *t, uint32_t seq, uint32_t len, uint64_t now)
{
	uint32_t left = seq_lt(seq, t->write_seq) ? t->write_seq - seq : 0;
	uint32_t data = MIN(MIN(len, (uint32_t)t->mss), left);
	bool fin = t->fin_sent && data == left && len > left;
	uint32_t end = seq + data + fin;

	if (!tcp_sent_again(t, seq, end, now))
		return false;
	counter_inc(tcp_retransmits);
	tcp_undo_note_again(t, end - seq, now);
	t->total_retrans++;
	t->bytes_retrans += data;
	tcp_send_segment(
		t, seq, data, (uint8_t)(TCP_ACK | (data ? TCP_PSH : 0) | (fin ? TCP_FIN : 0)));
	return true;
}

static bool retransmit_lost(struct tcp_sock *t, uint64_t now)
{
	const struct tcp_sent *r = tcp_sent_next_lost(t);
	uint32_t pipe = tcp_pipe(t), len;

	if (!r)
		return false;
	len = r->end - r->start;
	if (pipe + MIN(len, (uint32_t)t->mss) > t->cwnd && pipe) {
		t->cwnd_limited = true;
		return false;
	}
	if (!tcp_retransmit(t, r->start, len, now))
		return false;
	t->prr.out += MIN(len, (uint32_t)t->mss);
	return true;
}

/* Nagle, corking and silly windows (RFC 9293 3.7.4, 3.8.6.2.1): may a short segment go? */
static bool short_allowed(struct tcp_sock *t, uint32_t len, uint32_t avail)
{
	if (t->force || (t->fin_queued && len == avail))
		return true;
	if (t->cork || t->more)
		return false;
	if (len < avail) /* cut by a window: wait for a better one while something is in flight */
		return t->snd_una == t->snd_nxt || len >= t->max_wnd / 2;
	return t->nodelay || t->snd_una == t->snd_nxt ||
	       (t->snd_urgent && seq_ge(t->snd_up, t->snd_nxt));
}

/* At most limit bytes, a multiple of the segment's size. */
static bool send_new(struct tcp_sock *t, uint32_t *pipe, uint32_t limit, uint64_t now)
{
	uint32_t avail = t->write_seq - t->snd_nxt, edge = t->snd_una + t->snd_wnd, len, room;

	if (t->fin_sent)
		return false;
	room = seq_gt(edge, t->snd_nxt) ? edge - t->snd_nxt : 0;
	len = MIN(avail, room);
	if (t->cwnd <= *pipe && len) {
		t->cwnd_limited = true;
		return false;
	}
	if (t->cwnd - *pipe < len) {
		t->cwnd_limited = true;
		len = MAX((t->cwnd - *pipe) / t->mss * t->mss,
			*pipe ? 0 : MIN(len, (uint32_t)t->mss));
	}
	len = MIN(len, limit);
	if (len > t->mss && len < avail)
		len -= len % t->mss;
	bool fin = t->fin_queued && len == avail && room > len;

	if (!len && !fin)
		return false;
	if (len < t->mss && !short_allowed(t, len, avail))
		return false;
	if (len > t->mss && len % t->mss && !short_allowed(t, len % t->mss, len % t->mss))
		len -= len % t->mss;
	uint8_t flags = TCP_ACK;

	if (len && (len == avail || seq_ge(t->snd_nxt + len, t->push_seq)))
		flags |= TCP_PSH;
	if (fin && len == avail)
		flags |= TCP_FIN;
	uint32_t seq = t->snd_nxt;

	t->snd_nxt += len + !!(flags & TCP_FIN);
	if (flags & TCP_FIN)
		t->fin_sent = true;
	if (seq == t->snd_una) /* silence counts from here, not from before an idle time */
		t->progress_time = now;
	tcp_sent_append(t, seq, t->snd_nxt, 0, now);
	if (len && now - t->last_rx < TCP_DELACK)
		t->pingpong = true; /* an answer soon after a question: ACKs can ride */
	t->last_tx_data = now;
	tcp_send_segment(t, seq, len, flags);
	*pipe += len;
	t->prr.out += len;
	return true;
}

/* RFC 5681 4.1: what was learned about the path ages; half for each timeout that it was idle. */
static void after_idle(struct tcp_sock *t, uint64_t now)
{
	uint64_t rto = (uint64_t)t->rto * NSEC_PER_USEC, idle = now - t->last_tx_data;
	uint32_t restart = MIN(t->cwnd, TCP_INIT_CWND * (uint32_t)t->mss);

	if (t->snd_una != t->snd_nxt || !t->last_tx_data)
		return;
	if (t->cubic.epoch_start) /* RFC 9438, 5.8: idle time is no time to grow in */
		t->cubic.epoch_start = MIN(t->cubic.epoch_start + idle, now);
	if (idle <= rto)
		return;
	t->ssthresh = MAX(t->ssthresh, t->cwnd / 4 * 3);
	for (; idle > rto && t->cwnd > restart; idle -= rto)
		t->cwnd /= 2;
	t->cwnd = MAX(t->cwnd, restart);
}

/* RFC 5682: two segments of new data tell whether the timeout was spurious. */
static bool send_new_in_doubt(struct tcp_sock *t, uint64_t now)
{
	uint32_t pipe = 0, before = t->snd_nxt;

	t->frto_new = false;
	t->force = true;
	for (int k = 0; k < 2 && send_new(t, &pipe, t->mss, now); k++)
		;
	t->force = false;
	if (t->snd_nxt == before)
		t->frto = false;
	return t->frto;
}

/* The tail's probe (RFC 8985, 7.3): one segment whatever the congestion window says. */
void tcp_output_probe(struct tcp_sock *t, uint64_t now)
{
	uint32_t cwnd = t->cwnd, pipe = 0;
	bool limited = t->cwnd_limited;

	t->cwnd = t->mss;
	t->force = true;
	send_new(t, &pipe, t->mss, now);
	t->force = false;
	t->cwnd = cwnd;
	t->cwnd_limited = limited;
}

static void transmit(struct tcp_sock *t)
{
	uint64_t now = clock_now();
	uint32_t before = t->snd_nxt, pipe, limit = segment_limit(t);

	after_idle(t, now);
	t->cwnd_limited = false;
	if (!t->frto_new || !send_new_in_doubt(t, now)) {
		while (t->sent_bytes_lost && retransmit_lost(t, now))
			;
		pipe = tcp_pipe(t);
		if (t->mtup.enabled && tcp_mtu_probe(t, pipe, now))
			pipe = tcp_pipe(t);
		while ((t->write_seq != t->snd_nxt || t->fin_queued) &&
			send_new(t, &pipe, limit, now))
			;
	}
	t->force = false;
	tcp_info_chrono(t, now);
	if (!t->when[TCP_T_RETX])
		tcp_arm_retx(t, now);
	else if (t->snd_nxt != before)
		tcp_arm_probe(t, now);
	/* Something waits, nothing is in flight, so no ACK will come by itself: ask for one in
	 * time. */
	if (t->snd_una == t->snd_nxt && tcp_unsent(t) && !t->when[TCP_T_PERSIST]) {
		if (!t->probes)
			t->progress_time = now;
		tcp_timer_set(t, TCP_T_PERSIST,
			now + (t->snd_wnd ? TCP_CORK_TIME : (uint64_t)t->rto * NSEC_PER_USEC));
	}
}

void tcp_output(struct tcp_sock *t)
{
	switch (t->state) {
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
	case TCP_TIME_WAIT: return;
	}
	if (t->snd_una != t->write_seq && unlikely(tcp_mtu_stale(t)))
		tcp_mtu_changed(t);
	if (t->sent_bytes_lost || tcp_unsent(t))
		transmit(t);
}

/* ---- send ---- */

size_t tcp_write_space(const struct tcp_sock *t)
{
	uint32_t used = load_relaxed(&t->write_seq) - load_relaxed(&t->snd_base);
	uint32_t limit = t->i.s.sndbuf;

	/* Room for two windows, or a slow program would starve a fast path. */
	if (!t->i.s.sndbuf_locked)
		limit = MIN(MAX(limit, 2 * load_relaxed(&t->cwnd)), the_net()->buffer_max);
	if (used >= TCP_LITTLE && tcp_pressure())
		return 0;
	return used < limit ? limit - used : 0;
}

/* Linux: a third of the buffer is free. */
bool tcp_writable(const struct tcp_sock *t)
{
	uint32_t used = load_relaxed(&t->write_seq) - load_relaxed(&t->snd_base);

	if (t->notsent_lowat &&
		load_relaxed(&t->write_seq) - load_relaxed(&t->snd_nxt) >= t->notsent_lowat)
		return false;
	return tcp_write_space(t) >= used / 2 && tcp_write_space(t) > 0;
}

static bool writer_wakes(struct tcp_sock *t, bool connecting)
{
	uint8_t state = load_acquire(&t->state);

	if (load_relaxed(&t->i.s.error) || (load_relaxed(&t->i.s.shut) & SHUT_SND) ||
		state == TCP_CLOSE)
		return true;
	if (connecting)
		return state != TCP_SYN_SENT && state != TCP_SYN_RECV;
	if (tcp_writable(t))
		return true;
	__atomic_store_n(&t->i.s.nospace, 1, __ATOMIC_SEQ_CST);
	return tcp_writable(t) || socket_has_work(&t->i.s);
}

/* Sleeps until there may be room. Lock held before and after. 0, or why not. */
static int wait_writable(struct tcp_sock *t, uint32_t flags, uint64_t deadline, bool connecting)
{
	struct socket *s = &t->i.s;
	int err;

	if (socket_nonblocking(s, flags)) {
		__atomic_store_n(&s->nospace, 1, __ATOMIC_SEQ_CST);
		return -EAGAIN;
	}
	socket_unlock(s);
	err = socket_wait(s, SOCKET_OUT, writer_wakes(t, connecting), deadline);
	socket_lock(s);
	return err ? socket_wait_error(err, s->sndtimeo) : 0;
}

/* May we send at all? 1: not yet. Lock held. */
static int send_state(struct tcp_sock *t)
{
	int err = socket_take_error(&t->i.s);

	if (err)
		return err;
	if (t->i.s.shut & SHUT_SND)
		return -EPIPE;
	switch (t->state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT: return 0;
	case TCP_SYN_SENT:
	case TCP_SYN_RECV: return 1;
	default: return -EPIPE;
	}
}

ssize_t tcp_send(struct socket *s, struct socket_message *m, const struct path_context *c)
{
	struct tcp_sock *t = tcp_sk(s);
	uint64_t deadline = socket_deadline(s->sndtimeo);
	size_t done = 0;
	int err = 0;

	if (m->flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	socket_lock(s);
	t->more = m->flags & MSG_MORE;
	for (;;) {
		err = send_state(t);
		if (err < 0)
			break;
		if (!err && !m->data->left)
			break;
		size_t space = err ? 0 : tcp_write_space(t);

		if (err || !space) {
			if (!err)
				tcp_output(t);
			if (!err && tcp_write_space(t))
				continue;
			err = wait_writable(t, m->flags, deadline, err == 1);
			if (err)
				break;
			continue;
		}
		size_t got = tcp_append(t, m, MIN(space, m->data->left));

		done += got;
		if (!got || m->data->fault) {
			err = m->data->fault ? -EFAULT : -ENOBUFS;
			break;
		}
		if (!m->data->left) /* for the usual message once round is enough */
			break;
		if (t->write_seq - t->snd_nxt >= 65536)
			tcp_output(t);
	}
	if (done) {
		t->push_seq = t->write_seq;
		if (m->flags & MSG_OOB) {
			t->snd_up = t->write_seq;
			t->snd_urgent = true;
		}
		tcp_output(t);
	} else if (m->pieces && !err) { /* after all, no more is to come */
		tcp_output(t);
	}
	t->more = false;
	tcp_charge(t);
	socket_unlock(s);
	if (unlikely(m->note))
		zc_put(m->note);
	if (done)
		return (ssize_t)done;
	return err == -EPIPE ? socket_sigpipe(m) : err;
}
