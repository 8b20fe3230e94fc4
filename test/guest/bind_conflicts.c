/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/*
 * Who may bind beside whom: every pair of addresses with every pair of SO_REUSEADDR, SO_REUSEPORT
 * and SO_BINDTODEVICE, for what the first socket may be doing. A line is a pair of addresses, a
 * letter the second one's answer (see 'letter'), in groups of eight for the first one's options.
 */
#include <sys/prctl.h>
#include "net6.h"

struct place {
	const char *name;
	int family;
	bool v6only;
	const char *addr;
};
static const struct place places[] = { { "0.0.0.0", AF_INET, false, "0.0.0.0" },
	{ "127.0.0.1", AF_INET, false, "127.0.0.1" }, { "127.0.0.2", AF_INET, false, "127.0.0.2" },
	{ "::", AF_INET6, false, "::" }, { "::/only", AF_INET6, true, "::" },
	{ "::1", AF_INET6, false, "::1" }, { "::1/only", AF_INET6, true, "::1" },
	{ "mapped any", AF_INET6, false, "::ffff:0.0.0.0" },
	{ "mapped 1", AF_INET6, false, "::ffff:127.0.0.1" } };

enum { ADDR = 1, PORT = 2, DEVICE = 4, WAYS = 8 };
enum state { BOUND, LISTENING, CONNECTED, ACCEPTED, LET_GO, TAKEN_UP, STATES };
static const char *const state_name[] = { "bound", "listening", "connected", "accepted",
	"options taken back", "options later" };
static uint16_t port, other_port;
static const int client = 100; /* descriptor of the accepted one's peer */

static socklen_t address(struct sockaddr_in6 *a, const struct place *p, uint16_t n)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(n) };

	if (p->family == AF_INET6) {
		*a = addr6(p->addr, n);
		return sizeof(*a);
	}
	NEED(inet_pton(AF_INET, p->addr, &in.sin_addr) == 1);
	memcpy(a, &in, sizeof(in));
	return sizeof(in);
}

static void set(int fd, int level, int name, int v)
{
	NEED(setsockopt(fd, level, name, &v, sizeof(v)) == 0);
}

