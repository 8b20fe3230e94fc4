/* SPDX-License-Identifier: BSD-2-Clause */
/* Every thread has its own __thread variables and keys; destructors run when it ends. */
#include "t.h"

static __thread int counter = 7;
static __thread char zeroed[3000];
static __thread int aligned __attribute__((aligned(256))) = 9;
static pthread_key_t key, again;
static int destroyed, rounds;

static void destroy(void *value)
{
	__atomic_fetch_add(&destroyed, (int)(long)value, __ATOMIC_RELAXED);
}

static void set_again(void *value)
{
	rounds++;
	pthread_setspecific(again, value);
}

static void *thread(void *arg)
{
	long me = (long)arg, bad = 0;
	bad += counter != 7 || zeroed[2999] != 0 || aligned != 9;
	bad += (unsigned long)&aligned % 256 != 0;
	counter += me;
	memset(zeroed, me, sizeof(zeroed));
	bad += pthread_getspecific(key) != NULL;
	pthread_setspecific(key, (void *)me);
	for (int i = 0; i < 20; i++) {
		sched_yield();
		bad += counter != 7 + me || zeroed[i * 100] != me || errno != (int)me * 0;
		bad += pthread_getspecific(key) != (void *)me;
	}
	return (void *)bad;
}

static void *repeat(void *arg)
{
	pthread_setspecific(again, (void *)1);
	return NULL;
}

int main(void)
{
	pthread_t id[8];
	long sum = 0;
	ERR(pthread_key_create(&key, destroy));
	ERR(pthread_key_create(&again, set_again));
	errno = 0;
	for (long i = 0; i < 8; i++)
		id[i] = t_thread(thread, (void *)(i + 1));
	for (int i = 0; i < 8; i++) {
		void *bad;
		pthread_join(id[i], &bad);
		sum += (long)bad;
	}
	printf("bad %ld, destroyed %d, mine %d\n", sum, destroyed, counter);
	pthread_join(t_thread(repeat, NULL), NULL);
	IS(rounds == PTHREAD_DESTRUCTOR_ITERATIONS);
	ERR(pthread_key_delete(key));
	ERR(pthread_setspecific(key, &key));
	ERR(pthread_key_delete(again));
	return 0;
}
