/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame is answered in its place: ARP, memcached's requests, and what bench/wire.c asks of one
 * byte (bench/wire.h has the ports). Packets are whole and without IP options, or not answered.
 */
#include "abi/net.h"
#include "floor.h"

#include "../wire.h"

#define ADDRESS	  0x0a00020fu /* 10.0.2.15 */
#define MEMCACHED 11211
#define FRAME	  8 /* bytes of memcached's own header; that of an answer is the request's */

enum { TCP = 6, UDP = 17 }; /* IPv4's protocols */

struct arp_frame {
	struct eth_header eth;
	struct arp_packet arp;
} __packed;

struct packet {
	struct eth_header eth;
	struct ip_header ip;
	union {
		struct udp_header udp;
		struct tcp_header tcp;
	};
} __packed;

static void turn(struct eth_header *eth)
{
	__builtin_memcpy(eth->dst, eth->src, sizeof(eth->dst));
	__builtin_memcpy(eth->src, mac, sizeof(eth->src));
}

/* Source and destination, with which the headers of UDP and TCP begin. */
static void turn_ports(void *header)
{
	uint32_t *ports = header;

	*ports = *ports << 16 | *ports >> 16;
}

static uint32_t answer_arp(struct arp_frame *f, uint32_t len)
{
	if (len < sizeof(*f) || f->arp.op != be16(ARP_REQUEST) || f->arp.tpa != be32(ADDRESS))
		return 0;
	turn(&f->eth);
	f->arp.op = be16(ARP_REPLY);
	f->arp.tpa = f->arp.spa;
	f->arp.spa = be32(ADDRESS);
	__builtin_memcpy(f->arp.tha, f->arp.sha, sizeof(f->arp.tha));
	__builtin_memcpy(f->arp.sha, mac, sizeof(f->arp.sha));
	return sizeof(*f);
}

/* Nothing but the length changes what the header sums to (RFC 1624). */
static void set_length(struct ip_header *ip, uint16_t total)
{
	uint32_t sum = (ip->checksum ^ 0xffffu) + (ip->total_len ^ 0xffffu) + be16(total);

	sum = (sum & 0xffff) + (sum >> 16);
	ip->checksum = (uint16_t)(sum + (sum >> 16)) ^ 0xffff;
	ip->total_len = be16(total);
}

/* These return the length of the answer with its header, len being the question's; 0: none. */

static uint32_t answer_udp(struct udp_header *udp, uint32_t len)
{
	char *payload = (char *)(udp + 1);

	if (len < sizeof(*udp))
		return 0;
	if (udp->dport == be16(MEMCACHED)) {
		uint32_t n = len > sizeof(*udp) + FRAME ? memcached_answer(payload + FRAME) : 0;

		if (!n)
			return 0;
		len = sizeof(*udp) + FRAME + n;
	} else if (udp->dport != be16(WIRE_ECHO)) {
		return 0;
	}
	turn_ports(udp);
	udp->len = be16((uint16_t)len);
	udp->checksum = 0; /* none: over IPv4 it may be left out */
	return len;
}

/* No connection is remembered: every number of ours follows from where the peer stands. */
#define FIRST 0x10000000u /* of our numbers: the SYN's */

static uint32_t answer_tcp(struct tcp_header *tcp, uint32_t len)
{
	uint32_t header = (tcp->offset >> 4) * 4u, n = len - header, seq = be32(tcp->ack);
	uint32_t ack = be32(tcp->seq) + n + !!(tcp->flags & (TCP_SYN | TCP_FIN));
	uint8_t *to = (uint8_t *)(tcp + 1), *payload = (uint8_t *)tcp + header;

	if (len < sizeof(*tcp) || header < sizeof(*tcp) || header > len || tcp->flags & TCP_RST)
		return 0;
	if (tcp->flags & TCP_SYN) {
		seq = FIRST;
		n = 0;
		tcp->flags = TCP_SYN | TCP_ACK;
	} else if (tcp->dport == be16(WIRE_CLOSE) && seq == FIRST + 1) {
		n = 1; /* a byte, and the end */
		to[0] = 'x';
		tcp->flags = TCP_ACK | TCP_PSH | TCP_FIN;
	} else if (tcp->dport == be16(WIRE_ECHO) && (n || tcp->flags & TCP_FIN)) {
		for (uint32_t i = 0; i < n; i++)
			to[i] = payload[i];
		tcp->flags = TCP_ACK | TCP_PSH | (tcp->flags & TCP_FIN);
	} else if (tcp->flags & TCP_FIN) {
		n = 0;
		tcp->flags = TCP_ACK;
	} else {
		return 0; /* an ACK */
	}
	turn_ports(tcp);
	tcp->seq = be32(seq);
	tcp->ack = be32(ack);
	tcp->offset = sizeof(*tcp) / 4 << 4;
	tcp->window = 0xffff;
	tcp->urgent = 0;
	return sizeof(*tcp) + n;
}

/* One's complement sum (RFC 1071) of an even number of bytes, in their order in memory. */
static uint32_t sum_of(const void *at, uint32_t n)
{
	const uint16_t *p = at;
	uint32_t sum = 0;

	for (; n; n -= 2)
		sum += *p++;
	return sum;
}

static void set_tcp_checksum(const struct ip_header *ip, struct tcp_header *tcp, uint32_t len)
{
	uint32_t sum = be16((uint16_t)len) + be16(ip->protocol) + sum_of(&ip->src, 8);

	((uint8_t *)tcp)[len] = 0; /* in case it is odd */
	tcp->checksum = 0;
	sum += sum_of(tcp, (len + 1) & ~1u);
	sum = (sum & 0xffff) + (sum >> 16);
	tcp->checksum = (uint16_t) ~(sum + (sum >> 16));
}

static uint32_t answer_ip(struct packet *p, uint32_t len)
{
	uint32_t from, total;

	if (len < ETH_HLEN + sizeof(p->ip) || p->ip.ver_ihl != 0x45 ||
		p->ip.frag & be16(IP_MF | IP_OFFSET) || p->ip.dst != be32(ADDRESS))
		return 0;
	total = be16(p->ip.total_len);
	if (total < sizeof(p->ip) || total > len - ETH_HLEN)
		return 0;
	len = total - sizeof(p->ip);
	switch (p->ip.protocol) {
	case UDP: len = answer_udp(&p->udp, len); break;
	case TCP: len = answer_tcp(&p->tcp, len); break;
	default: return 0;
	}
	if (!len)
		return 0;
	turn(&p->eth);
	from = p->ip.src;
	p->ip.src = p->ip.dst;
	p->ip.dst = from;
	if (p->ip.protocol == TCP)
		set_tcp_checksum(&p->ip, &p->tcp, len);
	len += sizeof(p->ip);
	set_length(&p->ip, (uint16_t)len);
	return ETH_HLEN + len;
}

uint32_t answer(void *frame, uint32_t len)
{
	const struct eth_header *eth = frame;

	if (eth->type == be16(ETH_IPV4))
		return answer_ip(frame, len);
	return eth->type == be16(ETH_ARP) ? answer_arp(frame, len) : 0;
}
