/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 and its fragments, ICMP, UDP, ARP, and mutated frames into the whole stack. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "tcp_peer.h"

static uint8_t frame[70000], buf[70000];

static size_t put_udp(uint16_t sport, uint16_t dport, const void *text, size_t n)
{
	return put_udp_frame(frame, sport, dport, text, n);
}
static struct file *udp_at(uint16_t port)
{
	struct file *f = socket_create(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(env_bind(f, 0, port), 0);
	return f;
}

TEST(echo_is_answered)
{
	struct packet *p;

	peer_setup();
	size_t at = put_ip(frame, IPPROTO_ICMP, 60, PEER, ME);

	memset(frame + at, 7, 60);
	frame[at] = ICMP_ECHO;
	frame[at + 1] = 0;
	memset(frame + at + 2, 0, 2);
	uint16_t sum = csum_fold(csum_add(0, frame + at, 60));

	memcpy(frame + at + 2, &sum, 2);
	inject(frame, at + 60);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->data[34], ICMP_ECHO_REPLY);
	CHECK_MEM(p->data + 38, frame + at + 4, 56);
	CHECK_EQ(csum_fold(csum_add(0, p->data + 34, 60)), 0);
	packet_free(p);
	peer_teardown();
}
/* What the card said of the request (it joined TCP's segments) is not said of the reply. */
TEST(echo_reply_is_cut_whatever_the_card_said)
{
	size_t n = 2900, at;
	struct packet *p;

	peer_setup();
	at = put_ip(frame, IPPROTO_ICMP, n, PEER, ME);
	memset(frame + at, 7, n);
	frame[at] = ICMP_ECHO;
	frame[at + 1] = 0;
	memset(frame + at + 2, 0, 2);
	uint16_t sum = csum_fold(csum_add(0, frame + at, n));

	memcpy(frame + at + 2, &sum, 2);
	p = packet_alloc(0, at + n);
	memcpy(packet_put(p, at + n), frame, at + n);
	p->gso_type = PACKET_GSO_TCP4;
	p->gso_size = 1448;
	me.eth.rx(&me.eth, p);
	for (int k = 0; k < 2; k++) {
		p = out_next();
		REQUIRE(p);
		CHECK(p->len <= 1514);
		CHECK_EQ(get_be16(p->data + 20), k ? 185 : IP_MF);
		packet_free(p);
	}
	CHECK(!out_next());
	peer_teardown();
}
TEST(arp_request_is_answered)
{
	struct packet *p;
	uint8_t f[42];
	struct arp_packet *a = (struct arp_packet *)(f + 14);

	peer_setup();
	memset(f, 0xff, 6);
	memcpy(f + 6, peer_mac, 6);
	put_be16(f + 12, ETH_ARP);
	*a = (struct arp_packet){ be16(1), be16(ETH_IPV4), 6, 4, be16(ARP_REQUEST), { 0 }, PEER,
		{ 0 }, ME };
	memcpy(a->sha, peer_mac, 6);
	inject(f, sizeof(f));
	p = out_next();
	REQUIRE(p);
	a = (struct arp_packet *)(p->data + 14);
	CHECK_EQ(a->op, be16(ARP_REPLY));
	CHECK_EQ(a->spa, ME);
	CHECK_MEM(a->tha, peer_mac, 6);
	packet_free(p);
	peer_teardown();
}
TEST(unresolved_neighbour_is_reported)
{
	int on = 1;

	peer_setup();
	struct file *u = udp_at(0);

	CHECK_EQ(env_dial(u, IP4(10, 0, 0, 99), 9), 0);
	CHECK_EQ(env_write(u, "x", 1, 0), 1);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(env_read(u, buf, 10, MSG_DONTWAIT), -EAGAIN); /* it may be there again soon */
	CHECK_EQ(socket_setopt(u, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	CHECK_EQ(env_write(u, "x", 1, 0), 1);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(env_read(u, buf, 10, MSG_DONTWAIT), -EHOSTUNREACH);
	file_put(u);
	peer_teardown();
}
TEST(no_route)
{
	peer_setup();
	struct file *u = udp_at(0);

	CHECK_EQ(env_sendto(u, "x", 1, IP4(192, 0, 2, 1), 9), -ENETUNREACH);
	CHECK_EQ(env_sendto(u, "x", 1, IP4(10, 0, 0, 255), 9),
		-EACCES); /* broadcast not asked for */
	file_put(u);
	peer_teardown();
}
TEST(udp_receives_truncates_and_peeks)
{
	struct iter it;
	struct socket_message m = { .data = &it, .flags = MSG_PEEK | MSG_TRUNC };

	peer_setup();
	struct file *u = udp_at(53);

	inject(frame, put_udp(999, 53, "hello", 5));
	CHECK(env_poll(u) & POLLIN);
	iter_init_one(&it, buf, 3, false);
	CHECK_EQ(socket_recv(u, &m), 5);
	CHECK(m.flags & MSG_TRUNC);
	CHECK_EQ(((struct sockaddr_in *)&m.name)->sin_port, be16(999));
	CHECK_EQ(env_read(u, buf, 100, 0), 5);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	file_put(u);
	peer_teardown();
}
TEST(udp_bad_checksum_and_length_are_dropped)
{
	size_t n;

	peer_setup();
	struct file *u = udp_at(53);

	n = put_udp(999, 53, "hello", 5);
	frame[n - 1] ^= 1;
	inject(frame, n);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	n = put_udp(999, 53, "hello", 5);
	put_be16(frame + 38, 100); /* longer than the packet */
	inject(frame, n);
	put_be16(frame + 38, 3);
	inject(frame, n);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	n = put_udp(999, 53, "hello", 5);
	memset(frame + 40, 0, 2); /* none */
	inject(frame, n);
	CHECK_EQ(env_read(u, buf, 100, 0), 5);
	file_put(u);
	peer_teardown();
}
TEST(udp_unknown_port_is_reported)
{
	struct packet *p;

	peer_setup();
	inject(frame, put_udp(999, 53, "hello", 5));
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(p->data[34], ICMP_UNREACHABLE);
	CHECK_EQ(p->data[35], ICMP_PORT_UNREACH);
	CHECK_MEM(p->data + 42, frame + 14, 28);
	packet_free(p);
	peer_teardown();
}
TEST(udp_connected_takes_its_peer_only)
{
	peer_setup();
	struct file *u = udp_at(53);

	CHECK_EQ(env_dial(u, PEER, 1000), 0);
	inject(frame, put_udp(999, 53, "no", 2));
	inject(frame, put_udp(1000, 53, "yes", 3));
	CHECK_EQ(env_read(u, buf, 100, 0), 3);
	file_put(u);
	peer_teardown();
}
TEST(udp_queue_is_bounded)
{
	unsigned n = 0;

	peer_setup();
	struct file *u = udp_at(53);

	for (int i = 0; i < 5000; i++)
		inject(frame, put_udp(999, 53, buf, 1000));
	while (env_read(u, buf, 2000, 0) == 1000)
		n++;
	CHECK(n > 50 && n < 300);
	file_put(u);
	peer_teardown();
}
TEST(loopback_udp_refused)
{
	peer_setup();
	struct file *u = udp_at(0);

	CHECK_EQ(env_dial(u, IP4(127, 0, 0, 1), 9), 0);
	CHECK_EQ(env_write(u, "x", 1, 0), 1);
	CHECK_EQ(env_write(u, "x", 1, 0), -ECONNREFUSED);
	file_put(u);
	peer_teardown();
}
TEST(bind_conflicts)
{
	int one = 1;

	peer_setup();
	struct file *a = udp_at(53), *b = socket_create(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(env_bind(b, 0, 53), -EADDRINUSE);
	CHECK_EQ(env_bind(b, IP4(127, 0, 0, 1), 53), -EADDRINUSE);
	CHECK_EQ(env_bind(b, IP4(192, 0, 2, 1), 53), -EADDRNOTAVAIL);
	socket_setopt(a, SOL_SOCKET, SO_REUSEADDR, &one, 4);
	socket_setopt(b, SOL_SOCKET, SO_REUSEADDR, &one, 4);
	CHECK_EQ(env_bind(b, 0, 53), 0);
	CHECK_EQ(env_bind(b, 0, 54), -EINVAL);
	file_put(a);
	file_put(b);
	peer_teardown();
}

/* ---- fragments ---- */

/* A router's word that it takes only so much, about a datagram from port to the peer's port 9. */
static void router_takes(uint16_t mtu, uint16_t port)
{
	uint8_t f[80] = { 0 };
	size_t at = put_ip(f, IPPROTO_ICMP, 8 + 20 + 8, PEER, ME);
	struct ip_header *q = (struct ip_header *)(f + at + 8);

	f[at] = ICMP_UNREACHABLE;
	f[at + 1] = ICMP_FRAG_NEEDED;
	put_be16(f + at + 6, mtu);
	*q = (struct ip_header){ .ver_ihl = 0x45,
		.total_len = be16(1500),
		.protocol = IPPROTO_UDP,
		.src = ME,
		.dst = PEER };
	put_be16(f + at + 28, port);
	put_be16(f + at + 30, 9);
	uint16_t sum = csum_fold(csum_add(0, f + at, 36));

	memcpy(f + at + 2, &sum, 2);
	inject(f, at + 36);
}
static int mtu_of(struct file *f)
{
	int v = 0;
	uint32_t n = 4;

	socket_getopt(f, SOL_IP, IP_MTU, &v, &n);
	return v;
}
TEST(path_mtu_of_datagrams)
{
	int v = IP_PMTUDISC_DO;

	peer_setup();
	struct file *f = udp_at(7000), *other = udp_at(7001);

	CHECK_EQ(env_dial(f, PEER, 9), 0);
	CHECK_EQ(env_dial(other, PEER, 10), 0);
	v = IP_PMTUDISC_DONT;
	socket_setopt(f, SOL_IP, IP_MTU_DISCOVER, &v, 4);
	CHECK_EQ(env_write(f, buf, 1472, 0), 1472);
	router_takes(1300, 7000); /* it does not forbid to cut them: a forger speaks */
	CHECK_EQ(mtu_of(f), 1500);
	v = IP_PMTUDISC_DO;
	socket_setopt(f, SOL_IP, IP_MTU_DISCOVER, &v, 4);
	router_takes(1300, 7002); /* nobody's */
	CHECK_EQ(mtu_of(f), 1500);
	router_takes(1300, 7000);
	CHECK_EQ(mtu_of(f), 1300);
	CHECK_EQ(mtu_of(other), 1300);
	router_takes(1400, 7000); /* never more while it is believed */
	CHECK_EQ(mtu_of(f), 1300);
	(void)socket_getopt(f, SOL_SOCKET, SO_ERROR, &v, &(uint32_t){ 4 });
	CHECK_EQ(env_write(f, buf, 1273, 0), -EMSGSIZE);
	CHECK_EQ(env_write(f, buf, 1272, 0), 1272);
	v = IP_PMTUDISC_PROBE;
	socket_setopt(f, SOL_IP, IP_MTU_DISCOVER, &v, 4);
	CHECK_EQ(env_write(f, buf, 1472, 0), 1472);
	router_takes(200, 7000);
	CHECK_EQ(mtu_of(f), 1300);
	v = IP_PMTUDISC_DO;
	socket_setopt(f, SOL_IP, IP_MTU_DISCOVER, &v, 4);
	router_takes(200, 7000);
	CHECK_EQ(mtu_of(f), 552);
	env_run(601 * NSEC_PER_SEC);
	CHECK_EQ(mtu_of(f), 1500);
	file_put(f);
	file_put(other);
	peer_teardown();
}

/* Ports are guessed; but nothing went there that a router could complain about. */
TEST(path_mtu_of_where_nothing_long_went)
{
	int v = IP_PMTUDISC_DO;

	peer_setup();
	struct file *f = udp_at(7000), *other = udp_at(7001);

	socket_setopt(f, SOL_IP, IP_MTU_DISCOVER, &v, 4);
	CHECK_EQ(env_dial(other, PEER, 10), 0);
	CHECK_EQ(env_sendto(f, buf, 500, PEER, 9), 500);
	CHECK_EQ(env_sendto(f, buf, 1472, IP4(10, 0, 0, 7), 9), 1472);
	router_takes(1300, 7000);
	CHECK_EQ(mtu_of(other), 1500);
	CHECK_EQ(env_sendto(f, buf, 1472, PEER, 9), 1472);
	for (unsigned k = 0; k < 7; k++)
		CHECK_EQ(env_sendto(f, buf, 1472, IP4(10, 0, 0, 10 + k), 9), 1472);
	router_takes(1500, 7000); /* what was dropped was no longer than that */
	CHECK_EQ(mtu_of(other), 1500);
	router_takes(1300, 7000);
	CHECK_EQ(mtu_of(other), 1300);
	file_put(f);
	file_put(other);
	peer_teardown();
}

static void fragment(size_t total, size_t off, size_t n, uint32_t id, bool more)
{
	static uint8_t whole[66000];
	struct udp_header *h = (struct udp_header *)whole;
	size_t at = put_ip(frame, IPPROTO_UDP, n, PEER, ME);
	struct ip_header *ip = (struct ip_header *)(frame + 14);

	*h = (struct udp_header){ be16(999), be16(53), be16((uint16_t)total), 0 };
	for (size_t i = 8; i < total; i++)
		whole[i] = (uint8_t)(i * 7);
	ip->id = be16((uint16_t)id);
	ip->frag = be16((uint16_t)(off / 8 | (more ? IP_MF : 0)));
	ip->checksum = 0;
	ip->checksum = csum_fold(csum_add(0, ip, 20));
	memcpy(frame + at, whole + off, n);
	inject(frame, at + n);
}
static struct file *fragment_socket(void)
{
	peer_setup();
	return udp_at(53);
}
#include "frag_cases.h"
TEST(fragments_time_out_and_are_bounded)
{
	peer_setup();
	for (unsigned i = 0; i < 3000; i++)
		fragment(60000, 0, 1400, i, true);
	CHECK(me.net.frag_bytes < MIB(2));
	env_run(40 * NSEC_PER_SEC);
	CHECK(list_empty(&me.net.frags));
	CHECK_EQ(me.net.frag_bytes, 0);
	peer_teardown();
}
TEST(large_datagram_is_fragmented)
{
	size_t total = 0;
	struct packet *p;

	peer_setup();
	struct file *u = udp_at(53);

	CHECK_EQ(env_sendto(u, buf, 5000, PEER, 9), 5000);
	while ((p = out_next())) {
		CHECK(p->len <= 1514);
		total += get_be16(p->data + 16) - 20u;
		packet_free(p);
	}
	CHECK_EQ(total, 5008);
	CHECK_EQ(env_sendto(u, buf, 65508, PEER, 9), -EMSGSIZE);
	int on = IP_PMTUDISC_DO;

	socket_setopt(u, SOL_IP, IP_MTU_DISCOVER, &on, 4);
	CHECK_EQ(env_sendto(u, buf, 5000, PEER, 9), -EMSGSIZE);
	file_put(u);
	peer_teardown();
}
/* 2500 bytes in segments of 1000 to the peer: how many frames, which are sound. */
static unsigned send_segments(unsigned long *bytes)
{
	struct file *u = udp_at(53);
	int size = 1000;
	unsigned count = 0;
	struct packet *p;

	CHECK_EQ(socket_setopt(u, SOL_UDP, UDP_SEGMENT, &size, 4), 0);
	for (unsigned i = 0; i < 2500; i++)
		buf[i] = (uint8_t)(i * 3 + i / 250);
	*bytes = 0;
	CHECK_EQ(env_sendto(u, buf, 2500, PEER, 9), 2500);
	while ((p = out_next())) {
		uint32_t n = p->len - 34;

		CHECK_EQ(get_be16(p->data + 16), n + 20);
		CHECK_EQ(get_be16(p->data + 38), n);
		CHECK_EQ(
			csum_fold(csum_add(csum_pseudo(ME, PEER, IPPROTO_UDP, n), p->data + 34, n)),
			0);
		CHECK_MEM(p->data + 42, buf + *bytes, n - 8);
		*bytes += n - 8;
		count++;
		packet_free(p);
	}
	size = 1473;
	CHECK_EQ(socket_setopt(u, SOL_UDP, UDP_SEGMENT, &size, 4), 0);
	CHECK_EQ(env_sendto(u, buf, 2500, PEER, 9), -EMSGSIZE);
	CHECK_EQ(env_sendto(u, buf, 1472, PEER, 9), 1472);
	packet_free(out_next());
	file_put(u);
	return count;
}
TEST(udp_segments_are_cut_by_us_or_by_the_card)
{
	unsigned long bytes;

	peer_setup();
	env_cuts = 0;
	CHECK_EQ(send_segments(&bytes), 3);
	CHECK_EQ(bytes, 2500);
	CHECK_EQ(env_cuts, 0);
	me.eth.features = NETDEV_TX_CSUM | NETDEV_USO;
	CHECK_EQ(send_segments(&bytes), 3);
	CHECK_EQ(bytes, 2500);
	CHECK_EQ(env_cuts, 1);
	peer_teardown();
}
/* No segment goes when one cannot be made, and nothing is lost. */
TEST(udp_segments_without_memory)
{
	peer_setup();
	struct file *u = udp_at(53);
	int size = 100;

	CHECK_EQ(socket_setopt(u, SOL_UDP, UDP_SEGMENT, &size, 4), 0);
	for (long k = 1; k <= 5; k++) {
		t_alloc_count = 0;
		t_alloc_fail_at = k;
		CHECK_EQ(env_sendto(u, buf, 500, PEER, 9), -ENOBUFS);
		t_alloc_fail_at = 0;
		CHECK(!out_first);
	}
	CHECK_EQ(env_sendto(u, buf, 500, PEER, 9), 500);
	CHECK(out_first);
	out_clear();
	file_put(u);
	peer_teardown();
}

/* Datagrams of these lengths, from port 7 (or 8: negative), as one batch of the card. */
static void inject_batch(const int *lengths, unsigned count)
{
	struct packet *batch = NULL, **tail = &batch;

	for (unsigned i = 0, at = 0; i < count; i++) {
		int n = lengths[i] < 0 ? -lengths[i] : lengths[i];
		size_t len = put_udp(lengths[i] < 0 ? 8 : 7, 53, buf + at, (size_t)n);
		struct packet *p = packet_alloc(0, len);

		memcpy(packet_put(p, len), frame, len);
		*tail = p;
		tail = &p->next;
		at += (unsigned)n;
	}
	me.eth.rx(&me.eth, batch);
	net_thread_work();
}
static void receive_as(struct file *u, const int *lengths, const int *told, unsigned count)
{
	static uint8_t got[70000];

	for (unsigned i = 0, at = 0; i <= count; i++) {
		uint8_t control[64];
		struct iter it;
		struct socket_message m = {
			.data = &it, .control = control, .control_len = sizeof(control)
		};
		int size = 0;

		iter_init_one(&it, got, sizeof(got), false);
		ssize_t n = socket_recv(u, &m);

		if (i == count) {
			CHECK_EQ(n, -EAGAIN);
			break;
		}
		CHECK_EQ(n, lengths[i]);
		CHECK_MEM(got, buf + at, (size_t)lengths[i]);
		if (m.control_used) {
			struct cmsghdr h;

			memcpy(&h, control, sizeof(h));
			CHECK_EQ(h.cmsg_level, SOL_UDP);
			CHECK_EQ(h.cmsg_type, UDP_GRO);
			memcpy(&size, control + sizeof(h), sizeof(size));
		}
		CHECK_EQ(size, told[i]);
		at += (unsigned)lengths[i];
	}
}
TEST(udp_datagrams_of_a_batch_become_one)
{
	peer_setup();
	struct file *u = udp_at(53);
	int on = 1, many[100], ones[100] = { 0 };

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7 + i / 256);
	/* equal ones with a shorter last; another sender's; a longer one; nothing; a pair */
	static const int in[] = { 500, 500, 500, 20, 500, -500, -500, 500, 501, 0, 30, 30 },
			 out[] = { 1520, 500, 1000, 500, 501, 0, 60 },
			 told[] = { 500, 0, 500, 0, 0, 0, 30 };

	inject_batch(in, ARRAY_SIZE(in)); /* not asked for */
	for (unsigned i = 0; i < ARRAY_SIZE(in); i++)
		many[i] = in[i] < 0 ? -in[i] : in[i];
	receive_as(u, many, ones, ARRAY_SIZE(in));
	CHECK_EQ(socket_setopt(u, SOL_UDP, UDP_GRO, &on, 4), 0);
	inject_batch(in, ARRAY_SIZE(in));
	receive_as(u, out, told, ARRAY_SIZE(out));
	for (int i = 0; i < 100; i++)
		many[i] = 10;
	inject_batch(many, 100); /* 64 at most */
	static const int parts[] = { 640, 360 }, sizes[] = { 10, 10 };

	receive_as(u, parts, sizes, 2);
	file_put(u);
	peer_teardown();
}
/* A card that joined datagrams is not believed everything. */
TEST(udp_joined_by_the_card)
{
	static const int parts[] = { 400, 400, 200 }, none[3] = { 0 };

	peer_setup();
	struct file *u = udp_at(53);

	for (unsigned size = 0; size <= 7; size += 7) { /* 1000 bytes are too many of these */
		size_t len = put_udp(7, 53, buf, 1000);
		struct packet *p = packet_alloc(0, len);

		memcpy(packet_put(p, len), frame, len);
		p->gso_type = PACKET_GSO_UDP_L4;
		p->gso_size = (uint16_t)size;
		p->csum_flags = PACKET_CSUM_VALID;
		me.eth.rx(&me.eth, p);
		CHECK_EQ(env_read(u, frame, 10, 0), -EAGAIN);
	}
	for (unsigned pieces = 0; pieces < 2; pieces++) {
		size_t len = put_udp(7, 53, buf, 1000);
		struct packet *p = packet_alloc(0, len), *f;

		memcpy(packet_put(p, len), frame, len);
		if (pieces) { /* in two buffers */
			p->len -= 500;
			p->frags = f = packet_alloc(0, 500);
			memcpy(packet_put(f, 500), frame + len - 500, 500);
		}
		p->gso_type = PACKET_GSO_UDP_L4;
		p->gso_size = 400;
		p->csum_flags = PACKET_CSUM_VALID;
		me.eth.rx(&me.eth, p);
		receive_as(u, parts, none, 3);
	}
	file_put(u);
	peer_teardown();
}
TEST(large_datagram_over_loopback)
{
	struct file *u, *v;

	peer_setup();
	u = udp_at(53);
	v = udp_at(0);
	for (size_t i = 0; i < 60000; i++)
		buf[i] = (uint8_t)(i % 251);
	CHECK_EQ(env_sendto(v, buf, 60000, IP4(127, 0, 0, 1), 53), 60000);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(env_read(u, buf, sizeof(buf), 0), 60000);
	CHECK_EQ(buf[59999], 59999 % 251);
	file_put(u);
	file_put(v);
	peer_teardown();
}
TEST(martians_and_malformed_headers_are_dropped)
{
	struct ip_header *ip = (struct ip_header *)(frame + 14);
	static const struct {
		int at;
		uint8_t value;
	} bad[] = { { 0, 0x65 }, { 0, 0x44 }, { 0, 0x4f }, { 2, 0xff }, { 3, 10 }, { 12, 127 },
		{ 12, 224 }, { 15, ME >> 24 }, { 16, 11 }, { 16, 127 } };

	peer_setup();
	struct file *u = udp_at(53);

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		size_t n = put_udp(999, 53, "hello", 5);

		((uint8_t *)ip)[bad[i].at] = bad[i].value;
		memset(frame + 40, 0, 2); /* no UDP checksum, which would tell as well */
		ip->checksum = 0;
		ip->checksum = csum_fold(csum_add(0, ip, 20));
		inject(frame, n);
		CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	}
	file_put(u);
	peer_teardown();
}
/* The same pair of addresses as the frame before is believed; any other, or another kind, is not.
 */
TEST(addresses_of_a_run_are_looked_at)
{
	static const struct {
		int at;
		uint8_t value;
	} bad[] = { { 14 + 12, 127 }, { 14 + 15, ME >> 24 }, { 14 + 16, 11 } };
	struct ip_header *ip = (struct ip_header *)(frame + 14);
	size_t n;

	peer_setup();
	struct file *u = udp_at(53);

	gathering = true;
	inject(frame, put_udp(999, 53, "one", 3));
	n = put_udp(999, 53, "bad", 3);
	memset(frame, 0xff, 6); /* a unicast packet in a broadcast frame */
	inject(frame, n);
	n = put_udp(999, 53, "bad", 3);
	ip->checksum ^= 0x100;
	inject(frame, n);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		n = put_udp(999, 53, "bad", 3);
		frame[bad[i].at] = bad[i].value;
		memset(frame + 40, 0, 2); /* no UDP checksum, which would tell as well */
		ip->checksum = 0;
		ip->checksum = csum_fold(csum_add(0, ip, 20));
		inject(frame, n);
	}
	inject(frame, put_udp(999, 53, "three", 5));
	inject_gathered();
	CHECK_EQ(env_read(u, buf, 100, 0), 3);
	CHECK_EQ(env_read(u, buf, 100, 0), 5);
	CHECK_EQ(env_read(u, buf, 100, 0), -EAGAIN);
	file_put(u);
	peer_teardown();
}

