/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners: half-open and waiting connections, accept. */

#include "net/tcp.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "mem/heap.h"

#define TCP_SYN_QUEUE_MIN 128u /* half-open connections, whatever the backlog */
#define TCP_SYN_QUEUE_MAX 1024u

COUNTER(tcp_accept_queue_full);

static bool rivals(const struct inet_sock *t, const struct inet_sock *o)
{
	int a = load_relaxed(&t->s.bound_if), b = load_relaxed(&o->s.bound_if);

	return o->lport == t->lport && !(load_relaxed(&o->s.reuseport) && t->s.reuseport) &&
	       (o->families & t->families) &&
	       (ip_is_any(o->laddr) || ip_is_any(t->laddr) || ip_equal(o->laddr, t->laddr)) &&
	       (!a || !b || a == b);
}

/* All that hold the port are in its bucket. */
static bool port_in_use(const struct tcp_sock *t)
{
	struct inet_bucket *b = inet_port_bucket(the_net()->tcp_bind, t->i.lport);
	struct inet_sock *o;
	bool found = false;

	mutex_lock(&b->lock);
	list_for_each_entry (o, &b->head, bind_link)
		found |= load_relaxed(&o->s.listening) && rivals(&t->i, o);
	mutex_unlock(&b->lock);
	return found;
}

/* For the socket's whole life: threads in accept may still be at it when it listens once more. */
static struct tcp_listener *listener_of(struct tcp_sock *t)
{
	struct tcp_listener *l = t->listener;

	if (l)
		return l;
	l = heap_alloc_zeroed(sizeof(*l));
	if (!l)
		return NULL;
	mutex_init(&l->lock, "tcp_listener.lock");
	list_init(&l->accept_queue);
	list_init(&l->syn_queue);
	t->listener = l;
	return l;
}

static int become_listener(struct tcp_sock *t)
{
	struct tcp_listener *l;
	int err;

	if (!t->i.bind_bucket) { /* never had a port, or lost it with its last connection */
		err = tcp_take_port(t, inet_bound_addr(&t->i), 0);
		if (err)
			return err;
	}
	if (port_in_use(t))
		return -EADDRINUSE;
	l = listener_of(t);
	if (!l)
		return -ENOMEM;
	mutex_lock(&l->lock);
	l->closed = false;
	mutex_unlock(&l->lock);
	tcp_set_state(t, TCP_LISTEN);
	store_relaxed(&t->i.s.listening, true);
	store_relaxed(&t->i.s.shut, 0);
	err = tcp_listen_insert(t);
	if (err) {
		tcp_set_state(t, TCP_CLOSE);
		store_relaxed(&t->i.s.listening, false);
	}
	return err;
}

int tcp_listen(struct socket *s, int backlog)
{
	struct tcp_sock *t = tcp_sk(s);
	int err = 0;

	socket_lock(s);
	if (t->state == TCP_CLOSE && !t->connecting && !t->was_connected)
		err = become_listener(t);
	else if (t->state != TCP_LISTEN)
		err = -EINVAL;
	if (!err)
		store_relaxed(&t->listener->backlog, (unsigned)backlog);
	socket_unlock(s);
	return err;
}

bool tcp_accept_ready(struct tcp_sock *l)
{
	struct tcp_listener *q = l->listener;

	return load_acquire(&q->accept_count) || load_relaxed(&l->state) != TCP_LISTEN;
}

struct socket *tcp_accept(struct socket *s, bool nonblock)
{
	struct tcp_sock *l = tcp_sk(s), *t = NULL;
	uint64_t deadline = socket_deadline(s->rcvtimeo);

	if (load_acquire(&l->state) != TCP_LISTEN)
		return ERR_PTR(-EINVAL);
	struct tcp_listener *q = l->listener;

