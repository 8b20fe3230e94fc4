/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clearing and copying whole pages in the way that this CPU does best, chosen once at boot:
 *
 *	fast string instructions (ERMS)		rep stosq, rep movsq
 *	AVX					32 bytes at a time
 *	neither					16 bytes at a time (SSE2, which every CPU has)
 *
 * The vector ways use register 0 alone and leave it, with all of its upper parts, as they found
 * it: the registers may be any program's (cpu/fpu.h), saved or not. They may be interrupted, and
 * what interrupts may call them too. Addresses are kernel addresses that cannot fault, 64-aligned;
 * n is a multiple of PAGE_SIZE and not 0; a copy's two sides do not overlap.
 */
#pragma once

#include "lib/types.h"

/* Fixed after cpu_bulk_init; until then they need nothing but the string instructions. */
extern void (*cpu_clear_pages)(void *p, size_t n);
extern void (*cpu_copy_pages)(void *restrict dst, const void *restrict src, size_t n);

void cpu_bulk_init(void); /* the boot CPU, after cpu_fpu_init */

/* bulk_vector.S */
void cpu_clear_string(void *p, size_t n);
void cpu_clear_sse2(void *p, size_t n);
void cpu_clear_avx(void *p, size_t n); /* needs XGETBV with ECX = 1 */
void cpu_copy_string(void *restrict dst, const void *restrict src, size_t n);
void cpu_copy_sse2(void *restrict dst, const void *restrict src, size_t n);
void cpu_copy_avx(void *restrict dst, const void *restrict src, size_t n);
