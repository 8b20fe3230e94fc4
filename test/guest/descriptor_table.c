/* SPDX-License-Identifier: BSD-2-Clause */
/* dup, dup2, dup3, F_DUPFD, close_range, RLIMIT_NOFILE, cloexec. */
#include <sys/resource.h>
#include "t.h"

int main(void)
{
	int fd = open("/dev/null", O_RDWR);
	RET(dup(999));
	RET(dup2(fd, fd) == fd);
	RET(dup2(999, 50));
	RET(dup2(fd, -1));
	RET(dup2(fd, 1 << 28));
	RET(dup2(fd, 100));
	RET(dup3(fd, fd, 0));
	RET(dup3(fd, 101, O_CLOEXEC));
	RET(fcntl(101, F_GETFD));
	RET(dup3(fd, 102, 0x7));
	RET(fcntl(fd, F_DUPFD, 200));
	RET(fcntl(fd, F_DUPFD_CLOEXEC, 200));
	RET(fcntl(201, F_GETFD));
	RET(fcntl(fd, F_DUPFD, 1 << 28));
	RET(fcntl(fd, F_DUPFD, -1));
	RET(fcntl(fd, F_SETFD, FD_CLOEXEC));
	RET(fcntl(100, F_GETFD));
	RET(fcntl(fd, 9999));
	RET(fcntl(999, F_GETFD));
	RET(close(999));
	RET(close(-1));
	RET(close_range(100, 150, 0));
	RET(fcntl(101, F_GETFD));
	RET(fcntl(200, F_GETFD));
	RET(close_range(200, 300, 4)); /* only marks them */
	RET(fcntl(200, F_GETFD));
	RET(close_range(5, 4, 0));
	struct rlimit old, few = { 50, 4096 };
	NEED(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few.rlim_max = old.rlim_max;
	RET(setrlimit(RLIMIT_NOFILE, &few));
	RET(dup2(fd, 50));
	GET(dup2(fd, 49));
	RET(fcntl(fd, F_DUPFD, 50));
	int n = 0, last;
	while ((last = dup(fd)) >= 0 && n < 1000)
		n++;
	printf("last %s\n", t_errno(errno));
	RET(open("/dev/null", O_RDONLY));
	int p[2];
	RET(pipe(p));
	RET(fcntl(200, F_GETFD));
	setrlimit(RLIMIT_NOFILE, &old);
	few.rlim_cur = few.rlim_max + 1;
	RET(setrlimit(RLIMIT_NOFILE, &few));
	RET(getrlimit(99, &old));
	RET(prlimit(0, RLIMIT_CORE, NULL, &old));
	RET(prlimit(0x3ffffff, RLIMIT_CORE, NULL, &old));
	return 0;
}
