/* SPDX-License-Identifier: BSD-2-Clause */
/* A robust mutex whose owner died says EOWNERDEAD once, can be made consistent or is lost. */
#include "t.h"

static pthread_mutex_t mutex, other;

static void *die_holding(void *arg)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&other);
	return NULL;
}

static void *wait_for_it(void *arg)
{
	int e = pthread_mutex_lock(&mutex);
	if (e == EOWNERDEAD)
		pthread_mutex_consistent(&mutex);
	pthread_mutex_unlock(&mutex);
	return (void *)(long)e;
}

static void *hold_then_die(void *arg)
{
	pthread_mutex_lock(&mutex);
	__atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
	t_sleep_ms(30);
	return NULL;
}

int main(void)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&mutex, &attr);
	pthread_mutex_init(&other, &attr);
	pthread_join(t_thread(die_holding, NULL), NULL);
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_consistent(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_consistent(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_trylock(&other));
	/* unlocked without being made consistent: never usable again */
	ERR(pthread_mutex_unlock(&other));
	ERR(pthread_mutex_lock(&other));
	ERR(pthread_mutex_trylock(&other));
	/* a waiter is woken by the death */
	int held = 0;
	void *value;
	pthread_t holder = t_thread(hold_then_die, &held);
	while (!__atomic_load_n(&held, __ATOMIC_ACQUIRE))
		sched_yield();
	pthread_t waiter = t_thread(wait_for_it, NULL);
	pthread_join(holder, NULL);
	pthread_join(waiter, &value);
	printf("waiter got %s\n", t_errno((int)(long)value));
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	/* robust and process-shared together */
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&mutex, &attr);
	pthread_mutex_init(&other, &attr);
	pthread_join(t_thread(die_holding, NULL), NULL);
	ERR(pthread_mutex_lock(&mutex));
	return 0;
}
