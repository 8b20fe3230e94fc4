/* SPDX-License-Identifier: BSD-2-Clause */
/* A handler may leave by siglongjmp: the mask comes back, again and again, in any thread. */
#include "t.h"

static __thread sigjmp_buf env;
static __thread int jumps;

static void handler(int sig)
{
	jumps++;
	siglongjmp(env, sig);
}

static void *thread(void *arg)
{
	char *bad = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t mask;
	for (volatile int i = 0; i < 200; i++) {
		if (sigsetjmp(env, 1) == 0) {
			if (i & 1)
				*(volatile char *)(bad + i) = 1;
			else
				raise(SIGUSR1);
			return (void *)-1l;
		}
	}
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	if (sigismember(&mask, SIGSEGV) || sigismember(&mask, SIGUSR1))
		return (void *)-2l;
	munmap(bad, PAGE);
	return (void *)(long)jumps;
}

int main(void)
{
	pthread_t id[4];
	signal(SIGSEGV, handler);
	signal(SIGUSR1, handler);
	for (int i = 0; i < 4; i++)
		id[i] = t_thread(thread, NULL);
	for (int i = 0; i < 4; i++) {
		void *v;
		pthread_join(id[i], &v);
		printf("jumps %ld\n", (long)v);
	}
	printf("main %ld\n", (long)thread(NULL));
	return 0;
}
