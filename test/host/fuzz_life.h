/* SPDX-License-Identifier: BSD-2-Clause */
/* One life of net_fuzz_test's machine: how it starts, a step of it, what must be true at its end.
 */
#ifndef TEST_HOST_FUZZ_LIFE_H
#define TEST_HOST_FUZZ_LIFE_H

#include "fuzz_apps.h"
#include "drivers/virtio_net.h"
#include "net/config.h"
#include "net/dgram.h"

static struct net_state machine;
static struct netdev *eth;

/* What only virtio_probe, for other kinds of devices, would call. */
int virtio_console_probe(struct virtio_device *dev)
{
	return -ENODEV;
}
int virtio_rng_probe(struct virtio_device *dev)
{
	return -ENODEV;
}

/* ---- a life ---- */

static uint64_t some_features(void)
{
	static const uint64_t all[] = { VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM,
		VIRTIO_NET_F_MTU, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
		VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_MRG_RXBUF,
		VIRTIO_NET_F_STATUS, VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_GUEST_USO4,
		VIRTIO_NET_F_GUEST_USO6, VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC,
		VIRTIO_NET_F_CTRL_VQ, VIRTIO_NET_F_MQ, VIRTIO_NET_F_RSS };
	uint64_t f = VIRTIO_NET_F_MAC;

	for (unsigned k = 0; k < ARRAY_SIZE(all); k++)
		f |= rnd(3) ? all[k] : 0;
	if (!(f & VIRTIO_NET_F_CSUM)) /* 5.1.3.1: what needs what */
		f &= ~(VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_USO);
	if (!(f & VIRTIO_NET_F_GUEST_CSUM))
		f &= ~(VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_USO4 |
			VIRTIO_NET_F_GUEST_USO6);
	return f;
}

static void boot(bool dhcp)
{
	host_net = &machine;
	fuzz_cpus = cpu_online_count = PICK(1, 1, 2, 3, 4);
	net_init();
	CHECK_EQ(card_plug(rnd(3) == 0, some_features(), PICK(64, 256, 256, 512),
			 PICK(1500, 1500, 1280, 9000)),
		0);
	eth = netdev_first()->next;
	BUG_ON(!eth);
	card.silent = chance(200) ? PICK(300, 1000) : 0;
	eth->all_cpus(eth);
	me_link = fuzz_ip("fe80::ff:fe00:1");
	me_global = fuzz_ip("2001:db8::ff:fe00:1");
	card_sends = peer_hears;
	if (dhcp) {
		dhcp_start(eth, 0);
	} else {
		netif_add_address(eth, ME4, 24);
		route_add(0, 0, IP4(10, 0, 0, 2), eth, 0, 3);
	}
	nd_start(eth, true);
	fuzz_live(rnd(4) ? 3 * NSEC_PER_SEC : 0);
}

/* How bad this life is. */
static void choose_fate(void)
{
	wire_spoils = PICK(0, 50, 200, 400, 800);
	wire_fragments = PICK(0, 30, 30, 300);
	wire_options = PICK(0, 40, 40, 400);
	peer_silent = PICK(0, 50, 200);
	peer_errors = PICK(0, 0, 10, 100);
	card.lies = chance(250) ? PICK(1, 5, 50) : 0;
	card.header_lies = chance(300) ? PICK(10, 100, 500) : 0;
	card.lazy = chance(300) ? 500 : 0;
	fuzz_no_memory = chance(250) ? PICK(2, 20, 100) : 0;
	app_spoils = chance(300) ? PICK(10, 200) : 0;
	if (chance(150)) /* as if little memory were left */
		machine.tcp_bytes_max = PICK(0, 10000, 200000);
}
static void have_peace(void)
{
	wire_spoils = wire_fragments = wire_options = peer_silent = peer_errors = 0;
	card.lies = card.header_lies = card.lazy = card.silent = 0;
	fuzz_no_memory = 0;
}

static void check_tcp(const struct tcp_sock *t)
{
	env_check_tcp(t);
	if (atomic_load(&t_failures))
		fprintf(stderr, "state %u copied %u rcv_nxt %u rcv_adv %u una %u nxt %u write %u\n",
			t->state, t->copied_seq - t->irs, t->rcv_nxt - t->irs, t->rcv_adv - t->irs,
			t->snd_una - t->iss, t->snd_nxt - t->iss, t->write_seq - t->iss);
}
static void check_sockets(void)
{
	for (unsigned k = 0; k < FILES; k++) {
		struct socket *s = files[k] ? files[k]->private : NULL;

		if (s && s->protocol == IPPROTO_TCP && s->type == SOCK_STREAM)
			check_tcp(tcp_sk(s));
	}
}

