/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error queue of a datagram socket (ip(7), IP_RECVERR): what ICMP errors quote of its
 * datagrams. An error comes over the socket's channel as packets do.
 */

#include "net/dgram.h"
#include "net/icmp.h"
#include "net/path_mtu.h"
#include "abi/errno.h"

/* An error for the error queue: the call that comes next fails with it as well. */
void dgram_take_error(struct dgram_sock *d, struct packet *p)
{
	if (d->errors)
		d->last_error->next = p;
	else
		store_release(&d->errors, p);
	d->last_error = p;
	d->rx_bytes += pkt_cb(p)->truesize;
	if (pkt_cb(p)->flags & PKT_LOCAL)
		socket_wake(&d->i.s, POLLERR);
	else
		socket_set_error(&d->i.s, (int)pkt_cb(p)->seq);
}

static void queue_error(
	struct socket *s, const struct ip_quote *q, unsigned header, int err, uint32_t mtu)
{
	size_t n = q->len > header ? q->len - header : 0;
	struct packet *p = packet_alloc(0, n);

	if (!p)
		return;
	memcpy(packet_put(p, n), q->l4 + header, n);
	*pkt_cb(p) = (struct pkt_cb){ .flags = PKT_ERROR,
		.src = q->offender,
		.dst = q->dst,
		.dport = q->protocol == IPPROTO_UDP ? get_be16(q->l4 + 2) : 0,
		.ttl = q->type,
		.tos = q->code,
		.seq = (uint32_t)err,
		.end_seq = mtu };
	channel_end_run(s, channel_push(s, p, CHANNEL_NOW));
}

/* IPv4: routers cut what others send, so only a forger has something to say to them; and who probes
 * does not ask. */
static bool heeds_path(const struct inet_sock *i, bool v4)
{
	return v4 ? i->pmtudisc == IP_PMTUDISC_WANT || i->pmtudisc == IP_PMTUDISC_DO
		  : i->v6.pmtudisc < IP_PMTUDISC_INTERFACE;
}

/* What a router says of the path's MTU is an error to the socket, as on Linux; *hard: also without
 * an error queue. */
static bool hears_of_path(const struct inet_sock *i, bool v4, bool *hard)
{
	uint8_t mode = v4 ? i->pmtudisc : i->v6.pmtudisc;

	*hard = mode != IP_PMTUDISC_DONT;
	return v4 ? *hard : mode < IP_PMTUDISC_INTERFACE;
}

void dgram_icmp_error(struct socket *s, const struct ip_quote *q, unsigned header, int err,
	bool hard, uint32_t mtu)
{
	/* There is no number in flight to quote: at least the socket wrote there, and at length. */
	if (mtu && heeds_path(inet_sk(s), ip_is_v4(q->dst)) && dgram_sent_long(dgram_sk(s), q->dst))
		path_mtu_set(q->dst, mtu);
	bool hears = !mtu || hears_of_path(inet_sk(s), ip_is_v4(q->dst), &hard);

	if (hears && inet_recverr(inet_sk(s), q->dst))
		queue_error(s, q, header, err, mtu);
	else if (hears)
		socket_icmp(s, err, hard, mtu);
}

/* Linux: only connected sockets hear of it, and not of passing trouble (but for the error queue).
 */
void dgram_icmp(struct socket *s, int err, bool hard, uint32_t mtu)
{
	if (hard && !ip_is_any(inet_sk(s)->raddr))
		socket_set_error(s, err);
}

/* IP_RECVERR and IPV6_RECVERR: the MTU, on the error queue; no call fails for it. */
static void queue_local(struct dgram_sock *d, const struct dgram_target *t)
{
	struct packet *p = packet_alloc(0, 0);

	if (!p)
		return;
	*pkt_cb(p) = (struct pkt_cb){ .flags = PKT_ERROR | PKT_LOCAL,
		.src = IP_ANY,
		.dst = t->how.dst,
		.dport = t->port,
		.seq = EMSGSIZE,
		.end_seq = t->route.mtu };
	channel_end_run(&d->i.s, channel_push(&d->i.s, p, CHANNEL_NOW));
}

void dgram_note_too_long(struct dgram_sock *d, const struct dgram_target *t)
{
	struct inet_sock *i = &d->i;

	if (!ip_is_v4(t->how.dst) && i->v6.dontfrag) { /* RFC 3542 11.3 */
		if (!i->v6.recvpathmtu)
			return;
		socket_lock(&i->s);
		d->path_dst = t->how.dst;
		store_relaxed(&d->path_mtu, t->route.mtu);
		socket_unlock(&i->s);
	} else if (inet_recverr(i, t->how.dst)) {
		queue_local(d, t);
	}
}

ssize_t dgram_recv_path_mtu(struct socket *s, struct socket_message *m)
{
	struct dgram_sock *d = dgram_sk(s);
	struct ip6_mtuinfo info = { 0 };
	struct sockaddr_storage a;
	uint32_t n;

	socket_lock(s);
	info.ip6m_mtu = d->path_mtu;
	store_relaxed(&d->path_mtu, 0);
	inet_put_addr(&a, &n, AF_INET6, d->path_dst, 0, s->bound_if);
	socket_unlock(s);
	m->flags = 0;
	if (!info.ip6m_mtu)
		return -EAGAIN;
	memcpy(&info.ip6m_addr, &a, sizeof(info.ip6m_addr));
	m->name = a;
	m->name_len = n;
	cmsg_put(m, SOL_IPV6, IPV6_PATHMTU, &info, sizeof(info));
	return 0;
}

static void put_error(struct socket *s, const struct pkt_cb *cb, struct socket_message *m)
{
	bool v4 = ip_is_v4(cb->dst);
	struct {
		struct sock_extended_err e;
		struct sockaddr_storage offender;
	} c = { .e = { .ee_errno = cb->seq,
			.ee_origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
			.ee_type = cb->ttl,
			.ee_code = cb->tos,
			.ee_info = cb->end_seq } };
	uint32_t n;

	inet_put_addr(&c.offender, &n, s->family, cb->src, 0, s->bound_if);
	if (cb->flags & PKT_LOCAL) {
		c.e.ee_origin = SO_EE_ORIGIN_LOCAL;
		memset(&c.offender, 0, n);
	}
	if (s->family == AF_INET)
		cmsg_put(m, SOL_IP, IP_RECVERR, &c, sizeof(c.e) + n);
	else
		cmsg_put(m, SOL_IPV6, IPV6_RECVERR, &c, sizeof(c.e) + n);
}

ssize_t dgram_recv_error(struct socket *s, struct socket_message *m)
{
	struct dgram_sock *d = dgram_sk(s);

	socket_lock(s);
	struct packet *p = d->errors;

	if (p) {
		store_relaxed(&d->errors, p->next);
		d->rx_bytes -= pkt_cb(p)->truesize;
		store_relaxed(&s->error, p->next && !(pkt_cb(p->next)->flags & PKT_LOCAL)
						 ? (int)pkt_cb(p->next)->seq
						 : 0);
	}
	socket_unlock(s);
	m->flags = 0;
	if (!p)
		return -EAGAIN;
	size_t n = MIN((size_t)p->len, m->data->left);
	ssize_t r = iter_copy_to(m->data, p->data, n) == n ? (ssize_t)n : -EFAULT;

	m->flags = MSG_ERRQUEUE | (n < p->len ? MSG_TRUNC : 0);
	inet_put_addr(
		&m->name, &m->name_len, s->family, pkt_cb(p)->dst, pkt_cb(p)->dport, s->bound_if);
	put_error(s, pkt_cb(p), m);
	packet_free(p);
	return r;
}
