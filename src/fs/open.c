/* SPDX-License-Identifier: BSD-2-Clause */
/* open(2): from a path to a struct file; directories as files. */

#include "fs/impl.h"

void file_attach(struct file *f, struct dentry *d)
{
	dentry_get(d);
	vnode_get(d->vnode);
	f->path = d;
	f->vnode = d->vnode;
}

void file_detach(struct file *f)
{
	if (f->vnode)
		vnode_put(f->vnode);
	if (f->path)
		dentry_put(f->path);
	f->vnode = NULL;
	f->path = NULL;
}

struct dentry *file_dentry(struct file *f)
{
	return f->path;
}

int file_stat_vnode(struct file *f, struct stat *st)
{
	return vnode_getattr(f->vnode, st);
}

/* --- directories --- */

static int directory_readdir(struct file *f, struct dirent_sink *sink)
{
	struct dentry *d = f->path, *parent;
	struct vnode *v = d->vnode;
	uint64_t ino;
	int err = 0;

	if (load_acquire(&d->gone))
		return -ENOENT;
	if (f->pos == 0) {
		if (!sink->emit(sink, ".", 1, v->ino, DT_DIR, 1))
			return 0;
		f->pos = 1;
	}
	if (f->pos == 1) {
		parent = dentry_parent(d);
		ino = parent->vnode->ino;
		dentry_put(parent);
		if (!sink->emit(sink, "..", 2, ino, DT_DIR, 2))
			return 0;
		f->pos = 2;
	}
	if (f->pos == INT64_MAX)
		return 0;
	mutex_lock(&v->lock);
	err = v->ops->readdir(v, &f->pos, sink);
	mutex_unlock(&v->lock);
	return err;
}

int64_t fs_seek_no_end(struct file *f, int64_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	f->pos = offset;
	return offset;
}

static ssize_t directory_read(struct file *f, struct iter *to, int64_t *pos)
{
	return -EISDIR;
}

static int directory_sync(struct file *f, bool data_only)
{
	return 0;
}

static void directory_release(struct file *f)
{
	notify_dentry(f->path, IN_CLOSE_NOWRITE | IN_ISDIR);
	file_detach(f);
}

const struct file_ops directory_ops = {
	.read = directory_read,
	.seek = fs_seek_no_end,
	.stat = file_stat_vnode,
	.sync = directory_sync,
	.readdir = directory_readdir,
	.release = directory_release,
};

/* O_PATH: a name for the other calls, nothing more. */
const struct file_ops path_ops = {
	.kind = "path",
	.stat = file_stat_vnode,
	.release = file_detach,
};

/* --- opening --- */

struct file *vnode_open(struct dentry *d, uint32_t flags)
{
	struct vnode *v = d->vnode;
	uint32_t mode = vnode_mode(v);
	const struct file_ops *ops;
	struct file *f;

	flags &= ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	if (flags & O_PATH)
		ops = &path_ops;
	else if (v->ops->open)
		ops = NULL;
	else if (S_ISREG(mode) && v->cache)
		ops = &regular_ops;
	else if (S_ISDIR(mode))
		ops = &directory_ops;
	else if (S_ISLNK(mode))
		return ERR_PTR(-ELOOP);
	else if (S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode))
		ops = NULL;
	else
		return ERR_PTR(-ENXIO);
	if (ops)
		f = file_create(ops, NULL, flags);
	else if (v->ops->open)
		f = v->ops->open(v, flags);
	else
		f = S_ISFIFO(mode) ? fifo_open(v, flags) : device_open(v, flags);
	if (!f)
		f = ERR_PTR(-ENOMEM);
	if (!IS_ERR(f) && !f->path && load_relaxed(&f->refcount) == 1)
		file_attach(f, d);
	if (!IS_ERR(f) && !(flags & O_PATH))
		notify_dentry(d, IN_OPEN | (S_ISDIR(mode) ? IN_ISDIR : 0));
	return f;
}

static int access_mask(uint32_t flags)
{
	static const int masks[] = { R_OK, W_OK, R_OK | W_OK, R_OK | W_OK };

	return masks[flags & O_ACCMODE] | (flags & O_TRUNC ? W_OK : 0);
}

/* d exists. created: just now, so its mode does not matter. */
static struct file *open_existing(
	const struct path_context *c, struct dentry *d, uint32_t flags, bool created)
{
	uint32_t mode = vnode_mode(d->vnode);
	struct vnode_attr attr = { .valid = ATTR_SIZE };
	struct file *f;
	int err;

	if (S_ISDIR(mode) && !(flags & O_PATH) &&
		((flags & O_ACCMODE) || (flags & (O_CREAT | O_TRUNC))))
		return ERR_PTR(-EISDIR);
	if ((flags & O_DIRECTORY) && !S_ISDIR(mode))
		return ERR_PTR(-ENOTDIR);
	if (flags & O_PATH)
		return vnode_open(d, flags);
	err = created ? 0 : vnode_permission(d->vnode, c, access_mask(flags));
	if (!err && (flags & O_NOATIME) && !vnode_owned(d->vnode, c))
		err = -EPERM;
	if (err)
		return ERR_PTR(err);
	f = vnode_open(d, flags);
	if (!IS_ERR(f) && f->ops == &regular_ops && c->uid)
		f->private = REGULAR_UNPRIVILEGED;
	if (!IS_ERR(f) && (flags & O_TRUNC) && S_ISREG(mode) && !created && d->vnode->cache) {
		err = fs_setattr(d, &attr);
		if (err) {
			file_put(f);
			return ERR_PTR(err);
		}
	}
	return f;
}

