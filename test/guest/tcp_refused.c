/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting where nobody listens; wrong states and addresses; a port in use. */
#include "net.h"

int main(void)
{
	int bound = net_bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM, 0);
	uint16_t port = net_port(bound);
	RET(net_connect(fd, port));
	RET(net_connect(fd, port));
	printf("error left %d\n", net_option(fd, SOL_SOCKET, SO_ERROR));
	struct sockaddr_in a = net_addr(port);
	int other = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	RET(bind(other, (struct sockaddr *)&a, sizeof(a)));
	RET(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	RET(bind(bound, (struct sockaddr *)&a, sizeof(a)));
	RET(bind(other, (struct sockaddr *)&a, 4));
	a.sin_family = AF_UNIX;
	RET(bind(other, (struct sockaddr *)&a, sizeof(a)));
	RET(connect(other, (struct sockaddr *)&a, sizeof(a)));
	a = net_addr(0);
	a.sin_addr.s_addr = inet_addr("1.2.3.4");
	RET(bind(other, (struct sockaddr *)&a, sizeof(a)));
	RET(accept(bound, NULL, NULL));
	char c;
	RET(recv(other, &c, 1, 0));
	RET(send(other, &c, 1, MSG_NOSIGNAL));
	RET(shutdown(other, SHUT_RD));
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	RET(getpeername(other, (struct sockaddr *)&peer, &len));
	RET(listen(bound, 5));
	RET(net_connect(bound, port));
	RET(net_connect(fd, port));
	RET(net_connect(fd, port));
	RET(listen(fd, 5));
	RET(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	/* two listeners on one address */
	a = net_addr(port);
	RET(bind(other, (struct sockaddr *)&a, sizeof(a)));
	RET(socket(AF_INET, 99, 0));
	RET(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	RET(socket(999, SOCK_STREAM, 0));
	int file = open("/dev/null", O_RDWR);
	RET(listen(file, 5));
	RET(send(file, "x", 1, 0));
	RET(net_connect(999, port));
	return 0;
}
