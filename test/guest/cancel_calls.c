/* SPDX-License-Identifier: BSD-2-Clause */
/* Every waiting call that libskiff has: cancelled before it, in it, in it after a restart, with
 * asynchronous cancellation, and not at all when disabled. Those that do not wait: before. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "t.h"

enum how { PENDING, WAITING, RESTARTED, ASYNCHRONOUS, DISABLED };

static int empty[2], full[2], quiet[2], loud[2]; /* pipes, socket pairs: nothing in, no room */
static int listener, busy, counter, at_limit, epoll, file, victim;
static const struct sockaddr_un busy_address = { AF_UNIX, "busy" },
				idle_address = { AF_UNIX, "idle" };
static volatile int entered, sent, handled, type_after;
static volatile pid_t tid;
static char trail[64];

static long call_read(void)
{
	char c;
	return read(empty[0], &c, 1);
}
static long call_write(void)
{
	return write(full[1], "x", 1);
}
static long call_readv(void)
{
	char c;
	struct iovec v = { &c, 1 };
	return readv(empty[0], &v, 1);
}
static long call_writev(void)
{
	struct iovec v = { "x", 1 };
	return writev(full[1], &v, 1);
}
static long call_send(void)
{
	return send(loud[0], "x", 1, 0);
}
static long call_sendto(void)
{
	return sendto(loud[0], "x", 1, 0, NULL, 0);
}
static long call_sendmsg(void)
{
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	return sendmsg(loud[0], &m, 0);
}
static long call_recv(void)
{
	char c;
	return recv(quiet[0], &c, 1, 0);
}
static long call_recvfrom(void)
{
	char c;
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	return recvfrom(quiet[0], &c, 1, 0, (struct sockaddr *)&from, &len);
}
static long call_recvmsg(void)
{
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	return recvmsg(quiet[0], &m, 0);
}
static long call_accept(void)
{
	return accept(listener, NULL, NULL);
}
static long call_accept4(void)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}
static long call_connect(void)
{
	return connect(victim, (struct sockaddr *)&busy_address, sizeof(busy_address));
}
static long call_poll(void)
{
	struct pollfd p = { empty[0], POLLIN, 0 };
	return poll(&p, 1, -1);
}
static long call_ppoll(void)
{
	struct pollfd p = { empty[0], POLLIN, 0 };
	struct timespec ts = { 100, 0 };
	return ppoll(&p, 1, &ts, NULL);
}
static long call_epoll_wait(void)
{
	struct epoll_event e;
	return epoll_wait(epoll, &e, 1, -1);
}
static long call_epoll_pwait(void)
{
	struct epoll_event e;
	sigset_t none;
	sigemptyset(&none);
	return epoll_pwait(epoll, &e, 1, 100000, &none);
}
static long call_eventfd_read(void)
{
	eventfd_t v;
	return eventfd_read(counter, &v);
}
static long call_eventfd_write(void)
{
	return eventfd_write(at_limit, 1);
}

static long call_pread(void)
{
	char c;
	return pread(file, &c, 1, 0);
}
static long call_pwrite(void)
{
	return pwrite(file, "x", 1, 0);
}
static long call_close(void)
{
	return close(victim);
}
static long call_getrandom(void)
{
	char c;
	return getrandom(&c, 1, 0);
}

static long poll_at_once(void)
{
	struct pollfd p = { empty[0], POLLIN, 0 };
	return poll(&p, 1, 0);
}
static long epoll_at_once(void)
{
	struct epoll_event e;
	return epoll_wait(epoll, &e, 1, 0);
}
static long send_at_once(void)
{
	return send(loud[0], "x", 1, MSG_DONTWAIT);
}
static long sendto_at_once(void)
{
	return sendto(loud[0], "x", 1, MSG_DONTWAIT, NULL, 0);
}
static long sendmsg_at_once(void)
{
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	return sendmsg(loud[0], &m, MSG_DONTWAIT);
}
static long recv_at_once(void)
{
	char c;
	return recv(quiet[0], &c, 1, MSG_DONTWAIT);
}
static long recvfrom_at_once(void)
{
	char c;
	return recvfrom(quiet[0], &c, 1, MSG_DONTWAIT, NULL, NULL);
}
static long recvmsg_at_once(void)
{
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	return recvmsg(quiet[0], &m, MSG_DONTWAIT);
}

