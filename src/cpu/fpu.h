/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FPU in a switch between threads. What must be saved depends on how the thread entered:
 *
 *	trap, interrupt		everything: the program did not expect it
 *	syscall instruction	everything: Linux preserves vector registers over a call
 *	function call		MXCSR and the x87 control word: the rest is the callee's to destroy
 *				(System V ABI), so there is nothing worth saving
 *
 * The entry is told by trap_frame.vector at the top of the kernel stack. The x87 status flags are
 * the callee's too, but programs test them long after (fetestexcept): if one is set, everything
 * is saved as well.
 *
 * A CPU remembers whose registers it holds. Kernel threads do not touch them, so a thread that
 * comes back before any other program has run there finds them as it left them.
 */
#pragma once

#include "cpu/context.h"
#include "cpu/cpu.h"
#include "cpu/offsets.h"
#include "cpu/percpu.h"
#include "cpu/trapframe.h"

void cpu_fpu_init(void); /* on each CPU; enables the FPU and its extended states */

/* The parts of a switch that are not on everybody's way. */
void cpu_fpu_switch_save(void *area);
void cpu_fpu_load(struct cpu_context *to);
DECLARE_PERCPU(struct cpu_context *, fpu_owner); /* whose registers this CPU holds */

#define X87_ERRORS 0x3f

static inline bool cpu_fpu_entered_by_call(const struct cpu_context *c)
{
	return ((const struct trap_frame *)c->kstack_top - 1)->vector == VECTOR_CALL;
}

/* Interrupts are off; the thread has an area. */
static inline void cpu_fpu_switch_out(struct cpu_context *from)
{
	uint16_t status;

	from->fpu_cpu = cpu_id() + 1;
	from->fpu_controls = false;
	if (cpu_fpu_entered_by_call(from)) {
		__asm__ volatile("fnstsw %0" : "=a"(status));
		if (likely(!(status & X87_ERRORS))) {
			__asm__ volatile("stmxcsr %0; fnstcw %1"
					 : "=m"(from->mxcsr), "=m"(from->x87_control));
			from->fpu_controls = true;
			return;
		}
	}
	if (likely(cpu_has(CPU_XSAVEOPT)))
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(from->fpu), "a"(-1), "d"(-1) : "memory");
	else
		cpu_fpu_switch_save(from->fpu);
}

/* False: the CPU's registers are still this thread's, segment bases as well. */
static inline bool cpu_fpu_switch_in(struct cpu_context *to)
{
	/* The owner's memory may have been freed and be another thread's by now: hence both. */
	if (*this_cpu(fpu_owner) == to && to->fpu_cpu == cpu_id() + 1)
		return false;
	*this_cpu(fpu_owner) = to;
	if (likely(!to->fpu_controls) && likely(cpu_has(CPU_XSAVE)))
		__asm__ volatile("xrstor64 (%0)" ::"r"(to->fpu), "a"(-1), "d"(-1) : "memory");
	else
		cpu_fpu_load(to);
	return true;
}
