/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces against a naive model: one record per page, random calls, every byte compared. */
/* sources: $(HOST_VM) */
#include "vm_window.h"

/* ---- the model ---- */

enum kind { NONE, ANON, PRIVATE_FILE, SHARED_FILE, SHARED_ANON };
#define SHM_COUNT 400

struct record {
	enum kind kind;
	int prot;
	unsigned object; /* SHARED_ANON: which one */
	uint64_t index;	 /* page of the object */
	bool copied;	 /* PRIVATE_FILE */
	uint64_t value;	 /* ANON, or the copy */
};
static struct record model[WINDOW];
static uint64_t file_value[FILE_PAGES];
static uint64_t shm_value[SHM_COUNT][64];
static unsigned shm_next;

static uint64_t *model_value(struct record *r, bool write)
{
	switch (r->kind) {
	case SHARED_FILE: return &file_value[r->index];
	case SHARED_ANON: return &shm_value[r->object][r->index];
	case PRIVATE_FILE:
		if (write && !r->copied) {
			r->copied = true;
			r->value = file_value[r->index];
		}
		return r->copied ? &r->value : &file_value[r->index];
	default: return &r->value;
	}
}

static void check_access(unsigned page, bool write, uint64_t value)
{
	struct record *r = &model[page];
	uint64_t got = value;
	int err = access_word(space, va_of(page) + 8, write, &got);
	if (r->kind == NONE) {
		CHECK_EQ(err, -EFAULT);
	} else if (!(r->prot & (write ? PROT_WRITE : 7))) {
		CHECK_EQ(err, -EACCES);
	} else {
		CHECK_EQ(err, 0);
		if (write)
			*model_value(r, true) = value;
		else
			CHECK_EQ(got, *model_value(r, false));
	}
}

/* The tree is ordered, its summaries are right, and it shows exactly the model. */
static void check_tree(void)
{
	uintptr_t end = 0;
	uint64_t pages = 0;
	unsigned count = 0;
	for (struct rb_node *n = rb_first(&space->areas); n; n = rb_next(n)) {
		struct vma *v = rb_entry(n, struct vma, node);
		CHECK(v->start < v->end && v->start >= end);
		CHECK_EQ(v->gap, vma_guard_start(v) > end ? vma_guard_start(v) - end : 0);
		for (uintptr_t at = v->start; at < v->end; at += PAGE_SIZE) {
			struct record *r = &model[(at - BASE) / PAGE_SIZE];
			REQUIRE((at - BASE) / PAGE_SIZE < WINDOW);
			CHECK(r->kind != NONE && r->prot == v->prot);
			CHECK((v->backing == &file.b) ==
				(r->kind == PRIVATE_FILE || r->kind == SHARED_FILE));
			if (v->backing)
				CHECK_EQ(r->index, (v->offset + at - v->start) / PAGE_SIZE);
		}
		pages += (v->end - v->start) / PAGE_SIZE;
		end = v->end;
		count++;
	}
	uint64_t expected = 0;
	for (unsigned i = 0; i < WINDOW; i++)
		expected += model[i].kind != NONE;
	CHECK_EQ(pages, expected);
	CHECK_EQ(pages, space->total);
	CHECK_EQ(count, space->area_count);
	check_subtree(space->areas.root);
}

static int random_prot(unsigned long r)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC };
	return prots[r % 6];
}

static void do_mmap(unsigned first, unsigned n, unsigned long r)
{
	enum kind kind = 1 + r % 4;
	int prot = random_prot(r >> 8), flags = MAP_FIXED;
	struct vm_backing *b = NULL;
	uint64_t index = 0;
	if (kind == SHARED_ANON && (shm_next == SHM_COUNT || n > 64))
		kind = ANON;
	if ((kind == PRIVATE_FILE || kind == SHARED_FILE) && n > FILE_PAGES)
		kind = ANON;
	if (kind == PRIVATE_FILE || kind == SHARED_FILE) {
		b = &file.b;
		index = (r >> 16) % (FILE_PAGES - n + 1);
	} else {
		flags |= MAP_ANONYMOUS;
	}
	flags |= kind == SHARED_FILE || kind == SHARED_ANON ? MAP_SHARED : MAP_PRIVATE;
	if (r >> 40 & 1)
		flags |= MAP_POPULATE;
	intptr_t at =
		vm_mmap(space, va_of(first), n * PAGE_SIZE, prot, flags, b, index * PAGE_SIZE, 7);
	CHECK_EQ(at, va_of(first));
	for (unsigned i = 0; i < n; i++) {
		struct record *m = &model[first + i];
		*m = (struct record){ kind, prot, shm_next, index + i, false, 0 };
		/* populating a writable private mapping copies at once, as on Linux */
		if (kind == PRIVATE_FILE && (flags & MAP_POPULATE) && (prot & PROT_WRITE))
			(void)model_value(m, true);
	}
	if (kind == SHARED_ANON)
		shm_next++;
}

