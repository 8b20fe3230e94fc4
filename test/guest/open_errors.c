/* SPDX-License-Identifier: BSD-2-Clause */
/* open: every way in which it fails, and what the path walk says. */
#include "t.h"

int main(void)
{
	char longname[300], longpath[5000];
	memset(longname, 'n', sizeof(longname));
	longname[256] = 0;
	memset(longpath, '/', sizeof(longpath));
	longpath[4999] = 0;
	close(t_file("f", "text"));
	NEED(mkdir("d", 0755) == 0);
	RET(open("absent", O_RDONLY));
	RET(open("", O_RDONLY));
	RET(open("absent/f", O_RDONLY));
	RET(open("absent/f", O_RDWR | O_CREAT, 0644));
	RET(open("f/x", O_RDONLY));
	RET(open("f/", O_RDONLY));
	RET(open("f/.", O_RDONLY));
	RET(open("new/", O_RDWR | O_CREAT, 0644));
	RET(open("d", O_WRONLY));
	RET(open("d", O_RDWR | O_CREAT, 0644));
	RET(open("d", O_RDONLY | O_CREAT, 0644));
	RET(open("d/", O_RDWR));
	RET(open("f", O_RDONLY | O_DIRECTORY));
	RET(open("f", O_RDWR | O_CREAT | O_EXCL, 0644));
	RET(open("d", O_RDONLY | O_CREAT | O_EXCL, 0644));
	RET(open(longname, O_RDONLY));
	RET(open(longname, O_RDWR | O_CREAT, 0644));
	RET(open(longpath, O_RDONLY));
	longname[255] = 0;
	GET(open(longname, O_RDWR | O_CREAT, 0644));
	RET(unlink(longname));
	NEED(symlink("loop2", "loop1") == 0 && symlink("loop1", "loop2") == 0);
	RET(open("loop1", O_RDONLY));
	RET(open("loop1/x", O_RDONLY));
	NEED(symlink("f", "link") == 0 && symlink("absent", "dangling") == 0);
	RET(open("link", O_RDONLY | O_NOFOLLOW));
	RET(open("dangling", O_RDONLY));
	RET(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644));
	GET(open("dangling", O_RDWR | O_CREAT, 0644));
	RET(access("absent", F_OK));
	RET(openat(999, "f", O_RDONLY));
	RET(openat(-1, "f", O_RDONLY));
	int fd = open("f", O_RDONLY);
	RET(openat(fd, "x", O_RDONLY));
	GET(openat(999, "/", O_RDONLY));
	int dir = open("d", O_RDONLY);
	RET(openat(dir, "f", O_RDONLY));
	GET(openat(dir, "../f", O_RDONLY));
	GET(openat(dir, "in", O_RDWR | O_CREAT, 0600));
	RET(access("d/in", F_OK));
	GET(open("d/../d/./../f", O_RDONLY));
	GET(open("d//in", O_RDONLY));
	GET(open("/../../..", O_RDONLY));
	/* chains of links: forty are followed, not more */
	NEED(symlink("f", "c0") == 0);
	for (int i = 1; i < 45; i++) {
		char from[8], to[8];
		sprintf(from, "c%d", i - 1);
		sprintf(to, "c%d", i);
		NEED(symlink(from, to) == 0);
	}
	GET(open("c39", O_RDONLY));
	RET(open("c40", O_RDONLY));
	return 0;
}
