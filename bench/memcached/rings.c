/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams by reference: the answer is written into the buffer that the request came in. */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../include/skiff.h"

#define SPARE 64

struct carrier {
	int fd;
	struct skiff_rings *r;
	struct carrier *next;
	uint64_t packets, calls;	  /* atomic: the thread's own, read by stats */
	struct skiff_packet spare[SPARE]; /* for answers of several datagrams */
	unsigned spares;
};

static struct carrier *carriers; /* atomic: pushed to, never taken off */

void rings_stats(stats_line *line, struct answer *a)
{
	uint64_t packets = 0, calls = 0, dropped = 0, copied = 0, refused = 0;
	struct carrier *c = __atomic_load_n(&carriers, __ATOMIC_ACQUIRE);

	if (!c)
		return;
	for (; c; c = c->next) {
		packets += __atomic_load_n(&c->packets, __ATOMIC_RELAXED);
		calls += __atomic_load_n(&c->calls, __ATOMIC_RELAXED);
		dropped += __atomic_load_n(&c->r->dropped, __ATOMIC_RELAXED);
		copied += __atomic_load_n(&c->r->copied, __ATOMIC_RELAXED);
		refused += __atomic_load_n(&c->r->refused, __ATOMIC_RELAXED);
	}
	line(a, "ring_packets", packets);
	line(a, "ring_calls", calls); /* all of the server's system calls while it serves */
	line(a, "ring_dropped", dropped);
	line(a, "ring_copied", copied);
	line(a, "ring_refused", refused);
}

static void count(uint64_t *n, uint64_t by)
{
	__atomic_store_n(n, *n + by, __ATOMIC_RELAXED);
}

static void say_error(const char *call, long err)
{
	fprintf(stderr, "udp_memcached: %s: %s\n", call, strerror((int)-err));
	exit(1);
}

static long run(struct carrier *c, unsigned long ns)
{
	long n;

	do {
		count(&c->calls, 1);
		n = skiff_packet_run(c->fd, ns);
	} while (n == -EINTR);
	if (n < 0)
		say_error("skiff_packet_run", n);
	return n;
}

static bool more(struct answer *a, struct piece *p)
{
	struct carrier *c = a->carrier;

	if (!c->spares) {
		long n;

		count(&c->calls, 1);
		n = skiff_packet_alloc(c->fd, c->spare, SPARE);
		if (n <= 0)
			return false;
		c->spares = (unsigned)n;
	}
	p->data = c->spare[--c->spares].data;
	p->handle = c->spare[c->spares].handle;
	return true;
}

static struct skiff_order *place(struct carrier *c)
{
	struct skiff_order *o = skiff_packet_order(c->r);

	if (!o) { /* not more than there are buffers, but for buffers that are kept */
		run(c, 0);
		o = skiff_packet_order(c->r);
	}
	return o;
}

static void order(struct carrier *c, uint16_t kind, const struct piece *p)
{
	struct skiff_order *o = place(c);

	o->handle = p->handle;
	o->length = p->used;
	o->kind = kind;
	skiff_packet_put(c->r);
}

/* The pieces after the first: buffers that came from nobody. */
static void send_rest(struct carrier *c, const struct answer *a, const struct skiff_packet *to)
{
	for (unsigned i = 1; i < a->count; i++) {
		struct skiff_order *o = place(c);

		memcpy(o->peer, to->peer, sizeof(o->peer));
		o->peer_port = to->peer_port;
		o->ifindex = to->ifindex;
		order(c, SKIFF_ORDER_SEND, &a->piece[i]);
	}
	for (unsigned i = a->count; i < a->made; i++) /* it grew too long and was given up */
		order(c, SKIFF_ORDER_FREE, &a->piece[i]);
}

static void serve_one(struct carrier *c, struct answer *a, const struct skiff_packet *p)
{
	struct skiff_packet from;

	a->piece[0] = (struct piece){ .data = p->data, .handle = p->handle };
	a->made = 1;
	if (!serve(a, p->data, p->length)) {
		order(c, SKIFF_ORDER_FREE, &a->piece[0]);
		return;
	}
	if (__builtin_expect(a->made == 1, 1)) {
		order(c, SKIFF_ORDER_REPLY, &a->piece[0]);
		return;
	}
	from = *p; /* its entry is not to be read when the buffer is ordered */
	order(c, SKIFF_ORDER_REPLY, &a->piece[0]);
	send_rest(c, a, &from);
}

bool carry_by_rings(int fd, const struct options *options)
{
	struct carrier *c = calloc(1, sizeof(*c));
	static _Thread_local struct answer a;
	struct skiff_packet *p;
	long err;

	if (!c)
		return false;
	c->fd = fd;
	err = skiff_packet_open(fd, options->entries, &c->r);
	if (err == -ENOSYS) {
		free(c);
		return false;
	}
	if (err)
		say_error("skiff_packet_open", err);
	c->next = __atomic_load_n(&carriers, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(
		&carriers, &c->next, c, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	a.more = more;
	a.carrier = c;
	for (;;) {
		uint64_t served = 0;

		run(c, SKIFF_FOREVER);
		a.now = now();
		while ((p = skiff_packet_peek(c->r))) {
			serve_one(c, &a, p);
			skiff_packet_next(c->r);
			served++;
		}
		count(&c->packets, served);
	}
}
