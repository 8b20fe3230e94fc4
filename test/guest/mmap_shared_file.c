/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared file mappings, read and write all see the same pages. */
#include "t.h"

int main(void)
{
	char buf[16] = "";
	int fd = t_file("f", "hello world");
	RET(ftruncate(fd, 3 * PAGE));
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
	NEED(p != MAP_FAILED && q != MAP_FAILED);
	printf("%.11s\n", p);
	memcpy(p, "HELLO", 5);
	RET(pread(fd, buf, 11, 0));
	printf("%s\n", buf);
	RET(pwrite(fd, "there", 5, 6));
	printf("%.11s\n", p);
	strcpy(p + PAGE, "alias");
	printf("%s\n", q);
	strcpy(q + 100, "back");
	printf("%s\n", p + PAGE + 100);
	RET(msync(p, 3 * PAGE, MS_SYNC));
	RET(msync(p, PAGE, MS_ASYNC | MS_INVALIDATE));
	RET(msync(p, PAGE, MS_ASYNC | MS_SYNC));
	RET(msync(p + 1, PAGE, MS_SYNC));
	RET(munmap(p, 3 * PAGE));
	RET(msync(p, PAGE, MS_SYNC));
	int other = open("f", O_RDONLY);
	RET(pread(other, buf, 6, PAGE + 100));
	printf("%s\n", buf);
	/* the mapping outlives the name and the descriptors */
	RET(close(other));
	RET(close(fd));
	RET(unlink("f"));
	printf("%s %s\n", q, q + 100);
	return 0;
}
