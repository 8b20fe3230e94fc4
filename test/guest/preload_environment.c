/* SPDX-License-Identifier: BSD-2-Clause */
/* The preloaded library does not show in the environment, and is there again after an execve. */
/* standalone */
#include "t.h"

extern char **environ;

int main(int argc, char **argv)
{
	char line[512];
	int mapped = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	NEED(f);
	while (fgets(line, sizeof(line), f))
		mapped |= !!strstr(line, "/libskiff.so");
	fclose(f);
	/* On Linux there is none. */
	f = fopen("/.skiff/libskiff.so", "r");
	printf("preloaded: %s\n", mapped == !!f ? "as it should" : "wrong");
	for (char **e = environ; *e; e++) {
		if (!strncmp(*e, "LD_", 3))
			printf("%s\n", *e);
	}
	if (argc > 1)
		return 0;
	fflush(stdout);
	char *args[] = { argv[0], "again", NULL };
	execv("/proc/self/exe", args);
	printf("execv: %d\n", errno);
	return 1;
}
