/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network card against a simulated device: features and configuration, pairs of queues
 * and their commands, packets both ways with their offloads, notifications, and devices that lie.
 * Threads are coroutines; the device reads and writes the rings as one would, and nothing else.
 */
/* sources: $(HOST_VIRTIO_NET) src/drivers/netdev.c src/lib/string.c src/lib/format.c */
/* flags: -include test/host/fence.h */
#include "virtio_net_sim.h"

/* --- Pairs --- */

TEST(one_cpu_has_one_pair)
{
	struct virtio_net *n = begin(ALL, 1, 4);

	CHECK_EQ(n->made, 1);
	CHECK_EQ(card->queues, 1);
	CHECK(sim.queue[0].q && sim.queue[1].q && !sim.queue[2].q && !sim.queue[8].q);
	CHECK_EQ(sim.dev.features & (VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_MQ), 0);
	CHECK(co[0].used && !co[1].used);
}

TEST(a_pair_for_each_cpu)
{
	struct virtio_net *n;

	prepare(ALL, 4, 8);
	REQUIRE(virtio_probe(&sim.dev));
	run();
	CHECK_EQ(card->queues, 1); /* until the CPUs are up and the device knows */
	CHECK_EQ(sim.commands, 0);
	card->all_cpus(card);
	run();
	n = card->driver;
	CHECK_EQ(n->made, 4);
	CHECK_EQ(card->queues, 4);
	CHECK_EQ(sim.commands, 1);
	CHECK(memcmp(sim.command, "\4\0\4\0", 4) == 0);
	CHECK_EQ(sim.command_len, 2);
	CHECK(sim.queue[16].q && sim.queue[16].q->index == 16); /* behind all that there could be */
	for (unsigned i = 0; i < 4; i++) {
		struct virtio_net_rx *r = &n->pair[i]->rx;

		CHECK_EQ(((struct co *)r->thread)->cpu, 1u << i);
		CHECK_EQ(sim.queue[2 * i].cpu, i ? (int)i : -1); /* it was 0's anyway */
		CHECK_EQ(r->queue->in_flight, r->target);
		CHECK_EQ((uintptr_t)n->pair[i] % 64, 0);
	}
}

TEST(fewer_pairs_than_cpus)
{
	struct virtio_net *n = begin(ALL, 6, 2);

	CHECK_EQ(card->queues, 2);
	CHECK_EQ(n->made, 2);
	prepare(ALL, 6, 4);
	sim.queue_count = 5; /* it has fewer than it says, and not the one for commands */
	start();
	CHECK_EQ(card->queues, 1);
	prepare(ALL, 6, 4);
	machine = 6;
	cpu_online_count = 3; /* not all came up */
	start();
	CHECK_EQ(card->queues, 3);
	CHECK(memcmp(sim.command, "\4\0\3\0", 4) == 0);
	prepare(ALL, 4, 4);
	thread_limit = 3; /* queue 0's, the one that starts, one more */
	start();
	CHECK_EQ(card->queues, 2);
}

TEST(a_card_that_refuses_has_one_pair)
{
	prepare(ALL, 4, 4);
	sim.refuse = 2;
	start();
	CHECK_EQ(sim.commands, 1);
	CHECK_EQ(card->queues, 1);
	prepare(ALL & ~VIRTIO_NET_F_CTRL_VQ, 4, 4); /* nothing to ask by */
	start();
	CHECK_EQ(card->queues, 1);
	CHECK_EQ(sim.dev.features & VIRTIO_NET_F_MQ, 0);
}

TEST(a_card_that_does_not_answer_has_one_pair)
{
	struct virtio_net *n;
	uint8_t *memory;

	prepare(ALL | VIRTIO_NET_F_RSS, 4, 4);
	sim.silent = true;
	n = start();
	CHECK_EQ(card->queues, 1);
	CHECK(!n->control.dead);
	pass(3 * NSEC_PER_SEC);
	CHECK_EQ(card->queues, 1);
	CHECK(n->control.dead); /* no second command over the memory of the first */
	memory = n->control.memory;
	memory[VIRTIO_NET_CONTROL_MEMORY - 1] = 0; /* still the device's */
	sim.silent = false;
	sim_control(&sim.queue[8]);
	run();
	CHECK_EQ(card->queues, 1);
}

