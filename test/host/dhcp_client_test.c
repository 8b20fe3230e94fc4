/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP client's life against a scripted server, in virtual time: its thread runs as a
 * coroutine. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#define CO_THREAD "dhcp"
#include "net_coroutine.h"

#include "net/config.h"
#include "net/dhcp.h"

/* ---- the server ---- */

static struct {
	bool silent, nak, nak_renewals;
	uint32_t lease, addr;
	unsigned discovers, requests, renewals, rebinds, releases, declines, probes, announcements;
	uint32_t taken; /* another host has this one, and answers for it */
} server;

/* The other host speaks: op, as that address, to us. */
static void arp_from_other(uint16_t op, uint32_t as)
{
	uint8_t f[42];
	struct arp_packet *a = (struct arp_packet *)(f + 14);

	memcpy(f, me.eth.mac, 6);
	memcpy(f + 6, peer_mac, 6);
	put_be16(f + 12, ETH_ARP);
	*a = (struct arp_packet){ be16(1), be16(ETH_IPV4), 6, 4, be16(op), { 0 }, as, { 0 }, as };
	memcpy(a->sha, peer_mac, 6);
	inject(f, 42);
}

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
		const struct arp_packet *arp = (void *)(p->data + 14);

		if (get_be16(p->data + 12) == ETH_ARP) {
			server.probes += !arp->spa;
			server.announcements +=
				be16(arp->op) == ARP_REQUEST && arp->spa == arp->tpa;
			if (!arp->spa && arp->tpa == server.taken)
				arp_from_other(ARP_REPLY, server.taken);
		}
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
			if (type == DHCPDECLINE) {
				CHECK(broadcast && !q->ciaddr);
				server.declines++;
				server.addr += 1u << 24; /* the next one offers another */
			}
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
				answer(q, server.nak || (server.nak_renewals && q->ciaddr)
						  ? DHCPNAK
						  : DHCPACK);
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

	/* a refusal while renewing starts again, and one after the other not in a hurry */
	server.nak = true;
	unsigned before = server.discovers;

	live(1801 * NSEC_PER_SEC);
	CHECK_EQ(address(), 0);
	CHECK(server.discovers > before && server.discovers < before + 60);
	server.nak = false;
	live(100 * NSEC_PER_SEC);
	CHECK_EQ(address(), server.addr);

	/* another host has the address that is offered next: declined before it is in use */
	server.nak_renewals = true;
	server.taken = server.addr = IP4(10, 0, 0, 90);
	server.announcements = server.probes = 0;
	for (int i = 0; i < 2000 && !server.declines; i++)
		live(NSEC_PER_SEC);
	live(NSEC_PER_SEC);
	CHECK_EQ(server.declines, 1);
	CHECK_EQ(server.probes, 2);
	CHECK_EQ(server.announcements, 1); /* of the second alone */
	CHECK_EQ(address(), IP4(10, 0, 0, 91));

	/* one that answers a little later, when it is in use; the one after that is good */
	arp_from_other(ARP_REPLY, IP4(10, 0, 0, 91));
	live(5 * NSEC_PER_SEC);
	CHECK_EQ(server.declines, 2);
	CHECK_EQ(address(), 0); /* the second time in a row it waits */
	live(10 * NSEC_PER_SEC);
	CHECK_EQ(address(), IP4(10, 0, 0, 92));

	/* later nobody takes it from us: we say that it is ours, at most every ten seconds */
	server.announcements = 0;
	for (int i = 0; i < 5; i++) {
		arp_from_other(ARP_REQUEST, IP4(10, 0, 0, 92));
		live(3 * NSEC_PER_SEC);
	}
	CHECK_EQ(server.declines, 2);
	CHECK_EQ(server.announcements, 2);
	CHECK_EQ(address(), IP4(10, 0, 0, 92));
	arp_from_other(ARP_REPLY, IP4(10, 0, 0, 91)); /* not ours */
	live(20 * NSEC_PER_SEC);
	CHECK_EQ(server.announcements, 2);

	host_net = &me.net;
	dhcp_stop();
	serve();
	CHECK_EQ(server.releases, 1);
	out_clear();
}
