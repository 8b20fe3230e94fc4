/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The others on the link: hosts that answer, a router, servers of DHCP and DHCPv6. They keep to
 * their protocols, so that connections come about in every state; what spoils their frames is in
 * fuzz_wire.h. They know of TCP what a peer knows: flows with sequence numbers both ways.
 */
#ifndef TEST_HOST_FUZZ_PEER_H
#define TEST_HOST_FUZZ_PEER_H

#include "fuzz_wire.h"
#include "net/dhcp.h"
#include "net/dhcp6.h"

#define ME4 IP4(10, 0, 0, 1)

static struct ip_addr fuzz_ip(const char *text)
{
	struct ip_addr a = IP_ANY;

	ip_parse(text, &a);
	return a;
}
static struct ip_addr me_link, me_global; /* of IPv6: from the card's address */

/* One of the others: neighbours, and some behind the router. */
static struct ip_addr peer_any(bool v6)
{
	struct ip_addr a;

	if (!v6)
		return chance(800) ? ip_map(IP4(10, 0, 0, 2 + rnd(4)))
				   : ip_map(IP4(192, 0, 2, 1 + rnd(3)));
	a = fuzz_ip(rnd(3) ? "2001:db8::" : rnd(2) ? "fe80::" : "2001:db8:1::");
	a.b[15] = (uint8_t)(2 + rnd(4));
	return a;
}
static struct ip_addr me_for(struct ip_addr peer)
{
	if (ip_is_v4(peer))
		return ip_map(ME4);
	return ip_is_link_local(peer) ? me_link : me_global;
}

/* What the stack sent, to be quoted in errors. */
#define SEEN 32
static struct {
	unsigned n;
	uint8_t d[1600];
} seen[SEEN];
static unsigned seen_count;

/* What the others want to say next. */
#define WAITING 64
static struct frame *waiting[WAITING];
static unsigned waiting_first, waiting_count;

static struct frame *peer_say(void) /* to be filled in; not NULL */
{
	static struct frame spare;
	struct frame **slot = &waiting[(waiting_first + waiting_count) % WAITING];

	if (waiting_count == WAITING)
		return &spare;
	waiting_count++;
	if (!*slot)
		*slot = malloc(sizeof(**slot));
	return *slot;
}
static bool peer_speaks(void)
{
	if (!waiting_count)
		return false;
	waiting_count--;
	wire_deliver(waiting[waiting_first++ % WAITING]);
	return true;
}

/* ---- TCP ---- */

struct talk {
	bool used, up, ts;
	struct ip_addr peer, me;
	uint16_t pport, mport;
	uint32_t seq, ack; /* next that the peer sends, and that it wants */
	uint32_t una;	   /* what the stack has acknowledged */
	uint32_t echo;
	uint16_t wnd;
};
#define FLOWS 24
static struct talk flows[FLOWS];
static unsigned peer_silent; /* so many of 1000 answers are never sent */
static unsigned peer_errors; /* so many segments and datagrams are answered by an ICMP error */

static struct talk *flow_find(
	struct ip_addr peer, uint16_t pport, struct ip_addr me, uint16_t mport, bool make)
{
	struct talk *f;

	for (unsigned k = 0; k < FLOWS; k++)
		if (flows[k].used && flows[k].pport == pport && flows[k].mport == mport &&
			ip_equal(flows[k].peer, peer) && ip_equal(flows[k].me, me))
			return &flows[k];
	if (!make)
		return NULL;
	f = &flows[rnd(FLOWS)];
	*f = (struct talk){ .used = true,
		.peer = peer,
		.me = me,
		.pport = pport,
		.mport = mport,
		.wnd = 65535,
		.seq = rnd(4) ? fuzz_choose(0) : 0xfffffff0u };
	f->una = f->seq;
	return f;
}

