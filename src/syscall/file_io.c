/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing through descriptors. */

#include "abi/fcntl.h"
#include "cpu/uaccess.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

/* The handlers of a single buffer have a path of their own: they are what programs call most. */

static long write_to(struct file *f, struct iter *it)
{
	ssize_t n = limit_file_size(f, f->pos, it->left, f->flags & O_APPEND);

	if (unlikely(n < 0))
		return n;
	iter_truncate(it, n);
	return file_write(f, it);
}

static long pwrite_to(struct file *f, struct iter *it, int64_t pos)
{
	ssize_t n = limit_file_size(f, pos, it->left, f->flags & O_APPEND);

	if (unlikely(n < 0))
		return n;
	iter_truncate(it, n);
	return file_pwrite(f, it, pos);
}

/* Linux looks at the descriptor, and at how it was opened, before the buffer. */
static long bad_buffer(bool opened_for_it)
{
	return opened_for_it ? -EFAULT : -EBADF;
}

SYSCALL_DEFINE3(read, int, fd, void *, buf, size_t, n)
{
	struct fd f = fd_borrow(fd);
	struct iter it;
	long r;

	if (unlikely(!f.file))
		return -EBADF;
	if (likely(user_range_ok(buf, n))) {
		iter_init_one(&it, buf, n, true);
		r = file_read(f.file, &it);
	} else {
		r = bad_buffer(file_readable(f.file));
	}
	fd_return(f);
	return r;
}

SYSCALL_DEFINE3(write, int, fd, void *, buf, size_t, n)
{
	struct fd f = fd_borrow(fd);
	struct iter it;
	long r;

	if (unlikely(!f.file))
		return -EBADF;
	if (likely(user_range_ok(buf, n))) {
		iter_init_one(&it, buf, n, true);
		r = write_to(f.file, &it);
	} else {
		r = bad_buffer(file_writable(f.file));
	}
	fd_return(f);
	return r;
}

SYSCALL_DEFINE4(pread64, int, fd, void *, buf, size_t, n, int64_t, pos)
{
	struct fd f = fd_borrow(fd);
	struct iter it;
	long r;

	if (unlikely(!f.file))
		return -EBADF;
	if (likely(user_range_ok(buf, n))) {
		iter_init_one(&it, buf, n, true);
		r = file_pread(f.file, &it, pos);
	} else {
		r = bad_buffer(file_readable(f.file));
	}
	fd_return(f);
	return r;
}

SYSCALL_DEFINE4(pwrite64, int, fd, void *, buf, size_t, n, int64_t, pos)
{
	struct fd f = fd_borrow(fd);
	struct iter it;
	long r;

	if (unlikely(!f.file))
		return -EBADF;
	if (likely(user_range_ok(buf, n))) {
		iter_init_one(&it, buf, n, true);
		r = pwrite_to(f.file, &it, pos);
	} else {
		r = bad_buffer(file_writable(f.file));
	}
	fd_return(f);
	return r;
}

static long transfer_vector(
	int fd, const struct iovec *uvec, unsigned long count, int64_t pos, bool at_pos, bool write)
{
	struct fd f = fd_borrow(fd);
	struct user_iovec v;
	long n;

	if (!f.file)
		return -EBADF;
	n = user_iovec_get(&v, uvec, count);
	if (!n) {
		if (write)
			n = at_pos ? pwrite_to(f.file, &v.iter, pos) : write_to(f.file, &v.iter);
		else
			n = at_pos ? file_pread(f.file, &v.iter, pos) : file_read(f.file, &v.iter);
		user_iovec_free(&v);
	}
	fd_return(f);
	return n;
}

SYSCALL_DEFINE3(readv, int, fd, const struct iovec *, vec, unsigned long, count)
{
	return transfer_vector(fd, vec, count, 0, false, false);
}

SYSCALL_DEFINE3(writev, int, fd, const struct iovec *, vec, unsigned long, count)
{
	return transfer_vector(fd, vec, count, 0, false, true);
}

SYSCALL_DEFINE4(preadv, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos)
{
	return transfer_vector(fd, vec, count, pos, true, false);
}

SYSCALL_DEFINE4(pwritev, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos)
{
	return transfer_vector(fd, vec, count, pos, true, true);
}

/* RWF_HIPRI, RWF_DSYNC and RWF_SYNC ask for no less than what memory-backed files do anyway. */
static long transfer_vector2(
	int fd, const struct iovec *vec, unsigned long count, int64_t pos, int flags, bool write)
{
	if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	return transfer_vector(fd, vec, count, pos, pos != -1, write);
}

