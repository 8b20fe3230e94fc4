/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The framework of /proc and /sys: a fixed tree of nodes, made at boot, whose text is generated
 * when it is read, and directories whose entries a provider above knows. Nothing is cached: each
 * lookup makes a vnode that goes with its last user.
 */

#include "fs/impl.h"
#include "lib/format.h"
#include "lib/hash.h"

struct node { /* of the fixed tree; never freed */
	struct node *parent, *children, *next;
	struct procfs_entry entry; /* entry.dir: also asks this provider for names */
	uint64_t ino;
	char name[];
};

struct pseudo {
	struct filesystem fs;
	struct mutex lock; /* guards adding nodes; readers of the lists need nothing */
	struct node *root;
	int64_t file_size;
};

struct pseudo_vnode {
	struct vnode v;
	struct node *node; /* or NULL: from a provider */
	struct procfs_entry entry;
};

static struct pseudo procfs, sysfs;
LOCK_CLASS_OF(procfs, "proc_pseudo.lock");
LOCK_CLASS_OF(sysfs, "sys_pseudo.lock");
static const struct vnode_ops pseudo_ops, pseudo_link_ops;

/* --- text --- */

struct text {
	char *data;
	size_t len, size;
	bool failed; /* no memory: the rest is dropped */
};

static bool text_room(struct text *t, size_t n)
{
	size_t size = MAX(t->size * 2, ALIGN_UP(t->len + n + 1, 1024));
	char *data;

	if (t->failed)
		return false;
	if (t->len + n < t->size)
		return true;
	data = heap_resize(t->data, size);
	if (!data) {
		t->failed = true;
		return false;
	}
	t->data = data;
	t->size = size;
	return true;
}

void text_write(struct text *t, const void *data, size_t n)
{
	if (!text_room(t, n))
		return;
	memcpy(t->data + t->len, data, n);
	t->len += n;
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!text_room(t, 256))
		return;
	va_start(ap, fmt);
	n = format_va(t->data + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if ((size_t)n >= t->size - t->len) {
		if (!text_room(t, (size_t)n + 1))
			return;
		va_start(ap, fmt);
		n = format_va(t->data + t->len, t->size - t->len, fmt, ap);
		va_end(ap);
	}
	t->len += (size_t)n;
}

/* --- files --- */

struct pseudo_file {
	struct mutex lock; /* guards all */
	struct text text;
	bool filled;
};

static int fill(struct file *f, struct pseudo_file *p)
{
	struct pseudo_vnode *pv = container_of(f->vnode, struct pseudo_vnode, v);
	int err;

	p->text.len = 0;
	p->text.failed = false;
	err = pv->entry.show(&p->text, pv->entry.arg);
	if (!err && p->text.failed)
		err = -ENOMEM;
	p->filled = !err;
	return err;
}

static ssize_t pseudo_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct pseudo_vnode *pv = container_of(f->vnode, struct pseudo_vnode, v);
	struct pseudo_file *p = f->private;
	char chunk[256];
	ssize_t done = 0;
	int err = 0;

	if (!pv->entry.show)
		return -EINVAL;
	if (*pos < 0)
		return -EINVAL;
	mutex_lock(&p->lock);
	if (*pos == 0 || !p->filled)
		err = fill(f, p);
	/* The copy may fault, and the fault may wait for whoever reads this file: so not under the
	 * lock. */
	while (!err && to->left && !to->fault && (uint64_t)*pos < p->text.len) {
		size_t n = MIN(MIN(sizeof(chunk), p->text.len - (size_t)*pos), to->left), copied;

		memcpy(chunk, p->text.data + *pos, n);
		mutex_unlock(&p->lock);
		copied = iter_copy_to(to, chunk, n);
		mutex_lock(&p->lock);
		*pos += copied;
		done += copied;
		if (copied < n)
			break;
	}
	mutex_unlock(&p->lock);
	if (err)
		return err;
	return done == 0 && to->fault ? -EFAULT : done;
}

static ssize_t pseudo_write(struct file *f, struct iter *from, int64_t *pos)
{
	struct pseudo_vnode *pv = container_of(f->vnode, struct pseudo_vnode, v);
	size_t n = MIN(from->left, PAGE_SIZE - 1);
	ssize_t got;
	char *buf;

	if (!pv->entry.store)
		return -EINVAL;
	buf = heap_alloc(n + 1);
	if (!buf)
		return -ENOMEM;
	got = iter_copy_from(from, buf, n);
	buf[got] = 0;
	got = got < n ? -EFAULT : pv->entry.store(buf, n, pv->entry.arg);
	heap_free(buf);
	if (got > 0)
		*pos += got;
	return got;
}

static int pseudo_truncate(struct file *f, int64_t size)
{
	return 0;
}

static void pseudo_release(struct file *f)
{
	struct pseudo_file *p = f->private;

	heap_free(p->text.data);
	heap_free(p);
	file_detach(f);
}

