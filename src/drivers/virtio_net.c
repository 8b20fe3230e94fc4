/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio network card: what it can do, and its start. virtio_net.h shows the other files.
 *
 * The queues of all pairs are made at probe, as the device wants to know them before it starts; but
 * the other CPUs have no numbers yet. So a card starts with one pair, and when all CPUs are up a
 * thread gives every further CPU a pair with its interrupt and its receive thread, and then tells
 * the device. A machine with one CPU makes one pair and nothing else.
 */
#include "drivers/virtio_net.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "diag/log.h"
#include "drivers/drivers.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/thread.h"

#define MTU_DEFAULT 1500
#define MTU_LEAST   1280

#define SEND_OFFLOADS (VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_USO)
#define RECEIVE_OFFLOADS                                                                           \
	(VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_USO4 |             \
		VIRTIO_NET_F_GUEST_USO6)

/*
 * A device that offers a thing without what it needs (5.1.3.1) does not get it. Large packets need
 * mergeable buffers here: no buffer of ours holds 64 KiB. cpus: of the machine, up or not.
 */
static uint64_t wanted_features(uint64_t offered, unsigned cpus)
{
	uint64_t wanted = VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MTU |
			  VIRTIO_NET_F_MAC | VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_STATUS;

	if (offered & VIRTIO_NET_F_CSUM)
		wanted |= SEND_OFFLOADS;
	if ((offered & VIRTIO_NET_F_GUEST_CSUM) && (offered & VIRTIO_NET_F_MRG_RXBUF))
		wanted |= RECEIVE_OFFLOADS;
	if (cpus > 1 && (offered & VIRTIO_NET_F_CTRL_VQ) &&
		(offered & (VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS)))
		wanted |= VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS;
	return wanted;
}

static bool has_pairs(const struct virtio_device *dev)
{
	return virtio_has(dev, VIRTIO_NET_F_CTRL_VQ) &&
	       virtio_has(dev, VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS);
}

static void read_config(struct virtio_net *n)
{
	struct virtio_device *dev = n->dev;
	struct netdev *d = &n->netdev;
	uint16_t v;

	n->mergeable = virtio_has(dev, VIRTIO_NET_F_MRG_RXBUF);
	n->header =
		n->mergeable || !dev->legacy ? sizeof(struct virtio_net_hdr) : VIRTIO_NET_HDR_SHORT;
	if (virtio_has(dev, VIRTIO_NET_F_MAC))
		virtio_config_read(dev, VIRTIO_NET_CONFIG_MAC, d->mac, sizeof(d->mac));
	else
		memcpy(d->mac, "\x02skiff", 6); /* locally administered */
	d->mtu = MTU_DEFAULT;
	if (virtio_has(dev, VIRTIO_NET_F_MTU)) {
		virtio_config_read(dev, VIRTIO_NET_CONFIG_MTU, &v, sizeof(v));
		if (v >= MTU_LEAST && (n->mergeable || v <= MTU_DEFAULT))
			d->mtu = v;
	}
	d->link_up = true;
	if (virtio_has(dev, VIRTIO_NET_F_STATUS)) {
		virtio_config_read(dev, VIRTIO_NET_CONFIG_STATUS, &v, sizeof(v));
		d->link_up = v & VIRTIO_NET_S_LINK_UP;
	}
	d->features = (virtio_has(dev, VIRTIO_NET_F_CSUM) ? NETDEV_TX_CSUM : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_GUEST_CSUM) ? NETDEV_RX_CSUM : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_HOST_TSO4) ? NETDEV_TSO4 : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_HOST_TSO6) ? NETDEV_TSO6 : 0) |
		      (virtio_has(dev, VIRTIO_NET_F_HOST_USO) ? NETDEV_USO : 0);
}

static void add_stats(const struct netdev *d, struct netdev_stats *s)
{
	const struct virtio_net *n = d->driver;

	for (unsigned i = 0; i < n->made; i++) {
		const struct virtio_net_rx *r = &n->pair[i]->rx;
		const struct virtio_net_tx *t = &n->pair[i]->tx;

		s->rx_packets += load_relaxed(&r->packets);
		s->rx_bytes += load_relaxed(&r->bytes);
		s->rx_dropped += load_relaxed(&r->dropped);
		s->tx_packets += load_relaxed(&t->packets);
		s->tx_bytes += load_relaxed(&t->bytes);
		s->tx_dropped += load_relaxed(&t->dropped);
	}
}

