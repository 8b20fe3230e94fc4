/* SPDX-License-Identifier: BSD-2-Clause */
/* A datagram made by several calls: MSG_MORE and UDP_CORK. */
#include "net.h"
#include <netinet/udp.h>

static char big[66000];

static void look(const char *what, int fd)
{
	static char buf[66000];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0)
		printf("%s: %zd bytes, %.8s\n", what, n, n ? buf : "");
	printf("%s: then %s\n", what, t_errno(errno));
}

static int one, two; /* receivers */
static struct sockaddr_in to_one, to_two;

#define SEND(fd, text, flags) RET(send(fd, text, strlen(text), flags))
#define SEND_TO(fd, text, flags, to)                                                               \
	RET(sendto(fd, text, strlen(text), flags, (struct sockaddr *)&(to), sizeof(to)))

static void more(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	puts("the first says where it goes");
	SEND_TO(fd, "ab", MSG_MORE, to_one);
	look("one", one);
	SEND_TO(fd, "cd", MSG_MORE, to_two);
	SEND(fd, "ef", MSG_MORE);
	look("one", one);
	SEND(fd, "gh", 0);
	look("one", one);
	look("two", two);
	SEND(fd, "", 0);
	SEND_TO(fd, "", MSG_MORE, to_one);
	SEND(fd, "", 0);
	look("one, empty", one);
	SEND_TO(fd, "lost", MSG_MORE, to_one);
	close(fd);
	look("one, closed before", one);
}

static void cork(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, off = 0;

	puts("UDP_CORK");
	RET(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)));
	RET(net_option(fd, IPPROTO_UDP, UDP_CORK));
	SEND_TO(fd, "12", 0, to_one);
	SEND_TO(fd, "34", 0, to_two);
	look("one", one);
	RET(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &off, sizeof(off)));
	look("one", one);
	look("two", two);
	RET(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)));
	RET(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &off, sizeof(off)));
	look("one, nothing was sent", one);
	close(fd);
}

static void too_long(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 300;

	puts("too long, cut, shut");
	memset(big, 'x', sizeof(big));
	NEED(!connect(fd, (struct sockaddr *)&to_one, sizeof(to_one)));
	RET(send(fd, big, 65000, MSG_MORE));
	RET(send(fd, big, 507, MSG_MORE));
	RET(send(fd, big, 1, MSG_MORE));
	look("one, all of it lost", one);
	SEND(fd, "next", 0);
	look("one", one);
	RET(send(fd, big, 65000, MSG_MORE));
	RET(send(fd, big, 507, 0));
	look("one", one);
	RET(send(fd, BAD_PTR, 4, MSG_MORE));
	SEND(fd, "after", 0);
	look("one, a bad address", one);
	RET(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)));
	RET(send(fd, big, 500, MSG_MORE));
	RET(send(fd, big, 200, 0));
	look("one, in segments", one);
	size = 0;
	RET(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)));
	SEND(fd, "before", MSG_MORE);
	RET(shutdown(fd, SHUT_WR));
	SEND(fd, "+behind", MSG_NOSIGNAL);
	look("one, shut meanwhile", one);
	SEND(fd, "later", MSG_NOSIGNAL);
	close(fd);
}

static void family6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int to = socket(AF_INET6, SOCK_DGRAM, 0), fd = socket(AF_INET6, SOCK_DGRAM, 0);
	socklen_t len = sizeof(a);

	puts("IPv6");
	NEED(!bind(to, (struct sockaddr *)&a, sizeof(a)));
	NEED(!getsockname(to, (struct sockaddr *)&a, &len));
	SEND_TO(fd, "ab", MSG_MORE, a);
	SEND(fd, "cd", MSG_MORE);
	SEND(fd, "ef", 0);
	look("it", to);
	close(to);
	close(fd);
}

int main(void)
{
	one = net_bound(SOCK_DGRAM);
	two = net_bound(SOCK_DGRAM);
	to_one = net_addr(net_port(one));
	to_two = net_addr(net_port(two));
	more();
	cork();
	too_long();
	family6();
	return 0;
}
