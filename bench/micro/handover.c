/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two threads that take turns: what it costs until the other one runs. A round is two hand-overs,
 * there and back; the figures are for one hand-over, except where the name says round trip. And
 * threads that come and go.
 */
#include "micro.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A way to take turns: `pass` gives the turn to the other one and waits until it comes back. The
 * second thread begins with `wait`, the first ends with `give`.
 */
struct turns {
	void (*give)(int to);
	void (*wait)(int me);
	void (*pass)(int me); /* NULL: give, then wait */
};

static const struct turns *turns;
static atomic_bool stop;

static void pass(int me)
{
	if (turns->pass) {
		turns->pass(me);
	} else {
		turns->give(!me);
		turns->wait(me);
	}
}

static void *second(void *unused)
{
	(void)unused;
	micro_pin(1);
	turns->wait(1);
	while (!stop)
		pass(1);
	return NULL;
}

static uint64_t run_rounds(unsigned long count)
{
	uint64_t from = micro_now();

	for (unsigned long i = 0; i < count; i++)
		pass(0);
	return micro_now() - from;
}

/* The cost of a round, there and back. */
static double round_trip(const struct turns *t)
{
	pthread_t thread;
	double cost;

	turns = t;
	stop = false;
	if (pthread_create(&thread, NULL, second, NULL))
		micro_die("pthread_create");
	cost = micro_per_count(run_rounds);
	stop = true;
	t->give(1);
	pthread_join(thread, NULL);
	return cost;
}

/* ---- mutex and condition variable ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond[2] = { PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER };
static int turn;

static void cond_give(int to)
{
	pthread_mutex_lock(&lock);
	turn = to;
	pthread_cond_signal(&cond[to]);
	pthread_mutex_unlock(&lock);
}

static void cond_wait(int me)
{
	pthread_mutex_lock(&lock);
	while (turn != me)
		pthread_cond_wait(&cond[me], &lock);
	pthread_mutex_unlock(&lock);
}

static void cond_pass(int me)
{
	pthread_mutex_lock(&lock);
	turn = !me;
	pthread_cond_signal(&cond[!me]);
	while (turn != me)
		pthread_cond_wait(&cond[me], &lock);
	pthread_mutex_unlock(&lock);
}

static double hand_condvar(void)
{
	static const struct turns t = { cond_give, cond_wait, cond_pass };

	turn = 0;
	return round_trip(&t) / 2;
}

/* ---- futex ---- */

static atomic_int word[2] __attribute__((aligned(64)));

#define WAIT_PRIVATE 128
#define WAKE_PRIVATE 129

static void futex_give(int to)
{
	word[to] = 1;
	MICRO_CALL(SYS_futex, &word[to], WAKE_PRIVATE, 1, 0);
}

static void futex_wait(int me)
{
	while (!atomic_exchange(&word[me], 0))
		MICRO_CALL(SYS_futex, &word[me], WAIT_PRIVATE, 0, 0);
}

static double hand_futex(void)
{
	static const struct turns t = { futex_give, futex_wait, NULL };

	word[0] = word[1] = 0;
	return round_trip(&t) / 2;
}

/* ---- descriptors: pipes, event counters, sockets ---- */

static int out[2], in[2]; /* of either thread */
static size_t piece;

static void fd_give(int to)
{
	uint64_t one = 1;

	if (write(out[!to], &one, piece) != (ssize_t)piece)
		micro_die("write");
}

static void fd_wait(int me)
{
	uint64_t value;

	if (read(in[me], &value, piece) != (ssize_t)piece)
		micro_die("read");
}

static const struct turns by_fd = { fd_give, fd_wait, NULL };

static double pipe_trip(void)
{
	int p[2], q[2];
	double cost;

	if (pipe(p) || pipe(q))
		micro_die("pipe");
	in[1] = p[0];
	out[0] = p[1];
	in[0] = q[0];
	out[1] = q[1];
	piece = 1;
	cost = round_trip(&by_fd);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	return cost;
}

static double hand_pipe(void)
{
	return pipe_trip() / 2;
}