static void do_protect(unsigned first, unsigned n, unsigned long r)
{
	int prot = random_prot(r), expected = 0;
	unsigned i;
	for (i = 0; i < n && model[first + i].kind != NONE; i++)
		model[first + i].prot = prot;
	if (i < n)
		expected = -ENOMEM;
	CHECK_EQ(vm_mprotect(space, va_of(first), n * PAGE_SIZE, prot), expected);
}

static void do_dont_need(unsigned first, unsigned n)
{
	bool hole = false;
	for (unsigned i = 0; i < n; i++) {
		struct record *r = &model[first + i];
		hole |= r->kind == NONE;
		r->copied = false;
		if (r->kind == ANON)
			r->value = 0;
	}
	CHECK_EQ(vm_madvise(space, va_of(first), n * PAGE_SIZE, MADV_DONTNEED), hole ? -ENOMEM : 0);
}

static void do_remap(unsigned first, unsigned n, unsigned to, unsigned long r)
{
	struct record moved[WINDOW];
	bool keep = r & 1;
	if (to + n > WINDOW || (to < first + n && first < to + n))
		return;
	/* one area: the same kind, prot and object in a row */
	struct vma *v = vma_find(space, va_of(first));
	if (!v || v->start > va_of(first) || v->end < va_of(first + n)) {
		return;
	}
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0);
	intptr_t at =
		vm_mremap(space, va_of(first), n * PAGE_SIZE, n * PAGE_SIZE, flags, va_of(to));
	CHECK_EQ(at, va_of(to));
	memcpy(moved, &model[first], n * sizeof(moved[0]));
	for (unsigned i = 0; i < n; i++) {
		if (keep) {
			model[first + i].copied = false;
			if (moved[i].kind == ANON)
				model[first + i].value = 0;
		} else {
			model[first + i] = (struct record){ 0 };
		}
	}
	memcpy(&model[to], moved, n * sizeof(moved[0]));
}

/* The file is cut and grows again: private copies of what was cut go as well. */
static void do_truncate(unsigned size)
{
	file_truncate(&file, size);
	for (unsigned page = 0; page < WINDOW; page++) {
		struct record *r = &model[page];
		if (r->kind == PRIVATE_FILE && r->index >= size)
			r->copied = false;
		if ((r->kind == PRIVATE_FILE || r->kind == SHARED_FILE) && r->index >= size &&
			r->prot & PROT_READ && page % 64 == 0) {
			uint64_t word;
			CHECK_EQ(access_word(space, va_of(page), false, &word), -EIO);
		}
	}
	file_extend(&file);
	memset(&file_value[size], 0, (FILE_PAGES - size) * sizeof(file_value[0]));
}

static void random_calls(unsigned long seed, int calls)
{
	for (int i = 0; i < calls && atomic_load(&t_failures) == 0; i++) {
		unsigned long r = t_random(&seed), q = t_random(&seed);
		unsigned n = 1 + (q % 4 ? (q >> 4) % 20 : (q >> 4) % 1200);
		unsigned first = (q >> 20) % (WINDOW - n);
		switch (r % 32) {
		case 0 ... 4: do_mmap(first, n, r >> 8); break;
		case 5 ... 7:
			CHECK_EQ(vm_munmap(space, va_of(first), n * PAGE_SIZE), 0);
			memset(&model[first], 0, n * sizeof(model[0]));
			break;
		case 8 ... 11: do_protect(first, n, r >> 8); break;
		case 12: do_dont_need(first, n); break;
		case 13: do_remap(first, n, (r >> 30) % WINDOW, r >> 8); break;
		case 14: /* the file's pages go and read as zero */
			n = (q >> 40) % 200;
			first = (r >> 30) % (FILE_PAGES - n);
			file_cut(&file, first, first + n);
			memset(&file_value[first], 0, n * sizeof(file_value[0]));
			break;
		case 15: do_truncate((r >> 30) % FILE_PAGES); break;
		default:
			for (unsigned k = 0; k < 1 + n / 8; k++)
				check_access(first + k * 7 % n, t_random(&seed) & 1, r + k);
		}
		if (i % 16 == 0)
			check_tree();
	}
	for (unsigned page = 0; page < WINDOW; page++)
		check_access(page, false, 0);
	check_tree();
}

