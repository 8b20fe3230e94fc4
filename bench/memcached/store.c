/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SUFFIX_MAX 36 /* of two numbers of 32 and 64 bits */
#define USED_EVERY 60 /* seconds after which a use makes an item the newest again */

struct table {
	pthread_mutex_t lock;
	struct item **bucket;
	uint64_t mask, bytes, limit, cas;
	struct item *newest, *oldest;
	struct store_stats stats;
} __attribute__((aligned(64)));

static struct table *tables;
static unsigned table_count; /* a power of two; 1: no locks */
static uint64_t seed;

bool store_init(size_t bytes, unsigned threads)
{
	size_t buckets = 1024;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return false;
	table_count = threads > 1 ? 64 : 1;
	tables = aligned_alloc(64, table_count * sizeof(*tables));
	if (!tables)
		return false;
	memset(tables, 0, table_count * sizeof(*tables));
	while (buckets * table_count * 256 < bytes)
		buckets *= 2;
	for (unsigned i = 0; i < table_count; i++) {
		struct table *t = &tables[i];

		pthread_mutex_init(&t->lock, NULL);
		t->bucket = calloc(buckets, sizeof(*t->bucket));
		t->mask = buckets - 1;
		t->limit = bytes / table_count;
		if (!t->bucket)
			return false;
	}
	return true;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Keyed, so that nobody outside knows which keys meet in a bucket. */
uint64_t store_hash(const char *key, size_t len)
{
	uint64_t h = seed ^ len, w;

	for (; len >= 8; len -= 8, key += 8) {
		memcpy(&w, key, 8);
		h = mix(h ^ w, 0x9fb21c651e98df25u);
	}
	w = 0;
	for (size_t i = 0; i < len; i++)
		w = w << 8 | (uint8_t)key[i];
	return mix(h ^ w, 0xd6e8feb86659fd93u ^ seed);
}

static struct table *table_of(uint64_t hash)
{
	return &tables[hash >> 58 & (table_count - 1)];
}

void store_lock(uint64_t hash)
{
	if (table_count > 1)
		pthread_mutex_lock(&table_of(hash)->lock);
}

void store_unlock(uint64_t hash)
{
	if (table_count > 1)
		pthread_mutex_unlock(&table_of(hash)->lock);
}

static void unlink_used(struct table *t, struct item *i)
{
	*(i->newer ? &i->newer->older : &t->newest) = i->older;
	*(i->older ? &i->older->newer : &t->oldest) = i->newer;
}

static void link_used(struct table *t, struct item *i, uint32_t now)
{
	i->newer = NULL;
	i->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = i;
	t->newest = i;
	i->used = now;
}

static size_t item_size(const struct item *i)
{
	return sizeof(*i) + i->key_len + i->suffix_len + i->size + 2 + 16; /* 16: malloc's own */
}

static void drop(struct table *t, struct item *i)
{
	struct item **p = &t->bucket[i->hash & t->mask];

	while (*p != i)
		p = &(*p)->next;
	*p = i->next;
	unlink_used(t, i);
	t->bytes -= item_size(i);
	t->stats.items--;
	free(i);
}

static struct item *find(struct table *t, uint64_t hash, const char *key, size_t len, uint32_t now)
{
	struct item *i = t->bucket[hash & t->mask];

	while (i && !(i->hash == hash && i->key_len == len && !memcmp(i->bytes, key, len)))
		i = i->next;
	if (i && i->expires && i->expires <= now) {
		drop(t, i);
		return NULL;
	}
	return i;
}

struct item *store_get(uint64_t hash, const char *key, size_t len, uint32_t now)
{
	struct table *t = table_of(hash);
	struct item *i = find(t, hash, key, len, now);

	if (!i) {
		t->stats.misses++;
		return NULL;
	}
	t->stats.hits++;
	if (now - i->used >= USED_EVERY) {
		unlink_used(t, i);
		link_used(t, i, now);
	}
	return i;
}

/* A new item that is nowhere yet; its value is still to be written, to *value. */
static struct item *make(struct table *t, uint64_t hash, const char *key, size_t len,
	uint32_t flags, size_t size, char **value)
{
	char suffix[SUFFIX_MAX];
	int n = snprintf(suffix, sizeof(suffix), " %u %zu\r\n", flags, size);
	struct item *i = malloc(sizeof(*i) + len + (size_t)n + size + 2);

	if (!i)
		return NULL;
	*i = (struct item){ .hash = hash,
		.size = (uint32_t)size,
		.flags = flags,
		.key_len = (uint8_t)len,
		.suffix_len = (uint8_t)n,
		.cas = ++t->cas };
	memcpy(i->bytes, key, len);
	memcpy(i->bytes + len, suffix, (size_t)n);
	*value = i->bytes + len + n;
	memcpy(*value + size, "\r\n", 2);
	return i;
}

static void insert(struct table *t, struct item *i, struct item *old, uint32_t now)
{
	if (old)
		drop(t, old);
	while (t->oldest && t->bytes + item_size(i) > t->limit) {
		drop(t, t->oldest);
		t->stats.evictions++;
	}
	i->next = t->bucket[i->hash & t->mask];
	t->bucket[i->hash & t->mask] = i;
	link_used(t, i, now);
	t->bytes += item_size(i);
	t->stats.items++;
}

enum store_result store_put(enum store_kind kind, uint64_t hash, const char *key, size_t len,
	uint32_t flags, uint32_t expires, const char *value, size_t size, uint64_t cas,
	uint32_t now, struct item **out)
{
	struct table *t = table_of(hash);
	struct item *old = find(t, hash, key, len, now), *i;
	bool joins = kind == STORE_APPEND || kind == STORE_PREPEND;
	size_t total = size + (joins && old ? old->size : 0);
	char *to;

	t->stats.sets++;
	if (cas && !old)
		return NOT_FOUND;
	if (cas && old->cas != cas)
		return CAS_EXISTS;
	if (kind == STORE_ADD ? old != NULL : kind != STORE_SET && !old)
		return NOT_STORED;
	if (total > VALUE_MAX || sizeof(*i) + len + SUFFIX_MAX + total + 18 > t->limit)
		return TOO_LARGE;
	i = make(t, hash, key, len, joins ? old->flags : flags, total, &to);
	if (!i)
		return NO_MEMORY;
	i->expires = joins ? old->expires : expires;
	memcpy(kind == STORE_APPEND ? to + old->size : to, value, size);
	if (joins)
		memcpy(kind == STORE_APPEND ? to : to + size, item_value(old), old->size);
	insert(t, i, old, now);
	if (out)
		*out = i;
	return STORED;
}

enum store_result store_delete(
	uint64_t hash, const char *key, size_t len, uint64_t cas, uint32_t now)
{
	struct table *t = table_of(hash);
	struct item *i = find(t, hash, key, len, now);

	if (!i)
		return NOT_FOUND;
	if (cas && i->cas != cas)
		return CAS_EXISTS;
	drop(t, i);
	return STORED;
}

enum store_result store_add(uint64_t hash, const char *key, size_t len, uint64_t by, bool down,
	uint32_t now, uint64_t *value, struct item **out)
{
	struct table *t = table_of(hash);
	struct item *old = find(t, hash, key, len, now), *i;
	char text[24], *to;
	uint64_t v = 0;
	int n;

	if (!old)
		return NOT_FOUND;
	if (!old->size || old->size > 20)
		return NOT_A_NUMBER;
	for (uint32_t k = 0; k < old->size; k++) {
		unsigned digit = (unsigned)item_value(old)[k] - '0';

		if (k && item_value(old)[k] == ' ')
			break;
		if (digit > 9)
			return NOT_A_NUMBER;
		v = v * 10 + digit;
	}
	v = !down ? v + by : v > by ? v - by : 0;
	/* A number that loses digits keeps its length, with blanks: as memcached. */
	n = snprintf(text, sizeof(text), "%-*lu", (int)old->size, v);
	i = make(t, hash, key, len, old->flags, (size_t)n, &to);
	if (!i)
		return NO_MEMORY;
	memcpy(to, text, (size_t)n);
	i->expires = old->expires;
	insert(t, i, old, now);
	*value = v;
	*out = i;
	return STORED;
}

void store_flush(void)
{
	for (unsigned k = 0; k < table_count; k++) {
		struct table *t = &tables[k];

		pthread_mutex_lock(&t->lock);
		while (t->oldest)
			drop(t, t->oldest);
		pthread_mutex_unlock(&t->lock);
	}
}

struct store_stats store_stats(void)
{
	struct store_stats sum = { 0 };

	for (unsigned k = 0; k < table_count; k++) {
		struct table *t = &tables[k];

		pthread_mutex_lock(&t->lock);
		sum.items += t->stats.items;
		sum.bytes += t->bytes;
		sum.evictions += t->stats.evictions;
		sum.hits += t->stats.hits;
		sum.misses += t->stats.misses;
		sum.sets += t->stats.sets;
		pthread_mutex_unlock(&t->lock);
	}
	return sum;
}
