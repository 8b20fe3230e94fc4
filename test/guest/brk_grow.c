/* SPDX-License-Identifier: BSD-2-Clause */
/* brk: grows zero filled, shrinks, refuses quietly. */
#include "t.h"

int main(void)
{
	puts("first let stdio have its buffer");
	char *start = (char *)syscall(SYS_brk, 0);
	IS(start == sbrk(0));
	IS((char *)syscall(SYS_brk, start + 10 * PAGE) == start + 10 * PAGE);
	IS(start[0] == 0 && start[10 * PAGE - 1] == 0);
	memset(start, 'b', 10 * PAGE);
	IS((char *)syscall(SYS_brk, start + 4 * PAGE) == start + 4 * PAGE);
	TOUCH(start + 4 * PAGE - 1, 'r');
	TOUCH((char *)(((unsigned long)start + 5 * PAGE - 1) & -PAGE), 'r');
	IS((char *)syscall(SYS_brk, start + 10 * PAGE) == start + 10 * PAGE);
	IS(start[4 * PAGE - 1] == 'b' && start[6 * PAGE] == 0);
	/* odd sizes */
	IS((char *)syscall(SYS_brk, start + 12345) == start + 12345);
	IS((char *)syscall(SYS_brk, 0) == start + 12345);
	/* impossible: stays where it is */
	IS((char *)syscall(SYS_brk, 1) == start + 12345);
	IS((char *)syscall(SYS_brk, -PAGE) == start + 12345);
	IS((char *)syscall(SYS_brk, start) == start);
	/* large */
	IS((char *)syscall(SYS_brk, start + (32 << 20)) == start + (32 << 20));
	start[(32 << 20) - 1] = 1;
	IS((char *)syscall(SYS_brk, start) == start);
	return 0;
}
