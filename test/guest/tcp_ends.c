/* SPDX-License-Identifier: BSD-2-Clause */
/* What a TCP socket says of itself in each state, and what its calls say: before there is a
 * connection, while it is refused, half closed, reset, dissolved, and with urgent data. */
#include "net.h"
#include <linux/sockios.h>
#include <sys/epoll.h>

static const char *said(long r)
{
	static char text[8][24];
	static unsigned next;
	char *t = text[next++ % LENGTH(text)];

	snprintf(t, sizeof(text[0]), "%s", r < 0 ? t_errno(errno) : "");
	if (r >= 0)
		snprintf(t, sizeof(text[0]), "%ld", r);
	return t;
}

#define ALL_EVENTS                                                                                 \
	(POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND)

static int events(int fd)
{
	struct pollfd p = { fd, ALL_EVENTS, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static int epoll_events(int fd)
{
	struct epoll_event e = { .events = ALL_EVENTS };
	int set = epoll_create1(0), n;

	NEED(!epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	n = epoll_wait(set, &e, 1, 0);
	close(set);
	return n > 0 ? (int)e.events : 0;
}

static int state(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return -errno;
	/* Whether its FIN is acknowledged yet depends on when the peer feels like it. */
	return info.tcpi_state == TCP_FIN_WAIT2 ? TCP_FIN_WAIT1 : info.tcpi_state;
}

/* Changes nothing. */
static void look(const char *what, int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int v = 0, e;
	char b[8];

	t_sleep_ms(20);
	e = events(fd);
	printf("%s: events %x%s, state %d", what, e, epoll_events(fd) == e ? "" : " not epoll's",
		state(fd));
	printf(", to read %s", said(ioctl(fd, SIOCINQ, &v)));
	printf("/%d", v);
	printf(", at mark %s", said(ioctl(fd, SIOCATMARK, &v)));
	printf("/%d", v);
	printf(", unsent %s", said(ioctl(fd, SIOCOUTQNSD, &v)));
	printf(", peer %s", said(getpeername(fd, (struct sockaddr *)&a, &len)));
	printf(", peek %s", said(recv(fd, b, sizeof(b), MSG_PEEK | MSG_DONTWAIT)));
	printf(", urgent %s", said(recv(fd, b, sizeof(b), MSG_OOB | MSG_DONTWAIT)));
	printf(", error queue %s", said(recv(fd, b, sizeof(b), MSG_ERRQUEUE | MSG_DONTWAIT)));
	printf(", accept %s\n", said(accept4(fd, NULL, NULL, SOCK_NONBLOCK)));
}

static void use(const char *what, int fd)
{
	struct sockaddr_in a = net_addr(0);
	char b[8];

	printf("%s: send %s", what, said(send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT)));
	printf(", nothing %s", said(send(fd, "x", 0, MSG_NOSIGNAL | MSG_DONTWAIT)));
	printf(", recv %s", said(recv(fd, b, sizeof(b), MSG_DONTWAIT)));
	printf(", %s", said(recv(fd, b, sizeof(b), MSG_DONTWAIT)));
	printf(", nothing %s", said(recv(fd, b, 0, MSG_DONTWAIT)));
	if (state(fd) != TCP_CLOSE) /* whether the port is free then is another question */
		printf(", bind %s", said(bind(fd, (struct sockaddr *)&a, sizeof(a))));
	printf(", error %d", net_option(fd, SOL_SOCKET, SO_ERROR));
	printf(", events %x\n", events(fd));
}

static void shut(const char *what, int fd)
{
	for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
		printf("%s, shutdown %d: %s", what, how, said(shutdown(fd, how)));
		printf(", events %x, state %d\n", events(fd), state(fd));
	}
}

static int unconnected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	NEED(fd >= 0);
	return fd;
}

static void before(void)
{
	int fd = unconnected(), listener;

	look("fresh", fd);
	use("fresh", fd);
	shut("fresh", fd);
	look("fresh, shut", fd);
	close(fd);
	fd = net_bound(SOCK_STREAM);
	look("bound", fd);
	close(fd);
	listener = net_listener(3);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	look("listening", listener);
	use("listening", listener);
	printf("listening, connect: %s\n", said(net_connect(listener, net_port(listener))));
	shut("listening", listener);
	look("listening, shut", listener);
	close(listener);
}

static void refused(void)
{
	int nobody = net_bound(SOCK_STREAM), fd = unconnected();

	printf("refused: %s\n", said(net_connect(fd, net_port(nobody))));
	look("refused", fd);
	for (int k = 0; k < 2; k++)
		printf("connect again: %s\n", said(net_connect(fd, net_port(nobody))));
	look("refused again", fd);
	use("refused", fd);
	use("refused", fd);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	printf("refused, waited: %s\n", said(net_connect(fd, net_port(nobody))));
	look("refused", fd);
	use("refused", fd);
	close(fd);
	close(nobody);
}

