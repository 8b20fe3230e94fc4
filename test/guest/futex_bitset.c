/* SPDX-License-Identifier: BSD-2-Clause */
/* futex bitsets: only waiters whose bits match are woken. */
#include "futex.h"

static uint32_t word;
static int woken[3];

static void *waiter(void *arg)
{
	long i = (long)arg;
	futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1u << i);
	__atomic_store_n(&woken[i], 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void show(int expect)
{
	for (int i = 0; i < 1000; i++) {
		int n = 0;
		for (int j = 0; j < 3; j++)
			n += __atomic_load_n(&woken[j], __ATOMIC_SEQ_CST);
		if (n == expect)
			break;
		t_sleep_ms(1);
	}
	printf("woken %d %d %d\n", woken[0], woken[1], woken[2]);
}

int main(void)
{
	pthread_t id[3];
	for (long i = 0; i < 3; i++)
		id[i] = t_thread(waiter, (void *)i);
	futex_await_waiters(&word, FUTEX_PRIVATE_FLAG, 3);
	RET(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 8));
	RET(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2));
	show(1);
	RET(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0));
	RET(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0));
	RET(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	show(3);
	for (int i = 0; i < 3; i++)
		pthread_join(id[i], NULL);
	return 0;
}
