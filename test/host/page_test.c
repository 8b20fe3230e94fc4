/* SPDX-License-Identifier: BSD-2-Clause */
/* The page allocator: whole, so that its boot and per-CPU state can be set back. */
/* tsan */
#include "t.h"
#include "mem_env.h"
#include "../../src/mem/page.c"
#include "../../src/mem/page_boot.c"
#include "../../src/mem/pool.c"

static void start(const struct boot_info *b)
{
	page_forget_cpus();
	host_cpu_id = 0;
	page_init(b);
	page_open_high_memory();
}

/* Drops what all CPUs have cached. */
static void drain_all(void)
{
	for (unsigned i = 0; i < cpu_online_count; i++)
		cache_drain(cpu_of(page_cpu, i), 0);
}

static uint64_t pool_free(void)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < page_pool.blocks; i++)
		sum += page_pool.state[i] & STATE_COUNT;
	return sum;
}

/* The map agrees with the counts: nothing lost, nothing promised. */
static void check_pool(void)
{
	for (uint32_t i = 0; i < page_pool.blocks; i++) {
		unsigned ones = 0, count = page_pool.state[i] & STATE_COUNT;
		for (unsigned w = 0; w < BLOCK_WORDS; w++)
			ones += __builtin_popcountll(page_pool.map[i].word[w]);
		if (count)
			CHECK_EQ(count, BLOCK_PAGES - ones);
	}
}

TEST(all_orders)
{
	struct boot_info b;
	env_machine(&b, MIB(64));
	start(&b);
	uint64_t free = page_stats().free;
	CHECK_EQ(free, page_stats().total);
	CHECK(free > 15000 && free < 16384);
	for (unsigned order = 0; order <= PAGE_ORDER_HUGE; order++) {
		struct page *p = page_alloc(order);
		REQUIRE(p);
		CHECK_EQ(page_to_phys(p).raw % (PAGE_SIZE << order), 0);
		CHECK(phys_to_page(page_to_phys(p)) == p);
		CHECK(virt_to_page((char *)page_to_virt(p) + 5) == p);
		CHECK_EQ(page_stats().free, free - (1u << order));
		memset(page_to_virt(p), 0x55, PAGE_SIZE << order);
		page_get(p);
		page_put(p);
		CHECK_EQ(page_stats().free, free - (1u << order));
		page_put(p);
		CHECK_EQ(page_stats().free, free);
		p = page_alloc_zeroed(order);
		REQUIRE(p);
		char *c = page_to_virt(p);
		for (size_t i = 0; i < PAGE_SIZE << order; i++)
			if (c[i]) {
				T_FAIL("not zero at %zu", i);
				break;
			}
		page_put(p);
	}
	drain_all();
	check_pool();
	CHECK_EQ(pool_free(), free);
}

TEST(exhaustion)
{
	struct boot_info b;
	env_machine(&b, MIB(16));
	start(&b);
	for (unsigned order = 0; order <= PAGE_ORDER_HUGE; order++) {
		struct page *p, *list = NULL;
		uint64_t free = page_stats().free, n = 0;
		while ((p = page_alloc(order))) {
			uint64_t pa = page_to_phys(p).raw;
			CHECK(pa >= MIB(1) && pa + (PAGE_SIZE << order) <= MIB(16));
			CHECK(pa + (PAGE_SIZE << order) <= MIB(2) || pa >= MIB(3));
			CHECK_EQ(p->refcount, 1);
			p->next = list;
			list = p;
			n++;
		}
		CHECK_EQ(page_stats().free, free - (n << order));
		if (order == 0)
			CHECK_EQ(page_stats().free, 0);
		if (order == PAGE_ORDER_HUGE)
			CHECK(n >= 5);
		while ((p = list)) {
			list = p->next;
			page_put(p);
		}
		CHECK_EQ(page_stats().free, free);
		page_drain_cache();
		check_pool();
	}
}

