/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: packets on their way up: driver thread -> net_rx -> ip_input -> flow.h ->
 * channel.h, which says in whose thread the protocol runs.
 */
#pragma once

#include "net/packet.h"
#include "net/socket.h"

/* One run of received packets: a socket is kicked once for neighbouring packets that it gets. */
struct rx {
	struct netdev *dev;
	struct socket *pending; /* referenced: its run of packets has not ended yet */
	unsigned run;		/* what channel_push has returned for them */
	/* Those for its program's rings, linked by next from the newest, and how many. */
	struct packet *newest, *oldest;
	unsigned rings;
	/* What the last packet was found to be: the next one often is of the same flow. */
	uint64_t unicast; /* IPv4: source and destination, both in order; 0: none yet */
	/*
	 * found: pending is who gets this flow. IPPROTO_TCP: as its connection; IPPROTO_UDP: as
	 * long as net_state.udp_lookups is 'lookups'. 0: not known.
	 */
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint32_t lookups;
	uint8_t found;
};
static inline void rx_init(struct rx *rx, struct netdev *dev)
{
	rx->dev = dev;
	rx->pending = NULL;
	rx->run = 0;
	rx->newest = NULL;
	rx->rings = 0;
	rx->found = 0;
	rx->unicast = 0;
}
/* Of the flow of the one before; else it is the next one that may be. */
static inline bool rx_same_flow(struct rx *rx, uint8_t protocol, const struct pkt_cb *cb)
{
	if (rx->found == protocol && rx->sport == cb->sport && rx->dport == cb->dport &&
		ip_equal(rx->src, cb->src) && ip_equal(rx->dst, cb->dst))
		return true;
	rx->found = 0;
	rx->src = cb->src;
	rx->dst = cb->dst;
	rx->sport = cb->sport;
	rx->dport = cb->dport;
	return false;
}
/*
 * In a read section that found s: keeps it for the rx_to_socket that comes next. The run holds one
 * reference for all its packets. False: it is at its end, look again.
 */
static inline bool rx_hold(const struct rx *rx, struct socket *s)
{
	return rx->pending == s || socket_get_live(s);
}
/* Takes what rx_hold got. kind: for channel_push. */
void rx_to_socket(struct rx *rx, struct socket *s, struct packet *p, unsigned kind);
void rx_flush(struct rx *rx);
void net_rx(struct netdev *dev, struct packet *batch);
/* gro.c: the batch (Ethernet frames) with what belongs together merged. */
struct packet *gro_receive(struct packet *batch);
