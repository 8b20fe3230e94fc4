/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 packets: headers, fragments, ICMPv6, UDP, sockets of both families, mutated frames. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "ip6_peer.h"

static uint8_t frame[70000], buf[70000];

static size_t put_udp6(const char *src, const char *dst, uint16_t sport, uint16_t dport,
	const void *text, size_t n)
{
	size_t at = put_ip6(frame, IPPROTO_UDP, 8 + n, a6(src), a6(dst), 64);
	struct udp_header *h = (struct udp_header *)(frame + at);

	*h = (struct udp_header){ be16(sport), be16(dport), be16((uint16_t)(8 + n)), 0 };
	memcpy(h + 1, text, n);
	set_sum6(frame + at, 8 + n, 6, IPPROTO_UDP, a6(src), a6(dst));
	return at + 8 + n;
}
/* Puts a header in front of what is behind the IPv6 header of an n byte frame. */
static size_t insert(size_t n, uint8_t kind, const void *header, size_t len)
{
	memmove(frame + 54 + len, frame + 54, n - 54);
	memcpy(frame + 54, header, len);
	frame[54] = frame[20];
	frame[20] = kind;
	put_be16(frame + 18, (uint16_t)(n + len - 54));
	return n + len;
}

TEST(prefixes_of_every_length)
{
	struct ip_addr a = a6(ME_GLOBAL);

	for (unsigned bits = 0; bits <= 128; bits++)
		for (unsigned k = 0; k < 128; k++) {
			struct ip_addr b = a;

			b.b[k / 8] ^= (uint8_t)(0x80 >> (k % 8));
			CHECK_EQ(ip_prefix_equal(a, b, bits), k >= bits);
		}
}

