/* SPDX-License-Identifier: BSD-2-Clause */
/* O_PATH descriptors name a file and do nothing else. */
#include <sys/statfs.h>
#include "t.h"

int main(void)
{
	char buf[100] = "", name[64];
	struct stat st;
	close(t_file("f", "path only"));
	NEED(mkdir("d", 0755) == 0);
	NEED(symlink("f", "l") == 0);
	int fd = open("f", O_PATH);
	NEED(fd >= 0);
	RET(read(fd, buf, 4));
	RET(write(fd, buf, 4));
	RET(lseek(fd, 0, SEEK_SET));
	RET(fstat(fd, &st));
	printf("size %ld\n", (long)st.st_size);
	RET(ftruncate(fd, 0));
	RET(fchmod(fd, 0600));
	RET(fsync(fd));
	GET(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
	IS(fcntl(fd, F_GETFL) & O_PATH);
	GET(fcntl(fd, F_DUPFD, 0));
	sprintf(name, "/proc/self/fd/%d", fd);
	int again = open(name, O_RDONLY);
	NEED(again >= 0);
	RET(read(again, buf, 9));
	printf("%s\n", buf);
	int link = open("l", O_PATH | O_NOFOLLOW);
	RET(fstat(link, &st));
	IS(S_ISLNK(st.st_mode));
	memset(buf, 0, sizeof(buf));
	RET(readlinkat(link, "", buf, sizeof(buf)));
	printf("%s\n", buf);
	int dir = open("d", O_PATH);
	GET(openat(dir, "new", O_RDWR | O_CREAT, 0644));
	RET(fchdir(dir));
	RET(access("new", F_OK));
	RET(fstatat(fd, "", &st, AT_EMPTY_PATH));
	RET(fstatat(fd, "", &st, 0));
	RET(open("absent", O_PATH));
	RET(open("new", O_PATH | O_DIRECTORY));
	return 0;
}
