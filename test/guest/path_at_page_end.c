/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths and names that end where memory ends, cross pages, or do not end. */
#include <sys/prctl.h>
#include "t.h"

static char *end; /* nothing can be read from here on */

static char *at_end(const char *text, size_t bytes)
{
	return memcpy(end - bytes, text, bytes);
}

int main(void)
{
	char *m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char name[40] = "", shown[17] = "";
	struct stat st;

	NEED(m != MAP_FAILED && mprotect(m + 3 * PAGE, PAGE, PROT_NONE) == 0);
	end = m + 3 * PAGE;
	for (size_t n = 1; n < 24; n++) {
		memset(name, 'a' + (int)n, n);
		name[n] = 0;
		close(open(name, O_CREAT | O_WRONLY, 0644));
		int ends = stat(at_end(name, n + 1), &st), endless, crosses;

		endless = stat(at_end(name, n), &st) ? errno : 0;
		crosses = stat(memcpy(m + PAGE - n / 2, name, n + 1), &st);
		printf("%zu: %d %s %d, ", n, ends, t_errno(endless), crosses);
		for (size_t shift = 0; shift < 9; shift++) {
			memset(m, 'x', 64);
			printf("%d", stat(memcpy(m + shift, name, n + 1), &st));
		}
		printf("\n");
	}
	/* the longest: with its end 4096 bytes */
	memset(m, '/', 3 * PAGE);
	m[5000] = 0;
	RET(stat(m + 5000 - 4095, &st));
	RET(stat(m + 5000 - 4096, &st));
	memset(m, '/', 3 * PAGE);
	RET(stat(end - 4095, &st));
	RET(stat(end - 4096, &st));
	RET(stat(end - 4097, &st));
	RET(stat((char *)-8, &st));
	RET(stat((char *)0x7fffffffefff, &st));
	/* names of threads */
	RET(prctl(PR_GET_NAME, name));
	RET(prctl(PR_SET_NAME, at_end("abc", 4)));
	RET(prctl(PR_GET_NAME, shown));
	for (int i = 0; i < 16; i++)
		printf("%d ", shown[i]);
	printf("\n");
	RET(prctl(PR_SET_NAME, at_end("abc", 3)));
	RET(prctl(PR_SET_NAME, at_end("0123456789abcdef", 15)));
	RET(prctl(PR_SET_NAME, "0123456789abcdefgh"));
	RET(prctl(PR_GET_NAME, shown));
	printf("%s\n", shown);
	RET(prctl(PR_SET_NAME, name));
	munmap(m, 4 * PAGE);
	return 0;
}
