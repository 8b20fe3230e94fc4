/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server of the tests over real networks: serve PORT. One thread, one epoll set, IPv4 and IPv6.
 * A connection begins with one line of words; some set an option, the last says what happens:
 *
 *	keepalive IDLE INTERVAL COUNT	and go on with the next word
 *	timeout MS			TCP_USER_TIMEOUT, and go on
 *	echo				all that comes goes back, until the client's end
 *	source BYTES SEED		sends that many bytes of a stream (data.h), then ends
 *	file BYTES SEED			the same from a file, by sendfile(2)
 *	sink				reads to the client's end, says "SHA256 BYTES\n" and ends
 *	bye				says "bye\n" and is the first to close
 *	info				says what /proc tells of memory and sockets, and ends
 *	quit				the program ends
 *
 * It says "serving" when it does, and a line for each connection that dies of an error other than
 * its client's reset.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
#include "data.h"
#include "sha256.h"

#define LINE_MAX_ 80
#define CHUNK	  65536
#define EVENTS	  256

enum what { READ_LINE, ECHO, SOURCE, SINK, LAST_WORDS };

struct connection {
	int fd;
	enum what what;
	size_t line_len;
	char line[LINE_MAX_];
	uint64_t at, end, seed; /* SOURCE */
	int file;		/* SOURCE: the bytes are in it; 0: they are made */
	char *left;		/* what write(2) did not take yet */
	size_t left_begin, left_end;
	bool writing; /* waits for room, not for input */
	struct sha256 *hash;
};

static int epoll;
static unsigned char chunk[CHUNK];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void wait_for(struct connection *c, bool writing)
{
	struct epoll_event e = { .events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = c };

	if (c->writing != writing && epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e) < 0)
		die("epoll_ctl");
	c->writing = writing;
}

static void end(struct connection *c)
{
	close(c->fd);
	if (c->file)
		close(c->file);
	free(c->left);
	free(c->hash);
	free(c);
}

/* An error ends a connection, and is told unless the client wanted it so. */
static void lost(struct connection *c)
{
	static const char *const names[] = { "said nothing", "echoes", "is a source", "is a sink",
		"ends" };

	if (errno != ECONNRESET && errno != EPIPE) {
		printf("lost a connection that %s: %s\n", names[c->what], strerror(errno));
		fflush(stdout);
	}
	end(c);
}

/* What to do when all that was left is written. */
static void written(struct connection *c)
{
	if (c->what == LAST_WORDS)
		end(c);
	else
		wait_for(c, c->what == SOURCE);
}

/* Sends now what can be sent and keeps the rest. */
static void say(struct connection *c, const void *data, size_t len)
{
	ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		lost(c);
		return;
	}
	if (n < 0)
		n = 0;
	if ((size_t)n == len) {
		written(c);
		return;
	}
	c->left = malloc(len - n);
	if (!c->left)
		die("malloc");
	memcpy(c->left, (const char *)data + n, len - n);
	c->left_begin = 0;
	c->left_end = len - n;
	wait_for(c, true);
}

static void say_rest(struct connection *c)
{
	size_t len = c->left_end - c->left_begin;
	ssize_t n = send(c->fd, c->left + c->left_begin, len, MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		lost(c);
		return;
	}
	c->left_begin += n;
	if ((size_t)n == len) {
		free(c->left);
		c->left = NULL;
		written(c);
	}
}

static ssize_t send_made(struct connection *c)
{
	uint64_t from = c->at & ~7ull;
	size_t skip = c->at - from, n = c->end - from < CHUNK ? c->end - from : CHUNK;

	data_make(chunk, c->seed, from, n);
	return n > skip ? send(c->fd, chunk + skip, n - skip, MSG_NOSIGNAL) : 0;
}

static ssize_t send_file(struct connection *c)
{
	off_t at = (off_t)c->at;

	return sendfile(c->fd, c->file, &at, c->end - c->at);
}

static void make_file(struct connection *c)
{
	c->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (c->file < 0)
		die("a file");
	for (uint64_t at = 0; at < c->end; at += CHUNK) {
		size_t n = c->end - at < CHUNK ? c->end - at : CHUNK;

		data_make(chunk, c->seed, at, n);
		if (pwrite(c->file, chunk, n, (off_t)at) != (ssize_t)n)
			die("write");
	}
}

static void send_source(struct connection *c)
{
	ssize_t done = c->file ? send_file(c) : send_made(c);

	if (done < 0 && errno == EAGAIN)
		return;
	if (done < 0) {
		lost(c);
		return;
	}
	c->at += done;
	if (c->at == c->end) {
		shutdown(c->fd, SHUT_WR);
		c->what = ECHO; /* the client's end is ours */
		wait_for(c, false);
	}
}

