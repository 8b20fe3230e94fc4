/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/: packets on their way up: driver thread -> net_rx -> ip_input -> flow.h ->
 * channel.h, which says in whose thread the protocol runs.
 */
#pragma once

#include "net/addr.h"
#include "net/socket.h"

/* One run of received packets: a socket is kicked once for neighbouring packets that it gets. */
struct rx {
	struct netdev *dev;
	struct socket *pending; /* referenced: its run of packets has not ended yet */
	unsigned run;		/* what channel_push has returned for them */
	bool rings;		/* some of them went to its program's rings */
	/* What the last packet was found to be: the next one often is of the same flow. */
	uint64_t unicast;	 /* IPv4: source and destination, both in order; 0: none yet */
	struct ip_addr src, dst; /* if connected: pending is TCP's connection of this flow */
	uint16_t sport, dport;
	bool connected;
};
static inline void rx_init(struct rx *rx, struct netdev *dev)
{
	rx->dev = dev;
	rx->pending = NULL;
	rx->run = 0;
	rx->rings = rx->connected = false;
	rx->unicast = 0;
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
