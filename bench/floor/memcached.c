/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What memcached would say to bench/udp_load.c: a set changes nothing, and commands are known by
 * their first letter.
 */
#include "floor.h"

#define KEYS 1000 /* bench/load.h */

struct answer {
	char text[48];
	uint32_t len;
};
static struct answer value[KEYS], stored, version;

static void put_text(struct answer *a, const char *text)
{
	while (*text)
		a->text[a->len++] = *text++;
}

static void put_number(struct answer *a, unsigned n, unsigned base, unsigned width)
{
	char digits[10], *const end = digits + sizeof(digits), *p = end;

	do
		*--p = "0123456789abcdef"[n % base];
	while ((n /= base) || p > end - width);
	while (p < end)
		a->text[a->len++] = *p++;
}

/* As expected() of bench/load.h has them. */
void memcached_start(void)
{
	for (unsigned n = 0; n < KEYS; n++) {
		struct answer *a = &value[n], v = { .len = 0 };

		put_text(&v, "value-of-");
		put_number(&v, n, 10, 1);
		put_text(&v, "-");
		put_number(&v, n * 2654435761u, 16, 8);
		put_text(a, "VALUE key");
		put_number(a, n, 10, 1);
		put_text(a, " 0 ");
		put_number(a, v.len, 10, 1);
		put_text(a, "\r\n");
		put_text(a, v.text);
		put_text(a, "\r\nEND\r\n");
	}
	put_text(&stored, "STORED\r\n");
	put_text(&version, "VERSION floor\r\n");
}

static const struct answer *answer_to(const char *text)
{
	unsigned n = 0;

	switch (*text) {
	case 's': return &stored;
	case 'v': return &version;
	case 'g': /* get keyN */
		for (text += 7; *text >= '0' && *text <= '9' && n < KEYS; text++)
			n = n * 10 + (unsigned)(*text - '0');
		return n < KEYS ? &value[n] : NULL;
	}
	return NULL;
}

uint32_t memcached_answer(char *text)
{
	const struct answer *a = answer_to(text);

	if (!a)
		return 0;
	__builtin_memcpy(text, a->text, sizeof(a->text)); /* a fixed length: no loop */
	return a->len;
}
