/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP input (RFC 9293 3.10.7), cut by event. Demultiplexing runs in the network thread; everything
 * from tcp_work down runs under the socket's lock in whichever thread holds it.
 */

#include "net/icmp.h"
#include "net/rx.h"
#include "net/tcp.h"
#include "net/transport.h"
#include "abi/errno.h"
#include "diag/counter.h"

COUNTER(tcp_rx_malformed);
COUNTER(tcp_rx_bad_checksum);
COUNTER(tcp_rx_no_socket);
COUNTER(tcp_rx_paws);
COUNTER(tcp_rx_out_of_window);
COUNTER(tcp_rx_acks_outdone);
COUNTER(tcp_rx_from_afar);
COUNTER(tcp_challenge_acks);

/* ---- demultiplexing ---- */

static bool checksum_ok(struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);

	if (p->csum_flags != PACKET_CSUM_NONE || (cb->flags & PKT_LOOPBACK))
		return true;
	return csum_fold(csum_packet(
		       csum_pseudo_ip(cb->src, cb->dst, IPPROTO_TCP, (uint32_t)pkt_total(p)), p)) ==
	       0;
}

/* The connection, or else a listener; held for rx_to_socket. */
static struct socket *classify(struct rx *rx, const struct pkt_cb *cb, bool *connected)
{
	struct net_state *n = the_net();
	struct socket *s;
	bool held;

	/* As the one before, and as good as looked up together with it: flow.h, F5 */
	*connected = rx_same_flow(rx, IPPROTO_TCP, cb);
	if (*connected)
		return rx->pending;
	do {
		rcu_read_lock();
		struct flow *f = inet_find_connected(
			&n->tcp_conn, cb->dst, cb->dport, cb->src, cb->sport, 0);

		*connected = f != NULL;
		if (!f)
			f = inet_find_bound(&n->tcp_listen, cb);
		s = f ? f->s : NULL;
		held = !s || rx_hold(rx, s);
		rcu_read_unlock();
	} while (!held); /* flow.h, F4 */
	return s;
}

/* Whether its reader, the protocol or nobody has to see a segment soon. */
static unsigned kind_of(const struct packet *p)
{
	uint8_t flags = p->data[13];

	if (flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_URG))
		return CHANNEL_NOW;
	return pkt_total(p) > (p->data[12] >> 4) * 4u ? CHANNEL_DATA : CHANNEL_QUIET;
}

/*
 * Segments are to be seen as they come: what we send depends on them, the connection's state is
 * about to change, or nobody can read here.
 */
bool tcp_eager(const struct socket *s)
{
	const struct tcp_sock *t = tcp_sk((struct socket *)s);

	return (t->state != TCP_ESTABLISHED && t->state != TCP_CLOSE_WAIT) ||
	       t->write_seq != t->snd_nxt || t->ca_state != CA_OPEN || tcp_ooo_any(&t->ooo) ||
	       !load_relaxed(&s->file) || s->rcvlowat > 1 || t->sent_bytes_lost || t->retransmits;
}

void tcp_input(struct rx *rx, struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct socket *s;
	bool connected;

	if ((cb->flags & (PKT_BROADCAST | PKT_MULTICAST)) ||
		!pkt_pull_up(p, sizeof(struct tcp_header))) {
		counter_inc(tcp_rx_malformed);
		goto drop;
	}
	if (!checksum_ok(p)) {
		counter_inc(tcp_rx_bad_checksum);
		goto drop;
	}
	cb->sport = get_be16(p->data);
	cb->dport = get_be16(p->data + 2);
	s = classify(rx, cb, &connected);
	if (s) {
		rx_to_socket(rx, s, p, kind_of(p));
		rx->found = connected ? IPPROTO_TCP : 0; /* p and cb are not ours any more */
		return;
	}
	counter_inc(tcp_rx_no_socket);
	struct tcp_seg seg;

	if (tcp_parse(p, &seg))
		tcp_reply_reset(p, &seg);
drop:
	packet_free(p);
}

struct tcp_sock *tcp_find_connection(
	struct ip_addr laddr, uint16_t lport, struct ip_addr raddr, uint16_t rport)
{
	struct tcp_sock *t;
	struct flow *f;

