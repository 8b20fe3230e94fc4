/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the protocols (ascii.c, binary.c) and what carries datagrams (rings.c, calls.c). */
#ifndef BENCH_MEMCACHED_SERVER_H
#define BENCH_MEMCACHED_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "store.h"

#define FRAME	      8	   /* bytes in front of each datagram: protocol.txt, "UDP protocol" */
#define DATAGRAM      1400 /* as memcached sends them */
#define REQUEST_MAX   65536
#define ANSWER_PIECES 128

/* An answer: as many datagrams as it takes. */
struct answer {
	struct piece {
		uint8_t *data;
		uint32_t used;
		uint64_t handle; /* of the carrier */
	} piece[ANSWER_PIECES];
	unsigned count, made; /* pieces that are sent; that 'more' gave, and the first */
	uint32_t now;
	bool full; /* it did not fit: nothing more is added */
	/* The next piece's data, with room for DATAGRAM bytes; false: there is none. */
	bool (*more)(struct answer *a, struct piece *p);
	void *carrier;
};

/* Bytes at the end of the answer. */
void answer_add_slowly(struct answer *a, const void *bytes, size_t n);
static inline void answer_add(struct answer *a, const void *bytes, size_t n)
{
	struct piece *p = &a->piece[a->count - 1];

	if (__builtin_expect(p->used + n <= DATAGRAM && !a->full, 1)) {
		memcpy(p->data + p->used, bytes, n);
		p->used += (uint32_t)n;
	} else {
		answer_add_slowly(a, bytes, n);
	}
}
#define answer_text(a, text) answer_add(a, text, sizeof(text) - 1)
void answer_number(struct answer *a, uint64_t n);
/* stats' lines, in either protocol */
typedef void stats_line(struct answer *a, const char *name, uint64_t value);
void stats_each(stats_line *line, struct answer *a);
void rings_stats(stats_line *line, struct answer *a); /* where there are rings */

/*
 * Answers a datagram of n bytes: writes into a, whose first piece is there. False: there is no
 * answer (it was no request, or asked for none). The request is not read when the answer is written
 * to it.
 */
bool serve(struct answer *a, const uint8_t *datagram, size_t n);
/* Their parts: requests without the frame. */
void serve_ascii(struct answer *a, const char *text, size_t n);
void serve_binary(struct answer *a, const uint8_t *bytes, size_t n);

uint32_t now(void);				/* seconds since the server started, plus 2 */
uint32_t expiry(int64_t exptime, uint32_t now); /* as memcached reads it: relative, absolute, 0 */

struct options {
	uint16_t port;
	unsigned threads, entries;
	bool calls; /* do not even try the rings */
	size_t memory;
};
/* Serve on a bound socket for ever; false: this carrier is not there. */
bool carry_by_rings(int fd, const struct options *o);
void carry_by_calls(int fd);

#define VERSION "skiff-packets-1"

#endif