static size_t append_file(char *text, size_t at, size_t size, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = 0;

	if (f) {
		n = fread(text + at, 1, size - at, f);
		fclose(f);
	}
	return at + n;
}

static void say_info(struct connection *c)
{
	static char text[16384];
	size_t n = append_file(text, 0, sizeof(text), "/proc/meminfo");

	n = append_file(text, n, sizeof(text), "/proc/net/sockstat");
	n = append_file(text, n, sizeof(text), "/proc/skiff/counters"); /* not on Linux */
	say(c, text, n);
}

static void set(struct connection *c, int level, int option, int value)
{
	if (setsockopt(c->fd, level, option, &value, sizeof(value)) < 0)
		die("setsockopt");
}

static int number(void)
{
	const char *word = strtok(NULL, " ");

	return word ? atoi(word) : 0;
}

static void begin(struct connection *c)
{
	for (char *word = strtok(c->line, " "); word; word = strtok(NULL, " ")) {
		if (!strcmp(word, "keepalive")) {
			set(c, SOL_SOCKET, SO_KEEPALIVE, 1);
			set(c, IPPROTO_TCP, TCP_KEEPIDLE, number());
			set(c, IPPROTO_TCP, TCP_KEEPINTVL, number());
			set(c, IPPROTO_TCP, TCP_KEEPCNT, number());
		} else if (!strcmp(word, "timeout")) {
			set(c, IPPROTO_TCP, TCP_USER_TIMEOUT, number());
		} else if (!strcmp(word, "echo")) {
			c->what = ECHO;
			return;
		} else if (!strcmp(word, "source") || !strcmp(word, "file")) {
			const char *bytes = strtok(NULL, " "), *seed = strtok(NULL, " ");
			c->what = SOURCE;
			c->end = bytes ? strtoull(bytes, NULL, 10) : 0;
			c->seed = seed ? strtoull(seed, NULL, 10) : 0;
			if (word[0] == 'f')
				make_file(c);
			wait_for(c, true);
			return;
		} else if (!strcmp(word, "sink")) {
			c->what = SINK;
			c->hash = malloc(sizeof(*c->hash));
			if (!c->hash)
				die("malloc");
			sha256_init(c->hash);
			return;
		} else if (!strcmp(word, "bye")) {
			c->what = LAST_WORDS;
			say(c, "bye\n", 4);
			return;
		} else if (!strcmp(word, "info")) {
			c->what = LAST_WORDS;
			say_info(c);
			return;
		} else if (!strcmp(word, "quit")) {
			exit(0);
		}
	}
	errno = EPROTO;
	lost(c);
}

static void read_sink(struct connection *c)
{
	/* A few rounds, then others get their turn. */
	for (int i = 0; i < 16; i++) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
		char text[65], answer[100];

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			lost(c);
			return;
		}
		if (n > 0) {
			sha256_add(c->hash, chunk, n);
			continue;
		}
		uint64_t bytes = c->hash->bytes;
		sha256_end(c->hash, text);
		c->what = LAST_WORDS;
		say(c, answer, sprintf(answer, "%s %lu\n", text, bytes));
		return;
	}
}

static void read_echo(struct connection *c)
{
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		lost(c);
	else if (n == 0)
		end(c);
	else
		say(c, chunk, n);
}

/* Byte by byte is slow, but what follows the line belongs to what it begins. */
static void read_line(struct connection *c)
{
	for (;;) {
		char *p = c->line + c->line_len;
		ssize_t n = recv(c->fd, p, 1, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n == 0 || (n > 0 && c->line_len == LINE_MAX_ - 1)) {
			end(c);
			return;
		}
		if (n < 0) {
			lost(c);
			return;
		}
		c->line_len++;
		if (*p == '\n') {
			*p = 0;
			begin(c);
			return;
		}
	}
}

static void work(struct connection *c)
{
	if (c->left)
		say_rest(c);
	else if (c->what == SOURCE)
		send_source(c);
	else if (c->what == SINK)
		read_sink(c);
	else if (c->what == ECHO)
		read_echo(c);
	else
		read_line(c);
}

static void take_connections(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *c;
		struct epoll_event e = { .events = EPOLLIN };

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && errno == ECONNABORTED)
			continue;
		if (fd < 0)
			die("accept4");
		c = calloc(1, sizeof(*c));
		if (!c)
			die("calloc");
		c->fd = fd;
		e.data.ptr = c;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
			die("epoll_ctl");
	}
}

static int listen_on(int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN };
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: serve PORT\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on(atoi(argv[1]));
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) < 0)
		die("epoll");
	puts("serving");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				work(events[i].data.ptr);
			else
				take_connections(listener);
		}
	}
}
