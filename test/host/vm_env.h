/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel has around vm/, a file to map, and a program's accesses. Include once, first. */
#pragma once

#include <sched.h>
#include "t.h"
#include "mem_env.h"
#include "abi/pagemap.h"
#include "cpu/uaccess.h"
#include "mem/heap.h"
#include "mem/impl.h"
#include "sched/random.h"
#include "sched/thread.h"
#include "vm/impl.h"

/* ---- what the kernel has around vm/ ---- */

struct pagetable kernel_pagetable;
_Thread_local struct thread *host_current;
static unsigned long random_state = 1;
static unsigned flushes;

void mutex_init_class(struct mutex *m, const struct lock_class *class)
{
	*m = (struct mutex){ 0 };
}
void mutex_lock(struct mutex *m)
{
	while (__atomic_exchange_n(&m->count, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}
void mutex_unlock(struct mutex *m)
{
	__atomic_store_n(&m->count, 0, __ATOMIC_RELEASE);
}
/* Waiting threads look again and again. */
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
void wait_wake_all(struct wait_queue *q, uint32_t events)
{
}
void thread_prepare_sleep(enum sleep_kind kind)
{
}
void thread_cancel_sleep(void)
{
}
void sleep_timer_start(struct sleep_timer *t, uint64_t deadline)
{
}
void sleep_timer_stop(struct sleep_timer *t)
{
}
bool sleep_timer_expired(const struct sleep_timer *t)
{
	return false;
}
/* Grace periods end when the test says so: nobody looks areas up then. */
static struct mpsc_list deferred;
void rcu_call(struct rcu_node *n, void (*fn)(struct rcu_node *))
{
	n->fn = fn;
	mpsc_push(&deferred, &n->link);
}
static void grace_period(void)
{
	for (struct mpsc_node *n = mpsc_take_all(&deferred), *next; n; n = next) {
		struct rcu_node *r = container_of(n, struct rcu_node, link);
		next = n->next;
		r->fn(r);
	}
}
void schedule(void)
{
	sched_yield();
}
void thread_set_root(uint64_t root)
{
	host_current->page_root = root;
}
uint64_t random_u64(void)
{
	return t_random(&random_state);
}
int copy_to_user(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	return 0;
}
void tlb_init(void)
{
}
struct vm_space *tlb_loaded(void)
{
	return (struct vm_space *)phys_to_page(PADDR(host_current->page_root))->private;
}
/* What the initiator of a shoot-down waits for: runs while it does. */
static void (*on_flush)(struct vm_space *s, uintptr_t start, uintptr_t end);
void tlb_flush(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	__atomic_fetch_add(&flushes, 1, __ATOMIC_RELAXED);
	if (on_flush)
		on_flush(s, start, end);
}
void tlb_leave(struct vm_space *s)
{
}

/* ---- a file ---- */

#define FILE_PAGES 600
struct test_file {
	struct vm_backing b;
	struct mutex lock;
	struct page *page[FILE_PAGES];
	uint64_t size; /* pages */
	int refs;
};

/* Runs when a page has been found, before the caller knows it. */
static void (*on_page)(struct test_file *f, uint64_t index);

static int file_get_page(struct vm_backing *b, uint64_t index, bool write, struct page **out)
{
	struct test_file *f = (struct test_file *)b;
	int err = 0;
	mutex_lock(&f->lock);
	if (index >= f->size) {
		err = -EFAULT;
	} else if (!f->page[index] && !(f->page[index] = page_alloc_zeroed(0))) {
		err = -ENOMEM;
	} else {
		page_get(f->page[index]);
		*out = f->page[index];
	}
	mutex_unlock(&f->lock);
	if (on_page)
		on_page(f, index);
	return err;
}
static void file_ref(struct vm_backing *b)
{
	__atomic_fetch_add(&((struct test_file *)b)->refs, 1, __ATOMIC_RELAXED);
}
static void file_unref(struct vm_backing *b)
{
	__atomic_fetch_sub(&((struct test_file *)b)->refs, 1, __ATOMIC_RELAXED);
}
static struct vm_backing_ops file_ops = {
	.get_page = file_get_page,
	.get = file_ref,
	.put = file_unref,
	.contiguous = true,
};

static void file_start(struct test_file *f)
{
	memset(f, 0, sizeof(*f));
	vm_backing_init(&f->b, &file_ops);
	f->size = FILE_PAGES;
}
/* Pages [from, to) go, as 'punch' does it, or the private copies, too: from the file's end. */
static void file_take(struct test_file *f, uint64_t from, uint64_t to, bool copies)
{
	struct page *gone[FILE_PAGES];
	unsigned n = 0;
	mutex_lock(&f->lock);
	for (uint64_t i = from; i < to; i++)
		if (f->page[i]) {
			gone[n++] = f->page[i];
			f->page[i] = NULL;
		}
	if (copies)
		f->size = from;
	mutex_unlock(&f->lock);
	vm_backing_unmap(&f->b, from, to, copies);
	while (n)
		page_put(gone[--n]);
}
static void file_cut(struct test_file *f, uint64_t from, uint64_t to)
{
	file_take(f, from, to, false);
}
static void file_truncate(struct test_file *f, uint64_t size)
{
	file_take(f, size, FILE_PAGES, true);
}
static void file_extend(struct test_file *f)
{
	mutex_lock(&f->lock);
	f->size = FILE_PAGES;
	mutex_unlock(&f->lock);
}

/* ---- machine ---- */

static struct thread self;

static void start(uint64_t size)
{
	static struct boot_info b;
	env_machine(&b, size);
	mem_alloc_must_fail = NULL;
	host_cpu_id = 0;
	host_current = &self;
	page_forget_cpus();
	page_init(&b);
	page_open_high_memory();
	heap_forget_cpus();
	heap_init();
	kernel_pagetable.root = page_to_phys(page_alloc_zeroed(0));
	vm_init();
}

/* What an instruction of the program does. 0, or vm_fault's error. */
static int access_word(struct vm_space *s, uintptr_t va, bool write, uint64_t *word)
{
	for (int tries = 0; tries < 5; tries++) {
		unsigned level;
		pte_t *e = pagetable_leaf(&s->pt, va, &level);
		pte_t old = e ? load_acquire(e) : 0;
		if ((old & PTE_PRESENT) && (!write || (old & PTE_WRITE))) {
			uintptr_t size = level == 2 ? HUGE_SIZE : PAGE_SIZE;
			uint64_t *p = phys_to_virt(PADDR((old & PTE_ADDR_MASK) + va % size));
			if (write)
				*p = *word;
			else
				*word = *p;
			if (write)
				(void)atomic_or(e, PTE_DIRTY);
			return 0;
		}
		int err = vm_fault(s, va, write ? VM_WRITE : VM_READ);
		if (err)
			return err;
	}
	T_FAIL("fault does not help at %lx", va);
	return 0;
}