static unsigned flow_options(const struct talk *f, uint8_t *o, uint8_t flags)
{
	unsigned n = 0;

	if (flags & TCP_SYN) {
		if (rnd(8)) {
			o[n++] = TCPOPT_MSS;
			o[n++] = 4;
			put_be16(o + n, (uint16_t)PICK(1460, 1460, 536, 64, 0, 1, 65535, 8960));
			n += 2;
		}
		if (rnd(4)) {
			o[n++] = TCPOPT_WSCALE;
			o[n++] = 3;
			o[n++] = (uint8_t)PICK(0, 7, 7, 14, 15, 255);
		}
		if (rnd(4)) {
			o[n++] = TCPOPT_SACK_OK;
			o[n++] = 2;
		}
	} else if (chance(200)) { /* what arrived out of order, or says it did */
		unsigned k = 1 + rnd(3);

		o[n++] = TCPOPT_SACK;
		o[n++] = (uint8_t)(2 + 8 * k);
		for (; k; k--, n += 8) {
			uint32_t start =
				f->ack + PICK(0, 536, 1448, 2896, 10000) - PICK(0, 0, 0, 536);

			put_be32(o + n, start);
			put_be32(o + n + 4, start + PICK(1448, 536, 1, 2896, 100000, 0x80000000u));
		}
	}
	if (f->ts && n <= 28) {
		o[n++] = TCPOPT_TIMESTAMPS;
		o[n++] = 10;
		put_be32(o + n, (uint32_t)(env_now / 1000000) + (chance(30) ? 0x80000000u : 0));
		put_be32(o + n + 4, f->echo);
		n += 8;
	}
	while (n & 3)
		o[n++] = (uint8_t)PICK(TCPOPT_NOP, TCPOPT_NOP, TCPOPT_END);
	return n;
}

static void flow_say(struct talk *f, uint8_t flags, uint32_t seq, unsigned len)
{
	static uint8_t data[70000];
	struct tcp_header *h = (struct tcp_header *)data;
	unsigned n = flow_options(f, data + sizeof(*h), flags), head = sizeof(*h) + n;

	*h = (struct tcp_header){ be16(f->pport), be16(f->mport), be32(seq),
		flags & TCP_ACK ? be32(f->ack) : 0, (uint8_t)(head / 4 << 4), flags, be16(f->wnd),
		0, flags & TCP_URG ? be16((uint16_t)PICK(0, 1, 2, 100, 65535)) : 0 };
	memset(data + head, (int)(seq & 0xff), len);
	wire_packet(peer_say(), f->peer, f->me, IPPROTO_TCP, data, head + len);
}
/* The next segment in order. */
static void flow_send(struct talk *f, uint8_t flags, unsigned len)
{
	flow_say(f, flags, f->seq, len);
	f->seq += len + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
}

/* Something that a peer may do next, or should not. */
static void flow_moves(struct talk *f)
{
	unsigned len = PICK(1, 10, 536, 1000, 1448, 1448);

	if (chance(60))
		f->wnd = (uint16_t)PICK(0, 0, 1, 100, 1000, 65535);
	if ((card.dev.features & VIRTIO_NET_F_GUEST_TSO4) && chance(100))
		len = 1448 * (1 + rnd(40));
	switch (rnd(f->up ? 14 : 17)) {
	case 0:
	case 1:
	case 2: flow_send(f, TCP_ACK | TCP_PSH, len); break;
	case 3: /* in a row, as one that has much to say */
		for (unsigned k = 1 + rnd(8); k; k--)
			flow_send(f, TCP_ACK | (rnd(4) ? 0 : TCP_PSH), len);
		break;
	case 4: flow_say(f, TCP_ACK, f->seq, 0); break;
	case 5: flow_say(f, TCP_ACK, f->seq + PICK(1, 536, 1448, 100000), len); break;
	case 6: flow_say(f, TCP_ACK, f->seq - PICK(1, 2, 536, 1448, 100000), len); break;
	case 7: flow_send(f, TCP_ACK | TCP_FIN, rnd(2) ? len : 0); break;
	case 8: flow_send(f, TCP_ACK | TCP_URG | TCP_PSH, len); break;
	case 9:
		if (chance(300))
			flow_say(f, TCP_RST, f->seq + PICK(0, 0, 1, 70000), 0);
		break;
	case 10:
		flow_say(f, TCP_SYN | PICK(0, 0, TCP_ACK), f->seq + PICK(0, 1, 1000, 1000000), 0);
		break;
	case 11: flow_say(f, (uint8_t)rnd(256), f->seq + rnd(3), rnd(100)); break;
	case 12:
		f->ack += PICK(1, 1000, 100000) * (rnd(2) ? 1u : ~0u);
		flow_say(f, TCP_ACK, f->seq, 0);
		break;
	case 13: /* as often as a loss makes peers say it */
		for (unsigned k = 0; k < 4; k++)
			flow_say(f, TCP_ACK, f->seq, 0);
		break;
	default: flow_send(f, TCP_SYN, chance(50) ? 100 : 0); break;
	}
}

