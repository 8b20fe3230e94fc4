/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first instructions. Two ways in:
 *   pvh_entry    32-bit protected mode, paging off, EBX = struct pvh_start_info (QEMU -kernel,
 *                Cloud Hypervisor, newer Firecracker)
 *   linux_entry  64-bit mode, RSI = struct boot_params, low memory mapped one to one (the 64-bit
 *                Linux boot protocol; the ELF entry point, as Firecracker uses it)
 * Both end in start_kernel(protocol, info) on the boot stack, with page tables of our own: the
 * first 4 GiB one to one and at PHYSMAP_BASE, the first GiB at KERNEL_BASE. The tables are in the
 * image's bss, never in the first MiB, parts of which some firmware write-protects.
 */
#include "cpu/offsets.h"

#define PHYS(x) ((x) - 0xffffffff80000000)
#define STACK_SIZE 16384

	.section .note.pvh, "a", @note
	.align	4
	.long	4, 8, 18	/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	PHYS(pvh_entry)

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cld
	movl	$PHYS(boot_stack_top), %esp
	movl	%ebx, %esi
	/* QEMU zeroes bss as part of the segment; a loader that does not would break the tables. */
	movl	$PHYS(__bss_start), %edi
	movl	$PHYS(__bss_end), %ecx
	subl	%edi, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl
	call	fill_tables32
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$PHYS(boot_pml4), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER */
	rdmsr
	orl	$0x900, %eax		/* LME, NXE */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80010001, %eax	/* PG, WP, PE */
	movl	%eax, %cr0
	lgdt	PHYS(boot_gdtr)
	ljmp	$SEL_KERNEL_CODE, $PHYS(pvh_long)

/* Fills the page tables; clobbers eax, ecx, edx, edi. */
fill_tables32:
	movl	$PHYS(boot_pdpt) + 3, %eax
	movl	%eax, PHYS(boot_pml4)			/* one to one */
	movl	%eax, PHYS(boot_pml4) + 256 * 8		/* PHYSMAP */
	movl	$PHYS(boot_pdpt_kernel) + 3, PHYS(boot_pml4) + 511 * 8
	movl	$PHYS(boot_pd) + 3, %eax
	movl	%eax, PHYS(boot_pdpt_kernel) + 510 * 8
	movl	$PHYS(boot_pdpt), %edi
	movl	$4, %ecx
1:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	1b
	movl	$PHYS(boot_pd), %edi
	movl	$0x83, %eax				/* present, writable, 2 MiB */
	movl	$2048, %ecx
2:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	2b
	ret

	.code64
pvh_long:
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%esi, %esi
	xorl	%edi, %edi		/* protocol 0: PVH */
	movabsq	$enter_kernel, %rax
	jmp	*%rax

	.globl linux_entry
linux_entry:
	cli
	cld
	movq	%rsi, %r8
	/* We run one to one here. Clear bss, then fill the same tables with 64-bit code. */
	leaq	__bss_start(%rip), %rdi
	leaq	__bss_end(%rip), %rcx
	subq	%rdi, %rcx
	shrq	$3, %rcx
	xorl	%eax, %eax
	rep stosq
	leaq	boot_pdpt(%rip), %rax
	leaq	3(%rax), %rdx
	leaq	boot_pml4(%rip), %rdi
	movq	%rdx, (%rdi)
	movq	%rdx, 256 * 8(%rdi)
	leaq	boot_pdpt_kernel(%rip), %rdx
	leaq	3(%rdx), %rcx
	movq	%rcx, 511 * 8(%rdi)
	leaq	boot_pd(%rip), %rsi
	leaq	3(%rsi), %rcx
	movq	%rcx, 510 * 8(%rdx)
	movl	$4, %r9d
1:	movq	%rcx, (%rax)
	addq	$4096, %rcx
	addq	$8, %rax
	decl	%r9d
	jnz	1b
	movl	$0x83, %eax
	movl	$2048, %r9d
2:	movq	%rax, (%rsi)
	addq	$0x200000, %rax
	addq	$8, %rsi
	decl	%r9d
	jnz	2b
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x900, %eax
	wrmsr
	movq	%rdi, %cr3
	leaq	boot_gdtr64(%rip), %rax
	movabsq	$boot_gdt, %rdx
	movq	%rdx, 2(%rax)
	lgdt	(%rax)
	movq	%r8, %rsi
	movl	$1, %edi		/* protocol 1: Linux */
	movabsq	$enter_kernel, %rax
	jmp	*%rax

	.text
/* Now at the linked address; edi = protocol, rsi = info (physical). */
enter_kernel:
	movq	$boot_stack_top, %rsp
	xorl	%ebp, %ebp
	pushq	$0
	pushq	$0
	call	start_kernel
	ud2

/*
 * Another CPU, copied to page 0x8 of low memory: real mode to long mode with the boot tables, then
 * a number of its own in order of arrival.
 */
	.section .rodata
	.globl ap_trampoline, ap_trampoline_end
#define LOW(x) ((x) - ap_trampoline + 0x8000)
	.code16
ap_trampoline:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	LOW(ap_gdtr)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$0x18, $LOW(ap_protected)
	.code32
ap_protected:
	movl	$SEL_KERNEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %ss
	movl	%cr4, %eax
	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	$PHYS(boot_pml4), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x900, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$0x9fffffff, %eax	/* caches on: CD and NW are set after INIT */
	orl	$0x80010001, %eax
	movl	%eax, %cr0
	ljmp	$SEL_KERNEL_CODE, $LOW(ap_long)
	.code64
ap_long:
	movabsq	$ap_enter, %rax
	jmp	*%rax
	.align	8
ap_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_KERNEL_CODE */
	.quad	0x00cf93000000ffff	/* SEL_KERNEL_DATA */
	.quad	0x00cf9b000000ffff	/* 32-bit code */
ap_gdtr:
	.word	31
	.long	LOW(ap_gdt)
ap_trampoline_end:

	.text
ap_enter:
	movl	$1, %edi
	lock xaddl %edi, ap_arrived(%rip)
	incl	%edi			/* the boot CPU is 0 */
	movq	kernel_pagetable(%rip), %rax	/* the stacks are mapped there only */
	movq	%rax, %cr3
	movq	ap_stack_tops(,%rdi,8), %rsp
	xorl	%ebp, %ebp
	pushq	$0
	pushq	$0
	call	smp_enter
	ud2

	.data
	.align	8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
boot_gdtr:
	.word	23
	.long	PHYS(boot_gdt)
	.align	8
	.word	0, 0, 0
boot_gdtr64:
	.word	23
	.quad	0
	.globl ap_arrived
	.align	4
ap_arrived:
	.long	0

	.section .bss.page_aligned, "aw", @nobits
	.align	4096
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pdpt_kernel:
	.skip	4096
boot_pd:
	.skip	4 * 4096
	.globl boot_stack, boot_stack_top
boot_stack:
	.skip	STACK_SIZE
boot_stack_top:
