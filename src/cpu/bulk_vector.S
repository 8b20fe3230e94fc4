/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole pages (cpu/bulk.h). Register 0 is put on the kernel stack and loaded back.
 *
 * AVX instructions clear what lies above the 256 bits they name, so with a program that uses
 * AVX-512 (XINUSE says so) they are not used: SSE instructions leave all above 128 bits alone. If
 * the program's upper halves are all zero they must stay in their initial state, not just be zero:
 * SSE code runs slower after a "dirty" one. vzeroupper brings that state back.
 */

#define XINUSE_AVX 4
#define XINUSE_ZMM 0x40
#define STEP	   1024

	.text
/* void cpu_clear_string(void *p, size_t n) */
	.globl cpu_clear_string
	.type cpu_clear_string, @function
cpu_clear_string:
	movq	%rsi, %rcx
	shrq	$3, %rcx
	xorl	%eax, %eax
	rep stosq
	ret

/* void cpu_copy_string(void *dst, const void *src, size_t n) */
	.globl cpu_copy_string
	.type cpu_copy_string, @function
cpu_copy_string:
	movq	%rdx, %rcx
	shrq	$3, %rcx
	rep movsq
	ret

/* rdi up to rsi */
	.macro CLEAR store, register, width
1:	.set	at, 0
	.rept	STEP / \width
	\store	\register, at(%rdi)
	.set	at, at + \width
	.endr
	addq	$STEP, %rdi
	cmpq	%rsi, %rdi
	jne	1b
	.endm

/* rsi to rdi, up to rdi = rdx */
	.macro COPY move, register, width
1:	.set	at, 0
	.rept	STEP / \width
	\move	at(%rsi), \register
	\move	\register, at(%rdi)
	.set	at, at + \width
	.endr
	addq	$STEP, %rsi
	addq	$STEP, %rdi
	cmpq	%rdx, %rdi
	jne	1b
	.endm

/* void cpu_clear_sse2(void *p, size_t n) */
	.globl cpu_clear_sse2
	.type cpu_clear_sse2, @function
cpu_clear_sse2:
	addq	%rdi, %rsi
clear_sse2:
	subq	$24, %rsp
	movups	%xmm0, (%rsp)
	xorps	%xmm0, %xmm0
	CLEAR	movaps, %xmm0, 16
	movups	(%rsp), %xmm0
	addq	$24, %rsp
	ret

/* void cpu_copy_sse2(void *dst, const void *src, size_t n) */
	.globl cpu_copy_sse2
	.type cpu_copy_sse2, @function
cpu_copy_sse2:
	addq	%rdi, %rdx
copy_sse2:
	subq	$24, %rsp
	movups	%xmm0, (%rsp)
	COPY	movaps, %xmm0, 16
	movups	(%rsp), %xmm0
	addq	$24, %rsp
	ret

/* void cpu_clear_avx(void *p, size_t n) */
	.globl cpu_clear_avx
	.type cpu_clear_avx, @function
cpu_clear_avx:
	addq	%rdi, %rsi
	movl	$1, %ecx
	xgetbv
	testb	$XINUSE_ZMM, %al
	jnz	clear_sse2
	subq	$40, %rsp
	vmovdqu	%ymm0, (%rsp)
	vpxor	%xmm0, %xmm0, %xmm0
	CLEAR	vmovdqa, %ymm0, 32
	jmp	restore

/* void cpu_copy_avx(void *dst, const void *src, size_t n) */
	.globl cpu_copy_avx
	.type cpu_copy_avx, @function
cpu_copy_avx:
	addq	%rdi, %rdx
	movq	%rdx, %r8
	movl	$1, %ecx
	xgetbv
	movq	%r8, %rdx
	testb	$XINUSE_ZMM, %al
	jnz	copy_sse2
	subq	$40, %rsp
	vmovdqu	%ymm0, (%rsp)
	COPY	vmovdqa, %ymm0, 32
restore:
	testb	$XINUSE_AVX, %al
	jz	1f
	vmovdqu	(%rsp), %ymm0
	addq	$40, %rsp
	ret
1:	vzeroupper
	movups	(%rsp), %xmm0
	addq	$40, %rsp
	ret

	.section .note.GNU-stack, "", @progbits /* host tests link this too */
