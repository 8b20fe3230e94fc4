/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that send and receive whole packets: the parts UDP, raw and ping sockets share. */

#include "net/impl.h"
#include "cpu/uaccess.h"
#include "diag/counter.h"

COUNTER(dgram_rx_queue_full);
COUNTER(net_bytes_copied_tx);
COUNTER(net_bytes_copied_rx);

struct dgram_sock *dgram_create(const struct socket_ops *ops, int type, int protocol)
{
	struct dgram_sock *d = heap_alloc_zeroed(sizeof(*d));

	if (!d)
		return NULL;
	socket_setup(&d->i.s, ops, AF_INET, type, protocol);
	inet_setup(&d->i);
	return d;
}

void dgram_work(struct socket *s, struct packet *batch)
{
	struct dgram_sock *d = dgram_sk(s);

	while (batch) {
		struct packet *p = batch;
		uint32_t size = pkt_truesize(p);

		batch = p->next;
		p->next = NULL;
		if (d->rx_bytes + size > MAX(s->rcvbuf, size) || s->detached) {
			counter_inc(dgram_rx_queue_full);
			atomic_add(&d->drops, 1);
			packet_free(p);
			continue;
		}
		pkt_cb(p)->truesize = size;
		if (d->first)
			d->last->next = p;
		else
			store_release(&d->first, p);
		d->last = p;
		d->rx_bytes += size;
		socket_wake(s, POLLIN | POLLRDNORM);
	}
}

void dgram_purge(struct dgram_sock *d)
{
	pkt_free_list(d->first);
	d->first = d->last = NULL;
	d->rx_bytes = 0;
}

static bool readable(struct socket *s)
{
	return load_acquire(&dgram_sk(s)->first) || load_relaxed(&s->error) ||
	       (load_relaxed(&s->shut) & SHUT_RCV);
}

struct packet *dgram_wait(struct socket *s, uint32_t flags, int *err)
{
	struct dgram_sock *d = dgram_sk(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo);

	for (;;) {
		socket_lock(s);
		*err = socket_take_error(s);
		struct packet *p = d->first;

		if (*err == 0 && p) {
			if (flags & MSG_PEEK)
				return p; /* locked */
			d->first = p->next;
			d->rx_bytes -= pkt_cb(p)->truesize;
			p->next = NULL;
			socket_unlock(s);
			return p;
		}
		bool end = s->shut & SHUT_RCV;

		socket_unlock(s);
		if (*err || end)
			return NULL;
		*err = -EAGAIN;
		if (socket_nonblocking(s, flags))
			return NULL;
		*err = wait_event_interruptible_timeout(&s->wait, readable(s), deadline);
		if (*err) {
			*err = socket_wait_error(*err, s->rcvtimeo);
			return NULL;
		}
	}
}

