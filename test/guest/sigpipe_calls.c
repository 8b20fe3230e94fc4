/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGPIPE and MSG_NOSIGNAL: which kinds of sockets signal a broken connection, through each call.
 */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include "net.h"

static int signals;

static void on_pipe(int sig, siginfo_t *info, void *context)
{
	signals++;
}

static int broken_tcp(void)
{
	int pair[2];

	net_pair(pair);
	NEED(shutdown(pair[0], SHUT_WR) == 0);
	return pair[0];
}

static int broken_pair(int type)
{
	int pair[2];

	NEED(socketpair(AF_UNIX, type, 0, pair) == 0 && close(pair[1]) == 0);
	return pair[0];
}

static int broken_stream(void)
{
	return broken_pair(SOCK_STREAM);
}

static int broken_seqpacket(void)
{
	return broken_pair(SOCK_SEQPACKET);
}

static int broken_datagrams(void)
{
	int pair[2];

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 && shutdown(pair[0], SHUT_WR) == 0);
	return pair[0];
}

static int broken_udp(void)
{
	int to = net_bound(SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);

	NEED(net_connect(fd, net_port(to)) == 0 && shutdown(fd, SHUT_WR) == 0);
	return fd;
}

static void calls(const char *kind, int fd, int flags)
{
	struct iovec v = { "abc", 3 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } };
	int from;

	printf("-- %s, flags %x\n", kind, flags);
	RET(send(fd, "abc", 3, flags));
	RET(sendto(fd, "abc", 3, flags, NULL, 0));
	RET(sendmsg(fd, &m.msg_hdr, flags));
	RET(sendmmsg(fd, &m, 1, flags));
	printf("signals: %d\n", signals);
	if (!flags) {
		RET(write(fd, "abc", 3));
		RET(writev(fd, &v, 1));
		from = open("/proc/self/exe", O_RDONLY);
		RET(sendfile(fd, from, NULL, 10));
		close(from);
		printf("signals: %d\n", signals);
	}
	signals = 0;
}

int main(void)
{
	static const struct {
		const char *name;
		int (*open)(void);
	} kinds[] = { { "TCP", broken_tcp }, { "stream", broken_stream },
		{ "seqpacket", broken_seqpacket }, { "datagrams", broken_datagrams },
		{ "UDP", broken_udp } };

	t_handle(SIGPIPE, on_pipe, 0);
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		int fd = kinds[i].open();

		calls(kinds[i].name, fd, MSG_NOSIGNAL);
		calls(kinds[i].name, fd, 0);
		close(fd);
	}
	return 0;
}
