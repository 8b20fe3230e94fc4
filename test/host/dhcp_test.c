/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages: what we build, what we read, and what a hostile server cannot do. */
/* sources: src/net/dhcp_packet.c src/lib/string.c */
/* flags: -D_GNU_SOURCE */
#include "t.h"

#include "net/dhcp.h"

static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static uint8_t packet[1500];
static size_t length;

static void start(uint8_t type)
{
	struct dhcp_packet *p = (struct dhcp_packet *)packet;

	memset(packet, 0, sizeof(packet));
	p->op = 2;
	p->htype = 1;
	p->hlen = 6;
	p->xid = be32(7);
	p->yiaddr = 0x0f02000a; /* 10.0.2.15 */
	memcpy(p->chaddr, mac, 6);
	p->magic = be32(DHCP_MAGIC);
	length = sizeof(*p);
	packet[length++] = 53;
	packet[length++] = 1;
	packet[length++] = type;
}
static void option(uint8_t code, const void *data, size_t n)
{
	packet[length++] = code;
	packet[length++] = (uint8_t)n;
	memcpy(packet + length, data, n);
	length += n;
}
static bool parse(struct dhcp_lease *l)
{
	packet[length] = 255;
	return dhcp_parse(packet, length + 1, 7, mac, l);
}

