/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send: any thread, on the queue of its CPU or the one that the packet names (netdev.h), so that no
 * two CPUs share a lock or a line. The header for the device is written into the packet's headroom,
 * so a linear packet is one descriptor. The packet goes onto the queue's lock-free list; one sender
 * at a time is on duty (lockfree/duty.h) and moves all that is there to the ring, with one kick.
 * Whoever comes meanwhile (a thread that is new on this CPU, a packet from another one) leaves its
 * packet to it and goes on. Who sends a batch has the duty for all of it and brings its packets to
 * the ring itself, without the list: 'collector' names it, and nobody writes another's name there,
 * so a sender that reads its own is on duty. After TX_BUDGET packets of others the duty goes to the
 * pair's receive thread, so that no sender works for the rest for ever. Sent packets are freed by
 * the next sender, or by a timer when there is none: no interrupt per packet sent.
 *
 * What the ring has no room for waits in a list of who is on duty, in order. While something waits
 * there, or a sender waits for what it has sent (netdev_waiters), the device is asked for
 * interrupts: one when it has sent three quarters of what it has. The interrupt is one more call
 * for duty, and gives it to the receive thread. They end when the ring is found empty.
 *
 * Nothing waits for ever: who is on duty puts packets aside only while the device has others, and
 * looks again after it has asked for the interrupt (virtqueue.c, B). Who is in a hurry has sent
 * before it leaves its news, and calls after that; the news are taken before the list is, so by the
 * time that they are answered its packets are on the ring, behind it, or freed. What comes to the
 * ring later finds it counted (the fence of the kick, virtqueue.c, D).
 *
 * A thread may move to another CPU between choosing its queue and the push: that costs a shared
 * line once, nothing else.
 */
#include "drivers/virtio_net.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "cpu/percpu.h"
#include "diag/counter.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/thread.h"

#define RING_SIZE     256
#define TX_BUDGET     64
#define RECLAIM_EVERY (10 * NSEC_PER_MSEC)

enum { TX_TIMER = 1, TX_HURRY = 2 }; /* virtio_net_tx.news */

COUNTER(net_tx_full);
COUNTER(net_tx_waited);
COUNTER(net_tx_interrupts);
COUNTER(net_tx_copied);

static struct mpsc_node *tx_node(struct packet *p)
{
	_Static_assert(sizeof(struct mpsc_node) <= sizeof(p->cb), "fits");
	return (struct mpsc_node *)p->cb;
}

/* --- On duty --- */

/*
 * Sent packets, as a list that is freed when the duty is over: a packet's owner takes its time
 * when it is told.
 */
static void reclaim(struct virtio_net_tx *t, struct packet **done)
{
	struct packet *p;
	uint32_t ignored;

	while ((p = virtqueue_take(t->queue, &ignored))) {
		p->next = *done;
		*done = p;
	}
}

static void drop(struct virtio_net_tx *t, struct packet *p, struct packet **done)
{
	atomic_add(&t->dropped, 1);
	p->next = *done;
	*done = p;
}

/* Onto the ring. False: it has to wait for room. A device that is broken loses it. */
static bool post(struct virtio_net_tx *t, struct packet *p, struct packet **done)
{
	struct virtqueue_segment s[VIRTQUEUE_MAX_SEGMENTS];
	unsigned count = 0;
	uint64_t bytes = 0;
	int err;

	for (struct packet *f = p; f; f = f == p ? p->frags : f->next) {
		if (!f->len)
			continue;
		s[count++] = (struct virtqueue_segment){ virt_to_phys(f->data).raw, f->len };
		bytes += f->len;
	}
	err = virtqueue_add(t->queue, s, count, 0, p);
	if (err) { /* the device may not know of them all yet */
		virtio_kick(t->net->dev, t->queue);
		reclaim(t, done);
		err = virtqueue_add(t->queue, s, count, 0, p);
	}
	if (likely(!err)) {
		store_relaxed(&t->packets, t->packets + 1);
		store_relaxed(&t->bytes, t->bytes + bytes - t->net->header);
		return true;
	}
	if (err == -ENOSPC && t->queue->in_flight) /* so there will be room */
		return false;
	drop(t, p, done);
	return true;
}

/* Behind what waits: a chain in order. */
static __noinline void put_aside(struct virtio_net_tx *t, struct mpsc_node *node)
{
	uint32_t count = 0;

	if (t->first)
		store_relaxed(&t->last->next, node);
	else
		t->first = node;
	for (; node; node = load_relaxed(&node->next)) {
		t->last = node;
		count++;
	}
	store_relaxed(&t->waiting, t->waiting + count);
	counter_add(net_tx_waited, count);
	store_relaxed(&t->hurry, true);
}

/* The list, as far as there is room; how many. */
static inline int post_list(struct virtio_net_tx *t, struct packet **done)
{
	struct mpsc_node *node, *next;
	int count = 0;

	for (node = mpsc_take_all(&t->list); node; node = next, count++) {
		next = load_relaxed(&node->next);
		if (unlikely(!post(t, container_of((void *)node, struct packet, cb), done))) {
			put_aside(t, node);
			break;
		}
	}
	return count;
}

