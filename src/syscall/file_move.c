/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes from one file to another: sendfile, splice, tee, vmsplice, copy_file_range. */

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "cpu/uaccess.h"
#include "diag/counter.h"
#include "file/pipe.h"
#include "mem/page.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

COUNTER(splice_bytes_copied);

/* One side of a move: the file's own position, or one that the program gave and gets back. */
struct side {
	struct file *f;
	int64_t pos;
	bool own_pos;
	bool nonblock; /* for this call only */
	bool more;     /* out: another call will follow at once */
};

static bool readable_now(struct file *f)
{
	return !f->ops->poll || f->ops->poll(f, NULL) & (POLLIN | POLLHUP | POLLERR);
}

static bool writable_now(struct file *f)
{
	return !f->ops->poll || f->ops->poll(f, NULL) & (POLLOUT | POLLERR);
}

/* What cannot be had by reference is read into a page of its own. Pieces, 0 or -errno. */
static int read_by_copy(struct side *in, struct piece *p, size_t n)
{
	struct page *page = page_alloc(0);
	struct iter it;
	ssize_t r;

	if (!page)
		return -ENOMEM;
	iter_init_one(&it, page_to_virt(page), MIN(n, (size_t)PAGE_SIZE), false);
	r = in->own_pos ? file_read(in->f, &it) : file_pread(in->f, &it, in->pos);
	if (r <= 0) {
		page_put(page);
		return (int)r;
	}
	counter_add(splice_bytes_copied, r);
	*p = (struct piece){
		.data = page_to_virt(page), .len = (uint32_t)r, .owner = page, .ops = &piece_of_page
	};
	in->pos += r;
	return 1;
}

/* Up to max pieces of at most n bytes together; 0: the end of the file. */
static int side_read(struct side *in, struct piece *p, unsigned max, size_t n)
{
	int64_t pos = in->own_pos ? load_relaxed(&in->f->pos) : in->pos;
	int count = -EOPNOTSUPP;

	if (file_is_pipe(in->f))
		return pipe_pass_begin(in->f, p, n, in->nonblock || (in->f->flags & O_NONBLOCK));
	if (in->f->ops->read_pieces)
		count = in->f->ops->read_pieces(in->f, p, max, n, &pos);
	if (count == -EOPNOTSUPP)
		return read_by_copy(in, p, n);
	if (!in->own_pos)
		in->pos = pos;
	else if (count > 0 && in->f->ops->seek)
		store_relaxed(&in->f->pos, pos);
	return count;
}

/* What was read and could not be passed on goes back, where the source can take it. */
static void unread(struct side *in, struct piece *p, unsigned count)
{
	size_t n = pieces_bytes(p, count);

	if (file_is_pipe(in->f))
		pipe_pass_end(in->f, p, count);
	else if (!in->own_pos)
		in->pos -= (int64_t)n;
	else if (n && in->f->ops->seek)
		store_relaxed(&in->f->pos, load_relaxed(&in->f->pos) - (int64_t)n);
	pieces_put(p, count);
}

/* A piece at a time, until one is not written in full. */
static ssize_t write_by_copy(struct side *out, struct piece *p, unsigned count)
{
	struct iter_segment segments[PIECES_MAX];
	size_t done = 0, n = pieces_bytes(p, count);
	struct iter it;
	ssize_t r = 0;

	while (done < n) {
		pieces_iter(p, count, segments, &it);
		r = out->own_pos ? file_write(out->f, &it) : file_pwrite(out->f, &it, out->pos);
		if (r <= 0)
			break;
		out->pos += r;
		pieces_advance(p, count, (size_t)r);
		done += (size_t)r;
	}
	counter_add(splice_bytes_copied, done);
	return done ? (ssize_t)done : r;
}

static ssize_t side_write(struct side *out, struct piece *p, unsigned count, bool more)
{
	unsigned flags =
		(more || out->more ? PIECES_MORE : 0) | (out->nonblock ? PIECES_NONBLOCK : 0);

	return out->f->ops->write_pieces ? out->f->ops->write_pieces(out->f, p, count, flags)
					 : write_by_copy(out, p, count);
}

