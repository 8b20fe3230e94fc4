/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU must remember of a thread that does not run, and the switch between two of them.
 * Knows no threads: sched/ embeds a cpu_context in each.
 */
#pragma once

#include "lib/types.h"

struct cpu_context {
	uintptr_t rsp; /* kernel stack pointer while switched out */
	uintptr_t kstack_top;
	uint64_t user_fs_base; /* valid while switched out, or set by arch_prctl through
				  cpu_set_fs_base */
	uint64_t user_gs_base;
	void *fpu; /* XSAVE area, cpu_fpu_size() bytes, 64-aligned; NULL for kernel threads */
	/* cpu/fpu.c's, zero at first */
	uint32_t fpu_cpu; /* 1 + the CPU whose registers were this thread's last */
	uint32_t mxcsr;	  /* while fpu_controls is set */
	uint16_t x87_control;
	bool fpu_controls; /* what is saved is the control words only, not the area */
};

/*
 * Saves the running context into *from and continues *to; returns when somebody switches back.
 * Interrupts are off. Saves and restores fs/gs base and the FPU when 'fpu' is set on a side; of
 * the FPU only what the way in which the thread entered the kernel asks for (fpu.h).
 */
void cpu_switch(struct cpu_context *from, struct cpu_context *to);

/* Prepares ctx so that the first switch to it calls fn(arg) on its stack, interrupts off. fn never
 * returns. */
void cpu_context_init(struct cpu_context *ctx, uintptr_t kstack_top, void (*fn)(void *), void *arg);

/* Leaves the kernel for the program with the registers of the frame at the top of this thread's
 * kernel stack (entry/trap.S). */
__noreturn void cpu_return_to_program(void);

/* ---- FPU (fpu.c) ---- */

/* Bytes of an XSAVE area with every state this CPU enables (standard, uncompacted format). */
size_t cpu_fpu_size(void);
/* The XCR0 value in use; 0 if only FXSAVE exists. */
uint64_t cpu_fpu_features(void);
/* Writes the initial FPU state (as after exec) into an area. */
void cpu_fpu_init_area(void *area);
/* The running program's live registers to/from an area, for signal frames. */
void cpu_fpu_save(void *area);
/* The same into memory that is not an area yet, for a new thread. */
void cpu_fpu_save_new(void *memory);
/* Returns -EINVAL, having loaded nothing, if the area is not a valid state (it came from the
 * program). */
int cpu_fpu_restore(const void *area);

/* ---- segment bases ---- */

/* The running thread's program-side bases. */
void cpu_set_fs_base(uint64_t base);
uint64_t cpu_get_fs_base(void);
void cpu_set_gs_base(uint64_t base); /* the program's, not the kernel's per-CPU base */
uint64_t cpu_get_gs_base(void);
