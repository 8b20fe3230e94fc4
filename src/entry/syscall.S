/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The syscall instruction. It pushes nothing, so the program's red zone is safe; interrupts are
 * off (FMASK) until the kernel stack is in place. At CPL 0 sysret cannot be used to return: the
 * flags are restored with interrupts off, and `sti; jmp` opens them only after the jump, because
 * the instruction after sti still runs without. So no interrupt sees the program's stack pointer
 * together with a kernel RIP, which is what entry/trap.S relies on.
 */
#include "cpu/offsets.h"

#define FRAME_RIP    144
#define FRAME_RFLAGS 160

	.text
	.globl syscall_entry
	.align	16
syscall_entry:
	swapgs
	movq	%rsp, %gs:LOCAL_SCRATCH
	movq	%gs:LOCAL_KSTACK_TOP, %rsp
	pushq	$SEL_KERNEL_DATA
	pushq	%gs:LOCAL_SCRATCH
	pushq	%r11
	pushq	$SEL_KERNEL_CODE
	pushq	%rcx
	pushq	$0
	pushq	$VECTOR_SYSCALL
	pushq	%rax
	sti
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	$-38			/* rax: -ENOSYS until there is a result */
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
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	call	syscall_dispatch
	cli
	movq	%gs:LOCAL_CURRENT, %rax
	testl	$EXIT_WORK_MASK, (%rax)
	jnz	slow_exit
	testl	$0x40100, FRAME_RFLAGS(%rsp)	/* AC or TF: popf below would act on the kernel */
	jnz	trap_return_from_syscall
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	addq	$8, %rsp		/* r11 holds the flags */
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	addq	$8, %rsp		/* rcx holds the return address */
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$24, %rsp		/* orig_rax, vector, error */
	popq	%rcx			/* rip */
	addq	$8, %rsp		/* cs */
	movq	(%rsp), %r11
	andq	$~0x200, (%rsp)
	popfq
	swapgs
	movq	(%rsp), %rsp
	sti
	jmp	*%rcx

slow_exit:
	movq	%rsp, %rdi
	call	trap_exit_work
trap_return_from_syscall:
	jmp	trap_return