static const struct file_ops pseudo_file_ops = {
	.read = pseudo_read,
	.write = pseudo_write,
	.seek = fs_seek_no_end,
	.stat = file_stat_vnode,
	.truncate = pseudo_truncate,
	.release = pseudo_release,
};

static struct file *pseudo_open(struct vnode *v, uint32_t flags)
{
	struct pseudo_vnode *pv = container_of(v, struct pseudo_vnode, v);
	struct pseudo_file *p;
	struct file *f;

	if (S_ISDIR(v->mode))
		return file_create(&directory_ops, v, flags);
	if (S_ISLNK(v->mode))
		return ERR_PTR(-ELOOP);
	if (pv->entry.open)
		return pv->entry.open(pv->entry.arg, flags);
	p = heap_alloc_zeroed(sizeof(*p));
	if (!p)
		return NULL;
	mutex_init(&p->lock, "pseudo_file.lock");
	f = file_create(&pseudo_file_ops, p, flags);
	if (!f)
		heap_free(p);
	return f;
}

/* --- directories --- */

static uint64_t name_ino(const struct vnode *dir, const char *name, size_t len)
{
	return (hash_u64(dir->ino ^ name_hash(name, len)) >> 24) | 1ull << 32;
}

static int make_vnode(struct filesystem *fs, const struct procfs_entry *entry, struct node *node,
	uint64_t ino, struct vnode **out)
{
	struct pseudo_vnode *pv = heap_alloc_zeroed(sizeof(*pv));

	if (!pv)
		return -ENOMEM;
	vnode_init(&pv->v, fs, entry->follow ? &pseudo_link_ops : &pseudo_ops, entry->mode);
	pv->v.ino = ino;
	pv->node = node;
	pv->entry = *entry;
	*out = &pv->v;
	return 0;
}

static struct node *find_child(struct node *dir, const char *name, size_t len)
{
	struct node *n;

	for (n = load_acquire(&dir->children); n; n = n->next)
		if (!strncmp(n->name, name, len) && !n->name[len])
			return n;
	return NULL;
}

static int pseudo_lookup(struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	struct pseudo_vnode *pv = container_of(v, struct pseudo_vnode, v);
	struct node *n = pv->node ? find_child(pv->node, name, len) : NULL;
	struct procfs_entry entry = { 0 };
	char copy[NAME_MAX_LEN + 1];
	int err;

	if (n)
		return make_vnode(v->fs, &n->entry, n, n->ino, out);
	if (!pv->entry.dir)
		return -ENOENT;
	memcpy(copy, name, len);
	copy[len] = 0;
	err = pv->entry.dir->lookup(pv->entry.arg, copy, &entry);
	if (err)
		return err;
	return make_vnode(v->fs, &entry, NULL, name_ino(v, name, len), out);
}

static int pseudo_readdir(struct vnode *v, int64_t *pos, struct dirent_sink *sink)
{
	struct pseudo_vnode *pv = container_of(v, struct pseudo_vnode, v);
	struct node *n = pv->node ? load_acquire(&pv->node->children) : NULL;
	char name[NAME_MAX_LEN + 1];
	int64_t at = 2;
	uint8_t type;

	for (; n; n = n->next, at++) {
		if (at < *pos)
			continue;
		if (!sink->emit(sink, n->name, strlen(n->name), n->ino,
			    (n->entry.mode & S_IFMT) >> 12, at + 1))
			return 0;
		*pos = at + 1;
	}
	if (!pv->entry.dir || !pv->entry.dir->list)
		return 0;
	for (int64_t i = MAX(*pos, at) - at;; i++) {
		int err =
			pv->entry.dir->list(pv->entry.arg, (unsigned)i, name, sizeof(name), &type);

		if (err)
			return err == -ENOENT ? 0 : err;
		if (!sink->emit(sink, name, strlen(name), name_ino(v, name, strlen(name)), type,
			    at + i + 1))
			return 0;
		*pos = at + i + 1;
	}
}

static ssize_t pseudo_readlink(struct vnode *v, char *buf, size_t size)
{
	struct pseudo_vnode *pv = container_of(v, struct pseudo_vnode, v);

	return pv->entry.readlink ? pv->entry.readlink(pv->entry.arg, buf, size) : -EINVAL;
}

static struct dentry *pseudo_follow(struct vnode *v)
{
	struct pseudo_vnode *pv = container_of(v, struct pseudo_vnode, v);

	return pv->entry.follow(pv->entry.arg);
}

static int pseudo_getattr(struct vnode *v, struct stat *st)
{
	struct pseudo *fs = container_of(v->fs, struct pseudo, fs);

	if (S_ISREG(v->mode))
		st->st_size = fs->file_size;
	st->st_blksize = fs == &procfs ? 1024 : 4096;
	return 0;
}

static int pseudo_setattr(struct vnode *v, const struct vnode_attr *attr)
{
	return attr->valid & ~ATTR_SIZE ? -EPERM : 0; /* O_TRUNC on a setting does nothing */
}

