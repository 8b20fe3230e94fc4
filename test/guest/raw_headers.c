/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/*
 * IP headers that a program writes itself (IPPROTO_RAW, IP_HDRINCL, IPV6_HDRINCL), with options,
 * extension headers and fragments: what is sent, what arrives at which sockets, and what ancillary
 * data tells of it.
 */
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include "net6.h"

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif
#define FLOWINFO 11

static void set(int fd, int level, int name, int v)
{
	if (setsockopt(fd, level, name, &v, sizeof(v)))
		printf("set %d/%d to %d: %s\n", level, name, v, t_errno(errno));
}

static void hex(const unsigned char *b, size_t n)
{
	for (size_t k = 0; k < n; k++)
		printf("%02x", b[k]);
}

/* The ancillary data and first bytes of all that has come; ports and what is random left out. */
static void drain(const char *what, int fd, bool headers)
{
	unsigned char data[2000], control[1024];

	for (;;) {
		struct iovec v = { data, sizeof(data) };
		struct sockaddr_in6 from;
		struct msghdr m = { &from, sizeof(from), &v, 1, control, sizeof(control), 0 };
		struct pollfd p = { fd, POLLIN, 0 };
		ssize_t n = poll(&p, 1, 60) == 1 ? recvmsg(fd, &m, MSG_DONTWAIT) : -1;

		if (n < 0)
			break;
		printf("  %s: %zd bytes", what, n);
		if (headers && n >= 20) {
			struct ip *ip = (struct ip *)data;

			printf(", header %d tos %d length %d id %s frag %x ttl %d protocol %d sum "
			       "%s from %s",
				ip->ip_hl * 4, ip->ip_tos, ntohs(ip->ip_len),
				ip->ip_id == htons(0x1234) ? "ours"
				: ip->ip_id		   ? "some"
							   : "none",
				ntohs(ip->ip_off), ip->ip_ttl, ip->ip_p,
				ip->ip_sum ? "some" : "none", inet_ntoa(ip->ip_src));
			printf(" to %s", inet_ntoa(ip->ip_dst));
			if (ip->ip_hl > 5) {
				printf(" options ");
				hex(data + 20, ip->ip_hl * 4u - 20);
			}
		}
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			size_t k = c->cmsg_len - CMSG_LEN(0);

			printf(" [%d/%d ", c->cmsg_level, c->cmsg_type);
			if ((c->cmsg_type == IP_RECVORIGDSTADDR && c->cmsg_level == 0) ||
				c->cmsg_type == IPV6_RECVORIGDSTADDR) {
				memset(CMSG_DATA(c) + 2, 0, 2); /* the port */
				hex(CMSG_DATA(c), k);
			} else {
				hex(CMSG_DATA(c), k);
			}
			printf("]");
		}
		puts("");
	}
}

static int receiver(int family)
{
	struct sockaddr_in6 a = addr6("::1", 0);
	struct sockaddr_in in = net_addr(0);
	int fd = socket(family, SOCK_DGRAM, 0);

	NEED(bind(fd, family == AF_INET ? (void *)&in : (void *)&a,
		     family == AF_INET ? sizeof(in) : sizeof(a)) == 0);
	return fd;
}

struct header {
	int version, ihl, tos, id, off, ttl, protocol;
	const char *src, *dst;
	const unsigned char *options;
	size_t option_bytes;
	int length; /* 0: right */
};

