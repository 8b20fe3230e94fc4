/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes from one file to another: sendfile, splice, tee, vmsplice, copy_file_range. */

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "cpu/uaccess.h"
#include "file/pipe.h"
#include "mem/heap.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

#define CHUNK (64 * 1024ul)

/* One side of a move: the file's own position, or one that the program gave and gets back. */
struct side {
	struct file *f;
	int64_t pos;
	bool own_pos;
	bool nonblock; /* for this call only */
};

static ssize_t side_read(struct side *s, struct iter *it)
{
	ssize_t n = s->own_pos ? file_read(s->f, it) : file_pread(s->f, it, s->pos);

	if (n > 0)
		s->pos += n;
	return n;
}

static ssize_t side_write(struct side *s, struct iter *it)
{
	ssize_t n = s->own_pos ? file_write(s->f, it) : file_pwrite(s->f, it, s->pos);

	if (n > 0)
		s->pos += n;
	return n;
}

/* What was read but not written goes back, where the source can. */
static void unread(struct side *in, size_t n)
{
	if (!in->own_pos)
		in->pos -= n;
	else if (in->f->ops->seek) {
		mutex_lock(&in->f->pos_lock);
		in->f->ops->seek(in->f, -(int64_t)n, SEEK_CUR);
		mutex_unlock(&in->f->pos_lock);
	}
}

/* Writes all of it; what a stream cannot take now is waited for by the write itself. */
static ssize_t write_all(struct side *out, char *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct iter it;
		ssize_t w;

		iter_init_one(&it, buf + done, n - done, false);
		w = side_write(out, &it);
		if (w <= 0)
			return done ? (ssize_t)done : w;
		done += w;
	}
	return done;
}

static bool readable_now(struct file *f)
{
	return !f->ops->poll || f->ops->poll(f, NULL) & (POLLIN | POLLHUP | POLLERR);
}

static bool writable_now(struct file *f)
{
	return !f->ops->poll || f->ops->poll(f, NULL) & (POLLOUT | POLLERR);
}

/* Moves up to n bytes; stops at the first short read. */
static ssize_t move(struct side *in, struct side *out, size_t n)
{
	size_t size = MIN(n, CHUNK), done = 0;
	char *buf = heap_alloc(MAX(size, 1ul));
	ssize_t r = 0;

	if (!buf)
		return -ENOMEM;
	while (done < n) {
		struct iter it;
		ssize_t w, room = limit_file_size(out->f, out->own_pos ? out->f->pos : out->pos,
				   MIN(size, n - done), out->f->flags & O_APPEND);

		if (room < 0) {
			r = room;
			break;
		}
		/* A stream is not emptied of what its reader could not pass on. */
		if (out->f->flags & O_NONBLOCK && !writable_now(out->f)) {
			r = -EAGAIN;
			break;
		}
		if (done && file_is_stream(in->f) && !readable_now(in->f))
			break;
		iter_init_one(&it, buf, room, false);
		r = side_read(in, &it);
		if (r <= 0)
			break;
		w = write_all(out, buf, r);
		if (w < r)
			unread(in, r - MAX(w, 0));
		if (w > 0)
			done += w;
		if (w < r) {
			r = w;
			break;
		}
		if (thread_signalled())
			break;
	}
	heap_free(buf);
	return done ? (ssize_t)done : r;
}

static bool is_append(const struct file *f)
{
	return f->flags & O_APPEND;
}

/* Decodes a program's offset pointer. */
static int side_offset(struct side *s, const int64_t *uoff)
{
	s->own_pos = !uoff;
	if (!uoff)
		return 0;
	if (get_user(s->pos, uoff))
		return -EFAULT;
	if (file_is_stream(s->f))
		return -ESPIPE;
	return s->pos < 0 ? -EINVAL : 0;
}

static int side_offset_done(const struct side *s, int64_t *uoff)
{
	return uoff ? put_user(s->pos, uoff) : 0;
}

static void put_sides(struct side *in, struct side *out)
{
	if (in->f)
		file_put(in->f);
	if (out->f)
		file_put(out->f);
}

static bool readable(const struct side *s)
{
	return s->f && (s->f->flags & O_ACCMODE) != O_WRONLY && !(s->f->flags & O_PATH);
}

static bool writable(const struct side *s)
{
	return s->f && (s->f->flags & O_ACCMODE) != O_RDONLY && !(s->f->flags & O_PATH);
}

SYSCALL_DEFINE4(sendfile, int, out_fd, int, in_fd, int64_t *, uoff, size_t, n)
{
	struct side in = { .f = get_file(in_fd) }, out = { .f = get_file(out_fd), .own_pos = true };
	long r = -EBADF;

	if (!readable(&in) || !writable(&out))
		goto out;
	r = side_offset(&in, uoff);
	if (r)
		goto out;
	r = -EINVAL;
	if (is_append(out.f) || (ssize_t)n < 0 || !in.f->ops->read || !out.f->ops->write)
		goto out;
	/* Linux reads ahead of the writer here, which a stream would not forgive: only into a pipe.
	 */
	if (file_is_pipe(in.f) || (file_is_stream(in.f) && !file_is_pipe(out.f)))
		goto out;
	r = move(&in, &out, n);
	if (r >= 0 && side_offset_done(&in, uoff))
		r = -EFAULT;
out:
	put_sides(&in, &out);
	return r;
}

