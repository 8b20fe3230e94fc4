/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads wait for one thing each at one descriptor: a connection, a datagram, an event.
 * Each thing wakes one of them (counted by the context switches in that call), and a thread that is
 * woken when a signal or its timeout takes it out of its call does not keep what it was woken for.
 */
#include "net.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define THREADS 8
#define THINGS	100
#define ROUNDS	150

/* A way to wait: take() gives 1 for a thing, 0 for the end, -1 with errno. */
struct kind {
	const char *name;
	void (*open)(void);
	int (*take)(void);
	void (*give)(char c); /* 'e': the end, for one */
	bool one_each;	      /* each thing is one call's; and SO_RCVTIMEO ends a call */
};

static int fd, from, set;
static struct sockaddr_storage where;
static socklen_t where_len;

static void listen_at(int family)
{
	struct sockaddr_in in = net_addr(0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	fd = socket(family, SOCK_STREAM, 0);
	NEED(fd >= 0);
	if (family == AF_INET)
		NEED(bind(fd, (void *)&in, sizeof(in)) == 0);
	else
		NEED(bind(fd, (void *)&un, sizeof(sa_family_t)) == 0); /* a name of its own */
	where_len = sizeof(where);
	NEED(listen(fd, 200) == 0 && getsockname(fd, (void *)&where, &where_len) == 0);
}

static void open_inet(void)
{
	listen_at(AF_INET);
}

static void open_unix(void)
{
	listen_at(AF_UNIX);
}

static atomic_bool ending;
static _Thread_local int accepted = -1;

static int take_connection(void)
{
	accepted = accept(fd, NULL, NULL);
	return accepted < 0 ? -1 : !ending;
}

static void give_connection(char c)
{
	int n = socket(where.ss_family, SOCK_STREAM, 0);

	ending = c == 'e';
	NEED(n >= 0 && connect(n, (void *)&where, where_len) == 0);
	close(n);
}

static void open_udp(void)
{
	fd = net_bound(SOCK_DGRAM);
	from = socket(AF_INET, SOCK_DGRAM, 0);
	NEED(from >= 0 && net_connect(from, net_port(fd)) == 0);
}

static void open_unix_datagrams(void)
{
	int pair[2];

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	fd = pair[0];
	from = pair[1];
}

static int take_datagram(void)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	return n == 1 ? c == 'x' : -1;
}

static void give_datagram(char c)
{
	NEED(send(from, &c, 1, 0) == 1);
}

static void open_set(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	open_udp();
	set = epoll_create1(0);
	NEED(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) == 0);
}

static int take_event(void)
{
	struct epoll_event ev;
	char c;
	int n = epoll_wait(set, &ev, 1, 30000);

	if (n != 1)
		return -1;
	if (recv(fd, &c, 1, MSG_DONTWAIT) != 1) {
		errno = EINTR; /* somebody was faster */
		return -1;
	}
	return c == 'x';
}

static const struct kind kinds[] = {
	{ "accept", open_inet, take_connection, give_connection, true },
	{ "accept of AF_UNIX", open_unix, take_connection, give_connection, true },
	{ "recv of UDP", open_udp, take_datagram, give_datagram, true },
	{ "recv of AF_UNIX datagrams", open_unix_datagrams, take_datagram, give_datagram, true },
	{ "epoll_wait", open_set, take_event, give_datagram, false },
};
static const struct kind *kind;
static sem_t taken;
static atomic_int ready, lost;
static atomic_long switches;

static void close_all(void)
{
	close(fd);
	if (kind->give == give_datagram)
		close(from);
	if (kind->take == take_event)
		close(set);
}

/* False: not within ten seconds. */
static bool await_taken(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 10;
	while (sem_timedwait(&taken, &end))
		if (errno != EINTR)
			return false;
	return true;
}

/* To close a connection while its other end closes is no matter of waiting: not counted. */
static int take(void)
{
	struct rusage before, after;
	int r, err;

	getrusage(RUSAGE_THREAD, &before);
	r = kind->take();
	err = errno;
	getrusage(RUSAGE_THREAD, &after);
	switches += after.ru_nvcsw - before.ru_nvcsw;
	if (accepted >= 0)
		close(accepted);
	accepted = -1;
	errno = err;
	return r;
}

static void *take_many(void *arg)
{
	int r;

	ready++;
	while ((r = take())) {
		if (r == 1)
			sem_post(&taken);
		else if (errno != EINTR)
			lost++;
	}
	sem_post(&taken); /* the end, too */
	return NULL;
}

