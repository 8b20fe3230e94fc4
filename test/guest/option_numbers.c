/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/*
 * Every option by its number, on every kind of socket, each on a socket of its own: what reading
 * says with room for so many bytes, what writing says of values and lengths, what is read after it.
 */
#include "net.h"

struct kind {
	const char *name;
	int family, type, protocol;
};
static const struct kind kinds[] = { { "tcp", AF_INET, SOCK_STREAM, 0 },
	{ "tcp6", AF_INET6, SOCK_STREAM, 0 }, { "udp", AF_INET, SOCK_DGRAM, 0 },
	{ "udp6", AF_INET6, SOCK_DGRAM, 0 }, { "raw", AF_INET, SOCK_RAW, IPPROTO_ICMP },
	{ "raw255", AF_INET, SOCK_RAW, IPPROTO_RAW },
	{ "raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 }, { "raw6 99", AF_INET6, SOCK_RAW, 99 },
	{ "unix", AF_UNIX, SOCK_STREAM, 0 }, { "unix dgram", AF_UNIX, SOCK_DGRAM, 0 },
	{ "netlink", AF_NETLINK, SOCK_RAW, 0 } };

struct level {
	int level, first, last;
};
/* IPPROTO_IP and IPPROTO_IPV6 have packet filters from 64 on. */
static const struct level levels[] = { { SOL_SOCKET, 0, 90 }, { IPPROTO_IP, 0, 63 },
	{ IPPROTO_IPV6, 0, 63 }, { IPPROTO_IPV6, 66, 82 }, { IPPROTO_TCP, 0, 46 },
	{ IPPROTO_UDP, 0, 12 }, { IPPROTO_UDP, 100, 106 }, { IPPROTO_ICMP, 0, 2 },
	{ IPPROTO_ICMPV6, 0, 2 }, { 255, 0, 3 }, { 270, 0, 13 }, { 300, 0, 2 } };

/*
 * Options that Skiff does not have or that mean something else where this is compared: packet
 * filters, IPsec, other clocks for sending, RFC 4884, sticky headers, source filters of groups in
 * one call, the keys and repairing of TCP, encapsulation in UDP, and interfaces of this machine.
 */
static bool left_out(int level, int name)
{
	static const short socket[] = { 26, 37, 48, 50, 51, 52, 55, 61, 65, 68, 76, 77, 80, 83,
		84 };
	static const short ip[] = { 4, 5, 7, 9, 16, 17, 25, 26, 41, 48 };
	static const short ip6[] = { 1, 6, 11, 17, 22, 27, 28, 30, 31, 32, 33, 34, 35, 48, 50, 54,
		55, 57, 59, 62, 68, 69, 70, 72, 77, 80 };
	static const short tcp[] = { 13, 14, 16, 19, 20, 21, 22, 24, 26, 27, 28, 29, 30, 32, 33, 34,
		35, 36, 37, 44, 45, 46 };
	static const short udp[] = { 10, 11, 100, 101, 102 };
	static const struct {
		int level;
		const short *names;
		size_t count;
	} lists[] = { { SOL_SOCKET, socket, LENGTH(socket) }, { IPPROTO_IP, ip, LENGTH(ip) },
		{ IPPROTO_IPV6, ip6, LENGTH(ip6) }, { IPPROTO_TCP, tcp, LENGTH(tcp) },
		{ IPPROTO_UDP, udp, LENGTH(udp) } };

	for (size_t l = 0; l < LENGTH(lists); l++)
		for (size_t k = 0; lists[l].level == level && k < lists[l].count; k++)
			if (lists[l].names[k] == name)
				return true;
	return false;
}

/* A number of this machine, or a pointer's work: only that there is one. */
static bool own_value(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == 7 || name == 8 || name == 32 || name == 33 || name == 18 ||
		       name == 17 || name == 55 || name == 57 || name == 56 || name == 49 ||
		       name == 42 || name == 76 || name == 77;
	if (level == IPPROTO_TCP)
		return name == 11 || name == 24 || name == 26 || name == 10;
	return false;
}

static void get(int fd, int level, int name, socklen_t room)
{
	unsigned char b[512] = { 0 };
	socklen_t len = room;
	int v;

	if (getsockopt(fd, level, name, b, &len)) {
		printf(" %s", t_errno(errno));
		return;
	}
	memcpy(&v, b, sizeof(v));
	if (own_value(level, name))
		printf(" %s", len ? "some" : "none");
	else if (len == sizeof(v))
		printf(" %d", v);
	else
		printf(" [%u]", len);
}

static void set(int fd, int level, int name, const void *v, socklen_t len)
{
	printf(" %s", t_errno(setsockopt(fd, level, name, v, len) ? errno : 0));
}

static void one(const struct kind *k, int level, int name)
{
	static const int values[] = { 0, 1, 2, 3, 64, 300, -1, INT_MAX, INT_MIN };
	static const socklen_t rooms[] = { 0, 1, 3, 4, 7, 8, 64 };
	static const char zeroes[512];
	int fd = socket(k->family, k->type, k->protocol);

	NEED(fd >= 0);
	printf("%s %d/%d: get", k->name, level, name);
	for (size_t i = 0; i < LENGTH(rooms); i++)
		get(fd, level, name, rooms[i]);
	printf(" set");
	if (setsockopt(fd, level, name, zeroes, 4) == 0 || errno != ENOPROTOOPT)
		for (size_t i = 0; i < LENGTH(rooms); i++)
			set(fd, level, name, zeroes, rooms[i]);
	printf(" values");
	for (size_t i = 0; i < LENGTH(values); i++) {
		close(fd);
		fd = socket(k->family, k->type, k->protocol);
		set(fd, level, name, &values[i], 4);
		putchar('/');
		get(fd, level, name, 4);
	}
	puts("");
	close(fd);
}

int main(void)
{
	for (size_t k = 0; k < LENGTH(kinds); k++)
		for (size_t l = 0; l < LENGTH(levels); l++)
			for (int n = levels[l].first; n <= levels[l].last; n++)
				if (!left_out(levels[l].level, n))
					one(&kinds[k], levels[l].level, n);
	return 0;
}
