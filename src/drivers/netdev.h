/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network card as the stack sees it. The driver owns its rings and threads; the stack owns the
 * protocol. Packet buffers belong to whoever holds them: the driver passes ownership up in rx, the
 * stack passes it down in send.
 */
#pragma once

#include "lib/types.h"

/*
 * A packet: one linear buffer with headroom, or a chain of fragments for large sends/receives.
 * Reference counted data so that a TCP send buffer can keep what it handed to the card.
 */
struct packet {
	struct packet *next;		  /* in a list or batch */
	uint8_t *head, *end;		  /* the buffer */
	uint8_t *data;			  /* first byte in use */
	uint32_t len;			  /* bytes in use from data */
	uint16_t queue;			  /* 1 + number of a queue pair, see below; 0: none */
	uint8_t csum_flags;		  /* enum packet_csum */
	uint8_t gso_type;		  /* enum packet_gso */
	uint16_t gso_size;		  /* payload bytes per segment */
	uint16_t csum_start, csum_offset; /* from data, when PACKET_CSUM_PARTIAL */
	uint16_t header_len;		  /* of all headers, for GSO */
	uint16_t looped;		  /* loopback: ifindex it was sent to, 0: lo itself */
	bool lent;			  /* some of it is the program's memory: sent, not kept */
	bool bounded;			  /* its sender bounds what it has out: see netdev.send */
	uint32_t looped_seq;		  /* loopback: the least ISN that may answer it, 0: any */
	struct packet *frags;		  /* further payload pieces, linked by next, or NULL */
	void (*free)(struct packet *p);
	void *owner;	/* of free */
	uint64_t cb[8]; /* scratch of the layer that holds the packet */
};
enum packet_csum { PACKET_CSUM_NONE, PACKET_CSUM_PARTIAL = 1, PACKET_CSUM_VALID = 2 };
enum packet_gso {
	PACKET_GSO_NONE,
	PACKET_GSO_TCP4,
	PACKET_GSO_TCP6,
	PACKET_GSO_UDP,	   /* one datagram, to be cut into IP fragments; received only */
	PACKET_GSO_UDP_L4, /* several datagrams of gso_size bytes, the last may be shorter */
};

/*
 * queue: on a received packet the pair that it came from. On one to be sent the number is a CPU's:
 * it goes where that CPU's packets go, so that the packets of a flow, which may be sent by several
 * threads or by one that was moved, stay in order on one queue. 0: the queue of the running CPU.
 */

/*
 * Makes p, in memory of the caller's, a linear packet on [head, end) that begins at data; len 0. cb
 * is whatever it is.
 */
static inline void packet_init(struct packet *p, uint8_t *head, uint8_t *data, uint8_t *end,
	void (*free)(struct packet *p), void *owner)
{
	_Static_assert(offsetof(struct packet, cb) == 80, "every field is set");
	/* One by one: a string instruction takes longer to start than these few stores. */
	p->next = NULL;
	p->head = head;
	p->data = data;
	p->end = end;
	p->len = 0;
	p->queue = 0;
	p->lent = p->bounded = false;
	p->csum_flags = PACKET_CSUM_NONE;
	p->gso_type = PACKET_GSO_NONE;
	p->gso_size = 0;
	p->csum_start = p->csum_offset = p->header_len = p->looped = 0;
	p->looped_seq = 0;
	p->frags = NULL;
	p->free = free;
	p->owner = owner;
}
/*
 * Linear packet with room for 'size' bytes behind 'headroom'; len 0. cb is whatever it is. NULL: no
 * memory.
 */
struct packet *packet_alloc(size_t headroom, size_t size);
void packet_free(struct packet *p); /* and its frags */
/* p, of packet_alloc, is sent for kept, whose owner hears of it when p is: freed with p. */
void packet_keep(struct packet *p, struct packet *kept);
static inline void packet_free_list(struct packet *list)
{
	for (struct packet *p = list, *next; p; p = next) {
		next = p->next;
		packet_free(p);
	}
}
static inline void *packet_push(
	struct packet *p, size_t n) /* header in front; caller checked room */
{
	p->data -= n;
	p->len += n;
	return p->data;
}
static inline void *packet_pull(struct packet *p, size_t n) /* caller checked len */
{
	p->data += n;
	p->len -= n;
	return p->data;
}
static inline void *packet_put(struct packet *p, size_t n)
{
	void *tail = p->data + p->len;

	p->len += n;
	return tail;
}

