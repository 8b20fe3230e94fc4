/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that send and receive whole packets: the parts UDP, raw and ping sockets share. */

#include "net/ip6.h"
#include "net/netif.h"
#include "net/steer.h"
#include "net/udp.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "cpu/uaccess.h"
#include "diag/counter.h"
#include "lib/bug.h"
#include "mem/heap.h"

COUNTER(dgram_rx_queue_full);
COUNTER(net_bytes_copied_tx);
COUNTER(net_bytes_copied_rx);

struct dgram_sock *dgram_create(const struct socket_ops *ops, int family, int type, int protocol)
{
	struct dgram_sock *d = heap_alloc_zeroed(sizeof(*d));

	if (!d)
		return NULL;
	socket_setup(&d->i.s, ops, family, type, protocol);
	inet_setup(&d->i);
	d->out = 1;
	return d;
}

void dgram_work(struct socket *s, struct packet *batch)
{
	struct dgram_sock *d = dgram_sk(s);

	if (unlikely(d->gro))
		udp_merge(batch);
	while (batch) {
		struct packet *p = batch;
		uint32_t size = unlikely(d->gro) ? pkt_truesize(p) : pkt_cb(p)->truesize;

		batch = p->next;
		p->next = NULL;
		if (d->rx_bytes + size > MAX(s->rcvbuf, size) || s->detached) {
			counter_inc(dgram_rx_queue_full);
			atomic_add(&d->drops, 1);
			packet_free(p);
			continue;
		}
		pkt_cb(p)->truesize = size;
		if (unlikely(pkt_cb(p)->flags & PKT_ERROR)) {
			dgram_take_error(d, p);
			continue;
		}
		if (unlikely(udp_rings(s))) { /* it was on the way when they came */
			udp_rings_push(s, p);
			socket_wake(s, POLLIN | POLLRDNORM);
			continue;
		}
		if (d->first)
			d->last->next = p;
		else
			store_release(&d->first, p);
		store_relaxed(&d->last, p);
		d->rx_bytes += size;
		socket_wake(s, POLLIN | POLLRDNORM);
	}
}

void dgram_purge(struct dgram_sock *d)
{
	pkt_free_list(d->errors);
	d->errors = d->last_error = NULL;
	pkt_free_list(d->first);
	d->first = d->last = NULL;
	d->rx_bytes = 0;
}

/* There is more than what ends with 'seen'. */
static bool readable(struct socket *s, const struct packet *seen)
{
	const struct dgram_sock *d = dgram_sk(s);

	return (load_acquire(&d->first) && load_relaxed(&d->last) != seen) ||
	       load_relaxed(&s->error) || (load_relaxed(&s->shut) & SHUT_RCV);
}

/* SO_PEEK_OFF: the packet that has the byte 'off' of the queue, and what is skipped in it. */
static struct packet *peek_from(struct dgram_sock *d, size_t off, size_t *skip)
{
	struct packet *p = d->first;

	for (; p && off && off >= pkt_total(p); p = p->next)
		off -= pkt_total(p);
	if (skip)
		*skip = off;
	return p;
}

/* Unlocks. A burst wakes one, who wakes the next one if it leaves something (wait.h, X3). */
static void leave_others(struct socket *s, bool waited)
{
	bool more = waited && dgram_sk(s)->first;

	socket_unlock(s);
	if (unlikely(more))
		wait_pass_on(&s->wait, POLLIN | POLLRDNORM);
}

/* Who peeks leaves it where it is, so it does not wait in others' stead. */
static int wait_readable(
	struct socket *s, uint32_t flags, const struct packet *seen, uint64_t deadline)
{
	return flags & MSG_PEEK ? socket_wait(s, SOCKET_IN, readable(s, seen), deadline)
				: socket_wait_exclusive(s, SOCKET_IN, readable(s, seen), deadline);
}

struct packet *dgram_wait(struct socket *s, uint32_t flags, int *err)
{
	struct dgram_sock *d = dgram_sk(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo);
	bool waited = false;

