/* SPDX-License-Identifier: BSD-2-Clause */
/* Hard links count, share content; unlink while open; limits of both. */
#include "t.h"

int main(void)
{
	struct stat a, b;
	char buf[32] = "", name[64];
	int fd = t_file("f", "shared");
	RET(link("f", "g"));
	RET(stat("f", &a));
	RET(stat("g", &b));
	printf("links %ld, same %d\n", (long)a.st_nlink, a.st_ino == b.st_ino);
	int other = open("g", O_RDWR);
	RET(write(other, "SH", 2));
	RET(read(fd, buf, 6));
	printf("%s\n", buf);
	RET(link("f", "g"));
	RET(link("absent", "h"));
	RET(link("f", "absent/h"));
	NEED(mkdir("d", 0755) == 0);
	RET(link("d", "h"));
	RET(symlink("f", "s"));
	RET(link("s", "s2"));
	RET(lstat("s2", &b));
	IS(S_ISLNK(b.st_mode));
	RET(linkat(AT_FDCWD, "s", AT_FDCWD, "s3", AT_SYMLINK_FOLLOW));
	RET(lstat("s3", &b));
	IS(b.st_ino == a.st_ino);
	RET(unlink("f"));
	RET(unlink("f"));
	RET(unlink("d"));
	RET(unlink("d/x"));
	RET(unlink("g/x"));
	RET(unlink("g"));
	RET(unlink("s3"));
	RET(fstat(fd, &b));
	printf("links %ld size %ld\n", (long)b.st_nlink, (long)b.st_size);
	RET(pwrite(fd, "still here", 10, 0));
	RET(pread(other, buf, 10, 0));
	printf("%s\n", buf);
	sprintf(name, "/proc/self/fd/%d", fd);
	int again = open(name, O_RDONLY);
	NEED(again >= 0);
	RET(read(again, buf, 5));
	memset(buf, 0, sizeof(buf));
	char target[PATH_MAX] = "";
	NEED(readlink(name, target, sizeof(target) - 1) > 0);
	printf("%s\n", strrchr(target, '/'));
	RET(linkat(AT_FDCWD, name, AT_FDCWD, "revived", AT_SYMLINK_FOLLOW));
	RET(linkat(AT_FDCWD, "d", AT_FDCWD, "x", 0x8000));
	/* a descriptor keeps its offset and content after its last name went, many times */
	for (int i = 0; i < 100; i++) {
		int t = open("tmp", O_RDWR | O_CREAT | O_EXCL, 0600);
		NEED(t >= 0 && unlink("tmp") == 0 && write(t, "x", 1) == 1);
		close(t);
	}
	RET(access("tmp", F_OK));
	return 0;
}
