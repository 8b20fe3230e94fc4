/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment bases of a program's thread, and the switch from one thread to another. */

#include "cpu/context.h"
#include "cpu/cpu.h"
#include "cpu/fpu.h"
#include "cpu/io.h"
#include "cpu/irqflags.h"

#define MSR_FS_BASE	   0xc0000100
#define MSR_KERNEL_GS_BASE 0xc0000102

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

/* Interrupts are off in a switch. */
static uint64_t save_gs_base(void)
{
	uint64_t base;

	if (!cpu_has(CPU_FSGSBASE))
		return rdmsr(MSR_KERNEL_GS_BASE);
	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base)::"memory");
	return base;
}

static void load_gs_base(uint64_t base)
{
	if (cpu_has(CPU_FSGSBASE))
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" ::"r"(base) : "memory");
	else
		cpu_set_gs_base(base);
}

void cpu_switch_stacks(struct cpu_context *from, struct cpu_context *to); /* switch.S */

void cpu_switch(struct cpu_context *from, struct cpu_context *to)
{
	if (from->fpu) {
		cpu_fpu_switch_out(from);
		from->user_fs_base = cpu_get_fs_base();
		from->user_gs_base = save_gs_base();
	}
	/*
	 * The incoming program's registers are loaded before its stack: kernel code uses none of
	 * them. If no other program has run here since, they are still there.
	 */
	if (to->fpu && cpu_fpu_switch_in(to)) {
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
