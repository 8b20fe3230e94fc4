/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCPv6: messages of a hostile server, and the client's life against a scripted one. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#define CO_THREAD "dhcp6"
#include "net_coroutine.h"

#include "net/config.h"
#include "net/dhcp6.h"

static uint8_t packet[1500];
static size_t length;

static void option(uint16_t code, const void *data, size_t n)
{
	put_be16(packet + length, code);
	put_be16(packet + length + 2, (uint16_t)n);
	memcpy(packet + length + 4, data, n);
	length += 4 + n;
}

struct answer {
	uint8_t type, preference;
	const char *addr; /* NULL: no IA */
	uint32_t preferred, valid, t1, t2;
	uint16_t status, ia_status;
	bool other_client, no_server, other_ia;
	uint8_t server; /* the last byte of its DUID */
};
static void build(struct dhcp6_id id, uint32_t xid, struct answer a)
{
	static const char names[] = "\7example\3org";
	struct dhcp6_id server = dhcp6_id(peer_mac, peer_mac);
	uint8_t ia[12 + 28 + 8], status[2];
	size_t n = 12;

	memset(packet, 0, sizeof(packet));
	put_be32(packet, (uint32_t)a.type << 24 | xid);
	length = 4;
	id.duid[9] ^= a.other_client;
	option(1, id.duid, 10);
	server.duid[9] = a.server;
	if (!a.no_server)
		option(2, server.duid, 10);
	if (a.addr) {
		memset(ia, 0, sizeof(ia));
		memcpy(ia, id.iaid, 4);
		ia[3] ^= a.other_ia;
		put_be32(ia + 4, a.t1);
		put_be32(ia + 8, a.t2);
		if (a.addr[0]) {
			put_be16(ia + 12, 5);
			put_be16(ia + 14, 24);
			memcpy(ia + 16, a6(a.addr).b, 16);
			put_be32(ia + 32, a.preferred);
			put_be32(ia + 36, a.valid);
			n = 40;
		}
		if (a.ia_status) {
			put_be16(ia + n, 13);
			put_be16(ia + n + 2, 2);
			put_be16(ia + n + 4, a.ia_status);
			n += 6;
		}
		option(3, ia, n);
	}
	put_be16(status, a.status);
	option(13, status, 2);
	option(7, &a.preference, 1);
	option(23, a6("2001:db8::53").b, 16);
	option(24, names, sizeof(names));
}
static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
#define BUILD(...) build(dhcp6_id(mac, mac), 7, (struct answer){ __VA_ARGS__ })
static bool parse(struct dhcp6_answer *a)
{
	/* in memory of its own: a read behind the end is found */
	struct dhcp6_id id = dhcp6_id(mac, mac);
	uint8_t *exact = malloc(length);
	bool ok;

	memcpy(exact, packet, length);
	ok = dhcp6_parse(exact, length, 7, &id, a);
	free(exact);
	return ok;
}