static void model_start(uint64_t memory)
{
	window_start(memory);
	memset(model, 0, sizeof(model));
	memset(file_value, 0, sizeof(file_value));
	memset(shm_value, 0, sizeof(shm_value));
	shm_next = 0;
}

TEST(random_against_model)
{
	for (unsigned long seed = 1; seed <= 20; seed++) {
		model_start(seed % 3 ? MIB(256) : MIB(48));
		uint64_t free = page_stats().free, heap = heap_bytes_in_use();
		space = vm_space_create();
		REQUIRE(space);
		space->areas.update = vma_update;
		random_calls(seed, 1500);
		vm_space_put(space);
		CHECK_EQ(file.refs, 0);
		file_cut(&file, 0, FILE_PAGES);
		grace_period();
		CHECK_EQ(heap_bytes_in_use(), heap);
		CHECK(free - page_stats().free < 60); /* empty slabs that the heap keeps */
		if (atomic_load(&t_failures)) {
			fprintf(stderr, "seed %lu\n", seed);
			break;
		}
	}
}

/* ---- single things ---- */

TEST(placement)
{
	model_start(MIB(64));
	space = vm_space_create();
	intptr_t last = INTPTR_MAX, at[100];
	for (int i = 0; i < 100; i++) { /* top down, no room lost, all one area */
		at[i] = vm_mmap(space, 0, PAGE_SIZE * 3, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			NULL, 0, 7);
		CHECK(at[i] > 0 && at[i] < last);
		CHECK(i == 0 || at[i] == last - (intptr_t)PAGE_SIZE * 3);
		last = at[i];
	}
	CHECK_EQ(space->area_count, 1);
	for (int i = 1; i < 100; i += 2) /* holes are used again */
		CHECK_EQ(vm_munmap(space, at[i], PAGE_SIZE * 3), 0);
	CHECK_EQ(space->area_count, 50);
	for (int i = 1; i < 100; i += 2) {
		intptr_t a = vm_mmap(space, 0, PAGE_SIZE * 3, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, 7);
		CHECK_EQ(a, at[i]);
	}
	CHECK_EQ(space->area_count, 1);
	CHECK_EQ(vm_mmap(space, at[5] + 1, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 NULL, 0, 7),
		-EINVAL);
	CHECK_EQ(vm_mmap(space, at[5], 1, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, NULL, 0, 7),
		-EEXIST);
	CHECK_EQ(vm_mmap(space, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, 7), -EINVAL);
	CHECK_EQ(vm_mmap(space, 0, 1ul << 48, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, 7),
		-ENOMEM);
	CHECK_EQ(vm_mmap(space, 0, SIZE_MAX, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, 7),
		-ENOMEM);
	CHECK_EQ(vm_mmap(space, 0, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0,
			 7),
		-EPERM);
	intptr_t low = vm_mmap(space, 0, PAGE_SIZE, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, NULL, 0, 7);
	CHECK(low > 0 && low < 0x80000000l);
	intptr_t huge = vm_mmap(
		space, 0, MIB(5), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, 7);
	CHECK_EQ(huge % HUGE_SIZE, 0);
	vm_space_put(space);
}

TEST(stack_grows)
{
	model_start(MIB(64));
	space = vm_space_create();
	uintptr_t top = 0x7ffff0000000;
	uint64_t word = 1;
	vm_set_limits(space, UINT64_MAX, UINT64_MAX, MIB(8));
	CHECK_EQ(vm_mmap(space, top - PAGE_SIZE * 2, PAGE_SIZE * 2, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, NULL, 0, 7),
		top - PAGE_SIZE * 2);
	CHECK_EQ(access_word(space, top - MIB(1), true, &word), 0);
	CHECK_EQ(access_word(space, top - MIB(9), true, &word), -EFAULT);
	/* a neighbour below keeps the guard gap */
	CHECK(vm_mmap(space, top - MIB(4), PAGE_SIZE, PROT_READ,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, 7) > 0);
	CHECK_EQ(access_word(space, top - MIB(3) + PAGE_SIZE, true, &word), 0);
	CHECK_EQ(access_word(space, top - MIB(3), true, &word), -EFAULT);
	vm_space_put(space);
}

