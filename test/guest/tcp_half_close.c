/* SPDX-License-Identifier: BSD-2-Clause */
/* shutdown in each direction, poll bits on the way down, EPIPE and SIGPIPE. */
#include "net.h"

static volatile int pipes_broken;
static void on_pipe(int sig)
{
	pipes_broken++;
}

int main(void)
{
	int p[2];
	char buf[64] = "";
	signal(SIGPIPE, on_pipe);
	net_pair(p);
	int want = POLLIN | POLLOUT | POLLRDHUP;
	printf("open: %x\n", net_poll(p[0], want));
	RET(shutdown(p[0], SHUT_WR));
	while (!(net_poll(p[1], POLLRDHUP) & POLLRDHUP))
		;
	printf("after the peer's FIN: %x\n", net_poll(p[1], want));
	RET(recv(p[1], buf, 10, 0));
	RET(send(p[1], "still", 5, 0));
	RET(recv(p[0], buf, 5, MSG_WAITALL));
	printf("%s\n", buf);
	RET(send(p[0], "x", 1, 0));
	printf("SIGPIPE %d\n", pipes_broken);
	RET(send(p[0], "x", 1, MSG_NOSIGNAL));
	printf("SIGPIPE %d\n", pipes_broken);
	RET(shutdown(p[1], SHUT_WR));
	while (!(net_poll(p[0], 0) & POLLHUP))
		;
	printf("both closed: %x\n", net_poll(p[0], want));
	RET(recv(p[0], buf, 1, 0));
	RET(shutdown(p[0], 99));
	close(p[0]);
	close(p[1]);
	/* SHUT_RD: reading ends at once */
	net_pair(p);
	RET(shutdown(p[0], SHUT_RD));
	RET(recv(p[0], buf, 1, 0));
	RET(send(p[0], "ok", 2, 0));
	RET(recv(p[1], buf, 2, MSG_WAITALL));
	close(p[0]);
	RET(recv(p[1], buf, 2, 0));
	close(p[1]);
	/* closed with data unread: the peer is reset */
	net_pair(p);
	RET(send(p[0], "unread", 6, 0));
	net_poll(p[1], POLLIN);
	close(p[1]);
	while (!(net_poll(p[0], 0) & POLLERR))
		;
	RET(recv(p[0], buf, 1, 0));
	RET(recv(p[0], buf, 1, 0));
	close(p[0]);
	/* linger 0: reset */
	net_pair(p);
	struct linger now = { 1, 0 };
	RET(setsockopt(p[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	close(p[1]);
	printf("bits %x\n", net_poll(p[0], want));
	printf("error %s\n", t_errno(net_option(p[0], SOL_SOCKET, SO_ERROR)));
	RET(recv(p[0], buf, 1, 0));
	RET(send(p[0], "x", 1, MSG_NOSIGNAL));
	return 0;
}
