/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/udp*.c: UDP (RFC 768). */
#pragma once

#include "cpu/barrier.h"
#include "net/dgram.h"

struct rx;

/* udp_segment.c: what UDP_SEGMENT makes of a message, all of it: a list of packets with their
 * headers. ERR_PTR. */
struct packet *udp_cut_message(
	struct inet_sock *i, struct socket_message *m, const struct dgram_target *t);
/* udp_cork.c: a message that is a part of a datagram, or its last one. t NULL: not the first. */
static inline bool udp_cork_pending(const struct dgram_sock *d)
{
	return load_relaxed(&d->pending);
}
ssize_t udp_cork_send(struct socket *s, struct socket_message *m, const struct dgram_target *t);
void udp_cork_set(struct socket *s, bool on); /* UDP_CORK; off: it goes */
void udp_cork_drop(struct dgram_sock *d);     /* lock held, or nobody else knows it */
/* UDP_GRO: neighbours of a batch that are one flow's become one packet. */
void udp_merge(struct packet *batch);
/* A datagram's header is put in front of p. */
void udp_push_header(const struct inet_sock *i, struct packet *p, const struct dgram_target *t);
/* A local port (0: any free one), by which packets find it then. The socket's lock held. */
int udp_take_port(struct inet_sock *i, struct ip_addr addr, uint16_t port);

/* udp_rings.c: packets by reference (skiff.h). */
static inline struct udp_rings *udp_rings(struct socket *s)
{
	return load_acquire(&dgram_sk(s)->rings);
}
/* p's data is the payload; ownership passes, and what rx_hold got. In rx until its run ends. */
void udp_rings_receive(struct rx *rx, struct socket *s, struct packet *p);
void udp_rings_end_run(const struct rx *rx, struct socket *s); /* wakes who waits */
/* One packet, at once; the socket's lock held, the caller wakes. */
void udp_rings_push(struct socket *s, struct packet *p);
bool udp_rings_readable(struct socket *s);
void udp_rings_destroy(struct dgram_sock *d);