/* One after the other: two that come before anybody has looked are one event of a set. */
static void end_all(const pthread_t *id)
{
	for (int i = 0; i < THREADS; i++) {
		kind->give('e');
		await_taken();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
}

static void count_wakes(void)
{
	pthread_t id[THREADS];
	int missing = 0;

	ready = switches = 0;
	kind->open();
	for (int i = 0; i < THREADS; i++)
		id[i] = t_thread(take_many, NULL);
	while (ready < THREADS)
		t_sleep_ms(1);
	t_sleep_ms(20);
	for (int i = 0; i < THINGS; i++) {
		kind->give('x');
		missing += !await_taken();
		t_sleep_ms(1); /* until all sleep again */
	}
	end_all(id);
	if (getenv("WAKES"))
		fprintf(stderr, "%s: %ld switches\n", kind->name, (long)switches);
	printf("%s: %d things, %d missing, %d errors, each woke %s\n", kind->name, THINGS, missing,
		lost, switches < THINGS * 3 / 2 ? "one" : "many");
	close_all();
}

/* Many at once: nothing is left. */
static void give_bursts(void)
{
	pthread_t id[THREADS];
	int missing = 0;

	ready = 0;
	kind->open();
	for (int i = 0; i < THREADS; i++)
		id[i] = t_thread(take_many, NULL);
	while (ready < THREADS)
		t_sleep_ms(1);
	for (int i = 0; i < 20; i++) {
		int n = 1 + i % (THREADS + 4);

		t_sleep_ms(2);
		for (int k = 0; k < n; k++)
			kind->give('x');
		for (int k = 0; k < n; k++)
			missing += !await_taken();
	}
	end_all(id);
	printf("%s: in bursts, %d missing\n", kind->name, missing);
	close_all();
}

static sem_t begin, done;
static atomic_bool over, finished;

static void on_signal(int sig, siginfo_t *info, void *context)
{
}

/* One call a round, whatever ends it. */
static void *leave_early(void *arg)
{
	for (;;) {
		while (sem_wait(&begin))
			;
		if (over)
			return NULL;
		if (take() == 1)
			sem_post(&taken);
		sem_post(&done);
	}
}

/* Calls until the end. */
static void *stay(void *arg)
{
	int r;

	while ((r = take()))
		if (r == 1)
			sem_post(&taken);
	finished = true;
	return NULL;
}

/*
 * Two threads wait, the first one is interrupted in the moment in which there is something: one of
 * the two has it.
 */
static void interrupt(bool by_signal)
{
	struct timeval tv = { 0, 3000 };
	pthread_t first, second;
	int missing = 0;

	over = finished = false;
	kind->open();
	first = t_thread(leave_early, NULL);
	for (int i = 0; i < ROUNDS && !missing; i++) {
		if (!by_signal)
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		sem_post(&begin);
		t_sleep_ms(1); /* the first one waits */
		if (i == 0) {
			tv = (struct timeval){ 0 };
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
			second = t_thread(stay, NULL);
			t_sleep_ms(2);
			tv.tv_usec = 3000;
		}
		if (by_signal) {
			pthread_kill(first, SIGUSR1);
		} else {
			struct timespec ts = { 0, 1500000 + i % 32 * 40000 };

			nanosleep(&ts, NULL);
		}
		kind->give('x');
		if (i % 3 == 0)
			pthread_kill(first, SIGUSR1);
		missing += !await_taken();
		while (sem_trywait(&done)) { /* a signal that came before its call is no use */
			pthread_kill(first, SIGUSR1);
			t_sleep_ms(1);
		}
	}
	over = true;
	sem_post(&begin);
	pthread_join(first, NULL);
	for (int i = 0; i < 1000 && !finished; i++) {
		if (i % 100 == 0)
			kind->give('e');
		t_sleep_ms(10);
	}
	pthread_join(second, NULL);
	printf("%s: %s, %d missing\n", kind->name, by_signal ? "signals" : "timeouts", missing);
	close_all();
}

int main(void)
{
	sem_init(&taken, 0, 0);
	sem_init(&begin, 0, 0);
	sem_init(&done, 0, 0);
	t_handle(SIGUSR1, on_signal, 0);
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		kind = &kinds[i];
		count_wakes();
		interrupt(true);
		if (!kind->one_each)
			continue;
		give_bursts();
		interrupt(false);
	}
	return 0;
}