/* Nobody answers: the listener has no room. */
static void unanswered(void)
{
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };
	int listener = net_listener(0), fd[4];

	for (unsigned k = 0; k < LENGTH(fd); k++) {
		fd[k] = unconnected();
		net_connect(fd[k], net_port(listener));
		t_sleep_ms(20);
	}
	look("SYN_SENT", fd[3]);
	use("SYN_SENT", fd[3]);
	printf("connect again: %s\n", said(net_connect(fd[3], net_port(listener))));
	printf("listen: %s\n", said(listen(fd[3], 1)));
	printf("dissolve: %s\n", said(connect(fd[3], (struct sockaddr *)&none, sizeof(none))));
	look("dissolved", fd[3]);
	printf("shut: %s\n", said(shutdown(fd[2], SHUT_WR)));
	look("SYN_SENT, shut", fd[2]);
	for (unsigned k = 0; k < LENGTH(fd); k++)
		close(fd[k]);
	close(listener);
}

static void half_closed(void)
{
	int p[2];

	net_pair(p);
	look("connected", p[0]);
	use("connected", p[0]);
	printf("connect: %s", said(net_connect(p[0], 1)));
	printf(", listen: %s\n", said(listen(p[0], 1)));
	look("with data", p[1]);
	shutdown(p[0], SHUT_WR);
	look("has shut", p[0]);
	use("has shut", p[0]);
	look("peer has shut", p[1]);
	use("peer has shut", p[1]);
	look("has shut, with data", p[0]);
	shutdown(p[1], SHUT_WR);
	look("both, first", p[0]);
	use("both, first", p[0]);
	look("both, last", p[1]);
	use("both, last", p[1]);
	shut("first", p[0]);
	shut("last", p[1]);
	printf("connect: %s", said(net_connect(p[0], 1)));
	printf(", listen: %s\n", said(listen(p[0], 1)));
	close(p[0]);
	close(p[1]);
	net_pair(p);
	shutdown(p[0], SHUT_RD);
	look("does not read", p[0]);
	printf("peer sends: %s\n", said(send(p[1], "hi", 2, 0)));
	look("does not read", p[0]);
	use("does not read", p[0]);
	shutdown(p[0], SHUT_WR);
	look("does nothing", p[0]);
	use("does nothing", p[0]);
	look("its peer", p[1]);
	close(p[0]);
	close(p[1]);
}

static void reset(void)
{
	struct linger now = { 1, 0 };
	int p[2];

	net_pair(p);
	NEED(send(p[0], "abc", 3, 0) == 3);
	t_sleep_ms(20);
	NEED(!setsockopt(p[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	close(p[0]);
	look("reset, unread", p[1]);
	use("reset, unread", p[1]);
	look("reset", p[1]);
	use("reset", p[1]);
	close(p[1]);
	net_pair(p);
	NEED(send(p[1], "abc", 3, 0) == 3);
	t_sleep_ms(20);
	close(p[0]);
	look("closed unread", p[1]);
	shut("closed unread", p[1]);
	close(p[1]);
	net_pair(p);
	close(p[0]);
	look("closed", p[1]);
	NEED(send(p[1], "x", 1, 0) == 1);
	look("closed, sent to", p[1]);
	use("closed, sent to", p[1]);
	printf("connect: %s\n", said(net_connect(p[1], 1)));
	close(p[1]);
}

static void urgent(void)
{
	int p[2], on = 1;
	char b[8];

	net_pair(p);
	NEED(send(p[0], "ab!", 3, MSG_OOB) == 3 && send(p[0], "cd", 2, 0) == 2);
	look("urgent", p[1]);
	printf("read: %s\n", said(recv(p[1], b, sizeof(b), MSG_DONTWAIT)));
	look("at the mark", p[1]);
	printf("read: %s\n", said(recv(p[1], b, sizeof(b), MSG_DONTWAIT)));
	look("behind it", p[1]);
	NEED(!setsockopt(p[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	NEED(send(p[0], "!", 1, MSG_OOB) == 1);
	look("in line", p[1]);
	printf("read: %s\n", said(recv(p[1], b, sizeof(b), MSG_DONTWAIT)));
	look("in line, read", p[1]);
	close(p[0]);
	close(p[1]);
}

static void dissolved(void)
{
	struct sockaddr_in none = { .sin_family = AF_UNSPEC }, a;
	socklen_t len = sizeof(a);
	int p[2], listener = net_listener(2);

	net_pair(p);
	printf("dissolve: %s\n", said(connect(p[0], (struct sockaddr *)&none, sizeof(none))));
	look("dissolved", p[0]);
	look("its peer", p[1]);
	NEED(!getsockname(p[0], (struct sockaddr *)&a, &len));
	printf("address %x\n", ntohl(a.sin_addr.s_addr));
	printf("connect: %s\n", said(net_connect(p[0], net_port(listener))));
	look("connected again", p[0]);
	close(p[0]);
	close(p[1]);
	close(listener);
}

int main(void)
{
	before();
	refused();
	unanswered();
	half_closed();
	reset();
	urgent();
	dissolved();
	return 0;
}
