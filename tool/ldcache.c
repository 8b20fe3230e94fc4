/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's cache of library paths; see ldcache.h. */
#include "ldcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OLD_MAGIC	"ld.so-1.7.0"
#define NEW_MAGIC	"glibc-ld.so.cache1.1"
#define NEW_MAGIC_LEN	20
#define ENDIAN_LITTLE	2
#define FLAG_X8664_ELF6 0x0303 /* FLAG_X8664_LIB64 | FLAG_ELF_LIBC6 */

struct old_header {
	char magic[12];
	uint32_t nlibs;
};

#define OLD_ENTRY_SIZE 12

struct new_header {
	char magic[NEW_MAGIC_LEN];
	uint32_t nlibs, len_strings;
	uint8_t flags, pad[3];
	uint32_t extension_offset, unused[3];
};

struct new_entry {
	int32_t flags;
	uint32_t key, value, osversion; /* string offsets, from the new header */
	uint64_t hwcap;
};

_Static_assert(sizeof(struct new_header) == 48, "layout of dl-cache.h");
_Static_assert(sizeof(struct new_entry) == 24, "layout of dl-cache.h");

/* Where the new format starts: at once, or behind a table in the old format. */
static int find_new(const char *data, size_t len, size_t *at)
{
	struct old_header old;
	uint64_t pos = 0;

	if (len >= sizeof(old) && !memcmp(data, OLD_MAGIC, sizeof(OLD_MAGIC) - 1)) {
		memcpy(&old, data, sizeof(old));
		pos = sizeof(old) + (uint64_t)old.nlibs * OLD_ENTRY_SIZE;
		pos = (pos + 7) & ~7ull;
	}
	if (pos > len || len - pos < sizeof(struct new_header))
		return -EINVAL;
	if (memcmp(data + pos, NEW_MAGIC, NEW_MAGIC_LEN))
		return -EINVAL;
	*at = pos;
	return 0;
}

static const char *string_at(const char *base, size_t len, uint32_t offset)
{
	if (offset >= len || !memchr(base + offset, 0, len - offset))
		return NULL;
	return base + offset;
}

int ldcache_parse(char *data, size_t len, struct ldcache *c)
{
	struct new_header h;
	const char *base;
	size_t at = 0;

	*c = (struct ldcache){};
	if (find_new(data, len, &at))
		goto bad;
	base = data + at;
	len -= at;
	memcpy(&h, base, sizeof(h));
	if ((h.flags & 3) != ENDIAN_LITTLE && (h.flags & 3) != 0)
		goto bad;
	if (h.nlibs > (len - sizeof(h)) / sizeof(struct new_entry))
		goto bad;
	c->data = data;
	c->entry = xcalloc(h.nlibs, sizeof(*c->entry));
	for (uint32_t i = 0; i < h.nlibs; i++) {
		struct ldcache_entry *e = &c->entry[c->n];
		struct new_entry raw;

		memcpy(&raw, base + sizeof(h) + i * sizeof(raw), sizeof(raw));
		e->name = string_at(base, len, raw.key);
		e->path = string_at(base, len, raw.value);
		e->hwcap = raw.hwcap;
		e->flags = raw.flags;
		if (e->name && e->path && e->path[0] == '/')
			c->n++;
	}
	return 0;
bad:
	free(data);
	return -EINVAL;
}

void ldcache_free(struct ldcache *c)
{
	free(c->data);
	free(c->entry);
	*c = (struct ldcache){};
}

bool ldcache_entry_usable(const struct ldcache_entry *e)
{
	return e->flags == FLAG_X8664_ELF6 && !e->hwcap;
}

const char *ldcache_find(const struct ldcache *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++) {
		if (ldcache_entry_usable(&c->entry[i]) && !strcmp(c->entry[i].name, name))
			return c->entry[i].path;
	}
	return NULL;
}

void ldcache_write(const struct ldcache *c, bool (*keep)(const char *path, void *ctx), void *ctx,
	struct buf *out)
{
	struct new_header h = { .flags = ENDIAN_LITTLE };
	struct buf entries = {}, strings = {};
	uint32_t base, n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += ldcache_entry_usable(&c->entry[i]) && keep(c->entry[i].path, ctx);
	base = sizeof(h) + n * sizeof(struct new_entry);
	/* The loader searches by bisection: the order of the host's cache is kept. */
	for (size_t i = 0; i < c->n; i++) {
		const struct ldcache_entry *e = &c->entry[i];
		struct new_entry raw = { .flags = FLAG_X8664_ELF6 };

		if (!ldcache_entry_usable(e) || !keep(e->path, ctx))
			continue;
		raw.key = base + strings.len;
		buf_add(&strings, e->name, strlen(e->name) + 1);
		raw.value = base + strings.len;
		buf_add(&strings, e->path, strlen(e->path) + 1);
		buf_add(&entries, &raw, sizeof(raw));
	}
	memcpy(h.magic, NEW_MAGIC, NEW_MAGIC_LEN);
	h.nlibs = n;
	h.len_strings = strings.len;
	buf_add(out, &h, sizeof(h));
	buf_add(out, entries.s, entries.len);
	buf_add(out, strings.s, strings.len);
	buf_free(&entries);
	buf_free(&strings);
}
