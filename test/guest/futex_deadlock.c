/* SPDX-License-Identifier: BSD-2-Clause */
/* FUTEX_LOCK_PI finds a circle of owners, of any length, and nothing that is none. */
#include "futex.h"

#define MOST 12

static uint32_t word[MOST];
static int count;
static volatile int go;

static long lock(uint32_t *w)
{
	return futex(w, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) ? errno : 0;
}

static void unlock(uint32_t *w)
{
	futex(w, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static void await(volatile uint32_t *w, uint32_t bits)
{
	while (!(*w & bits))
		t_sleep_ms(1);
}

/* Takes its own word, and when its turn comes the next one's: the main thread has word 0. */
static void *link_of_chain(void *arg)
{
	long i = (long)arg, e = lock(&word[i]);

	while (go > i)
		t_sleep_ms(1);
	if (i + 1 < count) {
		e = lock(&word[i + 1]);
		if (!e)
			unlock(&word[i + 1]);
	} else {
		e = lock(&word[0]);
		if (!e)
			unlock(&word[0]);
	}
	unlock(&word[i]);
	return (void *)e;
}

/*
 * Thread i waits for word i + 1, the last one for word 0, which is ours: no circle. Then we want
 * word 1: that is one.
 */
static void chain(int n, bool timed)
{
	struct timespec far = futex_time(CLOCK_REALTIME, 60000);
	pthread_t t[MOST];
	long ours, failed = 0;

	count = n;
	go = n;
	lock(&word[0]);
	for (long i = 1; i < n; i++) {
		t[i] = t_thread(link_of_chain, (void *)i);
		await(&word[i], FUTEX_TID_MASK);
	}
	for (int i = n - 1; i >= 1; i--) {
		go = i;
		await(&word[i + 1 < n ? i + 1 : 0], FUTEX_WAITERS);
	}
	ours = futex(&word[1], FUTEX_LOCK_PI_PRIVATE, 0, timed ? &far : NULL, NULL, 0) ? errno : 0;
	printf("%d%s: %s\n", n, timed ? " timed" : "", t_errno(ours));
	printf("trylock: %s\n",
		t_errno(futex(&word[1], FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0) ? errno : 0));
	unlock(&word[0]);
	for (int i = 1; i < n; i++) {
		void *e;

		pthread_join(t[i], &e);
		failed += e != NULL;
	}
	printf("others failed: %ld, left:", failed);
	for (int i = 0; i < n; i++)
		printf(" %x", word[i]);
	printf("\n");
}

int main(void)
{
	printf("one's own: %s", t_errno((int)lock(&word[0])));
	printf(", again: %s\n", t_errno((int)lock(&word[0])));
	unlock(&word[0]);
	chain(2, false);
	chain(2, true);
	chain(3, false);
	chain(MOST, false);
	chain(MOST, true);
	return 0;
}
