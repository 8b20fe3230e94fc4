/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues (virtio 1.1, 2.6): the driver's side of one ring. Pure: memory comes from the
 * caller, the device is told through a callback, so that it also runs on the host.
 *
 * One thread at a time may use a queue (the caller's mutex, or one thread owns it); the other side
 * is the device, which is not trusted: whatever it writes may spoil data, never our memory. A
 * device that breaks the rules marks the queue broken: nothing more comes out of it or goes in.
 */
#pragma once

#include "abi/virtio.h"
#include "cpu/barrier.h"
#include "lib/types.h"

#define VIRTQUEUE_MAX_SIZE     1024u
#define VIRTQUEUE_MAX_SEGMENTS 32u /* of one buffer */

/* A piece of a buffer: physically contiguous. */
struct virtqueue_segment {
	uint64_t addr;
	uint32_t len;
};

struct virtqueue_slot {
	void *token;		     /* NULL: not with the device */
	struct vring_desc *indirect; /* table of VIRTQUEUE_MAX_SEGMENTS, made when first needed */
	uint32_t writable;	     /* bytes the device may write */
	uint16_t next;		     /* next free, or next descriptor of the chain */
	uint16_t descriptors;	     /* of the chain, when this is its head */
};

struct virtqueue {
	/* Fixed after virtqueue_init. */
	uint16_t size, index; /* index: of the queue in its device */
	bool event_idx, use_indirect;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct virtqueue_slot *slots;

	/* The caller's guard. */
	bool broken;
	uint16_t free_head, free_count;
	uint16_t avail_idx;   /* next to publish */
	uint16_t last_used;   /* next to take */
	uint16_t last_kicked; /* avail_idx when the device was last asked about */
	uint16_t in_flight;   /* buffers */
};

/* Bytes of ring memory for 'size' entries; 'align' of the used ring: 4 (modern) or 4096 (legacy).
 */
size_t virtqueue_ring_bytes(unsigned size, unsigned align);
/*
 * ring: zeroed, physically contiguous, aligned to 16 (legacy: 4096). slots: zeroed array of 'size'.
 * size is a power of two.
 */
void virtqueue_init(struct virtqueue *q, unsigned index, unsigned size, unsigned align, void *ring,
	struct virtqueue_slot *slots, bool event_idx, bool indirect);
void virtqueue_free_indirect(struct virtqueue *q);

/*
 * Gives a buffer of out segments that the device reads, followed by in segments that it writes.
 * The device hears of it with virtqueue_kick_needed. token comes back from virtqueue_take; not
 * NULL. -ENOSPC: ring is full; -EIO: broken; -EINVAL: too many segments.
 */
int virtqueue_add(struct virtqueue *q, const struct virtqueue_segment *segments, unsigned out,
	unsigned in, void *token);
/* Publishes nothing new, but says whether the device wants to be notified of what was added. */
bool virtqueue_kick_needed(struct virtqueue *q);
/* The next buffer the device is done with, and how many bytes it wrote. NULL: none. */
void *virtqueue_take(struct virtqueue *q, uint32_t *written);
bool virtqueue_has_used(const struct virtqueue *q); /* a hint for others than the queue's user */
/* The device is done with all that was added. Any thread that knows the queue to be unused. */
bool virtqueue_all_used(const struct virtqueue *q);
/* All that was added has been taken. As virtqueue_all_used. */
static inline bool virtqueue_all_taken(const struct virtqueue *q)
{
	return load_relaxed(&q->last_used) == load_relaxed(&q->avail_idx);
}
/* A buffer the device still has, when it was reset and will not touch it any more. NULL: none. */
void *virtqueue_detach(struct virtqueue *q);

/* Interrupts are off after init. Off is a hint: one may still come. */
void virtqueue_interrupts_off(struct virtqueue *q);
/*
 * Asks for an interrupt at the next buffer used. False: there already is one that has not been
 * taken (take it; there may be no interrupt for it).
 */
bool virtqueue_interrupts_on(struct virtqueue *q);
/* The same when n more (at least 1) have been used, if the device can count; else at the next. */
bool virtqueue_interrupts_after(struct virtqueue *q, uint16_t n);
static inline unsigned virtqueue_space(const struct virtqueue *q)
{
	return q->free_count;
}
