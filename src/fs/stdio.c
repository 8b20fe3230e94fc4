/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's standard streams on the stdio ports. With a terminal on the host they are the one
 * of tty.c; without, they behave as pipes do: no seeking, isatty says no, and every byte passes as
 * it is.
 */

#include "fs/stdio.h"

#include "abi/ioctl.h"
#include "cpu/boot_info.h"
#include "cpu/uaccess.h"
#include "file/poll.h"
#include "lib/cmdline.h"

enum { STDIO_CHUNK = 16384 };

struct stdio {
	unsigned fd;
	struct mutex write_lock; /* writers of one call's bytes among themselves */
};

static struct stdio streams[3] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };
LOCK_CLASS_OF(streams, "stdio.write_lock");

static struct stdio_port *port_of(const struct stdio *s)
{
	return s->fd == 2 && stdio_err ? stdio_err : stdio_in_out;
}

static ssize_t stream_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct stdio *s = f->private;
	struct stdio_port *p = port_of(s);
	size_t n = MIN(to->left, (size_t)STDIO_CHUNK);
	ssize_t got;
	char *buf;

	if (!n)
		return 0;
	if (!p)
		return 0;
	buf = heap_alloc(n);
	if (!buf)
		return -ENOMEM;
	got = p->read(p, buf, n, f->flags & O_NONBLOCK);
	if (got > 0 && iter_copy_to(to, buf, (size_t)got) < (size_t)got)
		got = -EFAULT;
	heap_free(buf);
	return got;
}

static ssize_t stream_write(struct file *f, struct iter *from, int64_t *pos)
{
	struct stdio *s = f->private;
	struct stdio_port *p = port_of(s);
	char small[512], *buf = small;
	ssize_t done = 0, n = 0;
	size_t size = sizeof(small);

	if (!p)
		return -EIO;
	if (from->left > size) {
		size = MIN(from->left, (size_t)STDIO_CHUNK);
		buf = heap_alloc(size);
		if (!buf)
			return -ENOMEM;
	}
	while (from->left && !from->fault) {
		size_t take = iter_copy_from(from, buf, MIN(from->left, size)), out = 0;

		/* The program's memory is not touched under the lock: the copy may fault for long.
		 */
		mutex_lock(&s->write_lock);
		while (out < take) {
			n = p->write(p, buf + out, take - out, f->flags & O_NONBLOCK);
			if (n <= 0)
				break;
			out += (size_t)n;
		}
		mutex_unlock(&s->write_lock);
		done += (ssize_t)out;
		if (out < take) {
			iter_revert(from, take - out);
			break;
		}
	}
	if (buf != small)
		heap_free(buf);
	if (done)
		return done;
	return n < 0 ? n : from->fault ? -EFAULT : 0;
}

static uint32_t stream_poll(struct file *f, struct poll_table *table)
{
	struct stdio_port *p = port_of(f->private);
	uint32_t ready;

	if (!p)
		return POLLHUP;
	if (p->wait)
		poll_wait(table, p->wait);
	ready = p->ready(p);
	if ((f->flags & O_ACCMODE) == O_RDONLY)
		ready &= ~(POLLOUT | POLLWRNORM);
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		ready &= ~(POLLIN | POLLRDNORM | POLLHUP);
	return ready;
}

static int stream_stat(struct file *f, struct stat *st)
{
	struct stdio *s = f->private;

	if (f->vnode) /* opened as /dev/console */
		return vnode_getattr(f->vnode, st);
	memset(st, 0, sizeof(*st));
	st->st_dev = DEV_MAKE(0, 14);
	st->st_ino = 100 + s->fd;
	st->st_mode = S_IFIFO | 0600;
	st->st_nlink = 1;
	st->st_blksize = PAGE_SIZE;
	st->st_atim = st->st_mtim = st->st_ctim = time_to_timespec(time_now());
	return 0;
}

static long stream_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct stdio_port *p = port_of(f->private);

	if (cmd == FIONREAD && p && (f->flags & O_ACCMODE) != O_WRONLY)
		return put_user(p->ready(p) & POLLIN ? 1 : 0, (int *)arg);
	return -ENOTTY;
}

static void stream_describe(struct file *f, char *buf, size_t size)
{
	static const char *const names[] = { "pipe:[100]", "pipe:[101]", "pipe:[102]" };

	str_copy(buf, names[((struct stdio *)f->private)->fd], size);
}

static const struct file_ops stream_ops = {
	.kind = "pipe",
	.read = stream_read,
	.write = stream_write,
	.poll = stream_poll,
	.ioctl = stream_ioctl,
	.stat = stream_stat,
	.describe = stream_describe,
	.release = file_detach,
};

bool stdio_is_tty(void)
{
	return cmdline_get_u64(boot_info.cmdline, "tty", 0) == 1;
}

static struct file *console_open(void *arg, uint32_t flags)
{
	if (stdio_is_tty())
		return tty_open(arg, flags);
	return file_create(&stream_ops, &streams[1], flags);
}

struct file *fs_stdio_open(int fd)
{
	static const uint32_t modes[] = { O_RDONLY, O_WRONLY, O_WRONLY };
	struct file *f;

	if (fd < 0 || fd > 2)
		return ERR_PTR(-EBADF);
	if (stdio_is_tty() && !(fd == 2 && stdio_err != stdio_in_out)) {
		struct path_context c = { .root = fs_root(), .cwd = fs_root() };

		tty_start();
		return fs_open(&c, NULL, "/dev/console", O_RDWR, 0);
	}
	f = file_create(&stream_ops, &streams[fd], modes[fd]);
	return f ? f : ERR_PTR(-ENOMEM);
}

void stdio_init(void)
{
	devfs_add("console", S_IFCHR | 0600, 5, 1, console_open, NULL);
	devfs_add("tty", S_IFCHR | 0666, 5, 0, tty_open, NULL);
	tty_init();
}
