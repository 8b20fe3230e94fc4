/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file loses pages (truncation, a hole) while other calls and faults are at any step: these run
 * inside of its shoot-down, its requests for pages or its allocations. "The other CPU" has touched
 * all pages and remembers where they were until it is told to forget.
 */
/* tsan */
/* sources: $(HOST_VM) */
#include "vm_window.h"

#define PAGES 100 /* more than three batches */

static uint64_t content(uint64_t index)
{
	return 0x1122334455000000ull + index;
}

/* ---- the other CPU's TLB ---- */

struct entry {
	struct vm_space *s;
	uintptr_t va;
	struct page *page;
	uint64_t word; /* at its start */
};
static struct entry entry[1000];
static unsigned entries, runs;
static void (*between)(void); /* runs once, in the first flush */

static void remember(struct vm_space *s, uintptr_t va)
{
	unsigned level;
	pte_t *e = pagetable_leaf(&s->pt, va, &level);
	REQUIRE(e && (*e & PTE_PRESENT) && entries < ARRAY_SIZE(entry));
	struct page *page = leaf_page(*e);
	entry[entries++] = (struct entry){ s, va, page, *(uint64_t *)page_to_virt(page) };
}

/* What it reaches is still what it was: nobody has freed that. */
static void check_reach(void)
{
	for (unsigned i = 0; i < entries; i++) {
		CHECK(load_relaxed(&entry[i].page->refcount) > 0);
		CHECK_EQ(*(uint64_t *)page_to_virt(entry[i].page), entry[i].word);
	}
}

static unsigned reached(uintptr_t start, uintptr_t end)
{
	unsigned n = 0;
	for (unsigned i = 0; i < entries; i++)
		n += entry[i].va >= start && entry[i].va < end;
	return n;
}

static void forget(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	unsigned kept = 0;
	void (*fn)(void) = between;
	runs++;
	check_reach();
	if (fn) {
		between = NULL;
		fn();
		check_reach();
	}
	for (unsigned i = 0; i < entries; i++)
		if (entry[i].s != s || entry[i].va < start || entry[i].va >= end)
			entry[kept++] = entry[i];
	entries = kept;
}

/* ---- */

static void map(uintptr_t at, unsigned n, int flags, uint64_t index)
{
	CHECK_EQ(vm_mmap(space, at, n * PAGE_SIZE, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
			 &file.b, index * PAGE_SIZE, 7),
		at);
}

static void begin(void)
{
	window_start(MIB(64));
	file_ops.contiguous = false;
	space = vm_space_create();
	REQUIRE(space);
	host_current->page_root = vm_space_root(space);
	for (unsigned i = 0; i < PAGES; i++) {
		file.page[i] = page_alloc_zeroed(0);
		*(uint64_t *)page_to_virt(file.page[i]) = content(i);
	}
	entries = runs = 0;
	between = NULL;
	on_flush = forget;
}

static void finish(void)
{
	on_flush = NULL;
	on_page = NULL;
	mem_alloc_must_fail = NULL;
	if (space)
		vm_space_put(space);
	CHECK_EQ(file.refs, 0);
	file_truncate(&file, 0);
	grace_period();
}

static void touch(uintptr_t at, unsigned n, unsigned access)
{
	for (unsigned i = 0; i < n; i++) {
		CHECK_EQ(vm_fault(space, at + i * PAGE_SIZE, access), 0);
		remember(space, at + i * PAGE_SIZE);
	}
}

static bool mapped(uintptr_t va)
{
	unsigned level;
	return pagetable_leaf(&space->pt, va, &level) != NULL;
}

/* All that the same file's mappings do, elsewhere: with its lock held none would come back. */
static uint64_t kept; /* a page of the file that is not cut */

