/* SPDX-License-Identifier: BSD-2-Clause */
/* Vector and x87 registers survive a signal handler that uses them all, and control words too. */
#include <xmmintrin.h>
#include "t.h"

static unsigned int in_mxcsr;
static unsigned short in_control;

static void handler(int sig)
{
	unsigned short control = 0x27f;
	__asm__ volatile("fnstcw %0" : "=m"(in_control));
	in_mxcsr = _mm_getcsr();
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm1; movdqa %%xmm0, %%xmm2;"
			 "movdqa %%xmm0, %%xmm7; movdqa %%xmm0, %%xmm8; movdqa %%xmm0, %%xmm15;"
			 "fninit; fldz; fldz; fldz; fldcw %0"
			 :
			 : "m"(control)
			 : "xmm0", "xmm1", "xmm2", "xmm7", "xmm8", "xmm15");
	_mm_setcsr(0x1f80 | 0x6000);
}

static unsigned char in[256] __attribute__((aligned(32))), out[256] __attribute__((aligned(32)));
static long pid, tid;

static void sse(void)
{
	for (int i = 0; i < 256; i++)
		in[i] = i * 7 + 3;
	memset(out, 0, sizeof(out));
	long r;
	__asm__ volatile("movdqa 0(%1), %%xmm0; movdqa 16(%1), %%xmm1; movdqa 32(%1), %%xmm2;"
			 "movdqa 48(%1), %%xmm7; movdqa 64(%1), %%xmm8; movdqa 80(%1), %%xmm15;"
			 "syscall;"
			 "movdqa %%xmm0, 0(%2); movdqa %%xmm1, 16(%2); movdqa %%xmm2, 32(%2);"
			 "movdqa %%xmm7, 48(%2); movdqa %%xmm8, 64(%2); movdqa %%xmm15, 80(%2)"
			 : "=a"(r)
			 : "r"(in), "r"(out), "0"(SYS_tgkill), "D"(pid), "S"(tid), "d"(SIGUSR1)
			 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm7", "xmm8", "xmm15");
	printf("xmm kept %d\n", memcmp(in, out, 96) == 0);
}

__attribute__((target("avx"))) static void avx(void)
{
	memset(out, 0, sizeof(out));
	long r;
	__asm__ volatile("vmovdqa 0(%1), %%ymm0; vmovdqa 32(%1), %%ymm7; vmovdqa 64(%1), %%ymm15;"
			 "syscall;"
			 "vmovdqa %%ymm0, 0(%2); vmovdqa %%ymm7, 32(%2); vmovdqa %%ymm15, 64(%2);"
			 "vzeroupper"
			 : "=a"(r)
			 : "r"(in), "r"(out), "0"(SYS_tgkill), "D"(pid), "S"(tid), "d"(SIGUSR1)
			 : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
	if (memcmp(in, out, 96) != 0)
		printf("ymm lost\n");
}

int main(void)
{
	pid = getpid(), tid = syscall(SYS_gettid);
	signal(SIGUSR1, handler);
	sse();
	if (__builtin_cpu_supports("avx"))
		avx();
	/* x87: two values on the stack, rounding control */
	unsigned short control = 0xf7f, now = 0;
	double a = 0, b = 0;
	_mm_setcsr(0x1f80 | 0x2000);
	__asm__ volatile("fninit; fldcw %0; fldpi; fld1" : : "m"(control));
	raise(SIGUSR1);
	__asm__ volatile("fstpl %0; fstpl %1; fnstcw %2; fninit" : "=m"(a), "=m"(b), "=m"(now));
	printf("x87 %.6f %.6f control %x mxcsr %x\n", a, b, now, _mm_getcsr() & ~0x3fu);
	/* a handler starts with a fresh state, Linux says */
	printf("in handler: control %x mxcsr %x\n", in_control, in_mxcsr & ~0x3fu);
	_mm_setcsr(0x1f80);
	return 0;
}
