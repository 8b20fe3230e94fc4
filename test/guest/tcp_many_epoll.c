/* SPDX-License-Identifier: BSD-2-Clause */
/* One epoll thread serves fifty TCP connections; clients come and go. */
#include <sys/epoll.h>
#include "net.h"

#define CLIENTS 50
static int listener;
static uint16_t port;

static void *server(void *arg)
{
	struct epoll_event events[16], ev = { .events = EPOLLIN, .data.fd = listener };
	int ep = epoll_create1(0), closed = 0;
	long served = 0;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	while (closed < CLIENTS) {
		int n = epoll_wait(ep, events, 16, 10000);
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			char buf[64];
			if (fd == listener) {
				ev.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
				continue;
			}
			ssize_t r = recv(fd, buf, sizeof(buf), 0);
			if (r > 0) {
				send(fd, buf, r, MSG_NOSIGNAL);
				served++;
			} else if (r == 0) {
				close(fd);
				closed++;
			}
		}
	}
	close(ep);
	printf("closed %d\n", closed);
	return (void *)served;
}

static void *client(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long good = 0;
	char out[16], in[16];
	if (net_connect(fd, port) != 0)
		return (void *)-1l;
	for (int i = 0; i < 20; i++) {
		int len = sprintf(out, "%ld.%d", (long)arg, i);
		send(fd, out, len, MSG_NOSIGNAL);
		good += recv(fd, in, len, MSG_WAITALL) == len && memcmp(in, out, len) == 0;
	}
	close(fd);
	return (void *)good;
}

int main(void)
{
	pthread_t id[CLIENTS], s;
	long sum = 0;
	void *v;
	listener = net_listener(64);
	port = net_port(listener);
	s = t_thread(server, NULL);
	for (long i = 0; i < CLIENTS; i++)
		id[i] = t_thread(client, (void *)i);
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(id[i], &v);
		sum += (long)v;
	}
	pthread_join(s, &v);
	printf("good %ld, enough served %d\n", sum, (long)v >= CLIENTS);
	return 0;
}
