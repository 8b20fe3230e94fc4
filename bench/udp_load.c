/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A memcached load over UDP: `udp_load HOST PORT SOCKETS WINDOW REQUESTS` sets 1000 keys,
 * then keeps WINDOW requests in flight from each of SOCKETS ports, nine gets to a set, checks every
 * answer, and prints requests per second. What is not answered in a second is sent again and
 * counted: more than one in a hundred, and there is no figure.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SOCKETS 64
#define MAX_WINDOW  256
#define FRAME	    8
#define TEXT	    160
#define RESEND	    1.0 /* seconds */

struct slot {
	unsigned key;
	bool set, asked;
	double when;
	char request[TEXT];
	int len;
};
struct flow {
	int fd;
	struct slot slot[MAX_WINDOW]; /* its number is the request's id, but for the top byte */
	uint8_t round[MAX_WINDOW]; /* that byte: an answer to an older request counts for nothing */
};

static struct flow flow[MAX_SOCKETS];
static unsigned flows, window;
static unsigned long asked, answered, wanted, resent;
static bool only_sets;
static struct sockaddr_in server;

static void fill(struct flow *f, unsigned k)
{
	struct slot *s = &f->slot[k];
	char *text = s->request + FRAME;
	int n;

	s->key = (unsigned)(asked % KEYS);
	s->set = only_sets || asked % 10 == 9;
	asked++;
	f->round[k]++;
	memcpy(s->request, (uint8_t[]){ f->round[k], (uint8_t)k, 0, 0, 0, 1, 0, 0 }, FRAME);
	n = s->set ? set_line(text, TEXT - FRAME, s->key)
		   : snprintf(text, TEXT - FRAME, "get key%u\r\n", s->key);
	s->len = FRAME + n;
	s->asked = true;
}

/* Sends those slots. */
static void ask(struct flow *f, const uint8_t *which, unsigned count)
{
	struct mmsghdr m[MAX_WINDOW];
	struct iovec v[MAX_WINDOW];
	double now = seconds();

	for (unsigned i = 0; i < count; i++) {
		struct slot *s = &f->slot[which[i]];

		s->when = now;
		v[i] = (struct iovec){ s->request, (size_t)s->len };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	for (unsigned done = 0; done < count;) {
		int n = sendmmsg(f->fd, m + done, count - done, 0);

		if (n < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
			die("send");
		done += n < 0 ? 1 : (unsigned)n; /* what is lost is sent again */
	}
}

/* The slot that it answers, or -1: an old one. */
static int check(struct flow *f, const uint8_t *p, size_t n)
{
	char want[TEXT] = "STORED\r\n";
	struct slot *s;
	int len = 8;

	if (n < FRAME || p[1] >= window || p[0] != f->round[p[1]] || !f->slot[p[1]].asked)
		return -1;
	s = &f->slot[p[1]];
	if (!s->set)
		len = expected(want, sizeof(want), s->key);
	if (n != (size_t)(FRAME + len) || memcmp(p + FRAME, want, (size_t)len) || p[2] || p[3] ||
		p[4] || p[5] != 1) {
		fprintf(stderr, "wrong answer to %.*s%.*s\n", s->len - FRAME, s->request + FRAME,
			(int)(n - FRAME), p + FRAME);
		exit(1);
	}
	s->asked = false;
	return p[1];
}

/* Takes what is there; what was answered asks for more. */
static void take(struct flow *f)
{
	static uint8_t buf[MAX_WINDOW][2048];
	static struct mmsghdr m[MAX_WINDOW];
	static struct iovec v[MAX_WINDOW];
	uint8_t next[MAX_WINDOW];
	unsigned count = 0;
	int n;

	for (unsigned i = 0; i < window; i++) {
		v[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(f->fd, m, window, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		int k = check(f, buf[i], m[i].msg_len);

		if (k < 0)
			continue;
		answered++;
		if (asked < wanted) {
			fill(f, (unsigned)k);
			next[count++] = (uint8_t)k;
		}
	}
	if (count)
		ask(f, next, count);
}

static void resend(struct flow *f)
{
	uint8_t late[MAX_WINDOW];
	unsigned count = 0;
	double now = seconds();

	for (unsigned k = 0; k < window; k++)
		if (f->slot[k].asked && now - f->slot[k].when > RESEND)
			late[count++] = (uint8_t)k;
	resent += count;
	if (count)
		ask(f, late, count);
}

static void run(unsigned long requests, bool sets)
{
	struct pollfd p[MAX_SOCKETS];
	uint8_t all[MAX_WINDOW];
	double looked = seconds();

	only_sets = sets;
	asked = answered = 0;
	wanted = requests;
	for (unsigned i = 0; i < flows; i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < window && asked < wanted; k++) {
			fill(&flow[i], k);
			all[n++] = (uint8_t)k;
		}
		ask(&flow[i], all, n);
		p[i] = (struct pollfd){ .fd = flow[i].fd, .events = POLLIN };
	}
	while (answered < wanted) {
		if (poll(p, flows, 200) < 0)
			die("poll");
		for (unsigned i = 0; i < flows; i++)
			if (p[i].revents)
				take(&flow[i]);
		if (seconds() - looked < 0.2)
			continue;
		looked = seconds();
		for (unsigned i = 0; i < flows; i++)
			resend(&flow[i]);
		if (resent > 1000 + requests) {
			fprintf(stderr, "udp_load: no answer\n");
			exit(1);
		}
	}
}

static int port(int number)
{
	struct sockaddr_in a = server;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;

	a.sin_port = htons((uint16_t)number);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("socket");
	return fd;
}

int main(int argc, char **argv)
{
	unsigned long requests;
	double start, took;

	if (argc != 6 || (flows = (unsigned)atoi(argv[3])) - 1 >= MAX_SOCKETS ||
		(window = (unsigned)atoi(argv[4])) - 1 >= MAX_WINDOW) {
		fprintf(stderr, "usage: udp_load HOST PORT SOCKETS WINDOW REQUESTS\n");
		return 2;
	}
	server = (struct sockaddr_in){ .sin_family = AF_INET };
	inet_pton(AF_INET, argv[1], &server.sin_addr);
	requests = strtoul(argv[5], NULL, 10);
	for (unsigned i = 0; i < flows; i++)
		flow[i].fd = port(atoi(argv[2]));
	run(KEYS, true);
	run(KEYS, false); /* caches, routes, neighbours */
	resent = 0;
	start = seconds();
	run(requests, false);
	took = seconds() - start;
	if (resent)
		fprintf(stderr, "udp_load: %lu of %lu sent again\n", resent, requests);
	if (resent > requests / 100)
		return 1;
	printf("%.0f\n", (double)requests / took);
	return 0;
}