TEST(spreading_by_a_keyed_hash)
{
	uint8_t *c = sim.command + 2, sum = 0, first[40];
	uint32_t hashes;

	begin(ALL | VIRTIO_NET_F_RSS, 3, 4);
	CHECK_EQ(card->queues, 3);
	CHECK_EQ(sim.commands, 1);
	CHECK_EQ(sim.command[1], VIRTIO_NET_CTRL_MQ_RSS);
	CHECK_EQ(sim.command_len, 8 + 2 * 128 + 3 + 40);
	memcpy(&hashes, c, 4);
	CHECK_EQ(hashes, 0x3f);
	CHECK_EQ(c[4] | c[5] << 8, 127);
	for (unsigned i = 0; i < 128; i++)
		CHECK_EQ(c[8 + 2 * i] | c[9 + 2 * i] << 8, i % 3);
	CHECK_EQ(c[264] | c[265] << 8, 3);
	CHECK_EQ(c[266], 40);
	for (unsigned i = 0; i < 40; i++)
		sum |= first[i] = c[267 + i];
	CHECK(sum != 0);
	begin(ALL | VIRTIO_NET_F_RSS, 3, 4);
	CHECK(memcmp(first, c + 267, 40) != 0); /* another machine, another key */
	prepare(ALL | VIRTIO_NET_F_RSS, 3, 4);
	sim.refuse = 1; /* then by its own rules */
	start();
	CHECK_EQ(sim.commands, 2);
	CHECK(memcmp(sim.command, "\4\0\3\0", 4) == 0);
	CHECK_EQ(card->queues, 3);
}

TEST(nonsense_in_the_configuration)
{
	static const uint16_t pairs[] = { 0, 1, 0x8001, 0xffff };
	static const struct {
		uint16_t table;
		uint8_t key, hashes;
	} rss[] = { { 0, 40, 0x3f }, { 1, 40, 0x3f }, { 128, 0, 0x3f }, { 128, 39, 0x3f },
		{ 128, 40, 0 } };

	for (unsigned i = 0; i < 4; i++) {
		prepare(ALL, 4, 4);
		put16(sim.config + VIRTIO_NET_CONFIG_MAX_PAIRS, pairs[i]);
		start();
		CHECK_EQ(card->queues, 1);
	}
	for (unsigned i = 0; i < 5; i++) { /* without RSS, but with pairs */
		prepare(ALL | VIRTIO_NET_F_RSS, 4, 4);
		put16(sim.config + VIRTIO_NET_CONFIG_RSS_MAX_TABLE, rss[i].table);
		sim.config[VIRTIO_NET_CONFIG_RSS_MAX_KEY] = rss[i].key;
		sim.config[VIRTIO_NET_CONFIG_RSS_HASHES] = rss[i].hashes;
		start();
		CHECK_EQ(card->queues, 4);
		CHECK_EQ(sim.command[1], VIRTIO_NET_CTRL_MQ_PAIRS_SET);
	}
	prepare(ALL | VIRTIO_NET_F_RSS, 4, 4);
	put16(sim.config + VIRTIO_NET_CONFIG_RSS_MAX_TABLE, 0xffff);
	sim.config[VIRTIO_NET_CONFIG_RSS_MAX_KEY] = 255;
	start();
	CHECK_EQ(sim.command_len, 8 + 2 * 128 + 3 + 40);
}

TEST(every_allocation_fails_once)
{
	for (long i = 1; i < 60; i++) {
		prepare(ALL, 4, 4);
		t_fail_alloc(i);
		if (virtio_probe(&sim.dev)) {
			run();
			card->all_cpus(card);
			run();
			CHECK(card->queues >= 1);
		}
		t_fail_alloc(0);
	}
}

TEST(memory_for_rings)
{
	struct virtio_net *n;

	ram_pages = (16 << 20) / PAGE_SIZE;
	n = begin(ALL, 4, 4);
	CHECK_EQ(n->pair[0]->rx.target, 64);
	ram_pages = (128 << 20) / PAGE_SIZE;
	n = begin(ALL, 16, 16);
	CHECK_EQ(n->pair[15]->rx.target, 128); /* all together: a 32nd */
	ram_pages = 65536;
	n = begin(ALL, 1, 1);
	CHECK_EQ(n->pair[0]->rx.target, 256);
}

