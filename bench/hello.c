/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Says how many cycles the machine has run when the program begins. Under QEMU's
 * `-icount shift=0,sleep=off` the time-stamp counter counts guest instructions from power-on.
 */
#include <stdio.h>
#include <x86intrin.h>

int main(void)
{
	unsigned long long now = __rdtsc();

	printf("hello at %llu\n", now);
	return 0;
}
