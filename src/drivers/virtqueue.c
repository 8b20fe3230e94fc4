/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split rings. Who writes what:
 *
 *	descriptor table  driver    while the device has the buffer: nobody (a bad device may, so
 *				    nothing is read back from it; slots[] keeps our own copy)
 *	available ring    driver    idx is released after the entries        (A)
 *	used_event	  driver    then a full fence, then used idx is read  (B)
 *	used ring	  device    idx is acquired before the entries	      (C)
 *	avail_event	  device    read after avail idx and a full fence     (D)
 *
 * (A) pairs with the device's acquire of avail idx, (C) with its release of used idx. (B) and (D)
 *are the store-then-load halves of the two notification protocols: the side that sleeps announces
 *it and then looks again, the side that works publishes and then reads the announcement. With a
 *full fence on both sides at least one sees the other.
 */
#include "drivers/virtqueue.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "diag/counter.h"
#include "lib/bug.h"
#include "mem/heap.h"

COUNTER(virtqueue_broken);

#define NO_SLOT 0xffff

static size_t used_offset(unsigned size, unsigned align)
{
	/* descriptors, avail: flags idx ring[size] used_event */
	return ALIGN_UP(size * sizeof(struct vring_desc) + 2 * (3 + size), (size_t)align);
}

size_t virtqueue_ring_bytes(unsigned size, unsigned align)
{
	return used_offset(size, align) + 2 * 3 + size * sizeof(struct vring_used_elem);
}

