/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets by reference for UDP sockets (skiff.h, doc/packets.md): between the protocol and the
 * rings of rings.c.
 *
 * In:  udp_input finds the socket as ever; if it has rings a run of packets is pushed there and
 *	published, without the socket's lock.
 * Out: skiff_packet_run carries out the orders. The headers are written in front of the payload,
 *	in the room that the received ones left, and the card hears of the batch once.
 */

#include "net/netif.h"
#include "net/rings.h"
#include "net/rx.h"
#include "net/steer.h"
#include "net/udp.h"
#include "abi/errno.h"
#include "cpu/uaccess.h"
#include "diag/counter.h"
#include "mem/heap.h"

#define ROUTES 64 /* a power of two */

COUNTER(packet_rings_copied);

struct udp_rings {
	struct rings r;
	/* of who is on order duty */
	struct reply_route {
		struct ip_addr src; /* asked for; route.src is what came out */
		int dev;
		struct route_cache route;
	} way[ROUTES];
};

/* ---- receiving ---- */

static size_t headers_before(struct ip_addr peer)
{
	return sizeof(struct eth_header) + ip_header_size(peer) + sizeof(struct udp_header);
}

static __noinline struct packet *copy_to_fit(struct packet *p)
{
	size_t n = pkt_total(p);
	struct packet *q = packet_alloc(
		TX_HEADROOM + sizeof(struct udp_header), MAX(n, (size_t)SKIFF_PACKET_ROOM));
	if (q) {
		pkt_copy_out(p, 0, packet_put(q, n), n);
		memcpy(q->cb, p->cb, sizeof(q->cb));
		pkt_cb(q)->flags |= PKT_COPIED;
		counter_inc(packet_rings_copied);
	}
	packet_free(p);
	return q;
}

/*
 * p, or a copy in one piece with the promised room behind and 'front' bytes before the payload.
 * NULL: no memory, p is gone.
 */
static inline struct packet *fit(struct packet *p, size_t front)
{
	bool fits = !p->frags && (size_t)(p->data - p->head) >= front &&
		    p->end - p->data >= SKIFF_PACKET_ROOM;

	return likely(fits) ? p : copy_to_fit(p);
}

void udp_rings_receive(struct rx *rx, struct socket *s, struct packet *p)
{
	if (rx->pending != s) {
		rx_flush(rx);
		rx->pending = s;
	}
	steer_note_arrival(s);
	p = fit(p, headers_before(pkt_cb(p)->src));
	if (unlikely(!p))
		return;
	if (!rx->newest)
		rx->oldest = p;
	p->next = rx->newest;
	rx->newest = p;
	rx->rings++;
}

void udp_rings_end_run(const struct rx *rx, struct socket *s)
{
	struct rings *r = &udp_rings(s)->r;

	rings_push_run(r, rx->newest, rx->oldest, rx->rings);
	if (rings_publish(r))
		wait_wake_all(&s->wait, POLLIN | POLLRDNORM);
}

/* The caller wakes: it holds the socket's lock. Whoever has the duty instead wakes, too. */
void udp_rings_push(struct socket *s, struct packet *p)
{
	struct rings *r = &udp_rings(s)->r;

	p = fit(p, headers_before(pkt_cb(p)->src));
	if (likely(p))
		rings_push(r, p);
	rings_publish(r);
}

/* An index that is out of bounds is something to be told of, too. */
bool udp_rings_readable(struct socket *s)
{
	return rings_waiting(&udp_rings(s)->r) != 0;
}

/* ---- sending ---- */

struct batch {
	struct socket *s;
	struct udp_rings *u;
	struct netdev *dev; /* collects what we send, until the batch is over */
	struct netdev_batch of_dev;
	struct reply_route *last; /* of an order to one machine, whose address needs no scope */
};

static void batch_use(struct batch *b, struct netdev *dev)
{
	if (likely(b->dev == dev))
		return;
	if (b->dev && b->dev->batch_end)
		b->dev->batch_end(b->dev, &b->of_dev);
	b->dev = dev;
	b->of_dev.queue = 0;
	if (dev && dev->batch_begin)
		dev->batch_begin(dev, &b->of_dev);
}

