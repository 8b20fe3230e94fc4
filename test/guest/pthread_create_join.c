/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads start, get their argument, return their value; join, detach and their errors. */
#include "t.h"

static void *square(void *arg)
{
	long n = (long)arg;
	return (void *)(n * n);
}

static void *leave_early(void *arg)
{
	pthread_exit((void *)5);
}

static void *wait_for_go(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		sched_yield();
	__atomic_store_n((int *)arg, 2, __ATOMIC_RELEASE);
	return NULL;
}

static void *join_itself(void *arg)
{
	return (void *)(long)pthread_join(pthread_self(), NULL);
}

int main(void)
{
	pthread_t id[32];
	void *value;
	long sum = 0;
	for (int round = 0; round < 4; round++) {
		for (long i = 0; i < 32; i++)
			id[i] = t_thread(square, (void *)i);
		for (int i = 0; i < 32; i++) {
			NEED(pthread_join(id[i], &value) == 0);
			sum += (long)value;
		}
	}
	printf("sum of squares %ld\n", sum);
	pthread_t a = t_thread(leave_early, NULL);
	ERR(pthread_join(a, &value));
	printf("exit value %ld\n", (long)value);
	a = t_thread(join_itself, NULL);
	ERR(pthread_join(a, &value));
	printf("joining itself: %s\n", t_errno((int)(long)value));

	int go = 0;
	a = t_thread(wait_for_go, &go);
	ERR(pthread_tryjoin_np(a, NULL));
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 5000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	ERR(pthread_timedjoin_np(a, NULL, &ts));
	ERR(pthread_detach(a));
	ERR(pthread_join(a, NULL));
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) != 2)
		sched_yield();
	IS(pthread_equal(pthread_self(), pthread_self()));
	t_sleep_ms(5);
	return 0;
}
