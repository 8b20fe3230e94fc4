/* SPDX-License-Identifier: BSD-2-Clause */
/* A program with functions of its own under the names that libskiff has: they are called, and find
 * the next one, by name and by version, which does the work. */
/* standalone */
#include <dlfcn.h>
#include <poll.h>
#include "t.h"

static int reads, closes;

ssize_t read(int fd, void *buf, size_t n)
{
	ssize_t (*next)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
	reads++;
	return next(fd, buf, n);
}

int close(int fd)
{
	int (*next)(int) = dlvsym(RTLD_NEXT, "close", "GLIBC_2.2.5");
	closes++;
	return next(fd);
}

/* Those of libc check the size, and do not go by the program's read. */
extern ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);

static void on_abort(int sig)
{
	static const char text[] = "overflow detected\n";
	(void)!write(1, text, sizeof(text) - 1);
	_exit(7);
}

int main(void)
{
	int pipes[2];
	char c[4];

	NEED(pipe(pipes) == 0);
	NEED(write(pipes[1], "abc", 3) == 3);
	RET(read(pipes[0], c, 1));
	RET(__read_chk(pipes[0], c, 2, sizeof(c)));
	RET(close(pipes[0]));
	RET(close(pipes[0]));
	printf("read %d, close %d\n", reads, closes);
	IS(dlsym(RTLD_DEFAULT, "read") == (void *)read);
	IS(dlsym(RTLD_NEXT, "getppid") == (void *)getppid);
	printf("same parent: %d\n", getppid() == syscall(SYS_getppid));
	fflush(stdout);
	signal(SIGABRT, on_abort);
	__read_chk(pipes[1], c, sizeof(c) + 1, sizeof(c));
	return 0;
}
