/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks of a connection. There is one kernel timer per socket for all of them; setting a
 * deadline later than the armed one costs nothing: the timer then fires early, looks and re-arms.
 */

#include "net/tcp.h"
#include "abi/errno.h"
#include "diag/counter.h"

COUNTER(tcp_timeouts);
COUNTER(tcp_zero_window_probes);
COUNTER(tcp_keepalive_probes);

static void fired(struct timer *timer)
{
	struct tcp_sock *t = container_of(timer, struct tcp_sock, timer);
	struct socket *s = &t->i.s;

	if (!socket_get_live(s))
		return;
	socket_defer(s, DEFER_TIMER);
	socket_kick(s);
	socket_put_in_timer(s);
}

void tcp_timer_init(struct tcp_sock *t)
{
	timer_init(&t->timer, fired, NULL);
}

static void arm(struct tcp_sock *t, uint64_t when)
{
	t->timer_armed = true;
	t->timer_expires = when;
	timer_arm(&t->timer, when);
}

void tcp_timer_set(struct tcp_sock *t, enum tcp_timer_kind kind, uint64_t when)
{
	t->when[kind] = when;
	if (!t->timer_armed || when < t->timer_expires)
		arm(t, when);
}

void tcp_timer_only(struct tcp_sock *t, enum tcp_timer_kind kind, uint64_t when)
{
	for (int k = 0; k < TCP_TIMERS; k++)
		tcp_timer_stop(t, k);
	t->when[kind] = when;
	arm(t, when);
}

static uint64_t rto_ns(const struct tcp_sock *t)
{
	uint64_t us = (uint64_t)t->rto << MIN(t->backoff, 16u);

	return MIN(us, (uint64_t)TCP_RTO_MAX) * NSEC_PER_USEC;
}

/* The next look for an answer; what has been tried, no later than when the program wants to have
 * given up. */
uint64_t tcp_next_look(const struct tcp_sock *t, uint64_t now)
{
	uint64_t when = now + rto_ns(t),
		 end = t->progress_time + (uint64_t)t->user_timeout * NSEC_PER_MSEC;

	if (!t->user_timeout || t->state == TCP_SYN_RECV || !(t->retransmits || t->probes))
		return when;
	return MIN(when, MAX(end, now + NSEC_PER_MSEC));
}

/*
 * For what is in flight, or nothing. One clock for three: RACK's look at reordering, the tail's
 * probe, and the timeout (RFC 8985, section 8). A probe is never later than the timeout would be.
 */
void tcp_arm_retx(struct tcp_sock *t, uint64_t now)
{
	uint64_t probe, when = tcp_next_look(t, now);

	if (t->snd_una == t->snd_nxt) {
		tcp_timer_stop(t, TCP_T_RETX);
		return;
	}
	t->retx_kind = RETX_TIMEOUT;
	if (t->rack.due) {
		t->retx_kind = RETX_REORDER;
		when = t->rack.due;
	} else if (!t->backoff && (probe = tcp_probe_time(t, now))) {
		t->retx_kind = RETX_PROBE;
		when = MIN(when, probe);
	}
	tcp_timer_set(t, TCP_T_RETX, when);
}

/* New data went out behind what the clock runs for already. */
void tcp_arm_probe(struct tcp_sock *t, uint64_t now)
{
	uint64_t probe;

	if (t->retx_kind == RETX_PROBE && t->sent_count && (probe = tcp_probe_time(t, now)))
		tcp_timer_set(t, TCP_T_RETX, MIN(probe, t->sent->time + rto_ns(t)));
}

void tcp_keepalive_reset(struct tcp_sock *t)
{
	if (t->i.s.keepalive && t->was_connected && t->state != TCP_CLOSE &&
		t->state != TCP_TIME_WAIT && t->state != TCP_LISTEN) {
		if (!t->when[TCP_T_KEEP])
			tcp_timer_set(
				t, TCP_T_KEEP, clock_now() + (uint64_t)t->keep_idle * NSEC_PER_SEC);
	} else if (t->when[TCP_T_KEEP] && !(t->parent && t->defer_accept)) {
		tcp_timer_stop(t, TCP_T_KEEP);
	}
}

/* What a router said about it, if one did (RFC 1122 4.2.3.9); positive errno. */
static int why_silent(const struct tcp_sock *t)
{
	return t->soft_error ? t->soft_error : ETIMEDOUT;
}

/* It took its window back from over what is in flight, and lives: RFC 1122, 4.2.2.17. */
static bool answers_with_closed_window(const struct tcp_sock *t)
{
	return !t->snd_wnd && t->was_connected && !t->i.s.detached &&
	       clock_now() - t->last_ack_rx <= 2ull * TCP_RTO_MAX * NSEC_PER_USEC;
}

static bool given_up(const struct tcp_sock *t)
{
	bool late = t->user_timeout && t->retransmits &&
		    clock_now() - t->progress_time >= (uint64_t)t->user_timeout * NSEC_PER_MSEC;

	if (t->state == TCP_SYN_SENT)
		return late || t->retransmits >= t->syn_retries;
	if (t->state == TCP_SYN_RECV)
		return t->retransmits >= TCP_SYNACK_RETRIES;
	if (t->user_timeout)
		return late;
	return t->retransmits >= (t->i.s.detached ? TCP_ORPHAN_RETRIES : TCP_RETRIES) &&
	       !answers_with_closed_window(t);
}