static size_t make4(unsigned char *p, const struct header *h, const void *payload, size_t n)
{
	struct ip *ip = (struct ip *)p;
	size_t header = 20 + h->option_bytes;

	memset(p, 0, header);
	ip->ip_v = (unsigned)(h->version ? h->version : 4);
	ip->ip_hl = (unsigned)(h->ihl ? h->ihl : (int)(header / 4));
	ip->ip_tos = (uint8_t)h->tos;
	ip->ip_id = htons((uint16_t)h->id);
	ip->ip_off = htons((uint16_t)h->off);
	ip->ip_ttl = (uint8_t)(h->ttl ? h->ttl : 9);
	ip->ip_p = (uint8_t)(h->protocol ? h->protocol : IPPROTO_UDP);
	ip->ip_len = htons((uint16_t)(h->length ? h->length : 0xffff)); /* Linux fills it in */
	if (h->src)
		inet_pton(AF_INET, h->src, &ip->ip_src);
	inet_pton(AF_INET, h->dst ? h->dst : "127.0.0.1", &ip->ip_dst);
	if (h->option_bytes)
		memcpy(p + 20, h->options, h->option_bytes);
	memcpy(p + header, payload, n);
	return header + n;
}

static size_t datagram(unsigned char *p, int fd, const char *text)
{
	struct udphdr u = { .source = htons(7), .dest = htons(port6(fd)) };
	size_t n = strlen(text);

	u.len = htons((uint16_t)(sizeof(u) + n));
	memcpy(p, &u, sizeof(u));
	memcpy(p + sizeof(u), text, n);
	return sizeof(u) + n;
}

static void send4(int raw, const struct header *h, const void *payload, size_t n)
{
	unsigned char p[1600];
	struct sockaddr_in to = net_addr(0);
	size_t total = make4(p, h, payload, n);
	ssize_t r = sendto(raw, p, total, 0, (void *)&to, sizeof(to));

	printf(" sent %s\n", r == (ssize_t)total ? "all" : t_errno(errno));
}

