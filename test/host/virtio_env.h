/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel as a virtio driver sees it: memory that a device reaches and ASan watches, threads
 * that are coroutines, and time that passes when the test says so.
 */
#ifndef TEST_HOST_VIRTIO_ENV_H
#define TEST_HOST_VIRTIO_ENV_H

#include "t.h"
#include "bug_host.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "abi/errno.h"
#include "cpu/layout.h"
#include "drivers/drivers.h"
#include "drivers/virtio.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "sched/clock.h"
#include "sched/random.h"
#include "sched/wait.h"

/* --- Memory: what the device reaches, with a poisoned zone around every block --- */

#define MEMORY	(64u << 20)
#define CLASSES 16
#define LEAST	64u
#define LARGEST (LEAST << (CLASSES - 1))
char *host_physmap;
static size_t memory_used;
static void *memory_free[CLASSES];
static long blocks;

const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=0";
}
static void memory_start(void)
{
	if (!host_physmap)
		host_physmap = mmap(
			NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory_free, 0, sizeof(memory_free));
	ASAN_POISON_MEMORY_REGION(host_physmap, MEMORY);
	memory_used = 1 << 20;
	blocks = 0;
}
/* A block of class c is LEAST << c bytes on that boundary; the same again behind it is poisoned. */
static unsigned class_of(size_t n)
{
	unsigned c = 0;

	while (LEAST << c < n)
		c++;
	return c;
}
static uint8_t class_at[MEMORY / LEAST];
void *heap_alloc(size_t n)
{
	unsigned c = class_of(n);
	size_t size = (size_t)LEAST << c;
	char *p = memory_free[c];

	if (t_alloc_must_fail() || size > LARGEST)
		return NULL;
	if (p) {
		ASAN_UNPOISON_MEMORY_REGION(p, sizeof(void *));
		memory_free[c] = *(void **)p;
	} else {
		memory_used = ALIGN_UP(memory_used, size);
		if (memory_used + 2 * size > MEMORY)
			return NULL;
		p = host_physmap + memory_used;
		memory_used += 2 * size;
	}
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	class_at[(p - host_physmap) / LEAST] = (uint8_t)c;
	memset(p, 0xa5, n);
	blocks++;
	return p;
}
void *heap_alloc_zeroed(size_t n)
{
	void *p = heap_alloc(n);

	return p ? memset(p, 0, n) : NULL;
}
void heap_free(void *v)
{
	char *p = v;
	unsigned c;

	if (!p)
		return;
	c = class_at[(p - host_physmap) / LEAST];
	ASAN_UNPOISON_MEMORY_REGION(p, sizeof(void *));
	*(void **)p = memory_free[c];
	memory_free[c] = p;
	ASAN_POISON_MEMORY_REGION(p, (size_t)LEAST << c);
	blocks--;
}
struct page *page_alloc_zeroed(unsigned order)
{
	return heap_alloc_zeroed(PAGE_SIZE << order);
}
paddr_t page_to_phys(const struct page *page)
{
	return virt_to_phys(page);
}
static uint64_t ram_pages = 65536;
struct page_stats page_stats(void)
{
	return (struct page_stats){ .total = ram_pages, .free = ram_pages };
}

/* --- Threads and time --- */

#define THREADS 16
struct co {
	struct thread t; /* first */
	ucontext_t context;
	char stack[128 << 10];
	bool used, awake, yielded;
	uint64_t cpu; /* mask */
	uint64_t deadline;
};
static struct co co[THREADS];
static struct co *running;
static ucontext_t main_context;
static unsigned thread_limit = THREADS;
static uint64_t now = 1000;

static struct thread outside; /* the test itself */
_Thread_local struct thread *host_current = &outside;
_Thread_local uint32_t host_cpu_id;
uint32_t cpu_online_count = 1;
static unsigned machine = 1;
unsigned machine_cpu_count(void)
{
	return machine;
}
uint64_t clock_now(void)
{
	return now;
}