static int make(int type, const struct place *p, unsigned how, uid_t uid)
{
	NEED(uid == 0 || seteuid(uid) == 0);
	int fd = socket(p->family, type, 0);
	NEED(uid == 0 || seteuid(0) == 0);
	NEED(fd >= 0);
	if (p->family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, p->v6only);
	if (how & ADDR)
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (how & PORT)
		set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (how & DEVICE)
		NEED(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
	return fd;
}

static int bind_to(int fd, const struct place *p)
{
	struct sockaddr_in6 a;
	socklen_t len = address(&a, p, port);

	return bind(fd, (void *)&a, len) ? errno : 0;
}

/* What the second one hears. */
static char letter(int type, int fd, const struct place *p)
{
	int e = bind_to(fd, p);

	if (e)
		return e == EADDRINUSE ? '#' : e == EINVAL ? 'i' : e == EADDRNOTAVAIL ? 'a' : '?';
	if (type == SOCK_STREAM && listen(fd, 1))
		return errno == EADDRINUSE ? 'l' : '!'; /* bound, but may not listen */
	return '.';
}

static void say(int fd, unsigned how)
{
	set(fd, SOL_SOCKET, SO_REUSEADDR, !!(how & ADDR));
	set(fd, SOL_SOCKET, SO_REUSEPORT, !!(how & PORT));
}

/* The first one's connection, whose listener is gone: what has its place, options and port now. */
static void accepted(int fd, const struct place *p)
{
	struct place to = *p;
	struct sockaddr_in6 a;

	if (!strcmp(to.addr, "::ffff:0.0.0.0"))
		to.addr = "::ffff:127.0.0.1";
	socklen_t len = address(&a, &to, port);
	int c = socket(p->family, SOCK_STREAM, 0), s;

	NEED(listen(fd, 1) == 0 && connect(c, (void *)&a, len) == 0);
	s = accept(fd, NULL, NULL);
	NEED(s >= 0 && dup2(s, fd) == fd);
	close(s);
	NEED(dup2(c, client) == client);
	close(c);
}

/* A listener elsewhere that the first one can connect to; datagrams need none. */
static void enter(int fd, const struct place *p, unsigned how, enum state state)
{
	struct sockaddr_in6 a;
	struct place to = *p;
	socklen_t len;

	switch (state) {
	case BOUND:
	case STATES: break;
	case LISTENING: NEED(listen(fd, 1) == 0); break;
	case CONNECTED:
		if (!strcmp(to.addr, "::ffff:0.0.0.0"))
			to.addr = "::ffff:127.0.0.1";
		len = address(&a, &to, other_port);
		NEED(connect(fd, (void *)&a, len) == 0);
		break;
	case ACCEPTED: accepted(fd, p); break;
	case LET_GO: say(fd, 0); break;
	case TAKEN_UP: say(fd, how); break;
	}
}

static void pair(int type, const struct place *a, const struct place *b, enum state state)
{
	printf("%s %s, then %s:", state_name[state], a->name, b->name);
	for (unsigned one = 0; one < WAYS; one++) {
		putchar(' ');
		for (unsigned two = 0; two < WAYS; two++) {
			unsigned first = state == TAKEN_UP ? one & DEVICE : one;
			int x = make(type, a, first, 0), y = make(type, b, two, 0);

			NEED(bind_to(x, a) == 0);
			enter(x, a, one, state);
			putchar(letter(type, y, b));
			struct linger now = { 1, 0 };

			setsockopt(x, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
			close(y);
			close(x);
			if (state == ACCEPTED)
				close(client);
		}
	}
	puts("");
}

static void different_users(int type)
{
	for (size_t k = 0; k < LENGTH(places); k++) {
		printf("users, %s:", places[k].name);
		for (unsigned how = 0; how < WAYS; how++) {
			for (uid_t uid = 0; uid < 4; uid++) {
				int x = make(type, &places[k], how, uid & 1 ? 1000 : 0);
				int y = make(type, &places[k], how, uid & 2 ? 1000 : 0);

				NEED(bind_to(x, &places[k]) == 0);
				putchar(letter(type, y, &places[k]));
				close(x);
				close(y);
			}
			putchar(' ');
		}
		puts("");
	}
}

/* Of a port that nobody chooses by itself, and free for all that follows. */
static uint16_t free_port(int type, uint16_t from)
{
	struct place any = { "", AF_INET6, false, "::" };

	for (port = from;; port++) {
		int fd = make(type, &any, 0, 0), e = bind_to(fd, &any);

		close(fd);
		if (!e)
			return port;
	}
}

static int listen_elsewhere(void)
{
	struct sockaddr_in6 a = addr6("::", other_port);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	NEED(bind(fd, (void *)&a, sizeof(a)) == 0 && listen(fd, 4096) == 0);
	return fd;
}

int main(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t t = 0; t < LENGTH(types); t++) {
		int type = types[t], l = -1;

		printf("%s\n", type == SOCK_STREAM ? "tcp" : "udp");
		other_port = free_port(type, (uint16_t)(20000 + getpid() % 5000));
		port = free_port(type, other_port + 1);
		for (enum state s = BOUND; s < STATES; s++) {
			if (type == SOCK_DGRAM && (s == LISTENING || s == ACCEPTED))
				continue;
			for (size_t a = 0; a < LENGTH(places); a++)
				for (size_t b = 0; b < LENGTH(places); b++) {
					if (type == SOCK_STREAM && s == CONNECTED)
						l = listen_elsewhere();
					pair(type, &places[a], &places[b], s);
					if (l >= 0)
						close(l);
					l = -1;
				}
		}
		different_users(type);
	}
	prctl(PR_SET_DUMPABLE, 1); /* which a change of the user takes away, for tests to come */
	return 0;
}
