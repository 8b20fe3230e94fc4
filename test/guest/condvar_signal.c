/* SPDX-License-Identifier: BSD-2-Clause */
/* Condition variables: hand-over between two, a bounded buffer, broadcast. */
#include "t.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, space = PTHREAD_COND_INITIALIZER;
static int turn, buffer[8], used, released;
static long consumed;

static void *ping(void *arg)
{
	int me = (int)(long)arg;
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != me)
			pthread_cond_wait(&cond, &mutex);
		turn = !me;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *produce(void *arg)
{
	for (int i = 1; i <= 1000; i++) {
		pthread_mutex_lock(&mutex);
		while (used == 8)
			pthread_cond_wait(&space, &mutex);
		buffer[used++] = i;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *consume(void *arg)
{
	for (int i = 1; i <= 1000; i++) {
		pthread_mutex_lock(&mutex);
		while (used == 0)
			pthread_cond_wait(&cond, &mutex);
		consumed += buffer[--used];
		pthread_cond_signal(&space);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *wait_release(void *arg)
{
	pthread_mutex_lock(&mutex);
	used++;
	while (!released)
		pthread_cond_wait(&cond, &mutex);
	used--;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

int main(void)
{
	pthread_t id[10];
	id[0] = t_thread(ping, (void *)0);
	id[1] = t_thread(ping, (void *)1);
	pthread_join(id[0], NULL);
	pthread_join(id[1], NULL);
	printf("turn %d\n", turn);
	for (int i = 0; i < 4; i++)
		id[i] = t_thread(i & 1 ? produce : consume, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	printf("consumed %ld, left %d\n", consumed, used);
	for (int i = 0; i < 10; i++)
		id[i] = t_thread(wait_release, NULL);
	for (int waiting = 0; waiting < 10;) {
		pthread_mutex_lock(&mutex);
		waiting = used;
		pthread_mutex_unlock(&mutex);
		sched_yield();
	}
	pthread_mutex_lock(&mutex);
	released = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < 10; i++)
		pthread_join(id[i], NULL);
	printf("all released, waiting %d\n", used);
	return 0;
}
