/* SPDX-License-Identifier: BSD-2-Clause */
/* Priority-inheritance mutexes: lock, contention, errors, a dead owner. */
#include "t.h"

static pthread_mutex_t mutex;
static long shared;

static void *add(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		pthread_mutex_lock(&mutex);
		shared = shared + 1;
		if (i % 64 == 0)
			sched_yield();
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *try_lock(void *arg)
{
	return (void *)(long)pthread_mutex_trylock(&mutex);
}

static void *timed_lock(void *arg)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 3000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	return (void *)(long)pthread_mutex_timedlock(&mutex, &ts);
}

static void *die_holding(void *arg)
{
	pthread_mutex_lock(&mutex);
	return NULL;
}

int main(void)
{
	pthread_mutexattr_t attr;
	pthread_t id[4];
	void *value;
	pthread_mutexattr_init(&attr);
	ERR(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	ERR(pthread_mutex_init(&mutex, &attr));
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_lock(&mutex));
	pthread_join(t_thread(try_lock, NULL), &value);
	printf("try: %s\n", t_errno((int)(long)value));
	pthread_join(t_thread(timed_lock, NULL), &value);
	printf("timed: %s\n", t_errno((int)(long)value));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	for (int i = 0; i < 4; i++)
		id[i] = t_thread(add, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	printf("shared %ld\n", shared);

	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutex, &attr);
	pthread_join(t_thread(die_holding, NULL), NULL);
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_consistent(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	return 0;
}