/* The way to how->dst; 0 or -errno. how->src is set to what it is then. */
static int find_way(struct batch *b, struct ip_send *how, int dev, struct reply_route **out)
{
	struct reply_route *w = &b->u->way[hash_u64(how->dst.hi ^ how->dst.lo) & (ROUTES - 1)];
	int err;

	if (unlikely(!route_valid(&w->route, how->dst) || !ip_equal(w->src, how->src) ||
		     w->dev != dev || (w->route.path_until && w->route.path_until < clock_now()))) {
		w->route.generation = 0;
		w->src = how->src;
		w->dev = dev;
		err = route_lookup(how->dst, how->src, dev, &w->route);
		if (err) {
			w->route.generation = 0;
			return err;
		}
	}
	how->src = w->route.src;
	*out = w;
	return w->route.broadcast ? -EOPNOTSUPP : 0;
}

static void fill_udp(
	const struct inet_sock *i, struct packet *p, const struct ip_send *how, uint16_t port)
{
	struct udp_header *h = packet_push(p, sizeof(*h));

	h->sport = be16(i->lport);
	h->dport = be16(port);
	h->len = be16((uint16_t)p->len);
	h->checksum = 0;
	p->csum_flags = PACKET_CSUM_NONE;
	if (i->s.no_check && ip_is_v4(how->dst))
		return;
	h->checksum = (uint16_t)~csum_fold(csum_pseudo_ip(how->src, how->dst, IPPROTO_UDP, p->len));
	p->csum_flags = PACKET_CSUM_PARTIAL;
	p->csum_start = 0;
	p->csum_offset = offsetof(struct udp_header, checksum);
}

/* Where o goes: the address and port that it names, or those that the packet came from. */
static int target(const struct batch *b, const struct packet *p, const struct skiff_order *o,
	struct ip_send *how, uint16_t *port, int *dev)
{
	const struct pkt_cb *cb = (const struct pkt_cb *)p->cb;
	const struct inet_sock *i = inet_sk(b->s);

	how->src = i->laddr;
	*dev = b->s->bound_if;
	if (likely(o->kind == SKIFF_ORDER_REPLY)) {
		how->dst = cb->src;
		*port = cb->sport;
		if (likely(!(cb->flags & (PKT_BROADCAST | PKT_MULTICAST))))
			how->src = cb->dst;
	} else {
		how->dst = ip_from_bytes(o->peer);
		*port = o->peer_port;
	}
	if (ip_needs_scope(how->dst))
		*dev = o->kind == SKIFF_ORDER_REPLY ? cb->ifindex : (int)o->ifindex;
	if (!*port || ip_is_any(how->dst) || (ip_is_v4(how->dst) && !ip_v4(how->dst)))
		return -EDESTADDRREQ;
	if (!(i->families & ip_family_bit(how->dst)))
		return -EAFNOSUPPORT;
	if (ip_is_multicast(how->dst) || ip_is_multicast(how->src))
		return -EOPNOTSUPP;
	return load_relaxed(&b->s->shut) & SHUT_SND ? -EPIPE : 0;
}

/* A reply to where the last order went, from the same address of ours: no more has to be asked. */
static bool goes_as_before(
	const struct batch *b, const struct pkt_cb *cb, const struct skiff_order *o)
{
	const struct reply_route *w = b->last;

	return w && o->kind == SKIFF_ORDER_REPLY && route_valid(&w->route, cb->src) &&
	       ip_equal(w->src, cb->dst) && w->dev == b->s->bound_if && !w->route.path_until &&
	       cb->sport && !(load_relaxed(&b->s->shut) & SHUT_SND);
}

/* how->src, dst, *port and the way; 0 or -errno. */
static int choose_way(struct batch *b, const struct packet *p, const struct skiff_order *o,
	struct ip_send *how, uint16_t *port, const struct route_cache **way)
{
	const struct pkt_cb *cb = (const struct pkt_cb *)p->cb;
	struct reply_route *w;
	int dev, err;

	if (likely(goes_as_before(b, cb, o))) {
		*way = &b->last->route;
		how->src = (*way)->src;
		how->dst = cb->src;
		*port = cb->sport;
		return 0;
	}
	b->last = NULL;
	err = target(b, p, o, how, port, &dev);
	if (!err)
		err = find_way(b, how, dev, &w);
	if (err)
		return err;
	*way = &w->route;
	if (!ip_needs_scope(how->dst))
		b->last = w;
	return 0;
}

