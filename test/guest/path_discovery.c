/* SPDX-License-Identifier: BSD-2-Clause */
/* standalone */
/* root */
/* options: --net user --ip 10.0.2.15/24,10.0.2.2 */
/*
 * IP_MTU_DISCOVER (ip(7)): whose packets may not be cut on their way, and which are too long for
 * the link. That is seen by raw sockets on the loopback interface, which cuts nothing, and by what
 * calls say where the link is Ethernet.
 */
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include "link.h"

#define MODES 6 /* DONT, WANT, DO, PROBE, INTERFACE, OMIT */
#define OWN   200

static int see_udp, see_tcp, see_icmp, see_own;

static void set_mode(int fd, int mode)
{
	NEED(setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof(mode)) == 0);
}

static int opened(int type, int protocol, int mode)
{
	int fd = socket(AF_INET, type, protocol);

	NEED(fd >= 0);
	if (mode >= 0)
		set_mode(fd, mode);
	return fd;
}

/* The next packet there; its headers' length, 0: there is none. */
static size_t next_packet(int see, unsigned char *p, size_t size, ssize_t *n)
{
	*n = recv(see, p, size, MSG_DONTWAIT);
	return *n < (ssize_t)sizeof(struct ip) ? 0 : ((struct ip *)p)->ip_hl * 4u;
}

static void forget(void)
{
	const int all[] = { see_udp, see_tcp, see_icmp, see_own };
	unsigned char p[2048];

	for (size_t k = 0; k < LENGTH(all); k++)
		while (recv(all[k], p, sizeof(p), MSG_DONTWAIT) > 0)
			;
}

static const char *bits(const unsigned char *p)
{
	unsigned off = ntohs(((const struct ip *)p)->ip_off);

	return off == IP_DF ? "may not be cut" : off ? "a fragment" : "may be cut";
}

/* Of what may be cut no two have the same number. */
static void show(const char *what, int mode, int see)
{
	unsigned char p[2048];
	uint16_t id[16];
	ssize_t n;
	bool differ = true;
	int count = 0;

	printf("%s, mode %d:", what, mode);
	while (count < 16 && next_packet(see, p, sizeof(p), &n)) {
		const struct ip *ip = (struct ip *)p;

		id[count] = ip->ip_id;
		for (int k = 0; k < count && !(ip->ip_off & htons(IP_DF)); k++)
			differ &= id[k] != id[count];
		if (!count++)
			printf(" %s", bits(p));
	}
	printf(", %d%s\n", count, differ ? "" : ", of one number");
}

static void datagrams(int mode, bool connected)
{
	int to = net_bound(SOCK_DGRAM), fd = opened(SOCK_DGRAM, 0, mode);
	struct sockaddr_in a = net_addr(net_port(to));

	if (connected)
		NEED(connect(fd, (void *)&a, sizeof(a)) == 0);
	for (int k = 0; k < 6; k++)
		NEED(sendto(fd, "text", 4, 0, connected ? NULL : (void *)&a,
			     connected ? 0 : sizeof(a)) == 4);
	show(connected ? "connected" : "datagrams", mode, see_udp);
	close(fd);
	close(to);
}

static void own_protocol(int mode)
{
	int fd = opened(SOCK_RAW, OWN, mode);
	struct sockaddr_in a = net_addr(0);

	for (int k = 0; k < 6; k++)
		NEED(sendto(fd, "text", 4, 0, (void *)&a, sizeof(a)) == 4);
	show("raw", mode, see_own);
	close(fd);
}

