/* SPDX-License-Identifier: BSD-2-Clause */
/* IP_RECVERR and IPV6_RECVERR: what came back about a datagram, with the datagram. */
#include "net6.h"
#include <linux/errqueue.h>

static void read_error(int fd)
{
	struct sockaddr_in6 name = { 0 };
	char buf[100] = "", control[300], text[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	if (RET(recvmsg(fd, &m, MSG_ERRQUEUE)) < 0)
		return;
	printf("text %s flags %x name %d len %u\n", buf, m.msg_flags, name.sin6_family,
		m.msg_namelen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err *e = (void *)CMSG_DATA(c);
		struct sockaddr *o = SO_EE_OFFENDER(e);
		inet_ntop(o->sa_family,
			o->sa_family == AF_INET ? (void *)&((struct sockaddr_in *)o)->sin_addr
						: (void *)&((struct sockaddr_in6 *)o)->sin6_addr,
			text, sizeof(text));
		printf("level %d type %d len %zu: %s origin %d type %d code %d info %u from %s\n",
			c->cmsg_level, c->cmsg_type, c->cmsg_len, t_errno(e->ee_errno),
			e->ee_origin, e->ee_type, e->ee_code, e->ee_info, text);
	}
}

static void refused(int family, const char *to)
{
	struct sockaddr_in6 a6 = addr6(to, 9);
	struct sockaddr_in a4 = net_addr(9);
	void *a = family == AF_INET ? (void *)&a4 : (void *)&a6;
	socklen_t len = family == AF_INET ? sizeof(a4) : sizeof(a6);
	int on = 1, fd = socket(family, SOCK_DGRAM, 0);
	char buf[10];

	printf("--- family %d to %s\n", family, to);
	RET(recvmsg(fd, &(struct msghdr){ 0 }, MSG_ERRQUEUE));
	RET(sendto(fd, "unheard", 7, 0, a, len)); /* neither connected nor asked for */
	RET(sendto(fd, "unheard", 7, 0, a, len));
	RET(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)));
	if (family == AF_INET6)
		RET(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)));
	RET(sendto(fd, "first", 5, 0, a, len));
	printf("poll %x\n", net_poll(fd, POLLIN));
	RET(recv(fd, buf, 10, MSG_DONTWAIT));
	printf("poll %x\n", net_poll(fd, 0));
	read_error(fd);
	RET(recv(fd, buf, 10, MSG_DONTWAIT));
	RET(sendto(fd, "second", 6, 0, a, len));
	read_error(fd); /* takes the error with it */
	RET(recv(fd, buf, 10, MSG_DONTWAIT));
	read_error(fd);
	close(fd);
}

int main(void)
{
	refused(AF_INET, "::ffff:127.0.0.1");
	refused(AF_INET6, "::1");
	refused(AF_INET6, "::ffff:127.0.0.1");
	return 0;
}
