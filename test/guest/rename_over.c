/* SPDX-License-Identifier: BSD-2-Clause */
/* rename: over files and directories, into itself, hard links, exchange, no replace. */
#include "t.h"

static void content(const char *name)
{
	char buf[32] = "";
	int fd = open(name, O_RDONLY);
	if (fd < 0)
		printf("%s: %s\n", name, t_errno(errno));
	else {
		(void)!read(fd, buf, 31);
		printf("%s: %s\n", name, buf);
	}
	close(fd);
}

int main(void)
{
	struct stat st;
	close(t_file("a", "A"));
	close(t_file("b", "B"));
	int old = open("b", O_RDONLY);
	RET(rename("a", "b"));
	content("a");
	content("b");
	char c = 0;
	RET(read(old, &c, 1));
	printf("still open: %c\n", c);
	fstat(old, &st);
	printf("links %ld\n", (long)st.st_nlink);
	RET(rename("absent", "b"));
	RET(rename("b", "absent/x"));
	NEED(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && mkdir("d/sub", 0755) == 0);
	RET(rename("b", "d"));
	RET(rename("d", "b"));
	RET(rename("e", "d"));
	RET(rename("d", "e"));
	content("d/sub");
	RET(access("e/sub", F_OK));
	RET(rename("e", "e/sub/inside"));
	RET(rename("e/sub", "e"));
	RET(rename("e/.", "x"));
	RET(rename("e/..", "x"));
	RET(rename("b", "b"));
	RET(link("b", "hard"));
	RET(rename("b", "hard"));
	content("b");
	content("hard");
	RET(rename("b", "e/sub/moved"));
	content("e/sub/moved");
	RET(rename("e/sub", "top"));
	content("top/moved");
	RET(symlink("hard", "l"));
	RET(rename("l", "l2"));
	RET(lstat("l2", &st));
	IS(S_ISLNK(st.st_mode));
	close(t_file("x", "X"));
	close(t_file("y", "Y"));
	RET(renameat2(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_NOREPLACE));
	RET(renameat2(AT_FDCWD, "x", AT_FDCWD, "z", RENAME_NOREPLACE));
	RET(renameat2(AT_FDCWD, "z", AT_FDCWD, "y", RENAME_EXCHANGE));
	content("z");
	content("y");
	RET(renameat2(AT_FDCWD, "z", AT_FDCWD, "absent", RENAME_EXCHANGE));
	RET(renameat2(AT_FDCWD, "z", AT_FDCWD, "y", RENAME_EXCHANGE | RENAME_NOREPLACE));
	RET(renameat2(AT_FDCWD, "z", AT_FDCWD, "y", 0x80));
	RET(rename("z/", "w"));
	RET(rename("z", "w/"));
	RET(rename("top/", "dir/"));
	int fd = open("dir", O_RDONLY);
	RET(renameat(fd, "moved", AT_FDCWD, "back"));
	content("back");
	return 0;
}
