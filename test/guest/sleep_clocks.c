/* SPDX-License-Identifier: BSD-2-Clause */
/* nanosleep and clock_nanosleep: not too short, what is left after a signal, absolute, errors. */
#include "t.h"

static pthread_t main_id;
static volatile int stop;

static void handler(int sig)
{
}

static void *signaller(void *arg)
{
	while (!stop) {
		t_sleep_ms(3);
		pthread_kill(main_id, SIGUSR1);
	}
	return NULL;
}

static long elapsed_us(clockid_t clock, struct timespec *from)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (now.tv_sec - from->tv_sec) * 1000000 + (now.tv_nsec - from->tv_nsec) / 1000;
}

int main(void)
{
	struct timespec from, rest = { 0, 0 }, ms10 = { 0, 10000000 }, until;
	main_id = pthread_self();
	clock_gettime(CLOCK_MONOTONIC, &from);
	RET(nanosleep(&ms10, NULL));
	IS(elapsed_us(CLOCK_MONOTONIC, &from) >= 10000);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 10000000;
	if (until.tv_nsec >= 1000000000)
		until.tv_sec++, until.tv_nsec -= 1000000000;
	ERR(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
	IS(elapsed_us(CLOCK_MONOTONIC, &until) >= 0);
	ERR(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 5000000;
	if (until.tv_nsec >= 1000000000)
		until.tv_sec++, until.tv_nsec -= 1000000000;
	ERR(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL));
	IS(elapsed_us(CLOCK_REALTIME, &until) >= 0);
	ERR(clock_nanosleep(CLOCK_BOOTTIME, 0, &ms10, NULL));
	RET(usleep(1000));

	signal(SIGUSR1, handler);
	pthread_t id = t_thread(signaller, NULL);
	struct timespec long_time = { 100, 0 };
	RET(nanosleep(&long_time, &rest));
	IS(rest.tv_sec >= 90 && rest.tv_sec < 100);
	rest.tv_sec = -7;
	ERR(clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, &rest));
	IS(rest.tv_sec >= 90 && rest.tv_sec < 100);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 100;
	rest.tv_sec = -7;
	ERR(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &rest));
	printf("rest of an absolute sleep untouched %d\n", rest.tv_sec == -7);
	unsigned left = sleep(100);
	IS(left >= 90 && left <= 100);
	stop = 1;
	pthread_join(id, NULL);

	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 }, zero = { 0, 0 };
	RET(nanosleep(&bad, NULL));
	RET(nanosleep(&negative, NULL));
	RET(nanosleep(&zero, NULL));
	ERR(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ms10, NULL));
	ERR(clock_nanosleep(99, 0, &ms10, NULL));
	return 0;
}
