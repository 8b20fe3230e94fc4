/* SPDX-License-Identifier: BSD-2-Clause */
/* sigwaitinfo, sigtimedwait, sigwait, sigsuspend. */
#include "t.h"

static volatile int handled;

static void handler(int sig)
{
	handled = sig;
}

static pthread_t main_id;
static int interrupted;

static void *later(void *arg)
{
	t_sleep_ms(10);
	pthread_kill(main_id, (int)(long)arg);
	return NULL;
}

static void *keep_signalling(void *arg)
{
	/* one signal may come before the wait begins */
	while (!__atomic_load_n(&interrupted, __ATOMIC_ACQUIRE)) {
		pthread_kill(main_id, SIGUSR2);
		t_sleep_ms(2);
	}
	return NULL;
}

int main(void)
{
	sigset_t set, old, empty;
	siginfo_t info;
	struct timespec zero = { 0, 0 }, bad = { 0, -1 }, soon = { 0, 5000000 };
	int sig;
	main_id = pthread_self();
	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	RET(sigtimedwait(&set, &info, &zero));
	RET(sigtimedwait(&set, &info, &soon));
	RET(sigtimedwait(&set, &info, &bad));
	raise(SIGUSR1);
	RET(sigtimedwait(&set, &info, &zero));
	printf("signo %d code %s pid mine %d\n", info.si_signo,
		info.si_code == SI_TKILL  ? "SI_TKILL"
		: info.si_code == SI_USER ? "SI_USER"
					  : "?",
		info.si_pid == getpid());
	kill(getpid(), SIGUSR1);
	RET(sigwaitinfo(&set, &info));
	printf("code SI_USER %d\n", info.si_code == SI_USER);
	union sigval value = { .sival_int = 4711 };
	sigqueue(getpid(), SIGRTMIN + 3, value);
	IS(sigwaitinfo(&set, &info) == SIGRTMIN + 3);
	printf("code SI_QUEUE %d value %d\n", info.si_code == SI_QUEUE, info.si_value.sival_int);
	pthread_t id = t_thread(later, (void *)SIGUSR1);
	RET(sigwaitinfo(&set, NULL));
	pthread_join(id, NULL);
	id = t_thread(later, (void *)SIGUSR1);
	ERR(sigwait(&set, &sig));
	printf("sigwait got %d\n", sig);
	pthread_join(id, NULL);
	/* another signal's handler interrupts */
	signal(SIGUSR2, handler);
	id = t_thread(keep_signalling, NULL);
	RET(sigwaitinfo(&set, NULL));
	__atomic_store_n(&interrupted, 1, __ATOMIC_RELEASE);
	pthread_join(id, NULL);
	printf("handled %d\n", handled);

	signal(SIGUSR1, handler);
	handled = 0;
	raise(SIGUSR1);
	printf("before %d\n", handled);
	RET(sigsuspend(&empty));
	printf("after %d\n", handled);
	sigset_t now;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	IS(sigismember(&now, SIGUSR1));
	id = t_thread(later, (void *)SIGUSR1);
	handled = 0;
	RET(sigsuspend(&empty));
	printf("after %d\n", handled);
	pthread_join(id, NULL);
	return 0;
}
