/* SPDX-License-Identifier: BSD-2-Clause */
/* UNIX sockets: paths, abstract names, pairs, descriptors, credentials, errors. */
#include "t.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un name(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	strcpy(a.sun_path, path);
	return a;
}
static void polled(const char *what, int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
	int r = poll(&p, 1, 0);
	printf("%s: poll %d revents %x\n", what, r, p.revents);
}
static void show_name(const char *what, int r, struct sockaddr_un *a, socklen_t n)
{
	printf("%s: %d len %u family %d path \"%.*s\"\n", what, r, n, a->sun_family,
		(int)(n > 2 ? strnlen(a->sun_path, n - 2) : 0), a->sun_path);
}

static void streams(int type)
{
	struct sockaddr_un a = name("sock"), b;
	socklen_t n;
	char buf[100];
	int l = socket(AF_UNIX, type, 0), c = socket(AF_UNIX, type, 0), s;

	RET(listen(l, 1));
	RET(connect(c, (void *)&a, sizeof(a)));
	RET(bind(l, (void *)&a, sizeof(a)));
	RET(bind(l, (void *)&a, sizeof(a)));
	RET(bind(c, (void *)&a, sizeof(a)));
	RET(connect(c, (void *)&a, sizeof(a)));
	RET(listen(l, 1));
	RET(connect(c, (void *)&a, sizeof(a)));
	RET(connect(c, (void *)&a, sizeof(a)));
	polled("listener", l);
	n = sizeof(b);
	memset(&b, 0, sizeof(b));
	s = accept(l, (void *)&b, &n);
	NEED(s >= 0);
	show_name("accept", 0, &b, n);
	n = sizeof(b);
	show_name("peer of client", getpeername(c, (void *)&b, &n), &b, n);
	n = sizeof(b);
	show_name("own of client", getsockname(c, (void *)&b, &n), &b, n);
	struct ucred cred;
	n = sizeof(cred);
	RET(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &n));
	printf("peer is me %d uid %d\n", cred.pid == getpid(), cred.uid == getuid());
	RET(send(c, "one", 3, 0));
	RET(send(c, "two", 3, 0));
	int v;
	RET(ioctl(s, FIONREAD, &v));
	printf("FIONREAD %d\n", v);
	RET(recv(s, buf, 2, 0));
	RET(recv(s, buf, 100, 0));
	RET(recv(s, buf, 100, MSG_DONTWAIT));
	RET(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)));
	RET(shutdown(c, SHUT_WR));
	polled("half closed, server", s);
	RET(recv(s, buf, 100, 0));
	RET(recv(s, buf, 100, 0));
	RET(send(c, "x", 1, MSG_NOSIGNAL));
	RET(send(s, "back", 4, 0));
	polled("half closed, client", c);
	close(s);
	polled("closed, client", c);
	RET(recv(c, buf, 100, 0));
	RET(recv(c, buf, 100, 0));
	RET(send(c, "x", 1, MSG_NOSIGNAL));
	close(c);
	close(l);
	c = socket(AF_UNIX, type, 0);
	RET(connect(c, (void *)&a, sizeof(a)));
	RET(unlink("sock"));
	RET(connect(c, (void *)&a, sizeof(a)));
	close(c);
}

static void datagrams(void)
{
	struct sockaddr_un a = name("dgram"), b;
	socklen_t n;
	char buf[100];
	int u = socket(AF_UNIX, SOCK_DGRAM, 0), w = socket(AF_UNIX, SOCK_DGRAM, 0);

	RET(bind(u, (void *)&a, sizeof(a)));
	RET(send(w, "x", 1, 0));
	RET(sendto(w, "hello", 5, 0, (void *)&a, sizeof(a)));
	n = sizeof(b);
	RET(recvfrom(u, buf, 100, 0, (void *)&b, &n));
	printf("sender without a name: len %u\n", n);
	memset(&b, 0, sizeof(b));
	b.sun_family = AF_UNIX;
	strcpy(b.sun_path + 1, "skiff-guest-test");
	RET(bind(w, (void *)&b, 2 + 17));
	RET(connect(w, (void *)&a, sizeof(a)));
	RET(send(w, "named", 5, 0));
	n = sizeof(b);
	RET(recvfrom(u, buf, 3, 0, (void *)&b, &n));
	printf("sender: len %u %s\n", n, b.sun_path + 1);
	RET(listen(u, 1));
	close(u);
	RET(send(w, "x", 1, 0));
	RET(send(w, "x", 1, 0));
	close(w);
	unlink("dgram");
}

static void descriptors(void)
{
	int sv[2], p[2], got[2];
	char control[CMSG_SPACE(sizeof(int) * 2)] = { 0 }, byte = 'x', buf[10];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0 && pipe(p) == 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * 2);
	memcpy(CMSG_DATA(c), p, sizeof(p));
	RET(sendmsg(sv[0], &m, 0));
	close(p[0]);
	close(p[1]);
	memset(control, 0, sizeof(control));
	m.msg_controllen = sizeof(control);
	RET(recvmsg(sv[1], &m, MSG_CMSG_CLOEXEC));
	c = CMSG_FIRSTHDR(&m);
	NEED(c);
	printf("level %d type %d len %zu flags %x\n", c->cmsg_level, c->cmsg_type, c->cmsg_len,
		m.msg_flags);
	memcpy(got, CMSG_DATA(c), sizeof(got));
	RET(write(got[1], "through", 7));
	RET(read(got[0], buf, 10));
	printf("cloexec %d\n", fcntl(got[0], F_GETFD));
	/* room for one of two */
	c->cmsg_len = CMSG_LEN(sizeof(int) * 2);
	m.msg_controllen = sizeof(control);
	memcpy(CMSG_DATA(c), got, sizeof(got));
	RET(sendmsg(sv[0], &m, 0));
	m.msg_controllen = CMSG_LEN(sizeof(int));
	RET(recvmsg(sv[1], &m, 0));
	printf("truncated: flags %x len %zu\n", m.msg_flags,
		m.msg_controllen >= sizeof(*c) ? c->cmsg_len : 0);
	got[0] = 1000;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	m.msg_controllen = CMSG_SPACE(sizeof(int));
	memcpy(CMSG_DATA(c), got, sizeof(int));
	RET(sendmsg(sv[0], &m, 0));
	int on = 1;
	RET(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	RET(send(sv[0], "y", 1, 0));
	m.msg_controllen = sizeof(control);
	RET(recvmsg(sv[1], &m, 0));
	c = CMSG_FIRSTHDR(&m);
	NEED(c);
	printf("type %d pid %d\n", c->cmsg_type, ((struct ucred *)CMSG_DATA(c))->pid == getpid());
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	puts("-- stream");
	streams(SOCK_STREAM);
	puts("-- seqpacket");
	streams(SOCK_SEQPACKET);
	puts("-- datagram");
	datagrams();
	puts("-- descriptors");
	descriptors();
	return 0;
}
