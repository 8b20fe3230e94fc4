/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network card as the driver sees it, and the stack above the driver. */
#ifndef TEST_HOST_VIRTIO_NET_SIM_H
#define TEST_HOST_VIRTIO_NET_SIM_H

#include "virtio_env.h"

#include "cpu/barrier.h"
#include "drivers/virtio_net.h"
#include "virtqueue_walk.h"

/* --- The device --- */

#define QUEUES 40
#define FRAMES 2048
struct sim_queue {
	struct virtqueue *q;
	irq_handler_fn *handler;
	void *arg;
	uint16_t seen, used;
	int cpu;
	unsigned interrupts;
};
struct frame {
	unsigned queue, pieces;
	struct virtio_net_hdr h;
	uint32_t len; /* without the header */
	uint8_t bytes[256];
};
static struct sim {
	struct virtio_device dev;
	uint64_t offered;
	uint8_t status, config[32];
	unsigned queue_count, control;
	unsigned refuse;   /* refuse: 1 RSS, 2 PAIRS_SET */
	bool silent, hold; /* answers no command; leaves what is sent on the ring */
	struct sim_queue queue[QUEUES];
	struct frame frame[FRAMES];
	unsigned frames, commands;
	uint8_t command[1024];
	uint32_t command_len;
} sim;
static struct netdev *card;
static unsigned batches;
static struct packet *received, **received_tail;

static uint64_t sim_get_features(struct virtio_device *d)
{
	return sim.offered;
}
static void sim_set_features(struct virtio_device *d, uint64_t f)
{
	CHECK_EQ(f & ~sim.offered, 0);
}
static uint8_t sim_get_status(struct virtio_device *d)
{
	return sim.status;
}
static void sim_set_status(struct virtio_device *d, uint8_t s)
{
	sim.status = s;
}
static uint8_t sim_config_read8(struct virtio_device *d, unsigned offset)
{
	return offset < sizeof(sim.config) ? sim.config[offset] : 0xff;
}
static uint32_t sim_generation(struct virtio_device *d)
{
	return 0;
}
static unsigned sim_queue_max(struct virtio_device *d, unsigned index)
{
	return index < sim.queue_count ? 256 : 0;
}
static int sim_queue_start(
	struct virtio_device *d, struct virtqueue *q, irq_handler_fn *handler, void *arg)
{
	sim.queue[q->index] =
		(struct sim_queue){ .q = q, .handler = handler, .arg = arg, .cpu = -1 };
	return 0;
}

static void sim_interrupt(struct sim_queue *s, uint16_t before)
{
	uint16_t event;

	mb_device();
	event = load_relaxed(&s->q->avail->ring[s->q->size]);
	if (!s->handler ||
		(s->q->event_idx ? (uint16_t)(s->used - event - 1) >= (uint16_t)(s->used - before)
				 : load_relaxed(&s->q->avail->flags)))
		return;
	s->interrupts++;
	s->handler(s->arg);
}
static bool sim_next(struct sim_queue *s, uint16_t *head)
{
	if (load_acquire(&s->q->avail->idx) == s->seen)
		return false;
	*head = s->q->avail->ring[s->seen++ & (s->q->size - 1)];
	return true;
}
static void sim_use(struct sim_queue *s, uint16_t head, uint32_t len)
{
	s->q->used->ring[s->used & (s->q->size - 1)] = (struct vring_used_elem){ head, len };
	store_release(&s->q->used->idx, ++s->used);
	/* It wants to hear of the next one. */
	store_relaxed((uint16_t *)&s->q->used->ring[s->q->size], s->seen);
}
static void sim_transmit(struct sim_queue *s)
{
	struct vring_desc d[VIRTQUEUE_MAX_SEGMENTS];
	uint16_t head, before = s->used;

	while (!sim.hold && sim_next(s, &head)) {
		struct frame *f = &sim.frame[sim.frames++ % FRAMES];
		static uint8_t bytes[70000];
		uint32_t len = 0;
		unsigned n = virtqueue_walk(s->q, head, d);

		for (unsigned i = 0; i < n && len + d[i].len <= sizeof(bytes); i++) {
			CHECK(!(d[i].flags & VRING_DESC_WRITE));
			memcpy(bytes + len, phys_to_virt(PADDR(d[i].addr)), d[i].len);
			len += d[i].len;
		}
		*f = (struct frame){ .queue = s->q->index, .pieces = n, .len = len - 12 };
		memcpy(&f->h, bytes, 12);
		memcpy(f->bytes, bytes + 12, MIN(f->len, (uint32_t)sizeof(f->bytes)));
		sim_use(s, head, 0);
	}
	sim_interrupt(s, before);
}
static void sim_control(struct sim_queue *s)
{
	struct vring_desc d[VIRTQUEUE_MAX_SEGMENTS];
	uint16_t head, before = s->used;

	while (!sim.silent && sim_next(s, &head)) {
		unsigned n = virtqueue_walk(s->q, head, d), what;

		REQUIRE(n == 3 && d[0].len == 2 && d[2].len == 1 && d[2].flags & VRING_DESC_WRITE);
		what = ((uint8_t *)phys_to_virt(PADDR(d[0].addr)))[1];
		CHECK_EQ(*(uint8_t *)phys_to_virt(PADDR(d[0].addr)), VIRTIO_NET_CTRL_MQ);
		memcpy(sim.command, phys_to_virt(PADDR(d[0].addr)), 2);
		memcpy(sim.command + 2, phys_to_virt(PADDR(d[1].addr)), d[1].len);
		sim.command_len = d[1].len;
		sim.commands++;
		*(uint8_t *)phys_to_virt(PADDR(d[2].addr)) =
			what == VIRTIO_NET_CTRL_MQ_RSS ? sim.refuse & 1 : sim.refuse >> 1 & 1;
		sim_use(s, head, 1);
	}
	sim_interrupt(s, before);
}
static void sim_notify(struct virtio_device *d, struct virtqueue *q)
{
	struct sim_queue *s = &sim.queue[q->index];

	if (q->index == sim.control)
		sim_control(s);
	else if (q->index & 1)
		sim_transmit(s);
}
static void sim_queue_cpu(struct virtio_device *d, struct virtqueue *q, uint32_t cpu)
{
	sim.queue[q->index].cpu = (int)cpu;
}
static const struct virtio_transport sim_ops = {
	.get_features = sim_get_features,
	.set_features = sim_set_features,
	.get_status = sim_get_status,
	.set_status = sim_set_status,
	.config_read8 = sim_config_read8,
	.config_generation = sim_generation,
	.queue_max = sim_queue_max,
	.queue_start = sim_queue_start,
	.notify = sim_notify,
	.queue_cpu = sim_queue_cpu,
};