static void co_main(void);
static __noinline void prepare_context(struct co *c)
{
	getcontext(&c->context);
	c->context.uc_stack.ss_sp = c->stack;
	c->context.uc_stack.ss_size = sizeof(c->stack);
	makecontext(&c->context, co_main, 0);
}
struct thread *kthread_create(
	const char *name, void (*entry)(void *), void *arg, enum thread_class class)
{
	for (unsigned i = 0; i < thread_limit; i++) {
		struct co *c = &co[i];

		if (c->used)
			continue;
		memset(c, 0, offsetof(struct co, stack));
		c->used = c->awake = true;
		c->yielded = false;
		c->cpu = UINT64_MAX;
		c->deadline = UINT64_MAX;
		snprintf(c->t.name, sizeof(c->t.name), "%s", name);
		c->t.entry = entry;
		c->t.arg = arg;
		prepare_context(c);
		return &c->t;
	}
	return NULL;
}
static void back(void)
{
	swapcontext(&running->context, &main_context);
}
static void co_main(void)
{
	running->t.entry(running->t.arg);
	running->used = false;
	back();
}
bool thread_wake(struct thread *t)
{
	struct co *c = (struct co *)t;
	bool slept = !c->awake;

	c->awake = true;
	return slept;
}
void thread_prepare_sleep(enum sleep_kind kind)
{
	running->awake = false;
}
void thread_cancel_sleep(void)
{
	running->awake = true;
}
void schedule(void)
{
	if (!running->awake)
		back();
}
void thread_yield(void)
{
	running->yielded = true;
	back();
}
int thread_sleep(uint64_t ns, bool interruptible, uint64_t *left)
{
	if (!running)
		return 0;
	running->deadline = now + ns;
	running->awake = false;
	back();
	return 0;
}
int thread_set_affinity(struct thread *t, const uint64_t *mask, unsigned words)
{
	((struct co *)t)->cpu = mask[0];
	return 0;
}
/* All threads, each until it sleeps. */
static __noinline void enter(struct co *c)
{
	running = c;
	host_current = &c->t;
	swapcontext(&main_context, &c->context);
	running = NULL;
	host_current = &outside;
}
static void run(void)
{
	bool again = true;

	for (int rounds = 0; again && rounds < 100000; rounds++) {
		again = false;
		for (unsigned i = 0; i < THREADS; i++) {
			if (!co[i].used || !co[i].awake)
				continue;
			enter(&co[i]);
			again = true;
		}
	}
	CHECK(!again);
}

static struct timer *armed[THREADS];
void timer_init(struct timer *t, timer_fn *fn, void *arg)
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
	t->arg = arg;
}
void timer_arm(struct timer *t, uint64_t expires)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (!armed[i] || armed[i] == t) {
			armed[i] = t;
			return;
		}
	abort();
}
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
	s->deadline = running->deadline = deadline;
}
void sleep_timer_stop(struct sleep_timer *s)
{
	running->deadline = UINT64_MAX;
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return now >= s->deadline;
}
static void pass(uint64_t ns)
{
	now += ns;
	for (unsigned i = 0; i < THREADS; i++) {
		struct timer *t = armed[i];

		armed[i] = NULL;
		if (t)
			t->fn(t);
		if (co[i].used && co[i].deadline <= now) {
			co[i].deadline = UINT64_MAX;
			co[i].awake = true;
		}
	}
	run();
}
void wait_init(struct wait_queue *q)
{
}
void wait_add(struct wait_queue *q, struct wait_entry *e)
{
}
bool wait_remove(struct wait_entry *e)
{
	return false;
}
void mutex_lock(struct mutex *m)
{
}
void mutex_unlock(struct mutex *m)
{
}
void log_at(int level, const char *fmt, ...)
{
}
static unsigned long seed = 3;
void random_bytes(void *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = (uint8_t)t_random(&seed);
}
int virtio_console_probe(struct virtio_device *dev)
{
	return -ENODEV;
}
int virtio_rng_probe(struct virtio_device *dev)
{
	return -ENODEV;
}
#endif
