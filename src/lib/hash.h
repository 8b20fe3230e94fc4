/* SPDX-License-Identifier: BSD-2-Clause */
/* Hashes: siphash24 for keys an attacker chooses, hash_u64 for our own pointers and numbers. */
#pragma once

#include "lib/types.h"

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_siphash(const struct hash_key *key, const void *data, size_t len);

static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	return x;
}
