/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners: half-open and waiting connections, accept. */

#include "net/tcp.h"
#include "diag/counter.h"

COUNTER(tcp_syn_dropped_queue_full);
COUNTER(tcp_accept_queue_full);

static bool port_in_use(const struct tcp_sock *t)
{
	struct inet_bucket *b = inet_port_bucket(the_net()->tcp_listen, t->i.lport);
	struct tcp_sock *o;
	bool found = false;

	mutex_lock(&b->lock);
	list_for_each_entry (o, &b->head, listen_link)
		found |= o->i.lport == t->i.lport && !(o->i.s.reuseport && t->i.s.reuseport) &&
			 (!o->i.laddr || !t->i.laddr || o->i.laddr == t->i.laddr) &&
			 (!o->i.s.bound_if || !t->i.s.bound_if ||
				 o->i.s.bound_if == t->i.s.bound_if);
	mutex_unlock(&b->lock);
	return found;
}

static int become_listener(struct tcp_sock *t)
{
	struct net_state *n = the_net();
	struct tcp_listener *l;
	int err;

	if (!t->i.lport) {
		err = inet_bind_port(&t->i, n->tcp_bind, t->i.laddr, 0);
		if (err)
			return err;
	}
	if (port_in_use(t))
		return -EADDRINUSE;
	l = t->listener ? t->listener : heap_alloc_zeroed(sizeof(*l));
	if (!l)
		return -ENOMEM;
	mutex_init(&l->lock, "tcp_listener.lock");
	list_init(&l->accept_queue);
	list_init(&l->syn_queue);
	l->closed = false;
	t->listener = l;
	tcp_set_state(t, TCP_LISTEN);
	t->i.s.listening = true;
	t->i.s.shut = 0;
	struct inet_bucket *b = inet_port_bucket(n->tcp_listen, t->i.lport);

	mutex_lock(&b->lock);
	list_add(&b->head, &t->listen_link);
	t->listen_bucket = b;
	mutex_unlock(&b->lock);
	return 0;
}

int tcp_listen(struct socket *s, int backlog)
{
	struct tcp_sock *t = tcp_sk(s);
	int err = 0;

	socket_lock(s);
	if (t->state == TCP_CLOSE && !t->connecting)
		err = become_listener(t);
	else if (t->state != TCP_LISTEN)
		err = -EINVAL;
	if (!err)
		t->listener->backlog = (unsigned)backlog;
	socket_unlock(s);
	return err;
}

bool tcp_accept_ready(struct tcp_sock *l)
{
	struct tcp_listener *q = l->listener;

	return !list_empty(&q->accept_queue) || load_relaxed(&l->state) != TCP_LISTEN;
}

struct socket *tcp_accept(struct socket *s, bool nonblock)
{
	struct tcp_sock *l = tcp_sk(s), *t = NULL;
	uint64_t deadline = socket_deadline(s->rcvtimeo);

	if (load_acquire(&l->state) != TCP_LISTEN)
		return ERR_PTR(-EINVAL);
	struct tcp_listener *q = l->listener;

	for (;;) {
		mutex_lock(&q->lock);
		if (!list_empty(&q->accept_queue)) {
			t = list_first_entry(&q->accept_queue, struct tcp_sock, queue_link);
			list_del(&t->queue_link);
			q->accept_count--;
			t->queued_accept = false;
		}
		mutex_unlock(&q->lock);
		if (t)
			break;
		if (load_acquire(&l->state) != TCP_LISTEN)
			return ERR_PTR(-EINVAL);
		if (nonblock)
			return ERR_PTR(-EAGAIN);
		int err = wait_event_interruptible_timeout(&s->wait, tcp_accept_ready(l), deadline);

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
		q->syn_count--;
		list_add_tail(&q->accept_queue, &t->queue_link);
		q->accept_count++;
		t->queued_accept = queued = true;
	}
	mutex_unlock(&q->lock);
	if (queued && wait_active(&l->i.s.wait))
		wait_wake_all(&l->i.s.wait, POLLIN | POLLRDNORM);
}

/* It died. What already waits for accept stays there: the program learns of it by reading. */
void tcp_child_gone(struct tcp_sock *t)
{
	struct tcp_listener *q = t->parent->listener;
	bool drop = false;

	mutex_lock(&q->lock);
	if (!q->closed && !t->queued_accept && !list_empty(&t->queue_link)) {
		list_del(&t->queue_link);
		q->syn_count--;
		drop = true;
	}
	mutex_unlock(&q->lock);
	if (drop) {
		t->i.s.detached = true;
		socket_put(&t->i.s); /* the caller has another */
	}
}

static bool has_room(struct tcp_sock *l)
{
	struct tcp_listener *q = l->listener;
	bool ok = true;

	mutex_lock(&q->lock);
	if (q->accept_count > q->backlog) {
		counter_inc(tcp_accept_queue_full);
		ok = false;
	} else if (q->syn_count >= MAX(q->backlog * 2, 128u)) {
		counter_inc(tcp_syn_dropped_queue_full);
		ok = false;
	}
	mutex_unlock(&q->lock);
	return ok;
}

