/* SPDX-License-Identifier: BSD-2-Clause */
/* What single system calls cost, from one thread that nobody disturbs. */
#include "micro.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int fds[2], epoll_fd;
static char buf[64];

static int must(int result, const char *what)
{
	if (result < 0)
		micro_die(what);
	return result;
}

/* ---- the doors ---- */

/* The number comes from memory: no patcher can know which call this is. */
static void op_getppid_syscall(void)
{
	static volatile int nr = SYS_getppid;
	long ret = nr;

	__asm__ volatile("syscall" : "+a"(ret) : : "rcx", "r11", "memory");
}

static void op_getppid_site(void)
{
	MICRO_CALL(SYS_getppid, 0, 0, 0, 0);
}

static void op_getppid_libc(void)
{
	getppid();
}

static double getppid_syscall(void)
{
	return micro_per_op(op_getppid_syscall);
}

static double getppid_site(void)
{
	return micro_per_op(op_getppid_site);
}

static double getppid_libc(void)
{
	return micro_per_op(op_getppid_libc);
}

/* ---- time ---- */

static void op_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
}

static double clock_libc(void)
{
	return micro_per_op(op_clock);
}

static void op_clock_syscall(void)
{
	struct timespec t;

	MICRO_CALL(SYS_clock_gettime, CLOCK_MONOTONIC, &t, 0, 0);
}

static double clock_syscall(void)
{
	return micro_per_op(op_clock_syscall);
}

/* ---- files ---- */

static void op_read(void)
{
	if (read(fds[0], buf, 1) != 1)
		micro_die("read");
}

static void op_write(void)
{
	if (write(fds[1], buf, 1) != 1)
		micro_die("write");
}

static double zero_read(void)
{
	double cost;

	fds[0] = must(open("/dev/zero", O_RDONLY), "/dev/zero");
	cost = micro_per_op(op_read);
	close(fds[0]);
	return cost;
}

static double null_write(void)
{
	double cost;

	fds[1] = must(open("/dev/null", O_WRONLY), "/dev/null");
	cost = micro_per_op(op_write);
	close(fds[1]);
	return cost;
}

#define FILE_NAME "/tmp/micro-file"

static void op_open_close(void)
{
	int fd = open(FILE_NAME, O_RDONLY);

	if (fd < 0)
		micro_die(FILE_NAME);
	close(fd);
}

static double open_close(void)
{
	double cost;

	close(must(open(FILE_NAME, O_CREAT | O_RDWR, 0644), FILE_NAME));
	cost = micro_per_op(op_open_close);
	unlink(FILE_NAME);
	return cost;
}

static void op_fstat(void)
{
	struct stat st;

	fstat(fds[0], &st);
}

static double fstat_file(void)
{
	double cost;

	fds[0] = must(open(FILE_NAME, O_CREAT | O_RDWR, 0644), FILE_NAME);
	cost = micro_per_op(op_fstat);
	close(fds[0]);
	unlink(FILE_NAME);
	return cost;
}

static void op_pread(void)
{
	if (pread(fds[0], buf, sizeof(buf), 0) != sizeof(buf))
		micro_die("pread");
}

static double file_read(void)
{
	double cost;

	fds[0] = must(open(FILE_NAME, O_CREAT | O_RDWR, 0644), FILE_NAME);
	if (write(fds[0], buf, sizeof(buf)) != sizeof(buf))
		micro_die("write");
	cost = micro_per_op(op_pread);
	close(fds[0]);
	unlink(FILE_NAME);
	return cost;
}

/* ---- waiting for nothing ---- */

static void op_futex_wake(void)
{
	static int word;

	MICRO_CALL(SYS_futex, &word, 129 /* FUTEX_WAKE | FUTEX_PRIVATE_FLAG */, 1, 0);
}

static double futex_wake(void)
{
	return micro_per_op(op_futex_wake);
}

static void op_epoll(void)
{
	struct epoll_event e[8];

	epoll_wait(epoll_fd, e, 8, 0);
}

/* `ready`: whether its one member, an event counter, has something. */
static double epoll_with(unsigned ready)
{
	struct epoll_event e = { .events = EPOLLIN };
	double cost;

	epoll_fd = must(epoll_create1(0), "epoll_create1");
	fds[0] = must(eventfd(ready, 0), "eventfd");
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[0], &e), "epoll_ctl");
	cost = micro_per_op(op_epoll);
	close(fds[0]);
	close(epoll_fd);
	return cost;
}

static double epoll_empty(void)
{
	return epoll_with(0);
}

static double epoll_ready(void)
{
	return epoll_with(1);
}

/* ---- bytes through the kernel and back, one thread ---- */

static void op_write_read(void)
{
	op_write();
	op_read();
}

static double pipe_write_read(void)
{
	double cost;

	must(pipe(fds), "pipe");
	cost = micro_per_op(op_write_read);
	close(fds[0]);
	close(fds[1]);
	return cost;
}

static void op_write_read_64(void)
{
	if (write(fds[1], buf, 64) != 64 || read(fds[0], buf, 64) != 64)
		micro_die("socketpair");
}

static double socketpair_write_read(void)
{
	double cost;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	cost = micro_per_op(op_write_read_64);
	close(fds[0]);
	close(fds[1]);
	return cost;
}

const struct micro micro_calls[] = {
	{ "getppid_syscall", getppid_syscall },
	{ "getppid_site", getppid_site },
	{ "getppid_libc", getppid_libc },
	{ "clock_libc", clock_libc },
	{ "clock_syscall", clock_syscall },
	{ "zero_read", zero_read },
	{ "null_write", null_write },
	{ "open_close", open_close },
	{ "fstat", fstat_file },
	{ "file_read", file_read },
	{ "futex_wake", futex_wake },
	{ "epoll_empty", epoll_empty },
	{ "epoll_ready", epoll_ready },
	{ "pipe_write_read", pipe_write_read },
	{ "socketpair_write_read", socketpair_write_read },
	{ NULL, NULL },
};
