/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a thread that entered the kernel, at the top of its kernel stack when it came
 * from the program. The order is what entry/trap.S and entry/syscall.S push.
 */
#pragma once

#include "lib/types.h"

struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax; /* system call number, or -1 when a trap or interrupt brought us here */
	uint64_t vector;
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 23 * 8, "entry code pushes 23 words");

/* The kernel lives in the upper half, so the sign of RIP tells program from kernel at any ring. */
static inline bool trap_from_program(const struct trap_frame *f)
{
	return (int64_t)f->rip >= 0;
}
