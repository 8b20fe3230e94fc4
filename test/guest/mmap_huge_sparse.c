/* SPDX-License-Identifier: BSD-2-Clause */
/* Huge reservations cost nothing until touched. */
#include "t.h"

int main(void)
{
	unsigned long size = 64ul << 30;
	char *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	NEED(p != MAP_FAILED);
	for (unsigned long i = 0; i < 16; i++) {
		char *at = p + i * (size / 16) + i * PAGE;
		at = (char *)((unsigned long)at & -PAGE);
		NEED(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0);
		at[i] = i + 1;
	}
	int sum = 0;
	for (unsigned long i = 0; i < 16; i++)
		sum += p[((i * (size / 16) + i * PAGE) & -PAGE) + i];
	printf("sum %d\n", sum);
	TOUCH(p + size - 1, 'r');
	RET(munmap(p, size));
	TOUCH(p, 'r');

	char *q = mmap(NULL, 16ul << 30, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	NEED(q != MAP_FAILED);
	for (int i = 0; i < 8; i++)
		q[(unsigned long)i * (2ul << 30)] = i;
	for (int i = 0; i < 8; i++)
		printf("%d", q[(unsigned long)i * (2ul << 30)]);
	putchar('\n');
	RET(munmap(q, 16ul << 30));
	return 0;
}
