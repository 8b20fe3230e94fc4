/* SPDX-License-Identifier: BSD-2-Clause */
/* mprotect: what each protection forbids, and its errors. */
#include "t.h"

int main(void)
{
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	memset(p, 0xc3, 8 * PAGE); /* ret */
	TOUCH(p, 'x');
	RET(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	TOUCH(p, 'x');
	TOUCH(p, 'w');
	TOUCH(p + PAGE, 'x');
	RET(mprotect(p + 2 * PAGE, PAGE, PROT_NONE));
	TOUCH(p + 2 * PAGE + 3, 'r');
	TOUCH(p + 2 * PAGE, 'w');
	TOUCH(p + 2 * PAGE, 'x');
	RET(mprotect(p + 2 * PAGE, PAGE, PROT_READ));
	TOUCH(p + 2 * PAGE, 'r');
	IS((unsigned char)p[2 * PAGE] == 0xc3);
	TOUCH(p + 2 * PAGE, 'w');
	RET(mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE));
	TOUCH(p, 'w');
	TOUCH(p + 2 * PAGE, 'w');
	TOUCH(p, 'x');
	/* never touched before its protection changes */
	char *q = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TOUCH(q, 'r');
	RET(mprotect(q + PAGE, PAGE, PROT_READ | PROT_WRITE));
	TOUCH(q + PAGE, 'w');
	TOUCH(q + 2 * PAGE, 'w');

	RET(mprotect(p + 1, PAGE, PROT_READ));
	RET(mprotect(p, 0, PROT_READ));
	RET(mprotect(p, PAGE, 0x1000));
	RET(munmap(p + 4 * PAGE, PAGE));
	RET(mprotect(p + 3 * PAGE, 3 * PAGE, PROT_READ));
	TOUCH(p + 3 * PAGE, 'w');
	TOUCH(p + 5 * PAGE, 'w');
	RET(mprotect((void *)PAGE, PAGE, PROT_READ));
	t_file("f", "data");
	int fd = open("f", O_RDONLY);
	char *s = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	RET(mprotect(s, PAGE, PROT_READ | PROT_WRITE));
	char *v = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	RET(mprotect(v, PAGE, PROT_READ | PROT_WRITE));
	TOUCH(v, 'w');
	TOUCH(s, 'r');
	IS(s[0] == 'd' && v[0] == 'w');
	return 0;
}
