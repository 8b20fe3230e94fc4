/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP (RFC 768, 1122 4.1). */

#include "net/icmp.h"
#include "net/rx.h"
#include "net/transport.h"
#include "net/udp.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "diag/counter.h"

#define UDP_MAX_TEXT (IP_MAX_TOTAL - sizeof(struct udp_header)) /* IPv4: less its header */

COUNTER(udp_rx_no_port);
COUNTER(udp_rx_malformed);
COUNTER(udp_rx_bad_checksum);

static const struct socket_ops udp_ops;

void udp_init(void)
{
	struct net_state *n = the_net();

	n->udp_bind = inet_table_create(BIND_BUCKETS);
	flow_table_init(&n->udp_conn, flow_chains() / 4);
	flow_table_init(&n->udp_bound, flow_chains() / 4);
}

struct socket *udp_create(int family)
{
	struct dgram_sock *d = dgram_create(&udp_ops, family, SOCK_DGRAM, IPPROTO_UDP);

	return d ? &d->i.s : ERR_PTR(-ENOMEM);
}

/* ---- receiving ---- */

/* In a read section. Who is connected to the sender; who is bound to the destination. */
static struct flow *find(const struct pkt_cb *cb)
{
	struct net_state *n = the_net();
	struct flow *f = NULL;

	if (load_relaxed(&n->udp_conn.count))
		f = inet_find_connected(
			&n->udp_conn, cb->dst, cb->dport, cb->src, cb->sport, cb->ifindex);
	return f ? f : inet_find_bound(&n->udp_bound, cb);
}

/*
 * Held for rx_to_socket. Who got the flow's last packet gets this one, too, unless a socket has
 * come or gone or is bound otherwise since (acquire: before that one was looked up): then this
 * packet may have been sent after that, and has to be seen so.
 */
static struct socket *classify(struct rx *rx, const struct pkt_cb *cb)
{
	uint32_t lookups = load_acquire(&the_net()->udp_lookups);
	struct socket *s;
	bool held;

	if (rx_same_flow(rx, IPPROTO_UDP, cb) && rx->lookups == lookups)
		return rx->pending;
	rx->found = 0;
	rx->lookups = lookups;
	do {
		rcu_read_lock();
		struct flow *f = find(cb);

		s = f ? f->s : NULL;
		held = !s || rx_hold(rx, s);
		rcu_read_unlock();
	} while (!held); /* flow.h, F4 */
	return s;
}

#define MAX_COPIES 32

/* In a read section. Adds the sockets of a chain that are there for the packet, each referenced. */
static unsigned take_all(const struct flow_table *t, uint32_t hash, const struct pkt_cb *cb,
	struct ip_addr laddr, struct socket **who, unsigned count)
{
	struct flow *f;

	for_each_flow(f, t, hash)
	{
		const struct inet_sock *i = inet_sk(f->s);
		int bound_if = load_relaxed(&i->s.bound_if);

		if (count == MAX_COPIES)
			break;
		if (f->lport == cb->dport && ip_equal(f->laddr, laddr) &&
			(load_relaxed(&i->families) & ip_family_bit(cb->dst)) &&
			(!bound_if || bound_if == cb->ifindex) &&
			(ip_is_any(f->raddr) ||
				(ip_equal(f->raddr, cb->src) && f->rport == cb->sport)) &&
			socket_get_live(f->s))
			who[count++] = f->s;
	}
	return count;
}

static unsigned find_all(const struct pkt_cb *cb, struct socket **who)
{
	struct net_state *n = the_net();
	const struct hash_key *k = &n->hash_key;
	unsigned count;

	rcu_read_lock();
	count = take_all(&n->udp_conn, flow_hash(k, cb->dst, cb->dport, cb->src, cb->sport), cb,
		cb->dst, who, 0);
	count = take_all(
		&n->udp_bound, flow_hash_bound(k, cb->dst, cb->dport), cb, cb->dst, who, count);
	count = take_all(
		&n->udp_bound, flow_hash_bound(k, IP_ANY, cb->dport), cb, IP_ANY, who, count);
	rcu_read_unlock();
	return count;
}

