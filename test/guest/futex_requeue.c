/* SPDX-License-Identifier: BSD-2-Clause */
/* futex requeue and cmp_requeue: some are woken, the rest wait on another word. */
#include "futex.h"

static uint32_t a, b;

static void *waiter(void *arg)
{
	return (void *)futex(&a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

int main(void)
{
	pthread_t id[6];
	for (int i = 0; i < 6; i++)
		id[i] = t_thread(waiter, NULL);
	futex_await_waiters(&a, FUTEX_PRIVATE_FLAG, 6);
	RET(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1ul, &b, 5));
	RET(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2ul, &b, 0));
	RET(futex(&b, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	RET(futex(&a, FUTEX_REQUEUE_PRIVATE, 1, (void *)10ul, &b, 0));
	RET(futex(&a, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	RET(futex(&b, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	for (int i = 0; i < 6; i++) {
		void *r;
		pthread_join(id[i], &r);
		printf("waiter: %ld\n", (long)r);
	}
	RET(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, -1, (void *)1ul, &b, 0));
	RET(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1ul, BAD_PTR, 0));
	RET(futex(BAD_PTR, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1ul, &b, 0));
	RET(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1ul, (uint32_t *)((char *)&b + 1), 0));
	return 0;
}
