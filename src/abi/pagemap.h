/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/<pid>/pagemap: its words and its ioctl (Linux, Documentation/admin-guide/mm/pagemap.rst;
 * numbers of include/uapi/linux/fs.h). */
#pragma once

#include "lib/types.h"

/* Words. The page's number is in the low bits. */
#define PM_SOFT_DIRTY (1ull << 55)
#define PM_EXCLUSIVE  (1ull << 56)
#define PM_UFFD_WP    (1ull << 57)
#define PM_FILE	      (1ull << 61)
#define PM_PRESENT    (1ull << 63)

#define PAGEMAP_SCAN 0xc0606610u /* _IOWR('f', 16, struct pm_scan_arg) */

enum page_category {
	PAGE_IS_WPALLOWED = 1 << 0,
	PAGE_IS_WRITTEN = 1 << 1,
	PAGE_IS_FILE = 1 << 2,
	PAGE_IS_PRESENT = 1 << 3,
	PAGE_IS_SWAPPED = 1 << 4,
	PAGE_IS_PFNZERO = 1 << 5,
	PAGE_IS_HUGE = 1 << 6,
	PAGE_IS_SOFT_DIRTY = 1 << 7,
	PAGE_IS_GUARD = 1 << 8,
};
#define PAGE_CATEGORIES 0x1ffull

#define PM_SCAN_WP_MATCHING   (1ull << 0) /* pages found count as not written from now on */
#define PM_SCAN_CHECK_WPASYNC (1ull << 1) /* -EPERM at an area that is not watched */

struct page_region {
	uint64_t start, end; /* addresses */
	uint64_t categories;
};

struct pm_scan_arg {
	uint64_t size, flags;
	uint64_t start, end;
	uint64_t walk_end; /* out: where the scan stopped */
	uint64_t vec, vec_len;
	uint64_t max_pages; /* 0: no limit */
	/* A page is found if, after inverting those, it has all of mask and one of anyof (0: any).
	 */
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask; /* what a region tells */
};
