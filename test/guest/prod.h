/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_PROD_H
#define TEST_GUEST_PROD_H
/*
 * Signals to a thread that waits, whatever the machine is busy with. Two that are pending at once
 * are one, on every Linux: so the next one is sent when the last one has been handled, and as many
 * as were sent must have been. They go on until the wait is over, so that one comes during it.
 */
#include "t.h"

#define PROD_LEAST 3 /* the later ones meet the thread where it joins the one that prods */

struct prod {
	pthread_t whom, by;
	bool ignored;	      /* SIGUSR1 has no handler: nothing to wait for */
	volatile bool waited; /* what is to be interrupted is over: set by whom */
};

static volatile int prod_handled; /* by the handler, in one thread */

static void prod_on_signal(int sig, siginfo_t *info, void *context)
{
	prod_handled++;
}

/* Gives back how many signals were sent. */
static void *prod_thread(void *arg)
{
	struct prod *p = arg;
	long sent = 0;
	while (!p->waited || sent < PROD_LEAST) {
		t_sleep_ms(20);
		pthread_kill(p->whom, SIGUSR1);
		sent++;
		while (!p->ignored && prod_handled < sent)
			t_sleep_ms(1);
	}
	return (void *)sent;
}

/* SIGUSR1 to this thread from now on, with a handler or ignored. */
static inline void prod_begin(struct prod *p, bool ignored)
{
	*p = (struct prod){ .whom = pthread_self(), .ignored = ignored };
	prod_handled = 0;
	if (ignored)
		signal(SIGUSR1, SIG_IGN);
	else
		t_handle(SIGUSR1, prod_on_signal, SA_RESTART);
	p->by = t_thread(prod_thread, p);
}

/* The wait is over. Whether each signal was handled, once, or none as they were ignored. */
static inline bool prod_end(struct prod *p)
{
	void *sent;
	p->waited = true;
	pthread_join(p->by, &sent);
	return prod_handled == (p->ignored ? 0 : (long)sent);
}

#endif
