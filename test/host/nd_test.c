/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbour discovery, address tests, what routers say, groups: by case, in virtual time. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "ip6_peer.h"

static uint8_t buf[2000];

static unsigned address_flags(const char *text)
{
	const struct net_config *c = net_config();

	for (unsigned i = 0; i < c->addr_count; i++)
		if (ip_equal(c->addr[i].addr, a6(text)))
			return c->addr[i].flags;
	return 0x100;
}

TEST(addresses_as_text)
{
	static const struct {
		const char *in, *out; /* NULL: wrong */
	} t[] = {
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "0:0:0:1:0:0:0:0", "0:0:0:1::" },
		{ "fe80::ff:fe00:1", "fe80::ff:fe00:1" },
		{ "::ffff:1.2.3.4", "1.2.3.4" },
		{ "1.2.3.4", "1.2.3.4" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "1:2:3:4:5:6:7", NULL },
		{ "1::2::3", NULL },
		{ ":1", NULL },
		{ "12345::", NULL },
		{ "", NULL },
		{ "1:", NULL },
		{ "1:2:3:4:5:6:7:8::", NULL },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct ip_addr a;
		char text[IP_TEXT];
		const char *end = ip_parse(t[i].in, &a);

		if (!t[i].out) {
			CHECK(!end || *end);
			continue;
		}
		if (!end || *end) {
			T_FAIL("not read: %s", t[i].in);
			continue;
		}
		ip_format(a, text);
		CHECK_STR(text, t[i].out);
	}
}
TEST(link_local_address_is_tested_first)
{
	struct packet *p;

	peer_setup();
	nd_start(&me.eth, true);
	CHECK_EQ(address_flags(ME_LL), ADDR_TENTATIVE);
	CHECK_EQ(ip_local_kind(a6(ME_LL)), IP_NOT_LOCAL);
	env_run(NSEC_PER_MSEC);
	p = out_icmp6(ICMP6_ROUTER_SOL);
	REQUIRE(p);
	CHECK_MEM(p->data + 8, a6("::").b, 16);
	CHECK_EQ(p->len, 48); /* no link address with an unspecified source */
	CHECK_EQ(p->data[7], 255);
	packet_free(p);
	p = out_icmp6(ICMP6_NEIGH_SOL);
	REQUIRE(p);
	CHECK_MEM(p->data + 8, a6("::").b, 16);
	CHECK_MEM(p->data + 24, a6("ff02::1:ff00:1").b, 16);
	CHECK_MEM(p->data + 48, a6(ME_LL).b, 16);
	CHECK_EQ(p->len, 64);
	packet_free(p);
	env_run(900 * NSEC_PER_MSEC);
	CHECK_EQ(address_flags(ME_LL), ADDR_TENTATIVE);
	env_run(200 * NSEC_PER_MSEC);
	CHECK_EQ(address_flags(ME_LL), 0);
	CHECK_EQ(ip_local_kind(a6(ME_LL)), IP_LOCAL);
	out_clear();
	env_run(20 * NSEC_PER_SEC); /* two more solicitations, from the address now */
	for (int i = 0; i < 2; i++) {
		p = out_icmp6(ICMP6_ROUTER_SOL);
		REQUIRE(p);
		CHECK_MEM(p->data + 8, a6(ME_LL).b, 16);
		CHECK_EQ(p->len, 56);
		packet_free(p);
	}
	CHECK(!out_icmp6(ICMP6_ROUTER_SOL));
	peer_teardown();
}
TEST(somebody_has_the_address)
{
	for (int kind = 0; kind < 3; kind++) {
		peer_setup();
		nd_start(&me.eth, true);
		env_run(100 * NSEC_PER_MSEC);
		if (kind == 0)
			neighbour_advertises(ME_LL, "ff02::1", NA_OVERRIDE);
		else if (kind == 1) /* it tests the same */
			neighbour_asks("::", "ff02::1:ff00:1", ME_LL, false);
		else /* it asks for its owner: that is no conflict */
			neighbour_asks(PEER_LL, "ff02::1:ff00:1", ME_LL, true);
		env_run(2 * NSEC_PER_SEC);
		CHECK_EQ(address_flags(ME_LL),
			(kind == 2 ? 0u : (unsigned)(ADDR_TENTATIVE | ADDR_DUPLICATE)));
		CHECK_EQ(ip_local_kind(a6(ME_LL)), (kind == 2 ? IP_LOCAL : IP_NOT_LOCAL));
		peer_teardown();
	}
}
TEST(solicitations_are_answered)
{
	struct packet *p;

	link_setup();
	neighbour_asks(PEER_LL, "ff02::1:ff00:1", ME_LL, true);
	p = out_icmp6(ICMP6_NEIGH_ADV);
	REQUIRE(p);
	CHECK_EQ(get_be32(p->data + 44), NA_SOLICITED | NA_OVERRIDE);
	CHECK_MEM(p->data + 24, a6(PEER_LL).b, 16);
	CHECK_MEM(p->data + 48, a6(ME_LL).b, 16);
	CHECK_MEM(p->data + 66, me.eth.mac, 6);
	packet_free(p);
	/* somebody tests our address */
	neighbour_asks("::", "ff02::1:ff00:1", ME_LL, false);
	p = out_icmp6(ICMP6_NEIGH_ADV);
	REQUIRE(p);
	CHECK_EQ(get_be32(p->data + 44), NA_OVERRIDE);
	CHECK_MEM(p->data + 24, a6("ff02::1").b, 16);
	packet_free(p);
	/* not ours, from behind a router, malformed */
	neighbour_asks(PEER_LL, "ff02::1:ff00:1", "fe80::ff:fe00:77", true);
	neighbour_asks("::", "ff02::1:ff00:1", ME_LL, true);
	uint8_t m[32] = { ICMP6_NEIGH_SOL };

	memcpy(m + 8, a6(ME_LL).b, 16);
	m[24] = 1;
	m[25] = 1;
	inject_icmp6(PEER_LL, ME_LL, m, 32, 254);
	m[25] = 0;
	inject_icmp6(PEER_LL, ME_LL, m, 32, 255);
	inject_icmp6(PEER_LL, ME_LL, m, 20, 255);
	m[1] = 1;
	inject_icmp6(PEER_LL, ME_LL, m, 24, 255);
	CHECK(!out_icmp6(ICMP6_NEIGH_ADV));
	peer_teardown();
}
TEST(neighbour_is_found_and_watched)
{
	struct packet *p;
	struct file *u;

	link_setup();
	u = udp6_at(53);
	CHECK_EQ(sendto6(u, "x", 1, PEER_LL, 9, 2), 1);
	p = out_icmp6(ICMP6_NEIGH_SOL);
	REQUIRE(p);
	CHECK_MEM(p->data + 24, a6("ff02::1:ff00:9").b, 16);
	CHECK_MEM(p->data + 8, a6(ME_LL).b, 16);
	packet_free(p);
	CHECK(!out_next());
	neighbour_advertises(PEER_LL, ME_LL, NA_SOLICITED | NA_OVERRIDE);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->data[20], IPPROTO_UDP);
	CHECK_MEM(p->data, peer_mac, 6);
	packet_free(p);
	/* stale after at most 45 s: used on, asked five seconds later, dropped after three more */
	env_run(50 * NSEC_PER_SEC);
	CHECK_EQ(sendto6(u, "x", 1, PEER_LL, 9, 2), 1);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->data[20], IPPROTO_UDP);
	packet_free(p);
	env_run(4 * NSEC_PER_SEC);
	CHECK(!out_icmp6(ICMP6_NEIGH_SOL));
	env_run(2 * NSEC_PER_SEC);
	p = out_icmp6(ICMP6_NEIGH_SOL);
	REQUIRE(p);
	CHECK_MEM(p->data + 24, a6(PEER_LL).b, 16); /* unicast */
	packet_free(p);
	env_run(5 * NSEC_PER_SEC);
	out_clear();
	CHECK_EQ(sendto6(u, "x", 1, PEER_LL, 9, 2), 1);
	p = out_icmp6(ICMP6_NEIGH_SOL); /* from the beginning */
	REQUIRE(p);
	packet_free(p);
	env_run(10 * NSEC_PER_SEC);
	file_put(u);
	peer_teardown();
}
TEST(unsolicited_advertisement_without_override_changes_nothing)
{
	uint8_t other[6] = { 2, 0, 0, 0, 0, 7 };
	struct packet *p;
	struct file *u;

	link_setup();
	u = udp6_at(53);
	neigh_update(&me.eth, a6(PEER_LL), other, NEIGH_CREATE | NEIGH_SOLICITED);
	neighbour_advertises(PEER_LL, "ff02::1", 0);
	CHECK_EQ(sendto6(u, "x", 1, PEER_LL, 9, 2), 1);
	p = out_next();
	REQUIRE(p);
	CHECK_MEM(p->data, other, 6);
	packet_free(p);
	neighbour_advertises(PEER_LL, "ff02::1", NA_OVERRIDE);
	CHECK_EQ(sendto6(u, "x", 1, PEER_LL, 9, 2), 1);
	p = out_next();
	REQUIRE(p);
	CHECK_MEM(p->data, peer_mac, 6);
	packet_free(p);
	/* nobody knows it: no entry is made */
	neighbour_advertises("fe80::99", "ff02::1", NA_OVERRIDE);
	for (int i = 0; i < NEIGH_COUNT; i++)
		CHECK(!ip_equal(me.net.neigh[i].ip, a6("fe80::99")));
	file_put(u);
	peer_teardown();
}
TEST(unreachable_neighbour_is_reported)
{
	struct file *u;
	int on = 1;

	link_setup();
	u = udp6_at(53);
	CHECK_EQ(dial6(u, PEER_LL, 9, 2), 0);
	CHECK_EQ(env_write(u, "x", 1, 0), 1);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(env_read(u, buf, 10, MSG_DONTWAIT), -EAGAIN);
	CHECK_EQ(socket_setopt(u, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on)), 0);
	CHECK_EQ(env_write(u, "x", 1, 0), 1);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(env_read(u, buf, 10, MSG_DONTWAIT), -EHOSTUNREACH);
	file_put(u);
	peer_teardown();
}

