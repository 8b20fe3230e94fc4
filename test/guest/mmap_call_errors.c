/* SPDX-License-Identifier: BSD-2-Clause */
/* The mmap family's answers to arguments that are wrong, or nearly. */
#include "t.h"

#define P 4096

/* Addresses differ from run to run: only their kind is printed. */
#define T(expr)                                                                                    \
	do {                                                                                       \
		errno = 0;                                                                         \
		long t_r = (long)(expr);                                                           \
		printf("%s: %s\n", #expr,                                                          \
			t_r == -1  ? t_errno(errno)                                                \
			: t_r == 0 ? "0"                                                           \
				   : "address");                                                   \
	} while (0)

int main(void)
{
	char *p = mmap(0, 8 * P, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T(munmap(p + 1, P));
	T(munmap(p, 0));
	T(munmap((void *)-4096, P));
	T(mprotect(p, 8 * P, 64));
	T(mprotect(p + 1, P, 1));
	T(mprotect(p, 0, 1));
	T(mprotect((void *)0x1000, P, 1));
	T(mremap(p, P, 0, 0));
	T(mremap(p, P, P, 16));
	T(mremap(p, P, P, MREMAP_FIXED, p));
	T(mremap(p, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p));
	T(mremap(p, 8 * P, 4 * P, 0));
	T(mremap((void *)0x2000, P, 2 * P, 0));
	T(mremap(p, 0, P, MREMAP_MAYMOVE));
	T(madvise(p, P, 999));
	T(madvise(p + 1, P, 4));
	T(madvise((void *)0x10000, P, 4));
	T(madvise(p, 0, 4));
	T(madvise(p, P, MADV_POPULATE_WRITE));
	T(madvise((void *)0x10000, P, MADV_POPULATE_READ));
	T(madvise(p, P, MADV_REMOVE));
	T(madvise(p, P, MADV_FREE));
	T(madvise(p, -5l, MADV_FREE));
	T(msync(p, P, MS_SYNC | MS_ASYNC));
	T(msync(p, P, 0));
	T(msync(p + 1, P, MS_SYNC));
	T(msync((void *)0x10000, P, MS_SYNC));
	T(msync(p, P, 128));
	unsigned char v[8];
	T(mincore(p, P, v));
	T(mincore(p + 1, P, v));
	T(mincore((void *)0x10000, P, v));
	T(mincore(p, P, (void *)1));
	T(mlock(p, P));
	T(munlock(p, P));
	T(mlock((void *)0x10000, P));
	T(mlockall(0));
	T(mlock2(p, P, 8));
	T(mmap(0, 0, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	T(mmap(0, P, 3, MAP_ANONYMOUS, -1, 0));
	T(mmap(0, P, 3, MAP_PRIVATE, -1, 0));
	T(mmap(0, P, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1));
	T(mmap((void *)1, P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	T(mmap(p, P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	T(mmap(0, 1ul << 47, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	T(mmap(0, P, 3, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
	T(mmap((void *)(1ul << 47), P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	T(mmap(0, -1l, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ftruncate(fd, 3 * P);
	int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
	T(mmap(0, P, 3, MAP_SHARED, ro, 0));
	T(mmap(0, P, 1, MAP_SHARED, wo, 0));
	T(mmap(0, P, 1, MAP_PRIVATE, wo, 0));
	T(mmap(0, P, 3, MAP_PRIVATE, ro, 0));
	char *s = mmap(0, P, 1, MAP_SHARED, ro, 0);
	T(mprotect(s, P, 3));
	T(mmap(0, P, 1, MAP_SHARED, fd, (1ul << 63) - P));
	T(mmap(0, 2 * P, 1, MAP_SHARED, fd, -4096l));
	T(mmap(0, P, 1, MAP_SHARED | MAP_GROWSDOWN, fd, 0));
	int pfd[2];
	pipe(pfd);
	T(mmap(0, P, 1, MAP_PRIVATE, pfd[0], 0));
	int d = open("/", O_RDONLY);
	T(mmap(0, P, 1, MAP_PRIVATE, d, 0));
	int op = open("f", O_PATH);
	T(mmap(0, P, 1, MAP_PRIVATE, op, 0));
	char *q = mmap(0, 4 * P, 3, MAP_SHARED, fd, 0);
	strcpy(q, "shared");
	char b[10];
	pread(fd, b, 7, 0);
	puts(b);
	pwrite(fd, "PW", 2, 0);
	puts(q);
	T(madvise(q, P, MADV_REMOVE));
	printf("%d\n", q[0]);
	T(madvise(q, 4 * P, MADV_DONTNEED));
	char *z = mmap(0, 4 * P, 3, MAP_PRIVATE, fd, 0);
	z[0] = 'z';
	pread(fd, b, 7, 0);
	printf("%d %c\n", b[0], z[0]);
	madvise(z, P, MADV_DONTNEED);
	printf("%d\n", z[0]);
	T(mremap(z, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
	T(mremap(p, 0x1000, 0x2000000, 0));
	return 0;
}