	for (;;) {
		socket_drain(s);
		mutex_lock(&q->lock);
		if (!list_empty(&q->accept_queue)) {
			t = list_first_entry(&q->accept_queue, struct tcp_sock, queue_link);
			list_del(&t->queue_link);
			store_relaxed(&q->accept_count, q->accept_count - 1);
		}
		mutex_unlock(&q->lock);
		if (t)
			break;
		if (load_acquire(&l->state) != TCP_LISTEN)
			return ERR_PTR(-EINVAL);
		if (nonblock)
			return ERR_PTR(-EAGAIN);
		int err = socket_wait_exclusive(s, SOCKET_IN, tcp_accept_ready(l), deadline);

		if (err)
			return ERR_PTR(socket_wait_error(err, s->rcvtimeo));
	}
	return &t->i.s; /* with the queue's reference */
}

/* ---- children ---- */

void tcp_child_ready(struct tcp_sock *t)
{
	struct tcp_sock *l = t->parent;
	struct tcp_listener *q = l->listener;
	bool queued = false;

	mutex_lock(&q->lock);
	if (!q->closed && !t->queued_accept && !list_empty(&t->queue_link)) {
		list_del(&t->queue_link);
		store_relaxed(&q->syn_count, q->syn_count - 1);
		list_add_tail(&q->accept_queue, &t->queue_link);
		store_release(&q->accept_count, q->accept_count + 1);
		t->queued_accept = queued = true;
	}
	mutex_unlock(&q->lock);
	if (queued && wait_active(&l->i.s.wait))
		wait_wake_one(&l->i.s.wait, POLLIN | POLLRDNORM);
}

/* It died. What already waits for accept stays there: the program learns of it by reading. */
void tcp_child_gone(struct tcp_sock *t)
{
	struct tcp_listener *q = t->parent->listener;
	bool drop = false;

	mutex_lock(&q->lock);
	if (!q->closed && !t->queued_accept && !list_empty(&t->queue_link)) {
		list_del(&t->queue_link);
		store_relaxed(&q->syn_count, q->syn_count - 1);
		drop = true;
	}
	mutex_unlock(&q->lock);
	if (drop) {
		t->i.s.detached = true;
		socket_put(&t->i.s); /* the caller has another */
	}
}

/* As Linux: one more than the backlog may wait. */
bool tcp_accept_room(struct tcp_sock *l)
{
	if (load_relaxed(&l->listener->accept_count) <= load_relaxed(&l->listener->backlog))
		return true;
	counter_inc(tcp_accept_queue_full);
	return false;
}

static bool syn_queue_full(const struct tcp_listener *q)
{
	return load_relaxed(&q->syn_count) >=
	       MIN(MAX(load_relaxed(&q->backlog), TCP_SYN_QUEUE_MIN), TCP_SYN_QUEUE_MAX);
}

/* What any socket has; as Linux, all but SO_PRIORITY. */
static void inherit_common(struct socket *s, const struct socket *o)
{
	s->rcvtimeo = o->rcvtimeo;
	s->sndtimeo = o->sndtimeo;
	s->rcvbuf = o->rcvbuf;
	s->sndbuf = o->sndbuf;
	s->rcvbuf_locked = o->rcvbuf_locked;
	s->sndbuf_locked = o->sndbuf_locked;
	s->rcvlowat = o->rcvlowat;
	s->mark = o->mark;
	s->bound_if = o->bound_if;
	s->uid = o->uid;
	s->debug = o->debug;
	s->reuseaddr = o->reuseaddr;
	s->reuseport = o->reuseport;
	s->dontroute = o->dontroute;
	s->broadcast = o->broadcast;
	s->keepalive = o->keepalive;
	s->oobinline = o->oobinline;
	s->no_check = o->no_check;
	s->linger_on = o->linger_on;
	s->linger = o->linger;
	s->notes = o->notes;
	s->timestamp_ns = o->timestamp_ns;
	s->timestamp_new = o->timestamp_new;
	s->select_err_queue = o->select_err_queue;
	s->nofcs = o->nofcs;
	s->lock_filter = o->lock_filter;
	s->wifi_status = o->wifi_status;
	s->rcvmark = o->rcvmark;
	s->rcvpriority = o->rcvpriority;
	s->prefer_busy_poll = o->prefer_busy_poll;
	s->txrehash = o->txrehash;
	s->busy_poll = o->busy_poll;
	s->max_pacing_rate = o->max_pacing_rate;
	s->peek_off = o->peek_off;
	s->zerocopy = o->zerocopy;
}

