/* SPDX-License-Identifier: BSD-2-Clause */
/* renameat2 with its flags, directories over directories, the parent's link count, paths
 * afterwards. */
#include "t.h"

static void show(const char *name)
{
	struct stat st;
	char buf[16] = "";
	int fd;
	if (lstat(name, &st)) {
		printf("%s: %s\n", name, t_errno(errno));
		return;
	}
	fd = open(name, O_RDONLY);
	if (S_ISREG(st.st_mode) && read(fd, buf, 15) < 0)
		buf[0] = 0;
	close(fd);
	printf("%s %o links %ld %s\n", name, st.st_mode & S_IFMT, (long)st.st_nlink, buf);
}

int main(void)
{
	char cwd[PATH_MAX], *last;
	NEED(mkdir("a", 0755) == 0 && mkdir("a/sub", 0755) == 0 && mkdir("b", 0755) == 0);
	close(t_file("f", "one"));
	close(t_file("g", "two"));
	RET(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE));
	RET(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_EXCHANGE));
	show("f");
	show("g");
	RET(renameat2(AT_FDCWD, "f", AT_FDCWD, "a", RENAME_EXCHANGE));
	show("f");
	show("a");
	RET(renameat2(AT_FDCWD, "f", AT_FDCWD, "absent", RENAME_EXCHANGE));
	RET(renameat2(AT_FDCWD, "f", AT_FDCWD, "x", RENAME_EXCHANGE | RENAME_NOREPLACE));
	RET(renameat2(AT_FDCWD, "f", AT_FDCWD, "x", 0x100));
	RET(rename("f", "b"));
	show("b");
	show("b/sub");
	RET(rename("b", "b/sub/b"));
	RET(rename("b/sub", "b"));
	RET(rename("b", "g"));
	RET(rename("g", "b"));
	RET(rename("b/.", "c"));
	RET(rename("g", "c/"));
	RET(rename("b", "c/"));
	show("c");
	RET(rename("absent", "c"));
	RET(rename("g", "absent/x"));
	RET(rename("g", "g"));
	RET(rename("g", "g/x"));
	RET(chdir("c/sub"));
	RET(rename("../sub", "../renamed"));
	NEED(getcwd(cwd, sizeof(cwd)) != NULL);
	last = strrchr(cwd, '/');
	printf("%s\n", last);
	RET(rmdir("../renamed"));
	RET(getcwd(cwd, sizeof(cwd)) == NULL ? -1 : 0);
	RET(open("x", O_CREAT | O_WRONLY, 0644));
	RET(mkdir("x", 0755));
	RET(chdir(".."));
	show(".");
	return 0;
}
