/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP for IPv4 (RFC 792, 1122 3.2.2): echo, and errors both ways. */

#include "net/icmp.h"
#include "net/ip.h"
#include "net/ip6.h"
#include "net/packet.h"
#include "net/route.h"
#include "net/rx.h"
#include "net/state.h"
#include "net/transport.h"
#include "abi/errno.h"
#include "abi/socket.h"
#include "diag/counter.h"
#include "sched/clock.h"

#define ICMP_INTERVAL (NSEC_PER_SEC / 1000) /* 1000 errors a second on average ... */
#define ICMP_BURST    50		    /* ... and so many at once */

COUNTER(icmp_rx_malformed);
COUNTER(icmp_rate_limited);

/* A token bucket kept as the virtual time at which it was last empty. Lock-free. */
bool icmp_rate_ok(void)
{
	uint64_t *t = &the_net()->icmp_tokens_time, now = clock_now() + ICMP_BURST * ICMP_INTERVAL,
		 old = load_relaxed(t), next;

	do {
		uint64_t base = MAX(old, now - ICMP_BURST * ICMP_INTERVAL);

		next = base + ICMP_INTERVAL;
		if (next > now) {
			counter_inc(icmp_rate_limited);
			return false;
		}
	} while (!atomic_cas(t, &old, next));
	return true;
}

static void icmp_send(struct packet *p, struct ip_addr src, struct ip_addr dst, uint8_t tos)
{
	struct icmp_header *h = (struct icmp_header *)p->data;
	struct ip_send how = {
		.src = src, .dst = dst, .protocol = IPPROTO_ICMP, .ttl = 64, .tos = tos
	};
	struct route_cache r;

	h->checksum = 0;
	h->checksum = csum_fold(csum_packet(0, p));
	if (route_lookup(dst, src, 0, &r)) {
		packet_free(p);
		return;
	}
	how.src = r.src;
	ip_output(p, &how, &r);
}

struct packet *icmp_make_error(
	const struct packet *p, uint8_t type, uint8_t code, uint32_t info, size_t max)
{
	size_t ip_len = ((const struct pkt_cb *)p->cb)->ip_len, n = MIN(ip_len + p->len, max);
	struct packet *e = packet_alloc(TX_HEADROOM, sizeof(struct icmp_header) + n);
	struct icmp_header *h;

	if (!e)
		return NULL;
	h = packet_put(e, sizeof(*h));
	h->type = type;
	h->code = code;
	h->unused = be32(info);
	memcpy(packet_put(e, n), p->data - ip_len, n);
	return e;
}

struct packet *icmp_make_echo_reply(struct packet *p, uint8_t type)
{
	struct packet *q = pkt_linearise(p, TX_HEADROOM);

	packet_free(p);
	if (!q)
		return NULL;
	q->csum_flags = PACKET_CSUM_NONE;
	q->gso_type = PACKET_GSO_NONE; /* what the card said of the request */
	((struct icmp_header *)q->data)->type = type;
	return q;
}

void icmp_send_error(struct packet *p, uint8_t type, uint8_t code, uint32_t info)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct packet *e;

	if ((cb->flags & (PKT_BROADCAST | PKT_MULTICAST)) || ip_v4(cb->src) == 0 || !icmp_rate_ok())
		return;
	e = icmp_make_error(p, type, code, info, 548);
	if (e)
		icmp_send(e, cb->dst, cb->src, 0xc0);
}

void icmp_send_timeout(struct packet *p)
{
	if (ip_is_v4(pkt_cb(p)->dst))
		icmp_send_error(p, ICMP_TIME_EXCEEDED, 1, 0);
	else
		icmp6_send_error(p, ICMP6_TIME_EXCEEDED, 1, 0);
}

void icmp_send_port_unreachable(struct packet *p)
{
	if (ip_is_v4(pkt_cb(p)->dst))
		icmp_send_error(p, ICMP_UNREACHABLE, ICMP_PORT_UNREACH, 0);
	else
		icmp6_send_error(p, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACH, 0);
}

static void echo_reply(struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct ip_addr src = cb->dst, dst = cb->src;
	uint8_t tos = cb->tos;
	struct packet *q;

	if (cb->flags & (PKT_BROADCAST | PKT_MULTICAST)) {
		packet_free(p);
		return;
	}
	q = icmp_make_echo_reply(p, ICMP_ECHO_REPLY);
	if (q)
		icmp_send(q, src, dst, tos);
}

/* Linux's table. */
static const struct icmp_meaning unreachable[] = {
	{ ENETUNREACH, false },
	{ EHOSTUNREACH, false },
	{ ENOPROTOOPT, true },
	{ ECONNREFUSED, true },
	{ EMSGSIZE, false },
	{ EOPNOTSUPP, false },
	{ ENETUNREACH, true },
	{ EHOSTDOWN, true },
	{ ENONET, true },
	{ ENETUNREACH, true },
	{ EHOSTUNREACH, true },
	{ ENETUNREACH, false },
	{ EHOSTUNREACH, false },
	{ EHOSTUNREACH, true },
	{ EHOSTUNREACH, true },
	{ EHOSTUNREACH, true },
};

/* RFC 1191, 7: a router that tells no MTU; the next smaller one that is in use. */
static uint32_t plateau(uint32_t len)
{
	static const uint16_t in_use[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296 };

	for (unsigned k = 0; k < ARRAY_SIZE(in_use); k++)
		if (in_use[k] < len)
			return in_use[k];
	return 68;
}

static void error_input(struct packet *p)
{
	struct icmp_header *h = (struct icmp_header *)p->data;
	struct ip_quote q;
	int err = EPROTO;
	bool hard = true;
	uint32_t mtu = 0;

	if (!pkt_pull_up(p, MIN(pkt_total(p), (size_t)(sizeof(*h) + 60 + 8))))
		return;
	h = (struct icmp_header *)p->data;
	if (p->len < sizeof(*h) || !ip_quote(p->data + sizeof(*h), p->len - sizeof(*h), &q) ||
		!ip_is_v4(q.src) || ip_local_kind(q.src) != IP_LOCAL)
		return;
	if (h->type == ICMP_UNREACHABLE) {
		if (h->code >= ARRAY_SIZE(unreachable))
			return;
		err = unreachable[h->code].err;
		hard = unreachable[h->code].fatal;
		if (h->code == ICMP_FRAG_NEEDED) {
			uint16_t len = get_be16(p->data + sizeof(*h) + 2);

			mtu = be16(h->frag.mtu) ? be16(h->frag.mtu) : plateau(len);
			if (mtu >= len) /* RFC 5927, 7.2: who dropped it did not for that */
				return;
		}
	} else if (h->type == ICMP_TIME_EXCEEDED) {
		err = EHOSTUNREACH;
		hard = false;
	}
	q.offender = pkt_cb(p)->src;
	q.type = h->type;
	q.code = h->code;
	ip_quote_error(&q, err, hard, mtu);
}

void icmp_input(struct rx *rx, struct packet *p)
{
	struct icmp_header *h = (struct icmp_header *)p->data;

	if (!pkt_pull_up(p, sizeof(*h)) || csum_fold(csum_packet(0, p)) != 0) {
		counter_inc(icmp_rx_malformed);
		packet_free(p);
		return;
	}
	h = (struct icmp_header *)p->data;
	switch (h->type) {
	case ICMP_ECHO: echo_reply(p); return;
	case ICMP_ECHO_REPLY:
	case ICMP_EXT_ECHO_REPLY: ping_input(rx, p); return;
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER: error_input(p); break;
	}
	packet_free(p);
}
