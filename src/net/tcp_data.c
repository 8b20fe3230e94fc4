/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receive side's bytes: the queue in order, the packets that came too early, urgent data, the
 * FIN, and recv. Queued packets carry their sequence range in cb and are trimmed to it.
 */

#include "net/tcp.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "mem/heap.h"

#define ACK_BUSY 32768 /* bytes that keep a reader busy for longer than an ACK is on its way */

COUNTER(tcp_rx_out_of_order);
COUNTER(tcp_rx_duplicate);
COUNTER(tcp_rx_pruned);
COUNTER(tcp_rx_coalesced);
COUNTER(tcp_bytes_copied_rx);

/* ---- queues ---- */

static void queue_piece(struct tcp_sock *t, struct packet *p)
{
	struct packet *last = t->rq_last;
	struct pkt_cb *cb = pkt_cb(p);

	/* Small pieces in large buffers would pin much memory: copy them behind the last one. */
	if (last && p->len <= 1024 && pkt_tailroom(last) >= p->len && pkt_cb(last)->spare) {
		memcpy(pkt_tail(last), p->data, p->len);
		last->len += p->len;
		pkt_cb(last)->end_seq = cb->end_seq;
		counter_inc(tcp_rx_coalesced);
		packet_free(p);
		return;
	}
	if (last && p->len <= 1024 && pkt_truesize(p) > 4 * p->len) {
		struct packet *q = packet_alloc(0, 8192 - 256);

		if (q) { /* one of our own, to gather in */
			memcpy(packet_put(q, p->len), p->data, p->len);
			memcpy(q->cb, p->cb, sizeof(q->cb));
			pkt_cb(q)->spare = 1;
			packet_free(p);
			p = q;
		}
	}
	p->next = NULL;
	t->rq_truesize += pkt_truesize(p);
	if (last)
		last->next = p;
	else
		store_release(&t->rq_first, p);
	t->rq_last = p;
}

/* p's bytes are exactly the next ones. Each frag becomes a queue element of its own. */
static void append(struct tcp_sock *t, struct packet *p)
{
	struct packet *frags = p->frags;
	uint32_t seq = pkt_cb(p)->seq;

	p->frags = NULL;
	while (p) {
		struct packet *next = frags;

		if (frags)
			frags = frags->next;
		pkt_cb(p)->seq = seq;
		pkt_cb(p)->spare = 0;
		seq += p->len;
		pkt_cb(p)->end_seq = seq;
		if (p->len)
			queue_piece(t, p);
		else
			packet_free(p);
		p = next;
	}
	t->bytes_received += seq - t->rcv_nxt;
	store_release(&t->rcv_nxt, seq);
}

static void take_from_ooo(struct tcp_sock *t)
{
	struct packet *p = tcp_ooo_take(&t->ooo, t->rcv_nxt);

	while (p) {
		struct packet *next = p->next;

		p->next = NULL;
		append(t, p);
		p = next;
	}
}

/* By itself: its range on the stack is guarded, which each segment in order would pay for. */
static __noinline void insert_ooo(struct tcp_sock *t, struct packet *p)
{
	uint32_t most = 2 * MIN(t->i.s.rcvbuf, 1u << 30) + 65536; /* much memory for few bytes */
	struct tcp_range known;

	counter_inc(tcp_rx_out_of_order);
	t->rcv_ooopack++;
	if (t->ooo.bytes > most || (t->ooo.bytes > TCP_LITTLE && tcp_pressure())) {
		counter_inc(tcp_rx_pruned);
		packet_free(p);
		return;
	}
	switch (tcp_ooo_add(&t->ooo, p, &known)) {
	case TCP_OOO_HELD: break;
	case TCP_OOO_KNOWN: counter_inc(tcp_rx_duplicate); break;
	case TCP_OOO_PRUNED: counter_inc(tcp_rx_pruned); break;
	}
	if (known.start != known.end) { /* partly, too: RFC 2883 */
		t->dsack = known;
		t->dsack_due = t->sack_ok;
	}
}

/* ---- acknowledging: RFC 9293 3.8.6.3, RFC 5681 4.2 ---- */

/*
 * Whether an ACK is left to the reader's next call, which can tell of more room as well. In a
 * stream of large segments each arrival and each read would send one, and one costs the card, the
 * host and the sender more than us. So none goes while the reader has much to do:
 *  - as long as half of the window waits for it: however late the sender hears of it, there is no
 *    less to read meanwhile;
 *  - else until it has read half of what came since the last ACK, and no longer than the sender has
 *    half of its window left to go on in.
 * If the reader does not come the timer sends it, as any delayed ACK: Linux leaves it to either,
 * too, where an ACK would not move the window's edge. Who sleeps until there is more does not come.
 */
