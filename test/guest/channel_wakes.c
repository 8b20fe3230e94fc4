/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets and epoll: what a burst of packets announces, and to whom. Level, edge, one-shot and
 * exclusive sets; what comes while the program does something else; several threads in one call.
 */
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include "net.h"

static int set(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(ep, op, fd, &ev);
}

static void show(const char *what, int ep, int timeout)
{
	struct epoll_event ev[4];
	int n = epoll_wait(ep, ev, 4, timeout);

	printf("%s: %d", what, n);
	for (int i = 0; i < n; i++)
		printf(" %x", ev[i].events);
	putchar('\n');
}

static void burst(int fd, int n)
{
	for (int i = 0; i < n; i++)
		NEED(send(fd, "0123456789", 10, MSG_NOSIGNAL) == 10);
}

static void edges(const char *what, int to, int from)
{
	char buf[1000];
	int ep = epoll_create1(0);

	printf("-- %s\n", what);
	RET(set(ep, EPOLL_CTL_ADD, to, EPOLLIN | EPOLLET));
	show("nothing", ep, 0);
	burst(from, 20);
	t_sleep_ms(20); /* all has come, and the program was away for more than a moment */
	show("a burst", ep, 1000);
	show("told already", ep, 0);
	burst(from, 1);
	show("one more", ep, 1000);
	show("told again", ep, 0);
	for (ssize_t n; (n = recv(to, buf, sizeof(buf), MSG_DONTWAIT)) > 0;)
		;
	show("all read", ep, 0);
	burst(from, 3);
	t_sleep_ms(20);
	int n = 0;
	RET(ioctl(to, FIONREAD, &n)); /* looks at the socket, reads nothing */
	printf("to be read: %s\n", n >= 10 ? "yes" : "no");
	show("looked at before", ep, 1000);
	RET(set(ep, EPOLL_CTL_MOD, to, EPOLLIN | EPOLLONESHOT));
	show("one shot", ep, 1000);
	burst(from, 2);
	t_sleep_ms(20);
	show("no second one", ep, 0);
	RET(set(ep, EPOLL_CTL_MOD, to, EPOLLIN | EPOLLONESHOT));
	show("armed again", ep, 1000);
	RET(set(ep, EPOLL_CTL_MOD, to, EPOLLOUT | EPOLLET));
	show("may write", ep, 1000);
	burst(from, 2);
	t_sleep_ms(20);
	show("input does not make an edge of output", ep, 0);
	RET(set(ep, EPOLL_CTL_MOD, to, EPOLLIN));
	show("level", ep, 1000);
	show("level again", ep, 0);
	for (ssize_t k; (k = recv(to, buf, sizeof(buf), MSG_DONTWAIT)) > 0;)
		;
	show("level, read", ep, 0);
	close(ep);
}

