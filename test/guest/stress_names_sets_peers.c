/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads meet on what is found without locks: paths, thread numbers, peers, epoll sets' ends. */
#include "t.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define ROUNDS 1000

static atomic_int stop, bad;
static char top[] = "/tmp/stressXXXXXX", path_a[64], path_b[64], inner_a[64], inner_b[64];

static void expect(int ok, const char *what)
{
	if (!ok && !atomic_exchange(&bad, 1))
		printf("wrong: %s (errno %d)\n", what, errno);
}

/* The directory is a/d or b/e, and has the file f, always. */
static void *renamer(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		expect(rename(path_a, path_b) == 0, "rename there");
		expect(rename(path_b, path_a) == 0, "rename back");
	}
	atomic_store(&stop, 1);
	return NULL;
}

static void *looker(void *arg)
{
	char link[64], target[128];
	struct stat st;
	int fd = open(inner_a, O_RDONLY | O_CLOEXEC);

	for (int n = 0; fd < 0 && n < 1000000; n++)
		fd = open(n % 2 ? inner_a : inner_b, O_RDONLY | O_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	while (!atomic_load(&stop)) {
		ssize_t n;

		if (stat(inner_a, &st) && errno != ENOENT)
			expect(0, "stat a");
		if (stat(inner_b, &st) && errno != ENOENT)
			expect(0, "stat b");
		n = readlink(link, target, sizeof(target) - 1);
		expect(n > 0, "readlink");
		target[n > 0 ? n : 0] = 0;
		expect(!strcmp(target, inner_a) || !strcmp(target, inner_b), target);
	}
	close(fd);
	return NULL;
}

static void *maker(void *arg)
{
	char name[64];
	struct stat st;

	for (int i = 0; !atomic_load(&stop); i++) {
		snprintf(name, sizeof(name), "%s/m%d", top, i % 50);
		expect(mkdir(name, 0700) == 0, "mkdir");
		expect(stat(name, &st) == 0, "stat of what was made");
		expect(rmdir(name) == 0, "rmdir");
		expect(stat(name, &st) == -1 && errno == ENOENT, "stat of what is gone");
	}
	return NULL;
}

/* A pair's ends are closed by two threads while one sends. */
static void *closer(void *arg)
{
	close(*(int *)arg);
	return NULL;
}

static void *peers(void *arg)
{
	while (!atomic_load(&stop)) {
		int s[2], set = epoll_create1(0);
		struct epoll_event e = { .events = EPOLLIN };
		pthread_t t[3];

		expect(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "socketpair");
		for (int i = 0; i < 2; i++)
			expect(epoll_ctl(set, EPOLL_CTL_ADD, s[i], &e) == 0, "epoll_ctl");
		expect(send(s[0], "x", 1, MSG_NOSIGNAL) == 1, "send");
		expect(epoll_wait(set, &e, 1, 1000) == 1, "epoll_wait");
		pthread_create(&t[0], NULL, closer, &s[0]);
		pthread_create(&t[1], NULL, closer, &s[1]);
		pthread_create(&t[2], NULL, closer, &set);
		for (int i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
	}
	return NULL;
}

/* Signal 0 to numbers of threads that come and go. */
static void *asker(void *arg)
{
	long self = syscall(SYS_gettid);

	for (long i = 0; !atomic_load(&stop); i++) {
		long r = syscall(SYS_tgkill, getpid(), self + i % 32, 0);

		expect(r == 0 || errno == ESRCH, "tgkill");
	}
	return NULL;
}

int main(void)
{
	void *(*const work[])(void *) = { renamer, looker, looker, maker, peers, asker };
	pthread_t t[sizeof(work) / sizeof(*work)];
	char a[64], b[64];
	int fd;

	expect(mkdtemp(top) != NULL, "mkdtemp");
	snprintf(a, sizeof(a), "%s/a", top);
	snprintf(b, sizeof(b), "%s/b", top);
	snprintf(path_a, sizeof(path_a), "%s/a/d", top);
	snprintf(path_b, sizeof(path_b), "%s/b/e", top);
	snprintf(inner_a, sizeof(inner_a), "%s/a/d/f", top);
	snprintf(inner_b, sizeof(inner_b), "%s/b/e/f", top);
	expect(!mkdir(a, 0700) && !mkdir(b, 0700) && !mkdir(path_a, 0700), "mkdir");
	fd = open(inner_a, O_CREAT | O_RDWR, 0600);
	close(fd);
	for (unsigned i = 0; i < sizeof(work) / sizeof(*work); i++)
		pthread_create(&t[i], NULL, work[i], NULL);
	for (unsigned i = 0; i < sizeof(work) / sizeof(*work); i++)
		pthread_join(t[i], NULL);
	expect(!unlink(inner_a) && !rmdir(path_a) && !rmdir(a) && !rmdir(b) && !rmdir(top), "end");
	puts(atomic_load(&bad) ? "bad" : "good");
	return 0;
}