/* The stack sent a segment; what a peer answers. */
static void flow_hears(struct talk *f, const uint8_t *tcp, unsigned len, bool fresh)
{
	uint8_t flags = tcp[13];
	uint32_t seq = get_be32(tcp + 4), next = seq + len + !!(flags & TCP_FIN);

	for (unsigned o = 20, end = (tcp[12] >> 4) * 4u; o + 10 <= end;)
		if (tcp[o] == TCPOPT_TIMESTAMPS) {
			f->echo = get_be32(tcp + o + 2);
			f->ts = fresh ? rnd(4) != 0 : f->ts;
			break;
		} else {
			o += tcp[o] == TCPOPT_NOP ? 1u : MAX(tcp[o + 1], 1u);
		}
	if (flags & TCP_ACK)
		f->una = get_be32(tcp + 8);
	if (flags & TCP_RST) {
		f->up = false;
		return;
	}
	if (flags & TCP_SYN) {
		f->ack = seq + 1;
		if (flags & TCP_ACK) {
			f->up = true;
			if (!chance(peer_silent))
				flow_say(f, TCP_ACK, f->seq, 0);
		} else {
			f->ts = rnd(4) != 0;
			f->up = true;
			if (chance(750))
				flow_send(f, TCP_SYN | TCP_ACK, 0);
			else if (chance(600))
				flow_say(f, TCP_RST | TCP_ACK, 0, 0);
			else if (chance(300))
				flow_send(f, TCP_SYN, 0);
		}
		return;
	}
	if (next == seq)
		return;
	if (seq == f->ack || (seq_lt(seq, f->ack) && seq_gt(next, f->ack)))
		f->ack = next;
	if (!chance(peer_silent)) {
		if ((flags & TCP_FIN) && rnd(2))
			flow_send(f, TCP_ACK | TCP_FIN, 0);
		else
			flow_say(f, TCP_ACK, f->seq, 0);
	}
}

static void flow_open(void)
{
	struct ip_addr peer = peer_any(rnd(3) == 0);
	struct talk *f = flow_find(peer, (uint16_t)(1024 + rnd(50)), me_for(peer),
		(uint16_t)PICK(80, 80, 80, 81, 443), true);

	f->ts = rnd(3) != 0;
	flow_send(f, TCP_SYN, 0);
}

/* More half-open connections than a listener keeps, and answers to some of its cookies. */
static void flow_flood(void)
{
	uint16_t port = (uint16_t)PICK(80, 81, 443);
	unsigned count = PICK(10, 150, 300);

	for (unsigned k = 0; k < count; k++) {
		struct ip_addr peer = ip_map(IP4(198, 51, 100, 1 + rnd(250)));
		struct talk f = { .peer = peer,
			.me = ip_map(ME4),
			.pport = (uint16_t)(1024 + k),
			.mport = port,
			.wnd = 65535,
			.ts = rnd(2),
			.seq = (uint32_t)k * 1000 };

		flow_say(&f, TCP_SYN, f.seq, 0);
		while (waiting_count > WAITING / 2)
			peer_speaks();
		fuzz_run_threads();
	}
}

/* ---- DHCP ---- */

