/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and values in bounded memory: hash tables with a list by use each; the item that was not
 * used for longest goes when there is no room. Times are seconds of now().
 */
#ifndef BENCH_MEMCACHED_STORE_H
#define BENCH_MEMCACHED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_MAX	  250
#define VALUE_MAX (1u << 20)

struct item {
	struct item *next;	    /* in its bucket */
	struct item *newer, *older; /* by use */
	uint64_t hash, cas;
	uint32_t flags, size;
	uint32_t expires, used; /* 0: never; when it was last made the newest */
	uint8_t key_len, suffix_len;
	char bytes[]; /* key, " FLAGS SIZE\r\n", value, "\r\n": as the text protocol says it */
};

static inline const char *item_value(const struct item *i)
{
	return i->bytes + i->key_len + i->suffix_len;
}

enum store_kind { STORE_SET, STORE_ADD, STORE_REPLACE, STORE_APPEND, STORE_PREPEND };
enum store_result { STORED, NOT_STORED, CAS_EXISTS, NOT_FOUND, TOO_LARGE, NO_MEMORY, NOT_A_NUMBER };

struct store_stats {
	uint64_t items, bytes, evictions, hits, misses, sets;
};

/* threads: how many will use it; 1 needs no locks. False: no memory. */
bool store_init(size_t bytes, unsigned threads);
uint64_t store_hash(const char *key, size_t len);
/* Around everything below; of the table in which the hash's key is. */
void store_lock(uint64_t hash);
void store_unlock(uint64_t hash);

/* NULL: not there. Valid until unlock. */
struct item *store_get(uint64_t hash, const char *key, size_t len, uint32_t now);
/* cas 0: whatever there is. *out (may be NULL): the new item. */
enum store_result store_put(enum store_kind kind, uint64_t hash, const char *key, size_t len,
	uint32_t flags, uint32_t expires, const char *value, size_t size, uint64_t cas,
	uint32_t now, struct item **out);
enum store_result store_delete(
	uint64_t hash, const char *key, size_t len, uint64_t cas, uint32_t now);
/* A decimal number up, or down (0 is the least); the number as a text is the value. */
enum store_result store_add(uint64_t hash, const char *key, size_t len, uint64_t by, bool down,
	uint32_t now, uint64_t *value, struct item **out);

/* These lock for themselves. */
void store_flush(void);
struct store_stats store_stats(void);

#endif