SYSCALL_DEFINE6(preadv2, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos,
	long, high, int, flags)
{
	return transfer_vector2(fd, vec, count, pos, flags, false);
}

SYSCALL_DEFINE6(pwritev2, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos,
	long, high, int, flags)
{
	return transfer_vector2(fd, vec, count, pos, flags, true);
}

SYSCALL_DEFINE3(lseek, int, fd, int64_t, offset, int, whence)
{
	struct file *f = get_file(fd);
	long n;

	if (!f)
		return -EBADF;
	if (whence < 0 || whence > SEEK_HOLE)
		n = -EINVAL;
	else if (f->flags & O_PATH)
		n = -EBADF;
	else if (!f->ops->seek)
		n = f->ops->no_position ? 0 : -ESPIPE;
	else {
		mutex_lock(&f->pos_lock);
		n = f->ops->seek(f, offset, whence);
		mutex_unlock(&f->pos_lock);
	}
	file_put(f);
	return n;
}

static long sync_file(int fd, bool data_only)
{
	struct file *f = get_file(fd);
	long err;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		err = -EBADF;
	else
		err = f->ops->sync ? f->ops->sync(f, data_only) : -EINVAL;
	file_put(f);
	return err;
}

SYSCALL_DEFINE1(fsync, int, fd)
{
	return sync_file(fd, false);
}

SYSCALL_DEFINE1(fdatasync, int, fd)
{
	return sync_file(fd, true);
}

SYSCALL_DEFINE0(sync)
{
	return 0; /* nothing here outlives the machine */
}

SYSCALL_DEFINE1(syncfs, int, fd)
{
	struct file *f = get_file(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

SYSCALL_DEFINE4(sync_file_range, int, fd, int64_t, offset, int64_t, n, unsigned, flags)
{
	if (flags & ~7u || offset < 0 || n < 0 || offset + n < offset)
		return -EINVAL;
	return sync_file(fd, true) == -EINVAL ? -ESPIPE : 0;
}

static int may_grow(struct file *f, int64_t size)
{
	struct stat st;

	if (!f->ops->stat || f->ops->stat(f, &st) || !S_ISREG(st.st_mode))
		return 0;
	return limit_new_size(st.st_size, size);
}

SYSCALL_DEFINE2(ftruncate, int, fd, int64_t, size)
{
	struct file *f;
	long err;

	if (size < 0)
		return -EINVAL;
	f = get_file(fd);
	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		err = -EBADF;
	else if (!f->ops->truncate || (f->flags & O_ACCMODE) == O_RDONLY)
		err = -EINVAL;
	else {
		err = may_grow(f, size);
		if (!err)
			err = f->ops->truncate(f, size);
	}
	file_put(f);
	return err;
}

SYSCALL_DEFINE4(fallocate, int, fd, int, mode, int64_t, offset, int64_t, len)
{
	struct file *f = get_file(fd);
	long err;

	if (!f)
		return -EBADF;
	if (offset < 0 || len <= 0)
		err = -EINVAL;
	else if (f->flags & O_PATH || (f->flags & O_ACCMODE) == O_RDONLY)
		err = -EBADF;
	else if (offset + len < offset)
		err = -EFBIG;
	else if (!f->ops->allocate)
		err = f->ops->seek ? -EOPNOTSUPP : f->ops->poll ? -ESPIPE : -ENODEV;
	else {
		/* With FALLOC_FL_KEEP_SIZE too, as Linux's tmpfs. */
		err = mode & FALLOC_FL_PUNCH_HOLE ? 0 : may_grow(f, offset + len);
		if (!err)
			err = f->ops->allocate(f, mode, offset, len);
	}
	file_put(f);
	return err;
}

SYSCALL_DEFINE4(fadvise64, int, fd, int64_t, offset, int64_t, len, int, advice)
{
	struct file *f = get_file(fd);
	long err = 0;

	if (!f)
		return -EBADF;
	if (file_is_stream(f))
		err = -ESPIPE;
	else if (len < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
		err = -EINVAL;
	file_put(f);
	return err;
}

SYSCALL_DEFINE3(readahead, int, fd, int64_t, offset, size_t, n)
{
	struct file *f = get_file(fd);
	long err = 0;

	if (!f)
		return -EBADF;
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		err = -EBADF;
	else if (file_is_stream(f))
		err = -EINVAL;
	file_put(f);
	return err;
}
