/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio network card.
 *
 * Receive: one real-time thread owns the receive ring. It takes what came, hands it up as one
 * batch, refills the ring, and only sleeps when it has found the ring empty after asking for an
 * interrupt. Buffers are small; with mergeable buffers a large segment is a packet with fragments.
 *
 * Send: any thread. The header for the device is written into the packet's headroom, so a linear
 * packet is one descriptor. The packet goes onto a lock-free list; one sender at a time is on duty
 * (lockfree/duty.h) and moves all that is there to the ring, with one kick. The others leave their
 * packets to it and go on. After TX_BUDGET packets of others it hands the duty to the receive
 * thread, so that no sender works for the rest for ever. Sent packets are freed by the next sender,
 * or by a timer when there is none: no interrupt per packet sent.
 */
#include "abi/errno.h"
#include "abi/virtio_net.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "diag/counter.h"
#include "diag/log.h"
#include "drivers/netdev.h"
#include "drivers/virtio.h"
#include "lockfree/duty.h"
#include "lockfree/mpsc.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "sched/timer.h"

#define RING_SIZE	 256
#define RX_BATCH	 64u
#define RX_ALLOCATION	 2048u /* packet and buffer: a heap size class */
#define RX_BUFFER	 (RX_ALLOCATION - sizeof(struct packet))
#define RX_SMALL_RING	 64u /* with little memory */
#define RX_RAM_FOR_FULL	 (MIB(96) / PAGE_SIZE)
#define TX_BUDGET	 64
#define TX_RECLAIM_EVERY (10 * NSEC_PER_MSEC)
#define MTU_DEFAULT	 1500
#define ETHERNET_HEADER	 14
_Static_assert(RX_BUFFER >= sizeof(struct virtio_net_hdr) + ETHERNET_HEADER + 4 + MTU_DEFAULT,
	"a full frame fits one buffer, as devices without mergeable buffers need it");

COUNTER(net_rx_no_memory);
COUNTER(net_rx_malformed);
COUNTER(net_tx_full);
COUNTER(net_tx_copied);

struct virtio_net {
	struct netdev netdev;
	struct virtio_device *dev;
	unsigned header; /* bytes in front of each packet */
	bool mergeable;

	/* The receive thread's. */
	struct virtqueue *rx;
	unsigned rx_target; /* buffers to keep with the device */
	struct thread *thread;

	struct mpsc_list tx_list; /* packets to send, linked through cb */
	struct duty tx_duty;
	bool tx_handed;	     /* atomic: the duty is the receive thread's */
	bool tx_timer_fired; /* atomic */
	/* Of who is on duty. */
	struct virtqueue *tx;
	struct timer tx_timer;
	bool tx_timer_armed;
};

static struct mpsc_node *tx_node(struct packet *p)
{
	_Static_assert(sizeof(struct mpsc_node) <= sizeof(p->cb), "fits");
	return (struct mpsc_node *)p->cb;
}

static bool transmit_handed(struct virtio_net *n);

static void free_list(struct packet *list)
{
	struct packet *next;

	for (; list; list = next) {
		next = list->next;
		packet_free(list);
	}
}

static void rx_interrupt(void *arg)
{
	struct virtio_net *n = arg;
	struct thread *t = load_acquire(&n->thread);

	if (t)
		thread_wake(t);
}

/* --- Receive --- */

static bool post_rx_buffer(struct virtio_net *n)
{
	struct packet *p = packet_alloc(0, RX_BUFFER);
	struct virtqueue_segment s;

	if (!p) {
		counter_inc(net_rx_no_memory);
		return false;
	}
	s = (struct virtqueue_segment){ virt_to_phys(p->data).raw, RX_BUFFER };
	if (virtqueue_add(n->rx, &s, 0, 1, p) < 0) {
		packet_free(p);
		return false;
	}
	return true;
}

static void refill(struct virtio_net *n)
{
	while (n->rx->in_flight < n->rx_target && post_rx_buffer(n))
		;
	virtio_kick(n->dev, n->rx);
}

