/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands to the card: over how many pairs it spreads what it receives, and how. Where it can, a
 * keyed hash of addresses and ports over a table (RSS), so that nobody outside chooses the queue;
 * else by its own rules: Linux's tap device gives a flow to the queue on which it was sent last.
 *
 * What else the queue can do is not used: without a command a card lets everything through that is
 * on the wire for it, groups included.
 */
#include "drivers/virtio_net.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "diag/log.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "sched/random.h"
#include "sched/wait.h"

#define RING_SIZE 4
#define PATIENCE  (2 * NSEC_PER_SEC)
#define NO_ANSWER 0xff
#define DATA_MAX  (VIRTIO_NET_CONTROL_MEMORY - 16)
#define ACK_AT	  (VIRTIO_NET_CONTROL_MEMORY - 1)
_Static_assert(sizeof(struct virtio_net_rss_hdr) + 2 * VIRTIO_NET_RSS_MAX_TABLE +
			       sizeof(struct virtio_net_rss_tail) + VIRTIO_NET_RSS_KEY <=
		       DATA_MAX,
	"the longest command fits");

static void ctrl_interrupt(void *arg)
{
	struct virtio_net_control *c = arg;
	struct thread *t = load_acquire(&c->waiter);

	if (t && virtqueue_has_used(c->queue))
		thread_wake(t);
}

bool virtio_net_control_create(struct virtio_net *n, unsigned index)
{
	struct virtio_net_control *c = &n->control;

	c->memory = heap_alloc_zeroed(VIRTIO_NET_CONTROL_MEMORY);
	if (!c->memory)
		return false;
	c->queue = virtio_queue_create(n->dev, index, RING_SIZE, ctrl_interrupt, c);
	return c->queue != NULL;
}

/* Sleeps until the device has answered. False: it does not. */
static bool answered(struct virtio_net_control *c)
{
	struct wait_queue nobody;
	uint32_t ignored;

	wait_init(&nobody);
	(void)wait_event_timeout(&nobody, virtqueue_has_used(c->queue), clock_now() + PATIENCE);
	return virtqueue_take(c->queue, &ignored) != NULL;
}

/*
 * Data of n bytes lies at memory + 2. The header, the data and the answer are descriptors of their
 * own, as older devices want it. -EIO: the device says no, or nothing.
 */
static int command(struct virtio_net *n, uint8_t class, uint8_t what, size_t bytes)
{
	struct virtio_net_control *c = &n->control;
	struct virtio_net_ctrl_hdr h = { class, what };
	uint64_t at = virt_to_phys(c->memory).raw;
	struct virtqueue_segment s[] = { { at, sizeof(h) }, { at + sizeof(h), (uint32_t)bytes },
		{ at + ACK_AT, 1 } };
	bool done;

	if (!c->queue || c->dead)
		return -EIO;
	memcpy(c->memory, &h, sizeof(h));
	c->memory[ACK_AT] = NO_ANSWER;
	store_release(&c->waiter, thread_current());
	if (virtqueue_add(c->queue, s, 2, 1, c->memory))
		return -EIO;
	virtqueue_interrupts_on(c->queue);
	virtio_kick(n->dev, c->queue);
	done = answered(c);
	store_release(&c->waiter, NULL);
	c->dead = !done;
	return done && load_relaxed(&c->memory[ACK_AT]) == VIRTIO_NET_ACK_OK ? 0 : -EIO;
}

static int set_rss(struct virtio_net *n, unsigned pairs)
{
	struct virtio_net_rss_hdr h = { 0 };
	struct virtio_net_rss_tail tail = { .max_tx_queues = (uint16_t)pairs };
	uint8_t *at = n->control.memory + sizeof(struct virtio_net_ctrl_hdr);
	uint16_t most, table = 1, queue;
	uint32_t hashes;
	uint8_t key;

	virtio_config_read(n->dev, VIRTIO_NET_CONFIG_RSS_MAX_TABLE, &most, sizeof(most));
	virtio_config_read(n->dev, VIRTIO_NET_CONFIG_RSS_MAX_KEY, &key, sizeof(key));
	virtio_config_read(n->dev, VIRTIO_NET_CONFIG_RSS_HASHES, &hashes, sizeof(hashes));
	while (table * 2u <= MIN((unsigned)most, VIRTIO_NET_RSS_MAX_TABLE))
		table *= 2;
	h.hash_types = hashes & (VIRTIO_NET_HASH_IPV4 | VIRTIO_NET_HASH_TCPV4 |
					VIRTIO_NET_HASH_UDPV4 | VIRTIO_NET_HASH_IPV6 |
					VIRTIO_NET_HASH_TCPV6 | VIRTIO_NET_HASH_UDPV6);
	if (!h.hash_types || table < pairs || key < VIRTIO_NET_RSS_KEY)
		return -EIO;
	h.table_mask = (uint16_t)(table - 1);
	memcpy(at, &h, sizeof(h));
	at += sizeof(h);
	for (unsigned i = 0; i < table; i++, at += sizeof(queue)) {
		queue = (uint16_t)(i % pairs);
		memcpy(at, &queue, sizeof(queue));
	}
	tail.key_length = VIRTIO_NET_RSS_KEY;
	memcpy(at, &tail, sizeof(tail));
	at += sizeof(tail);
	random_bytes(at, VIRTIO_NET_RSS_KEY);
	at += VIRTIO_NET_RSS_KEY;
	return command(n, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS,
		(size_t)(at - n->control.memory) - sizeof(struct virtio_net_ctrl_hdr));
}

int virtio_net_set_pairs(struct virtio_net *n, unsigned pairs)
{
	uint16_t count = (uint16_t)pairs;

	if (virtio_has(n->dev, VIRTIO_NET_F_RSS) && set_rss(n, pairs) == 0)
		return 0;
	if (!virtio_has(n->dev, VIRTIO_NET_F_MQ))
		return -EIO;
	memcpy(n->control.memory + sizeof(struct virtio_net_ctrl_hdr), &count, sizeof(count));
	return command(n, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_PAIRS_SET, sizeof(count));
}
