/* SPDX-License-Identifier: BSD-2-Clause */
/* The vDSO as a page-aligned piece of the kernel's image; the Makefile builds the file. */
	.section .rodata
	.balign	4096
	.globl	vdso_image_start
vdso_image_start:
	.incbin	VDSO_FILE
	.globl	vdso_image_end
vdso_image_end:
	.balign	4096
