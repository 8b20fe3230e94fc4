/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies (RFC 4987, 3.6): while a listener's queue is full the connection's state travels in
 * the initial sequence number,
 *
 *	 31      27 26   24 23                        0
 *	| minute % 32 | MSS | keyed hash of the rest    |
 *
 * and the options in the low bits of our timestamp, which comes back as the echo: bit 4 SACK, bits
 * 3..0 the window's scale (15: none). A peer without timestamps gets neither. The hash covers both
 * ends, the peer's initial number, the minute and the MSS. Its key lives for two "minutes" of 64
 * seconds and then does not exist any more, so that nothing older can be replayed.
 */

#include "net/tcp.h"
#include "diag/counter.h"

#define MINUTE	    (64 * NSEC_PER_SEC)
#define OPTION_BITS 6
#define OPTION_MASK ((1u << OPTION_BITS) - 1)
#define OPTION_SACK 16u
#define NO_WSCALE   15u

COUNTER(tcp_syn_cookies_sent);
COUNTER(tcp_syn_cookies_taken);
COUNTER(tcp_syn_cookies_refused);

/* Ascending; what paths and stacks in use announce. */
static const uint16_t mss_table[8] = { 64, 536, 1220, 1360, 1400, 1440, 1452, 1460 };

/* The key of a minute; false: it is gone. */
static bool key_of(uint64_t minute, struct hash_key *key)
{
	struct net_state *n = the_net();
	uint64_t now = clock_now() / MINUTE + 1;
	bool ok;

	mutex_lock(&n->cookie_lock);
	if (n->cookie_minute != now) {
		bool next = n->cookie_minute + 1 == now;

		for (unsigned k = 0; k < 2; k++)
			if (!next || k == (now & 1))
				n->cookie_key[k] = (struct hash_key){ net_random(), net_random() };
		n->cookie_minute = now;
	}
	ok = minute == now || minute + 1 == now;
	*key = n->cookie_key[minute & 1];
	mutex_unlock(&n->cookie_lock);
	return ok;
}

static bool mac(const struct tcp_sock *t, uint64_t minute, unsigned mss, uint32_t *cookie)
{
	uint32_t rest = (uint32_t)(minute & 31) << 27 | mss << 24;
	struct {
		struct ip_addr laddr, raddr;
		uint32_t ports, irs, rest;
	} in = { t->i.laddr, t->i.raddr, (uint32_t)t->i.lport << 16 | t->i.rport, t->irs, rest };
	struct hash_key key;

	if (!key_of(minute, &key))
		return false;
	*cookie = rest | (hash_siphash(&key, &in, 44) & 0xffffff);
	return true;
}

uint32_t tcp_cookie_make(struct tcp_sock *t)
{
	uint64_t now = clock_now();
	uint32_t cookie = 0, stamp = tcp_ts_at(t, now), coded;
	unsigned mss = ARRAY_SIZE(mss_table) - 1;

	counter_inc(tcp_syn_cookies_sent);
	store_relaxed(&the_net()->cookie_time, now);
	while (mss && mss_table[mss] > t->peer_mss)
		mss--;
	mac(t, now / MINUTE + 1, mss, &cookie);
	if (!t->ts_ok) {
		t->sack_ok = t->wscale_ok = false;
		t->rcv_wscale = 0;
		return cookie;
	}
	coded = (stamp & ~OPTION_MASK) | (t->sack_ok ? OPTION_SACK : 0) |
		(t->wscale_ok ? t->snd_wscale : NO_WSCALE);
	if ((int32_t)(coded - stamp) > 0) /* never ahead of the clock */
		coded -= 1u << OPTION_BITS;
	t->ts_offset += coded - stamp;
	return cookie;
}

bool tcp_cookie_recent(void)
{
	uint64_t sent = load_relaxed(&the_net()->cookie_time);

	return sent && clock_now() - sent < 2 * MINUTE;
}

void tcp_cookie_options(const struct tcp_seg *ack, struct tcp_seg *syn)
{
	*syn = (struct tcp_seg){ .wnd = ack->wnd, .has_ts = ack->has_ts, .ts_val = ack->ts_val };
	if (!ack->has_ts)
		return;
	syn->sack_ok = ack->ts_ecr & OPTION_SACK;
	syn->wscale = (uint8_t)MIN(ack->ts_ecr & 15, 14u);
	syn->has_wscale = (ack->ts_ecr & 15) != NO_WSCALE;
}

bool tcp_cookie_check(struct tcp_sock *t)
{
	uint64_t now = clock_now() / MINUTE + 1;
	unsigned mss = t->iss >> 24 & 7;
	uint32_t cookie;

	for (uint64_t minute = now; minute + 1 >= now; minute--) {
		if ((minute & 31) != t->iss >> 27)
			continue;
		if (!mac(t, minute, mss, &cookie) || cookie != t->iss)
			break;
		t->peer_mss = mss_table[mss];
		counter_inc(tcp_syn_cookies_taken);
		return true;
	}
	counter_inc(tcp_syn_cookies_refused);
	return false;
}