TEST(brk)
{
	model_start(MIB(64));
	space = vm_space_create();
	uint64_t word = 7;
	vm_set_brk_start(space, 0x600000);
	CHECK_EQ(vm_brk(space, 0), 0x600000);
	CHECK_EQ(vm_brk(space, 0x601234), 0x601234);
	CHECK_EQ(access_word(space, 0x601ff8, true, &word), 0);
	CHECK_EQ(vm_brk(space, 0x5ff000), 0x601234);
	CHECK_EQ(vm_brk(space, 0x640000), 0x640000);
	CHECK_EQ(space->area_count, 1);
	CHECK_EQ(vm_brk(space, 0x600000), 0x600000);
	CHECK_EQ(access_word(space, 0x601ff8, false, &word), -EFAULT);
	CHECK_EQ(vm_brk(space, 0x601000), 0x601000);
	CHECK_EQ(access_word(space, 0x600ff8, false, &word), 0);
	CHECK_EQ(word, 0);
	vm_space_put(space);
}

TEST(dirty_scan)
{
	model_start(MIB(256));
	space = vm_space_create();
	uint64_t bits[32], word = 1;
	int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	uintptr_t huge = ALIGN_UP(BASE, HUGE_SIZE), small = huge + MIB(4);
	CHECK(vm_mmap(space, huge, MIB(4), rw, flags, NULL, 0, 7) > 0);
	CHECK(vm_mmap(space, small, MIB(1), rw, flags | MAP_STACK, NULL, 0, 7) > 0);
	CHECK_EQ(access_word(space, small + 5 * PAGE_SIZE, true, &word), 0);
	CHECK_EQ(access_word(space, small + 6 * PAGE_SIZE, false, &word), 0);
	CHECK_EQ(vm_dirty_scan(space, small, MIB(1), bits, false), 1);
	CHECK_EQ(vm_dirty_scan(space, small, MIB(1), bits, true), 1);
	CHECK_EQ(bits[0], 1ull << 5);
	CHECK_EQ(vm_dirty_scan(space, small, MIB(1), bits, true), 0);
	CHECK_EQ(access_word(space, small + 5 * PAGE_SIZE, true, &word), 0);
	CHECK_EQ(vm_mprotect(space, small, MIB(1), PROT_READ), 0); /* keeps what is known */
	CHECK_EQ(vm_dirty_scan(space, small, MIB(1), NULL, true), 1);
	/* a 2 MiB page is one, until a bound cuts it */
	CHECK_EQ(access_word(space, huge, true, &word), 0);
	CHECK_EQ(vm_dirty_scan(space, huge, MIB(4), bits, true), 512);
	CHECK_EQ(vm_dirty_scan(space, huge, MIB(4), bits, true), 0);
	CHECK_EQ(access_word(space, huge, true, &word), 0);
	CHECK_EQ(vm_dirty_scan(space, huge + PAGE_SIZE, PAGE_SIZE, bits, true), 1);
	CHECK_EQ(vm_dirty_scan(space, huge, MIB(4), bits, true), 511);
	CHECK_EQ(access_word(space, huge + 7 * PAGE_SIZE, true, &word), 0);
	CHECK_EQ(vm_dirty_scan(space, huge, MIB(2), bits, true), 1);
	CHECK_EQ(vm_dirty_scan(space, huge + 1, MIB(2), bits, true), -EINVAL);
	vm_space_put(space);
}

/* ---- PAGEMAP_SCAN against one flag per page ---- */

#define SCAN_PAGES 1536u /* two blocks that may be huge, one that may not */
static bool scan_written[SCAN_PAGES];
static uintptr_t scan_base;

static uintptr_t scan_va(unsigned page)
{
	return scan_base + page * PAGE_SIZE;
}

static void scan_access(unsigned page, bool write)
{
	uint64_t word = 1;
	unsigned level = 1, n = 1;
	bool new = pagetable_leaf(&space->pt, scan_va(page), &level) == NULL;
	CHECK_EQ(access_word(space, scan_va(page), write, &word), 0);
	(void)pagetable_leaf(&space->pt, scan_va(page), &level);
	if (level == 2) {
		page &= ~511u;
		n = 512;
	}
	if (write || new)
		memset(&scan_written[page], 1, n);
}

