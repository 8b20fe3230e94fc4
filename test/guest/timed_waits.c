/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that waits with a limit says ETIMEDOUT, not early, on both clocks. */
#include <semaphore.h>
#include "t.h"

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	ts.tv_nsec += ms * 1000000;
	while (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	while (ts.tv_nsec < 0)
		ts.tv_sec--, ts.tv_nsec += 1000000000;
	return ts;
}

static bool passed(clockid_t clock, struct timespec *t)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

int main(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER, mono;
	pthread_condattr_t attr;
	pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
	sem_t sem;
	pthread_condattr_init(&attr);
	ERR(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	pthread_cond_init(&mono, &attr);
	sem_init(&sem, 0, 0);
	pthread_mutex_lock(&mutex);
	struct timespec t = in_ms(CLOCK_REALTIME, 8);
	ERR(pthread_cond_timedwait(&cond, &mutex, &t));
	IS(passed(CLOCK_REALTIME, &t));
	t = in_ms(CLOCK_MONOTONIC, 8);
	ERR(pthread_cond_timedwait(&mono, &mutex, &t));
	IS(passed(CLOCK_MONOTONIC, &t));
	t = in_ms(CLOCK_MONOTONIC, 8);
	ERR(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &t));
	IS(passed(CLOCK_MONOTONIC, &t));
	t = in_ms(CLOCK_REALTIME, -5000);
	ERR(pthread_cond_timedwait(&cond, &mutex, &t));
	t.tv_nsec = 1000000000;
	ERR(pthread_cond_timedwait(&cond, &mutex, &t));
	ERR(pthread_mutex_unlock(&mutex));

	t = in_ms(CLOCK_REALTIME, 8);
	RET(sem_timedwait(&sem, &t));
	IS(passed(CLOCK_REALTIME, &t));
	t = in_ms(CLOCK_MONOTONIC, 8);
	RET(sem_clockwait(&sem, CLOCK_MONOTONIC, &t));
	IS(passed(CLOCK_MONOTONIC, &t));
	t.tv_nsec = -1;
	RET(sem_timedwait(&sem, &t));
	RET(sem_post(&sem));
	RET(sem_timedwait(&sem, &t));

	ERR(pthread_rwlock_wrlock(&rwlock));
	t = in_ms(CLOCK_REALTIME, 8);
	int e = pthread_rwlock_timedrdlock(&rwlock, &t);
	printf("own write lock: %s\n", t_errno(e));
	ERR(pthread_rwlock_unlock(&rwlock));
	ERR(pthread_rwlock_rdlock(&rwlock));
	t = in_ms(CLOCK_MONOTONIC, 8);
	ERR(pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &t));
	IS(passed(CLOCK_MONOTONIC, &t));
	ERR(pthread_rwlock_unlock(&rwlock));
	return 0;
}
