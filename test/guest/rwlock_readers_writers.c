/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers share, writers exclude; try and errors. */
#include "t.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static long a, b, torn, most;
static int inside;

static void *reader(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_rwlock_rdlock(&lock);
		if (a != b)
			__atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
		pthread_rwlock_unlock(&lock);
	}
	return NULL;
}

static void *writer(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		pthread_rwlock_wrlock(&lock);
		a = a + 1;
		if (i % 32 == 0)
			sched_yield();
		b = b + 1;
		pthread_rwlock_unlock(&lock);
	}
	return NULL;
}

static void *together(void *arg)
{
	pthread_rwlock_rdlock(&lock);
	int n = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) < 3)
		sched_yield();
	if (n == 3)
		most = n;
	pthread_rwlock_unlock(&lock);
	return NULL;
}

static void *try_both(void *arg)
{
	int r = pthread_rwlock_tryrdlock(&lock);
	if (r == 0)
		pthread_rwlock_unlock(&lock);
	int w = pthread_rwlock_trywrlock(&lock);
	if (w == 0)
		pthread_rwlock_unlock(&lock);
	printf("try read %s, write %s\n", t_errno(r), t_errno(w));
	return NULL;
}

int main(void)
{
	pthread_t id[6];
	for (int i = 0; i < 6; i++)
		id[i] = t_thread(i % 3 == 0 ? writer : reader, NULL);
	for (int i = 0; i < 6; i++)
		pthread_join(id[i], NULL);
	printf("a %ld b %ld torn %ld\n", a, b, torn);
	for (int i = 0; i < 3; i++)
		id[i] = t_thread(together, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(id[i], NULL);
	printf("together %ld\n", most);
	pthread_join(t_thread(try_both, NULL), NULL);
	pthread_rwlock_rdlock(&lock);
	pthread_join(t_thread(try_both, NULL), NULL);
	pthread_rwlock_unlock(&lock);
	pthread_rwlock_wrlock(&lock);
	pthread_join(t_thread(try_both, NULL), NULL);
	ERR(pthread_rwlock_wrlock(&lock));
	ERR(pthread_rwlock_rdlock(&lock));
	pthread_rwlock_unlock(&lock);
	return 0;
}
