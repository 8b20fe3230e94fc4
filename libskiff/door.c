/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the doors; errno and cancellation as libc has them. No libc is named as needed: whoever
 * preloads this has one, and gets its symbols. */

#include "call.h"
#include "../include/skiff.h"

#define WEAK __attribute__((weak))

extern WEAK unsigned long getauxval(unsigned long type);
extern WEAK int *__errno_location(void);
extern WEAK int pthread_setcanceltype(int type, int *old);
extern WEAK void pthread_testcancel(void);
extern WEAK char __libc_single_threaded;
#define CANCEL_ASYNCHRONOUS 1

static const char single = 1;
HIDDEN const char *skiff_single = &single;

/* On to the syscall instruction, with the fourth argument where it wants it. */
HIDDEN void skiff_no_door(void);
__asm__(".text\n"
	".hidden skiff_no_door\n"
	".globl skiff_no_door\n"
	".type skiff_no_door, @function\n"
	"skiff_no_door:\n"
	".cfi_startproc\n"
	".cfi_def_cfa rsp, 0\n"
	".cfi_register rip, r11\n"
	"movq %rcx, %r10\n"
	"subq $2, %r11\n"
	"jmp *%r11\n"
	".cfi_endproc\n"
	".size skiff_no_door, . - skiff_no_door\n");

HIDDEN uintptr_t skiff_call = (uintptr_t)skiff_no_door;
HIDDEN uintptr_t skiff_call_short = (uintptr_t)skiff_no_door;

static __attribute__((constructor)) void find_doors(void)
{
	const struct skiff_doors *d = getauxval ? (const void *)getauxval(AT_SKIFF) : 0;

	if (&__libc_single_threaded)
		skiff_single = &__libc_single_threaded;
	if (!d || d->version < 1)
		return;
	skiff_call = (uintptr_t)d + d->call;
	skiff_call_short = (uintptr_t)d + d->call_short;
}

long skiff_error(long r)
{
	if (__errno_location)
		*__errno_location() = -r;
	return -1;
}

/* The arguments wait on the stack: cheaper than in registers, which would have to be saved there.
 */
#define KEEP(args) __asm__ volatile("" : "+m"(args))

static inline int cancel_begin(void)
{
	int old = CANCEL_ASYNCHRONOUS;

	if (pthread_setcanceltype)
		pthread_setcanceltype(CANCEL_ASYNCHRONOUS, &old);
	return old;
}

static inline long cancel_end(int old, long r)
{
	if (old != CANCEL_ASYNCHRONOUS)
		pthread_setcanceltype(old, 0);
	return result(r);
}

void skiff_test_cancel(void)
{
	if (pthread_testcancel)
		pthread_testcancel();
}

long skiff_cancellable3(long a, long b, long c, long nr)
{
	struct {
		long a, b, c, nr;
	} k = { a, b, c, nr };
	int old;

	KEEP(k);
	old = cancel_begin();
	return cancel_end(old, call3(k.nr, k.a, k.b, k.c));
}

long skiff_cancellable5(long a, long b, long c, long d, long e, long nr)
{
	struct {
		long a, b, c, d, e, nr;
	} k = { a, b, c, d, e, nr };
	int old;

	KEEP(k);
	old = cancel_begin();
	return cancel_end(old, call6(k.nr, k.a, k.b, k.c, k.d, k.e, 0));
}

long skiff_cancellable6(long a, long b, long c, long d, long e, long f, long nr)
{
	struct {
		long a, b, c, d, e, f, nr;
	} k = { a, b, c, d, e, f, nr };
	int old;

	KEEP(k);
	old = cancel_begin();
	return cancel_end(old, call6(k.nr, k.a, k.b, k.c, k.d, k.e, k.f));
}

/*
 * long syscall(long nr, ...): the arguments move down by one register, the sixth comes from the
 * stack. Numbers beyond those that the door's table knows go by the instruction. No cancellation
 * point, as in libc.
 */
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	".p2align 4\n"
	"syscall:\n"
	".cfi_startproc\n"
	"movq %rdi, %rax\n"
	"movq %rsi, %rdi\n"
	"movq %rdx, %rsi\n"
	"movq %rcx, %rdx\n"
	"movq %r8, %rcx\n"
	"movq %r9, %r8\n"
	"movq 8(%rsp), %r9\n"
	"movq %rcx, %r10\n"
	"cmpq $511, %rax\n"
	"ja 2f\n"
	"leaq 1f(%rip), %r11\n"
	"jmp *skiff_call(%rip)\n"
	"2: syscall\n"
	"1: cmpq $-4095, %rax\n"
	"jae 3f\n"
	"ret\n"
	"3: movq %rax, %rdi\n"
	"jmp skiff_error\n"
	".cfi_endproc\n"
	".size syscall, . - syscall\n");
