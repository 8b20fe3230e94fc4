/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults, calls and truncation beside each other in one address space, from several threads. */
/* tsan */
/* sources: $(HOST_VM) */
#include "vm_window.h"

/* ---- threads: faults beside mmap, munmap and truncation ---- */

#define CPUS 5
static _Atomic bool stop;

static void *fault_thread(void *arg)
{
	struct thread me = { .page_root = vm_space_root(space) };
	unsigned long seed = (unsigned long)arg + 1;
	host_cpu_id = (unsigned long)arg;
	host_current = &me;
	while (!stop) {
		unsigned long r = t_random(&seed);
		(void)vm_fault(space, va_of(r % WINDOW), (r >> 32) & 1 ? VM_WRITE : VM_READ);
	}
	return NULL;
}

static void *cut_thread(void *arg)
{
	struct thread me = { 0 };
	unsigned long seed = 77;
	host_cpu_id = (unsigned long)arg;
	host_current = &me;
	while (!stop) {
		unsigned long r = t_random(&seed);
		unsigned first = r % (FILE_PAGES - 200), n = r >> 20 & 1 ? 20 : 200;
		file_cut(&file, first, first + n);
		if ((r >> 21) % 4 == 0) {
			file_truncate(&file, first + 200);
			file_extend(&file);
		}
		sched_yield();
	}
	return NULL;
}

static void *scan_thread(void *arg)
{
	struct thread me = { .page_root = vm_space_root(space) };
	struct page_region v[16];
	unsigned long seed = 5;
	host_cpu_id = (unsigned long)arg;
	host_current = &me;
	while (!stop) {
		unsigned long r = t_random(&seed);
		uintptr_t from = va_of(r % WINDOW), to = va_of(WINDOW);
		struct pm_scan_arg a = { .flags = PM_SCAN_WP_MATCHING,
			.start = from,
			.end = to,
			.vec = (uintptr_t)v,
			.vec_len = 16,
			.category_mask = PAGE_IS_WRITTEN };
		if (r >> 32 & 1)
			(void)vm_watch(space, from, MIN(from + MIB(1), to), &space);
		CHECK(vm_pagemap_scan(space, &a) >= 0);
		CHECK(vm_dirty_scan(space, from, to - from, NULL, true) >= 0);
		if (r >> 40 & 1)
			CHECK_EQ(vm_clear_refs(space, 4), 0);
	}
	return NULL;
}

TEST(threads)
{
	static void *(*const other[])(
		void *) = { NULL, cut_thread, fault_thread, fault_thread, scan_thread };
	pthread_t t[CPUS];
	unsigned long seed = 3;
	cpu_online_count = CPUS;
	window_start(MIB(128));
	file_ops.contiguous = true;
	uint64_t heap = heap_bytes_in_use();
	space = vm_space_create();
	host_current->page_root = vm_space_root(space);
	stop = false;
	for (unsigned long i = 1; i < CPUS; i++)
		pthread_create(&t[i], NULL, other[i], (void *)i);
	for (int i = 0; i < 3000; i++) {
		unsigned long r = t_random(&seed);
		unsigned n = 1 + (r >> 10) % 500, first = (r >> 20) % (WINDOW - n);
		bool shared = r & 0x100, from_file = r & 0x200;
		switch (r % 4) {
		case 0:
		case 1:
			(void)vm_mmap(space, va_of(first), n * PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) |
					(from_file ? 0 : MAP_ANONYMOUS),
				from_file ? &file.b : NULL, 0, 7);
			break;
		case 2: (void)vm_munmap(space, va_of(first), n * PAGE_SIZE); break;
		case 3: (void)vm_mprotect(space, va_of(first), n * PAGE_SIZE, r >> 50 & 3); break;
		}
	}
	stop = true;
	for (int i = 1; i < CPUS; i++)
		pthread_join(t[i], NULL);
	for (struct rb_node *n = rb_first(&space->areas); n; n = rb_next(n))
		CHECK(rb_entry(n, struct vma, node)->end > 0);
	vm_space_clear(space);
	uint64_t anon, in_file;
	sum_resident(space, &anon, &in_file);
	CHECK_EQ(anon, 0);
	CHECK_EQ(in_file, 0);
	vm_space_put(space);
	CHECK_EQ(file.refs, 0);
	file_cut(&file, 0, FILE_PAGES);
	grace_period();
	CHECK_EQ(heap_bytes_in_use(), heap);
	cpu_online_count = 1;
}

/* ---- threads: each has a part of one space, and neighbours that merge with it ---- */

