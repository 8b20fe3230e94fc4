/* SPDX-License-Identifier: BSD-2-Clause */
/* madvise: DONTNEED throws pages away, the hints are accepted, the errors are Linux's. */
#include "t.h"

int main(void)
{
	int rw = PROT_READ | PROT_WRITE;
	char *p = mmap(NULL, 8 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	memset(p, 'x', 8 * PAGE);
	RET(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	printf("%d %d %d %d\n", p[2 * PAGE - 1], p[2 * PAGE], p[4 * PAGE - 1], p[4 * PAGE]);
	p[2 * PAGE] = 'y';
	IS(p[2 * PAGE] == 'y');

	int fd = t_file("f", "");
	NEED(ftruncate(fd, 2 * PAGE) == 0 && pwrite(fd, "file", 4, 0) == 4);
	char *v = mmap(NULL, 2 * PAGE, rw, MAP_PRIVATE, fd, 0);
	char *s = mmap(NULL, 2 * PAGE, rw, MAP_SHARED, fd, 0);
	memcpy(v, "mine", 4);
	memcpy(s + PAGE, "kept", 4);
	RET(madvise(v, 2 * PAGE, MADV_DONTNEED));
	RET(madvise(s, 2 * PAGE, MADV_DONTNEED));
	printf("%.4s %.4s\n", v, s + PAGE);

	RET(madvise(p, 8 * PAGE, MADV_NORMAL));
	RET(madvise(p, 8 * PAGE, MADV_RANDOM));
	RET(madvise(p, 8 * PAGE, MADV_SEQUENTIAL));
	RET(madvise(p, 8 * PAGE, MADV_WILLNEED));
	RET(madvise(p, 8 * PAGE, MADV_FREE));
	RET(madvise(p, 8 * PAGE, MADV_HUGEPAGE));
	RET(madvise(p, 8 * PAGE, MADV_NOHUGEPAGE));
	RET(madvise(p, 8 * PAGE, MADV_DONTFORK));
	RET(madvise(p, 8 * PAGE, MADV_DONTDUMP));
	RET(madvise(p, 8 * PAGE, MADV_DODUMP));
	RET(madvise(p, 8 * PAGE, 12345));
	RET(madvise(p + 1, PAGE, MADV_DONTNEED));
	RET(madvise(p, 0, MADV_DONTNEED));
	RET(munmap(p + 3 * PAGE, PAGE));
	memset(p, 'z', 3 * PAGE);
	memset(p + 4 * PAGE, 'z', 4 * PAGE);
	/* a hole is an error, but what is mapped on both sides is done */
	RET(madvise(p, 8 * PAGE, MADV_DONTNEED));
	printf("%d %d\n", p[0], p[7 * PAGE]);
	return 0;
}
