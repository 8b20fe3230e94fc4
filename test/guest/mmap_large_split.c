/* SPDX-License-Identifier: BSD-2-Clause */
/* Areas large enough for 2 MiB pages, cut up by munmap, mprotect and DONTNEED. */
#include "t.h"

#define MIB (1ul << 20)

static unsigned long checksum(unsigned long *p, unsigned long bytes)
{
	unsigned long sum = 0;
	for (unsigned long i = 0; i < bytes / 8; i += 64)
		sum = sum * 31 + p[i];
	return sum;
}

int main(void)
{
	unsigned long size = 24 * MIB;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	RET(madvise(p, size, MADV_HUGEPAGE));
	for (unsigned long i = 0; i < size / 8; i += 64)
		((unsigned long *)p)[i] = i * 2654435761u;
	printf("%016lx\n", checksum((unsigned long *)p, size));
	char *mid = (char *)(((unsigned long)p + 8 * MIB) & -(2 * MIB));
	RET(mprotect(mid + 17 * PAGE, PAGE, PROT_READ));
	printf("%016lx\n", checksum((unsigned long *)p, size));
	TOUCH(mid + 16 * PAGE, 'w');
	TOUCH(mid + 17 * PAGE, 'w');
	TOUCH(mid + 18 * PAGE, 'w');
	RET(munmap(mid + 4 * MIB + 3 * PAGE, PAGE));
	TOUCH(mid + 4 * MIB + 3 * PAGE, 'r');
	TOUCH(mid + 4 * MIB + 2 * PAGE, 'r');
	TOUCH(mid + 4 * MIB + 4 * PAGE, 'r');
	RET(madvise(mid - 2 * MIB + 5 * PAGE, PAGE, MADV_DONTNEED));
	IS(mid[-(long)(2 * MIB) + 5 * (long)PAGE] == 0);
	printf("%016lx\n", checksum((unsigned long *)p, mid - p + 4 * MIB));
	GET(mremap(mid, 2 * MIB + PAGE, 2 * MIB + 2 * PAGE, MREMAP_MAYMOVE));
	RET(mprotect(mid, 2 * MIB, PROT_READ | PROT_WRITE));
	char *moved = mremap(mid, 2 * MIB + PAGE, 2 * MIB + 2 * PAGE, MREMAP_MAYMOVE);
	NEED(moved != MAP_FAILED);
	printf("%016lx\n", checksum((unsigned long *)moved, 2 * MIB + PAGE));
	RET(munmap(moved, 2 * MIB + 2 * PAGE));
	RET(munmap(p, size));
	/* again: memory that comes back is zero */
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long any = 0;
	for (unsigned long i = 0; i < size / 8; i += 64)
		any |= ((unsigned long *)p)[i];
	printf("dirt %lx\n", any);
	return 0;
}
