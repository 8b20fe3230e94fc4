/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP on loopback: names of both ends, data both ways, MSG_PEEK, MSG_WAITALL, FIONREAD, close. */
#include "net.h"

static void *server(void *arg)
{
	int fd = accept((int)(long)arg, NULL, NULL);
	char buf[100];
	for (ssize_t n; (n = recv(fd, buf, sizeof(buf), 0)) > 0;)
		send(fd, buf, n, 0);
	close(fd);
	return NULL;
}

int main(void)
{
	struct sockaddr_in name, peer;
	socklen_t len = sizeof(name);
	char buf[200] = "";
	int listener = net_listener(5), avail;
	pthread_t id = t_thread(server, (void *)(long)listener);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	RET(net_connect(fd, net_port(listener)));
	RET(getpeername(fd, (struct sockaddr *)&peer, &len));
	IS(ntohs(peer.sin_port) == net_port(listener) && peer.sin_family == AF_INET);
	RET(getsockname(fd, (struct sockaddr *)&name, &len));
	IS(name.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && name.sin_port != 0 && len == 16);
	RET(send(fd, "hello", 5, 0));
	RET(recv(fd, buf, 3, MSG_PEEK | MSG_WAITALL));
	RET(recv(fd, buf, 5, MSG_WAITALL));
	printf("%s\n", buf);
	RET(recv(fd, buf, 5, MSG_DONTWAIT));
	RET(write(fd, "part", 4));
	t_sleep_ms(5);
	RET(write(fd, "ial", 3));
	RET(recv(fd, buf, 7, MSG_WAITALL));
	printf("%s\n", buf);
	struct iovec iov[2] = { { "gather", 6 }, { "scatter", 7 } };
	RET(writev(fd, iov, 2));
	while (ioctl(fd, FIONREAD, &avail) == 0 && avail < 13)
		sched_yield();
	printf("available %d\n", avail);
	char a[7] = "", b[8] = "";
	struct iovec in[2] = { { a, 6 }, { b, 7 } };
	RET(readv(fd, in, 2));
	printf("%s %s\n", a, b);
	RET(shutdown(fd, SHUT_WR));
	RET(recv(fd, buf, 10, 0));
	RET(recv(fd, buf, 10, 0));
	RET(send(fd, "x", 1, MSG_NOSIGNAL));
	pthread_join(id, NULL);
	RET(close(fd));
	RET(recv(listener, buf, 1, 0));
	RET(accept(fd, NULL, NULL));
	return 0;
}
