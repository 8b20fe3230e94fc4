/* SPDX-License-Identifier: BSD-2-Clause */
/* What all virtio devices have in common: status, features, queues' memory, finding the driver. */
#include "drivers/virtio.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "diag/log.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "sched/thread.h"

#define RESET_TRIES	 1000 /* of 1 ms */
#define GENERATION_TRIES 16

static const struct {
	unsigned id;
	int (*probe)(struct virtio_device *dev);
} drivers[] = {
	{ VIRTIO_ID_CONSOLE, virtio_console_probe },
	{ VIRTIO_ID_RNG, virtio_rng_probe },
	{ VIRTIO_ID_NET, virtio_net_probe },
};

static void add_status(struct virtio_device *dev, uint8_t bit)
{
	dev->ops->set_status(dev, dev->ops->get_status(dev) | bit);
}

static bool reset(struct virtio_device *dev)
{
	dev->ops->set_status(dev, 0);
	for (int i = 0; dev->ops->get_status(dev) != 0; i++) {
		if (i == RESET_TRIES)
			return false;
		thread_sleep(NSEC_PER_MSEC, false, NULL);
	}
	return true;
}

bool virtio_probe(struct virtio_device *dev)
{
	int err = -ENODEV;

	for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (drivers[i].id != dev->id)
			continue;
		if (!reset(dev)) {
			log_err("%s: does not reset", dev->name);
			return false;
		}
		add_status(dev, VIRTIO_STATUS_ACKNOWLEDGE);
		add_status(dev, VIRTIO_STATUS_DRIVER);
		err = drivers[i].probe(dev);
		if (err == 0)
			return true;
		log_err("%s: virtio device type %u does not start (%d)", dev->name, dev->id, err);
		add_status(dev, VIRTIO_STATUS_FAILED);
		return false;
	}
	log_info("%s: no driver for virtio device type %u", dev->name, dev->id);
	return false;
}

int virtio_share_interrupt(struct virtio_device *dev, irq_handler_fn *handler, void *arg)
{
	unsigned n = dev->handler_count;

	for (unsigned i = 0; i < n; i++)
		if (dev->handlers[i].fn == handler && dev->handlers[i].arg == arg)
			return 0;
	if (n == VIRTIO_MAX_HANDLERS)
		return -ENOSPC;
	dev->handlers[n].fn = handler;
	dev->handlers[n].arg = arg;
	store_release(&dev->handler_count, n + 1); /* the entry before the count */
	return 0;
}

void virtio_shared_interrupt(struct virtio_device *dev)
{
	unsigned n = load_acquire(&dev->handler_count);

	for (unsigned i = 0; i < n; i++)
		dev->handlers[i].fn(dev->handlers[i].arg);
}

int virtio_negotiate(struct virtio_device *dev, uint64_t wanted)
{
	uint64_t offered = dev->ops->get_features(dev);

	wanted |= VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC;
	if (!dev->legacy) {
		if (!(offered & VIRTIO_F_VERSION_1))
			return -ENODEV;
		wanted |= VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM;
	}
	dev->features = offered & wanted;
	dev->ops->set_features(dev, dev->features);
	if (dev->legacy)
		return 0;
	add_status(dev, VIRTIO_STATUS_FEATURES_OK);
	return dev->ops->get_status(dev) & VIRTIO_STATUS_FEATURES_OK ? 0 : -EINVAL;
}

/* Zeroed and physically contiguous, aligned to its size or to a page. */
static void *ring_memory(size_t bytes)
{
	unsigned order = 0;
	size_t size = 64;
	struct page *page;

	while (size < bytes)
		size *= 2;
	if (size <= PAGE_SIZE / 2)
		return heap_alloc_zeroed(size);
	while (PAGE_SIZE << order < bytes)
		order++;
	page = page_alloc_zeroed(order);
	return page ? page_to_virt(page) : NULL;
}

/* Boot only; what a failed probe leaves behind is not freed, as the device is given up for good. */
struct virtqueue *virtio_queue_create(struct virtio_device *dev, unsigned index, unsigned max_size,
	irq_handler_fn *handler, void *arg)
{
	unsigned most = dev->ops->queue_max(dev, index), size = 1;
	struct virtqueue_slot *slots;
	struct virtqueue *q;
	void *ring;

	if (most == 0)
		return NULL;
	if (dev->legacy) /* the device says the size, we cannot */
		size = most;
	else
		while (size * 2 <= MIN(most, max_size))
			size *= 2;
	if (size > VIRTQUEUE_MAX_SIZE || (size & (size - 1)))
		return NULL;
	ring = ring_memory(
		MAX(virtqueue_ring_bytes(size, dev->ring_align), (size_t)dev->ring_align));
	slots = heap_alloc_zeroed(size * sizeof(*slots));
	q = heap_alloc_zeroed(sizeof(*q));
	if (!ring || !slots || !q)
		return NULL;
	virtqueue_init(q, index, size, dev->ring_align, ring, slots,
		virtio_has(dev, VIRTIO_F_EVENT_IDX), virtio_has(dev, VIRTIO_F_INDIRECT_DESC));
	return dev->ops->queue_start(dev, q, handler, arg) == 0 ? q : NULL;
}

void virtio_start(struct virtio_device *dev)
{
	add_status(dev, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_config_read(struct virtio_device *dev, unsigned offset, void *buf, size_t n)
{
	uint8_t *to = buf;
	uint32_t generation;

	for (int tries = 0; tries < GENERATION_TRIES; tries++) {
		generation = dev->ops->config_generation(dev);
		for (size_t i = 0; i < n; i++)
			to[i] = dev->ops->config_read8(dev, offset + i);
		if (dev->ops->config_generation(dev) == generation)
			return;
	}
}
