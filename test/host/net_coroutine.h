/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One kernel thread of the stack as a coroutine, in virtual time: the first that is created under
 * the name CO_THREAD. It sleeps by going back to the test; before that is set up calls just run.
 */
#ifndef TEST_HOST_NET_COROUTINE_H
#define TEST_HOST_NET_COROUTINE_H

#include <ucontext.h>

static void (*co_entry)(void *);
static void *co_arg;
#define kthread_create env_kthread_create
#define schedule       env_schedule
#define thread_sleep   env_thread_sleep
#include "ip6_peer.h"
#undef kthread_create
#undef schedule
#undef thread_sleep

/* The thread lives as long as the machine: what it holds at the end is no leak. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0:detect_stack_use_after_return=0";
}

static ucontext_t co_main, co_client;
static bool co_inside, co_ready;

struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	if (strcmp(name, CO_THREAD) == 0) {
		co_entry = entry;
		co_arg = arg;
		co_ready = true;
	}
	return &env_net_thread;
}
static void co_yield (void)
{
	co_inside = false;
	swapcontext(&co_client, &co_main);
}
void schedule(void)
{
	BUG_ON(!co_inside);
	co_yield ();
}
static void sleep_over(struct timer *t)
{
}
int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left)
{
	uint64_t until = env_now + ns;
	struct timer t;

	timer_init(&t, sleep_over, NULL);
	timer_arm(&t, until);
	while (env_now < until)
		co_yield ();
	timer_cancel(&t);
	return 0;
}
static void co_start(void)
{
	co_entry(co_arg);
}

/* The thread and serve(), the other side, until both have nothing to do; for ns. */
static void serve(void);
static void live(uint64_t ns)
{
	uint64_t until = env_now + ns;

	for (bool more = true; more;) {
		for (int i = 0; i < 4; i++) {
			co_inside = true;
			host_net = &me.net;
			swapcontext(&co_main, &co_client);
			serve();
		}
		more = env_step(until);
	}
}

/* The thread was created: from now on live() runs it. */
static void co_setup(void)
{
	static char stack[256 * 1024];

	getcontext(&co_client);
	co_client.uc_stack.ss_sp = stack;
	co_client.uc_stack.ss_size = sizeof(stack);
	makecontext(&co_client, co_start, 0);
}
#endif