/* Every other page is taken: no run of two exists, though half of memory is free. */
TEST(fragmentation)
{
	struct boot_info b;
	env_machine(&b, MIB(16));
	start(&b);
	static struct page *all[4096];
	unsigned n = 0;
	while ((all[n] = page_alloc(0)))
		n++;
	for (unsigned i = 0; i < n; i++)
		if (page_to_phys(all[i]).raw >> PAGE_SHIFT & 1)
			page_put(all[i]);
	for (unsigned order = 1; order <= PAGE_ORDER_HUGE; order++)
		CHECK(!page_alloc(order));
	for (unsigned i = 0; i < n; i++)
		if (!(page_to_phys(all[i]).raw >> PAGE_SHIFT & 1))
			page_put(all[i]);
	struct page *huge = page_alloc(PAGE_ORDER_HUGE);
	CHECK(huge);
	page_put(huge);
	page_drain_cache();
	check_pool();
	CHECK_EQ(pool_free(), page_stats().total);
}

/* Small requests must not break a whole block while a started one has room. */
TEST(keeps_whole_blocks)
{
	struct boot_info b;
	env_machine(&b, MIB(64));
	start(&b);
	unsigned whole = 0, after = 0;
	for (uint32_t i = 0; i < page_pool.blocks; i++)
		whole += page_pool.state[i] == BLOCK_PAGES;
	for (int i = 0; i < 200; i++)
		CHECK(page_alloc(i % 3));
	for (uint32_t i = 0; i < page_pool.blocks; i++)
		after += (page_pool.state[i] & STATE_COUNT) == BLOCK_PAGES;
	CHECK(whole - after <= 1);
}

static bool overlaps(uint64_t pa, uint64_t start, uint64_t end)
{
	return pa < end && pa + PAGE_SIZE > start;
}

/* Takes everything and checks it against the map, page by page. */
static void check_machine(const struct boot_info *b)
{
	uint64_t usable = 0;
	struct page *p;
	start(b);
	while ((p = page_alloc(0))) {
		uint64_t pa = page_to_phys(p).raw;
		bool inside = false;
		for (unsigned i = 0; i < b->range_count; i++) {
			const struct boot_range *r = &b->range[i];
			if (r->usable && pa >= r->start && pa + PAGE_SIZE <= r->end)
				inside = true;
			if (!r->usable && r->start < r->end)
				CHECK(!overlaps(pa, r->start, r->end));
		}
		CHECK(inside);
		CHECK(pa >= MIB(1));
		CHECK(!overlaps(pa, b->kernel_start, b->kernel_end));
		if (b->initrd_start < b->initrd_end)
			CHECK(!overlaps(pa, b->initrd_start, b->initrd_end));
		CHECK(phys_to_page(PADDR(pa)) == p);
		usable++;
	}
	CHECK_EQ(usable, page_stats().total);
	if (b->initrd_start < b->initrd_end && b->initrd_end < PHYS_LIMIT) {
		p = phys_to_page(PADDR(b->initrd_start));
		REQUIRE(p);
		CHECK_EQ(p->flags, PAGE_RESERVED);
		page_get(p);
		page_put(p);
		page_put(p);
		CHECK_EQ(p->flags, PAGE_RESERVED);
	}
	CHECK(phys_to_page(PADDR(b->kernel_start))->flags == PAGE_RESERVED);
}

