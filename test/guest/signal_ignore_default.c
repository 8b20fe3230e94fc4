/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that are ignored, by default or by choice; ignoring throws away what is pending. */
#include "t.h"

static volatile int handled;

static void handler(int sig)
{
	handled++;
}

int main(void)
{
	int quiet[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	sigset_t set, pending;
	for (int i = 0; i < 4; i++) {
		NEED(kill(getpid(), quiet[i]) == 0);
		printf("alive after %d\n", quiet[i]);
	}
	signal(SIGTERM, SIG_IGN);
	raise(SIGTERM);
	kill(getpid(), SIGTERM);
	printf("alive after ignored TERM\n");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	raise(SIGCHLD); /* default is ignored, but it is blocked, so it stays */
	sigpending(&pending);
	printf("pending usr1 %d chld %d\n", sigismember(&pending, SIGUSR1),
		sigismember(&pending, SIGCHLD));
	signal(SIGUSR1, SIG_IGN);
	sigpending(&pending);
	printf("pending usr1 %d\n", sigismember(&pending, SIGUSR1));
	signal(SIGUSR1, handler);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	printf("handled %d\n", handled);
	IS(signal(SIGUSR1, SIG_DFL) == handler);
	IS(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
	return 0;
}
