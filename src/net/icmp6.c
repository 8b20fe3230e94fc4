/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMPv6 (RFC 4443): echo, errors both ways; neighbour discovery and MLD go to nd.c and mld.c. */

#include "net/icmp.h"
#include "net/ip.h"
#include "net/ip6.h"
#include "net/neigh.h"
#include "net/packet.h"
#include "net/route.h"
#include "net/rx.h"
#include "net/transport.h"
#include "abi/errno.h"
#include "abi/socket.h"
#include "diag/counter.h"

COUNTER(icmp6_rx_malformed);

static void set_checksum(struct packet *p, struct ip_addr src, struct ip_addr dst)
{
	uint16_t sum;

	memset(p->data + 2, 0, 2);
	sum = csum_fold(
		csum_packet(csum_pseudo6(src, dst, IPPROTO_ICMPV6, (uint32_t)pkt_total(p)), p));
	memcpy(p->data + 2, &sum, 2);
}

/* dst of one link: out where the packet that is answered came in. */
static void send(struct packet *p, struct ip_addr src, struct ip_addr dst, int ifindex, uint8_t tos)
{
	struct ip_send how = { .dst = dst, .protocol = IPPROTO_ICMPV6, .tos = tos };
	struct route_cache r;

	if (route_lookup(dst, src, ip_needs_scope(dst) ? ifindex : 0, &r)) {
		packet_free(p);
		return;
	}
	how.src = r.src;
	set_checksum(p, how.src, dst);
	ip_output(p, &how, &r);
}

/* ---- errors we send ---- */

/* RFC 4443 2.4 (e). */
static bool may_complain(
	const struct packet *p, const struct pkt_cb *cb, uint8_t type, uint8_t code)
{
	const uint8_t *h = p->data - cb->ip_len;
	struct ip_quote q;
	bool group_ok =
		type == ICMP6_TOO_BIG || (type == ICMP6_PARAMETER && code == ICMP6_BAD_OPTION);

	if (ip_is_any(cb->src) || ip_is_multicast(cb->src))
		return false;
	if (((cb->flags & (PKT_MULTICAST | PKT_BROADCAST)) || ip_is_multicast(cb->dst)) &&
		!group_ok)
		return false;
	if (ip6_quote(h, cb->ip_len + p->len, &q) && q.protocol == IPPROTO_ICMPV6 &&
		(q.l4[0] < 128 || q.l4[0] == ICMP6_REDIRECT))
		return false;
	return icmp_rate_ok();
}

void icmp6_send_error(struct packet *p, uint8_t type, uint8_t code, uint32_t info)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct packet *e;

	if (!may_complain(p, cb, type, code))
		return;
	e = icmp_make_error(p, type, code, info, IP6_MIN_MTU - 48);
	if (e)
		send(e, ip_is_multicast(cb->dst) ? IP_ANY : cb->dst, cb->src, cb->ifindex, 0);
}

/* ---- what comes ---- */

static void echo_reply(struct packet *p)
{
	struct pkt_cb cb = *pkt_cb(p);
	struct packet *q;

	if (ip_is_any(cb.src)) {
		packet_free(p);
		return;
	}
	q = icmp_make_echo_reply(p, ICMP6_ECHO_REPLY);
	if (q)
		send(q, ip_is_multicast(cb.dst) ? IP_ANY : cb.dst, cb.src, cb.ifindex, cb.tos);
}

/* Linux's table. */
static const struct icmp_meaning unreachable[] = {
	{ ENETUNREACH, false },
	{ EACCES, true },
	{ EHOSTUNREACH, false },
	{ EHOSTUNREACH, false },
	{ ECONNREFUSED, true },
	{ EACCES, true },
	{ EACCES, true },
};

static void error_input(struct packet *p)
{
	struct icmp_header *h = (struct icmp_header *)p->data;
	struct ip_quote q;
	int err = EPROTO;
	bool hard = false;
	uint32_t mtu = 0;

	if (!pkt_pull_up(p, MIN(pkt_total(p), (size_t)512)))
		return;
	h = (struct icmp_header *)p->data;
	if (!ip6_quote(p->data + sizeof(*h), p->len - sizeof(*h), &q) ||
		ip_local_kind(q.src) != IP_LOCAL)
		return;
	switch (h->type) {
	case ICMP6_UNREACHABLE:
		if (h->code < ARRAY_SIZE(unreachable)) {
			err = unreachable[h->code].err;
			hard = unreachable[h->code].fatal;
		}
		break;
	case ICMP6_TOO_BIG: /* below 1280 nobody may say: RFC 8201 4 */
		err = EMSGSIZE;
		mtu = MAX(be32(h->unused), (uint32_t)IP6_MIN_MTU);
		if (mtu >= sizeof(struct ip6_header) + get_be16(p->data + sizeof(*h) + 4))
			return; /* who dropped it did not for that */
		break;
	case ICMP6_TIME_EXCEEDED: err = EHOSTUNREACH; break;
	case ICMP6_PARAMETER: hard = true; break;
	default: return;
	}
	q.offender = pkt_cb(p)->src;
	q.type = h->type;
	q.code = h->code;
	ip_quote_error(&q, err, hard, mtu);
}

static bool sound(struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);

	if (!pkt_pull_up(p, sizeof(struct icmp_header)))
		return false;
	return (cb->flags & PKT_LOOPBACK) || p->csum_flags != PACKET_CSUM_NONE ||
	       csum_fold(csum_packet(
		       csum_pseudo6(cb->src, cb->dst, IPPROTO_ICMPV6, (uint32_t)pkt_total(p)),
		       p)) == 0;
}

void icmp6_input(struct rx *rx, struct packet *p)
{
	if (!sound(p)) {
		counter_inc(icmp6_rx_malformed);
		packet_free(p);
		return;
	}
	switch (p->data[0]) {
	case ICMP6_UNREACHABLE:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAMETER: error_input(p); break;
	case ICMP6_ECHO: echo_reply(p); return;
	case ICMP6_ECHO_REPLY:
	case ICMP6_EXT_ECHO_REPLY: ping_input(rx, p); return;
	case ICMP6_MLD_QUERY: mld_input(rx, p); return;
	case ICMP6_ROUTER_ADV:
	case ICMP6_NEIGH_SOL:
	case ICMP6_NEIGH_ADV:
	case ICMP6_REDIRECT: nd_input(rx, p); return;
	}
	packet_free(p);
}

/* ---- the link's own protocols ---- */

void icmp6_send_on_link(struct netdev *dev, struct packet *p, struct ip_addr src,
	struct ip_addr dst, const uint8_t *mac, uint8_t hops, bool router_alert)
{
	static const uint8_t alert[8] = { IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
	uint8_t group[6] = { 0x33, 0x33, dst.b[12], dst.b[13], dst.b[14], dst.b[15] };
	struct ip6_header *h;

	set_checksum(p, src, dst);
	if (router_alert)
		memcpy(packet_push(p, sizeof(alert)), alert, sizeof(alert));
	h = packet_push(p, sizeof(*h));
	h->ver_class_flow = be32(6u << 28);
	h->payload_len = be16((uint16_t)(p->len - sizeof(*h)));
	h->next_header = router_alert ? IP6_HOPOPTS : IPPROTO_ICMPV6;
	h->hop_limit = hops;
	memcpy(h->src, src.b, 16);
	memcpy(h->dst, dst.b, 16);
	if (mac || ip_is_multicast(dst))
		eth_output(dev, p, mac ? mac : group, ETH_IPV6);
	else
		neigh_output(dev, p, dst);
}