#define PART	 700 /* pages: bounds are inside 2 MiB blocks */
#define PART_OPS 4000

struct part {
	uintptr_t base;
	unsigned long seed;
	char prot[PART];   /* 0: nothing there, else PROT_ */
	char advice[PART]; /* MADV_HUGEPAGE, MADV_NOHUGEPAGE */
	uint64_t value[PART];
};

/* As access_word, for memory whose 2 MiB leaf a neighbour may be splitting. */
static int touch(struct part *p, unsigned page, bool write, uint64_t *word)
{
	uintptr_t va = p->base + page * PAGE_SIZE;
	for (;;) {
		unsigned level;
		pte_t *e = pagetable_leaf(&space->pt, va, &level);
		pte_t old = e ? load_acquire(e) : 0;
		if ((old & PTE_PRESENT) && (!write || (old & PTE_WRITE))) {
			uintptr_t size = level == 2 ? HUGE_SIZE : PAGE_SIZE;
			uint64_t *at = phys_to_virt(PADDR((old & PTE_ADDR_MASK) + va % size));
			if (write && !atomic_cas(e, &old, old | PTE_DIRTY))
				continue;
			if (write)
				*at = *word;
			else
				*word = *at;
			return 0;
		}
		int err = vm_fault(space, va, write ? VM_WRITE : VM_READ);
		if (err)
			return err;
	}
}

static void part_check(struct part *p, unsigned page, bool write, uint64_t value)
{
	uint64_t got = value;
	int err = touch(p, page, write, &got);
	if (!p->prot[page]) {
		CHECK_EQ(err, -EFAULT);
	} else if (!(p->prot[page] & (write ? PROT_WRITE : PROT_READ))) {
		CHECK_EQ(err, -EACCES);
	} else {
		CHECK_EQ(err, 0);
		if (write)
			p->value[page] = value;
		else
			CHECK_EQ(got, p->value[page]);
	}
}

static bool part_mapped(const struct part *p, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (p->prot[first + i] != (PROT_READ | PROT_WRITE) ||
			p->advice[first + i] != p->advice[first])
			return false;
	return true; /* one area */
}

static void part_remap(struct part *p, unsigned first, unsigned n, unsigned to)
{
	uintptr_t old = p->base + first * PAGE_SIZE, new = p->base + to *PAGE_SIZE;
	if (to + n > PART || (to < first + n && first < to + n) || !part_mapped(p, first, n))
		return;
	CHECK_EQ(vm_mremap(space, old, n * PAGE_SIZE, n * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 new),
		new);
	for (unsigned i = 0; i < n; i++) {
		p->prot[to + i] = p->prot[first + i];
		p->advice[to + i] = p->advice[first + i];
		p->value[to + i] = p->value[first + i];
		p->prot[first + i] = 0;
		p->value[first + i] = 0;
	}
}

/* Somewhere: perhaps where another thread is just unmapping. */
static void part_anywhere(unsigned long r)
{
	size_t n = 1 + r % 40;
	struct part p = { 0 };
	uint64_t word = r;
	p.base = vm_mmap(space, 0, n * PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, 7);
	CHECK((intptr_t)p.base > 0);
	for (unsigned i = 0; i < n; i += 3) {
		p.prot[i] = PROT_READ | PROT_WRITE;
		part_check(&p, i, false, 0);
		part_check(&p, i, true, word + i);
	}
	for (unsigned i = 0; i < n; i += 3)
		part_check(&p, i, false, 0);
	CHECK_EQ(vm_munmap(space, p.base, n * PAGE_SIZE), 0);
}

