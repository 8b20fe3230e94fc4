/* SPDX-License-Identifier: BSD-2-Clause */
/* mkdir, rmdir, chdir, getcwd: what they refuse; a directory that is gone. */
#include "t.h"

int main(void)
{
	char cwd[PATH_MAX], *base;
	struct stat st;
	NEED(getcwd(cwd, sizeof(cwd)) != NULL);
	base = strdup(cwd);
	RET(mkdir("d", 0777));
	RET(stat("d", &st));
	printf("mode %o\n", st.st_mode);
	RET(mkdir("d", 0777));
	RET(mkdir("d/", 0777));
	RET(mkdir("e/", 01777));
	RET(stat("e", &st));
	printf("mode %o\n", st.st_mode);
	RET(mkdir("", 0777));
	RET(mkdir(".", 0777));
	RET(mkdir("/", 0777));
	RET(mkdir("absent/d", 0777));
	close(t_file("f", ""));
	RET(mkdir("f", 0777));
	RET(mkdir("f/d", 0777));
	RET(rmdir("f"));
	RET(rmdir("absent"));
	RET(mkdir("d/sub", 0777));
	RET(rmdir("d"));
	RET(rmdir("d/sub/."));
	RET(rmdir("d/sub/.."));
	RET(unlink("d/sub"));
	RET(unlinkat(AT_FDCWD, "d/sub", AT_REMOVEDIR));
	RET(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR));
	RET(unlinkat(AT_FDCWD, "f", 0x4000));
	RET(chdir("d"));
	NEED(getcwd(cwd, sizeof(cwd)) != NULL);
	printf("cwd ends in %s\n", cwd + strlen(base));
	RET(chdir(".."));
	RET(chdir("f"));
	RET(chdir("absent"));
	RET(chdir(""));
	RET(syscall(SYS_getcwd, cwd, 2));
	RET(syscall(SYS_getcwd, cwd, 0));
	int fd = open("d", O_RDONLY);
	RET(fchdir(fd));
	RET(fchdir(open("../f", O_RDONLY)));
	RET(fchdir(999));
	RET(rmdir("../d"));
	GET(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	RET(open("x", O_CREAT | O_RDWR, 0644));
	RET(mkdir("x", 0755));
	RET(fstat(fd, &st));
	printf("links %ld\n", (long)st.st_nlink);
	RET(chdir(base));
	RET(symlink("e", "l"));
	RET(rmdir("l"));
	RET(mkdir("l", 0755));
	RET(chdir("l"));
	NEED(getcwd(cwd, sizeof(cwd)) != NULL);
	printf("cwd ends in %s\n", cwd + strlen(base));
	return 0;
}