static void one_step(void)
{
	switch (rnd(10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		for (unsigned k = 1 + rnd(6); k && peer_speaks(); k--)
			;
		break;
	case 4:
	case 5: peer_moves(); break;
	case 6:
	case 7:
		host_cpu_id = rnd(fuzz_cpus);
		app_moves();
		break;
	case 8:
		fuzz_live(chance(900) ? rnd(50) * NSEC_PER_MSEC
				      : PICK(1, 1, 3, 10, 60, 700) * NSEC_PER_SEC);
		break;
	case 9:
		if (chance(card.lies * 10))
			card_mischief();
		card_works();
		break;
	}
	fuzz_run_threads();
	net_thread_work();
	check_sockets();
}

/* ---- the end ---- */

/* Sent for another one, whose owner may be p: a fragment, for its datagram's socket. */
static bool is_sent_for(const struct packet *f, void *p)
{
	struct packet kept;

	packet_keep(&kept, NULL);
	return f->free == kept.free && ((struct packet *)f->owner)->owner == p;
}
static bool is_of_packet(const struct packet *head, void *p)
{
	for (const struct packet *f = head; f; f = f == head ? f->frags : f->next)
		if (f == p || f->owner == p || is_sent_for(f, p))
			return true;
	return false;
}
static bool is_posted(void *p)
{
	for (unsigned k = 0; k < CARD_CONTROL; k++) {
		struct virtqueue *q = card.queue[k].q;

		for (unsigned i = 0; q && i < q->size; i++)
			if (p == q->slots[i].indirect || is_of_packet(q->slots[i].token, p))
				return true;
	}
	return false;
}
/* A card that has lied may have filled its ring with what it never says to be sent: packets wait
 * for room. */
static bool is_waiting(void *p)
{
	const struct virtio_net *n = eth->driver;

	for (unsigned k = 0; k < n->made; k++)
		for (struct mpsc_node *at = n->pair[k]->tx.first;
			at && card.queue[VIRTIO_NET_QUEUE_TX(k)].lied; at = at->next)
			if (is_of_packet(container_of((void *)at, struct packet, cb), p))
				return true;
	return false;
}
/* A card that has lied may never give back what it was told to send; if that is the program's own
 * memory (MSG_ZEROCOPY), its socket waits for it. */
static bool card_keeps_lent(void)
{
	for (unsigned k = 1; k < CARD_CONTROL; k += 2) {
		struct virtqueue *q = card.queue[k].q;

		for (unsigned i = 0; q && card.queue[k].lied && i < q->size; i++) {
			struct packet *head = q->slots[i].token;

			if (head && head->lent)
				return true;
		}
	}
	return false;
}
/* What the machine itself keeps: DHCP's clients and their sockets, the configuration. */
static bool is_kept(void *p)
{
	if (p == machine.config)
		return true;
	for (unsigned k = 0; k < fuzz_thread_count; k++)
		if (p == fuzz_threads[k].arg)
			return true;
	for (unsigned k = 0; k < BIND_BUCKETS; k++) {
		struct inet_sock *i;

		list_for_each_entry (i, &machine.udp_bind[k].head, bind_link) {
			dgram_purge(dgram_sk(&i->s));
			if (p == dgram_sk(&i->s) || p == i->groups || p == i->flow)
				return true;
		}
	}
	return false;
}
static void check_empty(const struct flow_table *t, const char *what)
{
	for (uint32_t c = 0; c <= t->mask; c++)
		for (struct flow *f = t->chain[c]; f; f = f->next)
			T_FAIL("a %s is left, in state %u", what, tcp_sk(f->s)->state);
}
static void check_nothing_left(const struct fuzz_block *before)
{
	for (enum names_source from = NAMES_DHCP; from <= NAMES_DHCP6; from++)
		net_publish_names(eth, from, NULL);
	for (unsigned k = 0; k < BIND_BUCKETS; k++) {
		struct inet_sock *i;

		list_for_each_entry (i, &machine.udp_bind[k].head, bind_link) {
			CHECK(i->lport == 68 || i->lport == 546);
			dgram_purge(dgram_sk(&i->s));
		}
		CHECK(list_empty(&machine.tcp_bind[k].head));
	}
	check_empty(&machine.tcp_conn, "connection");
	check_empty(&machine.tcp_listen, "listener");
	check_empty(&machine.raw_flows, "raw socket");
	check_empty(&machine.ping_flows, "ping socket");
	CHECK(list_empty(&machine.raw.head));
	CHECK_EQ(machine.tcp_time_wait, 0);
	CHECK_EQ(machine.tcp_bytes, 0);
	CHECK_EQ(machine.frag_bytes, 0);
	CHECK(!machine.lo_queue && !machine.graveyard);
	for (unsigned k = 0; k < NEIGH_COUNT; k++)
		pkt_free_list(machine.neigh[k].pending);
	for (unsigned k = 0; k < FUZZ_BLOCKS; k++) {
		const struct fuzz_block *b = &fuzz_blocks[k];

		if ((uintptr_t)b->at <= 1 || is_posted(b->at) || is_waiting(b->at) ||
			is_kept(b->at))
			continue;
		bool old = false;

		for (unsigned i = 0; before[i].at && !old; i++)
			old = before[i].at == b->at;
		if (!old && !card_keeps_lent())
			T_FAIL("left: %zu bytes taken at main + %#lx", b->size,
				(unsigned long)((char *)b->who - (char *)main));
	}
}

/* A stranger comes, says something and hears it back. */
static void check_handshake(void)
{
	uint32_t me = net_addr4(eth);
	struct talk *f;
	struct file *l, *c = NULL;
	char buf[100];
	ssize_t n = 0;

	if (me != ME4 || card_lied())
		return;
	l = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(env_bind(l, 0, 7), 0);
	CHECK_EQ(socket_listen(l, 5), 0);
	waiting_count = 0;
	memset(flows, 0, sizeof(flows));
	f = flow_find(ip_map(IP4(10, 0, 0, 5)), 777, ip_map(me), 7, true);
	flow_send(f, TCP_SYN, 0);
	for (unsigned k = 0; k < 400 && n <= 0; k++) {
		while (peer_speaks())
			fuzz_run_threads();
		card_works();
		fuzz_live(20 * NSEC_PER_MSEC);
		if (f->up && f->una == f->seq && k > 5)
			flow_send(f, TCP_ACK | TCP_PSH, 50);
		if (!c) {
			c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
			c = IS_ERR(c) ? NULL : c;
		}
		n = c ? env_read(c, buf, sizeof(buf), MSG_DONTWAIT) : 0;
	}
	CHECK(c != NULL);
	CHECK(n > 0);
	if (c) {
		CHECK_EQ(env_write(c, buf, 20, MSG_DONTWAIT), 20);
		file_put(c);
	}
	file_put(l);
}

static void settle(void)
{
	have_peace();
	app_closes_all();
	for (unsigned k = 0; k < 3; k++) {
		waiting_count = 0;
		fuzz_live(1200 * NSEC_PER_SEC);
		card_works();
		net_thread_work();
	}
	for (unsigned k = 0; k < 20; k++) { /* until nothing waits for room any more */
		card_works();
		fuzz_live(NSEC_PER_SEC);
	}
}

#define BYTES_MOST (40u << 20) /* no seed may make the machine hold more */

static void live_once(unsigned long seed)
{
	static struct fuzz_block before[FUZZ_BLOCKS];
	unsigned count = 0;

	fuzz_seed = seed * 0x9e3779b97f4a7c15ul + 1;
	env_seed = fuzz_seed ^ 0x5555;
	for (unsigned k = 0; k < 8; k++)
		rnd(2);
	boot(rnd(4) == 0);
	for (unsigned k = 0; k < FUZZ_BLOCKS; k++)
		if ((uintptr_t)fuzz_blocks[k].at > 1 && !is_posted(fuzz_blocks[k].at))
			before[count++] = fuzz_blocks[k];
	choose_fate();
	for (unsigned k = 100 + rnd(rnd(4) ? 800 : 4000); k && !atomic_load(&t_failures); k--) {
		one_step();
		if (fuzz_script && fuzz_script == fuzz_script_end)
			break;
	}
	settle();
	check_nothing_left(before);
	CHECK(fuzz_bytes_most < BYTES_MOST);
	check_handshake();
}
#endif
