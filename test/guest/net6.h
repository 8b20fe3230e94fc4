/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_NET6_H
#define TEST_GUEST_NET6_H
/* IPv6 addresses for tests, and how they are printed: without ports that the kernel chooses. */
#include "net.h"

static inline struct sockaddr_in6 addr6(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	NEED(inet_pton(AF_INET6, text, &a.sin6_addr) == 1);
	return a;
}
static inline void show6(const char *what, const struct sockaddr_in6 *a, socklen_t len)
{
	char text[64] = "?";
	if (a->sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof(text));
	printf("%s: family %d len %u %s port %s scope %u\n", what, a->sin6_family, len, text,
		a->sin6_port ? "some" : "none", a->sin6_scope_id);
}
static inline void show_name(int fd, bool peer)
{
	struct sockaddr_in6 a = { 0 };
	socklen_t len = sizeof(a);
	int r = peer ? getpeername(fd, (void *)&a, &len) : getsockname(fd, (void *)&a, &len);
	if (r)
		printf("%s: %s\n", peer ? "peer" : "name", t_errno(errno));
	else
		show6(peer ? "peer" : "name", &a, len);
}
static inline uint16_t port6(int fd)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	NEED(getsockname(fd, (void *)&a, &len) == 0);
	return ntohs(a.sin6_port);
}
#endif