	for (;;) {
		socket_lock(s);
		*err = socket_take_error(s);
		struct packet *p = d->first;

		if (unlikely(flags & MSG_PEEK) && s->peek_off >= 0)
			p = peek_from(d, (size_t)s->peek_off, NULL);
		if (*err == 0 && p) {
			if (flags & MSG_PEEK)
				return p; /* locked */
			d->first = p->next;
			d->rx_bytes -= pkt_cb(p)->truesize;
			p->next = NULL;
			leave_others(s, waited);
			return p;
		}
		bool end = s->shut & SHUT_RCV, elsewhere = udp_rings(s);
		const struct packet *seen = d->first ? d->last : NULL; /* only by MSG_PEEK */

		leave_others(s, waited);
		if (elsewhere && !*err && !end)
			*err = -EINVAL;
		if (*err)
			return NULL;
		if (socket_nonblocking(s, flags)) { /* even at the end, as Linux */
			*err = -EAGAIN;
			return NULL;
		}
		if (end)
			return NULL;
		*err = wait_readable(s, flags, seen, deadline);
		waited = true;
		if (*err) {
			*err = socket_wait_error(*err, s->rcvtimeo);
			return NULL;
		}
	}
}

static inline void put_control(struct socket *s, const struct packet *p, struct socket_message *m)
{
	if (unlikely(load_relaxed(&s->notes) | load_relaxed(&inet_sk(s)->notes)) ||
		p->gso_type == PACKET_GSO_UDP_L4)
		dgram_put_notes(s, p, m);
}

ssize_t dgram_finish(struct socket *s, struct packet *p, struct socket_message *m)
{
	const struct pkt_cb *cb = pkt_cb(p);
	uint32_t flags = m->flags;
	size_t total = pkt_total(p), skip = 0, n;
	ssize_t r;

	if (unlikely(s->peek_off >= 0) && (flags & MSG_PEEK))
		(void)peek_from(dgram_sk(s), (size_t)s->peek_off, &skip);
	n = MIN(total - skip, m->data->left);

	/* Linux's answer, also where what is left just fits. */
	m->flags = m->data->left <= total - skip && m->data->left < total ? MSG_TRUNC : 0;
	inet_put_addr(&m->name, &m->name_len, s->family, cb->src, cb->sport, cb->ifindex);
	r = pkt_copy_to_iter(p, skip, m->data, n) == n ? (ssize_t)n : -EFAULT;
	counter_add(net_bytes_copied_rx, n);
	put_control(s, p, m);
	if (unlikely(s->peek_off >= 0))
		socket_move_peek(s, n, flags & MSG_PEEK);
	if (flags & MSG_PEEK)
		socket_unlock(s);
	else
		packet_free(p);
	return r == (ssize_t)n && (flags & MSG_TRUNC) ? (ssize_t)total : r;
}

/* The end of connect's work. Lock held. */
static int dissolve(struct inet_sock *i)
{
	if (!i->keeps_port && i->s.type == SOCK_DGRAM) {
		inet_withdraw(i);
		inet_unbind(i);
		i->lport = i->rport = 0;
		i->raddr = IP_ANY;
		if (i->bound_any)
			i->laddr = IP_ANY;
		return 0;
	}
	return inet_publish(i, i->bound_any ? IP_ANY : i->laddr, IP_ANY, 0);
}

int dgram_connect(struct socket *s, const struct sockaddr_storage *a, uint32_t len, bool nonblock,
	const struct path_context *c)
{
	struct inet_sock *i = inet_sk(s);
	struct route_cache r;
	struct ip_addr dst;
	uint16_t port;
	int err, ifindex;

	if (a->ss_family == AF_UNSPEC) {
		socket_lock(s);
		err = dissolve(i);
		socket_unlock(s);
		return err;
	}
	err = inet_check_peer(i, a, len, &dst, &port, &ifindex);
	if (err)
		return err;
	socket_lock(s);
	if (ip_needs_scope(dst))
		s->bound_if = ifindex;
	err = inet_route(i, dst, &r);
	if (!err && r.broadcast && !s->broadcast)
		err = -EACCES;
	if (!err && !i->lport && s->type == SOCK_DGRAM)
		err = s->protocol == IPPROTO_UDP ? udp_take_port(i, inet_bound_addr(i), 0)
						 : ping_take_port(i);
	if (err == -EADDRINUSE)
		err = -EAGAIN;
	if (!err)
		err = inet_publish(i, ip_is_any(i->laddr) ? r.src : i->laddr, dst, port);
	if (!err)
		dgram_purge(dgram_sk(s)); /* what came from others before */
	socket_unlock(s);
	return err;
}

