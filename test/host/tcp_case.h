/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A short notation for TCP's cases. A connection counts what it sends in segments of SEG bytes from
 * its first byte:
 *
 *	open_with(O_SACK, 40);		the peer connected, the round trip is 40 ms
 *	write_segments(5);		the program writes
 *	SENT(0, 5);			segments 0 to 4 went out, one after the other
 *	after(40);			milliseconds
 *	ack("1 sack 2-4 0-1");		the peer has 0, 2 and 3 and got 0 twice
 *	SENT(1, 2); SILENCE();		segment 1 went out again, and nothing else
 */
#ifndef TEST_HOST_TCP_CASE_H
#define TEST_HOST_TCP_CASE_H

#include "tcp_peer.h"

#define SEG 1000u

static struct file *l, *c; /* the listener, the connection */
static uint32_t iss;	   /* ours; the peer's is 1000 */
static char buf[70000];

static void open_listener(void)
{
	peer_setup();
	l = listener_at(80);
}
/* c is the next connection in the listener's queue. False: there is none. */
static bool accept_next(void)
{
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	return !IS_ERR(c);
}
/* The peer's SYN is answered by s. False: it is not. */
static bool open_half(struct seg *s)
{
	open_listener();
	SEND(.flags = TCP_SYN, .seq = 1000);
	return sent(s);
}
/* A fresh accepted connection; our next byte is iss + 1, the peer's 1001. No options. */
static void open_passive(void)
{
	peer_setup();
	my_port = 80;
	l = listener_at(80);
	c = accepted(l, &iss);
	SILENCE();
}
static void close_all(void)
{
	if (c)
		file_put(c);
	file_put(l);
	c = NULL;
	peer_teardown();
}
static int state(void)
{
	return sk_of(c)->state;
}
/* An active open: the SYN has been sent. */
static void open_active(struct seg *s)
{
	peer_setup();
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c = l;
	file_get(c);
	CHECK_EQ(env_dial(c, PEER, 5000), -EINPROGRESS);
	REQUIRE(sent(s));
	CHECK_EQ(s->flags, TCP_SYN);
	my_port = s->sport;
	iss = s->seq;
}

static int dissolve(struct file *f)
{
	struct sockaddr_storage a = { .ss_family = AF_UNSPEC };

	return socket_connect(f, &a, 16, NULL);
}

enum { O_SACK = 1, O_TS = 2, O_WSCALE = 4 };
static unsigned peer_options;
static uint32_t peer_echo; /* our latest timestamp */
static uint32_t peer_seq;  /* the peer's next byte */

static uint32_t peer_clock(void)
{
	return (uint32_t)(env_now / NSEC_PER_MSEC) + 5000;
}
static size_t put_ts(uint8_t *o)
{
	o[0] = o[1] = TCPOPT_NOP;
	o[2] = TCPOPT_TIMESTAMPS;
	o[3] = 10;
	put_be32(o + 4, peer_clock());
	put_be32(o + 8, peer_echo);
	return 12;
}
/* The options of a SYN: segments of SEG bytes, and the given ones. */
static size_t put_syn(uint8_t *o, unsigned options)
{
	size_t n = 4;

	o[0] = TCPOPT_MSS;
	o[1] = 4;
	put_be16(o + 2, SEG + (options & O_TS ? 12 : 0));
	if (options & O_SACK) {
		memcpy(o + n, (uint8_t[]){ TCPOPT_SACK_OK, 2, TCPOPT_NOP, TCPOPT_NOP }, 4);
		n += 4;
	}
	if (options & O_TS)
		n += put_ts(o + n);
	if (options & O_WSCALE) {
		memcpy(o + n, (uint8_t[]){ TCPOPT_WSCALE, 3, 8, TCPOPT_NOP }, 4);
		n += 4;
	}
	return n;
}

static void after(uint64_t ms)
{
	env_run(ms * NSEC_PER_MSEC);
}

