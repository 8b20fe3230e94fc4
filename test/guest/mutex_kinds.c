/* SPDX-License-Identifier: BSD-2-Clause */
/* Normal, recursive and error-checking mutexes; trylock and timedlock; contention. */
#include "t.h"

static pthread_mutex_t mutex;
static long shared;

static void make(int kind)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, kind);
	pthread_mutex_init(&mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

static void *try_lock(void *arg)
{
	return (void *)(long)pthread_mutex_trylock(&mutex);
}

static void *timed_lock(void *arg)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (void *)(long)pthread_mutex_timedlock(&mutex, &ts);
}

static void *clock_lock(void *arg)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 2000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	return (void *)(long)pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &ts);
}

static void *unlock(void *arg)
{
	return (void *)(long)pthread_mutex_unlock(&mutex);
}

static const char *in_thread(void *(*fn)(void *))
{
	void *value;
	pthread_join(t_thread(fn, NULL), &value);
	return t_errno((int)(long)value);
}

static void *add(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		shared = shared + 1;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void contend(const char *name)
{
	pthread_t id[4];
	shared = 0;
	for (int i = 0; i < 4; i++)
		id[i] = t_thread(add, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	printf("%s: %ld\n", name, shared);
	pthread_mutex_destroy(&mutex);
}

int main(void)
{
	make(PTHREAD_MUTEX_NORMAL);
	ERR(pthread_mutex_lock(&mutex));
	printf("other: try %s timed %s clock %s\n", in_thread(try_lock), in_thread(timed_lock),
		in_thread(clock_lock));
	ERR(pthread_mutex_unlock(&mutex));
	contend("normal");
	make(PTHREAD_MUTEX_RECURSIVE);
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_trylock(&mutex));
	printf("other: %s %s\n", in_thread(try_lock), in_thread(unlock));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	contend("recursive");
	make(PTHREAD_MUTEX_ERRORCHECK);
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_lock(&mutex));
	ERR(pthread_mutex_trylock(&mutex));
	printf("other: %s %s\n", in_thread(try_lock), in_thread(unlock));
	ERR(pthread_mutex_unlock(&mutex));
	ERR(pthread_mutex_unlock(&mutex));
	contend("errorcheck");
	make(PTHREAD_MUTEX_ADAPTIVE_NP);
	contend("adaptive");
	return 0;
}