TEST(echo_is_answered)
{
	uint8_t m[64] = { ICMP6_ECHO };
	struct packet *p;

	global_setup();
	memset(m + 4, 7, 60);
	inject_icmp6(PEER_GLOBAL, ME_GLOBAL, m, 64, 64);
	p = out_icmp6(ICMP6_ECHO_REPLY);
	REQUIRE(p);
	CHECK_MEM(p->data + 44, m + 4, 60);
	CHECK_MEM(p->data + 8, a6(ME_GLOBAL).b, 16);
	CHECK_EQ(p->data[7], 64);
	packet_free(p);
	inject_icmp6(PEER_LL, "ff02::1", m, 64, 64); /* to all: from our own address */
	p = out_icmp6(ICMP6_ECHO_REPLY);
	REQUIRE(p);
	CHECK_MEM(p->data + 8, a6(ME_LL).b, 16);
	packet_free(p);
	size_t at = put_ip6(frame, IPPROTO_ICMPV6, 64, a6(PEER_LL), a6(ME_LL), 64);

	memcpy(frame + at, m, 64); /* its checksum is wrong */
	inject(frame, at + 64);
	CHECK(!out_icmp6(ICMP6_ECHO_REPLY));
	peer_teardown();
}
TEST(echo_reply_is_cut_whatever_the_card_said)
{
	uint8_t m[2904] = { ICMP6_ECHO };
	struct packet *p;
	size_t at;

	global_setup();
	at = put_ip6(frame, IPPROTO_ICMPV6, sizeof(m), a6(PEER_GLOBAL), a6(ME_GLOBAL), 64);
	memcpy(frame + at, m, sizeof(m));
	set_sum6(frame + at, sizeof(m), 2, IPPROTO_ICMPV6, a6(PEER_GLOBAL), a6(ME_GLOBAL));
	p = packet_alloc(0, at + sizeof(m));
	memcpy(packet_put(p, at + sizeof(m)), frame, at + sizeof(m));
	p->gso_type = PACKET_GSO_TCP6;
	p->gso_size = 1428;
	me.eth.rx(&me.eth, p);
	for (int k = 0; k < 3; k++) {
		p = out_next();
		REQUIRE(p);
		CHECK(p->len <= 1514);
		CHECK_EQ(p->data[20], IP6_FRAGMENT);
		packet_free(p);
	}
	CHECK(!out_next());
	peer_teardown();
}
TEST(udp_both_ways)
{
	struct iter it;
	struct socket_message m = { .data = &it };
	struct sockaddr_in6 *from = (void *)&m.name;
	struct packet *p;

	global_setup();
	struct file *u = udp6_at(53);

	inject(frame, put_udp6(PEER_LL, ME_LL, 999, 53, "hello", 5));
	iter_init_one(&it, buf, 100, false);
	CHECK_EQ(socket_recv(u, &m), 5);
	CHECK_EQ(m.name_len, sizeof(*from));
	CHECK_EQ(from->sin6_family, AF_INET6);
	CHECK_EQ(from->sin6_port, be16(999));
	CHECK_EQ(from->sin6_scope_id, 2);
	CHECK_MEM(from->sin6_addr, a6(PEER_LL).b, 16);
	CHECK_EQ(sendto6(u, "hello", 5, PEER_GLOBAL, 9, 0), 5);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(csum_fold(csum_add(csum_pseudo6(a6(ME_GLOBAL), a6(PEER_GLOBAL), IPPROTO_UDP, 13),
			 p->data + 54, 13)),
		0);
	CHECK_EQ(p->data[21], 64);
	packet_free(p);
	CHECK_EQ(sendto6(u, "x", 1, PEER_LL, 9, 0), -EINVAL); /* which link? */
	CHECK_EQ(sendto6(u, "x", 1, PEER_LL, 9, 77), -ENETUNREACH);
	file_put(u);
	peer_teardown();
}
TEST(udp_without_checksum_is_dropped)
{
	global_setup();
	struct file *u = udp6_at(53);
	size_t n = put_udp6(PEER_LL, ME_LL, 999, 53, "hello", 5);

	memset(frame + 60, 0, 2);
	inject(frame, n);
	n = put_udp6(PEER_LL, ME_LL, 999, 53, "hello", 5);
	frame[n - 1] ^= 1;
	inject(frame, n);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	file_put(u);
	peer_teardown();
}
TEST(unknown_ports_and_protocols_are_reported)
{
	struct packet *p;
	size_t n;

	global_setup();
	n = put_udp6(PEER_GLOBAL, ME_GLOBAL, 999, 53, "hello", 5);
	inject(frame, n);
	p = out_icmp6(ICMP6_UNREACHABLE);
	REQUIRE(p);
	CHECK_EQ(p->data[41], ICMP6_PORT_UNREACH);
	CHECK_MEM(p->data + 48, frame + 14, n - 14);
	packet_free(p);
	put_ip6(frame, 200, 20, a6(PEER_GLOBAL), a6(ME_GLOBAL), 64);
	inject(frame, 74);
	p = out_icmp6(ICMP6_PARAMETER);
	REQUIRE(p);
	CHECK_EQ(p->data[41], ICMP6_BAD_NEXT);
	CHECK_EQ(get_be32(p->data + 44), 6);
	packet_free(p);
	/* never: to a group, from nobody, about an error */
	inject(frame, put_udp6(PEER_GLOBAL, "ff02::1", 999, 53, "hello", 5));
	inject(frame, put_udp6("::", ME_GLOBAL, 999, 53, "hello", 5));
	CHECK(!out_next());
	for (int i = 0; i < 3000; i++) /* not without end */
		inject(frame, put_udp6(PEER_GLOBAL, ME_GLOBAL, 999, 53, "hello", 5));
	unsigned count = 0;

	while ((p = out_next())) {
		count++;
		packet_free(p);
	}
	CHECK(count <= 60);
	peer_teardown();
}
TEST(martians_are_dropped)
{
	static const struct {
		const char *src, *dst;
	} bad[] = { { "ff02::1", ME_GLOBAL }, { "::1", ME_GLOBAL }, { PEER_GLOBAL, "::1" },
		{ "::ffff:1.2.3.4", ME_GLOBAL }, { PEER_GLOBAL, "::ffff:10.0.0.1" },
		{ ME_GLOBAL, ME_LL }, { PEER_GLOBAL, "::" }, { PEER_GLOBAL, "ff01::1" },
		{ PEER_GLOBAL, "2001:db8::77" } };

	global_setup();
	struct file *u = udp6_at(53);

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		inject(frame, put_udp6(bad[i].src, bad[i].dst, 999, 53, "hello", 5));
		CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	}
	CHECK(!out_next());
	size_t n = put_udp6(PEER_GLOBAL, ME_GLOBAL, 999, 53, "hello", 5);

	memset(frame, 0xff, 6); /* a unicast packet in a broadcast frame */
	inject(frame, n);
	n = put_udp6(PEER_GLOBAL, ME_GLOBAL, 999, 53, "hello", 5);
	frame[14] = 0x50;
	inject(frame, n);
	n = put_udp6(PEER_GLOBAL, ME_GLOBAL, 999, 53, "hello", 5);
	put_be16(frame + 18, 14); /* longer than the packet */
	inject(frame, n);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	n = put_udp6(PEER_GLOBAL, ME_GLOBAL, 999, 53, "hello", 5);
	inject(frame, n + 7); /* padding of the frame */
	CHECK_EQ(env_read(u, buf, 100, 0), 5);
	file_put(u);
	peer_teardown();
}

