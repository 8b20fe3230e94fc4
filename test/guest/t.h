/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_T_H
#define TEST_GUEST_T_H
/*
 * A guest test is an ordinary Linux program. It prints what it observes; the same program runs on
 * Linux and in the guest, and passes when standard output and status are equal. So it prints no
 * addresses, ids or times, only facts that hold on every Linux.
 *
 * Most tests are loaded one after the other into one process (runner.c), which gives each an empty
 * current directory and afterwards closes descriptors and resets signals, umask, limits and timers.
 * Such a test returns from main and joins its threads; t_leave() ends it early. A test that needs a
 * process of its own says so in one-line comments at the start of a line:
 *	standalone		a boot of its own
 *	root			its output on Linux is right only for root
 *	args: A B		arguments		env: K=V L=W	environment
 *	stdin: TEXT		standard input, \n and the like are understood
 *	build: static|static-pie|musl			how it is linked
 *	options: --memory 64M	for skiff run
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define PAGE	      4096ul
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define BAD_PTR	      ((void *)0x10) /* never mapped, and the compiler cannot know */

#ifdef T_STANDALONE
#define t_leave(status) exit(status)
#else
void t_leave(int status) __attribute__((noreturn)); /* in runner.c; main thread only */
#endif

#ifdef __GLIBC__
#define t_errno(e) ((e) ? strerrorname_np(e) : "0")
#else
#define t_errno(e) strerror(e)
#endif

/* A call that returns -1 and errno: print its value or its error. */
#define RET(expr)                                                                                  \
	({                                                                                         \
		long t_r = (long)(expr);                                                           \
		if (t_r == -1)                                                                     \
			printf("%s: %s\n", #expr, t_errno(errno));                                 \
		else                                                                               \
			printf("%s: %ld\n", #expr, t_r);                                           \
		t_r;                                                                               \
	})

/* The same for a value that differs from run to run (descriptor, pointer): say only that it is. */
#define GET(expr)                                                                                  \
	({                                                                                         \
		__typeof__(expr) t_v = (expr);                                                     \
		if ((long)t_v == -1)                                                               \
			printf("%s: %s\n", #expr, t_errno(errno));                                 \
		else                                                                               \
			printf("%s: done\n", #expr);                                               \
		t_v;                                                                               \
	})

/* A call that returns the error itself, as the pthread ones do. */
#define ERR(expr)                                                                                  \
	({                                                                                         \
		int t_e = (expr);                                                                  \
		printf("%s: %s\n", #expr, t_errno(t_e));                                           \
		t_e;                                                                               \
	})

#define IS(cond) printf("%s: %s\n", #cond, (cond) ? "yes" : "no")

/* Preparation that must succeed before anything can be tested. */
#define NEED(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("%s:%d: needs %s: %s\n", __FILE__, __LINE__, #cond,                 \
				t_errno(errno));                                                   \
			fflush(stdout);                                                            \
			t_leave(99);                                                               \
		}                                                                                  \
	} while (0)

static inline void t_sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

static inline long t_now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline pthread_t t_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	int e = pthread_create(&thread, NULL, fn, arg);
	if (e != 0) {
		printf("pthread_create: %s\n", t_errno(e));
		fflush(stdout);
		t_leave(99);
	}
	return thread;
}

static inline void t_handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
	sigaction(sig, &sa, NULL);
}

/* Make a file with this content; give back a descriptor open for reading and writing. */
static inline int t_file(const char *name, const char *content)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content)) {
		printf("%s: %s\n", name, t_errno(errno));
		fflush(stdout);
		t_leave(99);
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Touch a byte ('r' read, 'w' write, 'x' call it) and say what happened, with the offset of the
 * fault from the address. For the main thread only. */
static sigjmp_buf t_touch_env;
static siginfo_t t_touch_info;

static inline void t_touch_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	t_touch_info = *info;
	siglongjmp(t_touch_env, 1);
}

static inline const char *t_touch(void *p, char how)
{
	static char text[80];
	struct sigaction sa = { .sa_sigaction = t_touch_handler, .sa_flags = SA_SIGINFO }, segv,
			 bus;
	sigaction(SIGSEGV, &sa, &segv);
	sigaction(SIGBUS, &sa, &bus);
	if (sigsetjmp(t_touch_env, 1) == 0) {
		if (how == 'r')
			(void)*(volatile char *)p;
		else if (how == 'w')
			*(volatile char *)p = 'w';
		else
			((void (*)(void))p)();
		strcpy(text, "ok");
	} else {
		int sig = t_touch_info.si_signo, code = t_touch_info.si_code;
		snprintf(text, sizeof(text), "%s %s%+ld", sig == SIGSEGV ? "SIGSEGV" : "SIGBUS",
			sig == SIGSEGV	     ? (code == SEGV_MAPERR	     ? "MAPERR"
						       : code == SEGV_ACCERR ? "ACCERR"
									     : "?")
			: code == BUS_ADRERR ? "ADRERR"
					     : "?",
			(long)((char *)t_touch_info.si_addr - (char *)p));
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return text;
}

#define TOUCH(p, how) printf("touch %s %s: %s\n", #p, #how, t_touch((char *)(p), how))

#endif
