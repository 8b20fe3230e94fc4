/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the floor guest (floor.c says what it is): its card and queues, its answers.
 */
#pragma once

#include "abi/virtio.h"
#include "abi/virtio_net.h"

#define QUEUE_SIZE  256u /* QEMU's cards have so many by default */
#define CARD_VECTOR 0x20

/*
 * Descriptor i, of either queue, is buffer i, for ever: of the two queues only one has it at a
 * time, or the guest. So nothing is allocated, and there is always room in a queue.
 */
struct buffer {
	struct virtio_net_hdr header;
	uint8_t frame[2048 - sizeof(struct virtio_net_hdr)];
};

/* Split ring (virtio 1.1, 2.6). */
struct queue {
	struct vring_desc desc[QUEUE_SIZE] __aligned(16);
	struct {
		uint16_t flags, idx, ring[QUEUE_SIZE], used_event;
	} avail;
	struct {
		uint16_t flags, idx;
		struct vring_used_elem ring[QUEUE_SIZE];
		uint16_t avail_event;
	} used __aligned(4);

	/* The guest's own. */
	uint16_t index;	 /* of the queue in its card */
	uint16_t given;	 /* avail.idx, with what has not been published */
	uint16_t taken;	 /* next to take */
	uint16_t kicked; /* avail.idx when the card was last asked about */
	volatile uint8_t *notify;
};

extern struct queue rx, tx;
extern struct buffer buffers[QUEUE_SIZE];

/*
 * The virtio network card on bus 0, with its rings and their descriptors, an interrupt CARD_VECTOR
 * for what it receives, and no buffers yet. mac: its address. Dies if it finds none that it can
 * use.
 */
void card_start(uint8_t mac[6]);

extern uint8_t mac[6];
/* Answers a frame of len bytes in its place: the length of the answer, 0 if there is none. */
uint32_t answer(void *frame, uint32_t len);

void memcached_start(void);
/* Of memcached's text at 'text', which has room for it: the length of the answer, 0 for none. */
uint32_t memcached_answer(char *text);

void die(const char *why) __noreturn;
