/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: who on the link has an address; ARP and neighbour discovery feed it. */
#pragma once

#include "net/addr.h"

struct netdev;
struct packet;

#define NEIGH_COUNT 256
struct neigh {
	struct ip_addr ip;    /* two atomic words; any: a free entry */
	uint32_t change;      /* atomic: odd while ip and mac change (a seqlock) */
	uint64_t mac;	      /* atomic: bit 63 valid, 47..0 the address in network order */
	uint64_t fresh_until; /* atomic: REACHABLE before it, STALE after */
	/* guarded by net_state.neigh_lock */
	struct netdev *dev;
	uint64_t next_probe; /* 0: no timer runs */
	unsigned probes;
	bool router;
	struct packet *pending, **pending_tail;
	uint32_t pending_bytes;
};

enum {
	NEIGH_CREATE = 1,    /* a new entry if there is none */
	NEIGH_SOLICITED = 2, /* an answer: reachable */
	NEIGH_OVERRIDE = 4,  /* replaces another address */
	NEIGH_ROUTER = 8,
	NEIGH_HOST = 16, /* said that it is no router */
};
void neigh_init(void);
/* p->data at the IP header; ownership passes. */
int neigh_output(struct netdev *dev, struct packet *p, struct ip_addr next_hop);
/* mac NULL: it was not said. how: NEIGH_*; RFC 4861 7.2.5, where ARP is S and O. */
void neigh_update(struct netdev *dev, struct ip_addr ip, const uint8_t *mac, unsigned how);
bool neigh_pending(void); /* packets wait for an address */

struct neigh_info {
	struct ip_addr ip;
	struct netdev *dev;
	uint8_t mac[6];
	uint16_t state; /* NUD_* */
	bool router;
};
unsigned neigh_list(struct neigh_info *out, unsigned max); /* how many there are */

/* arp.c */
void arp_input(struct netdev *dev, struct packet *p);		       /* data at the ARP header */
void arp_solicit(struct netdev *dev, uint32_t ip, const uint8_t *mac); /* NULL: broadcast */
void arp_announce(struct netdev *dev, uint32_t addr);
void arp_probe(struct netdev *dev, uint32_t addr); /* asks for it without having one */

int eth_output(struct netdev *dev, struct packet *p, const uint8_t *dst, uint16_t type);
