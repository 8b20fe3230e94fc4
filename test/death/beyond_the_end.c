/* SPDX-License-Identifier: BSD-2-Clause */
/* The page after the last that a program can have is mapped for nobody. */
/* status: 139 */
/* report: dies of signal 11 */
#include <stdio.h>

int main(void)
{
	puts("before");
	fflush(stdout);
	*(volatile long *)0x00007ffffffff000 = 1; /* the last page, which Linux never maps */
	puts("after");
	return 0;
}