/* --- Features --- */

TEST(offloads_need_what_they_stand_on)
{
	begin(ALL, 1, 1);
	CHECK_EQ(card->features,
		NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_USO);
	CHECK(sim.dev.features & VIRTIO_NET_F_GUEST_USO4);
	begin(ALL & ~VIRTIO_NET_F_CSUM, 1, 1);
	CHECK_EQ(card->features, NETDEV_RX_CSUM);
	begin(ALL & ~VIRTIO_NET_F_GUEST_CSUM, 1, 1);
	CHECK_EQ(sim.dev.features & (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_USO6), 0);
	begin(ALL & ~VIRTIO_NET_F_MRG_RXBUF, 1, 1);
	CHECK_EQ(sim.dev.features & (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 |
					    VIRTIO_NET_F_GUEST_USO4 | VIRTIO_NET_F_GUEST_USO6),
		0);
	begin(ALL & ~VIRTIO_NET_F_HOST_USO, 1, 1);
	CHECK(!(card->features & NETDEV_USO));
}

/* --- Sending --- */

static struct packet *frame_of(uint32_t n, uint8_t fill)
{
	struct packet *p = packet_alloc(NETDEV_HEADROOM, n);

	memset(packet_put(p, n), fill, n);
	return p;
}
TEST(each_cpu_sends_on_its_queue)
{
	struct packet *p;

	begin(ALL, 4, 4);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		host_cpu_id = cpu;
		CHECK_EQ(card->send(card, frame_of(60, (uint8_t)cpu)), 0);
		CHECK_EQ(sim.frame[cpu].queue, 2 * cpu + 1);
		CHECK_EQ(sim.frame[cpu].len, 60);
		CHECK_EQ(sim.frame[cpu].bytes[59], cpu);
	}
	p = frame_of(60, 9);
	p->queue = 1 + 2; /* where CPU 2 sends */
	card->send(card, p);
	CHECK_EQ(sim.frame[4].queue, 5);
	begin(ALL, 4, 3); /* fewer queues: two CPUs share one */
	host_cpu_id = 3;
	card->send(card, frame_of(60, 9));
	CHECK_EQ(sim.frame[0].queue, 1);
	struct netdev_stats s = netdev_stats(card);

	CHECK_EQ(s.tx_packets, 1);
	CHECK_EQ(s.tx_bytes, 60);
}

TEST(a_queue_is_empty_when_the_device_has_sent_all)
{
	begin(ALL, 2, 2);
	CHECK(card->queue_empty(card, 1) && card->queue_empty(card, 2));
	sim.hold = true;
	card->send(card, frame_of(60, 1));
	CHECK(!card->queue_empty(card, 1));
	CHECK(card->queue_empty(card, 2));
	sim.hold = false;
	sim_transmit(&sim.queue[1]);
	CHECK(card->queue_empty(card, 1)); /* before the driver has looked */
	pass(NSEC_PER_SEC);
	CHECK(card->queue_empty(card, 1));
}

