/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A memcached load: `load HOST PORT CONNECTIONS DEPTH REQUESTS` sets 1000 keys, then keeps DEPTH
 * gets in flight on each connection, checks every answer, and prints requests per second.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 256

struct connection {
	int fd;
	unsigned next_ask, next_answer; /* key numbers, counted on */
	unsigned in_flight;
	char buf[65536];
	size_t used;
};

static int connect_to(const char *host, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	inet_pton(AF_INET, host, &a.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0)
			die("write");
		p += w;
		n -= w;
	}
}

static void set_keys(int fd)
{
	for (unsigned n = 0; n < KEYS; n++) {
		char line[128], answer[9] = "";
		size_t got = 0;

		write_all(fd, line, set_line(line, sizeof(line), n));
		while (got < 8) {
			ssize_t r = read(fd, answer + got, 8 - got);

			if (r <= 0)
				die("set");
			got += r;
		}
		if (memcmp(answer, "STORED\r\n", 8)) {
			fprintf(stderr, "set: %s\n", answer);
			exit(1);
		}
	}
}

static void ask(struct connection *c, unsigned count)
{
	char out[16384];
	size_t n = 0;

	for (; count; count--, c->in_flight++)
		n += snprintf(out + n, sizeof(out) - n, "get key%u\r\n", c->next_ask++ % KEYS);
	write_all(c->fd, out, n);
}

/* Takes whole answers off the buffer; returns how many. */
static unsigned take_answers(struct connection *c)
{
	size_t at = 0;
	unsigned done = 0;

	while (c->in_flight) {
		char want[128];
		size_t len = expected(want, sizeof(want), c->next_answer);

		if (c->used - at < len)
			break;
		if (memcmp(c->buf + at, want, len)) {
			fprintf(stderr, "wrong answer: %.*s\n", (int)len, c->buf + at);
			exit(1);
		}
		at += len;
		done++;
		c->next_answer++;
		c->in_flight--;
	}
	memmove(c->buf, c->buf + at, c->used - at);
	c->used -= at;
	return done;
}

int main(int argc, char **argv)
{
	static struct connection c[MAX_CONNECTIONS];
	static struct pollfd p[MAX_CONNECTIONS];
	unsigned count, depth, requests, done = 0, asked = 0;
	double start;

	if (argc != 6 || (count = atoi(argv[3])) > MAX_CONNECTIONS ||
		(depth = atoi(argv[4])) > 256) {
		fprintf(stderr, "usage: load HOST PORT CONNECTIONS DEPTH REQUESTS\n");
		return 2;
	}
	requests = atoi(argv[5]);
	for (unsigned i = 0; i < count; i++) {
		c[i].fd = p[i].fd = connect_to(argv[1], atoi(argv[2]));
		p[i].events = POLLIN;
		c[i].next_ask = c[i].next_answer = i * 37;
	}
	set_keys(c[0].fd);
	start = seconds();
	for (unsigned i = 0; i < count; i++) {
		ask(&c[i], depth);
		asked += depth;
	}
	while (done < asked) {
		if (poll(p, count, 60000) <= 0)
			die("no answer");
		for (unsigned i = 0; i < count; i++) {
			unsigned n;
			ssize_t r;

			if (!p[i].revents)
				continue;
			r = read(c[i].fd, c[i].buf + c[i].used, sizeof(c[i].buf) - c[i].used);
			if (r <= 0)
				die("read");
			c[i].used += r;
			n = take_answers(&c[i]);
			done += n;
			if (n && asked < requests) {
				ask(&c[i], n);
				asked += n;
			}
		}
	}
	printf("%.0f\n", done / (seconds() - start));
	return 0;
}
