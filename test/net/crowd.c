/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many clients of serve.c in one program:
 *
 *	crowd many HOST PORT COUNT ROUNDS [EACH]
 *		COUNT connections at the same time; when all are there each echoes EACH bytes of its
 *		own, ROUNDS times, a round beginning when the one before is over for all
 *	crowd storm HOST PORT COUNT AT_ONCE
 *		COUNT connections, AT_ONCE at a time, that live for one exchange and end in five
 *ways
 *
 * Every byte that comes back is compared. It says what it did; the status is 0 if all went well.
 * "crowd data BYTES SEED" writes the stream that "source BYTES SEED" of the server sends.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "data.h"

#define CONNECTING_AT_ONCE 256
#define MESSAGE_MAX	   4096
#define EVENTS		   256

/* How a connection of a storm ends. */
enum ending { CLOSED, RESET, SILENT, HALF_CLOSED, BYE, ENDINGS };

struct client {
	int fd, number;
	enum { CONNECTING, ANSWERS, FINISHED } state;
	enum ending ending;
	size_t sent, got;
};

static struct addrinfo *server;
static int epoll;
static size_t each = 64;
static long failures;

static void fail(const struct client *c, const char *what)
{
	if (failures++ < 10)
		fprintf(stderr, "crowd: connection %d: %s: %s\n", c->number, what, strerror(errno));
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(struct client *c, uint32_t events, int how)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(epoll, how, c->fd, &e) < 0)
		die("epoll_ctl");
}

static bool start(struct client *c, int number)
{
	*c = (struct client){ .number = number };
	c->fd = socket(server->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	if (connect(c->fd, server->ai_addr, server->ai_addrlen) < 0 && errno != EINPROGRESS) {
		fail(c, "connect");
		close(c->fd);
		c->state = FINISHED;
		return false;
	}
	watch(c, EPOLLOUT, EPOLL_CTL_ADD);
	return true;
}

/* The first message of a connection begins with the server's word. */
static size_t message(const struct client *c, int round, char *text)
{
	size_t head = round == 0 ? (size_t)sprintf(text, "echo\n") : 0;

	for (size_t i = 0; i < each; i++)
		text[head + i] = 'a' + (c->number * 31 + round * 7 + i) % 26;
	return head + each;
}

static bool speak(struct client *c, int round)
{
	char text[MESSAGE_MAX + 16];
	size_t len = message(c, round, text);

	/* A small first message always fits into a fresh connection, a later one after its echo. */
	if (send(c->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len)
		return true;
	fail(c, "send");
	return false;
}

static bool connected(struct client *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0)
		return true;
	errno = err;
	fail(c, "connect");
	return false;
}

/* True: this round's answer is complete, or wrong, which is told. */
static bool hear(struct client *c, int round)
{
	char want[MESSAGE_MAX + 16], got[MESSAGE_MAX];
	ssize_t n = recv(c->fd, got, each - c->got, 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		if (n == 0)
			errno = 0;
		fail(c, "no answer");
		return true;
	}
	size_t len = message(c, round, want);
	if (memcmp(got, want + len - each + c->got, n)) {
		errno = 0;
		fail(c, "another answer");
		return true;
	}
	c->got += n;
	if (c->got < each)
		return false;
	c->got = 0;
	return true;
}

static void connect_all(struct client *clients, int count)
{
	struct epoll_event events[EVENTS];
	int started = 0, under_way = 0;

	while (started < count || under_way) {
		while (started < count && under_way < CONNECTING_AT_ONCE) {
			under_way += start(&clients[started], started);
			started++;
		}
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			under_way--;
			c->state = connected(c) ? ANSWERS : FINISHED;
			watch(c, EPOLLIN, c->state == ANSWERS ? EPOLL_CTL_MOD : EPOLL_CTL_DEL);
		}
	}
}

