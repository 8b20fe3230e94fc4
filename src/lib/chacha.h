/* SPDX-License-Identifier: BSD-2-Clause */
/* The ChaCha20 block function (RFC 8439, section 2.3): pure arithmetic, constant time. */
#pragma once

#include "lib/types.h"

static inline uint32_t chacha_rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static inline void chacha_quarter(uint32_t s[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b], s[d] = chacha_rotate(s[d] ^ s[a], 16);
	s[c] += s[d], s[b] = chacha_rotate(s[b] ^ s[c], 12);
	s[a] += s[b], s[d] = chacha_rotate(s[d] ^ s[a], 8);
	s[c] += s[d], s[b] = chacha_rotate(s[b] ^ s[c], 7);
}

/* key: 8 words, counter_nonce: 4 words (block counter first); out: 16 words, little endian. */
static inline void chacha20_block(
	const uint32_t key[8], const uint32_t counter_nonce[4], uint32_t out[16])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	for (int i = 0; i < 8; i++)
		in[4 + i] = key[i];
	for (int i = 0; i < 4; i++)
		in[12 + i] = counter_nonce[i];
	for (int i = 0; i < 16; i++)
		out[i] = in[i];
	for (int round = 0; round < 10; round++) {
		chacha_quarter(out, 0, 4, 8, 12);
		chacha_quarter(out, 1, 5, 9, 13);
		chacha_quarter(out, 2, 6, 10, 14);
		chacha_quarter(out, 3, 7, 11, 15);
		chacha_quarter(out, 0, 5, 10, 15);
		chacha_quarter(out, 1, 6, 11, 12);
		chacha_quarter(out, 2, 7, 8, 13);
		chacha_quarter(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		out[i] += in[i];
}
