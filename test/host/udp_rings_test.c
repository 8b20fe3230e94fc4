/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets by reference through the whole stack: a frame comes, its own buffer goes out again. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "ip6_peer.h"
#include "net/rings.h"

#define CARD_ROOM 12 /* what a card needs in front of a frame */

static uint8_t frame[70000];
static struct skiff_rings *r;

/* Frames that went to the card, and the buffers that they were in. */
static struct {
	const uint8_t *head;
	uint32_t len;
	size_t before;
	uint8_t bytes[1600];
} went[64];
static unsigned went_count, batches;
static bool in_batch;
static void (*on_send)(void);

static int card_send(struct netdev *dev, struct packet *p)
{
	CHECK(!in_batch || p->queue == 7);
	csum_finish(p);
	CHECK(!p->frags && p->len <= sizeof(went[0].bytes));
	if (went_count < 64) {
		went[went_count].head = p->head;
		went[went_count].len = p->len;
		went[went_count].before = (size_t)(p->data - p->head);
		memcpy(went[went_count++].bytes, p->data, p->len);
	}
	packet_free(p);
	if (on_send)
		on_send();
	return 0;
}
static void card_begin(struct netdev *dev, struct netdev_batch *b)
{
	CHECK(!in_batch);
	batches++;
	in_batch = true;
	*b = (struct netdev_batch){ .queue = 7, .device = dev };
}
static void card_end(struct netdev *dev, struct netdev_batch *b)
{
	CHECK(in_batch && b->device == dev);
	in_batch = false;
}

/* As a card hands it up: room in front for its header, and the rest of 1900 bytes behind. */
static const uint8_t *from_card(const void *f, size_t n)
{
	struct packet *p = packet_alloc(CARD_ROOM, 1900);
	const uint8_t *head;

	if (!p)
		return NULL;
	head = p->head;
	memcpy(packet_put(p, n), f, n);
	me.eth.rx(&me.eth, p);
	return head;
}

static size_t put_udp(uint16_t sport, uint16_t dport, const void *text, size_t n)
{
	return put_udp_frame(frame, sport, dport, text, n);
}
static size_t put_udp6(uint16_t sport, uint16_t dport, const void *text, size_t n)
{
	size_t at = put_ip6(frame, IPPROTO_UDP, 8 + n, a6(PEER_LL), a6(ME_LL), 64);
	struct udp_header *h = (struct udp_header *)(frame + at);

	*h = (struct udp_header){ be16(sport), be16(dport), be16((uint16_t)(8 + n)), 0 };
	memcpy(h + 1, text, n);
	set_sum6(frame + at, 8 + n, 6, IPPROTO_UDP, a6(PEER_LL), a6(ME_LL));
	return at + 8 + n;
}

static struct file *start(int family, unsigned entries)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = be16(53) };
	struct file *f;

	if (family == AF_INET6)
		global_setup();
	else
		peer_setup();
	me.eth.send = card_send;
	me.eth.batch_begin = card_begin;
	me.eth.batch_end = card_end;
	went_count = batches = 0;
	f = socket_create(family, SOCK_DGRAM, 0);
	if (family == AF_INET6) {
		struct sockaddr_storage a = { 0 };

		memcpy(&a, &any, sizeof(any));
		CHECK_EQ(socket_bind(f, &a, sizeof(any), NULL), 0);
	} else {
		CHECK_EQ(env_bind(f, 0, 53), 0);
	}
	CHECK_EQ(socket_rings_open(f, entries, &r), 0);
	return f;
}
static void finish(struct file *f)
{
	file_put(f);
	peer_teardown();
}

static struct skiff_packet *next_packet(void)
{
	uint32_t head = r->packets_head;

	if (head == r->packets_tail)
		return NULL;
	r->packets_head++;
	return &r->packets[head & (r->entries - 1)];
}
static struct skiff_order *put(uint16_t kind, uint64_t handle, uint32_t length)
{
	struct skiff_order *o = &r->orders[r->orders_tail++ & (r->order_entries - 1)];

	*o = (struct skiff_order){ .handle = handle, .kind = kind, .length = length };
	return o;
}

