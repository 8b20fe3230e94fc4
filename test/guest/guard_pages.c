/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that overruns its stack meets the guard page: SIGSEGV on the alternate stack. */
#include "t.h"

static char alt[65536];
static __thread sigjmp_buf env;
static volatile int faults, on_alt;
static char *stack_low;

static void handler(int sig, siginfo_t *info, void *context)
{
	char here;
	faults++;
	on_alt = &here >= alt && &here < alt + sizeof(alt);
	long off = (char *)info->si_addr - stack_low;
	printf("in the guard: %s, %s\n", off >= -(long)PAGE && off < 0 ? "yes" : "no",
		info->si_code == SEGV_ACCERR ? "ACCERR" : "not ACCERR");
	siglongjmp(env, 1);
}

static __attribute__((noinline)) long dig(long depth)
{
	volatile char frame[1024];
	frame[0] = depth;
	return depth < 1000000 ? dig(depth + 1) + frame[0] : 0;
}

static void *thread(void *arg)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, none = { .ss_flags = SS_DISABLE };
	pthread_attr_t attr;
	size_t size;
	void *low;
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_destroy(&attr);
	stack_low = low;
	sigaltstack(&ss, NULL);
	for (int i = 0; i < 2; i++)
		if (sigsetjmp(env, 1) == 0)
			dig(0);
	sigaltstack(&none, NULL);
	return (void *)77;
}

int main(void)
{
	void *result;
	pthread_attr_t attr;
	pthread_t id;
	t_handle(SIGSEGV, handler, SA_ONSTACK);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	pthread_attr_setguardsize(&attr, PAGE);
	NEED(pthread_create(&id, &attr, thread, NULL) == 0);
	pthread_join(id, &result);
	printf("result %ld, faults %d, on the alternate stack %d\n", (long)result, faults, on_alt);
	return 0;
}
