/* SPDX-License-Identifier: BSD-2-Clause */
/* Beyond the last page of a file a mapping gives SIGBUS; the rest of the last page reads as zero.
 */
#include "t.h"

int main(void)
{
	int fd = t_file("f", "");
	RET(ftruncate(fd, PAGE + 100));
	RET(pwrite(fd, "end", 3, PAGE + 97));
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *v = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(p != MAP_FAILED && v != MAP_FAILED);
	TOUCH(p, 'r');
	TOUCH(p + PAGE + 99, 'r');
	TOUCH(p + PAGE + 100, 'r');
	IS(p[PAGE + 100] == 0 && p[2 * PAGE - 1] == 0);
	TOUCH(p + 2 * PAGE, 'r');
	TOUCH(p + 2 * PAGE + 5, 'w');
	TOUCH(v + 3 * PAGE, 'w');
	RET(ftruncate(fd, 3 * PAGE));
	TOUCH(p + 2 * PAGE, 'w');
	TOUCH(v + 2 * PAGE, 'r');
	RET(ftruncate(fd, PAGE));
	TOUCH(p + PAGE, 'r');
	TOUCH(p + PAGE - 1, 'r');
	/* system calls say EFAULT instead */
	int null = open("/dev/zero", O_RDONLY);
	RET(read(null, p + PAGE, 10));
	RET(read(null, p + PAGE - 4, 10));
	RET(ftruncate(fd, 2 * PAGE));
	IS(p[PAGE] == 0);
	return 0;
}
