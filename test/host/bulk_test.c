/* SPDX-License-Identifier: BSD-2-Clause */
/* Clearing and copying pages: every byte, none beside them, and no vector register changed. */
/* sources: src/cpu/bulk_vector.S */
#include "t.h"
#include <cpuid.h>
#include "cpu/bulk.h"
#include "cpu/layout.h"

#define ROOM (6 * PAGE_SIZE)
#define ALL  0xe7u /* x87, SSE, AVX, AVX-512 */

static unsigned char from[ROOM] __attribute__((aligned(PAGE_SIZE)));
static unsigned char to[ROOM] __attribute__((aligned(PAGE_SIZE)));
/* As XSAVE writes them: what the legacy header and the AVX-512 parts hold, state for state. */
static unsigned char before[4096] __attribute__((aligned(64)));
static unsigned char after[4096] __attribute__((aligned(64)));

static uint32_t states(uint32_t which) /* XGETBV */
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(which));
	return low;
}

/* XCR0 without anything this machine lacks; 0: no XGETBV with ECX = 1, so no AVX way. */
static uint32_t enabled(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	if (!__get_cpuid_count(13, 1, &a, &b, &c, &d) || !(a & 4))
		return 0;
	return states(0) & ALL;
}

/* What a program may have in its registers. */
enum use { CLEAN, SSE, AVX, AVX512, USES };

/* The registers hold numbers up to the width; everything beyond is in its initial state. */
static void fill_registers(enum use use)
{
	static const uint64_t v[8] __attribute__((aligned(64))) = { 1, 22, 333, 4444, 55555, 666666,
		7777777, 88888888 };

	if (enabled() & 4)
		__asm__ volatile("vzeroall" ::: "memory");
	switch (use) {
	case SSE: __asm__ volatile("movaps %0, %%xmm0; movaps %0, %%xmm7" ::"m"(*v)); break;
	case AVX: __asm__ volatile("vmovaps %0, %%ymm0; vmovaps %0, %%ymm7" ::"m"(*v)); break;
	case AVX512: __asm__ volatile("vmovaps %0, %%zmm0; vmovaps %0, %%zmm17" ::"m"(*v)); break;
	default: break;
	}
}

static void save(unsigned char *area)
{
	__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(ALL), "d"(0) : "memory");
}

static void fill(unsigned char *p, unsigned seed)
{
	for (size_t i = 0; i < ROOM; i++)
		p[i] = (i * 7 + i / 256 + seed) | 1;
}

/* [page, page + n) of 'to' was changed: it is as 'from', or 0; what is beside it is as it was. */
static void check_room(size_t page, size_t n, bool copied)
{
	static unsigned char was[ROOM];

	fill(was, 5);
	for (size_t i = 0; i < ROOM; i++) {
		bool inside = i >= page * PAGE_SIZE && i < (page + n) * PAGE_SIZE;
		unsigned char want = !inside ? was[i] : copied ? from[i] : 0;

		if (to[i] != want) {
			T_FAIL("byte %zu is %u, not %u", i, to[i], want);
			return;
		}
	}
}

/* Between the two xsave nothing but the function runs: the compiler may use registers itself. */
static void run(
	void (*clear)(void *, size_t), void (*copy)(void *restrict, const void *restrict, size_t))
{
	uint32_t have = enabled();

	for (size_t n = 1; n <= 4; n++) {
		fill(from, 3);
		fill(to, 5);
		clear(to + PAGE_SIZE, n * PAGE_SIZE);
		check_room(1, n, false);
		fill(to, 5);
		copy(to + PAGE_SIZE, from + PAGE_SIZE, n * PAGE_SIZE);
		check_room(1, n, true);
	}
	for (enum use use = CLEAN; have && use < USES; use++) {
		if ((use == AVX && !(have & 4)) || (use == AVX512 && !(have & 0x40)))
			continue;
		for (int i = 0; i < 2; i++) {
			uint32_t in_use, used;

			memset(before, 0, sizeof(before));
			memset(after, 0, sizeof(after));
			fill_registers(use);
			save(before);
			in_use = states(1);
			if (i == 0)
				clear(to, PAGE_SIZE);
			else
				copy(to, from, PAGE_SIZE);
			used = states(1);
			save(after);
			CHECK(memcmp(before, after, 512) == 0);
			CHECK(memcmp(before + 576, after + 576, sizeof(before) - 576) == 0);
			/* Upper halves that were in their initial state are so again. */
			CHECK_EQ(used & ~in_use & (4 | 0x40 | 0x80), 0);
		}
	}
}

TEST(by_string_instructions)
{
	run(cpu_clear_string, cpu_copy_string);
}

TEST(by_sse2)
{
	run(cpu_clear_sse2, cpu_copy_sse2);
}

TEST(by_avx)
{
	if (enabled() & 4)
		run(cpu_clear_avx, cpu_copy_avx);
}
