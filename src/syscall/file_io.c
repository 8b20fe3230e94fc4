/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing through descriptors. */

#include "abi/fcntl.h"
#include "cpu/uaccess.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

/*
 * What a call does. Each call of a single buffer, which are what programs call most, has code of
 * its own for it: everything inlined.
 */
enum transfer { READ = 0, WRITE = 1, AT = 2, READ_AT = READ | AT, WRITE_AT = WRITE | AT };

static __always_inline long transfer(
	struct file *f, struct iter *it, enum transfer what, int64_t pos)
{
	ssize_t n;

	if (!(what & WRITE))
		return what & AT ? file_pread(f, it, pos) : file_read(f, it);
	n = limit_file_size(f, what & AT ? pos : f->pos, it->left, f->flags & O_APPEND);
	if (unlikely(n < 0))
		return n;
	iter_truncate(it, n);
	return what & AT ? file_pwrite(f, it, pos) : file_write(f, it);
}

static __always_inline long transfer_buffer(
	int fd, void *buf, size_t n, enum transfer what, int64_t pos)
{
	struct fd f = fd_borrow(fd);
	struct iter it;
	long r;

	if (unlikely(!f.file))
		return -EBADF;
	if (likely(user_range_ok(buf, n))) {
		iter_init_one(&it, buf, n, true);
		r = transfer(f.file, &it, what, pos);
	} else { /* Linux looks at how the descriptor was opened before the buffer */
		bool may = what & WRITE ? file_writable(f.file) : file_readable(f.file);

		r = may ? -EFAULT : -EBADF;
	}
	fd_return(f);
	return r;
}

SYSCALL_DEFINE3(read, int, fd, void *, buf, size_t, n)
{
	return transfer_buffer(fd, buf, n, READ, 0);
}

SYSCALL_DEFINE3(write, int, fd, void *, buf, size_t, n)
{
	return transfer_buffer(fd, buf, n, WRITE, 0);
}

SYSCALL_DEFINE4(pread64, int, fd, void *, buf, size_t, n, int64_t, pos)
{
	return transfer_buffer(fd, buf, n, READ_AT, pos);
}

SYSCALL_DEFINE4(pwrite64, int, fd, void *, buf, size_t, n, int64_t, pos)
{
	return transfer_buffer(fd, buf, n, WRITE_AT, pos);
}

static long transfer_vector(
	int fd, const struct iovec *uvec, unsigned long count, enum transfer what, int64_t pos)
{
	struct fd f = fd_borrow(fd);
	struct user_iovec v;
	long n;

	if (!f.file)
		return -EBADF;
	n = user_iovec_get(&v, uvec, count);
	if (!n) {
		n = transfer(f.file, &v.iter, what, pos);
		user_iovec_free(&v);
	}
	fd_return(f);
	return n;
}

SYSCALL_DEFINE3(readv, int, fd, const struct iovec *, vec, unsigned long, count)
{
	return transfer_vector(fd, vec, count, READ, 0);
}

SYSCALL_DEFINE3(writev, int, fd, const struct iovec *, vec, unsigned long, count)
{
	return transfer_vector(fd, vec, count, WRITE, 0);
}

SYSCALL_DEFINE4(preadv, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos)
{
	return transfer_vector(fd, vec, count, READ_AT, pos);
}

SYSCALL_DEFINE4(pwritev, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos)
{
	return transfer_vector(fd, vec, count, WRITE_AT, pos);
}

/* RWF_HIPRI, RWF_DSYNC and RWF_SYNC ask for no less than what memory-backed files do anyway. */
static long transfer_vector2(int fd, const struct iovec *vec, unsigned long count, int64_t pos,
	int flags, enum transfer what)
{
	if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	return transfer_vector(fd, vec, count, pos != -1 ? what | AT : what, pos);
}

SYSCALL_DEFINE6(preadv2, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos,
	long, high, int, flags)
{
	return transfer_vector2(fd, vec, count, pos, flags, READ);
}

SYSCALL_DEFINE6(pwritev2, int, fd, const struct iovec *, vec, unsigned long, count, int64_t, pos,
	long, high, int, flags)
{
	return transfer_vector2(fd, vec, count, pos, flags, WRITE);
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
