/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loader that QEMU starts through PVH and that starts the kernel (included below) as Firecracker
 * does: long mode, low memory mapped one to one, RSI = boot_params, jump to the ELF entry point.
 */
	.section .note, "a", @note
	.align 4
	.long 4, 4, 18
	.asciz "Xen"
	.long start32

	.section .text
	.code32
	.globl start32
start32:
	cld
	mov $stack_end, %esp
	mov %ebx, %esi
	/* four gigabytes one to one, in 2 MiB pages */
	mov $tables + 0x2000, %edi
	mov $0x83, %eax
	mov $2048, %ecx
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b
	movl $tables + 0x1003, tables
	movl $tables + 0x2003, tables + 0x1000
	movl $tables + 0x3003, tables + 0x1008
	movl $tables + 0x4003, tables + 0x1010
	movl $tables + 0x5003, tables + 0x1018
	mov $tables, %eax
	mov %eax, %cr3
	mov %cr4, %eax
	or $0x20, %eax
	mov %eax, %cr4
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000001, %eax
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $0x10, $start64

	.code64
start64:
	mov $0x18, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %esi, %edi
	call load
	/* RAX = entry point */
	mov $zero_page, %esi
	xor %ebp, %ebp
	xor %ebx, %ebx
	xor %edi, %edi
	cli
	jmp *%rax

	.section .rodata
	.align 16
gdt:	.quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word 31
	.long gdt
	.globl kernel_image
	.align 4096
kernel_image:
	.incbin "build/skiff.elf"

	.section .bss
	.align 4096
tables:	.skip 0x6000
stack:	.skip 0x4000
stack_end:
	.globl zero_page
zero_page:
	.skip 4096
