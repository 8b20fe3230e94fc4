/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/*
 * Who may bind beside whom: every pair of addresses with every pair of SO_REUSEADDR, SO_REUSEPORT
 * and SO_BINDTODEVICE, for what the first socket may be doing. A line is a pair of addresses, a
 * letter the second one's answer (see 'letter'), in groups of eight for the first one's options.
 *
 * close() lets go of a port only when nobody else holds the file: on Linux whoever reads
 * /proc/PID/fd does, for a moment. So every pair of a line has a port of its own, all of a line are
 * made ready before the first answer is asked for, and the next lines use other ports.
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
enum { A_LINE = WAYS * WAYS, LINES = 16, PORTS = A_LINE * LINES };
static uint16_t first_port, other_port;
static unsigned lines; /* asked so far */

/* Of what a line says about one pair of ways. */
struct question {
	int first, second;
	int peer; /* of the first one's connection, or -1 */
	uint16_t port;
};

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

static int bind_to(int fd, const struct place *p, uint16_t port)
{
	struct sockaddr_in6 a;
	socklen_t len = address(&a, p, port);

	return bind(fd, (void *)&a, len) ? errno : 0;
}

/* What the second one hears. */
static char letter(int type, int fd, const struct place *p, uint16_t port)
{
	int e = bind_to(fd, p, port);

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

/* Connect to a place, which may be any address. */
static void reach(int fd, struct place to, uint16_t port)
{
	struct sockaddr_in6 a;

	if (!strcmp(to.addr, "::ffff:0.0.0.0"))
		to.addr = "::ffff:127.0.0.1";
	socklen_t len = address(&a, &to, port);
	NEED(connect(fd, (void *)&a, len) == 0);
}

/* The first one's connection takes its place, options and port; the listener goes. */
static void accepted(struct question *q, const struct place *p)
{
	int c = socket(p->family, SOCK_STREAM, 0), s;

	NEED(listen(q->first, 1) == 0);
	reach(c, *p, q->port);
	s = accept(q->first, NULL, NULL);
	NEED(s >= 0);
	close(q->first);
	q->first = s;
	q->peer = c;
}

/* A listener elsewhere, l, that the first one can connect to; datagrams need none. */
static void enter(struct question *q, const struct place *p, unsigned how, enum state state, int l)
{
	switch (state) {
	case BOUND:
	case STATES: break;
	case LISTENING: NEED(listen(q->first, 1) == 0); break;
	case CONNECTED:
		reach(q->first, *p, other_port);
		if (l >= 0)
			NEED((q->peer = accept(l, NULL, NULL)) >= 0);
		break;
	case ACCEPTED: accepted(q, p); break;
	case LET_GO: say(q->first, 0); break;
	case TAKEN_UP: say(q->first, how); break;
	}
}

static uint16_t ports_of_line(void)
{
	return (uint16_t)(first_port + lines++ % LINES * A_LINE);
}

static void line(int type, const struct place *a, const struct place *b, enum state state, int l)
{
	struct question asked[A_LINE];
	uint16_t port = ports_of_line();

	for (unsigned k = 0; k < A_LINE; k++) {
		unsigned one = k / WAYS, two = k % WAYS;
		unsigned first = state == TAKEN_UP ? one & DEVICE : one;
		struct question *q = &asked[k];

		*q = (struct question){ make(type, a, first, 0), make(type, b, two, 0), -1,
			(uint16_t)(port + k) };
		NEED(bind_to(q->first, a, q->port) == 0);
		enter(q, a, one, state, l);
	}
	printf("%s %s, then %s:", state_name[state], a->name, b->name);
	for (unsigned k = 0; k < A_LINE; k++) {
		if (k % WAYS == 0)
			putchar(' ');
		putchar(letter(type, asked[k].second, b, asked[k].port));
	}
	puts("");
	for (unsigned k = 0; k < A_LINE; k++) {
		struct linger now = { 1, 0 };

		setsockopt(asked[k].first, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(asked[k].second);
		close(asked[k].first);
		if (asked[k].peer >= 0)
			close(asked[k].peer);
	}
}

static void different_users(int type)
{
	enum { USERS = 4 };

	for (size_t k = 0; k < LENGTH(places); k++) {
		uint16_t port = ports_of_line();

		printf("users, %s:", places[k].name);
		for (unsigned how = 0; how < WAYS; how++) {
			for (uid_t uid = 0; uid < USERS; uid++, port++) {
				int x = make(type, &places[k], how, uid & 1 ? 1000 : 0);
				int y = make(type, &places[k], how, uid & 2 ? 1000 : 0);

				NEED(bind_to(x, &places[k], port) == 0);
				putchar(letter(type, y, &places[k], port));
				close(x);
				close(y);
			}
			putchar(' ');
		}
		puts("");
	}
}

/* The first of n ports that nobody chooses by itself, and free for all that follows. */
static uint16_t free_ports(int type, uint16_t from, unsigned n)
{
	struct place any = { "", AF_INET6, false, "::" };
	uint16_t port = from;

	for (unsigned found = 0; found < n; port++) {
		int fd = make(type, &any, 0, 0);

		found = bind_to(fd, &any, port) == 0 ? found + 1 : 0;
		close(fd);
	}
	return (uint16_t)(port - n);
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
		other_port = free_ports(type, (uint16_t)(20000 + getpid() % 5000), 1);
		first_port = free_ports(type, other_port + 1, PORTS);
		for (enum state s = BOUND; s < STATES; s++) {
			if (type == SOCK_DGRAM && (s == LISTENING || s == ACCEPTED))
				continue;
			if (type == SOCK_STREAM && s == CONNECTED)
				l = listen_elsewhere();
			for (size_t a = 0; a < LENGTH(places); a++)
				for (size_t b = 0; b < LENGTH(places); b++)
					line(type, &places[a], &places[b], s, l);
			if (l >= 0)
				close(l);
			l = -1;
		}
		different_users(type);
	}
	prctl(PR_SET_DUMPABLE, 1); /* which a change of the user takes away, for tests to come */
	return 0;
}
