/* SPDX-License-Identifier: BSD-2-Clause */
/* Ping sockets towards a wire: whose answer it is, what is sent, what routers say of it. */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "ip6_peer.h"

static uint8_t frame[2000], buf[2000];

static struct file *ping(int family, uint16_t id)
{
	struct file *f = socket_create(family, SOCK_DGRAM | SOCK_NONBLOCK,
		family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	CHECK(!IS_ERR(f));
	if (id)
		CHECK_EQ(family == AF_INET ? env_bind(f, 0, id) : bind6(f, "::", id, 0), 0);
	return f;
}

static uint16_t id_of(struct file *f)
{
	return inet_sk(file_socket(f))->lport;
}

/* From the peer, or from who has another address. */
static void answer(uint8_t type, uint16_t id, uint32_t src)
{
	size_t at = put_ip(frame, IPPROTO_ICMP, 16, src, ME);

	memset(frame + at, 0, 16);
	frame[at] = type;
	put_be16(frame + at + 4, id);
	uint16_t sum = csum_fold(csum_add(0, frame + at, 16));

	memcpy(frame + at + 2, &sum, 2);
	inject(frame, at + 16);
}

static ssize_t got(struct file *f)
{
	return env_read(f, buf, sizeof(buf), MSG_DONTWAIT);
}

TEST(an_answer_goes_to_whose_identifier_it_has)
{
	peer_setup();
	struct file *a = ping(AF_INET, 77), *b = ping(AF_INET, 78), *six = ping(AF_INET6, 79),
		    *fresh = ping(AF_INET, 0);

	answer(ICMP_ECHO_REPLY, 78, PEER);
	CHECK_EQ(got(a), -EAGAIN);
	CHECK_EQ(got(b), 16);
	answer(ICMP_ECHO_REPLY, 79, PEER); /* the other family's */
	CHECK_EQ(got(six), -EAGAIN);
	answer(ICMP_ECHO_REPLY, 0, PEER); /* who has none yet has not that */
	CHECK_EQ(got(fresh), -EAGAIN);
	answer(ICMP_ECHO, 77, PEER);
	answer(ICMP_TIME_EXCEEDED + 2, 77, PEER); /* a timestamp */
	CHECK_EQ(got(a), -EAGAIN);
	answer(ICMP_EXT_ECHO_REPLY, 77, PEER);
	CHECK_EQ(got(a), 16);
	CHECK_EQ(env_dial(a, PEER, 0), 0);
	answer(ICMP_ECHO_REPLY, 77, IP4(10, 0, 0, 3)); /* as on Linux: from anybody */
	CHECK_EQ(got(a), 16);
	file_put(a);
	answer(ICMP_ECHO_REPLY, 77, PEER);
	file_put(b);
	file_put(six);
	file_put(fresh);
	peer_teardown();
}

TEST(requests_have_the_port_and_a_right_sum)
{
	uint8_t echo[12] = { ICMP_ECHO, 0, 1, 2, 3, 4, 0, 9, 'p', 'i', 'n', 'g' };
	struct packet *p;

	global_setup();
	struct file *f = ping(AF_INET, 0), *six = ping(AF_INET6, 0);

	meet_peer();
	CHECK_EQ(env_sendto(f, echo, 12, PEER, 0), 12);
	p = out_next();
	REQUIRE(p);
	CHECK_EQ(get_be16(p->data + 38), id_of(f));
	CHECK(id_of(f) != 0);
	CHECK_MEM(p->data + 40, echo + 6, 6);
	CHECK_EQ(csum_fold(csum_add(0, p->data + 34, 12)), 0);
	packet_free(p);
	CHECK_EQ(sendto6(six, echo, 12, PEER_GLOBAL, 0, 0), -EINVAL);
	echo[0] = ICMP6_ECHO;
	CHECK_EQ(sendto6(six, echo, 12, PEER_GLOBAL, 0, 0), 12);
	p = out_icmp6(ICMP6_ECHO); /* looks at the checksum */
	REQUIRE(p);
	CHECK_EQ(get_be16(p->data + 44), id_of(six));
	packet_free(p);
	file_put(f);
	file_put(six);
	peer_teardown();
}

/* A router's word about a request of this identifier to the peer. */
static void complaint6(uint8_t type, uint32_t info, uint16_t id)
{
	uint8_t m[8 + 40 + 16] = { type };
	struct ip6_header *h = (struct ip6_header *)(m + 8);

	put_be32(m + 4, info);
	h->ver_class_flow = be32(6u << 28);
	h->payload_len = be16(1460);
	h->next_header = IPPROTO_ICMPV6;
	memcpy(h->src, a6(ME_GLOBAL).b, 16);
	memcpy(h->dst, a6(PEER_GLOBAL).b, 16);
	m[48] = ICMP6_ECHO;
	put_be16(m + 52, id);
	inject_icmp6("2001:db8::77", ME_GLOBAL, m, sizeof(m), 64);
}

static int error_of(struct file *f)
{
	uint32_t n = 4;
	int v = -1;

	CHECK_EQ(socket_getopt(f, SOL_SOCKET, SO_ERROR, &v, &n), 0);
	return v;
}

TEST(routers_are_heard)
{
	int on = 1;

	global_setup();
	struct file *f = ping(AF_INET6, 0);

	CHECK_EQ(bind6(f, "::", 500, 0), 0);
	complaint6(ICMP6_UNREACHABLE, 0, 500);
	CHECK_EQ(error_of(f), 0);
	CHECK_EQ(dial6(f, PEER_GLOBAL, 0, 0), 0);
	complaint6(ICMP6_TIME_EXCEEDED, 0, 500); /* passing trouble */
	CHECK_EQ(error_of(f), 0);
	complaint6(ICMP6_TOO_BIG, 1300, 500);
	CHECK_EQ(error_of(f), EMSGSIZE);
	complaint6(ICMP6_TOO_BIG, 1300, 501);
	CHECK_EQ(error_of(f), 0);
	CHECK_EQ(socket_setopt(f, SOL_IPV6, IPV6_RECVERR, &on, 4), 0);
	complaint6(ICMP6_TIME_EXCEEDED, 0, 500);
	CHECK(env_poll(f) & POLLERR);
	CHECK_EQ(error_of(f), EHOSTUNREACH);
	CHECK_EQ(
		env_read(f, buf, sizeof(buf), MSG_ERRQUEUE), 16); /* the request, with its header */
	CHECK_EQ(buf[0], ICMP6_ECHO);
	CHECK_EQ(env_read(f, buf, sizeof(buf), MSG_ERRQUEUE), -EAGAIN);
	file_put(f);
	peer_teardown();
}

/* Both families draw from the same ones. */
TEST(identifiers_are_held_and_given_back)
{
	peer_setup();
	struct file *a = ping(AF_INET, 77), *b = ping(AF_INET6, 0);
	int off = 0;

	socket_setopt(b, SOL_SOCKET, SO_REUSEADDR, &off, 4);
	CHECK_EQ(bind6(b, "::", 77, 0), -EADDRINUSE); /* Linux: of the other family, too */
	file_put(a);
	CHECK_EQ(bind6(b, "::", 77, 0), 0);
	CHECK_EQ(bind6(b, "::", 78, 0), -EINVAL);
	file_put(b);
	CHECK(list_empty(&me.net.ping.head));
	CHECK_EQ(me.net.ping_flows.count, 0);
	peer_teardown();
}
