/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that a signal ends quietly has the signal's status and no report. */
/* status: 143 */
/* silent */
#include <signal.h>
#include <stdio.h>

int main(void)
{
	puts("before");
	fflush(stdout);
	raise(SIGTERM);
	puts("after");
	return 0;
}
