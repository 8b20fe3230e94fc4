/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbolic links: relative, absolute, in the middle, trailing slash, readlink. */
#include "t.h"

int main(void)
{
	char buf[64], cwd[PATH_MAX], path[PATH_MAX + 10];
	NEED(getcwd(cwd, sizeof(cwd)) != NULL);
	NEED(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0);
	close(t_file("d/e/f", "deep"));
	RET(symlink("d/e", "de"));
	RET(access("de/f", F_OK));
	RET(symlink("../e", "d/e/up"));
	RET(access("d/e/up/f", F_OK));
	RET(access("de/up/up/up/f", F_OK));
	snprintf(path, sizeof(path), "%s/d", cwd);
	RET(symlink(path, "absolute"));
	RET(access("absolute/e/f", F_OK));
	RET(symlink("..", "d/parent"));
	RET(access("d/parent/de/f", F_OK));
	RET(symlink("d/e/f/", "slash"));
	RET(access("slash", F_OK));
	RET(symlink("absent", "dangling"));
	RET(access("dangling", F_OK));
	RET(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	memset(buf, '#', sizeof(buf));
	RET(readlink("de", buf, sizeof(buf)));
	printf("%.5s\n", buf);
	RET(readlink("de", buf, 2));
	RET(readlink("de", buf, 0));
	RET(readlink("d", buf, sizeof(buf)));
	RET(readlink("absent", buf, sizeof(buf)));
	RET(readlink("de/", buf, sizeof(buf)));
	RET(symlink("x", "de"));
	RET(symlink("", "empty"));
	RET(symlink("x", "absent/y"));
	RET(symlink("x", ""));
	RET(unlink("de/"));
	RET(unlink("de"));
	RET(access("d/e/f", F_OK));
	RET(symlink("self", "self"));
	RET(access("self", F_OK));
	RET(stat("self/x", &(struct stat){ 0 }));
	char huge[4200];
	memset(huge, 'l', sizeof(huge));
	huge[1000] = 0;
	RET(symlink(huge, "long"));
	huge[1000] = 'l';
	huge[4096 + 50] = 0;
	RET(symlink(huge, "longer"));
	char *real = realpath("d/parent/absolute/e/up/f", NULL);
	NEED(real != NULL);
	printf("%s\n", real + strlen(cwd));
	return 0;
}