/* One packet into a receive queue, over as many buffers as it takes; the header says 'promised'. */
static bool sim_receive(
	unsigned pair, struct virtio_net_hdr h, const void *bytes, uint32_t len, int promised)
{
	struct sim_queue *s = &sim.queue[VIRTIO_NET_QUEUE_RX(pair)];
	static uint8_t all[70000];
	uint16_t heads[64];
	uint32_t lens[64], at = 0, total = len + 12;
	unsigned n = 0;

	memcpy(all + 12, bytes, len);
	for (; at < total && n < 64; n++) {
		struct vring_desc *d;

		if (!sim_next(s, &heads[n]))
			return false;
		d = &s->q->desc[heads[n]];
		CHECK(d->flags & VRING_DESC_WRITE);
		lens[n] = MIN(d->len, total - at);
		at += lens[n];
	}
	h.num_buffers = (uint16_t)(promised >= 0 ? promised : (int)n);
	memcpy(all, &h, 12);
	at = 0;
	for (unsigned i = 0; i < n; i++) {
		memcpy(phys_to_virt(PADDR(s->q->desc[heads[i]].addr)), all + at, lens[i]);
		at += lens[i];
		sim_use(s, heads[i], lens[i]);
	}
	return true;
}
static void sim_kick(unsigned pair, uint16_t before)
{
	sim_interrupt(&sim.queue[VIRTIO_NET_QUEUE_RX(pair)], before);
}

/* --- The stack above --- */

static void take_batch(struct netdev *d, struct packet *batch)
{
	batches++;
	*received_tail = batch;
	while (*received_tail)
		received_tail = &(*received_tail)->next;
}
static void registered(struct netdev *d)
{
	card = d;
	d->rx = take_batch;
}
static void drop_received(void)
{
	packet_free_list(received);
	received = NULL;
	received_tail = &received;
}

#define ALL                                                                                        \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_CSUM |    \
		VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MAC | VIRTIO_NET_F_GUEST_TSO4 |             \
		VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 |        \
		VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_MQ |                  \
		VIRTIO_NET_F_GUEST_USO4 | VIRTIO_NET_F_GUEST_USO6 | VIRTIO_NET_F_HOST_USO)

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

/* A machine of so many CPUs, all up, and a card of so many pairs. */
static void prepare(uint64_t offered, unsigned cpus, unsigned pairs)
{
	memory_start();
	memset(&sim, 0, sizeof(sim));
	memset(armed, 0, sizeof(armed));
	for (unsigned i = 0; i < THREADS; i++)
		co[i].used = false;
	received = NULL;
	received_tail = &received;
	batches = 0;
	card = NULL;
	netdev_registered = registered;
	machine = cpu_online_count = cpus;
	host_cpu_id = 0;
	thread_limit = THREADS;
	sim.offered = offered;
	sim.dev.ops = &sim_ops;
	sim.dev.id = VIRTIO_ID_NET;
	sim.dev.ring_align = 4;
	sim.config[0] = 2;
	sim.config[5] = 9;
	put16(sim.config + VIRTIO_NET_CONFIG_MAX_PAIRS, pairs);
	sim.control = 2 * pairs;
	sim.queue_count = MIN(2 * pairs + 1, (unsigned)QUEUES);
	sim.config[VIRTIO_NET_CONFIG_RSS_MAX_KEY] = 40;
	put16(sim.config + VIRTIO_NET_CONFIG_RSS_MAX_TABLE, 128);
	sim.config[VIRTIO_NET_CONFIG_RSS_HASHES] = 0xff;
}
static struct virtio_net *start(void)
{
	if (!virtio_probe(&sim.dev))
		abort();
	run();
	card->all_cpus(card);
	run();
	return card->driver;
}
static struct virtio_net *begin(uint64_t offered, unsigned cpus, unsigned pairs)
{
	prepare(offered, cpus, pairs);
	return start();
}
#endif
