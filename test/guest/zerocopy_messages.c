/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSG_ZEROCOPY: who may ask for it, which messages get a number, what the error queue says of them.
 * Over loopback Linux copies, too. How many numbers one notification has depends on when it is
 * read, so what is printed is where the numbers end.
 */
#include "net6.h"
#include <linux/errqueue.h>

static char text[200000], got[200000];

static int try(int fd, int value)
{
	return setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &value, sizeof(value)) ? -errno : 0;
}

static void options(void)
{
	int pair[2], tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET6, SOCK_DGRAM, 0);

	printf("-- options\n");
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	RET(net_option(tcp, SOL_SOCKET, SO_ZEROCOPY));
	RET(try(tcp, 2));
	RET(try(tcp, -1));
	RET(try(tcp, 1));
	RET(net_option(tcp, SOL_SOCKET, SO_ZEROCOPY));
	RET(try(tcp, 0));
	RET(net_option(tcp, SOL_SOCKET, SO_ZEROCOPY));
	RET(try(udp, 1));
	RET(try(pair[0], 1));
	RET(setsockopt(tcp, SOL_SOCKET, SO_ZEROCOPY, text, 1));
	RET(send(pair[0], text, 10, MSG_ZEROCOPY));
	RET(recv(pair[0], got, 10, MSG_ERRQUEUE | MSG_DONTWAIT));
	close(pair[0]);
	close(pair[1]);
	close(tcp);
	close(udp);
}

/* Reads notifications until the numbers end at 'last'. */
static void notified(int fd, int family, unsigned first, unsigned last)
{
	unsigned next = first;
	int errors = 0, copied = 1, polled = 1;

	while (next != last + 1) {
		char control[200];
		struct sockaddr_storage name;
		char byte[8];
		struct iovec iov = { byte, sizeof(byte) };
		struct msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_name = &name,
			.msg_namelen = sizeof(name),
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		struct sock_extended_err e;

		if (!(net_poll(fd, 0) & POLLERR))
			polled = 0;
		ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE);

		if (n != 0 || m.msg_flags != MSG_ERRQUEUE || m.msg_namelen != 0) {
			printf("WRONG: %zd %s, flags %x, name %u\n", n, n < 0 ? t_errno(errno) : "",
				m.msg_flags, m.msg_namelen);
			return;
		}
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);

		NEED(h && h->cmsg_len >= CMSG_LEN(sizeof(e)));
		memcpy(&e, CMSG_DATA(h), sizeof(e));
		if (family == AF_INET)
			errors += h->cmsg_level != SOL_IP || h->cmsg_type != IP_RECVERR ||
				  h->cmsg_len != CMSG_LEN(sizeof(e) + sizeof(struct sockaddr_in));
		else
			errors += h->cmsg_level != SOL_IPV6 || h->cmsg_type != IPV6_RECVERR ||
				  h->cmsg_len != CMSG_LEN(sizeof(e) + sizeof(struct sockaddr_in6));
		for (size_t i = sizeof(e); i < h->cmsg_len - CMSG_LEN(0); i++)
			errors += CMSG_DATA(h)[i] != 0;
		errors += e.ee_errno != 0 || e.ee_origin != SO_EE_ORIGIN_ZEROCOPY || e.ee_type;
		errors += e.ee_info != next || e.ee_data < e.ee_info;
		copied &= e.ee_code == SO_EE_CODE_ZEROCOPY_COPIED;
		next = e.ee_data + 1;
	}
	printf("numbers %u to %u, polled %d, copied %d, errors %d\n", first, next - 1, polled,
		copied, errors);
	RET(recv(fd, got, 1, MSG_ERRQUEUE));
	RET(net_option(fd, SOL_SOCKET, SO_ERROR));
}

static void read_all(int fd, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = recv(fd, got + done, n - done, 0);

		NEED(k > 0);
		done += (size_t)k;
	}
	printf("%zu, the same: %d\n", done, !memcmp(got, text, n));
}

