/* SPDX-License-Identifier: BSD-2-Clause */
/* One stack against a scripted peer: segments are written by hand, answers are looked at one by
 * one. */
#ifndef TEST_HOST_TCP_PEER_H
#define TEST_HOST_TCP_PEER_H

#include "net_env.h"

/* A test may put itself between the wire and what the cases see: tcp6_test does. */
#ifndef PEER_MTU
#define PEER_MTU	  1500
#define PEER_HEADROOM	  0
#define PEER_ADDR(v4)	  ip_map(v4)
#define PEER_TO_WIRE(p)	  (p)
#define PEER_FROM_WIRE(p) (p)
#endif

#define ME   IP4(10, 0, 0, 1)
#define PEER IP4(10, 0, 0, 2)

static struct env_stack me;
static struct env_link cable;
static uint16_t peer_port, my_port;
static uint32_t peer_addr; /* where what is injected comes from */

/* What we sent and nobody has looked at yet. */
static struct packet *out_first, **out_last = &out_first;

static bool out_tap(struct env_link *l, int from, struct packet *p)
{
	struct packet *q = pkt_linearise(p, 0);

	q = q ? PEER_FROM_WIRE(q) : NULL;
	if (q) { /* else an injected failure: lost on the wire */
		*out_last = q;
		out_last = &q->next;
	}
	return false;
}

static struct packet *out_next(void)
{
	struct packet *p = out_first;

	if (p) {
		out_first = p->next;
		if (!out_first)
			out_last = &out_first;
		p->next = NULL;
	}
	return p;
}
static void out_clear(void)
{
	struct packet *p;

	while ((p = out_next()))
		packet_free(p);
}

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 9 };

/* A frame from the wire; while gathering: later, with others in one batch. */
static bool gathering;
static struct packet *gathered, **gathered_last = &gathered;

static void inject_gathered(void)
{
	struct packet *batch = gathered;

	gathering = false;
	gathered = NULL;
	gathered_last = &gathered;
	me.eth.rx(&me.eth, batch);
	net_thread_work();
}
static void inject(const void *frame, size_t n)
{
	struct packet *p = packet_alloc(PEER_HEADROOM, n);

	if (!p)
		return;
	memcpy(packet_put(p, n), frame, n);
	p = PEER_TO_WIRE(p);
	if (!p)
		return;
	if (gathering) {
		*gathered_last = p;
		gathered_last = &p->next;
		return;
	}
	me.eth.rx(&me.eth, p);
	net_thread_work();
}

static size_t put_ip(uint8_t *f, uint8_t protocol, size_t payload, uint32_t src, uint32_t dst)
{
	struct ip_header *ip = (struct ip_header *)(f + 14);
	struct eth_header *eth = (struct eth_header *)f;

	memcpy(eth->dst, me.eth.mac, 6);
	memcpy(eth->src, peer_mac, 6);
	eth->type = be16(ETH_IPV4);
	memset(ip, 0, sizeof(*ip));
	ip->ver_ihl = 0x45;
	ip->total_len = be16((uint16_t)(20 + payload));
	ip->frag = be16(gathering ? IP_DF : 0);
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->src = src;
	ip->dst = dst;
	ip->checksum = csum_fold(csum_add(0, ip, 20));
	return 34;
}

/* The peer's datagram to us. */
static size_t put_udp_frame(
	uint8_t *frame, uint16_t sport, uint16_t dport, const void *text, size_t n)
{
	size_t at = put_ip(frame, IPPROTO_UDP, 8 + n, PEER, ME);
	struct udp_header *h = (struct udp_header *)(frame + at);

	*h = (struct udp_header){ be16(sport), be16(dport), be16((uint16_t)(8 + n)), 0 };
	memcpy(h + 1, text, n);
	h->checksum = csum_fold(
		csum_add(csum_pseudo(PEER, ME, IPPROTO_UDP, (uint32_t)(8 + n)), h, 8 + n));
	return at + 8 + n;
}

static void meet_peer(void)
{
	uint8_t f[42];
	struct arp_packet *a = (struct arp_packet *)(f + 14);

	memset(f, 0xff, 6);
	memcpy(f + 6, peer_mac, 6);
	put_be16(f + 12, ETH_ARP);
	*a = (struct arp_packet){ be16(1), be16(ETH_IPV4), 6, 4, be16(ARP_REQUEST), { 0 }, PEER,
		{ 0 }, ME };
	memcpy(a->sha, peer_mac, 6);
	inject(f, sizeof(f));
	out_clear();
}

static void peer_setup(void)
{
	memset(&cable, 0, sizeof(cable));
	cable.tap = out_tap;
	peer_port = 5000;
	my_port = 80;
	peer_addr = PEER;
	env_boot(&me, 1, NETDEV_TX_CSUM);
	me.eth.mtu = PEER_MTU;
	netif_add_address(&me.eth, ME, 24);
	env_connect(&cable, &me, &me);
	cable.end[1] = NULL;
	meet_peer();
}
static void peer_teardown(void)
{
	struct env_stack *s[] = { &me };

	out_clear();
	env_reset(s, 1);
	out_clear();
	CHECK_EQ(t_live(), 0);
}

/* ---- TCP ---- */

