/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open regular files on the page cache. Readers hold no lock while they copy; writers hold the
 * file's write_lock, which no page fault takes, so a file may be written from a mapping of itself.
 */

#include "abi/mman.h"
#include "fs/impl.h"

#define RELATIME_NS (24 * 3600 * (int64_t)NSEC_PER_SEC)

enum { BATCH = 16 };

static void accessed(struct file *f, struct vnode *v)
{
	int64_t now, atime = load_relaxed(&v->atime);

	if (f->flags & O_NOATIME)
		return;
	if (atime > load_relaxed(&v->mtime) && atime > load_relaxed(&v->ctime)) {
		now = time_now();
		if (now - atime < RELATIME_NS)
			return;
	}
	store_relaxed(&v->atime, time_now());
}

static ssize_t regular_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct vnode *v = f->vnode;
	struct pagecache *c = v->cache;
	ssize_t done = 0;

	while (to->left && !to->fault) {
		uint64_t size = pagecache_size(c), at = (uint64_t)*pos;
		size_t n, in = at % PAGE_SIZE, copied;
		struct page *page;

		if (*pos < 0 || at >= size)
			break;
		n = MIN(MIN(PAGE_SIZE - in, size - at), to->left);
		page = pagecache_find(c, at / PAGE_SIZE);
		if (IS_ERR(page)) {
			if (!done)
				done = PTR_ERR(page);
			break;
		}
		if (page) {
			copied = iter_copy_to(to, (char *)page_to_virt(page) + in, n);
			page_put(page);
		} else {
			copied = iter_zero(to, n);
		}
		*pos += copied;
		done += copied;
		if (copied < n)
			break;
		cond_resched();
	}
	if (done == 0 && to->fault)
		return -EFAULT;
	if (done > 0) {
		accessed(f, v);
		notify_dentry(f->path, IN_ACCESS);
	}
	return done;
}

/* The page at 'at' as a piece of up to n bytes; 0 or -errno. */
static int piece_at(struct pagecache *c, uint64_t at, uint32_t n, struct piece *p)
{
	struct page *page = pagecache_find(c, at / PAGE_SIZE);

	if (IS_ERR(page))
		return (int)PTR_ERR(page);
	if (!page)
		return piece_of_zeroes(p, n) ? 0 : -ENOMEM;
	*p = (struct piece){ .data = (uint8_t *)page_to_virt(page) + at % PAGE_SIZE,
		.len = n,
		.owner = page,
		.ops = &piece_of_page };
	return 0;
}

static int regular_read_pieces(
	struct file *f, struct piece *p, unsigned max, size_t n, int64_t *pos)
{
	struct vnode *v = f->vnode;
	struct pagecache *c = v->cache;
	unsigned count = 0;
	int err = 0;

	while (n && count < max) {
		uint64_t size = pagecache_size(c), at = (uint64_t)*pos;

		if (*pos < 0 || at >= size)
			break;
		uint32_t here =
			(uint32_t)MIN(MIN(PAGE_SIZE - at % PAGE_SIZE, size - at), (uint64_t)n);

		err = piece_at(c, at, here, &p[count]);
		if (err)
			break;
		count++;
		n -= here;
		*pos += here;
	}
	if (count) {
		accessed(f, v);
		notify_dentry(f->path, IN_ACCESS);
	}
	return count ? (int)count : err;
}

