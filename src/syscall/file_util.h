/* SPDX-License-Identifier: BSD-2-Clause */
/* What the calls on descriptors share. */
#pragma once

#include "abi/time.h"
#include "abi/uio.h"
#include "file/file.h"
#include "process/process.h"

/* The file with a reference, or NULL: -EBADF. */
static inline struct file *get_file(int fd)
{
	return fd_get(process_current()->fds, fd);
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
ssize_t limit_file_size(struct file *f, int64_t pos, size_t n, bool append);

/* The same for a regular file of size now that is to grow to new: 0 or -EFBIG. Shrinking is free.
 */
int limit_new_size(int64_t now, int64_t new);

/* write(2) and friends on a pipe nobody reads: SIGPIPE goes with -EPIPE. */
long finish_write(struct file *f, ssize_t n);
