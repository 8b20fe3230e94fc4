/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restartable sequences: per-CPU counters without atomic operations, under preemption, moves and
 * signals, add up; wrong registrations are refused.
 */
/* standalone */
#include "t.h"
#include <sched.h>
#include <sys/rseq.h>
#include <sys/time.h>

#define THREADS 6
#define ROUNDS	400000

static volatile long counter[1024 * 8];

static struct rseq *registered(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* counter[cpu * 8]++ with a long way between load and store; false: it was cut short. */
static bool add(struct rseq *r)
{
	__asm__ goto(".pushsection __rseq_cs, \"aw\"\n"
		     ".balign 32\n"
		     "3: .long 0, 0\n"
		     ".quad 1f, 2f - 1f, 4f\n"
		     ".popsection\n"
		     "leaq 3b(%%rip), %%rax\n"
		     "movq %%rax, 8(%0)\n"
		     "1: movl 4(%0), %%eax\n"
		     "shlq $6, %%rax\n"
		     "movq (%1, %%rax), %%rcx\n"
		     "movl $20, %%edx\n"
		     "5: decl %%edx\n"
		     "jnz 5b\n"
		     "incq %%rcx\n"
		     "movq %%rcx, (%1, %%rax)\n"
		     "2:\n"
		     ".pushsection .text.abort, \"ax\"\n"
		     ".byte 0x0f, 0xb9, 0x3d\n"
		     ".long 0x53053053\n"
		     "4: jmp %l[cut]\n"
		     ".popsection\n" ::"r"(r),
		     "r"(counter)
		     : "rax", "rcx", "rdx", "memory", "cc"
		     : cut);
	return true;
cut:
	return false;
}

static void *adder(void *arg)
{
	struct rseq *r = registered();
	for (int i = 0; i < ROUNDS; i++)
		while (!add(r))
			;
	return NULL;
}

static void handler(int sig)
{
}

static void *plain(void *arg)
{
	return NULL;
}

int main(void)
{
	struct itimerval often = { { 0, 700 }, { 0, 700 } }, never = { 0 };
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	pthread_t id[THREADS];
	long sum = 0;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < THREADS; i++)
		id[i] = t_thread(adder, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	for (size_t i = 0; i < 1024; i++)
		sum += counter[i * 8];
	IS(sum == (long)THREADS * ROUNDS);
	pthread_join(t_thread(plain, NULL), NULL);
	IS(registered()->cpu_id < 1024 && registered()->cpu_id == registered()->cpu_id_start);

	static struct rseq other __attribute__((aligned(32)));
	RET(syscall(SYS_rseq, registered(), 32, 0, 0x53053053));
	RET(syscall(SYS_rseq, &other, 32, 0, 0x53053053));
	RET(syscall(SYS_rseq, registered(), 32, 0, 1));
	RET(syscall(SYS_rseq, registered(), 32, 2, 0x53053053));
	RET(syscall(SYS_rseq, &other, 32, 1, 0x53053053));
	RET(syscall(SYS_rseq, registered(), 32, 1, 1));
	RET(syscall(SYS_rseq, registered(), 32, 1, 0x53053053));
	RET((int)registered()->cpu_id);
	RET(syscall(SYS_rseq, registered(), 32, 1, 0x53053053));
	RET(syscall(SYS_rseq, registered(), 31, 0, 0x53053053));
	RET(syscall(SYS_rseq, (char *)&other + 8, 32, 0, 0x53053053));
	RET(syscall(SYS_rseq, 0xffff800000000000, 32, 0, 0x53053053));
	RET(syscall(SYS_rseq, &other, 32, 0, 0x53053053));
	IS(other.cpu_id < 1024);
	return 0;
}
