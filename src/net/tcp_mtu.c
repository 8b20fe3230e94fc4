/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path MTU discovery. Routers may tell (RFC 1191, 8201): believed when the message quotes data in
 * flight (tcp_icmp_error) and asks for less than we send; then it holds for all connections to the
 * destination (path_mtu.c), which have it from their routes. Where routers are silent the path
 * swallows large segments: after repeated timeouts of such ones the connection falls back to a size
 * that nearly every path takes and searches upwards with probes (RFC 4821), whose loss is no
 * congestion. What it finds is its own.
 */

#include "net/tcp.h"
#include "diag/counter.h"

/* Of IPv4: 1024 bytes and headers, RFC 4821, 7.2. Every path of IPv6 takes 1280. */
#define BASE_MTU4   1064u
#define FLOOR_MTU4  552u
#define SEARCH_DONE 8u			 /* bytes: not worth another probe */
#define BLACK_HOLE  2			 /* timeouts in a row */
#define SEARCH_LIFE (600 * NSEC_PER_SEC) /* then the path may have grown */

COUNTER(tcp_mtu_black_holes);
COUNTER(tcp_mtu_probes);
COUNTER(tcp_mtu_probes_lost);

static uint32_t route_mtu(struct tcp_sock *t)
{
	struct route_cache *r = tcp_route(t);

	return r ? tcp_mtu_of(t, r) : 1500;
}

/* The MTU to segment for, given the route's. */
uint32_t tcp_mtu_limit(const struct tcp_sock *t, uint32_t mtu)
{
	if (t->mtup.enabled)
		mtu = MIN(mtu, t->mtup.low);
	return mtu;
}

/* What is in flight was cut for an old size: what is too long for the new one is lost. */
void tcp_mtu_changed(struct tcp_sock *t)
{
	uint32_t old = t->mss;

	if (!tcp_route(t) || route_mtu(t) == t->route_mtu)
		return;
	tcp_update_mss(t);
	if (t->mtup.enabled) {
		t->mtup.high = MIN(t->mtup.high, t->route_mtu);
		t->mtup.low = MIN(t->mtup.low, t->route_mtu);
	}
	if (t->mss < old && t->snd_nxt != t->snd_una && t->was_connected)
		tcp_recovery_resize(t);
}

void tcp_mtu_icmp(struct tcp_sock *t, uint32_t mtu)
{
	/* Programs that do not want it, and messages that change nothing or claim the absurd. */
	if (!tcp_mtu_discovers(t) || mtu >= tcp_mtu_limit(t, route_mtu(t)))
		return;
	path_mtu_set(t->i.raddr, mtu);
	tcp_output(t); /* finds the route changed */
}

/* A retransmission timeout. Is the path a black hole for what is as long as the first segment? */
void tcp_mtu_timeout(struct tcp_sock *t, uint64_t now)
{
	bool v4 = ip_is_v4(t->i.raddr);
	uint32_t mtu = tcp_mtu_limit(t, route_mtu(t)), low = MIN(mtu, v4 ? BASE_MTU4 : IP6_MIN_MTU);
	uint32_t first = t->sent_count ? MIN(t->sent->end - t->sent->start, (uint32_t)t->mss) : 0;

	t->mtup.on = false;
	if (t->retransmits < BLACK_HOLE || !tcp_mtu_discovers(t))
		return;
	if (t->route_mtu != route_mtu(t)) { /* that is why; it is tried first */
		tcp_update_mss(t);
		return;
	}
	first += mtu - t->mss; /* headers */
	if (low == mtu || low >= first)
		low = MAX(MIN(mtu, first) / 2, v4 ? FLOOR_MTU4 : IP6_MIN_MTU);
	if (first <= low || mtu <= low)
		return;
	counter_inc(tcp_mtu_black_holes);
	if (!t->mtup.enabled)
		t->mtup.high = mtu - 1;
	t->mtup.enabled = true;
	t->mtup.low = low;
	t->mtup.high = MAX(t->mtup.high, low);
	t->mtup.next = now + SEARCH_LIFE;
	tcp_update_mss(t);
}

/* snd_una moved: the probe may have arrived, what ICMP said may be over. */
void tcp_mtu_acked(struct tcp_sock *t, uint64_t now)
{
	if (t->mtup.on && seq_ge(t->snd_una, t->mtup.end)) {
		t->mtup.on = false;
		if (t->mtup.size > t->mtup.low) {
			t->mtup.low = t->mtup.size;
			tcp_update_mss(t);
		}
	}
	if (unlikely(t->i.route.path_until && now > t->i.route.path_until)) {
		t->i.route.generation = 0;
		tcp_update_mss(t);
	}
	if (t->mtup.enabled && now > t->mtup.next) { /* the path may be another one: search on */
		t->mtup.high =
			tcp_mtu_limit(t, route_mtu(t)) > t->mtup.low ? t->mtup.high : route_mtu(t);
		t->mtup.next = now + SEARCH_LIFE;
	}
}

/* The probe is lost and nothing else is: only its size was wrong. */
bool tcp_mtu_probe_lost(struct tcp_sock *t)
{
	const struct tcp_sent *r = t->mtup.on ? tcp_sent_next_lost(t) : NULL;

	if (!r || !(r->flags & SENT_PROBE) || t->sent_bytes_lost != r->end - r->start)
		return false;
	counter_inc(tcp_mtu_probes_lost);
	t->mtup.on = false;
	t->mtup.high = t->mtup.size - 1;
	return true;
}

bool tcp_mtu_probe(struct tcp_sock *t, uint32_t pipe, uint64_t now)
{
	uint32_t size, len;

	if (!t->mtup.enabled || t->mtup.on || t->ca_state != CA_OPEN ||
		t->mtup.high <= t->mtup.low + SEARCH_DONE || t->fin_queued)
		return false;
	size = (t->mtup.low + t->mtup.high + 1) / 2;
	size = MIN(size, route_mtu(t));
	len = t->mss + (size - tcp_mtu_limit(t, route_mtu(t)));
	/* with enough behind it for its loss to be seen, and windows to spare */
	if (size <= t->mtup.low || t->cwnd < 8u * t->mss || pipe + len > t->cwnd ||
		t->write_seq - t->snd_nxt < len + 4u * t->mss ||
		seq_gt(t->snd_nxt + len, t->snd_una + t->snd_wnd) ||
		(t->peer_mss && size - tcp_headers(t) > t->peer_mss))
		return false;
	counter_inc(tcp_mtu_probes);
	t->mtup.on = true;
	t->mtup.size = size;
	t->mtup.start = t->snd_nxt;
	t->mtup.end = t->snd_nxt + len;
	tcp_sent_append(t, t->mtup.start, t->mtup.end, SENT_PROBE, now);
	t->snd_nxt = t->mtup.end;
	uint16_t mss = t->mss;

	t->mss = (uint16_t)len; /* not to be cut */
	tcp_send_segment(t, t->mtup.start, len, TCP_ACK);
	t->mss = mss;
	return true;
}
