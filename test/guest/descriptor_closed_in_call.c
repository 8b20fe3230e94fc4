/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor closed by one thread while another is in a call on it, and calls of a lone thread.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "t.h"

static int p[2], fd;
static volatile int busy;

static char said[40]; /* by the thread, for after its end */

static void *read_one(void *arg)
{
	char c = 0;

	busy = 1;
	ssize_t n = read(p[0], &c, 1);
	snprintf(said, sizeof(said), "read %zd %c", n, c);
	return NULL;
}

static void *count_down(void *arg)
{
	uint64_t value = 0;

	busy = 1;
	ssize_t n = read(fd, &value, 8);
	snprintf(said, sizeof(said), "eventfd %zd %d", n, (int)value);
	return NULL;
}

static void *wait_events(void *arg)
{
	struct epoll_event e = { 0 };

	busy = 1;
	int n = epoll_wait(fd, &e, 1, 10000);
	snprintf(said, sizeof(said), "epoll_wait %d %x", n, e.events);
	return NULL;
}

static void finish(pthread_t id)
{
	pthread_join(id, NULL);
	printf("%s\n", said);
}

static pthread_t start(void *(*fn)(void *))
{
	busy = 0;
	pthread_t id = t_thread(fn, NULL);

	while (!busy)
		t_sleep_ms(1);
	t_sleep_ms(20); /* into the call */
	return id;
}

/* Threads that read from numbers which another one closes and opens all the time. */
static volatile bool over;
static void *read_whatever(void *arg)
{
	long wrong = 0;
	char c;

	while (!over) {
		ssize_t n = read(fd, &c, 1);

		wrong += n < 0 ? errno != EBADF : n == 1 && c != 0;
	}
	return (void *)wrong;
}

int main(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	uint64_t one = 1;
	char c;

	/* alone */
	NEED(pipe(p) == 0);
	RET(write(p[1], "ab", 2));
	RET(read(p[0], &c, 1));
	int copy = dup(p[0]);
	RET(close(p[0]));
	RET(read(p[0], &c, 1));
	RET(read(copy, &c, 1));
	RET(close(copy));
	RET(close(p[1]));

	/* the file is there until the call is over, the number is not */
	NEED(pipe(p) == 0);
	pthread_t id = start(read_one);
	RET(close(p[0]));
	IS(open("/dev/null", O_RDONLY) == p[0]);
	RET(write(p[1], "x", 1));
	finish(id);
	signal(SIGPIPE, SIG_IGN);
	RET(write(p[1], "x", 1)); /* and goes with the call */
	RET(read(p[0], &c, 1));
	close(p[0]);
	close(p[1]);

	fd = eventfd(0, 0);
	copy = dup(fd);
	id = start(count_down);
	RET(close(fd));
	RET(write(copy, &one, 8));
	finish(id);
	close(copy);

	NEED(pipe(p) == 0);
	fd = epoll_create1(0);
	RET(epoll_ctl(fd, EPOLL_CTL_ADD, p[0], &e));
	id = start(wait_events);
	RET(close(fd));
	RET(write(p[1], "x", 1));
	finish(id);

	pthread_t reader[3];
	fd = open("/dev/zero", O_RDONLY);
	for (int i = 0; i < 3; i++)
		reader[i] = t_thread(read_whatever, NULL);
	for (int i = 0; i < 3000; i++) {
		close(fd);
		NEED(open(i % 2 ? "/dev/zero" : "/dev/null", O_RDONLY) == fd);
	}
	over = true;
	for (int i = 0; i < 3; i++) {
		void *wrong;

		pthread_join(reader[i], &wrong);
		printf("wrong %ld\n", (long)wrong);
	}
	/* alone again */
	RET(read(fd, &c, 1));
	RET(close(fd));
	RET(read(fd, &c, 1));
	close(p[0]);
	close(p[1]);
	return 0;
}
