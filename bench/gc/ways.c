/* SPDX-License-Identifier: BSD-2-Clause */
/* How a collector may learn where the mutators wrote. See gc.h. */
#include "gc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../include/skiff.h"

static bool always(void)
{
	return true;
}
static void nothing(void)
{
}

/* ---- not at all: the whole old generation is looked at ---- */

static void walk_ask(void)
{
	gc_wrote(gc_heap.old, gc_heap.old + gc_heap.old_size);
}

/* ---- cards ---- */

static void card_ask(void)
{
	uint64_t *words = (uint64_t *)gc_heap.cards;

	for (size_t w = 0; w < gc_heap.old_size / GC_CARD / 8; w++) {
		if (!words[w])
			continue;
		for (size_t i = w * 8; i < w * 8 + 8; i++)
			if (gc_heap.cards[i])
				gc_wrote(
					gc_heap.old + i * GC_CARD, gc_heap.old + (i + 1) * GC_CARD);
		words[w] = 0;
	}
}

/* ---- dirty bits, Skiff's own call ---- */

static uint64_t *bits;

static bool dirty_begin(void)
{
	bits = calloc(gc_heap.old_size / GC_PAGE / 64 + 1, sizeof(*bits));
	return skiff_dirty_scan(gc_heap.old, GC_PAGE, NULL, 0) >= 0;
}

static void dirty_ask(void)
{
	if (skiff_dirty_scan(gc_heap.old, gc_heap.old_size, bits, SKIFF_DIRTY_CLEAR) < 0)
		gc_die("skiff_dirty_scan");
	for (size_t w = 0; w < gc_heap.old_size / GC_PAGE / 64; w++)
		for (uint64_t left = bits[w]; left; left &= left - 1) {
			char *page = gc_heap.old + (w * 64 + __builtin_ctzll(left)) * GC_PAGE;

			gc_wrote(page, page + GC_PAGE);
		}
}

static void dirty_end(void)
{
	free(bits);
}

/* ---- PAGEMAP_SCAN, Linux 6.7 and Skiff ---- */

struct pm_region {
	uint64_t start, end, categories;
};
struct pm_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PM_SCAN		 _IOWR('f', 16, struct pm_scan)
#define PM_WP_AND_CHECK	 3
#define PM_WRITTEN	 2
#define UFFD_UNPOPULATED (1ull << 13)
#define UFFD_ASYNC	 (1ull << 15)

static int pagemap = -1, watcher = -1, clear_refs = -1;

static void close_all(void)
{
	close(pagemap);
	close(watcher);
	close(clear_refs);
	pagemap = watcher = clear_refs = -1;
}

static bool scan_begin(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_ASYNC | UFFD_UNPOPULATED };
	struct uffdio_register all = { { (uintptr_t)gc_heap.old, gc_heap.old_size },
		UFFDIO_REGISTER_MODE_WP, 0 };

	pagemap = open("/proc/self/pagemap", O_RDONLY);
	watcher = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (pagemap >= 0 && watcher >= 0 && ioctl(watcher, UFFDIO_API, &api) == 0 &&
		ioctl(watcher, UFFDIO_REGISTER, &all) == 0)
		return true;
	close_all();
	return false;
}

static void scan_ask(void)
{
	static struct pm_region found[512];
	struct pm_scan a = { .size = sizeof(a),
		.flags = PM_WP_AND_CHECK,
		.start = (uintptr_t)gc_heap.old,
		.end = (uintptr_t)gc_heap.old + gc_heap.old_size,
		.vec = (uintptr_t)found,
		.vec_len = 512,
		.category_mask = PM_WRITTEN,
		.return_mask = PM_WRITTEN };

	for (; a.start < a.end; a.start = a.walk_end) {
		long n = ioctl(pagemap, PM_SCAN, &a);

		if (n < 0)
			gc_die("PAGEMAP_SCAN");
		for (long i = 0; i < n; i++)
			gc_wrote((char *)found[i].start, (char *)found[i].end);
	}
}

/* ---- soft-dirty, Linux 3.11 and Skiff: of the whole process at once ---- */

#define SOFT_DIRTY (1ull << 55)

static uint64_t *words;

static uint64_t soft_word(void *p)
{
	uint64_t word = 0;

	if (pread(pagemap, &word, 8, (uintptr_t)p / GC_PAGE * 8) != 8)
		gc_die("pagemap");
	return word;
}

static void soft_clear(void)
{
	if (write(clear_refs, "4", 1) != 1)
		gc_die("clear_refs");
}

/* Not every Linux is built with it: there nothing ever is. */
static bool soft_begin(void)
{
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	clear_refs = open("/proc/self/clear_refs", O_WRONLY);
	if (pagemap < 0 || clear_refs < 0)
		goto no;
	soft_clear();
	*(volatile char *)gc_heap.old = 0;
	if (!(soft_word(gc_heap.old) & SOFT_DIRTY))
		goto no;
	words = malloc(gc_heap.old_size / GC_PAGE * 8);
	return true;
no:
	close_all();
	return false;
}

static void soft_ask(void)
{
	size_t pages = gc_heap.old_size / GC_PAGE;

	if (pread(pagemap, words, pages * 8, (uintptr_t)gc_heap.old / GC_PAGE * 8) !=
		(ssize_t)(pages * 8))
		gc_die("pagemap");
	soft_clear();
	for (size_t i = 0; i < pages; i++)
		if (words[i] & SOFT_DIRTY)
			gc_wrote(gc_heap.old + i * GC_PAGE, gc_heap.old + (i + 1) * GC_PAGE);
}

static void soft_end(void)
{
	free(words);
	close_all();
}

const struct way gc_ways[] = {
	{ "walk", "no barrier: look at every old object", false, false, always, walk_ask, nothing },
	{ "card", "the barrier marks a card at each store", true, false, always, card_ask,
		nothing },
	{ "dirty", "dirty bits: skiff_dirty_scan", false, true, dirty_begin, dirty_ask, dirty_end },
	{ "scan", "dirty bits or faults: PAGEMAP_SCAN", false, true, scan_begin, scan_ask,
		close_all },
	{ "soft", "dirty bits or faults: clear_refs and pagemap", false, true, soft_begin, soft_ask,
		soft_end },
	{ 0 },
};