/* The first segment of each kind, by the side that sends it. */
static void connection(int mode)
{
	static const char *const kinds[] = { "SYN", "SYN,ACK", "data", "answer", "FIN", "RST" };
	struct linger now = { 1, 0 };
	int l = opened(SOCK_STREAM, 0, mode), fd = opened(SOCK_STREAM, 0, mode), s;
	struct sockaddr_in a = net_addr(0);
	const char *seen[LENGTH(kinds)] = { 0 };
	unsigned char p[2048];
	size_t header;
	ssize_t n;
	char b[8];

	NEED(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0);
	uint16_t port = net_port(l);

	a = net_addr(port);
	NEED(connect(fd, (void *)&a, sizeof(a)) == 0);
	s = accept(l, NULL, NULL);
	NEED(write(fd, "text", 4) == 4 && read(s, b, 4) == 4);
	NEED(write(s, "text", 4) == 4 && read(fd, b, 4) == 4);
	shutdown(fd, SHUT_WR);
	NEED(read(s, b, 1) == 0);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(s);
	close(fd);
	close(l);
	while ((header = next_packet(see_tcp, p, sizeof(p), &n))) {
		const struct tcphdr *t = (void *)(p + header);
		bool server = t->source == htons(port), data = n > (ssize_t)(header + t->doff * 4u);
		int kind = t->rst ? 5 : t->syn ? server : t->fin ? 4 : data ? 2 + server : -1;

		if (kind >= 0 && !seen[kind])
			seen[kind] = bits(p);
	}
	printf("TCP, mode %d:", mode);
	if (mode != -1 && mode != IP_PMTUDISC_WANT && mode != IP_PMTUDISC_DO)
		seen[1] = "is as it is"; /* Linux's go by more than the mode */
	for (size_t k = 0; k < LENGTH(kinds); k++)
		printf(" %s %s%s", kinds[k], seen[k] ? seen[k] : "is not there",
			k + 1 < LENGTH(kinds) ? "," : "\n");
}

/* What the kernel says by itself. */
static void own_words(void)
{
	struct icmphdr echo = { .type = ICMP_ECHO,
		.checksum = htons((uint16_t) ~(ICMP_ECHO << 8)) };
	struct sockaddr_in a = net_addr(0);
	int closed = net_bound(SOCK_DGRAM), fd = opened(SOCK_RAW, IPPROTO_ICMP, -1);
	unsigned char p[2048];
	size_t header;
	ssize_t n;

	NEED(sendto(fd, &echo, sizeof(echo), 0, (void *)&a, sizeof(a)) == sizeof(echo));
	close(fd);
	a = net_addr(net_port(closed));
	close(closed);
	fd = opened(SOCK_DGRAM, 0, -1);
	NEED(sendto(fd, "x", 1, 0, (void *)&a, sizeof(a)) == 1);
	close(fd);
	while ((header = next_packet(see_icmp, p, sizeof(p), &n)))
		printf("ICMP %d: %s\n", p[header], bits(p));
	fd = opened(SOCK_STREAM, 0, IP_PMTUDISC_DONT);
	NEED(connect(fd, (void *)&a, sizeof(a)) && errno == ECONNREFUSED);
	close(fd);
	while ((header = next_packet(see_tcp, p, sizeof(p), &n)))
		printf("%s: %s\n", ((struct tcphdr *)(p + header))->rst ? "refused" : "asked",
			bits(p));
}

/* Nobody has the address, so nothing of it ever goes. */
static void long_ones(int type, int protocol, int mode)
{
	static char text[60000];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = opened(type, protocol, mode);
	int fits = type == SOCK_RAW ? 1480 : 1472;

	inet_pton(AF_INET, "10.0.2.77", &a.sin_addr);
	NEED(connect(fd, (void *)&a, sizeof(a)) == 0);
	printf("type %d, mode %d, MTU %d\n", type, mode, net_option(fd, IPPROTO_IP, IP_MTU));
	RET(send(fd, text, (size_t)fits, 0));
	RET(send(fd, text, (size_t)fits + 1, 0));
	RET(send(fd, text, sizeof(text), 0));
	close(fd);
}

int main(void)
{
	int fd;

	link_make();
	fd = opened(SOCK_DGRAM, 0, -1);
	for (int v = -2; v < 8; v++) {
		int r = setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v, sizeof(v));

		printf("set to %d: %s, is %d\n", v, t_errno(r ? errno : 0),
			net_option(fd, IPPROTO_IP, IP_MTU_DISCOVER));
	}
	close(fd);
	see_udp = opened(SOCK_RAW, IPPROTO_UDP, -1);
	see_tcp = opened(SOCK_RAW, IPPROTO_TCP, -1);
	see_icmp = opened(SOCK_RAW, IPPROTO_ICMP, -1);
	see_own = opened(SOCK_RAW, OWN, -1);
	for (int mode = -1; mode < MODES; mode++) { /* -1: as it is */
		datagrams(mode, false);
		datagrams(mode, true);
		own_protocol(mode);
		forget();
		connection(mode);
		forget();
	}
	own_words();
	for (int mode = -1; mode < MODES; mode++) {
		long_ones(SOCK_DGRAM, 0, mode);
		long_ones(SOCK_RAW, OWN, mode);
	}
	return 0;
}
