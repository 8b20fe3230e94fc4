/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard input to standard output, byte for byte, and the count to standard error. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	static char buf[10000];
	unsigned long total = 0;
	for (long n; (n = read(0, buf, sizeof(buf))) != 0; total += n)
		for (long done = 0; done < n;) {
			long w = n < 0 ? -1 : write(1, buf + done, n - done);
			if (w < 0)
				return 1;
			done += w;
		}
	fprintf(stderr, "copied %lu bytes\n", total);
	return 0;
}