/* Of a source that takes nothing back, all of it; what a stream cannot take now is waited for. */
static ssize_t side_write_all(struct side *out, struct piece *p, unsigned count, bool more)
{
	size_t done = 0, n = pieces_bytes(p, count);
	ssize_t r = 0;

	while (done < n && (r = side_write(out, p, count, more)) > 0)
		done += (size_t)r;
	return done ? (ssize_t)done : r;
}

/* How much of n the next step may move, in how many pieces; 0: no more, this time; -errno. */
static ssize_t move_room(struct side *in, struct side *out, size_t n, bool first, unsigned *max)
{
	ssize_t room = limit_file_size(out->f, out->own_pos ? out->f->pos : out->pos,
		MIN(n, PIECES_MAX * PAGE_SIZE), out->f->flags & O_APPEND);

	if (room < 0)
		return room;
	/* A stream is not emptied of what its reader could not pass on. */
	if ((out->f->flags & O_NONBLOCK || (file_is_pipe(out->f) && (out->nonblock || !first))) &&
		!writable_now(out->f))
		return first ? -EAGAIN : 0;
	if (!first && file_is_stream(in->f) && !readable_now(in->f))
		return 0;
	*max = PIECES_MAX;
	if (file_is_pipe(out->f)) /* as many as it has slots for; if none, when there is one */
		*max = MIN(*max, MAX(pipe_room(out->f), 1u));
	return room;
}

/* Moves up to n bytes, by reference as far as both sides can. */
static ssize_t move(struct side *in, struct side *out, size_t n)
{
	struct piece p[PIECES_MAX];
	size_t done = 0;
	bool more = false;
	ssize_t r = 0;

	while (done < n && !(done && thread_signalled())) {
		unsigned max;
		ssize_t room = r = move_room(in, out, n - done, !done, &max), had;
		int count;

		if (room <= 0)
			break;
		r = count = side_read(in, p, max, (size_t)room);
		if (count <= 0)
			break;
		had = (ssize_t)pieces_bytes(p, (unsigned)count);
		/* Short of what was asked: the end, or all that there is now. */
		more = had == room && (size_t)had < n - done;
		if (file_is_stream(in->f) && !file_is_pipe(in->f))
			r = side_write_all(out, p, (unsigned)count, more);
		else
			r = side_write(out, p, (unsigned)count, more);
		if (r > 0)
			done += (size_t)r;
		unread(in, p, (unsigned)count);
		if (r < had)
			break;
		cond_resched();
	}
	/* More was announced, and did not come. */
	if (more && !out->more && out->f->ops->write_pieces && !file_is_pipe(out->f))
		out->f->ops->write_pieces(out->f, p, 0, 0);
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
	in.nonblock = out.nonblock = flags & SPLICE_F_NONBLOCK;
	out.more = flags & SPLICE_F_MORE;
	/* A full pipe ends the call, it does not block it after the first bytes. */
	r = move(&in, &out, n);
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

/*
 * The program's pages go into the pipe: what it writes there before they are read shows, as on
 * Linux, with SPLICE_F_GIFT or without. Waits for room only before the first of them.
 */
static ssize_t put_memory(struct file *f, struct iter *from, bool nonblock)
{
	size_t done = 0;
	ssize_t r = 0;
	int err = 0;

	while (from->left && !err && r >= 0) {
		struct piece p[PIECES_MAX];
		unsigned room, count;

		if (!done && (r = pipe_wait_room(f, nonblock)) < 0)
			break;
		room = pipe_room(f);
		if (!room && done)
			break;
		count = pieces_pin(from, from->left, p, MIN(MAX(room, 1u), PIECES_MAX), &err);
		if (!count)
			break;
		r = f->ops->write_pieces(f, p, count, PIECES_NONBLOCK);
		pieces_put(p, count);
		if (r == -EAGAIN && !done && !nonblock) { /* others took the room */
			r = err = 0;
		} else if (r > 0) {
			iter_advance(from, (size_t)r);
			done += (size_t)r;
		}
	}
	return done ? (ssize_t)done : r < 0 ? r : err;
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
		if ((f->flags & O_ACCMODE) != O_RDONLY) {
			r = put_memory(f, &v.iter, flags & SPLICE_F_NONBLOCK);
		} else {
			r = file_read(f, &v.iter);
			if (r > 0)
				counter_add(splice_bytes_copied, r);
		}
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