static void one_round(struct client *clients, int count, int round)
{
	struct epoll_event events[EVENTS];
	int asked = 0, waiting = 0;

	while (asked < count || waiting) {
		while (asked < count && waiting < CONNECTING_AT_ONCE) {
			struct client *c = &clients[asked++];
			waiting += c->state == ANSWERS && speak(c, round);
		}
		int n = waiting ? epoll_wait(epoll, events, EVENTS, -1) : 0;
		for (int i = 0; i < n; i++)
			waiting -= hear(events[i].data.ptr, round);
		if (failures > 10)
			return;
	}
}

static void many(int count, int rounds)
{
	struct client *clients = calloc(count, sizeof(*clients));

	if (!clients)
		die("calloc");
	connect_all(clients, count);
	printf("%d connected\n", count - (int)failures);
	fflush(stdout);
	for (int i = 0; i < rounds && !failures; i++)
		one_round(clients, count, i);
	printf("%d connections echoed %zu bytes %d times\n", count, each, rounds);
}

static void finish(struct client *c)
{
	struct linger now = { .l_onoff = 1 };

	if (c->ending == RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	c->state = FINISHED;
}

/* Asks what this ending asks. False: it is over. */
static bool ask(struct client *c)
{
	if (!connected(c) || c->ending == SILENT)
		return false;
	c->state = ANSWERS;
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
	if (c->ending == BYE)
		return send(c->fd, "bye\n", 4, MSG_NOSIGNAL) == 4 || (fail(c, "send"), false);
	if (!speak(c, 0))
		return false;
	if (c->ending == HALF_CLOSED)
		shutdown(c->fd, SHUT_WR);
	return true;
}

/* The server's end, and before it nothing but this. */
static bool hear_end(struct client *c, const char *before)
{
	char got[8];
	ssize_t n = recv(c->fd, got, sizeof(got), 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n > 0 && strlen(before) >= c->sent + n && !memcmp(got, before + c->sent, n)) {
		c->sent += n;
		return false;
	}
	if (n == 0 && c->sent == strlen(before))
		return true;
	fail(c, "not the server's end");
	return true;
}

static bool over(struct client *c)
{
	if (c->state == CONNECTING)
		return !ask(c);
	if (c->ending == BYE)
		return hear_end(c, "bye\n");
	if (!hear(c, 0))
		return false;
	if (c->ending != HALF_CLOSED || failures)
		return true;
	c->ending = BYE; /* what is left of it: the server's end */
	c->sent = strlen("bye\n");
	return false;
}

static void storm(int count, int at_once)
{
	struct client *clients = calloc(at_once, sizeof(*clients));
	struct epoll_event events[EVENTS];
	int started = 0, under_way = 0, ended = 0;

	if (!clients)
		die("calloc");
	for (int i = 0; i < at_once; i++)
		clients[i].state = FINISHED;
	while (ended < count && failures < 10) {
		for (int i = 0; i < at_once && started < count; i++) {
			if (clients[i].state != FINISHED)
				continue;
			if (!start(&clients[i], started++)) {
				ended++;
				continue;
			}
			clients[i].ending = clients[i].number % ENDINGS;
			under_way++;
		}
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			if (!over(c))
				continue;
			finish(c);
			under_way--;
			ended++;
		}
	}
	printf("%d connections came and went\n", ended);
}

static int data(uint64_t bytes, uint64_t seed)
{
	static unsigned char chunk[65536];

	for (uint64_t at = 0; at < bytes; at += sizeof(chunk)) {
		size_t n = bytes - at < sizeof(chunk) ? bytes - at : sizeof(chunk);

		data_make(chunk, seed, at, n);
		if (fwrite(chunk, 1, n, stdout) != n)
			die("stdout");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct rlimit files;

	if (argc == 4 && !strcmp(argv[1], "data"))
		return data(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	if (argc < 6 || getaddrinfo(argv[2], argv[3], &hints, &server)) {
		fprintf(stderr, "usage: crowd many|storm HOST PORT COUNT ROUNDS|AT_ONCE [EACH]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (argc > 6)
		each = atoi(argv[6]);
	if (each > MESSAGE_MAX)
		return 2;
	if (!strcmp(argv[1], "many"))
		many(atoi(argv[4]), atoi(argv[5]));
	else
		storm(atoi(argv[4]), atoi(argv[5]));
	return failures != 0;
}
