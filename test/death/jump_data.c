/* SPDX-License-Identifier: BSD-2-Clause */
/* Data cannot be executed. */
/* status: 139 */
/* report: dies of signal 11 .*instruction .* rw- */
#include <stdio.h>

static char code[64] = { (char)0xc3 };

int main(void)
{
	void (*volatile f)(void) = (void (*)(void))code;
	puts("before");
	fflush(stdout);
	f();
	puts("after");
	return 0;
}
