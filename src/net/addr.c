/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as text (RFC 4291 2.2, RFC 5952). */

#include "net/addr.h"
#include "net/dhcp.h"
#include "lib/format.h"

/* The first of the longest runs of two zero groups or more: [*from, *to); empty if there is none.
 */
static void longest_zeroes(const struct ip_addr *a, unsigned *from, unsigned *to)
{
	*from = *to = 8;
	for (unsigned i = 0, n; i < 8; i += n + 1) {
		for (n = 0; i + n < 8 && !get_be16(a->b + 2 * (i + n)); n++)
			;
		if (n >= 2 && n > *to - *from) {
			*from = i;
			*to = i + n;
		}
	}
}

void ip_format(struct ip_addr a, char *out)
{
	unsigned from, to;
	int at = 0;

	if (ip_is_v4(a)) {
		format(out, IP_TEXT, "%u.%u.%u.%u", a.b[12], a.b[13], a.b[14], a.b[15]);
		return;
	}
	longest_zeroes(&a, &from, &to);
	for (unsigned i = 0; i < 8; i++) {
		if (i == from)
			at += format(out + at, (size_t)(IP_TEXT - at), i ? ":" : "::");
		if (i >= from && i < to)
			continue;
		at += format(out + at, (size_t)(IP_TEXT - at),
			i == 7 ? "%x" : "%x:", get_be16(a.b + 2 * i));
	}
	if (from == 8 && to == 8)
		out[at] = 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to four digits. */
static const char *parse_group(const char *s, uint16_t *out)
{
	const char *start = s;
	unsigned v = 0;

	for (; hex(*s) >= 0 && s - start < 4; s++)
		v = v << 4 | (unsigned)hex(*s);
	*out = (uint16_t)v;
	return s > start && hex(*s) < 0 ? s : NULL;
}

static const char *parse_v6(const char *s, struct ip_addr *out)
{
	uint16_t group[8], n = 0;
	int gap = -1;

	if (s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	} else if (*s == ':') {
		return NULL;
	}
	while (n < 8 && hex(*s) >= 0) {
		uint32_t v4;
		const char *end = n <= 6 ? net_parse_ipv4(s, &v4) : NULL;

		if (end) {
			group[n++] = get_be16(&v4);
			group[n++] = get_be16((const uint8_t *)&v4 + 2);
			s = end;
			break;
		}
		s = parse_group(s, &group[n]);
		if (!s)
			return NULL;
		n++;
		if (*s != ':')
			break;
		if (s[1] == ':') {
			if (gap >= 0)
				return NULL;
			gap = n;
			s++;
		} else if (n == 8 || hex(s[1]) < 0) {
			return NULL;
		}
		s++;
	}
	if (gap < 0 ? n != 8 : n > 7)
		return NULL;
	*out = IP_ANY;
	for (int i = 0; i < n; i++)
		put_be16(out->b + 2 * (gap >= 0 && i >= gap ? 8 - n + i : i), group[i]);
	return s;
}

const char *ip_parse(const char *s, struct ip_addr *out)
{
	uint32_t v4;
	const char *end = net_parse_ipv4(s, &v4);

	if (!end)
		return parse_v6(s, out);
	*out = ip_map(v4);
	return end;
}