TEST(sound_answer)
{
	struct dhcp6_answer a;

	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 1000, .valid = 2000,
		.preference = 9);
	REQUIRE(parse(&a));
	CHECK_EQ(a.type, DHCP6_REPLY);
	CHECK(ip_equal(a.addr, a6("2001:db8::5")));
	CHECK_EQ(a.t1, 500u);
	CHECK_EQ(a.t2, 800u);
	CHECK_EQ(a.preference, 9);
	CHECK_EQ(a.dns_count, 1u);
	CHECK_STR(a.search, "example.org");
	CHECK_EQ(a.server_len, 10u);
	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = ~0u, .valid = ~0u);
	REQUIRE(parse(&a));
	CHECK_EQ(a.t1, ~0u);
	CHECK_EQ(a.t2, ~0u);
}
TEST(answers_that_are_not_for_us)
{
	struct dhcp6_answer a;

	BUILD(.type = DHCP6_REPLY, .other_client = true);
	CHECK(!parse(&a));
	BUILD(.type = DHCP6_REPLY, .no_server = true);
	CHECK(!parse(&a));
	BUILD(.type = DHCP6_SOLICIT);
	CHECK(!parse(&a));
	build(dhcp6_id(mac, mac), 8, (struct answer){ .type = DHCP6_REPLY });
	CHECK(!parse(&a));
	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 1, .valid = 2,
		.other_ia = true);
	CHECK(parse(&a) && !a.has_ia && ip_is_any(a.addr));
}
TEST(addresses_that_are_not_taken)
{
	static const char *bad[] = { "::", "ff02::1", "fe80::1", "::1", "::ffff:10.0.0.1" };
	struct dhcp6_answer a;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		BUILD(.type = DHCP6_REPLY, .addr = bad[i], .preferred = 1000, .valid = 2000);
		CHECK(parse(&a) && ip_is_any(a.addr));
	}
	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 3000, .valid = 2000);
	CHECK(parse(&a) && ip_is_any(a.addr));
	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 0, .valid = 0);
	CHECK(parse(&a) && ip_is_any(a.addr));
	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 1, .valid = 2, .t1 = 9,
		.t2 = 8);
	CHECK(parse(&a) && ip_is_any(a.addr));
	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 100, .valid = 200, .t1 = 900,
		.t2 = 1800);
	CHECK(parse(&a) && a.t1 <= a.t2 && a.t2 <= 200);
}
TEST(cut_and_mutated_answers)
{
	struct dhcp6_answer a;
	unsigned long seed = 77;

	BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 1000, .valid = 2000);
	size_t whole = length;

	for (length = 0; length < whole; length++)
		if (parse(&a)) /* only between two options, with what must be there */
			CHECK(a.server_len && length >= 4 + 14 + 14);
	for (int i = 0; i < 200000; i++) {
		BUILD(.type = DHCP6_REPLY, .addr = "2001:db8::5", .preferred = 1000, .valid = 2000,
			.ia_status = (uint16_t)(t_random(&seed) % 2));
		for (unsigned k = 1 + t_random(&seed) % 4; k; k--)
			packet[4 + t_random(&seed) % (length - 4)] =
				(uint8_t)(t_random(&seed) % 3 ? t_random(&seed) % 40
							      : t_random(&seed));
		if (t_random(&seed) % 8 == 0)
			length = t_random(&seed) % length;
		if (!parse(&a))
			continue;
		CHECK(a.server_len && a.server_len <= DHCP6_MAX_DUID);
		CHECK(a.dns_count <= DHCP6_MAX_DNS);
		CHECK(strlen(a.search) < sizeof(a.search));
		if (!ip_is_any(a.addr))
			CHECK(a.t1 <= a.t2 && a.preferred <= a.valid);
	}
}

/* ---- a life ---- */

static struct netdev second;

/* One on the link of each card. */
static struct server {
	struct netdev *dev;
	const char *client; /* the card's link-local address */
	bool silent, refuse, two;
	const char *addr;
	unsigned solicits, requests, renews, rebinds, releases, declines, informs;
	uint8_t asked; /* the server that was requested from */
} server = { .dev = &me.eth, .client = ME_LL },
  other = { .dev = &second, .client = "fe80::ff:fe00:2" };

static void reply(const struct server *s, uint32_t xid, struct answer a)
{
	struct packet *p;
	uint8_t f[1600];
	size_t at;

	a.addr = s->addr;
	a.preferred = 1000;
	a.valid = 2000;
	if (s->refuse && a.type == DHCP6_REPLY) {
		a.addr = "";
		a.ia_status = DHCP6_NO_BINDING;
	}
	build(dhcp6_id(me.eth.mac, s->dev->mac), xid, a);
	at = put_ip6(f, IPPROTO_UDP, 8 + length, a6(PEER_LL), a6(s->client), 64);
	memcpy(f, s->dev->mac, 6);
	*(struct udp_header *)(f + at) =
		(struct udp_header){ be16(547), be16(546), be16((uint16_t)(8 + length)), 0 };
	memcpy(f + at + 8, packet, length);
	set_sum6(f + at, 8 + length, 6, IPPROTO_UDP, a6(PEER_LL), a6(s->client));
	p = packet_alloc(0, at + 8 + length);
	memcpy(packet_put(p, at + 8 + length), f, at + 8 + length);
	s->dev->rx(s->dev, p);
	net_thread_work();
}

static void handle(struct server *s, const uint8_t *m, size_t n)
{
	uint32_t xid = get_be32(m) & 0xffffff;

	switch (m[0]) {
	case DHCP6_SOLICIT:
		s->solicits++;
		if (s->silent)
			return;
		reply(s, xid, (struct answer){ .type = DHCP6_ADVERTISE, .server = 1 });
		if (s->two)
			reply(s, xid,
				(struct answer){
					.type = DHCP6_ADVERTISE, .server = 2, .preference = 10 });
		return;
	case DHCP6_REQUEST:
		s->requests++;
		s->asked = m[4 + 14 + 4 + 9];
		break;
	case DHCP6_RENEW: s->renews++; break;
	case DHCP6_REBIND: s->rebinds++; break;
	case DHCP6_RELEASE: s->releases++; return;
	case DHCP6_DECLINE: s->declines++; return;
	case DHCP6_INFORMATION: s->informs++; break;
	}
	if (!s->silent)
		reply(s, xid, (struct answer){ .type = DHCP6_REPLY, .server = 1 });
}