static double hand_eventfd(void)
{
	double cost;

	in[0] = out[1] = eventfd(0, 0);
	in[1] = out[0] = eventfd(0, 0);
	if (in[0] < 0 || in[1] < 0)
		micro_die("eventfd");
	piece = 8;
	cost = round_trip(&by_fd) / 2;
	close(in[0]);
	close(in[1]);
	return cost;
}

static double socketpair_trip(void)
{
	double cost;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		micro_die("socketpair");
	in[0] = out[0] = s[0];
	in[1] = out[1] = s[1];
	piece = 1;
	cost = round_trip(&by_fd);
	close(s[0]);
	close(s[1]);
	return cost;
}

static int loopback_socket(int type, struct sockaddr_in *name)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(*name);
	int s = socket(AF_INET, type, 0);

	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) ||
		getsockname(s, (struct sockaddr *)name, &size))
		micro_die("loopback socket");
	return s;
}

/* One byte there, one byte back, as netperf's TCP_RR. */
static double tcp_rr(void)
{
	struct sockaddr_in a;
	int listener = loopback_socket(SOCK_STREAM, &a), client = socket(AF_INET, SOCK_STREAM, 0);
	int server, one = 1;
	double cost;

	if (listen(listener, 1) || connect(client, (struct sockaddr *)&a, sizeof(a)))
		micro_die("connect");
	server = accept(listener, NULL, NULL);
	if (server < 0)
		micro_die("accept");
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	in[0] = out[0] = client;
	in[1] = out[1] = server;
	piece = 1;
	cost = round_trip(&by_fd);
	close(client);
	close(server);
	close(listener);
	return cost;
}

static double udp_rr(void)
{
	struct sockaddr_in a, b;
	int s = loopback_socket(SOCK_DGRAM, &a), t = loopback_socket(SOCK_DGRAM, &b);
	double cost;

	if (connect(s, (struct sockaddr *)&b, sizeof(b)) ||
		connect(t, (struct sockaddr *)&a, sizeof(a)))
		micro_die("connect");
	in[0] = out[0] = s;
	in[1] = out[1] = t;
	piece = 1;
	cost = round_trip(&by_fd);
	close(s);
	close(t);
	return cost;
}

/* ---- sched_yield ---- */

static atomic_int last_runner;
static atomic_ulong switches;

static void yield_as(int me)
{
	if (last_runner != me) {
		last_runner = me;
		switches++;
	}
	sched_yield();
}

static void *second_yielder(void *unused)
{
	(void)unused;
	micro_pin(1);
	while (!stop)
		yield_as(1);
	return NULL;
}

/* Counts the switches that happened, not the calls: a yield that stays is no switch. */
static double hand_yield(void)
{
	unsigned long before;
	pthread_t thread;
	uint64_t from, took;

	stop = false;
	if (pthread_create(&thread, NULL, second_yielder, NULL))
		micro_die("pthread_create");
	for (int i = 0; i < 100; i++)
		yield_as(0);
	before = switches;
	from = micro_now();
	do {
		for (int i = 0; i < 100; i++)
			yield_as(0);
		took = micro_now() - from;
	} while (took < micro_enough());
	before = switches - before;
	stop = true;
	pthread_join(thread, NULL);
	if (!before)
		micro_die("sched_yield never switched");
	return (double)took / before;
}

/* ---- threads ---- */

static void *nothing(void *arg)
{
	return arg;
}

static void op_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
		micro_die("thread");
}

static double thread_join(void)
{
	return micro_per_op(op_thread);
}

const struct micro micro_handover[] = {
	{ "hand_condvar", hand_condvar },
	{ "hand_futex", hand_futex },
	{ "hand_pipe", hand_pipe },
	{ "hand_eventfd", hand_eventfd },
	{ "hand_yield", hand_yield },
	{ "pipe_trip", pipe_trip },
	{ "socketpair_trip", socketpair_trip },
	{ "tcp_rr", tcp_rr },
	{ "udp_rr", udp_rr },
	{ "thread_join", thread_join },
	{ NULL, NULL },
};
