/* SPDX-License-Identifier: BSD-2-Clause */
/* futex wait and wake: counts, values that changed, errors; private and shared. */
#include "futex.h"

static uint32_t word;
static int private, woken;

static void *waiter(void *arg)
{
	long r;
	do
		r = futex(&word, FUTEX_WAIT | private, 0, NULL, NULL, 0);
	while (r == -1 && errno == EINTR);
	__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return (void *)(r == 0 ? 0l : (long)errno);
}

static void settle(int n)
{
	while (__atomic_load_n(&woken, __ATOMIC_SEQ_CST) < n)
		t_sleep_ms(1);
}

static void round_of(int flag)
{
	pthread_t id[5];
	private = flag;
	woken = 0;
	for (int i = 0; i < 5; i++)
		id[i] = t_thread(waiter, NULL);
	futex_await_waiters(&word, private, 5);
	RET(futex(&word, FUTEX_WAKE | private, 1, NULL, NULL, 0));
	settle(1);
	RET(futex(&word, FUTEX_WAKE | private, 2, NULL, NULL, 0));
	settle(3);
	printf("woken %d\n", woken);
	RET(futex(&word, FUTEX_WAKE | private, INT_MAX, NULL, NULL, 0));
	RET(futex(&word, FUTEX_WAKE | private, INT_MAX, NULL, NULL, 0));
	for (int i = 0; i < 5; i++) {
		void *e;
		pthread_join(id[i], &e);
		NEED(e == NULL);
	}
}

int main(void)
{
	round_of(FUTEX_PRIVATE_FLAG);
	round_of(0);
	word = 1;
	RET(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
	RET(futex(&word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0));
	RET(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0));
	RET(futex((uint32_t *)((char *)&word + 2), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	RET(futex(BAD_PTR, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0));
	RET(futex(BAD_PTR, FUTEX_WAIT, 1, NULL, NULL, 0));
	RET(futex(BAD_PTR, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	RET(futex(&word, 99, 1, NULL, NULL, 0));
	RET(futex(&word, FUTEX_WAIT, 1, BAD_PTR, NULL, 0));
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };
	RET(futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0));
	RET(futex(&word, FUTEX_WAIT, 1, &negative, NULL, 0));
	/* a private and a shared waiter of one word are not the same queue */
	uint32_t *shared =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	RET(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0));
	return 0;
}