/* The frame is what a peer accepts: addresses turned round, both checksums. */
static void check_answer(unsigned k, const char *text, uint16_t sport, uint16_t dport)
{
	const uint8_t *f = went[k].bytes;
	size_t n = strlen(text);

	REQUIRE(k < went_count);
	CHECK_EQ(went[k].len, 42 + n);
	CHECK_MEM(f, peer_mac, 6);
	CHECK_MEM(f + 6, me.eth.mac, 6);
	CHECK_EQ(get_be16(f + 12), ETH_IPV4);
	CHECK_EQ(csum_fold(csum_add(0, f + 14, 20)), 0);
	CHECK_EQ(get_be16(f + 16), 28 + n);
	CHECK_EQ(get_be32(f + 26), be32(ME));
	CHECK_EQ(get_be32(f + 30), be32(PEER));
	CHECK_EQ(get_be16(f + 34), sport);
	CHECK_EQ(get_be16(f + 36), dport);
	CHECK_EQ(csum_fold(csum_add(
			 csum_pseudo(ME, PEER, IPPROTO_UDP, (uint32_t)(8 + n)), f + 34, 8 + n)),
		0);
	CHECK_MEM(f + 42, text, n);
}

TEST(answered_in_the_same_buffer)
{
	struct file *f = start(AF_INET, 16);
	struct skiff_packet *p;
	const uint8_t *head = from_card(frame, put_udp(999, 53, "question", 8));

	p = next_packet();
	REQUIRE(p);
	CHECK_EQ(p->length, 8);
	CHECK_MEM(p->data, "question", 8);
	CHECK(p->data == head + CARD_ROOM + 42); /* where the card put it */
	CHECK(p->room >= SKIFF_PACKET_ROOM);
	CHECK_EQ(p->peer_port, 999);
	CHECK_EQ(p->flags, 0);
	CHECK(ip_equal(ip_from_bytes(p->peer), ip_map(PEER)));
	CHECK(ip_equal(ip_from_bytes(p->local), ip_map(ME)));
	memcpy(p->data, "the answer", 10);
	put(SKIFF_ORDER_REPLY, p->handle, 10);
	CHECK_EQ(socket_rings_run(f, 0), 0);
	check_answer(0, "the answer", 53, 999);
	CHECK(went[0].head == head);
	CHECK_EQ(went[0].before, CARD_ROOM);
	CHECK_EQ(r->copied, 0);
	finish(f);
}
TEST(ipv6_in_the_same_buffer)
{
	struct file *f = start(AF_INET6, 16);
	struct skiff_packet *p;
	const uint8_t *head;

	neighbour_asks(PEER_LL, ME_LL, ME_LL, true); /* tells its address */
	went_count = 0;
	head = from_card(frame, put_udp6(999, 53, "question", 8));
	p = next_packet();
	REQUIRE(p);
	CHECK(p->data == head + CARD_ROOM + 62);
	CHECK(ip_equal(ip_from_bytes(p->peer), a6(PEER_LL)));
	memcpy(p->data, "answer", 6);
	put(SKIFF_ORDER_REPLY, p->handle, 6);
	CHECK_EQ(socket_rings_run(f, 0), 0);
	for (unsigned k = 0; k < went_count; k++) /* among neighbour discovery's */
		if (went[k].head == head) {
			const uint8_t *b = went[k].bytes;

			CHECK_EQ(went[k].len, 62 + 6);
			CHECK_EQ(csum_fold(csum_add(
					 csum_pseudo6(a6(ME_LL), a6(PEER_LL), IPPROTO_UDP, 14),
					 b + 54, 14)),
				0);
			CHECK_MEM(b + 62, "answer", 6);
			head = NULL;
		}
	CHECK(!head);
	finish(f);
}
/* One batch for the card, however many there are. */
TEST(a_batch_is_one)
{
	struct file *f = start(AF_INET, 64);
	struct skiff_packet *p;
	unsigned n = 0;

	for (unsigned i = 0; i < 40; i++)
		from_card(frame, put_udp((uint16_t)(1000 + i), 53, "question", 8));
	while ((p = next_packet())) {
		memcpy(p->data, "reply", 5);
		put(n % 4 == 3 ? SKIFF_ORDER_FREE : SKIFF_ORDER_REPLY, p->handle, 5);
		n++;
	}
	CHECK_EQ(n, 40);
	CHECK_EQ(socket_rings_run(f, 0), 0);
	CHECK_EQ(went_count, 30);
	CHECK_EQ(batches, 1);
	CHECK(!in_batch);
	check_answer(29, "reply", 53, 1038);
	finish(f);
}
/* What came before there were rings, and what waits in the channel meanwhile. */
TEST(nothing_is_left_behind)
{
	struct file *f;
	struct skiff_packet *p;

	peer_setup();
	me.eth.send = card_send;
	f = socket_create(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(env_bind(f, 0, 53), 0);
	from_card(frame, put_udp(999, 53, "one", 3));
	mutex_lock(&file_socket(f)->lock); /* somebody is in a call */
	from_card(frame, put_udp(999, 53, "two", 3));
	mutex_unlock(&file_socket(f)->lock);
	CHECK_EQ(socket_rings_open(f, 16, &r), 0);
	from_card(frame, put_udp(999, 53, "three", 5));
	CHECK_EQ(socket_rings_run(f, 0), 3);
	p = next_packet();
	CHECK_MEM(p->data, "one", 3);
	p = next_packet();
	CHECK_MEM(p->data, "two", 3);
	p = next_packet();
	CHECK_MEM(p->data, "three", 5);
	CHECK_EQ(env_read(f, frame, 10, 0), -EINVAL);
	finish(f);
}
/* What happens while a batch is worked off, between two packets of one flow. */
static struct file *at_hand;
static void connects(void)
{
	CHECK_EQ(env_dial(at_hand, PEER, 5), 0);
}
static void leaves_the_link(void)
{
	CHECK_EQ(socket_setopt_common(file_socket(at_hand), SO_BINDTODEVICE, "lo", 3), 0);
}
static void closes(void)
{
	file_put(at_hand);
}
static void nothing(void)
{
}
static void (*meanwhile)(void);
static void packet_between(struct packet *p)
{
	meanwhile();
	heap_free(p);
}

/* Who got the flow's last packet gets the next one, unless it would not be found any more. */
TEST(looked_up_anew_when_sockets_change)
{
	static void (*const changes[])(void) = { nothing, connects, leaves_the_link, closes };

	for (unsigned k = 0; k < ARRAY_SIZE(changes); k++) {
		struct file *f = start(AF_INET, 16);
		struct packet *batch = NULL, **tail = &batch;

		at_hand = f;
		meanwhile = changes[k];
		for (unsigned i = 0; i < 3; i++) {
			size_t n = put_udp(999, 53, "question", 4 + 2 * i);
			struct packet *p = packet_alloc(CARD_ROOM, 1900);

			memcpy(packet_put(p, n), frame, n);
			if (i == 1) {
				p->data[12] = 0x99; /* of no protocol */
				p->free = packet_between;
			}
			*tail = p;
			tail = &p->next;
		}
		me.eth.rx(&me.eth, batch);
		if (meanwhile == nothing) {
			CHECK_EQ(socket_rings_run(f, 0), 2);
			CHECK_EQ(went_count, 0);
		} else {
			REQUIRE(went_count == 1); /* nobody is there */
			CHECK_EQ(went[0].bytes[23], IPPROTO_ICMP);
			CHECK_EQ(went[0].bytes[34], ICMP_UNREACHABLE);
		}
		if (meanwhile == closes)
			peer_teardown();
		else
			finish(f);
	}
}

/* The network thread looks after what waits in a channel, not after rings. */
TEST(rings_need_no_clock)
{
	struct file *f;

	env_patience = NSEC_PER_MSEC;
	f = start(AF_INET, 16);
	env_patience = 0;
	from_card(frame, put_udp(999, 53, "one", 3));
	from_card(frame, put_udp(999, 53, "two", 3));
	CHECK(!file_socket(f)->channel.listed);
	CHECK(!me.net.left_timer.armed);
	CHECK_EQ(socket_rings_run(f, 0), 2);
	finish(f);
}
/* Pieces become one, in one copy that is counted. */
TEST(fragments_are_copied_once)
{
	struct file *f = start(AF_INET, 16);
	uint8_t whole[2500] = { 0 };
	struct udp_header *h = (struct udp_header *)whole;
	struct skiff_packet *p;

	*h = (struct udp_header){ be16(999), be16(53), be16(2500), 0 };
	for (size_t i = 8; i < 2500; i++)
		whole[i] = (uint8_t)(i * 7);
	for (size_t off = 0; off < 2500; off += 1000) {
		size_t n = MIN(2500 - off, (size_t)1000),
		       at = put_ip(frame, IPPROTO_UDP, n, PEER, ME);
		struct ip_header *ip = (struct ip_header *)(frame + 14);

		ip->id = be16(5);
		ip->frag = be16((uint16_t)(off / 8 | (off < 2000 ? IP_MF : 0)));
		ip->checksum = 0;
		ip->checksum = csum_fold(csum_add(0, ip, 20));
		memcpy(frame + at, whole + off, n);
		from_card(frame, at + n);
	}
	p = next_packet();
	REQUIRE(p);
	CHECK_EQ(p->length, 2492);
	CHECK_MEM(p->data, whole + 8, 2492);
	CHECK_EQ(p->flags, SKIFF_PACKET_COPIED);
	CHECK_EQ(r->copied, 1);
	put(SKIFF_ORDER_REPLY, p->handle, 2492); /* goes out in pieces, too */
	CHECK_EQ(socket_rings_run(f, 0), 0);
	CHECK_EQ(went_count, 2);
	finish(f);
}
/* Sent to many: answered from an address of ours. */
TEST(broadcast)
{
	struct file *f = start(AF_INET, 16);
	struct skiff_packet *p;
	size_t n = put_udp(999, 53, "who is there", 12);
	struct ip_header *ip = (struct ip_header *)(frame + 14);

	memset(frame, 0xff, 6);
	ip->dst = INADDR_BROADCAST;
	ip->checksum = 0;
	ip->checksum = csum_fold(csum_add(0, ip, 20));
	memset(frame + 34 + 6, 0, 2); /* no checksum */
	from_card(frame, n);
	p = next_packet();
	REQUIRE(p);
	CHECK_EQ(p->flags, SKIFF_PACKET_GROUP);
	memcpy(p->data, "me", 2);
	put(SKIFF_ORDER_REPLY, p->handle, 2);
	CHECK_EQ(socket_rings_run(f, 0), 0);
	check_answer(0, "me", 53, 999);
	finish(f);
}
TEST(where_orders_cannot_go)
{
	const struct {
		struct ip_addr to;
		uint16_t port;
		int err;
	} bad[] = {
		{ IP_ANY, 9, -EDESTADDRREQ },
		{ ip_map(IP4(10, 0, 0, 2)), 0, -EDESTADDRREQ },
		{ ip_map(IP4(224, 0, 0, 1)), 9, -EOPNOTSUPP },
		{ ip_map(IP4(10, 0, 0, 255)), 9, -EOPNOTSUPP },
		{ ip_map(IP4(99, 0, 0, 1)), 9, -ENETUNREACH },
		{ a6(PEER_GLOBAL), 9, -EAFNOSUPPORT },
		{ ip_map(IP4(10, 0, 0, 2)), 9, 0 },
	};
	struct file *f = start(AF_INET, 16);
	struct skiff_packet p[ARRAY_SIZE(bad)];
	struct skiff_order *o[ARRAY_SIZE(bad)];

	CHECK_EQ(socket_rings_alloc(f, p, ARRAY_SIZE(bad)), ARRAY_SIZE(bad));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		o[i] = put(SKIFF_ORDER_SEND, p[i].handle, 20);
		memcpy(o[i]->peer, bad[i].to.b, 16);
		o[i]->peer_port = bad[i].port;
	}
	CHECK_EQ(socket_rings_run(f, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(o[i]->result, bad[i].err);
	CHECK_EQ(went_count, 1);
	finish(f);
}
/* A route or an address that goes is noticed though the way was kept. */
TEST(ways_are_asked_anew)
{
	struct file *f = start(AF_INET, 16);
	struct skiff_order *o;

	for (int k = 0; k < 2; k++) {
		from_card(frame, put_udp(999, 53, "x", 1));
		o = put(SKIFF_ORDER_REPLY, next_packet()->handle, 1);
		CHECK_EQ(socket_rings_run(f, 0), 0);
		CHECK_EQ(o->result, 0);
	}
	from_card(frame, put_udp(999, 53, "x", 1));
	netif_remove_addresses(&me.eth);
	o = put(SKIFF_ORDER_REPLY, next_packet()->handle, 1);
	CHECK_EQ(socket_rings_run(f, 0), 0);
	CHECK_EQ(o->result, -ENETUNREACH);
	CHECK_EQ(went_count, 2);
	finish(f);
}
static void lose_addresses(void)
{
	netif_remove_addresses(&me.eth);
}
static void stop_sending(void)
{
	CHECK_EQ(socket_shutdown(at_hand, SHUT_WR), 0);
}
/* Also between two orders of one batch. */
TEST(ways_are_asked_anew_in_a_batch)
{
	static void (*const changes[])(void) = { lose_addresses, stop_sending };
	static const int errors[] = { -ENETUNREACH, -EPIPE };

	for (unsigned k = 0; k < ARRAY_SIZE(changes); k++) {
		struct file *f = start(AF_INET, 16);
		struct skiff_order *o[3];

		at_hand = f;
		CHECK_EQ(env_dial(f, PEER, 999), 0); /* shutdown(2) wants a peer */
		for (unsigned i = 0; i < 3; i++)
			from_card(frame, put_udp(999, 53, "x", 1));
		for (unsigned i = 0; i < 3; i++)
			o[i] = put(SKIFF_ORDER_REPLY, next_packet()->handle, 1);
		on_send = changes[k];
		CHECK_EQ(socket_rings_run(f, 0), 0);
		on_send = NULL;
		CHECK_EQ(went_count, 1);
		CHECK_EQ(o[0]->result, 0);
		CHECK_EQ(o[1]->result, errors[k]);
		CHECK_EQ(o[2]->result, errors[k]);
		finish(f);
	}
}
/* What differs from the order before is not taken from it. */
TEST(orders_of_all_kinds_in_a_batch)
{
	const uint32_t also_me = ME ^ be32(0x40);
	struct file *f = start(AF_INET, 16);
	struct skiff_packet got[4];
	struct skiff_order *o;

	netif_add_address(&me.eth, also_me, 24);
	for (unsigned i = 0; i < 4; i++) {
		size_t n = put_udp((uint16_t)(1000 + i), 53, "x", 1);
		struct ip_header *ip = (struct ip_header *)(frame + 14);

		if (i == 1 || i == 2) { /* to all, to another address */
			if (i == 1)
				memset(frame, 0xff, 6);
			ip->dst = i == 1 ? INADDR_BROADCAST : also_me;
			ip->checksum = 0;
			ip->checksum = csum_fold(csum_add(0, ip, 20));
			memset(frame + 34 + 6, 0, 2);
		}
		from_card(frame, n);
		got[i] = *next_packet();
	}
	for (unsigned i = 0; i < 4; i++) {
		memcpy(got[i].data, "answer", 6);
		o = put(i == 3 ? SKIFF_ORDER_SEND : SKIFF_ORDER_REPLY, got[i].handle, 6);
		memcpy(o->peer, got[i].peer, sizeof(o->peer));
		o->peer_port = 77;
	}
	CHECK_EQ(socket_rings_run(f, 0), 0);
	CHECK_EQ(went_count, 4);
	check_answer(0, "answer", 53, 1000);
	check_answer(1, "answer", 53, 1001);
	CHECK_MEM(went[2].bytes + 26, &also_me, 4);
	CHECK_MEM(went[2].bytes + 30, &(uint32_t){ PEER }, 4);
	CHECK_EQ(get_be16(went[2].bytes + 36), 1002);
	check_answer(3, "answer", 53, 77);
	finish(f);
}
static void use_once(struct file *f)
{
	struct skiff_packet p[4], *q;

	if (env_bind(f, 0, 53) || socket_rings_open(f, 8, &r))
		return;
	for (int i = 0; i < 12; i++)
		from_card(frame, put_udp(999, 53, "x", 1));
	q = next_packet();
	if (q)
		put(SKIFF_ORDER_REPLY, q->handle, 1);
	if (socket_rings_alloc(f, p, 4) > 0)
		put(SKIFF_ORDER_FREE, p[0].handle, 0);
	socket_rings_run(f, 0);
}
/* Closed with packets in the program's hands and in the rings; and every allocation failing once.
 */
TEST(closed_and_out_of_memory)
{
	peer_setup();
	me.eth.send = card_send;
	T_EACH_ALLOC_FAILS({
		struct file *f = socket_create(AF_INET, SOCK_DGRAM, 0);

		if (!IS_ERR(f)) {
			use_once(f);
			file_put(f);
		}
	});
	peer_teardown();
}
