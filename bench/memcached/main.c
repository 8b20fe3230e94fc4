/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A memcached over UDP, on packets by reference (skiff.h) where they are, and on recvmmsg(2) where
 * they are not: a sample of the interface, and what bench/run packet measures.
 */
#include "server.h"

#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"udp_memcached [-U PORT] [-t THREADS] [-m MEGABYTES] [-e ENTRIES] [--calls]\n"
	"\n"
	"Answers memcached's UDP protocol, text and binary, IPv4 and IPv6.\n"
	"  -U PORT       11211 if not given\n"
	"  -t THREADS    each with a socket of its own on the port; 1\n"
	"  -m MEGABYTES  of keys and values, the longest unused go first; 64\n"
	"  -e ENTRIES    buffers of each ring, a power of two; 256\n"
	"  --calls       recvmmsg and sendmmsg, even where there are rings\n"
	"\n"
	"text:   get gets set add replace append prepend cas delete incr decr touch version\n"
	"        flush_all verbosity stats\n"
	"binary: get set add replace delete incr decr noop version flush append prepend stat,\n"
	"        and their quiet forms\n"
	"\n"
	"What it does not do: TCP; requests of several datagrams (memcached does not either); gat, mg\n"
	"and the other meta commands; flush_all with a delay; SASL; slabs, so no stats about them.\n";

static struct timespec started;

uint32_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint32_t)(t.tv_sec - started.tv_sec) + 2;
}

uint32_t expiry(int64_t exptime, uint32_t now)
{
	int64_t at;

	if (!exptime)
		return 0;
	if (exptime < 0)
		return 1; /* long ago */
	if (exptime <= 60 * 60 * 24 * 30)
		return now + (uint32_t)exptime;
	at = exptime - time(NULL) + now;
	return at < 1 ? 1 : (uint32_t)at;
}

/* ---- answers ---- */

static bool next_piece(struct answer *a)
{
	if (a->count == ANSWER_PIECES || !a->more(a, &a->piece[a->count]))
		return false;
	a->piece[a->count++].used = FRAME;
	a->made = a->count;
	return true;
}

void answer_add_slowly(struct answer *a, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	while (n && !a->full) {
		struct piece *p = &a->piece[a->count - 1];
		size_t k = DATAGRAM - p->used < n ? DATAGRAM - p->used : n;

		memcpy(p->data + p->used, from, k);
		p->used += (uint32_t)k;
		from += k;
		n -= k;
		if (n && !next_piece(a))
			a->full = true;
	}
}

void answer_number(struct answer *a, uint64_t n)
{
	char text[20], *p = text + sizeof(text);

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	answer_add(a, p, (size_t)(text + sizeof(text) - p));
}

void stats_each(stats_line *line, struct answer *a)
{
	struct store_stats s = store_stats();

	line(a, "pid", (uint64_t)getpid());
	line(a, "uptime", a->now - 2);
	line(a, "time", (uint64_t)time(NULL));
	line(a, "pointer_size", 64);
	line(a, "cmd_set", s.sets);
	line(a, "get_hits", s.hits);
	line(a, "get_misses", s.misses);
	line(a, "curr_items", s.items);
	line(a, "bytes", s.bytes);
	line(a, "evictions", s.evictions);
	rings_stats(line, a);
}

static void too_long(struct answer *a)
{
	a->full = false;
	a->count = 1;
	a->piece[0].used = FRAME;
	answer_text(a, "SERVER_ERROR out of memory writing get response\r\n");
}

bool serve(struct answer *a, const uint8_t *datagram, size_t n)
{
	uint8_t request[REQUEST_MAX + 8];
	uint16_t id;

	/* Of several datagrams, or with something where zeros belong: as memcached, no answer. */
	if (n <= FRAME || n > REQUEST_MAX || datagram[4] || datagram[5] != 1)
		return false;
	memcpy(request, datagram, n); /* the answer may take its place */
	memcpy(&id, request, 2);
	a->count = a->made = 1;
	a->full = false;
	a->piece[0].used = FRAME;
	if (request[FRAME] == 0x80)
		serve_binary(a, request + FRAME, n - FRAME);
	else
		serve_ascii(a, (char *)request + FRAME, n - FRAME);
	if (a->full)
		too_long(a);
	if (a->count == 1 && a->piece[0].used == FRAME)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		uint8_t *f = a->piece[i].data;

		memcpy(f, &id, 2);
		f[2] = (uint8_t)(i >> 8), f[3] = (uint8_t)i;
		f[4] = (uint8_t)(a->count >> 8), f[5] = (uint8_t)a->count;
		f[6] = f[7] = 0;
	}
	return true;
}

/* ---- start ---- */

static int open_socket(const struct options *o)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(o->port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(o->port) };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1, v4 = fd < 0;

	if (v4)
		fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (o->threads > 1)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (fd < 0 || bind(fd, v4 ? (struct sockaddr *)&a4 : (struct sockaddr *)&a,
			      v4 ? sizeof(a4) : sizeof(a))) {
		perror("udp_memcached: bind");
		exit(1);
	}
	return fd;
}

static const struct options *options;

static void *run(void *arg)
{
	int fd = (int)(intptr_t)arg;

	if (options->calls || !carry_by_rings(fd, options))
		carry_by_calls(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "calls", 0, NULL, 'c' }, { "help", 0, NULL, 'h' },
		{ 0 } };
	struct options o = { .port = 11211, .threads = 1, .entries = 256, .memory = 64 };
	int c;

	while ((c = getopt_long(argc, argv, "U:t:m:e:h", names, NULL)) != -1)
		switch (c) {
		case 'U': o.port = (uint16_t)atoi(optarg); break;
		case 't': o.threads = (unsigned)atoi(optarg); break;
		case 'm': o.memory = (size_t)atol(optarg); break;
		case 'e': o.entries = (unsigned)atoi(optarg); break;
		case 'c': o.calls = true; break;
		default: fputs(help, c == 'h' ? stdout : stderr); return c != 'h';
		}
	if (!o.port || !o.threads || o.threads > 64 || !o.memory || optind != argc) {
		fputs(help, stderr);
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC_COARSE, &started);
	options = &o;
	if (!store_init(o.memory << 20, o.threads)) {
		perror("udp_memcached");
		return 1;
	}
	for (unsigned i = 0; i < o.threads; i++) {
		int fd = open_socket(&o);
		pthread_t t;

		if (i + 1 == o.threads)
			run((void *)(intptr_t)fd);
		else if (pthread_create(&t, NULL, run, (void *)(intptr_t)fd))
			return 1;
	}
	return 1;
}
