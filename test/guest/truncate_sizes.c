/* SPDX-License-Identifier: BSD-2-Clause */
/* truncate, ftruncate, fallocate, sparse files, RLIMIT_FSIZE. */
#include <sys/resource.h>
#include <sys/sendfile.h>
#include "t.h"

int main(void)
{
	struct stat st;
	char buf[16] = "";
	int fd = t_file("f", "0123456789");
	RET(ftruncate(fd, 4));
	RET(ftruncate(fd, 8));
	RET(pread(fd, buf, 8, 0));
	printf("%d %d %c\n", buf[4], buf[7], buf[3]);
	RET(truncate("f", 2));
	RET(fstat(fd, &st));
	printf("size %ld\n", (long)st.st_size);
	RET(truncate("f", -1));
	RET(truncate("absent", 1));
	RET(truncate(".", 1));
	RET(ftruncate(open("f", O_RDONLY), 1));
	RET(ftruncate(999, 1));
	int p[2];
	NEED(pipe(p) == 0);
	RET(ftruncate(p[1], 1));
	RET(fallocate(fd, 0, 0, 10000));
	RET(fstat(fd, &st));
	printf("size %ld\n", (long)st.st_size);
	RET(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000));
	RET(fstat(fd, &st));
	printf("size %ld\n", (long)st.st_size);
	RET(pwrite(fd, "keep", 4, 5000));
	RET(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	RET(pread(fd, buf, 4, 5000));
	printf("%.4s\n", buf);
	RET(fallocate(fd, 0, -1, 10));
	RET(fallocate(fd, 0, 0, 0));
	ERR(posix_fallocate(fd, 0, 20000));
	RET(pwrite(fd, "far", 3, 1l << 32));
	RET(fstat(fd, &st));
	printf("size %ld, sparse %d\n", (long)st.st_size, st.st_blocks < 10000);
	RET(pread(fd, buf, 8, (1l << 32) - 4));
	printf("%d %.3s\n", buf[3], buf + 4);
	RET(ftruncate(fd, 0));
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit limit = { 100, RLIM_INFINITY };
	RET(setrlimit(RLIMIT_FSIZE, &limit));
	RET(pwrite(fd, buf, 10, 95));
	RET(pwrite(fd, buf, 10, 100));
	RET(ftruncate(fd, 101));
	RET(truncate("f", 101));
	RET(truncate("f", 100));
	RET(fallocate(fd, 0, 50, 51));
	int from = t_file("from", "0123456789");
	off_t at = 0;
	lseek(fd, 94, SEEK_SET);
	RET(sendfile(fd, from, &at, 10));
	printf("offset %ld, position %ld\n", (long)at, (long)lseek(fd, 0, SEEK_CUR));
	RET(sendfile(fd, from, &at, 10));
	off64_t in = 0, to = 97;
	RET(copy_file_range(from, &in, fd, &to, 10, 0));
	RET(copy_file_range(from, &in, fd, &to, 10, 0));
	printf("offsets %ld %ld\n", (long)in, (long)to);
	NEED(pipe(p) == 0 && write(p[1], "abcdefgh", 8) == 8);
	to = 95;
	RET(splice(p[0], NULL, fd, &to, 8, 0));
	RET(splice(p[0], NULL, fd, &to, 8, 0));
	limit.rlim_cur = 50;
	setrlimit(RLIMIT_FSIZE, &limit);
	RET(ftruncate(fd, 90));
	RET(truncate("f", 80));
	RET(truncate("f", 81));
	RET(fstat(fd, &st));
	printf("size %ld\n", (long)st.st_size);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	RET(fsync(fd));
	RET(fdatasync(fd));
	RET(fsync(999));
	return 0;
}