/* An address of this machine that nobody has yet, and a socket bound to it. */
static int bound(int family, int type, struct sockaddr_storage *a, socklen_t *len)
{
	int s = socket(family, type, 0);

	*len = sizeof(*a);
	memset(a, 0, sizeof(*a));
	a->ss_family = (sa_family_t)family;
	if (family == AF_INET6)
		((struct sockaddr_in6 *)a)->sin6_addr = in6addr_loopback;
	else
		((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(s >= 0 && bind(s, (struct sockaddr *)a, *len) == 0);
	NEED(getsockname(s, (struct sockaddr *)a, len) == 0);
	return s;
}

static void tcp(int family)
{
	struct sockaddr_storage a;
	socklen_t len;
	int s[2] = { socket(family, SOCK_STREAM, 0) }, l = bound(family, SOCK_STREAM, &a, &len);

	printf("-- TCP\n");
	NEED(listen(l, 1) == 0 && connect(s[0], (struct sockaddr *)&a, len) == 0);
	s[1] = accept(l, NULL, NULL);
	NEED(s[1] >= 0);
	close(l);
	RET(send(s[0], text, 5000, MSG_ZEROCOPY)); /* not asked for: an ordinary one */
	read_all(s[1], 5000);
	RET(recv(s[0], got, 1, MSG_ERRQUEUE));
	NEED(try(s[0], 1) == 0);
	RET(send(s[0], text, 5000, 0));
	read_all(s[1], 5000);
	RET(recv(s[0], got, 1, MSG_ERRQUEUE));
	RET(send(s[0], text, 20000, MSG_ZEROCOPY));
	read_all(s[1], 20000);
	notified(s[0], family, 0, 0);
	RET(send(s[0], text, 0, MSG_ZEROCOPY));
	RET(send(s[0], BAD_PTR, 10, MSG_ZEROCOPY));
	RET(send(s[0], text, 1, MSG_ZEROCOPY));
	read_all(s[1], 1);
	notified(s[0], family, 1, 1);
	for (int i = 0; i < 10; i++)
		NEED(send(s[0], text + i * 7000, 7000, MSG_ZEROCOPY) == 7000);
	read_all(s[1], 70000);
	notified(s[0], family, 2, 11);

	/* The memory goes away while it is sent. */
	char *map = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(map, text, 100000);
	NEED(send(s[0], map, 100000, MSG_ZEROCOPY) == 100000);
	NEED(munmap(map, 100000) == 0);
	map = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(map, 'z', 100000);
	read_all(s[1], 100000);
	munmap(map, 100000);
	notified(s[0], family, 12, 12);

	/* More than the error queue has room for, were they not joined. */
	for (int i = 0; i < 300; i++)
		NEED(send(s[0], text + i, 1, MSG_ZEROCOPY) == 1);
	read_all(s[1], 300);
	notified(s[0], family, 13, 312);

	/* A receiver of nothing; the peer goes with everything unread. */
	RET(send(s[0], text, 3000, MSG_ZEROCOPY | MSG_DONTWAIT));
	notified(s[0], family, 313, 313);
	NEED(net_poll(s[1], POLLIN) & POLLIN);
	close(s[1]);
	NEED(net_poll(s[0], POLLIN) & POLLHUP);
	RET(send(s[0], text, 10, MSG_ZEROCOPY | MSG_NOSIGNAL));
	RET(send(s[0], text, 10, MSG_ZEROCOPY | MSG_NOSIGNAL));
	RET(recv(s[0], got, 1, MSG_ERRQUEUE));
	close(s[0]);
}

static void udp(int family)
{
	struct sockaddr_storage a;
	socklen_t len;
	int from = socket(family, SOCK_DGRAM, 0), to = bound(family, SOCK_DGRAM, &a, &len);

	printf("-- UDP\n");
	NEED(connect(from, (struct sockaddr *)&a, len) == 0);
	RET(send(from, text, 3000, MSG_ZEROCOPY));
	RET(recv(from, got, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
	read_all(to, 3000);
	NEED(try(from, 1) == 0);
	RET(send(from, text, 0, MSG_ZEROCOPY)); /* has a number, unlike TCP's */
	RET(recv(to, got, 10, 0));
	notified(from, family, 0, 0);
	RET(send(from, text, 3000, MSG_ZEROCOPY));
	read_all(to, 3000);
	notified(from, family, 1, 1);
	for (int i = 0; i < 5; i++)
		NEED(send(from, text, 9000, MSG_ZEROCOPY) == 9000);
	for (int i = 0; i < 5; i++)
		read_all(to, 9000);
	notified(from, family, 2, 6);
	RET(send(from, text, 100000, MSG_ZEROCOPY));
	RET(send(from, BAD_PTR, 100, MSG_ZEROCOPY));
	RET(send(from, text, 100, MSG_ZEROCOPY));
	read_all(to, 100);
	RET(net_poll(from, POLLOUT) & (POLLERR | POLLOUT));
	notified(from, family, 7, 7);
	RET(net_poll(from, POLLOUT) & (POLLERR | POLLOUT));
	close(from);
	close(to);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 11 + i / 253);
	options();
	printf("---- IPv4\n");
	tcp(AF_INET);
	udp(AF_INET);
	printf("---- IPv6\n");
	tcp(AF_INET6);
	udp(AF_INET6);
	return 0;
}
