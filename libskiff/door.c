/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the doors; errno and cancellation as libc has them. No libc is named as needed: whoever
 * preloads this has one, and gets its symbols. */

#include "call.h"
#include "../include/skiff.h"

#define WEAK __attribute__((weak))

extern WEAK unsigned long getauxval(unsigned long type);
extern WEAK int *__errno_location(void);
extern WEAK int pthread_setcanceltype(int type, int *old);
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

int skiff_cancel_begin(void)
{
	int old = CANCEL_ASYNCHRONOUS;

	if (pthread_setcanceltype)
		pthread_setcanceltype(CANCEL_ASYNCHRONOUS, &old);
	return old;
}

void skiff_cancel_end(int old)
{
	if (old != CANCEL_ASYNCHRONOUS)
		pthread_setcanceltype(old, 0);
}
