/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel threads of the stack as coroutines, in virtual time: those that are created under the name
 * CO_THREAD. They sleep by going back to the test; before that is set up calls just run.
 */
#ifndef TEST_HOST_NET_COROUTINE_H
#define TEST_HOST_NET_COROUTINE_H

#include <ucontext.h>

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

#define CO_MAX 2
static struct co {
	void (*entry)(void *);
	void *arg;
	ucontext_t at;
	char stack[256 * 1024];
} co[CO_MAX], *co_running;
static unsigned co_created, co_ready; /* co_setup has seen so many */
static ucontext_t co_main;

struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	if (strcmp(name, CO_THREAD) == 0) {
		BUG_ON(co_created == CO_MAX);
		co[co_created].entry = entry;
		co[co_created++].arg = arg;
	}
	return &env_net_thread;
}
static void co_yield (void)
{
	swapcontext(&co_running->at, &co_main);
}
void schedule(void)
{
	BUG_ON(!co_running);
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
	co_running->entry(co_running->arg);
}

/* The threads and serve(), the other side, until all have nothing to do; for ns. */
static void serve(void);
static void live(uint64_t ns)
{
	uint64_t until = env_now + ns;

	for (bool more = true; more;) {
		for (unsigned i = 0; i < 4 * co_ready; i++) {
			co_running = &co[i % co_ready];
			host_net = &me.net;
			swapcontext(&co_main, &co_running->at);
			co_running = NULL;
			serve();
		}
		more = env_step(until);
	}
}

/* A second card on the first one's cable; that its frames are told apart is up to serve(). */
static void register_second(struct netdev *dev)
{
	*dev = (struct netdev){ .mtu = 1500,
		.features = NETDEV_TX_CSUM,
		.queues = 1,
		.link_up = true,
		.mac = { 2, [5] = 2 },
		.send = env_send,
		.rx = net_rx,
		.driver = me.eth.driver };
	host_net = &me.net;
	netdev_register(dev);
}

/* From now on live() runs all that were created. */
static void co_setup(void)
{
	for (; co_ready < co_created; co_ready++) {
		ucontext_t *at = &co[co_ready].at;

		getcontext(at);
		at->uc_stack.ss_sp = co[co_ready].stack;
		at->uc_stack.ss_size = sizeof(co[co_ready].stack);
		makecontext(at, co_start, 0);
	}
}
#endif