/* ---- routers ---- */

TEST(address_from_a_prefix_lives_and_dies)
{
	link_setup();
	SEND_RA(.lifetime = 1800, .prefix = "2001:db8::", .valid = 10000, .preferred = 5000);
	CHECK_EQ(address_flags(ME_GLOBAL), ADDR_TENTATIVE | ADDR_DYNAMIC | ADDR_NO_ROUTE);
	env_run(2 * NSEC_PER_SEC);
	CHECK_EQ(address_flags(ME_GLOBAL), ADDR_DYNAMIC | ADDR_NO_ROUTE);
	env_run(5000 * NSEC_PER_SEC);
	CHECK(address_flags(ME_GLOBAL) & ADDR_DEPRECATED);
	CHECK_EQ(ip_local_kind(a6(ME_GLOBAL)), IP_LOCAL);
	env_run(5000 * NSEC_PER_SEC);
	CHECK_EQ(ip_local_kind(a6(ME_GLOBAL)), IP_NOT_LOCAL);
	CHECK_EQ(net_config()->route_count, 3u); /* lo, the IPv4 link, fe80::/64 */
	peer_teardown();
}
TEST(forged_lifetimes_leave_two_hours)
{
	uint32_t preferred, valid;
	struct net_addr a = { .dev = &me.eth, .addr = a6(ME_GLOBAL) };

	global_setup();
	SEND_RA(.lifetime = 1800, .prefix = "2001:db8::", .valid = 0, .preferred = 0);
	nd_lifetimes(&a, &preferred, &valid);
	CHECK_EQ(preferred, 0u);
	CHECK_EQ(valid, 7200u);
	env_run(3600 * NSEC_PER_SEC);
	SEND_RA(.lifetime = 1800, .prefix = "2001:db8::", .valid = 60, .preferred = 60);
	nd_lifetimes(&a, &preferred, &valid);
	CHECK_EQ(valid, 3600u);
	SEND_RA(.lifetime = 1800, .prefix = "2001:db8::", .valid = 4000, .preferred = 100);
	nd_lifetimes(&a, &preferred, &valid);
	CHECK_EQ(valid, 4000u);
	CHECK_EQ(preferred, 100u);
	peer_teardown();
}
TEST(prefixes_that_are_not_taken)
{
	link_setup();
	unsigned addresses = net_config()->addr_count;

	SEND_RA(.prefix = "2001:db8::", .valid = 10, .preferred = 20);
	SEND_RA(.prefix = "2001:db8::", .valid = 20, .preferred = 10, .prefix_len = 80);
	SEND_RA(.prefix = "fe80::", .valid = 20, .preferred = 10);
	SEND_RA(.prefix = "ff02::", .valid = 20, .preferred = 10);
	SEND_RA(.prefix = "2001:db8::", .valid = 20, .preferred = 10, .hops = 64);
	SEND_RA(.prefix = "2001:db8::", .valid = 20, .preferred = 10, .from = "2001:db8::1");
	SEND_RA(.prefix = "2001:db8::", .valid = 20, .preferred = 10,
		.prefix_flags = ND_PREFIX_ONLINK);
	CHECK_EQ(net_config()->addr_count, addresses);
	peer_teardown();
}
TEST(flood_of_prefixes_is_bounded)
{
	char text[40], router[40];

	link_setup();
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "2001:db8:%x::", i);
		SEND_RA(.lifetime = 100, .prefix = text, .valid = 1000, .preferred = 1000);
		snprintf(router, sizeof(router), "fe80::%x", i + 1);
		SEND_RA(.lifetime = 100, .from = router);
	}
	CHECK(net_config()->addr_count <= ND_ADDRESSES + 3);
	CHECK(net_config()->route_count <= 3 + ND_PREFIXES + ND_ROUTERS);
	env_run(2000 * NSEC_PER_SEC);
	CHECK_EQ(net_config()->route_count, 3u);
	peer_teardown();
}
TEST(default_routers)
{
	struct route_cache r;
	struct file *u;

	global_setup();
	CHECK_EQ(route_lookup(a6("2001:db8:f::1"), IP_ANY, 0, &r), 0);
	CHECK(ip_equal(r.next_hop, a6(PEER_LL)));
	CHECK(ip_equal(r.src, a6(ME_GLOBAL)));
	CHECK_EQ(route_lookup(a6("2001:db8::77"), IP_ANY, 0, &r), 0);
	CHECK(ip_equal(r.next_hop, a6("2001:db8::77"))); /* on the link */
	/* a better one, then a worse one */
	SEND_RA(.from = "fe80::5", .lifetime = 1800, .flags = 1 << 3);
	route_lookup(a6("2001:db8:f::1"), IP_ANY, 0, &r);
	CHECK(ip_equal(r.next_hop, a6("fe80::5")));
	/* it does not answer: the other is taken */
	u = udp6_at(53);
	env_run(60 * NSEC_PER_SEC);
	CHECK_EQ(sendto6(u, "x", 1, "2001:db8:f::1", 9, 0), 1);
	env_run(20 * NSEC_PER_SEC);
	route_lookup(a6("2001:db8:f::1"), IP_ANY, 0, &r);
	CHECK(ip_equal(r.next_hop, a6(PEER_LL)));
	SEND_RA(.lifetime = 0);
	route_lookup(a6("2001:db8:f::1"), IP_ANY, 0, &r);
	CHECK(ip_equal(r.next_hop, a6("fe80::5"))); /* the last choice, but one */
	SEND_RA(.from = "fe80::5", .lifetime = 0);
	CHECK_EQ(route_lookup(a6("2001:db8:f::1"), IP_ANY, 0, &r), -ENETUNREACH);
	file_put(u);
	peer_teardown();
}
TEST(router_lifetime_ends)
{
	struct route_cache r;

	global_setup();
	env_run(1801 * NSEC_PER_SEC);
	CHECK_EQ(route_lookup(a6("2001:db8:f::1"), IP_ANY, 0, &r), -ENETUNREACH);
	CHECK_EQ(route_lookup(a6("2001:db8::1"), IP_ANY, 0, &r), 0); /* the prefix lives on */
	peer_teardown();
}
TEST(link_mtu)
{
	struct route_cache r;

	global_setup();
	SEND_RA(.lifetime = 1800, .mtu = 1279);
	route_lookup(a6("2001:db8::1"), IP_ANY, 0, &r);
	CHECK_EQ(r.mtu, 1500u);
	SEND_RA(.lifetime = 1800, .mtu = 1400);
	route_lookup(a6("2001:db8::1"), IP_ANY, 0, &r);
	CHECK_EQ(r.mtu, 1400u);
	SEND_RA(.lifetime = 1800, .mtu = 9000);
	route_lookup(a6("2001:db8::1"), IP_ANY, 0, &r);
	CHECK_EQ(r.mtu, 1400u);
	peer_teardown();
}

