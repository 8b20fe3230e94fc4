/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP_SEGMENT and UDP_GRO: several datagrams in one call, as an option and as ancillary data, over
 * both families; what is refused; what a receiver that takes them as one is told.
 */
#include <netinet/udp.h>
#include "net6.h"

static char text[70000], got[70000];

static void set(int fd, int level, int name, int value)
{
	NEED(setsockopt(fd, level, name, &value, sizeof(value)) == 0);
}

static int try(int fd, int name, int value)
{
	return setsockopt(fd, SOL_UDP, name, &value, sizeof(value)) ? -errno : 0;
}

/* Sends with a size for this message alone; type and len to be wrong on purpose. */
static ssize_t send_with(int fd, size_t n, uint16_t size, int type, size_t len)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(8)];
	} c = { .h = { .cmsg_len = CMSG_LEN(len), .cmsg_level = SOL_UDP, .cmsg_type = type } };
	struct iovec iov = { text, n };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &c,
		.msg_controllen = CMSG_SPACE(len) };

	memcpy(CMSG_DATA(&c.h), &size, sizeof(size));
	return sendmsg(fd, &m, 0);
}

/* What came: lengths, and the size that was told; the bytes follow each other. */
static void receive(int fd, size_t from)
{
	char control[200];
	int count = 0, last = -1;

	for (;;) {
		struct iovec iov = { got, sizeof(got) };
		struct msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
		int size = 0;

		if (n < 0)
			break;
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
			if (h->cmsg_level == SOL_UDP && h->cmsg_type == UDP_GRO) {
				memcpy(&size, CMSG_DATA(h), sizeof(size));
				printf("  told %d, %zu bytes\n", size,
					(size_t)(h->cmsg_len - CMSG_LEN(0)));
			}
		}
		if ((int)n != last)
			printf("  %zd at %d\n", n, count);
		last = (int)n;
		if (memcmp(got, text + from, (size_t)n))
			printf("  WRONG at %zu\n", from);
		from += (size_t)n;
		count++;
	}
	printf("  %d came\n", count);
}

static void limits(int from, int to)
{
	printf("-- limits\n");
	RET(net_option(from, SOL_UDP, UDP_SEGMENT));
	RET(net_option(to, SOL_UDP, UDP_GRO));
	RET(try(from, UDP_SEGMENT, -1));
	RET(try(from, UDP_SEGMENT, 65536));
	RET(try(from, UDP_SEGMENT, 65535));
	RET(net_option(from, SOL_UDP, UDP_SEGMENT));
	RET(try(from, UDP_SEGMENT, 100));
	RET(try(to, UDP_GRO, 7));
	RET(net_option(to, SOL_UDP, UDP_GRO));
	RET(try(to, UDP_GRO, 0));
	RET(net_option(to, SOL_UDP, UDP_GRO));
	RET(try(from, 77, 1));
	RET(setsockopt(from, SOL_UDP, UDP_SEGMENT, text, 2));
	RET(send(from, text, 6400, 0)); /* 64 */
	receive(to, 0);
	RET(send(from, text, 100 * 128, 0));
	receive(to, 0);
	RET(send(from, text, 100 * 128 + 1, 0));
	RET(send(from, text, 100, 0));
	RET(send(from, text, 0, 0));
	RET(send(from, text + 100, 99, 0));
	receive(to, 0);
	set(from, SOL_UDP, UDP_SEGMENT, 1000);
	RET(send(from, text, 65507, 0));
	receive(to, 0);
	RET(send(from, text, 65508, 0) > 0);
	RET(send(from, text, 65536, 0));
	while (recv(to, got, sizeof(got), MSG_DONTWAIT) >= 0)
		;
	set(from, SOL_UDP, UDP_SEGMENT, 0);
}

