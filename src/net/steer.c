/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On which queue of a card a socket's packets go out.
 *
 * Where: on the queue of the CPU whose program called last, even if another thread sends (the
 * acknowledgements that a receive thread works off). That CPU's queue is nobody else's, and a tap
 * device of Linux (and whatever else has no table of its own) lets a flow in on the queue on which
 * it went out last: so packets arrive on the CPU that reads them, a few packets after the reader
 * has moved. A card with RSS has its own opinion of where they arrive; then only the first reason
 * is left.
 *
 * When: never while something of the flow may still be in another queue, as that would be
 * overtaken. A socket keeps its queue until nothing of it is unacknowledged, or the old queue is
 * seen to be empty. Datagrams of a socket without a peer are many flows, and go out where they are
 * sent.
 */

#include "net/socket.h"
#include "net/steer.h"
#include "drivers/netdev.h"

/* Racing senders of one socket have no order that could be lost: each value is one that was right.
 */
static __noinline uint16_t move(struct socket *s, struct netdev *dev, bool quiet, uint16_t old)
{
	uint16_t caller = load_relaxed(&s->caller_cpu);
	uint16_t queue = caller ? caller : (uint16_t)(1 + cpu_id());

	if (old && (!caller || (!quiet && dev->queue_empty && !dev->queue_empty(dev, old))))
		return old;
	store_relaxed(&s->tx_queue, queue);
	return queue;
}

void steer_packet(struct socket *s, struct packet *p, struct netdev *dev, bool quiet)
{
	uint16_t queue = load_relaxed(&s->tx_queue);

	if (unlikely(queue != load_relaxed(&s->caller_cpu) || !queue))
		queue = move(s, dev, quiet, queue);
	p->queue = queue;
}