static int check_splice(struct side *in, struct side *out, const int64_t *uin, const int64_t *uout)
{
	bool in_pipe = file_is_pipe(in->f), out_pipe = file_is_pipe(out->f);

	if (!in_pipe && !out_pipe)
		return -EINVAL;
	if ((in_pipe && uin) || (out_pipe && uout))
		return -ESPIPE;
	if (in_pipe && out_pipe && in->f->private == out->f->private)
		return -EINVAL;
	if (!out_pipe && is_append(out->f))
		return -EINVAL;
	return 0;
}

SYSCALL_DEFINE6(splice, int, in_fd, int64_t *, uin, int, out_fd, int64_t *, uout, size_t, n,
	unsigned, flags)
{
	struct side in = { .f = get_file(in_fd) }, out = { .f = get_file(out_fd) };
	long r = -EBADF;

	if (flags & ~15u) {
		r = -EINVAL;
		goto out;
	}
	if (!n) {
		r = 0;
		goto out;
	}
	if (!readable(&in) || !writable(&out))
		goto out;
	if ((r = check_splice(&in, &out, uin, uout)) || (r = side_offset(&in, uin)) ||
		(r = side_offset(&out, uout)))
		goto out;
	if (flags & SPLICE_F_NONBLOCK && ((file_is_pipe(in.f) && !readable_now(in.f)) ||
						 (file_is_pipe(out.f) && !writable_now(out.f)))) {
		r = -EAGAIN;
		goto out;
	}
	/* A full pipe ends the call, it does not block it after the first bytes. */
	r = move(&in, &out, MIN(n, CHUNK));
	if (r >= 0 && (side_offset_done(&in, uin) || side_offset_done(&out, uout)))
		r = -EFAULT;
out:
	put_sides(&in, &out);
	return r;
}

SYSCALL_DEFINE4(tee, int, in_fd, int, out_fd, size_t, n, unsigned, flags)
{
	struct side in = { .f = get_file(in_fd) }, out = { .f = get_file(out_fd) };
	long r = -EBADF;

	if (flags & ~15u)
		r = -EINVAL;
	else if (readable(&in) && writable(&out))
		r = file_is_pipe(in.f) && file_is_pipe(out.f)
			    ? pipe_tee_wait(in.f, out.f, n, flags & SPLICE_F_NONBLOCK)
			    : -EINVAL;
	put_sides(&in, &out);
	return r;
}

SYSCALL_DEFINE4(
	vmsplice, int, fd, const struct iovec *, uvec, unsigned long, count, unsigned, flags)
{
	struct file *f = get_file(fd);
	struct user_iovec v;
	long r;

	if (!f)
		return -EBADF;
	if (flags & ~15u || !file_is_pipe(f)) {
		file_put(f);
		return flags & ~15u ? -EINVAL : -EBADF;
	}
	r = user_iovec_get(&v, uvec, count);
	if (!r) {
		if ((f->flags & O_ACCMODE) == O_RDONLY)
			r = file_read(f, &v.iter);
		else
			r = file_write(f, &v.iter);
		user_iovec_free(&v);
	}
	file_put(f);
	return r;
}

static int check_copy_range(struct side *in, struct side *out, size_t n)
{
	struct stat a, b;

	if (is_append(out->f))
		return -EBADF;
	if (!in->f->ops->stat || !out->f->ops->stat || in->f->ops->stat(in->f, &a) ||
		out->f->ops->stat(out->f, &b))
		return -EINVAL;
	if (S_ISDIR(a.st_mode) || S_ISDIR(b.st_mode))
		return -EISDIR;
	if (!S_ISREG(a.st_mode) || !S_ISREG(b.st_mode))
		return -EINVAL;
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) { /* no overlap within one file */
		int64_t from = in->own_pos ? in->f->pos : in->pos,
			to = out->own_pos ? out->f->pos : out->pos;

		if (from < to + (int64_t)n && to < from + (int64_t)n)
			return -EINVAL;
	}
	return 0;
}

SYSCALL_DEFINE6(copy_file_range, int, in_fd, int64_t *, uin, int, out_fd, int64_t *, uout, size_t,
	n, unsigned, flags)
{
	struct side in = { .f = get_file(in_fd) }, out = { .f = get_file(out_fd) };
	long r = -EBADF;

	if (flags) {
		r = -EINVAL;
		goto out;
	}
	if (!readable(&in) || !writable(&out))
		goto out;
	if ((r = side_offset(&in, uin)) || (r = side_offset(&out, uout)) ||
		(r = check_copy_range(&in, &out, n)))
		goto out;
	r = move(&in, &out, MIN(n, 0x7ffff000ul));
	if (r >= 0 && (side_offset_done(&in, uin) || side_offset_done(&out, uout)))
		r = -EFAULT;
out:
	put_sides(&in, &out);
	return r;
}
