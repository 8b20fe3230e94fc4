/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's own code cannot be written. */
/* status: 139 */
/* report: dies of signal 11 .*address .* r-x */
#include <stdio.h>

int main(void)
{
	volatile char *volatile p = (volatile char *)main;
	puts("before");
	fflush(stdout);
	*p = 0;
	puts("after");
	return 0;
}
