/* SPDX-License-Identifier: BSD-2-Clause */
/* A call that does not exist answers ENOSYS, says so once in the log, and the program goes on. */
/* status: 3 */
/* report: system call 987 does not exist */
/* once: system call 987 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	puts("before");
	for (int i = 0; i < 3; i++)
		if (syscall(987, 1, 2, 3) != -1 || errno != ENOSYS)
			return 1;
	return 3;
}
