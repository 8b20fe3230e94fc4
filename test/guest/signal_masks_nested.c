/* SPDX-License-Identifier: BSD-2-Clause */
/* What is blocked in a handler: the signal itself, sa_mask; SA_NODEFER, SA_RESETHAND; nesting. */
#include "t.h"

static volatile int depth, most;

static const char *blocked(void)
{
	static char text[64];
	sigset_t now;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	sprintf(text, "%s%s%s", sigismember(&now, SIGUSR1) ? "usr1 " : "",
		sigismember(&now, SIGUSR2) ? "usr2 " : "", sigismember(&now, SIGHUP) ? "hup " : "");
	return text;
}

static void show(int sig)
{
	printf("signal %d: blocked %s\n", sig, blocked());
}

static void nest(int sig)
{
	depth++;
	most = depth > most ? depth : most;
	if (most < 20)
		raise(SIGUSR1);
	depth--;
}

static void order(int sig)
{
	static int inside;
	printf("enter %d%s\n", sig, inside ? " nested" : "");
	inside++;
	if (sig == SIGUSR1) {
		raise(SIGUSR2);
		raise(SIGHUP);
		printf("raised both\n");
	}
	inside--;
	printf("leave %d\n", sig);
}

static void set(int sig, void (*handler)(int), int flags, int mask1, int mask2)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };
	sigemptyset(&sa.sa_mask);
	if (mask1)
		sigaddset(&sa.sa_mask, mask1);
	if (mask2)
		sigaddset(&sa.sa_mask, mask2);
	sigaction(sig, &sa, NULL);
}

int main(void)
{
	set(SIGUSR1, show, 0, 0, 0);
	raise(SIGUSR1);
	set(SIGUSR1, show, 0, SIGUSR2, SIGHUP);
	raise(SIGUSR1);
	set(SIGUSR1, show, SA_NODEFER, SIGUSR2, 0);
	raise(SIGUSR1);
	printf("outside: blocked %s\n", blocked());
	set(SIGUSR1, show, SA_RESETHAND, 0, 0);
	raise(SIGUSR1);
	struct sigaction now;
	sigaction(SIGUSR1, NULL, &now);
	IS(now.sa_handler == SIG_DFL);
	set(SIGUSR1, nest, SA_NODEFER, 0, 0);
	raise(SIGUSR1);
	printf("nested %d\n", most);
	set(SIGUSR1, order, 0, SIGHUP, 0);
	set(SIGUSR2, order, 0, 0, 0);
	set(SIGHUP, order, 0, 0, 0);
	raise(SIGUSR1);
	/* pending ones come when unblocked, lowest number first, nested by their masks */
	sigset_t both, pending;
	sigemptyset(&both);
	sigaddset(&both, SIGUSR2);
	sigaddset(&both, SIGHUP);
	sigprocmask(SIG_BLOCK, &both, NULL);
	raise(SIGUSR2);
	raise(SIGHUP);
	raise(SIGHUP);
	sigpending(&pending);
	printf("pending usr1 %d usr2 %d hup %d\n", sigismember(&pending, SIGUSR1),
		sigismember(&pending, SIGUSR2), sigismember(&pending, SIGHUP));
	set(SIGUSR2, show, 0, 0, 0);
	set(SIGHUP, show, 0, SIGUSR2, 0);
	sigprocmask(SIG_UNBLOCK, &both, NULL);
	sigpending(&pending);
	printf("pending usr2 %d hup %d\n", sigismember(&pending, SIGUSR2),
		sigismember(&pending, SIGHUP));
	/* KILL and STOP are never blocked */
	sigfillset(&both);
	sigprocmask(SIG_SETMASK, &both, NULL);
	sigprocmask(SIG_SETMASK, NULL, &both);
	printf("kill %d stop %d term %d\n", sigismember(&both, SIGKILL),
		sigismember(&both, SIGSTOP), sigismember(&both, SIGTERM));
	RET(sigprocmask(99, &both, NULL));
	return 0;
}
