/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP client's life against a scripted server, in virtual time: its thread runs as a
 * coroutine. And a second client on a second card, with a server of its own. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#define CO_THREAD "dhcp"
#include "net_coroutine.h"

#include "net/config.h"
#include "net/dhcp.h"

/* ---- the servers ---- */

static struct netdev second;
static struct server {
	struct netdev *dev; /* it is on the link of this card */
	uint32_t id, router;
	const char *domain, *hostname; /* NULL: not said */
	uint16_t mtu;		       /* 0: not said */
	bool silent, nak, nak_renewals;
	uint32_t lease, addr;
	unsigned discovers, requests, renewals, rebinds, releases, declines, probes, announcements;
	uint32_t taken; /* another host has this one, and answers for it */
} server = { .dev = &me.eth, .id = PEER, .router = IP4(10, 0, 0, 254) };
static struct server other = { .dev = &second,
	.id = IP4(10, 0, 1, 2),
	.router = IP4(10, 0, 1, 254),
	.domain = "other.net",
	.hostname = "called",
	.mtu = 1400 };

static void inject_on(struct netdev *dev, const void *frame, size_t n)
{
	struct packet *p = packet_alloc(0, n);

	memcpy(packet_put(p, n), frame, n);
	dev->rx(dev, p);
	net_thread_work();
}

/* The other host of that link speaks: op, as that address, to us. */
static void arp_from_other(const struct server *s, uint16_t op, uint32_t as)
{
	uint8_t f[42];
	struct arp_packet *a = (struct arp_packet *)(f + 14);

	memcpy(f, s->dev->mac, 6);
	memcpy(f + 6, peer_mac, 6);
	put_be16(f + 12, ETH_ARP);
	*a = (struct arp_packet){ be16(1), be16(ETH_IPV4), 6, 4, be16(op), { 0 }, as, { 0 }, as };
	memcpy(a->sha, peer_mac, 6);
	inject_on(s->dev, f, 42);
}

static uint8_t *put_text(uint8_t *o, uint8_t code, const char *text)
{
	if (!text)
		return o;
	*o++ = code;
	*o++ = (uint8_t)strlen(text);
	memcpy(o, text, strlen(text));
	return o + strlen(text);
}

static void answer(const struct server *s, const struct dhcp_packet *q, uint8_t type)
{
	uint8_t f[600] = { 0 };
	struct dhcp_packet *p = (struct dhcp_packet *)(f + 42);
	uint8_t *o = p->options;
	uint32_t lease = be32(s->lease), mask = IP4(255, 255, 255, 0);
	uint16_t mtu = be16(s->mtu);

	p->op = 2;
	p->htype = 1;
	p->hlen = 6;
	p->xid = q->xid;
	p->yiaddr = type == DHCPNAK ? 0 : s->addr;
	memcpy(p->chaddr, q->chaddr, 16);
	p->magic = be32(DHCP_MAGIC);
#define OPT(code, value)                                                                           \
	(*o++ = code, *o++ = sizeof(value), memcpy(o, &(value), sizeof(value)), o += sizeof(value))
	OPT(53, type);
	OPT(54, s->id);
	OPT(51, lease);
	OPT(1, mask);
	OPT(3, s->router);
	OPT(6, s->id);
	OPT(42, s->id);
	if (mtu)
		OPT(26, mtu);
	o = put_text(put_text(o, 15, s->domain), 12, s->hostname);
	*o++ = 255;
	size_t n = (size_t)(o - (f + 42)),
	       at = put_ip(f, IPPROTO_UDP, 8 + n, s->id, INADDR_BROADCAST);
	struct udp_header *h = (struct udp_header *)(f + at);

	memset(f, 0xff, 6);
	*h = (struct udp_header){ be16(67), be16(68), be16((uint16_t)(8 + n)), 0 };
	inject_on(s->dev, f, at + 8 + n);
}

