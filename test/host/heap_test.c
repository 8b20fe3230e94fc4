/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap over the real page allocator. */
/* tsan */
/* sources: src/mem/page.c src/mem/page_boot.c src/mem/pool.c src/lib/string.c */
#include "t.h"
#include "mem_env.h"
#include "../../src/mem/heap.c"

#define CPUS 4

static void start(uint64_t size)
{
	static struct boot_info b;
	env_machine(&b, size);
	memset(heap_cpu_percpu, 0, sizeof(heap_cpu_percpu));
	mem_alloc_must_fail = NULL;
	host_cpu_id = 0;
	page_forget_cpus();
	page_init(&b);
	page_open_high_memory();
	heap_init();
}

/* Every slab of every CPU is empty. */
static void check_all_free(void)
{
	CHECK_EQ(heap_bytes_in_use(), 0);
	for (unsigned n = 0; n < cpu_online_count; n++) {
		host_cpu_id = n;
		collect_remote(this_cpu(heap_cpu));
		for (unsigned c = 0; c < CLASS_COUNT; c++)
			for (struct slab *s = this_cpu(heap_cpu)->partial[c]; s; s = s->next) {
				CHECK_EQ(s->used, 0);
				CHECK(!s->next); /* one empty slab at most */
			}
		page_drain_cache();
	}
	host_cpu_id = 0;
}

TEST(sizes_and_alignment)
{
	start(MIB(64));
	for (size_t size = 0; size <= MIB(2); size += size < 5000 ? 1 : 40961) {
		char *p = heap_alloc(size);
		REQUIRE(p);
		CHECK(heap_usable_size(p) >= size);
		CHECK_EQ((uintptr_t)p % 16, 0);
		if (size && (size & (size - 1)) == 0 && size <= PAGE_SIZE)
			CHECK_EQ((uintptr_t)p % size, 0);
		if (size > 512 && size <= 3072) /* not a page each */
			CHECK(heap_usable_size(p) < size + 513);
		memset(p, 0xaa, size);
		heap_free(p);
		p = heap_alloc_zeroed(size);
		REQUIRE(p);
		for (size_t i = 0; i < size; i += size < 5000 ? 1 : 4093)
			CHECK(p[i] == 0);
		heap_free(p);
	}
	CHECK(!heap_alloc(MIB(2) + 1));
	CHECK(!heap_alloc(SIZE_MAX));
	heap_free(NULL);
	check_all_free();
}

TEST(resize_and_strdup)
{
	start(MIB(32));
	char *p = heap_resize(NULL, 10);
	strcpy(p, "nine char");
	for (size_t size = 10; size < MIB(1); size = size * 3 / 2) {
		p = heap_resize(p, size);
		REQUIRE(p);
		CHECK_STR(p, "nine char");
	}
	p = heap_resize(p, 10);
	CHECK_STR(p, "nine char");
	CHECK(heap_usable_size(p) == 16);
	char *q = heap_strdup(p);
	CHECK_STR(q, p);
	heap_free(q);
	heap_free(p);
	check_all_free();
}

/* Slabs go back: a burst of one size leaves room for another. */
TEST(empty_slabs_return)
{
	start(MIB(16));
	uint64_t before = page_stats().free;
	static void *all[100000];
	for (int round = 0; round < 20; round++) {
		size_t size = class_size[round % CLASS_COUNT];
		unsigned n = 0;
		while (n < 100000 && (all[n] = heap_alloc(size)))
			n++;
		CHECK((uint64_t)n * size > MIB(8) || n == 100000);
		while (n)
			heap_free(all[--n]);
		CHECK(page_stats().free + 4 * (round + 1) >= before);
	}
	check_all_free();
}

/* A random program, checked with patterns. */
static void *churn(void *arg)
{
	struct {
		unsigned char *p;
		size_t n;
		unsigned char c;
	} slot[200] = { 0 };
	unsigned long seed = (unsigned long)arg + 7;
	host_cpu_id = (unsigned long)arg;
	for (int i = 0; i < 20000; i++) {
		unsigned long r = t_random(&seed);
		unsigned k = r % 200;
		if (slot[k].p) {
			if (slot[k].p[0] != slot[k].c || slot[k].p[slot[k].n - 1] != slot[k].c ||
				slot[k].p[slot[k].n / 2] != slot[k].c)
				T_FAIL("overwritten");
			heap_free(slot[k].p);
			slot[k].p = NULL;
		} else {
			size_t n = 1 + ((r >> 10) % 8 ? (r >> 20) % 600 : (r >> 20) % 9000);
			slot[k].p = heap_alloc(n);
			slot[k].n = n;
			slot[k].c = r >> 50;
			if (slot[k].p)
				memset(slot[k].p, slot[k].c, n);
		}
	}
	for (unsigned k = 0; k < 200; k++)
		heap_free(slot[k].p);
	return NULL;
}

