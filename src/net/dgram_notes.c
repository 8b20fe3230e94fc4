/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ancillary data of received datagrams, in Linux's order. IP's headers lie in front of a
 * packet's data for as long as it is the packet that came; a copy (of a group's datagram for all
 * but the last member) has none, and so tells no options and no extension headers.
 */

#include "net/dgram.h"
#include "net/ip6.h"

uint16_t inet_note_of(int level, int name)
{
	if (level == SOL_IP)
		return name == IP_RECVOPTS	    ? NOTE_OPTIONS
		       : name == IP_RECVORIGDSTADDR ? NOTE_ORIGDST
						    : 0;
	switch (name) {
	case IPV6_RECVORIGDSTADDR: return NOTE_ORIGDST6;
	case IPV6_FLOWINFO: return NOTE_FLOWINFO;
	case IPV6_RECVHOPOPTS: return NOTE_HOPOPTS;
	case IPV6_RECVDSTOPTS: return NOTE_DSTOPTS;
	case IPV6_RECVRTHDR: return NOTE_RTHDR;
	case IPV6_2292PKTINFO: return NOTE_OLD_PKTINFO;
	case IPV6_2292HOPLIMIT: return NOTE_OLD_HOPLIMIT;
	case IPV6_2292HOPOPTS: return NOTE_OLD_HOPOPTS;
	case IPV6_2292DSTOPTS: return NOTE_OLD_DSTOPTS;
	case IPV6_2292RTHDR: return NOTE_OLD_RTHDR;
	default: return 0;
	}
}

/* The first byte of p's IP headers, cb->ip_len of them, or NULL: a copy. */
static const uint8_t *headers_of(const struct socket *s, const struct packet *p)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);
	size_t back = cb->ip_len;

	if (s->type == SOCK_RAW && s->family == AF_INET)
		return p->data;
	if (s->type == SOCK_DGRAM && s->protocol == IPPROTO_UDP)
		back += sizeof(struct udp_header);
	return (size_t)(p->data - p->head) >= back ? p->data - back : NULL;
}

static void put_rare4(struct socket *s, const struct packet *p, struct socket_message *m)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);
	const uint8_t *ip = headers_of(s, p);
	uint16_t wanted = inet_sk(s)->rare_notes;
	struct sockaddr_storage a;
	uint32_t n;

	if ((wanted & NOTE_OPTIONS) && ip && cb->ip_len > sizeof(struct ip_header))
		cmsg_put(m, SOL_IP, IP_RECVOPTS, ip + sizeof(struct ip_header),
			cb->ip_len - sizeof(struct ip_header));
	if (wanted & NOTE_ORIGDST) {
		inet_addr(&a, &n, ip_v4(cb->dst), cb->dport);
		cmsg_put(m, SOL_IP, IP_RECVORIGDSTADDR, &a, n);
	}
}

