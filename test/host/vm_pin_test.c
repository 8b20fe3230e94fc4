/* SPDX-License-Identifier: BSD-2-Clause */
/* Pinned pages stay what they were whatever becomes of their mapping (vm/pin.c, S11). */
/* tsan */
/* sources: $(HOST_VM) */
#include "vm_env.h"

#define BASE 0x10000000ul
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
static struct test_file file;
static struct vm_space *space;
static uint64_t free_before;

static uintptr_t va_of(unsigned page)
{
	return BASE + page * PAGE_SIZE;
}

static void map(unsigned page, unsigned n, int prot, int flags, uint64_t index)
{
	CHECK_EQ(vm_mmap(space, va_of(page), n * PAGE_SIZE, prot, flags | MAP_FIXED,
			 flags & MAP_ANONYMOUS ? NULL : &file.b, index * PAGE_SIZE, 7),
		va_of(page));
}

static void put_word(unsigned page, uint64_t word)
{
	CHECK_EQ(access_word(space, va_of(page), true, &word), 0);
}

static void begin(void)
{
	start(MIB(128));
	file_start(&file);
	file_ops.contiguous = false;
	/* What the heap keeps of a life like these is not counted. */
	for (int again = 0; again < 2; again++) {
		free_before = page_stats().free;
		space = vm_space_create();
		REQUIRE(space);
		host_current->page_root = vm_space_root(space);
		if (again)
			break;
		map(0, 1, RW, MAP_PRIVATE, 0);
		map(2, 1, RW, MAP_SHARED | MAP_ANONYMOUS, 0);
		put_word(2, 1);
		vm_space_put(space);
		grace_period();
	}
}

/* Pages, and with 'pinned' those that are still held. */
static void finish(unsigned pinned)
{
	vm_space_put(space);
	file_truncate(&file, 0);
	CHECK_EQ(file.refs, 0);
	grace_period();
	CHECK_EQ(page_stats().free + pinned, free_before);
}

static uint64_t get_word(unsigned page)
{
	uint64_t word = 0;
	CHECK_EQ(access_word(space, va_of(page), false, &word), 0);
	return word;
}

static uint64_t word_of(const struct page *page)
{
	return *(uint64_t *)page_to_virt(page);
}

static struct page *leaf_of(unsigned page)
{
	unsigned level;
	pte_t *e = pagetable_leaf(&space->pt, va_of(page), &level);
	return e ? leaf_page(*e) : NULL;
}

static int pin(unsigned page, unsigned n, struct page **out)
{
	return vm_pin(space, va_of(page), n * PAGE_SIZE, out, n);
}

TEST(each_kind_of_page)
{
	struct page *p[40];
	begin();
	map(0, 40, RW, ANON, 0);
	for (unsigned i = 0; i < 40; i += 2)
		put_word(i, 1000 + i);
	CHECK_EQ(pin(0, 40, p), 40);
	for (unsigned i = 0; i < 40; i++) {
		CHECK_EQ(word_of(p[i]), i % 2 ? 0 : 1000 + i);
		CHECK(i % 2 ? p[i] == vm_zero_page : p[i]->refcount == 2);
	}
	put_word(2, 5); /* shows */
	CHECK_EQ(word_of(p[2]), 5);
	put_word(1, 5); /* has a page of its own now */
	CHECK_EQ(word_of(p[1]), 0);
	page_put_many(p, 40);

	/* By bytes; no more than there is room for. */
	CHECK_EQ(vm_pin(space, va_of(3) - 1, 2, p, 40), 2);
	CHECK(p[0] == leaf_of(2) && p[1] == vm_zero_page);
	page_put_many(p, 2);
	CHECK_EQ(vm_pin(space, va_of(2) + 7, 1, p, 40), 1);
	page_put_many(p, 1);
	CHECK_EQ(vm_pin(space, va_of(0), 40 * PAGE_SIZE, p, 17), 17);
	page_put_many(p, 17);

	/* Of a file: shared, its page; private, its page until there is a copy. */
	map(100, 4, RW, MAP_SHARED, 10);
	map(104, 4, RW, MAP_PRIVATE, 10);
	put_word(100, 77);
	CHECK_EQ(get_word(105), 0);
	put_word(106, 78);
	CHECK_EQ(pin(100, 8, p), 8);
	CHECK(p[0] == file.page[10] && p[3] == file.page[13]);
	CHECK(p[4] == p[0] && p[5] == p[1] && p[6] != p[2] && p[7] == p[3]);
	CHECK_EQ(word_of(p[6]), 78);
	page_put_many(p, 8);
	map(200, 2, RW, MAP_SHARED | MAP_ANONYMOUS, 0);
	CHECK_EQ(pin(200, 2, p), 2);
	put_word(201, 3);
	CHECK_EQ(word_of(p[1]), 3);
	page_put_many(p, 2);
	finish(0);
}