static void others_map_the_file(void)
{
	CHECK_EQ(file.b.lock.count, 0);
	if (file.b.lock.count)
		return;
	map(va_of(500), 20, MAP_SHARED, kept);
	CHECK_EQ(vm_fault(space, va_of(500), VM_WRITE), 0);
	CHECK_EQ(vm_mprotect(space, va_of(501), PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(vm_mremap(space, va_of(500), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 va_of(900)),
		va_of(900));
	CHECK_EQ(vm_munmap(space, va_of(500), 401 * PAGE_SIZE), 0);
	between = others_map_the_file; /* in the next batch again */
}

TEST(flush_without_the_lock)
{
	begin();
	map(va_of(0), PAGES, MAP_SHARED, 0);
	map(va_of(1000), PAGES, MAP_PRIVATE, 0);
	touch(va_of(0), PAGES, VM_WRITE);
	touch(va_of(1000), PAGES / 2, VM_READ);
	touch(va_of(1000 + PAGES / 2), PAGES / 2, VM_WRITE);
	between = others_map_the_file;
	kept = PAGES;
	file_cut(&file, 0, PAGES / 2);
	CHECK(runs > 2);
	CHECK_EQ(reached(va_of(0), va_of(PAGES / 2)), 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK_EQ(mapped(va_of(i)) + mapped(va_of(1000 + i)), i < PAGES / 2 ? 0 : 2);
	kept = 0;
	runs = 0;
	file_truncate(&file, 1);
	CHECK(runs > 2);
	between = NULL;
	CHECK_EQ(entries, 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(!mapped(va_of(i)) && !mapped(va_of(1000 + i)));
	uint64_t anon, in_file;
	sum_resident(space, &anon, &in_file);
	CHECK_EQ(anon, 0);
	CHECK_EQ(in_file, 0);
	finish();
}

TEST(copy_takes_the_place_of_a_leaf)
{
	begin();
	map(va_of(0), 2, MAP_PRIVATE, 0);
	touch(va_of(0), 2, VM_READ);
	CHECK_EQ(vm_fault(space, va_of(0), VM_WRITE), 0);
	CHECK_EQ(reached(va_of(0), va_of(1)), 0);
	CHECK_EQ(reached(va_of(1), va_of(2)), 1);
	uint64_t anon, in_file;
	sum_resident(space, &anon, &in_file);
	CHECK_EQ(anon, 1);
	CHECK_EQ(in_file, 1);
	CHECK_EQ(file.page[0]->refcount, 1);
	finish();
}

/* The mapping's is the last reference to each page. */
TEST(pages_go_after_the_flush)
{
	begin();
	uint64_t free = page_stats().free;
	map(va_of(0), PAGES, MAP_SHARED, 0);
	touch(va_of(0), PAGES, VM_WRITE);
	map(va_of(1000), PAGES, MAP_PRIVATE, 0);
	touch(va_of(1000), PAGES, VM_WRITE);
	for (unsigned i = 0; i < PAGES; i++) {
		page_put(file.page[i]);
		file.page[i] = NULL;
	}
	file_truncate(&file, 0); /* check_reach in every flush */
	CHECK_EQ(entries, 0);
	CHECK(page_stats().free + 10 > free + PAGES); /* tables stay */
	finish();
}

/* ---- calls whose range is empty, but not in every TLB yet ---- */

enum { UNMAP, REPLACE, PROTECT, FORGET, MOVE, MOVE_AND_KEEP, COPY, CASES };
static int what;

static void call_in_the_range(void)
{
	uintptr_t at = va_of(1), end = va_of(9);
	CHECK(!mapped(at) && reached(at, end) == 8);
	switch (what) {
	case UNMAP: CHECK_EQ(vm_munmap(space, at, end - at), 0); break;
	case REPLACE:
		CHECK_EQ(vm_mmap(space, at, end - at, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, 7),
			at);
		break;
	case PROTECT: CHECK_EQ(vm_mprotect(space, at, end - at, PROT_NONE), 0); break;
	case FORGET: CHECK_EQ(vm_madvise(space, at, end - at, MADV_DONTNEED), 0); break;
	case MOVE:
	case MOVE_AND_KEEP:
		CHECK_EQ(vm_mremap(space, at, end - at, end - at,
				 MREMAP_MAYMOVE | MREMAP_FIXED |
					 (what == MOVE ? 0 : MREMAP_DONTUNMAP),
				 va_of(700)),
			va_of(700));
		break;
	case COPY: /* another page now: what is written there must be seen */
		for (; at < end; at += PAGE_SIZE)
			CHECK_EQ(vm_fault(space, at, VM_WRITE), 0);
		at = va_of(1);
	}
	CHECK_EQ(reached(at, end), 0);
}

TEST(range_whose_flush_is_due)
{
	for (what = UNMAP; what < CASES; what++) {
		begin();
		map(va_of(0), 10, MAP_PRIVATE, 0);
		touch(va_of(0), 10, VM_READ);
		between = call_in_the_range;
		file_cut(&file, 0, 10);
		CHECK(!between);
		CHECK_EQ(entries, 0);
		finish();
	}
}

static void end_of_the_program(void)
{
	vm_space_put(space);
	space = NULL;
}

TEST(space_goes_before_its_flush)
{
	begin();
	map(va_of(0), 10, MAP_SHARED, 0);
	touch(va_of(0), 10, VM_READ);
	between = end_of_the_program;
	file_cut(&file, 0, 10);
	CHECK(!space);
	finish();
}

static void cut_what_moves(void)
{
	CHECK(reached(va_of(0), va_of(10)) == 10);
	file_truncate(&file, 0); /* finds it at its new place */
	CHECK_EQ(entries, 0);
}

TEST(cut_while_mremap_moves)
{
	begin();
	map(va_of(0), 10, MAP_SHARED, 0);
	touch(va_of(0), 10, VM_WRITE);
	between = cut_what_moves;
	CHECK_EQ(vm_mremap(space, va_of(0), 10 * PAGE_SIZE, 10 * PAGE_SIZE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, va_of(40)),
		va_of(40));
	CHECK(!between);
	finish();
}

/* ---- batches over many areas and spaces, any holes in them ---- */

#define SPACES 3
#define AREAS  8
#define LEN    80

TEST(areas_and_spaces)
{
	struct vm_space *all[SPACES];
	uint64_t at_index[SPACES][AREAS];
	unsigned long seed = 9;
	for (int round = 0; round < 60; round++) {
		bool copies = round & 1;
		begin();
		on_flush = NULL;
		for (unsigned s = 0; s < SPACES; s++) {
			all[s] = s ? vm_space_create() : space;
			REQUIRE(all[s]);
		}
		for (unsigned i = 0; i < SPACES * AREAS; i++) {
			unsigned s = i % SPACES, a = i / SPACES;
			space = all[s];
			at_index[s][a] = t_random(&seed) % (FILE_PAGES - LEN);
			map(va_of(a * 4096), LEN, t_random(&seed) & 1 ? MAP_SHARED : MAP_PRIVATE,
				at_index[s][a]);
			for (unsigned n = t_random(&seed) % 120; n > 0; n--)
				CHECK_EQ(vm_fault(space, va_of(a * 4096 + t_random(&seed) % LEN),
						 t_random(&seed) & 1 ? VM_READ : VM_WRITE),
					0);
		}
		uint64_t first = t_random(&seed) % FILE_PAGES;
		uint64_t last =
			copies ? FILE_PAGES : first + t_random(&seed) % (FILE_PAGES - first);
		static pte_t before[SPACES][AREAS][LEN];
		unsigned level;
		for (unsigned i = 0; i < SPACES * AREAS * LEN; i++) {
			unsigned s = i % SPACES, a = i / SPACES % AREAS, p = i / SPACES / AREAS;
			pte_t *e = pagetable_leaf(&all[s]->pt, va_of(a * 4096 + p), &level);
			before[s][a][p] = e ? *e : 0;
		}
		file_take(&file, first, last, copies);
		for (unsigned i = 0; i < SPACES * AREAS * LEN; i++) {
			unsigned s = i % SPACES, a = i / SPACES % AREAS, p = i / SPACES / AREAS;
			pte_t *e = pagetable_leaf(&all[s]->pt, va_of(a * 4096 + p), &level);
			pte_t old = before[s][a][p];
			uint64_t index = at_index[s][a] + p;
			bool gone =
				index >= first && index < last && (copies || !(old & PTE_SW_ANON));
			CHECK_EQ(e ? *e : 0, gone ? 0 : old);
		}
		for (unsigned s = 1; s < SPACES; s++)
			vm_space_put(all[s]);
		space = all[0];
		finish();
		if (atomic_load(&t_failures))
			break;
	}
}

/* ---- the file is cut when a fault has its page ---- */

static void cut_below_fault(struct test_file *f, uint64_t index)
{
	on_page = NULL;
	file_truncate(f, 0);
}

TEST(fault_comes_late)
{
	static const struct {
		int flags;
		unsigned before, access;
	} cases[] = {
		{ MAP_PRIVATE, 0, VM_READ },
		{ MAP_SHARED, 0, VM_READ },
		{ MAP_SHARED, 0, VM_WRITE },
		{ MAP_PRIVATE, 0, VM_WRITE },
		{ MAP_PRIVATE, VM_READ, VM_WRITE },
		{ MAP_SHARED, VM_READ, VM_WRITE },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		begin();
		map(va_of(0), 2, cases[i].flags, 0);
		if (cases[i].before)
			touch(va_of(0), 1, cases[i].before);
		on_page = cut_below_fault;
		int err = vm_fault(space, va_of(0), cases[i].access);
		CHECK(!on_page);
		CHECK(!mapped(va_of(0)));
		if (!err) /* its leaf had gone: the program tries again */
			err = vm_fault(space, va_of(0), cases[i].access);
		CHECK_EQ(err, -EIO);
		CHECK(!mapped(va_of(0)));
		CHECK_EQ(entries, 0);
		uint64_t anon, in_file;
		sum_resident(space, &anon, &in_file);
		CHECK_EQ(anon, 0);
		CHECK_EQ(in_file, 0);
		finish();
	}
}

/* A hole takes no copy away, however late that was made. */
static void punch_below_fault(struct test_file *f, uint64_t index)
{
	on_page = NULL;
	file_cut(f, 0, 2);
}

TEST(copy_of_a_hole_stays)
{
	begin();
	map(va_of(0), 2, MAP_PRIVATE, 0);
	on_page = punch_below_fault;
	CHECK_EQ(vm_fault(space, va_of(0), VM_WRITE), 0);
	uint64_t word;
	CHECK_EQ(access_word(space, va_of(0), false, &word), 0);
	CHECK_EQ(word, content(0));
	CHECK_EQ(access_word(space, va_of(1), false, &word), 0);
	CHECK_EQ(word, 0);
	finish();
}

/* What is being copied is not freed meanwhile, though the leaf that led to it is gone. */
static struct page *copied;

static bool cut_below_copy(void)
{
	mem_alloc_must_fail = NULL;
	file_cut(&file, 0, 2);
	CHECK(!mapped(va_of(0)));
	CHECK(copied->refcount > 0);
	CHECK_EQ(*(uint64_t *)page_to_virt(copied), content(0));
	return false;
}

TEST(copied_page_stays)
{
	begin();
	map(va_of(0), 2, MAP_PRIVATE, 0);
	touch(va_of(0), 1, VM_READ);
	copied = file.page[0];
	mem_alloc_must_fail = cut_below_copy;
	CHECK_EQ(vm_fault(space, va_of(0), VM_WRITE), 0);
	CHECK(!mem_alloc_must_fail);
	finish();
}

/* ---- the tree changes between a fault's lookup and its wider slot (S2) ---- */

static void unmap_neighbour(struct test_file *f, uint64_t index)
{
	on_page = NULL;
	CHECK_EQ(vm_munmap(space, va_of(3), PAGE_SIZE), 0); /* nobody to wait for */
}

TEST(neighbour_goes_before_fault_around)
{
	begin();
	file_ops.contiguous = true;
	map(va_of(0), 8, MAP_SHARED, 0);
	on_page = unmap_neighbour;
	CHECK_EQ(vm_fault(space, va_of(1), VM_READ), 0);
	CHECK(!on_page);
	CHECK(mapped(va_of(1)));
	CHECK(!mapped(va_of(3)));
	CHECK_EQ(vm_fault(space, va_of(3), VM_READ), -EFAULT);
	CHECK_EQ(vm_fault(space, va_of(5), VM_READ), 0); /* around, without a change */
	CHECK(mapped(va_of(4)));
	finish();
}

static uintptr_t huge;

static bool unmap_of_huge(void)
{
	mem_alloc_must_fail = NULL;
	CHECK_EQ(vm_munmap(space, huge + 7 * PAGE_SIZE, PAGE_SIZE), 0);
	return false;
}

TEST(neighbour_goes_before_a_huge_page)
{
	begin();
	start(MIB(256)); /* memory is plenty */
	space = vm_space_create();
	huge = BASE + GIB(1); /* no tables there: they are the first allocation */
	CHECK_EQ(vm_mmap(space, huge, HUGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, 7),
		huge);
	mem_alloc_must_fail = unmap_of_huge;
	CHECK_EQ(vm_fault(space, huge, VM_WRITE), 0);
	CHECK(!mem_alloc_must_fail);
	CHECK(mapped(huge));
	CHECK(!mapped(huge + 7 * PAGE_SIZE));
	CHECK_EQ(vm_fault(space, huge + 7 * PAGE_SIZE, VM_READ), -EFAULT);
	vm_space_put(space);
	space = NULL;
	memset(file.page, 0, sizeof(file.page)); /* of the machine before */
	finish();
}
