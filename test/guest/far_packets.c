/* SPDX-License-Identifier: BSD-2-Clause */
/* IP_MINTTL and IPV6_MINHOPCOUNT: who comes from further away than they allow is not heard; and
 * IP_UNICAST_IF, IPV6_UNICAST_IF. */
#include "net6.h"

#define MINHOPCOUNT 73
#define UNICAST_IF6 76

struct kind {
	const char *name;
	bool v6, mapped; /* mapped: an IPv4 peer of an AF_INET6 socket */
};
static const struct kind kinds[] = { { "v4", false, false }, { "v6", true, false },
	{ "mapped", true, true } };

static void set(int fd, int level, int name, int v)
{
	NEED(setsockopt(fd, level, name, &v, sizeof(v)) == 0);
}

/* What the kind's packets are measured by, or (other) what they are not. */
static void set_floor(int fd, const struct kind *k, bool other, int v)
{
	if ((k->v6 && !k->mapped) != other)
		set(fd, IPPROTO_IPV6, MINHOPCOUNT, v);
	else
		set(fd, IPPROTO_IP, IP_MINTTL, v);
}

static void set_hops(int fd, const struct kind *k, int v)
{
	if (k->v6 && !k->mapped)
		set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, v);
	else
		set(fd, IPPROTO_IP, IP_TTL, v);
}

static socklen_t address(const struct kind *k, struct sockaddr_in6 *a, uint16_t port)
{
	struct sockaddr_in in = net_addr(port);

	*a = addr6(k->mapped ? "::ffff:127.0.0.1" : "::1", port);
	if (!k->v6)
		memcpy(a, &in, sizeof(in));
	return k->v6 ? sizeof(*a) : sizeof(in);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);

	NEED(getsockname(fd, (void *)&a, &len) == 0);
	return ntohs(a.sin6_port);
}

static int make(const struct kind *k, int type)
{
	int fd = socket(k->v6 ? AF_INET6 : AF_INET, type, 0);

	NEED(fd >= 0);
	return fd;
}

static int bound(const struct kind *k, int type)
{
	struct sockaddr_in6 a;
	int fd = make(k, type);
	socklen_t len = address(k, &a, 0);

	NEED(bind(fd, (void *)&a, len) == 0);
	return fd;
}

static bool comes(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 200) == 1;
}

/* The acknowledgement's way is measured as well, so the connecting end's hops matter too. */
static void connect_to(const struct kind *k, int floor, int hops)
{
	struct sockaddr_in6 a;
	int l = bound(k, SOCK_STREAM), c = make(k, SOCK_STREAM | SOCK_NONBLOCK);
	socklen_t len = address(k, &a, port_of(l));
	struct pollfd p = { c, POLLOUT, 0 };

	NEED(listen(l, 5) == 0);
	set_floor(l, k, false, floor);
	set_hops(c, k, hops);
	NEED(connect(c, (void *)&a, len) == -1 && errno == EINPROGRESS);
	printf("%s listener %d, peer %d: connected %d", k->name, floor, hops, poll(&p, 1, 300));
	if (comes(l)) {
		int s = accept(l, NULL, NULL);

		printf(", child has %d %d", net_option(s, IPPROTO_IP, IP_MINTTL),
			k->v6 ? net_option(s, IPPROTO_IPV6, MINHOPCOUNT) : -1);
		NEED(write(c, "x", 1) == 1);
		printf(", hears %d", comes(s));
		set_hops(c, k, floor > 2 ? floor - 2 : 1);
		NEED(write(c, "y", 1) == 1);
		char got[8];

		t_sleep_ms(100);
		printf(", then %zd", recv(s, got, sizeof(got), MSG_DONTWAIT));
		set_hops(c, k, 255); /* it is sent again */
		printf(", later %d", comes(s));
		close(s);
	}
	puts("");
	close(c);
	close(l);
}

static void other_family(const struct kind *k)
{
	struct sockaddr_in6 a;
	int l = bound(k, SOCK_STREAM), c = make(k, SOCK_STREAM);
	socklen_t len = address(k, &a, port_of(l));

	NEED(listen(l, 5) == 0);
	if (k->v6)
		set_floor(l, k, true, 255);
	printf("%s other family's: %s\n", k->name,
		t_errno(connect(c, (void *)&a, len) ? errno : 0));
	close(c);
	close(l);
}

static void datagrams(const struct kind *k)
{
	struct sockaddr_in6 a;
	int r = bound(k, SOCK_DGRAM), s = make(k, SOCK_DGRAM), index = (int)htonl(1);
	socklen_t len = address(k, &a, port_of(r));

	set_floor(r, k, false, 200);
	set_hops(s, k, 3);
	NEED(sendto(s, "x", 1, 0, (void *)&a, len) == 1);
	printf("%s datagram: %d\n", k->name, comes(r));
	set(s, IPPROTO_IP, IP_UNICAST_IF, index);
	if (k->v6)
		set(s, IPPROTO_IPV6, UNICAST_IF6, index);
	printf("%s to an interface: %zd\n", k->name, sendto(s, "x", 1, 0, (void *)&a, len));
	printf("%s is %d\n", k->name, k->v6 ? ntohl(net_option(s, IPPROTO_IPV6, UNICAST_IF6)) : 0);
	close(r);
	close(s);
}

int main(void)
{
	for (size_t k = 0; k < LENGTH(kinds); k++) {
		connect_to(&kinds[k], 0, 1);
		connect_to(&kinds[k], 64, 64);
		connect_to(&kinds[k], 64, 63);
		connect_to(&kinds[k], 255, 255);
		connect_to(&kinds[k], 255, 64);
		other_family(&kinds[k]);
		datagrams(&kinds[k]);
	}
	for (int v = 0; v <= 1; v++) {
		int fd = socket(AF_INET6, SOCK_DGRAM, 0), n = v ? 0x7fff : 1;

		n = (int)htonl((uint32_t)n);
		RET(setsockopt(fd, IPPROTO_IPV6, UNICAST_IF6, &n, sizeof(n)));
		RET(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
		n = (int)htonl(1);
		RET(setsockopt(fd, IPPROTO_IPV6, UNICAST_IF6, &n, sizeof(n)));
		close(fd);
	}
	return 0;
}
