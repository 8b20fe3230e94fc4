/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every exception and interrupt. The CPU has pushed its frame on a landing pad (IST), because the
 * interrupted stack may be the program's with a live red zone. The frame is copied at once to the
 * thread's kernel stack: to its top when the program was interrupted, below the interrupted stack
 * pointer when the kernel was (it is built without a red zone). Then the pad is free again.
 * Interrupts are off until C code turns them on, and nothing here touches memory that may fault.
 *
 * Program or kernel is told by the sign of RIP, at any privilege level.
 */
#include "cpu/offsets.h"

	.text
	.macro STUB vector
	.align 8
trap_stub_\vector:
	.if (\vector != 8) && (\vector != 17) && (\vector != 21) && (\vector != 29) && (\vector != 30) && ((\vector < 10) || (\vector > 14))
	pushq	$0
	.endif
	.if \vector == 2 || \vector == 8 || \vector == 18
	pushq	$\vector
	jmp	trap_emergency
	.elseif \vector == 1
	pushq	$\vector
	jmp	trap_debug
	.else
	pushq	$\vector
	jmp	trap_common
	.endif
	.endm

	.altmacro
	.macro STUB_N n
	STUB \n
	.endm
	.set	i, 0
	.rept	256
	STUB_N	%i
	.set	i, i + 1
	.endr

	.section .rodata
	.align	8
	.globl trap_table
	.macro ENTRY_N n
	.quad	trap_stub_\n
	.endm
trap_table:
	.set	i, 0
	.rept	256
	ENTRY_N	%i
	.set	i, i + 1
	.endr
	.noaltmacro
	.text

/* Pad, from rsp: vector, error, rip, cs, rflags, rsp, ss. */
	.align	16
trap_common:
	pushq	%rax
	pushq	%rdx
	movq	%rsp, %rdx
	movq	32(%rdx), %rax		/* rip */
	testq	%rax, %rax
	js	trap_of_kernel
	swapgs
	movq	%gs:LOCAL_KSTACK_TOP, %rsp
trap_build_frame:
	pushq	64(%rdx)		/* ss */
	pushq	56(%rdx)		/* rsp */
	pushq	48(%rdx)		/* rflags */
	pushq	40(%rdx)		/* cs */
	pushq	32(%rdx)		/* rip */
	pushq	24(%rdx)		/* error */
	pushq	16(%rdx)		/* vector */
	pushq	$-1			/* orig_rax: no system call */
	pushq	%rdi
	pushq	%rsi
	pushq	(%rdx)			/* rdx */
	pushq	%rcx
	pushq	8(%rdx)			/* rax */
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbx
	xorl	%ebp, %ebp
	call	trap_handle
	movq	%rbx, %rsp
	/* fall through: interrupts are off */

/* rsp = a complete frame; interrupts off. */
	.globl trap_return
trap_return:
	cmpq	$0, 144(%rsp)		/* rip */
	js	1f
	swapgs
1:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$24, %rsp		/* orig_rax, vector, error */
	iretq

/* rdx = the pad. A kernel stack that is about to run into its guard page cannot take a frame. */
trap_of_kernel:
	movq	56(%rdx), %rax		/* the kernel's own stack pointer */
	andq	$-16, %rax
	movq	%gs:LOCAL_KSTACK_TOP, %rsp
	subq	%rax, %rsp		/* how deep: a number for now */
	cmpq	$15872, %rsp
	movq	%rax, %rsp
	jbe	trap_build_frame
	movq	%rdx, %rsp
	jmp	trap_stack_overflow

/*
 * A program that steps itself has jumped through a door: this is the kernel's first instruction,
 * still on the program's stack and GS. Go on without stepping, at the entry that gives TF back.
 */
trap_debug:
	cmpq	$call_entry, 16(%rsp)		/* rip */
	je	1f
	cmpq	$call_entry_short, 16(%rsp)
	jne	trap_common
1:	movq	$call_entry_stepped, 16(%rsp)
	andq	$~0x100, 32(%rsp)		/* rflags */
	addq	$16, %rsp			/* vector, error */
	iretq

/*
 * NMI, double fault, machine check: on a stack of their own, whose top word names the CPU, since
 * GS may be anything at this point. None of them returns.
 */
trap_emergency:
	pushq	$-1
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	184(%rsp), %rax		/* just above the frame: struct cpu_local */
	movq	%rax, %rdx
	shrq	$32, %rdx
	movl	$0xc0000101, %ecx	/* GS base */
	wrmsr
	cld
	movq	%rsp, %rdi
	call	trap_fatal
	ud2

trap_stack_overflow:
	/* Report from the double fault's stack: the pad is too small for the report. */
	movq	%rsp, %rsi
	call	trap_emergency_stack	/* returns its top in rax */
	movq	%rax, %rsp
	subq	$184, %rsp
	movq	%rsp, %rdi
	call	trap_report_overflow
	ud2

/* void cpu_return_to_program(void): the frame at the top of the kernel stack, through the exit work. */
	.globl cpu_return_to_program
cpu_return_to_program:
	cli
	movq	%gs:LOCAL_KSTACK_TOP, %rsp
	subq	$184, %rsp
	movq	%rsp, %rdi
	movq	%rsp, %rbx
	call	trap_exit_work
	movq	%rbx, %rsp
	jmp	trap_return
