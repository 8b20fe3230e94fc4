/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_HOST_FS_HOST_H
#define TEST_HOST_FS_HOST_H
/*
 * What src/fs/ needs from the layers below, for host tests: an arena as physical memory, locks that
 * check that they are free, a clock that stands, files without descriptors. Include after t.h.
 */
#include "bug_host.h"
#include "file_host.h"
#include "heap_host.h"
#include "uaccess_host.h"
#include "cpu/layout.h"
#include "file/pipe.h"
#include "fs/impl.h"
#include "fs/stdio.h"
#include "sched/random.h"
#include "vm/vm.h"
#include <errno.h>
#include <sys/mman.h>

#define ARENA_PAGES 16384ul /* 64 MiB */

char *host_physmap;
static struct page host_pages[ARENA_PAGES];
static struct page *host_free;
static unsigned long host_pages_used;
static _Thread_local struct thread host_thread;
_Thread_local struct thread *host_current;
_Thread_local uint32_t host_cpu_id;
uint32_t cpu_online_count = 1;
struct stdio_port *stdio_in_out, *stdio_err;

/* File systems never go away: what they hold at the end is no leak. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
static void host_memory_init(unsigned long reserved)
{
	host_current = &host_thread;
	if (!host_physmap)
		host_physmap = mmap(NULL, ARENA_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	host_free = NULL;
	host_pages_used = 0;
	memset(host_pages, 0, sizeof(host_pages));
	for (unsigned long i = ARENA_PAGES; i-- > 0;) {
		if (i < reserved) {
			host_pages[i].flags = PAGE_RESERVED;
			continue;
		}
		host_pages[i].next = host_free;
		host_free = &host_pages[i];
	}
}
struct page *page_alloc(unsigned order)
{
	struct page *p = host_free;
	if (t_alloc_must_fail() || !p)
		return NULL;
	host_free = p->next;
	host_pages_used++;
	p->refcount = 1;
	p->next = NULL;
	return p;
}
struct page *page_alloc_zeroed(unsigned order)
{
	struct page *p = page_alloc(order);
	if (p)
		memset(page_to_virt(p), 0, PAGE_SIZE);
	return p;
}
void page_get(struct page *p)
{
	p->refcount++;
}
void page_put(struct page *p)
{
	if (p->flags & PAGE_RESERVED)
		return;
	if (p->refcount-- == 0)
		abort();
	if (p->refcount)
		return;
	memset(page_to_virt(p), 0xdd, PAGE_SIZE);
	p->next = host_free;
	host_free = p;
	host_pages_used--;
}
paddr_t page_to_phys(const struct page *p)
{
	return PADDR((uint64_t)(p - host_pages) * PAGE_SIZE);
}
struct page *phys_to_page(paddr_t pa)
{
	return pa.raw < ARENA_PAGES * PAGE_SIZE ? &host_pages[pa.raw / PAGE_SIZE] : NULL;
}
struct page_stats page_stats(void)
{
	return (struct page_stats){ ARENA_PAGES, ARENA_PAGES - host_pages_used };
}
char *heap_strdup(const char *s)
{
	char *p = t_malloc(strlen(s) + 1);
	return p ? strcpy(p, s) : NULL;
}
void mutex_init_class(struct mutex *m, const struct lock_class *class)
{
	*m = (struct mutex){ 0 };
}
void mutex_lock(struct mutex *m)
{
	if (m->count++)
		abort(); /* one thread: taken twice */
}
void mutex_unlock(struct mutex *m)
{
	if (m->count-- != 1)
		abort();
}
void wait_init(struct wait_queue *q)
{
}
void rcu_call(struct rcu_node *n, void (*fn)(struct rcu_node *))
{
	fn(n); /* nobody else reads */
}
void wait_wake_all(struct wait_queue *q, uint32_t events)
{
}
void wait_add(struct wait_queue *q, struct wait_entry *e)
{
	abort(); /* nothing may wait here */
}
bool wait_remove(struct wait_entry *e)
{
	return false;
}
void sleep_timer_start(struct sleep_timer *s, uint64_t deadline)
{
}
void sleep_timer_stop(struct sleep_timer *s)
{
}
bool sleep_timer_expired(const struct sleep_timer *s)
{
	return true;
}
void thread_prepare_sleep(enum sleep_kind kind)
{
}
void thread_cancel_sleep(void)
{
}
void schedule(void)
{
}
static uint64_t host_clock = 1000000000ull * 1000000000ull;
uint64_t clock_realtime(void)
{
	return host_clock;
}
static unsigned long host_unmapped;
void vm_backing_init(struct vm_backing *b, const struct vm_backing_ops *ops)
{
	b->ops = ops;
	mutex_init(&b->lock, "vm_backing.lock");
	list_init(&b->areas);
}
void vm_backing_unmap(struct vm_backing *b, uint64_t first, uint64_t last, bool copies)
{
	host_unmapped++;
}
void log_at(int level, const char *fmt, ...)
{
}
size_t log_read(char *buf, size_t size)
{
	return 0;
}
void random_bytes(void *buf, size_t n)
{
	memset(buf, 7, n);
}
void random_add_entropy(const void *data, size_t n)
{
}
struct pipe *pipe_object_create(void)
{
	return NULL;
}
void pipe_object_put(struct pipe *p)
{
}
struct file *pipe_object_open(struct pipe *p, uint32_t flags)
{
	return ERR_PTR(-ENXIO);
}
void stdio_init(void)
{
}

static ssize_t host_write(struct file *f, const void *data, size_t n, int64_t pos)
{
	struct iter it;
	iter_init_one(&it, (void *)(uintptr_t)data, n, false);
	return f->ops->write(f, &it, &pos);
}
static ssize_t host_read(struct file *f, void *data, size_t n, int64_t pos)
{
	struct iter it;
	iter_init_one(&it, data, n, false);
	return f->ops->read(f, &it, &pos);
}

/* Reads a file of the host's into the arena's reserved start; its size. */
static size_t host_load_image(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = 0;
	host_memory_init(4096);
	if (f) {
		n = fread(host_physmap, 1, 4096 * PAGE_SIZE, f);
		fclose(f);
	}
	return n;
}
#endif
