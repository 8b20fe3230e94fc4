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
 * seconds and is overwritten when the next one is made, so that nothing older can be replayed.
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

/*
 * Keys are read without a lock, as a flood comes on all CPUs: a place says whose minute's key it
 * has, before and after the key is read.
 *  K1 A key is written while its place says 0, and the minute after it (release): who reads the
 *     minute before the key (acquire) and again after it (behind a fence) has read one key whole.
 *     The 0 is in order before the key's words (a fence), so who reads a word of the new key reads
 *     the 0, or the new minute, behind it.
 *  K2 A place is used again two minutes later, when nobody asks for what was there.
 */
static bool read_key(uint64_t minute, struct hash_key *key)
{
	const struct cookie_key *k = &the_net()->cookie_key[minute & 1];

	if (load_acquire(&k->minute) != minute)
		return false;
	*key = (struct hash_key){ load_relaxed(&k->k0), load_relaxed(&k->k1) };
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return load_relaxed(&k->minute) == minute;
}

static void write_key(struct cookie_key *k, uint64_t minute, uint64_t k0, uint64_t k1)
{
	store_relaxed(&k->minute, 0);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	store_relaxed(&k->k0, k0);
	store_relaxed(&k->k1, k1);
	if (minute)
		store_release(&k->minute, minute);
}

/* This minute has no key yet; what is older than the last one's is wiped out. */
static __noinline void make_key(uint64_t now)
{
	struct net_state *n = the_net();
	struct cookie_key *k = &n->cookie_key[now & 1], *other = &n->cookie_key[~now & 1];

	mutex_lock(&n->cookie_lock);
	if (k->minute < now) {
		write_key(k, now, net_random(), net_random());
		if (other->minute + 1 < now)
			write_key(other, 0, 0, 0);
	}
	mutex_unlock(&n->cookie_lock);
}

/* The key of this minute (now) or the last; false: it does not exist. */
static bool key_of(uint64_t minute, uint64_t now, struct hash_key *key)
{
	if (likely(read_key(minute, key)))
		return true;
	if (minute != now)
		return false;
	make_key(now);
	return read_key(minute, key);
}

static bool mac(
	const struct tcp_sock *t, uint64_t minute, uint64_t now, unsigned mss, uint32_t *cookie)
{
	uint32_t rest = (uint32_t)(minute & 31) << 27 | mss << 24;
	struct {
		struct ip_addr laddr, raddr;
		uint32_t ports, irs, rest;
	} in = { t->i.laddr, t->i.raddr, (uint32_t)t->i.lport << 16 | t->i.rport, t->irs, rest };
	struct hash_key key;

	if (!key_of(minute, now, &key))
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
	mac(t, now / MINUTE + 1, now / MINUTE + 1, mss, &cookie);
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
		if (!mac(t, minute, now, mss, &cookie) || cookie != t->iss)
			break;
		t->peer_mss = mss_table[mss];
		counter_inc(tcp_syn_cookies_taken);
		return true;
	}
	counter_inc(tcp_syn_cookies_refused);
	return false;
}
