/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and string functions. Small fixed sizes are expanded by the compiler before they come
 * here; for that the link may not put these bodies there instead (noipa). The bulk uses string
 * instructions, which every CPU we meet has in a fast form, but with some tens of cycles to start
 * (Intel's optimization manual, 3.7.6): below BULK it goes by words. What is left of a word at the
 * end is written with the last eight bytes once more.
 */

#include "lib/string.h"

#undef memcpy
#undef memset
#undef memmove
#undef memcmp
#ifdef SKIFF_HOST /* beside the C library, which they are compared with */
#define memcpy	lib_memcpy
#define memmove lib_memmove
#define memset	lib_memset
#define memcmp	lib_memcmp
#define memchr	lib_memchr
#define strlen	lib_strlen
#define strnlen lib_strnlen
#define strcmp	lib_strcmp
#define strncmp lib_strncmp
#define strchr	lib_strchr
#define strrchr lib_strrchr
#define strstr	lib_strstr
#endif

#define BULK 128
#ifdef __clang__
#define ALONE __noinline
#else
#define ALONE __attribute__((noipa, optimize("no-tree-loop-distribute-patterns")))
#endif

static __always_inline uint64_t get_word(const unsigned char *p)
{
	uint64_t word;

	__builtin_memcpy(&word, p, 8);
	return word;
}

static __always_inline void put_word(unsigned char *p, uint64_t word)
{
	__builtin_memcpy(p, &word, 8);
}

/* Forwards: what overlaps in front of src is right, too (memmove), so nothing is restrict here. */
ALONE void *memcpy(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (n < 8) {
		for (; n; n--)
			*d++ = *s++;
		return dst;
	}
	uint64_t last = get_word(s + n - 8);
	unsigned char *end = d + n - 8;

	if (n >= BULK) {
		size_t words = n / 8;

		__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words)::"memory");
	}
	for (; d < end; d += 8, s += 8)
		put_word(d, get_word(s));
	put_word(end, last);
	return dst;
}

ALONE void *memmove(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	while (n >= 8) {
		n -= 8;
		put_word(d + n, get_word(s + n));
	}
	while (n--)
		d[n] = s[n];
	return dst;
}

ALONE void *memset(void *dst, int c, size_t n)
{
	uint64_t pattern = 0x0101010101010101ull * (unsigned char)c;
	unsigned char *d = dst, *end;

	if (n < 8) {
		for (; n; n--)
			*d++ = (unsigned char)c;
		return dst;
	}
	end = d + n - 8;
	if (n >= BULK) {
		size_t words = n / 8;

		__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	}
	for (; d < end; d += 8)
		put_word(d, pattern);
	put_word(end, pattern);
	return dst;
}

ALONE int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8) {
		if (get_word(x) != get_word(y))
			break; /* in which byte they differ is found below */
	}
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const unsigned char *p = s;

	for (; n; n--, p++)
		if (*p == (unsigned char)c)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return p - s;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)last;
	}
}

char *strstr(const char *s, const char *needle)
{
	size_t n = strlen(needle);

	for (;; s++) {
		if (strncmp(s, needle, n) == 0)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

size_t str_copy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = MIN(len, size - 1);

		memcpy(dst, src, n);
		dst[n] = 0;
	}
	return len;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

const char *str_to_u64(const char *s, unsigned base, uint64_t *value)
{
	uint64_t v = 0;
	const char *start;

	if (base == 0) {
		base = 10;
		if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
			base = 16;
			s += 2;
		} else if (s[0] == '0') {
			base = 8;
		}
	}
	for (start = s; (unsigned)digit_value(*s) < base; s++) {
		uint64_t next;

		if (__builtin_mul_overflow(v, (uint64_t)base, &next) ||
			__builtin_add_overflow(next, (uint64_t)digit_value(*s), &next))
			return NULL;
		v = next;
	}
	if (s == start)
		return NULL;
	*value = v;
	return s;
}