int dgram_shutdown(struct socket *s, int how)
{
	bool connected = !ip_is_any(inet_sk(s)->raddr);

	socket_lock(s);
	store_relaxed(&s->shut, s->shut | (uint8_t)how); /* Linux: even if it says ENOTCONN */
	socket_wake(s, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	socket_unlock(s);
	return connected ? 0 : -ENOTCONN;
}

uint32_t dgram_poll(struct socket *s)
{
	uint32_t shut = load_relaxed(&s->shut), r = 0;

	if (likely(dgram_poll_room(dgram_sk(s))))
		r |= POLLOUT | POLLWRNORM | POLLWRBAND;
	if (load_relaxed(&dgram_sk(s)->errors) || zc_waiting(s))
		r |= POLLERR | (s->select_err_queue ? POLLPRI : 0);
	if (load_relaxed(&s->error))
		r |= POLLERR;
	if (shut & SHUT_RCV)
		r |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (shut == (SHUT_RCV | SHUT_SND))
		r |= POLLHUP;
	if (load_acquire(&dgram_sk(s)->first) || (udp_rings(s) && udp_rings_readable(s)))
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
	case SIOCOUTQ: n = (int)dgram_out(dgram_sk(s)); break;
	default: return -ENOIOCTLCMD;
	}
	return put_user(n, (int *)arg);
}

void dgram_close(struct socket *s)
{
	struct inet_sock *i = inet_sk(s);

	socket_lock(s);
	s->detached = true;
	inet_withdraw(i);
	dgram_purge(dgram_sk(s));
	udp_cork_drop(dgram_sk(s));
	socket_unlock(s);
	inet_release(i); /* leaves its groups */
	inet_unbind(i);
}

void dgram_destroy(struct socket *s)
{
	channel_free(&s->channel);
	dgram_purge(dgram_sk(s));
	udp_cork_drop(dgram_sk(s));
	zc_purge(s);
	udp_rings_destroy(dgram_sk(s));
	inet_release(inet_sk(s));
	BUG_ON(inet_sk(s)->flow);
	dgram_free(dgram_sk(s));
}

int dgram_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	if (level == SOL_IP && !(s->type == SOCK_RAW && s->family == AF_INET6))
		return inet_getopt(inet_sk(s), name, val, len);
	if (level == SOL_IPV6 && s->family == AF_INET6)
		return inet6_getopt(inet_sk(s), name, val, len);
	return s->family == AF_INET && (level != SOL_UDP || s->type == SOCK_RAW) ? -EOPNOTSUPP
										 : -ENOPROTOOPT;
}

int dgram_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	if (level == SOL_IP && !(s->type == SOCK_RAW && s->family == AF_INET6))
		return inet_setopt(inet_sk(s), name, val, len);
	if (level == SOL_IPV6 && s->family == AF_INET6)
		return inet6_setopt(inet_sk(s), name, val, len);
	return -ENOPROTOOPT;
}

/* ---- sending ---- */

static int control4(
	const struct cmsghdr *h, const uint8_t *data, size_t len, struct ip_send *how, int *ifindex)
{
	struct in_pktinfo info;
	int v = 0;

	if (len >= 4)
		memcpy(&v, data, 4);
	if (h->cmsg_type == IP_PKTINFO && len >= sizeof(info)) {
		memcpy(&info, data, sizeof(info));
		*ifindex = info.ipi_ifindex;
		if (info.ipi_spec_dst)
			how->src = ip_map(info.ipi_spec_dst);
	} else if (h->cmsg_type == IP_TTL && len >= 4) {
		if (v < 1 || v > 255)
			return -EINVAL;
		how->ttl = (uint8_t)v;
	} else if (h->cmsg_type == IP_TOS && len >= 1) {
		how->tos = *data;
	} else {
		return -EINVAL;
	}
	return 0;
}

