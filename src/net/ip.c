/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 (RFC 791, 1122): input checks, output, fragmentation; and what both families share. */

#include "net/icmp.h"
#include "net/igmp.h"
#include "net/ip.h"
#include "net/ip6.h"
#include "net/neigh.h"
#include "net/packet.h"
#include "net/route.h"
#include "net/rx.h"
#include "net/state.h"
#include "net/transport.h"
#include "abi/errno.h"
#include "abi/socket.h"
#include "diag/counter.h"

COUNTER(ip_rx_malformed);
COUNTER(ip_rx_martian);
COUNTER(ip_rx_not_mine);
COUNTER(ip_rx_bad_checksum);
COUNTER(ip_rx_options_refused);
COUNTER(ip_tx_fragments);
COUNTER(ip_tx_software_checksum);

/* Of a header without options. */
static uint16_t header_checksum(const struct ip_header *ip)
{
	struct {
		uint64_t first, second;
		uint32_t third;
	} __packed w;
	uint64_t sum;

	_Static_assert(sizeof(w) == sizeof(*ip), "without options");
	memcpy(&w, ip, sizeof(w));
	sum = w.first + w.second;
	sum += sum < w.first; /* the carry goes around */
	sum += w.third;
	sum += sum < w.third;
	sum += sum << 32 | sum >> 32; /* as csum_fold */
	return csum_fold((uint32_t)(sum >> 32));
}

/* ---- input ---- */

static bool header_intact(const struct packet *p, const struct ip_header *ip, unsigned hlen)
{
	if (pkt_cb((struct packet *)p)->flags & PKT_LOOPBACK)
		return true;
	if (likely(hlen == sizeof(*ip)))
		return header_checksum(ip) == 0;
	return csum_fold(csum_add(0, ip, hlen)) == 0;
}

/* Length of the header if the packet is a sound IPv4 packet (then cut to its length), else 0. */
static unsigned check_header(struct packet *p)
{
	struct ip_header *ip;
	unsigned hlen, total;

	if (!pkt_pull_up(p, sizeof(*ip)))
		return 0;
	ip = (struct ip_header *)p->data;
	hlen = (ip->ver_ihl & 15) * 4;
	total = be16(ip->total_len);
	if (ip->ver_ihl >> 4 != 4 || hlen < sizeof(*ip) || total < hlen || !pkt_pull_up(p, hlen))
		return 0;
	ip = (struct ip_header *)p->data;
	if (!header_intact(p, ip, hlen)) {
		counter_inc(ip_rx_bad_checksum);
		return 0;
	}
	/* A merged loopback packet may be longer than 16 bits can say. */
	size_t have = pkt_total(p);

	if (have < total)
		return 0;
	if (have > total && !(pkt_cb(p)->flags & PKT_LOOPBACK))
		pkt_truncate(p, total);
	return hlen;
}

/*
 * What a header's options ask of who is not a router: nothing. Malformed ones the sender hears of;
 * source routes are not taken (RFC 7126, 4.3 and 4.4), as by default in Linux.
 */
static bool options_ok(struct packet *p, const uint8_t *header, unsigned hlen)
{
	unsigned at = sizeof(struct ip_header);

	while (at < hlen && header[at] != IPOPT_END) {
		unsigned n = header[at] == IPOPT_NOP ? 1 : at + 1 < hlen ? header[at + 1] : 0;

		if (header[at] == IPOPT_LSRR || header[at] == IPOPT_SSRR)
			return false;
		if (!n || (n == 1 && header[at] != IPOPT_NOP) || at + n > hlen) {
			packet_pull(p, hlen);
			icmp_send_error(p, ICMP_PARAMETER, 0, at << 24);
			return false;
		}
		at += n;
	}
	return true;
}

static bool is_martian(const struct rx *rx, const struct ip_header *ip)
{
	bool lo = rx->dev->features & NETDEV_LOOPBACK;

	if (ip4_is_multicast(ip->src) || ip->src == INADDR_BROADCAST || ip->dst == 0)
		return true;
	if (!lo && (ip4_is_loopback(ip->src) || ip4_is_loopback(ip->dst)))
		return true;
	return !lo && ip4_is_ours(ip->src) && ip->src != 0;
}