TEST(churn)
{
	start(MIB(16));
	churn(NULL);
	check_all_free();
}

/* ---- objects that wander between CPUs ---- */

static void *_Atomic mailbox[256];

static void *wander(void *arg)
{
	unsigned long seed = (unsigned long)arg + 1;
	host_cpu_id = (unsigned long)arg;
	for (int i = 0; i < 40000; i++) {
		unsigned long r = t_random(&seed);
		size_t n = 16 + (r >> 20) % ((r >> 40) % 16 ? 200 : 5000);
		size_t *p = r & 0x100 ? heap_alloc(n) : NULL;
		if (p) {
			p[0] = n;
			memset(p + 1, (int)n, n - 8);
		}
		p = atomic_exchange(&mailbox[r % 256], p);
		if (!p)
			continue;
		unsigned char *c = (unsigned char *)(p + 1);
		if (p[0] > heap_usable_size(p) ||
			(p[0] > 8 && (c[0] != (unsigned char)p[0] ||
					     c[p[0] - 9] != (unsigned char)p[0])))
			T_FAIL("object was given out twice");
		heap_free(p);
	}
	return NULL;
}

TEST(remote_frees)
{
	pthread_t t[CPUS];
	cpu_online_count = CPUS;
	start(MIB(32));
	for (unsigned long i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, wander, (void *)i);
	for (int i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 256; i++)
		heap_free(atomic_exchange(&mailbox[i], NULL));
	check_all_free();
	uint64_t total = page_stats().total;
	CHECK(total - page_stats().free <= CPUS * (16 + 4 * (CLASS_COUNT - 16)));
	cpu_online_count = 1;
}

/* One CPU only allocates, the other only frees: memory must come back to the first. */
static void *_Atomic belt[64];
static void *consumer(void *arg)
{
	host_cpu_id = 1;
	for (unsigned n = 0; n < 200000;) {
		void *p = atomic_exchange(&belt[n % 64], NULL);
		if (!p)
			continue;
		heap_free(p);
		n++;
	}
	return NULL;
}

TEST(producer_consumer)
{
	pthread_t t;
	cpu_online_count = 2;
	start(MIB(16)); /* 200000 * 256 bytes are three times that */
	pthread_create(&t, NULL, consumer, NULL);
	for (unsigned n = 0; n < 200000; n++) {
		void *p = heap_alloc(256), *empty = NULL;
		REQUIRE(p);
		while (!atomic_compare_exchange_weak(&belt[n % 64], &empty, p))
			empty = NULL;
	}
	pthread_join(t, NULL);
	check_all_free();
	cpu_online_count = 1;
}

/* ---- no memory ---- */

static void user_of_heap(void)
{
	void *p[40];
	char *s;
	for (unsigned i = 0; i < 40; i++)
		p[i] = heap_alloc_zeroed(i * 131);
	s = heap_strdup("a string");
	char *t = s ? heap_resize(s, 2000) : NULL;
	if (t) {
		CHECK_STR(t, "a string");
		s = t;
	} else if (s) {
		CHECK_STR(s, "a string");
	}
	heap_free(s);
	for (unsigned i = 0; i < 40; i++)
		heap_free(p[i]);
	CHECK_EQ(heap_bytes_in_use(), 0);
}

TEST(each_allocation_fails)
{
	start(MIB(16));
	mem_alloc_must_fail = t_alloc_must_fail;
	T_EACH_ALLOC_FAILS(user_of_heap());
	mem_alloc_must_fail = NULL;
	check_all_free();
}

TEST(fragmented_memory)
{
	static struct page *all[4096];
	unsigned n = 0;
	start(MIB(16));
	while ((all[n] = page_alloc(0)))
		n++;
	for (unsigned i = 0; i < n; i++)
		if (page_to_phys(all[i]).raw >> PAGE_SHIFT & 1)
			page_put(all[i]);
	page_drain_cache();
	void *p = heap_alloc(3000); /* no 16 KiB slab to be had */
	CHECK(p);
	heap_free(p);
	CHECK(!heap_alloc(5000));
	CHECK_EQ(heap_bytes_in_use(), 0);
}
