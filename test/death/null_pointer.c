/* SPDX-License-Identifier: BSD-2-Clause */
/* A null pointer is never mapped: the program dies of SIGSEGV, with a report that names the
 * address. */
/* status: 139 */
/* report: dies of signal 11 .*address 0 is in no mapping */
#include <stdio.h>

int main(void)
{
	volatile int *volatile p = NULL;
	puts("before");
	fflush(stdout);
	*p = 1;
	puts("after");
	return 0;
}
