/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces of Skiff that Linux does not have, for programs. Each section stands alone, and a
 * program finds out at run time whether it is there: the same binary runs on Linux.
 */
#ifndef SKIFF_H
#define SKIFF_H

#ifdef SKIFF_KERNEL
#include "lib/types.h"
#else
#include <stdint.h>
#endif

/*
 * ---- Direct calls ----
 *
 * A system call as a function call. getauxval(AT_SKIFF) is the address of a struct skiff_doors, or
 * 0 where there are no doors (Linux; the program in ring 3). version grows when something is
 * added, never when something changes. Registers at a door, by its address (struct + offset):
 *
 *	rax		the call's Linux number
 *	rdi rsi rdx rcx r8 r9	its arguments: those of a C function, not of syscall
 *	r11		where to return to; the two bytes before it are a syscall instruction
 *
 * The door is jumped to. It uses nothing of the stack, nor below it. It returns with the result,
 * or -errno, in rax. Everything else is as after a C function: rbx, rbp, r12 to r15, rsp, MXCSR
 * and the x87 control word are kept, all other registers are not, vector registers included.
 *
 * An interrupted call is repeated by that syscall instruction, and a signal handler sees the
 * thread there, as if the call had been made by it. 'call_short' is a little faster and for calls
 * that signals cannot interrupt (getpid(2) and the like): others would give EINTR.
 */
#define AT_SKIFF 0x534b4946

struct skiff_doors {
	uint32_t version; /* 1 */
	uint32_t size;	  /* of what the kernel filled */
	uint32_t call, call_short;
};

#endif
