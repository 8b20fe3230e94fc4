/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets wait for their reader: channel.h has the rules and why they are enough. */

#include "net/netif.h"
#include "net/packet.h"
#include "net/socket.h"
#include "net/state.h"
#include "diag/counter.h"
#include "lib/bug.h"

COUNTER(net_channel_full);
COUNTER(net_channel_rings);
COUNTER(net_channel_left);
COUNTER(net_channel_swept);

/* Who receives a packet runs the protocol. */
static bool wanted_now(const struct socket *s)
{
	return __atomic_load_n(&s->channel.eager, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&s->nospace, __ATOMIC_SEQ_CST) || unlikely(!the_net()->patience);
}

unsigned channel_push(struct socket *s, struct packet *p, unsigned kind)
{
	struct channel *c = &s->channel;
	uintptr_t head, mark = kind == CHANNEL_DATA && !wanted_now(s) ? CHANNEL_RUNG : 0;
	uint32_t size = pkt_truesize(p);

	if (unlikely(__atomic_fetch_add(&c->bytes, size, __ATOMIC_RELAXED) > channel_limit(s))) {
		__atomic_fetch_sub(&c->bytes, size, __ATOMIC_RELAXED);
		counter_inc(net_channel_full);
		atomic_add(&c->dropped, 1);
		packet_free(p);
		return CHANNEL_QUIET;
	}
	pkt_cb(p)->truesize = size;
	head = load_relaxed(&c->head);
	do {
		p->next = (struct packet *)(head & ~CHANNEL_RUNG);
	} while (!atomic_cas(&c->head, &head, (uintptr_t)p | (head & CHANNEL_RUNG) | mark));
	return kind | (mark & ~head ? CHANNEL_RING : 0);
}

struct packet *channel_take(struct channel *c)
{
	uintptr_t head = atomic_xchg(&c->head, 0);
	struct packet *newest = (struct packet *)(head & ~CHANNEL_RUNG), *batch = NULL;
	uint32_t bytes = 0;

	c->told |= head & CHANNEL_RUNG;
	store_relaxed(&c->takes, c->takes + 1);
	while (newest) {
		struct packet *next = newest->next;

		bytes += pkt_cb(newest)->truesize;
		newest->next = batch;
		batch = newest;
		newest = next;
	}
	__atomic_fetch_sub(&c->bytes, bytes, __ATOMIC_RELAXED);
	return batch;
}

void channel_free(struct channel *c)
{
	struct packet *left = (struct packet *)(c->head & ~CHANNEL_RUNG);
	uint32_t bytes = 0;

	for (struct packet *p = left; p; p = p->next)
		bytes += pkt_cb(p)->truesize;
	BUG_ON(bytes != c->bytes);
	pkt_free_list(left);
	c->head = 0;
	c->bytes = 0;
}

/* True: a sleeper was woken and runs as soon as we sleep, C7. */
static bool ring(struct socket *s)
{
	bool free;

	if (!wait_active(&s->wait))
		return false;
	counter_inc(net_channel_rings);
	atomic_xchg(&s->channel.newcomer, 0); /* C3 */
	free = sched_free_soon();
	wait_wake_one(&s->wait, POLLIN | POLLRDNORM);
	return free && !sched_free_soon();
}

/* ---- what is left alone ---- */

/* To the network thread's list, with a reference. True: it was empty, so its clock stands. */
static bool list_add_channel(struct net_state *n, struct socket *s)
{
	s->channel.takes_seen = load_relaxed(&s->channel.takes);
	return mpsc_push(&n->left, &s->channel.link);
}

static void leave(struct socket *s)
{
	struct net_state *n = the_net();
	struct channel *c = &s->channel;

	if (__atomic_load_n(&c->listed, __ATOMIC_SEQ_CST) || atomic_xchg(&c->listed, 1))
		return;
	counter_inc(net_channel_left);
	socket_get(s);
	if (list_add_channel(n, s))
		timer_arm(&n->left_timer, clock_now() + n->patience);
}

/* Unless somebody is just doing it. Who was told has not come, but it will: C4. */
static void work_off(struct socket *s)
{
	if (!mutex_trylock(&s->lock))
		return;
	counter_inc(net_channel_swept);
	socket_unlock(s);
}

/* If nobody has taken it since it was listed the program is busy. */
static void sweep(struct net_state *n, struct socket *s)
{
	struct channel *c = &s->channel;
	bool keep = false;

	if (!channel_empty(c)) {
		if (load_relaxed(&c->takes) == c->takes_seen) {
			work_off(s);
		} else {
			keep = true;
		}
	}
	if (!keep) {
		atomic_xchg(&c->listed, 0);
		keep = !channel_empty(c) && !atomic_xchg(&c->listed, 1); /* C6 */
	}
	if (!keep)
		socket_put(s);
	else if (list_add_channel(n, s))
		timer_arm(&n->left_timer, clock_now() + n->patience);
}

void channel_sweep(struct net_state *n)
{
	struct mpsc_node *next;

	if (!atomic_xchg(&n->left_due, 0))
		return;
	for (struct mpsc_node *l = mpsc_take_all(&n->left); l; l = next) {
		next = load_relaxed(&l->next);
		sweep(n, container_of(l, struct socket, channel.link));
	}
}

static void left_too_long(struct timer *t)
{
	struct net_state *n = container_of(t, struct net_state, left_timer);

	store_release(&n->left_due, 1);
	net_thread_kick();
}

void channel_init(struct net_state *n)
{
	n->patience = CHANNEL_PATIENCE;
	timer_init(&n->left_timer, left_too_long, NULL);
}

void channel_end_run(struct socket *s, unsigned run)
{
	bool comes = (run & CHANNEL_RING) && ring(s);

	if ((run & CHANNEL_NOW) || wanted_now(s))
		socket_kick(s);
	else if (!comes)
		leave(s);
}
