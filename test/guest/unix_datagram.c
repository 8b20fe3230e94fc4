/* SPDX-License-Identifier: BSD-2-Clause */
/* UNIX datagram sockets: named and unnamed senders, full queues, connected ones, gone ones. */
#include "net.h"

int main(void)
{
	struct sockaddr_un a = { AF_UNIX, "a" }, b = { AF_UNIX, "b" }, from;
	socklen_t len = sizeof(from);
	char buf[32] = "";
	int one = socket(AF_UNIX, SOCK_DGRAM, 0),
	    two = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	RET(bind(one, (struct sockaddr *)&a, sizeof(a)));
	RET(sendto(two, "anonymous", 9, 0, (struct sockaddr *)&a, sizeof(a)));
	RET(recvfrom(one, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	printf("%s, name length %u\n", buf, len);
	RET(bind(two, (struct sockaddr *)&b, sizeof(b)));
	RET(sendto(two, "named", 5, 0, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(from);
	memset(buf, 0, sizeof(buf));
	RET(recvfrom(one, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	printf("%s from %s\n", buf, from.sun_path);
	RET(connect(two, (struct sockaddr *)&a, sizeof(a)));
	RET(send(two, "to the peer", 11, 0));
	RET(recv(one, buf, 5, MSG_TRUNC));
	int sent = 0;
	while (send(two, "fill", 4, 0) == 4 && sent < 100000)
		sent++;
	printf("full: %s\n", t_errno(errno));
	IS(sent >= 5 && sent < 100000);
	struct pollfd p = { two, POLLOUT, 0 };
	RET(poll(&p, 1, 0));
	while (recv(one, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	RET(poll(&p, 1, 1000));
	RET(close(one));
	RET(send(two, "x", 1, MSG_NOSIGNAL));
	RET(sendto(two, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	RET(sendto(two, "x", 1, 0, (struct sockaddr *)&(struct sockaddr_un){ AF_UNIX, "none" },
		sizeof(a)));
	return 0;
}
