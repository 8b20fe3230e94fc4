/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets, and the list of network cards. */
#include "drivers/netdev.h"
#include "cpu/barrier.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/mutex.h"

static DEFINE_MUTEX(netdev_lock);
static struct netdev *first, *last; /* appended under netdev_lock, read without: never removed */
static int count;
static int ethernets;

void (*netdev_registered)(struct netdev *dev);
uint32_t netdev_waiters;

static void packet_free_own(struct packet *p)
{
	heap_free(p);
}

/* One allocation: the packet, then its buffer. */
struct packet *packet_alloc(size_t headroom, size_t size)
{
	struct packet *p = heap_alloc(sizeof(*p) + headroom + size);

	if (!p)
		return NULL;
	uint8_t *head = (uint8_t *)(p + 1);

	packet_init(p, head, head + headroom, head + headroom + size, packet_free_own, NULL);
	return p;
}

void packet_free(struct packet *p)
{
	struct packet *frag = p->frags, *next;

	p->free(p);
	for (; frag; frag = next) {
		next = frag->next;
		frag->free(frag);
	}
}

static void free_with_kept(struct packet *p)
{
	packet_free(p->owner);
	heap_free(p);
}

void packet_keep(struct packet *p, struct packet *kept)
{
	p->free = free_with_kept;
	p->owner = kept;
}

void netdev_register(struct netdev *dev)
{
	mutex_lock(&netdev_lock);
	dev->index = ++count;
	if (dev->features & NETDEV_LOOPBACK)
		str_copy(dev->name, "lo", sizeof(dev->name));
	else
		format(dev->name, sizeof(dev->name), "eth%d", ethernets++);
	dev->next = NULL;
	if (last)
		store_release(&last->next, dev);
	else
		store_release(&first, dev);
	last = dev;
	mutex_unlock(&netdev_lock);
	if (netdev_registered)
		netdev_registered(dev);
}

void netdev_all_cpus(void)
{
	for (struct netdev *d = netdev_first(); d; d = d->next)
		if (d->all_cpus)
			d->all_cpus(d);
}

struct netdev *netdev_first(void)
{
	return load_acquire(&first);
}
