/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4 (Aumasson & Bernstein, 2012). */

#include "lib/hash.h"
#include "lib/string.h"

static __always_inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static __always_inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static __always_inline void absorb(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t hash_siphash(const struct hash_key *key, const void *data, size_t len)
{
	uint64_t v[4] = { key->k0 ^ 0x736f6d6570736575ull, key->k1 ^ 0x646f72616e646f6dull,
		key->k0 ^ 0x6c7967656e657261ull, key->k1 ^ 0x7465646279746573ull };
	const unsigned char *p = data;
	uint64_t m;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&m, p + i, 8);
		absorb(v, m);
	}
	m = (uint64_t)len << 56;
	if (len & 4) {
		uint32_t w;

		memcpy(&w, p + i, 4);
		m |= w;
		i += 4;
	}
	for (; i < len; i++)
		m |= (uint64_t)p[i] << (8 * (i % 8));
	absorb(v, m);
	v[2] ^= 0xff;
	for (int n = 0; n < 4; n++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
