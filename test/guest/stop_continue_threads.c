/* SPDX-License-Identifier: BSD-2-Clause */
/* A stopped process stands still, all threads of it, and all go on when a timer sends SIGCONT. */
#include "t.h"
#include <sched.h>
#include <stdatomic.h>

#define ROUNDS	10
#define STOP_NS 20000000

static atomic_long ticks[6];
static atomic_int end;

static void *tick(void *arg)
{
	long self = (long)arg;
	struct timespec moment = { 0, 200000 };

	while (!atomic_load(&end)) {
		atomic_fetch_add(&ticks[self], 1);
		if (self % 3 == 0)
			nanosleep(&moment, NULL);
		else if (self % 3 == 1)
			sched_yield();
	}
	return NULL;
}

/* Everybody has ticked since. */
static bool all_go_on(void)
{
	long seen[LENGTH(ticks)], until = t_now_ms() + 20000;
	size_t on = 0;

	for (size_t i = 0; i < LENGTH(ticks); i++)
		seen[i] = atomic_load(&ticks[i]);
	while (on < LENGTH(ticks) && t_now_ms() < until) {
		if (atomic_load(&ticks[on]) > seen[on])
			on++;
		else
			t_sleep_ms(1);
	}
	return on == LENGTH(ticks);
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT };
	/* Again and again, as the first one may come before the stop on a busy machine. */
	struct itimerspec soon = { { 0, STOP_NS }, { 0, STOP_NS } };
	pthread_t id[LENGTH(ticks)];
	bool went_on = true, stood = true;
	timer_t timer;

	NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	for (size_t i = 0; i < LENGTH(id); i++)
		id[i] = t_thread(tick, (void *)i);
	went_on = all_go_on();
	for (int i = 0; i < ROUNDS; i++) {
		struct timespec from, to;

		clock_gettime(CLOCK_MONOTONIC, &from);
		NEED(timer_settime(timer, 0, &soon, NULL) == 0);
		kill(getpid(), SIGSTOP);
		clock_gettime(CLOCK_MONOTONIC, &to);
		stood = stood &&
			(to.tv_sec - from.tv_sec) * 1000000000l + to.tv_nsec - from.tv_nsec >=
				STOP_NS;
		went_on = went_on && all_go_on();
	}
	atomic_store(&end, 1);
	for (size_t i = 0; i < LENGTH(id); i++)
		pthread_join(id[i], NULL);
	timer_delete(timer);
	IS(stood);
	IS(went_on);
	return 0;
}