static void put4(struct socket *s, const struct packet *p, struct socket_message *m)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);
	const struct inet_sock *i = inet_sk(s);

	if (i->pktinfo) {
		struct in_pktinfo info = { .ipi_ifindex = cb->ifindex,
			.ipi_addr = ip_v4(cb->dst),
			.ipi_spec_dst =
				ip_v4(ip_local_kind(cb->dst) == IP_LOCAL ? cb->dst : i->laddr) };

		cmsg_put(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (i->recvttl) {
		int ttl = cb->ttl;

		cmsg_put(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	}
	if (i->recvtos)
		cmsg_put(m, SOL_IP, IP_TOS, &cb->tos, 1);
	if (i->rare_notes)
		put_rare4(s, p, m);
}

/* Every extension header of this kind. The walk was bounded when the packet came (ip6.c). */
static void put_extensions(
	struct socket_message *m, const uint8_t *ip, unsigned len, uint8_t kind, int type)
{
	uint8_t next = ip[6];

	for (unsigned off = sizeof(struct ip6_header); off + 8 <= len;) {
		unsigned n = (ip[off + 1] + 1u) * 8;

		if (off + n > len)
			return;
		if (next == kind)
			cmsg_put(m, SOL_IPV6, type, ip + off, n);
		next = ip[off];
		off += n;
	}
}

struct extension {
	uint16_t note;
	uint8_t kind, type;
};

static void put_all_extensions(struct socket *s, const struct packet *p, struct socket_message *m,
	const struct extension *e)
{
	const uint8_t *ip = headers_of(s, p);

	for (unsigned k = 0; ip && k < 3; k++)
		if (inet_sk(s)->rare_notes & e[k].note)
			put_extensions(
				m, ip, pkt_cb((struct packet *)p)->ip_len, e[k].kind, e[k].type);
}

static void put_pktinfo6(const struct pkt_cb *cb, struct socket_message *m, int type)
{
	struct in6_pktinfo info = { .ipi6_ifindex = cb->ifindex };

	memcpy(info.ipi6_addr, cb->dst.b, 16);
	cmsg_put(m, SOL_IPV6, type, &info, sizeof(info));
}

static void put_rare6(struct socket *s, const struct packet *p, struct socket_message *m)
{
	static const struct extension now[] = { { NOTE_HOPOPTS, IP6_HOPOPTS, IPV6_HOPOPTS },
		{ NOTE_DSTOPTS, IP6_DSTOPTS, IPV6_DSTOPTS },
		{ NOTE_RTHDR, IP6_ROUTING, IPV6_RTHDR } };
	static const struct extension old[] = { { NOTE_OLD_HOPOPTS, IP6_HOPOPTS, IPV6_2292HOPOPTS },
		{ NOTE_OLD_DSTOPTS, IP6_DSTOPTS, IPV6_2292DSTOPTS },
		{ NOTE_OLD_RTHDR, IP6_ROUTING, IPV6_2292RTHDR } };
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);
	uint16_t wanted = inet_sk(s)->rare_notes;
	const uint8_t *ip = headers_of(s, p);
	uint32_t flow = 0;
	int hops = cb->ttl;

	if (ip)
		memcpy(&flow, ip, sizeof(flow));
	flow &= be32(0x0fffffff); /* class and label */
	if ((wanted & NOTE_FLOWINFO) && flow)
		cmsg_put(m, SOL_IPV6, IPV6_FLOWINFO, &flow, sizeof(flow));
	put_all_extensions(s, p, m, now);
	if (wanted & NOTE_OLD_PKTINFO)
		put_pktinfo6(cb, m, IPV6_2292PKTINFO);
	if (wanted & NOTE_OLD_HOPLIMIT)
		cmsg_put(m, SOL_IPV6, IPV6_2292HOPLIMIT, &hops, sizeof(hops));
	put_all_extensions(s, p, m, old);
	if (wanted & NOTE_ORIGDST6) {
		struct sockaddr_storage a;
		uint32_t n;

		inet_put_addr(&a, &n, AF_INET6, cb->dst, cb->dport, cb->ifindex);
		cmsg_put(m, SOL_IPV6, IPV6_RECVORIGDSTADDR, &a, n);
	}
}

static void put6(struct socket *s, const struct packet *p, struct socket_message *m)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);
	const struct inet_sock *i = inet_sk(s);
	int hops = cb->ttl, tclass = cb->tos;

	if (i->recvhops)
		cmsg_put(m, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (i->recvtclass)
		cmsg_put(m, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
	if (i->rare_notes)
		put_rare6(s, p, m);
}

void dgram_put_notes(struct socket *s, const struct packet *p, struct socket_message *m)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);

	if (s->timestamp || s->ts_flags)
		cmsg_put_timestamp(s, m, cb->time);
	if (p->gso_type == PACKET_GSO_UDP_L4) {
		int size = p->gso_size;

		cmsg_put(m, SOL_UDP, UDP_GRO, &size, sizeof(size));
	}
	if (inet_sk(s)->pktinfo6)
		put_pktinfo6(cb, m, IPV6_PKTINFO);
	if (ip_is_v4(cb->dst))
		put4(s, p, m);
	else
		put6(s, p, m);
	if (s->rxq_ovfl) {
		uint32_t drops =
			load_relaxed(&dgram_sk(s)->drops) + load_relaxed(&s->channel.dropped);

		if (drops)
			cmsg_put(m, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
	}
}
