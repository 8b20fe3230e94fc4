/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll: in which order and how often members are reported, nesting, descriptors that do not fit.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include "t.h"

static int ep;

static void show(const char *when, int max)
{
	struct epoll_event e[8];
	int n = epoll_wait(ep, e, max, 0);

	printf("%s:", when);
	for (int i = 0; i < n; i++)
		printf(" %u/%x", e[i].data.u32, e[i].events);
	printf("%s\n", n < 0 ? t_errno(errno) : "");
}

static int ctl(int set, int op, int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event e = { .events = events, .data.u32 = tag };

	return epoll_ctl(set, op, fd, &e);
}

static void add(uint64_t value, int fd)
{
	NEED(write(fd, &value, sizeof(value)) == sizeof(value));
}

static void turns(void)
{
	int fd[3];
	uint64_t value;

	ep = epoll_create1(0);
	for (uint32_t i = 0; i < 3; i++) {
		fd[i] = eventfd(1, EFD_NONBLOCK);
		NEED(ctl(ep, EPOLL_CTL_ADD, fd[i], EPOLLIN, i) == 0);
	}
	for (int i = 0; i < 4; i++)
		show("one at a time", 1);
	show("two", 2);
	show("two", 2);
	show("all", 8);
	NEED(read(fd[1], &value, 8) == 8);
	show("without one", 8);
	add(1, fd[1]);
	show("again", 8);
	RET(ctl(ep, EPOLL_CTL_MOD, fd[0], 0, 10));
	show("one asks for nothing", 8);
	RET(ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLOUT, 11));
	show("and for both", 8);
	close(fd[2]);
	show("one closed", 8);
	close(fd[1]);
	close(fd[0]);
	show("all closed", 8);
	close(ep);
}

static void edges(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t value;

	ep = epoll_create1(0);
	RET(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	show("at first", 8);
	show("no more", 8);
	add(3, fd);
	show("added", 8);
	add(0, fd);
	show("nothing added", 8);
	NEED(read(fd, &value, 8) == 8);
	show("taken", 8);
	add(UINT64_MAX - 1, fd);
	show("full", 8);
	RET(read(fd, &value, 8));
	show("emptied", 8);
	RET(read(fd, &value, 8));
	show("nothing there", 8);
	RET(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLET | EPOLLONESHOT, 2));
	show("once", 8);
	add(1, fd);
	show("not again", 8);
	RET(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 3));
	add(1, fd);
	show("once, twice added", 8);
	close(fd);
	close(ep);
}

static void streams(void)
{
	int s[2];
	char c;

	NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0);
	ep = epoll_create1(0);
	RET(ctl(ep, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	show("quiet", 8);
	RET(write(s[1], "abc", 3));
	show("bytes", 8);
	RET(read(s[0], &c, 1));
	show("one read", 8);
	RET(write(s[1], "d", 1));
	show("one more", 8);
	RET(shutdown(s[1], SHUT_WR));
	show("half closed", 8);
	RET(close(s[1]));
	show("closed", 8);
	RET(ctl(ep, EPOLL_CTL_MOD, s[0], 0, 2));
	show("nothing asked", 8);
	show("level", 8);
	close(s[0]);
	close(ep);
}

static void nests(void)
{
	int set[5], fd = eventfd(1, 0);

	for (int i = 0; i < 5; i++)
		set[i] = epoll_create1(0);
	for (int i = 3; i >= 0; i--)
		RET(ctl(set[i], EPOLL_CTL_ADD, set[i + 1], EPOLLIN, 0));
	RET(ctl(set[1], EPOLL_CTL_ADD, set[0], EPOLLIN, 0));
	RET(ctl(set[4], EPOLL_CTL_ADD, set[0], EPOLLIN, 0));
	RET(ctl(set[0], EPOLL_CTL_ADD, set[0], EPOLLIN, 0));
	RET(ctl(set[4], EPOLL_CTL_ADD, fd, EPOLLIN, 0));
	ep = set[0];
	show("through all", 8);
	for (int i = 0; i < 5; i++)
		close(set[i]);
	/* a set in a set, and in poll */
	set[0] = epoll_create1(0);
	ep = epoll_create1(0);
	RET(ctl(set[0], EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 5));
	RET(ctl(ep, EPOLL_CTL_ADD, set[0], EPOLLIN, 6));
	show("outer", 8);
	show("outer, level", 8);
	struct pollfd p = { set[0], POLLIN | POLLOUT, 0 };
	RET(poll(&p, 1, 0));
	printf("%x\n", p.revents);
	struct epoll_event e;
	RET(epoll_wait(set[0], &e, 1, 0));
	show("outer, inner taken", 8);
	add(1, fd);
	show("outer, new edge", 8);
	close(set[0]);
	show("inner closed", 8);
	close(fd);
	close(ep);
}

static void refusals(void)
{
	int fd = eventfd(0, 0), path = open(".", O_PATH), dir = open(".", O_RDONLY), dev[2];
	struct epoll_event e = { .events = EPOLLIN };
	struct pollfd p = { path, POLLIN, 0 };

	ep = epoll_create1(0);
	RET(epoll_ctl(ep, EPOLL_CTL_ADD, path, &e));
	RET(epoll_ctl(path, EPOLL_CTL_ADD, fd, &e));
	RET(epoll_wait(path, &e, 1, 0));
	RET(epoll_ctl(ep, EPOLL_CTL_ADD, dir, &e));
	RET(epoll_ctl(fd, EPOLL_CTL_ADD, fd, &e));
	RET(epoll_ctl(fd, EPOLL_CTL_ADD, ep, &e));
	RET(epoll_ctl(ep, EPOLL_CTL_ADD, fd, BAD_PTR));
	RET(epoll_ctl(999, EPOLL_CTL_ADD, fd, BAD_PTR));
	RET(epoll_ctl(ep, 99, fd, BAD_PTR));
	RET(epoll_ctl(ep, EPOLL_CTL_DEL, fd, BAD_PTR));
	RET(epoll_ctl(ep, EPOLL_CTL_DEL, 999, NULL));
	RET(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0));
	RET(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, 0));
	RET(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 0));
	RET(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0));
	RET(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE, 0));
	RET(epoll_wait(ep, &e, INT_MAX, 0));
	RET(epoll_wait(ep, (void *)-4096l, 1, 0));
	RET(epoll_pwait(ep, &e, 1, 0, NULL));
	RET(syscall(SYS_epoll_pwait, ep, &e, 1, 0, &e, 3));
	RET(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 7));
	add(1, fd);
	RET(epoll_wait(ep, BAD_PTR, 1, 0));
	show("not lost", 8);
	RET(poll(&p, 1, 0));
	printf("%x\n", p.revents);
	fd_set in;
	FD_ZERO(&in);
	FD_SET(path, &in);
	RET(select(path + 1, &in, NULL, NULL, NULL));
	RET(read(ep, &e, sizeof(e)));
	RET(write(ep, &e, sizeof(e)));
	RET(lseek(ep, 0, SEEK_SET));
	dev[0] = open("/dev/null", O_RDWR);
	dev[1] = open("/dev/zero", O_RDWR);
	RET(epoll_ctl(ep, EPOLL_CTL_ADD, dev[0], &e));
	RET(epoll_ctl(ep, EPOLL_CTL_ADD, dev[1], &e));
	close(dev[0]);
	close(dev[1]);
	close(path);
	close(dir);
	close(fd);
	close(ep);
}

int main(void)
{
	turns();
	edges();
	streams();
	nests();
	refusals();
	return 0;
}