/* ---- extension headers ---- */

static size_t plain(void)
{
	return put_udp6(PEER_GLOBAL, ME_GLOBAL, 999, 53, "hello", 5);
}
TEST(options_by_their_first_bits)
{
	static const struct {
		uint8_t type;
		bool passes, complains;
	} t[] = { { 1, true, false }, { 5, true, false }, { 0x1e, true, false },
		{ 0x5e, false, false }, { 0x9e, false, true }, { 0xde, false, true } };
	struct packet *p;

	global_setup();
	struct file *u = udp6_at(53);

	for (int kind = 0; kind < 2; kind++)
		for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
			uint8_t h[8] = { 0, 0, t[i].type, 4 };

			inject(frame, insert(plain(), kind ? IP6_DSTOPTS : IP6_HOPOPTS, h, 8));
			CHECK_EQ(env_read(u, buf, 100, 0), t[i].passes ? 5 : -EAGAIN);
			p = out_icmp6(ICMP6_PARAMETER);
			CHECK_EQ(p != NULL, t[i].complains);
			if (p) {
				CHECK_EQ(p->data[41], ICMP6_BAD_OPTION);
				CHECK_EQ(get_be32(p->data + 44), 42);
				packet_free(p);
			}
		}
	/* an option that ends behind its header */
	uint8_t bad[8] = { 0, 0, 1, 9 };

	inject(frame, insert(plain(), IP6_DSTOPTS, bad, 8));
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	p = out_icmp6(ICMP6_PARAMETER);
	REQUIRE(p);
	packet_free(p);
	file_put(u);
	peer_teardown();
}
TEST(routing_headers)
{
	uint8_t h[24] = { 0, 2, 0, 1 };
	struct packet *p;

	global_setup();
	struct file *u = udp6_at(53);

	memcpy(h + 8, a6("2001:db8::77").b, 16);
	inject(frame, insert(plain(), IP6_ROUTING, h, 24)); /* type 0, one segment left */
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	p = out_icmp6(ICMP6_PARAMETER);
	REQUIRE(p);
	CHECK_EQ(p->data[41], ICMP6_BAD_HEADER);
	CHECK_EQ(get_be32(p->data + 44), 42);
	packet_free(p);
	h[3] = 0;
	inject(frame, insert(plain(), IP6_ROUTING, h, 24));
	CHECK_EQ(env_read(u, buf, 100, 0), 5);
	file_put(u);
	peer_teardown();
}
TEST(chains_of_headers_are_bounded)
{
	uint8_t h[256] = { 0, 0, 1, 4 };
	size_t n;

	global_setup();
	struct file *u = udp6_at(53);

	n = plain();
	for (int i = 0; i < 8; i++)
		n = insert(n, IP6_DSTOPTS, h, 8);
	inject(frame, n);
	CHECK_EQ(env_read(u, buf, 100, 0), 5);
	inject(frame, insert(n, IP6_DSTOPTS, h, 8));
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	n = plain();
	h[1] = 31;
	h[3] = 252;
	for (int i = 0; i < 3; i++)
		n = insert(n, IP6_DSTOPTS, h, 256);
	inject(frame, n);
	n = insert(plain(), IP6_HOPOPTS, h, 256);
	inject(frame, insert(n, IP6_DSTOPTS, h, 256)); /* hop-by-hop is not the first */
	inject(frame, 54 + 100);		       /* and cut off */
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	file_put(u);
	peer_teardown();
}

/* ---- fragments ---- */