static ssize_t write_locked(struct file *f, struct iter *from, int64_t *pos)
{
	struct vnode *v = f->vnode;
	struct pagecache *c = v->cache;
	ssize_t done = 0;

	if (f->flags & O_APPEND)
		*pos = (int64_t)pagecache_size(c);
	if (v->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	while (from->left && !from->fault) {
		uint64_t at = (uint64_t)*pos;
		size_t in = at % PAGE_SIZE, n = MIN(PAGE_SIZE - in, from->left), copied;
		struct page *page;
		int err = 0;

		if (at >= INT64_MAX - PAGE_SIZE)
			err = -EFBIG;
		else if (at + n > pagecache_size(c) && (v->seals & F_SEAL_GROW))
			err = -EPERM;
		else
			err = pagecache_own(c, at / PAGE_SIZE, &page);
		if (err)
			return done ? done : err;
		copied = iter_copy_from(from, (char *)page_to_virt(page) + in, n);
		page_put(page);
		if (copied)
			pagecache_grow(c, at + copied);
		*pos += copied;
		done += copied;
		if (copied < n)
			break;
		cond_resched();
	}
	return done == 0 && from->fault ? -EFAULT : done;
}

static ssize_t regular_write(struct file *f, struct iter *from, int64_t *pos)
{
	struct vnode *v = f->vnode;
	uint32_t mode;
	ssize_t done;

	if (!from->left)
		return 0;
	mutex_lock(&v->write_lock);
	done = write_locked(f, from, pos);
	if (done > 0) {
		mode = vnode_mode(v);
		if (f->private == REGULAR_UNPRIVILEGED &&
			(mode & (S_ISUID | S_ISGID))) /* a changed program loses its privileges */
			store_relaxed(
				&v->mode, mode & ~(S_ISUID | (mode & 010 ? (uint32_t)S_ISGID : 0)));
		vnode_touch(v, true);
	}
	mutex_unlock(&v->write_lock);
	if (done > 0)
		notify_dentry(f->path, IN_MODIFY);
	return done;
}

/* The next byte at or after 'at' that is data (or, want false, a hole). */
static int64_t find_data(struct pagecache *c, uint64_t at, bool want)
{
	uint64_t size = pagecache_size(c);

	if (at >= size)
		return -ENXIO;
	for (; at < size; at = (at / PAGE_SIZE + 1) * PAGE_SIZE) {
		if (pagecache_present(c, at / PAGE_SIZE) == want)
			return (int64_t)at;
		cond_resched();
	}
	return want ? -ENXIO : (int64_t)size;
}

static int64_t regular_seek(struct file *f, int64_t offset, int whence)
{
	struct pagecache *c = f->vnode->cache;
	int64_t pos;

	switch (whence) {
	case SEEK_SET: pos = offset; break;
	case SEEK_CUR:
		if (__builtin_add_overflow(f->pos, offset, &pos))
			return -EOVERFLOW;
		break;
	case SEEK_END:
		if (__builtin_add_overflow((int64_t)pagecache_size(c), offset, &pos))
			return -EOVERFLOW;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (offset < 0)
			return -ENXIO;
		pos = find_data(c, (uint64_t)offset, whence == SEEK_DATA);
		if (pos < 0)
			return pos;
		break;
	default: return -EINVAL;
	}
	if (pos < 0)
		return -EINVAL;
	f->pos = pos;
	return pos;
}

static int regular_truncate(struct file *f, int64_t size)
{
	struct vnode_attr attr = { .valid = ATTR_SIZE, .size = (uint64_t)size };

	if (size < 0)
		return -EINVAL;
	return fs_setattr(f->path, &attr);
}

static int allocate_pages(struct pagecache *c, uint64_t start, uint64_t end)
{
	struct page *page;

	for (uint64_t i = start / PAGE_SIZE; i < DIV_ROUND_UP(end, PAGE_SIZE); i++) {
		int err = pagecache_own(c, i, &page);

		if (err)
			return err;
		page_put(page);
		cond_resched();
	}
	return 0;
}

static int regular_allocate(struct file *f, int mode, int64_t offset, int64_t len)
{
	struct vnode *v = f->vnode;
	struct pagecache *c = v->cache;
	uint64_t end = (uint64_t)offset + (uint64_t)len, size;
	bool punch = mode & FALLOC_FL_PUNCH_HOLE;
	int err = 0;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) /* as tmpfs */
		return -EOPNOTSUPP;
	if (punch && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (end > INT64_MAX - PAGE_SIZE)
		return -EFBIG;
	mutex_lock(&v->write_lock);
	size = pagecache_size(c);
	if (punch) {
		if (v->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			err = -EPERM;
		else if ((uint64_t)offset < size)
			err = pagecache_punch(
				c, (uint64_t)offset, MIN(end, ALIGN_UP(size, PAGE_SIZE)));
	} else {
		if (!(mode & FALLOC_FL_KEEP_SIZE) && end > size && (v->seals & F_SEAL_GROW))
			err = -EPERM;
		else
			err = allocate_pages(c, (uint64_t)offset, end);
		if (!err && !(mode & FALLOC_FL_KEEP_SIZE))
			pagecache_grow(c, end);
	}
	if (!err)
		vnode_touch(v, true);
	mutex_unlock(&v->write_lock);
	if (!err)
		notify_dentry(f->path, IN_MODIFY);
	return err;
}

static int regular_sync(struct file *f, bool data_only)
{
	return 0; /* memory is all there is */
}

static struct vm_backing *regular_mmap(struct file *f, int flags, int *max_prot)
{
	struct vnode *v = f->vnode;
	char *path;
	int err = 0;

	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return ERR_PTR(-EACCES);
	if (flags & MAP_SHARED) {
		if ((f->flags & O_ACCMODE) != O_RDWR)
			*max_prot &= ~PROT_WRITE;
		mutex_lock(&v->write_lock);
		if (v->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			*max_prot &= ~PROT_WRITE;
		if (*max_prot & PROT_WRITE)
			err = pagecache_own_all(v->cache);
		mutex_unlock(&v->write_lock);
		if (err)
			return ERR_PTR(err);
	}
	path = heap_alloc(PATH_MAX_LEN);
	if (path && dentry_path(f->path, path, PATH_MAX_LEN) > 0)
		pagecache_set_path(v->cache, path);
	heap_free(path);
	accessed(f, v);
	return &v->cache->backing;
}

static long add_seals(struct file *f, unsigned seals)
{
	struct vnode *v = f->vnode;
	long err = 0;

	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EPERM;
	if (seals &
		~(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EINVAL;
	mutex_lock(&v->write_lock);
	mutex_lock(&v->cache->backing.lock);
	if (v->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !list_empty(&v->cache->backing.areas))
		err = -EBUSY;
	else
		v->seals |= seals;
	mutex_unlock(&v->cache->backing.lock);
	mutex_unlock(&v->write_lock);
	return err;
}

static long regular_fcntl(struct file *f, unsigned cmd, unsigned long arg)
{
	switch (cmd) {
	case F_ADD_SEALS: return add_seals(f, (unsigned)arg);
	case F_GET_SEALS: return vnode_is_ramfs(f->vnode) ? (long)f->vnode->seals : -EINVAL;
	}
	return -EINVAL;
}

static void regular_release(struct file *f)
{
	notify_dentry(f->path, (f->flags & O_ACCMODE) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	file_detach(f);
}

const struct file_ops regular_ops = {
	.read = regular_read,
	.write = regular_write,
	.read_pieces = regular_read_pieces,
	.seek = regular_seek,
	.stat = file_stat_vnode,
	.truncate = regular_truncate,
	.allocate = regular_allocate,
	.sync = regular_sync,
	.mmap = regular_mmap,
	.fcntl = regular_fcntl,
	.release = regular_release,
};
