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

void cpu_fpu_init(void); /* on each CPU; enables the FPU and its extended states */
/* Interrupts are off; the thread has an area. */
void cpu_fpu_switch_out(struct cpu_context *from);
/* False: the CPU's registers are still this thread's, segment bases as well. */
bool cpu_fpu_switch_in(struct cpu_context *to);
