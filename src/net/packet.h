/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: packets inside the stack, and the Internet checksum over them. */
#pragma once

#include "abi/net.h"
#include "drivers/netdev.h"
#include "net/addr.h"

struct iter;

/* Device, Ethernet, IP with options or a fragment header, TCP. */
#define TX_HEADROOM (NETDEV_HEADROOM + 96)

enum {
	PKT_BROADCAST = 1,
	PKT_MULTICAST = 2,
	PKT_LOOPBACK = 4,
	PKT_ERROR = 8,
	PKT_COPIED = 16,
	PKT_LOCAL = 32
};

/* packet->cb while the packet is inside the stack. Ports host order. */
struct pkt_cb {
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint8_t ttl, tos, protocol, flags;
	uint16_t ifindex;
	uint16_t ip_len;       /* of the IP headers; they lie in front of data */
	uint32_t seq, end_seq; /* TCP, of the payload */
	uint32_t truesize;     /* memory it pins */
	union {
		uint64_t time;	/* datagrams: realtime ns of arrival */
		uint32_t spare; /* TCP: it gathers small pieces */
	};
};
_Static_assert(sizeof(struct pkt_cb) <= 64, "fits packet->cb");
/*
 * A packet with PKT_ERROR is on its way to a socket's error queue: a datagram of ours as far as an
 * ICMP error quotes it. dst, dport: where it went; src: who complains; ttl, tos: type and code;
 * seq: the errno; end_seq: the MTU. PKT_LOCAL: nobody complains, this machine knew it.
 */

static inline struct pkt_cb *pkt_cb(struct packet *p)
{
	return (struct pkt_cb *)p->cb;
}
/* In halves, each of which the compiler writes as plain stores: "rep stos" takes longer. */
static inline void pkt_cb_clear(struct pkt_cb *cb)
{
	memset(cb, 0, sizeof(*cb) / 2);
	memset((char *)cb + sizeof(*cb) / 2, 0, sizeof(*cb) / 2);
}
static inline void *pkt_tail(const struct packet *p)
{
	return p->data + p->len;
}
static inline size_t pkt_tailroom(const struct packet *p)
{
	return (size_t)(p->end - (p->data + p->len));
}
size_t pkt_total_frags(const struct packet *p);
static inline size_t pkt_total(const struct packet *p)
{
	return likely(!p->frags) ? p->len : pkt_total_frags(p);
}
uint32_t pkt_truesize(const struct packet *p);
/* Cuts n bytes off the front (frags included), or everything behind the first n. */
void pkt_trim_front(struct packet *p, size_t n);
void pkt_truncate(struct packet *p, size_t n);
/* Bytes [off, off+n) of the chain. Returns what was copied. */
size_t pkt_copy_to_iter(const struct packet *p, size_t off, struct iter *to, size_t n);
void pkt_copy_out(const struct packet *p, size_t off, void *to, size_t n);
/* Makes sure that the first n bytes are in the first piece. False: the chain is shorter. */
bool pkt_pull_up_frags(struct packet *p, size_t n);
static inline bool pkt_pull_up(struct packet *p, size_t n)
{
	return likely(p->len >= n) || pkt_pull_up_frags(p, n);
}
/* A single-piece copy of the chain with headroom; NULL: no memory. */
struct packet *pkt_linearise(const struct packet *p, size_t headroom);
/*
 * Cuts p, whose ownership passes, into packets of 'step' bytes of its data, the last may be
 * shorter: a list, in order. They refer to p's bytes. What there is no memory for is left out.
 */
struct packet *pkt_cut(struct packet *p, size_t step);
void pkt_free_list(struct packet *list);

/* Internet checksum (RFC 1071): partial sums are folded late. */
uint32_t csum_add(uint32_t sum, const void *data, size_t n); /* n even unless it is the last */
/*
 * As it goes into the header (which is in network order as the words summed were). Both halves are
 * both halves' sum then, and the upper one has the carry of the lower: it goes around.
 */
static inline uint16_t csum_fold(uint32_t sum)
{
	sum += sum << 16 | sum >> 16;
	return (uint16_t)(~sum >> 16);
}
static inline uint32_t csum_pseudo(uint32_t src, uint32_t dst, uint8_t protocol, uint32_t len)
{
	/* Then a zero byte, the protocol, and the length. */
	uint64_t s = (uint64_t)src + dst + ((uint32_t)be16((uint16_t)len) << 16 | protocol << 8);

	s = (s & 0xffffffff) + (s >> 32);
	return (uint32_t)s + (uint32_t)(s >> 32);
}
uint32_t csum_pseudo6(struct ip_addr src, struct ip_addr dst, uint8_t protocol, uint32_t len);
static inline uint32_t csum_pseudo_ip(
	struct ip_addr src, struct ip_addr dst, uint8_t protocol, uint32_t len)
{
	return ip_is_v4(dst) ? csum_pseudo(ip_v4(src), ip_v4(dst), protocol, len)
			     : csum_pseudo6(src, dst, protocol, len);
}
uint32_t csum_packet(uint32_t sum, const struct packet *p);
/* Computes what PACKET_CSUM_PARTIAL left open. */
void csum_finish(struct packet *p);
