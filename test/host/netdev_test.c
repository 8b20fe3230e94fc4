/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets: room, ownership of fragments; the list of cards. */
/* sources: src/drivers/netdev.c src/lib/string.c src/lib/format.c */
#include "t.h"
#include "bug_host.h"
#include "heap_host.h"

#include "drivers/netdev.h"
#include "sched/mutex.h"

void mutex_lock(struct mutex *m)
{
}
void mutex_unlock(struct mutex *m)
{
}

TEST(packet_room)
{
	struct packet *p = packet_alloc(NETDEV_HEADROOM, 1500);

	REQUIRE(p);
	CHECK_EQ(p->len, 0);
	CHECK_EQ(p->data - p->head, NETDEV_HEADROOM);
	CHECK_EQ(p->end - p->data, 1500);
	memset(packet_put(p, 1500), 1, 1500);
	memset(packet_push(p, NETDEV_HEADROOM), 2, NETDEV_HEADROOM);
	CHECK_EQ(p->len, 1500 + NETDEV_HEADROOM);
	CHECK(p->data == p->head && p->data + p->len == p->end);
	packet_pull(p, NETDEV_HEADROOM + 1499);
	CHECK_EQ(p->len, 1);
	packet_free(p);
}

TEST(fragments_go_with_their_packet)
{
	T_EACH_ALLOC_FAILS({
		long before = t_live();
		struct packet *p = packet_alloc(0, 10);

		for (int i = 0; p && i < 3; i++) {
			struct packet *f = packet_alloc(0, 100);

			if (!f)
				break;
			f->next = p->frags;
			p->frags = f;
		}
		if (p)
			packet_free(p);
		CHECK_EQ(t_live(), before);
	});
}

static int told;
static void registered(struct netdev *dev)
{
	told = dev->index;
}

TEST(list_of_cards)
{
	static struct netdev lo = { .features = NETDEV_LOOPBACK }, a, b;

	netdev_registered = registered;
	netdev_register(&lo);
	CHECK_EQ(told, 1);
	netdev_register(&a);
	netdev_register(&b);
	CHECK_EQ(told, 3);
	CHECK_STR(lo.name, "lo");
	CHECK_STR(a.name, "eth0");
	CHECK_STR(b.name, "eth1");
	CHECK(netdev_first() == &lo && lo.next == &a && a.next == &b && !b.next);
}
