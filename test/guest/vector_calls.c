/* SPDX-License-Identifier: BSD-2-Clause */
/* Vector registers, upper halves included, survive a blocking and a yielding syscall instruction
 * while other threads use the same registers; control words survive them too. */
#include <sched.h>
#include <xmmintrin.h>
#include "t.h"

static long raw(long nr, void *in, void *out, long a, long b)
{
	long r;
	__asm__ volatile("movdqu 0(%1), %%xmm0; movdqu 16(%1), %%xmm6; movdqu 32(%1), %%xmm15;"
			 "syscall;"
			 "movdqu %%xmm0, 0(%2); movdqu %%xmm6, 16(%2); movdqu %%xmm15, 32(%2)"
			 : "=a"(r)
			 : "r"(in), "r"(out), "0"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory", "xmm0", "xmm6", "xmm15");
	return r;
}

__attribute__((target("avx"))) static long raw_avx(long nr, void *in, void *out, long a, long b)
{
	long r;
	__asm__ volatile("vmovdqu 0(%1), %%ymm0; vmovdqu 32(%1), %%ymm6; vmovdqu 64(%1), %%ymm15;"
			 "syscall;"
			 "vmovdqu %%ymm0, 0(%2); vmovdqu %%ymm6, 32(%2); vmovdqu %%ymm15, 64(%2);"
			 "vzeroupper"
			 : "=a"(r)
			 : "r"(in), "r"(out), "0"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory", "xmm0", "xmm6", "xmm15");
	return r;
}

static void *thread(void *arg)
{
	unsigned char in[96], out[96];
	long me = (long)arg, bad = 0, wide = __builtin_cpu_supports("avx");
	struct timespec nap = { 0, 100000 };
	memset(in, (int)me * 17 + 1, sizeof(in));
	_mm_setcsr(0x1f80 | me % 4 << 13); /* a rounding mode of its own */
	for (int i = 0; i < 100; i++) {
		long nr = i % 2 ? SYS_sched_yield : SYS_nanosleep;
		memset(out, 0, sizeof(out));
		if (wide)
			bad += raw_avx(nr, in, out, (long)&nap, 0) != 0 || memcmp(in, out, 96) != 0;
		else
			bad += raw(nr, in, out, (long)&nap, 0) != 0 || memcmp(in, out, 48) != 0;
		bad += raw(nr, in, out, (long)&nap, 0) != 0 || memcmp(in, out, 48) != 0;
		sched_yield(); /* a function: it may enter the kernel in another way */
		bad += (_mm_getcsr() & 0x6000) != (unsigned)(me % 4 << 13);
	}
	return (void *)bad;
}

int main(void)
{
	pthread_t id[8];
	for (long i = 0; i < 8; i++)
		id[i] = t_thread(thread, (void *)i);
	for (int i = 0; i < 8; i++) {
		void *bad;
		pthread_join(id[i], &bad);
		printf("thread %d: bad %ld\n", i, (long)bad);
	}
	return 0;
}
