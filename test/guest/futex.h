/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_FUTEX_H
#define TEST_GUEST_FUTEX_H
/* The futex call itself, and a way to know that N threads wait on a word: requeueing none. */
#include <linux/futex.h>
#include "t.h"

static inline long futex(
	uint32_t *word, int op, uint32_t val, const void *timeout, uint32_t *word2, uint32_t val3)
{
	return syscall(SYS_futex, word, op, val, timeout, word2, val3);
}

/* Requeue up to 1000 waiters of word onto itself and back: the count of those that wait. */
static inline void futex_await_waiters(uint32_t *word, int private, int count)
{
	static uint32_t other;
	for (;;) {
		long n = futex(word, FUTEX_REQUEUE | private, 0, (void *)1000ul, &other, 0);
		futex(&other, FUTEX_REQUEUE | private, 0, (void *)1000ul, word, 0);
		if (n == count)
			return;
		t_sleep_ms(1);
	}
}

static inline struct timespec futex_time(clockid_t clock, long ms)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * 1000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	return ts;
}

#endif