static bool reader_acks(const struct tcp_sock *t)
{
	uint32_t unread = t->rcv_nxt - t->copied_seq, unacked = t->rcv_nxt - t->rcv_wup;

	if (unread < MAX((uint32_t)ACK_BUSY, t->reader_waits_for) || unread < t->i.s.rcvlowat)
		return false;
	return unread >= t->i.s.rcvbuf / 4 || /* the window is half of the buffer */
	       (unread > unacked / 2 && unacked < (t->rcv_adv - t->rcv_wup) / 2);
}

/* size: of the largest segment that p was sent in. */
static void schedule_ack(struct tcp_sock *t, uint32_t size)
{
	t->ack_pending = true;
	if (size > t->rcv_mss)
		t->rcv_mss = (uint16_t)MIN(size, (uint32_t)t->adv_mss);
	if (t->quick && !t->pingpong) {
		t->quick--;
		t->ack_now = true;
	} else if (tcp_ooo_any(&t->ooo) ||
		   (t->rcv_nxt - t->rcv_wup > t->rcv_mss && !reader_acks(t))) {
		t->ack_now = true;
	} else {
		uint64_t due = t->last_rx + TCP_DELACK;

		if (!t->when[TCP_T_DELACK])
			tcp_timer_set(t, TCP_T_DELACK, due);
	}
}

static void wake_reader(struct tcp_sock *t)
{
	if (tcp_readable_bytes(t) >= MIN(t->i.s.rcvlowat, t->i.s.rcvbuf / 2))
		socket_wake(&t->i.s, POLLIN | POLLRDNORM);
}

/* From our ACK to the data that it let go, by the echo; smoothed, us. */
static void measure_round_trip(struct tcp_sock *t, const struct tcp_seg *seg)
{
	if (!t->ts_ok || !seg->has_ts || seg->ts_ecr == t->rcv_rtt_echo || seg->len < t->rcv_mss)
		return;
	uint32_t us = MIN(tcp_ts_at(t, t->last_rx) - seg->ts_ecr, 60000u) * 1000;

	t->rcv_rtt_echo = seg->ts_ecr;
	t->rcv_rtt = t->rcv_rtt ? t->rcv_rtt - t->rcv_rtt / 8 + us / 8 : us;
}

void tcp_receive_data(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg)
{
	uint32_t size = p->gso_size ? MIN(seg->len, (uint32_t)p->gso_size) : seg->len;
	struct pkt_cb *cb = pkt_cb(p);

	t->data_segs_in += tcp_segments(p, seg->len);
	t->last_data_rx = t->last_rx;
	measure_round_trip(t, seg);
	if (seq_lt(cb->seq, t->rcv_nxt)) { /* the front is known */
		uint32_t known = t->rcv_nxt - cb->seq;

		t->dsack = (struct tcp_range){ cb->seq, seq_min(cb->end_seq, t->rcv_nxt) };
		t->dsack_due = t->sack_ok;
		if (known >= seg->len) {
			t->ack_now = true;
			packet_free(p);
			return;
		}
		pkt_trim_front(p, known);
		cb->seq = t->rcv_nxt;
	}
	if (seq_ge(cb->seq, t->rcv_adv)) { /* no room at all: a probe of a closed window */
		t->ack_now = true;
		packet_free(p);
		return;
	}
	if (seq_gt(cb->end_seq, t->rcv_adv)) { /* the tail is beyond the window */
		pkt_truncate(p, t->rcv_adv - cb->seq);
		cb->end_seq = t->rcv_adv;
		t->ack_now = true;
	}
	if (cb->seq != t->rcv_nxt) {
		insert_ooo(t, p);
		t->ack_now = true; /* a duplicate ACK, with SACK */
		return;
	}
	if (t->rq_truesize > TCP_LITTLE && tcp_pressure()) {
		counter_inc(tcp_rx_pruned);
		t->ack_now = true;
		packet_free(p);
		return;
	}
	append(t, p);
	if (unlikely(tcp_ooo_any(&t->ooo))) { /* a hole is filled, or its beginning */
		take_from_ooo(t);
		t->ack_now = true;
	}
	schedule_ack(t, size);
	wake_reader(t);
	if (t->parent && !t->queued_accept)
		tcp_child_ready(t); /* TCP_DEFER_ACCEPT: here is the data */
}