static void serve(void)
{
	struct packet *p;

	while ((p = out_next())) {
		if (p->len > 66 && p->data[20] == IPPROTO_UDP && get_be16(p->data + 56) == 547) {
			CHECK_MEM(p->data + 38, a6("ff02::1:2").b, 16);
			handle(memcmp(p->data + 6, second.mac, 6) == 0 ? &other : &server,
				p->data + 62, p->len - 62);
		}
		packet_free(p);
	}
}

static char resolv[1200];
static void take_resolv(const char *text)
{
	snprintf(resolv, sizeof(resolv), "%s", text);
}

/*
 * A second card, while the first one's lease lives, by the name of the same machine (its server
 * answers that one alone) with a lease of its own.
 */
static void second_card(void)
{
	struct ip_addr six = a6("2001:db8::6"), seven = a6("2001:db8::7");
	unsigned solicits = server.solicits;

	register_second(&second);
	nd_start(&second, true);
	live(5 * NSEC_PER_SEC);
	other.addr = "2001:db8::7";
	dhcp6_start(&second, true);
	REQUIRE(co_created == 2);
	co_setup();
	live(10 * NSEC_PER_SEC);
	CHECK_EQ(other.requests, 1u);
	CHECK_EQ(server.solicits, solicits);
	CHECK_EQ(ip_local_kind(six), IP_LOCAL);
	CHECK_EQ(ip_local_kind(seven), IP_LOCAL);

	other.silent = true;
	live(2600 * NSEC_PER_SEC);
	CHECK_EQ(ip_local_kind(seven), IP_NOT_LOCAL);
	CHECK_EQ(ip_local_kind(six), IP_LOCAL);
	CHECK_STR(resolv, "search example.org\nnameserver 2001:db8::53\n");
	other.silent = false;
	live(4000 * NSEC_PER_SEC);
	CHECK_EQ(ip_local_kind(seven), IP_LOCAL);
}

/* In the order in which a lease lives: the client has a state that survives the test. */
TEST(lease_life)
{
	struct ip_addr five = a6("2001:db8::5"), six = a6("2001:db8::6");

	link_setup();
	net_resolv_conf = take_resolv;
	server.addr = "2001:db8::5";

	/* a router says that there are names to be had, later that there are addresses */
	SEND_RA(.lifetime = 9000, .flags = RA_OTHER);
	REQUIRE(co_created == 1);
	co_setup();
	live(20 * NSEC_PER_SEC);
	CHECK_EQ(server.informs, 1u);
	CHECK_EQ(server.solicits, 0u);
	CHECK_STR(resolv, "search example.org\nnameserver 2001:db8::53\n");
	server.silent = true;
	SEND_RA(.lifetime = 9000, .flags = RA_MANAGED | RA_OTHER);
	live(300 * NSEC_PER_SEC);
	CHECK(server.solicits >= 6 && server.solicits <= 12);
	CHECK_EQ(ip_local_kind(five), IP_NOT_LOCAL);

	/* a server comes up */
	server.silent = false;
	live(300 * NSEC_PER_SEC);
	CHECK_EQ(server.requests, 1u);
	CHECK_EQ(ip_local_kind(five), IP_LOCAL);

	/* half of the preferred lifetime later the lease is renewed, and nothing else changes */
	live(500 * NSEC_PER_SEC);
	CHECK(server.renews >= 1);
	CHECK_EQ(server.rebinds, 0u);
	CHECK_EQ(ip_local_kind(five), IP_LOCAL);

	/* the server vanishes: renewing, rebinding, then the address goes */
	server.silent = true;
	live(2600 * NSEC_PER_SEC);
	CHECK(server.rebinds >= 1);
	CHECK_EQ(ip_local_kind(five), IP_NOT_LOCAL);

	/* two servers answer; the preferred one is asked (after a long silence: the first) */
	server.silent = false;
	server.addr = "2001:db8::6";
	live(4000 * NSEC_PER_SEC);
	CHECK_EQ(ip_local_kind(six), IP_LOCAL);

	/* no such lease any more: from the beginning, where the first wait hears both servers */
	unsigned requests = server.requests;

	server.two = server.refuse = true;
	live(600 * NSEC_PER_SEC);
	CHECK_EQ(ip_local_kind(six), IP_NOT_LOCAL);
	CHECK(server.requests > requests && server.requests < requests + 400);
	CHECK_EQ(server.asked, 2);
	server.refuse = false;
	live(10 * NSEC_PER_SEC);
	CHECK_EQ(ip_local_kind(six), IP_LOCAL);

	second_card();
	host_net = &me.net;
	dhcp6_stop();
	serve();
	CHECK_EQ(server.releases, 1u);
	CHECK_EQ(other.releases, 1u);
	out_clear();
}