/* The usual, of which nothing else needs to be asked. */
static bool from_other_to_us(const struct rx *rx, const struct ip_header *ip)
{
	if (rx->dev->features & NETDEV_LOOPBACK)
		return ip4_is_loopback(ip->src) && ip4_is_loopback(ip->dst);
	return ip4_from_other_to_us(ip->src, ip->dst);
}

/* Before there is an address, DHCP answers may come to the one we are going to have. */
static bool for_dhcp(
	const struct rx *rx, const struct packet *p, const struct ip_header *ip, unsigned hlen)
{
	return ip->protocol == IPPROTO_UDP && p->len >= hlen + 8 && !net_addr4(rx->dev) &&
	       get_be16(p->data + hlen + 2) == DHCP_CLIENT_PORT;
}

static inline bool dispatch(struct rx *rx, struct packet *p, bool v4)
{
	uint8_t protocol = pkt_cb(p)->protocol;
	bool raw = load_relaxed(&the_net()->raw_flows.count) && raw_input(rx, p);

	switch (protocol) {
	case IPPROTO_TCP: tcp_input(rx, p); return true;
	case IPPROTO_UDP: udp_input(rx, p); return true;
	case IPPROTO_ICMP:
		if (!v4)
			break;
		icmp_input(rx, p);
		return true;
	case IPPROTO_IGMP:
		if (!v4)
			break;
		igmp_input(rx, p);
		return true;
	case IPPROTO_ICMPV6:
		if (v4)
			break;
		icmp6_input(rx, p);
		return true;
	}
	if (raw)
		packet_free(p);
	return raw;
}

bool ip6_dispatch(struct rx *rx, struct packet *p)
{
	return dispatch(rx, p, false);
}

/* The whole packet, its data at the payload, or NULL. */
static struct packet *reassemble(struct packet *p, const struct ip_header *ip, unsigned hlen)
{
	unsigned frag = be16(ip->frag), offset = (frag & IP_OFFSET) * 8u;
	struct frag_key key = { pkt_cb(p)->src, pkt_cb(p)->dst, ip->id, ip->protocol };

	packet_pull(p, hlen);
	if (offset + pkt_total(p) + hlen > IP_MAX_TOTAL) {
		packet_free(p);
		return NULL;
	}
	p = ip_reassemble(p, &key, offset, frag & IP_MF);
	if (p) { /* whoever looks at the header again sees a whole packet */
		struct ip_header *h = (struct ip_header *)(p->data - pkt_cb(p)->ip_len);

		h->frag = 0;
		h->total_len =
			be16((uint16_t)MIN(pkt_total(p) + pkt_cb(p)->ip_len, (size_t)IP_MAX_TOTAL));
	}
	return p;
}

/* Whether the packet is for us and may come from where it says; marks what is for several. */
static bool check_addresses(
	struct rx *rx, struct packet *p, const struct ip_header *ip, unsigned hlen)
{
	uint64_t both = (uint64_t)ip->src << 32 | ip->dst;
	struct pkt_cb *cb = pkt_cb(p);
	bool to_several = cb->flags & (PKT_BROADCAST | PKT_MULTICAST);

	if (both == rx->unicast && both && !to_several)
		return true;
	if (likely(!to_several && from_other_to_us(rx, ip))) {
		rx->unicast = both;
		return true;
	}
	if (is_martian(rx, ip)) {
		counter_inc(ip_rx_martian);
		return false;
	}
	switch (ip4_local_kind(ip->dst)) {
	case IP_LOCAL:
		if (to_several) /* RFC 1122 3.3.6 */
			return false;
		rx->unicast = both;
		return true;
	case IP_LOCAL_BROADCAST: cb->flags |= PKT_BROADCAST; return true;
	case IP_LOCAL_MULTICAST: cb->flags |= PKT_MULTICAST; return true;
	case IP_NOT_LOCAL:
		if (for_dhcp(rx, p, ip, hlen))
			return true;
		counter_inc(ip_rx_not_mine);
	}
	return false;
}

