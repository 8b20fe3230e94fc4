/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_NET_DATA_H
#define TEST_NET_DATA_H
/* A stream of bytes that follows from its seed, and any part of which can be made by itself. */
#include <stdint.h>
#include <string.h>

/* Bytes at..at+n of it: the word of 8 bytes at 8 * i is the finaliser of SplitMix64 over i. at is a
 * multiple of 8, and p has room for n rounded up to one. */
static inline void data_make(unsigned char *p, uint64_t seed, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t x = seed + ((at + i) / 8 + 1) * 0x9e3779b97f4a7c15ull;

		x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
		x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
		x ^= x >> 31;
		memcpy(p + i, &x, 8);
	}
}

#endif
