/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The error queue of a datagram socket (ip(7), IP_RECVERR): what ICMP errors quote of its
 * datagrams. An error comes over the socket's channel as packets do.
 */

#include "net/dgram.h"
#include "net/icmp.h"
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
	socket_set_error(&d->i.s, (int)pkt_cb(p)->seq);
}

void dgram_queue_error(
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
		.dport = get_be16(q->l4 + 2),
		.ttl = q->type,
		.tos = q->code,
		.seq = (uint32_t)err,
		.end_seq = mtu };
	channel_end_run(s, channel_push(s, p, CHANNEL_NOW));
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
		store_relaxed(&s->error, p->next ? (int)pkt_cb(p->next)->seq : 0);
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