static int control6(const struct inet_sock *i, const struct cmsghdr *h, const uint8_t *data,
	size_t len, struct ip_send *how, int *ifindex)
{
	bool v4 = ip_is_v4(how->dst);
	struct in6_pktinfo info;
	int v = 0;

	if (len >= 4)
		memcpy(&v, data, 4);
	if (h->cmsg_type == IPV6_PKTINFO || h->cmsg_type == IPV6_2292PKTINFO) {
		if (len < sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		if (info.ipi6_ifindex) {
			if (i->s.bound_if && i->s.bound_if != info.ipi6_ifindex)
				return -EINVAL;
			*ifindex = info.ipi6_ifindex;
		}
		struct ip_addr src = ip_from_bytes(info.ipi6_addr);

		if (ip_is_any(src))
			return 0;
		if (ip_is_v4(src) != v4 || (ip_local_kind(src) != IP_LOCAL && !i->freebind))
			return -EINVAL;
		how->src = src;
		return 0;
	}
	if (v4) /* the rest means nothing to an IPv4 packet */
		return 0;
	if (len < 4)
		return -EINVAL;
	switch (h->cmsg_type) {
	case IPV6_HOPLIMIT:
	case IPV6_2292HOPLIMIT:
		if (v < -1 || v > 255)
			return -EINVAL;
		if (v >= 0)
			how->ttl = (uint8_t)v;
		return 0;
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		if (v >= 0)
			how->tos = (uint8_t)v;
		return 0;
	case IPV6_DONTFRAG:
		if (v < 0 || v > 1)
			return -EINVAL;
		how->whole = v != 0;
		return 0;
	default: return -EINVAL;
	}
}

static int control_udp(
	const struct cmsghdr *h, const uint8_t *data, size_t len, struct dgram_target *t)
{
	if (h->cmsg_type != UDP_SEGMENT || len != sizeof(t->segment))
		return -EINVAL;
	memcpy(&t->segment, data, sizeof(t->segment));
	return 0;
}

static int parse_control(const struct inet_sock *i, const struct socket_message *m,
	struct dgram_target *t, int *ifindex)
{
	struct ip_send *how = &t->how;
	int err = 0;

	for (size_t off = 0; !err && m->control_len >= off + sizeof(struct cmsghdr);) {
		struct cmsghdr h;
		const uint8_t *data = m->control + off + sizeof(h);

		memcpy(&h, m->control + off, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > m->control_len - off)
			return -EINVAL;
		size_t len = h.cmsg_len - sizeof(h);

		if (h.cmsg_level == SOL_IP && ip_is_v4(how->dst))
			err = control4(&h, data, len, how, ifindex);
		else if (h.cmsg_level == SOL_IPV6 && i->s.family == AF_INET6)
			err = control6(i, &h, data, len, how, ifindex);
		else if (h.cmsg_level == SOL_UDP && i->s.protocol == IPPROTO_UDP)
			err = control_udp(&h, data, len, t);
		off += CMSG_ALIGN(h.cmsg_len);
	}
	return err;
}

/* Of either family: nothing is cut by ourselves. */
static bool sends_whole(uint8_t pmtudisc)
{
	return pmtudisc >= IP_PMTUDISC_DO && pmtudisc != IP_PMTUDISC_OMIT;
}

static void fill_headers4(const struct inet_sock *i, struct ip_send *how, bool group)
{
	how->ttl = unlikely(group) ? i->mcast_ttl : i->ttl;
	how->tos = i->tos;
	how->dont_fragment = i->pmtudisc >= IP_PMTUDISC_WANT && i->pmtudisc <= IP_PMTUDISC_PROBE;
	how->whole = sends_whole(i->pmtudisc);
}

static void fill_headers6(const struct inet_sock *i, struct ip_send *how, bool group)
{
	if (group)
		how->ttl = i->v6.mcast_hops < 0 ? 1 : (uint8_t)i->v6.mcast_hops;
	else
		how->ttl = i->v6.hops < 0 ? 0 : (uint8_t)i->v6.hops;
	how->tos = i->v6.tclass;
	how->flow = i->v6.flow;
	how->whole = i->v6.dontfrag || sends_whole(i->v6.pmtudisc);
}

void dgram_headers(const struct inet_sock *i, struct ip_send *how, bool group)
{
	if (ip_is_v4(how->dst))
		fill_headers4(i, how, group);
	else
		fill_headers6(i, how, group);
}

void dgram_limit_path(const struct inet_sock *i, struct route_cache *r)
{
	bool v4 = ip_is_v4(r->dst);

	if ((v4 ? i->pmtudisc : i->v6.pmtudisc) >= IP_PMTUDISC_PROBE)
		r->mtu = r->link_mtu; /* the program finds out for itself */
	if (!v4 && i->v6.fragment_size)
		r->mtu = MIN(r->mtu, i->v6.fragment_size);
}

/* Linux's words for an address of a family that cannot be meant. */
static int name_error(const struct socket *s, const struct socket_message *m, int err)
{
	if (err != -EAFNOSUPPORT || s->family != AF_INET6 || s->protocol != IPPROTO_UDP ||
		m->name.ss_family == AF_INET6)
		return err;
	return m->name.ss_family == AF_INET ? -ENETUNREACH : -EINVAL;
}

int dgram_target(struct socket *s, const struct socket_message *m, struct dgram_target *t)
{
	struct inet_sock *i = inet_sk(s);
	int err = 0, dev = s->bound_if;

	t->how.src = i->laddr;
	t->how.dst = i->raddr;
	t->how.protocol = (uint8_t)s->protocol;
	t->how.complete = false;
	t->port = i->rport;
	t->segment = dgram_sk(s)->segment;
	if (m->name_len && !(s->family == AF_INET6 && m->name.ss_family == AF_UNSPEC)) {
		err = inet_check_peer(i, &m->name, m->name_len, &t->how.dst, &t->port, &dev);
		if (err)
			return name_error(s, m, err);
		if (!t->port && s->protocol == IPPROTO_UDP)
			return -EINVAL;
	} else if (ip_is_any(t->how.dst)) {
		return -EDESTADDRREQ;
	}
	bool v4 = ip_is_v4(t->how.dst);

	t->group = v4 ? ip4_is_multicast(ip_v4(t->how.dst)) : t->how.dst.b[0] == 0xff;
	dgram_headers(i, &t->how, t->group);
	if (unlikely(m->control_len))
		err = parse_control(i, m, t, &dev);
	if (err)
		return err;
	if (unlikely(m->control_len || i->binds_group) && ip_is_multicast(t->how.src))
		t->how.src = IP_ANY;
	if (!dev)
		dev = inet_default_if(i, t->how.dst);
	if (unlikely(t->group) && v4 && ip_is_any(t->how.src) && i->mcast_addr)
		t->how.src = ip_map(i->mcast_addr);
	err = route_lookup(t->how.dst, t->how.src, dev, &t->route);
	if (err)
		return err;
	t->how.src = t->route.src;
	if (unlikely(dgram_limits_path(i, v4)))
		dgram_limit_path(i, &t->route);
	return t->route.broadcast && !s->broadcast ? -EACCES : 0;
}

struct packet *dgram_copy(struct socket_message *m, size_t n, size_t header)
{
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

#define LENT_PIECES 17 /* of a datagram, as Linux's MAX_SKB_FRAGS */

/* The same with the program's pages. */
static struct packet *dgram_lend(struct socket_message *m, size_t n, size_t header)
{
	struct packet *p = packet_alloc(TX_HEADROOM + header, 0);
	struct piece piece[LENT_PIECES];
	unsigned count = 0;
	int err = p ? 0 : -ENOBUFS;
	size_t got = 0;

	_Static_assert(
		LENT_PIECES >= DIV_ROUND_UP(UINT16_MAX, PAGE_SIZE) + 1, "for any one buffer");
	while (!err && got < n) {
		unsigned more = pieces_pin(m->data, n - got, piece + count,
			MIN(LENT_PIECES - count, PIECES_MAX), &err);
		size_t k = pieces_bytes(piece + count, more);

		if (!more && !err)
			err = -EMSGSIZE;
		count += more;
		got += k;
		iter_advance(m->data, k);
	}
	if (!err && zc_add_pieces(p, m->note, piece, count))
		return p;
	pieces_put(piece, count);
	if (p)
		packet_free(p);
	return ERR_PTR(err == 0 || err == -ENOMEM ? -ENOBUFS : err);
}

struct packet *dgram_packet(struct socket_message *m, size_t n, size_t header)
{
	return unlikely(m->note) && m->lent ? dgram_lend(m, n, header) : dgram_copy(m, n, header);
}

/* We are in the group ourselves, and the sender did not switch it off. */
static bool loops_back(const struct inet_sock *i, const struct dgram_target *t)
{
	return ip_is_v4(t->how.dst) ? i->mcast_loop
				    : i->v6.mcast_loop && mld_is_member(t->route.dev, t->how.dst);
}

/* Never 0. */
static uint32_t destination(struct ip_addr dst)
{
	return (uint32_t)hash_u64(dst.hi * 0x9e3779b97f4a7c15ull ^ dst.lo) | 1;
}

static void note_sent(struct dgram_sock *d, struct ip_addr dst)
{
	uint32_t h = destination(dst), n = load_relaxed(&d->sent_count);

	if (load_relaxed(&d->sent_to[(n - 1) % ARRAY_SIZE(d->sent_to)]) == h)
		return;
	store_relaxed(&d->sent_to[n % ARRAY_SIZE(d->sent_to)], h);
	store_relaxed(&d->sent_count, n + 1);
}

bool dgram_sent_long(const struct dgram_sock *d, struct ip_addr dst)
{
	uint32_t h = destination(dst);

	for (unsigned k = 0; k < ARRAY_SIZE(d->sent_to); k++)
		if (load_relaxed(&d->sent_to[k]) == h)
			return true;
	return false;
}

static void loop_copy(struct packet *p, const struct dgram_target *t)
{
	struct packet *copy = pkt_linearise(p, TX_HEADROOM);
	struct route_cache lo = t->route;

	if (!copy)
		return;
	if (unlikely(p->lent))
		zc_note_copies(p);
	copy->looped = (uint16_t)t->route.dev->index;
	lo.dev = &the_net()->lo;
	lo.mtu = lo.dev->mtu;
	ip_output(copy, &t->how, &lo);
}

int dgram_output(struct inet_sock *i, struct packet *list, const struct dgram_target *t)
{
	bool card = !(t->route.dev->features & NETDEV_LOOPBACK);
	bool loops = card && ((t->group && loops_back(i, t)) || t->route.broadcast);
	int err;

	do {
		struct packet *p = list;

		list = p->next;
		p->next = NULL;
		if (unlikely(loops))
			loop_copy(p, t);
		if (likely(card))
			dgram_charge(dgram_sk(&i->s), p);
		if (!ip_is_any(i->raddr))
			steer_packet(&i->s, p, t->route.dev, false);
		if (unlikely(
			    pkt_total(p) + ip_header_size(t->how.dst) > path_mtu_least(t->how.dst)))
			note_sent(dgram_sk(&i->s), t->how.dst);
		err = ip_output(p, &t->how, &t->route);
	} while (unlikely(list) && !err);
	pkt_free_list(list);
	lo_run();
	if (unlikely(err == -EMSGSIZE))
		dgram_note_too_long(dgram_sk(&i->s), t);
	/* Where too many wait for the card it is lost, as in any network; the sender hears it only
	 * if it asked. */
	return err == -ENOBUFS && !inet_recverr(i, t->how.dst) ? 0 : err;
}
