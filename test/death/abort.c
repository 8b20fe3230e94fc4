/* SPDX-License-Identifier: BSD-2-Clause */
/* abort() ends in SIGABRT. */
/* status: 134 */
/* report: dies of signal 6 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	puts("before");
	fflush(stdout);
	abort();
}
