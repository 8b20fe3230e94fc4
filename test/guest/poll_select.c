/* SPDX-License-Identifier: BSD-2-Clause */
/* poll and select: what is ready, bad descriptors, time limits, wake-up by another thread. */
#include <poll.h>
#include <sys/select.h>
#include "t.h"

static int pipes[2];
static void *write_later(void *arg)
{
	t_sleep_ms(10);
	return (void *)(long)write(pipes[1], "x", 1);
}

int main(void)
{
	char c;
	NEED(pipe(pipes) == 0);
	int file = t_file("f", "");
	struct pollfd p[5] = { { pipes[0], POLLIN, 0 }, { pipes[1], POLLOUT, 0 }, { -5, POLLIN, 9 },
		{ 999, POLLIN, 0 }, { file, POLLIN | POLLOUT | POLLPRI, 0 } };
	RET(poll(p, 5, 0));
	for (int i = 0; i < 5; i++)
		printf("%x ", p[i].revents);
	putchar('\n');
	RET(poll(p, 1, 5));
	RET(poll(NULL, 0, 1));
	pthread_t id = t_thread(write_later, NULL);
	RET(poll(p, 1, 10000));
	printf("%x\n", p[0].revents);
	pthread_join(id, NULL);
	(void)!read(pipes[0], &c, 1);
	fd_set in, out, bad;
	struct timeval tv = { 0, 3000 };
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(pipes[0], &in);
	FD_SET(pipes[1], &out);
	RET(select(pipes[1] + 1, &in, &out, NULL, NULL));
	printf("in %d out %d\n", !!FD_ISSET(pipes[0], &in), !!FD_ISSET(pipes[1], &out));
	FD_SET(pipes[0], &in);
	RET(select(pipes[0] + 1, &in, NULL, NULL, &tv));
	printf("left %ld %ld, in %d\n", (long)tv.tv_sec, (long)tv.tv_usec,
		!!FD_ISSET(pipes[0], &in));
	FD_SET(pipes[0], &in);
	id = t_thread(write_later, NULL);
	tv.tv_sec = 1000;
	RET(select(pipes[0] + 1, &in, NULL, NULL, &tv));
	IS(tv.tv_sec >= 980 && tv.tv_sec < 1000);
	pthread_join(id, NULL);
	FD_ZERO(&bad);
	FD_SET(60, &bad);
	RET(select(61, &bad, NULL, NULL, &tv));
	RET(select(-1, NULL, NULL, NULL, &tv));
	tv.tv_usec = -1;
	RET(select(1, NULL, NULL, NULL, &tv));
	RET(syscall(SYS_poll, p, 1u << 30, 0));
	return 0;
}