static char resolv[1200];
static void take_resolv(const char *text)
{
	snprintf(resolv, sizeof(resolv), "%s", text);
}
TEST(name_servers)
{
	net_resolv_conf = take_resolv;
	link_setup();
	SEND_RA(.dns = "2001:db8::53", .dns_life = 600, .search = "\7example\3org\0\0\0\0",
		.search_len = 16);
	CHECK_STR(resolv, "search example.org\nnameserver 2001:db8::53\n");
	SEND_RA(.dns = PEER_LL, .dns_life = 100);
	CHECK_STR(resolv,
		"search example.org\nnameserver 2001:db8::53\nnameserver fe80::ff:fe00:9%eth0\n");
	env_run(101 * NSEC_PER_SEC);
	CHECK_STR(resolv, "search example.org\nnameserver 2001:db8::53\n");
	SEND_RA(.dns = "2001:db8::53", .dns_life = 0);
	CHECK_STR(resolv, "search example.org\n");
	env_run(500 * NSEC_PER_SEC);
	CHECK_STR(resolv, "");
	SEND_RA(.dns_life = 10, .search = "\5a\nb;c\1d\0\0\0\0\0\0\0", .search_len = 16);
	CHECK(!strchr(resolv, ';'));
	SEND_RA(.dns_life = 10, .search = "\77aaaaaaaaaaaaaaa", .search_len = 16);
	net_resolv_conf = NULL;
	peer_teardown();
}
TEST(redirects)
{
	struct {
		struct nd_redirect r;
		uint8_t option[8];
	} m = { .r = { .type = ICMP6_REDIRECT }, .option = { ND_OPT_TARGET, 1, 2, 0, 0, 0, 0, 5 } };
	struct route_cache r;
	struct ip_addr far = a6("2001:db8:f::1"), other = a6("fe80::5");

	memcpy(m.r.target, other.b, 16);
	memcpy(m.r.dst, far.b, 16);
	global_setup();
	inject_icmp6("fe80::77", ME_LL, &m, sizeof(m), 255); /* not our router */
	inject_icmp6(PEER_LL, ME_LL, &m, sizeof(m), 64);
	route_lookup(far, IP_ANY, 0, &r);
	CHECK(ip_equal(r.next_hop, a6(PEER_LL)));
	inject_icmp6(PEER_LL, ME_LL, &m, sizeof(m), 255);
	route_lookup(far, IP_ANY, 0, &r);
	CHECK(ip_equal(r.next_hop, other));
	route_lookup(a6("2001:db8:f::2"), IP_ANY, 0, &r);
	CHECK(ip_equal(r.next_hop, a6(PEER_LL)));
	for (int i = 0; i < 100; i++) {
		m.r.dst[15] = (uint8_t)(i + 2);
		inject_icmp6(PEER_LL, ME_LL, &m, sizeof(m), 255);
	}
	CHECK(net_config()->route_count <= 5 + ND_REDIRECTS);
	env_run(700 * NSEC_PER_SEC);
	route_lookup(far, IP_ANY, 0, &r);
	CHECK(ip_equal(r.next_hop, a6(PEER_LL)));
	peer_teardown();
}