static void options4(int raw)
{
	static const unsigned char nop[] = { 1, 1, 1, 0 }, alert[] = { 148, 4, 0, 0 },
				   loose[] = { 131, 7, 4, 127, 0, 0, 1, 0 },
				   bad[] = { 7, 40, 4, 0 };
	static const struct {
		const char *name;
		const unsigned char *option;
		size_t n;
	} all[] = { { "none", NULL, 0 }, { "nop", nop, 4 }, { "alert", alert, 4 },
		{ "source route", loose, 8 }, { "malformed", bad, 4 } };
	int fd = receiver(AF_INET), icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	unsigned char u[100];
	size_t n = datagram(u, fd, "text");

	set(fd, IPPROTO_IP, IP_RECVOPTS, 1);
	set(fd, IPPROTO_IP, IP_RECVTTL, 1);
	set(fd, IPPROTO_IP, IP_RECVTOS, 1);
	set(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
	set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	for (size_t k = 0; k < LENGTH(all); k++) {
		struct header h = { .options = all[k].option,
			.option_bytes = all[k].n,
			.tos = 0x48,
			.id = 0x1234 };

		printf("options %s:", all[k].name);
		send4(raw, &h, u, n);
		drain("datagram", fd, false);
		drain("icmp", icmp, false);
	}
	close(fd);
	close(icmp);
}

static void headers4(int raw)
{
	static const struct {
		const char *name;
		struct header h;
	} all[] = { { "plain", { 0 } }, { "id", { .id = 0x1234 } },
		{ "other source", { .src = "127.0.0.9" } }, { "length 4", { .length = 4 } },
		{ "other destination", { .dst = "127.0.0.5" } },
		{ "don't fragment", { .off = IP_DF } }, { "ihl 4", { .ihl = 4 } },
		{ "ihl 15", { .ihl = 15 } }, { "version 5", { .version = 5 } },
		{ "tos", { .tos = 0xff, .ttl = 255 } } };
	int fd = socket(AF_INET, SOCK_RAW, 200), more[20];

	for (size_t k = 0; k < LENGTH(more); k++)
		more[k] = socket(AF_INET, SOCK_RAW, 201);
	for (size_t k = 0; k < LENGTH(all); k++) {
		struct header h = all[k].h;

		h.protocol = 200;
		printf("header %s:", all[k].name);
		send4(raw, &h, "payload", 7);
		drain("raw", fd, true);
	}
	struct header h = { .protocol = 201 };
	int got = 0;

	printf("many:");
	send4(raw, &h, "payload", 7);
	for (size_t k = 0; k < LENGTH(more); k++) {
		char b[100];

		got += recv(more[k], b, sizeof(b), MSG_DONTWAIT) == 27;
		close(more[k]);
	}
	printf("  %d of them\n", got);
	close(fd);
}

/* A datagram in three parts, out of order: raw sockets see it once, whole. */
static void fragments4(int raw)
{
	int fd = receiver(AF_INET), see = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	unsigned char u[100];
	size_t n = datagram(u, fd, "0123456789abcdefghijklmnop");
	struct header a = { .id = 0x1234, .off = IP_MF }, b = { .id = 0x1234, .off = IP_MF | 2 },
		      c = { .id = 0x1234, .off = 4, .src = NULL };

	a.src = b.src = c.src = "127.0.0.1";
	printf("fragments:");
	send4(raw, &c, u + 32, n - 32);
	send4(raw, &a, u, 16);
	drain("raw", see, true);
	send4(raw, &b, u + 16, 16);
	drain("raw", see, true);
	drain("datagram", fd, false);
	close(fd);
	close(see);
}

static void errors(int raw)
{
	static unsigned char big[70000];
	struct sockaddr_in to = net_addr(0);
	struct ip *ip = (struct ip *)big;

	ip->ip_v = 4;
	ip->ip_hl = 5;
	ip->ip_dst.s_addr = htonl(INADDR_LOOPBACK);
	RET(sendto(raw, big, 0, 0, (void *)&to, sizeof(to)));
	RET(sendto(raw, big, 19, 0, (void *)&to, sizeof(to)));
	RET(sendto(raw, big, 20, 0, (void *)&to, sizeof(to)));
	RET(sendto(raw, big, 65535, 0, (void *)&to, sizeof(to)));
	RET(sendto(raw, big, 65536, 0, (void *)&to, sizeof(to)));
	int fd = socket(AF_INET, SOCK_RAW, 200);

	printf("IP_HDRINCL is %d, %d\n", net_option(raw, IPPROTO_IP, IP_HDRINCL),
		net_option(fd, IPPROTO_IP, IP_HDRINCL));
	set(fd, IPPROTO_IP, IP_HDRINCL, 1);
	RET(sendto(fd, big, 20, 0, (void *)&to, sizeof(to)));
	set(fd, IPPROTO_IP, IP_HDRINCL, 0);
	RET(sendto(fd, big, 20, 0, (void *)&to, sizeof(to)));
	drain("back", fd, false);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	set(fd, IPPROTO_IP, IP_HDRINCL, 1);
	close(fd);
}

static void send6(
	int raw, uint8_t next, const unsigned char *ext, size_t n, const void *payload, size_t size)
{
	unsigned char p[1600] = { 0x6a, 0xb1, 0x23, 0x45 }; /* class, flow label */
	struct sockaddr_in6 to = addr6("::1", 0);
	struct ip6_hdr *h = (struct ip6_hdr *)p;

	h->ip6_plen = htons((uint16_t)(n + size));
	h->ip6_nxt = next;
	h->ip6_hlim = 17;
	h->ip6_src = h->ip6_dst = to.sin6_addr;
	memcpy(p + 40, ext, n);
	memcpy(p + 40 + n, payload, size);
	printf(" sent %zd\n", sendto(raw, p, 40 + n + size, 0, (void *)&to, sizeof(to)));
}

static void extensions6(void)
{
	static const unsigned char none[1],
		hop[] = { 17, 0, 5, 2, 0, 0, 1, 0 }, dst[] = { 17, 0, 30, 4, 1, 2, 3, 4 },
		hop_dst[] = { 60, 0, 1, 4, 0, 0, 0, 0, 17, 1, 30, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
			11, 12 },
		route[] = { 17, 0, 253, 0, 0, 0, 0, 0 };
	static const struct {
		const char *name;
		uint8_t next;
		const unsigned char *ext;
		size_t n;
	} all[] = { { "nothing", 17, none, 0 }, { "hop", 0, hop, 8 }, { "dst", 60, dst, 8 },
		{ "hop, dst", 0, hop_dst, 24 }, { "route", 43, route, 8 } };
	static const int names[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, FLOWINFO,
		IPV6_RECVHOPOPTS, IPV6_RECVDSTOPTS, IPV6_RECVRTHDR, IPV6_RECVORIGDSTADDR };
	static const int old[] = { 2, 3, 4, 5, 8 }; /* of RFC 2292 */
	int raw = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW), fd = receiver(AF_INET6);
	int one = receiver(AF_INET6), see = socket(AF_INET6, SOCK_RAW, IPPROTO_UDP);
	unsigned char u[100];

	printf("IPV6_HDRINCL is %d, %d\n", net_option(raw, IPPROTO_IPV6, IPV6_HDRINCL),
		net_option(see, IPPROTO_IPV6, IPV6_HDRINCL));
	for (size_t k = 0; k < LENGTH(names); k++) {
		set(fd, IPPROTO_IPV6, names[k], 1);
		set(see, IPPROTO_IPV6, names[k], 1);
	}
	for (size_t k = 0; k < LENGTH(old); k++)
		set(one, IPPROTO_IPV6, old[k], 1);
	set(see, IPPROTO_IPV6, IPV6_CHECKSUM, -1);
	for (size_t k = 0; k < LENGTH(all); k++)
		for (int to = 0; to < 2; to++) {
			size_t n = datagram(u, to ? one : fd, "text");
			struct sockaddr_in6 me = addr6("::1", 0);
			uint32_t sum = htons(17) + htons((uint16_t)n);
			uint16_t w[64] = { 0 };

			memcpy(w, u, n);
			for (int j = 0; j < 8; j++)
				sum += 2u * me.sin6_addr.s6_addr16[j];
			for (size_t j = 0; j < (n + 1) / 2; j++)
				sum += w[j];
			sum = (sum & 0xffff) + (sum >> 16);
			sum = (sum & 0xffff) + (sum >> 16);
			sum = ~sum & 0xffff;
			u[6] = (unsigned char)sum;
			u[7] = (unsigned char)(sum >> 8);
			printf("extension %s:", all[k].name);
			send6(raw, all[k].next, all[k].ext, all[k].n, u, n);
			drain("datagram", fd, false);
			drain("of old", one, false);
			drain("raw", see, false);
		}
	struct sockaddr_in6 to = addr6("::1", 0);

	RET(sendto(raw, u, 0, 0, (void *)&to, sizeof(to)));
	RET(sendto(raw, u, 39, 0, (void *)&to, sizeof(to)));
	close(raw);
	close(fd);
	close(one);
	close(see);
}

/* What a sender says in options and ancillary data is what the receiver is told. */
static void told(void)
{
	int a = receiver(AF_INET6), s = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 to = addr6("::1", port6(a));

	set(s, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0);
	set(s, IPPROTO_IPV6, IPV6_TCLASS, 0x24);
	set(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33);
	set(a, IPPROTO_IPV6, FLOWINFO, 1);
	set(a, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	set(a, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	NEED(sendto(s, "x", 1, 0, (void *)&to, sizeof(to)) == 1);
	drain("told", a, false);
	set(s, IPPROTO_IPV6, IPV6_TCLASS, 0);
	NEED(sendto(s, "x", 1, 0, (void *)&to, sizeof(to)) == 1);
	drain("no flow", a, false);
	close(a);
	close(s);
}

int main(void)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	NEED(raw >= 0);
	headers4(raw);
	options4(raw);
	fragments4(raw);
	errors(raw);
	close(raw);
	extensions6();
	told();
	return 0;
}
