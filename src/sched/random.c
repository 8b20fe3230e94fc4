/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ChaCha20 generator per CPU with fast key erasure: the first half of the first block of every
 * request becomes the next key, so that a later look into memory tells nothing of earlier output.
 *
 * Per-CPU state needs no guard: the kernel is not preempted and nothing here sleeps. The common
 * pool is only ever xor-ed into by atomic operations, each contribution hashed by ChaCha20 first,
 * so contributions may mix in any order and none can cancel another without knowing it.
 */

#include "sched/random.h"

#include "cpu/io.h"
#include "cpu/percpu.h"
#include "lib/chacha.h"
#include "lib/string.h"

struct random_state {
	uint32_t key[8];
	uint64_t requests;
	uint32_t generation; /* of the pool when it was last mixed in; 0: never seeded */
};
static DEFINE_PERCPU(struct random_state, random_state);

static uint32_t pool[8];	     /* atomic words */
static uint32_t pool_generation = 1; /* atomic */

static bool has_rdseed(void)
{
	return cpuid(7, 0).ebx & (1u << 18);
}

static bool has_rdrand(void)
{
	return cpuid(1, 0).ecx & (1u << 30);
}

bool random_cpu_generates(void)
{
	return has_rdseed() || has_rdrand();
}

/* RDSEED or RDRAND where the CPU has them, always the time stamp counter. */
static uint64_t hardware_u64(void)
{
	uint64_t v = 0;
	bool ok = false;

	if (has_rdseed())
		for (int i = 0; i < 8 && !ok; i++)
			__asm__ volatile("rdseed %0; setc %1" : "=r"(v), "=qm"(ok)::"cc");
	if (!ok && has_rdrand())
		for (int i = 0; i < 8 && !ok; i++)
			__asm__ volatile("rdrand %0; setc %1" : "=r"(v), "=qm"(ok)::"cc");
	return v ^ (rdtsc() * 0x9e3779b97f4a7c15ull);
}

void random_add_entropy(const void *data, size_t n)
{
	uint32_t key[8], block[16], nonce[4] = { 0 };
	const uint8_t *p = data;

	for (int i = 0; i < 8; i++)
		key[i] = __atomic_load_n(&pool[i], __ATOMIC_RELAXED);
	do {
		size_t take = MIN(n, sizeof(nonce));

		memcpy(nonce, p, take);
		p += take;
		n -= take;
		chacha20_block(key, nonce, block);
		memcpy(key, block, sizeof(key));
	} while (n);
	for (int i = 0; i < 8; i++)
		__atomic_fetch_xor(&pool[i], block[8 + i], __ATOMIC_RELAXED);
	__atomic_fetch_add(&pool_generation, 1, __ATOMIC_RELEASE);
}

static void reseed(struct random_state *s, uint32_t generation)
{
	uint32_t block[16], nonce[4] = { cpu_id(), generation };
	uint64_t seed[4];

	for (int i = 0; i < 4; i++)
		seed[i] = hardware_u64();
	for (int i = 0; i < 8; i++)
		s->key[i] ^= __atomic_load_n(&pool[i], __ATOMIC_RELAXED) ^ ((uint32_t *)seed)[i];
	chacha20_block(s->key, nonce, block);
	memcpy(s->key, block, sizeof(s->key));
	s->generation = generation;
	s->requests = 0;
}

void random_bytes(void *buf, size_t n)
{
	struct random_state *s = this_cpu(random_state);
	uint32_t generation = __atomic_load_n(&pool_generation, __ATOMIC_ACQUIRE);
	uint32_t key[8], block[16], nonce[4] = { 0 };
	uint8_t *p = buf;

	if (unlikely(s->generation != generation || ++s->requests > 4096))
		reseed(s, generation);
	memcpy(key, s->key, sizeof(key));
	chacha20_block(key, nonce, block);
	memcpy(s->key, block, sizeof(s->key));
	size_t take = MIN(n, (size_t)32);
	memcpy(p, block + 8, take);
	for (p += take, n -= take; n; p += take, n -= take) {
		nonce[0]++;
		chacha20_block(key, nonce, block);
		take = MIN(n, sizeof(block));
		memcpy(p, block, take);
	}
	memset(key, 0, sizeof(key));
	memset(block, 0, sizeof(block));
	__asm__ volatile("" ::"r"(key), "r"(block) : "memory"); /* the clearing above stays */
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}
