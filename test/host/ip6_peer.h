/* SPDX-License-Identifier: BSD-2-Clause */
/* One stack with IPv6 against a scripted peer on the same link. */
#ifndef TEST_HOST_IP6_PEER_H
#define TEST_HOST_IP6_PEER_H

#include "tcp_peer.h"

static struct ip_addr a6(const char *text)
{
	struct ip_addr a;
	const char *end = ip_parse(text, &a);

	if (!end || *end)
		T_FAIL("not an address: %s", text);
	return a;
}
/* Mine are made from the card's 02:00:00:00:00:01, the peer's from 02:00:00:00:00:09. */
#define ME_LL	    "fe80::ff:fe00:1"
#define PEER_LL	    "fe80::ff:fe00:9"
#define ME_GLOBAL   "2001:db8::ff:fe00:1"
#define PEER_GLOBAL "2001:db8::9"

static void set_sum6(uint8_t *l4, size_t n, unsigned at, uint8_t protocol, struct ip_addr src,
	struct ip_addr dst)
{
	uint16_t sum;

	memset(l4 + at, 0, 2);
	sum = csum_fold(csum_add(csum_pseudo6(src, dst, protocol, (uint32_t)n), l4, n));
	if (!sum && protocol == IPPROTO_UDP)
		sum = 0xffff;
	memcpy(l4 + at, &sum, 2);
}
static size_t put_ip6(uint8_t *f, uint8_t next, size_t payload, struct ip_addr src,
	struct ip_addr dst, uint8_t hops)
{
	struct eth_header *eth = (struct eth_header *)f;
	struct ip6_header *h = (struct ip6_header *)(f + 14);

	memcpy(eth->dst, me.eth.mac, 6);
	if (ip_is_multicast(dst)) {
		memset(eth->dst, 0x33, 2);
		memcpy(eth->dst + 2, dst.b + 12, 4);
	}
	memcpy(eth->src, peer_mac, 6);
	eth->type = be16(ETH_IPV6);
	h->ver_class_flow = be32(6u << 28);
	h->payload_len = be16((uint16_t)payload);
	h->next_header = next;
	h->hop_limit = hops;
	memcpy(h->src, src.b, 16);
	memcpy(h->dst, dst.b, 16);
	return 54;
}
static void inject_icmp6(const char *src, const char *dst, const void *body, size_t n, uint8_t hops)
{
	uint8_t f[2000];
	size_t at = put_ip6(f, IPPROTO_ICMPV6, n, a6(src), a6(dst), hops);

	memcpy(f + at, body, n);
	set_sum6(f + at, n, 2, IPPROTO_ICMPV6, a6(src), a6(dst));
	inject(f, at + n);
}
/* The next ICMPv6 message of this type that we sent, at its IPv6 header; NULL: none. */
static struct packet *out_icmp6(uint8_t type)
{
	struct packet *p;

	while ((p = out_next())) {
		if (p->len >= 58 && get_be16(p->data + 12) == ETH_IPV6 &&
			p->data[20] == IPPROTO_ICMPV6 && p->data[54] == type) {
			CHECK_EQ(csum_fold(csum_add(csum_pseudo6(ip_from_bytes(p->data + 22),
							    ip_from_bytes(p->data + 38),
							    IPPROTO_ICMPV6, p->len - 54),
					 p->data + 54, p->len - 54)),
				0);
			packet_pull(p, 14);
			return p;
		}
		packet_free(p);
	}
	return NULL;
}
static void neighbour_advertises(const char *target, const char *to, uint32_t flags)
{
	struct {
		struct nd_neighbour n;
		uint8_t option[8];
	} m = { .n = { .type = ICMP6_NEIGH_ADV, .flags = be32(flags) },
		.option = { ND_OPT_TARGET, 1 } };

	memcpy(m.n.target, a6(target).b, 16);
	memcpy(m.option + 2, peer_mac, 6);
	inject_icmp6(target, to, &m, sizeof(m), 255);
}
static void neighbour_asks(const char *src, const char *dst, const char *target, bool with_mac)
{
	struct {
		struct nd_neighbour n;
		uint8_t option[8];
	} m = { .n = { .type = ICMP6_NEIGH_SOL }, .option = { ND_OPT_SOURCE, 1 } };

	memcpy(m.n.target, a6(target).b, 16);
	memcpy(m.option + 2, peer_mac, 6);
	inject_icmp6(src, dst, &m, sizeof(m) - (with_mac ? 0 : 8), 255);
}

/* ---- router advertisements ---- */

