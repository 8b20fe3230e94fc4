/* SPDX-License-Identifier: BSD-2-Clause */
/* A private file mapping: reads see the file, writes stay with the process. */
#include "t.h"

int main(void)
{
	char line[8] = "";
	int fd = t_file("f", "");
	char page[PAGE];
	for (int i = 0; i < 4; i++) {
		memset(page, 'a' + i, PAGE);
		NEED(write(fd, page, PAGE) == (ssize_t)PAGE);
	}
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);
	NEED(p != MAP_FAILED && q != MAP_FAILED);
	printf("%c %c %c %c, %c %c\n", p[0], p[PAGE], p[2 * PAGE], p[4 * PAGE - 1], q[0], q[PAGE]);
	p[2 * PAGE + 5] = 'Z';
	printf("after write: mine %c, neighbour %c, other mapping %c\n", p[2 * PAGE + 5],
		p[2 * PAGE + 4], q[5]);
	RET(pread(fd, line, 1, 2 * PAGE + 5));
	printf("file still has %c\n", line[0]);
	/* a page not yet written follows the file */
	RET(pwrite(fd, "Q", 1, 3 * PAGE));
	printf("clean page: %c\n", p[3 * PAGE]);
	/* a read into a private page that is only mapped breaks the share */
	RET(pread(fd, p, 3, PAGE));
	printf("after read into it: %.4s\n", p);
	RET(pread(fd, line, 4, 0));
	printf("file: %.4s\n", line);
	RET(close(fd));
	printf("after close: %c\n", p[PAGE]);

	fd = open("f", O_RDONLY);
	GET(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	GET(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	close(fd);
	fd = open("f", O_WRONLY);
	GET(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0));
	GET(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
	close(fd);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	GET(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
	return 0;
}
