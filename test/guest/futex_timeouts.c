/* SPDX-License-Identifier: BSD-2-Clause */
/* futex time limits: relative, absolute on both clocks, in the past; interrupted by a signal. */
#include "futex.h"

static uint32_t word;

static bool late(clockid_t clock, struct timespec *t)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

static void on_signal(int sig)
{
}

static void *interrupted(void *arg)
{
	long r = futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return (void *)(r == 0 ? 0l : (long)errno);
}

int main(void)
{
	struct timespec rel = { 0, 8000000 };
	struct timespec t = futex_time(CLOCK_MONOTONIC, 8);
	RET(futex(&word, FUTEX_WAIT_PRIVATE, 0, &rel, NULL, 0));
	IS(late(CLOCK_MONOTONIC, &t));
	t = futex_time(CLOCK_MONOTONIC, 8);
	RET(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, -1));
	IS(late(CLOCK_MONOTONIC, &t));
	t = futex_time(CLOCK_REALTIME, 8);
	RET(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &t, NULL, -1));
	IS(late(CLOCK_REALTIME, &t));
	RET(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &t, NULL, -1));
	rel.tv_nsec = 0;
	RET(futex(&word, FUTEX_WAIT_PRIVATE, 0, &rel, NULL, 0));
	RET(futex(&word, FUTEX_WAKE_PRIVATE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));

	struct sigaction sa = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &sa, NULL);
	pthread_t id = t_thread(interrupted, NULL);
	void *e;
	while (pthread_tryjoin_np(id, &e) == EBUSY) {
		pthread_kill(id, SIGUSR1);
		t_sleep_ms(2);
	}
	printf("interrupted: %s\n", t_errno((int)(long)e));
	/* restarted when the handler says so: ended by the wake */
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	id = t_thread(interrupted, NULL);
	futex_await_waiters(&word, FUTEX_PRIVATE_FLAG, 1);
	for (int i = 0; i < 5; i++) {
		pthread_kill(id, SIGUSR1);
		t_sleep_ms(2);
	}
	futex_await_waiters(&word, FUTEX_PRIVATE_FLAG, 1);
	RET(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	pthread_join(id, &e);
	printf("restarted: %s\n", t_errno((int)(long)e));
	return 0;
}