	rcu_read_lock();
	f = inet_find_connected(&the_net()->tcp_conn, laddr, lport, raddr, rport, 0);
	t = f && socket_get_live(f->s) ? tcp_sk(f->s) : NULL;
	rcu_read_unlock();
	return t;
}

void tcp_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu)
{
	struct tcp_sock *t =
		tcp_find_connection(q->src, get_be16(q->l4), q->dst, get_be16(q->l4 + 2));

	if (!t)
		return;
	/* RFC 5927, 4.1: believe only what quotes data in flight (racy without the lock: a filter);
	 * with nothing there, no number is right. */
	uint32_t seq = get_be32(q->l4 + 4);

	if (seq_ge(seq, load_relaxed(&t->snd_una)) && seq_lt(seq, load_relaxed(&t->snd_nxt)))
		socket_icmp(&t->i.s, err, hard, mtu);
	socket_put(&t->i.s);
}

void tcp_icmp(struct socket *s, int err, bool hard, uint32_t mtu);
void tcp_icmp(struct socket *s, int err, bool hard, uint32_t mtu)
{
	struct tcp_sock *t = tcp_sk(s);

	if (mtu) {
		if (t->state != TCP_CLOSE && t->state != TCP_LISTEN)
			tcp_mtu_icmp(t, mtu);
		return;
	}
	if (t->state == TCP_SYN_SENT)
		tcp_done(t, err);
	else if (hard && t->state == TCP_SYN_RECV && t->parent)
		tcp_done(t, err);
	else if (t->was_connected && inet_recverr(&t->i, t->i.raddr)) {
		socket_set_error(s, err);
		socket_wake(s, POLLERR);
	} else {
		t->soft_error = err; /* only a hint (RFC 1122 4.2.3.9); the timeout decides */
	}
}

/* ---- events before the connection is synchronised ---- */

/* RFC 5961: at most 10 a second per connection. */
void tcp_challenge_ack(struct tcp_sock *t)
{
	uint64_t now = clock_now();

	if (now - t->challenge_time > NSEC_PER_SEC) {
		t->challenge_time = now;
		t->challenge_count = 0;
	}
	if (++t->challenge_count > 10)
		return;
	counter_inc(tcp_challenge_acks);
	tcp_send_ack(t);
}

static void take_syn(struct tcp_sock *t, const struct tcp_seg *seg)
{
	t->irs = seg->seq;
	t->rcv_nxt = t->rcv_wup = t->copied_seq = seg->seq + 1;
	t->rcv_adv = t->rcv_nxt;
	t->peer_mss = seg->has_mss ? MAX(seg->mss, (uint16_t)TCP_MIN_MSS) : TCP_DEFAULT_MSS;
	t->ts_ok = t->ts_ok && seg->has_ts;
	t->sack_ok = t->sack_ok && seg->sack_ok;
	t->wscale_ok = t->wscale_ok && seg->has_wscale;
	t->snd_wscale = t->wscale_ok ? seg->wscale : 0;
	if (!t->wscale_ok)
		t->rcv_wscale = 0;
	t->ts_recent = seg->ts_val;
	t->ts_recent_time = t->last_rx;
	t->snd_wnd = t->max_wnd = seg->wnd;
	t->snd_wl1 = seg->seq;
	t->snd_wl2 = seg->ack;
}

/* RFC 9293 3.10.7.3 */
static void syn_sent_segment(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg)
{
	if (seg->flags & TCP_ACK) {
		if (seg->ack != t->snd_nxt) { /* our SYN carries no data */
			if (!(seg->flags & TCP_RST))
				tcp_reply_reset(p, seg);
			return;
		}
		if (seg->flags & TCP_RST) {
			tcp_done(t, ECONNREFUSED);
			return;
		}
	} else if (seg->flags & TCP_RST) {
		return;
	}
	if (!(seg->flags & TCP_SYN))
		return;
	take_syn(t, seg);
	if (seg->flags & TCP_ACK) {
		t->snd_una = seg->ack;
		tcp_take_syn_rtt(t, seg);
		tcp_init_established(t);
		t->ack_now = true;
	} else { /* simultaneous open */
		tcp_set_state(t, TCP_SYN_RECV);
		t->snd_nxt = t->iss + 1;
		tcp_send_syn(t, t->last_rx);
	}
}

