/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device, whichever bus it is on. A transport (virtio_mmio.c, virtio_pci.c) fills a
 * struct virtio_device and calls virtio_probe, which finds the driver by id. A driver's probe:
 *
 *	virtio_negotiate(dev, wanted)	features; reads configuration
 *	virtio_queue_create(dev, ...)	each queue it uses, with its interrupt handler
 *	virtio_start(dev)		DRIVER_OK: buffers may flow
 *
 * Thread context, and only boot for all of these. An interrupt handler only wakes a thread; the
 * transport acknowledges the device.
 */
#pragma once

#include "cpu/irq.h"
#include "drivers/virtqueue.h"
#include "lib/types.h"

#define VIRTIO_MAX_HANDLERS 16

struct virtio_device;
struct virtio_transport {
	uint64_t (*get_features)(struct virtio_device *dev);
	void (*set_features)(struct virtio_device *dev, uint64_t features);
	uint8_t (*get_status)(struct virtio_device *dev);
	void (*set_status)(struct virtio_device *dev, uint8_t status);
	uint8_t (*config_read8)(struct virtio_device *dev, unsigned offset);
	uint32_t (*config_generation)(struct virtio_device *dev);
	unsigned (*queue_max)(struct virtio_device *dev, unsigned index); /* 0: no such queue */
	/* handler may be NULL: no interrupt wanted. -errno. */
	int (*queue_start)(
		struct virtio_device *dev, struct virtqueue *q, irq_handler_fn *handler, void *arg);
	void (*notify)(struct virtio_device *dev, struct virtqueue *q);
	/* The queue's interrupt goes to that CPU from now on, if it is the queue's own. NULL: all
	 * queues share one. A thread; one at a time. */
	void (*queue_cpu)(struct virtio_device *dev, struct virtqueue *q, uint32_t cpu);
};

struct virtio_device {
	const struct virtio_transport *ops;
	char name[24];	     /* bus address, for the log */
	unsigned id;	     /* enum virtio_id */
	unsigned ring_align; /* of the used ring: 4, or 4096 for legacy devices */
	bool legacy;
	uint64_t features; /* negotiated */

	/* For transports whose queues share one interrupt; appended at probe, read by the handler.
	 */
	unsigned handler_count; /* atomic */
	struct {
		irq_handler_fn *fn;
		void *arg;
	} handlers[VIRTIO_MAX_HANDLERS];
};

/* The transport's: false if no driver took the device (its status then says FAILED or reset). */
bool virtio_probe(struct virtio_device *dev);
int virtio_share_interrupt(struct virtio_device *dev, irq_handler_fn *handler, void *arg);
void virtio_shared_interrupt(struct virtio_device *dev); /* in the handler: calls all of them */

/* The driver's. Negotiates wanted (device type bits) and what the ring code can do. -errno. */
int virtio_negotiate(struct virtio_device *dev, uint64_t wanted);
static inline bool virtio_has(const struct virtio_device *dev, uint64_t feature)
{
	return dev->features & feature;
}
/* At most max_size entries; fewer if the device has fewer. NULL: no such queue, or no memory. */
struct virtqueue *virtio_queue_create(struct virtio_device *dev, unsigned index, unsigned max_size,
	irq_handler_fn *handler, void *arg);
void virtio_start(struct virtio_device *dev);
/* A consistent copy of configuration bytes. */
void virtio_config_read(struct virtio_device *dev, unsigned offset, void *buf, size_t n);
static inline void virtio_kick(struct virtio_device *dev, struct virtqueue *q)
{
	if (virtqueue_kick_needed(q))
		dev->ops->notify(dev, q);
}

int virtio_console_probe(struct virtio_device *dev);
int virtio_rng_probe(struct virtio_device *dev);
int virtio_net_probe(struct virtio_device *dev);
