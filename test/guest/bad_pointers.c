/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever call gets a bad pointer, the answer is EFAULT and nothing else happens. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include "t.h"

int main(void)
{
	void *volatile bad = BAD_PTR;
	void *volatile kernel = (void *)0xffffffff80100000;
	void *volatile weird = (void *)0x8000000000000000;
	int fd = t_file("f", "text in a file"), pipes[2];
	NEED(pipe(pipes) == 0);
	RET(read(fd, bad, 4));
	RET(lseek(fd, 0, SEEK_CUR));
	RET(read(fd, kernel, 4));
	RET(read(fd, weird, 4));
	RET(write(fd, bad, 4));
	RET(write(fd, kernel, 4));
	RET(write(pipes[1], bad, 4));
	RET(pread(fd, bad, 4, 0));
	RET(readv(fd, bad, 1));
	struct iovec iov = { bad, 4 };
	RET(readv(fd, &iov, 1));
	RET(writev(fd, &iov, 1));
	RET(open(bad, O_RDONLY));
	RET(open(kernel, O_RDONLY));
	RET(stat(bad, bad));
	RET(syscall(SYS_newfstatat, AT_FDCWD, "f", bad, 0));
	RET(syscall(SYS_fstat, fd, bad));
	RET(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, bad));
	RET(statfs("f", bad));
	RET(access(bad, R_OK));
	RET(unlink(bad));
	RET(rename("f", bad));
	RET(link(bad, "g"));
	RET(symlink(bad, "g"));
	RET(readlink("f", bad, 0));
	RET(symlink("f", "l"));
	RET(readlink("l", bad, 10));
	RET(mkdir(bad, 0755));
	RET(chdir(bad));
	RET(syscall(SYS_getcwd, bad, 100));
	RET(syscall(SYS_getdents64, open(".", O_RDONLY), bad, 1000));
	RET(syscall(SYS_pipe2, bad, 0));
	RET(syscall(SYS_uname, bad));
	RET(syscall(SYS_gettimeofday, bad, NULL));
	RET(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad));
	RET(syscall(SYS_clock_getres, CLOCK_MONOTONIC, bad));
	RET(syscall(SYS_nanosleep, bad, NULL));
	RET(syscall(SYS_getrlimit, RLIMIT_NOFILE, bad));
	RET(syscall(SYS_setrlimit, RLIMIT_NOFILE, bad));
	RET(syscall(SYS_getrusage, RUSAGE_SELF, bad));
	RET(syscall(SYS_sysinfo, bad));
	RET(syscall(SYS_times, bad));
	RET(syscall(SYS_getrandom, bad, 8, 0));
	RET(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8));
	RET(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8));
	RET(syscall(SYS_rt_sigprocmask, SIG_BLOCK, bad, NULL, 8));
	RET(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bad, 8));
	RET(syscall(SYS_rt_sigpending, bad, 8));
	RET(syscall(SYS_sigaltstack, bad, NULL));
	RET(syscall(SYS_futex, bad, 0, 0, NULL, NULL, 0));
	RET(syscall(SYS_poll, bad, 1, 0));
	RET(syscall(SYS_select, 3, bad, NULL, NULL, NULL));
	RET(syscall(SYS_epoll_ctl, epoll_create1(0), EPOLL_CTL_ADD, pipes[0], bad));
	RET(syscall(SYS_timerfd_settime, timerfd_create(CLOCK_MONOTONIC, 0), 0, bad, NULL));
	RET(syscall(SYS_sched_getaffinity, 0, 128, bad));
	RET(syscall(SYS_prctl, 15, bad));
	int sv[2];
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	RET(send(sv[0], bad, 4, 0));
	RET(write(sv[0], "data", 4));
	RET(recv(sv[1], bad, 4, 0));
	RET(sendmsg(sv[0], bad, 0));
	RET(recvmsg(sv[1], bad, MSG_DONTWAIT));
	RET(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, bad));
	RET(syscall(SYS_getsockname, sv[0], bad, bad));
	RET(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, bad, 4));
	RET(getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, bad, bad));
	RET(syscall(SYS_bind, sv[0], bad, 16));
	/* half good: what fits is done */
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(munmap(p + PAGE, PAGE) == 0);
	memcpy(p + PAGE - 4, "good", 4);
	RET(lseek(fd, 0, SEEK_SET));
	RET(read(fd, p + PAGE - 4, 10));
	printf("%.4s\n", p + PAGE - 4);
	RET(write(pipes[1], p + PAGE - 4, 4));
	RET(access(p + PAGE - 4, F_OK));
	return 0;
}
