/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX timers: by signal with a value, to one thread, silent; what is left; overrun; errors. */
#include "t.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int count, value, code_ok, right_thread;
static long wanted_tid;

static void handler(int sig, siginfo_t *info, void *context)
{
	value = info->si_value.sival_int;
	code_ok = info->si_code == SI_TIMER;
	right_thread = syscall(SYS_gettid) == wanted_tid;
	count++;
}

static void *thread(void *arg)
{
	__atomic_store_n(&wanted_tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (count < 3)
		t_sleep_ms(1);
	return NULL;
}

static void by_function(union sigval v)
{
	__atomic_store_n((int *)v.sival_ptr, 1, __ATOMIC_RELEASE);
}

int main(void)
{
	timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGRTMIN + 1,
		.sigev_value.sival_int = 31 };
	struct itimerspec set = { { 0, 2000000 }, { 0, 2000000 } }, got,
			  none = { { 0, 0 }, { 0, 0 } };
	t_handle(SIGRTMIN + 1, handler, 0);
	RET(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	RET(timer_settime(timer, 0, &set, NULL));
	while (count < 3)
		pause();
	RET(timer_settime(timer, 0, &none, &got));
	printf("value %d code %d interval %ld\n", value, code_ok, got.it_interval.tv_nsec);
	RET(timer_gettime(timer, &got));
	printf("left %ld %ld\n", (long)got.it_value.tv_sec, got.it_value.tv_nsec);
	/* absolute and in the past: at once */
	count = 0;
	struct itimerspec past = { { 0, 0 }, { 0, 1 } };
	RET(timer_settime(timer, TIMER_ABSTIME, &past, NULL));
	while (count < 1)
		t_sleep_ms(1);
	t_sleep_ms(5);
	printf("once %d\n", count);
	/* overrun while blocked */
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + 1);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	RET(timer_settime(timer, 0, &set, NULL));
	t_sleep_ms(30);
	count = 0;
	siginfo_t info;
	struct timespec zero = { 0, 0 };
	IS(sigtimedwait(&mask, &info, &zero) == SIGRTMIN + 1);
	IS(info.si_overrun >= 5 && timer_getoverrun(timer) == info.si_overrun);
	RET(timer_settime(timer, 0, &none, NULL));
	sigtimedwait(&mask, &info, &zero);
	RET(sigtimedwait(&mask, &info, &zero));
	pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	RET(timer_delete(timer));
	RET(timer_delete(timer));
	RET(timer_gettime(timer, &got));

	wanted_tid = 0;
	pthread_t id = t_thread(thread, NULL);
	while (!__atomic_load_n(&wanted_tid, __ATOMIC_ACQUIRE))
		sched_yield();
	ev.sigev_notify = SIGEV_THREAD_ID;
	ev.sigev_notify_thread_id = wanted_tid;
	RET(timer_create(CLOCK_REALTIME, &ev, &timer));
	RET(timer_settime(timer, 0, &set, NULL));
	pthread_join(id, NULL);
	RET(timer_delete(timer));
	printf("in the right thread %d\n", right_thread);

	ev.sigev_notify = SIGEV_NONE;
	RET(timer_create(CLOCK_BOOTTIME, &ev, &timer));
	set.it_value.tv_sec = 100;
	RET(timer_settime(timer, 0, &set, NULL));
	RET(timer_gettime(timer, &got));
	IS(got.it_value.tv_sec >= 90 && got.it_value.tv_sec <= 100);
	RET(timer_delete(timer));

	int done = 0;
	ev = (struct sigevent){ .sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = by_function,
		.sigev_value.sival_ptr = &done };
	RET(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	set = (struct itimerspec){ { 0, 0 }, { 0, 1000000 } };
	RET(timer_settime(timer, 0, &set, NULL));
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		t_sleep_ms(1);
	RET(timer_delete(timer));

	RET(timer_create(1234, NULL, &timer));
	ev = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99 };
	RET(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	ev.sigev_notify = 77;
	RET(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	RET(timer_create(CLOCK_MONOTONIC, NULL, &timer));
	set.it_value.tv_nsec = 1000000000;
	RET(timer_settime(timer, 0, &set, NULL));
	RET(timer_delete(timer));
	return 0;
}
