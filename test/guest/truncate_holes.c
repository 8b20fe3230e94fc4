/* SPDX-License-Identifier: BSD-2-Clause */
/* Truncation both ways, holes read as zero, SEEK_DATA and SEEK_HOLE, fallocate, limits. */
#include "t.h"

int main(void)
{
	char buf[8192];
	struct stat st;
	int fd = t_file("f", "0123456789");
	RET(ftruncate(fd, 5));
	RET(ftruncate(fd, 8));
	RET(pread(fd, buf, 20, 0));
	for (int i = 0; i < 8; i++)
		printf("%d ", buf[i]);
	putchar('\n');
	RET(ftruncate(fd, -1));
	RET(truncate("f", 3));
	RET(truncate("absent", 3));
	RET(truncate(".", 3));
	RET(truncate("f/x", 3));
	RET(fstat(fd, &st));
	printf("%ld\n", (long)st.st_size);
	int ro = open("f", O_RDONLY);
	RET(ftruncate(ro, 0));
	RET(fallocate(ro, 0, 0, 10));
	RET(fallocate(fd, 0, 0, 0));
	RET(fallocate(fd, 0, -1, 10));
	RET(pwrite(fd, "end", 3, 1 << 20));
	memset(buf, 1, sizeof(buf));
	RET(pread(fd, buf, sizeof(buf), 4096));
	int sum = 0;
	for (unsigned i = 0; i < sizeof(buf); i++)
		sum += buf[i];
	printf("sum %d\n", sum);
	RET(lseek(fd, 0, SEEK_HOLE));
	RET(lseek(fd, 4096, SEEK_DATA));
	RET(lseek(fd, 1 << 20, SEEK_HOLE));
	RET(lseek(fd, 1 << 21, SEEK_DATA));
	RET(lseek(fd, -1, SEEK_DATA));
	RET(lseek(fd, 0, 77));
	RET(lseek(fd, -1, SEEK_SET));
	RET(lseek(fd, -2, SEEK_END));
	RET(read(fd, buf, 10));
	RET(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 << 20));
	RET(fstat(fd, &st));
	printf("%ld\n", (long)st.st_size);
	RET(fallocate(fd, 0, 0, 4 << 20));
	RET(fstat(fd, &st));
	printf("%ld %d\n", (long)st.st_size, st.st_blocks >= 8192);
	RET(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
	RET(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 2));
	RET(pread(fd, buf, 3, 1 << 20));
	printf("%d %d %c\n", buf[0], buf[1], buf[2]);
	RET(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
	RET(lseek(fd, 0, SEEK_DATA));
	int p[2];
	NEED(pipe(p) == 0);
	RET(ftruncate(p[1], 0));
	RET(fallocate(p[1], 0, 0, 10));
	return 0;
}
