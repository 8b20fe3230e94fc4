/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies that may fault. Words first, then the rest by bytes; when a word faults, the bytes of it
 * are tried one by one, so that the count of what was not copied is exact.
 */
	.macro EXTABLE from, to
	.pushsection .extable, "a"
	.quad	\from, \to
	.popsection
	.endm

	.text
/* size_t uaccess_copy(void *dst, const void *src, size_t n) */
	.globl uaccess_copy
	.type uaccess_copy, @function
uaccess_copy:
	movq	%rdx, %rcx
	shrq	$3, %rcx
	andl	$7, %edx
1:	rep movsq
	movl	%edx, %ecx
2:	rep movsb
3:	movq	%rcx, %rax
	ret
4:	leaq	(%rdx,%rcx,8), %rcx
5:	rep movsb
	jmp	3b
	EXTABLE 1b, 4b
	EXTABLE 2b, 3b
	EXTABLE 5b, 3b

/* size_t uaccess_clear(void *dst, size_t n) */
	.globl uaccess_clear
	.type uaccess_clear, @function
uaccess_clear:
	movq	%rsi, %rcx
	movq	%rsi, %rdx
	shrq	$3, %rcx
	andl	$7, %edx
	xorl	%eax, %eax
1:	rep stosq
	movl	%edx, %ecx
2:	rep stosb
3:	movq	%rcx, %rax
	ret
4:	leaq	(%rdx,%rcx,8), %rcx
5:	rep stosb
	jmp	3b
	EXTABLE 1b, 4b
	EXTABLE 2b, 3b
	EXTABLE 5b, 3b
