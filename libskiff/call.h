/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How libskiff's functions call the kernel: by the doors of skiff.h, or, where there are none
 * (Linux, ring 3), by the syscall instruction. Nothing is pushed, so unwinders need to know
 * nothing.
 */
#ifndef LIBSKIFF_CALL_H
#define LIBSKIFF_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#define HIDDEN __attribute__((visibility("hidden")))
#define EXPORT __attribute__((visibility("default")))

/* Where to jump: a door, or skiff_no_door, which goes on at the caller's syscall instruction. */
extern HIDDEN uintptr_t skiff_call, skiff_call_short;
/* -errno to -1 and errno. */
HIDDEN long skiff_error(long result);

/*
 * A call during which the thread can be cancelled, and its result as from a libc function. As
 * glibc before 2.41 does it: what waits is cancelled asynchronously while it is in the kernel.
 */
HIDDEN long skiff_cancellable3(long a, long b, long c, long nr);
HIDDEN long skiff_cancellable5(long a, long b, long c, long d, long e, long nr);
HIDDEN long skiff_cancellable6(long a, long b, long c, long d, long e, long f, long nr);

/* The C ABI lets a call destroy all of these. */
#define SKIFF_CLOBBERS                                                                             \
	"r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",      \
		"xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define SKIFF_JUMP "lea 1f(%%rip), %%r11\n\tjmp *%7\n\tsyscall\n1:"

/* The kernel reads no register that the call has no argument for. */
static inline long call0(long nr, const uintptr_t *door)
{
	long rdi, rsi, rdx, rcx;
	register long r8 __asm__("r8"), r9 __asm__("r9");

	__asm__ volatile(SKIFF_JUMP
			 : "+a"(nr), "=D"(rdi), "=S"(rsi), "=d"(rdx), "=c"(rcx), "=r"(r8), "=r"(r9)
			 : "m"(*door)
			 : SKIFF_CLOBBERS);
	return nr;
}

static inline long call3(long nr, long a, long b, long c)
{
	long rcx;
	register long r8 __asm__("r8"), r9 __asm__("r9");

	__asm__ volatile(SKIFF_JUMP
			 : "+a"(nr), "+D"(a), "+S"(b), "+d"(c), "=c"(rcx), "=r"(r8), "=r"(r9)
			 : "m"(skiff_call)
			 : SKIFF_CLOBBERS);
	return nr;
}

static inline long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r8 __asm__("r8") = e, r9 __asm__("r9") = f;

	__asm__ volatile(SKIFF_JUMP
			 : "+a"(nr), "+D"(a), "+S"(b), "+d"(c), "+c"(d), "+r"(r8), "+r"(r9)
			 : "m"(skiff_call)
			 : SKIFF_CLOBBERS);
	return nr;
}

static inline long result(long r)
{
	return __builtin_expect((unsigned long)r >= -4095ul, 0) ? skiff_error(r) : r;
}

/* glibc's __libc_single_threaded, or a 1 where it is older than 2.32. */
extern HIDDEN const char *skiff_single;

/* Whether this thread can be cancelled at all, as glibc itself finds out: up to 2.36 by
 * header.multiple_threads of the thread's control block (set too when a lone thread cancels
 * itself), later by the variable. musl has a pointer at that place that is never null, so that
 * every call takes the careful way. */
static inline bool threads(void)
{
	int many;

	__asm__ volatile("movl %%fs:0x18, %0" : "=r"(many));
	return __builtin_expect(many || !__atomic_load_n(skiff_single, __ATOMIC_RELAXED), 0);
}

/* By the number of arguments: none, up to three, five or six. */
#define CALL0(nr)	   result(call0(nr, &skiff_call))
#define CALL3(nr, a, b, c) result(call3(nr, (long)(a), (long)(b), (long)(c)))
#define CALL6(nr, a, b, c, d, e, f)                                                                \
	result(call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

/*
 * A call that is not to wait at all. What has come by then cancels it; what comes while it is in
 * the kernel waits for the next cancellation point, so there is no type to change and change back.
 */
HIDDEN void skiff_test_cancel(void);
#define UNWAITING6(nr, a, b, c, d, e, f)                                                           \
	((threads() ? skiff_test_cancel() : (void)0), CALL6(nr, a, b, c, d, e, f))

#define CANCELLABLE3(nr, a, b, c)                                                                  \
	(threads() ? skiff_cancellable3((long)(a), (long)(b), (long)(c), nr) : CALL3(nr, a, b, c))
#define CANCELLABLE5(nr, a, b, c, d, e)                                                            \
	(threads() ? skiff_cancellable5((long)(a), (long)(b), (long)(c), (long)(d), (long)(e), nr) \
		   : CALL6(nr, a, b, c, d, e, 0))
#define CANCELLABLE6(nr, a, b, c, d, e, f)                                                         \
	(threads() ? skiff_cancellable6(                                                           \
			     (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f), nr) \
		   : CALL6(nr, a, b, c, d, e, f))

#endif