#define NETDEV_HEADROOM	  128 /* in front of the first protocol byte of every packet that is sent */
#define NETDEV_TX_WAITING 1000 /* packets that wait for a full ring; Linux's txqueuelen */

enum netdev_features {
	NETDEV_TX_CSUM = 1, /* finishes PACKET_CSUM_PARTIAL */
	NETDEV_RX_CSUM = 2,
	NETDEV_TSO4 = 4,
	NETDEV_TSO6 = 8,
	NETDEV_LOOPBACK = 16,
	NETDEV_USO = 32, /* cuts PACKET_GSO_UDP_L4, of either family */
};

struct netdev_stats {
	uint64_t rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
};

struct netdev_batch {
	unsigned queue; /* for p->queue of what belongs to it */
	void *device;	/* the device's */
};

struct netdev {
	char name[16]; /* "eth0", "lo"; given by netdev_register */
	int index;     /* ifindex, from 1; lo is 1 */
	uint8_t mac[6];
	uint32_t mtu;	   /* atomic: a DHCP lease may make it smaller */
	uint32_t features; /* enum netdev_features */
	unsigned queues;   /* pairs in use; atomic, grows once when the CPUs are up */
	bool link_up;
	void *driver;
	/*
	 * Takes ownership of p (Ethernet header in front), frees it when the device has sent it.
	 * Callable from any thread; does not sleep for the device: packets that find the ring full
	 * wait in the driver, in order. -ENOBUFS: no memory, or NETDEV_TX_WAITING packets wait
	 * there already; that is counted as dropped. A packet that is bounded waits however many
	 * there are, as its bytes are accounted for elsewhere, in a socket's buffer, and its loss
	 * would be taken for the network's.
	 */
	int (*send)(struct netdev *dev, struct packet *p);
	/*
	 * Somebody waits for packets that were sent to be freed, and has counted itself in
	 * netdev_waiters: the device interrupts for those that are out now, where otherwise they
	 * are freed when that costs nothing, by the next sender or some ms later. Any thread, which
	 * may hold any lock. NULL: never late.
	 */
	void (*hurry)(struct netdev *dev);
	/*
	 * All that the caller knows to have been sent on the queue of p->queue == queue is out:
	 * what is sent on another one now cannot overtake it. Lock-free, any thread. NULL: always.
	 */
	bool (*queue_empty)(struct netdev *dev, unsigned queue);
	/*
	 * Between the two the device may keep what is sent on the queue that begin chooses, by
	 * anybody, and hears of it as one batch. Not for long: the thread waits for nobody
	 * meanwhile but for a lock. NULL: each packet is a batch of its own.
	 */
	void (*batch_begin)(struct netdev *dev, struct netdev_batch *b);
	void (*batch_end)(struct netdev *dev, struct netdev_batch *b);
	/*
	 * Set by the stack before the device starts. Called in the receive thread of a queue, of
	 * several at a time, with a batch (linked by ->next, in order of arrival), ownership
	 * passes.
	 */
	void (*rx)(struct netdev *dev, struct packet *batch);
	void *stack; /* of the stack */
	uint64_t rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped; /* relaxed */
	void (*add_stats)(
		const struct netdev *dev, struct netdev_stats *s); /* the driver's; or NULL */
	void (*all_cpus)(struct netdev *dev); /* all CPUs are up: more queues; or NULL */
	struct netdev *next;
};
static inline struct netdev_stats netdev_stats(const struct netdev *d)
{
	struct netdev_stats s = { d->rx_packets, d->rx_bytes, d->rx_dropped, d->tx_packets,
		d->tx_bytes, d->tx_dropped };

	if (d->add_stats)
		d->add_stats(d, &s);
	return s;
}

/* Drivers call this when the card is ready to start; the stack's hook (set by net_init) is told. */
void netdev_register(struct netdev *dev);
struct netdev *netdev_first(void);
/*
 * Atomic: how many wait for sent packets to be freed. While there are any, cards are not late with
 * what they are given. A waiter counts itself, then calls hurry for what is out already; a driver
 * hands packets to its device, then looks here: with a full barrier in between on each side.
 */
extern uint32_t netdev_waiters;
void netdev_all_cpus(void); /* boot: the cards may use the other CPUs now; does not wait for them */
extern void (*netdev_registered)(struct netdev *dev); /* set by net/ */
