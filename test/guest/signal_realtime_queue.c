/* SPDX-License-Identifier: BSD-2-Clause */
/* Real-time signals queue in order with their values, ordinary ones only once; lowest first. */
#include "t.h"

static volatile int trace[64], values[64], count;

static void handler(int sig, siginfo_t *info, void *context)
{
	trace[count] = sig;
	values[count++] = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
}

int main(void)
{
	sigset_t all, old;
	t_handle(SIGRTMIN, handler, 0);
	t_handle(SIGRTMIN + 1, handler, 0);
	t_handle(SIGRTMIN + 5, handler, 0);
	t_handle(SIGUSR1, handler, 0);
	struct sigaction sa;
	for (int i = 0; i < 3; i++) {
		int sig = i == 0 ? SIGRTMIN : i == 1 ? SIGRTMIN + 1 : SIGRTMIN + 5;
		sigaction(sig, NULL, &sa);
		sigfillset(&sa.sa_mask);
		sigaction(sig, &sa, NULL);
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	for (int i = 0; i < 5; i++) {
		union sigval v = { .sival_int = i };
		NEED(sigqueue(getpid(), SIGRTMIN + 5, v) == 0);
		v.sival_int = 10 + i;
		NEED(sigqueue(getpid(), SIGRTMIN, v) == 0);
		v.sival_int = 20 + i;
		NEED(sigqueue(getpid(), SIGUSR1, v) == 0);
		NEED(pthread_kill(pthread_self(), SIGRTMIN + 1) == 0);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	for (int i = 0; i < count; i++)
		printf("%s%+d value %d\n", trace[i] == SIGUSR1 ? "usr1" : "rtmin",
			trace[i] == SIGUSR1 ? 0 : trace[i] - SIGRTMIN, values[i]);
	union sigval v = { .sival_ptr = &v };
	RET(sigqueue(getpid(), 0, v));
	RET(sigqueue(getpid(), 65, v));
	RET(sigqueue(0x3ffffff, SIGUSR1, v));
	IS(SIGRTMAX == 64);
	return 0;
}