TEST(what_the_header_tells_the_card)
{
	static const struct {
		uint8_t kind, on_the_wire;
	} gso[] = { { PACKET_GSO_NONE, 0 }, { PACKET_GSO_TCP4, 1 }, { PACKET_GSO_TCP6, 4 },
		{ PACKET_GSO_UDP_L4, 5 } };

	begin(ALL, 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		struct packet *p = frame_of(2000, 1), *f = frame_of(3000, 2);
		struct frame *sent = &sim.frame[i];

		p->csum_flags = PACKET_CSUM_PARTIAL;
		p->csum_start = 34;
		p->csum_offset = 6;
		p->gso_type = gso[i].kind;
		p->gso_size = 1400;
		p->header_len = 42;
		p->frags = f;
		card->send(card, p);
		CHECK_EQ(sent->h.gso_type, gso[i].on_the_wire);
		CHECK_EQ(sent->h.gso_size, i ? 1400 : 0);
		CHECK_EQ(sent->h.hdr_len, i ? 42 : 0);
		CHECK_EQ(sent->h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		CHECK_EQ(sent->h.csum_start, 34);
		CHECK_EQ(sent->h.csum_offset, 6);
		CHECK_EQ(sent->len, 5000);
		CHECK_EQ(sent->pieces, 2);
	}
}

/* --- A full ring --- */

/* Frames that are told apart. */
static void send_numbered(unsigned from, unsigned to, bool bounded)
{
	for (; from < to; from++) {
		struct packet *p = frame_of(60, 1);

		p->data[0] = (uint8_t)from;
		p->data[1] = (uint8_t)(from >> 8);
		p->bounded = bounded;
		CHECK_EQ(card->send(card, p), 0);
	}
}
static void check_numbered(unsigned count)
{
	CHECK_EQ(sim.frames, count);
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(sim.frame[i].bytes[0] | sim.frame[i].bytes[1] << 8, i);
}
static void release(void)
{
	sim.hold = false;
	sim_transmit(&sim.queue[1]);
	run();
}

static void wait_for_room(uint64_t offered)
{
	long before;

	begin(offered, 1, 1);
	sim.hold = true;
	before = blocks;
	send_numbered(0, 900, false);
	CHECK_EQ(blocks, before + 900);
	CHECK(!card->queue_empty(card, 1));
	CHECK_EQ(netdev_stats(card).tx_packets, 256);
	release(); /* no time passes, and nobody sends */
	CHECK_EQ(blocks, before);
	check_numbered(900);
	CHECK_EQ(netdev_stats(card).tx_packets, 900);
	CHECK_EQ(netdev_stats(card).tx_dropped, 0);
	CHECK(card->queue_empty(card, 1));
	unsigned interrupts = sim.queue[1].interrupts;

	CHECK(interrupts >= 1);
	if (offered & VIRTIO_F_EVENT_IDX)
		CHECK(interrupts < 20);
	send_numbered(900, 1000, false); /* and there are none any more */
	CHECK_EQ(sim.queue[1].interrupts, interrupts);
	check_numbered(1000);
}
TEST(what_finds_the_ring_full_waits_in_order)
{
	wait_for_room(ALL);
	wait_for_room(ALL & ~VIRTIO_F_EVENT_IDX);
	wait_for_room(ALL & ~VIRTIO_F_INDIRECT_DESC);
}

TEST(who_comes_while_others_wait_goes_behind)
{
	begin(ALL, 1, 1);
	sim.hold = true;
	send_numbered(0, 300, false);
	sim.hold = false;
	sim.queue[1].handler = NULL; /* there is room, and nobody has heard of it */
	sim_transmit(&sim.queue[1]);
	send_numbered(300, 310, false);
	check_numbered(310);
	begin(ALL & ~VIRTIO_F_INDIRECT_DESC, 1, 1); /* also one that needs less room */
	sim.hold = true;
	send_numbered(0, 254, false);
	struct packet *p = frame_of(60, 0), **tail = &p->frags;

	p->data[0] = 254;
	for (unsigned i = 0; i < 3; i++, tail = &(*tail)->next)
		*tail = frame_of(60, 0);
	card->send(card, p);
	send_numbered(255, 256, false);
	release();
	check_numbered(256);
}

/* A batch reaches the ring as it is sent and is told of once; others' packets come behind it. */
static void send_batch(uint64_t offered, unsigned before, unsigned count)
{
	static struct thread other;
	struct netdev_batch b;

	begin(offered, 1, 1);
	sim.hold = before > 5;
	send_numbered(0, before, false);
	card->batch_begin(card, &b);
	CHECK_EQ(b.queue, 1);
	send_numbered(before, before + count, false);
	CHECK_EQ(sim.frames, sim.hold ? 0 : before);
	host_current = &other;
	send_numbered(before + count, before + count + 3, false);
	host_current = &outside;
	CHECK_EQ(sim.frames, sim.hold ? 0 : before);
	CHECK(!card->queue_empty(card, 1));
	card->batch_end(card, &b);
	if (sim.hold)
		release();
	check_numbered(before + count + 3);
	send_numbered(before + count + 3, before + count + 5, false); /* as ever again */
	check_numbered(before + count + 5);
	pass(NSEC_PER_SEC);
	CHECK(card->queue_empty(card, 1));
}
TEST(a_batch_in_order)
{
	long before;

	for (unsigned k = 0; k < 2; k++) {
		uint64_t offered = ALL & ~(k ? VIRTIO_F_INDIRECT_DESC : 0);

		send_batch(offered, 3, 0);
		before = blocks;
		send_batch(offered, 3, 7);
		send_batch(offered, 0, 200);
		send_batch(offered, 100, 156); /* the ring is full, with the last of them */
		send_batch(offered, 100, 300); /* within the batch */
		send_batch(offered, 300, 20);  /* before it */
		CHECK_EQ(blocks, before);
	}
}

TEST(a_queue_is_not_empty_while_packets_wait)
{
	begin(ALL, 1, 1);
	sim.hold = true;
	send_numbered(0, 257, false);
	sim.hold = false;
	sim.queue[1].handler = NULL; /* the interrupt is late */
	sim_transmit(&sim.queue[1]);
	CHECK(virtqueue_all_used(sim.queue[1].q));
	CHECK(!card->queue_empty(card, 1));
	pass(NSEC_PER_SEC); /* lost: the timer is there */
	CHECK(card->queue_empty(card, 1));
	check_numbered(257);
}

TEST(too_many_are_dropped_but_bounded_ones)
{
	long before;

	begin(ALL, 1, 1);
	sim.hold = true;
	before = blocks;
	send_numbered(0, 256 + NETDEV_TX_WAITING, false);
	CHECK_EQ(card->send(card, frame_of(60, 1)), -ENOBUFS);
	CHECK_EQ(netdev_stats(card).tx_dropped, 1);
	send_numbered(256 + NETDEV_TX_WAITING, 1500, true);
	CHECK_EQ(card->send(card, frame_of(60, 1)), -ENOBUFS);
	CHECK_EQ(netdev_stats(card).tx_dropped, 2);
	release();
	check_numbered(1500);
	CHECK_EQ(blocks, before);
}

/* Of a card that nobody waits for a sent packet is freed some time; else at once. */
TEST(who_waits_for_sent_packets_hears_of_them)
{
	long before;

	begin(ALL, 2, 2);
	sim.hold = true;
	before = blocks;
	send_numbered(0, 20, false);
	sim.hold = false;
	sim_transmit(&sim.queue[1]);
	run();
	CHECK_EQ(blocks, before + 20);
	CHECK_EQ(sim.queue[1].interrupts, 0);
	card->hurry(card); /* it is done with them already */
	run();
	CHECK_EQ(blocks, before);
	CHECK_EQ(sim.queue[1].interrupts, 0);
	sim.hold = true;
	send_numbered(20, 40, false);
	card->hurry(card);
	run();
	CHECK_EQ(blocks, before + 20);
	release();
	CHECK_EQ(blocks, before);
	CHECK_EQ(sim.queue[1].interrupts, 1);
	CHECK_EQ(sim.queue[3].interrupts, 0);
	sim.hold = true;
	send_numbered(40, 60, false); /* only then */
	release();
	CHECK_EQ(sim.queue[1].interrupts, 1);
	pass(NSEC_PER_SEC);
	CHECK_EQ(blocks, before);
	check_numbered(60);
}

/* Also of what comes to the card after that: from other threads, when a neighbour has answered. */
TEST(who_waits_hears_of_what_is_sent_later)
{
	long before;

	begin(ALL, 1, 1);
	before = blocks;
	netdev_waiters = 1;
	card->hurry(card); /* it has nothing yet */
	run();
	for (unsigned burst = 0; burst < 3; burst++) { /* idle in between */
		sim.hold = true;
		send_numbered(burst * 20, burst * 20 + 20, false);
		run();
		CHECK_EQ(blocks, before + 20);
		release(); /* no time passes, and nobody sends */
		CHECK_EQ(blocks, before);
		CHECK_EQ(sim.queue[1].interrupts, burst + 1);
	}
	netdev_waiters = 0;
	sim.hold = true;
	send_numbered(60, 80, false);
	release();
	CHECK_EQ(sim.queue[1].interrupts, 3);
	pass(NSEC_PER_SEC);
	CHECK_EQ(blocks, before);
	check_numbered(80);
}

/*
 * The card sends all that it has while the driver passes a fence, any one of them, and decides
 * about the interrupt by what it could see before that fence's stores. Nothing comes to its aid
 * later: who is on duty has to look once more when it has asked. What waits goes on, and who waits
 * hears of it.
 */
static struct {
	int at; /* the fence, counted down to 0 */
	bool inside;
	uint16_t event, flags; /* of the driver, as they were seen at the last fence */
} fence;

static void send_unseen(struct sim_queue *s)
{
	irq_handler_fn *handler = s->handler;
	uint16_t before = s->used;

	fence.inside = true;
	sim.hold = false;
	s->handler = NULL;
	sim_transmit(s);
	s->handler = handler;
	if (s->q->event_idx ? (uint16_t)(s->used - fence.event - 1) < (uint16_t)(s->used - before)
			    : !fence.flags && s->used != before)
		handler(s->arg);
	fence.inside = false;
}

void at_fence(void)
{
	struct sim_queue *s = &sim.queue[1];

	if (fence.inside || !s->q)
		return;
	if (fence.at && --fence.at == 0)
		send_unseen(s);
	fence.event = load_relaxed(&s->q->avail->ring[s->q->size]);
	fence.flags = load_relaxed(&s->q->avail->flags);
}

static void send_at_each_fence(uint64_t offered, unsigned count, uint32_t waiters)
{
	bool reached = true;

	for (int at = 1; reached && at < 100; at++) {
		long before;

		begin(offered, 1, 1);
		before = blocks;
		sim.hold = true;
		send_numbered(0, count - 20, false);
		fence.at = at;
		send_numbered(count - 20, count, false);
		netdev_waiters = waiters;
		if (waiters)
			card->hurry(card);
		run();
		reached = fence.at == 0;
		fence.at = 0;
		if (!reached)
			release();
		check_numbered(count);
		if (waiters)
			CHECK_EQ(blocks, before);
		netdev_waiters = 0;
	}
	CHECK(!reached);
}
TEST(a_card_that_sends_while_it_is_asked_for_interrupts)
{
	send_at_each_fence(
		ALL, 257, 0); /* the last one is the first that waits: nobody is behind */
	send_at_each_fence(ALL & ~VIRTIO_F_EVENT_IDX, 257, 0);
	send_at_each_fence(ALL, 270, 1);
	send_at_each_fence(ALL, 40, 1);
	send_at_each_fence(ALL & ~VIRTIO_F_EVENT_IDX, 40, 1);
}

TEST(a_card_that_breaks_keeps_only_what_it_has)
{
	struct sim_queue *s = &sim.queue[1];
	long before;

	begin(ALL, 1, 1);
	sim.hold = true;
	before = blocks;
	send_numbered(0, 400, false);
	s->q->used->ring[s->used & 255] = (struct vring_used_elem){ 1000, 0 };
	store_release(&s->q->used->idx, ++s->used);
	pass(NSEC_PER_SEC);
	CHECK(s->q->broken);
	CHECK_EQ(blocks, before + 256); /* it may still read them */
	CHECK_EQ(netdev_stats(card).tx_dropped, 400 - 256);
	CHECK_EQ(card->send(card, frame_of(60, 1)), 0);
	CHECK_EQ(blocks, before + 256);
}

/* --- Receiving --- */

static uint8_t wire[70000];

TEST(packets_say_where_they_came_from)
{
	begin(ALL, 3, 3);
	for (unsigned pair = 0; pair < 3; pair++) {
		uint16_t before = sim.queue[2 * pair].used;

		REQUIRE(sim_receive(pair, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
		sim_kick(pair, before);
		run();
		REQUIRE(received);
		CHECK_EQ(received->queue, 1 + pair);
		CHECK_EQ(received->len, 60);
		drop_received();
	}
	CHECK_EQ(netdev_stats(card).rx_packets, 3);
	CHECK_EQ(netdev_stats(card).rx_bytes, 180);
}

TEST(what_the_card_tells_of_a_packet)
{
	static const struct {
		uint8_t on_the_wire, kind;
	} gso[] = { { 0, PACKET_GSO_NONE }, { 1, PACKET_GSO_TCP4 }, { 0x81, PACKET_GSO_TCP4 },
		{ 4, PACKET_GSO_TCP6 }, { 3, PACKET_GSO_UDP }, { 5, PACKET_GSO_UDP_L4 },
		{ 77, PACKET_GSO_NONE }, { 1, PACKET_GSO_NONE } };

	begin(ALL, 1, 1);
	for (unsigned i = 0; i < 8; i++) {
		struct virtio_net_hdr h = { .flags = i & 1 ? VIRTIO_NET_HDR_F_DATA_VALID : 0,
			.gso_type = gso[i].on_the_wire,
			.gso_size = i < 7 ? 1400 : 0, /* no size: then it is no such packet */
			.hdr_len = 54 };
		uint16_t before = sim.queue[0].used;
		uint32_t total = 0;

		for (unsigned k = 0; k < 9000; k++)
			wire[k] = (uint8_t)(k * 7);
		REQUIRE(sim_receive(0, h, wire, 9000, -1));
		sim_kick(0, before);
		run();
		REQUIRE(received && !received->next);
		CHECK_EQ(received->gso_type, gso[i].kind);
		CHECK_EQ(received->csum_flags, i & 1 ? PACKET_CSUM_VALID : PACKET_CSUM_NONE);
		for (struct packet *f = received; f; f = f == received ? received->frags : f->next)
			for (uint32_t k = 0; k < f->len; k++, total++)
				REQUIRE(f->data[k] == (uint8_t)(total * 7));
		CHECK_EQ(total, 9000);
		drop_received();
	}
}

/* A packet of so many bytes comes and is right; in how many buffers. */
static unsigned buffers_of(uint32_t len, bool small)
{
	uint16_t before = sim.queue[0].used;
	unsigned n = 0;
	uint32_t total = 0;

	for (uint32_t k = 0; k < len; k++)
		wire[k] = (uint8_t)(k * 7 + len);
	if (!sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, len, -1))
		return 0;
	sim_kick(0, before);
	run();
	for (struct packet *f = received; f; f = f == received ? received->frags : f->next, n++) {
		if (small)
			CHECK((size_t)(f->end - (uint8_t *)f) <= 2048);
		for (uint32_t k = 0; k < f->len; k++, total++)
			if (f->data[k] != (uint8_t)(total * 7 + len))
				return 0;
	}
	drop_received();
	return total == len ? n : 0;
}

TEST(buffers_follow_what_arrives)
{
	struct virtio_net_rx *r = &begin(ALL, 1, 1)->pair[0]->rx;
	long before = blocks;

	CHECK_EQ(buffers_of(65000, true), 35);
	for (unsigned i = 0; i < 40; i++)
		CHECK(buffers_of(65000, false) > 0);
	CHECK_EQ(buffers_of(65000, false), 5);
	CHECK_EQ(r->queue->in_flight, 32);
	/* A small packet never keeps a large buffer, and the device gets that back or what fits. */
	for (unsigned i = 0; i < 300; i++) {
		CHECK_EQ(buffers_of(20 + i * 5, true), 1);
		CHECK_EQ(r->posted, 256 * 2048);
	}
	CHECK_EQ(r->queue->in_flight, 256);
	CHECK_EQ(blocks, before);
	CHECK_EQ(buffers_of(65000, true), 35);
}

TEST(the_least_ring_holds_the_largest_packet)
{
	ram_pages = (1 << 20) / PAGE_SIZE;
	begin(ALL, 16, 16);
	ram_pages = 65536;
	CHECK_EQ(buffers_of(65535 + 14, true), 35);
}

/* Interrupts: one for the first packet, none while there is work, whatever comes meanwhile. */
static unsigned more_to_come;
static void flooding_batch(struct netdev *d, struct packet *batch)
{
	uint16_t before = sim.queue[0].used;

	packet_free_list(batch);
	batches++;
	for (unsigned i = 0; i < 100 && more_to_come; i++)
		if (sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, -1))
			more_to_come--;
	sim_kick(0, before);
}
static void flood(uint64_t offered)
{
	begin(offered, 1, 1);
	card->rx = flooding_batch;
	for (unsigned round = 1; round <= 3; round++) {
		uint16_t before = sim.queue[0].used;

		more_to_come = 60000; /* together past the end of the ring's numbers */
		REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
		sim_kick(0, before);
		run();
		CHECK_EQ(more_to_come, 0);
		CHECK_EQ(sim.queue[0].interrupts, round);
	}
	CHECK_EQ(netdev_stats(card).rx_packets, 180003);
}
TEST(no_interrupts_while_there_is_work)
{
	flood(ALL);
	flood(ALL & ~VIRTIO_F_EVENT_IDX);
}

TEST(a_shared_interrupt_wakes_only_who_has_work)
{
	struct virtio_net *n = begin(ALL, 2, 2);

	REQUIRE(sim_receive(1, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
	for (unsigned i = 0; i < 2; i++)
		sim.queue[2 * i].handler(sim.queue[2 * i].arg);
	CHECK(!((struct co *)n->pair[0]->rx.thread)->awake);
	CHECK(((struct co *)n->pair[1]->rx.thread)->awake);
	run();
	CHECK(received != NULL);
	drop_received();
}

/* --- A device that lies --- */

TEST(lies_about_one_packet)
{
	static const int promised[] = { 0, 2, 300, 65535 };

	for (unsigned i = 0; i < 4; i++) {
		struct virtio_net *n = begin(ALL, 1, 1);
		uint16_t before = sim.queue[0].used;

		REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, promised[i]));
		if (promised[i] != 2) /* else the next one is taken for a part of it */
			REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 61, -1));
		sim_kick(0, before);
		run();
		CHECK_EQ(received ? received->len : 0, promised[i] == 2 ? 0 : 61);
		drop_received();
		CHECK_EQ(netdev_stats(card).rx_dropped, 1);
		CHECK_EQ(n->pair[0]->rx.queue->in_flight, 256); /* and on it goes */
		before = sim.queue[0].used;
		REQUIRE(sim_receive(0, (struct virtio_net_hdr){ 0 }, wire, 60, -1));
		sim_kick(0, before);
		run();
		CHECK(received != NULL);
		drop_received();
	}
	begin(ALL, 1, 1); /* too short for a frame; longer than the buffer */
	for (unsigned i = 0; i < 2; i++) {
		uint16_t head, before = sim.queue[0].used;

		REQUIRE(sim_next(&sim.queue[0], &head));
		memset(phys_to_virt(PADDR(sim.queue[0].q->desc[head].addr)), 0, 12);
		((uint8_t *)phys_to_virt(PADDR(sim.queue[0].q->desc[head].addr)))[10] = 1;
		sim_use(&sim.queue[0], head, i ? 0xffffffff : 25);
		sim_kick(0, before);
		run();
		CHECK(!received == !i);
	}
	REQUIRE(received);
	CHECK(received->data + received->len <= received->end);
	drop_received();
}

