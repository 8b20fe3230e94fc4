/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world of net_fuzz_test: net_env.h's virtual time and sockets, and beside them threads (the
 * kernel's, as coroutines that run only when something woke them, so that a lost wake-up is a hang)
 * and memory that knows who took each block. All that happens is decided by one seed.
 */
#ifndef TEST_HOST_FUZZ_WORLD_H
#define TEST_HOST_FUZZ_WORLD_H

#include <stdint.h>
#include <ucontext.h>

#include "t.h"

/* ---- chance ---- */

static unsigned long fuzz_seed;

/* A script of choices instead (net_fuzz_guided.c): little-endian, of as few bytes as they need. */
static const uint8_t *fuzz_script, *fuzz_script_end;
static FILE *fuzz_record; /* the choices made, as such a script */

/* Less than n; 0: any. */
static uint32_t fuzz_choose(uint32_t n)
{
	size_t bytes = !n || n > 65536 ? 4 : n > 256 ? 2 : 1;
	uint32_t v = 0;

	if ((size_t)(fuzz_script_end - fuzz_script) >= bytes) {
		memcpy(&v, fuzz_script, bytes);
		fuzz_script += bytes;
		v = n ? v % n : v;
	} else {
		fuzz_script = fuzz_script_end;
		v = n ? (uint32_t)((t_random(&fuzz_seed) >> 16) % n)
		      : (uint32_t)t_random(&fuzz_seed);
	}
	if (fuzz_record)
		fwrite(&v, bytes, 1, fuzz_record);
	return v;
}
static unsigned rnd(unsigned n)
{
	return n ? fuzz_choose(n) : 0;
}
static bool chance(unsigned per1000)
{
	return per1000 && rnd(1000) < per1000;
}
#define PICK(...)                                                                                  \
	((const unsigned[]){ __VA_ARGS__ })[rnd(sizeof((const unsigned[]){ __VA_ARGS__ }) / 4)]

/* ---- memory: who holds what ---- */

struct fuzz_block {
	void *at; /* NULL: free; (void *)1: was used */
	size_t size;
	void *who;
};
#define FUZZ_BLOCKS 65536u /* a power of two */
static struct fuzz_block fuzz_blocks[FUZZ_BLOCKS];
static size_t fuzz_bytes, fuzz_bytes_most;
static unsigned fuzz_no_memory; /* so many of 1000 allocations fail */

static struct fuzz_block *fuzz_find(void *p)
{
	unsigned k = (unsigned)((uintptr_t)p * 0x9e3779b97f4a7c15ul >> 40) & (FUZZ_BLOCKS - 1);

	for (; fuzz_blocks[k].at; k = (k + 1) & (FUZZ_BLOCKS - 1))
		if (fuzz_blocks[k].at == p)
			return &fuzz_blocks[k];
	return NULL;
}
static void fuzz_add(void *p, size_t size, void *who)
{
	unsigned k = (unsigned)((uintptr_t)p * 0x9e3779b97f4a7c15ul >> 40) & (FUZZ_BLOCKS - 1);

	while ((uintptr_t)fuzz_blocks[k].at > 1)
		k = (k + 1) & (FUZZ_BLOCKS - 1);
	fuzz_blocks[k] = (struct fuzz_block){ p, size, who };
	fuzz_bytes += size;
	if (fuzz_bytes > fuzz_bytes_most)
		fuzz_bytes_most = fuzz_bytes;
}
static void fuzz_forget(void *p)
{
	struct fuzz_block *b = fuzz_find(p);

	if (!b) {
		T_FAIL("free of what is no block");
		abort();
	}
	fuzz_bytes -= b->size;
	b->at = (void *)1;
}
static __attribute__((noinline)) void *fuzz_malloc(size_t size)
{
	void *p = fuzz_no_memory && chance(fuzz_no_memory) ? NULL : malloc(size ? size : 1);

	if (p) {
		memset(p, 0xa5, size);
		fuzz_add(p, size, __builtin_return_address(0));
	}
	return p;
}
static __attribute__((noinline)) void *fuzz_calloc(size_t size)
{
	void *p = fuzz_no_memory && chance(fuzz_no_memory) ? NULL : calloc(1, size ? size : 1);

	if (p)
		fuzz_add(p, size, __builtin_return_address(0));
	return p;
}
static void fuzz_free(void *p)
{
	if (p)
		fuzz_forget(p);
	free(p);
}
static void *fuzz_realloc(void *p, size_t size)
{
	if (fuzz_no_memory && chance(fuzz_no_memory))
		return NULL;
	if (p)
		fuzz_forget(p);
	p = realloc(p, size);
	fuzz_add(p, size, __builtin_return_address(0));
	return p;
}

/* ---- net_env.h, but for threads ---- */