TEST(whole_offer)
{
	struct dhcp_lease l;

	start(DHCPACK);
	option(1, "\xff\xff\xff\0", 4);
	option(3, "\x0a\0\2\2", 4);
	option(6, "\x0a\0\2\3\x08\x08\x08\x08", 8);
	option(12, "guest-1", 7);
	option(15, "example.org", 11);
	option(26, "\x05\x78", 2);
	option(28, "\x0a\0\2\x7f", 4);
	option(42, "\x0a\0\2\7\x0a\0\2\x08\x0a\0\2\x09\x0a\0\2\x0a\x0a\0\2\x0b", 20);
	option(51, "\0\0\x0e\x10", 4);
	option(54, "\x0a\0\2\2", 4);
	REQUIRE(parse(&l));
	CHECK_EQ(l.prefix, 24);
	CHECK_EQ(l.router, 0x0202000a);
	CHECK_EQ(l.dns_count, 2);
	CHECK_EQ(l.dns[1], 0x08080808);
	CHECK_STR(l.hostname, "guest-1");
	CHECK_STR(l.domain, "example.org");
	CHECK_EQ(l.mtu, 1400);
	CHECK_EQ(l.broadcast, 0x7f02000a);
	CHECK_EQ(l.ntp_count, 4); /* the fifth has no room */
	CHECK_EQ(l.ntp[1], 0x0802000a);
	CHECK_EQ(l.lease, 3600);
	CHECK_EQ(l.t1, 1800);
	CHECK_EQ(l.t2, 3150);
}
TEST(classless_routes)
{
	struct dhcp_lease l;

	start(DHCPACK);
	option(121, "\x18\xc0\xa8\x01\x0a\0\2\2\0\x0a\0\2\1\x20\1\2\3\4\x0a\0\2\3", 22);
	REQUIRE(parse(&l));
	CHECK(l.has_routes);
	CHECK_EQ(l.route_count, 3);
	CHECK_EQ(l.routes[0].prefix, 24);
	CHECK_EQ(l.routes[0].dst, 0x0001a8c0);
	CHECK_EQ(l.routes[1].prefix, 0);
	CHECK_EQ(l.routes[2].dst, 0x04030201);
	start(DHCPACK);
	option(121, "\x21\xc0\xa8\x01\x0a\0\2\2\0", 9); /* a prefix of 33 */
	REQUIRE(parse(&l));
	CHECK_EQ(l.route_count, 0);
}
TEST(search_list_with_compression)
{
	struct dhcp_lease l;

	start(DHCPACK);
	option(119, "\3eng\5apple\3com\0\4mark\xc0\4", 22);
	REQUIRE(parse(&l));
	CHECK_STR(l.search, "eng.apple.com mark.apple.com");
	start(DHCPACK);
	option(119, "\xc0\0", 2); /* points at itself */
	REQUIRE(parse(&l));
	CHECK_STR(l.search, "");
}
TEST(names_cannot_inject_lines)
{
	struct dhcp_lease l;

	start(DHCPACK);
	option(15, "ok\nnameserver 6.6.6.6", 21);
	REQUIRE(parse(&l));
	CHECK_STR(l.domain, "ok");
}
TEST(lease_times_are_made_sane)
{
	struct dhcp_lease l;

	start(DHCPACK);
	option(51, "\0\0\0\x64", 4);
	option(58, "\0\1\0\0", 4); /* T1 behind the end */
	option(59, "\0\0\xff\0", 4);
	REQUIRE(parse(&l));
	CHECK(l.t1 <= l.t2 && l.t2 <= l.lease);
	start(DHCPACK);
	REQUIRE(parse(&l));
	CHECK_EQ(l.lease, UINT32_MAX);
}
/* A client that believed T1 of a lease without an end would ask for what it has without a pause. */
TEST(endless_lease_has_no_t1)
{
	struct dhcp_lease l;

	start(DHCPACK);
	option(51, "\xff\xff\xff\xff", 4);
	option(58, "\0\0\0\x0a", 4);
	option(59, "\0\0\0\x14", 4);
	REQUIRE(parse(&l));
	CHECK_EQ(l.lease, UINT32_MAX);
	CHECK_EQ(l.t1, UINT32_MAX);
	CHECK_EQ(l.t2, UINT32_MAX);
	start(DHCPACK); /* nor do the defaults */
	REQUIRE(parse(&l));
	CHECK_EQ(l.t1, UINT32_MAX);
}
TEST(answers_to_others_are_refused)
{
	struct dhcp_lease l;
	struct dhcp_packet *p = (struct dhcp_packet *)packet;

	start(DHCPACK);
	p->xid = 1;
	CHECK(!parse(&l));
	start(DHCPACK);
	p->chaddr[5] ^= 1;
	CHECK(!parse(&l));
	start(DHCPACK);
	p->op = 1;
	CHECK(!parse(&l));
	start(DHCPACK);
	p->magic = 0;
	CHECK(!parse(&l));
	start(DHCPACK);
	p->yiaddr = 0x0100007f;
	CHECK(!parse(&l));
	start(DHCPDISCOVER);
	CHECK(!parse(&l));
	start(DHCPNAK);
	p->yiaddr = 0;
	CHECK(parse(&l));
}
TEST(overloaded_fields)
{
	struct dhcp_lease l;
	struct dhcp_packet *p = (struct dhcp_packet *)packet;

	start(DHCPACK);
	option(52, "\3", 1);
	memcpy(p->file, "\1\4\xff\xff\0\0\xff", 7);
	memcpy(p->sname, "\3\4\x0a\0\0\1\xff", 7);
	REQUIRE(parse(&l));
	CHECK_EQ(l.prefix, 16);
	CHECK_EQ(l.router, 0x0100000a);
}
TEST(request_is_well_formed)
{
	uint8_t b[DHCP_MAX_PACKET];
	struct dhcp_request r = {
		.type = DHCPREQUEST, .xid = 7, .requested = 1, .server = 2, .hostname = "skiff"
	};

	memcpy(r.mac, mac, 6);
	size_t n = dhcp_build(b, &r);
	struct dhcp_packet *p = (struct dhcp_packet *)b;

	CHECK(n >= 300 && n <= sizeof(b));
	CHECK_EQ(p->op, 1);
	CHECK_EQ(be16(p->flags), DHCP_BROADCAST);
	CHECK_EQ(p->options[0], 53);
	CHECK_EQ(p->options[2], DHCPREQUEST);
	CHECK(memmem(p->options, n - sizeof(*p), "\x0c\5skiff", 7) != NULL);
}
TEST(hostile_bytes)
{
	unsigned long seed = 3;

	for (int i = 0; i < 200000; i++) {
		struct dhcp_lease l;

		start((uint8_t)(t_random(&seed) % 8));
		size_t n = t_random(&seed) % 400;
		uint8_t *exact;

		for (size_t k = 0; k < n; k++)
			packet[length + k] =
				(uint8_t)(t_random(&seed) % (t_random(&seed) % 2 ? 125 : 256));
		exact = malloc(length + n); /* so that a read behind the end is seen */
		memcpy(exact, packet, length + n);
		dhcp_parse(exact,
			t_random(&seed) % 10 ? length + n : t_random(&seed) % (length + n), 7, mac,
			&l);
		free(exact);
	}
}
