/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's end of the network benchmarks: a thread for each service, and one for each connection
 * of a service that keeps it, as netperf's and iperf's servers have. bench/wire.c is the other end.
 */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int bound(int type, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die("bind");
	return fd;
}

static int write_all(int fd, const char *p, ssize_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w <= 0)
			return -1;
		p += w;
		n -= w;
	}
	return 0;
}

static void *echo(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;
	char buf[4096];
	ssize_t n;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write_all(fd, buf, n))
			break;
	close(fd);
	return NULL;
}

static void *sink(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *buf = malloc(WIRE_BLOCK);

	while (read(fd, buf, WIRE_BLOCK) > 0)
		;
	write_all(fd, "x", 1);
	close(fd);
	free(buf);
	return NULL;
}

static void *source(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *buf = calloc(1, WIRE_BLOCK);

	while (!write_all(fd, buf, WIRE_BLOCK))
		;
	close(fd);
	free(buf);
	return NULL;
}

#define LENT_BUFFERS 128 /* more than the send buffer has room for */
#define LENT_REAP    32

/* How many more messages the error queue says are done. */
static unsigned reap(int fd)
{
	char control[128];
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err e;

	if (recvmsg(fd, &m, MSG_ERRQUEUE) < 0 || !CMSG_FIRSTHDR(&m))
		return 0;
	memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(e));
	return e.ee_data - e.ee_info + 1;
}

static void *lent_source(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;
	char *buf = calloc(LENT_BUFFERS, WIRE_BLOCK);
	struct pollfd p = { .fd = fd };

	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		die("SO_ZEROCOPY");
	memset(buf, 1, (size_t)LENT_BUFFERS * WIRE_BLOCK);
	for (unsigned sent = 0, done = 0;; sent++) {
		if (sent % LENT_REAP == 0)
			for (unsigned n; (n = reap(fd)) != 0;)
				done += n;
		while (sent - done >= LENT_BUFFERS && poll(&p, 1, -1) == 1)
			done += reap(fd);
		if (send(fd, buf + sent % LENT_BUFFERS * WIRE_BLOCK, WIRE_BLOCK, MSG_ZEROCOPY) !=
			WIRE_BLOCK)
			break;
	}
	close(fd);
	free(buf);
	return NULL;
}

static void start(void *(*f)(void *), void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, f, arg))
		die("pthread_create");
	pthread_detach(t);
}

struct service {
	int port;
	void *(*connection)(void *);
};

static void *serve(void *arg)
{
	const struct service *s = arg;
	int listener = bound(SOCK_STREAM, s->port);

	if (listen(listener, 128))
		die("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			die("accept");
		if (s->connection) {
			start(s->connection, (void *)(intptr_t)fd);
		} else {
			write_all(fd, "x", 1);
			close(fd);
		}
	}
	return NULL;
}

static void serve_datagrams(void)
{
	int fd = bound(SOCK_DGRAM, WIRE_ECHO);
	struct sockaddr_storage from;
	char buf[65536];

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

		if (n >= 0)
			sendto(fd, buf, n, 0, (struct sockaddr *)&from, len);
	}
}

int main(void)
{
	static struct service services[] = {
		{ WIRE_ECHO, echo },
		{ WIRE_SINK, sink },
		{ WIRE_SOURCE, source },
		{ WIRE_CLOSE, NULL },
		{ WIRE_LENT, lent_source },
	};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		start(serve, &services[i]);
	serve_datagrams();
}
