/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables and kernel stacks over the real page allocator. */
/* tsan */
/* sources: src/mem/page.c src/mem/page_boot.c src/mem/pool.c src/mem/pagetable.c */
#include "t.h"
#include "mem_env.h"
#include "../../src/mem/kstack.c"

#define CPUS 4
struct pagetable kernel_pagetable;

static void start(void)
{
	static struct boot_info b;
	env_machine(&b, MIB(32));
	mem_alloc_must_fail = NULL;
	host_cpu_id = 0;
	page_forget_cpus();
	page_init(&b);
	page_open_high_memory();
	kernel_pagetable.root = page_to_phys(page_alloc_zeroed(0));
	free_head = free_count = next_slot = 0;
}

static void put_chain(struct page *p)
{
	while (p) {
		struct page *next = p->next;
		page_put(p);
		p = next;
	}
}

static void count_leaf(pte_t *pte, uintptr_t va, unsigned level, void *arg)
{
	unsigned *n = arg;
	n[level]++;
	CHECK(va % (level == 1 ? PAGE_SIZE : HUGE_SIZE) == 0);
}

TEST(map_walk_split_prune)
{
	struct pagetable pt;
	unsigned level, n[3] = { 0 };
	start();
	((pte_t *)phys_to_virt(kernel_pagetable.root))[300] = 0x1234000 | PTE_PRESENT;
	uint64_t free = page_stats().free;
	CHECK_EQ(pagetable_create(&pt), 0);
	CHECK(((pte_t *)phys_to_virt(pt.root))[300] == (0x1234000 | PTE_PRESENT));
	CHECK(!pagetable_walk(&pt, 0x400000, 1, false));
	CHECK(!pagetable_leaf(&pt, 0x400000, &level));
	*pagetable_walk(&pt, 0x400000, 1, true) = 0x5000 | PTE_PRESENT;
	*pagetable_walk(&pt, 0x7fffffffe000, 1, true) = 0x6000 | PTE_PRESENT;
	*pagetable_walk(&pt, 0x600000, 2, true) = 0x200000 | PTE_PRESENT | PTE_HUGE | PTE_WRITE;
	CHECK(!pagetable_walk(&pt, 0x600000, 1, true));
	CHECK(*pagetable_leaf(&pt, 0x7ff000, &level) & PTE_HUGE);
	CHECK_EQ(level, 2);
	pagetable_for_each_leaf(&pt, 0, USER_MAX, count_leaf, n);
	CHECK_EQ(n[1], 2);
	CHECK_EQ(n[2], 1);
	memset(n, 0, sizeof(n));
	pagetable_for_each_leaf(&pt, 0x601000, 0x602000, count_leaf, n);
	CHECK_EQ(n[2], 1); /* the huge leaf overlaps */
	CHECK_EQ(n[1], 0);

	CHECK_EQ(pagetable_split(&pt, 0x654000, NULL), 0);
	CHECK_EQ(pagetable_split(&pt, 0x654000, NULL), 0); /* already */
	pte_t *e = pagetable_leaf(&pt, 0x654000, &level);
	CHECK_EQ(level, 1);
	CHECK_EQ(*e, 0x254000 | PTE_PRESENT | PTE_WRITE);
	memset(n, 0, sizeof(n));
	pagetable_for_each_leaf(&pt, 0x601000, 0x603000, count_leaf, n);
	CHECK_EQ(n[1], 2);

	/* a table goes only when its whole span is given */
	for (uintptr_t va = 0x600000; va < 0x800000; va += PAGE_SIZE)
		*pagetable_leaf(&pt, va, &level) = 0;
	CHECK(!pagetable_prune(&pt, 0x600000, 0x800000, 0x601000, 0x800000));
	CHECK(!pagetable_prune(&pt, 0x1000, 0x2000, 0, 0x200000));
	struct page *chain = pagetable_prune(&pt, 0x654000, 0x655000, 0x600000, 0x800000);
	REQUIRE(chain);
	CHECK(!chain->next);
	put_chain(chain);
	CHECK(!pagetable_walk(&pt, 0x600000, 1, false));
	CHECK(*pagetable_leaf(&pt, 0x400000, &level));
	*pagetable_leaf(&pt, 0x400000, &level) = 0;
	*pagetable_leaf(&pt, 0x7fffffffe000, &level) = 0;
	chain = pagetable_prune(&pt, 0, 1ul << 47, 0, 1ul << 47);
	unsigned tables = 0;
	for (struct page *p = chain; p; p = p->next)
		tables++;
	CHECK_EQ(tables, 6); /* two branches of three */
	put_chain(chain);
	pagetable_destroy(&pt);
	CHECK_EQ(page_stats().free, free);
}

static void build(void)
{
	struct pagetable pt;
	pte_t *e;
	if (pagetable_create(&pt) < 0)
		return;
	for (uintptr_t va = 0; va < 1ul << 46; va += 1ul << 43) {
		e = pagetable_walk(&pt, va, 2, true);
		if (e)
			*e = PTE_PRESENT | PTE_HUGE;
		if (e && pagetable_split(&pt, va, NULL) == 0)
			e = pagetable_walk(&pt, va, 1, false);
		else if (e)
			*e = 0;
		CHECK(t_failing() || e);
	}
	pagetable_destroy(&pt);
}