static void take_header(struct pkt_cb *cb, const struct ip_header *ip, unsigned hlen)
{
	cb->src = ip_map(ip->src);
	cb->dst = ip_map(ip->dst);
	cb->ttl = ip->ttl;
	cb->tos = ip->tos;
	cb->protocol = ip->protocol;
	cb->ip_len = (uint16_t)hlen;
}

void ip_input(struct rx *rx, struct packet *p)
{
	unsigned hlen = check_header(p);
	struct ip_header *ip = (struct ip_header *)p->data;
	struct pkt_cb *cb = pkt_cb(p);

	if (!hlen) {
		counter_inc(ip_rx_malformed);
		goto drop;
	}
	if (!check_addresses(rx, p, ip, hlen))
		goto drop;
	take_header(cb, ip, hlen);
	if (unlikely(hlen > sizeof(*ip)) && !options_ok(p, p->data, hlen)) {
		counter_inc(ip_rx_options_refused);
		goto drop;
	}
	if (be16(ip->frag) & (IP_MF | IP_OFFSET)) {
		p = reassemble(p, ip, hlen);
		if (!p)
			return;
	} else {
		packet_pull(p, hlen);
	}
	if (!dispatch(rx, p, true)) {
		icmp_send_error(p, ICMP_UNREACHABLE, ICMP_PROT_UNREACH, 0);
		packet_free(p);
	}
	return;
drop:
	packet_free(p);
}

bool ip_quote(const uint8_t *header, size_t len, struct ip_quote *q)
{
	const struct ip_header *ip = (const struct ip_header *)header;
	size_t hlen;

	if (len && header[0] >> 4 == 6)
		return ip6_quote(header, len, q);
	if (len < sizeof(*ip) || ip->ver_ihl >> 4 != 4)
		return false;
	hlen = (ip->ver_ihl & 15) * 4u;
	if (hlen < sizeof(*ip) || len < hlen + 8)
		return false;
	*q = (struct ip_quote){ .src = ip_map(ip->src),
		.dst = ip_map(ip->dst),
		.protocol = ip->protocol,
		.l4 = header + hlen,
		.len = len - hlen };
	return true;
}

