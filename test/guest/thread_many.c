/* SPDX-License-Identifier: BSD-2-Clause */
/* Two hundred threads alive at once, and a thousand one after the other. */
#include "t.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int alive, go;

static void *wait_all(void *arg)
{
	pthread_mutex_lock(&mutex);
	alive++;
	pthread_cond_broadcast(&cond);
	while (!go)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void *nothing(void *arg)
{
	return arg;
}

int main(void)
{
	pthread_t id[200];
	pthread_attr_t attr;
	long sum = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (long i = 0; i < 200; i++)
		NEED((errno = pthread_create(&id[i], &attr, wait_all, (void *)i)) == 0);
	pthread_mutex_lock(&mutex);
	while (alive < 200)
		pthread_cond_wait(&cond, &mutex);
	printf("alive %d\n", alive);
	go = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < 200; i++) {
		void *v;
		pthread_join(id[i], &v);
		sum += (long)v;
	}
	printf("sum %ld\n", sum);
	for (long i = 0; i < 1000; i++) {
		void *v;
		NEED((errno = pthread_create(&id[0], &attr, nothing, (void *)i)) == 0);
		pthread_join(id[0], &v);
		sum += (long)v;
	}
	printf("sum %ld\n", sum);
	return 0;
}
