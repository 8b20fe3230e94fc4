/* SPDX-License-Identifier: BSD-2-Clause */
#include "syscall/file_util.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/stat.h"
#include "cpu/uaccess.h"
#include "file/pipe.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "sched/wait.h"
#include "vm/vm.h"

int user_iovec_get(struct user_iovec *v, const struct iovec *uvec, unsigned long count)
{
	_Static_assert(sizeof(struct iovec) == sizeof(struct iter_segment), "copied as they are");
	size_t total = 0;

	v->segments = v->inline_segments;
	if (count > IOV_MAX)
		return -EINVAL;
	if (count > IOV_INLINE) {
		v->segments = heap_alloc(count * sizeof(struct iovec));
		if (!v->segments)
			return -ENOMEM;
	}
	if (copy_from_user(v->segments, uvec, count * sizeof(struct iovec))) {
		user_iovec_free(v);
		return -EFAULT;
	}
	for (unsigned long i = 0; i < count; i++) {
		total += v->segments[i].len;
		if ((ssize_t)v->segments[i].len < 0 || (ssize_t)total < 0) {
			user_iovec_free(v);
			return -EINVAL;
		}
	}
	for (unsigned long i = 0; i < count; i++)
		if (!user_range_ok(v->segments[i].base, v->segments[i].len)) {
			user_iovec_free(v);
			return -EFAULT;
		}
	iter_init(&v->iter, v->segments, count, true);
	return 0;
}

void user_iovec_free(struct user_iovec *v)
{
	if (v->segments != v->inline_segments)
		heap_free(v->segments);
}

int deadline_from_timespec(const struct timespec *ts, uint64_t *deadline)
{
	uint64_t now = clock_now(), ns;

	if (!ts) {
		*deadline = WAIT_FOREVER;
		return 0;
	}
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (int64_t)NSEC_PER_SEC)
		return -EINVAL;
	if (!ts->tv_sec && !ts->tv_nsec) {
		*deadline = 0;
		return 0;
	}
	if ((uint64_t)ts->tv_sec > INT64_MAX / NSEC_PER_SEC - 1) {
		*deadline = WAIT_FOREVER;
		return 0;
	}
	ns = ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
	*deadline = now + ns < now ? WAIT_FOREVER : now + ns;
	return 0;
}

long install_file(struct file *f, bool cloexec)
{
	int fd;

	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(process_current()->fds, f, 0, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

static void send_sigpipe(void)
{
	signal_send_task(task_current(), SIGPIPE, NULL);
}

static int pin_pages(uintptr_t addr, size_t len, struct page **pages, unsigned max)
{
	return vm_pin(vm_current(), addr, len, pages, max);
}

void file_hooks_init(void)
{
	pipe_sigpipe = send_sigpipe;
	pieces_pin_pages = pin_pages;
}

static uint64_t size_limit(void)
{
	return process_current()->rlimit[RLIMIT_FSIZE].soft;
}

static int over_limit(void)
{
	signal_send_task(task_current(), SIGXFSZ, NULL);
	return -EFBIG;
}

ssize_t limit_file_size_slowly(struct file *f, int64_t pos, size_t n, bool append)
{
	uint64_t limit = size_limit();
	struct stat st;

	if (!n || file_is_stream(f))
		return n;
	if (!f->ops->stat || f->ops->stat(f, &st) || !S_ISREG(st.st_mode))
		return n;
	if (append)
		pos = st.st_size;
	return (uint64_t)pos < limit ? (ssize_t)MIN(n, limit - (uint64_t)pos) : over_limit();
}

int limit_new_size(int64_t now, int64_t new)
{
	return new > now && (uint64_t) new > size_limit() ? over_limit() : 0;
}