static unsigned dhcp_options(uint8_t *o, uint8_t type)
{
	uint8_t *start = o, code, n;

#define OPTION(c, k) (*o++ = (c), *o++ = (uint8_t)(k))
	OPTION(53, 1);
	*o++ = type;
	OPTION(54, 4);
	memcpy(o, (uint8_t[]){ 10, 0, 0, 2 }, 4);
	o += 4;
	for (unsigned k = rnd(12); k; k--) {
		code = (uint8_t)PICK(1, 3, 6, 12, 15, 26, 51, 58, 59, 121, 119, 52, 0, 255);
		if (code == 0 || code == 255) {
			if (code == 0)
				*o++ = 0;
			continue;
		}
		n = (uint8_t)(code == 26		   ? 2
			      : code == 52		   ? 1
			      : code == 12 || code == 15   ? rnd(30)
			      : code == 121 || code == 119 ? rnd(60)
							   : 4 * (1 + rnd(3)));
		if (code == 51 || code == 58 || code == 59 || code == 1)
			n = 4;
		OPTION(code, n);
		for (unsigned i = 0; i < n; i++)
			*o++ = (uint8_t)(code == 1    ? (i < 3 ? 255 : 0)
					 : code == 52 ? rnd(4)
						      : PICK(0, 3, 1, 'a', 'b', 24, 10, 0xc0, 255));
		if (code == 51 || code == 58 || code == 59)
			put_be32(o - 4,
				(uint32_t)PICK(0, 1, 60, 3600, 86400, 0x7fffffff, 0xffffffff));
		if (code == 26)
			put_be16(o - 2, (uint16_t)PICK(68, 576, 1280, 1400, 1500, 65535));
	}
	*o++ = 255;
#undef OPTION
	return (unsigned)(o - start);
}
static void dhcp_hears(const uint8_t *p, unsigned n)
{
	uint8_t buf[1200];
	struct udp_header *u = (struct udp_header *)buf;
	struct dhcp_packet *d = (struct dhcp_packet *)(u + 1);
	unsigned len;

	if (n < sizeof(*d) || chance(peer_silent))
		return;
	memset(buf, 0, sizeof(buf));
	memcpy(d, p, sizeof(*d));
	d->op = 2;
	d->yiaddr = IP4(10, 0, 0, 1 + (chance(100) ? rnd(250) : 0));
	for (unsigned k = chance(100) ? 20 : 0; k; k--)
		d->file[k] = (uint8_t)PICK(53, 1, 5, 255, 0, 51, 4);
	/* the first option is the message's type */
	len = sizeof(*d) +
	      dhcp_options(d->options, n > 242 && p[242] == DHCPDISCOVER
					       ? DHCPOFFER
					       : (uint8_t)(chance(100) ? DHCPNAK : DHCPACK));
	*u = (struct udp_header){ be16(67), be16(68), be16((uint16_t)(len + 8)), 0 };
	wire_packet(peer_say(), ip_map(IP4(10, 0, 0, 2)),
		ip_map(rnd(2) ? INADDR_BROADCAST : d->yiaddr), IPPROTO_UDP, buf, len + 8);
}

static unsigned dhcp6_option(uint8_t *o, uint16_t code, const void *data, unsigned n)
{
	put_be16(o, code);
	put_be16(o + 2, (uint16_t)n);
	if (n)
		memcpy(o + 4, data, n);
	return 4 + n;
}
static void dhcp6_hears(const uint8_t *p, unsigned n)
{
	uint8_t buf[1000], ia[200], *m = buf + 8;
	struct udp_header *u = (struct udp_header *)buf;
	unsigned len = 4, k = 12;
	static const uint8_t name[] = { 3, 'l', 'a', 'n', 0, 1, 'x', 0xc0, 0 };

	if (n < 8 || chance(peer_silent))
		return;
	m[0] = p[0] == DHCP6_SOLICIT ? DHCP6_ADVERTISE : DHCP6_REPLY;
	memcpy(m + 1, p + 1, 3);
	/* what it calls itself, and its association */
	for (unsigned at = 4; at + 4 <= n; at += 4u + get_be16(p + at + 2))
		if (get_be16(p + at) == 1 && get_be16(p + at + 2) < 64 &&
			at + 4 + get_be16(p + at + 2) <= n)
			len += dhcp6_option(m + len, 1, p + at + 4, get_be16(p + at + 2));
		else if (get_be16(p + at) == 3 && at + 16 <= n)
			memcpy(ia, p + at + 4, 12);
	len += dhcp6_option(m + len, 2, "\0\3\0\1serverduid", rnd(14));
	put_be32(ia + 4, (uint32_t)PICK(0, 1, 300, 0xffffffff));
	put_be32(ia + 8, (uint32_t)PICK(0, 1, 600, 0xffffffff));
	put_be16(ia + k, 5);
	put_be16(ia + k + 2, 24);
	memcpy(ia + k + 4, fuzz_ip("2001:db8::d0").b, 16);
	put_be32(ia + k + 20, (uint32_t)PICK(0, 100, 1000, 0xffffffff));
	put_be32(ia + k + 24, (uint32_t)PICK(0, 100, 2000, 0xffffffff));
	k += 28;
	if (chance(150))
		k += dhcp6_option(ia + k, 13, (uint8_t[]){ 0, (uint8_t)rnd(7) }, 2);
	len += dhcp6_option(m + len, 3, ia, k);
	if (rnd(2))
		len += dhcp6_option(m + len, 23, fuzz_ip("2001:db8::2").b, 16);
	if (rnd(2))
		len += dhcp6_option(m + len, 24, name, sizeof(name));
	if (rnd(4) == 0)
		len += dhcp6_option(m + len, (uint16_t)PICK(7, 13, 14, 32), "\0\0\0\4", rnd(5));
	*u = (struct udp_header){ be16(547), be16(546), be16((uint16_t)(len + 8)), 0 };
	wire_packet(peer_say(), fuzz_ip("fe80::2"), me_link, IPPROTO_UDP, buf, len + 8);
}

