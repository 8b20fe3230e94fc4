/* SPDX-License-Identifier: BSD-2-Clause */
/* kill, tgkill, tkill, raise and rt_sigqueueinfo: to oneself, to nobody, wrong numbers. */
#include "t.h"

static volatile int handled, by_tid;

static void handler(int sig, siginfo_t *info, void *context)
{
	by_tid = syscall(SYS_gettid) == by_tid ? 1 : 0;
	handled++;
}

static volatile int stop;
static volatile int ids[1];
static void *thread(void *arg)
{
	ids[0] = syscall(SYS_gettid);
	while (!stop)
		t_sleep_ms(1);
	return NULL;
}

int main(void)
{
	int pid = getpid(), tid = syscall(SYS_gettid);
	IS(pid == tid);
	t_handle(SIGUSR1, handler, 0);
	RET(kill(pid, 0));
	RET(kill(pid, SIGUSR1));
	RET(kill(0, 0));
	RET(kill(pid, 65));
	RET(kill(pid, -1));
	RET(kill(0x3ffffff, SIGUSR1));
	RET(syscall(SYS_tgkill, pid, tid, SIGUSR1));
	RET(syscall(SYS_tgkill, pid, tid, 0));
	RET(syscall(SYS_tgkill, pid, tid, 99));
	RET(syscall(SYS_tgkill, pid, -1, SIGUSR1));
	RET(syscall(SYS_tgkill, 0, tid, SIGUSR1));
	RET(syscall(SYS_tgkill, pid, 0x3ffffff, SIGUSR1));
	RET(syscall(SYS_tgkill, 0x3ffffff, tid, SIGUSR1));
	RET(syscall(SYS_tkill, tid, SIGUSR1));
	RET(syscall(SYS_tkill, 0, SIGUSR1));
	RET(syscall(SYS_tkill, 0x3ffffff, SIGUSR1));
	RET(raise(SIGUSR1));
	RET(raise(0));
	RET(raise(65));
	printf("handled %d\n", handled);
	pthread_t id = t_thread(thread, NULL);
	while (!ids[0])
		sched_yield();
	by_tid = ids[0];
	handled = 0;
	RET(syscall(SYS_tgkill, pid, ids[0], SIGUSR1));
	while (!handled)
		sched_yield();
	printf("handled %d by the one asked %d\n", handled, by_tid);
	/* the process id also reaches a thread that does not block it */
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	by_tid = ids[0];
	handled = 0;
	RET(kill(pid, SIGUSR1));
	while (!handled)
		sched_yield();
	printf("handled %d by the open one %d\n", handled, by_tid);
	stop = 1;
	pthread_join(id, NULL);
	/* the join ends a little before the thread's number is free again (CLONE_CHILD_CLEARTID) */
	while (!syscall(SYS_tgkill, pid, ids[0], 0))
		sched_yield();
	RET(syscall(SYS_tgkill, pid, ids[0], 0));
	struct sigaction sa = { .sa_handler = SIG_IGN };
	RET(sigaction(SIGKILL, &sa, NULL));
	RET(sigaction(SIGSTOP, &sa, NULL));
	RET(sigaction(0, &sa, NULL));
	RET(sigaction(65, &sa, NULL));
	RET(sigaction(SIGKILL, NULL, &sa));
	RET(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	return 0;
}
