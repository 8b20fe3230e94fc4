/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP client's life against a scripted server, in virtual time: its thread runs as a
 * coroutine. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#define CO_THREAD "dhcp"
#include "net_coroutine.h"

#include "net/dhcp.h"

/* ---- the server ---- */

static struct {
	bool silent, nak;
	uint32_t lease, addr;
	unsigned discovers, requests, renewals, rebinds, releases;
} server;

static void answer(const struct dhcp_packet *q, uint8_t type)
{
	uint8_t f[600] = { 0 };
	struct dhcp_packet *p = (struct dhcp_packet *)(f + 42);
	uint8_t *o = p->options;
	uint32_t lease = be32(server.lease), router = IP4(10, 0, 0, 254), id = PEER,
		 mask = IP4(255, 255, 255, 0);

	p->op = 2;
	p->htype = 1;
	p->hlen = 6;
	p->xid = q->xid;
	p->yiaddr = type == DHCPNAK ? 0 : server.addr;
	memcpy(p->chaddr, q->chaddr, 16);
	p->magic = be32(DHCP_MAGIC);
#define OPT(code, value)                                                                           \
	(*o++ = code, *o++ = sizeof(value), memcpy(o, &(value), sizeof(value)), o += sizeof(value))
	OPT(53, type);
	OPT(54, id);
	OPT(51, lease);
	OPT(1, mask);
	OPT(3, router);
	OPT(6, id);
	*o++ = 255;
	size_t n = (size_t)(o - (f + 42)),
	       at = put_ip(f, IPPROTO_UDP, 8 + n, PEER, INADDR_BROADCAST);
	struct udp_header *h = (struct udp_header *)(f + at);

	memset(f, 0xff, 6);
	*h = (struct udp_header){ be16(67), be16(68), be16((uint16_t)(8 + n)), 0 };
	inject(f, at + 8 + n);
}

static void serve(void)
{
	struct packet *p;

	while ((p = out_next())) {
		const struct dhcp_packet *q = (void *)(p->data + 42);

		if (get_be16(p->data + 12) == ETH_ARP && get_be16(p->data + 20) == ARP_REQUEST &&
			!server.silent && memcmp(p->data + 38, &(uint32_t){ PEER }, 4) == 0) {
			uint8_t f[42];
			struct arp_packet *a = (struct arp_packet *)(f + 14);

			memcpy(f, me.eth.mac, 6);
			memcpy(f + 6, peer_mac, 6);
			put_be16(f + 12, ETH_ARP);
			*a = (struct arp_packet){ be16(1), be16(ETH_IPV4), 6, 4, be16(ARP_REPLY),
				{ 0 }, PEER, { 0 }, server.addr };
			memcpy(a->sha, peer_mac, 6);
			inject(f, 42);
		} else if (p->len > 290 && p->data[23] == IPPROTO_UDP &&
			   get_be16(p->data + 36) == 67) {
			uint8_t type = q->options[2];
			bool broadcast = p->data[0] == 0xff;

			server.discovers += type == DHCPDISCOVER;
			server.releases += type == DHCPRELEASE;
			if (type == DHCPREQUEST) {
				if (!q->ciaddr)
					server.requests++;
				else if (broadcast)
					server.rebinds++;
				else
					server.renewals++;
			}
			if (!server.silent && type == DHCPDISCOVER)
				answer(q, DHCPOFFER);
			else if (!server.silent && type == DHCPREQUEST)
				answer(q, server.nak ? DHCPNAK : DHCPACK);
		}
		packet_free(p);
	}
}

static uint32_t address(void)
{
	const struct net_addr *a = net_addr_of(net_config(), &me.eth);

	return a ? ip_v4(a->addr) : 0;
}

static char resolv[600];
static void take_resolv(const char *text)
{
	strcpy(resolv, text);
}

/* One life, in the order in which a lease lives (the client has a state that survives the test). */
TEST(lease_life)
{
	memset(&cable, 0, sizeof(cable));
	cable.tap = out_tap;
	env_boot(&me, 1, NETDEV_TX_CSUM);
	env_connect(&cable, &me, &me);
	cable.end[1] = NULL;
	net_resolv_conf = take_resolv;
	server.lease = 3600;
	server.addr = IP4(10, 0, 0, 77);
	dhcp_start(&me.eth);
	REQUIRE(co_ready);
	co_setup();

	/* nobody answers: it keeps asking, slower and slower */
	server.silent = true;
	live(300 * NSEC_PER_SEC);
	CHECK(server.discovers >= 5 && server.discovers <= 14);
	CHECK(!load_acquire(&me.net.configured));

	/* a server comes up */
	server.silent = false;
	live(70 * NSEC_PER_SEC);
	CHECK_EQ(address(), server.addr);
	CHECK_EQ(server.requests, 1);
	CHECK(me.net.configured);
	CHECK_STR(resolv, "nameserver 10.0.0.2\n");
	struct route_cache r;

	CHECK_EQ(route_lookup(ip_map(IP4(8, 8, 8, 8)), IP_ANY, 0, &r), 0);
	CHECK_EQ(ip_v4(r.next_hop), IP4(10, 0, 0, 254));
	CHECK_EQ(ip_v4(r.src), server.addr);

	/* half of the lease later it is renewed, and nothing else changes */
	uint32_t generation = me.net.config_generation;

	live(1900 * NSEC_PER_SEC);
	CHECK_EQ(server.renewals, 1);
	CHECK_EQ(server.rebinds, 0);
	CHECK_EQ(me.net.config_generation, generation);

	/* the server vanishes: renewing, rebinding, then the address goes */
	server.silent = true;
	live(3700 * NSEC_PER_SEC);
	CHECK(server.renewals >= 2);
	CHECK(server.rebinds >= 1);
	CHECK_EQ(address(), 0);
	CHECK_EQ(route_lookup(ip_map(IP4(8, 8, 8, 8)), IP_ANY, 0, &r), -ENETUNREACH);

	/* it comes back with another address */
	server.silent = false;
	server.addr = IP4(10, 0, 0, 88);
	live(100 * NSEC_PER_SEC);
	CHECK_EQ(address(), server.addr);

	/* a refusal while renewing starts again */
	server.nak = true;
	live(1801 * NSEC_PER_SEC);
	CHECK_EQ(address(), 0);
	server.nak = false;
	live(100 * NSEC_PER_SEC);
	CHECK_EQ(address(), server.addr);

	host_net = &me.net;
	dhcp_stop();
	serve();
	CHECK_EQ(server.releases, 1);
	out_clear();
}