TEST(each_allocation_fails)
{
	start();
	uint64_t free = page_stats().free;
	mem_alloc_must_fail = t_alloc_must_fail;
	T_EACH_ALLOC_FAILS(build());
	CHECK_EQ(page_stats().free, free);
}

static struct pagetable shared;
static void *fault_around(void *arg)
{
	host_cpu_id = (unsigned long)arg;
	for (uintptr_t i = 0; i < 3000; i++) {
		pte_t *e = pagetable_walk(&shared, i * 7 * PAGE_SIZE * 19, 1, true);
		pte_t old = 0;
		if (!e)
			T_FAIL("no entry");
		else if (!atomic_cas(e, &old, i << 12 | PTE_PRESENT) &&
			 old != (i << 12 | PTE_PRESENT))
			T_FAIL("two tables for one place");
	}
	return NULL;
}

TEST(threads_create_tables)
{
	pthread_t t[CPUS];
	cpu_online_count = CPUS;
	start();
	uint64_t free = page_stats().free;
	CHECK_EQ(pagetable_create(&shared), 0);
	for (unsigned long i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, fault_around, (void *)i);
	for (int i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	unsigned n[3] = { 0 };
	pagetable_for_each_leaf(&shared, 0, USER_MAX, count_leaf, n);
	CHECK_EQ(n[1], 3000);
	pagetable_destroy(&shared);
	CHECK_EQ(page_stats().free, free);
	cpu_online_count = 1;
}

/* ---- kernel stacks ---- */

static bool mapped(uintptr_t va)
{
	unsigned level;
	return pagetable_leaf(&kernel_pagetable, va, &level) != NULL;
}

TEST(kernel_stacks)
{
	uintptr_t top[100];
	start();
	uint64_t before = page_stats().free;
	for (int i = 0; i < 100; i++) {
		top[i] = kstack_alloc();
		REQUIRE(top[i]);
		CHECK(mapped(top[i] - 1) && mapped(top[i] - KSTACK_SIZE));
		CHECK(!mapped(top[i] - KSTACK_SIZE - 1));
		for (int j = 0; j < i; j++)
			CHECK(top[i] != top[j]);
	}
	for (int i = 0; i < 100; i++)
		kstack_free(top[i]);
	CHECK(before - page_stats().free <= free_limit() * STACK_PAGES + 8);
	uint64_t now = page_stats().free;
	for (int i = 0; i < 1000; i++) {
		uintptr_t a = kstack_alloc(), b = kstack_alloc();
		kstack_free(a);
		kstack_free(b);
	}
	CHECK_EQ(page_stats().free, now);
}

static void one_stack(void)
{
	uintptr_t top = kstack_alloc();
	CHECK(t_failing() || top);
	if (top)
		unmap_slot((top - KSTACKS_BASE) / SLOT_SIZE - 1);
}

TEST(stack_allocation_fails)
{
	start();
	kstack_free(kstack_alloc());
	CHECK(pop_free(&(uint64_t){ 0 }));
	uint64_t free = page_stats().free;
	mem_alloc_must_fail = t_alloc_must_fail;
	T_EACH_ALLOC_FAILS(one_stack());
	mem_alloc_must_fail = NULL;
	CHECK_EQ(page_stats().free, free);
}

static uint32_t owner[4096]; /* 1: some thread has the stack of this slot */

static void give_back(uintptr_t top)
{
	__atomic_store_n(&owner[(top - KSTACKS_BASE) / SLOT_SIZE % 4096], 0, __ATOMIC_RELAXED);
	kstack_free(top);
}

static void *use_stacks(void *arg)
{
	unsigned long seed = (unsigned long)arg + 1;
	uintptr_t have[8] = { 0 };
	host_cpu_id = (unsigned long)arg;
	for (int i = 0; i < 20000; i++) {
		uintptr_t *h = &have[t_random(&seed) % 8];
		if (*h) {
			give_back(*h);
			*h = 0;
		} else if ((*h = kstack_alloc())) {
			uint32_t *o = &owner[(*h - KSTACKS_BASE) / SLOT_SIZE % 4096];
			if (__atomic_exchange_n(o, 1, __ATOMIC_RELAXED))
				T_FAIL("a stack was given out twice");
		}
	}
	for (int i = 0; i < 8; i++)
		if (have[i])
			give_back(have[i]);
	return NULL;
}

TEST(threads_use_stacks)
{
	pthread_t t[CPUS];
	cpu_online_count = CPUS;
	start();
	for (unsigned long i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, use_stacks, (void *)i);
	for (int i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	uint64_t slot, n = 0;
	while (pop_free(&slot))
		n++;
	CHECK(n <= 32 && n == free_count);
	cpu_online_count = 1;
}
