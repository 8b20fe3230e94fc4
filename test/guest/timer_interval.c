/* SPDX-License-Identifier: BSD-2-Clause */
/* itimers: real, virtual and profiling ones signal, report what is left, stop; alarm. */
#include <sys/time.h>
#include "t.h"

static volatile int count[65];

static void handler(int sig)
{
	count[sig]++;
}

static void burn_until(int sig, int n)
{
	while (count[sig] < n)
		for (volatile int i = 0; i < 1000; i++)
			;
}

int main(void)
{
	struct itimerval set = { { 0, 2000 }, { 0, 2000 } }, none = { { 0, 0 }, { 0, 0 } }, got;
	signal(SIGALRM, handler);
	signal(SIGVTALRM, handler);
	signal(SIGPROF, handler);
	RET(setitimer(ITIMER_REAL, &set, NULL));
	while (count[SIGALRM] < 5)
		pause();
	RET(setitimer(ITIMER_REAL, &none, &got));
	printf("interval %ld us\n", (long)got.it_interval.tv_usec);
	RET(setitimer(ITIMER_VIRTUAL, &set, NULL));
	burn_until(SIGVTALRM, 2);
	RET(setitimer(ITIMER_VIRTUAL, &none, NULL));
	RET(setitimer(ITIMER_PROF, &set, NULL));
	burn_until(SIGPROF, 2);
	RET(setitimer(ITIMER_PROF, &none, NULL));
	/* once only */
	set.it_interval.tv_usec = 0;
	count[SIGALRM] = 0;
	RET(setitimer(ITIMER_REAL, &set, NULL));
	while (count[SIGALRM] < 1)
		t_sleep_ms(1);
	t_sleep_ms(10);
	printf("once %d\n", count[SIGALRM]);
	RET(getitimer(ITIMER_REAL, &got));
	printf("left %ld %ld\n", (long)got.it_value.tv_sec, (long)got.it_value.tv_usec);
	set.it_value.tv_sec = 1000;
	RET(setitimer(ITIMER_REAL, &set, NULL));
	RET(getitimer(ITIMER_REAL, &got));
	IS(got.it_value.tv_sec >= 990 && got.it_value.tv_sec <= 1000);
	IS(alarm(500) >= 999);
	unsigned left = alarm(0);
	IS(left >= 490 && left <= 500);
	RET(alarm(0));
	set.it_value.tv_usec = 1000000;
	RET(setitimer(ITIMER_REAL, &set, NULL));
	RET(setitimer((unsigned)99, &none, NULL));
	RET(getitimer((unsigned)99, &got));
	return 0;
}