static void fragment(size_t total, size_t off, size_t n, uint32_t id, bool more)
{
	static uint8_t whole[66000];
	struct udp_header *h = (struct udp_header *)whole;
	struct ip6_fragment f = {
		.next_header = IPPROTO_UDP, .offset = be16((uint16_t)(off | more)), .id = be32(id)
	};

	*h = (struct udp_header){ be16(999), be16(53), be16((uint16_t)total), 0 };
	for (size_t i = 8; i < total; i++)
		whole[i] = (uint8_t)(i * 7);
	set_sum6(whole, total, 6, IPPROTO_UDP, a6(PEER_GLOBAL), a6(ME_GLOBAL));
	put_ip6(frame, IP6_FRAGMENT, 8 + n, a6(PEER_GLOBAL), a6(ME_GLOBAL), 64);
	memcpy(frame + 54, &f, 8);
	memcpy(frame + 62, whole + off, n);
	inject(frame, 62 + n);
}
static struct file *fragment_socket(void)
{
	global_setup();
	return udp6_at(53);
}
#include "frag_cases.h"
TEST(atomic_fragment_is_alone)
{
	global_setup();
	struct file *u = udp6_at(53);

	fragment(2000, 0, 1000, 5, true);
	fragment(100, 0, 100, 5, false); /* RFC 6946: the same id does not matter */
	CHECK_EQ(env_read(u, buf, 10000, 0), 92);
	fragment(2000, 1000, 1000, 5, false);
	CHECK_EQ(env_read(u, buf, 10000, 0), 1992);
	file_put(u);
	peer_teardown();
}
TEST(bad_fragments)
{
	struct packet *p;

	global_setup();
	struct file *u = udp6_at(53);

	fragment(2000, 0, 1001, 2, true); /* not a multiple of eight */
	p = out_icmp6(ICMP6_PARAMETER);
	REQUIRE(p);
	CHECK_EQ(get_be32(p->data + 44), 4);
	packet_free(p);
	fragment(65600, 65528, 64, 3, false); /* too long when put together */
	p = out_icmp6(ICMP6_PARAMETER);
	REQUIRE(p);
	CHECK_EQ(get_be32(p->data + 44), 42);
	packet_free(p);
	/* RFC 7112: the first has no upper layer header */
	size_t n = put_ip6(frame, IP6_FRAGMENT, 16, a6(PEER_GLOBAL), a6(ME_GLOBAL), 64);
	uint8_t h[16] = { IP6_DSTOPTS, 0, 0, 1, 0, 0, 0, 9, IPPROTO_UDP, 3, 1, 28 };

	memcpy(frame + n, h, 16);
	inject(frame, n + 16);
	p = out_icmp6(ICMP6_PARAMETER);
	REQUIRE(p);
	CHECK_EQ(p->data[41], 3);
	packet_free(p);
	CHECK(list_empty(&me.net.frags));
	/* a fragment in a fragment */
	uint8_t outer[8] = { IP6_FRAGMENT, 0, 0, 0, 0, 0, 0, 9 },
		inner[8] = { IPPROTO_UDP, 0, 0, 0, 0, 0, 0, 9 };

	n = insert(plain(), IP6_FRAGMENT, inner, 8);
	inject(frame, insert(n, IP6_FRAGMENT, outer, 8));
	CHECK_EQ(env_read(u, buf, 10000, 0), -EAGAIN);
	file_put(u);
	peer_teardown();
}
TEST(fragments_time_out_and_are_bounded)
{
	struct packet *p;

	global_setup();
	for (uint32_t i = 0; i < 3000; i++)
		fragment(60000, 0, 1400, i, true);
	CHECK(me.net.frag_bytes < MIB(2));
	out_clear();
	env_run(40 * NSEC_PER_SEC);
	CHECK(list_empty(&me.net.frags));
	CHECK_EQ(me.net.frag_bytes, 0);
	p = out_icmp6(ICMP6_TIME_EXCEEDED);
	REQUIRE(p);
	CHECK_EQ(p->data[41], 1);
	packet_free(p);
	peer_teardown();
}
TEST(large_datagrams_and_path_mtu)
{
	size_t total = 0, largest = 0;
	struct packet *p;
	int on = IP_PMTUDISC_DO;

	global_setup();
	struct file *u = udp6_at(53);

	CHECK_EQ(sendto6(u, buf, 5000, PEER_GLOBAL, 9, 0), 5000);
	while ((p = out_next())) {
		CHECK(p->len <= 1514);
		CHECK_EQ(p->data[20], IP6_FRAGMENT);
		total += p->len - 62u;
		packet_free(p);
	}
	CHECK_EQ(total, 5008);
	CHECK_EQ(sendto6(u, buf, 65528, PEER_GLOBAL, 9, 0), -EMSGSIZE);
	socket_setopt(u, SOL_IPV6, IPV6_MTU_DISCOVER, &on, 4);
	CHECK_EQ(sendto6(u, buf, 5000, PEER_GLOBAL, 9, 0), -EMSGSIZE);
	/* a router on the way takes less */
	on = IP_PMTUDISC_WANT;
	socket_setopt(u, SOL_IPV6, IPV6_MTU_DISCOVER, &on, 4);
	CHECK_EQ(sendto6(u, buf, 1452, PEER_GLOBAL, 9, 0), 1452);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->len, 1514);
	uint8_t m[1200] = { ICMP6_TOO_BIG, 0, 0, 0, 0, 0, 1350 >> 8, 1350 & 255 };

	memcpy(m + 8, p->data + 14, sizeof(m) - 8);
	packet_free(p);
	inject_icmp6("2001:db8::1", ME_GLOBAL, m, sizeof(m), 64);
	CHECK_EQ(sendto6(u, buf, 1452, PEER_GLOBAL, 9, 0), 1452);
	while ((p = out_next())) {
		largest = MAX(largest, p->len);
		packet_free(p);
	}
	CHECK(largest <= 1350 + 14 && largest > 1330);
	put_be32(m + 4, 68); /* nobody may ask for less than 1280 */
	inject_icmp6("2001:db8::1", ME_GLOBAL, m, sizeof(m), 64);
	CHECK_EQ(sendto6(u, buf, 1452, PEER_GLOBAL, 9, 0), 1452);
	p = out_next();
	REQUIRE(p);
	CHECK(p->len <= 1294 && p->len > 1270);
	packet_free(p);
	env_run(700 * NSEC_PER_SEC); /* forgotten; the peer as well */
	neigh_update(&me.eth, a6(PEER_GLOBAL), peer_mac, NEIGH_CREATE | NEIGH_SOLICITED);
	out_clear();
	CHECK_EQ(sendto6(u, buf, 1452, PEER_GLOBAL, 9, 0), 1452);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->len, 1514);
	packet_free(p);
	file_put(u);
	peer_teardown();
}