/* --- Pairs --- */

static bool make_pair(struct virtio_net *n, unsigned index, unsigned pairs)
{
	/* A power of two: the heap aligns it, so each half has its own lines. */
	_Static_assert(sizeof(struct virtio_net_pair) <= 512, "fits");
	n->pair[index] = heap_alloc_zeroed(512);
	return n->pair[index] && virtio_net_rx_create(n, index, pairs) &&
	       virtio_net_tx_create(n, index);
}

/* As many pairs as CPUs, or as the device has, or as there is memory for: at least one. */
static int make_pairs(struct virtio_net *n, unsigned cpus)
{
	uint16_t most = 1;
	unsigned pairs;

	if (has_pairs(n->dev))
		virtio_config_read(n->dev, VIRTIO_NET_CONFIG_MAX_PAIRS, &most, sizeof(most));
	if (most < 1 || most > VIRTIO_NET_MAX_PAIRS)
		most = 1;
	/* The queue for commands is behind all the pairs that there could be. */
	if (most > 1 && !virtio_net_control_create(n, 2u * most))
		most = 1;
	pairs = MIN((unsigned)most, cpus);
	n->pair = heap_alloc_zeroed(pairs * sizeof(struct virtio_net_pair *));
	if (!n->pair)
		return -ENOMEM;
	while (n->made < pairs && make_pair(n, n->made, pairs))
		n->made++;
	return n->made ? 0 : -ENOMEM;
}

/*
 * Pair 0 runs. Buffers and a thread before the device may use a queue, the CPU's own interrupt
 * before there can be one.
 */
static void start_further_pairs(void *arg)
{
	struct virtio_net *n = arg;
	const struct virtio_transport *ops = n->dev->ops;
	unsigned pairs;

	for (pairs = 1; pairs < n->made && pairs < cpu_count(); pairs++) {
		struct virtio_net_rx *r = &n->pair[pairs]->rx;

		if (ops->queue_cpu)
			ops->queue_cpu(n->dev, r->queue, pairs);
		virtio_net_rx_refill(r);
		if (virtio_net_rx_start(r, pairs))
			break;
	}
	if (virtio_net_set_pairs(n, pairs)) {
		log_warn("%s: the card refuses %u pairs of queues", n->netdev.name, pairs);
		return;
	}
	store_release(&n->netdev.queues, pairs);
	log_info("%s: %u pairs of queues", n->netdev.name, pairs);
}

static void all_cpus(struct netdev *d)
{
	struct virtio_net *n = d->driver;

	if (n->made > 1 && cpu_count() > 1 &&
		!kthread_create("net-queues", start_further_pairs, n, THREAD_REALTIME))
		log_warn("%s: no memory for further queues", d->name);
}

/* --- Start --- */

int virtio_net_probe(struct virtio_device *dev)
{
	struct virtio_net *n = heap_alloc_zeroed(sizeof(*n));
	unsigned cpus = machine_cpu_count();
	struct netdev *d;
	int err;

	if (!n)
		return -ENOMEM;
	d = &n->netdev;
	n->dev = dev;
	err = virtio_negotiate(dev, wanted_features(dev->ops->get_features(dev), cpus));
	if (err)
		return err;
	read_config(n);
	err = make_pairs(n, cpus);
	if (err)
		return err;
	d->driver = n;
	d->queues = 1;
	d->send = virtio_net_send;
	d->queue_empty = virtio_net_queue_empty;
	d->hurry = virtio_net_hurry;
	d->batch_begin = virtio_net_batch_begin;
	d->batch_end = virtio_net_batch_end;
	d->add_stats = add_stats;
	d->all_cpus = all_cpus;
	virtio_start(dev);
	netdev_register(d);
	virtio_net_rx_refill(&n->pair[0]->rx);
	/* Where its interrupt arrives: else each would cost one between two CPUs as well. */
	err = virtio_net_rx_start(&n->pair[0]->rx, 0);
	if (err)
		return err;
	log_info("%s: %s, %02x:%02x:%02x:%02x:%02x:%02x, features %lx", dev->name, d->name,
		d->mac[0], d->mac[1], d->mac[2], d->mac[3], d->mac[4], d->mac[5], dev->features);
	return 0;
}
