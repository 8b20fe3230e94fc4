/* SPDX-License-Identifier: BSD-2-Clause */
/* Device numbers and what opens them; the memory devices; /dev as a ramfs full of nodes. */

#include "cpu/uaccess.h"
#include "diag/log.h"
#include "fs/impl.h"
#include "lib/format.h"
#include "sched/random.h"

struct device {
	struct device *next; /* atomic head; never freed */
	uint32_t type;	     /* S_IFCHR or S_IFBLK */
	uint64_t rdev;
	struct file *(*open)(void *arg, uint32_t flags);
	void *arg;
};
static struct device *devices; /* atomic */

struct file *device_open(struct vnode *v, uint32_t flags)
{
	for (struct device *d = load_acquire(&devices); d; d = d->next)
		if (d->type == (v->mode & S_IFMT) && d->rdev == v->rdev)
			return d->open(d->arg, flags);
	return ERR_PTR(-ENXIO);
}

static struct path_context dev_context(void)
{
	return (struct path_context){ .root = fs_root(), .cwd = fs_root() };
}

int devfs_add(const char *path, uint32_t mode, uint32_t major, uint32_t minor,
	struct file *(*open)(void *arg, uint32_t flags), void *arg)
{
	struct path_context c = dev_context();
	struct device *d = heap_alloc(sizeof(*d));
	char full[64];

	if (!d)
		return -ENOMEM;
	*d = (struct device){
		.type = mode & S_IFMT, .rdev = DEV_MAKE(major, minor), .open = open, .arg = arg
	};
	d->next = load_acquire(&devices);
	while (!atomic_cas(&devices, &d->next, d))
		;
	format(full, sizeof(full), "/dev/%s", path);
	return fs_mknod(&c, NULL, full, mode, d->rdev);
}

/* --- memory devices: private is not used --- */

static ssize_t null_read(struct file *f, struct iter *to, int64_t *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, struct iter *from, int64_t *pos)
{
	size_t n = from->left;

	iter_advance(from, n);
	return (ssize_t)n;
}

static ssize_t zero_read(struct file *f, struct iter *to, int64_t *pos)
{
	size_t left = to->left, n = 0;

	while (n < left && !to->fault) {
		n += iter_zero(to, MIN(left - n, KIB(64)));
		cond_resched();
	}
	return n == 0 && to->fault ? -EFAULT : (ssize_t)n;
}

static ssize_t full_write(struct file *f, struct iter *from, int64_t *pos)
{
	return -ENOSPC;
}

static ssize_t random_read(struct file *f, struct iter *to, int64_t *pos)
{
	uint8_t chunk[256];
	ssize_t done = 0;

	while (to->left && !to->fault) {
		size_t n = MIN(to->left, sizeof(chunk));

		random_bytes(chunk, n);
		done += iter_copy_to(to, chunk, n);
		cond_resched();
		if (thread_signalled() && done >= (ssize_t)sizeof(chunk))
			break;
	}
	return done == 0 && to->fault ? -EFAULT : done;
}

static ssize_t random_write(struct file *f, struct iter *from, int64_t *pos)
{
	uint8_t chunk[256];
	ssize_t done = 0;

	while (from->left && !from->fault) {
		size_t n = iter_copy_from(from, chunk, MIN(from->left, sizeof(chunk)));

		random_add_entropy(chunk, n);
		done += n;
	}
	return done == 0 && from->fault ? -EFAULT : done;
}

static long random_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	int bits = 256;

	if (cmd != 0x80045200) /* RNDGETENTCNT */
		return -ENOTTY;
	return put_user(bits, (int *)arg);
}

static ssize_t kmsg_read(struct file *f, struct iter *to, int64_t *pos)
{
	size_t size = KIB(64), n, copied = 0;
	char *buf = heap_alloc(size);

	if (!buf)
		return -ENOMEM;
	n = log_read(buf, size);
	if (*pos < n)
		copied = iter_copy_to(to, buf + *pos, MIN(n - *pos, to->left));
	heap_free(buf);
	*pos += copied;
	return (ssize_t)copied;
}