static void message_sizes(int from, int to)
{
	printf("-- as ancillary data\n");
	RET(send_with(from, 2500, 1000, UDP_SEGMENT, 2));
	receive(to, 0);
	RET(send_with(from, 2500, 1000, UDP_SEGMENT, 4));
	RET(send_with(from, 2500, 1000, UDP_SEGMENT, 1));
	RET(send_with(from, 2500, 1000, UDP_GRO, 2));
	RET(send_with(from, 2500, 1000, UDP_GRO, 4));
	RET(send_with(from, 2500, 1000, 0, 2));
	set(from, SOL_UDP, UDP_SEGMENT, 500);
	RET(send_with(from, 2500, 1000, UDP_SEGMENT, 2));
	receive(to, 0);
	RET(send_with(from, 2500, 0, UDP_SEGMENT, 2)); /* not this one */
	receive(to, 0);
	set(from, SOL_UDP, UDP_SEGMENT, 0);

	printf("-- without a checksum\n");
	set(from, SOL_SOCKET, SO_NO_CHECK, 1);
	RET(send_with(from, 2500, 1000, UDP_SEGMENT, 2));
	receive(to, 0);
	RET(send_with(from, 500, 1000, UDP_SEGMENT, 2));
	receive(to, 0);
	set(from, SOL_SOCKET, SO_NO_CHECK, 0);

	printf("-- from memory that is not there\n");
	set(from, SOL_UDP, UDP_SEGMENT, 1000);
	struct iovec iov[2] = { { text, 1500 }, { BAD_PTR, 1000 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	RET(sendmsg(from, &m, 0));
	receive(to, 0);
	iov[1] = (struct iovec){ text + 1500, 600 };
	RET(sendmsg(from, &m, 0));
	receive(to, 0);
	set(from, SOL_UDP, UDP_SEGMENT, 0);
}

static void as_one(int from, int to)
{
	char buf[100];

	printf("-- received as one\n");
	set(to, SOL_UDP, UDP_GRO, 1);
	set(from, SOL_UDP, UDP_SEGMENT, 1000);
	RET(send(from, text, 4500, 0));
	RET(send(from, text + 4500, 1000, 0)); /* one is told of no size */
	RET(send(from, text + 5500, 1001, 0));
	receive(to, 0);
	RET(send(from, text, 3000, 0));
	RET(recv(to, buf, sizeof(buf), MSG_TRUNC));
	RET(recv(to, buf, sizeof(buf), MSG_DONTWAIT));
	set(from, SOL_UDP, UDP_SEGMENT, 0);
	RET(send(from, text, 200, 0));
	RET(send(from, text + 200, 200, 0)); /* apart, as loopback hands them over one by one */
	receive(to, 0);
	set(to, SOL_UDP, UDP_GRO, 0);
	set(from, SOL_UDP, UDP_SEGMENT, 1000);
	RET(send(from, text, 2000, 0));
	set(to, SOL_UDP, UDP_GRO, 1);
	receive(to, 0);
	set(to, SOL_UDP, UDP_GRO, 0);
	set(from, SOL_UDP, UDP_SEGMENT, 0);
}

/* The size of a segment is that of the way it takes. */
static void nobody(int family)
{
	int s = socket(family, SOCK_DGRAM, 0), gone = socket(family, SOCK_DGRAM, 0);
	struct sockaddr_storage a = { .ss_family = (sa_family_t)family };
	socklen_t len = sizeof(a);

	printf("-- nobody there\n");
	if (family == AF_INET6)
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
	else
		((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(bind(gone, (struct sockaddr *)&a, sizeof(a)) == 0);
	NEED(getsockname(gone, (struct sockaddr *)&a, &len) == 0);
	close(gone);
	NEED(connect(s, (struct sockaddr *)&a, len) == 0);
	set(s, SOL_UDP, UDP_SEGMENT, 1000);
	RET(send(s, text, 3000, 0));
	NEED(net_poll(s, POLLIN) & POLLERR);
	RET(send(s, text, 3000, 0));
	close(s);
}

static void family(int family)
{
	int from = socket(family, SOCK_DGRAM, 0), to = socket(family, SOCK_DGRAM, 0);
	struct sockaddr_storage a = { .ss_family = (sa_family_t)family };
	socklen_t len = sizeof(a);

	if (family == AF_INET6)
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
	else
		((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(bind(to, (struct sockaddr *)&a, sizeof(a)) == 0);
	NEED(getsockname(to, (struct sockaddr *)&a, &len) == 0);
	NEED(connect(from, (struct sockaddr *)&a, len) == 0);
	set(to, SOL_SOCKET, SO_RCVBUF, 1 << 20);
	limits(from, to);
	message_sizes(from, to);
	as_one(from, to);
	nobody(family);
	close(from);
	close(to);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 251);
	printf("---- IPv4\n");
	family(AF_INET);
	printf("---- IPv6\n");
	family(AF_INET6);
	return 0;
}