void ip_quote_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu)
{
	if (q->protocol == IPPROTO_TCP)
		tcp_icmp_error(q, err, hard, mtu);
	else if (q->protocol == IPPROTO_UDP)
		udp_icmp_error(q, err, hard, mtu);
	else if (q->protocol == (ip_is_v4(q->dst) ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		ping_icmp_error(q, err, hard, mtu);
}

/* ---- output ---- */

void csum_finish(struct packet *p)
{
	uint16_t sum;

	if (p->csum_flags != PACKET_CSUM_PARTIAL)
		return;
	counter_inc(ip_tx_software_checksum);
	packet_pull(p, p->csum_start);
	sum = csum_fold(csum_packet(0, p));
	if (!sum)
		sum = 0xffff; /* UDP: 0 means none; elsewhere the same value */
	memcpy(p->data + p->csum_offset, &sum, 2);
	packet_push(p, p->csum_start);
	p->csum_flags = PACKET_CSUM_NONE;
}

static void fill_header(
	struct ip_header *ip, const struct ip_send *how, size_t total, uint16_t id, uint16_t frag)
{
	ip->ver_ihl = 0x45;
	ip->tos = how->tos;
	ip->total_len = be16((uint16_t)MIN(total, (size_t)IP_MAX_TOTAL));
	ip->id = be16(id);
	ip->frag = be16(frag);
	ip->ttl = how->ttl;
	ip->protocol = how->protocol;
	ip->checksum = 0;
	ip->src = ip_v4(how->src);
	ip->dst = ip_v4(how->dst);
	ip->checksum = header_checksum(ip);
}

void ip_complete_header(struct packet *p, struct ip_addr src)
{
	struct ip_header *ip = (struct ip_header *)p->data;

	if (!ip->src)
		ip->src = ip_v4(src);
	if (!ip->id && !(be16(ip->frag) & IP_DF))
		ip->id = be16(ip_ident(ip->src, ip->dst, ip->protocol, 1));
	ip->total_len = be16((uint16_t)pkt_total(p));
	ip->checksum = 0;
	ip->checksum = csum_fold(csum_add(0, ip, (ip->ver_ihl & 15) * 4u));
}

int ip_link_output(struct packet *p, struct ip_addr dst, const struct route_cache *r)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (r->dev->features & NETDEV_LOOPBACK)
		return r->dev->send(r->dev, p);
	if (r->broadcast)
		return eth_output(r->dev, p, all, ETH_IPV4);
	if (ip_is_multicast(dst)) {
		uint8_t mac[6] = { 1, 0, 0x5e, dst.b[13] & 0x7f, dst.b[14], dst.b[15] };

		if (ip_is_v4(dst))
			return eth_output(r->dev, p, mac, ETH_IPV4);
		memset(mac, 0x33, 2);
		memcpy(mac + 2, dst.b + 12, 4);
		return eth_output(r->dev, p, mac, ETH_IPV6);
	}
	return neigh_output(r->dev, p, r->next_hop);
}

static int send_fragments(struct packet *p, const struct ip_send *how, const struct route_cache *r)
{
	size_t total = pkt_total(p), step = (r->mtu - sizeof(struct ip_header)) & ~7ul;
	uint16_t id = ip_ident(ip_v4(how->src), ip_v4(how->dst), how->protocol, 1);
	int err = 0;

	csum_finish(p);
	for (size_t off = 0; off < total && !err; off += step) {
		size_t n = MIN(step, total - off);
		struct packet *f = packet_alloc(TX_HEADROOM, n);

		if (!f) {
			err = -ENOBUFS;
			break;
		}
		f->queue = p->queue;
		if (off + n == total)
			packet_keep(f, p);
		pkt_copy_out(p, off, packet_put(f, n), n);
		fill_header(packet_push(f, sizeof(struct ip_header)), how,
			n + sizeof(struct ip_header), id,
			(uint16_t)(off / 8) | (off + n < total ? IP_MF : 0));
		counter_inc(ip_tx_fragments);
		err = ip_link_output(f, how->dst, r);
		if (off + n == total) /* and p with it, some time */
			return err;
	}
	packet_free(p);
	return err;
}

/* One for each packet that a device makes of p. What may not be cut needs none: RFC 6864 4.1. */
static uint16_t ident_of(const struct packet *p, const struct ip_send *how, bool df)
{
	unsigned count = 1;

	if (likely(df))
		return 0;
	if (p->gso_type != PACKET_GSO_NONE)
		count = (unsigned)DIV_ROUND_UP(pkt_total(p) - p->header_len, (size_t)p->gso_size);
	return ip_ident(ip_v4(how->src), ip_v4(how->dst), how->protocol, count);
}

int ip_output(struct packet *p, const struct ip_send *how, const struct route_cache *route)
{
	size_t total = pkt_total(p) + sizeof(struct ip_header);
	bool merged = p->gso_type != PACKET_GSO_NONE;

	if (unlikely(how->complete))
		return ip_link_output(p, how->dst, route);
	if (!ip_is_v4(how->dst))
		return ip6_output(p, how, route);
	if (total > IP_MAX_TOTAL && !merged) {
		packet_free(p);
		return -EMSGSIZE;
	}
	if (!merged && total > route->mtu) {
		if (how->whole) {
			packet_free(p);
			return -EMSGSIZE;
		}
		return send_fragments(p, how, route);
	}
	/* The path may be narrower than any MTU that is believed of it. */
	bool df = how->dont_fragment && (how->whole || likely(!route->may_fragment));
	uint16_t id = ident_of(p, how, df);

	if (p->csum_flags == PACKET_CSUM_PARTIAL && !(route->dev->features & NETDEV_TX_CSUM))
		csum_finish(p);
	fill_header(packet_push(p, sizeof(struct ip_header)), how, total, id, df ? IP_DF : 0);
	p->csum_start += sizeof(struct ip_header);
	p->header_len += sizeof(struct ip_header);
	return ip_link_output(p, how->dst, route);
}