static void connect_from(uint16_t port, unsigned options, unsigned rtt_ms)
{
	uint8_t o[40];
	struct seg s;
	size_t n;

	peer_options = options;
	peer_port = port;
	peer_seq = 1001;
	peer_echo = 0;
	n = put_syn(o, options);
	SEND(.flags = TCP_SYN, .seq = 1000, .opt = o, .opt_len = n);
	REQUIRE(sent(&s));
	iss = s.seq;
	peer_echo = s.ts_val;
	if (rtt_ms)
		after(rtt_ms);
	n = options & O_TS ? put_ts(o) : 0;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = iss + 1, .opt = o, .opt_len = n);
	c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
	REQUIRE(!IS_ERR(c));
	peer_port = 5000;
}
static void open_with(unsigned options, unsigned rtt_ms)
{
	peer_setup();
	my_port = 80;
	l = listener_at(80);
	connect_from(5000, options, rtt_ms);
	SILENCE();
	CHECK_EQ(sk_of(c)->mss, SEG);
}

/* "A sack B-C D-E", in segments; "A.5" is half a segment more. */
static uint32_t position(const char **at)
{
	char *end;
	double v = strtod(*at, &end);

	*at = end;
	return iss + 1 + (uint32_t)(v * SEG);
}
static void ack_window(const char *script, int wnd)
{
	uint8_t o[40];
	size_t n = peer_options & O_TS ? put_ts(o) : 0, sack;
	uint32_t upto = position(&script);

	if (strstr(script, "sack")) {
		script = strstr(script, "sack") + 4;
		memset(o + n, TCPOPT_NOP, 2);
		o[n + 2] = TCPOPT_SACK;
		sack = n + 3;
		for (n += 4; *script; n += 8) {
			put_be32(o + n, position(&script));
			script++;
			put_be32(o + n + 4, position(&script));
		}
		o[sack] = (uint8_t)(n - sack + 1);
	}
	SEND(.flags = TCP_ACK, .seq = peer_seq, .ack = upto, .wnd = wnd, .opt = o, .opt_len = n);
}
static void ack(const char *script)
{
	ack_window(script, 0);
}
static void write_segments(unsigned n)
{
	CHECK_EQ(env_write(c, buf, n * SEG, 0), n * SEG);
}
static void peer_says(const char *text)
{
	uint8_t o[12];
	size_t n = peer_options & O_TS ? put_ts(o) : 0;

	SEND(.flags = TCP_ACK | TCP_PSH, .seq = peer_seq, .ack = sk_of(c)->snd_nxt, .text = text,
		.opt = o, .opt_len = n);
	peer_seq += (uint32_t)strlen(text);
}

/* Segments [from, to) were sent, whole, in this order; the rest is looked at later. */
static void sent_segments(unsigned from, unsigned to, int line)
{
	struct seg s;

	for (; from < to; from++) {
		if (!sent(&s)) {
			T_FAIL("line %d: segment %u was not sent", line, from);
			return;
		}
		if (s.seq != iss + 1 + from * SEG || s.len != SEG)
			T_FAIL("line %d: %u bytes at %.1f were sent, not segment %u", line, s.len,
				(int32_t)(s.seq - iss - 1) / (double)SEG, from);
		peer_echo = s.ts_val;
	}
}
#define SENT(from, to) sent_segments(from, to, __LINE__)
/* Ten segments are on their way to a peer with SACK. */
static void open_with_ten_out(void)
{
	open_with(O_SACK, 40);
	write_segments(10);
	SENT(0, 10);
}

static int ca_state(void)
{
	return (int)sk_of(c)->ca_state;
}
/* The congestion window in segments, which may grow to n before the case begins. */
static void set_cwnd(unsigned n)
{
	sk_of(c)->cwnd = n * SEG;
}
static void set_option(int level, int name, int value)
{
	CHECK_EQ(socket_setopt(c, level, name, &value, sizeof(value)), 0);
}
static struct tcp_info info(void)
{
	struct tcp_info i;
	uint32_t n = sizeof(i);

	CHECK_EQ(socket_getopt(c, SOL_TCP, TCP_INFO, &i, &n), 0);
	return i;
}
#endif