/* Broadcast and multicast: a copy for every socket that listens. */
static void deliver_to_all(struct rx *rx, struct packet *p)
{
	const struct pkt_cb *cb = pkt_cb(p);
	struct socket *who[MAX_COPIES];
	unsigned count, wanted = 0;

	rx_flush(rx); /* so that each has a reference of its own */
	count = find_all(cb, who);
	for (unsigned k = 0; k < count; k++)
		if (ip_is_multicast(cb->dst) && !inet_in_group(inet_sk(who[k]), cb))
			socket_put(who[k]);
		else
			who[wanted++] = who[k];
	for (unsigned k = 0; k < wanted; k++) {
		struct packet *copy = k + 1 < wanted ? pkt_linearise(p, 0) : p;

		if (copy) {
			rx_to_socket(rx, who[k], copy, CHANNEL_DATA);
			if (copy == p)
				p = NULL;
		} else {
			socket_put(who[k]);
		}
	}
	if (p)
		packet_free(p);
}

/* The datagrams of a packet that has several. */
static void deliver_each_to_all(struct rx *rx, struct packet *list)
{
	while (list) {
		struct packet *next = list->next;

		list->next = NULL;
		deliver_to_all(rx, list);
		list = next;
	}
}

/* s is held for rx_to_socket. */
static void deliver(struct rx *rx, struct socket *s, struct packet *p)
{
	if (unlikely(udp_rings(s)))
		udp_rings_receive(rx, s, p);
	else
		rx_to_socket(rx, s, p, CHANNEL_DATA);
}

static void deliver_each(struct rx *rx, struct socket *s, struct packet *list)
{
	if (!list && rx->pending != s) /* there was no memory */
		socket_put(s);
	while (list) {
		struct packet *next = list->next;

		list->next = NULL;
		deliver(rx, s, list);
		list = next;
	}
}

/* What a device says of a packet that it did not cut is believed as far as it makes sense. */
static bool sound_segments(const struct packet *p, size_t len)
{
	return p->gso_type != PACKET_GSO_UDP_L4 ||
	       (p->gso_size &&
		       len - sizeof(struct udp_header) <= (size_t)p->gso_size * UDP_MAX_SEGMENTS);
}

static bool sound(struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct udp_header *h;
	size_t len;

	if (!pkt_pull_up(p, sizeof(*h)))
		return false;
	h = (struct udp_header *)p->data;
	len = be16(h->len);
	if (len < sizeof(*h) || len > pkt_total(p))
		return false;
	if (!sound_segments(p, len))
		return false;
	pkt_truncate(p, len);
	if (!h->checksum && !ip_is_v4(cb->dst)) /* RFC 8200 8.1 */
		return false;
	if (h->checksum && p->csum_flags == PACKET_CSUM_NONE && !(cb->flags & PKT_LOOPBACK) &&
		csum_fold(csum_packet(
			csum_pseudo_ip(cb->src, cb->dst, IPPROTO_UDP, (uint32_t)len), p)) != 0) {
		counter_inc(udp_rx_bad_checksum);
		return false;
	}
	cb->sport = be16(h->sport);
	cb->dport = be16(h->dport);
	return true;
}

void udp_input(struct rx *rx, struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct socket *s;

	if (!sound(p)) {
		counter_inc(udp_rx_malformed);
		packet_free(p);
		return;
	}
	cb->time = 0;
	if (cb->flags & (PKT_BROADCAST | PKT_MULTICAST)) {
		packet_pull(p, sizeof(struct udp_header));
		cb->time = clock_realtime();
		if (unlikely(p->gso_type == PACKET_GSO_UDP_L4))
			deliver_each_to_all(rx, pkt_cut(p, p->gso_size));
		else
			deliver_to_all(rx, p);
		return;
	}
	s = classify(rx, cb);
	if (!s) {
		counter_inc(udp_rx_no_port);
		icmp_send_port_unreachable(p);
		packet_free(p);
		return;
	}
	packet_pull(p, sizeof(struct udp_header));
	if (unlikely(load_relaxed(&s->notes)))
		cb->time = clock_realtime();
	if (unlikely(p->gso_type == PACKET_GSO_UDP_L4) &&
		(udp_rings(s) || !load_relaxed(&dgram_sk(s)->gro)))
		deliver_each(rx, s, pkt_cut(p, p->gso_size));
	else
		deliver(rx, s, p);
	if (likely(rx->pending == s))
		rx->found = IPPROTO_UDP; /* p and cb are not ours any more */
}