static void put_control(struct socket *s, const struct pkt_cb *cb, struct socket_message *m)
{
	struct inet_sock *i = inet_sk(s);

	if (s->timestamp || s->timestampns)
		cmsg_put_timestamp(s, m, cb->time);
	if (i->pktinfo) {
		struct in_pktinfo info = { .ipi_ifindex = cb->ifindex,
			.ipi_addr = cb->dst,
			.ipi_spec_dst = ip_local_kind(cb->dst) == IP_LOCAL ? cb->dst : i->laddr };

		cmsg_put(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (i->recvttl) {
		int ttl = cb->ttl;

		cmsg_put(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	}
	if (i->recvtos)
		cmsg_put(m, SOL_IP, IP_TOS, &cb->tos, 1);
	if (i->recvorigdst) {
		struct sockaddr_storage a;
		uint32_t n;

		inet_addr(&a, &n, cb->dst, cb->dport);
		cmsg_put(m, SOL_IP, IP_RECVORIGDSTADDR, &a, n);
	}
	if (s->rxq_ovfl) {
		uint32_t drops = load_relaxed(&dgram_sk(s)->drops);

		cmsg_put(m, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
	}
}

ssize_t dgram_finish(struct socket *s, struct packet *p, struct socket_message *m)
{
	const struct pkt_cb *cb = pkt_cb(p);
	uint32_t flags = m->flags;
	size_t total = pkt_total(p), n = MIN(total, m->data->left);
	ssize_t r;

	m->flags = total > n ? MSG_TRUNC : 0;
	inet_addr(&m->name, &m->name_len, cb->src, cb->sport);
	r = pkt_copy_to_iter(p, 0, m->data, n) == n ? (ssize_t)n : -EFAULT;
	counter_add(net_bytes_copied_rx, n);
	put_control(s, cb, m);
	if (flags & MSG_PEEK)
		socket_unlock(s);
	else
		packet_free(p);
	return r == (ssize_t)n && (flags & MSG_TRUNC) ? (ssize_t)total : r;
}

int dgram_connect(struct socket *s, const struct sockaddr_storage *a, uint32_t len, bool nonblock,
	const struct path_context *c)
{
	const struct sockaddr_in *in = (const void *)a;
	struct inet_sock *i = inet_sk(s);
	struct route_cache r;
	int err = 0;

	if (a->ss_family == AF_UNSPEC) {
		socket_lock(s);
		i->raddr = 0;
		i->rport = 0;
		if (!i->explicit_port) {
			inet_unbind(i);
			i->lport = 0;
		}
		i->laddr = i->explicit_port ? i->laddr : 0;
		socket_unlock(s);
		return 0;
	}
	if (len < sizeof(*in))
		return -EINVAL;
	if (in->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	uint32_t dst = in->sin_addr ? in->sin_addr : IP4(127, 0, 0, 1);

	socket_lock(s);
	err = inet_route(i, dst, &r);
	if (!err && r.broadcast && !s->broadcast)
		err = -EACCES;
	if (!err && !i->lport && s->protocol == IPPROTO_UDP)
		err = inet_bind_port(i, the_net()->udp_bind, 0, 0);
	if (!err) {
		if (!i->laddr)
			i->laddr = r.src;
		i->raddr = dst;
		i->rport = be16(in->sin_port);
		dgram_purge(dgram_sk(s)); /* what came from others before */
	}
	socket_unlock(s);
	return err;
}

int dgram_shutdown(struct socket *s, int how)
{
	if (!inet_sk(s)->raddr)
		return -ENOTCONN;
	socket_lock(s);
	s->shut |= (uint8_t)how;
	socket_wake(s, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	socket_unlock(s);
	return 0;
}

uint32_t dgram_poll(struct socket *s)
{
	uint32_t shut = load_relaxed(&s->shut), r = POLLOUT | POLLWRNORM | POLLWRBAND;

	if (load_relaxed(&s->error))
		r |= POLLERR;
	if (shut & SHUT_RCV)
		r |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (shut == (SHUT_RCV | SHUT_SND))
		r |= POLLHUP;
	if (load_acquire(&dgram_sk(s)->first))
		r |= POLLIN | POLLRDNORM;
	return r;
}

long dgram_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
	struct packet *p;
	int n = 0;

	switch (cmd) {
	case FIONREAD:
		socket_lock(s);
		p = dgram_sk(s)->first;
		n = p ? (int)pkt_total(p) : 0;
		socket_unlock(s);
		break;
	case SIOCOUTQ: break;
	default: return -ENOIOCTLCMD;
	}
	return put_user(n, (int *)arg);
}

void dgram_close(struct socket *s)
{
	struct inet_sock *i = inet_sk(s);

	socket_lock(s);
	s->detached = true;
	dgram_purge(dgram_sk(s));
	socket_unlock(s);
	inet_unbind(i);
}

void dgram_destroy(struct socket *s)
{
	pkt_free_list(s->channel);
	dgram_purge(dgram_sk(s));
	heap_free(dgram_sk(s));
}

int dgram_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	if (level == SOL_IP)
		return inet_getopt(inet_sk(s), name, val, len);
	if (level == SOL_UDP && s->protocol == IPPROTO_UDP &&
		(name == UDP_CORK || name == UDP_SEGMENT))
		return opt_put_int(val, len, 0);
	return level == SOL_TCP ? -EOPNOTSUPP : -ENOPROTOOPT;
}

int dgram_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	if (level == SOL_IP)
		return inet_setopt(inet_sk(s), name, val, len);
	return -ENOPROTOOPT;
}

/* ---- sending ---- */

static int parse_control(const struct socket_message *m, struct ip_send *how, int *ifindex)
{
	for (size_t off = 0; m->control_len >= off + sizeof(struct cmsghdr);) {
		struct cmsghdr h;
		const uint8_t *data = m->control + off + sizeof(h);
		int v = 0;

		memcpy(&h, m->control + off, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > m->control_len - off)
			return -EINVAL;
		size_t len = h.cmsg_len - sizeof(h);

		if (len >= 4)
			memcpy(&v, data, 4);
		if (h.cmsg_level == SOL_IP && h.cmsg_type == IP_PKTINFO &&
			len >= sizeof(struct in_pktinfo)) {
			struct in_pktinfo info;

			memcpy(&info, data, sizeof(info));
			*ifindex = info.ipi_ifindex;
			if (info.ipi_spec_dst)
				how->src = info.ipi_spec_dst;
		} else if (h.cmsg_level == SOL_IP && h.cmsg_type == IP_TTL && len >= 4) {
			if (v < 1 || v > 255)
				return -EINVAL;
			how->ttl = (uint8_t)v;
		} else if (h.cmsg_level == SOL_IP && h.cmsg_type == IP_TOS && len >= 1) {
			how->tos = *data;
		} else if (h.cmsg_level == SOL_IP) {
			return -EINVAL;
		}
		off += CMSG_ALIGN(h.cmsg_len);
	}
	return 0;
}

int dgram_target(struct socket *s, const struct socket_message *m, struct dgram_target *t)
{
	struct inet_sock *i = inet_sk(s);
	const struct sockaddr_in *in = (const void *)&m->name;
	int err, dev = s->bound_if;
	uint32_t dst = i->raddr;

	t->port = i->rport;
	if (m->name_len) {
		if (m->name_len < sizeof(*in))
			return -EINVAL;
		if (in->sin_family != AF_INET && in->sin_family != AF_UNSPEC)
			return -EAFNOSUPPORT;
		dst = in->sin_addr ? in->sin_addr : IP4(127, 0, 0, 1);
		t->port = be16(in->sin_port);
		if (!t->port && s->protocol == IPPROTO_UDP)
			return -EINVAL;
	} else if (!dst) {
		return -EDESTADDRREQ;
	}
	t->how = (struct ip_send){ .src = i->laddr,
		.dst = dst,
		.protocol = (uint8_t)s->protocol,
		.ttl = ip_is_multicast(dst) ? i->mcast_ttl : i->ttl,
		.tos = i->tos,
		.dont_fragment =
			i->pmtudisc == IP_PMTUDISC_DO || i->pmtudisc == IP_PMTUDISC_PROBE };
	err = parse_control(m, &t->how, &dev);
	if (err)
		return err;
	if (!dev && ip_is_multicast(dst))
		dev = i->mcast_if;
	if (ip_is_multicast(t->how.src))
		t->how.src = 0;
	err = route_lookup(dst, t->how.src, dev, &t->route);
	if (err)
		return err;
	if (ip_is_multicast(dst) && !t->how.src && i->mcast_addr)
		t->route.src = i->mcast_addr;
	t->how.src = t->route.src;
	return t->route.broadcast && !s->broadcast ? -EACCES : 0;
}

struct packet *dgram_copy(struct socket_message *m, size_t header)
{
	size_t n = m->data->left;
	struct packet *p = packet_alloc(TX_HEADROOM + header, n);

	if (!p)
		return ERR_PTR(-ENOBUFS);
	if (iter_copy_from(m->data, packet_put(p, n), n) != n) {
		packet_free(p);
		return ERR_PTR(-EFAULT);
	}
	counter_add(net_bytes_copied_tx, n);
	return p;
}

int dgram_output(struct inet_sock *i, struct packet *p, const struct dgram_target *t)
{
	bool group = ip_is_multicast(t->how.dst) && i->mcast_loop;
	struct packet *copy = NULL;
	int err;

	if (!(t->route.dev->features & NETDEV_LOOPBACK) && (group || t->route.broadcast)) {
		copy = pkt_linearise(p, TX_HEADROOM);
		if (copy) {
			struct route_cache lo = t->route;

			lo.dev = &the_net()->lo;
			lo.mtu = lo.dev->mtu;
			ip_output(copy, &t->how, &lo);
		}
	}
	err = ip_output(p, &t->how, &t->route);
	lo_run();
	/* A full ring loses the packet, as any network may; the sender hears it only if it asked.
	 */
	return err == -ENOBUFS && !i->recverr ? 0 : err;
}
