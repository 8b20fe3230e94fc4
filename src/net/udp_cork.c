/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A datagram made by several calls: MSG_MORE and UDP_CORK (udp(7)). The first call says where it
 * goes and how, the ones that follow add bytes, whatever they say; it goes with the first call
 * without MSG_MORE while UDP_CORK is off, or as that is switched off. An error loses it.
 */

#include "net/udp.h"
#include "abi/errno.h"
#include "mem/heap.h"

#define CORK_FIRST 2048u /* bytes of room at first; doubled as needed */

struct udp_cork {
	struct dgram_target target;
	struct packet *p; /* the bytes so far, with room in front for headers */
};

static struct packet *packet_with_room(size_t n)
{
	return packet_alloc(TX_HEADROOM + sizeof(struct udp_header), n);
}

static struct udp_cork *begin(const struct dgram_target *t)
{
	struct udp_cork *c = heap_alloc(sizeof(*c));
	struct packet *p = c ? packet_with_room(CORK_FIRST) : NULL;

	if (!p) {
		heap_free(c);
		return NULL;
	}
	*c = (struct udp_cork){ *t, p };
	return c;
}

/* Room for n more bytes. */
static int grow(struct udp_cork *c, size_t n)
{
	if (pkt_tailroom(c->p) >= n)
		return 0;
	struct packet *p = packet_with_room(MAX(c->p->len + n, 2 * (size_t)c->p->len));

	if (!p)
		return -ENOBUFS;
	memcpy(packet_put(p, c->p->len), c->p->data, c->p->len);
	packet_free(c->p);
	c->p = p;
	return 0;
}

static int add(struct udp_cork *c, struct iter *data)
{
	size_t n = data->left, most = IP_MAX_TOTAL - sizeof(struct udp_header);
	int err;

	if (ip_is_v4(c->target.how.dst))
		most -= sizeof(struct ip_header);
	if (n > most - c->p->len)
		return -EMSGSIZE;
	err = grow(c, n);
	if (!err && iter_copy_from(data, packet_put(c->p, n), n) != n)
		err = -EFAULT;
	return err;
}

/* Lock held. NULL: none. */
static void set(struct dgram_sock *d, struct udp_cork *c)
{
	d->cork = c;
	store_relaxed(&d->pending, c != NULL);
}

/* Lock held. */
static struct udp_cork *take(struct dgram_sock *d)
{
	struct udp_cork *c = d->cork;

	set(d, NULL);
	return c;
}

static void drop(struct udp_cork *c)
{
	if (!c)
		return;
	packet_free(c->p);
	heap_free(c);
}

/* Sends it; c is gone then. No lock held. */
static int finish(struct inet_sock *i, struct udp_cork *c)
{
	struct packet *p = c->p;
	int err;

	if (c->target.segment) {
		struct iter it;
		struct socket_message m = { .data = &it };

		iter_init_one(&it, p->data, p->len, false);
		p = udp_cut_message(i, &m, &c->target);
	} else {
		c->p = NULL;
		udp_push_header(i, p, &c->target);
	}
	err = IS_ERR(p) ? (int)PTR_ERR(p) : dgram_output(i, p, &c->target);
	if (c->p)
		packet_free(c->p);
	heap_free(c);
	return err;
}

ssize_t udp_cork_send(struct socket *s, struct socket_message *m, const struct dgram_target *t)
{
	struct dgram_sock *d = dgram_sk(s);
	struct dgram_target own;
	struct udp_cork *ready = NULL;
	size_t n = m->data->left;
	int err = 0;

	socket_lock(s);
	if (!d->cork) {
		if (!t) { /* it went meanwhile: this one is the first of another */
			err = dgram_target(s, m, &own);
			t = &own;
		}
		if (!err) {
			set(d, begin(t));
			err = d->cork ? 0 : -ENOBUFS;
		}
	}
	if (!err)
		err = add(d->cork, m->data);
	if (err)
		drop(take(d));
	else if (!(m->flags & MSG_MORE) && !load_relaxed(&d->corked))
		ready = take(d);
	socket_unlock(s);
	if (ready)
		err = finish(&d->i, ready);
	return err ? err : (ssize_t)n;
}

void udp_cork_set(struct socket *s, bool on)
{
	struct dgram_sock *d = dgram_sk(s);
	struct udp_cork *ready = NULL;

	socket_lock(s);
	store_relaxed(&d->corked, on);
	if (!on)
		ready = take(d);
	socket_unlock(s);
	if (ready)
		(void)finish(&d->i, ready); /* Linux tells nobody either */
}

void udp_cork_drop(struct dgram_sock *d)
{
	drop(take(d));
}