static struct packet *take_buffer(struct virtio_net *n)
{
	uint32_t written;
	struct packet *p = virtqueue_take(n->rx, &written);

	if (p)
		p->len = written;
	return p;
}

/* What the device says about checksum and segmentation; it is advice about data, not trusted. */
static void read_header(struct packet *p, const struct virtio_net_hdr *h)
{
	if (h->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		p->csum_flags = PACKET_CSUM_VALID;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4: p->gso_type = PACKET_GSO_TCP4; break;
	case VIRTIO_NET_HDR_GSO_TCPV6: p->gso_type = PACKET_GSO_TCP6; break;
	case VIRTIO_NET_HDR_GSO_UDP: p->gso_type = PACKET_GSO_UDP; break;
	case VIRTIO_NET_HDR_GSO_UDP_L4: p->gso_type = PACKET_GSO_UDP_L4; break;
	default: return;
	}
	p->gso_size = h->gso_size;
	p->header_len = h->hdr_len;
}

/* The further buffers of a merged packet. False: the device promised more than it gave. */
static bool take_fragments(struct virtio_net *n, struct packet *p, unsigned count)
{
	struct packet **tail = &p->frags, *f;

	for (; count; count--) {
		f = take_buffer(n);
		if (!f)
			return false;
		*tail = f;
		tail = &f->next;
	}
	return true;
}

/* The next packet, or NULL; *empty says whether the ring is. */
static struct packet *receive_one(struct virtio_net *n, bool *empty)
{
	struct packet *p = take_buffer(n);
	struct virtio_net_hdr h = { .num_buffers = 1 };

	*empty = !p;
	if (!p)
		return NULL;
	if (p->len < n->header + ETHERNET_HEADER)
		goto malformed;
	memcpy(&h, p->data, n->header);
	packet_pull(p, n->header);
	if (n->mergeable && (h.num_buffers == 0 || h.num_buffers > n->rx->size ||
				    !take_fragments(n, p, h.num_buffers - 1)))
		goto malformed;
	read_header(p, &h);
	return p;
malformed:
	counter_inc(net_rx_malformed);
	store_relaxed(&n->netdev.rx_dropped, n->netdev.rx_dropped + 1);
	packet_free(p);
	return NULL;
}

/* Takes at most a batch up; false when the ring was found empty. */
static bool receive_batch(struct virtio_net *n)
{
	struct packet *batch = NULL, **tail = &batch, *p;
	uint64_t count = 0, bytes = 0;
	bool empty = false;

	while (count < RX_BATCH && !empty) {
		p = receive_one(n, &empty);
		if (!p)
			continue;
		for (struct packet *f = p; f; f = f == p ? p->frags : f->next)
			bytes += f->len;
		*tail = p;
		tail = &p->next;
		count++;
	}
	store_relaxed(&n->netdev.rx_packets, n->netdev.rx_packets + count);
	store_relaxed(&n->netdev.rx_bytes, n->netdev.rx_bytes + bytes);
	refill(n);
	if (batch && n->netdev.rx)
		n->netdev.rx(&n->netdev, batch);
	else
		free_list(batch);
	return !empty;
}

static void rx_thread(void *arg)
{
	struct virtio_net *n = arg;

	refill(n);
	for (;;) {
		bool more = receive_batch(n);

		if (transmit_handed(n) || more) {
			thread_yield(); /* a flood must not starve other driver threads */
			continue;
		}
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (__atomic_load_n(&n->tx_handed, __ATOMIC_SEQ_CST)) {
			thread_cancel_sleep();
			continue;
		}
		if (!virtqueue_interrupts_on(n->rx)) {
			thread_cancel_sleep();
			continue;
		}
		if (n->rx->in_flight == 0 && !n->rx->broken) { /* no memory: nothing will wake us */
			thread_cancel_sleep();
			thread_sleep(TX_RECLAIM_EVERY, false, NULL);
			continue;
		}
		schedule();
	}
}

/* --- Send --- */

/*
 * Sent packets, as a list that is freed when the duty is over: a packet's owner takes its time
 * when it is told.
 */
