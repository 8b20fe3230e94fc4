/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three doors of a system call.
 *
 * 1. The syscall instruction. It pushes nothing, so the program's red zone is safe; interrupts are
 * off (FMASK) until the kernel stack is in place. At CPL 0 sysret cannot be used to return: the
 * flags are restored with interrupts off, and `sti; jmp` opens them only after the jump, because
 * the instruction after sti still runs without. So no interrupt sees the program's stack pointer
 * together with a kernel RIP, which is what entry/trap.S relies on.
 *
 * 2. A function call (libskiff). Registers as the C ABI has them, so the handler is called with
 * what is in them; what is the callee's is neither saved nor kept, FPU included (cpu/fpu.h).
 *
 * It comes by `cli; jmp` from the lower half (gates.S), so the rule above holds for it too. With
 * the trap flag set the jump itself traps: trap.S goes on at call_entry_stepped.
 */
#include "cpu/offsets.h"

#define FRAME_R15    0
#define FRAME_R14    8
#define FRAME_R13    16
#define FRAME_R12    24
#define FRAME_RBP    32
#define FRAME_RBX    40
#define FRAME_R11    48
#define FRAME_R10    56
#define FRAME_R9     64
#define FRAME_R8     72
#define FRAME_RAX    80
#define FRAME_RCX    88
#define FRAME_RDX    96
#define FRAME_RSI    104
#define FRAME_RDI    112
#define FRAME_NR     120
#define FRAME_VECTOR 128
#define FRAME_ERROR  136
#define FRAME_RIP    144
#define FRAME_CS     152
#define FRAME_RFLAGS 160
#define FRAME_RSP    168
#define FRAME_SS     176
#define FRAME_SIZE   184

#define FLAG_TF 0x100
#define FLAG_IF 0x200

	.text
	.macro PUSH_FRAME
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
	.endm

	.globl syscall_entry
	.align	16
syscall_entry:
	swapgs
	decl	%gs:LOCAL_SAMPLE		/* of 61 calls one is looked at */
	js	syscall_sample
	PUSH_FRAME
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
syscall_run:
	call	syscall_dispatch
syscall_done:
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

syscall_sample:
	movl	$60, %gs:LOCAL_SAMPLE
	PUSH_FRAME
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	call	syscall_sampled
	jmp	syscall_done

/*
 * Calls the handler of doors 2 and 3; of 61 calls one is measured, for all of them (sched/cputime.h).
 * What takes the frame apart (call_full) is not: it would not come back here.
 */
	.macro CALL_HANDLER
	decl	%gs:LOCAL_CALL_SAMPLE
	js	8f
7:	call	*call_table(,%rax,8)
9:
	.subsection 1
8:	movl	$60, %gs:LOCAL_CALL_SAMPLE
	cmpq	$call_full, call_table(,%rax,8)
	je	7b
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%rax
	subq	$8, %rsp
	call	cputime_sample_begin
	addq	$8, %rsp
	popq	%rax
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	call	*call_table(,%rax,8)
	pushq	%rax
	subq	$8, %rsp
	call	cputime_sample_end
	addq	$8, %rsp
	popq	%rax
	jmp	9b
	.previous
	.endm

/*
 * Door 2: rax = number, rdi rsi rdx rcx r8 r9 = arguments, r11 = return address; just before that
 * the caller has a syscall instruction, which is where an interrupted call is repeated. A frame is
 * made of what only we know now; the rest of it when somebody needs it. This entry keeps the
 * arguments for the repetition, call_entry_short is for calls that are never repeated.
 */
#define SAVED(field) FRAME_##field - FRAME_SIZE(%r10)	/* r10 = top of the kernel stack */
#define CALL_FRAME   8					/* rsp keeps its alignment: frame - 8 */

	.globl call_entry, call_entry_short, call_entry_stepped, call_full
	.align	16
call_entry:
	swapgs
	movq	%gs:LOCAL_KSTACK_TOP, %r10
	movq	%rsp, SAVED(RSP)
	movq	%r11, SAVED(RIP)
	movq	$VECTOR_CALL, SAVED(VECTOR)
	leaq	-FRAME_SIZE - CALL_FRAME(%r10), %rsp
	sti
	movq	%rdi, SAVED(RDI)
	movq	%rsi, SAVED(RSI)
	movq	%rdx, SAVED(RDX)
	movq	%rcx, SAVED(R10)		/* where syscall has its fourth argument */
	movq	%r8, SAVED(R8)
	movq	%r9, SAVED(R9)
	movq	%rax, SAVED(NR)
	andl	$511, %eax
	CALL_HANDLER
	cli
	movq	%gs:LOCAL_CURRENT, %rcx
	testl	$EXIT_WORK_MASK, (%rcx)
	jnz	call_slow_exit
	movq	FRAME_RIP + CALL_FRAME(%rsp), %r11
	movq	FRAME_RSP + CALL_FRAME(%rsp), %rsp
	swapgs
	sti
	jmp	*%r11

	.align	16