#define t_malloc	     fuzz_malloc
#define t_calloc	     fuzz_calloc
#define t_free		     fuzz_free
#define realloc		     fuzz_realloc
#define kthread_create	     env_kthread_create
#define schedule	     env_schedule
#define thread_sleep	     env_thread_sleep
#define thread_wake	     env_thread_wake
#define thread_prepare_sleep env_prepare_sleep
#define sleep_timer_start    env_sleep_timer_start
#define wait_wake_all	     env_wait_wake_all
#include "net_env.h"
#undef realloc
#undef kthread_create
#undef schedule
#undef thread_sleep
#undef thread_wake
#undef thread_prepare_sleep
#undef sleep_timer_start
#undef wait_wake_all

/* Threads of the kernel live as long as the machine: what they hold at the end is no leak. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0:detect_stack_use_after_return=0";
}

/* ---- threads ---- */

struct fuzz_thread {
	struct thread t;
	ucontext_t at;
	void (*entry)(void *);
	void *arg;
	bool woken, over;
};
#define FUZZ_THREADS 24
static struct fuzz_thread fuzz_threads[FUZZ_THREADS];
static unsigned fuzz_thread_count;
static ucontext_t fuzz_main;

static struct fuzz_thread *fuzz_self(void)
{
	return host_current == &env_thread ? NULL
					   : container_of(host_current, struct fuzz_thread, t);
}
static void fuzz_start(void)
{
	struct fuzz_thread *f = fuzz_self();

	f->entry(f->arg);
	f->over = true;
}
static void fuzz_make_context(struct fuzz_thread *f)
{
	getcontext(&f->at);
	f->at.uc_stack.ss_size = 256 * 1024;
	f->at.uc_stack.ss_sp = malloc(f->at.uc_stack.ss_size);
	f->at.uc_link = &fuzz_main;
	makecontext(&f->at, fuzz_start, 0);
}
/* The stack's own thread does its work after every event (net_env.h). */
struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	struct fuzz_thread *f = &fuzz_threads[fuzz_thread_count];

	if (strcmp(name, "net") == 0)
		return &env_net_thread;
	if (fuzz_thread_count == FUZZ_THREADS || (fuzz_no_memory && chance(fuzz_no_memory)))
		return NULL;
	fuzz_thread_count++;
	*f = (struct fuzz_thread){ .entry = entry, .arg = arg, .woken = true };
	fuzz_make_context(f);
	return &f->t;
}
bool thread_wake(struct thread *t)
{
	for (unsigned k = 0; k < fuzz_thread_count; k++)
		if (&fuzz_threads[k].t == t)
			fuzz_threads[k].woken = true;
	return true;
}
void thread_prepare_sleep(enum sleep_kind kind)
{
	if (fuzz_self())
		fuzz_self()->woken = false;
}
/* All threads that something woke, until all sleep. */
static void fuzz_run_threads(void)
{
	bool any = true;

	BUG_ON(host_current != &env_thread);
	for (unsigned rounds = 0; any; rounds++) {
		any = false;
		for (unsigned k = 0; k < fuzz_thread_count; k++) {
			struct fuzz_thread *f = &fuzz_threads[k];

			if (!f->woken || f->over)
				continue;
			any = true;
			host_current = &f->t;
			swapcontext(&fuzz_main, &f->at);
			host_current = &env_thread;
		}
		if (rounds > 100000) {
			T_FAIL("a thread does not come to rest");
			return;
		}
	}
}
void schedule(void)
{
	struct fuzz_thread *f = fuzz_self();

	if (f) {
		if (!f->woken)
			swapcontext(&f->at, &fuzz_main);
		return;
	}
	fuzz_run_threads();
	if (!env_step(UINT64_MAX)) {
		T_FAIL("a call sleeps for ever");
		exit(1);
	}
	fuzz_run_threads();
}
void thread_yield(void)
{
	struct fuzz_thread *f = fuzz_self();

	if (f) {
		f->woken = true;
		swapcontext(&f->at, &fuzz_main);
	}
}
static unsigned fuzz_cpus = 1;

int thread_set_affinity(struct thread *t, const uint64_t *mask, unsigned words)
{
	return 0;
}
unsigned machine_cpu_count(void)
{
	return fuzz_cpus;
}
void random_bytes(void *buf, size_t n)
{
	for (size_t k = 0; k < n; k++)
		((uint8_t *)buf)[k] = (uint8_t)random_u64();
}

static void fuzz_wake_timer(struct timer *t)
{
	thread_wake(t->arg);
}
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = deadline;
	timer_init(&s->timer, fuzz_wake_timer, host_current);
	if (deadline != UINT64_MAX)
		timer_arm(&s->timer, deadline);
}
int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left)
{
	struct sleep_timer s;

	sleep_timer_start(&s, env_now + ns);
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (sleep_timer_expired(&s))
			break;
		schedule();
	}
	sleep_timer_stop(&s);
	return 0;
}
void wait_wake_all(struct wait_queue *q, uint32_t events)
{
	struct wait_entry *e;

	list_for_each_entry (e, &q->waiters, link)
		if (!e->fn)
			thread_wake(e->thread);
}

/* Virtual time goes on for ns. */
static void fuzz_live(uint64_t ns)
{
	uint64_t until = env_now + ns;

	fuzz_run_threads();
	while (env_step(until))
		fuzz_run_threads();
}
#endif