struct seg {
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t wnd, sport, dport, urgent;
	uint32_t len;
	uint32_t ts_val, ts_ecr;
	bool ts, has_mss, df;
	uint16_t mss;
	unsigned sacks;
	uint32_t sack[8];
	int wscale; /* -1: none */
};

struct send {
	uint8_t flags;
	uint32_t seq, ack;
	int wnd; /* 0: 65535 */
	const char *text;
	size_t len; /* of text, 0: its strlen */
	const uint8_t *opt;
	size_t opt_len;
	uint16_t urgent;
	bool bad_checksum;
};

static void tcp_inject(struct send s)
{
	uint8_t f[2000];
	size_t len = s.text ? (s.len ? s.len : strlen(s.text)) : 0, hlen = 20 + s.opt_len;
	size_t at = put_ip(f, IPPROTO_TCP, hlen + len, peer_addr, ME);
	struct tcp_header *h = (struct tcp_header *)(f + at);

	*h = (struct tcp_header){ be16(peer_port), be16(my_port), be32(s.seq), be32(s.ack),
		(uint8_t)(hlen / 4 << 4), s.flags,
		be16((uint16_t)(s.wnd < 0 ? 0
				: s.wnd	  ? s.wnd
					  : 65535)),
		0, be16(s.urgent) };
	if (s.opt_len)
		memcpy(f + at + 20, s.opt, s.opt_len);
	if (len)
		memcpy(f + at + hlen, s.text, len);
	h->checksum = csum_fold(csum_add(
		csum_pseudo(peer_addr, ME, IPPROTO_TCP, (uint32_t)(hlen + len)), h, hlen + len));
	if (s.bad_checksum)
		h->checksum ^= 0x1234;
	inject(f, at + hlen + len);
}
#define SEND(...) tcp_inject((struct send){ __VA_ARGS__ })

/* The next segment we sent; false: none. */
static bool sent(struct seg *s)
{
	struct packet *p;

	memset(s, 0, sizeof(*s));
	s->wscale = -1;
	while ((p = out_next())) {
		const uint8_t *t = p->data + 34;
		unsigned hlen;

		if (p->len < 54 || get_be16(p->data + 12) != ETH_IPV4 ||
			p->data[23] != IPPROTO_TCP) {
			packet_free(p);
			continue;
		}
		hlen = (t[12] >> 4) * 4u;
		s->df = p->data[20] & 0x40;
		s->sport = get_be16(t);
		s->dport = get_be16(t + 2);
		s->seq = get_be32(t + 4);
		s->ack = get_be32(t + 8);
		s->flags = t[13];
		s->wnd = get_be16(t + 14);
		s->urgent = get_be16(t + 18);
		s->len = p->len - 34 - hlen;
		for (unsigned o = 20; o < hlen && t[o];) {
			if (t[o] == 1) {
				o++;
				continue;
			}
			if (t[o] == 2) {
				s->has_mss = true;
				s->mss = get_be16(t + o + 2);
			} else if (t[o] == 3) {
				s->wscale = t[o + 2];
			} else if (t[o] == 8) {
				s->ts = true;
				s->ts_val = get_be32(t + o + 2);
				s->ts_ecr = get_be32(t + o + 6);
			} else if (t[o] == 5) {
				for (unsigned k = 2; k + 4 <= t[o + 1]; k += 4)
					s->sack[s->sacks++] = get_be32(t + o + k);
			}
			o += t[o + 1];
		}
		packet_free(p);
		return true;
	}
	return false;
}
/* The next segment must be there and be this. */
#define EXPECT(s, want_flags, want_seq, want_ack, want_len)                                        \
	do {                                                                                       \
		if (!sent(&(s))) {                                                                 \
			T_FAIL("nothing was sent");                                                \
			break;                                                                     \
		}                                                                                  \
		CHECK_EQ((s).flags, want_flags);                                                   \
		CHECK_EQ((s).seq, want_seq);                                                       \
		if ((want_flags)&TCP_ACK)                                                          \
			CHECK_EQ((s).ack, want_ack);                                               \
		CHECK_EQ((s).len, want_len);                                                       \
	} while (0)
#define SILENCE()                                                                                  \
	do {                                                                                       \
		struct seg _s;                                                                     \
		if (sent(&_s))                                                                     \
			T_FAIL("an unexpected segment: flags %x seq %u len %u", _s.flags, _s.seq,  \
				_s.len);                                                           \
	} while (0)

static struct file *listener_at(uint16_t port)
{
	struct file *l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(env_bind(l, 0, port), 0);
	CHECK_EQ(socket_listen(l, 5), 0);
	return l;
}

/* A connection that the peer opened: our iss in *iss, the peer's sequence starts at 1001. No
 * options. */
static struct file *accepted(struct file *l, uint32_t *iss)
{
	struct seg s;

	SEND(.flags = TCP_SYN, .seq = 1000);
	if (!sent(&s)) {
		T_FAIL("no SYN,ACK");
		return NULL;
	}
	*iss = s.seq;
	SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
	struct file *f = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);

	if (IS_ERR(f)) {
		T_FAIL("accept: %ld", PTR_ERR(f));
		return NULL;
	}
	return f;
}
static struct tcp_sock *sk_of(struct file *f)
{
	return tcp_sk(f->private);
}
#endif
