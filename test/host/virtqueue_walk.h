/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device reads of a split ring. */
#ifndef TEST_HOST_VIRTQUEUE_WALK_H
#define TEST_HOST_VIRTQUEUE_WALK_H

#include "cpu/layout.h"
#include "drivers/virtqueue.h"

/* All descriptors of the buffer that begins at head, into VIRTQUEUE_MAX_SEGMENTS; how many. */
static unsigned virtqueue_walk(const struct virtqueue *q, uint16_t head, struct vring_desc *out)
{
	struct vring_desc *table = q->desc, d = table[head];
	unsigned n = 0;

	if (d.flags & VRING_DESC_INDIRECT) {
		table = phys_to_virt(PADDR(d.addr));
		d = table[0];
	}
	for (;;) {
		out[n++] = d;
		if (!(d.flags & VRING_DESC_NEXT) || n == VIRTQUEUE_MAX_SEGMENTS)
			return n;
		d = table[d.next];
	}
}
#endif
