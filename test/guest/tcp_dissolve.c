/* SPDX-License-Identifier: BSD-2-Clause */
/* connect(2) to AF_UNSPEC: a listener, connections in their states, who waits meanwhile. */
#include "net.h"

static char b[10];

static void dissolve(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	RET(connect(fd, &none, sizeof(none)));
}
static void look(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	printf("poll %x, ", net_poll(fd, POLLIN | POLLOUT | POLLRDHUP));
	NEED(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0);
	printf("error %s, then poll %x\n", t_errno(error),
		net_poll(fd, POLLIN | POLLOUT | POLLRDHUP));
}
/* On a port that bind(2) was told: that the socket keeps. */
static int listener(uint16_t *port)
{
	int chosen = net_bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = net_addr(*port = net_port(chosen));

	close(chosen);
	NEED(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 5) == 0);
	return fd;
}
static void *wait_for_accept(void *arg)
{
	NEED(accept(*(int *)arg, NULL, NULL) < 0);
	return (void *)(long)errno;
}
static void of_a_listener(void)
{
	uint16_t port;
	int l = listener(&port), c = socket(AF_INET, SOCK_STREAM, 0), other, s;
	struct sockaddr_in a = net_addr(port);
	pthread_t t;
	void *err;

	NEED(net_connect(c, port) == 0);
	dissolve(l);
	look(l);
	IS(net_port(l) == port);
	RET(read(c, b, 1)); /* the child was reset */
	RET(read(l, b, 1));
	RET(send(l, b, 1, MSG_NOSIGNAL));
	RET(accept(l, NULL, NULL));
	other = socket(AF_INET, SOCK_STREAM, 0);
	RET(bind(other, (struct sockaddr *)&a, sizeof(a)));
	RET(listen(l, 5));
	close(c);
	c = socket(AF_INET, SOCK_STREAM, 0);
	RET(net_connect(c, port));
	s = GET(accept(l, NULL, NULL));
	t = t_thread(wait_for_accept, &l);
	t_sleep_ms(50);
	dissolve(l);
	pthread_join(t, &err);
	printf("accept meanwhile: %s\n", t_errno((int)(long)err));
	close(l);
	close(c);
	close(s);
	close(other);
}

static void of_a_connection(void)
{
	uint16_t port;
	int l = listener(&port), c = socket(AF_INET, SOCK_STREAM, 0), s;

	NEED(net_connect(c, port) == 0 && (s = accept(l, NULL, NULL)) >= 0);
	NEED(write(s, "abc", 3) == 3 && write(c, "x", 1) == 1);
	while (!net_poll(c, POLLIN))
		;
	dissolve(c);
	look(c);
	RET(read(c, b, 1));
	RET(send(c, b, 1, MSG_NOSIGNAL));
	while (!(net_poll(s, 0) & POLLHUP))
		;
	RET(read(s, b, 1));
	look(s);
	close(s);
	RET(net_connect(c, port));
	s = GET(accept(l, NULL, NULL));
	RET(write(s, "again", 5));
	RET(read(c, b, 5));
	dissolve(c);
	RET(read(c, b, 1));
	RET(read(c, b, 1));
	close(s);
	close(c);
	close(l);
}

/* Half closed by one side, then reset by the other. */
static void half_closed(void)
{
	int p[2];

	net_pair(p);
	shutdown(p[0], SHUT_WR);
	while (!(net_poll(p[1], POLLRDHUP) & POLLRDHUP))
		;
	dissolve(p[0]);
	look(p[0]);
	while (!(net_poll(p[1], 0) & POLLHUP))
		;
	RET(read(p[1], b, 1)); /* the FIN came first */
	look(p[1]);
	close(p[0]);
	close(p[1]);
	net_pair(p);
	close(p[1]);
	while (!(net_poll(p[0], POLLRDHUP) & POLLRDHUP))
		;
	dissolve(p[0]);
	look(p[0]);
	close(p[0]);
}

int main(void)
{
	int fresh = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	of_a_listener();
	of_a_connection();
	half_closed();
	dissolve(fresh);
	look(fresh);
	RET(connect(fresh, &none, 1));
	RET(connect(fresh, &none, 2));
	close(fresh);
	return 0;
}