void udp_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu)
{
	struct pkt_cb cb = {
		.src = q->dst, .dst = q->src, .sport = get_be16(q->l4 + 2), .dport = get_be16(q->l4)
	};
	struct socket *s;
	struct flow *f;

	rcu_read_lock();
	f = find(&cb);
	s = f && socket_get_live(f->s) ? f->s : NULL;
	rcu_read_unlock();
	if (!s)
		return;
	dgram_icmp_error(s, q, sizeof(struct udp_header), err, hard, mtu);
	socket_put(s);
}

/* ---- calls ---- */

int udp_take_port(struct inet_sock *i, struct ip_addr addr, uint16_t port)
{
	int err = inet_bind_port(i, the_net()->udp_bind, addr, port);

	if (!err && inet_publish(i, i->laddr, i->raddr, i->rport)) {
		inet_unbind(i);
		i->lport = 0;
		i->laddr = IP_ANY;
		i->bound_any = true;
		err = -ENOMEM;
	}
	return err;
}

static int udp_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	struct ip_addr addr;
	uint16_t port;
	int err = inet_check_bind(i, a, len, &addr, &port);

	if (err)
		return err;
	socket_lock(s);
	if (i->lport)
		err = -EINVAL;
	else if (!inet_bind_later(i, addr, port))
		err = udp_take_port(i, addr, port);
	if (!err)
		i->keeps_port = port != 0;
	socket_unlock(s);
	return err;
}

static int autobind(struct inet_sock *i)
{
	int err = 0;

	socket_lock(&i->s);
	if (!i->lport)
		err = udp_take_port(i, inet_bound_addr(i), 0);
	socket_unlock(&i->s);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

void udp_push_header(const struct inet_sock *i, struct packet *p, const struct dgram_target *t)
{
	size_t len = pkt_total(p) + sizeof(struct udp_header);
	struct udp_header *h = packet_push(p, sizeof(*h));

	h->sport = be16(i->lport);
	h->dport = be16(t->port);
	h->len = be16((uint16_t)len);
	h->checksum = 0;
	if (i->s.no_check && ip_is_v4(t->how.dst))
		return;
	h->checksum = (uint16_t)~csum_fold(
		csum_pseudo_ip(t->how.src, t->how.dst, IPPROTO_UDP, (uint32_t)len));
	p->csum_flags = PACKET_CSUM_PARTIAL;
	p->csum_start = 0;
	p->csum_offset = offsetof(struct udp_header, checksum);
}

/* All of the message as packets with their headers. ERR_PTR. */
static struct packet *make_packets(
	struct inet_sock *i, struct socket_message *m, const struct dgram_target *t)
{
	struct packet *p;

	if (unlikely(t->segment))
		return udp_cut_message(i, m, t);
	p = dgram_packet(m, m->data->left, sizeof(struct udp_header));
	if (!IS_ERR(p))
		udp_push_header(i, p, t);
	return p;
}

/* MSG_ZEROCOPY: a number; whether pages are lent, as Linux decides it. */
static int begin_lent(struct socket *s, struct socket_message *m, const struct dgram_target *t)
{
	size_t n = m->data->left + sizeof(struct udp_header);

	m->note = zc_begin(s, m, n, NULL);
	if (IS_ERR(m->note))
		return (int)PTR_ERR(m->note);
	m->lent = (t->route.dev->features & NETDEV_TX_CSUM) &&
		  (t->segment || n + ip_header_size(t->how.dst) <= t->route.mtu);
	if (!m->lent)
		zc_copied(m->note);
	return 0;
}

static void end_lent(struct socket_message *m, size_t n, int err)
{
	if (err) {
		zc_abort(m->note, n + sizeof(struct udp_header));
	} else {
		zc_number(m->note);
		zc_put(m->note);
	}
}

/* What is joined from several calls is copied. t: where to, NULL: where the first call said. */
static ssize_t corked_send(struct socket *s, struct socket_message *m, const struct dgram_target *t)
{
	size_t n = m->data->left;
	ssize_t r;

	if (unlikely(m->lent)) {
		m->note = zc_begin(s, m, n + sizeof(struct udp_header), NULL);
		if (IS_ERR(m->note))
			return PTR_ERR(m->note);
		m->lent = false;
		zc_copied(m->note);
	}
	r = udp_cork_send(s, m, t);
	if (unlikely(m->note))
		end_lent(m, n, r < 0 ? (int)r : 0);
	return r;
}

/* A message that is joined with others, cut up, or lent, or has control data. */
static ssize_t send_other(struct socket *s, struct socket_message *m, const struct dgram_target *t)
{
	struct inet_sock *i = inet_sk(s);
	size_t n = m->data->left;
	struct packet *p;
	int err;

	if ((m->flags & MSG_MORE) || load_relaxed(&dgram_sk(s)->corked))
		return corked_send(s, m, t);
	if (m->lent && (err = begin_lent(s, m, t)))
		return err;
	p = make_packets(i, m, t);
	err = IS_ERR(p) ? (int)PTR_ERR(p) : dgram_output(i, p, t);
	if (m->note)
		end_lent(m, n, err);
	return err ? err : (ssize_t)n;
}

static ssize_t udp_send(struct socket *s, struct socket_message *m, const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	bool other = (m->flags & (MSG_OOB | MSG_MORE | MSG_ZEROCOPY)) || m->control_len ||
		     load_relaxed(&dgram_sk(s)->joins);
	size_t n = m->data->left;
	struct dgram_target t;
	struct packet *p;
	int err;

	if (n > UDP_MAX_TEXT)
		return -EMSGSIZE;
	if (unlikely(other)) {
		if (m->flags & MSG_OOB)
			return -EOPNOTSUPP;
		if (udp_cork_pending(dgram_sk(s)))
			return corked_send(s, m, NULL);
	}
	err = socket_take_error(s);
	if (!err && !i->lport)
		err = autobind(i);
	if (!err)
		err = dgram_target(s, m, &t);
	if (err)
		return err;
	if (s->shut & SHUT_SND)
		return -EPIPE;
	if (n > UDP_MAX_TEXT - sizeof(struct ip_header) && ip_is_v4(t.how.dst))
		return -EMSGSIZE;
	if (unlikely(!dgram_has_room(dgram_sk(s))) && (err = dgram_wait_room(s, m)))
		return err;
	if (unlikely(other))
		return send_other(s, m, &t);
	p = dgram_copy(m, n, sizeof(struct udp_header));
	if (IS_ERR(p))
		return PTR_ERR(p);
	udp_push_header(i, p, &t);
	err = dgram_output(i, p, &t);
	return err ? err : (ssize_t)n;
}

static int udp_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	const struct dgram_sock *d = dgram_sk(s);

	if (level != SOL_UDP)
		return dgram_getopt(s, level, name, val, len);
	switch (name) {
	case UDP_CORK: return opt_put_int(val, len, d->corked);
	case UDP_SEGMENT: return opt_put_int(val, len, d->segment);
	case UDP_GRO: return opt_put_int(val, len, d->gro);
	default: return -ENOPROTOOPT;
	}
}

