/* SPDX-License-Identifier: BSD-2-Clause */
/* A handler may change registers, flags, mask and the instruction pointer of what it interrupted.
 */
#include <ucontext.h>
#include "t.h"

static void on_ill(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;
	r[REG_RIP] += 2; /* over ud2 */
	r[REG_RAX] = r[REG_RBX] + r[REG_R15];
	r[REG_RBX] = 0xb;
	r[REG_RCX] = 0xc;
	r[REG_RDX] = 0xd;
	r[REG_RSI] = 0x51;
	r[REG_RDI] = 0xd1;
	r[REG_R8] = 8;
	r[REG_R9] = 9;
	r[REG_R10] = 10;
	r[REG_R11] = 11;
	r[REG_R12] = 12;
	r[REG_R13] = 13;
	r[REG_R14] = 14;
	r[REG_R15] = 15;
	r[REG_EFL] |= 1; /* carry */
	sigaddset(&uc->uc_sigmask, SIGUSR2);
	/* the vector registers lie in the frame, too */
	struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
	fp->_xmm[3].element[0] = 0x33333333;
}

static sigset_t *old_mask;
static void on_usr1(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	old_mask = &uc->uc_sigmask;
	printf("in handler: usr1 blocked before %d\n", sigismember(old_mask, SIGUSR1));
	sigset_t now;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	printf("usr1 blocked now %d, usr2 %d\n", sigismember(&now, SIGUSR1),
		sigismember(&now, SIGUSR2));
}

int main(void)
{
	unsigned long regs[14], flags;
	unsigned int xmm3 = 1;
	sigset_t mask;
	t_handle(SIGILL, on_ill, 0);
	t_handle(SIGUSR1, on_usr1, 0);
	__asm__ volatile("pushq %%rbp\n\t"
			 "mov %0, %%rbp\n\t"
			 "mov $100, %%rbx\n\t"
			 "mov $23, %%r15\n\t"
			 "clc\n\t"
			 "ud2\n\t"
			 "mov %%rax, 0(%%rbp)\n\t"
			 "mov %%rbx, 8(%%rbp)\n\t"
			 "mov %%rcx, 16(%%rbp)\n\t"
			 "mov %%rdx, 24(%%rbp)\n\t"
			 "mov %%rsi, 32(%%rbp)\n\t"
			 "mov %%rdi, 40(%%rbp)\n\t"
			 "mov %%r8, 48(%%rbp)\n\t"
			 "mov %%r9, 56(%%rbp)\n\t"
			 "mov %%r10, 64(%%rbp)\n\t"
			 "mov %%r11, 72(%%rbp)\n\t"
			 "mov %%r12, 80(%%rbp)\n\t"
			 "mov %%r13, 88(%%rbp)\n\t"
			 "mov %%r14, 96(%%rbp)\n\t"
			 "mov %%r15, 104(%%rbp)\n\t"
			 "popq %%rbp"
			 :
			 : "r"(regs)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
			 "r12", "r13", "r14", "r15", "memory", "cc");
	for (int i = 0; i < 14; i++)
		printf("%lx ", regs[i]);
	putchar('\n');
	__asm__ volatile("xor %%r15d, %%r15d; clc; ud2; lahf; movd %%xmm3, %1; mov %%rax, %0"
			 : "=m"(flags), "=m"(xmm3)
			 :
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
			 "r12", "r13", "r14", "r15", "xmm3", "cc");
	printf("carry %lu, xmm3 %x\n", flags >> 8 & 1, xmm3);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	printf("usr2 blocked after %d, usr1 %d\n", sigismember(&mask, SIGUSR2),
		sigismember(&mask, SIGUSR1));
	raise(SIGUSR1);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	printf("usr2 blocked after %d, usr1 %d\n", sigismember(&mask, SIGUSR2),
		sigismember(&mask, SIGUSR1));
	return 0;
}