static void inherit(struct tcp_sock *t, const struct tcp_sock *l)
{
	struct socket *s = &t->i.s;
	const struct socket *o = &l->i.s;

	s->rcvtimeo = o->rcvtimeo;
	s->sndtimeo = o->sndtimeo;
	s->rcvbuf = o->rcvbuf;
	s->sndbuf = o->sndbuf;
	s->rcvbuf_locked = o->rcvbuf_locked;
	s->sndbuf_locked = o->sndbuf_locked;
	s->rcvlowat = o->rcvlowat;
	s->priority = o->priority;
	s->mark = o->mark;
	s->bound_if = o->bound_if;
	s->reuseaddr = o->reuseaddr;
	s->reuseport = o->reuseport;
	s->keepalive = o->keepalive;
	s->oobinline = o->oobinline;
	s->linger_on = o->linger_on;
	s->linger = o->linger;
	t->i.ttl = l->i.ttl;
	t->i.tos = l->i.tos;
	t->nodelay = l->nodelay;
	t->cork = l->cork;
	t->user_mss = l->user_mss;
	t->keep_idle = l->keep_idle;
	t->keep_interval = l->keep_interval;
	t->keep_count = l->keep_count;
	t->user_timeout = l->user_timeout;
	t->linger2 = l->linger2;
	t->cong = l->cong;
	t->defer_accept = l->defer_accept;
	t->notsent_lowat = l->notsent_lowat;
	t->window_clamp = l->window_clamp;
	t->quickack_off = l->quickack_off;
}

static void agree(struct tcp_sock *t, const struct tcp_seg *seg)
{
	t->peer_mss = seg->has_mss ? MAX(seg->mss, (uint16_t)TCP_MIN_MSS) : TCP_DEFAULT_MSS;
	t->ts_ok = seg->has_ts;
	t->sack_ok = seg->sack_ok;
	t->wscale_ok = seg->has_wscale;
	t->snd_wscale = seg->has_wscale ? seg->wscale : 0;
	t->rcv_wscale = seg->has_wscale ? TCP_WSCALE : 0;
	t->ts_recent = seg->ts_val;
	t->ts_recent_time = clock_now();
}

static void make_child(struct tcp_sock *l, const struct pkt_cb *cb, const struct tcp_seg *seg)
{
	struct tcp_listener *q = l->listener;
	struct tcp_sock *t = tcp_alloc();

	if (!t)
		return;
	inherit(t, l);
	t->i.laddr = cb->dst;
	t->i.lport = cb->dport;
	t->i.raddr = cb->src;
	t->i.rport = cb->sport;
	agree(t, seg);
	t->irs = seg->seq;
	t->rcv_nxt = t->rcv_adv = t->rcv_wup = t->copied_seq = seg->seq + 1;
	t->iss = tcp_initial_seq(t);
	t->snd_una = t->iss;
	t->snd_nxt = t->snd_base = t->write_seq = t->iss + 1;
	t->recover = t->iss;
	t->snd_wnd = t->max_wnd = seg->wnd; /* not scaled in a SYN */
	t->snd_wl1 = seg->seq;
	t->progress_time = clock_now();
	tcp_set_state(t, TCP_SYN_RECV);
	mutex_lock(&t->i.s.lock); /* before others can find it */
	if (!tcp_route(t) || tcp_conn_insert(t)) {
		tcp_set_state(t, TCP_CLOSE);
		mutex_unlock(&t->i.s.lock);
		socket_put(&t->i.s);
		return;
	}
	socket_get(&l->i.s);
	t->parent = l;
	inet_share_port(&t->i, the_net()->tcp_bind);
	mutex_lock(&q->lock);
	list_add_tail(&q->syn_queue, &t->queue_link); /* takes the first reference */
	q->syn_count++;
	mutex_unlock(&q->lock);
	tcp_update_mss(t);
	t->cwnd = t->mss;
	tcp_send_syn(t);
	socket_get(&t->i.s);
	socket_unlock(&t->i.s);
	socket_put(&t->i.s);
}

/* RFC 9293 3.10.7.2 */
void tcp_listen_segment(struct tcp_sock *l, struct packet *p, const struct tcp_seg *seg)
{
	struct pkt_cb *cb = pkt_cb(p);

	if (seg->flags & TCP_RST)
		return;
	if (seg->flags & TCP_ACK) {
		tcp_reply_reset(p, seg);
		return;
	}
	if (!(seg->flags & TCP_SYN) || (seg->flags & TCP_FIN) ||
		(cb->flags & (PKT_BROADCAST | PKT_MULTICAST)))
		return;
	if (ip_is_multicast(cb->src) || cb->src == INADDR_BROADCAST || !has_room(l))
		return;
	make_child(l, cb, seg);
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
	l->i.s.listening = false;
	mutex_lock(&q->lock);
	q->closed = true;
	mutex_unlock(&q->lock); /* from here on nobody but us takes children out */
	drop_queue(q, &q->accept_queue);
	drop_queue(q, &q->syn_queue);
	q->accept_count = q->syn_count = 0;
	if (!l->i.explicit_port)
		inet_unbind(&l->i);
	socket_wake(&l->i.s, POLLIN | POLLHUP);
}