/* ---- IPv6's link ---- */

static void icmp6_say(struct ip_addr src, struct ip_addr dst, const void *m, unsigned n)
{
	wire_packet(peer_say(), src, dst, IPPROTO_ICMPV6, m, n);
}
static void nd_says(uint8_t type, struct ip_addr src, struct ip_addr dst, struct ip_addr target)
{
	struct {
		struct nd_neighbour n;
		uint8_t option[8];
	} m = { .n = { .type = type, .flags = be32(rnd(8) << 29) },
		.option = { (uint8_t)(type == ICMP6_NEIGH_ADV ? ND_OPT_TARGET : ND_OPT_SOURCE), 1,
			2, 0, 0, 0, 1, (uint8_t)rnd(6) } };

	memcpy(m.n.target, target.b, 16);
	icmp6_say(src, dst, &m, sizeof(m) - (rnd(5) ? 0 : 8));
}
static void router_says(void)
{
	uint8_t m[600] = { ICMP6_ROUTER_ADV };
	unsigned n = sizeof(struct nd_router_adv), k;
	struct nd_router_adv *ra = (struct nd_router_adv *)m;
	struct ip_addr router = fuzz_ip("fe80::2");

	ra->hop_limit = (uint8_t)PICK(0, 64, 1, 255);
	ra->lifetime = be16((uint16_t)PICK(0, 1, 1800, 1800, 65535));
	ra->flags = (uint8_t)PICK(0, 0, RA_MANAGED, RA_OTHER, 0xff);
	ra->reachable = be32((uint32_t)PICK(0, 0, 1, 30000, 0xffffffff));
	ra->retransmit = be32((uint32_t)PICK(0, 0, 1, 1000, 0xffffffff));
	router.b[15] = (uint8_t)(2 + rnd(2));
	for (k = rnd(7); k && n < 500; k--) {
		unsigned at = n;

		switch (rnd(6)) {
		case 0:
		case 1: {
			struct nd_prefix o = { .type = ND_OPT_PREFIX,
				.len = 4,
				.prefix_len = (uint8_t)PICK(64, 64, 64, 0, 128, 129, 48),
				.flags = (uint8_t)PICK(0xc0, 0xc0, 0x80, 0x40),
				.valid = be32((uint32_t)PICK(0, 1, 7200, 86400, 0xffffffff)),
				.preferred = be32((uint32_t)PICK(0, 1, 3600, 0xffffffff)) };

			memcpy(o.prefix,
				fuzz_ip(rnd(2)	 ? "2001:db8::"
					: rnd(2) ? "2001:db8:1::"
						 : "fe80::")
					.b,
				16);
			memcpy(m + n, &o, sizeof(o));
			n += sizeof(o);
			break;
		}
		case 2:
			m[n] = ND_OPT_MTU;
			put_be32(m + n + 4, (uint32_t)PICK(1280, 1500, 0, 1279, 0xffffffff));
			n += 8;
			break;
		case 3:
			m[n] = ND_OPT_RDNSS;
			put_be32(m + n + 4, (uint32_t)PICK(0, 1, 600, 0xffffffff));
			n += 8;
			for (unsigned i = rnd(5); i; i--, n += 16)
				memcpy(m + n, peer_any(true).b, 16);
			break;
		case 4:
			m[n] = ND_OPT_DNSSL;
			put_be32(m + n + 4, (uint32_t)PICK(0, 1, 600, 0xffffffff));
			for (unsigned i = 8, end = 8 * (2 + rnd(8)); i < end; i++)
				m[n + i] = (uint8_t)PICK(0, 3, 'a', 'b', 63, 64, 0xc0);
			n += 8 * (2 + rnd(8));
			break;
		default:
			m[n] = (uint8_t)PICK(ND_OPT_SOURCE, ND_OPT_TARGET, 14, 200);
			n += 8 * (1 + rnd(3));
		}
		m[at + 1] = (uint8_t)((n - at) / 8);
	}
	icmp6_say(router, rnd(2) ? fuzz_ip("ff02::1") : me_link, m, n);
}
static void redirect_says(void)
{
	uint8_t m[200];
	struct nd_redirect *r = (struct nd_redirect *)m;
	unsigned n = sizeof(*r);

	memset(m, 0, sizeof(m));
	r->type = ICMP6_REDIRECT;
	memcpy(r->target, (rnd(2) ? fuzz_ip("fe80::3") : peer_any(true)).b, 16);
	memcpy(r->dst, peer_any(true).b, 16);
	m[n] = ND_OPT_TARGET;
	m[n + 1] = 1;
	n += rnd(2) ? 8 : 0;
	icmp6_say(fuzz_ip("fe80::2"), rnd(2) ? me_link : me_global, m, n);
}
static void mld_says(void)
{
	uint8_t m[24 + 4 + 64] = { ICMP6_MLD_QUERY };
	unsigned n = rnd(3) ? 28 : 24;

	put_be16(m + 4, (uint16_t)PICK(0, 1, 1000, 10000, 0x8fff, 0xffff));
	if (rnd(2))
		memcpy(m + 8, fuzz_ip(rnd(2) ? "ff02::1:3" : "ff02::1:ff00:1").b, 16);
	m[25] = (uint8_t)rnd(256);
	if (n == 28 && rnd(4) == 0) {
		put_be16(m + 26, (uint16_t)PICK(1, 2, 4, 65535));
		n += 16 * PICK(1, 2, 4);
	}
	icmp6_say(fuzz_ip("fe80::2"), fuzz_ip("ff02::1"), m, n);
	if (waiting_count)
		waiting[(waiting_first + waiting_count - 1) % WAITING]->d[21] =
			(uint8_t)PICK(1, 1, 1, 255);
}
static void igmp_says(void)
{
	uint8_t m[12 + 64] = { (uint8_t)PICK(IGMP_QUERY, IGMP_QUERY, IGMP2_REPORT, IGMP_LEAVE),
		(uint8_t)PICK(0, 1, 10, 100, 0x8f, 0xff) };
	uint32_t group = rnd(2) ? 0 : IP4(224, 0, 0, 1 + rnd(3));
	unsigned n = (unsigned)PICK(8, 8, 12, 12, 12, 16, 76, 11);

	memcpy(m + 4, &group, 4);
	uint16_t sum = csum_fold(csum_add(0, m, n));

	memcpy(m + 2, &sum, 2);
	struct frame *f = peer_say();

	wire_packet(f, peer_any(false), ip_map(group && rnd(2) ? group : IP4(224, 0, 0, 1)),
		IPPROTO_IGMP, m, n);
	f->d[22] = (uint8_t)PICK(1, 1, 1, 255);
	wire_fix_sums(f);
}