TEST(what_cannot_be_pinned)
{
	struct page *p[8];
	begin();
	map(0, 2, RW, ANON, 0);
	map(3, 2, PROT_NONE, ANON, 0);
	map(10, 1, PROT_READ, ANON, 0);
	map(11, 1, PROT_EXEC, ANON, 0);
	CHECK_EQ(pin(0, 4, p), 2); /* the zero page twice */
	CHECK_EQ(pin(2, 1, p), -EFAULT);
	CHECK_EQ(pin(3, 1, p), -EFAULT);
	CHECK_EQ(pin(10, 3, p), 2);
	CHECK_EQ(vm_pin(space, 0, 10, p, 8), -EFAULT);
	CHECK_EQ(vm_pin(space, USER_MAX, 1, p, 8), -EFAULT);
	CHECK_EQ(vm_pin(space, USER_MAX - 5, 10, p, 8), -EFAULT);
	CHECK_EQ(vm_pin(space, 0xffff800000000000ul, 10, p, 8), -EFAULT);
	CHECK_EQ(vm_pin(space, UINTPTR_MAX - 5, 10, p, 8), -EFAULT);
	CHECK_EQ(vm_pin(space, va_of(0), SIZE_MAX, p, 8), -EFAULT);
	/* Behind the end of a file. */
	map(20, 4, RW, MAP_SHARED, FILE_PAGES - 2);
	CHECK_EQ(pin(20, 4, p), 2);
	page_put_many(p, 2);
	CHECK_EQ(pin(22, 1, p), -EFAULT);
	/* Written, and then forbidden to read. */
	put_word(0, 1);
	CHECK_EQ(vm_mprotect(space, va_of(0), PAGE_SIZE, PROT_NONE), 0);
	CHECK_EQ(pin(0, 1, p), -EFAULT);
	/* A stack grows for who reads it. */
	map(300, 4, RW, ANON | MAP_GROWSDOWN, 0);
	CHECK_EQ(pin(298, 3, p), 3);
	CHECK_EQ(pin(300 - 4096, 1, p), -EFAULT);
	finish(0);
}

