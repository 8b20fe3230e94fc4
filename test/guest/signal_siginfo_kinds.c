/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGFPE, SIGILL, SIGTRAP, SIGBUS and non-canonical SIGSEGV: code and address as Linux gives them.
 */
#include <ucontext.h>
#include "t.h"

static sigjmp_buf env;
static siginfo_t info;
static long trapno, rip;

static void handler(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	info = *si;
	trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
	rip = uc->uc_mcontext.gregs[REG_RIP];
	siglongjmp(env, 1);
}

#define RAISES(what, statement)                                                                    \
	do {                                                                                       \
		if (sigsetjmp(env, 1) == 0) {                                                      \
			statement;                                                                 \
			printf("%s: nothing\n", what);                                             \
		} else                                                                             \
			printf("%s: signal %d code %d trap %ld addr is rip %d, addr 0 %d\n", what, \
				info.si_signo, info.si_code, trapno, (long)info.si_addr == rip,    \
				info.si_addr == NULL);                                             \
	} while (0)

int main(void)
{
	for (int sig = 1; sig < 32; sig++)
		if (sig == SIGFPE || sig == SIGILL || sig == SIGTRAP || sig == SIGBUS ||
			sig == SIGSEGV)
			t_handle(sig, handler, 0);
	volatile int ten = 10, zero = 0, min = INT_MIN, minus = -1;
	volatile int sink;
	RAISES("divide by zero", sink = ten / zero);
	RAISES("divide overflow", sink = min / minus);
	(void)sink;
	RAISES("ud2", __asm__ volatile("ud2"));
	RAISES("int3", __asm__ volatile("int3"));
	RAISES("non-canonical read", *(volatile char *)0x8000000000000000);
	RAISES("non-canonical write", *(volatile char *)0x0800000000000000 = 1);
	/* x87; what SSE would raise QEMU's emulation does not */
	unsigned short control = 0x37f & ~4;
	RAISES("x87 divide by zero", __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait"
						      :
						      : "m"(control)));
	__asm__ volatile("fninit");
	/* trap flag: after one instruction */
	RAISES("single step", __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" ::
						       : "memory", "cc"));
	RAISES("misaligned movaps", __asm__ volatile("movaps (%0), %%xmm0"
						     :
						     : "r"((char *)&info + 1)
						     : "xmm0"));
	RAISES("raise", raise(SIGFPE));
	return 0;
}