void tcp_receive_fin(struct tcp_sock *t)
{
	store_release(&t->rcv_nxt, t->rcv_nxt + 1);
	store_relaxed(&t->fin_received, true);
	t->fin_early = false;
	t->ack_now = true;
	store_relaxed(&t->i.s.shut, t->i.s.shut | SHUT_RCV);
	if (seq_lt(t->rcv_adv, t->rcv_nxt))
		t->rcv_adv = t->rcv_nxt;
	tcp_ooo_free(&t->ooo); /* nothing can follow */
	socket_wake(&t->i.s, POLLIN | POLLRDNORM | POLLRDHUP);
	switch (t->state) {
	case TCP_ESTABLISHED: tcp_set_state(t, TCP_CLOSE_WAIT); break;
	case TCP_FIN_WAIT1: tcp_set_state(t, TCP_CLOSING); break;
	case TCP_FIN_WAIT2: tcp_enter_time_wait(t); break;
	}
}

/* The urgent pointer names the byte after the urgent one (RFC 6093 explains; so does Linux). */
void tcp_receive_urgent(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg)
{
	uint32_t at = seg->seq + seg->urgent - 1;

	if (!(seg->flags & TCP_URG) || !seg->urgent || seq_lt(at, t->copied_seq) ||
		(t->urg != URG_NONE && seq_le(at, t->urg_seq)))
		goto data;
	if (seq_lt(at, t->rcv_nxt) && t->urg == URG_NONE)
		return;
	t->urg_seq = at;
	t->urg = URG_NOT_YET;
	if (t->i.s.file && net_sigurg)
		net_sigurg(t->i.s.file);
data:
	if (t->urg == URG_NOT_YET && seq_ge(t->urg_seq, seg->seq) &&
		seq_lt(t->urg_seq, seg->seq + seg->len)) {
		pkt_copy_out(p, t->urg_seq - seg->seq, &t->urg_byte, 1);
		t->urg = URG_VALID;
		socket_wake(&t->i.s, POLLPRI);
	}
}

/* ---- recv ---- */

static uint32_t end_of_data(const struct tcp_sock *t)
{
	return load_acquire(&t->rcv_nxt) - (load_relaxed(&t->fin_received) ? 1 : 0);
}

/* Bytes a reader may take; looked at without the lock by poll (then good enough). */
uint32_t tcp_readable_bytes(const struct tcp_sock *t)
{
	uint32_t n = end_of_data(t) - load_relaxed(&t->copied_seq);

	if (!load_acquire(&t->rq_first))
		return 0;
	if (t->urg == URG_VALID && n && !t->i.s.oobinline && t->urg_seq == t->copied_seq)
		n--;
	return n;
}

uint32_t tcp_bytes_before_mark(const struct tcp_sock *t)
{
	uint32_t n = end_of_data(t) - t->copied_seq;

	if (t->i.s.oobinline || t->urg == URG_NONE || seq_lt(t->urg_seq, t->copied_seq))
		return n;
	return MIN(n, t->urg_seq - t->copied_seq);
}

static void free_read(struct tcp_sock *t)
{
	while (t->rq_first && seq_le(pkt_cb(t->rq_first)->end_seq, t->copied_seq)) {
		struct packet *p = t->rq_first;

		t->rq_first = p->next;
		if (!t->rq_first)
			t->rq_last = NULL;
		t->rq_truesize -= MIN(t->rq_truesize, pkt_truesize(p));
		p->next = NULL;
		packet_free(p);
	}
}

/*
 * ns. What we send may tell better: it has no pauses of the program in it. But a handshake on an
 * idle wire says little of a burst, so it is a tick of the timestamps' clock at least, as on Linux.
 */
static uint64_t round_trip(const struct tcp_sock *t)
{
	uint32_t us = t->srtt >> 3;

	if (t->rcv_rtt && (!us || t->rcv_rtt < us))
		us = t->rcv_rtt;
	return (uint64_t)MAX(us, 1000u) * NSEC_PER_USEC;
}

/*
 * Whether the window opens by so much that the peer should hear of it (RFC 1122 4.2.3.3). It never
 * is more than half of the buffer, rounded up as the header says it: who is shown half of that, as
 * most are, need not be asked more.
 */
static bool opens(struct tcp_sock *t)
{
	uint32_t shown = t->rcv_adv - t->rcv_nxt, could;

	if (likely(shown >= t->i.s.rcvbuf / 4 + (1u << t->rcv_wscale)))
		return false;
	could = tcp_receive_window(t);
	return could > shown && shown < could / 2 &&
	       could - shown >= MIN(t->i.s.rcvbuf / 4, 2u * MAX(t->rcv_mss, t->adv_mss));
}

