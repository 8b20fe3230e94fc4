/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc's /etc/ld.so.cache, format "glibc-ld.so.cache1.1" (glibc/sysdeps/generic/dl-cache.h gives
 * the layout): read as the loader does, and written again with fewer entries for the image. The
 * cache is foreign: entries that point outside of it are left out.
 */
#ifndef TOOL_LDCACHE_H
#define TOOL_LDCACHE_H

#include "util.h"

struct ldcache_entry {
	const char *name, *path; /* "libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6" */
	uint64_t hwcap;		 /* nonzero: only for CPUs with certain extensions */
	uint32_t flags;
};

struct ldcache {
	char *data; /* holds the strings */
	struct ldcache_entry *entry;
	size_t n;
};

/* Parses @data (malloced, taken over in every case). -EINVAL when it is no cache. */
int ldcache_parse(char *data, size_t len, struct ldcache *c);
void ldcache_free(struct ldcache *c);

/* The path for a 64-bit x86 library, whatever the CPU; NULL if there is none. */
const char *ldcache_find(const struct ldcache *c, const char *name);
bool ldcache_entry_usable(const struct ldcache_entry *e);

/* A cache with those usable entries for which keep(path, ctx) holds. */
void ldcache_write(const struct ldcache *c, bool (*keep)(const char *path, void *ctx), void *ctx,
	struct buf *out);

#endif
