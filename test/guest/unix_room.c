/* SPDX-License-Identifier: BSD-2-Clause */
/* UNIX sockets whose receiver is full: who is told when there is room again. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "t.h"

static char block[1024];

static int fill(int fd)
{
	int n = 0;

	while (send(fd, block, sizeof(block), MSG_DONTWAIT) == sizeof(block))
		n++;
	printf("then %s\n", t_errno(errno));
	return n;
}

static bool out_now(int fd)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	return poll(&p, 1, 0) == 1 && p.revents & POLLOUT;
}

static int from, count;
static void *drain_later(void *arg)
{
	char buf[sizeof(block)];

	t_sleep_ms(20);
	for (int i = 0; i < count; i++)
		if (read(from, buf, sizeof(buf)) <= 0)
			return "short";
	return NULL;
}

/* Waits for room at 'to' by poll and by an edge, while another thread empties 'drained'. */
static void waits(const char *what, int to, int drained)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	struct pollfd p = { to, POLLOUT, 0 };
	int ep = epoll_create1(0);
	pthread_t id;
	void *r;

	from = drained;
	count = fill(to);
	printf("%s: room %d\n", what, out_now(to));
	id = t_thread(drain_later, NULL);
	printf("poll %d\n", poll(&p, 1, 10000));
	pthread_join(id, &r);
	IS(r == NULL);
	printf("room %d\n", out_now(to));

	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, to, &e) == 0);
	printf("at first %d\n", epoll_wait(ep, &e, 1, 0));
	count = fill(to);
	while (epoll_wait(ep, &e, 1, 0) > 0)
		;
	id = t_thread(drain_later, NULL);
	printf("edge %d\n", epoll_wait(ep, &e, 1, 10000));
	pthread_join(id, &r);
	IS(r == NULL);
	close(ep);
}

static void pairs(int type, const char *what)
{
	int s[2];

	NEED(socketpair(AF_UNIX, type, 0, s) == 0);
	waits(what, s[0], s[1]);
	close(s[0]);
	close(s[1]);
}

/* The receiver knows nothing of its senders. */
static void server(void)
{
	struct sockaddr_un a = { AF_UNIX, "server" };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), one = socket(AF_UNIX, SOCK_DGRAM, 0),
	    two = socket(AF_UNIX, SOCK_DGRAM, 0);

	NEED(bind(s, (void *)&a, sizeof(a)) == 0 && connect(one, (void *)&a, sizeof(a)) == 0 &&
		connect(two, (void *)&a, sizeof(a)) == 0);
	waits("server", one, s);
	from = s;
	count = fill(one);
	printf("both %d %d\n", out_now(one), out_now(two));
	struct pollfd p[2] = { { one, POLLOUT, 0 }, { two, POLLOUT, 0 } };
	pthread_t id = t_thread(drain_later, NULL);
	IS(poll(p, 2, 10000) > 0);
	pthread_join(id, NULL);
	printf("both %d %d\n", out_now(one), out_now(two));
	/* and one that goes away while it waits */
	count = fill(one);
	printf("gone %d\n", out_now(two));
	close(two);
	id = t_thread(drain_later, NULL);
	IS(poll(p, 1, 10000) == 1);
	pthread_join(id, NULL);
	/* the receiver goes */
	fill(one);
	printf("room %d\n", out_now(one));
	close(s);
	printf("receiver gone: room %d\n", out_now(one));
	RET(send(one, block, 1, MSG_DONTWAIT));
	close(one);
}

int main(void)
{
	pairs(SOCK_STREAM, "stream");
	pairs(SOCK_DGRAM, "datagram");
	pairs(SOCK_SEQPACKET, "packets");
	server();
	return 0;
}