TEST(hostile_maps)
{
	struct boot_info b;
	env_machine(&b, MIB(32));
	/* unsorted, overlapping, unaligned, empty, reversed, beyond everything */
	b.range[3] = (struct boot_range){ MIB(20) + 1, MIB(20) + 2, false };
	b.range[4] = (struct boot_range){ MIB(8) + 123, MIB(8) + 123, true };
	b.range[5] = (struct boot_range){ MIB(9), MIB(7), true };
	b.range[6] = (struct boot_range){ MIB(5) + 77, MIB(31) + 5, true };
	b.range[7] = (struct boot_range){ ~0ull - 4096, ~0ull, true };
	b.range[8] = (struct boot_range){ ~0ull, 0, true };
	b.range[9] = (struct boot_range){ 0, MIB(4), true };
	b.range_count = 10;
	b.initrd_start = MIB(10) + 1000;
	b.initrd_end = MIB(12) + 17;
	check_machine(&b);
	CHECK(!phys_to_page(PADDR(MIB(64))));
	CHECK(!phys_to_page(PADDR(~0ull)));

	/* every second page is a hole */
	env_machine(&b, MIB(16));
	for (unsigned i = 3; i < BOOT_MAX_RANGES; i++)
		b.range[i] = (struct boot_range){ MIB(8) + i * 8192, MIB(8) + i * 8192 + 1, false };
	b.range_count = BOOT_MAX_RANGES;
	check_machine(&b);

	/* more ranges than the loader can have meant; initrd reversed and outside */
	b.range_count = BOOT_MAX_RANGES + 1000;
	b.initrd_start = MIB(15);
	b.initrd_end = MIB(1);
	start(&b);
	CHECK(page_alloc(0));
}

/* RAM above 4 GiB that boot has not mapped is not given out before it may be touched. */
TEST(high_memory)
{
	struct boot_info b;
	env_machine(&b, MIB(16));
	env_memory(GIB(8));
	b.range[3] = (struct boot_range){ GIB(4), GIB(8), true };
	b.range_count = 4;
	page_forget_cpus();
	page_init(&b); /* 16 MiB of struct pages do not fit below 4 GiB: high memory is dropped */
	struct page *p;
	while ((p = page_alloc(0)))
		CHECK(page_to_phys(p).raw < GIB(4));

	env_machine(&b, MIB(64));
	env_memory(GIB(8));
	b.range[3] = (struct boot_range){ GIB(4), GIB(8), true };
	b.range_count = 4;
	page_forget_cpus();
	page_init(&b);
	CHECK(page_stats().total > GIB(4) / PAGE_SIZE);
	CHECK(page_to_phys(page_alloc(9)).raw < GIB(4));
	while ((p = page_alloc(0)))
		CHECK(page_to_phys(p).raw < GIB(4));
	page_open_high_memory();
	p = page_alloc(9);
	REQUIRE(p);
	CHECK(page_to_phys(p).raw >= GIB(4));
	CHECK(phys_to_page(page_to_phys(p)) == p);
	CHECK(!phys_to_page(PADDR(GIB(3))));
}

static void pool_snapshot(uint32_t *state, struct block_map *map)
{
	memcpy(state, page_pool.state, page_pool.blocks * sizeof(*state));
	memcpy(map, page_pool.map, page_pool.blocks * sizeof(*map));
}

/* What all CPUs share is neither written on the usual way nor for each page on the unusual one. */
TEST(cache_works_in_batches)
{
	enum { MANY = 4000, HALF = CACHE_MAX / 2 };
	static struct page *all[MANY];
	static uint32_t state[2][64];
	static struct block_map map[2][64];
	struct boot_info b;
	env_machine(&b, MIB(128));
	start(&b);
	REQUIRE(page_pool.blocks <= 64);
	page_put(page_alloc(0)); /* HALF are cached now */
	pool_snapshot(state[0], map[0]);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < HALF; i++)
			all[i] = page_alloc(0);
		for (int i = 0; i < HALF; i++)
			page_put(all[i]);
	}
	pool_snapshot(state[1], map[1]);
	CHECK(memcmp(state[0], state[1], sizeof(state[0])) == 0);
	CHECK(memcmp(map[0], map[1], sizeof(map[0])) == 0);

	counter_page_refill = counter_page_drain = 0;
	for (int i = 0; i < MANY; i++)
		all[i] = page_alloc(0);
	/* A block may have less left than a batch, and the next one then starts with the rest. */
	CHECK(counter_page_refill >= (MANY - HALF) / HALF);
	CHECK(counter_page_refill <= MANY / HALF + page_pool.blocks);
	CHECK_EQ(counter_page_drain, 0);
	for (int i = 0; i < MANY; i++)
		page_put(all[i * 7 % MANY]); /* 7 does not divide MANY: each once, not in order */
	CHECK(counter_page_drain <= MANY / HALF + 1);
	CHECK_EQ(page_stats().free, page_total);
	drain_all();
	check_pool();
	CHECK_EQ(pool_free(), page_total);
}

