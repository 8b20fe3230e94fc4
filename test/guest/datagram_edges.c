/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagram sockets where programs seldom go: shut before they are connected, looked at from an
 * offset, too long for the path, stamped in every way. */
#include "net.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/udp.h>

static char big[66000];

static void events(const char *what, int fd)
{
	struct pollfd p = { fd, 0xffff, 0 };

	poll(&p, 1, 0);
	printf("%s: events %x\n", what, p.revents);
}

/* What a message came with. */
static void take(const char *what, int fd, int flags, size_t room)
{
	char buf[64] = "", control[512];
	struct sockaddr_storage name;
	struct iovec v = { buf, room };
	struct msghdr m = { .msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, flags | MSG_DONTWAIT);

	if (n < 0) {
		printf("%s: %s\n", what, t_errno(errno));
		return;
	}
	printf("%s: %zd, %.*s, flags %x, name %u", what, n, (int)room, buf, m.msg_flags,
		m.msg_namelen);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		struct sock_extended_err *e = (void *)CMSG_DATA(h);
		uint32_t *mtu = (void *)(CMSG_DATA(h) + sizeof(struct sockaddr_in6));

		printf(", %d/%d of %zu", h->cmsg_level, h->cmsg_type, h->cmsg_len);
		if (h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_PATHMTU)
			printf(" mtu %u", *mtu);
		if ((h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_RECVERR) ||
			(h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_RECVERR))
			printf(" error %u from %u type %u code %u info %u to %d", e->ee_errno,
				e->ee_origin, e->ee_type, e->ee_code, e->ee_info,
				((struct sockaddr *)(e + 1))->sa_family);
	}
	puts("");
}

static void shut(void)
{
	struct sockaddr_in a;
	int to = net_bound(SOCK_DGRAM);
	char b;

	a = net_addr(net_port(to));
	for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		printf("not connected, how %d\n", how);
		RET(shutdown(fd, how));
		events("then", fd);
		RET(sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)));
		RET(send(fd, "x", 1, MSG_NOSIGNAL));
		RET(recv(fd, &b, 1, MSG_DONTWAIT));
		if (how != SHUT_WR)
			RET(recv(fd, &b, 1, 0));
		close(fd);
	}
	close(to);
}

static void peek(void)
{
	struct sockaddr_in a;
	int fd = net_bound(SOCK_DGRAM), from = socket(AF_INET, SOCK_DGRAM, 0), zero = 0;

	puts("SO_PEEK_OFF");
	a = net_addr(net_port(fd));
	RET(net_option(fd, SOL_SOCKET, SO_PEEK_OFF));
	RET(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)));
	sendto(from, "abcdef", 6, 0, (struct sockaddr *)&a, sizeof(a));
	sendto(from, "ghi", 3, 0, (struct sockaddr *)&a, sizeof(a));
	for (int k = 0; k < 6; k++) {
		take("peek", fd, MSG_PEEK, 2);
		RET(net_option(fd, SOL_SOCKET, SO_PEEK_OFF));
	}
	take("read", fd, 0, 2);
	RET(net_option(fd, SOL_SOCKET, SO_PEEK_OFF));
	take("peek", fd, MSG_PEEK, 2);
	close(fd);
	close(from);
}

static void peek_stream(void)
{
	int p[2], zero = 0;
	char buf[8];

	puts("SO_PEEK_OFF of a stream");
	net_pair(p);
	RET(setsockopt(p[1], SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)));
	NEED(write(p[0], "abcdefgh", 8) == 8);
	NEED(net_poll(p[1], POLLIN) == POLLIN);
	for (int k = 0; k < 3; k++) {
		ssize_t n = recv(p[1], buf, 3, MSG_PEEK | MSG_DONTWAIT);

		printf("%zd, %.*s\n", n, (int)n, buf);
	}
	RET(recv(p[1], buf, 3, MSG_PEEK | MSG_DONTWAIT));
	RET(net_option(p[1], SOL_SOCKET, SO_PEEK_OFF));
	RET(read(p[1], buf, 3));
	RET(net_option(p[1], SOL_SOCKET, SO_PEEK_OFF));
	close(p[0]);
	close(p[1]);
}

/* The loopback's MTU is 65536 on Linux and here: only IPv6 has longer datagrams. */
static void too_long6(void)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT
	};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1, off = 0, mode = IPV6_PMTUDISC_DO;

	puts("too long, IPv6");
	RET(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPATHMTU, &on, sizeof(on)));
	RET(setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof(on)));
	take("before", fd, 0, 4);
	RET(sendto(fd, big, 65527, 0, (struct sockaddr *)&a, sizeof(a)));
	events("after", fd);
	take("the path's MTU", fd, 0, 4);
	take("once", fd, 0, 4);
	RET(sendto(fd, big, 65527, 0, (struct sockaddr *)&a, sizeof(a)));
	RET(setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &off, sizeof(off)));
	RET(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)));
	RET(setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &mode, sizeof(mode)));
	RET(sendto(fd, big, 65527, 0, (struct sockaddr *)&a, sizeof(a)));
	events("after", fd);
	take("on the error queue", fd, MSG_ERRQUEUE, 4);
	RET(net_option(fd, SOL_SOCKET, SO_ERROR));
	events("then", fd);
	close(fd);
}

static void stamps(void)
{
	static const int names[] = { SO_TIMESTAMP_OLD, SO_TIMESTAMPNS_OLD, SO_TIMESTAMP_NEW,
		SO_TIMESTAMPNS_NEW };
	int fd = net_bound(SOCK_DGRAM), from = socket(AF_INET, SOCK_DGRAM, 0), on = 1, off = 0;
	int flags = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE;
	struct sockaddr_in a = net_addr(net_port(fd));

	for (unsigned k = 0; k < LENGTH(names); k++) {
		printf("stamp %d\n", names[k]);
		RET(setsockopt(fd, SOL_SOCKET, names[k], &on, sizeof(on)));
		for (unsigned n = 0; n < LENGTH(names); n++)
			printf("%d ", net_option(fd, SOL_SOCKET, names[n]));
		sendto(from, "hi", 2, 0, (struct sockaddr *)&a, sizeof(a));
		take("", fd, 0, 4);
	}
	RET(setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)));
	RET(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)));
	RET(net_option(fd, SOL_SOCKET, SO_TIMESTAMPING));
	t_sleep_ms(100); /* Linux switches the clock on a little later */
	sendto(from, "hi", 2, 0, (struct sockaddr *)&a, sizeof(a));
	take("both", fd, 0, 4);
	RET(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP_OLD, &off, sizeof(off)));
	sendto(from, "hi", 2, 0, (struct sockaddr *)&a, sizeof(a));
	take("one", fd, 0, 4);
	flags = 1 << 30;
	RET(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)));
	close(fd);
	close(from);
}

int main(void)
{
	shut();
	peek();
	peek_stream();
	too_long6();
	stamps();
	return 0;
}
