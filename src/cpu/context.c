/* SPDX-License-Identifier: BSD-2-Clause */
/* FPU state (Intel SDM vol. 1, ch. 13) and segment bases of a program's thread. */

#include "cpu/context.h"
#include "abi/errno.h"
#include "cpu/cpu.h"
#include "cpu/fpu.h"
#include "cpu/io.h"
#include "cpu/irqflags.h"
#include "lib/string.h"

#define MSR_FS_BASE	   0xc0000100
#define MSR_KERNEL_GS_BASE 0xc0000102

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

void cpu_set_fs_base(uint64_t base)
{
	if (cpu_has(CPU_FSGSBASE))
		__asm__ volatile("wrfsbase %0" ::"r"(base) : "memory");
	else
		wrmsr(MSR_FS_BASE, base);
}

uint64_t cpu_get_fs_base(void)
{
	uint64_t base;

	if (!cpu_has(CPU_FSGSBASE))
		return rdmsr(MSR_FS_BASE);
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

/* The program's GS base is in the shadow register while the kernel runs. */
void cpu_set_gs_base(uint64_t base)
{
	wrmsr(MSR_KERNEL_GS_BASE, base);
}

uint64_t cpu_get_gs_base(void)
{
	uint64_t base;
	bool on;

	if (!cpu_has(CPU_FSGSBASE))
		return rdmsr(MSR_KERNEL_GS_BASE);
	on = irq_save();
	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base)::"memory");
	irq_restore(on);
	return base;
}

static void load_gs_base(uint64_t base)
{
	if (cpu_has(CPU_FSGSBASE)) /* interrupts are off in a switch */
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" ::"r"(base) : "memory");
	else
		cpu_set_gs_base(base);
}

void cpu_switch_stacks(struct cpu_context *from, struct cpu_context *to); /* switch.S */

void cpu_switch(struct cpu_context *from, struct cpu_context *to)
{
	if (from->fpu) {
		save(from->fpu);
		from->user_fs_base = cpu_get_fs_base();
		from->user_gs_base = cpu_get_gs_base();
	}
	/* The incoming program's registers are loaded before its stack: kernel code uses neither.
	 */
	if (to->fpu) {
		restore(to->fpu);
		cpu_set_fs_base(to->user_fs_base);
		load_gs_base(to->user_gs_base);
	}
	cpu_switch_stacks(from, to);
}

void cpu_context_start(void); /* switch.S: calls rbx(r12) */

void cpu_context_init(struct cpu_context *ctx, uintptr_t kstack_top, void (*fn)(void *), void *arg)
{
	uintptr_t *sp = (uintptr_t *)ALIGN_DOWN(kstack_top, 16);

	/* As cpu_switch_stacks pops them: r15 r14 r13 r12 rbx rbp, return address. */
	*--sp = 0; /* end of the frame chain */
	*--sp = (uintptr_t)cpu_context_start;
	*--sp = 0;		/* rbp */
	*--sp = (uintptr_t)fn;	/* rbx */
	*--sp = (uintptr_t)arg; /* r12 */
	*--sp = 0;
	*--sp = 0;
	*--sp = 0;
	ctx->rsp = (uintptr_t)sp;
	ctx->kstack_top = kstack_top;
}
