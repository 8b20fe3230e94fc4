/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups joined in every way, and the senders that a socket hears in them (RFC 3678). */
#include "net.h"

#define GROUP "239.1.2.3"

static int from; /* sends from 127.0.0.1 */
static struct sockaddr_in to;

static void send_and_look(const char *what, int fd)
{
	char buf[8];

	NEED(sendto(from, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)) == 5);
	t_sleep_ms(20);
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	printf("%s: %s\n", what, n == 5 ? "heard" : t_errno(errno));
}

static struct ip_mreq_source request(const char *group, const char *source)
{
	struct ip_mreq_source m = { .imr_multiaddr.s_addr = inet_addr(group),
		.imr_interface.s_addr = htonl(INADDR_LOOPBACK),
		.imr_sourceaddr.s_addr = inet_addr(source) };
	return m;
}

static void source(int fd, const char *what, int name, const char *group, const char *source)
{
	struct ip_mreq_source m = request(group, source);
	int r = setsockopt(fd, IPPROTO_IP, name, &m, sizeof(m));

	printf("%s %s: %s\n", what, source, r ? t_errno(errno) : "done");
}
#define SOURCE(fd, name, group, from) source(fd, #name, name, group, from)

static int listener(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = to.sin_port };
	int one = 1, none = 0, fd = socket(AF_INET, SOCK_DGRAM, 0);

	a.sin_addr.s_addr = to.sin_addr.s_addr;
	NEED(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	NEED(!bind(fd, (struct sockaddr *)&a, sizeof(a)));
	NEED(!setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &none, sizeof(none)));
	return fd;
}

static void by_address(void)
{
	int fd = listener();
	struct ip_mreqn m = { .imr_multiaddr = to.sin_addr,
		.imr_address.s_addr = htonl(INADDR_LOOPBACK) };

	puts("including");
	SOURCE(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	SOURCE(fd, IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	SOURCE(fd, IP_ADD_SOURCE_MEMBERSHIP, "10.1.1.1", "127.0.0.1");
	SOURCE(fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.9");
	send_and_look("from another", fd);
	SOURCE(fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.9");
	SOURCE(fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	send_and_look("from one of them", fd);
	SOURCE(fd, IP_BLOCK_SOURCE, GROUP, "127.0.0.5");
	SOURCE(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	send_and_look("no more", fd);
	SOURCE(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	SOURCE(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.9");
	SOURCE(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.9");
	puts("excluding");
	RET(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
	RET(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
	send_and_look("everybody", fd);
	SOURCE(fd, IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	send_and_look("blocked", fd);
	SOURCE(fd, IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	SOURCE(fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	SOURCE(fd, IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	SOURCE(fd, IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	send_and_look("unblocked", fd);
	for (int k = 1; k <= 11; k++) {
		char text[16];

		snprintf(text, sizeof(text), "127.0.1.%d", k);
		SOURCE(fd, IP_BLOCK_SOURCE, GROUP, text);
	}
	RET(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
	RET(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
	send_and_look("left", fd);
	close(fd);
}

/* The requests of both families, by the interface's number. */
static void by_number(void)
{
	struct group_req g = { .gr_interface = 1 };
	struct group_source_req s = { .gsr_interface = 1 };
	struct sockaddr_in *group = (void *)&g.gr_group, *who = (void *)&s.gsr_source;
	int fd = listener();

	*group = to;
	memcpy(&s.gsr_group, &to, sizeof(to));
	*who = net_addr(0);
	RET(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g) - 1));
	RET(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)));
	RET(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)));
	send_and_look("joined", fd);
	RET(setsockopt(fd, IPPROTO_IP, MCAST_BLOCK_SOURCE, &s, sizeof(s)));
	send_and_look("blocked", fd);
	RET(setsockopt(fd, IPPROTO_IP, MCAST_UNBLOCK_SOURCE, &s, sizeof(s)));
	RET(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &g, sizeof(g)));
	RET(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_GROUP, &g, sizeof(g)));
	RET(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &s, sizeof(s)));
	send_and_look("from it alone", fd);
	RET(setsockopt(fd, IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, &s, sizeof(s)));
	send_and_look("left", fd);
	group->sin_family = AF_INET6;
	RET(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)));
	s.gsr_interface = 999;
	RET(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &s, sizeof(s)));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	RET(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof(g)));
	RET(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &g, 3));
	close(fd);
}

int main(void)
{
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };
	struct sockaddr_in a = net_addr(0);
	int first = socket(AF_INET, SOCK_DGRAM, 0);

	NEED(!bind(first, (struct sockaddr *)&a, sizeof(a)));
	to = net_addr(net_port(first)); /* a port that is free */
	to.sin_addr.s_addr = inet_addr(GROUP);
	close(first);
	from = net_bound(SOCK_DGRAM);
	NEED(!setsockopt(from, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)));
	by_address();
	by_number();
	return 0;
}
