/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ping sockets (icmp(7)): SOCK_DGRAM with IPPROTO_ICMP or IPPROTO_ICMPV6. They send echo requests
 * and nothing else, and hear the answers to their own. The local port is the request's identifier,
 * whatever the program writes there; as on Linux both families draw from the same ones, and who is
 * connected hears answers from everybody.
 */

#include "net/dgram.h"
#include "net/icmp.h"
#include "net/rx.h"
#include "net/transport.h"
#include "abi/errno.h"

#define PING_CHAINS 64	   /* by identifier */
#define PING_MAX    0xffff /* bytes of a message, of either family */

static const struct socket_ops ping_ops;

void ping_init(void)
{
	struct net_state *n = the_net();

	mutex_init(&n->ping.lock, "ping_bucket.lock");
	list_init(&n->ping.head);
	flow_table_init(&n->ping_flows, PING_CHAINS);
}

/* Of anybody: net.ipv4.ping_group_range has all groups, as where systemd or Docker set it. */
struct socket *ping_create(int family)
{
	bool v6 = family == AF_INET6;
	struct dgram_sock *d =
		dgram_create(&ping_ops, family, SOCK_DGRAM, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	if (!d)
		return ERR_PTR(-ENOMEM);
	d->i.families = v6 ? IP_V6 : IP_V4;
	d->i.s.reuseaddr = true; /* as Linux */
	return &d->i.s;
}

/* ---- receiving ---- */

/* In a read section. The one that was bound last, as on Linux. */
static struct flow *find(const struct pkt_cb *cb, uint16_t id)
{
	struct flow *f;

	for_each_flow(f, &the_net()->ping_flows, id)
	{
		const struct inet_sock *i = inet_sk(f->s);
		int bound_if = load_relaxed(&i->s.bound_if);

		if (f->lport == id && (i->families & ip_family_bit(cb->dst)) &&
			(ip_is_any(f->laddr) || ip_equal(f->laddr, cb->dst)) &&
			(!bound_if || !cb->ifindex || bound_if == cb->ifindex))
			return f;
	}
	return NULL;
}

static struct socket *classify(struct rx *rx, const struct pkt_cb *cb, uint16_t id)
{
	struct socket *s;
	bool held;

	do {
		rcu_read_lock();
		struct flow *f = find(cb, id);

		s = f ? f->s : NULL;
		held = !s || rx_hold(rx, s);
		rcu_read_unlock();
	} while (!held); /* flow.h, F4 */
	return s;
}

void ping_input(struct rx *rx, struct packet *p)
{
	struct pkt_cb *cb = pkt_cb(p);
	struct socket *s = pkt_pull_up(p, sizeof(struct icmp_header))
				   ? classify(rx, cb, get_be16(p->data + 4))
				   : NULL;

	if (!s) {
		packet_free(p);
		return;
	}
	cb->sport = cb->dport = 0;
	cb->time = load_relaxed(&s->notes) ? clock_realtime() : 0;
	rx_to_socket(rx, s, p, CHANNEL_DATA);
}

/* An echo request, or RFC 8335's. */
static bool may_send(bool v4, uint8_t type, uint8_t code)
{
	return code == 0 && (v4 ? type == ICMP_ECHO || type == ICMP_EXT_ECHO
				: type == ICMP6_ECHO || type == ICMP6_EXT_ECHO);
}

void ping_icmp_error(const struct ip_quote *q, int err, bool hard, uint32_t mtu)
{
	struct pkt_cb cb = { .src = q->dst, .dst = q->src };
	struct socket *s;
	struct flow *f;

	if (!may_send(ip_is_v4(q->dst), q->l4[0], q->l4[1]))
		return;
	rcu_read_lock();
	f = find(&cb, get_be16(q->l4 + 4));
	s = f && socket_get_live(f->s) ? f->s : NULL;
	rcu_read_unlock();
	if (!s)
		return;
	dgram_icmp_error(s, q, 0, err, hard, mtu);
	socket_put(s);
}

/* ---- calls ---- */

/* The bucket's lock held. Linux compares neither addresses nor families. */
static bool taken(const struct inet_bucket *b, const struct inet_sock *i, uint16_t id, bool share)
{
	struct inet_sock *o;

	list_for_each_entry (o, &b->head, bind_link)
		if (o->lport == id && !(share && i->s.reuseaddr && load_relaxed(&o->s.reuseaddr)))
			return true;
	return false;
}

static uint16_t free_id(const struct inet_bucket *b, const struct inet_sock *i)
{
	uint16_t id = (uint16_t)net_random();

	for (unsigned k = 0; k <= UINT16_MAX; k++, id++)
		if (id && !taken(b, i, id, false))
			return id;
	return 0;
}

/* The socket's lock held. */
static int take_id(struct inet_sock *i, struct ip_addr addr, uint16_t id)
{
	struct inet_bucket *b = &the_net()->ping;
	int err = 0;

	mutex_lock(&b->lock);
	if (!id)
		id = free_id(b, i);
	if (!id || taken(b, i, id, true)) {
		err = -EADDRINUSE;
	} else {
		i->lport = id;
		i->laddr = addr;
		i->bind_bucket = b;
		list_add(&b->head, &i->bind_link);
	}
	mutex_unlock(&b->lock);
	if (!err && inet_publish(i, addr, IP_ANY, 0)) {
		inet_unbind(i);
		i->lport = 0;
		err = -ENOMEM;
	}
	return err;
}

int ping_take_port(struct inet_sock *i)
{
	return take_id(i, i->laddr, 0);
}

/* What inet_check_bind lets pass. */
static int check_bind(const struct inet_sock *i, const struct sockaddr_storage *a, uint32_t len)
{
	const struct sockaddr_in6 *in6 = (const void *)a;
	const struct sockaddr_in *in = (const void *)a;
	struct ip_addr addr;

	if (i->s.family == AF_INET)
		return len >= sizeof(*in) && in->sin_family == AF_INET &&
				       (ip4_is_multicast(in->sin_addr) ||
					       ip4_local_kind(in->sin_addr) == IP_LOCAL_BROADCAST)
			       ? -EADDRNOTAVAIL
			       : 0;
	if (len < sizeof(*in6))
		return -EINVAL;
	if (in6->sin6_family != AF_INET6)
		return -EAFNOSUPPORT;
	addr = ip_from_bytes(in6->sin6_addr);
	return ip_is_v4(addr) || ip_is_multicast(addr) ||
			       (ip_needs_scope(addr) && !in6->sin6_scope_id)
		       ? -EINVAL
		       : 0;
}

static int ping_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	struct ip_addr addr;
	uint16_t id;
	int err = check_bind(i, a, len);

	if (!err)
		err = inet_check_bind(i, a, len, &addr, &id);
	if (err)
		return err;
	socket_lock(s);
	err = i->lport ? -EINVAL : take_id(i, addr, id);
	if (!err) {
		i->bound_any = ip_is_any(addr);
		i->keeps_port = id != 0;
	}
	socket_unlock(s);
	return err;
}

static int autobind(struct inet_sock *i)
{
	int err = 0;

	socket_lock(&i->s);
	if (!i->lport)
		err = ping_take_port(i);
	socket_unlock(&i->s);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

static int check_name(const struct socket *s, const struct socket_message *m)
{
	const struct sockaddr_in6 *in6 = (const void *)&m->name;
	bool v6 = s->family == AF_INET6;

	if (!m->name_len)
		return 0;
	if (m->name_len < (v6 ? sizeof(*in6) : sizeof(struct sockaddr_in)))
		return -EINVAL;
	if (m->name.ss_family != s->family)
		return -EAFNOSUPPORT;
	return v6 && ip_is_v4(ip_from_bytes(in6->sin6_addr)) ? -EINVAL : 0;
}

/* Our identifier and the checksum. */
static void finish_request(
	const struct inet_sock *i, struct packet *p, const struct dgram_target *t)
{
	uint32_t len = (uint32_t)pkt_total(p);

	put_be16(p->data + 4, i->lport);
	memset(p->data + 2, 0, 2);
	uint16_t sum = csum_fold(csum_packet(
		ip_is_v4(t->how.dst) ? 0
				     : csum_pseudo6(t->how.src, t->how.dst, IPPROTO_ICMPV6, len),
		p));

	memcpy(p->data + 2, &sum, 2);
}

static ssize_t ping_send(struct socket *s, struct socket_message *m, const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	size_t n = m->data->left;
	struct dgram_target t;
	struct packet *p;
	int err = i->lport ? 0 : autobind(i);

	if (err)
		return err;
	if (n > PING_MAX)
		return -EMSGSIZE;
	if (n < sizeof(struct icmp_header))
		return -EINVAL;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	p = dgram_copy(m, n, 0);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (!may_send(s->family == AF_INET, p->data[0], p->data[1]))
		err = -EINVAL;
	if (!err)
		err = check_name(s, m);
	if (!err)
		err = dgram_target(s, m, &t);
	if (!err)
		err = socket_take_error(s);
	if (!err && (s->shut & SHUT_SND))
		err = -EPIPE;
	if (!err && unlikely(!dgram_has_room(dgram_sk(s))))
		err = dgram_wait_room(s, m);
	if (err) {
		packet_free(p);
		return err;
	}
	finish_request(i, p, &t);
	err = dgram_output(i, p, &t);
	return err ? err : (ssize_t)n;
}

static ssize_t ping_recv(struct socket *s, struct socket_message *m)
{
	struct packet *p;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	m->flags &= ~(uint32_t)MSG_TRUNC; /* Linux says how much was read all the same */
	if (dgram_path_news(s))
		return dgram_recv_path_mtu(s, m);
	p = dgram_wait(s, m->flags, &err);
	if (!p) {
		m->flags = 0;
		return err;
	}
	return dgram_finish(s, p, m);
}

static const struct socket_ops ping_ops = {
	.bind = ping_bind,
	.connect = dgram_connect,
	.getname = inet_getname,
	.send = ping_send,
	.recv = ping_recv,
	.recv_error = dgram_recv_error,
	.shutdown = dgram_shutdown,
	.getopt = dgram_getopt,
	.setopt = dgram_setopt,
	.poll = dgram_poll,
	.close = dgram_close,
	.work = dgram_work,
	.icmp = dgram_icmp,
	.destroy = dgram_destroy,
	.buffer_changed = dgram_buffer_changed,
};