/* ---- synchronised states: the checks in order ---- */

/* RFC 7323 5.3; a reset is judged by its sequence number alone. */
static bool paws_ok(const struct tcp_sock *t, const struct tcp_seg *seg)
{
	if (!t->ts_ok || !seg->has_ts || (seg->flags & TCP_RST))
		return true;
	if ((int32_t)(seg->ts_val - t->ts_recent) >= 0)
		return true;
	return clock_now() - t->ts_recent_time > 24ull * 86400 * NSEC_PER_SEC;
}

/*
 * The timestamp to echo (RFC 7323, 4.3), of a segment that has passed the checks of timestamp,
 * sequence and acknowledgement: a number guessed in the window alone could set the peer's clock as
 * we know it forward, and from then on the peer would not be heard. Whether it is larger than the
 * last is not asked here, as after 24 days it need not be.
 */
static void take_timestamp(struct tcp_sock *t, const struct tcp_seg *seg)
{
	if (!t->ts_ok || !seg->has_ts || seq_gt(seg->seq, t->rcv_wup) ||
		seq_lt(seg->ack, t->snd_una))
		return;
	t->ts_recent = seg->ts_val;
	t->ts_recent_time = t->last_rx;
}

/*
 * Whether what the segment says is to be heard. RFC 9293 (3.10.7.4) would hear less at both ends of
 * the window; this is what Linux hears:
 *  - what begins at the right edge: there begin all ACKs of a peer who has filled the window, as
 *    long as some of that is lost. So a closed window needs no special allowance.
 *  - what ends between our last ACK and RCV.NXT: an ACK that was overtaken by data, or old data
 *    sent again with a new ACK.
 * What of its data has no room, or is known, is told apart later. In TIME_WAIT nothing new can come
 * and all is answered but the bare ACK that is due.
 */
static bool in_window(const struct tcp_sock *t, const struct tcp_seg *seg)
{
	uint32_t len = seg->len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);

	if (t->state == TCP_TIME_WAIT && len)
		return false;
	return seq_ge(seg->seq + len, t->rcv_wup) &&
	       seq_le(seg->seq, seq_max(t->rcv_adv, t->rcv_nxt));
}

/*
 * RFC 5961, section 3.2: a reset must have the very next number, or, as on Linux, one that its
 * sender may well take for that: behind what came early, if we have told so; or the number of its
 * FIN, from stacks that take it back with the connection.
 */
static bool resets(const struct tcp_sock *t, const struct tcp_seg *seg)
{
	if (seg->seq == t->rcv_nxt)
		return true;
	switch (t->state) {
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_LAST_ACK: return seg->seq == t->rcv_nxt - 1;
	}
	return t->sack_ok && tcp_ooo_ends_at(&t->ooo, seg->seq);
}

/* Not acceptable: an ACK tells the peer where we are. */
static void unacceptable(struct tcp_sock *t, const struct tcp_seg *seg)
{
	counter_inc(tcp_rx_out_of_window);
	if (t->state == TCP_TIME_WAIT && (seg->flags & TCP_FIN)) /* our last ACK was lost */
		tcp_timer_set(t, TCP_T_WAIT, t->last_rx + TCP_TIME_WAIT_NS);
	if (seg->len && seq_le(seg->seq + seg->len, t->rcv_nxt)) { /* RFC 2883 */
		t->dsack = (struct tcp_range){ seg->seq, seg->seq + seg->len };
		t->dsack_due = t->sack_ok;
	}
	if ((seg->len || (seg->flags & TCP_FIN)) && !(seg->flags & TCP_SYN))
		tcp_send_ack(t);
	else /* window and keep-alive probes want an answer, but two ends must not go on for ever */
		tcp_challenge_ack(t);
}

