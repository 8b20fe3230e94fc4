/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: IP of both families, out and in; fragments. ip6.h has what only IPv6 has. */
#pragma once

#include "abi/net.h"
#include "net/addr.h"

struct packet;
struct route_cache;
struct rx;

struct ip_send {
	struct ip_addr src, dst;
	uint32_t flow; /* IPv6: 20 bits */
	uint8_t protocol, tos;
	uint8_t ttl;	    /* IPv6: 0 is the route's */
	bool dont_fragment; /* IPv4: routers are told so, of what is sent whole */
	bool whole;	    /* -EMSGSIZE instead of fragments of our own */
	bool complete;	    /* the program wrote the header, too: p->data is at it */
};
/* p->data is at the transport header. Ownership passes. -EMSGSIZE, -ENOBUFS, -ENETUNREACH. */
int ip_output(struct packet *p, const struct ip_send *how, const struct route_cache *route);
/* A program's own IPv4 header, all of it in the first piece: what Linux fills in or corrects. */
void ip_complete_header(struct packet *p, struct ip_addr src);
/* The IP header is there: to loopback, a group, or the next hop. */
int ip_link_output(struct packet *p, struct ip_addr dst, const struct route_cache *r);
static inline unsigned ip_header_size(struct ip_addr dst)
{
	return ip_is_v4(dst) ? sizeof(struct ip_header) : sizeof(struct ip6_header);
}

/* ip_ident.c. The first of 'count' identifications that follow each other; addresses as on the
 * wire.
 */
uint16_t ip_ident(uint32_t src, uint32_t dst, uint8_t protocol, unsigned count);

void ip_input(struct rx *rx, struct packet *p); /* data at the IP header */
/* IPv6: to raw sockets and the protocol in cb; p's data is at its header. False: nobody knows it.
 */
bool ip6_dispatch(struct rx *rx, struct packet *p);
/*
 * p is a fragment, its data at the payload and its headers (cb->ip_len bytes) in front. The whole
 * packet, with the headers of the first fragment, or NULL: not complete yet, or dropped.
 */
struct frag_key {
	struct ip_addr src, dst;
	uint32_t id;
	uint8_t protocol; /* IPv6: 0 */
};
struct packet *ip_reassemble(
	struct packet *p, const struct frag_key *key, uint32_t offset, bool more);
void ip_frag_init(void);
