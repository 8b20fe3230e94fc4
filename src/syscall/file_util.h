/* SPDX-License-Identifier: BSD-2-Clause */
/* What the calls on descriptors share. */
#pragma once

#include "abi/resource.h"
#include "abi/time.h"
#include "abi/uio.h"
#include "file/file.h"
#include "process/process.h"

/* The file with a reference, or NULL: -EBADF. */
static inline struct file *get_file(int fd)
{
	return fd_get(process_current()->fds, fd);
}

/*
 * The file for the time of one call. In a process of one thread nobody else closes descriptors, and
 * that thread is busy with the call: the table's own reference serves.
 */
struct fd {
	struct file *file; /* NULL: -EBADF */
	bool counted;
};

static inline struct fd fd_borrow(int fd)
{
	struct process *p = process_current();

	/* Acquire: what a thread that is gone did to the table is seen. */
	if (likely(load_acquire(&p->task_count) == 1 && load_relaxed(&p->fds->refcount) == 1))
		return (struct fd){ fd_peek(p->fds, fd), false };
	return (struct fd){ fd_get(p->fds, fd), true };
}

static inline void fd_return(struct fd fd)
{
	if (fd.counted && fd.file)
		file_put(fd.file);
}

#define IOV_INLINE 8
struct user_iovec {
	struct iter_segment inline_segments[IOV_INLINE];
	struct iter_segment *segments; /* to be freed by user_iovec_free */
	struct iter iter;
};
/* Copies and checks an iovec array: -EINVAL (too many, or more than SSIZE_MAX), -EFAULT, -ENOMEM.
 */
int user_iovec_get(struct user_iovec *v, const struct iovec *uvec, unsigned long count);
void user_iovec_free(struct user_iovec *v);

/* A relative timeout as a deadline in monotonic ns; NULL: WAIT_FOREVER, zero: 0. -EINVAL. */
int deadline_from_timespec(const struct timespec *ts, uint64_t *deadline);

/* Puts a new file (or ERR_PTR) into the caller's table; consumes it. */
long install_file(struct file *f, bool cloexec);

/* Pipes, sockets and the like: no position. */
static inline bool file_is_stream(const struct file *f)
{
	return !f->ops->seek;
}

/*
 * RLIMIT_FSIZE for a regular file of which bytes from pos on (append: from its end on) are to be
 * written: how many of n may be, or -EFBIG (and SIGXFSZ) when not one may.
 */
ssize_t limit_file_size_slowly(struct file *f, int64_t pos, size_t n, bool append);
static inline ssize_t limit_file_size(struct file *f, int64_t pos, size_t n, bool append)
{
	if (likely(process_current()->rlimit[RLIMIT_FSIZE].soft == UINT64_MAX))
		return n;
	return limit_file_size_slowly(f, pos, n, append);
}

/* The same for a regular file of size now that is to grow to new: 0 or -EFBIG. Shrinking is free.
 */
int limit_new_size(int64_t now, int64_t new);

/* What file/ asks of the layers above it. */
void file_hooks_init(void);
