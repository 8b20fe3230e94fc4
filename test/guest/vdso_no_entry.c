/* SPDX-License-Identifier: BSD-2-Clause */
/* Time and CPU number come without entering the kernel: stepped through, no instruction on the way
 * is a syscall. Eight threads that hand a time on to each other never see it go back. */
#include <sched.h>
#include <sys/time.h>
#include <ucontext.h>
#include "t.h"

static volatile int steps, calls;

static void on_step(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const unsigned char *at = (const void *)uc->uc_mcontext.gregs[REG_RIP];

	steps++;
	calls += at[0] == 0x0f && at[1] == 0x05;
}

#define FLAGS(instruction) __asm__ volatile("pushfq; " instruction "; popfq" ::: "memory", "cc")

/* Linux may have a clock that only its kernel can read; here it is the vDSO that is tested. */
static bool skiff;

/*
 * While the kernel changes the clock's rate, as it does a few times after the start, a reading that
 * it meets falls back to the call, and one that is stepped through takes long. So it is asked
 * whether one of a few readings stays out; one that always enters never does.
 */
#define STEPPED(name, expr)                                                                        \
	do {                                                                                       \
		bool out = false, ok = true;                                                       \
		for (int i = 0; i < 10 && !out; i++) {                                             \
			steps = calls = 0;                                                         \
			FLAGS("orq $0x100, (%%rsp)");                                              \
			ok &= (expr);                                                              \
			FLAGS("andq $~0x100, (%%rsp)");                                            \
			out = steps > 4 && (!calls || !skiff);                                     \
			if (!out)                                                                  \
				t_sleep_ms(1);                                                     \
		}                                                                                  \
		printf("%s: %s\n", name, ok &&out ? "right" : "wrong");                            \
	} while (0)

static int64_t latest; /* the largest time that anybody has read */
static pthread_barrier_t together;

static void *hand_on(void *arg)
{
	long back = 0;
	int clock = CLOCK_MONOTONIC;

	pthread_barrier_wait(&together);
	for (int i = 0; i < 20000; i++) {
		struct timespec ts;
		int64_t before = __atomic_load_n(&latest, __ATOMIC_ACQUIRE), now;
		clock_gettime(clock, &ts);
		now = ts.tv_sec * 1000000000ll + ts.tv_nsec;
		back += now < before;
		while (now > before && !__atomic_compare_exchange_n(&latest, &before, now, false,
					       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			;
		if (i % 64 == (long)arg * 8)
			sched_yield();
	}
	return (void *)back;
}

int main(void)
{
	struct timespec ts = { 0 };
	struct timeval tv = { 0 };
	unsigned cpu = 99999, node = 99999;
	time_t now = 0;
	pthread_t id[8];
	long back = 0;

	skiff = access("/proc/skiff/counters", F_OK) == 0;
	/* what is bound at the first call is bound now */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	gettimeofday(&tv, NULL);
	time(&now);
	getcpu(&cpu, &node);
	sched_getcpu();
	t_handle(SIGTRAP, on_step, 0);
	STEPPED("clock_gettime monotonic", clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	STEPPED("clock_gettime realtime", clock_gettime(CLOCK_REALTIME, &ts) == 0);
	STEPPED("clock_gettime raw", clock_gettime(CLOCK_MONOTONIC_RAW, &ts) == 0);
	STEPPED("clock_gettime boottime", clock_gettime(CLOCK_BOOTTIME, &ts) == 0);
	STEPPED("clock_gettime coarse", clock_gettime(CLOCK_MONOTONIC_COARSE, &ts) == 0);
	STEPPED("gettimeofday", gettimeofday(&tv, NULL) == 0);
	STEPPED("time", time(NULL) >= now);
	STEPPED("getcpu", getcpu(&cpu, &node) == 0);
	STEPPED("sched_getcpu", sched_getcpu() >= 0);
	IS(cpu < 4096);
	/* the test can tell: a call that enters is seen */
	calls = 0;
	FLAGS("orq $0x100, (%%rsp)");
	__asm__ volatile("syscall" ::"a"(SYS_getppid) : "rcx", "r11", "memory");
	FLAGS("andq $~0x100, (%%rsp)");
	printf("a real call is seen: %d\n", calls == 1);

	pthread_barrier_init(&together, NULL, LENGTH(id));
	for (long i = 0; i < (long)LENGTH(id); i++)
		id[i] = t_thread(hand_on, (void *)i);
	for (size_t i = 0; i < LENGTH(id); i++) {
		void *b;
		pthread_join(id[i], &b);
		back += (long)b;
	}
	printf("went back %ld times\n", back);
	return 0;
}
