/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls through the door of skiff.h: results, errors, interruption, repetition, stepping. */
#include <sys/auxv.h>
#include <sys/time.h>
#include "../../include/skiff.h"
#include "t.h"

static uintptr_t door, door_short;

/* Where there is no door the syscall instruction before the return address does the same. */
static long direct(uintptr_t to, long nr, long a, long b, long c, long d, long e, long f)
{
	register long r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	if (!to)
		return syscall(nr, a, b, c, d, e, f) == -1 ? -errno : 0;
	__asm__ volatile("lea 1f(%%rip), %%r11; jmp *%7; syscall; 1:"
			 : "+a"(nr), "+D"(a), "+S"(b), "+d"(c), "+c"(d), "+r"(r8), "+r"(r9)
			 : "r"(to)
			 : "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
			 "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			 "xmm14", "xmm15");
	return nr;
}

static volatile int hits, steps;

static void on_signal(int sig)
{
	hits++;
}

static void on_step(int sig)
{
	steps++;
}

static int pipes[2];
static pthread_t reader;

/* Interrupts the main thread's read, then gives it something to read. */
static void *poke(void *arg)
{
	for (int i = 0; i < 3; i++) {
		t_sleep_ms(20);
		pthread_kill(reader, SIGUSR1);
	}
	t_sleep_ms(20);
	if (write(pipes[1], "x", 1) != 1)
		printf("write failed\n");
	return NULL;
}

static void interrupted(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
	char c = 0;
	hits = 0;
	sigaction(SIGUSR1, &action, NULL);
	reader = pthread_self();
	pthread_t id = t_thread(poke, NULL);
	long r;
	int interruptions = 0;
	for (;;) {
		r = direct(door, SYS_read, pipes[0], (long)&c, 1, 0, 0, 0);
		if (r != -EINTR)
			break;
		interruptions++;
	}
	pthread_join(id, NULL);
	printf("read: %s, '%c', handled %d, interrupted %s\n", r < 0 ? t_errno(-r) : "ok",
		door ? c : 'x', hits > 0,
		flags & SA_RESTART ? (interruptions ? "yes" : "no") : "as it likes");
}

/* Every call of a storm of timer signals gives the right answer. */
static void storm(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	long pid = getpid(), bad = 0;
	hits = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (hits < 50) {
		if (!door)
			continue;
		bad += direct(door, SYS_getpid, 0, 0, 0, 0, 0, 0) != pid;
		bad += direct(door_short, SYS_getpid, 0, 0, 0, 0, 0, 0) != pid;
		bad += direct(door, SYS_sched_yield, 0, 0, 0, 0, 0, 0) != 0;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	printf("storm: bad %ld\n", bad);
}

static void stepping(void)
{
	long ppid = getppid(), one = ppid, two = ppid;
	signal(SIGTRAP, on_step);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
	if (door) {
		one = direct(door, SYS_getppid, 0, 0, 0, 0, 0, 0);
		two = direct(door_short, SYS_getppid, 0, 0, 0, 0, 0, 0);
	}
	__asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
	printf("stepped: %d, right %d\n", steps > 4, one == ppid && two == ppid);
}

int main(void)
{
	unsigned long at = getauxval(AT_SKIFF);
	if (at) {
		const struct skiff_doors *doors = (const void *)at;
		door = at + doors->call;
		door_short = at + doors->call_short;
	}
	NEED(pipe(pipes) == 0);
	printf("getppid %d\n", !door || direct(door, SYS_getppid, 0, 0, 0, 0, 0, 0) == getppid());
	printf("short %d\n",
		!door || direct(door_short, SYS_getppid, 0, 0, 0, 0, 0, 0) == getppid());
	printf("close: %s\n", t_errno(-direct(door, SYS_close, 999, 0, 0, 0, 0, 0)));
	printf("no such call: %s\n", t_errno(-direct(door, 500, 0, 0, 0, 0, 0, 0)));
	printf("bad pointer: %s\n", t_errno(-direct(door, SYS_pipe, (long)BAD_PTR, 0, 0, 0, 0, 0)));
	/* six arguments */
	long p = direct(door, SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("mmap %d\n", p >= 0 || -p > (long)PAGE);
	interrupted(0);
	interrupted(SA_RESTART);
	storm();
	stepping();
	return 0;
}
