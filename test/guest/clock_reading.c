/* SPDX-License-Identifier: BSD-2-Clause */
/* The clocks: resolution, monotone in every thread, vDSO and system call agree, CPU clocks. */
#include <sys/time.h>
#include "t.h"

static long ns(struct timespec *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}

static void *monotone(void *arg)
{
	struct timespec last, now;
	long back = 0;
	clock_gettime(CLOCK_MONOTONIC, &last);
	for (int i = 0; i < 20000; i++) {
		if (i % 8 == 0)
			syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
		else
			clock_gettime(CLOCK_MONOTONIC, &now);
		back += ns(&now) < ns(&last);
		back += now.tv_nsec < 0 || now.tv_nsec >= 1000000000;
		last = now;
	}
	return (void *)back;
}

static struct timespec shared;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *monotone_across(void *arg)
{
	long back = 0;
	for (int i = 0; i < 5000; i++) {
		struct timespec now;
		pthread_mutex_lock(&mutex);
		clock_gettime(CLOCK_MONOTONIC, &now);
		back += ns(&now) < ns(&shared);
		shared = now;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)back;
}

int main(void)
{
	struct timespec a, b, c;
	int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME };
	for (int i = 0; i < (int)LENGTH(clocks); i++) {
		int r = clock_getres(clocks[i], &a);
		printf("clock %d: %d, resolution %ld %ld\n", clocks[i], r, (long)a.tv_sec,
			a.tv_nsec);
	}
	printf("coarse: %d %d\n", clock_getres(CLOCK_REALTIME_COARSE, &a),
		clock_getres(CLOCK_MONOTONIC_COARSE, &b));
	IS(a.tv_nsec >= 1 && a.tv_nsec <= 10000000);
	pthread_t id[4];
	for (int i = 0; i < 4; i++)
		id[i] = t_thread(i < 2 ? monotone : monotone_across, NULL);
	for (int i = 0; i < 4; i++) {
		void *back;
		pthread_join(id[i], &back);
		printf("went back %ld times\n", (long)back);
	}
	int odd = 0;
	for (int i = 0; i < 1000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b);
		clock_gettime(CLOCK_MONOTONIC, &c);
		odd += ns(&b) < ns(&a) || ns(&c) < ns(&b);
	}
	printf("vDSO and call disagree %d times\n", odd);
	struct timeval tv;
	clock_gettime(CLOCK_REALTIME, &a);
	gettimeofday(&tv, NULL);
	time_t seconds = time(NULL);
	clock_gettime(CLOCK_REALTIME, &b);
	IS(tv.tv_sec * 1000000l + tv.tv_usec >= ns(&a) / 1000);
	IS(tv.tv_sec * 1000000l + tv.tv_usec <= ns(&b) / 1000);
	IS(seconds >= a.tv_sec - 1 && seconds <= b.tv_sec);
	IS(syscall(SYS_time, NULL) - seconds <= 1);
	IS(a.tv_sec > 1700000000);
	/* CPU time grows with work, not with sleep */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	t_sleep_ms(50);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	IS(ns(&b) >= ns(&a) && ns(&b) - ns(&a) < 40000000);
	for (volatile int i = 0; i < 5000000; i++)
		;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &c);
	IS(ns(&c) > ns(&b));
	clockid_t mine;
	ERR(pthread_getcpuclockid(pthread_self(), &mine));
	RET(clock_gettime(mine, &a));
	IS(ns(&a) >= ns(&c));
	ERR(clock_getcpuclockid(0, &mine));
	RET(clock_gettime(mine, &b));
	IS(ns(&b) >= ns(&a));
	IS(clock() > 0);
	RET(clock_gettime(99, &a));
	RET(clock_getres(99, &a));
	RET(clock_getres(CLOCK_MONOTONIC, NULL));
	RET(clock_settime(CLOCK_MONOTONIC, &a));
	return 0;
}