/* What waits, and the list behind it, as far as there is room; how many. */
static __noinline int post_waiting(struct virtio_net_tx *t, struct packet **done)
{
	struct mpsc_node *list;
	int count = 0;

	while (t->first) {
		struct mpsc_node *node = t->first, *next = load_relaxed(&node->next);

		if (!post(t, container_of((void *)node, struct packet, cb), done))
			break;
		t->first = next;
		count++;
	}
	store_relaxed(&t->waiting, t->waiting - (uint32_t)count);
	if (!t->first)
		return count + post_list(t, done);
	list = mpsc_take_all(&t->list);
	if (list)
		put_aside(t, list);
	return count;
}

/* The collector's next packet: behind all that it has sent (that was served before its batch). */
static void collect(struct virtio_net_tx *t, struct packet *p)
{
	if (likely(!t->first && post(t, p, &t->collected_done))) {
		t->collected = true;
		return;
	}
	tx_node(p)->next = NULL;
	put_aside(t, tx_node(p));
}

/* An interrupt, while somebody waits and there will be one. */
static __noinline void stay_in_a_hurry(struct virtio_net_tx *t)
{
	uint16_t out = t->queue->in_flight;

	if (out && !t->queue->broken) {
		store_relaxed(&t->hurry, true);
		if (virtqueue_interrupts_after(t->queue, (uint16_t)(out - out / 4)))
			return;
	} else if (!t->first) {
		store_relaxed(&t->hurry, false);
		virtqueue_interrupts_off(t->queue);
		return;
	}
	(void)duty_call(&t->duty); /* so many have been sent already: once more */
}

static __noinline void take_news(struct virtio_net_tx *t)
{
	uint8_t news = atomic_xchg(&t->news, 0);

	if (news & TX_TIMER)
		t->timer_armed = false;
	if (news & TX_HURRY)
		store_relaxed(&t->hurry, true);
}

/* All packets that wait or are on the list, as far as there is room; how many. */
static int post_all(struct virtio_net_tx *t, struct packet **done)
{
	int count;

	if (unlikely(load_relaxed(&t->news)))
		take_news(t);
	reclaim(t, done);
	count = likely(!t->first) ? post_list(t, done) : post_waiting(t, done);
	if (count || t->collected) {
		t->collected = false;
		virtio_kick(t->net->dev, t->queue);
		reclaim(t, done); /* many devices are done when the kick returns */
	}
	if (unlikely(t->hurry) || unlikely(load_relaxed(&netdev_waiters)))
		stay_in_a_hurry(t);
	if (t->queue->in_flight && !t->queue->broken && !t->timer_armed) {
		t->timer_armed = true;
		timer_arm(&t->timer, clock_now() + RECLAIM_EVERY);
	}
	return count;
}

/* Until there is no more to do or somebody else shall go on. */
static void transmit(struct virtio_net_tx *t, uint32_t seen)
{
	struct packet *done = t->collected_done;
	int budget = TX_BUDGET;

	t->collected_done = NULL;
	do {
		budget -= post_all(t, &done);
		if (budget <= 0 && load_acquire(&t->rx->thread)) {
			__atomic_store_n(&t->handed, true, __ATOMIC_SEQ_CST);
			thread_wake(t->rx->thread);
			break;
		}
	} while (!duty_done(&t->duty, &seen));
	packet_free_list(done);
}

bool virtio_net_transmit_handed(struct virtio_net_tx *t)
{
	if (!load_relaxed(&t->handed) || !atomic_xchg(&t->handed, false))
		return false;
	transmit(t, duty_seen(&t->duty));
	return true;
}

static void reclaim_timer(struct timer *timer)
{
	struct virtio_net_tx *t = timer->arg;

	__atomic_fetch_or(&t->news, TX_TIMER, __ATOMIC_SEQ_CST);
	if (duty_call(&t->duty))
		transmit(t, 1);
}

/* A call by somebody who may not work for it; the pair's receive thread is there. */
static void call_from_outside(struct virtio_net_tx *t)
{
	if (!duty_call(&t->duty))
		return;
	__atomic_store_n(&t->handed, true, __ATOMIC_SEQ_CST);
	thread_wake(t->rx->thread);
}

void virtio_net_sent_interrupt(struct virtio_net_tx *t)
{
	if (!virtqueue_has_used(t->queue))
		return;
	counter_inc(net_tx_interrupts);
	call_from_outside(t);
}

void virtio_net_hurry(struct netdev *netdev)
{
	struct virtio_net *n = netdev->driver;

	for (unsigned i = 0; i < load_acquire(&n->netdev.queues); i++) {
		struct virtio_net_tx *t = &n->pair[i]->tx;

		if ((!duty_seen(&t->duty) && virtqueue_all_taken(t->queue)) ||
			!load_acquire(&t->rx->thread))
			continue;
		__atomic_fetch_or(&t->news, TX_HURRY, __ATOMIC_SEQ_CST);
		call_from_outside(t);
	}
}

