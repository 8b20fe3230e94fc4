/* SPDX-License-Identifier: BSD-2-Clause */
/* execve from one thread, from among several, from a second one: what is kept and what is not. */
/* standalone */
#include "t.h"

static char self[PATH_MAX];
static char *next[] = { self, NULL, "x y", "", NULL };

static void *spin(void *arg)
{
	for (;;)
		__asm__ volatile("");
	return NULL;
}

static void *sleeper(void *arg)
{
	pause();
	return NULL;
}

static void *executor(void *arg)
{
	execv(self, next);
	return NULL;
}

static void handler(int sig)
{
}

static const char *action(int sig)
{
	struct sigaction sa;
	sigaction(sig, NULL, &sa);
	return sa.sa_handler == SIG_DFL	  ? "default"
	       : sa.sa_handler == SIG_IGN ? "ignored"
					  : "handled";
}

static void show(int argc, char **argv)
{
	sigset_t blocked, pending;
	sigprocmask(0, NULL, &blocked);
	sigpending(&pending);
	printf("stage %s: %d arguments, '%s' '%s'\n", argv[1], argc, argv[2], argv[3]);
	printf("first thread %d, SIGUSR1 %s, SIGHUP %s, SIGUSR2 blocked %d pending %d\n",
		getpid() == gettid(), action(SIGUSR1), action(SIGHUP),
		sigismember(&blocked, SIGUSR2), sigismember(&pending, SIGUSR2));
	printf("kept descriptor %d, close-on-exec one %d\n", fcntl(9, F_GETFD) >= 0,
		fcntl(8, F_GETFD) >= 0);
}

int main(int argc, char **argv)
{
	char number[] = { argc > 1 ? argv[1][0] + 1 : '1', 0 };
	pthread_t id;
	sigset_t set;
	NEED(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	next[1] = number;
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1)
		show(argc, argv);
	switch (number[0]) {
	case '1': /* one thread, with signals and descriptors to remember */
		signal(SIGUSR1, handler);
		signal(SIGHUP, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGUSR2);
		dup2(1, 9);
		dup3(1, 8, O_CLOEXEC);
		execv(self, next);
		break;
	case '2': /* from among busy and sleeping ones */
		for (int i = 0; i < 3; i++) {
			id = t_thread(spin, NULL);
			id = t_thread(sleeper, NULL);
		}
		t_sleep_ms(10);
		execv(self, next);
		break;
	case '3': /* by a second thread, while the first waits for it */
		id = t_thread(executor, NULL);
		pthread_join(id, NULL);
		break;
	case '4': /* by a second thread, when the first has gone */
		id = t_thread(executor, NULL);
		pthread_exit(NULL);
	case '5': return 5;
	}
	printf("execv: %s\n", t_errno(errno));
	return 1;
}
