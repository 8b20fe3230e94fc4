/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll: level, edge, one-shot, changes, nesting, closed descriptors, errors. */
#include <sys/epoll.h>
#include "t.h"

static int ep;

static void wait_for(const char *what, int timeout)
{
	struct epoll_event ev[8];
	int n = epoll_wait(ep, ev, 8, timeout);
	printf("%s: %d", what, n);
	for (int i = 0; i < n; i++)
		printf(" %x/%d", ev[i].events, ev[i].data.fd < 100 ? 0 : ev[i].data.fd);
	putchar('\n');
}

static int set(int op, int fd, uint32_t events, int tag)
{
	struct epoll_event ev = { .events = events, .data.fd = tag };
	return epoll_ctl(ep, op, fd, &ev);
}

static int pipes[2];
static void *write_later(void *arg)
{
	t_sleep_ms(10);
	return (void *)(long)write(pipes[1], "x", 1);
}

int main(void)
{
	char buf[10];
	ep = epoll_create1(EPOLL_CLOEXEC);
	NEED(ep >= 0 && pipe2(pipes, O_NONBLOCK) == 0);
	IS(fcntl(ep, F_GETFD) == FD_CLOEXEC);
	RET(set(EPOLL_CTL_ADD, pipes[0], EPOLLIN, 101));
	wait_for("empty", 0);
	(void)!write(pipes[1], "abc", 3);
	wait_for("level", 0);
	wait_for("level again", 0);
	RET(set(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLET, 102));
	wait_for("edge", 0);
	wait_for("edge again", 0);
	(void)!write(pipes[1], "d", 1);
	wait_for("edge, more came", 0);
	(void)!read(pipes[0], buf, 2);
	wait_for("edge, partly read", 0);
	RET(set(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLONESHOT, 103));
	wait_for("once", 0);
	(void)!write(pipes[1], "e", 1);
	wait_for("once again", 0);
	RET(set(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLONESHOT, 104));
	wait_for("armed anew", 0);
	RET(set(EPOLL_CTL_ADD, pipes[1], EPOLLOUT, 105));
	wait_for("writable", 0);
	RET(set(EPOLL_CTL_DEL, pipes[1], 0, 0));
	RET(set(EPOLL_CTL_DEL, pipes[1], 0, 0));
	RET(set(EPOLL_CTL_MOD, pipes[1], 0, 0));
	RET(set(EPOLL_CTL_ADD, pipes[0], EPOLLIN, 0));
	RET(set(EPOLL_CTL_ADD, ep, EPOLLIN, 0));
	RET(set(EPOLL_CTL_ADD, 999, EPOLLIN, 0));
	RET(set(99, pipes[0], EPOLLIN, 0));
	RET(set(EPOLL_CTL_ADD, t_file("f", ""), EPOLLIN, 0));
	RET(epoll_wait(ep, NULL, 0, 0));
	RET(epoll_wait(ep, BAD_PTR, -1, 0));
	RET(epoll_wait(pipes[0], (struct epoll_event *)buf, 1, 0));
	RET(epoll_wait(999, (struct epoll_event *)buf, 1, 0));
	RET(epoll_create(0));
	RET(epoll_create1(77));
	/* nested */
	int inner = ep;
	ep = epoll_create1(0);
	RET(set(EPOLL_CTL_ADD, inner, EPOLLIN, 106));
	wait_for("inner quiet", 0);
	ep ^= inner, inner ^= ep, ep ^= inner;
	RET(set(EPOLL_CTL_MOD, pipes[0], EPOLLIN, 107));
	ep ^= inner, inner ^= ep, ep ^= inner;
	wait_for("inner ready", 0);
	ep ^= inner, inner ^= ep, ep ^= inner;
	RET(set(EPOLL_CTL_ADD, inner, EPOLLIN, 0)); /* a loop */
	/* woken by another thread */
	while (read(pipes[0], buf, sizeof(buf)) > 0)
		;
	pthread_t id = t_thread(write_later, NULL);
	wait_for("later", 10000);
	pthread_join(id, NULL);
	/* both ends gone from it when closed */
	close(pipes[1]);
	wait_for("writer closed", 0);
	(void)!read(pipes[0], buf, sizeof(buf));
	wait_for("and drained", 0);
	int copy = dup(pipes[0]);
	close(pipes[0]);
	wait_for("a duplicate keeps it", 0);
	close(copy);
	wait_for("closed", 0);
	return 0;
}