static uint16_t *used_event(const struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static uint16_t *avail_event(const struct virtqueue *q)
{
	return (uint16_t *)&q->used->ring[q->size];
}

void virtqueue_init(struct virtqueue *q, unsigned index, unsigned size, unsigned align, void *ring,
	struct virtqueue_slot *slots, bool event_idx, bool indirect)
{
	BUG_ON(size == 0 || size > VIRTQUEUE_MAX_SIZE || (size & (size - 1)));
	*q = (struct virtqueue){
		.size = size,
		.index = index,
		.event_idx = event_idx,
		.use_indirect = indirect,
		.desc = ring,
		.avail = (void *)((char *)ring + size * sizeof(struct vring_desc)),
		.used = (void *)((char *)ring + used_offset(size, align)),
		.slots = slots,
		.free_count = size,
	};
	for (unsigned i = 0; i < size; i++)
		slots[i].next = i + 1 < size ? i + 1 : NO_SLOT;
	virtqueue_interrupts_off(q);
}

void virtqueue_free_indirect(struct virtqueue *q)
{
	for (unsigned i = 0; i < q->size; i++) {
		heap_free(q->slots[i].indirect);
		q->slots[i].indirect = NULL;
	}
}

static void break_queue(struct virtqueue *q)
{
	store_relaxed(&q->broken, true);
	counter_inc(virtqueue_broken);
}

static void fill(struct vring_desc *d, const struct virtqueue_segment *s, bool write)
{
	d->addr = s->addr;
	d->len = s->len;
	d->flags = write ? VRING_DESC_WRITE : 0;
}

/* A table of our own for a long buffer, so that it takes one ring entry. False: no memory. */
static bool fill_indirect(struct virtqueue *q, uint16_t head, const struct virtqueue_segment *s,
	unsigned out, unsigned total)
{
	struct virtqueue_slot *slot = &q->slots[head];
	struct vring_desc *d = &q->desc[head];

	/* A power of two below a page: naturally aligned, so physically contiguous. */
	_Static_assert(VIRTQUEUE_MAX_SEGMENTS * sizeof(struct vring_desc) == 512, "power of two");
	if (!slot->indirect)
		slot->indirect = heap_alloc(VIRTQUEUE_MAX_SEGMENTS * sizeof(struct vring_desc));
	if (!slot->indirect)
		return false;
	for (unsigned i = 0; i < total; i++) {
		fill(&slot->indirect[i], &s[i], i >= out);
		slot->indirect[i].next = i + 1;
		if (i + 1 < total)
			slot->indirect[i].flags |= VRING_DESC_NEXT;
	}
	d->addr = virt_to_phys(slot->indirect).raw;
	d->len = total * sizeof(struct vring_desc);
	d->flags = VRING_DESC_INDIRECT;
	q->free_head = slot->next;
	slot->descriptors = 1;
	return true;
}

static int fill_chain(struct virtqueue *q, uint16_t head, const struct virtqueue_segment *s,
	unsigned out, unsigned total)
{
	uint16_t at = head;

	if (q->free_count < total)
		return -ENOSPC;
	for (unsigned i = 0; i < total; i++) {
		struct vring_desc *d = &q->desc[at];

		fill(d, &s[i], i >= out);
		d->next = q->slots[at].next;
		if (i + 1 < total)
			d->flags |= VRING_DESC_NEXT;
		at = q->slots[at].next;
	}
	q->free_head = at;
	q->slots[head].descriptors = total;
	return 0;
}

/* The chain at head is filled: to the device with it. */
static inline int publish(struct virtqueue *q, uint16_t head, void *token)
{
	struct virtqueue_slot *slot = &q->slots[head];
	uint16_t idx = q->avail_idx;

	slot->token = token;
	q->free_count -= slot->descriptors;
	q->in_flight++;
	store_relaxed(&q->avail->ring[idx & (q->size - 1)], head);
	store_relaxed(&q->avail_idx, ++idx);
	store_release(&q->avail->idx, idx); /* (A) */
	return 0;
}

static __noinline int add_many(struct virtqueue *q, const struct virtqueue_segment *segments,
	unsigned out, unsigned total, void *token)
{
	uint16_t head = q->free_head;
	uint32_t writable = 0;
	int err;

	if (!q->use_indirect || !fill_indirect(q, head, segments, out, total)) {
		err = fill_chain(q, head, segments, out, total);
		if (err)
			return err;
	}
	for (unsigned i = out; i < total; i++)
		writable += segments[i].len;
	q->slots[head].writable = writable;
	return publish(q, head, token);
}

int virtqueue_add(struct virtqueue *q, const struct virtqueue_segment *segments, unsigned out,
	unsigned in, void *token)
{
	unsigned total = out + in;
	uint16_t head = q->free_head;
	struct virtqueue_slot *slot;

	if (q->broken)
		return -EIO;
	if (total == 0 || total > VIRTQUEUE_MAX_SEGMENTS || !token)
		return -EINVAL;
	if (q->free_count == 0)
		return -ENOSPC;
	if (unlikely(total > 1))
		return add_many(q, segments, out, total, token);
	slot = &q->slots[head];
	fill(&q->desc[head], segments, in);
	q->free_head = slot->next;
	slot->descriptors = 1;
	slot->writable = in ? segments->len : 0;
	return publish(q, head, token);
}

bool virtqueue_kick_needed(struct virtqueue *q)
{
	uint16_t event, old = q->last_kicked, new = q->avail_idx;

	if (old == new || q->broken)
		return false;
	q->last_kicked = new;
	mb_device(); /* (D) */
	if (!q->event_idx)
		return !(load_relaxed(&q->used->flags) & VRING_USED_NO_NOTIFY);
	/* Did [old, new) step over the entry the device waits for? */
	event = load_relaxed(avail_event(q));
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

bool virtqueue_has_used(const struct virtqueue *q)
{
	return !load_relaxed(&q->broken) &&
	       load_acquire(&q->used->idx) != load_relaxed(&q->last_used); /* (C) */
}

bool virtqueue_all_used(const struct virtqueue *q)
{
	return load_relaxed(&q->broken) ||
	       load_acquire(&q->used->idx) == load_relaxed(&q->avail_idx); /* (C) */
}

static void *release_slot(struct virtqueue *q, uint16_t head)
{
	struct virtqueue_slot *slot = &q->slots[head];
	void *token = slot->token;
	uint16_t last = head;

	for (unsigned i = 1; i < slot->descriptors; i++)
		last = q->slots[last].next;
	q->slots[last].next = q->free_head;
	q->free_head = head;
	q->free_count += slot->descriptors;
	q->in_flight--;
	slot->token = NULL;
	return token;
}

void *virtqueue_take(struct virtqueue *q, uint32_t *written)
{
	struct vring_used_elem *e = &q->used->ring[q->last_used & (q->size - 1)];
	uint16_t pending;
	uint32_t id, len;

	if (q->broken)
		return NULL;
	pending = load_acquire(&q->used->idx) - q->last_used; /* (C) */
	if (pending == 0)
		return NULL;
	id = load_relaxed(&e->id); /* once: the device may change it under us */
	len = load_relaxed(&e->len);
	if (pending > q->in_flight || id >= q->size || !q->slots[id].token) {
		break_queue(q);
		return NULL;
	}
	store_relaxed(&q->last_used, (uint16_t)(q->last_used + 1));
	*written = MIN(len, q->slots[id].writable);
	return release_slot(q, id);
}

void *virtqueue_detach(struct virtqueue *q)
{
	for (unsigned i = 0; q->in_flight && i < q->size; i++)
		if (q->slots[i].token)
			return release_slot(q, i);
	return NULL;
}

void virtqueue_interrupts_off(struct virtqueue *q)
{
	if (q->event_idx) /* as far away as can be: the entry just taken */
		store_relaxed(used_event(q), (uint16_t)(q->last_used - 1));
	else
		store_relaxed(&q->avail->flags, VRING_AVAIL_NO_INTERRUPT);
}

static inline bool interrupts_after(struct virtqueue *q, uint16_t n)
{
	if (q->event_idx)
		store_relaxed(used_event(q), (uint16_t)(q->last_used + n - 1));
	else
		store_relaxed(&q->avail->flags, 0);
	mb_device(); /* (B) */
	return load_relaxed(&q->broken) ||
	       (uint16_t)(load_acquire(&q->used->idx) - q->last_used) < n; /* (C) */
}

bool virtqueue_interrupts_after(struct virtqueue *q, uint16_t n)
{
	return interrupts_after(q, q->event_idx ? n : 1);
}

bool virtqueue_interrupts_on(struct virtqueue *q)
{
	return interrupts_after(q, 1);
}