static void reset_segment(struct tcp_sock *t, const struct tcp_seg *seg)
{
	int err;

	if (!resets(t, seg)) {
		if (in_window(t, seg))
			tcp_challenge_ack(t);
		return;
	}
	switch (t->state) {
	case TCP_SYN_RECV: err = ECONNREFUSED; break;
	case TCP_CLOSE_WAIT: err = EPIPE; break;
	case TCP_TIME_WAIT: err = 0; break;
	default: err = ECONNRESET;
	}
	tcp_done(t, err);
}

/* RFC 6191, section 2: may this SYN start a new connection on the ports of one that is over? */
static bool reopens(const struct tcp_sock *t, const struct tcp_seg *seg)
{
	bool newer = seq_gt(seg->seq, t->rcv_nxt);
	int32_t later = (int32_t)(seg->ts_val - t->ts_recent);

	if (t->state != TCP_TIME_WAIT || (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (!seg->has_ts)
		return newer;
	if (!t->ts_ok)
		return true;
	return later > 0 || (later == 0 && newer);
}

static void reopen(struct tcp_sock *t, struct packet *p, unsigned hlen)
{
	struct netdev *lo = &the_net()->lo;

	p->looped_seq = MAX(tcp_seq_beyond(t), 1u);
	tcp_done(t, 0);
	p->looped = pkt_cb(p)->ifindex; /* from the IP layer once more: to the listener */
	packet_push(p, hlen + pkt_cb(p)->ip_len);
	lo->send(lo, p);
}

/* The states in which our FIN is being acknowledged. False: the connection is gone. */
static bool fin_acked(struct tcp_sock *t)
{
	if (!t->fin_sent || t->snd_una != t->write_seq + 1)
		return true;
	switch (t->state) {
	case TCP_FIN_WAIT1:
		tcp_set_state(t, TCP_FIN_WAIT2);
		socket_wake(&t->i.s, POLLOUT);
		if (t->i.s.detached) {
			if (t->linger2 < 0) {
				tcp_abort(t, 0);
				return false;
			}
			tcp_timer_set(t, TCP_T_WAIT,
				t->last_rx + (t->linger2 ? (uint64_t)t->linger2 * NSEC_PER_SEC
							 : TCP_FIN_WAIT2_NS));
		}
		break;
	case TCP_CLOSING: tcp_enter_time_wait(t); return false;
	case TCP_LAST_ACK: tcp_done(t, 0); return false;
	}
	return true;
}

static bool handshake_acked(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg)
{
	if (seg->ack != t->iss + 1 &&
		!(t->fin_queued && seq_gt(seg->ack, t->iss) && seq_le(seg->ack, t->snd_nxt))) {
		tcp_reply_reset(p, seg);
		return false;
	}
	if (t->parent && !tcp_accept_room(t->parent))
		return false; /* as Linux: our SYN,ACK goes out again, later there may be room */
	t->snd_una = t->iss + 1;
	t->snd_wnd = seg->wnd << t->snd_wscale;
	t->max_wnd = MAX(t->max_wnd, t->snd_wnd);
	t->snd_wl1 = seg->seq;
	t->snd_wl2 = seg->ack;
	tcp_take_syn_rtt(t, seg);
	tcp_init_established(t);
	if (t->fin_queued) /* closed before it was established */
		tcp_set_state(t, TCP_FIN_WAIT1);
	if (t->parent && t->defer_accept && !seg->len)
		tcp_timer_set(t, TCP_T_KEEP, t->last_rx + (uint64_t)t->defer_accept * NSEC_PER_SEC);
	else if (t->parent)
		tcp_child_ready(t);
	return true;
}

/* Data for a socket nobody reads any more: RFC 2525, 2.17 and RFC 1122 4.2.2.13. As on Linux also
 * where the program has shut down both ways and not closed: the peer could wait for its window for
 * ever. (In these states SHUT_RCV is the program's: a FIN leads out of them.) */
static bool nobody_reads(struct tcp_sock *t, const struct tcp_seg *seg)
{
	bool over = t->i.s.detached || (t->i.s.shut & SHUT_RCV);

	if (!over || !seg->len || seq_le(seg->seq + seg->len, t->rcv_nxt))
		return false;
	return t->state == TCP_FIN_WAIT1 || t->state == TCP_FIN_WAIT2;
}

static void text_and_fin(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg)
{
	bool fin = seg->flags & TCP_FIN;
	uint32_t fin_seq = seg->seq + seg->len;

	switch (t->state) {
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2: break;
	default:
		if (fin || seg->len)
			t->ack_now = true;
		packet_free(p);
		return;
	}
	if ((seg->flags & TCP_URG) || t->urg == URG_NOT_YET)
		tcp_receive_urgent(t, p, seg);
	if (seg->len)
		tcp_receive_data(t, p, seg);
	else
		packet_free(p);
	if (unlikely(fin)) {
		t->ack_now = true;
		if (seq_ge(fin_seq, t->rcv_nxt) &&
			seq_le(fin_seq, seq_max(t->rcv_adv, t->rcv_nxt))) {
			t->fin_early = true;
			t->early_fin = fin_seq;
		}
	}
	if (unlikely(t->fin_early) && t->rcv_nxt == t->early_fin)
		tcp_receive_fin(t);
}

/*
 * Both sides called each other: the peer's SYN,ACK, which repeats a SYN that was taken and has the
 * ACK that is waited for. As that ACK alone in *ack (its window is not scaled, RFC 7323 2.2).
 * Answered with our SYN,ACK once more, two such ends (or one that called itself) never cease.
 */
static bool crossing_syn_ack(
	const struct tcp_sock *t, const struct tcp_seg *seg, struct tcp_seg *ack)
{
	if (t->state != TCP_SYN_RECV || t->parent || seg->len || seg->seq != t->irs ||
		(seg->flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) != (TCP_SYN | TCP_ACK) ||
		seg->ack != t->iss + 1)
		return false;
	*ack = *seg;
	ack->seq++;
	ack->flags &= (uint8_t)~TCP_SYN;
	ack->wnd >>= t->snd_wscale;
	return true;
}

/* Our SYN,ACK was lost. This one is what the peer takes its round trip from, not the first, which
 * it gave a second and more (RFC 7323, 4.3; Linux echoes the first). */
static void syn_again(struct tcp_sock *t, const struct tcp_seg *seg)
{
	if (t->ts_ok && seg->has_ts) {
		t->ts_recent = seg->ts_val;
		t->ts_recent_time = t->last_rx;
	}
	tcp_send_syn(t, t->last_rx);
}

/* RFC 9293 3.10.7.4. Takes p. */
static void synchronised_segment(
	struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg, unsigned hlen)
{
	struct tcp_seg ack;

	if (crossing_syn_ack(t, seg, &ack)) {
		seg = &ack;
		t->ack_now = true; /* the peer may be in doubt about our SYN */
	}
	if (reopens(t, seg)) {
		reopen(t, p, hlen);
		return;
	}
	if (!paws_ok(t, seg)) {
		counter_inc(tcp_rx_paws);
		tcp_challenge_ack(t);
		goto drop;
	}
	if (seg->flags & TCP_RST) {
		reset_segment(t, seg);
		goto drop;
	}
	if (!in_window(t, seg)) {
		unacceptable(t, seg);
		goto drop;
	}
	if (seg->flags & TCP_SYN) {
		if (t->state == TCP_SYN_RECV && seg->seq == t->irs && !(seg->flags & TCP_ACK))
			syn_again(t, seg);
		else
			tcp_challenge_ack(t);
		goto drop;
	}
	if (!(seg->flags & TCP_ACK))
		goto drop;
	if (t->state == TCP_SYN_RECV && !handshake_acked(t, p, seg))
		goto drop;
	if (t->state == TCP_TIME_WAIT) {
		if (seg->ack == t->snd_nxt)
			take_timestamp(t, seg);
		goto drop;
	}
	if (!tcp_ack_segment(t, seg))
		goto drop;
	take_timestamp(t, seg);
	if (!fin_acked(t))
		goto drop;
	if (nobody_reads(t, seg)) {
		tcp_abort(t, t->i.s.detached ? 0 : ECONNRESET);
		goto drop;
	}
	text_and_fin(t, p, seg);
	return;
drop:
	packet_free(p);
}

static void tcp_segment(struct tcp_sock *t, struct packet *p, uint64_t now)
{
	struct tcp_seg seg;
	uint32_t before = p->len;

	if (!tcp_parse(p, &seg)) {
		counter_inc(tcp_rx_malformed);
		packet_free(p);
		return;
	}
	unsigned hlen = before - p->len;

	t->segs_in += tcp_segments(p, seg.len);
	t->last_rx = now;
	switch (t->state) {
	case TCP_CLOSE:
		tcp_reply_reset(p, &seg);
		packet_free(p);
		break;
	case TCP_LISTEN: tcp_listen_segment(t, p, &seg, hlen); break;
	case TCP_SYN_SENT:
		syn_sent_segment(t, p, &seg);
		packet_free(p);
		break;
	default: synchronised_segment(t, p, &seg, hlen);
	}
}

/* The header's length if p is an ACK with no options but timestamps as all write them, else 0. */
static unsigned plain_ack(const struct tcp_sock *t, const struct packet *p)
{
	const struct tcp_header *h = (const struct tcp_header *)p->data;
	unsigned hlen = t->ts_ok ? sizeof(*h) + 12 : sizeof(*h);

	if (p->len < hlen || h->offset >> 4 != hlen / 4 || (h->flags & ~TCP_PSH) != TCP_ACK)
		return 0;
	if (t->ts_ok && get_be32(p->data + sizeof(*h)) != 0x0101080a) /* NOP, NOP, kind, length */
		return 0;
	return hlen;
}

/*
 * Whether the segment behind p says all that p says, and more: p is a bare acknowledgement of new
 * data that its successor exceeds. Then it is as good as lost on its way, where such a loss changes
 * nothing: nothing is missing, and the congestion window does not wait for acknowledgements, so
 * that none is a measure for it. What answers requests that came together meets a run of these.
 */
static bool outdone(const struct tcp_sock *t, const struct packet *p)
{
	const struct packet *next = p->next;
	const struct tcp_header *a = (const struct tcp_header *)p->data, *b;
	unsigned hlen;

	if (!next || t->state != TCP_ESTABLISHED || t->cwnd_limited || !tcp_recovery_quiet(t))
		return false;
	hlen = plain_ack(t, p);
	if (!hlen || p->len != hlen || p->frags || plain_ack(t, next) != hlen)
		return false;
	b = (const struct tcp_header *)next->data;
	if (be32(a->seq) != t->rcv_nxt || b->seq != a->seq || !seq_gt(be32(a->ack), t->snd_una) ||
		!seq_gt(be32(b->ack), be32(a->ack)) || seq_gt(be32(b->ack), t->snd_nxt))
		return false;
	if (!t->ts_ok)
		return true;
	uint32_t stamp = get_be32(p->data + sizeof(*a) + 4);

	return (int32_t)(stamp - t->ts_recent) >= 0 &&
	       (int32_t)(get_be32(next->data + sizeof(*b) + 4) - stamp) >= 0;
}

/* RFC 5082: it has passed more routers than IP_MINTTL or IPV6_MINHOPCOUNT allow. */
static bool from_afar(const struct inet_sock *i, const struct pkt_cb *cb)
{
	return cb->ttl < (ip_is_v4(cb->dst) ? i->min_ttl : i->min_hops);
}

/* All packets first, then one look at what is to be sent. */
void tcp_work(struct socket *s, struct packet *batch)
{
	struct tcp_sock *t = tcp_sk(s);
	uint64_t now = clock_now();

	while (batch) {
		struct packet *p = batch;

		batch = p->next;
		if (unlikely(t->i.floors) && from_afar(&t->i, pkt_cb(p))) {
			counter_inc(tcp_rx_from_afar);
			packet_free(p);
			continue;
		}
		if (outdone(t, p)) {
			counter_inc(tcp_rx_acks_outdone);
			t->segs_in++;
			packet_free(p);
			continue;
		}
		p->next = NULL;
		tcp_segment(t, p, now);
	}
	tcp_charge(t);
	switch (t->state) {
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_SYN_SENT:
	case TCP_SYN_RECV: return;
	}
	if (t->snd_una != t->write_seq || t->sent_bytes_lost || tcp_unsent(t))
		tcp_output(t);
	if (t->ack_now)
		tcp_send_ack(t);
	tcp_keepalive_reset(t);
}
