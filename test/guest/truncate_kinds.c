/* SPDX-License-Identifier: BSD-2-Clause */
/* truncate and ftruncate: on what, how far, what becomes of positions, times and mappings. */
#include <sys/socket.h>
#include "t.h"

static void both(const char *name, int flags)
{
	int fd = open(name, flags);

	printf("%s %x: ", name, flags);
	if (fd < 0) {
		printf("%s\n", t_errno(errno));
		return;
	}
	int r = ftruncate(fd, 5);
	printf("%s, ", r ? t_errno(errno) : "done");
	r = ftruncate(fd, -5);
	printf("%s\n", r ? t_errno(errno) : "done");
	close(fd);
}

static bool later(const struct timespec *x, const struct timespec *y)
{
	return x->tv_sec != y->tv_sec ? x->tv_sec > y->tv_sec : x->tv_nsec > y->tv_nsec;
}

static void times(int fd, long size)
{
	struct stat before, after;

	NEED(fstat(fd, &before) == 0);
	t_sleep_ms(20);
	NEED(ftruncate(fd, size) == 0 && fstat(fd, &after) == 0);
	printf("%ld to %ld: size %ld mtime %d ctime %d\n", (long)before.st_size, size,
		(long)after.st_size, later(&after.st_mtim, &before.st_mtim),
		later(&after.st_ctim, &before.st_ctim));
	t_sleep_ms(20);
	NEED(truncate("f", size) == 0 && fstat(fd, &before) == 0);
	printf("by name, the same: mtime %d ctime %d\n", later(&before.st_mtim, &after.st_mtim),
		later(&before.st_ctim, &after.st_ctim));
}

#define LONG 80 /* pages */

/* A private copy goes with the page of the file that it was made from, but not with a hole's. */
static void private_copies(int fd)
{
	NEED(ftruncate(fd, LONG * PAGE) == 0 && pwrite(fd, "file", 4, 5 * PAGE) == 4);
	char *m = mmap(NULL, LONG * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(m != MAP_FAILED);
	for (int i = 0; i < LONG; i++)
		m[i * PAGE] = 'p';
	RET(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * PAGE, 4 * PAGE));
	printf("%c %c%c\n", m[4 * PAGE], m[5 * PAGE], m[5 * PAGE + 1]);
	RET(ftruncate(fd, 5 * PAGE + 10));
	printf("%c %c%c\n", m[4 * PAGE], m[5 * PAGE], m[5 * PAGE + 1]);
	TOUCH(m + 5 * PAGE + 20, 'r');
	TOUCH(m + 6 * PAGE, 'r');
	TOUCH(m + 6 * PAGE, 'w');
	TOUCH(m + (LONG - 1) * PAGE, 'r');
	RET(ftruncate(fd, LONG * PAGE));
	printf("%c %d %d\n", m[5 * PAGE], m[6 * PAGE], m[(LONG - 1) * PAGE]);
	m[7 * PAGE] = 'q';
	RET(mprotect(m, LONG * PAGE, PROT_NONE)); /* nobody is let in, but the copies are there */
	RET(ftruncate(fd, 4 * PAGE));
	RET(ftruncate(fd, LONG * PAGE));
	RET(mprotect(m, LONG * PAGE, PROT_READ));
	printf("%c %d %d\n", m[3 * PAGE], m[5 * PAGE], m[7 * PAGE]);
	RET(mprotect(m, LONG * PAGE, PROT_READ | PROT_WRITE));
	m[0] = 'r';
	close(open("f", O_WRONLY | O_TRUNC));
	TOUCH(m, 'r');
	NEED(munmap(m, LONG * PAGE) == 0 && ftruncate(fd, 10) == 0);
}

int main(void)
{
	char buf[16];
	int fd = t_file("f", "0123456789"), p[2], s[2];

	NEED(mkdir("d", 0755) == 0 && symlink("f", "link") == 0 && symlink("loop", "loop") == 0 &&
		symlink("absent", "dangling") == 0 && mkfifo("fifo", 0644) == 0);
	both("f", O_RDWR);
	both("f", O_WRONLY | O_APPEND);
	both("f", O_RDONLY);
	both("f", O_PATH);
	both("d", O_RDONLY);
	both("d", O_PATH);
	both("fifo", O_RDWR);
	both("/dev/null", O_RDWR);
	both("/dev/zero", O_RDWR);
	both("/proc/self/status", O_RDONLY);
	NEED(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	RET(ftruncate(p[0], 0));
	RET(ftruncate(s[0], 0));
	RET(truncate("link", 3));
	RET(truncate("loop", 3));
	RET(truncate("dangling", 3));
	RET(truncate("d", 3));
	RET(truncate("d", -3));
	RET(truncate("fifo", 3));
	RET(truncate("f/", 3));
	RET(truncate("", 3));
	RET(truncate("/dev/null", 3));
	RET(truncate("/proc/self/status", 3));
	RET(truncate(BAD_PTR, 3));
	RET(truncate(BAD_PTR, -3));
	RET(lseek(fd, 0, SEEK_END));

	/* the position stays, the next write leaves a hole */
	RET(pwrite(fd, "0123456789", 10, 0));
	RET(lseek(fd, 8, SEEK_SET));
	RET(ftruncate(fd, 2));
	RET(lseek(fd, 0, SEEK_CUR));
	RET(read(fd, buf, 4));
	RET(write(fd, "x", 1));
	RET(pread(fd, buf, 16, 0));
	for (int i = 0; i < 9; i++)
		printf("%d ", buf[i]);
	printf("\n");

	times(fd, 9);
	times(fd, 4);
	times(fd, 400);

	/* what was cut off is zero when the file grows again, in memory too */
	char *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(m != MAP_FAILED && ftruncate(fd, 3 * PAGE) == 0);
	memset(m, 'm', 3 * PAGE);
	RET(ftruncate(fd, PAGE + 100));
	printf("%d %d %d\n", m[PAGE + 99], m[PAGE + 100], m[2 * PAGE - 1]);
	TOUCH(m + 2 * PAGE, 'r');
	TOUCH(m + 2 * PAGE, 'w');
	RET(ftruncate(fd, 3 * PAGE));
	printf("%d %d\n", m[PAGE + 99], m[2 * PAGE]);
	munmap(m, 3 * PAGE);
	private_copies(fd);

	RET(open("f", O_RDONLY | O_TRUNC | O_DIRECTORY));
	close(open("f", O_WRONLY | O_TRUNC));
	RET(lseek(fd, 0, SEEK_END));
	RET(open("d", O_WRONLY | O_TRUNC));
	return 0;
}