/* ---- what anybody may send ---- */

static void arp_says(uint16_t op, uint32_t from, uint32_t about)
{
	struct frame *f = peer_say();
	struct arp_packet *a = (struct arp_packet *)(f->d + 14);

	memcpy(f->d, my_mac, 6);
	if (op == ARP_REQUEST)
		memset(f->d, 0xff, 6);
	memcpy(f->d + 6, (uint8_t[]){ 2, 0, 0, 0, 1, (uint8_t)(from >> 24) }, 6);
	put_be16(f->d + 12, ETH_ARP);
	*a = (struct arp_packet){ be16(1), be16(ETH_IPV4), 6, 4, be16(op), { 0 }, from, { 0 },
		about };
	memcpy(a->sha, f->d + 6, 6);
	memcpy(a->tha, my_mac, 6);
	f->n = 42;
}

/* An error about a frame of the stack's. */
static void error_about(const uint8_t *d, unsigned size)
{
	uint8_t m[8 + 1600];
	unsigned n;
	bool v6;

	if (size < 34 || get_be16(d + 12) == ETH_ARP)
		return;
	v6 = get_be16(d + 12) == ETH_IPV6;
	n = MIN(size - 14, PICK(28, 48, 68, 548, 1232));
	memset(m, 0, 8);
	m[0] = (uint8_t)(v6 ? PICK(1, 2, 2, 3, 4) : PICK(3, 3, 3, 11, 12, 5));
	m[1] = (uint8_t)(v6 ? (m[0] == 2 ? 0 : rnd(8)) : PICK(4, 4, 0, 1, 2, 3, 13, 15, 255));
	put_be32(m + 4, (uint32_t)PICK(0, 68, 552, 1280, 1400, 1499, 1500, 0xffffffff, 1006));
	memcpy(m + 8, d + 14, n);
	wire_packet(peer_say(), peer_any(v6), v6 ? ip_from_bytes(d + 22) : ip_map(ME4),
		v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, m, 8 + n);
}
static void error_says(void)
{
	unsigned k = rnd(MIN(seen_count, (unsigned)SEEN));

	if (seen_count)
		error_about(seen[k].d, seen[k].n);
}
static void udp_says(void)
{
	uint8_t m[4096];
	struct udp_header *u = (struct udp_header *)m;
	struct ip_addr peer = peer_any(rnd(3) == 0), to = me_for(peer);
	unsigned n = PICK(0, 1, 12, 100, 512, 1400, 3000);

	memset(m, 0x55, sizeof(m));
	if (chance(100))
		to = ip_is_v4(peer) ? ip_map(rnd(2) ? INADDR_BROADCAST : IP4(224, 0, 0, 251))
				    : fuzz_ip("ff02::1:3");
	*u = (struct udp_header){ be16((uint16_t)PICK(53, 1000, 67, 547)),
		be16((uint16_t)PICK(53, 53, 5353, 9999, 68, 546, 7)), be16((uint16_t)(n + 8)), 0 };
	wire_packet(peer_say(), peer, to, IPPROTO_UDP, m, n + 8);
	if (chance(100)) /* none */
		memset(waiting[(waiting_first + waiting_count - 1) % WAITING]->d + 40, 0, 2);
}
static void echo_says(void)
{
	uint8_t m[3000] = { 0 };
	struct ip_addr peer = peer_any(rnd(2));
	bool v6 = !ip_is_v4(peer);

	m[0] = v6 ? (uint8_t)PICK(ICMP6_ECHO, ICMP6_ECHO_REPLY) : (uint8_t)PICK(8, 0, 13, 17);
	put_be16(m + 4, 1);
	wire_packet(peer_say(), peer, v6 && chance(200) ? fuzz_ip("ff02::1") : me_for(peer),
		v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, m, PICK(8, 64, 1400, 2500));
}
static void other_says(void)
{
	uint8_t m[200];
	struct ip_addr peer = peer_any(rnd(2));

	for (unsigned k = 0; k < sizeof(m); k++)
		m[k] = (uint8_t)rnd(256);
	wire_packet(peer_say(), peer, me_for(peer), (uint8_t)PICK(2, 4, 41, 47, 50, 103, 132, 255),
		m, rnd(sizeof(m)));
}

