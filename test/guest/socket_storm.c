/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections begin and end in every way at once, over loopback: listeners close, open again and
 * share a port while SYNs arrive; accept, shutdown, close and dup meet in several threads; sets
 * lose and gain descriptors whose packets are on the way. Bounded in work. Whatever is complete is
 * right to the last byte, whoever gets an error gets one that belongs there, nobody waits for ever,
 * and in the end no socket is left. STORM=ROUNDS and SEED=N make it longer and another one.
 */
#include "net.h"
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#define MEMBERS 3 /* listeners of a group */

static int rounds = 60;
static uint32_t seed = 1;
static atomic_int faults, stop;
static atomic_long completed, cut, refused;

#define HOLDS(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond) && atomic_fetch_add(&faults, 1) < 8) {                                 \
			printf("%d: not so: %s (%s)", __LINE__, #cond, t_errno(errno));            \
			printf(" " __VA_ARGS__);                                                   \
			putchar('\n');                                                             \
		}                                                                                  \
	} while (0)

static uint32_t next(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static void pause_now_and_then(uint32_t *s)
{
	uint32_t r = next(s) % 16;

	if (r < 4)
		sched_yield();
	else if (r == 4)
		usleep(next(s) % 300);
}

static uint8_t pattern(uint32_t key, size_t i)
{
	return (uint8_t)((key + i) * 2654435761u >> 24);
}

/* ---- places to connect to ---- */

struct place {
	int family, group, keeper; /* keeper: has the port all the time, and does not listen */
	struct sockaddr_storage addr;
	socklen_t len;
	atomic_int listener[MEMBERS], accepted;
	pthread_t churner[MEMBERS], server[MEMBERS];
};
static struct place places[] = { { .family = AF_INET, .group = 1 },
	{ .family = AF_INET6, .group = 1 }, { .family = AF_INET, .group = MEMBERS } };

static int socket_at(const struct place *p, int type)
{
	int fd = socket(p->family, type | SOCK_CLOEXEC, 0), one = 1;

	HOLDS(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	return fd;
}

static void place_open(struct place *p)
{
	struct sockaddr_in6 *in6 = (void *)&p->addr;
	struct sockaddr_in *in = (void *)&p->addr;

	p->addr.ss_family = (sa_family_t)p->family;
	p->len = sizeof(*in);
	if (p->family == AF_INET6) {
		in6->sin6_addr = in6addr_loopback;
		p->len = sizeof(*in6);
	} else {
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	p->keeper = socket_at(p, SOCK_STREAM);
	NEED(bind(p->keeper, (void *)&p->addr, p->len) == 0 &&
		getsockname(p->keeper, (void *)&p->addr, &p->len) == 0);
}

/*
 * Two ends of a connection for those who have no part in the places. A server that is late accepts
 * from whatever has the number of its closed listener by then: so this listener's is out of reach.
 */
static void apart(int ends[2])
{
	int low = net_bound(SOCK_STREAM), l = fcntl(low, F_DUPFD_CLOEXEC, 600);

	close(low);
	NEED(l >= 0 && listen(l, 5) == 0);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	NEED(net_connect(ends[0], net_port(l)) == 0);
	ends[1] = accept(l, NULL, NULL);
	NEED(ends[1] >= 0);
	close(l);
}

static uint16_t port_of(const struct place *p)
{
	return ntohs(((const struct sockaddr_in *)&p->addr)->sin_port);
}

/* ---- servers ---- */

static void abort_it(int fd)
{
	struct linger l = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

static ssize_t recv_some(int fd, void *buf, size_t n)
{
	ssize_t r;

	do {
		r = recv(fd, buf, n, 0);
	} while (r < 0 && errno == EINTR);
	return r;
}

static bool send_all(int fd, const uint8_t *buf, size_t n)
{
	while (n) {
		ssize_t r = send(fd, buf, n, MSG_NOSIGNAL);

		if (r < 0)
			return false;
		buf += r;
		n -= (size_t)r;
	}
	return true;
}

/* The first byte says what the client wants: an echo, or to be treated badly. */
static void serve(int fd, uint32_t *s)
{
	uint8_t buf[4096], how;
	ssize_t n = recv_some(fd, &how, 1);

	if (n == 1 && how == 'e') {
		while ((n = recv_some(fd, buf, 1 + next(s) % sizeof(buf))) > 0)
			if (!send_all(fd, buf, (size_t)n)) /* it may have gone */
				break;
		HOLDS(n >= 0 || errno == ECONNRESET || errno == EPIPE);
	} else if (n == 1 && how == 'd') { /* through a second descriptor */
		int other = dup(fd);

		HOLDS(other >= 0);
		close(fd);
		fd = other;
		HOLDS(send_all(fd, (const uint8_t *)"dup", 3) || errno == ECONNRESET ||
			errno == EPIPE);
		shutdown(fd, SHUT_WR);
	} else if (n == 1 && how == 'a') {
		pause_now_and_then(s);
		abort_it(fd);
		return;
	}
	close(fd);
}

struct member {
	struct place *p;
	int index;
};

/* Takes the number of a descriptor that another thread closes, and may find another one there. */
static void *server(void *arg)
{
	struct member *m = arg;
	struct place *p = m->p;
	uint32_t s = seed * 7919 + (uint32_t)port_of(p) + (uint32_t)m->index;

	while (!stop) {
		int fd = p->listener[m->index], n;

		if (fd < 0) {
			usleep(50);
			continue;
		}
		if (next(&s) % 4 == 0) {
			struct pollfd f = { fd, POLLIN, 0 };

			(void)poll(&f, 1, 5);
		}
		n = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (n >= 0) {
			p->accepted++;
			serve(n, &s);
		} else {
			HOLDS(errno == EINVAL || errno == EBADF || errno == EOPNOTSUPP ||
				errno == ECONNABORTED || errno == ENOTSOCK || errno == EAGAIN);
		}
	}
	return NULL;
}

/* Opens, lets some through, closes in one of several ways; one that shuts down wakes who waits. */
static void *churner(void *arg)
{
	struct member *m = arg;
	struct place *p = m->p;
	uint32_t s = seed * 104729 + (uint32_t)port_of(p) * 3 + (uint32_t)m->index;

	while (!stop) {
		int fd = socket_at(p, SOCK_STREAM), again = (int)(next(&s) % 3);

		HOLDS(bind(fd, (void *)&p->addr, p->len) == 0);
		do {
			int until = p->accepted + 1 + (int)(next(&s) % 12);

			HOLDS(listen(fd, (int)(next(&s) % 20)) == 0);
			p->listener[m->index] = fd;
			while (!stop && p->accepted < until)
				usleep(100 + next(&s) % 400);
			if (again == 0)
				p->listener[m->index] = -1;
			HOLDS(shutdown(fd, SHUT_RDWR) == 0);
		} while (!stop && again--);
		p->listener[m->index] = -1;
		close(fd);
		pause_now_and_then(&s);
	}
	return NULL;
}

/* ---- clients ---- */

struct client {
	pthread_t id;
	uint32_t s;
};

static bool broken_off(void)
{
	return errno == ECONNRESET || errno == EPIPE || errno == ENOTCONN;
}

/* All of it comes back, or the connection was not taken at all. */
static void echo(int fd, uint32_t *s)
{
	uint32_t key = next(s);
	size_t n = next(s) % 8 ? next(s) % 3000 : next(s) % 60000, sent = 0, got = 0;
	uint8_t buf[2048], back[2048];
	bool gone = !send_all(fd, (const uint8_t *)"e", 1);
	ssize_t r = 1;

	while (!gone && r > 0 && got < n) {
		size_t k = 1 + next(s) % sizeof(buf);

		k = k < n - sent ? k : n - sent;
		for (size_t i = 0; i < k; i++)
			buf[i] = pattern(key, sent + i);
		if (k && !send_all(fd, buf, k)) {
			HOLDS(broken_off() && !got);
			gone = true;
			break;
		}
		sent += k;
		if (sent == n)
			shutdown(fd, SHUT_WR);
		else if (next(s) % 2)
			continue;
		r = recv_some(fd, back, sizeof(back));
		HOLDS(r > 0 || (r < 0 && broken_off() && !got), "%ld, %zu of %zu", (long)r, got, n);
		for (ssize_t i = 0; i < r; i++)
			HOLDS(back[i] == pattern(key, got + (size_t)i));
		got += r > 0 ? (size_t)r : 0;
	}
	if (gone || r <= 0) {
		cut++;
		return;
	}
	if (!n)
		shutdown(fd, SHUT_WR);
	r = recv_some(fd, back, 1);
	HOLDS(r == 0 || (!n && r < 0 && broken_off()), "%ld behind %zu", (long)r, n);
	completed++;
}

static void *closer(void *arg)
{
	shutdown((int)(long)arg, SHUT_RDWR);
	return NULL;
}

static void one_connection(const struct place *p, uint32_t *s)
{
	static const char *const other[] = { "d", "a", "x", "" };
	int fd = socket_at(p, SOCK_STREAM), how = (int)(next(s) % 16);
	uint8_t buf[16];
	ssize_t n;

	if (connect(fd, (const void *)&p->addr, p->len)) {
		HOLDS(errno == ECONNREFUSED || errno == ECONNRESET || errno == ECONNABORTED);
		refused++;
		close(fd);
		return;
	}
	if (how < 10) {
		echo(fd, s);
	} else if (how < 14) {
		n = send(fd, other[how - 10], strlen(other[how - 10]), MSG_NOSIGNAL);
		if (n < 0) { /* it was reset already, and says so once */
			HOLDS(broken_off());
		} else if (how == 10) {
			n = recv(fd, buf, 3, MSG_WAITALL);
			HOLDS((n == 3 && !memcmp(buf, "dup", 3)) || (n < 0 && broken_off()));
		} else if (how == 11) {
			n = recv(fd, buf, 3, 0);
			HOLDS(n < 0 && broken_off());
		}
	} else if (how == 14) { /* a thread sleeps in recv while another one ends it */
		pthread_t id = t_thread(closer, (void *)(long)fd);

		n = recv(fd, buf, sizeof(buf), 0);
		HOLDS(n == 0 || (n < 0 && broken_off()));
		pthread_join(id, NULL);
	} else {
		abort_it(fd);
		return;
	}
	close(fd);
}

static void *client(void *arg)
{
	struct client *c = arg;

	for (int i = 0; i < rounds; i++) {
		one_connection(&places[next(&c->s) % LENGTH(places)], &c->s);
		pause_now_and_then(&c->s);
	}
	return NULL;
}

/* ---- a stream, while sets lose and gain it, and other descriptors of it come and go ---- */

static int stream[2], sets[2];
static atomic_int streaming;

static void *churn_sets(void *arg)
{
	uint32_t s = seed * 31 + 5;

	while (streaming) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 1 };
		int other = dup(stream[1]);

		HOLDS(other >= 0);
		if (next(&s) % 2)
			ev.events |= EPOLLET;
		HOLDS(epoll_ctl(sets[1], EPOLL_CTL_ADD, other, &ev) == 0 || errno == EEXIST);
		pause_now_and_then(&s);
		ev.events = EPOLLIN;
		if (next(&s) % 2)
			HOLDS(epoll_ctl(sets[1], EPOLL_CTL_DEL, other, &ev) == 0);
		close(other); /* stays in the set unless it was deleted: the open file is there */
		if (epoll_ctl(sets[0], EPOLL_CTL_DEL, stream[1], &ev))
			HOLDS(errno == ENOENT);
		pause_now_and_then(&s);
		HOLDS(epoll_ctl(sets[0], EPOLL_CTL_ADD, stream[1], &ev) == 0);
		if (next(&s) % 4 == 0) { /* a set ends with what is in it */
			close(sets[1]);
			sets[1] = epoll_create1(0);
		}
	}
	return NULL;
}

static void *feed(void *arg)
{
	uint32_t s = seed * 17 + 3, key = seed;
	size_t sent = 0, all = (size_t)rounds * 1500;
	uint8_t buf[700];

	while (sent < all) {
		size_t k = 1 + next(&s) % sizeof(buf);

		for (size_t i = 0; i < k; i++)
			buf[i] = pattern(key, sent + i);
		HOLDS(send_all(stream[0], buf, k));
		sent += k;
		pause_now_and_then(&s);
	}
	shutdown(stream[0], SHUT_WR);
	return NULL;
}

static void *stream_lane(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	uint8_t buf[1000];
	size_t got = 0;
	pthread_t id[2];
	ssize_t n = 1;

	apart(stream);
	for (int i = 0; i < 2; i++)
		sets[i] = epoll_create1(0);
	HOLDS(epoll_ctl(sets[0], EPOLL_CTL_ADD, stream[1], &ev) == 0);
	streaming = 1;
	id[0] = t_thread(churn_sets, NULL);
	id[1] = t_thread(feed, NULL);
	while (n > 0) {
		int r = epoll_wait(sets[0], &ev, 1, 20000);

		HOLDS(r == 1, "no event");
		n = r == 1 ? recv(stream[1], buf, sizeof(buf), MSG_DONTWAIT) : 0;
		if (n < 0 && errno == EAGAIN) {
			n = 1;
			continue;
		}
		HOLDS(n >= 0);
		for (ssize_t i = 0; i < n; i++)
			HOLDS(buf[i] == pattern(seed, got + (size_t)i));
		got += n > 0 ? (size_t)n : 0;
	}
	HOLDS(got >= (size_t)rounds * 1500, "%zu", got);
	streaming = 0;
	for (int i = 0; i < 2; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < 2; i++) {
		close(stream[i]);
		close(sets[i]);
	}
	return NULL;
}

/* ---- datagrams to a group that shrinks and grows, from sockets that connect and let go ---- */

struct datagram {
	uint32_t key, n;
	uint8_t data[600];
};
static struct place udp = { .family = AF_INET };
static atomic_long datagrams;

static void *udp_member(void *arg)
{
	uint32_t s = seed * 57 + (uint32_t)(long)arg;
	struct timeval tv = { 0, 2000 };
	struct datagram d;

	while (!stop) {
		int fd = socket_at(&udp, SOCK_DGRAM);

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		HOLDS(bind(fd, (void *)&udp.addr, udp.len) == 0);
		for (unsigned i = next(&s) % 60; i && !stop; i--) {
			struct sockaddr_in from;
			socklen_t len = sizeof(from);
			ssize_t n = recvfrom(fd, &d, sizeof(d), 0, (void *)&from, &len);

			if (n < 0) {
				HOLDS(errno == EAGAIN || errno == ECONNREFUSED);
				continue;
			}
			HOLDS(n == (ssize_t)(8 + d.n));
			for (uint32_t k = 0; k < d.n; k++)
				HOLDS(d.data[k] == pattern(d.key, k));
			(void)sendto(fd, &d, (size_t)n, 0, (void *)&from, len);
		}
		if (next(&s) % 3 == 0) {
			HOLDS(connect(fd, (void *)&udp.addr, udp.len) == 0);
			shutdown(fd, SHUT_RDWR);
		}
		close(fd);
	}
	return NULL;
}

static void *udp_client(void *arg)
{
	uint32_t s = seed * 91 + (uint32_t)(long)arg;
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct timeval tv = { 0, 3000 };
	struct datagram d, back;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	for (int i = 0; i < rounds; i++) {
		ssize_t n;

		HOLDS(connect(fd, (void *)&udp.addr, udp.len) == 0);
		d.key = next(&s);
		d.n = next(&s) % sizeof(d.data);
		for (uint32_t k = 0; k < d.n; k++)
			d.data[k] = pattern(d.key, k);
		n = send(fd, &d, 8 + d.n, 0);
		HOLDS(n == (ssize_t)(8 + d.n) || errno == ECONNREFUSED);
		n = recv(fd, &back, sizeof(back), 0);
		if (n >= 0) {
			HOLDS(n == (ssize_t)(8 + back.n));
			for (uint32_t k = 0; k < back.n; k++)
				HOLDS(back.data[k] == pattern(back.key, k));
			datagrams++;
		} else {
			HOLDS(errno == EAGAIN || errno == ECONNREFUSED);
		}
		HOLDS(connect(fd, &nobody, sizeof(nobody)) == 0);
		pause_now_and_then(&s);
	}
	close(fd);
	return NULL;
}

/* ---- somebody sends, somebody receives, and a third one ends it ---- */

static int pair[2];
static atomic_bool enough;

static void *push(void *arg)
{
	static uint8_t buf[8192];
	ssize_t n;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = pattern(0, i % 256);
	do {
		n = send(pair[0], buf, sizeof(buf), MSG_NOSIGNAL);
	} while (n == sizeof(buf) && !enough); /* or a reader that keeps up never sees the end */
	HOLDS(n >= 0 || broken_off() || errno == EBADF);
	return NULL;
}

static void *pull(void *arg)
{
	uint8_t buf[5000];
	ssize_t n;

	for (size_t got = 0; (n = recv(pair[1], buf, sizeof(buf), 0)) > 0; got += (size_t)n)
		if (buf[0] != pattern(0, got % 8192 % 256) ||
			buf[n - 1] != pattern(0, (got + (size_t)n - 1) % 8192 % 256))
			HOLDS(!"bytes of another place");
	HOLDS(n == 0 || broken_off() || errno == EBADF);
	return NULL;
}

static void *end_lane(void *arg)
{
	uint32_t s = seed * 13 + 1;

	for (int i = 0; i < rounds / 4; i++) {
		pthread_t id[2];
		unsigned how = next(&s) % 4;

		apart(pair);
		enough = false;
		id[0] = t_thread(push, NULL);
		id[1] = t_thread(pull, NULL);
		usleep(next(&s) % 2000);
		if (how == 0)
			HOLDS(shutdown(pair[0], SHUT_WR) == 0);
		else if (how == 1)
			shutdown(pair[1], SHUT_RDWR);
		else if (how == 2)
			shutdown(pair[0], SHUT_RDWR);
		if (how == 3) { /* a reset from the own end: connect to nobody */
			struct sockaddr nobody = { .sa_family = AF_UNSPEC };

			HOLDS(connect(pair[0], &nobody, sizeof(nobody)) == 0);
		}
		shutdown(pair[1], SHUT_RD);
		enough = true;
		pthread_join(id[1], NULL);
		abort_it(pair[1]); /* whoever still sends hears of it */
		pthread_join(id[0], NULL);
		close(pair[0]);
	}
	return NULL;
}

/* ---- the end ---- */

/* Sockets of a table of /proc/net that have one of our ports and are not in TIME_WAIT. */
static int rows(const char *table)
{
	FILE *f = fopen(table, "r");
	char line[400];
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		unsigned local, remote, state;

		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &local, &remote, &state) !=
				3 ||
			state == 6)
			continue;
		for (size_t i = 0; i < LENGTH(places); i++)
			n += port_of(&places[i]) == local || port_of(&places[i]) == remote;
		n += port_of(&udp) == local || port_of(&udp) == remote;
	}
	if (f)
		fclose(f);
	return n;
}

