/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that the kernel chooses: by bind to 0, by connect, by sendto; how many sockets can share a
 * range of a few, and what they hear when it is used up; IP_BIND_ADDRESS_NO_PORT; when a port that
 * was chosen is given back.
 */
#include "net6.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#define RANGE 4
#define MANY  12

static uint16_t first; /* of the range */

static void set(int fd, int level, int name, int v)
{
	NEED(setsockopt(fd, level, name, &v, sizeof(v)) == 0);
}

static int make(int family, int type, int how)
{
	int fd = socket(family, type, 0);
	uint32_t range = (uint32_t)(first + RANGE - 1) << 16 | first;

	NEED(fd >= 0);
	NEED(setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0);
	if (how & 1)
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (how & 2)
		set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (how & 4)
		set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);

	NEED(getsockname(fd, (void *)&a, &len) == 0);
	return ntohs(a.sin6_port);
}

static socklen_t address(struct sockaddr_in6 *a, int family, bool any, uint16_t port)
{
	struct sockaddr_in in = net_addr(port);

	*a = addr6(any ? "::" : "::1", port);
	if (family == AF_INET6)
		return sizeof(*a);
	if (any)
		in.sin_addr.s_addr = 0;
	memcpy(a, &in, sizeof(in));
	return sizeof(in);
}

static int bind_any(int fd, int family, bool any)
{
	struct sockaddr_in6 a;
	socklen_t len = address(&a, family, any, 0);

	return bind(fd, (void *)&a, len) ? errno : 0;
}

static int connect_to(int fd, int family, uint16_t port)
{
	struct sockaddr_in6 a;
	socklen_t len = address(&a, family, false, port);

	return connect(fd, (void *)&a, len) ? errno : 0;
}

static int send_to(int fd, int family, uint16_t port)
{
	struct sockaddr_in6 a;
	socklen_t len = address(&a, family, false, port);

	return sendto(fd, "x", 1, 0, (void *)&a, len) == 1 ? 0 : errno;
}

static void reset(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

struct tally {
	int fd[MANY], count, seen;
	unsigned ports; /* of the range, by bit */
	bool outside;
	int error;
};

/* False: that was the last one. */
static bool took(struct tally *t, int fd, int error)
{
	if (error) {
		t->error = error;
		close(fd);
		return false;
	}
	uint16_t port = port_of(fd);

	t->fd[t->count++] = fd;
	if (port < first || port >= first + RANGE)
		t->outside = port != 0;
	else
		t->ports |= 1u << (port - first);
	return t->count < MANY;
}

static void end(struct tally *t, const char *what)
{
	/* Which of them are shared is chance, while they suffice. */
	int ports = t->error ? __builtin_popcount(t->ports) : -1;

	printf("%s: %d sockets, %d ports%s, then %s\n", what, t->count, ports,
		t->outside ? ", some outside" : "", t->error ? t_errno(t->error) : "more");
	for (int k = 0; k < t->count; k++)
		reset(t->fd[k]);
	*t = (struct tally){ 0 };
}

static int listener(int family)
{
	struct sockaddr_in6 a;
	int fd = socket(family, SOCK_STREAM, 0);
	socklen_t len = address(&a, family, false, 0);

	NEED(bind(fd, (void *)&a, len) == 0 && listen(fd, 100) == 0);
	return fd;
}

static int receiver(int family)
{
	struct sockaddr_in6 a;
	int fd = socket(family, SOCK_DGRAM, 0);
	socklen_t len = address(&a, family, false, 0);

	NEED(bind(fd, (void *)&a, len) == 0);
	return fd;
}

static void by_bind(int family, int type)
{
	struct tally t = { 0 };
	char what[80];

	for (int how = 0; how < 4; how++)
		for (int any = 0; any < 3; any++) { /* 2: in turn */
			for (int k = 0;; k++) {
				int fd = make(family, type, how);

				if (!took(&t, fd, bind_any(fd, family, any == 2 ? k & 1 : any)))
					break;
			}
			snprintf(what, sizeof(what), "bind family %d type %d, options %d, any %d",
				family, type, how, any);
			end(&t, what);
		}
}

/* Bound sockets that begin to listen, all of one range. */
static void by_listen(int family)
{
	for (int how = 0; how < 4; how++) {
		struct tally t = { 0 };
		char what[80];

		for (;;) {
			int fd = make(family, SOCK_STREAM, how), e = bind_any(fd, family, true);

			if (!e && listen(fd, 1))
				e = errno;
			if (!took(&t, fd, e))
				break;
		}
		snprintf(what, sizeof(what), "listen family %d options %d", family, how);
		end(&t, what);
	}
}

/* before: 0 nothing, 1 bind to an address and port 0, 2 bind to any and port 0. */
static void by_connect(int family, int type, int how, int before, int targets)
{
	struct tally t = { 0 };
	int to[3];
	char what[100];

	for (int k = 0; k < targets; k++)
		to[k] = type == SOCK_STREAM ? listener(family) : receiver(family);
	for (int k = 0;; k++) {
		int fd = make(family, type, how), e = 0;

		if (before)
			e = bind_any(fd, family, before == 2);
		if (!e)
			e = connect_to(fd, family, port_of(to[k % targets]));
		if (!took(&t, fd, e))
			break;
	}
	snprintf(what, sizeof(what), "connect family %d type %d options %d, before %d, to %d",
		family, type, how, before, targets);
	end(&t, what);
	for (int k = 0; k < targets; k++)
		close(to[k]);
}

static void by_sending(int family)
{
	struct tally t = { 0 };
	int to = receiver(family);

	for (;;) {
		int fd = make(family, SOCK_DGRAM, 0);

		if (!took(&t, fd, send_to(fd, family, port_of(to))))
			break;
	}
	end(&t, family == AF_INET ? "sendto v4" : "sendto v6");
	close(to);
}

static void show_local(const char *what, int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	NEED(getsockname(fd, (void *)&a, &len) == 0);
	printf("%s: %s, port %s\n", what, inet_ntoa(a.sin_addr), a.sin_port ? "some" : "none");
}

/* What is left of a local address after each step. */
static void life(int type, int how, int before)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int to = type == SOCK_STREAM ? listener(AF_INET) : receiver(AF_INET);
	int fd = make(AF_INET, type, how);

	printf("life of type %d, options %d, before %d\n", type, how, before);
	if (before)
		RET(bind_any(fd, AF_INET, before == 2));
	show_local("at first", fd);
	RET(connect_to(fd, AF_INET, port_of(to)));
	show_local("connected", fd);
	RET(bind_any(fd, AF_INET, true));
	RET(connect(fd, &none, sizeof(none)));
	show_local("dissolved", fd);
	RET(bind_any(fd, AF_INET, false));
	show_local("bound", fd);
	if (type == SOCK_DGRAM) {
		RET(connect_to(fd, AF_INET, port_of(to)));
		show_local("connected again", fd);
		RET(connect(fd, &none, sizeof(none)));
		show_local("dissolved again", fd);
	}
	close(fd);
	close(to);
}

