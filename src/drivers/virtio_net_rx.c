/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive: one real-time thread owns a receive ring. It takes what came, hands it up as one batch,
 * refills the ring, and only sleeps when it has found the ring empty after asking for an interrupt:
 * while there is work there are no interrupts, and no timer decides how long to gather.
 *
 * Where the device merges buffers, a large segment is a packet with fragments. How large buffers
 * are follows what arrives: small ones hold a frame each; while packets are large on average, a
 * buffer holds eight times as much, since each costs the same to post, take and free. A frame that
 * meets a large buffer is copied out: no packet pins more than nine times its bytes, the average
 * one four, and the ring never more than its share.
 */
#include "drivers/virtio_net.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "diag/counter.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/page.h"
#include "sched/clock.h"
#include "sched/thread.h"

#define RING_SIZE	256
#define BATCH		64u
#define ALLOCATION	2048u /* packet and buffer: a heap size class */
#define BUFFER		(ALLOCATION - sizeof(struct packet))
#define LARGE		16384u /* packet and buffer: a block of pages */
#define LARGE_AVERAGE	(LARGE / 4)
#define AVERAGE_OF	16  /* packets, about */
#define SMALL_RING	64u /* with little memory */
#define RAM_FOR_FULL	(MIB(96) / PAGE_SIZE)
#define PART_OF_RAM	32  /* all rings together, at most */
#define LEAST_RING	40u /* holds the largest packet, which a device else keeps for ever */
#define NO_MEMORY_PAUSE (10 * NSEC_PER_MSEC)
_Static_assert(BUFFER >= sizeof(struct virtio_net_hdr) + VIRTIO_NET_ETHERNET + 4 + 1500,
	"a full frame fits one buffer, as devices without mergeable buffers need it");
_Static_assert(LEAST_RING *BUFFER > 65536 + VIRTIO_NET_ETHERNET + 4, "see LEAST_RING");

COUNTER(net_rx_interrupts);
COUNTER(net_rx_no_memory);
COUNTER(net_rx_malformed);
COUNTER(net_bytes_copied_fit);

/* Queues may share an interrupt: only the thread that has work is woken. */
void virtio_net_interrupt(void *arg)
{
	struct virtio_net_rx *r = arg;
	struct thread *t = load_acquire(&r->thread);

	if (!t)
		return;
	virtio_net_tx_interrupt(&container_of(r, struct virtio_net_pair, rx)->tx);
	if (!virtqueue_has_used(r->queue))
		return;
	counter_inc(net_rx_interrupts);
	thread_wake(t);
}

/* --- Buffers --- */

static unsigned buffers(unsigned ring, unsigned pairs)
{
	uint64_t total = page_stats().total;
	uint64_t share = total * (PAGE_SIZE / ALLOCATION) / PART_OF_RAM / pairs;
	unsigned most = total >= RAM_FOR_FULL ? ring : MIN(SMALL_RING, ring);

	return MIN(most, MAX((unsigned)MIN(share, (uint64_t)ring), MIN(LEAST_RING, ring)));
}

bool virtio_net_rx_create(struct virtio_net *n, unsigned index, unsigned pairs)
{
	struct virtio_net_rx *r = &n->pair[index]->rx;

	r->net = n;
	r->index = index;
	r->queue = virtio_queue_create(
		n->dev, VIRTIO_NET_QUEUE_RX(index), RING_SIZE, virtio_net_interrupt, r);
	if (!r->queue)
		return false;
	r->target = buffers(r->queue->size, pairs);
	return true;
}

static uint32_t room(const struct packet *p)
{
	return (uint32_t)(p->end - p->head);
}

/* An empty packet. The caller's on false. */
static __always_inline bool post(struct virtio_net_rx *r, struct packet *p)
{
	struct virtqueue_segment s = { virt_to_phys(p->data).raw, room(p) };

	if (virtqueue_add(r->queue, &s, 0, 1, p) < 0)
		return false;
	r->posted += sizeof(*p) + room(p);
	return true;
}

static bool post_new(struct virtio_net_rx *r, uint32_t allocation)
{
	struct packet *p = packet_alloc(0, allocation - sizeof(*p));

	if (!p)
		return false;
	if (!post(r, p)) {
		packet_free(p);
		return false;
	}
	return true;
}

static bool wants_large(const struct virtio_net_rx *r)
{
	return r->net->mergeable && r->average >= LARGE_AVERAGE;
}

void virtio_net_rx_refill(struct virtio_net_rx *r)
{
	uint32_t most = r->target * ALLOCATION, next = wants_large(r) ? LARGE : ALLOCATION;

	while (r->posted + next <= most && r->queue->in_flight < r->queue->size) {
		if (post_new(r, next))
			continue;
		if (next == ALLOCATION) {
			counter_inc(net_rx_no_memory);
			break;
		}
		next = ALLOCATION;
	}
	virtio_kick(r->net->dev, r->queue);
}

static struct packet *take_buffer(struct virtio_net_rx *r)
{
	uint32_t written;
	struct packet *p = virtqueue_take(r->queue, &written);

