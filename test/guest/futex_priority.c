/* SPDX-License-Identifier: BSD-2-Clause */
/* The futex operations with priority inheritance, called directly. */
#include "futex.h"

static uint32_t word;

static void *locker(void *arg)
{
	long r = futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	bool mine = (word & FUTEX_TID_MASK) == (uint32_t)syscall(SYS_gettid);
	futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return (void *)(r == 0 && mine ? 0l : 1l);
}

static void *timed(void *arg)
{
	struct timespec t = futex_time(CLOCK_REALTIME, 5);
	long r = futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &t, NULL, 0);
	return (void *)(r == 0 ? 0l : (long)errno);
}

static void *try(void *arg)
{
	long r = futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return (void *)(r == 0 ? 0l : (long)errno);
}

static void *unlock(void *arg)
{
	long r = futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return (void *)(r == 0 ? 0l : (long)errno);
}

static const char *in_thread(void *(*fn)(void *))
{
	void *e;
	pthread_join(t_thread(fn, NULL), &e);
	return t_errno((int)(long)e);
}

int main(void)
{
	pthread_t id[3];
	void *bad;
	uint32_t me = syscall(SYS_gettid);
	RET(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	IS(word == me);
	RET(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	printf("others: %s %s %s\n", in_thread(timed), in_thread(try), in_thread(unlock));
	for (int i = 0; i < 3; i++)
		id[i] = t_thread(locker, NULL);
	while (!(__atomic_load_n(&word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
		t_sleep_ms(1);
	RET(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	for (int i = 0; i < 3; i++) {
		pthread_join(id[i], &bad);
		printf("locker bad: %ld\n", (long)bad);
	}
	IS((word & FUTEX_TID_MASK) == 0);
	word = 0;
	RET(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	IS(word == me);
	RET(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	IS(word == 0);
	word = 0x3ffffff; /* no such thread */
	RET(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	return 0;
}
