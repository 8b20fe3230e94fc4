/* SPDX-License-Identifier: BSD-2-Clause */
/* Hello world, the smallest thing that boots. */
#include <stdio.h>

int main(void)
{
	puts("Hello, world!");
	return 0;
}
