/* SPDX-License-Identifier: BSD-2-Clause */
/* read, write, pread, pwrite, readv, writev, lseek: offsets, holes, short reads, errors. */
#include <sys/uio.h>
#include "t.h"

int main(void)
{
	char a[8] = "", b[8] = "", c[8] = "";
	int fd = t_file("f", "0123456789");
	RET(read(fd, a, 4));
	RET(lseek(fd, 2, SEEK_CUR));
	RET(read(fd, b, 7));
	printf("%.4s %.4s\n", a, b);
	RET(read(fd, b, 7));
	RET(lseek(fd, -1, SEEK_END));
	RET(lseek(fd, -100, SEEK_CUR));
	RET(lseek(fd, 0, 99));
	RET(lseek(fd, 1000, SEEK_SET));
	RET(read(fd, a, 1));
	RET(write(fd, "end", 3));
	RET(lseek(fd, 0, SEEK_END));
	RET(pread(fd, a, 4, 998));
	printf("%d %d %c %c\n", a[0], a[1], a[2], a[3]);
	RET(pread(fd, a, 1, -1));
	RET(pwrite(fd, a, 1, -1));
	RET(pread(fd, a, 4, 2000));
	RET(pwrite(fd, "AB", 2, 4));
	RET(lseek(fd, 0, SEEK_CUR));
	struct iovec iov[3] = { { a, 2 }, { b, 0 }, { c, 5 } };
	RET(lseek(fd, 2, SEEK_SET));
	RET(readv(fd, iov, 3));
	printf("%.2s %.5s\n", a, c);
	RET(preadv(fd, iov, 3, 0));
	printf("%.2s %.5s\n", a, c);
	RET(writev(fd, iov, 3));
	RET(pwritev(fd, iov, 3, 100));
	RET(preadv2(fd, iov, 3, -1, 0));
	RET(preadv2(fd, iov, 3, 0, 0x4000));
	RET(syscall(SYS_readv, fd, iov, -1l));
	RET(syscall(SYS_readv, fd, iov, 1025l));
	RET(readv(fd, iov, 0));
	iov[1].iov_len = -1;
	RET(readv(fd, iov, 3));
	RET(writev(fd, iov, 3));
	RET(read(999, a, 1));
	RET(write(999, a, 1));
	RET(lseek(999, 0, SEEK_SET));
	RET(pread(999, a, 1, 0));
	RET(readv(-1, iov, 1));
	RET(read(fd, a, 0));
	RET(read(fd, NULL, 0));
	RET(write(fd, NULL, 0));
	int dir = open(".", O_RDONLY), pipes[2];
	RET(read(dir, a, 1));
	NEED(pipe(pipes) == 0);
	RET(lseek(pipes[0], 0, SEEK_CUR));
	RET(pread(pipes[0], a, 1, 0));
	RET(pwrite(pipes[1], a, 1, 0));
	RET(write(pipes[0], a, 1));
	RET(read(pipes[1], a, 1));
	/* where the data is */
	int sparse = open("s", O_RDWR | O_CREAT, 0644);
	RET(ftruncate(sparse, 1 << 20));
	RET(lseek(sparse, 0, SEEK_HOLE));
	RET(lseek(sparse, 1 << 20, SEEK_DATA));
	RET(lseek(sparse, 2 << 20, SEEK_HOLE));
	return 0;
}
