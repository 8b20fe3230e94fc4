/* SPDX-License-Identifier: BSD-2-Clause */
/* The PVH entry (32-bit protected mode, no paging, flat segments); what an interrupt does. */

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define APIC_EOI		 0xfee000b0

	.section .note.pvh, "a", @note
	.align	4
	.long	4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	pvh_entry

	.text
	.globl	pvh_entry
pvh_entry:
	cld
	lgdt	gdtr			/* an interrupt loads its code segment from a table */
	ljmp	$8, $1f
1:	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$stack_top, %esp
	call	floor

	/* The card's: it ends the halt, and that is what it is for. */
	.globl	card_interrupt
card_interrupt:
	movl	$0, APIC_EOI
	.globl	spurious_interrupt
spurious_interrupt:
	iret

	.section .rodata
	.align	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 8: code, 4 GiB */
	.quad	0x00cf93000000ffff	/* 16: data, 4 GiB */
gdtr:
	.word	23
	.long	gdt

	.bss
	.align	16
	.skip	4096
stack_top:

	.section .note.GNU-stack, "", @progbits
