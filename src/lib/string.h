/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and string functions with their C names and contracts, for code without a C library. */
#pragma once

#include "lib/types.h"

#ifdef SKIFF_HOST
#include <string.h>
#else
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *needle);
#define memcpy(d, s, n)	 __builtin_memcpy(d, s, n)
#define memset(d, c, n)	 __builtin_memset(d, c, n)
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memcmp(a, b, n)	 __builtin_memcmp(a, b, n)
#endif

/* Copies at most size-1 bytes and always terminates. Returns strlen(src): >= size means cut. */
size_t str_copy(char *dst, const char *src, size_t size);

/* Parses an unsigned number, base 0 means C prefixes. Returns the end, or NULL: none or overflow.
 */
const char *str_to_u64(const char *s, unsigned base, uint64_t *value);
