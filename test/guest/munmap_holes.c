/* SPDX-License-Identifier: BSD-2-Clause */
/* Unmapping splits areas; what stays keeps its bytes and its protection. */
#include "t.h"

static void show(char *p, int pages)
{
	char map[65] = "";
	for (int i = 0; i < pages; i++) {
		bool r = t_touch(p + i * PAGE, 'r')[0] == 'o';
		bool w = r && t_touch(p + i * PAGE + 8, 'w')[0] == 'o';
		map[i] = w ? 'w' : r ? 'r' : '-';
	}
	printf("%s\n", map);
}

int main(void)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	for (int i = 0; i < 16; i++)
		p[i * PAGE] = 'A' + i;
	show(p, 16);
	RET(munmap(p + 4 * PAGE, PAGE));
	show(p, 16);
	RET(mprotect(p + 6 * PAGE, 4 * PAGE, PROT_READ));
	show(p, 16);
	RET(munmap(p + 7 * PAGE, 2 * PAGE));
	show(p, 16);
	RET(munmap(p + 2 * PAGE, 5 * PAGE));
	show(p, 16);
	for (int i = 0; i < 16; i++)
		if (t_touch(p + i * PAGE, 'r')[0] == 'o')
			putchar(p[i * PAGE]);
	putchar('\n');
	NEED(mmap(p + 3 * PAGE, 5 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 3 * PAGE);
	show(p, 16);
	RET(mprotect(p, 16 * PAGE, PROT_READ));
	show(p, 16);
	RET(munmap(p - 0, 16 * PAGE));
	show(p, 16);
	return 0;
}
