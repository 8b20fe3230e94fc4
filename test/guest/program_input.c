/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard input is read to its end, by stdio and by read. */
/* standalone */
/* stdin: first line\nsecond line\n\nno newline at the end */
#include "t.h"

int main(void)
{
	char line[100], c;
	int n = 0;
	while (fgets(line, sizeof(line), stdin))
		printf("%d: %s", ++n, line);
	printf("\nend %d, error %d\n", feof(stdin) != 0, ferror(stdin) != 0);
	RET(read(0, &c, 1));
	RET(isatty(0));
	return n;
}
