/* SPDX-License-Identifier: BSD-2-Clause */
/* Non-blocking connect, accept, send until full, receive; SO_ERROR; accept4 flags; time limits. */
#include "net.h"

int main(void)
{
	static char chunk[65536];
	int listener = net_listener(5), on = 1;
	fcntl(listener, F_SETFL, O_NONBLOCK);
	RET(accept(listener, NULL, NULL));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	IS((fcntl(fd, F_GETFL) & O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	int r = net_connect(fd, net_port(listener));
	IS(r == 0 || errno == EINPROGRESS);
	printf("writable %x\n", net_poll(fd, POLLOUT));
	printf("error %d\n", net_option(fd, SOL_SOCKET, SO_ERROR));
	r = net_connect(fd, net_port(listener));
	IS(r == 0 || errno == EISCONN);
	printf("acceptable %x\n", net_poll(listener, POLLIN));
	int conn = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	IS((fcntl(conn, F_GETFL) & O_NONBLOCK) && fcntl(conn, F_GETFD) == FD_CLOEXEC);
	RET(accept4(listener, NULL, NULL, 0x77));
	RET(recv(conn, chunk, 10, 0));
	long sent = 0, got = 0;
	for (ssize_t n; (n = send(fd, chunk, sizeof(chunk), 0)) > 0;)
		sent += n;
	printf("full: %s\n", t_errno(errno));
	IS(sent >= 65536);
	struct pollfd p = { fd, POLLOUT, 0 };
	RET(poll(&p, 1, 0));
	while (got < sent) {
		ssize_t n = recv(conn, chunk, sizeof(chunk), 0);
		if (n > 0)
			got += n;
		else
			net_poll(conn, POLLIN);
	}
	IS(got == sent);
	printf("writable again %x\n", net_poll(fd, POLLOUT));
	RET(ioctl(fd, FIONBIO, &(int){ 0 }));
	IS(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	struct timeval limit = { 0, 20000 };
	RET(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	RET(recv(fd, chunk, 1, 0));
	RET(ioctl(fd, FIONBIO, &on));
	/* refused without blocking */
	int dead = net_bound(SOCK_STREAM), fd2 = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r = net_connect(fd2, net_port(dead));
	IS(r == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
	if (errno == EINPROGRESS) {
		int bits = net_poll(fd2, POLLOUT);
		IS((bits & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
		IS(net_option(fd2, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
	}
	return 0;
}
