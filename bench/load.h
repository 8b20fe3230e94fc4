/* SPDX-License-Identifier: BSD-2-Clause */
/* What the memcached loads share: KEYS keys, whose values follow from their numbers. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS 1000

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline int value_of(char *buf, size_t size, unsigned n)
{
	return snprintf(buf, size, "value-of-%u-%08x", n % KEYS, n % KEYS * 2654435761u);
}

/* What memcached answers to a get of key n. */
static inline int expected(char *buf, size_t size, unsigned n)
{
	char value[32];
	int len = value_of(value, sizeof(value), n);

	return snprintf(buf, size, "VALUE key%u 0 %d\r\n%s\r\nEND\r\n", n % KEYS, len, value);
}

/* The command that sets it. */
static inline int set_line(char *buf, size_t size, unsigned n)
{
	char value[32];
	int len = value_of(value, sizeof(value), n);

	return snprintf(buf, size, "set key%u 0 0 %d\r\n%s\r\n", n % KEYS, len, value);
}

static inline double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

#endif