call_entry_short:
	swapgs
	movq	%gs:LOCAL_KSTACK_TOP, %r10
	movq	%rsp, SAVED(RSP)
	movq	%r11, SAVED(RIP)
	movq	$VECTOR_CALL, SAVED(VECTOR)
	leaq	-FRAME_SIZE - CALL_FRAME(%r10), %rsp
	sti
	andl	$511, %eax
	CALL_HANDLER
	cli
	movq	%gs:LOCAL_CURRENT, %rcx
	testl	$EXIT_WORK_MASK, (%rcx)
	jnz	call_slow_exit_short
	movq	FRAME_RIP + CALL_FRAME(%rsp), %r11
	movq	FRAME_RSP + CALL_FRAME(%rsp), %rsp
	swapgs
	sti
	jmp	*%r11

/* The frame is completed: it looks as if the program had made the call by syscall. */
call_slow_exit_short:
	addq	$CALL_FRAME, %rsp
	movq	$-1, FRAME_NR(%rsp)		/* nothing to repeat */
	leaq	516(%rax), %rcx
	cmpq	$4, %rcx			/* -ERESTART...: this call's caller cannot */
	ja	1f
	movq	$-4, %rax			/* -EINTR */
1:	xorl	%ecx, %ecx
	movq	%rcx, FRAME_RDI(%rsp)
	movq	%rcx, FRAME_RSI(%rsp)
	movq	%rcx, FRAME_RDX(%rsp)
	movq	%rcx, FRAME_R10(%rsp)
	movq	%rcx, FRAME_R8(%rsp)
	movq	%rcx, FRAME_R9(%rsp)
	jmp	1f
call_slow_exit:
	addq	$CALL_FRAME, %rsp
1:	movq	%rax, FRAME_RAX(%rsp)
	movq	%rbx, FRAME_RBX(%rsp)
	movq	%rbp, FRAME_RBP(%rsp)
	movq	%r12, FRAME_R12(%rsp)
	movq	%r13, FRAME_R13(%rsp)
	movq	%r14, FRAME_R14(%rsp)
	movq	%r15, FRAME_R15(%rsp)
	movq	$0, FRAME_ERROR(%rsp)
	movq	$SEL_KERNEL_CODE, FRAME_CS(%rsp)
	movq	$SEL_KERNEL_DATA, FRAME_SS(%rsp)
	movq	FRAME_RIP(%rsp), %rcx
	movq	%rcx, FRAME_RCX(%rsp)
	movq	$0x2 | FLAG_IF, FRAME_RFLAGS(%rsp)	/* flags are the callee's as well */
	movq	$0x2 | FLAG_IF, FRAME_R11(%rsp)
	pushq	$2
	popfq					/* iretq wants NT clear */
	jmp	slow_exit

/* In call_table, for calls that need a whole frame: as call_entry left it, then as syscall. */
call_full:
	addq	$8 + CALL_FRAME, %rsp
	xorl	%r10d, %r10d
1:	movq	%rax, FRAME_NR(%rsp)
	movq	$-38, FRAME_RAX(%rsp)
	movq	%rdi, FRAME_RDI(%rsp)
	movq	%rsi, FRAME_RSI(%rsp)
	movq	%rdx, FRAME_RDX(%rsp)
	movq	%rcx, FRAME_R10(%rsp)
	movq	%r8, FRAME_R8(%rsp)
	movq	%r9, FRAME_R9(%rsp)
	movq	%rbx, FRAME_RBX(%rsp)
	movq	%rbp, FRAME_RBP(%rsp)
	movq	%r12, FRAME_R12(%rsp)
	movq	%r13, FRAME_R13(%rsp)
	movq	%r14, FRAME_R14(%rsp)
	movq	%r15, FRAME_R15(%rsp)
	movq	FRAME_RIP(%rsp), %rcx
	movq	%rcx, FRAME_RCX(%rsp)
	orq	$0x2 | FLAG_IF, %r10
	movq	%r10, FRAME_RFLAGS(%rsp)
	movq	%r10, FRAME_R11(%rsp)
	movq	$VECTOR_SYSCALL, FRAME_VECTOR(%rsp)
	movq	$0, FRAME_ERROR(%rsp)
	movq	$SEL_KERNEL_CODE, FRAME_CS(%rsp)
	movq	$SEL_KERNEL_DATA, FRAME_SS(%rsp)
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	jmp	syscall_run

