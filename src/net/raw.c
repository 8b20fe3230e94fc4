/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw sockets (raw(7)). */

#include "net/dgram.h"
#include "net/rx.h"
#include "net/transport.h"
#include "abi/errno.h"
#include "mem/heap.h"

#define RAW_CHAINS 16 /* by protocol */

static const struct socket_ops raw_ops;

void raw_init(void)
{
	mutex_init(&the_net()->raw.lock, "raw_bucket.lock");
	list_init(&the_net()->raw.head);
	flow_table_init(&the_net()->raw_flows, RAW_CHAINS);
}

struct socket *raw_create(int family, int protocol)
{
	struct inet_bucket *b = &the_net()->raw;
	struct dgram_sock *d = dgram_create(&raw_ops, family, SOCK_RAW, protocol);

	if (!d)
		return ERR_PTR(-ENOMEM);
	if (family == AF_INET6)
		d->i.families = IP_V6;
	if (protocol == IPPROTO_ICMPV6)
		d->i.v6.checksum = 2;
	d->i.hdrincl = protocol == IPPROTO_RAW;
	d->i.s.reuseaddr = true; /* as Linux; it means nothing here */
	d->i.bound_any = true;
	if (inet_publish(&d->i, IP_ANY, IP_ANY, 0)) {
		socket_put(&d->i.s);
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&b->lock);
	d->i.bind_bucket = b;
	list_add(&b->head, &d->i.bind_link);
	mutex_unlock(&b->lock);
	return &d->i.s;
}

/* RFC 3542 2.8: a checksum that the socket asked to be looked at. */
static bool checksum_ok(const struct inet_sock *i, const struct packet *p, const struct pkt_cb *cb)
{
	if (i->s.family != AF_INET6 || i->v6.checksum < 0 || cb->protocol == IPPROTO_ICMPV6)
		return true; /* ICMPv6's is looked at by ICMPv6 */
	size_t n = pkt_total(p);

	return n >= (size_t)i->v6.checksum + 2 &&
	       csum_fold(csum_packet(
		       csum_pseudo6(cb->src, cb->dst, cb->protocol, (uint32_t)n), p)) == 0;
}

static bool filtered(const struct inet_sock *i, const struct packet *p)
{
	uint8_t type = p->len ? p->data[0] : 0;

	if (i->s.family == AF_INET6)
		return i->v6.icmp_filter[type / 32] >> (type % 32) & 1;
	return type < 32 && (i->icmp_filter >> type & 1);
}

/* As far as its addresses say. */
static bool is_for(const struct flow *f, const struct pkt_cb *cb)
{
	const struct inet_sock *i = inet_sk(f->s);
	int bound_if = load_relaxed(&i->s.bound_if);

	return i->s.protocol == cb->protocol &&
	       (ip_is_any(f->laddr) ? (i->families & ip_family_bit(cb->dst)) != 0
				    : ip_equal(f->laddr, cb->dst)) &&
	       (ip_is_any(f->raddr) || ip_equal(f->raddr, cb->src)) &&
	       (!bound_if || bound_if == cb->ifindex);
}

static bool wants(const struct inet_sock *i, const struct packet *p)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);
	bool v4 = ip_is_v4(cb->dst);

	if (cb->protocol == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && filtered(i, p))
		return false;
	if (!v4 && ip_is_multicast(cb->dst) && !inet_in_group(i, cb))
		return false;
	return checksum_ok(i, p, cb);
}

/* Those of a protocol whose addresses say that p is for them, each with a reference. */
static unsigned find_all(const struct pkt_cb *cb, struct socket **who, unsigned room)
{
	unsigned found = 0;
	struct flow *f;

	rcu_read_lock();
	for_each_flow(f, &the_net()->raw_flows, cb->protocol)
	{
		if (!is_for(f, cb) || !socket_get_live(f->s))
			continue;
		if (found < room)
			who[found] = f->s;
		else
			socket_put(f->s);
		found++;
	}
	rcu_read_unlock();
	return found;
}

static void deliver_copy(struct rx *rx, struct socket *s, struct packet *p)
{
	unsigned header = pkt_cb(p)->ip_len;

	packet_push(p, header);
	struct packet *copy = pkt_linearise(p, 0);

	packet_pull(p, header);
	if (!copy) {
		socket_put(s);
		return;
	}
	if (s->family != AF_INET)
		packet_pull(copy, header); /* IPv4's raw sockets see the header */
	pkt_cb(copy)->time = clock_realtime();
	pkt_cb(copy)->sport = 0;
	rx_to_socket(rx, s, copy, CHANNEL_DATA);
}

bool raw_input(struct rx *rx, struct packet *p)
{
	const struct pkt_cb *cb = pkt_cb(p);
	struct socket *few[16], **who = few, **more = NULL;
	unsigned found, count = 0;

	rx_flush(rx); /* so that each has a reference of its own */
	found = find_all(cb, few, ARRAY_SIZE(few));
	if (unlikely(found > ARRAY_SIZE(few))) {
		for (unsigned k = 0; k < ARRAY_SIZE(few); k++)
			socket_put(few[k]);
		unsigned room = found + 8; /* some may come meanwhile */

		who = more = heap_alloc(room * sizeof(*more));
		found = who ? MIN(find_all(cb, who, room), room) : 0;
	}
	for (unsigned k = 0; k < found; k++) {
		if (!wants(inet_sk(who[k]), p)) {
			socket_put(who[k]);
			continue;
		}
		deliver_copy(rx, who[k], p);
		count++;
	}
	heap_free(more);
	return count != 0;
}