TEST(outlives_its_mapping)
{
	struct page *p[20];
	begin();
	map(0, 20, RW, ANON, 0);
	map(20, 2, RW, MAP_PRIVATE, 0);
	map(22, 2, RW, MAP_SHARED, 4);
	for (unsigned i = 0; i < 24; i++)
		put_word(i, 100 + i);
	CHECK_EQ(pin(0, 8, p), 8);
	CHECK_EQ(pin(20, 4, p + 8), 4);
	CHECK_EQ(vm_munmap(space, va_of(0), 2 * PAGE_SIZE), 0);
	CHECK_EQ(vm_madvise(space, va_of(2), 2 * PAGE_SIZE, MADV_DONTNEED), 0);
	CHECK_EQ(vm_mremap(space, va_of(4), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 va_of(500)),
		va_of(500));
	map(5, 1, RW, ANON, 0);
	/* Taken out of its leaf by a copy: what is written later is the program's alone. */
	CHECK_EQ(vm_mprotect(space, va_of(6), 2 * PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(vm_mprotect(space, va_of(6), 2 * PAGE_SIZE, RW), 0);
	put_word(6, 1);
	put_word(7, 1);
	CHECK_EQ(get_word(6), 1);
	file_truncate(&file, 0);
	/* Others get what came free. */
	map(600, 200, RW, ANON, 0);
	for (unsigned i = 0; i < 200; i++)
		put_word(600 + i, 0xbad);
	for (unsigned i = 0; i < 12; i++) {
		CHECK_EQ(word_of(p[i]), 100 + (i < 8 ? i : 12 + i));
		CHECK_EQ(p[i]->refcount, i == 4 ? 2 : 1);
	}
	CHECK_EQ(get_word(500), 104);
	CHECK_EQ(get_word(2), 0);
	page_put_many(p + 8, 4);
	finish(8);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(word_of(p[i]), 100 + i);
	page_put_many(p, 8);
	CHECK_EQ(page_stats().free, free_before);
}

TEST(two_megabytes)
{
	unsigned first = HUGE_SIZE / PAGE_SIZE - BASE % HUGE_SIZE / PAGE_SIZE, level;
	struct page *p[600];
	begin();
	map(first, 1024, RW, ANON, 0);
	put_word(first, 1);
	put_word(first + 512, 2);
	CHECK(pagetable_leaf(&space->pt, va_of(first + 512), &level) && level == 2);
	put_word(first + 511, 3);
	CHECK_EQ(pin(first + 511, 1, p), 1);
	CHECK_EQ(word_of(p[0]), 3);
	CHECK(pagetable_leaf(&space->pt, va_of(first), &level) && level == 1);
	CHECK(pagetable_leaf(&space->pt, va_of(first + 512), &level) && level == 2);
	CHECK_EQ(pin(first + 511, 513, p + 1), 513);
	CHECK(p[1] == p[0]);
	CHECK_EQ(word_of(p[2]), 2);
	CHECK_EQ(vm_munmap(space, va_of(first), MIB(4)), 0);
	for (unsigned i = 1; i < 513; i++)
		CHECK_EQ(p[i + 1]->refcount, 1);
	page_put_many(p, 514);
	/* No memory for the table: nothing happens. */
	map(first, 1024, RW, ANON, 0);
	put_word(first, 1);
	t_alloc_count = 0;
	t_alloc_fail_at = 1;
	mem_alloc_must_fail = t_alloc_must_fail;
	CHECK_EQ(pin(first, 1, p), -ENOMEM);
	mem_alloc_must_fail = NULL;
	CHECK_EQ(pin(first, 1, p), 1);
	page_put(p[0]);
	finish(0);
}

/* ---- a pin that has read its leaf, and has no reference yet ---- */

static _Atomic bool over;
static void (*call)(void);

static void *other_cpu(void *arg)
{
	struct thread me = { .page_root = vm_space_root(space) };
	host_cpu_id = 1;
	host_current = &me;
	call();
	over = true;
	return NULL;
}

/* 'how' empties or replaces the leaf of page 2 meanwhile, and must not put that page before. */
static void between(void (*how)(void), struct page *page)
{
	struct fault_slot slot;
	pthread_t t;
	uint32_t refs = page->refcount;
	call = how;
	over = false;
	slot_enter(space, &slot, va_of(0) | SLOT_AROUND); /* as pin.c's */
	CHECK(leaf_of(2) == page);
	pthread_create(&t, NULL, other_cpu, NULL);
	unsigned level;
	pte_t *e;
	do
		e = pagetable_leaf(&space->pt, va_of(2), &level);
	while (e && leaf_page(load_acquire(e)) == page);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	CHECK(!over);
	CHECK_EQ(load_acquire(&page->refcount), refs);
	page_get(page);
	slot_leave(space, &slot);
	pthread_join(t, NULL);
	CHECK_EQ(load_acquire(&page->refcount), refs);
	page_put(page);
}

static void write_it(void)
{
	put_word(2, 9);
}
static void forget_it(void)
{
	CHECK_EQ(vm_madvise(space, va_of(0), 4 * PAGE_SIZE, MADV_DONTNEED), 0);
}
TEST(leaf_read_but_no_reference)
{
	struct page *p;
	cpu_online_count = 2;
	begin();
	map(0, 4, RW, ANON, 0);
	put_word(2, 1);
	between(forget_it, leaf_of(2));
	put_word(2, 1);
	CHECK_EQ(pin(2, 1, &p), 1);
	CHECK_EQ(vm_mprotect(space, va_of(2), PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(vm_mprotect(space, va_of(2), PAGE_SIZE, RW), 0);
	between(write_it, p);
	CHECK_EQ(get_word(2), 9);
	page_put(p);
	finish(0);
	cpu_online_count = 1;
}

/* A call of the other CPU has begun, and is not over before what we do is. */
static pthread_t begun;

static void begin_call(void (*how)(void))
{
	call = how;
	over = false;
	pthread_create(&begun, NULL, other_cpu, NULL);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	CHECK(!over);
}

static void unmap_the_last(void)
{
	CHECK_EQ(vm_munmap(space, va_of(3), PAGE_SIZE), 0);
}
static void while_the_first_is_read(struct test_file *f, uint64_t index)
{
	on_page = NULL;
	begin_call(unmap_the_last);
}
TEST(slot_covers_all)
{
	struct page *p[4];
	cpu_online_count = 2;
	begin();
	map(0, 4, RW, MAP_SHARED, 0);
	on_page = while_the_first_is_read;
	CHECK_EQ(pin(0, 4, p), 4);
	pthread_join(begun, NULL);
	CHECK_EQ(pin(3, 1, p), -EFAULT);
	page_put_many(p, 4);
	finish(0);
	cpu_online_count = 1;
}

static void pin_the_copy(void)
{
	struct page *p;
	CHECK_EQ(pin(2, 1, &p), 1);
	CHECK(p == file.page[2]);
	page_put(p);
}
/* As vm_backing_unmap: the leaf is emptied under the lock, and nobody is waited for. */
TEST(copy_of_a_file)
{
	unsigned level;
	cpu_online_count = 2;
	begin();
	map(0, 4, RW, MAP_PRIVATE, 0);
	put_word(2, 1);
	mutex_lock(&file.b.lock);
	begin_call(pin_the_copy);
	pte_t leaf = atomic_xchg(pagetable_leaf(&space->pt, va_of(2), &level), 0);
	mutex_unlock(&file.b.lock);
	page_put(leaf_page(leaf));
	count_out(space, 1, 0);
	pthread_join(begun, NULL);
	finish(0);
	cpu_online_count = 1;
}

/* ---- threads ---- */

#define PAGES 1536
#define PINS  24
#define CPUS  5
static _Atomic bool stop;

/* What is written to a page tells which one it is: nobody finds another's there. */
static void write_tag(unsigned page)
{
	for (int tries = 0; tries < 3; tries++) {
		unsigned level;
		struct fault_slot slot;
		/* The slot is here what a TLB entry is: until it is flushed the page is there. */
		slot_enter(space, &slot, va_of(page));
		pte_t *e = pagetable_leaf(&space->pt, va_of(page), &level);
		pte_t leaf = e ? load_acquire(e) : 0;
		bool can = (leaf & PTE_PRESENT) && (leaf & PTE_WRITE) && (leaf & PTE_SW_ANON) &&
			   level == 1;
		if (can) {
			page_get(leaf_page(leaf));
			slot_leave(space, &slot);
			store_relaxed((uint64_t *)page_to_virt(leaf_page(leaf)), 1000 + page);
			page_put(leaf_page(leaf));
			return;
		}
		slot_leave(space, &slot);
		(void)vm_fault(space, va_of(page), VM_WRITE);
	}
}

static void *pin_thread(void *arg)
{
	struct thread me = { .page_root = vm_space_root(space) };
	unsigned long seed = (unsigned long)arg;
	struct page *p[PINS];
	unsigned held = 0, first = 0;
	host_cpu_id = (uint32_t)seed;
	host_current = &me;
	while (!stop) {
		unsigned long r = t_random(&seed);
		for (unsigned i = 0; i < held; i++) {
			uint64_t word = load_relaxed((uint64_t *)page_to_virt(p[i]));
			CHECK(word == 0 || word == 1000 + first + i);
		}
		page_put_many(p, held);
		first = r % (PAGES - PINS);
		int n = pin(first, 1 + (r >> 20) % PINS, p);
		held = n > 0 ? (unsigned)n : 0;
		if (r >> 40 & 1)
			write_tag((r >> 41) % PAGES / 2);
	}
	page_put_many(p, held);
	return NULL;
}

static void *truncate_thread(void *arg)
{
	struct thread me = { 0 };
	unsigned long seed = 9;
	host_cpu_id = (uint32_t)(unsigned long)arg;
	host_current = &me;
	while (!stop) {
		file_truncate(&file, t_random(&seed) % FILE_PAGES);
		file_extend(&file);
		sched_yield();
	}
	return NULL;
}

TEST(threads)
{
	static void *(*const other[])(
		void *) = { NULL, pin_thread, pin_thread, pin_thread, truncate_thread };
	pthread_t t[CPUS];
	unsigned long seed = 4;
	cpu_online_count = CPUS;
	begin();
	stop = false;
	for (unsigned long i = 1; i < CPUS; i++)
		pthread_create(&t[i], NULL, other[i], (void *)i);
	/* The lower half is anonymous, the upper a file's, of which nothing is written. */
	for (int i = 0; i < 6000; i++) {
		unsigned long r = t_random(&seed);
		unsigned n = 1 + (r >> 10) % 60, half = r >> 50 & 1 ? PAGES / 2 : 0;
		unsigned first = half + (r >> 20) % (PAGES / 2 - n);
		uintptr_t at = va_of(first);
		switch (r % 6) {
		case 0:
		case 1:
			map(first, n, RW, half ? MAP_PRIVATE : ANON, half ? first - half : 0);
			break;
		case 2: CHECK_EQ(vm_munmap(space, at, n * PAGE_SIZE), 0); break;
		case 3: (void)vm_madvise(space, at, n * PAGE_SIZE, MADV_DONTNEED); break;
		case 4:
			(void)vm_mprotect(space, at, n * PAGE_SIZE, PROT_READ);
			(void)vm_mprotect(space, at, n * PAGE_SIZE, RW);
			break;
		case 5: /* big enough for a 2 MiB page, so that pins split it */
			if (i % 16 == 0)
				map(0, PAGES / 2, RW, ANON, 0);
			(void)vm_fault(space, va_of(first), VM_WRITE);
			break;
		}
	}
	stop = true;
	for (int i = 1; i < CPUS; i++)
		pthread_join(t[i], NULL);
	vm_space_put(space);
	file_truncate(&file, 0);
	CHECK_EQ(file.refs, 0);
	grace_period();
	/* The heap keeps some pages of areas. */
	CHECK(free_before - page_stats().free <= 100);
	cpu_online_count = 1;
}