static void reclaim(struct virtio_net *n, struct packet **done)
{
	struct packet *p;
	uint32_t ignored;

	while ((p = virtqueue_take(n->tx, &ignored))) {
		p->next = *done;
		*done = p;
	}
}

/* One linear packet with the bytes of p and its fragments; frees p. NULL: no memory (p is gone). */
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
	}
	packet_free(p);
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
	memcpy(packet_push(p, n->header), &h, n->header);
}

/* On duty. Onto the ring, or dropped when that is full. */
static void post(struct virtio_net *n, struct packet *p, struct packet **done)
{
	struct virtqueue_segment s[VIRTQUEUE_MAX_SEGMENTS];
	struct netdev *d = &n->netdev;
	unsigned count = 0;
	uint64_t bytes = 0;
	int err;

	for (struct packet *f = p; f; f = f == p ? p->frags : f->next) {
		if (!f->len)
			continue;
		s[count++] = (struct virtqueue_segment){ virt_to_phys(f->data).raw, f->len };
		bytes += f->len;
	}
	err = virtqueue_add(n->tx, s, count, 0, p);
	if (err) { /* the device may not know of them all yet */
		virtio_kick(n->dev, n->tx);
		reclaim(n, done);
		err = virtqueue_add(n->tx, s, count, 0, p);
	}
	if (!err) {
		store_relaxed(&d->tx_packets, d->tx_packets + 1);
		store_relaxed(&d->tx_bytes, d->tx_bytes + bytes - n->header);
		return;
	}
	counter_inc(net_tx_full);
	atomic_add(&d->tx_dropped, 1);
	p->next = *done;
	*done = p;
}

/* On duty. All packets that are on the list; their number. */
static int post_all(struct virtio_net *n, struct packet **done)
{
	struct mpsc_node *node, *next;
	int count = 0;

	reclaim(n, done);
	for (node = mpsc_take_all(&n->tx_list); node; node = next) {
		next = load_relaxed(&node->next);
		post(n, container_of((void *)node, struct packet, cb), done);
		count++;
	}
	if (count) {
		virtio_kick(n->dev, n->tx);
		reclaim(n, done); /* many devices are done when the kick returns */
	}
	if (load_acquire(&n->tx_timer_fired) && atomic_xchg(&n->tx_timer_fired, false))
		n->tx_timer_armed = false;
	if (n->tx->in_flight && !n->tx->broken && !n->tx_timer_armed) {
		n->tx_timer_armed = true;
		timer_arm(&n->tx_timer, clock_now() + TX_RECLAIM_EVERY);
	}
	return count;
}

/* On duty, until there is no more to do or somebody else shall go on. */
static void transmit(struct virtio_net *n, uint32_t seen)
{
	struct packet *done = NULL;
	int budget = TX_BUDGET;

	do {
		budget -= post_all(n, &done);
		if (budget <= 0 && load_acquire(&n->thread)) {
			__atomic_store_n(&n->tx_handed, true, __ATOMIC_SEQ_CST);
			thread_wake(n->thread);
			break;
		}
	} while (!duty_done(&n->tx_duty, &seen));
	free_list(done);
}

/* In the receive thread. False: the duty is not its. */
static bool transmit_handed(struct virtio_net *n)
{
	if (!load_relaxed(&n->tx_handed) || !atomic_xchg(&n->tx_handed, false))
		return false;
	transmit(n, duty_seen(&n->tx_duty));
	return true;
}

static void reclaim_timer(struct timer *t)
{
	struct virtio_net *n = t->arg;

	__atomic_store_n(&n->tx_timer_fired, true, __ATOMIC_SEQ_CST);
	if (duty_call(&n->tx_duty))
		transmit(n, 1);
}

static int virtio_net_send(struct netdev *netdev, struct packet *p)
{
	struct virtio_net *n = netdev->driver;

	if (p->data - p->head < n->header || fragment_count(p) >= VIRTQUEUE_MAX_SEGMENTS)
		p = linearise(p);
	if (!p) {
		atomic_add(&netdev->tx_dropped, 1);
		return -ENOBUFS;
	}
	write_header(n, p);
	mpsc_push(&n->tx_list, tx_node(p));
	if (duty_call(&n->tx_duty))
		transmit(n, 1);
	return 0;
}

