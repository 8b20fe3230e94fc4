/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP over loopback: names, truncation, connected sockets, errors that come back, ancillary data.
 */
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
			   b;
	socklen_t n = sizeof(a);
	char buf[100], control[200];
	int v, one = 1, u = socket(AF_INET, SOCK_DGRAM, 0), w = socket(AF_INET, SOCK_DGRAM, 0);

	RET(listen(u, 1));
	RET(accept(u, NULL, NULL));
	RET(send(u, "x", 1, 0));
	RET(recv(u, buf, 1, MSG_DONTWAIT));
	RET(bind(u, (void *)&a, sizeof(a)));
	RET(getsockname(u, (void *)&a, &n));
	RET(setsockopt(u, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)));
	RET(setsockopt(u, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one)));
	RET(sendto(w, "hello", 5, 0, (void *)&a, 3));
	b = a;
	b.sin_port = 0;
	RET(sendto(w, "hello", 5, 0, (void *)&b, sizeof(b)));
	b.sin_family = 77;
	RET(sendto(w, "hello", 5, 0, (void *)&b, sizeof(b)));
	RET(sendto(w, "hello", 5, 0, (void *)&a, sizeof(a)));
	RET(sendto(w, "", 0, 0, (void *)&a, sizeof(a)));
	RET(sendto(w, "second", 6, 0, (void *)&a, sizeof(a)));
	RET(ioctl(u, FIONREAD, &v));
	printf("FIONREAD %d\n", v);
	n = sizeof(b);
	RET(recvfrom(u, buf, 3, MSG_PEEK | MSG_TRUNC, (void *)&b, &n));
	printf("from family %d len %u addr %s\n", b.sin_family, n, inet_ntoa(b.sin_addr));
	RET(recv(u, buf, 3, 0));
	RET(recv(u, buf, 100, 0));
	struct iovec iov[2] = { { buf, 2 }, { buf + 50, 2 } };
	struct msghdr m = { .msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	RET(recvmsg(u, &m, 0));
	printf("flags %x, %.2s %.2s\n", m.msg_flags, buf, buf + 50);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		printf("cmsg level %d type %d len %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_type == IP_TTL)
			printf(" ttl %d", *(int *)CMSG_DATA(c));
		if (c->cmsg_type == IP_PKTINFO)
			printf(" if %d to %s", ((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex,
				inet_ntoa(((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr));
		putchar('\n');
	}
	RET(recv(u, buf, 1, MSG_DONTWAIT));

	RET(connect(w, (void *)&a, sizeof(a)));
	RET(getpeername(w, (void *)&b, &n));
	RET(send(w, "connected", 9, 0));
	RET(recv(u, buf, 100, 0));
	close(u);
	RET(send(w, "nobody", 6, 0));
	struct pollfd p = { w, POLLIN, 0 };
	poll(&p, 1, 5000);
	printf("revents %x\n", p.revents);
	RET(send(w, "again", 5, 0));
	RET(recv(w, buf, 1, MSG_DONTWAIT));
	RET(recv(w, buf, 1, MSG_DONTWAIT));
	b = (struct sockaddr_in){ .sin_family = AF_UNSPEC };
	RET(connect(w, (void *)&b, sizeof(b)));
	RET(getpeername(w, (void *)&b, &n));
	RET(shutdown(w, SHUT_RD));
	static char big[70000];
	RET(sendto(w, big, 65508, 0, (void *)&a, sizeof(a)));
	RET(sendto(w, big, 65507, 0, (void *)&a, sizeof(a)));
	RET(sendto(w, BAD_PTR, 10, 0, (void *)&a, sizeof(a)));
	RET(sendto(w, big, 10, 0, BAD_PTR, sizeof(a)));

	struct mmsghdr vec[3] = { 0 };
	u = socket(AF_INET, SOCK_DGRAM, 0);
	a.sin_port = 0;
	n = sizeof(a);
	NEED(bind(u, (void *)&a, sizeof(a)) == 0 && getsockname(u, (void *)&a, &n) == 0);
	for (int i = 0; i < 3; i++) {
		vec[i].msg_hdr.msg_iov = &iov[0];
		vec[i].msg_hdr.msg_iovlen = 1;
		vec[i].msg_hdr.msg_name = &a;
		vec[i].msg_hdr.msg_namelen = sizeof(a);
	}
	RET(sendmmsg(w, vec, 3, 0));
	for (int i = 0; i < 3; i++)
		vec[i].msg_hdr.msg_name = NULL, vec[i].msg_len = 77;
	RET(recvmmsg(u, vec, 3, MSG_WAITFORONE, NULL));
	printf("lengths %u %u %u\n", vec[0].msg_len, vec[1].msg_len, vec[2].msg_len);
	return 0;
}
