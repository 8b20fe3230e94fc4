/* SPDX-License-Identifier: BSD-2-Clause */
/* signalfd: reads what is pending for the process and the thread, polls, changes its mask. */
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/epoll.h>
#include "t.h"

static pthread_t main_id;
static void *later(void *arg)
{
	t_sleep_ms(10);
	kill(getpid(), SIGUSR2);
	return NULL;
}

int main(void)
{
	struct signalfd_siginfo info[4];
	sigset_t set;
	main_id = pthread_self();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	NEED(fd >= 0);
	struct pollfd pfd = { fd, POLLIN, 0 };
	RET(read(fd, info, sizeof(info)));
	RET(poll(&pfd, 1, 0));
	raise(SIGUSR1);
	RET(poll(&pfd, 1, 0));
	RET(read(fd, info, 10));
	RET(read(fd, info, sizeof(info)));
	printf("signo %u code SI_TKILL %d pid mine %d\n", info[0].ssi_signo,
		info[0].ssi_code == SI_TKILL, info[0].ssi_pid == (unsigned)getpid());
	union sigval v = { .sival_int = 99 };
	sigqueue(getpid(), SIGRTMIN, v);
	v.sival_int = 100;
	sigqueue(getpid(), SIGRTMIN, v);
	kill(getpid(), SIGUSR2);
	RET(read(fd, info, 2 * sizeof(info[0])));
	printf("%u, rtmin %d value %d\n", info[0].ssi_signo,
		info[1].ssi_signo == (unsigned)SIGRTMIN, info[1].ssi_int);
	RET(read(fd, info, sizeof(info)));
	printf("value %d\n", info[0].ssi_int);
	/* blocking, and through epoll */
	fcntl(fd, F_SETFL, 0);
	pthread_t id = t_thread(later, NULL);
	RET(read(fd, info, sizeof(info)));
	pthread_join(id, NULL);
	int ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 5 };
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	id = t_thread(later, NULL);
	RET(epoll_wait(ep, &ev, 1, 10000));
	printf("events %x\n", ev.events);
	pthread_join(id, NULL);
	sigdelset(&set, SIGUSR2);
	IS(signalfd(fd, &set, 0) == fd);
	RET(poll(&pfd, 1, 0));
	RET(signalfd(0x7fff, &set, 0));
	RET(signalfd(ep, &set, 0));
	RET(signalfd(-1, &set, 0x40));
	RET(syscall(SYS_signalfd4, -1, &set, 4, 0));
	return 0;
}
