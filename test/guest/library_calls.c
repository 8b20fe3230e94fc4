/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions that libskiff has: what they give back, what they put into errno and what not. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include "t.h"

static void on_closed(void)
{
	struct pollfd p = { -1, 0, 0 };
	struct epoll_event e;
	struct msghdr m = { 0 };
	struct iovec v = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct itimerspec t = { 0 };
	struct stat st;
	eventfd_t value;
	socklen_t len = 4;
	char c[4];

	RET(read(-1, c, 1));
	RET(write(-1, c, 1));
	RET(readv(-1, &v, 1));
	RET(writev(-1, &v, 1));
	RET(pread(-1, c, 1, 0));
	RET(pwrite(-1, c, 1, 0));
	RET(pread64(-1, c, 1, 0));
	RET(pwrite64(-1, c, 1, 0));
	RET(close(-1));
	RET(lseek(-1, 0, SEEK_SET));
	RET(fstat(-1, &st));
	RET(send(-1, c, 1, 0));
	RET(sendto(-1, c, 1, 0, (struct sockaddr *)&in, sizeof(in)));
	RET(sendmsg(-1, &m, 0));
	RET(recv(-1, c, 1, 0));
	RET(recvfrom(-1, c, 1, 0, NULL, NULL));
	RET(recvmsg(-1, &m, 0));
	RET(accept(-1, NULL, NULL));
	RET(accept4(-1, NULL, NULL, 0));
	RET(connect(-1, (struct sockaddr *)&in, sizeof(in)));
	RET(shutdown(-1, SHUT_RD));
	RET(setsockopt(-1, SOL_SOCKET, SO_REUSEADDR, &len, sizeof(len)));
	RET(getsockopt(-1, SOL_SOCKET, SO_TYPE, c, &len));
	RET(poll(&p, 1, 0));
	RET(epoll_wait(-1, &e, 1, 0));
	RET(epoll_pwait(-1, &e, 1, 0, NULL));
	RET(epoll_ctl(-1, EPOLL_CTL_ADD, 0, &e));
	RET(eventfd_read(-1, &value));
	RET(eventfd_write(-1, 1));
	RET(sendfile(-1, -1, NULL, 1));
	RET(timerfd_settime(-1, 0, &t, NULL));
}

static void with_files(void)
{
	struct timespec none = { 0, 1000 };
	struct pollfd p = { -1, 0, 0 };
	struct stat st;
	char c[8] = "";
	off_t at = 2;
	int fd = t_file("file", "content"), to = t_file("to", ""), e = eventfd(0, EFD_NONBLOCK);
	eventfd_t value;

	RET(pread(fd, c, 3, 4));
	printf("%s\n", c);
	RET(pwrite(fd, "XY", 2, 6));
	RET(lseek(fd, -2, SEEK_END));
	RET(lseek(fd, -20, SEEK_SET));
	RET(fstat(fd, &st));
	printf("%ld bytes\n", (long)st.st_size);
	RET(sendfile(to, fd, &at, 4));
	printf("at %ld\n", (long)at);
	RET(pread(fd, (void *)BAD_PTR, 3, 0));
	RET(pread(fd, c, 1, -1));
	RET(fstat(fd, (void *)BAD_PTR));
	RET(eventfd_read(e, &value));
	RET(eventfd_write(e, 5));
	RET(eventfd_read(e, &value));
	printf("counted %ld\n", (long)value);
	RET(ppoll(&p, 1, &none, NULL));
	printf("the time is as it was: %d\n", none.tv_nsec == 1000);
	RET(getrandom(c, 8, 0));
	RET(getrandom(c, 8, 0x80));
	RET(connect(fd, NULL, 0));
	RET(accept(fd, NULL, NULL));
	close(fd);
	close(to);
	close(e);

	int (*old)(int, int, struct stat *) = dlsym(RTLD_DEFAULT, "__fxstat");
	NEED(old);
	fd = t_file("file", "12345");
	RET(old(1, fd, &st));
	printf("%ld bytes\n", (long)st.st_size);
	RET(old(2, fd, &st));
	RET(old(1, -1, &st));
	close(fd);
}

static void datagrams(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } },
			   from = { 0 };
	socklen_t len = sizeof(in);
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), type = 0;
	char c[8] = "";

	NEED(bind(a, (struct sockaddr *)&in, len) == 0);
	NEED(getsockname(a, (struct sockaddr *)&in, &len) == 0);
	RET(sendto(b, "hello", 5, 0, (struct sockaddr *)&in, len));
	len = sizeof(from);
	RET(recvfrom(a, c, sizeof(c), 0, (struct sockaddr *)&from, &len));
	printf("%s from %x, %d bytes\n", c, ntohl(from.sin_addr.s_addr), (int)len);
	RET(recvfrom(a, c, sizeof(c), MSG_DONTWAIT, NULL, NULL));
	RET(connect(b, (struct sockaddr *)&in, sizeof(in)));
	RET(send(b, "again", 5, 0));
	RET(recv(a, c, 2, MSG_TRUNC));
	len = sizeof(type);
	RET(getsockopt(a, SOL_SOCKET, SO_TYPE, &type, &len));
	printf("type %d\n", type == SOCK_DGRAM);
	RET(shutdown(a, 9));
	close(a);
	close(b);
}

static void numbers(void)
{
	long p;

	IS(syscall(SYS_getpid) == getpid());
	IS(syscall(SYS_gettid) == gettid());
	RET(syscall(500));
	RET(syscall(512 + SYS_getpid));
	RET(syscall(-1));
	RET(syscall(SYS_close, -1));
	p = syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	IS(p != -1);
	RET(syscall(SYS_munmap, p, PAGE));
	RET(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1));
	errno = E2BIG;
	(void)getpid();
	(void)syscall(SYS_getuid);
	(void)sched_yield();
	printf("errno is left alone: %d\n", errno == E2BIG);
}

int main(void)
{
	on_closed();
	with_files();
	datagrams();
	numbers();
	return 0;
}