static int udp_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	struct dgram_sock *d = dgram_sk(s);
	int v;

	if (level != SOL_UDP)
		return dgram_setopt(s, level, name, val, len);
	if (opt_get_int(val, len, &v))
		return -EINVAL;
	switch (name) {
	case UDP_CORK: udp_cork_set(s, v != 0); return 0;
	case UDP_SEGMENT:
		if (v < 0 || v > UINT16_MAX)
			return -EINVAL;
		store_relaxed(&d->segment, (uint16_t)v);
		return 0;
	case UDP_GRO: store_relaxed(&d->gro, v != 0); return 0;
	default: return -ENOPROTOOPT;
	}
}

static ssize_t udp_recv(struct socket *s, struct socket_message *m)
{
	int err;
	struct packet *p;

	if (dgram_path_news(s))
		return dgram_recv_path_mtu(s, m);
	p = dgram_wait(s, m->flags, &err);

	if (!p) {
		m->flags = 0;
		return err;
	}
	return dgram_finish(s, p, m);
}

static const struct socket_ops udp_ops = {
	.bind = udp_bind,
	.connect = dgram_connect,
	.getname = inet_getname,
	.send = udp_send,
	.recv = udp_recv,
	.recv_error = dgram_recv_error,
	.shutdown = dgram_shutdown,
	.getopt = udp_getopt,
	.setopt = udp_setopt,
	.poll = dgram_poll,
	.ioctl = dgram_ioctl,
	.close = dgram_close,
	.work = dgram_work,
	.icmp = dgram_icmp,
	.destroy = dgram_destroy,
	.buffer_changed = dgram_buffer_changed,
};