/* RFC 6298 5.4 - 5.7, RFC 5681 3.1 */
static void retransmission_timeout(struct tcp_sock *t, uint64_t now)
{
	if (t->snd_una == t->snd_nxt && t->state != TCP_SYN_SENT && t->state != TCP_SYN_RECV)
		return;
	if (given_up(t)) {
		if (t->was_connected)
			tcp_abort(t, why_silent(t));
		else
			tcp_done(t, why_silent(t));
		return;
	}
	counter_inc(tcp_timeouts);
	bool first = !t->retransmits;

	t->retransmits++;
	t->backoff++;
	if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RECV) {
		t->total_retrans++;
		tcp_send_syn(t, now);
		return;
	}
	if (t->snd_wnd) /* else it need not be the path */
		tcp_mtu_timeout(t, now);
	tcp_enter_loss(t, first, now);
	if (t->retransmits == 3)
		t->i.route.generation = 0; /* perhaps there is another way by now */
	tcp_output(t);
	t->retx_kind = RETX_TIMEOUT;
	tcp_timer_set(t, TCP_T_RETX, tcp_next_look(t, now));
}

static void retransmission_timer(struct tcp_sock *t)
{
	uint64_t now = clock_now();

	switch (t->retx_kind) {
	case RETX_TIMEOUT: retransmission_timeout(t, now); return;
	case RETX_PROBE: tcp_probe_send(t, now); break;
	case RETX_REORDER:
		tcp_recovery_reorder_timeout(t, now);
		tcp_output(t);
		break;
	}
	tcp_arm_retx(t, now);
}

/* The window is closed (or a part of a segment was held back): RFC 9293 3.8.6.1 */
static void persist(struct tcp_sock *t)
{
	if (t->snd_una != t->snd_nxt || !tcp_unsent(t))
		return;
	if (t->snd_wnd) {
		t->force = true;
		tcp_output(t);
		return;
	}
	if (t->probes >= (t->i.s.detached ? TCP_ORPHAN_RETRIES : TCP_RETRIES) &&
		(t->i.s.detached ||
			clock_now() - t->last_ack_rx > 2ull * TCP_RTO_MAX * NSEC_PER_USEC)) {
		tcp_abort(t, why_silent(t));
		return;
	}
	if (t->user_timeout && t->probes &&
		clock_now() - t->progress_time >= (uint64_t)t->user_timeout * NSEC_PER_MSEC) {
		tcp_abort(t, why_silent(t));
		return;
	}
	counter_inc(tcp_zero_window_probes);
	t->probes++;
	tcp_send_segment(t, t->snd_una - 1, 0, TCP_ACK); /* an old byte: answered with the window */
	t->backoff = MIN(t->probes, 10u);
	tcp_timer_set(t, TCP_T_PERSIST, tcp_next_look(t, clock_now()));
}

/* RFC 1122 4.2.3.6 */
static void keepalive(struct tcp_sock *t)
{
	uint64_t now = clock_now(), idle = now - t->last_rx,
		 first = (uint64_t)t->keep_idle * NSEC_PER_SEC;

	if (t->parent && t->defer_accept && !t->queued_accept) {
		tcp_child_ready(t);
		return;
	}
	if (!t->i.s.keepalive)
		return;
	if (idle < first || t->snd_una != t->snd_nxt || tcp_unsent(t)) {
		t->probes = t->snd_wnd ? 0 : t->probes;
		tcp_timer_set(t, TCP_T_KEEP, idle < first ? t->last_rx + first : now + first);
		return;
	}
	if (t->user_timeout ? t->probes && idle >= (uint64_t)t->user_timeout * NSEC_PER_MSEC
			    : t->probes >= t->keep_count) {
		tcp_abort(t, why_silent(t));
		return;
	}
	counter_inc(tcp_keepalive_probes);
	t->probes++;
	tcp_send_segment(t, t->snd_una - 1, 0, TCP_ACK);
	tcp_timer_set(t, TCP_T_KEEP, now + (uint64_t)t->keep_interval * NSEC_PER_SEC);
}

static void delayed_ack(struct tcp_sock *t)
{
	if (t->ack_pending) {
		t->pingpong = false;
		tcp_send_ack(t);
	}
}

static void wait_over(struct tcp_sock *t)
{
	tcp_done(t, 0); /* TIME_WAIT, or FIN_WAIT2 of a closed socket */
}

void tcp_timer(struct socket *s)
{
	static void (*const handler[TCP_TIMERS])(struct tcp_sock *) = {
		[TCP_T_RETX] = retransmission_timer,
		[TCP_T_PERSIST] = persist,
		[TCP_T_DELACK] = delayed_ack,
		[TCP_T_KEEP] = keepalive,
		[TCP_T_WAIT] = wait_over,
	};
	struct tcp_sock *t = tcp_sk(s);
	uint64_t now = clock_now(), next = UINT64_MAX;

	t->timer_armed = false;
	for (int k = 0; k < TCP_TIMERS; k++)
		if (t->when[k] && t->when[k] <= now) {
			t->when[k] = 0;
			handler[k](t);
		}
	for (int k = 0; k < TCP_TIMERS; k++)
		if (t->when[k] && t->when[k] < next)
			next = t->when[k];
	if (next != UINT64_MAX && (!t->timer_armed || next < t->timer_expires))
		arm(t, next);
}
