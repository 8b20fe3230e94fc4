/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks on parts of a file: how ranges join and split, where they end, conversion, wrong requests.
 */
#include <sys/file.h>
#include "t.h"

static int a, b, ro, wo;

static int lock_from(int fd, int cmd, int type, int whence, long start, long len)
{
	struct flock l = { .l_type = type, .l_whence = whence, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &l);
}

static int lock(int fd, int cmd, int type, long start, long len)
{
	return lock_from(fd, cmd, type, SEEK_SET, start, len);
}

/* What another sees from there on, one lock after the other. */
static void show(const char *when, int fd)
{
	printf("%s:", when);
	for (long at = 0, n = 0; n < 12; n++) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at };

		if (fcntl(fd, F_OFD_GETLK, &l) || l.l_type == F_UNLCK)
			break;
		printf(" %c%ld+%ld(%s)", l.l_type == F_WRLCK ? 'w' : 'r', (long)l.l_start,
			(long)l.l_len,
			l.l_pid == -1	      ? "file"
			: l.l_pid == getpid() ? "we"
					      : "?");
		if (!l.l_len)
			break;
		at = l.l_start + l.l_len;
	}
	printf("\n");
}

static void shapes(int set)
{
	RET(lock(a, set, F_WRLCK, 10, 10));
	RET(lock(a, set, F_WRLCK, 20, 10));
	show("joined behind", b);
	RET(lock(a, set, F_WRLCK, 5, 5));
	show("joined before", b);
	RET(lock(a, set, F_RDLCK, 12, 4));
	show("a hole for reading", b);
	RET(lock(a, set, F_WRLCK, 12, 4));
	show("filled", b);
	RET(lock(a, set, F_UNLCK, 8, 4));
	show("cut", b);
	RET(lock(a, set, F_WRLCK, 40, 0));
	RET(lock(a, set, F_WRLCK, 30, 10));
	show("to the end", b);
	RET(lock(a, set, F_RDLCK, 0, 0));
	show("all for reading", b);
	RET(lock(b, F_OFD_SETLK, F_RDLCK, 100, 50));
	show("two readers", ro);
	RET(lock(a, set, F_WRLCK, 0, 0));
	RET(lock(a, set, F_WRLCK, 150, 0));
	show("both", ro);
	RET(lock(b, F_OFD_SETLK, F_UNLCK, 0, 0));
	RET(lock(a, set, F_UNLCK, 0, 0));
	RET(lock(a, set, F_UNLCK, 0, 0));
	show("none", b);
}

static void ends(void)
{
	RET(lock(a, F_SETLK, F_WRLCK, 20, -5));
	show("backwards", b);
	RET(lock(a, F_SETLK, F_UNLCK, 0, 0));
	RET(lock(a, F_SETLK, F_WRLCK, 4, -5));
	RET(lock(a, F_SETLK, F_WRLCK, -1, 5));
	RET(lock(a, F_SETLK, F_WRLCK, LONG_MIN, -1));
	RET(lock(a, F_SETLK, F_WRLCK, LONG_MAX, 1));
	show("the last byte", b);
	RET(lock(a, F_SETLK, F_WRLCK, LONG_MAX, 2));
	RET(lock(a, F_SETLK, F_WRLCK, LONG_MAX - 9, 10));
	show("the last ten", b);
	RET(lock(a, F_SETLK, F_WRLCK, 1, LONG_MAX));
	RET(lock(a, F_SETLK, F_WRLCK, 2, LONG_MAX));
	show("nearly all", b);
	RET(lock(a, F_SETLK, F_UNLCK, 0, LONG_MAX));
	show("all but the last", b);
	RET(lock(a, F_SETLK, F_UNLCK, 0, 0));
	lseek(a, 7, SEEK_SET);
	RET(lock_from(a, F_SETLK, F_WRLCK, SEEK_CUR, -2, 3));
	RET(lock_from(a, F_SETLK, F_WRLCK, SEEK_END, 0, 3));
	show("by position and size", b);
	RET(lseek(a, 0, SEEK_CUR));
	RET(lock_from(a, F_SETLK, F_WRLCK, SEEK_CUR, LONG_MAX, 3));
	RET(lock_from(a, F_SETLK, F_WRLCK, SEEK_CUR, -8, 3));
	RET(lock_from(a, F_SETLK, F_WRLCK, SEEK_END, -11, 3));
	RET(lock_from(a, F_SETLK, F_WRLCK, 5, 0, 3));
	RET(lock_from(a, F_SETLK, F_WRLCK, -1, 0, 3));
	RET(lock(a, F_SETLK, F_UNLCK, 0, 0));
}

