/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_test once more, over IPv6. The cases write and read frames of IPv4; between them and the wire
 * headers and checksums are exchanged. The link takes 20 bytes more, so segments are as long. What
 * ICMP says of sizes differs, and has cases of its own here.
 */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#define PEER_V6
#define PEER_MTU	  1520
#define PEER_HEADROOM	  20
#define PEER_ADDR(v4)	  six(v4)
#define PEER_TO_WIRE(p)	  to_wire(p)
#define PEER_FROM_WIRE(p) from_wire(p)
#include "net_env.h"

static bool on_link; /* the addresses are the link's */
static struct ip_addr six(uint32_t v4)
{
	if (on_link)
		return (struct ip_addr){ .b = { 0xfe, 0x80, [15] = (uint8_t)(v4 >> 24) } };
	return (struct ip_addr){ .b = { 0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(v4 >> 24) } };
}
static struct netdev *card;
static void meet(struct ip_addr peer)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };

	neigh_update(card, peer, mac, NEIGH_CREATE | NEIGH_SOLICITED);
}
/* The peer answers solicitations, if a little later. */
static struct timer answer;
static void answer_due(struct timer *t)
{
	meet(six(IP4(10, 0, 0, 2)));
}
static void add6(struct netdev *dev, uint32_t v4, unsigned prefix)
{
	card = dev;
	timer_cancel(&answer);
	timer_init(&answer, answer_due, NULL);
	netif_add(&(struct net_addr){ .dev = dev, .addr = six(v4), .prefix = 64 });
	meet(six(IP4(10, 0, 0, 2)));
}
static int dial6(struct file *f, uint32_t v4, uint16_t port)
{
	struct sockaddr_storage s;
	uint32_t len;

	inet_put_addr(&s, &len, AF_INET6, six(v4), port, 0);
	return socket_connect(f, &s, len, NULL);
}
static int bind6(struct file *f, uint32_t v4, uint16_t port)
{
	struct sockaddr_storage s;
	uint32_t len;

	inet_put_addr(&s, &len, AF_INET6, v4 ? six(v4) : IP_ANY, port, 0);
	return socket_bind(f, &s, len, NULL);
}

static void put_header6(uint8_t *f, uint8_t next, size_t payload, uint32_t src, uint32_t dst)
{
	struct ip6_header h = { .ver_class_flow = be32(6u << 28),
		.payload_len = be16((uint16_t)payload),
		.next_header = next,
		.hop_limit = 64 };

	memcpy(h.src, six(src).b, 16);
	memcpy(h.dst, six(dst).b, 16);
	put_be16(f + 12, ETH_IPV6);
	memcpy(f + 14, &h, sizeof(h));
}
static void put_sum6(
	uint8_t *l4, size_t n, unsigned at, uint8_t protocol, uint32_t src, uint32_t dst)
{
	uint16_t sum;

	memset(l4 + at, 0, 2);
	sum = csum_fold(csum_add(csum_pseudo6(six(src), six(dst), protocol, (uint32_t)n), l4, n));
	memcpy(l4 + at, &sum, 2);
}

/* An error of IPv4 as IPv6 says it. */
static struct packet *error_to_wire(struct packet *p, const struct ip_header *ip)
{
	const uint8_t *m = p->data + 34;
	const struct ip_header *q = (const struct ip_header *)(m + 8);
	struct packet *n = packet_alloc(0, 54 + 8 + 40 + 8);
	uint8_t *f;

	if (!n)
		goto out;
	f = packet_put(n, 54 + 8 + 40 + 8);
	memset(f, 0, n->len);
	memcpy(f, p->data, 12);
	put_header6(f + 62 - 14, q->protocol, 1460 + 20, q->src, q->dst);
	put_header6(f, IPPROTO_ICMPV6, 8 + 40 + 8, ip->src, ip->dst);
	put_be32(f + 58, 0); /* the quoted header has no Ethernet type */
	if (m[1] == ICMP_FRAG_NEEDED) {
		f[54] = ICMP6_TOO_BIG;
		put_be32(f + 58, get_be16(m + 6));
	} else {
		f[54] = ICMP6_UNREACHABLE;
		f[55] = m[1] == ICMP_PORT_UNREACH ? ICMP6_PORT_UNREACH : 3;
	}
	memcpy(f + 102, m + 28, 8);
	put_sum6(f + 54, 56, 2, IPPROTO_ICMPV6, ip->src, ip->dst);
out:
	packet_free(p);
	return n;
}
static struct packet *to_wire(struct packet *p)
{
	struct ip_header ip;
	uint8_t eth[14], *l4;
	uint32_t n;
	bool good;

	if (p->len < 34 || get_be16(p->data + 12) != ETH_IPV4)
		return p;
	if (p->data[23] == IPPROTO_UDP) /* IPv4's: it comes between the segments */
		return p;
	meet(six(IP4(10, 0, 0, 2))); /* who sends is there */
	memcpy(&ip, p->data + 14, sizeof(ip));
	if (ip.protocol == IPPROTO_ICMP)
		return error_to_wire(p, &ip);
	memcpy(eth, p->data, sizeof(eth));
	packet_push(p, 20);
	memcpy(p->data, eth, sizeof(eth));
	l4 = p->data + 54;
	n = p->len - 54;
	good = csum_fold(csum_add(csum_pseudo(ip.src, ip.dst, IPPROTO_TCP, n), l4, n)) == 0;
	put_header6(p->data, IPPROTO_TCP, n, ip.src, ip.dst);
	put_sum6(l4, n, 16, IPPROTO_TCP, ip.src, ip.dst);
	if (!good)
		l4[16] ^= 0x12;
	return p;
}
static struct packet *from_wire(struct packet *p)
{
	struct ip_header ip = { .ver_ihl = 0x45, .ttl = 64, .protocol = IPPROTO_TCP };
	uint32_t n = p->len - 54;

