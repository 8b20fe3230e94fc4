/* SPDX-License-Identifier: BSD-2-Clause */
/* 1 MiB of every byte value in a pattern that no line discipline may touch. */
#include <stdio.h>

int main(void)
{
	unsigned int x = 1;
	for (int i = 0; i < 1 << 20; i++) {
		x = x * 1664525 + 1013904223;
		putchar(x >> 24);
	}
	return 0;
}