/* ---- sockets ---- */

TEST(loopback_of_both_families)
{
	struct iter it;
	struct socket_message m = { .data = &it };
	struct sockaddr_in6 *from = (void *)&m.name;

	peer_setup();
	struct file *u = udp6_at(53), *v = socket_create(AF_INET, SOCK_DGRAM, 0),
		    *w = socket_create(AF_INET6, SOCK_DGRAM, 0);

	CHECK_EQ(env_sendto(v, "four", 4, IP4(127, 0, 0, 1), 53), 4);
	iter_init_one(&it, buf, 100, false);
	CHECK_EQ(socket_recv(u, &m), 4);
	CHECK_MEM(from->sin6_addr, a6("::ffff:127.0.0.1").b, 16);
	CHECK_EQ(sendto6(w, "sixsix", 6, "::1", 53, 0), 6);
	iter_init_one(&it, buf, 100, false);
	m.flags = 0;
	CHECK_EQ(socket_recv(u, &m), 6);
	CHECK_MEM(from->sin6_addr, a6("::1").b, 16);
	CHECK_EQ(sendto6(w, "mapped", 6, "::ffff:127.0.0.1", 53, 0), 6);
	CHECK_EQ(env_read(u, buf, 100, 0), 6);
	CHECK_EQ(sendto6(w, "any", 3, "::", 53, 0), 3);
	CHECK_EQ(env_read(u, buf, 100, 0), 3);
	file_put(u);
	file_put(v);
	file_put(w);
	peer_teardown();
}
TEST(loopback_refused_and_large)
{
	peer_setup();
	struct file *u = udp6_at(0), *v = udp6_at(53);

	CHECK_EQ(dial6(u, "::1", 9, 0), 0);
	CHECK_EQ(env_write(u, "x", 1, 0), 1);
	CHECK_EQ(env_write(u, "x", 1, 0), -ECONNREFUSED);
	for (size_t i = 0; i < 60000; i++)
		buf[i] = (uint8_t)(i % 251);
	CHECK_EQ(sendto6(u, buf, 60000, "::1", 53, 0), 60000);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(env_read(v, buf, sizeof(buf), 0), 60000);
	CHECK_EQ(buf[59999], 59999 % 251);
	file_put(u);
	file_put(v);
	peer_teardown();
}
/* Whether b (of family fb, v6only ob) may be bound to addr b when a is: as Linux. */
TEST(ports_of_both_families)
{
	static const struct {
		const char *a, *b; /* with a dot and no colon: an AF_INET socket */
		bool only_a, only_b;
		int want;
	} t[] = {
		{ "::", "0.0.0.0", false, false, -EADDRINUSE },
		{ "0.0.0.0", "::", false, false, -EADDRINUSE },
		{ "::", "0.0.0.0", true, false, 0 },
		{ "0.0.0.0", "::", false, true, 0 },
		{ "::", "127.0.0.1", false, false, -EADDRINUSE },
		{ "::1", "127.0.0.1", false, false, 0 },
		{ "::1", "0.0.0.0", false, false, 0 },
		{ "::ffff:127.0.0.1", "127.0.0.1", false, false, -EADDRINUSE },
		{ "::ffff:127.0.0.1", "::1", false, false, 0 },
		{ "::ffff:0.0.0.0", "::1", false, false, 0 },
		{ "::ffff:0.0.0.0", "127.0.0.1", false, false, -EADDRINUSE },
		{ "::ffff:127.0.0.1", "::", false, false, -EADDRINUSE },
		{ "::ffff:127.0.0.1", "::", false, true, 0 },
		{ "::1", "::", false, false, -EADDRINUSE },
		{ "::", "::", true, false, -EADDRINUSE },
	};

	peer_setup();
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			struct file *f[2];
			int err[2];

			for (int k = 0; k < 2; k++) {
				const char *addr = k ? t[i].b : t[i].a;
				int only = k ? t[i].only_b : t[i].only_a;
				bool v4 = !strchr(addr, ':');

				f[k] = socket_create(v4 ? AF_INET : AF_INET6, type, 0);
				if (!v4)
					CHECK_EQ(socket_setopt(
							 f[k], SOL_IPV6, IPV6_V6ONLY, &only, 4),
						0);
				err[k] = v4 ? env_bind(f[k], ip_v4(a6(addr)), 77)
					    : bind6(f[k], addr, 77, 0);
			}
			CHECK_EQ(err[0], 0);
			if (err[1] != t[i].want)
				T_FAIL("%s then %s: %d", t[i].a, t[i].b, err[1]);
			file_put(f[0]);
			file_put(f[1]);
		}
	peer_teardown();
}
TEST(bind_and_connect_errors)
{
	int one = 1;

	global_setup();
	struct file *f = socket_create(AF_INET6, SOCK_STREAM, 0);

	CHECK_EQ(env_bind(f, 0, 80), -EINVAL); /* too short for an IPv6 address */
	CHECK_EQ(bind6(f, "2001:db8::77", 80, 0), -EADDRNOTAVAIL);
	CHECK_EQ(bind6(f, "ff02::1", 80, 2), -EINVAL);
	CHECK_EQ(bind6(f, ME_LL, 80, 0), -EINVAL);
	CHECK_EQ(bind6(f, ME_LL, 80, 9), -ENODEV);
	CHECK_EQ(dial6(f, PEER_LL, 80, 0), -EINVAL);
	CHECK_EQ(socket_setopt(f, SOL_IPV6, IPV6_V6ONLY, &one, 4), 0);
	CHECK_EQ(bind6(f, "::ffff:127.0.0.1", 80, 0), -EINVAL);
	CHECK_EQ(dial6(f, "::ffff:127.0.0.1", 80, 0), -ENETUNREACH);
	CHECK_EQ(bind6(f, ME_LL, 80, 2), 0);
	CHECK_EQ(socket_setopt(f, SOL_IPV6, IPV6_V6ONLY, &one, 4), -EINVAL);
	CHECK_EQ(dial6(f, PEER_LL, 80, 3), -EINVAL); /* bound to another link */
	struct sockaddr_storage a;
	uint32_t len;

	CHECK_EQ(socket_getname(f, false, &a, &len), 0);
	CHECK_EQ(((struct sockaddr_in6 *)&a)->sin6_scope_id, 2);
	file_put(f);
	peer_teardown();
}
TEST(stream_over_loopback)
{
	static const char *to[] = { "::1", "::ffff:127.0.0.1", ME_GLOBAL, ME_LL };
	struct sockaddr_storage a;
	uint32_t len;

	global_setup();
	struct file *l = socket_create(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(bind6(l, "::", 80, 0), 0);
	CHECK_EQ(socket_listen(l, 5), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(to); i++) {
		struct file *c = socket_create(AF_INET6, SOCK_STREAM, 0);

		CHECK_EQ(dial6(c, to[i], 80, 2), 0);
		struct file *s = socket_accept(l, SOCK_NONBLOCK, &a, &len);

		REQUIRE(!IS_ERR(s));
		CHECK_EQ(len, sizeof(struct sockaddr_in6));
		CHECK_MEM(((struct sockaddr_in6 *)&a)->sin6_addr, a6(to[i]).b, 16);
		for (size_t k = 0; k < 40000; k++)
			buf[k] = (uint8_t)(k % 251);
		CHECK_EQ(env_write(c, buf, 40000, 0), 40000);
		memset(buf, 0, 40000);
		CHECK_EQ(env_read(s, buf, 40000, MSG_WAITALL), 40000);
		CHECK_EQ(buf[39999], 39999 % 251);
		file_put(c);
		file_put(s);
	}
	struct file *c = socket_create(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(env_dial(c, IP4(127, 0, 0, 1), 80), 0);
	struct file *s = socket_accept(l, SOCK_NONBLOCK, &a, &len);

	REQUIRE(!IS_ERR(s));
	CHECK_MEM(((struct sockaddr_in6 *)&a)->sin6_addr, a6("::ffff:127.0.0.1").b, 16);
	file_put(c);
	file_put(s);
	file_put(l);
	env_run(200 * NSEC_PER_SEC);
	peer_teardown();
}
static void tcp6_inject(uint8_t flags, uint32_t seq, uint32_t ack, uint16_t to)
{
	size_t at = put_ip6(frame, IPPROTO_TCP, 24, a6(PEER_GLOBAL), a6(ME_GLOBAL), 64);
	struct tcp_header *h = (struct tcp_header *)(frame + at);

	*h = (struct tcp_header){ be16(80), be16(to), be32(seq), be32(ack), 6 << 4, flags,
		be16(65535), 0, 0 };
	memcpy(h + 1, "\2\4\5\240", 4); /* MSS 1440 */
	set_sum6(frame + at, 24, 16, IPPROTO_TCP, a6(PEER_GLOBAL), a6(ME_GLOBAL));
	inject(frame, at + 24);
}
TEST(segments_fit_the_path)
{
	uint8_t m[1200] = { ICMP6_TOO_BIG, 0, 0, 0, 0, 0, 1300 >> 8, 1300 & 255 };
	struct packet *p;
	uint32_t iss, got = 0;
	uint16_t port;

	global_setup();
	struct file *c = socket_create(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(dial6(c, PEER_GLOBAL, 80, 0), -EINPROGRESS);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->data[20], IPPROTO_TCP);
	CHECK_EQ(get_be16(p->data + 76), 1440); /* 1500 - 40 - 20, behind kind and length */
	port = get_be16(p->data + 54);
	iss = get_be32(p->data + 58);
	packet_free(p);
	tcp6_inject(TCP_SYN | TCP_ACK, 1000, iss + 1, port);
	out_clear();
	CHECK_EQ(env_write(c, buf, 4000, 0), 4000);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->len, 54 + 20 + 1440);
	memcpy(m + 8, p->data + 14, sizeof(m) - 8);
	packet_free(p);
	out_clear();
	put_be32(m + 8 + 40 + 4, iss + 100000); /* nothing of ours in flight: not believed */
	inject_icmp6("2001:db8::1", ME_GLOBAL, m, sizeof(m), 64);
	CHECK(!out_next());
	put_be32(m + 8 + 40 + 4, iss + 1);
	inject_icmp6("2001:db8::1", ME_GLOBAL, m, sizeof(m), 64);
	while ((p = out_next())) {
		CHECK(p->len <= 14 + 1300);
		got = MAX(got, p->len);
		packet_free(p);
	}
	CHECK_EQ(got, 14 + 1300u);
	struct route_cache r;

	CHECK_EQ(route_lookup(a6(PEER_GLOBAL), IP_ANY, 0, &r), 0);
	CHECK_EQ(r.mtu, 1300u);
	file_put(c);
	peer_teardown();
}
TEST(ping_and_raw)
{
	uint8_t m[16] = { ICMP6_ECHO, 0, 0, 0, 0, 0, 0, 1, 'p', 'i', 'n', 'g' };
	uint32_t filter[8];

	global_setup();
	struct file *ping = socket_create(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMPV6),
		    *raw = socket_create(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6),
		    *other = socket_create(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6);

	memset(filter, 0xff, sizeof(filter)); /* echo replies only */
	filter[ICMP6_ECHO_REPLY / 32] &= ~(1u << ICMP6_ECHO_REPLY % 32);
	CHECK_EQ(socket_setopt(other, SOL_ICMPV6, ICMP6_FILTER, filter, 32), 0);
	CHECK_EQ(sendto6(ping, m, 12, "::1", 0, 0), 12);
	CHECK_EQ(env_read(ping, buf, 100, 0), 12);
	CHECK_EQ(buf[0], ICMP6_ECHO_REPLY);
	CHECK_MEM(buf + 8, "ping", 4);
	CHECK_EQ(env_read(raw, buf, 100, 0), 12); /* no IPv6 header */
	CHECK_EQ(buf[0], ICMP6_ECHO);
	CHECK_EQ(env_read(raw, buf, 100, 0), 12);
	CHECK_EQ(env_read(other, buf, 100, 0), 12);
	CHECK_EQ(buf[0], ICMP6_ECHO_REPLY);
	CHECK_EQ(env_read(other, buf, 100, 0), -EAGAIN);
	file_put(ping);
	file_put(raw);
	file_put(other);
	peer_teardown();
}

/* Sound frames with bytes changed, checksums right again, into the whole stack. */
static size_t some_frame(unsigned long *seed)
{
	static const uint8_t types[] = { 1, 2, 3, 4, 128, 129, 130, 131, 133, 134, 135, 136, 137,
		143 };
	static const char *dsts[] = { ME_GLOBAL, ME_LL, "ff02::1", "ff02::1:ff00:1" };
	const char *dst = dsts[t_random(seed) % 4];
	size_t n = t_random(seed) % 200, at;

	switch (t_random(seed) % 4) {
	case 0: return put_udp6(PEER_LL, dst, 999, (uint16_t)(53 + t_random(seed) % 2), buf, n);
	case 1:
		at = put_ip6(frame, IPPROTO_TCP, n, a6(PEER_GLOBAL), a6(ME_GLOBAL), 64);
		for (size_t k = 0; k < n; k++)
			frame[at + k] = (uint8_t)t_random(seed);
		if (n > 20) {
			put_be16(frame + at + 2, 80);
			frame[at + 12] = (uint8_t)(0x50 + 16 * (t_random(seed) % 3));
		}
		return at + n;
	default:
		at = put_ip6(frame, IPPROTO_ICMPV6, n, a6(PEER_LL), a6(dst),
			t_random(seed) % 3 ? 255 : 1);
		for (size_t k = 0; k < n; k++)
			frame[at + k] =
				(uint8_t)(t_random(seed) % 4 ? t_random(seed) % 4 : t_random(seed));
		if (n > 1) {
			frame[at] = types[t_random(seed) % sizeof(types)];
			frame[at + 1] = 0;
		}
		if (n > 60 && frame[at] < 5) { /* quotes one of ours */
			frame[at + 8] = 0x60;
			frame[at + 14] = t_random(seed) % 2 ? IPPROTO_UDP : IPPROTO_TCP;
			memcpy(frame + at + 16, a6(ME_GLOBAL).b, 16);
		}
		return at + n;
	}
}
static void fix_sums(size_t n)
{
	struct ip_addr src = ip_from_bytes(frame + 22), dst = ip_from_bytes(frame + 38);
	unsigned at = frame[20] == IPPROTO_TCP ? 16 : frame[20] == IPPROTO_UDP ? 6 : 2;

	if (n > 54 + at + 2)
		set_sum6(frame + 54, n - 54, at, frame[20], src, dst);
}
TEST(mutated_frames)
{
	unsigned long seed = 4242;

	for (int round = 0; round < 60; round++) {
		global_setup();
		env_no_threads = true; /* a router may say that there is DHCP */
		struct file *u = udp6_at(53), *l = socket_create(AF_INET6, SOCK_STREAM, 0);
		struct file *raw =
			socket_create(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6);

		bind6(l, "::", 80, 0);
		socket_listen(l, 5);
		for (int i = 0; i < 500; i++) {
			size_t n = some_frame(&seed);
			uint8_t h[64];

			for (unsigned k = t_random(&seed) % 3; k; k--)
				frame[54 + t_random(&seed) % (n - 53)] = (uint8_t)t_random(&seed);
			fix_sums(n);
			for (unsigned k = t_random(&seed) % 4; k; k--) {
				static const uint8_t kinds[] = { IP6_HOPOPTS, IP6_DSTOPTS,
					IP6_ROUTING, IP6_FRAGMENT };
				size_t len = 8 + 8 * (t_random(&seed) % 3);

				for (size_t j = 0; j < len; j++)
					h[j] = (uint8_t)(t_random(&seed) % 3 ? 0 : t_random(&seed));
				h[1] = (uint8_t)(len / 8 - 1);
				n = insert(n, kinds[t_random(&seed) % 4], h, len);
			}
			if (t_random(&seed) % 8 == 0)
				frame[14 + t_random(&seed) % 40] = (uint8_t)t_random(&seed);
			inject(frame, t_random(&seed) % 10 ? n : t_random(&seed) % n);
			if (i % 50 == 0)
				env_run(NSEC_PER_SEC);
		}
		out_clear();
		file_put(u);
		file_put(l);
		file_put(raw);
		peer_teardown();
		env_no_threads = false;
	}
}
