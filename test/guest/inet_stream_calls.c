/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP over loopback: every call in every order, results, errors and poll bits. */
#include "t.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct sockaddr_in at(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}
static void polled(const char *what, int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0 };
	int r = poll(&p, 1, 0);
	printf("%s: poll %d revents %x\n", what, r, p.revents);
}
static void wait_for(int fd, int events)
{
	struct pollfd p = { fd, events, 0 };
	poll(&p, 1, 10000);
}
static void pair(int l, struct sockaddr_in *a, int *c, int *s)
{
	*c = socket(AF_INET, SOCK_STREAM, 0);
	NEED(connect(*c, (void *)a, sizeof(*a)) == 0);
	*s = accept(l, NULL, NULL);
	NEED(*s >= 0);
}

int main(void)
{
	struct sockaddr_in a = at(0), b;
	socklen_t n = sizeof(a);
	char buf[100];
	int v, one = 1;
	signal(SIGPIPE, SIG_IGN);

	int l = socket(AF_INET, SOCK_STREAM, 0);
	polled("fresh", l);
	RET(accept(l, NULL, NULL));
	RET(recv(l, buf, 1, 0));
	RET(send(l, buf, 1, 0));
	RET(getpeername(l, (void *)&b, &n));
	int other = socket(AF_INET, SOCK_STREAM, 0);
	RET(shutdown(other, SHUT_WR));
	RET(shutdown(other, 7));
	close(other);
	RET(getsockname(l, (void *)&b, &n));
	printf("unbound: family %d port %d addr %x len %u\n", b.sin_family, b.sin_port,
		b.sin_addr.s_addr, n);
	RET(bind(l, (void *)&a, 4));
	a.sin_family = AF_UNIX;
	RET(bind(l, (void *)&a, sizeof(a)));
	a = at(0);
	a.sin_addr.s_addr = htonl(0xc0000201);
	RET(bind(l, (void *)&a, sizeof(a)));
	a = at(0);
	RET(bind(l, (void *)&a, sizeof(a)));
	RET(bind(l, (void *)&a, sizeof(a)));
	RET(getsockname(l, (void *)&a, &n));
	printf("port given %d\n", a.sin_port != 0);
	RET(listen(l, 5));
	RET(listen(l, 6));
	polled("listening", l);
	RET(connect(l, (void *)&a, sizeof(a)));
	RET(recv(l, buf, 1, MSG_DONTWAIT));
	RET(send(l, buf, 1, 0));
	int second = socket(AF_INET, SOCK_STREAM, 0);
	RET(bind(second, (void *)&a, sizeof(a)));
	setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	RET(bind(second, (void *)&a, sizeof(a)));
	close(second);
	fcntl(l, F_SETFL, O_NONBLOCK);
	RET(accept(l, NULL, NULL));
	fcntl(l, F_SETFL, 0);

	int c = socket(AF_INET, SOCK_STREAM, 0), s;
	RET(connect(c, (void *)&a, 8));
	RET(connect(c, (void *)&a, sizeof(a)));
	RET(connect(c, (void *)&a, sizeof(a)));
	wait_for(l, POLLIN);
	polled("pending", l);
	n = sizeof(b);
	s = accept4(l, (void *)&b, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	NEED(s >= 0);
	printf("accepted: family %d len %u flags %o cloexec %d\n", b.sin_family, n,
		fcntl(s, F_GETFL) & O_NONBLOCK, fcntl(s, F_GETFD));
	polled("client idle", c);
	RET(recv(s, buf, 1, 0));
	RET(send(c, "hello", 5, 0));
	wait_for(s, POLLIN);
	polled("server readable", s);
	RET(ioctl(s, FIONREAD, &v));
	printf("FIONREAD %d\n", v);
	RET(recv(s, buf, 2, MSG_PEEK));
	RET(recv(s, buf, 100, MSG_DONTWAIT));
	RET(recv(s, buf, 0, 0));
	RET(send(c, "!", 1, MSG_OOB));
	wait_for(s, POLLPRI);
	polled("urgent", s);
	RET(recv(s, buf, 1, MSG_OOB));
	RET(recv(s, buf, 1, MSG_OOB));
	RET(ioctl(s, SIOCATMARK, &v));
	printf("at mark %d\n", v);
	RET(shutdown(c, SHUT_WR));
	wait_for(s, POLLRDHUP);
	polled("peer closed its half", s);
	RET(recv(s, buf, 100, 0));
	RET(send(c, "x", 1, 0));
	RET(send(s, "back", 4, 0));
	wait_for(c, POLLIN);
	RET(recv(c, buf, 100, 0));
	RET(shutdown(s, SHUT_RDWR));
	wait_for(c, POLLHUP);
	polled("both closed, client", c);
	RET(recv(c, buf, 100, 0));
	RET(getpeername(s, (void *)&b, &n));
	close(s);
	close(c);

	pair(l, &a, &c, &s);
	send(c, "unread", 6, 0);
	wait_for(s, POLLIN);
	close(s);
	wait_for(c, POLLERR);
	polled("reset", c);
	v = -1;
	n = sizeof(v);
	RET(getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n));
	printf("SO_ERROR %s\n", t_errno(v));
	RET(recv(c, buf, 1, 0));
	RET(send(c, buf, 1, 0));
	close(c);

	pair(l, &a, &c, &s);
	struct linger now = { 1, 0 };
	setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(s);
	wait_for(c, POLLERR);
	RET(recv(c, buf, 1, 0));
	RET(recv(c, buf, 1, 0));
	close(c);

	pair(l, &a, &c, &s);
	struct timeval tv = { 0, 50000 };
	RET(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	RET(recv(c, buf, 1, 0));
	shutdown(c, SHUT_RD);
	RET(recv(c, buf, 1, 0));
	close(c);
	close(s);

	close(l);
	c = socket(AF_INET, SOCK_STREAM, 0);
	RET(connect(c, (void *)&a, sizeof(a)));
	polled("refused", c);
	close(c);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	v = connect(c, (void *)&a, sizeof(a));
	printf("nonblocking connect fails: %d\n", v);
	wait_for(c, POLLOUT);
	n = sizeof(v);
	getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n);
	printf("refused later or at once: %d\n", v == ECONNREFUSED || v == 0);
	RET(send(c, "x", 1, 0));
	return 0;
}