static void part_op(struct part *p)
{
	unsigned long r = t_random(&p->seed), q = t_random(&p->seed);
	unsigned n = 1 + (q % 4 ? (q >> 4) % 20 : (q >> 4) % 500), first = (q >> 20) % (PART - n);
	uintptr_t at = p->base + first * PAGE_SIZE;
	int prot = r >> 32 & 1 ? PROT_READ : PROT_READ | PROT_WRITE;
	switch (r % 16) {
	case 0 ... 1:
		CHECK_EQ(vm_mmap(space, at, n * PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, 7),
			at);
		memset(&p->prot[first], PROT_READ | PROT_WRITE, n);
		memset(&p->advice[first], 0, n);
		memset(&p->value[first], 0, n * sizeof(p->value[0]));
		break;
	case 2:
		CHECK_EQ(vm_munmap(space, at, n * PAGE_SIZE), 0);
		memset(&p->prot[first], 0, n);
		memset(&p->value[first], 0, n * sizeof(p->value[0]));
		break;
	case 3 ... 4:
		for (unsigned i = 0; i < n; i++)
			if (!p->prot[first + i])
				return;
		CHECK_EQ(vm_mprotect(space, at, n * PAGE_SIZE, prot), 0);
		memset(&p->prot[first], prot, n);
		break;
	case 5:
		(void)vm_madvise(space, at, n * PAGE_SIZE, MADV_DONTNEED);
		memset(&p->value[first], 0, n * sizeof(p->value[0]));
		break;
	case 6: part_remap(p, first, n, (r >> 8) % PART); break;
	case 7: part_anywhere(r >> 8); break;
	case 8:
		p->advice[first] = r >> 8 & 1 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE;
		if (vm_madvise(space, at, PAGE_SIZE, p->advice[first]) != 0)
			p->advice[first] = 0; /* nothing there */
		break;
	default:
		for (unsigned k = 0; k < 1 + n / 8; k++)
			part_check(p, first + k * 7 % n, t_random(&p->seed) & 1, r + k);
	}
}

static void *part_thread(void *arg)
{
	struct part *p = arg;
	struct thread me = { .page_root = vm_space_root(space) };
	host_cpu_id = p->seed;
	host_current = &me;
	for (int i = 0; i < PART_OPS && atomic_load(&t_failures) == 0; i++)
		part_op(p);
	for (unsigned page = 0; page < PART; page++)
		part_check(p, page, false, 0);
	return NULL;
}

TEST(neighbours)
{
	static struct part part[CPUS];
	pthread_t t[CPUS];
	cpu_online_count = CPUS;
	window_start(MIB(256));
	uint64_t heap = heap_bytes_in_use();
	space = vm_space_create();
	memset(part, 0, sizeof(part));
	for (unsigned i = 0; i < CPUS; i++) {
		part[i].base = va_of(i * PART);
		part[i].seed = i;
		pthread_create(&t[i], NULL, part_thread, &part[i]);
	}
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	CHECK(list_empty(&space->changes));
	CHECK_EQ(space->exclusive, 0);
	CHECK_EQ(space->seq & 1, 0);
	check_subtree(space->areas.root);
	vm_space_clear(space);
	uint64_t anon, in_file;
	sum_resident(space, &anon, &in_file);
	CHECK_EQ(anon, 0);
	vm_space_put(space);
	grace_period();
	CHECK_EQ(heap_bytes_in_use(), heap);
	cpu_online_count = 1;
}

/* ---- a fault that sleeps in its file keeps nobody else ---- */

static _Atomic int asleep, wanted; /* faults that sleep now; pages that may come */

static int slow_get_page(struct vm_backing *b, uint64_t index, bool write, struct page **out)
{
	asleep++;
	while (!wanted)
		sched_yield();
	asleep--;
	return file_get_page(b, index, write, out);
}
static struct vm_backing_ops slow_ops = {
	.get_page = slow_get_page,
	.get = file_ref,
	.put = file_unref,
};

struct call {
	pthread_t thread;
	int what; /* which of the calls below */
	unsigned access;
	uintptr_t at;
	_Atomic int result; /* 1: not there yet */
};

enum { FAULT, UNMAP, REPLACE, PROTECT, FORGET };

static void *call_thread(void *arg)
{
	struct call *c = arg;
	struct thread me = { .page_root = vm_space_root(space) };
	static _Atomic uint32_t cpu = 1;
	host_cpu_id = cpu++ % CPUS;
	host_current = &me;
	switch (c->what) {
	case FAULT: c->result = vm_fault(space, c->at, c->access); break;
	case UNMAP: c->result = vm_munmap(space, c->at, PAGE_SIZE); break;
	case PROTECT: c->result = vm_mprotect(space, c->at, PAGE_SIZE, PROT_NONE); break;
	case FORGET: c->result = vm_madvise(space, c->at, PAGE_SIZE, MADV_DONTNEED); break;
	case REPLACE:
		c->result = vm_mmap(space, c->at, PAGE_SIZE, PROT_READ,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0,
				    7) == (intptr_t)c->at
				    ? 0
				    : -1;
	}
	return NULL;
}

static void call(struct call *c, int what, uintptr_t at)
{
	c->what = what;
	c->access = what == FAULT && at == va_of(20) && !asleep ? VM_WRITE : VM_READ;
	c->at = at;
	c->result = 1;
	pthread_create(&c->thread, NULL, call_thread, c);
}

static int end(struct call *c)
{
	pthread_join(c->thread, NULL);
	return c->result;
}