static void serve(void)
{
	struct packet *p;

	while ((p = out_next())) {
		const struct dhcp_packet *q = (void *)(p->data + 42);
		const struct arp_packet *arp = (void *)(p->data + 14);
		struct server *s = memcmp(p->data + 6, second.mac, 6) == 0 ? &other : &server;

		if (get_be16(p->data + 12) == ETH_ARP) {
			s->probes += !arp->spa;
			s->announcements += be16(arp->op) == ARP_REQUEST && arp->spa == arp->tpa;
			if (!arp->spa && arp->tpa == s->taken)
				arp_from_other(s, ARP_REPLY, s->taken);
		}
		if (get_be16(p->data + 12) == ETH_ARP && get_be16(p->data + 20) == ARP_REQUEST &&
			!s->silent && memcmp(p->data + 38, &s->id, 4) == 0) {
			uint8_t f[42];
			struct arp_packet *a = (struct arp_packet *)(f + 14);

			memcpy(f, s->dev->mac, 6);
			memcpy(f + 6, peer_mac, 6);
			put_be16(f + 12, ETH_ARP);
			*a = (struct arp_packet){ be16(1), be16(ETH_IPV4), 6, 4, be16(ARP_REPLY),
				{ 0 }, s->id, { 0 }, s->addr };
			memcpy(a->sha, peer_mac, 6);
			inject_on(s->dev, f, 42);
		} else if (p->len > 290 && p->data[23] == IPPROTO_UDP &&
			   get_be16(p->data + 36) == 67) {
			uint8_t type = q->options[2];
			bool broadcast = p->data[0] == 0xff;

			s->discovers += type == DHCPDISCOVER;
			s->releases += type == DHCPRELEASE;
			if (type == DHCPDECLINE) {
				CHECK(broadcast && !q->ciaddr);
				s->declines++;
				s->addr += 1u << 24; /* the next one offers another */
			}
			if (type == DHCPREQUEST) {
				if (!q->ciaddr)
					s->requests++;
				else if (broadcast)
					s->rebinds++;
				else
					s->renewals++;
			}
			if (!s->silent && type == DHCPDISCOVER)
				answer(s, q, DHCPOFFER);
			else if (!s->silent && type == DHCPREQUEST)
				answer(s, q,
					s->nak || (s->nak_renewals && q->ciaddr) ? DHCPNAK
										 : DHCPACK);
		}
		packet_free(p);
	}
}

static uint32_t address(void)
{
	return net_addr4(&me.eth);
}

static char resolv[600];
static void take_resolv(const char *text)
{
	strcpy(resolv, text);
}

static unsigned names_given;
static void take_hostname(const char *name)
{
	names_given++;
}

static char ntp[100];
static void take_line(struct net_text *t, const char *line)
{
	strcat(ntp, line);
}
static const char *ntp_servers(void)
{
	struct net_text t = { take_line };

	ntp[0] = 0;
	net_show_ntp_servers(&t);
	return ntp;
}

static uint32_t router_to(uint32_t dst)
{
	struct route_cache r;

	return route_lookup(ip_map(dst), IP_ANY, 0, &r) ? 0 : ip_v4(r.next_hop);
}

#define FAR	  IP4(8, 8, 8, 8)
#define BOTH	  "search other.net\nnameserver 10.0.0.2\nnameserver 10.0.1.2\n"
#define BOTH_NTP  "10.0.0.2\n10.0.1.2\n"
#define OTHER_NTP "10.0.1.2\n"

