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

/*
 * ---- Which pages were written ----
 *
 * By the hardware's dirty bits. A system call with a number outside of Linux's range; it returns
 * -errno in the kernel's way, -ENOSYS (-38) on Linux.
 *
 * Sets bit i of 'bits' (bit i % 64 of word i / 64; the rest of the last word is zero) if page i of
 * [start, start + len) has been written since the last clearing call that reported it, or since it
 * came to be. Returns how many, or -EINVAL (start is not page aligned, unknown flags, more than
 * 64 GiB), -EFAULT, -ENOMEM (nothing was cleared then). bits may be NULL.
 *
 * Writes cost nothing extra: there is no write fault. Threads may write meanwhile and several may
 * scan: each write is seen, by whoever reads the page after a clearing call that reports it, or by
 * a later call's report. Where memory is in 2 MiB pages all 512 pages of one are reported together;
 * madvise(MADV_NOHUGEPAGE) before the first touch gives 4 KiB ones. bench/gc is a sample: a
 * collector that finds its old-to-young pointers by this, and by cards.
 */
#define SKIFF_SYSCALL_FIRST  100000
#define SKIFF_SYS_DIRTY_SCAN 100000

#define SKIFF_DIRTY_CLEAR 1 /* found pages count as not written from now on */

#ifndef SKIFF_KERNEL
static inline long skiff_dirty_scan(
	void *start, unsigned long len, uint64_t *bits, unsigned long flags)
{
	register unsigned long r10 __asm__("r10") = flags;
	long result;

	__asm__ volatile(
		"syscall"
		: "=a"(result)
		: "a"((long)SKIFF_SYS_DIRTY_SCAN), "D"(start), "S"(len), "d"(bits), "r"(r10)
		: "rcx", "r11", "memory");
	return result;
}
#endif

#endif
