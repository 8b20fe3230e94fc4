/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that was promised and is not there kills the program, with a word about who held it. */
/* status: 137 */
/* report: out of memory: .* dies */
/* options: --memory 64M */
#include <stdio.h>
#include <sys/mman.h>

int main(void)
{
	unsigned long size = 1ul << 30;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	puts("before");
	fflush(stdout);
	for (unsigned long i = 0; i < size; i += 4096)
		p[i] = 1;
	puts("after");
	return 0;
}
