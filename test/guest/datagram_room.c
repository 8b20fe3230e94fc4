/* SPDX-License-Identifier: BSD-2-Clause */
/* standalone */
/* root */
/* options: --net user --ip 10.0.2.15/24,10.0.2.2 */
/*
 * SO_SNDBUF of datagram sockets. What is sent goes to an address of the link that nobody has, and
 * is charged while it waits for the neighbour, three seconds. On Linux the link is a tap device in
 * a network of the test's own, which nobody reads; in the guest it is the card's.
 */
#include "link.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/time.h>

static int out(int s)
{
	int n = -1;

	NEED(ioctl(s, SIOCOUTQ, &n) == 0);
	return n;
}

static int writable(int s)
{
	struct pollfd p = { s, POLLOUT | POLLWRNORM | POLLWRBAND, 0 };

	NEED(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static int sender(const char *to, int size)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, to, &a.sin_addr);
	NEED(s >= 0 && connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	NEED(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	return s;
}

static int fill(int s, size_t n)
{
	static char text[4000];
	int count = 0;

	while (send(s, text, n, MSG_DONTWAIT) == (ssize_t)n)
		count++;
	printf("then %s\n", t_errno(errno));
	return count;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_alarm(int sig)
{
}

static void *shut(void *arg)
{
	usleep(50000);
	shutdown(*(int *)arg, SHUT_WR);
	return NULL;
}

int main(void)
{
	struct timeval soon = { 0, 80000 }, never = { 0, 0 };
	/* again and again: the first may come before send waits */
	struct itimerval alarms = { { 0, 50000 }, { 0, 50000 } }, no_alarms = { 0 };
	struct sigaction act = { .sa_handler = on_alarm };
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	int s, ep, count, size = 20000;
	pthread_t t;
	double begin;

	link_make();
	s = sender("10.0.2.77", size);
	printf("charged at first %d, %x\n", out(s), writable(s));
	ep = epoll_create1(0);
	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e) == 0);
	RET(epoll_wait(ep, &e, 1, 0));
	begin = seconds();
	count = fill(s, 64); /* 768 bytes each on Linux */
	printf("as many as on Linux: %d\n", count >= 49 && count <= 56);
	printf("full: %d, writable %x\n", out(s) >= 2 * size, writable(s));
	RET(epoll_wait(ep, &e, 1, 0));
	/* who waits can be disturbed */
	NEED(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)) == 0);
	double before = seconds();
	RET(send(s, "x", 1, 0));
	printf("after the time %d\n", seconds() - before >= 0.08);
	NEED(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof(never)) == 0);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &alarms, NULL);
	RET(send(s, "x", 1, 0));
	setitimer(ITIMER_REAL, &no_alarms, NULL);
	/* a larger buffer has room */
	size = 100000;
	NEED(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	RET(epoll_wait(ep, &e, 1, 0));
	RET(send(s, "x", 1, MSG_DONTWAIT));
	size = 20000;
	NEED(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	/* another socket has room of its own */
	int other = sender("10.0.2.77", 20000);
	RET(send(other, "x", 1, MSG_DONTWAIT));
	printf("charged %d\n", out(other) > 0);
	/* who is shut down hears of it in its sleep */
	NEED(fill(other, 1000) > 0);
	pthread_create(&t, NULL, shut, &other);
	RET(send(other, "x", 1, MSG_NOSIGNAL));
	pthread_join(t, NULL);
	/* nobody answers: it is lost, and there is room */
	RET(send(s, "x", 1, 0));
	printf("three seconds %d\n", seconds() - begin > 1.5 && seconds() - begin < 8);
	printf("room %d, writable %x\n", out(s) < size, writable(s));
	RET(epoll_wait(ep, &e, 1, 0));
	/* what is closed goes when it can */
	close(other);
	close(s);
	return 0;
}
