/* SPDX-License-Identifier: BSD-2-Clause */
/* The alternate signal stack: used when asked, told, protected while in use, disarmed. */
#include <ucontext.h>
#include "t.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char alt[32768], second[32768];
static volatile int depth;

static bool on(char *stack, void *p)
{
	return (char *)p >= stack && (char *)p < stack + sizeof(alt);
}

static const char *flags(int f)
{
	return f == SS_ONSTACK ? "ONSTACK" : f == SS_DISABLE ? "DISABLE" : f == 0 ? "0" : "other";
}

static void handler(int sig, siginfo_t *info, void *context)
{
	char here;
	stack_t now;
	sigaltstack(NULL, &now);
	printf("%d: on alternate %d, flags %s, size %zu\n", depth, on(alt, &here),
		flags(now.ss_flags), now.ss_size);
	stack_t other = { .ss_sp = second, .ss_size = sizeof(second) };
	RET(sigaltstack(&other, NULL));
	ucontext_t *uc = context;
	printf("context says %s\n", flags(uc->uc_stack.ss_flags));
	if (depth++ == 0)
		raise(SIGUSR2);
}

static void plain(int sig)
{
	char here;
	printf("plain: on alternate %d\n", on(alt, &here));
}

static void disarm(int sig)
{
	char here;
	stack_t now;
	sigaltstack(NULL, &now);
	printf("disarm: on alternate %d, flags %s\n", on(alt, &here), flags(now.ss_flags));
}

int main(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;
	RET(sigaltstack(NULL, &old));
	printf("at first %s\n", flags(old.ss_flags));
	RET(sigaltstack(&ss, NULL));
	t_handle(SIGUSR1, handler, SA_ONSTACK);
	t_handle(SIGUSR2, handler, SA_ONSTACK);
	raise(SIGUSR1);
	signal(SIGUSR1, plain);
	raise(SIGUSR1);
	RET(sigaltstack(NULL, &old));
	IS(old.ss_sp == alt && old.ss_size == sizeof(alt) && old.ss_flags == 0);
	ss.ss_size = 1000;
	RET(sigaltstack(&ss, NULL));
	ss.ss_size = sizeof(alt);
	ss.ss_flags = 99;
	RET(sigaltstack(&ss, NULL));
	ss.ss_flags = SS_DISABLE;
	RET(sigaltstack(&ss, &old));
	struct sigaction sa = { .sa_handler = plain, .sa_flags = SA_ONSTACK };
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	ss.ss_flags = SS_AUTODISARM;
	RET(sigaltstack(&ss, NULL));
	sa.sa_handler = disarm;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	raise(SIGUSR1);
	RET(sigaltstack(NULL, &old));
	IS((unsigned)old.ss_flags == SS_AUTODISARM);
	RET(sigaltstack(BAD_PTR, NULL));
	return 0;
}