/* A second card, while the first one's lease lives: nothing of one is the other's. */
static void second_card(void)
{
	uint32_t first = address();

	register_second(&second);
	net_hostname = take_hostname;
	other.lease = 600;
	other.addr = IP4(10, 0, 1, 77);
	me.net.configured = 0;
	dhcp_start(&second, 1);
	REQUIRE(co_created == 2);
	co_setup();
	live(5 * NSEC_PER_SEC);
	CHECK_EQ(net_addr4(&second), other.addr);
	CHECK_EQ(address(), first);
	CHECK_EQ(second.mtu, 1400);
	CHECK_EQ(me.eth.mtu, 1500);
	CHECK(!me.net.configured && !names_given); /* both are the first card's matter */
	CHECK_STR(resolv, BOTH);
	CHECK_STR(ntp_servers(), BOTH_NTP);
	CHECK_EQ(router_to(FAR), server.router); /* before the other's, which came later */
	CHECK_EQ(router_to(IP4(10, 0, 1, 9)), IP4(10, 0, 1, 9));

	/* each at its own time, from its own server */
	unsigned renewals = server.renewals, rebinds = server.rebinds;

	live(310 * NSEC_PER_SEC);
	CHECK_EQ(other.renewals, 1);
	CHECK_EQ(server.renewals, renewals);

	/* another host has the second card's address: the first one's is not asked for again */
	unsigned discovers = server.discovers;

	other.nak_renewals = true;
	other.taken = other.addr = IP4(10, 0, 1, 80);
	live(310 * NSEC_PER_SEC);
	other.nak_renewals = false;
	CHECK_EQ(other.declines, 1);
	CHECK_EQ(net_addr4(&second), IP4(10, 0, 1, 81));
	arp_from_other(
		&server, ARP_REPLY, IP4(10, 0, 1, 81)); /* on the other link: nothing to it */
	live(5 * NSEC_PER_SEC);
	CHECK_EQ(other.declines, 1);
	CHECK_EQ(net_addr4(&second), IP4(10, 0, 1, 81));
	CHECK_EQ(server.declines, 2);
	CHECK_EQ(server.discovers, discovers);
	CHECK_EQ(address(), first);
	CHECK_STR(resolv, BOTH);

	/* the second lease ends */
	other.silent = true;
	live(700 * NSEC_PER_SEC);
	CHECK_EQ(net_addr4(&second), 0);
	CHECK_EQ(second.mtu, 1500);
	CHECK_EQ(router_to(IP4(10, 0, 1, 9)), server.router);
	CHECK_EQ(address(), first);
	CHECK_EQ(router_to(FAR), server.router);
	CHECK_STR(resolv, "nameserver 10.0.0.2\n");
	CHECK_STR(ntp_servers(), "10.0.0.2\n");
	other.silent = false;
	live(100 * NSEC_PER_SEC);
	CHECK_EQ(net_addr4(&second), other.addr);
	CHECK_EQ(second.mtu, 1400);
	CHECK_STR(resolv, BOTH);
	CHECK_EQ(server.rebinds, rebinds);

	/* the first one ends, and is there again: behind nobody, though it came later */
	server.silent = true;
	live(3700 * NSEC_PER_SEC);
	CHECK_EQ(address(), 0);
	CHECK_EQ(net_addr4(&second), other.addr);
	CHECK_EQ(router_to(FAR), other.router);
	CHECK_STR(resolv, "search other.net\nnameserver 10.0.1.2\n");
	CHECK_STR(ntp_servers(), OTHER_NTP);
	server.silent = false;
	live(100 * NSEC_PER_SEC);
	CHECK_EQ(address(), server.addr);
	CHECK_EQ(router_to(FAR), server.router);
	CHECK_STR(resolv, BOTH);
	CHECK(!names_given);
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
	dhcp_start(&me.eth, 0);
	REQUIRE(co_created == 1);
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
	arp_from_other(&server, ARP_REPLY, IP4(10, 0, 0, 91));
	live(5 * NSEC_PER_SEC);
	CHECK_EQ(server.declines, 2);
	CHECK_EQ(address(), 0); /* the second time in a row it waits */
	live(10 * NSEC_PER_SEC);
	CHECK_EQ(address(), IP4(10, 0, 0, 92));

	/* later nobody takes it from us: we say that it is ours, at most every ten seconds */
	server.announcements = 0;
	for (int i = 0; i < 5; i++) {
		arp_from_other(&server, ARP_REQUEST, IP4(10, 0, 0, 92));
		live(3 * NSEC_PER_SEC);
	}
	CHECK_EQ(server.declines, 2);
	CHECK_EQ(server.announcements, 2);
	CHECK_EQ(address(), IP4(10, 0, 0, 92));
	arp_from_other(&server, ARP_REPLY, IP4(10, 0, 0, 91)); /* not ours */
	live(20 * NSEC_PER_SEC);
	CHECK_EQ(server.announcements, 2);

	server.nak_renewals = false;
	second_card();
	host_net = &me.net;
	dhcp_stop();
	serve();
	CHECK_EQ(server.releases, 1);
	CHECK_EQ(other.releases, 1);
	out_clear();
}