static ssize_t kmsg_write(struct file *f, struct iter *from, int64_t *pos)
{
	char line[256];
	size_t all = from->left, n = iter_copy_from(from, line, MIN(all, sizeof(line) - 1));

	if (from->fault)
		return -EFAULT;
	iter_advance(from, from->left);
	line[n] = 0;
	while (n && line[n - 1] == '\n')
		line[--n] = 0;
	log_info("%s", line);
	return (ssize_t)all;
}

static int64_t null_seek(struct file *f, int64_t offset, int whence)
{
	return f->pos = 0;
}

/* A mapping of /dev/zero is memory of its own: a nameless file of endless size. */
static struct vm_backing *zero_mmap(struct file *f, int flags, int *max_prot)
{
	struct vnode *v = __atomic_load_n((struct vnode **)&f->private, __ATOMIC_ACQUIRE),
		     *none = NULL;

	if (!v) {
		v = ramfs_anonymous(f->vnode->fs, S_IFREG | 0600);
		if (!v)
			return ERR_PTR(-ENOMEM);
		pagecache_grow(v->cache, INT64_MAX & ~(PAGE_SIZE - 1));
		if (!atomic_cas((struct vnode **)&f->private, &none, v)) {
			vnode_put(v);
			v = none;
		}
		pagecache_set_path(v->cache, "/dev/zero");
	}
	return &v->cache->backing;
}

static void device_release(struct file *f)
{
	if (f->private)
		vnode_put(f->private);
	file_detach(f);
}

#define DEVICE_OPS  .stat = file_stat_vnode, .release = device_release
#define ENDLESS_OPS DEVICE_OPS, .no_position = true
static const struct file_ops null_ops = { ENDLESS_OPS, .read = null_read, .write = null_write,
	.seek = null_seek };
static const struct file_ops zero_ops = { ENDLESS_OPS, .read = zero_read, .write = null_write,
	.seek = null_seek, .mmap = zero_mmap };
static const struct file_ops full_ops = { ENDLESS_OPS, .read = zero_read, .write = full_write,
	.seek = null_seek };
static const struct file_ops random_ops = { ENDLESS_OPS, .read = random_read, .write = random_write,
	.seek = null_seek, .ioctl = random_ioctl };
static const struct file_ops kmsg_ops = { DEVICE_OPS, .read = kmsg_read, .write = kmsg_write,
	.seek = null_seek };

static struct file *memory_open(void *arg, uint32_t flags)
{
	return file_create(arg, NULL, flags);
}

static void add_link(const char *path, const char *target)
{
	struct path_context c = dev_context();

	if (fs_symlink(&c, target, NULL, path))
		log_err("cannot make %s", path);
}

void devfs_init(void)
{
	static const struct {
		const char *name;
		uint32_t mode, major, minor;
		const struct file_ops *ops;
	} table[] = {
		{ "null", 0666, 1, 3, &null_ops },
		{ "zero", 0666, 1, 5, &zero_ops },
		{ "full", 0666, 1, 7, &full_ops },
		{ "random", 0666, 1, 8, &random_ops },
		{ "urandom", 0666, 1, 9, &random_ops },
		{ "kmsg", 0644, 1, 11, &kmsg_ops },
	};
	struct path_context c = dev_context();

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		devfs_add(table[i].name, S_IFCHR | table[i].mode, table[i].major, table[i].minor,
			memory_open, (void *)(uintptr_t)table[i].ops);
	fs_mkdir(&c, NULL, "/dev/pts", 0755);
	fs_mkdir(&c, NULL, "/dev/mqueue", 01777);
	fs_mknod(&c, NULL, "/dev/ptmx", S_IFCHR | 0666, DEV_MAKE(5, 2)); /* no ptys: ENXIO */
	add_link("/dev/fd", "/proc/self/fd");
	add_link("/dev/stdin", "/proc/self/fd/0");
	add_link("/dev/stdout", "/proc/self/fd/1");
	add_link("/dev/stderr", "/proc/self/fd/2");
}