static int sockets_left(void)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp",
		"/proc/net/udp6" };
	int n = 0;

	for (size_t i = 0; i < LENGTH(tables); i++)
		n += rows(tables[i]);
	return n;
}

int main(void)
{
	static struct member members[LENGTH(places)][MEMBERS];
	struct client clients[4];
	pthread_t lanes[2], members_udp[2], clients_udp[2];

	if (getenv("STORM"))
		rounds = atoi(getenv("STORM"));
	if (getenv("SEED"))
		seed = (uint32_t)atoi(getenv("SEED")) * 2 + 1;
	for (size_t i = 0; i < LENGTH(places); i++)
		place_open(&places[i]);
	place_open(&udp);
	for (size_t i = 0; i < LENGTH(places); i++)
		for (int k = 0; k < places[i].group; k++) {
			members[i][k] = (struct member){ &places[i], k };
			places[i].listener[k] = -1;
			places[i].churner[k] = t_thread(churner, &members[i][k]);
			places[i].server[k] = t_thread(server, &members[i][k]);
		}
	for (size_t i = 0; i < LENGTH(clients); i++) {
		clients[i].s = seed * 2654435761u + (uint32_t)i + 1;
		clients[i].id = t_thread(client, &clients[i]);
	}
	for (long i = 0; i < 2; i++) {
		members_udp[i] = t_thread(udp_member, (void *)(i + 1));
		clients_udp[i] = t_thread(udp_client, (void *)(i + 3));
	}
	lanes[0] = t_thread(stream_lane, NULL);
	lanes[1] = t_thread(end_lane, NULL);
	for (size_t i = 0; i < LENGTH(clients); i++)
		pthread_join(clients[i].id, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(clients_udp[i], NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(lanes[i], NULL);
	stop = 1;
	for (size_t i = 0; i < LENGTH(places); i++)
		for (int k = 0; k < places[i].group; k++) {
			pthread_join(places[i].churner[k], NULL);
			pthread_join(places[i].server[k], NULL);
		}
	for (int i = 0; i < 2; i++)
		pthread_join(members_udp[i], NULL);
	if (getenv("STORM"))
		fprintf(stderr, "%ld completed, %ld cut, %ld refused, %ld datagrams\n",
			(long)completed, (long)cut, (long)refused, (long)datagrams);
	IS(completed > rounds);
	IS(datagrams > rounds / 4);
	for (size_t i = 0; i < LENGTH(places); i++)
		close(places[i].keeper);
	close(udp.keeper);
	for (int i = 0; i < 1000 && sockets_left(); i++)
		t_sleep_ms(10);
	printf("%d faults, %d sockets left\n", faults, sockets_left());
	return 0;
}