TEST(estimate_of_free_pages)
{
	static struct page *all[3000];
	unsigned long seed = 1;
	struct boot_info b;
	env_machine(&b, MIB(64));
	start(&b);
	CHECK_EQ(page_free_estimate(), page_total);
	for (int i = 0; i < 20000; i++) {
		unsigned long r = t_random(&seed);
		struct page **p = &all[r % 3000];
		int64_t off;

		if (*p)
			page_put(*p);
		*p = *p ? NULL : page_alloc((r >> 16) % 8 ? 0 : (r >> 20) % 10);
		off = page_stats().free - page_free_estimate();
		CHECK(off > -REPORT - (int)CACHE_MAX && off < REPORT + (int)CACHE_MAX);
	}
}

/* ---- CPUs against each other ---- */

#define CPUS  4
#define SLOTS 64
static struct page *_Atomic exchange[SLOTS]; /* pages wander between CPUs through this */

static void *hammer(void *arg)
{
	unsigned long seed = (unsigned long)arg + 1;
	host_cpu_id = (unsigned long)arg;
	for (int i = 0; i < 30000; i++) {
		unsigned long r = t_random(&seed);
		unsigned order = (r >> 8) % 4 ? (r >> 12) % 3 : (r >> 12) % 10;
		struct page *p = NULL;
		if (r & 0x80) {
			p = page_alloc(order);
			if (p) {
				uint64_t *w = page_to_virt(p);
				w[0] = (uintptr_t)p;
				w[(PAGE_SIZE << order) / 8 - 1] = ~(uintptr_t)p;
			}
		}
		p = atomic_exchange(&exchange[(r >> 20) % SLOTS], p);
		if (p) {
			uint64_t *w = page_to_virt(p);
			if (w[0] != (uintptr_t)p ||
				w[(PAGE_SIZE << p->order) / 8 - 1] != ~(uintptr_t)p)
				T_FAIL("page %p was given out twice", (void *)p);
			page_put(p);
		}
	}
	return NULL;
}

TEST(threads)
{
	struct boot_info b;
	pthread_t t[CPUS];
	env_machine(&b, MIB(24)); /* tight: exhaustion and fragmentation happen */
	cpu_online_count = CPUS;
	start(&b);
	for (unsigned long i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, hammer, (void *)i);
	for (int i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < SLOTS; i++) {
		struct page *p = atomic_exchange(&exchange[i], NULL);
		if (p)
			page_put(p);
	}
	CHECK_EQ(page_stats().free, page_stats().total);
	drain_all();
	check_pool();
	CHECK_EQ(pool_free(), page_stats().total);
	cpu_online_count = 1;
}

static void *put_shared(void *arg)
{
	struct page **list = arg;
	static _Atomic uint32_t next_cpu;
	host_cpu_id = atomic_fetch_add(&next_cpu, 1) % CPUS;
	for (int i = 0; i < 1000; i++)
		page_put(list[i]);
	return NULL;
}

TEST(shared_references)
{
	struct boot_info b;
	pthread_t t[CPUS];
	static struct page *list[1000];
	env_machine(&b, MIB(24));
	cpu_online_count = CPUS;
	start(&b);
	for (int i = 0; i < 1000; i++) {
		list[i] = page_alloc(0);
		for (int j = 1; j < CPUS; j++)
			page_get(list[i]);
	}
	for (int i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, put_shared, list);
	for (int i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(page_stats().free, page_stats().total);
	cpu_online_count = 1;
}
