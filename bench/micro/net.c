/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket calls of one thread, over loopback, both sides together. Streams are read with MSG_TRUNC,
 * which throws the bytes away where they are: what is left is the price of sending.
 */
#include "micro.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB	  (1ul << 20)
#define DATAGRAM  1000
#define DATAGRAMS 32

static int from, to;
static int file = -1;
static char *data;

static int bound(int type, struct sockaddr_in *a)
{
	socklen_t size = sizeof(*a);
	int s = socket(AF_INET, type, 0);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (s < 0 || bind(s, (struct sockaddr *)a, size) ||
		getsockname(s, (struct sockaddr *)a, &size))
		micro_die("socket");
	return s;
}

static void open_udp(void)
{
	struct sockaddr_in a, b;
	int room = 1 << 20;

	from = bound(SOCK_DGRAM, &a);
	to = bound(SOCK_DGRAM, &b);
	if (connect(from, (struct sockaddr *)&b, sizeof(b)) ||
		setsockopt(to, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		micro_die("udp");
}

static void open_tcp(void)
{
	struct sockaddr_in a;
	int listener = bound(SOCK_STREAM, &a), one = 1;

	from = socket(AF_INET, SOCK_STREAM, 0);
	if (listen(listener, 1) || connect(from, (struct sockaddr *)&a, sizeof(a)))
		micro_die("connect");
	setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	to = accept(listener, NULL, NULL);
	if (to < 0)
		micro_die("accept");
	close(listener);
}

static double done(double cost)
{
	close(from);
	close(to);
	return cost;
}

static void send_and_recv(void)
{
	char c[64];

	if (send(from, data, sizeof(c), 0) != sizeof(c) || recv(to, c, sizeof(c), 0) != sizeof(c))
		micro_die("send");
}

static void sendmsg_and_recvmsg(void)
{
	char c[64];
	struct iovec out = { data, sizeof(c) }, in = { c, sizeof(c) };
	struct msghdr o = { .msg_iov = &out, .msg_iovlen = 1 },
		      i = { .msg_iov = &in, .msg_iovlen = 1 };

	if (sendmsg(from, &o, 0) != sizeof(c) || recvmsg(to, &i, 0) != sizeof(c))
		micro_die("sendmsg");
}

static void prepare_data(void)
{
	if (data)
		return;
	data = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = memfd_create("data", 0);
	if (data == MAP_FAILED || file < 0)
		micro_die("mmap");
	memset(data, 'x', MIB);
	if (write(file, data, MIB) != MIB)
		micro_die("write");
}

static double udp_send(void)
{
	prepare_data();
	open_udp();
	return done(micro_per_op(send_and_recv));
}

static double udp_sendmsg(void)
{
	prepare_data();
	open_udp();
	return done(micro_per_op(sendmsg_and_recvmsg));
}

static double tcp_send(void)
{
	prepare_data();
	open_tcp();
	return done(micro_per_op(send_and_recv));
}

/* One MiB into the stream and out of it, in turns that fit the buffers. */
static void stream(ssize_t (*some)(size_t at, size_t n))
{
	size_t sent = 0, got = 0;

	while (got < MIB) {
		if (sent < MIB) {
			ssize_t n = some(sent, MIB - sent < 65536 ? MIB - sent : 65536);

			if (n <= 0)
				micro_die("stream");
			sent += n;
		}
		while (got < sent) {
			ssize_t n = recv(to, data, MIB, MSG_TRUNC);

			if (n <= 0)
				micro_die("recv");
			got += n;
		}
	}
}

static ssize_t some_of_file(size_t at, size_t n)
{
	off_t off = at;

	return sendfile(from, file, &off, n);
}

static ssize_t some_of_memory(size_t at, size_t n)
{
	return send(from, data + at, n, 0);
}

static void file_mib(void)
{
	stream(some_of_file);
}

static void memory_mib(void)
{
	stream(some_of_memory);
}

static double sendfile_mib(void)
{
	prepare_data();
	open_tcp();
	return done(micro_per_op(file_mib));
}

static double send_mib(void)
{
	prepare_data();
	open_tcp();
	return done(micro_per_op(memory_mib));
}

static void datagrams_one_by_one(void)
{
	for (int i = 0; i < DATAGRAMS; i++)
		if (send(from, data, DATAGRAM, 0) != DATAGRAM)
			micro_die("send");
	for (int i = 0; i < DATAGRAMS; i++)
		if (recv(to, data, DATAGRAM, 0) != DATAGRAM)
			micro_die("recv");
}

static void datagrams_cut(void)
{
	if (send(from, data, DATAGRAM * DATAGRAMS, 0) != DATAGRAM * DATAGRAMS)
		micro_die("send");
	for (int got = 0; got < DATAGRAM * DATAGRAMS;) {
		ssize_t n = recv(to, data, MIB, 0);

		if (n <= 0)
			micro_die("recv");
		got += n;
	}
}

static double udp_each(void)
{
	prepare_data();
	open_udp();
	return done(micro_per_op(datagrams_one_by_one) / DATAGRAMS);
}

static void set_udp(int s, int name, int value)
{
	if (setsockopt(s, IPPROTO_UDP, name, &value, sizeof(value)))
		micro_die("setsockopt");
}

static double udp_segment(void)
{
	prepare_data();
	open_udp();
	set_udp(from, UDP_SEGMENT, DATAGRAM);
	return done(micro_per_op(datagrams_cut) / DATAGRAMS);
}

static double udp_segment_gro(void)
{
	prepare_data();
	open_udp();
	set_udp(from, UDP_SEGMENT, DATAGRAM);
	set_udp(to, UDP_GRO, 1);
	return done(micro_per_op(datagrams_cut) / DATAGRAMS);
}

const struct micro micro_net[] = {
	{ "udp_send", udp_send },
	{ "udp_sendmsg", udp_sendmsg },
	{ "tcp_send", tcp_send },
	{ "send_mib", send_mib },
	{ "sendfile_mib", sendfile_mib },
	{ "udp_1000", udp_each },
	{ "udp_1000_segment", udp_segment },
	{ "udp_1000_segment_gro", udp_segment_gro },
	{ 0 },
};
