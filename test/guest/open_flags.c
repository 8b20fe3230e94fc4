/* SPDX-License-Identifier: BSD-2-Clause */
/* What the flags of open do: create, truncate, append, exclusive, close-on-exec, F_GETFL. */
#include "t.h"

static void content(const char *name)
{
	char buf[100] = "";
	int fd = open(name, O_RDONLY);
	long n = read(fd, buf, 99);
	printf("%s: %ld \"%s\"\n", name, n, buf);
	close(fd);
}

int main(void)
{
	struct stat st;
	umask(027);
	int fd = open("f", O_WRONLY | O_CREAT | O_EXCL, 0666);
	NEED(fd >= 0);
	fstat(fd, &st);
	printf("mode %o\n", st.st_mode);
	RET(write(fd, "hello", 5));
	char c;
	RET(read(fd, &c, 1));
	IS(fcntl(fd, F_GETFL) == (O_WRONLY | 0100000));
	RET(close(fd));
	fd = open("f", O_RDONLY);
	RET(write(fd, "x", 1));
	IS(fcntl(fd, F_GETFD) == 0);
	RET(close(fd));
	fd = open("f", O_RDWR | O_APPEND | O_CLOEXEC);
	IS(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	IS((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_RDWR | O_APPEND));
	RET(write(fd, " world", 6));
	RET(lseek(fd, 0, SEEK_SET));
	RET(write(fd, "!", 1));
	RET(lseek(fd, 0, SEEK_CUR));
	RET(pwrite(fd, "?", 1, 0)); /* appends, as Linux does */
	content("f");
	RET(fcntl(fd, F_SETFL, 0));
	RET(pwrite(fd, "J", 1, 0));
	content("f");
	RET(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
	IS((fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND)) == (O_NONBLOCK | O_APPEND));
	close(fd);
	fd = open("f", O_RDWR | O_TRUNC);
	fstat(fd, &st);
	printf("size %ld\n", (long)st.st_size);
	close(fd);
	fd = open("g", O_RDONLY | O_CREAT, 0400);
	fstat(fd, &st);
	printf("mode %o\n", st.st_mode);
	close(fd);
	fd = open("d", O_RDONLY | O_CREAT, 07777);
	fstat(fd, &st);
	printf("mode %o\n", st.st_mode);
	/* two descriptions of one file have two offsets, a duplicate shares */
	fd = open("f", O_RDWR);
	int other = open("f", O_RDWR), dup_fd = dup(fd);
	RET(write(fd, "abcdef", 6));
	RET(lseek(other, 0, SEEK_CUR));
	RET(lseek(dup_fd, 0, SEEK_CUR));
	RET(close(fd));
	RET(close(fd));
	RET(write(dup_fd, "g", 1));
	content("f");
	int low = open("f", O_RDONLY);
	IS(low == fd);
	int tmp = open(".", O_TMPFILE | O_RDWR, 0600);
	if (tmp >= 0 || errno == EOPNOTSUPP || errno == EISDIR)
		printf("O_TMPFILE answers\n");
	return 0;
}