	if (p->len < 74 || get_be16(p->data + 12) != ETH_IPV6 || p->data[20] != IPPROTO_TCP) {
		if (p->len > 54 && p->data[20] == IPPROTO_ICMPV6 && p->data[54] == ICMP6_NEIGH_SOL)
			timer_arm(&answer, env_now + 1000);
		packet_free(p); /* the link's own protocols */
		return NULL;
	}
	CHECK_EQ(csum_fold(csum_add(csum_pseudo6(ip_from_bytes(p->data + 22),
					    ip_from_bytes(p->data + 38), IPPROTO_TCP, n),
			 p->data + 54, n)),
		0);
	ip.total_len = be16((uint16_t)(n + 20));
	ip.frag = be16(IP_DF);
	ip.src = IP4(10, 0, 0, p->data[37]);
	ip.dst = IP4(10, 0, 0, p->data[53]);
	memmove(p->data + 20, p->data, 12);
	packet_pull(p, 20);
	put_be16(p->data + 12, ETH_IPV4);
	memcpy(p->data + 14, &ip, sizeof(ip));
	return p;
}

#undef AF_INET
#undef SOL_IP
#undef IP_RECVERR
#define AF_INET				     AF_INET6
#define SOL_IP				     SOL_IPV6
#define IP_RECVERR			     IPV6_RECVERR
#define env_dial			     dial6
#define env_bind			     bind6
#define netif_add_address(dev, addr, prefix) add6(dev, addr, prefix)
#include "tcp_test.c"

/* ---- sizes ---- */

TEST(too_big_is_sent_again_in_smaller_segments)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	uint32_t cwnd = sk_of(c)->cwnd;

	too_big(1360, iss + 1);
	EXPECT(s, s.flags, iss + 1, 1001, 1300);
	EXPECT(s, s.flags, iss + 1301, 1001, 1300);
	EXPECT(s, s.flags, iss + 2601, 1001, 320);
	CHECK_EQ(sk_of(c)->cwnd, cwnd);
	CHECK_EQ(info().tcpi_pmtu, 1360);
	close_all();
}
TEST(too_big_says_nothing_below_1280)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(600, iss + 1);
	EXPECT(s, s.flags, iss + 1, 1001, 1220);
	CHECK_EQ(info().tcpi_pmtu, 1280);
	out_clear();
	too_big(600, iss + 1);
	SILENCE();
	close_all();
}
TEST(too_big_is_not_believed_outside_what_is_in_flight)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	too_big(1300, iss - 5000);
	too_big(1300, iss + 9000);
	SILENCE();
	CHECK_EQ(sk_of(c)->mss, 1460);
	close_all();
}
TEST(black_hole_is_never_narrower_than_1280)
{
	struct seg s;

	open_full(false);
	two_full(&s);
	after(245 + 485);
	out_clear();
	CHECK_EQ(sk_of(c)->mss, 1220);
	after(965);
	EXPECT(s, s.flags, iss + 1, 1001, 1220);
	CHECK_EQ(sk_of(c)->mss, 1220);
	close_all();
}

/* ---- peers whose addresses mean something on one link only ---- */

TEST(cookie_of_a_peer_on_the_link)
{
	struct seg s;

	on_link = true;
	flooded();
	answer_cookie(O_SACK | O_TS | O_WSCALE, 40, 0, NULL);
	REQUIRE(c);
	CHECK(sk_of(c)->from_cookie);
	CHECK(sk_of(c)->i.families == IP_V6 && ip_is_link_local(sk_of(c)->i.raddr));
	CHECK_EQ(sk_of(c)->i.s.bound_if, me.eth.index);
	CHECK_EQ(sk_of(l)->i.s.bound_if, 0);
	env_write(c, "x", 1, 0);
	EXPECT(s, TCP_ACK | TCP_PSH, iss + 1, 1001, 1);
	close_all();
	on_link = false;
}
TEST(time_wait_reopens_for_a_peer_on_the_link)
{
	on_link = true;
	in_time_wait(O_TS);
	syn_again(70000, 1, true);
	CHECK(answered_with(TCP_SYN | TCP_ACK));
	close_all();
	on_link = false;
}

/* ---- hashes ---- */

TEST(every_byte_of_both_addresses_counts)
{
	static struct tcp_sock t;

	peer_setup();
	memset(&t, 0, sizeof(t));
	t.i.laddr = six(ME);
	t.i.raddr = six(PEER);
	t.i.lport = 80;
	t.i.rport = 5000;
	t.irs = 1000;
	t.peer_mss = 1440;
	t.iss = tcp_cookie_make(&t);
	CHECK(tcp_cookie_check(&t));
	uint32_t isn = tcp_initial_seq(&t, env_now), stamp = tcp_ts_offset(&t);

	for (int k = 0; k < 32; k++) {
		uint8_t *b = k < 16 ? &t.i.laddr.b[k] : &t.i.raddr.b[k - 16];

		*b ^= 1;
		CHECK(!tcp_cookie_check(&t));
		CHECK(tcp_initial_seq(&t, env_now) != isn);
		CHECK(tcp_ts_offset(&t) != stamp);
		*b ^= 1;
	}
	CHECK(tcp_cookie_check(&t));
	CHECK_EQ(t.peer_mss, 1440);
	CHECK_EQ(tcp_initial_seq(&t, env_now), isn);
	t.i.rport++; /* one clock for all connections of a pair of hosts */
	CHECK_EQ(tcp_ts_offset(&t), stamp);
	CHECK(tcp_initial_seq(&t, env_now) != isn);
	CHECK(!tcp_cookie_check(&t));
	peer_teardown();
}