static int send_order(void *arg, struct packet *p, const struct skiff_order *o)
{
	struct batch *b = arg;
	struct inet_sock *i = inet_sk(b->s);
	struct ip_send how = { .protocol = IPPROTO_UDP };
	const struct route_cache *way = NULL;
	struct route_cache limited;
	uint16_t port;
	int err = choose_way(b, p, o, &how, &port, &way);

	if (unlikely(err)) {
		packet_free(p);
		return err;
	}
	dgram_headers(i, &how, false);
	if (unlikely(dgram_limits_path(i, ip_is_v4(how.dst)))) {
		limited = *way;
		dgram_limit_path(i, &limited);
		way = &limited;
	}
	p = fit(p, headers_before(how.dst));
	if (unlikely(!p))
		return -ENOBUFS;
	batch_use(b, way->dev);
	fill_udp(i, p, &how, port);
	p->gso_type = PACKET_GSO_NONE;
	p->header_len = 0;
	p->looped = 0;
	p->queue = (uint16_t)b->of_dev.queue;
	p->bounded = true; /* by the program's handles */
	return ip_output(p, &how, way);
}

/* ---- calls ---- */

int socket_rings_open(struct file *f, unsigned entries, struct skiff_rings **shared)
{
	struct socket *s = file_socket(f);
	struct dgram_sock *d;
	struct udp_rings *u;
	struct packet *queue, *next;
	int err;

	if ((s->family != AF_INET && s->family != AF_INET6) || s->type != SOCK_DGRAM ||
		s->protocol != IPPROTO_UDP)
		return -EOPNOTSUPP;
	u = heap_alloc_zeroed(sizeof(*u));
	if (!u)
		return -ENOMEM;
	err = rings_init(&u->r, entries);
	if (err) {
		heap_free(u);
		return err;
	}
	d = dgram_sk(s);
	socket_lock(s);
	if (d->rings)
		err = -EBUSY;
	else if (!d->i.lport)
		err = -EINVAL;
	if (err) {
		socket_unlock(s);
		rings_free(&u->r);
		heap_free(u);
		return err;
	}
	*shared = u->r.shared;
	queue = d->first;
	d->first = d->last = NULL;
	d->rx_bytes = 0;
	store_release(&d->rings, u);
	for (; queue; queue = next) { /* what came before */
		next = queue->next;
		queue->next = NULL;
		udp_rings_push(s, queue);
	}
	socket_wake(s, POLLIN | POLLRDNORM);
	socket_unlock(s);
	return 0;
}

void udp_rings_destroy(struct dgram_sock *d)
{
	if (!d->rings)
		return;
	rings_free(&d->rings->r);
	heap_free(d->rings);
}

static struct udp_rings *rings_of(struct socket *s)
{
	bool udp = (s->family == AF_INET || s->family == AF_INET6) && s->type == SOCK_DGRAM &&
		   s->protocol == IPPROTO_UDP;

	return udp ? udp_rings(s) : NULL;
}

long socket_rings_run(struct file *f, uint64_t ns)
{
	struct socket *s = file_socket(f);
	struct batch b = { .s = s, .u = rings_of(s) };
	int err;

	if (!b.u)
		return -EINVAL;
	steer_note_caller(s);
	err = rings_orders(&b.u->r, send_order, &b);
	batch_use(&b, NULL);
	lo_run();
	if (err)
		return err;
	if (ns && !udp_rings_readable(s)) {
		uint64_t deadline = ns == SKIFF_FOREVER ? WAIT_FOREVER : clock_now() + ns;

		err = wait_event_interruptible_timeout(
			&s->wait, udp_rings_readable(s), MAX(deadline, ns));
		if (err && err != -ETIMEDOUT)
			return socket_wait_error(err, ns != SKIFF_FOREVER);
	}
	return rings_waiting(&b.u->r);
}

long socket_rings_alloc(struct file *f, struct skiff_packet *to, unsigned long n)
{
	struct socket *s = file_socket(f);
	struct udp_rings *u = rings_of(s);
	struct skiff_packet one;
	unsigned long done = 0;
	int err = 0;

	if (!u)
		return -EINVAL;
	n = MIN(n, (unsigned long)u->r.entries);
	if (clear_user(to, n * sizeof(*to))) /* while nothing has changed */
		return -EFAULT;
	for (; done < n && !err; done++) {
		struct packet *p =
			packet_alloc(TX_HEADROOM + sizeof(struct udp_header), SKIFF_PACKET_ROOM);
		bool lent;

		if (!p) {
			err = -ENOMEM;
			break;
		}
		pkt_cb_clear(pkt_cb(p)); /* it came from nobody */
		socket_lock(s);		 /* one at a time, as rings_lend_new wants it */
		lent = rings_lend_new(&u->r, p, &one);
		socket_unlock(s);
		if (!lent) {
			packet_free(p);
			break;
		}
		err = copy_to_user(&to[done], &one, sizeof(one));
	}
	return done ? (long)done : err;
}