/* Room has become free: tell the peer if it makes a difference, or is owed an ACK. */
static void after_read(struct tcp_sock *t)
{
	uint64_t now;

	if (t->state != TCP_ESTABLISHED && t->state != TCP_FIN_WAIT1 && t->state != TCP_FIN_WAIT2)
		return;
	if (!t->i.s.rcvbuf_locked && t->copied_seq - t->drs_seq > t->i.s.rcvbuf / 8) {
		now = clock_now();
		if (now - t->drs_time > round_trip(t)) {
			uint64_t want = 4ull * (t->copied_seq - t->drs_seq);

			if (want > t->i.s.rcvbuf)
				t->i.s.rcvbuf =
					(uint32_t)MIN(want, (uint64_t)the_net()->buffer_max);
			t->drs_seq = t->copied_seq;
			t->drs_time = now;
		}
	}
	if ((opens(t) || (t->ack_pending && t->rcv_nxt - t->rcv_wup > t->rcv_mss)) &&
		!reader_acks(t))
		tcp_send_ack(t);
}

/*
 * How many of n bytes from *seq on, in p, are next; 0: none, as the urgent byte is there. That is
 * not part of the stream: before the first bytes it is skipped, after them the call ends at it.
 */
static size_t next_bytes(const struct tcp_sock *t, const struct packet *p, uint32_t seq, size_t n)
{
	uint32_t before = t->urg_seq - seq;

	n = MIN(n, (size_t)(pkt_cb((struct packet *)p)->end_seq - seq));
	if (likely(t->urg == URG_NONE || t->i.s.oobinline))
		return n;
	return seq_le(seq, t->urg_seq) ? MIN(n, (size_t)before) : n;
}

/* A packet of the queue that pieces refer to as well. */
struct lent_packet {
	uint32_t refs; /* atomic */
	struct packet *p;
	void (*free)(struct packet *p); /* p's own */
	void *owner;
};

static void lent_get(void *owner)
{
	struct lent_packet *l = owner;

	atomic_add(&l->refs, 1);
}

static void lent_put(void *owner)
{
	struct lent_packet *l = owner;

	if (atomic_sub(&l->refs, 1) != 1)
		return;
	l->p->owner = l->owner;
	l->free(l->p);
	heap_free(l);
}

static const struct piece_ops piece_of_packet = { lent_get, lent_put };

static void lent_free(struct packet *p)
{
	lent_put(p->owner);
}

/* n bytes at 'from' in p as a piece. False: no memory. */
static bool lend(struct packet *p, uint8_t *from, size_t n, struct piece *out)
{
	struct lent_packet *l = p->owner;

	if (p->free != lent_free) {
		l = heap_alloc(sizeof(*l));
		if (!l)
			return false;
		*l = (struct lent_packet){ 1, p, p->free, p->owner };
		p->owner = l;
		p->free = lent_free;
	}
	lent_get(l);
	*out = (struct piece){
		.data = from, .len = (uint32_t)n, .owner = l, .ops = &piece_of_packet
	};
	return true;
}

/* Hands over n bytes of p from 'from' on; how many, the rest is -EFAULT or -ENOMEM. */
static size_t hand_over(struct socket_message *m, struct packet *p, uint8_t *from, size_t n)
{
	if (likely(!m->pieces)) {
		n = iter_copy_to(m->data, from, n);
		counter_add(tcp_bytes_copied_rx, n);
		return n;
	}
	if (!lend(p, from, n, &m->pieces[m->piece_count]))
		return 0;
	m->piece_count++;
	iter_advance(m->data, n);
	return n;
}

/* Takes what is there, up to n bytes from *seq on. -EFAULT, -ENOMEM. */
static ssize_t take_bytes(
	struct tcp_sock *t, struct socket_message *m, size_t n, uint32_t *seq, bool trunc)
{
	struct packet *p = t->rq_first;
	size_t done = 0;

	while (p && done < n && (!m->pieces || m->piece_count < m->piece_max)) {
		struct pkt_cb *cb = pkt_cb(p);

		if (seq_le(cb->end_seq, *seq)) {
			p = p->next;
			continue;
		}
		size_t k = next_bytes(t, p, *seq, n - done);

		if (!k) {
			if (done)
				break;
			*seq += 1;
			continue;
		}
		size_t got = trunc ? k : hand_over(m, p, p->data + (*seq - cb->seq), k);

		*seq += (uint32_t)got;
		done += got;
		if (got < k)
			return done ? (ssize_t)done : m->pieces ? -ENOMEM : -EFAULT;
	}
	return (ssize_t)done;
}

