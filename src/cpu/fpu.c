/* SPDX-License-Identifier: BSD-2-Clause */
/* FPU state (Intel SDM vol. 1, ch. 13): saved, loaded, checked. */

#include "cpu/fpu.h"
#include "abi/errno.h"
#include "cpu/cpu.h"
#include "cpu/io.h"
#include "cpu/offsets.h"
#include "cpu/percpu.h"
#include "cpu/trapframe.h"
#include "lib/string.h"

/* x87, SSE, AVX, AVX-512 (opmask, ZMM_Hi256, Hi16_ZMM). Not MPX, PKRU or AMX: those need more of a
 * kernel. */
#define XCR0_WANTED 0xe7ull

#define LEGACY_SIZE   512 /* FXSAVE area */
#define XSTATE_BV     512
#define XCOMP_BV      520
#define XHEADER_END   576
#define MXCSR_OFFSET  24
#define MXCSR_DEFAULT 0x1f80
#define FCW_DEFAULT   0x37f

/* Fixed after the boot CPU's cpu_fpu_init. */
static uint64_t xcr0;
static size_t fpu_size = LEGACY_SIZE;
static uint32_t mxcsr_mask = 0xffbf;

static void set_xcr0(uint64_t v)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void cpu_fpu_init(void)
{
	if (cpu_has(CPU_XSAVE)) {
		struct cpuid leaf = cpuid(13, 0);

		xcr0 = ((uint64_t)leaf.edx << 32 | leaf.eax) & XCR0_WANTED;
		set_xcr0(xcr0);
		fpu_size = ALIGN_UP((size_t)cpuid(13, 0).ebx, 64);
	}
	__asm__ volatile("fninit");
}

size_t cpu_fpu_size(void)
{
	return fpu_size;
}

uint64_t cpu_fpu_features(void)
{
	return xcr0;
}

void cpu_fpu_init_area(void *area)
{
	uint8_t *p = area;

	memset(p, 0, fpu_size);
	*(uint16_t *)p = FCW_DEFAULT;
	*(uint32_t *)(p + MXCSR_OFFSET) = MXCSR_DEFAULT;
	/* XSTATE_BV stays 0 but for the SSE bit, without which MXCSR would not be loaded. */
	if (xcr0)
		*(uint64_t *)(p + XSTATE_BV) = 3;
}

static void save(void *area)
{
	if (cpu_has(CPU_XSAVEOPT))
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
	else if (cpu_has(CPU_XSAVE))
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void restore(const void *area)
{
	if (cpu_has(CPU_XSAVE))
		__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void cpu_fpu_save(void *area)
{
	/* xsaveopt may leave out what is unchanged since the last restore from this very area; a
	 * signal frame is another area, so write everything. */
	if (cpu_has(CPU_XSAVE))
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
	else
		save(area);
}

void cpu_fpu_save_new(void *memory)
{
	/* What xsave leaves as it is, and xrstor wants to be zero. */
	if (cpu_has(CPU_XSAVE))
		memset((char *)memory + XSTATE_BV, 0, XHEADER_END - XSTATE_BV);
	cpu_fpu_save(memory);
}

/* Everything that would make xrstor fault is refused (SDM vol. 1, 13.8.1). */
int cpu_fpu_restore(const void *area)
{
	const uint8_t *p = area;

	if (*(const uint32_t *)(p + MXCSR_OFFSET) & ~mxcsr_mask)
		return -EINVAL;
	if (cpu_has(CPU_XSAVE)) {
		if (*(const uint64_t *)(p + XSTATE_BV) & ~xcr0)
			return -EINVAL;
		for (int i = XCOMP_BV; i < XHEADER_END; i += 8)
			if (*(const uint64_t *)(p + i))
				return -EINVAL;
	}
	restore(area);
	return 0;
}

/* ---- switching ---- */

DEFINE_PERCPU(struct cpu_context *, fpu_owner);

#define XCR0_AVX 4

void cpu_fpu_switch_save(void *area)
{
	save(area);
}

/* The x87 stack empty, no error flags, upper halves clean: as at a function's return. */
static void load_controls(const struct cpu_context *to)
{
	__asm__ volatile(
		"fnclex; emms; fldcw %0; ldmxcsr %1" ::"m"(to->x87_control), "m"(to->mxcsr));
	if (xcr0 & XCR0_AVX)
		__asm__ volatile("vzeroupper");
}

void cpu_fpu_load(struct cpu_context *to)
{
	if (to->fpu_controls)
		load_controls(to);
	else
		restore(to->fpu);
}
