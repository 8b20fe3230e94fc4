/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idle: what an event costs beside 10,000 connections that are silent. All are in one epoll set;
 * one after the other gets a message, is reported, and is read. Its time is the guest's own, which
 * test/harness/boot.py makes the number of its instructions.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FEW    10
#define MANY   10000
#define EVENTS 500
#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			perror(#x);                                                                \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static int client[MANY], server[MANY], count, set;

static uint64_t now(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void connect_until(int listener, const struct sockaddr_in *to, int want)
{
	for (; count < want; count++) {
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)count };
		int one = 1;

		client[count] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(client[count] >= 0 && setsockopt(client[count], IPPROTO_TCP, TCP_NODELAY,
						    &one, sizeof(one)) == 0);
		CHECK(connect(client[count], (const void *)to, sizeof(*to)) == 0);
		server[count] = accept(listener, NULL, NULL);
		CHECK(server[count] >= 0);
		CHECK(epoll_ctl(set, EPOLL_CTL_ADD, server[count], &e) == 0);
	}
}

/* Nanoseconds for an event, the same connections each time: the first ones. */
static uint64_t event(void)
{
	uint64_t begin = now();

	for (int i = 0; i < EVENTS; i++) {
		struct epoll_event e[4];
		char byte = 'x';
		int which = i % FEW;

		CHECK(write(client[which], &byte, 1) == 1);
		CHECK(epoll_wait(set, e, 4, -1) == 1 && e[0].data.u32 == (uint32_t)which);
		CHECK(read(server[which], &byte, 1) == 1);
	}
	return (now() - begin) / EVENTS;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rlimit files = { 2 * MANY + 100, 2 * MANY + 100 };
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t few, many;

	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	CHECK(listener >= 0 && bind(listener, (void *)&a, sizeof(a)) == 0);
	CHECK(listen(listener, 16) == 0 && getsockname(listener, (void *)&a, &len) == 0);
	set = epoll_create1(0);
	connect_until(listener, &a, FEW);
	event(); /* caches, windows, buffers */
	few = event();
	connect_until(listener, &a, MANY);
	event();
	many = event();
	printf("beside %d idle connections an event costs: %s\n", MANY,
		many * 10 < few * 11 ? "as much as beside 10" : "more");
	if (argc > 1)
		printf("%lu ns, then %lu ns\n", (unsigned long)few, (unsigned long)many);
	return 0;
}