static int raw_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	struct ip_addr addr;
	uint16_t port;
	int err = inet_check_bind(i, a, len, &addr, &port);

	if (err)
		return err;
	if (!ip_is_any(addr) && !(i->families & ip_family_bit(addr)))
		return -EADDRNOTAVAIL;
	socket_lock(s);
	err = inet_publish(i, addr, i->raddr, i->rport);
	if (!err)
		i->bound_any = ip_is_any(addr);
	socket_unlock(s);
	return err;
}

/* The program wrote the IP header itself. */
static int take_own_header(const struct inet_sock *i, struct packet *p, struct dgram_target *t)
{
	const struct ip_header *ip = (const struct ip_header *)p->data;
	bool v4 = i->s.family == AF_INET;

	if (p->len > t->route.link_mtu)
		return -EMSGSIZE;
	if (p->len < (v4 ? sizeof(*ip) : sizeof(struct ip6_header)))
		return -EINVAL;
	t->how.complete = true;
	if (!v4)
		return 0;
	unsigned hlen = (ip->ver_ihl & 15) * 4u;

	if (hlen < sizeof(*ip) || hlen > p->len)
		return -EINVAL;
	ip_complete_header(p, t->how.src);
	return 0;
}

/* IPV6_CHECKSUM: where the program wants one. */
static int finish_checksum(
	const struct inet_sock *i, struct packet *p, const struct dgram_target *t)
{
	size_t at = (size_t)i->v6.checksum;
	uint32_t len = (uint32_t)pkt_total(p);

	if (p->len < at + 2)
		return -EINVAL;
	memset(p->data + at, 0, 2);
	uint16_t sum = csum_fold(
		csum_packet(csum_pseudo6(t->how.src, t->how.dst, t->how.protocol, len), p));

	memcpy(p->data + at, &sum, 2);
	return 0;
}

static ssize_t raw_send(struct socket *s, struct socket_message *m, const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	size_t n = m->data->left;
	struct dgram_target t;
	struct packet *p;
	int err;

	if (n > (i->hdrincl ? IP_MAX_TOTAL : IP_MAX_TOTAL - sizeof(struct ip_header)))
		return -EMSGSIZE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = socket_take_error(s);
	if (!err)
		err = dgram_target(s, m, &t);
	if (err)
		return err;
	if (unlikely(!dgram_has_room(dgram_sk(s))) && (err = dgram_wait_room(s, m)))
		return err;
	p = dgram_copy(m, m->data->left, 0);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (i->hdrincl)
		err = take_own_header(i, p, &t);
	else if (s->family == AF_INET6 && i->v6.checksum >= 0)
		err = finish_checksum(i, p, &t);
	if (err) {
		packet_free(p);
		return err;
	}
	err = dgram_output(i, p, &t);
	return err ? err : (ssize_t)n;
}

static ssize_t raw_recv(struct socket *s, struct socket_message *m)
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

/* Whether the level and name mean the filter by ICMP type: 1, 0, or Linux's complaint. */
static int means_filter(const struct socket *s, int level, int name)
{
	if (level == SOL_ICMPV6 && s->family == AF_INET6) {
		if (s->protocol != IPPROTO_ICMPV6)
			return -EOPNOTSUPP;
		return name == ICMP6_FILTER ? 1 : -ENOPROTOOPT;
	}
	if (level == SOL_RAW && s->family == AF_INET) {
		if (name != ICMP_FILTER)
			return -ENOPROTOOPT;
		return s->protocol == IPPROTO_ICMP ? 1 : -EOPNOTSUPP;
	}
	return 0;
}

static int raw_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	int filter = means_filter(s, level, name);

	if (filter < 0)
		return filter;
	if (filter && level == SOL_RAW)
		return opt_put(val, len, &inet_sk(s)->icmp_filter, 4);
	if (filter)
		return opt_put(val, len, inet_sk(s)->v6.icmp_filter, 32);
	return dgram_getopt(s, level, name, val, len);
}

static int raw_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	int filter = means_filter(s, level, name);

	if (filter < 0)
		return filter;
	if (filter && level == SOL_RAW) /* what is not given stays */
		memcpy(&inet_sk(s)->icmp_filter, val, MIN(len, 4u));
	else if (filter)
		memcpy(inet_sk(s)->v6.icmp_filter, val, MIN(len, 32u));
	else
		return dgram_setopt(s, level, name, val, len);
	return 0;
}

static const struct socket_ops raw_ops = {
	.bind = raw_bind,
	.connect = dgram_connect,
	.getname = inet_getname,
	.send = raw_send,
	.recv = raw_recv,
	.shutdown = dgram_shutdown,
	.getopt = raw_getopt,
	.setopt = raw_setopt,
	.poll = dgram_poll,
	.ioctl = dgram_ioctl,
	.close = dgram_close,
	.work = dgram_work,
	.destroy = dgram_destroy,
	.buffer_changed = dgram_buffer_changed,
};