static void inherit_inet(struct inet_sock *i, const struct inet_sock *o)
{
	uint32_t flow = i->v6.flow; /* its own */

	i->ttl = o->ttl;
	i->tos = o->tos;
	i->mcast_ttl = o->mcast_ttl;
	i->pmtudisc = o->pmtudisc;
	i->notes = o->notes;
	i->recverr = o->recverr;
	i->freebind = o->freebind;
	i->mcast_loop = o->mcast_loop;
	i->mcast_all = o->mcast_all;
	i->bind_no_port = o->bind_no_port;
	i->transparent = o->transparent;
	i->passsec = o->passsec;
	i->checksum = o->checksum;
	i->floors = o->floors;
	i->port_range = o->port_range;
	i->unicast_if = o->unicast_if;
	i->mcast_addr = o->mcast_addr;
	i->mcast_if = o->mcast_if;
	i->bound_any = o->bound_any;
	i->v6 = o->v6;
	i->v6.flow = i->v6.autoflow ? flow : 0;
}

static void inherit(struct tcp_sock *t, const struct tcp_sock *l)
{
	inherit_common(&t->i.s, &l->i.s);
	inherit_inet(&t->i, &l->i);
	t->nodelay = l->nodelay;
	t->cork = l->cork;
	t->user_mss = l->user_mss;
	t->keep_idle = l->keep_idle;
	t->keep_interval = l->keep_interval;
	t->keep_count = l->keep_count;
	t->syn_retries = l->syn_retries;
	t->user_timeout = l->user_timeout;
	t->linger2 = l->linger2;
	t->cong = l->cong;
	t->defer_accept = l->defer_accept;
	t->notsent_lowat = l->notsent_lowat;
	t->window_clamp = l->window_clamp;
	t->quickack_off = l->quickack_off;
}

static void agree(struct tcp_sock *t, const struct tcp_seg *seg, uint64_t now)
{
	t->peer_mss = seg->has_mss ? MAX(seg->mss, (uint16_t)TCP_MIN_MSS) : TCP_DEFAULT_MSS;
	t->ts_ok = seg->has_ts;
	t->sack_ok = seg->sack_ok;
	t->wscale_ok = seg->has_wscale;
	t->snd_wscale = seg->has_wscale ? seg->wscale : 0;
	t->rcv_wscale = seg->has_wscale ? TCP_WSCALE : 0;
	t->ts_recent = seg->ts_val;
	t->ts_recent_time = now;
}

/* A socket for the connection that cb and seg speak of; nobody knows it yet. irs: the SYN's. */
static struct tcp_sock *new_child(
	struct tcp_sock *l, const struct pkt_cb *cb, const struct tcp_seg *seg, uint32_t irs)
{
	struct tcp_sock *t = tcp_alloc(l->i.s.family);

	if (!t)
		return NULL;
	inherit(t, l);
	if (ip_needs_scope(cb->src))
		t->i.s.bound_if = cb->ifindex;
	t->i.families = ip_family_bit(cb->dst);
	t->i.laddr = cb->dst;
	t->i.lport = cb->dport;
	t->i.raddr = cb->src;
	t->i.rport = cb->sport;
	agree(t, seg, l->last_rx);
	t->ts_offset = tcp_ts_offset(t);
	t->irs = irs;
	t->rcv_nxt = t->rcv_adv = t->rcv_wup = t->copied_seq = irs + 1;
	t->snd_wnd = t->max_wnd = seg->wnd; /* not scaled in a SYN */
	t->snd_wl1 = irs;
	t->progress_time = l->last_rx;
	return t;
}

