/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of the virtio network card only.
 *
 *	virtio_net.c	  features, configuration, start; more pairs when all CPUs are up
 *	virtio_net_rx.c   a receive queue and its thread
 *	virtio_net_tx.c   a send queue and who works for it
 *	virtio_net_ctrl.c commands: how many pairs, which flow goes where
 *
 * A pair of queues belongs to a CPU: nothing below struct virtio_net_pair is written by two CPUs
 * but what a thread that was moved, or a packet that names another queue, brings there.
 */
#pragma once

#include "abi/virtio_net.h"
#include "drivers/netdev.h"
#include "drivers/virtio.h"
#include "lib/string.h"
#include "lockfree/duty.h"
#include "lockfree/mpsc.h"
#include "sched/timer.h"

#define VIRTIO_NET_ETHERNET 14u /* the least that a received packet has */

struct virtio_net;

struct virtio_net_rx {
	/* Fixed before its thread runs. */
	struct virtio_net *net;
	struct virtqueue *queue;
	unsigned index;	       /* of the pair */
	unsigned target;       /* buffers to keep with the device, if they are small */
	struct thread *thread; /* atomic; NULL before */

	/* Its thread's; the counters are read by others. */
	uint32_t posted;  /* bytes that the buffers with the device pin */
	uint32_t average; /* bytes of the last packets */
	uint64_t packets, bytes, dropped;
} __aligned(CACHE_LINE);

struct virtio_net_tx {
	/* Fixed before the device is started. */
	struct virtio_net *net;
	struct virtqueue *queue;
	struct virtio_net_rx *rx; /* of the pair: its thread takes over */

	struct mpsc_list list; /* packets to send, linked through cb */
	struct duty duty;
	struct thread *collector; /* atomic: who has a batch; written by itself alone; NULL */
	bool handed;		  /* atomic: the duty is the receive thread's */
	uint8_t news;		  /* atomic: TX_*, for who is on duty */
	uint64_t dropped;	  /* atomic */

	/* Of who is on duty, with the ring; the counters and hurry are read by others. */
	struct timer timer; /* sent packets are waited for */
	bool timer_armed;
	bool hurry; /* the device interrupts when it has sent */
	uint32_t waiting;
	struct mpsc_node *first, *last; /* 'waiting' packets that the ring had no room for */
	uint64_t packets, bytes;
	bool collected;		       /* packets of a batch are on the ring, not told of yet */
	struct packet *collected_done; /* what has been sent meanwhile, to be freed */
} __aligned(CACHE_LINE);

struct virtio_net_pair {
	struct virtio_net_rx rx;
	struct virtio_net_tx tx;
};

/* Used by one thread: the one that starts further pairs. */
struct virtio_net_control {
	struct virtqueue *queue; /* NULL: there is none */
	struct thread *waiter;	 /* atomic */
	uint8_t *memory;	 /* VIRTIO_NET_CONTROL_MEMORY: of the command that runs */
	bool dead;		 /* a command was not answered: memory is the device's for ever */
};
#define VIRTIO_NET_CONTROL_MEMORY 1024u

struct virtio_net {
	/* Fixed after probe; netdev.queues is atomic: pairs that the device was told of. */
	struct netdev netdev;
	struct virtio_device *dev;
	unsigned header; /* bytes in front of each packet */
	bool mergeable;
	unsigned made;		       /* pairs that have queues */
	struct virtio_net_pair **pair; /* made of them */
	struct virtio_net_control control;
};

/* The device's header, of one of its two lengths. */
static inline void virtio_net_copy_header(const struct virtio_net *n, void *to, const void *from)
{
	if (likely(n->header == sizeof(struct virtio_net_hdr)))
		memcpy(to, from, sizeof(struct virtio_net_hdr));
	else
		memcpy(to, from, VIRTIO_NET_HDR_SHORT);
}

/* virtio_net_rx.c: a pair's interrupt; buffers, and the thread on the CPU that gets it. -ENOMEM. */
void virtio_net_interrupt(void *rx);
bool virtio_net_rx_create(struct virtio_net *n, unsigned index, unsigned pairs);
int virtio_net_rx_start(struct virtio_net_rx *r, unsigned cpu);
/* At most a batch goes up; false when the ring was found empty. In the thread; public for a test.
 */
bool virtio_net_rx_batch(struct virtio_net_rx *r);
void virtio_net_rx_refill(struct virtio_net_rx *r);

/* virtio_net_tx.c */
bool virtio_net_tx_create(struct virtio_net *n, unsigned index);
int virtio_net_send(struct netdev *dev, struct packet *p);
bool virtio_net_queue_empty(struct netdev *dev, unsigned queue);
void virtio_net_hurry(struct netdev *dev);
void virtio_net_sent_interrupt(struct virtio_net_tx *t);
/* An interrupt of the pair, this half's or the other's. */
static inline void virtio_net_tx_interrupt(struct virtio_net_tx *t)
{
	if (unlikely(load_relaxed(&t->hurry)))
		virtio_net_sent_interrupt(t);
}
void virtio_net_batch_begin(struct netdev *dev, struct netdev_batch *b);
void virtio_net_batch_end(struct netdev *dev, struct netdev_batch *b);
/* In the receive thread: goes on where a sender has worked enough. False: the duty is not its. */
bool virtio_net_transmit_handed(struct virtio_net_tx *t);

/* virtio_net_ctrl.c */
bool virtio_net_control_create(struct virtio_net *n, unsigned index);
/* The device spreads what it receives over so many pairs from now on. -EIO: it does not. */
int virtio_net_set_pairs(struct virtio_net *n, unsigned pairs);
