/* SPDX-License-Identifier: BSD-2-Clause */
/* The ends of a connection: FIN, TIME_WAIT, reset, close(2) with and without lingering, the memory.
 */

#include "net/tcp.h"
#include "net/zerocopy.h"
#include "diag/counter.h"
#include "lib/bug.h"
#include "mem/heap.h"

COUNTER(tcp_reset_sent);

void tcp_purge(struct tcp_sock *t)
{
	pkt_free_list(t->rq_first);
	t->rq_first = t->rq_last = NULL;
	t->rq_truesize = 0;
	tcp_ooo_free(&t->ooo);
	tcp_sent_free(t);
	tcp_free_chunks(t);
	tcp_charge(t);
}

void tcp_done(struct tcp_sock *t, int err)
{
	struct socket *s = &t->i.s;

	if (t->state == TCP_CLOSE && !t->connecting)
		return;
	tcp_set_state(t, TCP_CLOSE);
	for (int k = 0; k < TCP_TIMERS; k++)
		tcp_timer_stop(t, k);
	store_relaxed(&s->shut, SHUT_RCV | SHUT_SND);
	if (err)
		store_relaxed(&s->error, err);
	tcp_ooo_free(&t->ooo);
	tcp_sent_free(t);
	tcp_free_chunks(t);
	tcp_charge(t);
	if (t->parent)
		tcp_child_gone(t);
	tcp_unhash(t);
	if (s->detached)
		tcp_purge(t);
	if (s->detached || !t->i.keeps_port) /* the port is free again; its number still shows */
		inet_unbind(&t->i);
	socket_wake(s, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLHUP | POLLRDHUP |
			       (err ? POLLERR : 0));
}

void tcp_abort(struct tcp_sock *t, int err)
{
	switch (t->state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_LAST_ACK: counter_inc(tcp_reset_sent); tcp_send_reset(t);
	}
	tcp_done(t, err);
}

/* Linux sends no reset where both FINs are under way, unless something was not sent. */
static int disconnect_error(const struct tcp_sock *t)
{
	switch (t->state) {
	case TCP_CLOSE:
	case TCP_TIME_WAIT: return 0;
	case TCP_CLOSING:
	case TCP_LAST_ACK: return tcp_unsent(t) ? ECONNRESET : 0;
	default: return ECONNRESET;
	}
}

/*
 * connect(2) to AF_UNSPEC, and shutdown(2) of what only listens or calls: as if it were new, but
 * for an address and a port from bind(2), for options and for errors. Also a listener's children
 * end; a thread in accept, connect or recv is told.
 */
void tcp_dissolve(struct tcp_sock *t)
{
	struct socket *s = &t->i.s;

	if (t->state == TCP_LISTEN) {
		tcp_listen_close(t);
	} else {
		int err = disconnect_error(t);

		if (err)
			tcp_abort(t, err);
		else
			tcp_done(t, 0);
		tcp_purge(t);
		t->i.raddr = IP_ANY;
		t->i.rport = 0;
		if (t->i.bound_any)
			inet_set_laddr(&t->i, IP_ANY);
		if (!t->i.keeps_port)
			inet_unbind(&t->i);
	}
	t->connecting = t->was_connected = false;
	store_relaxed(&s->shut, 0);
}

void tcp_enter_time_wait(struct tcp_sock *t)
{
	if (t->i.s.detached &&
		load_relaxed(&the_net()->tcp_time_wait) >= the_net()->time_wait_max) {
		tcp_send_ack(t);
		tcp_done(t, 0);
		return;
	}
	tcp_set_state(t, TCP_TIME_WAIT);
	tcp_sent_free(t);
	tcp_free_chunks(t);
	store_relaxed(&t->i.s.shut, SHUT_RCV | SHUT_SND);
	tcp_timer_only(t, TCP_T_WAIT, t->last_rx + TCP_TIME_WAIT_NS);
	socket_wake(&t->i.s, POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLRDNORM);
}

/* We have nothing more to say: a FIN behind what is queued. */
void tcp_queue_fin(struct tcp_sock *t)
{
	if (t->fin_queued)
		return;
	t->fin_queued = true;
	switch (t->state) {
	case TCP_ESTABLISHED: tcp_set_state(t, TCP_FIN_WAIT1); break;
	case TCP_CLOSE_WAIT: tcp_set_state(t, TCP_LAST_ACK); break;
	} /* SYN_RECV: queued until it is established, RFC 9293 3.10.4 */
	tcp_output(t);
}

static void wait_linger(struct tcp_sock *t)
{
	struct socket *s = &t->i.s;
	uint64_t deadline = clock_now() + (uint64_t)s->linger * NSEC_PER_SEC;

	socket_unlock(s);
	(void)wait_event_interruptible_timeout(&s->wait,
		load_relaxed(&t->state) == TCP_CLOSE || load_relaxed(&t->state) == TCP_FIN_WAIT2 ||
			load_relaxed(&t->state) == TCP_TIME_WAIT,
		deadline);
	socket_lock(s);
}

/* Nobody reads any more: what the peer still sends is answered by a RST, a silent peer times out.
 */
static void orphan(struct tcp_sock *t)
{
	t->i.s.detached = true;
	pkt_free_list(t->rq_first);
	t->rq_first = t->rq_last = NULL;
	t->rq_truesize = 0;
	if (t->state == TCP_FIN_WAIT2) {
		uint64_t ns =
			t->linger2 > 0 ? (uint64_t)t->linger2 * NSEC_PER_SEC : TCP_FIN_WAIT2_NS;

		if (t->linger2 < 0)
			tcp_abort(t, 0);
		else
			tcp_timer_set(t, TCP_T_WAIT, clock_now() + ns);
	}
	if (t->state == TCP_CLOSE)
		inet_unbind(&t->i);
}

void tcp_close(struct socket *s)
{
	struct tcp_sock *t = tcp_sk(s);

	socket_lock(s);
	s->detached = true;
	switch (t->state) {
	case TCP_LISTEN: tcp_listen_close(t); break;
	case TCP_SYN_SENT:
	case TCP_CLOSE:
		tcp_done(t, 0);
		tcp_purge(t);
		break;
	case TCP_TIME_WAIT:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		if (tcp_readable_bytes(t) && t->state != TCP_TIME_WAIT)
			tcp_abort(t, 0);
		break;
	default:
		if (tcp_readable_bytes(t) || (s->linger_on && !s->linger)) { /* RFC 2525, 2.17 */
			tcp_abort(t, 0);
		} else {
			t->force = true;
			tcp_queue_fin(t);
			if (s->linger_on && !socket_nonblocking(s, 0))
				wait_linger(t);
		}
	}
	orphan(t);
	socket_unlock(s);
}

void tcp_destroy(struct socket *s)
{
	struct tcp_sock *t = tcp_sk(s);

	timer_cancel_sync(&t->timer);
	if (t->state == TCP_TIME_WAIT) { /* its place was taken */
		tcp_set_state(t, TCP_CLOSE);
		tcp_unhash(t);
	}
	BUG_ON(t->i.flow);
	channel_free(&s->channel);
	tcp_purge(t);
	zc_purge(s);
	inet_unbind(&t->i);
	inet_release(&t->i);
	if (t->parent)
		socket_put(&t->parent->i.s);
	heap_free(t->listener);
	socket_free(s);
}
