/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* Every option that both know, on every kind of socket: which values and lengths it takes, and what
 * it reads back as afterwards. */
#include "net.h"

/* What has no name in this libc's headers is there by its number. */
static const short of_socket[] = { 0, SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE,
	SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_NO_CHECK, SO_PRIORITY, SO_LINGER, SO_BSDCOMPAT,
	SO_REUSEPORT, SO_PASSCRED, SO_PEERCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVTIMEO, SO_SNDTIMEO,
	22, 23, 24, SO_BINDTODEVICE, SO_DETACH_FILTER, SO_TIMESTAMP, SO_ACCEPTCONN, SO_PASSSEC,
	SO_TIMESTAMPNS, SO_MARK, SO_PROTOCOL, SO_DOMAIN, SO_RXQ_OVFL, SO_WIFI_STATUS, SO_PEEK_OFF,
	SO_NOFCS, SO_SELECT_ERR_QUEUE, SO_BUSY_POLL, SO_MAX_PACING_RATE, SO_INCOMING_CPU,
	SO_ZEROCOPY, 63, 64, 66, 67, 69, 72, 74, 75, 82, 200 };
static const short of_ip[] = { 0, IP_TOS, IP_TTL, IP_PKTINFO, IP_MTU_DISCOVER, IP_RECVERR,
	IP_RECVTTL, IP_RECVTOS, IP_FREEBIND, IP_TRANSPARENT, IP_RECVORIGDSTADDR, IP_MINTTL,
	IP_BIND_ADDRESS_NO_PORT, IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP,
	IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_UNBLOCK_SOURCE, IP_BLOCK_SOURCE,
	IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP,
	IP_MULTICAST_ALL, IP_UNICAST_IF, 51, 230 };
static const short of_ip6[] = { IPV6_UNICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_JOIN_GROUP,
	IPV6_LEAVE_GROUP, IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR, IPV6_V6ONLY, 29,
	MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVPATHMTU,
	IPV6_RECVTCLASS, IPV6_TCLASS, 73, 76, 78 };

static const int values[] = { 0, 1, -1, 2, 100, INT_MAX, INT_MIN };
static const unsigned lengths[] = { 0, 1, 2, 3, 600 };

static void number(int error, int value, socklen_t len)
{
	if (error)
		printf("%s", t_errno(error));
	else if (len == sizeof(value))
		printf("%d", value);
	else
		printf("%u bytes", len);
}

static void one(const char *kind, int fd, int level, int name)
{
	static const char zeroes[600];

	printf("%s %d/%d:", kind, level, name);
	for (unsigned k = 0; k < LENGTH(values); k++) {
		int got = -77, e = 0, g = 0;
		socklen_t len = sizeof(got);

		if (setsockopt(fd, level, name, &values[k], sizeof(int)))
			e = errno;
		if (getsockopt(fd, level, name, &got, &len))
			g = errno;
		printf(" %s/", e ? t_errno(e) : "ok");
		number(g, got, len);
	}
	for (unsigned k = 0; k < LENGTH(lengths); k++) {
		int e = setsockopt(fd, level, name, zeroes, lengths[k]) ? errno : 0;

		printf(" %s", e ? t_errno(e) : "ok");
	}
	for (socklen_t room = 0; room < 4; room++) {
		socklen_t len = room;
		char got[8];

		if (getsockopt(fd, level, name, got, &len))
			printf(" %s", t_errno(errno));
		else
			printf(" %u", len);
	}
	puts("");
}

/* The most that may be queued is the machine's. */
static bool differs(int type, int level, int name)
{
	return type == SOCK_STREAM && level == SOL_SOCKET && name == SO_RCVLOWAT;
}

static void all(const char *kind, int type, int fd, int level, const short *names, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!differs(type, level, names[k]))
			one(kind, fd, level, names[k]);
}

int main(void)
{
	static const struct {
		const char *kind;
		int family, type;
	} kinds[] = { { "tcp", AF_INET, SOCK_STREAM }, { "tcp6", AF_INET6, SOCK_STREAM },
		{ "udp", AF_INET, SOCK_DGRAM }, { "udp6", AF_INET6, SOCK_DGRAM },
		{ "unix", AF_UNIX, SOCK_STREAM }, { "unix dgram", AF_UNIX, SOCK_DGRAM } };

	for (size_t k = 0; k < LENGTH(kinds); k++) {
		int fd = socket(kinds[k].family, kinds[k].type, 0);

		NEED(fd >= 0);
		all(kinds[k].kind, kinds[k].type, fd, SOL_SOCKET, of_socket, LENGTH(of_socket));
		if (kinds[k].family != AF_UNIX)
			all(kinds[k].kind, kinds[k].type, fd, IPPROTO_IP, of_ip, LENGTH(of_ip));
		if (kinds[k].family == AF_INET6)
			all(kinds[k].kind, kinds[k].type, fd, IPPROTO_IPV6, of_ip6, LENGTH(of_ip6));
		close(fd);
	}
	return 0;
}
