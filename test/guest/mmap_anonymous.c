/* SPDX-License-Identifier: BSD-2-Clause */
/* Anonymous mappings: zero filled, kept until unmapped, and the errors of mmap itself. */
#include "t.h"

int main(void)
{
	unsigned char *p =
		mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	long sum = 0;
	for (unsigned long i = 0; i < 64 * PAGE; i++)
		sum += p[i];
	printf("sum of a fresh mapping: %ld\n", sum);
	memset(p, 0x5a, 64 * PAGE);
	IS(p[64 * PAGE - 1] == 0x5a);
	RET(munmap(p + 10 * PAGE, 2 * PAGE));
	TOUCH(p + 9 * PAGE, 'r');
	TOUCH(p + 10 * PAGE, 'r');
	TOUCH(p + 11 * PAGE + 7, 'w');
	TOUCH(p + 12 * PAGE, 'r');
	IS(p[12 * PAGE] == 0x5a);

	unsigned char *q = mmap(p + 10 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	IS(q == p + 10 * PAGE);
	IS(q[0] == 0 && q[PAGE - 1] == 0);
	GET(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	IS(p[0] == 0x5a);

	int any = PROT_READ, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	GET(mmap(NULL, 0, any, anon, -1, 0));
	GET(mmap(p + 1, PAGE, any, anon | MAP_FIXED, -1, 0));
	GET(mmap(NULL, PAGE, any, MAP_ANONYMOUS, -1, 0));
	GET(mmap(NULL, PAGE, any, MAP_PRIVATE, -1, 0));
	GET(mmap(NULL, PAGE, any, MAP_PRIVATE, 999, 0));
	GET((void *)syscall(SYS_mmap, NULL, PAGE, any, anon, -1, 1));
	GET(mmap(NULL, 1ul << 60, any, anon, -1, 0));
	GET(mmap(NULL, -1ul, any, anon, -1, 0));
	GET(mmap((void *)(1ul << 47), PAGE, any, anon | MAP_FIXED, -1, 0));
	RET(munmap(p + 1, PAGE));
	RET(munmap(p, 0));
	RET(munmap(p, 64 * PAGE));
	RET(munmap(p, 64 * PAGE));
	TOUCH(p, 'r');
	/* a hint that is free is taken, one that is not is moved */
	q = mmap(p, PAGE, PROT_READ, anon, -1, 0);
	IS(q == p);
	unsigned char *r = mmap(p, PAGE, PROT_READ, anon, -1, 0);
	IS(r != MAP_FAILED && r != p);
	return 0;
}