/* Sound frames with a few bytes changed and the checksums made right again, into the whole stack.
 */
TEST(mutated_frames)
{
	unsigned long seed = 99;

	for (int round = 0; round < 100; round++) {
		peer_setup();
		struct file *u = udp_at(53), *l = listener_at(80);

		for (int i = 0; i < 400; i++) {
			size_t n;

			if (t_random(&seed) % 3 == 0) {
				n = put_udp(999, (uint16_t)(53 + t_random(&seed) % 2), buf,
					t_random(&seed) % 300);
			} else {
				static const uint8_t kind[] = { IPPROTO_TCP, IPPROTO_ICMP,
					IPPROTO_TCP, 99 };

				n = t_random(&seed) % 120;
				n += put_ip(frame, kind[t_random(&seed) % 4], n, PEER, ME);
				for (size_t k = 34; k < n; k++)
					frame[k] = (uint8_t)t_random(&seed);
				if (n > 50) {
					put_be16(frame + 36, 80);
					if (t_random(&seed) % 2)
						frame[46] = 0x50 + 16 * (t_random(&seed) % 3);
				}
			}
			for (unsigned k = t_random(&seed) % 4; k; k--)
				frame[14 + t_random(&seed) % (n - 14)] = (uint8_t)t_random(&seed);
			if (t_random(&seed) % 20 == 0)
				put_be16(frame + 12, ETH_ARP);
			struct ip_header *ip = (struct ip_header *)(frame + 14);

			if (t_random(&seed) % 8) {
				ip->checksum = 0;
				ip->checksum = csum_fold(
					csum_add(0, ip, MIN((ip->ver_ihl & 15) * 4ul, n - 14)));
			}
			if (n > 54 && ip->protocol == IPPROTO_TCP) {
				memset(frame + 50, 0, 2);
				uint16_t sum =
					csum_fold(csum_add(csum_pseudo(ip->src, ip->dst,
								   IPPROTO_TCP, (uint32_t)(n - 34)),
						frame + 34, n - 34));

				memcpy(frame + 50, &sum, 2);
			} else if (n > 38 && ip->protocol == IPPROTO_ICMP) {
				memset(frame + 36, 0, 2);
				uint16_t sum = csum_fold(csum_add(0, frame + 34, n - 34));

				memcpy(frame + 36, &sum, 2);
			}
			inject(frame, t_random(&seed) % 10 ? n : t_random(&seed) % n);
			if (i % 50 == 0)
				env_run(NSEC_PER_SEC);
		}
		out_clear();
		file_put(u);
		file_put(l);
		peer_teardown();
	}
}