/* The directory's vnode->lock is held. */
static struct dentry *create_in(const struct path_context *c, struct dentry *dir, const char *name,
	size_t len, uint32_t mode, uint64_t rdev)
{
	struct vnode *v = dir->vnode, *child;
	struct dentry *d;
	int err = vnode_permission(v, c, W_OK | X_OK);

	if (!err && !v->ops->create)
		err = v->fs->magic == STATFS_PROC_MAGIC ? -ENOENT : -EPERM;
	if (!err)
		err = v->ops->create(v, name, len, mode, rdev, &child);
	if (err)
		return ERR_PTR(err);
	child->uid = c->uid;
	child->gid = c->gid;
	if (vnode_mode(v) & S_ISGID) {
		child->gid = load_relaxed(&v->gid);
		if (S_ISDIR(mode))
			child->mode |= S_ISGID;
	}
	vnode_put(child); /* the directory holds it */
	d = dentry_lookup_locked(dir, name, len);
	return d;
}

struct dentry *create_at(const struct path_context *c, struct walk *w, uint32_t mode, uint64_t rdev)
{
	struct dentry *dir = w->at, *d;
	int err;

	mutex_lock(&dir->vnode->lock);
	err = vnode_permission(dir->vnode, c, X_OK);
	d = err ? ERR_PTR(err) : dentry_lookup_locked(dir, w->name, w->len);
	if (!IS_ERR(d)) {
		dentry_put(d);
		d = ERR_PTR(-EEXIST);
	} else if (PTR_ERR(d) == -ENOENT) {
		d = create_in(c, dir, w->name, w->len, mode, rdev);
	}
	mutex_unlock(&dir->vnode->lock);
	if (!IS_ERR(d))
		notify_child(dir, w->name, w->len, IN_CREATE | (S_ISDIR(mode) ? IN_ISDIR : 0), 0);
	return d;
}

static struct file *open_tmpfile(
	const struct path_context *c, struct dentry *dir, uint32_t flags, uint32_t mode)
{
	struct vnode *v;
	struct dentry *d;
	struct file *f;
	int err = vnode_permission(dir->vnode, c, W_OK | X_OK);

	if (!S_ISDIR(vnode_mode(dir->vnode)))
		return ERR_PTR(-ENOTDIR);
	if (err)
		return ERR_PTR(err);
	if (!vnode_is_ramfs(dir->vnode))
		return ERR_PTR(-EOPNOTSUPP);
	v = ramfs_anonymous(dir->vnode->fs, S_IFREG | (mode & ~c->umask & 07777));
	if (!v)
		return ERR_PTR(-ENOMEM);
	v->uid = c->uid;
	v->gid = c->gid;
	v->linkable = !(flags & O_EXCL);
	d = dentry_anonymous(v, "#tmpfile");
	if (!d)
		return ERR_PTR(-ENOMEM);
	f = vnode_open(d, flags & ~O_TMPFILE);
	if (!IS_ERR(f))
		f->flags |= O_TMPFILE; /* F_GETFL tells */
	dentry_put(d);
	return f;
}

/* Looks the last component up for open; *created when it was made. */
static struct dentry *open_last(
	const struct path_context *c, struct walk *w, uint32_t flags, uint32_t mode, bool *created)
{
	struct dentry *d;

	*created = false;
	if (!(flags & O_CREAT))
		return walk_last(w);
	if (walk_is_dots(w))
		return ERR_PTR(-EISDIR);
	for (;;) {
		d = walk_last(w);
		if (!IS_ERR(d)) {
			if (flags & O_EXCL) {
				dentry_put(d);
				return ERR_PTR(-EEXIST);
			}
			return d;
		}
		if (PTR_ERR(d) != -ENOENT)
			return d;
		if (w->slash)
			return ERR_PTR(-EISDIR);
		d = create_at(c, w, S_IFREG | (mode & 07777 & ~c->umask), 0);
		*created = !IS_ERR(d);
		if (!IS_ERR(d) || PTR_ERR(d) != -EEXIST)
			return d;
	}
}

static struct file *open_found(
	const struct path_context *c, struct dentry *d, uint32_t flags, uint32_t mode, bool created)
{
	return (flags & O_TMPFILE) == O_TMPFILE ? open_tmpfile(c, d, flags, mode)
						: open_existing(c, d, flags, created);
}

struct file *fs_open(const struct path_context *c, struct dentry *start, const char *path,
	uint32_t flags, uint32_t mode)
{
	struct file *f = NULL;
	struct dentry *d = NULL, *jumped;
	bool created = false;
	struct walk w;
	int err;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	d = flags & O_EXCL ? NULL
			   : walk_cached(c, start, path, flags & O_NOFOLLOW ? 0 : WALK_FOLLOW);
	if (d) {
		f = open_found(c, d, flags, mode, false);
		dentry_put(d);
		return f;
	}
	err = walk_start(&w, c, start, path, 0);
	while (!err && !f) {
		err = walk_to_parent(&w);
		if (err)
			break;
		d = open_last(c, &w, (flags & O_TMPFILE) == O_TMPFILE ? 0 : flags, mode, &created);
		if (IS_ERR(d)) {
			err = (int)PTR_ERR(d);
			break;
		}
		if (S_ISLNK(vnode_mode(d->vnode)) && (!(flags & O_NOFOLLOW) || w.slash)) {
			err = walk_follow(&w, d, &jumped);
			if (err || !jumped)
				continue;
			d = jumped;
			w.slash = false;
		}
		if (w.slash && !S_ISDIR(vnode_mode(d->vnode)))
			f = ERR_PTR(-ENOTDIR);
		else
			f = open_found(c, d, flags, mode, created);
		dentry_put(d);
	}
	walk_end(&w);
	return err ? ERR_PTR(err) : f;
}
