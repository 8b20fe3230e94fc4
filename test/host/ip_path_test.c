/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may cut an IPv4 packet on its way, and by what number its parts are found (RFC 6864). */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "tcp_peer.h"

static uint8_t frame[2000], buf[65536];

/* Headers of what went out. */
struct sent {
	unsigned id, frag, length;
	uint32_t dst;
};

static bool next_sent(struct sent *s)
{
	struct packet *p = out_next();

	*s = (struct sent){ 0 };
	if (!p)
		return false;
	s->length = get_be16(p->data + 16);
	s->id = get_be16(p->data + 18);
	s->frag = get_be16(p->data + 20);
	memcpy(&s->dst, p->data + 30, 4);
	CHECK_EQ(csum_fold(csum_add(0, p->data + 14, 20)), 0);
	packet_free(p);
	return true;
}

static struct file *udp_with(int mode)
{
	struct file *f = socket_create(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	CHECK_EQ(env_bind(f, 0, 7000), 0);
	CHECK_EQ(socket_setopt(f, SOL_IP, IP_MTU_DISCOVER, &mode, 4), 0);
	return f;
}

/* Everything lies behind the peer. */
static void setup(void)
{
	peer_setup();
	CHECK_EQ(route_add(0, 0, PEER, &me.eth, 0, 3), 0);
}

/* ip(7) and Linux's ip_output.c: what fits, and what does not. */
static const struct {
	int mode;
	bool df, cut;
} modes[] = { { IP_PMTUDISC_DONT, false, true }, { IP_PMTUDISC_WANT, true, true },
	{ IP_PMTUDISC_DO, true, false }, { IP_PMTUDISC_PROBE, true, false },
	{ IP_PMTUDISC_INTERFACE, false, false }, { IP_PMTUDISC_OMIT, false, true } };

TEST(each_mode_forbids_what_linux_forbids)
{
	struct sent s, rest;

	setup();
	for (unsigned k = 0; k < ARRAY_SIZE(modes); k++) {
		struct file *f = udp_with(modes[k].mode);

		CHECK_EQ(env_sendto(f, buf, 1472, PEER, 9), 1472);
		CHECK(next_sent(&s));
		CHECK_EQ(s.frag, modes[k].df ? IP_DF : 0);
		CHECK_EQ(env_sendto(f, buf, 1473, PEER, 9), modes[k].cut ? 1473 : -EMSGSIZE);
		CHECK_EQ(next_sent(&s), modes[k].cut);
		if (modes[k].cut) {
			CHECK_EQ(s.frag, IP_MF);
			CHECK(next_sent(&rest));
			CHECK_EQ(rest.frag, 1480 / 8);
			CHECK_EQ(rest.id, s.id);
		}
		CHECK(!next_sent(&s));
		file_put(f);
	}
	peer_teardown();
}

TEST(a_message_of_segments_as_well)
{
	int size = 100;
	struct sent s;

	setup();
	for (unsigned k = 0; k < ARRAY_SIZE(modes); k++) {
		struct file *f = udp_with(modes[k].mode);

		CHECK_EQ(socket_setopt(f, SOL_UDP, UDP_SEGMENT, &size, 4), 0);
		CHECK_EQ(env_sendto(f, buf, 250, PEER, 9), 250);
		for (unsigned n = 0; n < 3; n++) {
			CHECK(next_sent(&s));
			CHECK_EQ(s.frag, modes[k].df ? IP_DF : 0);
		}
		file_put(f);
	}
	peer_teardown();
}

/* A router that takes only so much of f's datagrams says so. */
static void router_takes(uint16_t mtu, unsigned length)
{
	size_t at = put_ip(frame, IPPROTO_ICMP, 36, IP4(10, 0, 0, 3), ME);

	memset(frame + at, 0, 36);
	frame[at] = ICMP_UNREACHABLE;
	frame[at + 1] = ICMP_FRAG_NEEDED;
	put_be16(frame + at + 6, mtu);
	*(struct ip_header *)(frame + at + 8) = (struct ip_header){ .ver_ihl = 0x45,
		.total_len = be16((uint16_t)length),
		.protocol = IPPROTO_UDP,
		.src = ME,
		.dst = PEER };
	put_be16(frame + at + 28, 7000);
	put_be16(frame + at + 30, 9);
	uint16_t sum = csum_fold(csum_add(0, frame + at, 36));

	memcpy(frame + at + 2, &sum, 2);
	inject(frame, at + 36);
}

static int error_of(struct file *f)
{
	uint32_t n = 4;
	int v = -1;

	CHECK_EQ(socket_getopt(f, SOL_SOCKET, SO_ERROR, &v, &n), 0);
	return v;
}

/* Who lets routers cut hears nothing of them; who does not, an error, once (Linux's udp_err). */
TEST(a_narrow_path_is_told_to_who_forbids_cutting)
{
	static const int heeds[] = { IP_PMTUDISC_WANT, IP_PMTUDISC_DO };
	struct sent s;

	for (unsigned k = 0; k < ARRAY_SIZE(heeds); k++) {
		setup();
		struct file *f = udp_with(IP_PMTUDISC_DONT);
		int mode = heeds[k];

		CHECK_EQ(env_dial(f, PEER, 9), 0);
		CHECK_EQ(env_write(f, buf, 1472, 0), 1472);
		router_takes(1300, 1500);
		CHECK_EQ(error_of(f), 0);
		socket_setopt(f, SOL_IP, IP_MTU_DISCOVER, &mode, 4);
		router_takes(1300, 1500);
		CHECK_EQ(error_of(f), EMSGSIZE);
		CHECK_EQ(error_of(f), 0);
		out_clear();
		CHECK_EQ(env_write(f, buf, 1272, 0), 1272);
		CHECK(next_sent(&s));
		CHECK_EQ(s.frag, IP_DF);
		CHECK_EQ(env_write(f, buf, 1273, 0), mode == IP_PMTUDISC_DO ? -EMSGSIZE : 1273);
		CHECK_EQ(next_sent(&s), mode == IP_PMTUDISC_WANT);
		CHECK_EQ(s.frag, mode == IP_PMTUDISC_WANT ? IP_MF : 0);
		file_put(f);
		peer_teardown();
	}
}

/* Below what is believed of a router they have to cut. */
TEST(a_path_narrower_than_any_is_left_to_routers)
{
	struct sent s;

	setup();
	struct file *f = udp_with(IP_PMTUDISC_WANT);

	CHECK_EQ(env_sendto(f, buf, 1472, PEER, 9), 1472);
	router_takes(200, 1500);
	out_clear();
	CHECK_EQ(env_sendto(f, buf, 300, PEER, 9), 300);
	CHECK(next_sent(&s));
	CHECK_EQ(s.frag, 0);
	file_put(f);
	peer_teardown();
}

/* ---- identifications ---- */

#define HOSTS 600

static unsigned id_to(struct file *f, uint32_t dst)
{
	struct sent s;

	CHECK_EQ(env_sendto(f, buf, 10, dst, 9), 10);
	CHECK(next_sent(&s));
	CHECK_EQ(s.dst, dst);
	return s.id;
}

static uint32_t host_at(unsigned k)
{
	return IP4(192, 168, (k >> 8) & 255, k & 255);
}

/* RFC 6864 4.3: none comes again for as long as a counter of 16 bits can go on. */
TEST(none_comes_twice_between_two_hosts)
{
	static bool used[65536];

	setup();
	struct file *f = udp_with(IP_PMTUDISC_DONT);

	memset(used, 0, sizeof(used));
	for (unsigned k = 0; k < 20000; k++) {
		unsigned id = id_to(f, host_at(1));

		CHECK(!used[id]);
		used[id] = true;
		if (k % 100 == 0)
			env_run(NSEC_PER_MSEC);
	}
	file_put(f);
	peer_teardown();
}

/* RFC 7739: what one host sees says nothing of what another one sees. */
TEST(they_differ_from_host_to_host)
{
	unsigned near = 0, id[HOSTS];

	setup();
	struct file *f = udp_with(IP_PMTUDISC_DONT);

	for (unsigned k = 0; k < HOSTS; k++) {
		id[k] = id_to(f, host_at(k));
		for (unsigned j = 0; j < k; j++)
			near += (uint16_t)(id[k] - id[j] + 100) <= 200;
	}
	/* By chance one pair of 326 is that near: 551 +- 24 of them. */
	CHECK(near > 400 && near < 700);
	/* And those of a host do not tell how many went to others. */
	unsigned before = id_to(f, host_at(0)), moved = 0;

	for (unsigned k = 1; k < HOSTS; k++)
		id_to(f, host_at(k));
	moved = (uint16_t)(id_to(f, host_at(0)) - before);
	CHECK(moved < 30);
	file_put(f);
	peer_teardown();
}

static unsigned first_id(uint64_t k0)
{
	setup();
	me.net.ident_key.k0 = k0;
	struct file *f = udp_with(IP_PMTUDISC_DONT);
	unsigned id = id_to(f, PEER);

	file_put(f);
	peer_teardown();
	return id;
}
TEST(another_key_gives_others)
{
	unsigned same = 0;

	for (uint64_t k = 1; k <= 8; k++)
		same += first_id(k) == first_id(k + 100);
	CHECK(same < 2);
}

/* Who shares a counter sees chance in it as time goes. */
TEST(time_moves_them_on_by_chance)
{
	unsigned step[20], steps = 0;

	setup();
	struct file *f = udp_with(IP_PMTUDISC_DONT);
	unsigned last = id_to(f, PEER), id;

	for (unsigned k = 0; k < 20; k++, last = id) {
		env_run(50 * NSEC_PER_MSEC);
		id = id_to(f, PEER);
		step[k] = (uint16_t)(id - last);
		CHECK(step[k] >= 1 && step[k] <= 60);
		steps += k && step[k] != step[k - 1];
	}
	CHECK(steps > 10);
	file_put(f);
	peer_teardown();
}

static bool idents_unused(void)
{
	bool unused = true;

	for (unsigned k = 0; k < IP_IDENTS; k++)
		unused &= !me.net.idents[k];
	return unused;
}
/* The hash is for those alone that can be cut. */
TEST(atomic_datagrams_take_none)
{
	setup();
	struct file *f = udp_with(IP_PMTUDISC_WANT);

	CHECK_EQ(id_to(f, PEER), 0);
	CHECK(idents_unused());
	CHECK_EQ(env_sendto(f, buf, 1473, PEER, 9), 1473);
	CHECK(!idents_unused());
	file_put(f);
	peer_teardown();
}

/* What a device cuts into several takes as many. */
TEST(a_packet_that_the_card_cuts_takes_several)
{
	struct sent s;
	unsigned last;
	int size = 100;

	setup();
	me.eth.features |= NETDEV_USO;
	struct file *f = udp_with(IP_PMTUDISC_DONT);

	last = id_to(f, PEER);
	CHECK_EQ(socket_setopt(f, SOL_UDP, UDP_SEGMENT, &size, 4), 0);
	CHECK_EQ(env_sendto(f, buf, 250, PEER, 9), 250);
	CHECK(next_sent(&s));
	CHECK_EQ(s.id, (uint16_t)(last + 1));
	out_clear(); /* the parts that this card made */
	CHECK_EQ(id_to(f, PEER), (uint16_t)(last + 4));
	file_put(f);
	peer_teardown();
}
