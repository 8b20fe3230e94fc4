/* SPDX-License-Identifier: BSD-2-Clause */
/* Semaphores count, wake, refuse and overflow as POSIX says. */
#include <semaphore.h>
#include "t.h"

static sem_t items, slots, ready;
static int queue[4], in, out;
static long sum;

static void *producer(void *arg)
{
	for (int i = 1; i <= 1000; i++) {
		sem_wait(&slots);
		queue[in++ % 4] = i;
		sem_post(&items);
	}
	return NULL;
}

static void *consumer(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		sem_wait(&items);
		sum += queue[out++ % 4];
		sem_post(&slots);
	}
	return NULL;
}

static void on_signal(int sig)
{
}

static void *interrupted(void *arg)
{
	sem_post(&ready);
	int r = sem_wait(&items);
	return (void *)(long)(r == 0 ? 0 : errno);
}

int main(void)
{
	int value;
	RET(sem_init(&items, 0, 0));
	RET(sem_init(&slots, 0, 4));
	RET(sem_init(&ready, 1, 0));
	pthread_t a = t_thread(producer, NULL), b = t_thread(consumer, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	printf("sum %ld\n", sum);
	RET(sem_getvalue(&slots, &value));
	printf("value %d\n", value);
	RET(sem_trywait(&items));
	RET(sem_post(&items));
	RET(sem_trywait(&items));
	RET(sem_init(&ready, 0, -1u));
	RET(sem_init(&ready, 0, SEM_VALUE_MAX));
	RET(sem_post(&ready));
	RET(sem_init(&ready, 0, 0));
	struct sigaction sa = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &sa, NULL);
	void *e;
	a = t_thread(interrupted, NULL);
	sem_wait(&ready);
	while (pthread_tryjoin_np(a, &e) == EBUSY) {
		pthread_kill(a, SIGUSR1);
		t_sleep_ms(2);
	}
	printf("interrupted: %s\n", t_errno((int)(long)e));
	return 0;
}