static void set_iss(struct tcp_sock *t, uint32_t iss)
{
	t->iss = t->snd_una = t->recover = iss;
	t->snd_nxt = t->snd_base = t->write_seq = iss + 1;
	tcp_set_state(t, TCP_SYN_RECV);
}

/* Into the tables and l's queue, locked. False: it is gone. */
static bool adopt(struct tcp_sock *l, struct tcp_sock *t)
{
	struct tcp_listener *q = l->listener;

	mutex_lock(&t->i.s.lock); /* before others can find it */
	if (!tcp_route(t) || tcp_conn_insert(t, false)) {
		tcp_set_state(t, TCP_CLOSE);
		mutex_unlock(&t->i.s.lock);
		socket_put(&t->i.s);
		return false;
	}
	socket_get(&l->i.s);
	t->parent = l;
	inet_share_port(&t->i, the_net()->tcp_bind);
	mutex_lock(&q->lock);
	list_add_tail(&q->syn_queue, &t->queue_link); /* takes the first reference */
	store_relaxed(&q->syn_count, q->syn_count + 1);
	mutex_unlock(&q->lock);
	tcp_update_mss(t);
	t->cwnd = t->mss;
	return true;
}

/* least: what an earlier connection of the two ends leaves, which may have outrun the clock of
 * initial numbers; 0: nothing. */
static void make_child(
	struct tcp_sock *l, const struct pkt_cb *cb, const struct tcp_seg *seg, uint32_t least)
{
	struct tcp_sock *t = new_child(l, cb, seg, seg->seq);
	uint32_t seq;

	if (!t)
		return;
	seq = tcp_initial_seq(t, l->last_rx);
	set_iss(t, least && seq_gt(least, seq) ? least : seq);
	if (!adopt(l, t))
		return;
	tcp_send_syn(t, l->last_rx);
	socket_get(&t->i.s);
	socket_unlock(&t->i.s);
	socket_put(&t->i.s);
}

/* The queue is full: answer and keep nothing (RFC 4987, 3.6). */
static void answer_with_cookie(
	struct tcp_sock *l, const struct pkt_cb *cb, const struct tcp_seg *seg)
{
	struct tcp_sock *t = new_child(l, cb, seg, seg->seq);

	if (!t)
		return;
	set_iss(t, tcp_cookie_make(t));
	tcp_update_mss(t);
	tcp_send_segment(t, t->iss, 0, TCP_SYN | TCP_ACK);
	tcp_set_state(t, TCP_CLOSE);
	socket_put(&t->i.s);
}

/* An ACK that may be the answer to a cookie: then the child takes it as if it had been there all
 * the time. False: it is not. Takes p when it is. */
static bool take_cookie(
	struct tcp_sock *l, struct packet *p, const struct tcp_seg *seg, unsigned hlen)
{
	struct tcp_seg syn;
	struct tcp_sock *t;

	if ((seg->flags & TCP_SYN) || !tcp_cookie_recent())
		return false;
	tcp_cookie_options(seg, &syn);
	t = new_child(l, pkt_cb(p), &syn, seg->seq - 1);
	if (!t)
		return false;
	set_iss(t, seg->ack - 1);
	if (!tcp_cookie_check(t)) {
		tcp_set_state(t, TCP_CLOSE);
		socket_put(&t->i.s);
		return false;
	}
	if (!tcp_accept_room(l)) { /* it may try again: the cookie stays good for a minute */
		tcp_set_state(t, TCP_CLOSE);
		socket_put(&t->i.s);
	} else if (adopt(l, t)) {
		t->rcv_adv = t->rcv_nxt + MIN(tcp_receive_window(t), 65535u);
		t->from_cookie = true;
		t->syn_sent = true;
		socket_get(&t->i.s);
		packet_push(p, hlen);
		channel_push(&t->i.s, p, CHANNEL_NOW);
		socket_unlock(&t->i.s); /* works it off */
		socket_kick(&t->i.s);
		socket_put(&t->i.s);
		return true;
	}
	packet_free(p);
	return true;
}

