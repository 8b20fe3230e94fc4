/* SPDX-License-Identifier: BSD-2-Clause */
/* ppoll, pselect and epoll_pwait swap the mask atomically and give it back. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include "t.h"

static volatile int handled;

static void handler(int sig)
{
	handled++;
}

static void show_mask(const char *what)
{
	sigset_t now;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	printf("%s: handled %d, usr1 blocked %d\n", what, handled, sigismember(&now, SIGUSR1));
}

int main(void)
{
	sigset_t block, empty;
	int pipes[2];
	struct timespec zero = { 0, 0 }, soon = { 0, 5000000 };
	NEED(pipe(pipes) == 0);
	struct pollfd pfd = { pipes[0], POLLIN, 0 };
	fd_set set;
	FD_ZERO(&set);
	int ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };
	epoll_ctl(ep, EPOLL_CTL_ADD, pipes[0], &ev);
	signal(SIGUSR1, handler);
	sigemptyset(&empty);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	show_mask("start");
	RET(ppoll(&pfd, 1, NULL, &empty));
	show_mask("ppoll");
	raise(SIGUSR1);
	RET(pselect(0, NULL, NULL, NULL, NULL, &empty));
	show_mask("pselect");
	raise(SIGUSR1);
	RET(epoll_pwait(ep, &ev, 1, -1, &empty));
	show_mask("epoll_pwait");
	raise(SIGUSR1);
	RET(epoll_pwait2(ep, &ev, 1, NULL, &empty));
	show_mask("epoll_pwait2");
	/* nothing pending: time passes, the mask comes back */
	RET(ppoll(&pfd, 1, &soon, &empty));
	show_mask("ppoll");
	RET(pselect(0, NULL, NULL, NULL, &soon, &empty));
	/* something ready and a signal: Linux returns what is ready */
	raise(SIGUSR1);
	(void)!write(pipes[1], "x", 1);
	RET(ppoll(&pfd, 1, &zero, &block));
	show_mask("ready");
	RET(ppoll(&pfd, 1, NULL, &empty));
	FD_SET(pipes[0], &set);
	RET(pselect(pipes[0] + 1, &set, NULL, NULL, NULL, &empty));
	show_mask("end");
	RET(syscall(SYS_ppoll, &pfd, 1, &zero, &block, 4));
	struct timespec bad = { 0, 2000000000 };
	RET(ppoll(&pfd, 1, &bad, NULL));
	return 0;
}
