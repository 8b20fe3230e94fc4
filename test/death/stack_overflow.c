/* SPDX-License-Identifier: BSD-2-Clause */
/* Recursion without an end meets the end of the stack. */
/* status: 139 */
/* report: dies of signal 11 */
#include <stdio.h>

static __attribute__((noinline)) long dig(long depth)
{
	volatile char frame[1000];
	frame[0] = depth;
	return depth < 0 ? 0 : dig(depth + 1) + frame[0];
}

int main(void)
{
	puts("before");
	fflush(stdout);
	printf("%ld\n", dig(0));
	return 0;
}
