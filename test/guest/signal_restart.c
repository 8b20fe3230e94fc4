/* SPDX-License-Identifier: BSD-2-Clause */
/* SA_RESTART restarts slow calls, without it they end in EINTR; some never restart. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "t.h"

static int pipes[2], full[2], sockets[2], listener = -1, epoll;
static volatile int handled, entered, which;

static void handler(int sig)
{
	handled++;
}

static long call(void)
{
	char c;
	struct pollfd pfd = { pipes[0], POLLIN, 0 };
	struct epoll_event ev;
	struct timespec ts = { 100, 0 };
	sigset_t none;
	fd_set set;
	sigemptyset(&none);
	sigaddset(&none, SIGHUP);
	FD_ZERO(&set);
	FD_SET(pipes[0], &set);
	switch (which) {
	case 0: return read(pipes[0], &c, 1);
	case 1: return write(full[1], &c, 1);
	case 2: return recv(sockets[0], &c, 1, 0);
	case 3: return poll(&pfd, 1, -1);
	case 4: return select(pipes[0] + 1, &set, NULL, NULL, NULL);
	case 5: return epoll_wait(epoll, &ev, 1, -1);
	case 6: return nanosleep(&ts, NULL);
	case 7: return pause();
	case 8: return sigtimedwait(&none, NULL, &ts);
	case 9: return flock(open("f", O_RDWR | O_CLOEXEC), LOCK_EX);
	}
	return -1;
}

static const char *names[] = { "read", "write", "recv", "poll", "select", "epoll_wait", "nanosleep",
	"pause", "sigtimedwait", "flock" };

static void *thread(void *arg)
{
	entered = 1;
	long r = call();
	long e = r < 0 ? errno : 0;
	return (void *)e;
}

static void release(void)
{
	char c[4096];
	switch (which) {
	case 0:
	case 3:
	case 4:
	case 5: (void)!write(pipes[1], "x", 1); break;
	case 1:
		while (read(full[0], c, sizeof(c)) == sizeof(c))
			;
		break;
	case 2: (void)!write(sockets[1], "x", 1); break;
	case 9: flock(listener, LOCK_UN); break;
	}
}

static void test(int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };
	void *e = NULL;
	int ended = 0;
	sigaction(SIGUSR1, &sa, NULL);
	entered = handled = 0;
	pthread_t id = t_thread(thread, NULL);
	while (!entered)
		sched_yield();
	/* several signals: one of them finds the thread inside of the call */
	for (int i = 0; i < 6 && !ended; i++) {
		int before = handled;
		t_sleep_ms(4);
		pthread_kill(id, SIGUSR1);
		while (handled == before && (ended = pthread_tryjoin_np(id, &e) == 0) == 0)
			sched_yield();
	}
	if (!ended)
		ended = pthread_tryjoin_np(id, &e) == 0;
	if (!ended) {
		release();
		pthread_join(id, &e);
		printf("%s%s: restarted, then %s\n", names[which], flags ? " with SA_RESTART" : "",
			t_errno((int)(long)e));
	} else
		printf("%s%s: %s\n", names[which], flags ? " with SA_RESTART" : "",
			t_errno((int)(long)e));
	char c[16];
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	(void)!read(pipes[0], c, sizeof(c));
	fcntl(pipes[0], F_SETFL, 0);
	if (which == 1)
		while (write(full[0], c, 0) > 0)
			;
}

static void fill(void)
{
	char c[4096] = "";
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], c, sizeof(c)) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
}

int main(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	NEED(pipe(pipes) == 0 && pipe(full) == 0 &&
		socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	fcntl(full[0], F_SETFL, O_NONBLOCK);
	listener = t_file("f", "");
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &ev);
	for (which = 0; which < (int)LENGTH(names); which++) {
		for (int restart = 0; restart < 2; restart++) {
			bool never = which >= 3 && which <= 8; /* no way to end them gently */
			flock(listener, LOCK_EX);
			fill();
			if (never && restart && which == 6)
				continue;
			test(restart ? SA_RESTART : 0);
		}
	}
	return 0;
}