/* A port whose connection was taken and is over is free for a bind; one without is free at once. */
static void given_back(void)
{
	int l = listener(AF_INET), fd, other;
	struct sockaddr_in a;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	NEED(connect_to(fd, AF_INET, port_of(l)) == 0);
	a = net_addr(port_of(fd));
	other = socket(AF_INET, SOCK_STREAM, 0);
	RET(bind(other, (void *)&a, sizeof(a)));
	set(other, SOL_SOCKET, SO_REUSEADDR, 1);
	RET(bind(other, (void *)&a, sizeof(a)));
	close(other);
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	other = socket(AF_INET, SOCK_STREAM, 0);
	set(other, SOL_SOCKET, SO_REUSEADDR, 1);
	RET(bind(other, (void *)&a, sizeof(a)));
	RET(listen(other, 1));
	close(other);
	reset(fd);
	other = socket(AF_INET, SOCK_STREAM, 0);
	RET(bind(other, (void *)&a, sizeof(a)));
	close(other);
	close(l);
}

/* The side that closes first waits; its port is not for everybody meanwhile. */
static void waiting(int first_how, int how, bool bound)
{
	int l = listener(AF_INET), fd = socket(AF_INET, SOCK_STREAM, 0), s, other;
	struct sockaddr_in a = net_addr(0);
	char end;

	set(fd, SOL_SOCKET, SO_REUSEADDR, first_how & 1);
	set(fd, SOL_SOCKET, SO_REUSEPORT, first_how >> 1);
	if (bound)
		NEED(bind(fd, (void *)&a, sizeof(a)) == 0);
	NEED(connect_to(fd, AF_INET, port_of(l)) == 0);
	a = net_addr(port_of(fd));
	s = accept(l, NULL, NULL);
	close(fd);
	NEED(read(s, &end, 1) == 0);
	close(s);
	t_sleep_ms(5);
	other = socket(AF_INET, SOCK_STREAM, 0);
	set(other, SOL_SOCKET, SO_REUSEADDR, how & 1);
	set(other, SOL_SOCKET, SO_REUSEPORT, how >> 1);
	int e = bind(other, (void *)&a, sizeof(a)) ? errno : 0;

	printf("waiting %d %d, bound %d: bind %s", first_how, how, bound, t_errno(e));
	if (!e)
		printf(", listen %s", t_errno(listen(other, 1) ? errno : 0));
	puts("");
	close(other);
	close(l);
}

/* Who is not root shares the network with others, who may have one of them. */
static bool range_free(void)
{
	bool free = true;

	for (int k = 0; k < 2 * RANGE; k++) {
		struct sockaddr_in6 a = addr6("::", (uint16_t)(first + k / 2));
		int fd = socket(AF_INET6, k & 1 ? SOCK_STREAM : SOCK_DGRAM, 0);

		free &= bind(fd, (void *)&a, sizeof(a)) == 0;
		close(fd);
	}
	return free;
}

int main(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	int before = net_own();

	/* Below what the system chooses from, as for the sockets that are connected to. */
	for (first = (uint16_t)(20000 + getpid() % 1500 * 8); !range_free(); first += RANGE)
		;
	for (size_t f = 0; f < LENGTH(families); f++) {
		for (size_t t = 0; t < LENGTH(types); t++) {
			by_bind(families[f], types[t]);
			for (int how = 0; how < 8; how++)
				for (int before = 0; before < 3; before++)
					for (int targets = 1; targets <= 3; targets += 2)
						by_connect(families[f], types[t], how, before,
							targets);
		}
		by_listen(families[f]);
		by_sending(families[f]);
	}
	for (size_t t = 0; t < LENGTH(types); t++)
		for (int how = 0; how < 8; how++)
			for (int before = 0; before < 3; before++)
				life(types[t], how, before);
	given_back();
	for (int bound = 0; bound < 2; bound++)
		for (int one = 0; one < 4; one++)
			for (int two = 0; two < 4; two++)
				waiting(one, two, bound);
	net_back(before);
	return 0;
}