static void pseudo_evict(struct vnode *v)
{
	heap_free(container_of(v, struct pseudo_vnode, v));
}

#define PSEUDO_OPS                                                                                 \
	.lookup = pseudo_lookup, .readdir = pseudo_readdir, .readlink = pseudo_readlink,           \
	.getattr = pseudo_getattr, .setattr = pseudo_setattr, .open = pseudo_open,                 \
	.evict = pseudo_evict
static const struct vnode_ops pseudo_ops = { PSEUDO_OPS };
static const struct vnode_ops pseudo_link_ops = { PSEUDO_OPS, .follow = pseudo_follow };

/* --- building the tree --- */

/* fs->lock is held. The node of this name below dir, made if absent. */
static struct node *child(struct pseudo *fs, struct node *dir, const char *name, size_t len)
{
	struct node **end, *n = find_child(dir, name, len);

	if (n)
		return n;
	n = heap_alloc_zeroed(sizeof(*n) + len + 1);
	if (!n)
		return NULL;
	memcpy(n->name, name, len);
	n->parent = dir;
	n->entry.mode = S_IFDIR | 0555;
	n->ino = atomic_add(&fs->fs.next_ino, 1);
	for (end = &dir->children; *end; end = &(*end)->next)
		;
	store_release(end, n);
	return n;
}

static int add(struct pseudo *fs, const char *path, const struct procfs_entry *entry)
{
	struct node *n = fs->root;

	mutex_lock(&fs->lock);
	while (n && *path) {
		size_t len = 0;

		while (path[len] && path[len] != '/')
			len++;
		n = child(fs, n, path, len);
		path += len;
		while (*path == '/')
			path++;
	}
	if (n)
		n->entry = *entry;
	mutex_unlock(&fs->lock);
	return n ? 0 : -ENOMEM;
}

static struct procfs_entry file_entry(uint32_t mode, int (*show)(struct text *t, void *arg),
	ssize_t (*store)(const char *data, size_t n, void *arg), void *arg)
{
	return (struct procfs_entry){
		.mode = S_IFREG | mode, .show = show, .store = store, .arg = arg
	};
}

int procfs_add(const char *path, uint32_t mode, int (*show)(struct text *t, void *arg),
	ssize_t (*store)(const char *data, size_t n, void *arg), void *arg)
{
	struct procfs_entry entry = file_entry(mode, show, store, arg);

	return add(&procfs, path, &entry);
}

int sysfs_add(const char *path, uint32_t mode, int (*show)(struct text *t, void *arg),
	ssize_t (*store)(const char *data, size_t n, void *arg), void *arg)
{
	struct procfs_entry entry = file_entry(mode, show, store, arg);

	return add(&sysfs, path, &entry);
}

int procfs_add_dir(const char *path, const struct procfs_dir_ops *ops, void *arg)
{
	struct procfs_entry entry = { .mode = S_IFDIR | 0555, .dir = ops, .arg = arg };
	struct pseudo_vnode *root = container_of(procfs.fs.root->vnode, struct pseudo_vnode, v);

	if (!*path) /* the root's vnode exists already */
		root->entry = entry;
	return add(&procfs, path, &entry);
}

int sysfs_add_dir(const char *path, const struct procfs_dir_ops *ops, void *arg)
{
	struct procfs_entry entry = { .mode = S_IFDIR | 0755, .dir = ops, .arg = arg };

	return add(&sysfs, path, &entry);
}

static ssize_t fixed_link(void *arg, char *buf, size_t size)
{
	size_t len = MIN(strlen(arg), size);

	memcpy(buf, arg, len);
	return (ssize_t)len;
}

int procfs_add_link(const char *path, const char *target)
{
	struct procfs_entry entry = {
		.mode = S_IFLNK | 0777, .readlink = fixed_link, .arg = (void *)(uintptr_t)target
	};

	return add(&procfs, path, &entry);
}

static bool create(struct pseudo *fs, const char *type, uint32_t magic, int64_t file_size)
{
	struct vnode *v;

	filesystem_init(&fs->fs, type, type, magic);
	fs->file_size = file_size;
	fs->root = heap_alloc_zeroed(sizeof(*fs->root) + 1);
	if (!fs->root)
		return false;
	fs->root->entry.mode = S_IFDIR | 0555;
	fs->root->ino = atomic_add(&fs->fs.next_ino, 1);
	if (make_vnode(&fs->fs, &fs->root->entry, fs->root, fs->root->ino, &v))
		return false;
	fs->fs.root = dentry_create(NULL, "", 0, v);
	return fs->fs.root;
}

struct filesystem *procfs_create(void)
{
	return create(&procfs, "proc", STATFS_PROC_MAGIC, 0) ? &procfs.fs : NULL;
}

struct filesystem *sysfs_create(void)
{
	return create(&sysfs, "sysfs", STATFS_SYSFS_MAGIC, 4096) ? &sysfs.fs : NULL;
}