TEST(lies_at_random)
{
	for (int round = 0; round < 300; round++) {
		struct virtio_net *n;
		long made;

		prepare(ALL | (round & 1 ? VIRTIO_NET_F_RSS : 0), 3, 3);
		sim.refuse = (unsigned)t_random(&seed) % 4;
		n = start();
		made = blocks;
		for (int step = 0; step < 60; step++) {
			unsigned long r = t_random(&seed);
			struct sim_queue *s = &sim.queue[r % 7];
			struct virtio_net_hdr h;

			for (unsigned k = 0; k < 12; k++)
				((uint8_t *)&h)[k] = (uint8_t)t_random(&seed);
			switch (r / 7 % 8) {
			case 0: /* an entry, and perhaps the index, out of thin air */
				s->q->used->ring[r / 64 % s->q->size] =
					(struct vring_used_elem){ (uint32_t)(t_random(&seed) % 300),
						(uint32_t)t_random(&seed) };
				s->q->used->idx += (uint16_t)(r / 16384 % 3);
				break;
			case 1: s->q->used->idx = (uint16_t)t_random(&seed); break;
			case 2:
				((uint16_t *)&s->q->used->ring[s->q->size])[0] =
					(uint16_t)t_random(&seed);
				break;
			case 3: sim.config[r / 64 % 32] = (uint8_t)t_random(&seed); break;
			case 4:
				host_cpu_id = r / 64 % 3;
				card->send(card, frame_of(60, 1));
				break;
			default:
				if (!n->pair[r % 3]->rx.queue->broken)
					sim_receive(r % 3, h, wire, 60 + r / 64 % 4000,
						r / 1024 % 2 ? -1 : (int)(r / 2048 % 5));
			}
			if (s->handler)
				s->handler(s->arg);
			run();
			drop_received();
		}
		CHECK(blocks <= made + 3 * 256 + 100);
	}
}