static void peer_moves(void)
{
	struct talk *f = &flows[rnd(FLOWS)];

	switch (rnd(24)) {
	case 0:
		arp_says((uint16_t)PICK(1, 2), IP4(10, 0, 0, 1 + rnd(5)),
			rnd(2) ? ME4 : IP4(10, 0, 0, 3));
		break;
	case 1: error_says(); break;
	case 2: udp_says(); break;
	case 3: echo_says(); break;
	case 4: router_says(); break;
	case 5: redirect_says(); break;
	case 6:
		if (rnd(2))
			mld_says();
		else
			igmp_says();
		break;
	case 7:
		nd_says((uint8_t)PICK(ICMP6_NEIGH_SOL, ICMP6_NEIGH_ADV),
			rnd(8) ? peer_any(true) : IP_ANY,
			rnd(2) ? me_link : nd_solicited_node(me_global),
			rnd(2) ? me_global : peer_any(true));
		break;
	case 8: other_says(); break;
	case 9:
	case 10: flow_open(); break;
	case 11: wire_again(); break;
	case 12: error_says(); break;
	case 13:
		if (chance(60))
			flow_flood();
		break;
	default:
		if (f->used)
			flow_moves(f);
		else
			flow_open();
	}
}

/* ---- what the stack says ---- */

