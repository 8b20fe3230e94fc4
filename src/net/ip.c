/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 (RFC 791, 1122): input checks, output, fragmentation. */

#include "net/impl.h"
#include "diag/counter.h"

COUNTER(ip_rx_malformed);
COUNTER(ip_rx_martian);
COUNTER(ip_rx_not_mine);
COUNTER(ip_rx_bad_checksum);
COUNTER(ip_tx_fragments);
COUNTER(ip_tx_software_checksum);

/* ---- input ---- */

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
	if (!(pkt_cb(p)->flags & PKT_LOOPBACK) && csum_fold(csum_add(0, ip, hlen)) != 0) {
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

static bool is_martian(const struct rx *rx, const struct ip_header *ip)
{
	bool lo = rx->dev->features & NETDEV_LOOPBACK;

	if (ip_is_multicast(ip->src) || ip->src == INADDR_BROADCAST || ip->dst == 0)
		return true;
	if (!lo && (ip_is_loopback(ip->src) || ip_is_loopback(ip->dst)))
		return true;
	return !lo && ip_local_kind(ip->src) == IP_LOCAL && ip->src != 0;
}

/* Before there is an address, DHCP answers may come to the one we are going to have. */
static bool for_dhcp(
	const struct rx *rx, const struct packet *p, const struct ip_header *ip, unsigned hlen)
{
	return ip->protocol == IPPROTO_UDP && p->len >= hlen + 8 &&
	       !net_addr_of(net_config(), rx->dev) &&
	       get_be16(p->data + hlen + 2) == DHCP_CLIENT_PORT;
}

static void dispatch(struct rx *rx, struct packet *p)
{
	uint8_t protocol = pkt_cb(p)->protocol;
	bool raw = the_net()->raw.head.next != &the_net()->raw.head && raw_input(rx, p);

	switch (protocol) {
	case IPPROTO_TCP: tcp_input(rx, p); return;
	case IPPROTO_UDP: udp_input(rx, p); return;
	case IPPROTO_ICMP: icmp_input(rx, p); return;
	}
	if (!raw && !(pkt_cb(p)->flags & (PKT_BROADCAST | PKT_MULTICAST)))
		icmp_send_error(p, ICMP_UNREACHABLE, ICMP_PROT_UNREACH, 0);
	packet_free(p);
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
	if (is_martian(rx, ip)) {
		counter_inc(ip_rx_martian);
		goto drop;
	}
	switch (ip_local_kind(ip->dst)) {
	case IP_LOCAL:
		if (cb->flags & (PKT_BROADCAST | PKT_MULTICAST)) /* RFC 1122 3.3.6 */
			goto drop;
		break;
	case IP_LOCAL_BROADCAST: cb->flags |= PKT_BROADCAST; break;
	case IP_LOCAL_MULTICAST: cb->flags |= PKT_MULTICAST; break;
	case IP_NOT_LOCAL:
		if (!for_dhcp(rx, p, ip, hlen)) {
			counter_inc(ip_rx_not_mine);
			goto drop;
		}
	}
	if (be16(ip->frag) & (IP_MF | IP_OFFSET)) {
		p = ip_reassemble(p);
		if (!p)
			return;
		ip = (struct ip_header *)p->data;
		cb = pkt_cb(p);
		hlen = (ip->ver_ihl & 15) * 4;
	}
	cb->src = ip->src;
	cb->dst = ip->dst;
	cb->ttl = ip->ttl;
	cb->tos = ip->tos;
	cb->protocol = ip->protocol;
	cb->ip_len = (uint16_t)hlen;
	packet_pull(p, hlen);
	dispatch(rx, p);
	return;
drop:
	packet_free(p);
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
	ip->src = how->src;
	ip->dst = how->dst;
	ip->checksum = csum_fold(csum_add(0, ip, sizeof(*ip)));
}

static int hand_over(struct packet *p, const struct ip_send *how, const struct route_cache *r)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (r->dev->features & NETDEV_LOOPBACK)
		return r->dev->send(r->dev, p);
	if (r->broadcast)
		return eth_output(r->dev, p, all, ETH_IPV4);
	if (ip_is_multicast(how->dst)) {
		uint32_t a = be32(how->dst);
		uint8_t mac[6] = { 1, 0, 0x5e, (a >> 16) & 0x7f, (a >> 8) & 0xff, a & 0xff };

		return eth_output(r->dev, p, mac, ETH_IPV4);
	}
	return arp_output(r->dev, p, r->next_hop);
}

static int send_fragments(struct packet *p, const struct ip_send *how, const struct route_cache *r)
{
	size_t total = pkt_total(p), step = (r->mtu - sizeof(struct ip_header)) & ~7ul;
	uint16_t id = (uint16_t)atomic_add(&the_net()->ip_id, 1);
	int err = 0;

	csum_finish(p);
	for (size_t off = 0; off < total && !err; off += step) {
		size_t n = MIN(step, total - off);
		struct packet *f = packet_alloc(TX_HEADROOM, n);

		if (!f) {
			err = -ENOBUFS;
			break;
		}
		pkt_copy_out(p, off, packet_put(f, n), n);
		fill_header(packet_push(f, sizeof(struct ip_header)), how,
			n + sizeof(struct ip_header), id,
			(uint16_t)(off / 8) | (off + n < total ? IP_MF : 0));
		counter_inc(ip_tx_fragments);
		err = hand_over(f, how, r);
	}
	packet_free(p);
	return err;
}

int ip_output(struct packet *p, const struct ip_send *how, const struct route_cache *route)
{
	size_t total = pkt_total(p) + sizeof(struct ip_header);
	bool merged = p->gso_type != PACKET_GSO_NONE;

	if (total > IP_MAX_TOTAL && !merged) {
		packet_free(p);
		return -EMSGSIZE;
	}
	if (!merged && total > route->mtu) {
		if (how->dont_fragment) {
			packet_free(p);
			return -EMSGSIZE;
		}
		return send_fragments(p, how, route);
	}
	if (p->csum_flags == PACKET_CSUM_PARTIAL && !(route->dev->features & NETDEV_TX_CSUM))
		csum_finish(p);
	fill_header(packet_push(p, sizeof(struct ip_header)), how, total,
		how->dont_fragment && !merged ? 0 : (uint16_t)atomic_add(&the_net()->ip_id, 1),
		how->dont_fragment ? IP_DF : 0);
	p->csum_start += sizeof(struct ip_header);
	p->header_len += sizeof(struct ip_header);
	return hand_over(p, how, route);
}
