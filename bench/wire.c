/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of the network benchmarks: `wire WHAT HOST PORT COUNT` asks bench/wire_server.c and
 * prints how many there were in a second.
 *
 *	tcp_rr udp_rr	transactions of one byte there and one byte back, one at a time
 *	connect		connections: made, a byte read, closed by the server first
 *	sink source	streams to and from the guest, of COUNT blocks of 64 KiB; MiB in a second
 *
 * A datagram that is lost is asked for again after a second, and that is said.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

static struct sockaddr_in server;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int connected(int type)
{
	struct timeval patience = { .tv_sec = type == SOCK_DGRAM ? 1 : 60 };
	int fd = socket(AF_INET, type, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)))
		die("connect");
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static double tcp_rr(long count)
{
	int fd = connected(SOCK_STREAM);
	char c = 0;

	for (long i = 0; i < count; i++)
		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
			die("tcp_rr");
	close(fd);
	return count;
}

static double udp_rr(long count)
{
	int fd = connected(SOCK_DGRAM);
	unsigned lost = 0;
	char c = 0;

	for (long i = 0; i < count; i++)
		while (send(fd, &c, 1, 0) != 1 || recv(fd, &c, 1, 0) != 1)
			if (++lost > 20)
				die("udp_rr");
	if (lost)
		fprintf(stderr, "udp_rr: %u of %ld were lost\n", lost, count);
	close(fd);
	return count;
}

static double connections(long count)
{
	char c;

	for (long i = 0; i < count; i++) {
		int fd = connected(SOCK_STREAM);

		if (read(fd, &c, 1) != 1 || read(fd, &c, 1) != 0)
			die("connect");
		close(fd);
	}
	return count;
}

static double sink(long blocks)
{
	int fd = connected(SOCK_STREAM);
	char *buf = calloc(1, WIRE_BLOCK), c;

	for (long i = 0; i < blocks; i++)
		for (size_t n = 0; n < WIRE_BLOCK;) {
			ssize_t w = write(fd, buf + n, WIRE_BLOCK - n);

			if (w <= 0)
				die("sink");
			n += w;
		}
	shutdown(fd, SHUT_WR);
	if (read(fd, &c, 1) != 1)
		die("sink");
	return (double)blocks * WIRE_BLOCK / (1 << 20);
}

static double source(long blocks)
{
	int fd = connected(SOCK_STREAM);
	char *buf = malloc(WIRE_BLOCK);
	size_t got = 0, wanted = (size_t)blocks * WIRE_BLOCK;

	while (got < wanted) {
		ssize_t r = read(fd, buf, WIRE_BLOCK);

		if (r <= 0)
			die("source");
		got += r;
	}
	return (double)got / (1 << 20);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		double (*run)(long count);
	} benches[] = {
		{ "tcp_rr", tcp_rr },
		{ "udp_rr", udp_rr },
		{ "connect", connections },
		{ "sink", sink },
		{ "source", source },
	};

	if (argc != 5 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1)
		goto usage;
	server.sin_family = AF_INET;
	server.sin_port = htons(atoi(argv[3]));
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		double start = seconds();

		if (strcmp(argv[1], benches[i].name))
			continue;
		printf("%.2f\n", benches[i].run(atol(argv[4])) / (seconds() - start));
		return 0;
	}
usage:
	fprintf(stderr, "usage: wire tcp_rr|udp_rr|connect|sink|source HOST PORT COUNT\n");
	return 2;
}
