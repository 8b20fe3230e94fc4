/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs many guest tests in one process: runner DIRECTORY NAME... loads each shared object
 * DIRECTORY/NAME.so and calls its main(). Around what a test prints it puts two lines
 *	\x1e begin NAME
 *	\x1e end NAME STATUS
 * (without the first blank) by which the harness cuts the output; a begin without an end names the
 * test that crashed or hung.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static jmp_buf leave_env;
static pthread_t main_thread;
static struct rlimit limits[RLIMIT_NLIMITS];

void t_leave(int status);

void t_leave(int status)
{
	if (!pthread_equal(pthread_self(), main_thread)) {
		fprintf(stderr, "runner: t_leave outside of the main thread\n");
		_exit(98);
	}
	longjmp(leave_env, status + 1);
}

static void mark(const char *what, const char *name, int status)
{
	char line[300];
	fflush(stdout);
	int len = status < 0 ? snprintf(line, sizeof(line), "\x1e%s %s\n", what, name)
			     : snprintf(line, sizeof(line), "\x1e%s %s %d\n", what, name, status);
	if (write(1, line, len) != len)
		_exit(97);
}

/* What one test may have left behind must not change the next one. */
static void reset(void)
{
	struct itimerval none = { 0 };
	stack_t no_stack = { .ss_flags = SS_DISABLE };
	sigset_t all, empty;

	sigfillset(&all);
	sigemptyset(&empty);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		setitimer(which, &none, NULL);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	for (int sig = 1; sig < NSIG; sig++) /* ignoring discards what is pending */
		signal(sig, SIG_IGN);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigaltstack(&no_stack, NULL);
	pthread_sigmask(SIG_SETMASK, &empty, NULL);
	for (int i = 0; i < RLIMIT_NLIMITS; i++)
		setrlimit(i, &limits[i]);
	umask(022);
	errno = 0;
}

static int run(const char *dir, const char *name)
{
	char path[512];
	char *no_args[] = { (char *)name, NULL };
	snprintf(path, sizeof(path), "%s/%s.so", dir, name);
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int (*test_main)(int, char **, char **) = object ? dlsym(object, "test_main") : NULL;
	if (!test_main) {
		printf("%s\n", dlerror());
		return 96;
	}
	int status = setjmp(leave_env);
	if (status != 0)
		return status - 1;
	return test_main(1, no_args, environ) & 0xff;
}

int main(int argc, char **argv)
{
	char path[512];
	const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";

	main_thread = pthread_self();
	setvbuf(stdout, NULL, _IOLBF, 0); /* what a test said before a crash is worth having */
	for (int i = 0; i < RLIMIT_NLIMITS; i++)
		getrlimit(i, &limits[i]);
	for (int i = 2; i < argc; i++) {
		snprintf(path, sizeof(path), "%s/%s", tmp, argv[i]);
		mkdir(path, 0755);
		if (chdir(path) != 0) {
			fprintf(stderr, "runner: %s: %s\n", path, strerror(errno));
			return 95;
		}
		reset();
		mark("begin", argv[i], -1);
		int status = run(argv[1], argv[i]);
		reset();
		mark("end", argv[i], status);
	}
	return 0;
}
