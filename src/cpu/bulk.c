/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/bulk.h"
#include "cpu/context.h"
#include "cpu/cpu.h"

#define XCR0_AVX 4

void (*cpu_clear_pages)(void *p, size_t n) = cpu_clear_string;
void (*cpu_copy_pages)(void *restrict dst, const void *restrict src, size_t n) = cpu_copy_string;

void cpu_bulk_init(void)
{
	if (cpu_has(CPU_ERMS))
		return;
	if (cpu_has(CPU_XGETBV1) && (cpu_fpu_features() & XCR0_AVX)) {
		cpu_clear_pages = cpu_clear_avx;
		cpu_copy_pages = cpu_copy_avx;
	} else {
		cpu_clear_pages = cpu_clear_sse2;
		cpu_copy_pages = cpu_copy_sse2;
	}
}
