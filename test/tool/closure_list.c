/* SPDX-License-Identifier: BSD-2-Clause */
/* closure_list PROGRAM...: the real paths of the libraries that skiff would pack, for comparison
 * with ldd. "= PROGRAM" comes first, then one path a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tool/closure.h"

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct tree *t = tree_new();
		struct closure c;
		int status;

		printf("= %s\n", argv[i]);
		fflush(stdout);
		if (!fork()) {
			closure_init(&c, t);
			closure_add_program(&c, argv[i]);
			for (size_t k = 0; k < c.libraries.n; k++) {
				char *real = realpath(c.libraries.v[k], NULL);

				puts(real ? real : c.libraries.v[k]);
				free(real);
			}
			fflush(stdout);
			_exit(0);
		}
		wait(&status);
		tree_free(t);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			printf("status %d\n", status);
		fflush(stdout);
	}
	return 0;
}