/* Both ends have more to send than the other one takes: then input is still an edge. */
static void both_ways(int to, int from)
{
	static char buf[1 << 20];
	int ep = epoll_create1(0);

	printf("-- both ways\n");
	RET(set(ep, EPOLL_CTL_ADD, to, EPOLLIN | EPOLLET));
	burst(from, 3);
	for (int n = 0; n < 30; t_sleep_ms(1)) /* what comes later is an edge of its own */
		NEED(ioctl(to, FIONREAD, &n) == 0);
	show("before", ep, 1000);
	while (send(to, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	show("nothing", ep, 0);
	for (int i = 0; i < 3; i++) {
		burst(from, 3);
		t_sleep_ms(i * 20);
		show("a burst", ep, 1000);
		show("told already", ep, 0);
	}
	close(ep);
}

#define WAITERS 4
static int sets[WAITERS];
static atomic_int woken, started;

static void *wait_on(void *arg)
{
	struct epoll_event ev;

	started++;
	if (epoll_wait(*(int *)arg, &ev, 1, 300) > 0)
		woken++;
	return NULL;
}

/* One packet, several sets of one thread each. */
static void crowd(const char *what, int to, int from, uint32_t events)
{
	pthread_t id[WAITERS];
	char buf[100];

	woken = started = 0;
	for (int i = 0; i < WAITERS; i++) {
		sets[i] = epoll_create1(0);
		NEED(set(sets[i], EPOLL_CTL_ADD, to, events) == 0);
		NEED(pthread_create(&id[i], NULL, wait_on, &sets[i]) == 0);
	}
	while (started < WAITERS)
		t_sleep_ms(1);
	t_sleep_ms(100);
	burst(from, 1);
	for (int i = 0; i < WAITERS; i++)
		NEED(pthread_join(id[i], NULL) == 0);
	printf("%s: %s\n", what, woken == WAITERS ? "all" : woken == 1 ? "one" : "some");
	NEED(recv(to, buf, sizeof(buf), 0) == 10);
	for (int i = 0; i < WAITERS; i++)
		close(sets[i]);
}

static int reader_fd;
static atomic_int got;

static void *read_all(void *arg)
{
	char buf[10];

	while (recv(reader_fd, buf, sizeof(buf), 0) == 10 && buf[0] == '0')
		got++;
	return NULL;
}

/* Each datagram is somebody's, however they come. */
static void readers(int to, int from)
{
	pthread_t id[WAITERS];

	got = 0;
	reader_fd = to;
	for (int i = 0; i < WAITERS; i++)
		NEED(pthread_create(&id[i], NULL, read_all, NULL) == 0);
	for (int i = 0; i < 50; i++) {
		burst(from, i % 7 + 1);
		if (i % 5 == 0)
			t_sleep_ms(3);
	}
	for (int want = 50 / 7 * 28 + 1, ms = 0; got < want && ms < 5000; ms++)
		t_sleep_ms(1);
	printf("datagrams read by %d threads: %d\n", WAITERS, got);
	for (int i = 0; i < WAITERS; i++)
		NEED(send(from, "end of it!", 10, 0) == 10);
	for (int i = 0; i < WAITERS; i++)
		NEED(pthread_join(id[i], NULL) == 0);
}

static void *send_later(void *arg)
{
	t_sleep_ms(50);
	burst(*(int *)arg, 1);
	return NULL;
}

/* poll(2) sleeps for one thing while another happens. */
static void polls(int to, int from)
{
	pthread_t id;
	char buf[100];
	struct pollfd p[2] = { { .fd = to, .events = POLLPRI }, { .fd = to, .events = POLLIN } };

	NEED(pthread_create(&id, NULL, send_later, &from) == 0);
	printf("poll for urgent data: %d\n", poll(p, 1, 150));
	NEED(pthread_join(id, NULL) == 0);
	printf("poll for data that is there: %d\n", poll(p + 1, 1, 0));
	NEED(recv(to, buf, sizeof(buf), 0) == 10);
	NEED(pthread_create(&id, NULL, send_later, &from) == 0);
	printf("poll for data that comes: %d\n", poll(p + 1, 1, 5000));
	NEED(pthread_join(id, NULL) == 0);
	NEED(recv(to, buf, sizeof(buf), 0) == 10);
	printf("nothing is left: %d\n", poll(p + 1, 1, 0));
}

int main(void)
{
	int tcp[2], udp[2], one = 1;
	struct sockaddr_in a[2];
	socklen_t len = sizeof(a[0]);

	net_pair(tcp);
	for (int i = 0; i < 2; i++) /* or an ACK is what lets the second packet go */
		NEED(setsockopt(tcp[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	for (int i = 0; i < 2; i++) {
		udp[i] = socket(AF_INET, SOCK_DGRAM, 0);
		a[i] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		NEED(bind(udp[i], (void *)&a[i], sizeof(a[i])) == 0 &&
			getsockname(udp[i], (void *)&a[i], &len) == 0);
	}
	for (int i = 0; i < 2; i++)
		NEED(connect(udp[i], (void *)&a[!i], sizeof(a[0])) == 0);
	edges("TCP", tcp[0], tcp[1]);
	edges("UDP", udp[0], udp[1]);
	crowd("TCP, plain sets", tcp[0], tcp[1], EPOLLIN);
	crowd("TCP, exclusive sets", tcp[0], tcp[1], EPOLLIN | EPOLLEXCLUSIVE);
	crowd("UDP, plain sets", udp[0], udp[1], EPOLLIN);
	crowd("UDP, exclusive sets", udp[0], udp[1], EPOLLIN | EPOLLEXCLUSIVE);
	polls(tcp[0], tcp[1]);
	polls(udp[0], udp[1]);
	readers(udp[0], udp[1]);
	both_ways(tcp[0], tcp[1]);
	return 0;
}