struct ra {
	const char *from; /* NULL: PEER_LL */
	uint16_t lifetime;
	uint8_t flags;
	const char *prefix;
	uint32_t valid, preferred;
	uint8_t prefix_flags; /* 0: both */
	uint8_t prefix_len;   /* 0: 64 */
	uint32_t mtu;
	const char *dns;
	uint32_t dns_life;
	const char *search; /* in wire form, search_len bytes with padding */
	size_t search_len;
	uint8_t hops;
};
static void send_ra(struct ra r)
{
	uint8_t m[400] = { ICMP6_ROUTER_ADV };
	size_t n = sizeof(struct nd_router_adv);
	struct nd_router_adv *ra = (struct nd_router_adv *)m;

	ra->lifetime = be16(r.lifetime);
	ra->flags = r.flags;
	m[n] = ND_OPT_SOURCE;
	m[n + 1] = 1;
	memcpy(m + n + 2, peer_mac, 6);
	n += 8;
	if (r.prefix) {
		struct nd_prefix o = { .type = ND_OPT_PREFIX,
			.len = 4,
			.prefix_len = r.prefix_len ? r.prefix_len : 64,
			.flags = r.prefix_flags ? r.prefix_flags : 0xc0,
			.valid = be32(r.valid),
			.preferred = be32(r.preferred) };

		memcpy(o.prefix, a6(r.prefix).b, 16);
		memcpy(m + n, &o, sizeof(o));
		n += sizeof(o);
	}
	if (r.mtu) {
		m[n] = ND_OPT_MTU;
		m[n + 1] = 1;
		put_be32(m + n + 4, r.mtu);
		n += 8;
	}
	if (r.dns) {
		m[n] = ND_OPT_RDNSS;
		m[n + 1] = 3;
		put_be32(m + n + 4, r.dns_life);
		memcpy(m + n + 8, a6(r.dns).b, 16);
		n += 24;
	}
	if (r.search) {
		m[n] = ND_OPT_DNSSL;
		m[n + 1] = (uint8_t)(1 + r.search_len / 8);
		put_be32(m + n + 4, r.dns_life);
		memcpy(m + n + 8, r.search, r.search_len);
		n += 8 + r.search_len;
	}
	inject_icmp6(r.from ? r.from : PEER_LL, "ff02::1", m, n, r.hops ? r.hops : 255);
}
#define SEND_RA(...) send_ra((struct ra){ __VA_ARGS__ })

/* ---- start and end ---- */

/* With the link-local address tested. */
static void link_setup(void)
{
	peer_setup();
	nd_start(&me.eth, true);
	env_run(20 * NSEC_PER_SEC);
	out_clear();
}
/* And a router, a prefix, and the peer known by both of its addresses. */
static void global_setup(void)
{
	link_setup();
	SEND_RA(.lifetime = 1800, .prefix = "2001:db8::", .valid = 86400, .preferred = 14400);
	env_run(3 * NSEC_PER_SEC);
	CHECK_EQ(ip_local_kind(a6(ME_GLOBAL)), IP_LOCAL);
	neigh_update(&me.eth, a6(PEER_LL), peer_mac, NEIGH_CREATE | NEIGH_SOLICITED);
	neigh_update(&me.eth, a6(PEER_GLOBAL), peer_mac, NEIGH_CREATE | NEIGH_SOLICITED);
	out_clear();
}

static void put_sockaddr6(
	struct sockaddr_storage *a, uint32_t *len, const char *addr, uint16_t port, int scope)
{
	struct sockaddr_in6 *in = (void *)a;

	inet_put_addr(a, len, AF_INET6, a6(addr), port, 0);
	in->sin6_scope_id = (uint32_t)scope;
}
static int bind6(struct file *f, const char *addr, uint16_t port, int scope)
{
	struct sockaddr_storage a;
	uint32_t len;

	put_sockaddr6(&a, &len, addr, port, scope);
	return socket_bind(f, &a, len, NULL);
}
static int dial6(struct file *f, const char *addr, uint16_t port, int scope)
{
	struct sockaddr_storage a;
	uint32_t len;

	put_sockaddr6(&a, &len, addr, port, scope);
	return socket_connect(f, &a, len, NULL);
}
static ssize_t sendto6(
	struct file *f, const void *buf, size_t n, const char *addr, uint16_t port, int scope)
{
	struct iter it;
	struct socket_message m = { .data = &it, .flags = MSG_NOSIGNAL };

	iter_init_one(&it, (void *)buf, n, false);
	put_sockaddr6(&m.name, &m.name_len, addr, port, scope);
	return socket_send(f, &m, NULL);
}
static struct file *udp6_at(uint16_t port)
{
	struct file *f = socket_create(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(bind6(f, "::", port, 0), 0);
	return f;
}
#endif
