/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes: order, end of file, EPIPE and SIGPIPE, non-blocking, atomic writes, sizes, poll bits. */
#include <poll.h>
#include <sys/ioctl.h>
#include "t.h"

static volatile int broken;
static void on_pipe(int sig)
{
	broken++;
}

static void *drain(void *arg)
{
	char buf[5000];
	long total = 0;
	for (ssize_t n; (n = read((int)(long)arg, buf, sizeof(buf))) > 0;)
		total += n;
	return (void *)total;
}

static int bits(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	poll(&p, 1, 0);
	return p.revents;
}

int main(void)
{
	static char big[300000];
	char buf[100] = "";
	int p[2], avail;
	RET(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	IS(fcntl(p[0], F_GETFD) == FD_CLOEXEC && (fcntl(p[1], F_GETFL) & O_NONBLOCK));
	RET(read(p[0], buf, 1));
	printf("empty %x %x\n", bits(p[0]), bits(p[1]));
	RET(write(p[1], "abc", 3));
	RET(write(p[1], "def", 3));
	RET(ioctl(p[0], FIONREAD, &avail));
	printf("available %d\n", avail);
	RET(read(p[0], buf, 4));
	RET(read(p[0], buf + 4, 90));
	printf("%s\n", buf);
	RET(write(p[1], "", 0));
	long n = 0;
	for (ssize_t w; (w = write(p[1], big, 4096)) > 0;)
		n += w;
	printf("room %ld, then %s\n", n, t_errno(errno));
	printf("full %x %x\n", bits(p[0]), bits(p[1]));
	RET(read(p[0], big, 100));
	RET(write(p[1], big, 4096)); /* all or nothing */
	RET(fcntl(p[0], F_GETPIPE_SZ));
	RET(fcntl(p[0], F_SETPIPE_SZ, 4096));
	while (read(p[0], big, sizeof(big)) > 0)
		;
	RET(fcntl(p[0], F_SETPIPE_SZ, 10000));
	RET(write(p[1], big, 20000));
	RET(close(p[1]));
	printf("writer gone %x\n", bits(p[0]));
	RET(read(p[0], big, sizeof(big)));
	RET(read(p[0], buf, 1));
	close(p[0]);

	signal(SIGPIPE, on_pipe);
	NEED(pipe(p) == 0);
	RET(close(p[0]));
	printf("reader gone %x\n", bits(p[1]));
	RET(write(p[1], "x", 1));
	printf("SIGPIPE %d\n", broken);
	close(p[1]);
	/* a blocked writer goes on as the reader reads */
	NEED(pipe(p) == 0);
	pthread_t id = t_thread(drain, (void *)(long)p[0]);
	RET(write(p[1], big, sizeof(big)));
	close(p[1]);
	void *total;
	pthread_join(id, &total);
	printf("drained %ld\n", (long)total);
	RET(pipe2(p, 0x123));
	RET(fcntl(0x7000, F_GETPIPE_SZ));
	return 0;
}
