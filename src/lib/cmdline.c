/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/cmdline.h"
#include "lib/string.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static ssize_t decode(const char *p, const char *end, char *buf, size_t size)
{
	size_t n = 0;

	while (p < end) {
		char c = *p++;

		if (c == '\\' && end - p >= 3 && p[0] == 'x' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
			c = hex(p[1]) << 4 | hex(p[2]);
			p += 3;
		}
		if (n + 1 >= size)
			return -1;
		buf[n++] = c;
	}
	if (!size)
		return -1;
	buf[n] = 0;
	return n;
}

/* The first token of this key from p on, and where it ends; NULL: there is none. */
static const char *find(const char *p, const char *key, const char **end)
{
	size_t key_len = strlen(key);

	while (*p) {
		const char *e = p;

		while (*e && !is_blank(*e))
			e++;
		if (e - p >= (ptrdiff_t)key_len && strncmp(p, key, key_len) == 0 &&
			(p + key_len == e || p[key_len] == '=')) {
			*end = e;
			return p;
		}
		for (p = e; is_blank(*p); p++)
			;
	}
	return NULL;
}

ssize_t cmdline_next(const char **line, const char *key, char *buf, size_t size)
{
	const char *end, *p = find(*line, key, &end);

	if (!p)
		return -1;
	*line = end;
	return decode(MIN(p + strlen(key) + 1, end), end, buf, size);
}

ssize_t cmdline_get(const char *line, const char *key, unsigned n, char *buf, size_t size)
{
	const char *end;

	while (n-- && find(line, key, &end))
		line = end;
	return n == -1u ? cmdline_next(&line, key, buf, size) : -1;
}

uint64_t cmdline_get_u64(const char *line, const char *key, uint64_t absent)
{
	char text[32];
	const char *end;
	uint64_t v;

	if (cmdline_get(line, key, 0, text, sizeof(text)) <= 0)
		return absent;
	end = str_to_u64(text, 0, &v);
	return end && !*end ? v : absent;
}
