/* SPDX-License-Identifier: BSD-2-Clause */
/* shutdown(2) in each direction, then the peer sends: who reads what, who hears of a reset. */
#include "net.h"

static int state(int fd)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);

	NEED(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0);
	return info.tcpi_state;
}

int main(void)
{
	for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
		char b[10];
		int p[2];

		net_pair(p);
		RET(send(p[1], "early", 5, 0));
		NEED(net_poll(p[0], POLLIN) == POLLIN);
		RET(shutdown(p[0], how));
		t_sleep_ms(20);
		RET(send(p[1], "late", 4, MSG_NOSIGNAL));
		t_sleep_ms(20);
		RET(net_poll(p[0], POLLIN | POLLOUT | POLLRDHUP));
		RET(net_poll(p[1], POLLIN | POLLOUT | POLLRDHUP));
		for (int i = 0; i < 3; i++)
			RET(recv(p[0], b, 7, MSG_DONTWAIT));
		RET(send(p[1], "later", 5, MSG_NOSIGNAL));
		RET(recv(p[1], b, 10, MSG_DONTWAIT));
		RET(send(p[0], "x", 1, MSG_NOSIGNAL));
		printf("states: %d %d\n", state(p[0]), state(p[1]));
		close(p[0]);
		close(p[1]);
	}
	return 0;
}