call_entry_stepped:
	swapgs
	movq	%gs:LOCAL_KSTACK_TOP, %r10
	movq	%rsp, SAVED(RSP)
	movq	%r11, SAVED(RIP)
	leaq	-FRAME_SIZE(%r10), %rsp
	sti
	movl	$FLAG_TF, %r10d
	jmp	1b

/*
 * Door 3, a patched call site: from its stub (vm/patch.c) with interrupts off, rax = number, rcx =
 * return address, arguments as for syscall. What syscall keeps is kept: all registers but rax, rcx
 * and r11, the flags, vector registers (so the frame says VECTOR_SYSCALL). Only calls that take
 * their arguments from registers and leave the frame alone come here.
 */
#define ODD_FLAGS 0x44500	/* AC, NT, DF, TF: nothing that C code should run with */
#define AT(field) FRAME_##field + CALL_FRAME(%rsp)
	.globl patch_entry
	.align	16
patch_entry:
	swapgs
	movq	%gs:LOCAL_KSTACK_TOP, %r11
	movq	%rsp, FRAME_RSP - FRAME_SIZE(%r11)
	leaq	-FRAME_SIZE - CALL_FRAME(%r11), %rsp
	pushfq					/* IF is off, else as the program has them */
	popq	AT(RFLAGS)
	movq	%rcx, AT(RIP)
	movq	$VECTOR_SYSCALL, AT(VECTOR)
	testl	$ODD_FLAGS, AT(RFLAGS)
	jnz	patch_odd_flags
	sti
	movq	%rdi, AT(RDI)
	movq	%rsi, AT(RSI)
	movq	%rdx, AT(RDX)
	movq	%r10, AT(R10)
	movq	%r8, AT(R8)
	movq	%r9, AT(R9)
	movq	%rax, AT(NR)
	movq	%r10, %rcx
	CALL_HANDLER
	cli
	movq	%gs:LOCAL_CURRENT, %rcx
	testl	$EXIT_WORK_MASK, (%rcx)
	jnz	patch_slow_exit
	movq	AT(RDI), %rdi
	movq	AT(RSI), %rsi
	movq	AT(RDX), %rdx
	movq	AT(R10), %r10
	movq	AT(R8), %r8
	movq	AT(R9), %r9
	movq	AT(RIP), %rcx
	pushq	AT(RFLAGS)
	popfq
	movq	AT(RFLAGS), %r11
	leaq	FLAG_IF(%r11), %r11		/* as the program sees them, touching none */
	movq	AT(RSP), %rsp
	swapgs
	sti
	jmp	*%rcx

patch_slow_exit:
	addq	$CALL_FRAME, %rsp
	call	patch_fill_frame
	movq	%rax, FRAME_RAX(%rsp)
	jmp	slow_exit

/* A whole frame, and the way of the syscall instruction. Interrupts are off. */
patch_odd_flags:
	pushq	$2
	popfq
	addq	$CALL_FRAME, %rsp
	movq	%rdi, FRAME_RDI(%rsp)
	movq	%rsi, FRAME_RSI(%rsp)
	movq	%rdx, FRAME_RDX(%rsp)
	movq	%r10, FRAME_R10(%rsp)
	movq	%r8, FRAME_R8(%rsp)
	movq	%r9, FRAME_R9(%rsp)
	movq	%rax, FRAME_NR(%rsp)
	movq	$-38, FRAME_RAX(%rsp)
	call	patch_fill_frame
	sti
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	jmp	syscall_run

/* The rest of the frame above the return address; clobbers rcx. */
patch_fill_frame:
	movq	%rbx, 8 + FRAME_RBX(%rsp)
	movq	%rbp, 8 + FRAME_RBP(%rsp)
	movq	%r12, 8 + FRAME_R12(%rsp)
	movq	%r13, 8 + FRAME_R13(%rsp)
	movq	%r14, 8 + FRAME_R14(%rsp)
	movq	%r15, 8 + FRAME_R15(%rsp)
	movq	8 + FRAME_RIP(%rsp), %rcx
	movq	%rcx, 8 + FRAME_RCX(%rsp)
	orq	$FLAG_IF, 8 + FRAME_RFLAGS(%rsp)
	movq	8 + FRAME_RFLAGS(%rsp), %rcx
	movq	%rcx, 8 + FRAME_R11(%rsp)
	movq	$0, 8 + FRAME_ERROR(%rsp)
	movq	$SEL_KERNEL_CODE, 8 + FRAME_CS(%rsp)
	movq	$SEL_KERNEL_DATA, 8 + FRAME_SS(%rsp)
	ret