/* ---- source addresses: the examples of RFC 6724, 10.1 ---- */

static void source_case(
	const char *dst, const char *a, unsigned fa, const char *b, unsigned fb, const char *want)
{
	struct route_cache r;

	for (int swap = 0; swap < 2; swap++) {
		peer_setup();
		netif_add(&(struct net_addr){ .dev = &me.eth,
			.addr = a6(swap ? b : a),
			.prefix = 64,
			.flags = (uint8_t)(swap ? fb : fa) });
		netif_add(&(struct net_addr){ .dev = &me.eth,
			.addr = a6(swap ? a : b),
			.prefix = 64,
			.flags = (uint8_t)(swap ? fa : fb) });
		route_insert(&(struct route){ .gateway = a6("fe80::1"), .dev = &me.eth });
		CHECK_EQ(route_lookup(a6(dst), IP_ANY, 0, &r), 0);
		char text[IP_TEXT];

		ip_format(r.src, text);
		CHECK_STR(text, want);
		peer_teardown();
	}
}
TEST(source_addresses)
{
	source_case("2001:db8:1::1", "2001:db8:3::1", 0, "fe80::1", 0, "2001:db8:3::1");
	source_case("ff05::1", "2001:db8:3::1", 0, "fe80::1", 0, "2001:db8:3::1");
	source_case("2001:db8:1::1", "2001:db8:1::2", ADDR_DEPRECATED, "2001:db8:3::2", 0,
		"2001:db8:3::2");
	source_case("fe80::5", "fe80::2", ADDR_DEPRECATED, "2001:db8:1::2", 0, "fe80::2");
	source_case("2001:db8:1::d5e3", "2001:db8:1::2", 0, "2001:db8:3::2", 0, "2001:db8:1::2");
	source_case("2002:c633:6401::d5e3", "2002:c633:6401:0:1::1", 0, "2001:db8:1::2", 0,
		"2002:c633:6401:0:1::1");
	source_case("2001:db8:1::1", "fd00::1", 0, "2001:db8:9::1", 0, "2001:db8:9::1");
	source_case("fd00:2::1", "fd00::1", 0, "2001:db8:9::1", 0, "fd00::1");
	source_case("2001:db8::1", "fec0::1", 0, "2001:db8:9::1", ADDR_TENTATIVE, "fec0::1");
}