static ssize_t recv_urgent(struct socket *s, struct socket_message *m)
{
	struct tcp_sock *t = tcp_sk(s);
	ssize_t r;

	if (load_relaxed(&t->state) == TCP_LISTEN)
		return -ENOTCONN;
	socket_lock(s);
	if (s->oobinline || t->urg == URG_NONE || t->urg == URG_READ) {
		r = -EINVAL;
	} else if (t->urg == URG_NOT_YET) {
		r = t->state == TCP_CLOSE || (s->shut & SHUT_RCV) ? 0 : -EAGAIN;
	} else {
		bool peek = m->flags & MSG_PEEK;

		m->flags = MSG_OOB;
		r = iter_copy_to(m->data, &t->urg_byte, 1) == 1 ? 1 : m->data->left ? -EFAULT : 0;
		if (!r)
			m->flags |= MSG_TRUNC;
		if (!peek)
			t->urg = URG_READ;
	}
	socket_unlock(s);
	return r;
}

static bool reader_wakes(struct tcp_sock *t, uint32_t seq, size_t target)
{
	return (size_t)(int32_t)(end_of_data(t) - seq) >= target ||
	       (load_relaxed(&t->i.s.shut) & SHUT_RCV) || load_relaxed(&t->i.s.error) ||
	       load_relaxed(&t->state) == TCP_CLOSE;
}

/* Nothing (more) to read: 1 = wait, else the end: 0 or -errno. Lock held. */
static int recv_end(struct tcp_sock *t, uint32_t flags)
{
	struct socket *s = &t->i.s;

	if (t->fin_received && t->was_connected) /* a reset behind the FIN is the writer's affair */
		return 0;
	if (load_relaxed(&s->error))
		return socket_take_error(s);
	if (s->shut & SHUT_RCV)
		return 0;
	if (t->state == TCP_CLOSE || t->state == TCP_LISTEN)
		return t->was_connected ? 0 : -ENOTCONN;
	return socket_nonblocking(s, flags) ? -EAGAIN : 1;
}

ssize_t tcp_recv(struct socket *s, struct socket_message *m)
{
	struct tcp_sock *t = tcp_sk(s);
	uint32_t flags = m->flags;
	size_t want = m->data->left, done = 0, target;
	uint64_t deadline;
	ssize_t r = 0;

	if (flags & MSG_OOB)
		return recv_urgent(s, m);
	m->flags = 0;
	m->name_len = 0;
	if (load_relaxed(&t->state) == TCP_LISTEN)
		return -ENOTCONN;
	target = flags & MSG_WAITALL ? want : MIN((size_t)s->rcvlowat, want);
	if (m->pieces) /* there may be no room for more */
		target = MIN(target, (size_t)1);
	deadline = socket_deadline(s->rcvtimeo);
	socket_lock(s);
	uint32_t seq = t->copied_seq;

	if (unlikely(flags & MSG_PEEK) && s->peek_off > 0)
		seq += (uint32_t)s->peek_off;
	for (;;) {
		r = take_bytes(t, m, want - done, &seq, flags & MSG_TRUNC);
		if (r > 0)
			done += (size_t)r;
		if (!(flags & MSG_PEEK) && seq != t->copied_seq) {
			store_relaxed(&t->copied_seq, seq);
			if (t->urg != URG_NONE && seq_gt(seq, t->urg_seq))
				t->urg = URG_NONE;
			free_read(t);
			after_read(t);
		}
		if (!want && tcp_readable_bytes(t))
			break;
		if (r < 0 || m->data->fault || done >= MAX(target, (size_t)1))
			break;
		if (done && (t->urg != URG_NONE && t->urg_seq == seq))
			break;
		r = recv_end(t, flags);
		if (r <= 0 || (done && load_relaxed(&s->error)))
			break;
		size_t missing = MIN(MAX(target - done, (size_t)1), (size_t)s->rcvbuf / 2);

		t->reader_waits_for = (uint32_t)missing;
		socket_unlock(s);
		int err = socket_wait(s, SOCKET_IN, reader_wakes(t, seq, missing), deadline);

		socket_lock(s);
		t->reader_waits_for = 0;
		if (err) {
			r = socket_wait_error(err, s->rcvtimeo);
			break;
		}
	}
	if (unlikely(s->peek_off >= 0))
		socket_move_peek(s, done, flags & MSG_PEEK);
	tcp_charge(t);
	socket_unlock(s);
	return done ? (ssize_t)done : r;
}
