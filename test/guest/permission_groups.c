/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* standalone */
/* What a user who is not root may do: owner, group, supplementary group, others, sticky bit. */
#include <grp.h>
#include "t.h"

int main(void)
{
	gid_t groups[] = { 500, 600 };
	char dir[] = "/tmp/permission-XXXXXX";
	struct stat st;
	NEED(mkdtemp(dir) && chdir(dir) == 0 && chmod(".", 01777) == 0);
	close(t_file("root", "r"));
	close(t_file("group", "g"));
	close(t_file("extra", "e"));
	close(t_file("other", "o"));
	NEED(chmod("root", 0600) == 0 && chmod("group", 0040) == 0 && chown("group", 0, 400) == 0);
	NEED(chmod("extra", 0060) == 0 && chown("extra", 0, 600) == 0 && chmod("other", 0604) == 0);
	NEED(setgroups(2, groups) == 0 && setresgid(400, 400, 400) == 0 &&
		setresuid(300, 300, 300) == 0);
	RET(access("root", R_OK));
	RET(access("group", R_OK));
	RET(access("group", W_OK));
	RET(access("extra", R_OK | W_OK));
	RET(access("other", R_OK));
	IS(open("other", O_RDONLY) >= 0);
	RET(open("other", O_WRONLY));
	RET(open("root", O_RDONLY));
	RET(unlink("root"));
	RET(rename("root", "mine"));
	close(t_file("mine", "m"));
	RET(chmod("mine", 0600));
	RET(chmod("root", 0666));
	RET(chown("mine", 0, -1));
	RET(chown("mine", -1, 600));
	RET(chown("mine", -1, 700));
	RET(stat("mine", &st));
	printf("%u %u\n", st.st_uid, st.st_gid);
	RET(chmod("mine", 06755));
	int fd = open("mine", O_WRONLY);
	RET(write(fd, "x", 1));
	RET(stat("mine", &st));
	printf("%o\n", st.st_mode);
	RET(utimensat(AT_FDCWD, "root", NULL, 0));
	RET(mkdir("d", 0));
	RET(open("d/x", O_RDONLY));
	RET(chdir("d"));
	RET(rmdir("d"));
	RET(mknod("dev", S_IFCHR | 0600, 0x103));
	RET(chroot("."));
	RET(unlink("mine"));
	return 0;
}
