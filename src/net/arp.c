/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP packets (RFC 826, announcements of 5227); what they say goes to neigh.c. */

#include "net/config.h"
#include "net/neigh.h"
#include "net/packet.h"
#include "net/route.h"
#include "abi/net.h"
#include "diag/counter.h"

COUNTER(arp_requests);

static const uint8_t broadcast_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void arp_send(struct netdev *dev, uint16_t op, uint32_t spa, uint32_t tpa,
	const uint8_t *tha, const uint8_t *to)
{
	struct packet *p = packet_alloc(TX_HEADROOM, sizeof(struct arp_packet));
	struct arp_packet *a;

	if (!p)
		return;
	a = packet_put(p, sizeof(*a));
	a->htype = be16(1);
	a->ptype = be16(ETH_IPV4);
	a->hlen = 6;
	a->plen = 4;
	a->op = be16(op);
	memcpy(a->sha, dev->mac, 6);
	a->spa = spa;
	if (tha)
		memcpy(a->tha, tha, 6);
	else
		memset(a->tha, 0, 6);
	a->tpa = tpa;
	eth_output(dev, p, to, ETH_ARP);
}

void arp_solicit(struct netdev *dev, uint32_t ip, const uint8_t *mac)
{
	counter_inc(arp_requests);
	arp_send(dev, ARP_REQUEST, net_addr4(dev), ip, NULL, mac ? mac : broadcast_mac);
}

void arp_announce(struct netdev *dev, uint32_t addr)
{
	arp_send(dev, ARP_REQUEST, addr, addr, NULL, broadcast_mac);
}

/* RFC 5227 2.1.1 */
void arp_probe(struct netdev *dev, uint32_t addr)
{
	arp_send(dev, ARP_REQUEST, 0, addr, NULL, broadcast_mac);
}

/* Only what we asked for, already know, or what asks for us is believed. */
static void learn(struct netdev *dev, uint32_t ip, const uint8_t *sha, bool create)
{
	if (!ip || ip4_is_multicast(ip) || ip == INADDR_BROADCAST || (sha[0] & 1))
		return;
	neigh_update(dev, ip_map(ip), sha,
		NEIGH_SOLICITED | NEIGH_OVERRIDE | (create ? NEIGH_CREATE : 0));
}

void arp_input(struct netdev *dev, struct packet *p)
{
	struct arp_packet a;

	if (p->len >= sizeof(a)) {
		memcpy(&a, p->data, sizeof(a));
		if (be16(a.htype) == 1 && be16(a.ptype) == ETH_IPV4 && a.hlen == 6 && a.plen == 4 &&
			memcmp(a.sha, dev->mac, 6) != 0) {
			uint32_t mine = net_addr4(dev);
			bool for_me = mine && a.tpa == mine;

			if (a.spa)
				dhcp_arp(dev, a.spa);
			if (a.spa != mine)
				learn(dev, a.spa, a.sha, for_me);
			if (for_me && be16(a.op) == ARP_REQUEST)
				arp_send(dev, ARP_REPLY, mine, a.spa, a.sha, a.sha);
		}
	}
	packet_free(p);
}