/* A segment that came to the listener when its connection was not there yet: the one before it, in
 * the same run, brought a cookie. False: there is none now either. Takes p when there is. */
static bool pass_on(struct packet *p, unsigned hlen)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct tcp_sock *t = tcp_find_connection(cb->dst, cb->dport, cb->src, cb->sport);

	if (!t)
		return false;
	packet_push(p, hlen);
	channel_push(&t->i.s, p, CHANNEL_NOW);
	socket_kick(&t->i.s);
	socket_put(&t->i.s);
	return true;
}

/* RFC 9293 3.10.7.2. Takes p. */
void tcp_listen_segment(
	struct tcp_sock *l, struct packet *p, const struct tcp_seg *seg, unsigned hlen)
{
	struct pkt_cb *cb = pkt_cb(p);

	if (!(seg->flags & TCP_SYN) && pass_on(p, hlen))
		return;
	if (seg->flags & TCP_RST)
		goto drop;
	if (seg->flags & TCP_ACK) {
		if (take_cookie(l, p, seg, hlen))
			return;
		/* Of a peer whose answer to a cookie was lost this may be the second segment or the
		 * FIN. It sends the first again, and a peer of long ago sends this again. */
		if (!tcp_cookie_recent() || !(pkt_total(p) || (seg->flags & TCP_FIN)))
			tcp_reply_reset(p, seg);
		goto drop;
	}
	if (!(seg->flags & TCP_SYN) || (seg->flags & TCP_FIN) ||
		(cb->flags & (PKT_BROADCAST | PKT_MULTICAST)))
		goto drop;
	if (ip_is_multicast(cb->src) || ip_equal(cb->src, ip_map(INADDR_BROADCAST)) ||
		!tcp_accept_room(l))
		goto drop;
	if (syn_queue_full(l->listener))
		answer_with_cookie(l, cb, seg);
	else
		make_child(l, cb, seg, p->looped_seq);
drop:
	packet_free(p);
}

/* The oldest child of a queue, out of it; NULL: none. */
static struct tcp_sock *take_child(struct tcp_listener *q, struct list_node *head)
{
	struct tcp_sock *t = NULL;

	mutex_lock(&q->lock);
	if (!list_empty(head)) {
		t = list_first_entry(head, struct tcp_sock, queue_link);
		list_del(&t->queue_link);
	}
	mutex_unlock(&q->lock);
	return t;
}

static void drop_queue(struct tcp_listener *q, struct list_node *head)
{
	struct tcp_sock *t;

	while ((t = take_child(q, head))) {
		socket_lock(&t->i.s);
		t->i.s.detached = true;
		tcp_abort(t, 0);
		tcp_purge(t);
		socket_unlock(&t->i.s);
		socket_put(&t->i.s);
	}
}

/* The listener's lock is held; children's locks are taken one after the other, which nobody who
 * holds one of them ever waits for ours with: packets reach a listener through its channel. */
void tcp_listen_close(struct tcp_sock *l)
{
	struct tcp_listener *q = l->listener;

	tcp_unhash(l);
	tcp_set_state(l, TCP_CLOSE);
	store_relaxed(&l->i.s.listening, false);
	mutex_lock(&q->lock);
	q->closed = true;
	mutex_unlock(&q->lock); /* from here on nobody but us takes children out */
	drop_queue(q, &q->accept_queue);
	drop_queue(q, &q->syn_queue);
	store_relaxed(&q->accept_count, 0);
	store_relaxed(&q->syn_count, 0);
	if (!l->i.keeps_port)
		inet_unbind(&l->i);
	socket_wake(&l->i.s, POLLIN | POLLHUP);
}