/* Until a call waits for the fault at 'page'. */
static void until_waited_for(uintptr_t page)
{
	for (;; sched_yield())
		for (unsigned n = 0; n < CPUS; n++)
			for (unsigned i = 0; i < FAULT_SLOTS; i++) {
				uint64_t slot = load_relaxed(&space->cpu[n].slot[i]);
				if (slot == (page | SLOT_USED | SLOT_WAITED))
					return;
			}
}

/* Everything that does not touch 'page', by one thread: it would not come back. */
static void others_go_on(uintptr_t page)
{
	int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	uint64_t word = 1, key, offset;
	struct vm_area_info info;
	uintptr_t at = vm_mmap(space, 0, 9 * PAGE_SIZE, rw, anon, NULL, 0, 7);
	CHECK_EQ(access_word(space, at, true, &word), 0);
	CHECK_EQ(vm_mprotect(space, at, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(vm_madvise(space, at, 9 * PAGE_SIZE, MADV_DONTNEED), 0);
	CHECK_EQ(vm_mmap(space, at, PAGE_SIZE, rw, anon | MAP_FIXED, NULL, 0, 7), at);
	at = vm_mremap(space, at, PAGE_SIZE, 30 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	CHECK((intptr_t)at > 0);
	CHECK_EQ(vm_munmap(space, at, 30 * PAGE_SIZE), 0);
	CHECK_EQ(vm_area_next(space, at, false, &info), 0);
	/* neighbours in the same area, and the page's other side */
	CHECK_EQ(vm_mprotect(space, page + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(vm_mprotect(space, page - PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	CHECK_EQ(vm_munmap(space, page + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	CHECK_EQ(vm_mprotect(space, page - PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(vm_object_key(space, page + PAGE_SIZE, &key, &offset), 0);
}

TEST(sleeping_fault)
{
	struct call fault, other, late, more[3 * FAULT_SLOTS];
	uintptr_t page = va_of(20), at;
	cpu_online_count = CPUS;
	for (int what = UNMAP; what <= FORGET; what++) {
		window_start(MIB(64));
		file.b.ops = &slow_ops;
		wanted = 0;
		space = vm_space_create();
		host_current->page_root = vm_space_root(space);
		REQUIRE(vm_mmap(space, va_of(10), 40 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, &file.b, 0, 7) > 0);
		if (what == FORGET) { /* a page that the fault has seen */
			wanted = 1;
			CHECK_EQ(vm_fault(space, page, VM_READ), 0);
			wanted = 0;
		}
		call(&fault, FAULT, page);
		while (!asleep)
			sched_yield();
		others_go_on(page);
		/* so many at once that CPUs run out of words */
		for (unsigned i = 0; i < ARRAY_SIZE(more); i++)
			call(&more[i], FAULT, va_of(30));
		while (asleep < 1 + (int)ARRAY_SIZE(more))
			sched_yield();
		others_go_on(page);
		call(&other, what, page);
		until_waited_for(page);
		others_go_on(page);
		CHECK_EQ(other.result, 1);
		CHECK_EQ(fault.result, 1);
		if (what == UNMAP) { /* gone already, but not free yet */
			CHECK_EQ(vm_fault(space, page, VM_READ), -EFAULT);
			at = vm_mmap(space, page, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
				NULL, 0, 7);
			CHECK((intptr_t)at > 0 && at != page);
			CHECK_EQ(vm_munmap(space, at, PAGE_SIZE), 0);
		}
		if (what == PROTECT) /* in force for all that comes */
			CHECK_EQ(vm_fault(space, page, VM_READ), -EACCES);
		call(&late, what == REPLACE ? FAULT : UNMAP, page); /* neither sees a hole */
		for (int i = 0; i < 100; i++)
			sched_yield();
		CHECK_EQ(late.result, 1);
		wanted = 1;
		CHECK_EQ(end(&fault), 0);
		CHECK_EQ(end(&other), 0);
		CHECK_EQ(end(&late), 0);
		for (unsigned i = 0; i < ARRAY_SIZE(more); i++)
			CHECK_EQ(end(&more[i]), 0);
		unsigned level;
		pte_t *e = pagetable_leaf(&space->pt, page, &level);
		if (what == REPLACE)
			CHECK(e && leaf_page(*e) == vm_zero_page);
		else
			CHECK(!e);
		CHECK_EQ(space->overflow_count, 0);
		vm_space_put(space);
		CHECK_EQ(file.refs, 0);
		file_cut(&file, 0, FILE_PAGES);
		grace_period();
	}
	cpu_online_count = 1;
}
