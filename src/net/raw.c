/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw IPv4 sockets, and ping sockets (SOCK_DGRAM with IPPROTO_ICMP). */

#include "net/impl.h"

static const struct socket_ops raw_ops, ping_ops;

void raw_init(void)
{
	mutex_init(&the_net()->raw.lock, "raw_bucket.lock");
	list_init(&the_net()->raw.head);
}

static struct socket *create(const struct socket_ops *ops, int type, int protocol)
{
	struct inet_bucket *b = &the_net()->raw;
	struct dgram_sock *d = dgram_create(ops, type, protocol);

	if (!d)
		return ERR_PTR(-ENOMEM);
	if (ops == &ping_ops)
		d->i.lport = (uint16_t)(net_random() | 1); /* the echo id */
	mutex_lock(&b->lock);
	d->i.bind_bucket = b;
	list_add(&b->head, &d->i.bind_link);
	mutex_unlock(&b->lock);
	return &d->i.s;
}

struct socket *raw_create(int protocol)
{
	struct socket *s = create(&raw_ops, SOCK_RAW, protocol);

	if (!IS_ERR(s) && protocol == IPPROTO_RAW)
		inet_sk(s)->hdrincl = true;
	return s;
}

struct socket *ping_create(void)
{
	return create(&ping_ops, SOCK_DGRAM, IPPROTO_ICMP);
}

static bool wants(const struct inet_sock *i, const struct packet *p)
{
	const struct pkt_cb *cb = pkt_cb((struct packet *)p);

	if (i->s.protocol != cb->protocol || (i->laddr && i->laddr != cb->dst) ||
		(i->raddr && i->raddr != cb->src) ||
		(i->s.bound_if && i->s.bound_if != cb->ifindex))
		return false;
	if (i->s.type == SOCK_RAW)
		return !(cb->protocol == IPPROTO_ICMP && p->len && p->data[0] < 32 &&
			 (i->icmp_filter >> p->data[0] & 1));
	return p->len >= 8 && p->data[0] == ICMP_ECHO_REPLY && get_be16(p->data + 4) == i->lport;
}

bool raw_input(struct rx *rx, struct packet *p)
{
	struct inet_bucket *b = &the_net()->raw;
	struct inet_sock *i;
	struct socket *who[16];
	unsigned count = 0;

	mutex_lock(&b->lock);
	list_for_each_entry (i, &b->head, bind_link)
		if (count < ARRAY_SIZE(who) && wants(i, p)) {
			socket_get(&i->s);
			who[count++] = &i->s;
		}
	mutex_unlock(&b->lock);
	for (unsigned k = 0; k < count; k++) {
		unsigned header = who[k]->type == SOCK_RAW ? pkt_cb(p)->ip_len : 0;

		packet_push(p, header); /* raw sockets see the IP header */
		struct packet *copy = pkt_linearise(p, 0);

		packet_pull(p, header);
		if (!copy) {
			socket_put(who[k]);
			continue;
		}
		pkt_cb(copy)->time = clock_realtime();
		pkt_cb(copy)->sport = 0;
		rx_to_socket(rx, who[k], copy);
	}
	return count != 0;
}

static int raw_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	uint32_t addr;
	uint16_t port;
	int err = inet_check_bind(i, a, len, &addr, &port);

	if (err)
		return err;
	i->laddr = addr;
	if (s->type == SOCK_DGRAM && port)
		i->lport = port;
	return 0;
}

/* The program wrote the IP header itself. */
static int send_with_header(struct packet *p, struct dgram_target *t)
{
	struct ip_header *ip = (struct ip_header *)p->data;

	if (p->len < sizeof(*ip) || (ip->ver_ihl & 15) * 4u > p->len || p->len > t->route.mtu) {
		int err = p->len > t->route.mtu ? -EMSGSIZE : -EINVAL;

		packet_free(p);
		return err;
	}
	t->how.protocol = ip->protocol;
	t->how.ttl = ip->ttl;
	t->how.tos = ip->tos;
	if (ip->src)
		t->how.src = ip->src;
	packet_pull(p, (ip->ver_ihl & 15) * 4u);
	return 0;
}

static ssize_t raw_send(struct socket *s, struct socket_message *m, const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	size_t n = m->data->left;
	struct dgram_target t;
	struct packet *p;
	int err;

	if (n > 65515)
		return -EMSGSIZE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = socket_take_error(s);
	if (!err)
		err = dgram_target(s, m, &t);
	if (err)
		return err;
	p = dgram_copy(m, 0);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (i->hdrincl) {
		err = send_with_header(p, &t);
		if (err)
			return err;
	}
	if (s->type == SOCK_DGRAM) { /* ping: our id and checksum */
		if (p->len < 8 || p->data[0] != ICMP_ECHO || p->data[1]) {
			packet_free(p);
			return -EINVAL;
		}
		put_be16(p->data + 4, i->lport);
		memset(p->data + 2, 0, 2);
		uint16_t sum = csum_fold(csum_packet(0, p));

		memcpy(p->data + 2, &sum, 2);
	}
	err = dgram_output(i, p, &t);
	return err ? err : (ssize_t)n;
}

static ssize_t raw_recv(struct socket *s, struct socket_message *m)
{
	int err;
	struct packet *p = dgram_wait(s, m->flags, &err);

	if (!p) {
		m->flags = 0;
		return err;
	}
	return dgram_finish(s, p, m);
}

static int raw_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	if (level == 255 && name == 1) /* SOL_RAW, ICMP_FILTER */
		return opt_put(val, len, &inet_sk(s)->icmp_filter, 4);
	return dgram_getopt(s, level, name, val, len);
}

static int raw_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	if (level == 255 && name == 1) {
		uint32_t v = 0;

		memcpy(&v, val, MIN(len, 4u));
		inet_sk(s)->icmp_filter = v;
		return 0;
	}
	return dgram_setopt(s, level, name, val, len);
}

#define RAW_OPS                                                                                    \
	.bind = raw_bind, .connect = dgram_connect, .getname = inet_getname, .send = raw_send,     \
	.recv = raw_recv, .shutdown = dgram_shutdown, .getopt = raw_getopt, .setopt = raw_setopt,  \
	.poll = dgram_poll, .ioctl = dgram_ioctl, .close = dgram_close, .work = dgram_work,        \
	.destroy = dgram_destroy

static const struct socket_ops raw_ops = { RAW_OPS };
static const struct socket_ops ping_ops = { RAW_OPS };
