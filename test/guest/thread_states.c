/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc says a thread does: R while it computes, S in calls that a signal would end. */
#include <poll.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include "t.h"

static int fds[2];
static volatile int stop;
static volatile pid_t tid;
static sem_t never;

static void *computes(void *arg)
{
	tid = gettid();
	while (!stop)
		;
	return NULL;
}

static void *reads(void *arg)
{
	char c;
	tid = gettid();
	return (void *)read(fds[0], &c, 1);
}

static void *polls(void *arg)
{
	struct pollfd p = { fds[0], POLLIN, 0 };
	tid = gettid();
	return (void *)(long)poll(&p, 1, -1);
}

static void *waits(void *arg)
{
	tid = gettid();
	while (sem_wait(&never))
		;
	return NULL;
}

static void *sleeps(void *arg)
{
	tid = gettid();
	while (!stop)
		t_sleep_ms(20);
	return NULL;
}

static char letter(const char *file, const char *before)
{
	char name[64], text[2048], *at;
	snprintf(name, sizeof(name), "/proc/self/task/%d/%s", tid, file);
	int fd = open(name, O_RDONLY);
	NEED(fd >= 0);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strstr(text, before);
	return at ? at[strlen(before)] : '?';
}

/* A thread that sleeps also runs now and then: the first time it is seen as wanted is enough. */
static void expect(const char *what, void *(*fn)(void *), char want)
{
	char stat = '?', status = '?';
	tid = 0;
	stop = 0;
	pthread_t id = t_thread(fn, NULL);
	while (!tid)
		sched_yield();
	for (long end = t_now_ms() + 20000; t_now_ms() < end && (stat != want || status != want);) {
		stat = letter("stat", ") ");
		status = letter("status", "State:\t");
	}
	printf("%s: %c %c\n", what, stat, status);
	stop = 1;
	if (fn == reads || fn == polls)
		NEED(write(fds[1], "x", 1) == 1);
	if (fn == waits)
		sem_post(&never);
	pthread_join(id, NULL);
}

int main(void)
{
	NEED(pipe(fds) == 0 && sem_init(&never, 0, 0) == 0);
	expect("computes", computes, 'R');
	expect("reads", reads, 'S');
	expect("polls", polls, 'S');
	expect("waits", waits, 'S');
	expect("sleeps", sleeps, 'S');
	tid = gettid();
	printf("itself: %c\n", letter("status", "State:\t"));
	return 0;
}
