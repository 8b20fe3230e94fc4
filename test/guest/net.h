/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_NET_H
#define TEST_GUEST_NET_H
/* Sockets on the loopback interface, on ports that the kernel chooses. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "t.h"

static inline struct sockaddr_in net_addr(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static inline uint16_t net_port(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	NEED(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	return ntohs(a.sin_port);
}

static inline int net_bound(int type)
{
	struct sockaddr_in a = net_addr(0);
	int fd = socket(AF_INET, type, 0);
	NEED(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

static inline int net_listener(int backlog)
{
	int fd = net_bound(SOCK_STREAM);
	NEED(listen(fd, backlog) == 0);
	return fd;
}

static inline int net_connect(int fd, uint16_t port)
{
	struct sockaddr_in a = net_addr(port);
	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

/* Two ends of a TCP connection: pair[0] connected, pair[1] accepted. */
static inline void net_pair(int pair[2])
{
	int listener = net_listener(5);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	NEED(net_connect(pair[0], net_port(listener)) == 0);
	pair[1] = accept(listener, NULL, NULL);
	NEED(pair[1] >= 0);
	close(listener);
}

static inline int net_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	if (getsockopt(fd, level, name, &value, &len) != 0)
		return -errno;
	return value;
}

/*
 * A network of the test's own, with a loopback interface: on Linux other programs' sockets are not
 * in it, and settings are the default. What net_back takes to return; -1: there is none (the guest,
 * which has one network for one program, and Linux for who is not root).
 */
static inline int net_own(void)
{
	int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), s;
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (before < 0 || unshare(CLONE_NEWNET)) {
		close(before);
		return -1;
	}
	s = socket(AF_INET, SOCK_DGRAM, 0);
	NEED(ioctl(s, SIOCSIFFLAGS, &r) == 0);
	close(s);
	return before;
}
static inline void net_back(int before)
{
	if (before < 0)
		return;
	NEED(setns(before, CLONE_NEWNET) == 0);
	close(before);
}

/* Wait up to ten seconds for these events; what came. */
static inline int net_poll(int fd, int events)
{
	struct pollfd p = { fd, events, 0 };
	return poll(&p, 1, 10000) < 0 ? -errno : p.revents;
}

#endif