static void hears_arp(const uint8_t *d, unsigned n)
{
	const struct arp_packet *a = (const struct arp_packet *)(d + 14);

	if (n >= 42 && be16(a->op) == ARP_REQUEST && a->tpa != ME4 && !chance(peer_silent))
		arp_says(ARP_REPLY, a->tpa, a->spa);
}
static void hears_upper(const struct frame *f, struct ip_addr src, struct ip_addr dst)
{
	uint8_t protocol;
	unsigned len, at = wire_upper(f, &len, &protocol), head;
	const uint8_t *p = f->d + at;

	if (!at)
		return;
	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && chance(peer_errors)) {
		error_about(f->d, MIN(f->n, 1600u));
		if (rnd(2))
			return; /* and it went no further */
	}
	if (protocol == IPPROTO_TCP && len >= 20) {
		/* whom it calls, and some of those that only knocked */
		bool meet = (p[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN ||
			    ((p[13] & TCP_SYN) && chance(50));
		struct talk *flow = flow_find(dst, get_be16(p + 2), src, get_be16(p), meet);

		head = (p[12] >> 4) * 4u;
		if (flow && meet && (p[13] & TCP_ACK) && !flow->up) {
			flow->seq = flow->una = get_be32(p + 8);
			flow->ts = head > 24;
		}
		if (flow && head <= len)
			flow_hears(flow, p, len - head, p[13] & TCP_SYN);
	} else if (protocol == IPPROTO_UDP && get_be16(p + 2) == 67) {
		dhcp_hears(p + 8, len - 8);
	} else if (protocol == IPPROTO_UDP && get_be16(p + 2) == 547) {
		dhcp6_hears(p + 8, len - 8);
	} else if (protocol == IPPROTO_ICMPV6 && p[0] == ICMP6_ROUTER_SOL) {
		router_says();
	} else if (protocol == IPPROTO_ICMPV6 && p[0] == ICMP6_NEIGH_SOL && len >= 24 &&
		   !ip_is_any(src) && !chance(peer_silent)) {
		nd_says(ICMP6_NEIGH_ADV, ip_from_bytes(p + 8), src, ip_from_bytes(p + 8));
	}
}
static void peer_hears(const uint8_t *d, size_t n, const struct virtio_net_hdr *h)
{
	static struct frame f;
	unsigned k = seen_count++ % SEEN;

	seen[k].n = (unsigned)MIN(n, sizeof(seen[k].d));
	memcpy(seen[k].d, d, seen[k].n);
	f.n = (unsigned)MIN(n, (size_t)FRAME_MAX);
	memcpy(f.d, d, f.n);
	switch (get_be16(d + 12)) {
	case ETH_ARP: hears_arp(d, f.n); break;
	case ETH_IPV4: {
		uint32_t src, dst;

		CHECK(n >= 34);
		memcpy(&src, d + 26, 4);
		memcpy(&dst, d + 30, 4);
		hears_upper(&f, ip_map(src), ip_map(dst));
		break;
	}
	case ETH_IPV6:
		CHECK(n >= 54);
		hears_upper(&f, ip_from_bytes(d + 22), ip_from_bytes(d + 38));
		break;
	default: T_FAIL("a frame of type %04x was sent", get_be16(d + 12));
	}
}
#endif