/* ---- groups ---- */

static unsigned reports_of(const char *group, uint8_t record)
{
	struct packet *p;
	unsigned n = 0;

	while ((p = out_next())) {
		const uint8_t *m = p->data + 62; /* behind the router alert */

		if (p->len > 82 && p->data[20] == 0 && m[0] == ICMP6_MLD2_REPORT) {
			CHECK_EQ(p->data[21], 1);
			for (unsigned k = 0; k < get_be16(m + 6); k++)
				n += m[8 + 20 * k] == record &&
				     memcmp(m + 12 + 20 * k, a6(group).b, 16) == 0;
		}
		packet_free(p);
	}
	return n;
}
TEST(groups_are_reported)
{
	struct ipv6_mreq m = { .ipv6mr_ifindex = 2 };
	uint8_t query[28] = { ICMP6_MLD_QUERY, 0, 0, 0, 0, 100 };

	memcpy(m.ipv6mr_multiaddr, a6("ff02::77").b, 16);
	link_setup();
	struct file *u = udp6_at(53), *v = udp6_at(54);

	CHECK_EQ(socket_setopt(u, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), 0);
	CHECK_EQ(socket_setopt(v, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), 0);
	CHECK_EQ(socket_setopt(u, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), -EADDRINUSE);
	env_run(3 * NSEC_PER_SEC);
	CHECK_EQ(reports_of("ff02::77", 4), 2u);
	inject_icmp6(PEER_LL, "ff02::1", query, 28, 1);
	env_run(NSEC_PER_SEC);
	CHECK_EQ(reports_of("ff02::77", 2), 1u);
	inject_icmp6(PEER_LL, "ff02::1", query, 28, 2); /* from afar */
	inject_icmp6("2001:db8::9", "ff02::1", query, 28, 1);
	env_run(NSEC_PER_SEC);
	CHECK_EQ(reports_of("ff02::77", 2), 0u);
	CHECK_EQ(socket_setopt(u, SOL_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)), 0);
	CHECK_EQ(socket_setopt(u, SOL_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)), -EADDRNOTAVAIL);
	env_run(3 * NSEC_PER_SEC);
	CHECK_EQ(reports_of("ff02::77", 3), 0u); /* the other is still there */
	file_put(v);
	env_run(3 * NSEC_PER_SEC);
	CHECK_EQ(reports_of("ff02::77", 3), 2u);
	file_put(u);
	peer_teardown();
}
TEST(old_querier_gets_old_reports)
{
	uint8_t query[24] = { ICMP6_MLD_QUERY, 0, 0, 0, 0, 100 };
	struct packet *p;
	unsigned n = 0;

	link_setup();
	inject_icmp6(PEER_LL, "ff02::1", query, 24, 1);
	env_run(NSEC_PER_SEC);
	while ((p = out_next())) {
		n += p->data[20] == 0 && p->data[62] == ICMP6_MLD_REPORT &&
		     memcmp(p->data + 70, a6("ff02::1:ff00:1").b, 16) == 0;
		packet_free(p);
	}
	CHECK_EQ(n, 1u);
	peer_teardown();
}
TEST(only_joined_groups_are_heard)
{
	struct ipv6_mreq m = { .ipv6mr_ifindex = 2 };
	uint8_t f[100];

	memcpy(m.ipv6mr_multiaddr, a6("ff02::77").b, 16);
	link_setup();
	struct file *u = udp6_at(53);
	size_t at = put_ip6(f, IPPROTO_UDP, 12, a6(PEER_LL), a6("ff02::77"), 1);

	memcpy(f + at, "\3\347\0\65\0\14\0\0text", 12);
	set_sum6(f + at, 12, 6, IPPROTO_UDP, a6(PEER_LL), a6("ff02::77"));
	inject(f, at + 12);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	socket_setopt(u, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m));
	inject(f, at + 12);
	CHECK_EQ(env_read(u, buf, 100, 0), 4);
	/* our own, looped back as if it came from the link */
	CHECK_EQ(sendto6(u, "abc", 3, "ff02::77", 53, 2), 3);
	CHECK_EQ(env_read(u, buf, 100, 0), 3);
	file_put(u);
	peer_teardown();
}