static const struct call {
	const char *name;
	long (*call)(void);
} waiting[] = {
	{ "read", call_read },
	{ "write", call_write },
	{ "readv", call_readv },
	{ "writev", call_writev },
	{ "send", call_send },
	{ "sendto", call_sendto },
	{ "sendmsg", call_sendmsg },
	{ "recv", call_recv },
	{ "recvfrom", call_recvfrom },
	{ "recvmsg", call_recvmsg },
	{ "accept", call_accept },
	{ "accept4", call_accept4 },
	{ "connect", call_connect },
	{ "poll", call_poll },
	{ "ppoll", call_ppoll },
	{ "epoll_wait", call_epoll_wait },
	{ "epoll_pwait", call_epoll_pwait },
	{ "eventfd_read", call_eventfd_read },
	{ "eventfd_write", call_eventfd_write },
}, quick[] = {
	{ "pread", call_pread },
	{ "pwrite", call_pwrite },
	{ "close", call_close },
	{ "getrandom", call_getrandom },
	{ "poll at once", poll_at_once },
	{ "epoll_wait at once", epoll_at_once },
	{ "send at once", send_at_once },
	{ "sendto at once", sendto_at_once },
	{ "sendmsg at once", sendmsg_at_once },
	{ "recv at once", recv_at_once },
	{ "recvfrom at once", recvfrom_at_once },
	{ "recvmsg at once", recvmsg_at_once },
};

static const struct call *what;
static enum how how;

static void handler(int sig)
{
	handled++;
}

static void clean(void *arg)
{
	strcat(trail, arg);
}

static void *thread(void *arg)
{
	int type;

	pthread_cleanup_push(clean, " cleaned");
	tid = gettid();
	if (how == PENDING || how == DISABLED)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	if (how == ASYNCHRONOUS)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	entered = 1;
	if (how == PENDING) {
		while (!sent)
			sched_yield();
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	}
	long r = what->call();
	snprintf(trail, sizeof(trail), " %s", r < 0 ? t_errno(errno) : "done");
	if (how == DISABLED) {
		pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
		type_after |= type != PTHREAD_CANCEL_DEFERRED;
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return NULL;
}

/* Until it sleeps, which it does nowhere but in the call, or is gone. */
static void wait_until_asleep(void)
{
	char name[64], text[512], *state;
	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
	for (;;) {
		int fd = open(name, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			close(fd);
		if (n <= 0)
			return;
		text[n] = 0;
		state = strrchr(text, ')');
		if (!state || state[2] == 'S' || state[2] == 'Z' || state[2] == 'X')
			return;
		sched_yield();
	}
}

static void try(const struct call *c, enum how h)
{
	static const char *const hows[] = { "before", "in it", "after a restart", "asynchronous",
		"disabled" };
	struct sigaction sa = { .sa_handler = handler,
		.sa_flags = h == RESTARTED ? SA_RESTART : 0 };
	void *value = NULL;

	what = c;
	how = h;
	entered = sent = handled = 0;
	trail[0] = 0;
	sigaction(SIGUSR1, &sa, NULL);
	victim = socket(AF_UNIX, SOCK_STREAM, 0);
	pthread_t id = t_thread(thread, NULL);
	while (!entered)
		sched_yield();
	if (h != PENDING)
		wait_until_asleep();
	if (h == RESTARTED) {
		pthread_kill(id, SIGUSR1);
		while (!handled)
			sched_yield();
		wait_until_asleep();
	}
	pthread_cancel(id);
	sent = 1;
	if (h == DISABLED) {
		t_sleep_ms(1);
		pthread_kill(id, SIGUSR1);
	}
	pthread_join(id, &value);
	printf("%s %s:%s%s\n", c->name, hows[h], trail,
		value == PTHREAD_CANCELED ? ", canceled" : ", not canceled");
	if (c->call == call_close)
		printf("still open: %d\n", fcntl(victim, F_GETFD) >= 0);
	close(victim);
}

static int fill(int fd)
{
	char c[4096] = "";
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (size_t n = sizeof(c); n; n /= 2)
		while (write(fd, c, n) > 0)
			;
	return fcntl(fd, F_SETFL, 0);
}

static int listening(const struct sockaddr_un *at, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	NEED(bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 && listen(fd, backlog) == 0);
	return fd;
}

static void prepare(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd;

	NEED(pipe(empty) == 0 && pipe(full) == 0 && fill(full[1]) == 0);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) == 0);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, loud) == 0 && fill(loud[0]) == 0);
	listener = listening(&idle_address, 5);
	busy = listening(&busy_address, 0);
	do
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (connect(fd, (struct sockaddr *)&busy_address, sizeof(busy_address)) == 0);
	NEED(errno == EAGAIN);
	counter = eventfd(0, 0);
	at_limit = eventfd(0, 0);
	NEED(eventfd_write(at_limit, 0xfffffffffffffffe) == 0);
	epoll = epoll_create1(0);
	NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, empty[0], &e) == 0);
	file = t_file("file", "content");
}

int main(void)
{
	prepare();
	for (size_t i = 0; i < LENGTH(waiting); i++) {
		for (enum how h = PENDING; h <= DISABLED; h++)
			try(&waiting[i], h);
	}
	for (size_t i = 0; i < LENGTH(quick); i++)
		try(&quick[i], PENDING);
	printf("type after: %d\n", type_after);
	unlink("busy");
	unlink("idle");
	return 0;
}
