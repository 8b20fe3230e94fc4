/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/offsets.h"

	.text
/* void cpu_switch_stacks(struct cpu_context *from, struct cpu_context *to) */
	.globl cpu_switch_stacks
	.type cpu_switch_stacks, @function
cpu_switch_stacks:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, CONTEXT_RSP(%rdi)
	movq	CONTEXT_RSP(%rsi), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

/* First instruction of a new context: rbx(r12), with a frame chain that ends here. */
	.globl cpu_context_start
	.type cpu_context_start, @function
cpu_context_start:
	movq	%r12, %rdi
	xorl	%ebp, %ebp
	callq	*%rbx
	ud2