/* --- Start --- */

static uint64_t wanted_features(void)
{
	return VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC |
	       VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_MRG_RXBUF |
	       VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_STATUS |
	       VIRTIO_NET_F_HOST_USO;
}

/* Large segments need mergeable buffers here: no buffer of ours holds 64 KiB. */
static int negotiate(struct virtio_device *dev)
{
	uint64_t wanted = wanted_features();

	if (!(dev->ops->get_features(dev) & VIRTIO_NET_F_MRG_RXBUF))
		wanted &= ~(VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6);
	return virtio_negotiate(dev, wanted);
}

static void read_config(struct virtio_net *n)
{
	struct virtio_device *dev = n->dev;
	struct netdev *d = &n->netdev;
	uint16_t v;

	n->mergeable = virtio_has(dev, VIRTIO_NET_F_MRG_RXBUF);
	n->header =
		n->mergeable || !dev->legacy ? sizeof(struct virtio_net_hdr) : VIRTIO_NET_HDR_SHORT;
	if (virtio_has(dev, VIRTIO_NET_F_MAC))
		virtio_config_read(dev, VIRTIO_NET_CONFIG_MAC, d->mac, sizeof(d->mac));
	else
		memcpy(d->mac, "\x02skiff", 6); /* locally administered */
	d->mtu = MTU_DEFAULT;
	if (virtio_has(dev, VIRTIO_NET_F_MTU)) {
		virtio_config_read(dev, VIRTIO_NET_CONFIG_MTU, &v, sizeof(v));
		if (v >= 1280 && (n->mergeable || v <= MTU_DEFAULT))
			d->mtu = v;
	}
	d->link_up = true;
	if (virtio_has(dev, VIRTIO_NET_F_STATUS)) {
		virtio_config_read(dev, VIRTIO_NET_CONFIG_STATUS, &v, sizeof(v));
		d->link_up = v & VIRTIO_NET_S_LINK_UP;
	}
	d->features = (virtio_has(dev, VIRTIO_NET_F_CSUM) ? NETDEV_TX_CSUM : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_GUEST_CSUM) ? NETDEV_RX_CSUM : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_HOST_TSO4) ? NETDEV_TSO4 : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_HOST_TSO6) ? NETDEV_TSO6 : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_HOST_USO) ? NETDEV_USO : 0);
}

int virtio_net_probe(struct virtio_device *dev)
{
	struct virtio_net *n = heap_alloc_zeroed(sizeof(*n));
	struct thread *t;
	int err;

	if (!n)
		return -ENOMEM;
	n->dev = dev;
	err = negotiate(dev);
	if (err)
		return err;
	read_config(n);
	timer_init(&n->tx_timer, reclaim_timer, n);
	n->rx = virtio_queue_create(dev, VIRTIO_NET_QUEUE_RX, RING_SIZE, rx_interrupt, n);
	n->tx = virtio_queue_create(dev, VIRTIO_NET_QUEUE_TX, RING_SIZE, NULL, NULL);
	if (!n->rx || !n->tx)
		return -ENOMEM;
	n->rx_target = page_stats().total >= RX_RAM_FOR_FULL
			       ? n->rx->size
			       : MIN(RX_SMALL_RING, (unsigned)n->rx->size);
	n->netdev.driver = n;
	n->netdev.queues = 1;
	n->netdev.send = virtio_net_send;
	virtio_start(dev);
	netdev_register(&n->netdev);
	t = kthread_create("net-rx", rx_thread, n, THREAD_REALTIME);
	if (!t)
		return -ENOMEM;
	store_release(&n->thread, t);
	thread_wake(t); /* an interrupt before this line found no thread */
	log_info("%s: %s, %02x:%02x:%02x:%02x:%02x:%02x, features %lx", dev->name, n->netdev.name,
		n->netdev.mac[0], n->netdev.mac[1], n->netdev.mac[2], n->netdev.mac[3],
		n->netdev.mac[4], n->netdev.mac[5], dev->features);
	return 0;
}
