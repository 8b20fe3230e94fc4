/* SPDX-License-Identifier: BSD-2-Clause */
/* socketpair of each kind; message boundaries; descriptors passed with SCM_RIGHTS. */
#include "net.h"

static void pass(int sock, const int *fds, int n)
{
	char control[CMSG_SPACE(sizeof(int) * 4)] = "";
	struct iovec iov = { "fd", 2 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	RET(sendmsg(sock, &msg, 0));
}

static int take(int sock, int *fds, size_t room, int flags)
{
	char control[CMSG_SPACE(sizeof(int) * 4)] = "", text[8] = "";
	struct iovec iov = { text, 7 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room
	};
	RET(recvmsg(sock, &msg, flags));
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int n = c && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	if (n)
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	printf("%s, %d descriptors, truncated %d\n", text, n, !!(msg.msg_flags & MSG_CTRUNC));
	return n;
}

int main(void)
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET }, s[2], fds[4], pipes[2];
	char buf[16];
	for (int i = 0; i < 3; i++) {
		printf("type %d\n", types[i]);
		NEED(socketpair(AF_UNIX, types[i], 0, s) == 0);
		RET(send(s[0], "abc", 3, 0));
		RET(send(s[0], "defgh", 5, 0));
		RET(recv(s[1], buf, 2, 0));
		RET(recv(s[1], buf, 10, 0));
		RET(recv(s[1], buf, 10, MSG_DONTWAIT));
		RET(close(s[0]));
		RET(recv(s[1], buf, 10, MSG_DONTWAIT));
		RET(send(s[1], "x", 1, MSG_NOSIGNAL));
		RET(close(s[1]));
	}
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(pipes) == 0);
	int file = t_file("f", "passed content");
	pass(s[0], (int[]){ pipes[1], file }, 2);
	close(file);
	IS(take(s[1], fds, CMSG_SPACE(sizeof(int) * 4), MSG_CMSG_CLOEXEC) == 2);
	IS(fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
	RET(write(fds[0], "through", 7));
	RET(read(pipes[0], buf, 16));
	RET(read(fds[1], buf, 6));
	printf("%.6s\n", buf);
	/* the pipe ends when the last of its writers does, also one on its way */
	close(fds[0]);
	pass(s[0], &pipes[1], 1);
	close(pipes[1]);
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	RET(read(pipes[0], buf, 1));
	close(s[0]);
	close(s[1]);
	RET(read(pipes[0], buf, 1));
	/* no room for it */
	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0 && pipe(pipes) == 0);
	pass(s[0], pipes, 2);
	take(s[1], fds, CMSG_SPACE(0), 0);
	pass(s[0], pipes, 2);
	take(s[1], fds, 0, 0);
	pass(s[0], (int[]){ 999 }, 1);
	/* a socket through itself */
	pass(s[0], s, 2);
	IS(take(s[1], fds, CMSG_SPACE(sizeof(int) * 4), 0) == 2);
	RET(send(fds[0], "same", 4, 0));
	RET(recv(s[1], buf, 16, 0));
	RET(socketpair(AF_INET, SOCK_STREAM, 0, s));
	RET(socketpair(AF_UNIX, SOCK_STREAM, 5, s));
	return 0;
}
