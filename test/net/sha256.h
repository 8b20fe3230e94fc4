/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_NET_SHA256_H
#define TEST_NET_SHA256_H
/* SHA-256 (FIPS 180-4), so that a program in the guest can say what it received without another
 * library: the harness compares with Python's. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	unsigned char block[64];
};

static inline void sha256_init(struct sha256 *s)
{
	static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(s->state, first, sizeof(first));
	s->bytes = 0;
}

static inline uint32_t sha256_turn(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static inline void sha256_block(uint32_t state[8], const unsigned char *p)
{
	static const uint32_t k[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
		0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
		0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6,
		0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d,
		0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
		0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585,
		0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
		0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa,
		0xa4506ceb, 0xbef9a3f7, 0xc67178f2 };
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + w[i - 7] + (sha256_turn(a, 7) ^ sha256_turn(a, 18) ^ a >> 3) +
		       (sha256_turn(b, 17) ^ sha256_turn(b, 19) ^ b >> 10);
	}
	/* The eight variables stay where they are; their names move on by one each round. */
#define SHA256_V(n) v[((n)-i) & 7]
	memcpy(v, state, sizeof(v));
#pragma GCC unroll 8
	for (int i = 0; i < 64; i++) {
		uint32_t a = SHA256_V(0), e = SHA256_V(4);
		uint32_t t = SHA256_V(7) +
			     (sha256_turn(e, 6) ^ sha256_turn(e, 11) ^ sha256_turn(e, 25)) +
			     ((e & SHA256_V(5)) ^ (~e & SHA256_V(6))) + k[i] + w[i];
		SHA256_V(3) += t;
		SHA256_V(7) = t + (sha256_turn(a, 2) ^ sha256_turn(a, 13) ^ sha256_turn(a, 22)) +
			      ((a & SHA256_V(1)) ^ (a & SHA256_V(2)) ^ (SHA256_V(1) & SHA256_V(2)));
	}
#undef SHA256_V
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

static inline void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len) {
		size_t have = s->bytes % 64, n = 64 - have < len ? 64 - have : len;

		if (n == 64) {
			sha256_block(s->state, p);
		} else {
			memcpy(s->block + have, p, n);
			if (have + n == 64)
				sha256_block(s->state, s->block);
		}
		s->bytes += n;
		p += n;
		len -= n;
	}
}

/* 64 digits and an end. */
static inline void sha256_end(struct sha256 *s, char text[65])
{
	unsigned char end[72] = { 0x80 };
	uint64_t bits = s->bytes * 8;
	size_t pad = 1 + (119 - s->bytes % 64) % 64;

	for (int i = 0; i < 8; i++)
		end[pad + i] = bits >> (56 - 8 * i);
	sha256_add(s, end, pad + 8);
	for (int i = 0; i < 8; i++)
		sprintf(text + 8 * i, "%08x", s->state[i]);
}

#endif
