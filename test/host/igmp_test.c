/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 groups: what routers and switches are told of them, and who hears what, in virtual time. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "tcp_peer.h"

#define GROUP	    IP4(239, 1, 1, 1)
#define OTHER	    IP4(239, 2, 2, 2)
#define ALL_SYSTEMS IP4(224, 0, 0, 1)
#define ALL_ROUTERS IP4(224, 0, 0, 2)
#define ALL_IGMP3   IP4(224, 0, 0, 22)

static struct file *u, *v;

static int membership(struct file *f, bool join, uint32_t group, int ifindex)
{
	struct ip_mreqn m = { .imr_multiaddr = group, .imr_ifindex = ifindex };

	return socket_setopt(
		f, SOL_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m, sizeof(m));
}
static struct file *udp_at(uint16_t port)
{
	struct file *f = socket_create(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int on = 1;

	CHECK_EQ(socket_setopt(f, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(env_bind(f, 0, port), 0);
	return f;
}
static void begin(void)
{
	peer_setup();
	u = udp_at(53);
	v = udp_at(53);
}
static void end(void)
{
	file_put(u);
	file_put(v);
	env_run(5 * NSEC_PER_SEC);
	out_clear();
	peer_teardown();
}

/* The next IGMP message of ours, at its Ethernet header, or NULL. Its frame is as it should be. */
static struct packet *out_igmp(void)
{
	struct packet *p;

	while ((p = out_next())) {
		const struct ip_header *ip = (const struct ip_header *)(p->data + 14);

		if (get_be16(p->data + 12) == ETH_IPV4 && ip->protocol == IPPROTO_IGMP) {
			uint32_t dst = ip->dst;
			uint8_t mac[6] = { 1, 0, 0x5e, (dst >> 8) & 0x7f, (uint8_t)(dst >> 16),
				(uint8_t)(dst >> 24) };

			CHECK_MEM(p->data, mac, 6);
			CHECK_EQ(ip->ver_ihl, 0x46);
			CHECK_MEM(ip + 1, "\x94\4\0\0", 4);
			CHECK_EQ(ip->ttl, 1);
			CHECK_EQ(ip->src, ME);
			CHECK_EQ(csum_fold(csum_add(0, ip, 24)), 0);
			CHECK_EQ(be16(ip->total_len) + 14u, p->len);
			CHECK_EQ(csum_fold(csum_add(0, p->data + 38, p->len - 38)), 0);
			return p;
		}
		packet_free(p);
	}
	return NULL;
}

/* How many reports of version 3 have a record of this kind and group. */
static unsigned records(uint32_t group, uint8_t kind)
{
	struct packet *p;
	unsigned n = 0;

	while ((p = out_igmp())) {
		const uint8_t *m = p->data + 38;

		CHECK_EQ(((const struct ip_header *)(p->data + 14))->dst, ALL_IGMP3);
		CHECK_EQ(m[0], IGMP3_REPORT);
		CHECK_EQ(p->len, 38u + 8 + 8u * get_be16(m + 6));
		for (unsigned k = 0; k < get_be16(m + 6); k++)
			n += m[8 + 8 * k] == kind && !memcmp(m + 12 + 8 * k, &group, 4);
		packet_free(p);
	}
	return n;
}

/* How many messages of an older version about the group went to dst. */
static unsigned old_messages(uint8_t type, uint32_t group, uint32_t dst)
{
	struct packet *p;
	unsigned n = 0;

	while ((p = out_igmp())) {
		const uint8_t *m = p->data + 38;

		CHECK_EQ(p->len, 46u);
		n += m[0] == type && !memcmp(m + 4, &group, 4) &&
		     ((const struct ip_header *)(p->data + 14))->dst == dst;
		packet_free(p);
	}
	return n;
}

struct query {
	uint8_t code, ttl, type;
	unsigned n; /* 8: of an old version */
	uint32_t group, dst;
	bool spoiled;
};

static void ask(struct query q)
{
	uint8_t f[100];
	size_t at = put_ip(f, IPPROTO_IGMP, q.n, PEER, q.dst);
	struct ip_header *ip = (struct ip_header *)(f + 14);

	memcpy(f, (uint8_t[]){ 1, 0, 0x5e, 0, 0, 1 }, 6);
	ip->ttl = q.ttl ? q.ttl : 1;
	ip->checksum = 0;
	ip->checksum = csum_fold(csum_add(0, ip, 20));
	memset(f + at, 0, q.n);
	f[at] = q.type ? q.type : IGMP_QUERY;
	f[at + 1] = q.code;
	memcpy(f + at + 4, &q.group, 4);
	uint16_t sum = csum_fold(csum_add(0, f + at, q.n));

	memcpy(f + at + 2, &sum, 2);
	f[at + 3] ^= q.spoiled;
	inject(f, at + q.n);
}
#define ASK(...) ask((struct query){ __VA_ARGS__ })

TEST(joining_and_leaving_is_told_twice)
{
	begin();
	CHECK_EQ(membership(u, true, GROUP, 2), 0);
	CHECK_EQ(membership(v, true, GROUP, 2), 0);
	CHECK_EQ(membership(u, true, GROUP, 2), -EADDRINUSE);
	env_run(NSEC_PER_SEC / 2);
	CHECK_EQ(records(GROUP, 4), 1u); /* at once */
	env_run(NSEC_PER_SEC);
	CHECK_EQ(records(GROUP, 4), 1u);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(records(GROUP, 4), 0u);
	CHECK_EQ(membership(u, false, GROUP, 2), 0);
	CHECK_EQ(membership(u, false, GROUP, 2), -EADDRNOTAVAIL);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(records(GROUP, 3), 0u); /* the other is still there */
	file_put(v);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(records(GROUP, 3), 2u);
	v = udp_at(53);
	end();
}
TEST(several_are_told_in_one_report)
{
	begin();
	CHECK_EQ(membership(u, true, GROUP, 2), 0);
	CHECK_EQ(membership(u, true, OTHER, 2), 0);
	env_run(5 * NSEC_PER_SEC);
	out_clear();
	ASK(.n = 12, .code = 10, .dst = ALL_SYSTEMS);
	env_run(NSEC_PER_SEC + 1);
	struct packet *p = out_igmp();

	REQUIRE(p);
	CHECK_EQ(get_be16(p->data + 38 + 6), 2);
	packet_free(p);
	CHECK(!out_igmp());
	end();
}
TEST(queries_are_answered)
{
	begin();
	CHECK_EQ(membership(u, true, GROUP, 2), 0);
	env_run(5 * NSEC_PER_SEC);
	out_clear();
	ASK(.n = 12, .code = 100, .dst = ALL_SYSTEMS);
	env_run(10 * NSEC_PER_SEC + 1);
	CHECK_EQ(records(GROUP, 2), 1u);
	ASK(.n = 12, .code = 0x8f, .dst = ALL_SYSTEMS); /* (0x1f << 3) tenths */
	env_run(25 * NSEC_PER_SEC);
	CHECK_EQ(records(GROUP, 2), 1u);
	ASK(.n = 12, .code = 10, .dst = GROUP, .group = GROUP);
	env_run(NSEC_PER_SEC + 1);
	CHECK_EQ(records(GROUP, 2), 1u);
	ASK(.n = 16, .code = 10, .dst = GROUP, .group = GROUP); /* and of a source */
	env_run(NSEC_PER_SEC + 1);
	CHECK_EQ(records(GROUP, 2), 1u);
	end();
}
TEST(what_is_no_query_is_not_answered)
{
	begin();
	CHECK_EQ(membership(u, true, GROUP, 2), 0);
	env_run(5 * NSEC_PER_SEC);
	out_clear();
	ASK(.n = 12, .code = 10, .dst = ALL_SYSTEMS, .ttl = 2); /* from afar */
	ASK(.n = 12, .code = 10, .dst = ALL_SYSTEMS, .spoiled = true);
	ASK(.n = 12, .code = 10, .dst = ALL_SYSTEMS, .type = IGMP2_REPORT);
	ASK(.n = 12, .code = 10, .dst = ME); /* all, asked of one */
	ASK(.n = 10, .code = 10, .dst = ALL_SYSTEMS);
	ASK(.n = 4, .code = 10, .dst = ALL_SYSTEMS);
	ASK(.n = 12, .code = 10, .dst = OTHER, .group = OTHER);
	env_run(30 * NSEC_PER_SEC);
	CHECK(!out_igmp());
	end();
}
TEST(older_queriers_get_their_versions)
{
	begin();
	CHECK_EQ(membership(u, true, GROUP, 2), 0);
	env_run(5 * NSEC_PER_SEC);
	out_clear();
	ASK(.n = 8, .code = 10, .dst = ALL_SYSTEMS);
	env_run(NSEC_PER_SEC + 1);
	CHECK_EQ(old_messages(IGMP2_REPORT, GROUP, GROUP), 1u);
	membership(u, false, GROUP, 2);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(old_messages(IGMP_LEAVE, GROUP, ALL_ROUTERS), 2u);
	ASK(.n = 8, .code = 0, .dst = ALL_SYSTEMS);
	env_run(11 * NSEC_PER_SEC);
	out_clear();
	membership(u, true, GROUP, 2);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(old_messages(IGMP1_REPORT, GROUP, GROUP), 2u);
	membership(u, false, GROUP, 2);
	env_run(5 * NSEC_PER_SEC);
	CHECK(!out_igmp());
	env_run(260 * NSEC_PER_SEC); /* it has gone */
	membership(u, true, GROUP, 2);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(records(GROUP, 4), 2u);
	end();
}
TEST(groups_of_a_link_are_bounded)
{
	struct file *more[3];
	unsigned joined = 0;

	begin();
	for (int k = 0; k < 3; k++) {
		more[k] = udp_at(54);
		for (uint32_t n = 0; n < 20; n++) {
			int err = membership(more[k], true, IP4(239, 9, k, n), 2);

			CHECK(err == 0 || err == -ENOBUFS);
			joined += !err;
		}
	}
	CHECK_EQ(joined, MEMBER_GROUPS);
	file_put(more[0]);
	env_run(5 * NSEC_PER_SEC);
	CHECK_EQ(membership(u, true, GROUP, 2), 0); /* there is room again */
	file_put(more[1]);
	file_put(more[2]);
	end();
}

/* ---- who hears ---- */

static void datagram(uint32_t group)
{
	uint8_t f[100];
	size_t at = put_ip(f, IPPROTO_UDP, 12, PEER, group);
	struct udp_header *h = (struct udp_header *)(f + at);

	memcpy(f, (uint8_t[]){ 1, 0, 0x5e, 1, 1, 1 }, 6);
	*h = (struct udp_header){ be16(999), be16(53), be16(12), 0 };
	memcpy(h + 1, "text", 4);
	inject(f, at + 12);
}
static bool heard(struct file *f)
{
	char buf[10];

	return env_read(f, buf, sizeof(buf), 0) == 4;
}
TEST(only_joined_groups_are_heard)
{
	int none = 0;

	begin();
	datagram(GROUP);
	CHECK(!heard(u) && !heard(v));
	CHECK_EQ(membership(u, true, GROUP, 2), 0);
	datagram(GROUP);
	CHECK(heard(u) && heard(v)); /* by IP_MULTICAST_ALL, which is Linux's default */
	CHECK_EQ(socket_setopt(v, SOL_IP, IP_MULTICAST_ALL, &none, sizeof(none)), 0);
	datagram(GROUP);
	CHECK(heard(u) && !heard(v));
	datagram(ALL_SYSTEMS); /* everybody is in it */
	CHECK(heard(u) && !heard(v));
	CHECK_EQ(membership(v, true, GROUP, 1), 0); /* on another interface */
	datagram(GROUP);
	CHECK(heard(u) && !heard(v));
	CHECK_EQ(membership(v, true, GROUP, 2), 0);
	datagram(GROUP);
	CHECK(heard(u) && heard(v));
	CHECK_EQ(membership(u, false, GROUP, 2), 0);
	CHECK_EQ(membership(v, false, GROUP, 2), 0);
	datagram(GROUP);
	CHECK(!heard(u) && !heard(v));
	end();
}