static void refusals(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_pid = 1 };
	int path = open("f", O_PATH), p[2];

	RET(lock(ro, F_SETLK, F_WRLCK, 0, 1));
	RET(lock(ro, F_SETLK, F_RDLCK, 0, 1));
	RET(lock(wo, F_SETLK, F_RDLCK, 0, 1));
	RET(lock(wo, F_SETLK, F_WRLCK, 0, 1));
	RET(lock(ro, F_SETLK, F_UNLCK, 0, 1));
	RET(lock(ro, F_SETLK, 77, 0, 1));
	RET(lock(wo, F_SETLK, 77, -1, 1));
	RET(lock(a, F_GETLK, F_UNLCK, 0, 1));
	RET(lock(a, F_GETLK, 77, -1, 1));
	RET(lock(wo, F_GETLK, F_RDLCK, 0, 1));
	RET(fcntl(a, F_OFD_SETLK, &l));
	RET(fcntl(ro, F_OFD_SETLK, &l));
	RET(fcntl(a, F_OFD_GETLK, &l));
	RET(fcntl(a, F_SETLK, &l));
	RET(fcntl(a, F_SETLK, BAD_PTR));
	RET(fcntl(a, F_GETLK, BAD_PTR));
	RET(fcntl(999, F_SETLK, BAD_PTR));
	RET(lock(path, F_SETLK, F_RDLCK, 0, 1));
	RET(lock(path, F_GETLK, F_RDLCK, 0, 1));
	RET(flock(path, LOCK_SH));
	RET(flock(wo, LOCK_SH));
	RET(flock(wo, LOCK_UN));
	RET(flock(ro, LOCK_EX));
	RET(flock(ro, LOCK_UN));
	RET(flock(a, 0));
	RET(flock(a, LOCK_SH | LOCK_EX));
	RET(flock(a, LOCK_NB));
	RET(flock(999, 0));
	RET(flock(a, LOCK_UN | LOCK_NB));
	RET(lock(a, F_SETLK, F_UNLCK, 0, 0));
	NEED(pipe(p) == 0);
	RET(lock(p[0], F_SETLK, F_RDLCK, 0, 1));
	RET(lock(p[1], F_SETLK, F_RDLCK, 0, 1));
	RET(flock(p[0], LOCK_EX));
	RET(flock(p[1], LOCK_EX | LOCK_NB));
	close(p[0]);
	close(p[1]);
	close(path);
}

static void whole_files(void)
{
	int copy = dup(a);

	RET(flock(a, LOCK_SH));
	RET(flock(b, LOCK_SH));
	RET(flock(a, LOCK_EX | LOCK_NB)); /* and has lost its own */
	RET(flock(b, LOCK_EX | LOCK_NB));
	RET(flock(a, LOCK_SH | LOCK_NB));
	RET(flock(b, LOCK_SH | LOCK_NB));
	RET(flock(a, LOCK_SH | LOCK_NB));
	RET(flock(copy, LOCK_UN)); /* the same open file */
	RET(flock(b, LOCK_EX | LOCK_NB));
	RET(flock(b, LOCK_EX | LOCK_NB));
	RET(lock(a, F_SETLK, F_WRLCK, 0, 0)); /* the other kind does not see it */
	RET(flock(b, LOCK_UN));
	RET(flock(a, LOCK_EX));
	close(copy);
	RET(flock(b, LOCK_SH | LOCK_NB));
	show("a copy closed", b); /* the process's locks are gone, the file's are not */
	RET(flock(a, LOCK_UN));
}

static void owners(void)
{
	RET(lock(a, F_SETLK, F_WRLCK, 0, 10));
	RET(lock(b, F_SETLK, F_WRLCK, 5, 10)); /* the process's, so one */
	show("the process", ro);
	RET(lock(a, F_OFD_SETLK, F_RDLCK, 12, 10));
	RET(lock(a, F_OFD_SETLK, F_RDLCK, 15, 10));
	show("and a file", ro);
	RET(lock(a, F_SETLK, F_WRLCK, 15, 1));
	RET(lock(a, F_SETLK, F_RDLCK, 15, 1));
	show("both read", ro);
	int again = open("f", O_RDONLY);
	close(again);
	show("the process closed one", ro);
	RET(lock(a, F_OFD_SETLK, F_UNLCK, 0, 0));
	show("none", ro);
}

static void *wait_for_part(void *arg)
{
	return (void *)(long)lock(b, F_OFD_SETLKW, F_WRLCK, 5, 1);
}

static void waiting(void)
{
	void *r;
	pthread_t id;

	RET(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	id = t_thread(wait_for_part, NULL);
	t_sleep_ms(5);
	RET(lock(a, F_OFD_SETLK, F_UNLCK, 0, 5));
	RET(lock(a, F_OFD_SETLK, F_RDLCK, 5, 5));
	RET(lock(a, F_OFD_SETLK, F_UNLCK, 5, 1));
	pthread_join(id, &r);
	printf("waited %ld\n", (long)r);
	show("then", ro);
	RET(close(a));
	show("closed", ro);
}

int main(void)
{
	a = t_file("f", "0123456789");
	b = open("f", O_RDWR);
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	shapes(F_SETLK);
	shapes(F_OFD_SETLK);
	ends();
	refusals();
	whole_files();
	owners();
	waiting();
	return 0;
}