static void scan_check(unsigned from, unsigned to, uint64_t vec_len, uint64_t max, bool clear)
{
	struct page_region v[24];
	struct pm_scan_arg a = { .flags = clear ? PM_SCAN_WP_MATCHING : 0,
		.start = scan_va(from),
		.end = scan_va(to),
		.vec = (uintptr_t)v,
		.vec_len = vec_len,
		.max_pages = max,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN };
	long n = vm_pagemap_scan(space, &a);
	unsigned stop = (a.walk_end - scan_base) >> PAGE_SHIFT, at = from;
	uint64_t found = 0;
	CHECK(n >= 0 && (uint64_t)n <= vec_len);
	CHECK(stop >= from && stop <= to);
	for (long i = 0; i < n; i++) {
		unsigned first = (v[i].start - scan_base) >> PAGE_SHIFT;
		unsigned last = (v[i].end - scan_base) >> PAGE_SHIFT;
		CHECK_EQ(v[i].categories, PAGE_IS_WRITTEN);
		CHECK(first < last && (i == 0 || v[i - 1].end < v[i].start));
		for (; at < first; at++)
			CHECK(!scan_written[at]);
		for (; at < last; at++)
			CHECK(scan_written[at]);
		found += last - first;
	}
	for (; vec_len && at < stop; at++)
		CHECK(!scan_written[at]);
	/* It stopped early only where it had to. */
	CHECK(!max || !vec_len || found <= max);
	CHECK(stop == to || (max && found == max) || (uint64_t)n == vec_len);
	CHECK(stop == to || scan_written[stop]);
	if (clear)
		memset(&scan_written[from], 0, stop - from);
}

static void scan_step_at_random(unsigned long r)
{
	unsigned from = (r >> 20) % SCAN_PAGES, n = 1 + (r >> 34) % 700;
	unsigned to = MIN(from + n, SCAN_PAGES);
	size_t len = (to - from) * PAGE_SIZE;
	bool way = r >> 60 & 1;
	switch (r % 16) {
	case 0: scan_check(from, to, r >> 50 & 15, 0, way); break;
	case 1: scan_check(from, to, 1 + (r >> 50 & 15), 1 + (r >> 54) % 600, way); break;
	case 2:
		CHECK_EQ(vm_watch_protect(space, scan_va(from), scan_va(to), way), 0);
		memset(&scan_written[from], !way, to - from);
		break;
	case 3:
		if (r >> 50 & 7)
			break;
		CHECK_EQ(vm_madvise(space, scan_va(from), len, MADV_DONTNEED), 0);
		memset(&scan_written[from], 1, to - from);
		break;
	case 4: CHECK(vm_dirty_scan(space, scan_va(from), len, NULL, true) >= 0); break;
	case 5: CHECK_EQ(vm_clear_refs(space, 4), 0); break;
	case 6:
		CHECK_EQ(vm_mprotect(space, scan_va(from), len, PROT_READ), 0);
		CHECK_EQ(vm_mprotect(space, scan_va(from), len, PROT_READ | PROT_WRITE), 0);
		break;
	default: scan_access(from, r >> 50 & 3);
	}
}

TEST(pagemap_scan)
{
	unsigned long seed = 11;
	int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, me, other;
	model_start(MIB(256));
	uint64_t heap = heap_bytes_in_use();
	space = vm_space_create();
	scan_base = ALIGN_UP(BASE, HUGE_SIZE);
	CHECK(vm_mmap(space, scan_base, MIB(4), rw, flags, NULL, 0, 7) > 0);
	CHECK(vm_mmap(space, scan_va(1024), MIB(2), rw, flags | MAP_STACK, NULL, 0, 7) > 0);
	CHECK_EQ(vm_watch_protect(space, scan_base, scan_va(1), true), -ENOENT);
	CHECK_EQ(vm_watch(space, scan_va(1536), scan_va(1537), &me), -EINVAL);
	CHECK_EQ(vm_watch(space, scan_base, scan_va(700), &me), 0);
	CHECK_EQ(vm_watch(space, scan_va(600), scan_va(SCAN_PAGES), &other), -EBUSY);
	CHECK_EQ(vm_unwatch(space, scan_va(600), scan_va(700), &other), -EINVAL);
	CHECK_EQ(vm_watch(space, scan_va(600), scan_va(SCAN_PAGES), &me), 0);
	memset(scan_written, 1, sizeof(scan_written)); /* what is absent */
	for (int i = 0; i < 20000; i++)
		scan_step_at_random(t_random(&seed));
	CHECK_EQ(vm_watch_protect(space, scan_base, scan_va(SCAN_PAGES), true), 0);
	vm_unwatch_all(space, &me);
	memset(scan_written, 1, sizeof(scan_written));
	scan_check(0, SCAN_PAGES, 24, 0, false);
	CHECK_EQ(vm_watch(space, scan_base, scan_va(SCAN_PAGES), &other), 0);
	vm_space_put(space);
	CHECK_EQ(heap_bytes_in_use(), heap);
}