	if (!p)
		return NULL;
	p->len = written;
	r->posted -= sizeof(*p) + room(p);
	return p;
}

/* In a buffer of its size, if its own is large; that is the device's again, while it wants such. */
static struct packet *fit(struct virtio_net_rx *r, struct packet *p)
{
	struct packet *small;

	if (room(p) <= BUFFER || p->frags || p->len > BUFFER)
		return p;
	small = packet_alloc(0, BUFFER);
	if (!small)
		return p;
	memcpy(packet_put(small, p->len), p->data, p->len);
	counter_add(net_bytes_copied_fit, p->len);
	p->data = p->head;
	p->len = 0;
	if (!wants_large(r) || !post(r, p))
		packet_free(p);
	return small;
}

/* --- Packets --- */

/* What the device says about checksum and segmentation; it is advice about data, not trusted. */
static void read_header(struct packet *p, const struct virtio_net_hdr *h)
{
	if (h->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		p->csum_flags = PACKET_CSUM_VALID;
	if (!h->gso_size)
		return;
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
static bool take_fragments(struct virtio_net_rx *r, struct packet *p, unsigned count)
{
	struct packet **tail = &p->frags, *f;

	for (; count; count--) {
		f = take_buffer(r);
		if (!f)
			return false;
		*tail = f;
		tail = &f->next;
	}
	return true;
}

/* The next packet, or NULL; *empty says whether the ring is. */
static struct packet *receive_one(struct virtio_net_rx *r, bool *empty)
{
	struct virtio_net *n = r->net;
	struct packet *p = take_buffer(r);
	struct virtio_net_hdr h = { .num_buffers = 1 };

	*empty = !p;
	if (!p)
		return NULL;
	if (p->len < n->header + VIRTIO_NET_ETHERNET)
		goto malformed;
	virtio_net_copy_header(n, &h, p->data);
	packet_pull(p, n->header);
	if (n->mergeable && (h.num_buffers == 0 || h.num_buffers > r->queue->size ||
				    !take_fragments(r, p, h.num_buffers - 1)))
		goto malformed;
	p = fit(r, p);
	read_header(p, &h);
	p->queue = (uint16_t)(1 + r->index);
	return p;
malformed:
	counter_inc(net_rx_malformed);
	store_relaxed(&r->dropped, r->dropped + 1);
	packet_free(p);
	return NULL;
}

bool virtio_net_rx_batch(struct virtio_net_rx *r)
{
	struct netdev *d = &r->net->netdev;
	struct packet *batch = NULL, **tail = &batch, *p;
	uint64_t count = 0, bytes = 0;
	bool empty = false;

	while (count < BATCH && !empty) {
		p = receive_one(r, &empty);
		if (!p)
			continue;
		uint32_t len = p->len;

		for (struct packet *f = p->frags; f; f = f->next)
			len += f->len;
		bytes += len;
		r->average += len / AVERAGE_OF - r->average / AVERAGE_OF;
		*tail = p;
		tail = &p->next;
		count++;
	}
	store_relaxed(&r->packets, r->packets + count);
	store_relaxed(&r->bytes, r->bytes + bytes);
	virtio_net_rx_refill(r);
	if (batch && d->rx)
		d->rx(d, batch);
	else
		packet_free_list(batch);
	return !empty;
}

/* --- The thread --- */

static void rx_thread(void *arg)
{
	struct virtio_net_rx *r = arg;
	struct virtio_net_tx *tx = &r->net->pair[r->index]->tx;

	for (;;) {
		bool more = virtio_net_rx_batch(r);

		if (virtio_net_transmit_handed(tx) || more) {
			thread_yield(); /* a flood must not starve other driver threads */
			continue;
		}
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (__atomic_load_n(&tx->handed, __ATOMIC_SEQ_CST)) {
			thread_cancel_sleep();
			continue;
		}
		if (!virtqueue_interrupts_on(r->queue)) {
			virtqueue_interrupts_off(r->queue);
			thread_cancel_sleep();
			continue;
		}
		if (r->queue->in_flight == 0 && !r->queue->broken) { /* nothing will wake us */
			thread_cancel_sleep();
			thread_sleep(NO_MEMORY_PAUSE, false, NULL);
			continue;
		}
		schedule();
		virtqueue_interrupts_off(r->queue);
	}
}

int virtio_net_rx_start(struct virtio_net_rx *r, unsigned cpu)
{
	uint64_t mask[MAX_CPUS / 64] = { 0 };
	char name[16] = "net-rx";
	struct thread *t;

	if (r->index)
		format(name, sizeof(name), "net-rx/%u", r->index);
	t = kthread_create(name, rx_thread, r, THREAD_REALTIME);
	if (!t)
		return -ENOMEM;
	mask[cpu / 64] = 1ull << (cpu % 64);
	(void)thread_set_affinity(t, mask, ARRAY_SIZE(mask)); /* a CPU that is there */
	store_release(&r->thread, t);
	thread_wake(t); /* an interrupt before this line found no thread */
	return 0;
}
