/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_PAGEMAP_SCAN_H
#define TEST_GUEST_PAGEMAP_SCAN_H
/* PAGEMAP_SCAN and what it needs of userfaultfd, for C libraries older than they are. */
#include "t.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

struct region {
	uint64_t start, end, categories;
};
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof, give;
};
#define SCAN	    _IOWR('f', 16, struct scan_arg)
#define SCAN_WP	    1 /* flags */
#define SCAN_CHECK  2
#define IS_ALLOWED  1 /* categories */
#define IS_WRITTEN  2
#define IS_FILE	    4
#define IS_PRESENT  8
#define IS_SWAPPED  16
#define IS_PFNZERO  32
#define IS_HUGE	    64
#define UNPOPULATED (1ull << 13) /* features of userfaultfd */
#define ASYNC	    (1ull << 15)

/* A descriptor that may watch writes. */
static inline int scan_watcher(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = ASYNC | UNPOPULATED };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	NEED(fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0);
	return fd;
}

static inline int scan_watch(int fd, void *start, size_t len)
{
	struct uffdio_register r = { { (uintptr_t)start, len }, UFFDIO_REGISTER_MODE_WP, 0 };
	return ioctl(fd, UFFDIO_REGISTER, &r);
}

static inline int scan_protect(int fd, void *start, size_t len, int mode)
{
	struct uffdio_writeprotect w = { { (uintptr_t)start, len }, mode };
	return ioctl(fd, UFFDIO_WRITEPROTECT, &w);
}
#endif