/* A TLB may still hold the leaf as dirty that another call has just cleaned. */
TEST(scans_flush_what_others_cleaned)
{
	int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, me;
	uint64_t word = 1;
	model_start(MIB(256));
	space = vm_space_create();
	CHECK(vm_mmap(space, BASE, PAGE_SIZE, rw, flags, NULL, 0, 7) > 0);
	CHECK_EQ(vm_watch(space, BASE, BASE + PAGE_SIZE, &me), 0);
	CHECK_EQ(access_word(space, BASE, true, &word), 0);
	CHECK_EQ(vm_clear_refs(space, 4), 0);
	flushes = 0;
	CHECK_EQ(vm_dirty_scan(space, BASE, PAGE_SIZE, NULL, true), 1);
	CHECK_EQ(flushes, 1);
	CHECK_EQ(vm_watch_protect(space, BASE, BASE + PAGE_SIZE, true), 0);
	CHECK_EQ(flushes, 2);
	CHECK_EQ(vm_clear_refs(space, 4), 0);
	CHECK_EQ(flushes, 3);
	CHECK_EQ(vm_dirty_scan(space, BASE, PAGE_SIZE, NULL, true), 0);
	CHECK_EQ(flushes, 3); /* nothing is cleared, nothing is reported */
	vm_space_put(space);
}

/* ---- no memory ---- */

static void scenario(void)
{
	uint64_t word = 5;
	space = vm_space_create();
	if (!space)
		return;
	for (unsigned i = 0; i < 6; i++) {
		int flags = MAP_FIXED | (i & 1 ? MAP_SHARED : MAP_PRIVATE) |
			    (i < 4 ? MAP_ANONYMOUS : 0);
		(void)vm_mmap(space, va_of(i * 600), MIB(2), PROT_READ | PROT_WRITE, flags,
			i < 4 ? NULL : &file.b, 0, 7);
		for (unsigned k = 0; k < 512; k += 100)
			(void)access_word(space, va_of(i * 600 + k), k % 200, &word);
	}
	(void)vm_munmap(space, va_of(100), PAGE_SIZE * 7);
	(void)vm_mprotect(space, va_of(620), PAGE_SIZE * 7, PROT_READ);
	(void)vm_mremap(
		space, va_of(1200), MIB(1), MIB(1), MREMAP_MAYMOVE | MREMAP_FIXED, va_of(5000));
	(void)vm_mremap(space, va_of(2400), PAGE_SIZE, MIB(3), MREMAP_MAYMOVE, 0);
	(void)vm_madvise(space, va_of(1801), PAGE_SIZE * 9, MADV_DONTNEED);
	(void)vm_watch(space, va_of(150), va_of(400), &space);
	(void)vm_watch_protect(space, va_of(200), va_of(300), true);
	(void)vm_unwatch(space, va_of(250), va_of(260), &space);
	mem_alloc_must_fail = NULL; /* the end needs nothing */
	vm_unwatch_all(space, &space);
	vm_space_put(space);
	file_cut(&file, 0, FILE_PAGES);
	CHECK_EQ(file.refs, 0);
	grace_period();
}

TEST(each_allocation_fails)
{
	model_start(MIB(256));
	uint64_t heap = heap_bytes_in_use();
	T_EACH_ALLOC_FAILS({
		mem_alloc_must_fail = t_alloc_must_fail;
		scenario();
		mem_alloc_must_fail = NULL;
		grace_period();
		CHECK_EQ(heap_bytes_in_use(), heap);
	});
}
