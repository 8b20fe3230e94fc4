/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page through which programs call the kernel (include/skiff.h), mapped behind the vDSO. Code
 * in the lower half turns interrupts off before it enters the upper one: entry/trap.S takes a
 * kernel RIP for a kernel stack. If the jump faults, interrupts off in the program's frame tell,
 * and process_leave_door goes on by the syscall instruction instead.
 */
	.section .rodata
	.balign	4096
	.globl	gates_page
gates_page:				/* struct skiff_doors */
	.long	1			/* version */
	.long	16			/* its size */
	.long	call_gate - gates_page
	.long	call_gate_short - gates_page
	.balign	32
call_gate:
	cli
	jmp	*1f(%rip)
	.balign	16
call_gate_short:
	cli
	jmp	*2f(%rip)
	.balign	8
1:	.quad	call_entry
2:	.quad	call_entry_short
	.balign	4096