/* --- Anybody --- */

/* One linear packet with the bytes of p and its fragments. NULL: no memory, p is gone. */
static struct packet *linearise(struct packet *p)
{
	struct packet *q;
	size_t len = 0;

	counter_inc(net_tx_copied);
	for (struct packet *f = p; f; f = f == p ? p->frags : f->next)
		len += f->len;
	q = packet_alloc(NETDEV_HEADROOM, len);
	if (q) {
		for (struct packet *f = p; f; f = f == p ? p->frags : f->next)
			memcpy(packet_put(q, f->len), f->data, f->len);
		q->csum_flags = p->csum_flags;
		q->csum_start = p->csum_start;
		q->csum_offset = p->csum_offset;
		q->gso_type = p->gso_type;
		q->gso_size = p->gso_size;
		q->header_len = p->header_len;
		q->bounded = p->bounded;
		packet_keep(q, p);
	} else {
		packet_free(p);
	}
	return q;
}

static unsigned fragment_count(const struct packet *p)
{
	unsigned count = 0;

	for (const struct packet *f = p->frags; f; f = f->next)
		count++;
	return count;
}

static void write_header(struct virtio_net *n, struct packet *p)
{
	struct virtio_net_hdr h = { 0 };

	if (p->csum_flags & PACKET_CSUM_PARTIAL) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = p->csum_start;
		h.csum_offset = p->csum_offset;
	}
	switch (p->gso_type) {
	case PACKET_GSO_TCP4: h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4; break;
	case PACKET_GSO_TCP6: h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6; break;
	case PACKET_GSO_UDP_L4: h.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4; break;
	}
	if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		h.hdr_len = p->header_len;
		h.gso_size = p->gso_size;
	}
	virtio_net_copy_header(n, packet_push(p, n->header), &h);
}

static struct virtio_net_tx *choose(struct virtio_net *n, unsigned queue)
{
	unsigned cpu = queue ? queue - 1 : cpu_id(), queues = load_acquire(&n->netdev.queues);

	return &n->pair[likely(cpu < queues) ? cpu : cpu % queues]->tx;
}

int virtio_net_send(struct netdev *netdev, struct packet *p)
{
	struct virtio_net *n = netdev->driver;
	struct virtio_net_tx *t = choose(n, p->queue);

	if (unlikely(load_relaxed(&t->waiting) >= NETDEV_TX_WAITING) && !p->bounded) {
		counter_inc(net_tx_full);
		atomic_add(&t->dropped, 1);
		packet_free(p);
		return -ENOBUFS;
	}
	if (p->data - p->head < n->header || fragment_count(p) >= VIRTQUEUE_MAX_SEGMENTS)
		p = linearise(p);
	if (!p) {
		atomic_add(&t->dropped, 1);
		return -ENOBUFS;
	}
	write_header(n, p);
	if (load_relaxed(&t->collector) == thread_current()) {
		collect(t, p);
		return 0;
	}
	mpsc_push(&t->list, tx_node(p));
	if (duty_call(&t->duty))
		transmit(t, 1);
	return 0;
}

/* Whoever is on duty, but does not serve yet, collects. */
void virtio_net_batch_begin(struct netdev *netdev, struct netdev_batch *b)
{
	struct virtio_net_tx *t;

	b->queue = 1 + cpu_id();
	t = choose(netdev->driver, b->queue);
	b->device = duty_call(&t->duty) ? t : NULL;
	if (b->device)
		store_relaxed(&t->collector, thread_current());
}

void virtio_net_batch_end(struct netdev *netdev, struct netdev_batch *b)
{
	struct virtio_net_tx *t = b->device; /* the choice may be another one by now */

	if (!t)
		return;
	store_relaxed(&t->collector, NULL);
	transmit(t, duty_seen(&t->duty));
}

/*
 * What the caller sent there is called for: either that call is not answered yet, or the duty was
 * over after it (acquire) and all is on the ring, of which the device tells how much it has sent.
 */
bool virtio_net_queue_empty(struct netdev *netdev, unsigned queue)
{
	struct virtio_net_tx *t = choose(netdev->driver, queue);

	return !duty_seen(&t->duty) && !load_relaxed(&t->waiting) && virtqueue_all_used(t->queue);
}

bool virtio_net_tx_create(struct virtio_net *n, unsigned index)
{
	struct virtio_net_tx *t = &n->pair[index]->tx;

	t->net = n;
	t->rx = &n->pair[index]->rx;
	timer_init(&t->timer, reclaim_timer, t);
	/* The pair's interrupt: that of the queue before this one. */
	t->queue = virtio_queue_create(
		n->dev, VIRTIO_NET_QUEUE_TX(index), RING_SIZE, virtio_net_interrupt, t->rx);
	return t->queue != NULL;
}
