/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls that work on names: stat, mkdir, mknod, unlink, link, symlink, rename, readlink,
 * access. */

#include "fs/impl.h"

int fs_stat(const struct path_context *c, struct dentry *start, const char *path, unsigned walk,
	struct stat *st)
{
	struct dentry *d;
	int err = path_walk(c, start, path, walk, &d);

	if (err)
		return err;
	err = vnode_getattr(d->vnode, st);
	dentry_put(d);
	return err;
}

int fs_access(const struct path_context *c, struct dentry *start, const char *path, int mode,
	unsigned walk)
{
	struct dentry *d;
	int err = path_walk(c, start, path, walk, &d);

	if (err)
		return err;
	err = vnode_permission(d->vnode, c, mode);
	dentry_put(d);
	return err;
}

ssize_t fs_readlink(const struct path_context *c, struct dentry *start, const char *path, char *buf,
	size_t size)
{
	struct dentry *d;
	ssize_t n = path_walk(c, start, path, WALK_EMPTY, &d);

	if (n)
		return n;
	if (S_ISLNK(vnode_mode(d->vnode)))
		n = d->vnode->ops->readlink(d->vnode, buf, size);
	else
		n = *path ? -EINVAL : -ENOENT;
	dentry_put(d);
	return n;
}

int fs_setattr(struct dentry *d, const struct vnode_attr *attr)
{
	int err = vnode_setattr(d->vnode, attr);

	if (!err)
		notify_dentry(d, attr->valid & ATTR_SIZE ? IN_MODIFY : IN_ATTRIB);
	return err;
}

int fs_statfs(struct dentry *d, struct statfs *out)
{
	struct filesystem *fs = d->vnode->fs;

	memset(out, 0, sizeof(*out));
	out->f_type = fs->magic;
	out->f_bsize = out->f_frsize = PAGE_SIZE;
	out->f_namelen = NAME_MAX_LEN;
	out->f_flags = 0x20; /* ST_VALID */
	memcpy(&out->f_fsid, &fs->dev, sizeof(out->f_fsid));
	if (fs->page_limit) {
		uint64_t used = load_relaxed(&fs->pages), free = page_stats().free;

		out->f_blocks = fs->page_limit;
		out->f_bfree = used < fs->page_limit ? MIN(fs->page_limit - used, free) : 0;
		out->f_bavail = out->f_bfree;
		out->f_files = fs->page_limit;
		out->f_ffree = fs->page_limit - MIN(fs->page_limit, load_relaxed(&fs->nodes));
	}
	return 0;
}

/* Walks to where a name is to be made; it must be a proper one. */
static int start_create(struct walk *w, const struct path_context *c, struct dentry *start,
	const char *path, bool directory)
{
	struct dentry *d;
	int err = walk_start(w, c, start, path, 0);

	if (!err)
		err = walk_to_parent(w);
	if (err)
		return err;
	if (walk_is_dots(w))
		return -EEXIST;
	if (w->slash && !directory) {
		d = walk_last(w);
		err = IS_ERR(d) ? -ENOENT : -EEXIST;
		if (!IS_ERR(d))
			dentry_put(d);
	}
	return err;
}

int fs_mknod(const struct path_context *c, struct dentry *start, const char *path, uint32_t mode,
	uint64_t rdev)
{
	struct walk w;
	struct dentry *d;
	int err;

	switch (mode & S_IFMT) {
	case 0: mode |= S_IFREG; break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK: rdev = 0; break;
	case S_IFCHR:
	case S_IFBLK:
		if (c->uid != 0)
			return -EPERM;
		break;
	default: return -EINVAL;
	}
	mode = (mode & S_IFMT) | (mode & 07777 & ~c->umask);
	err = start_create(&w, c, start, path, S_ISDIR(mode));
	if (!err) {
		d = create_at(c, &w, mode, rdev);
		if (IS_ERR(d))
			err = (int)PTR_ERR(d);
		else
			dentry_put(d);
	}
	walk_end(&w);
	return err;
}

int fs_mkdir(const struct path_context *c, struct dentry *start, const char *path, uint32_t mode)
{
	return fs_mknod(c, start, path, S_IFDIR | (mode & 01777), 0);
}

int fs_symlink(
	const struct path_context *c, const char *target, struct dentry *start, const char *path)
{
	struct walk w;
	struct vnode *dir;
	struct dentry *d;
	int err;

	if (!*target)
		return -ENOENT;
	if (strnlen(target, PATH_MAX_LEN) >= PATH_MAX_LEN)
		return -ENAMETOOLONG;
	err = start_create(&w, c, start, path, false);
	if (err)
		goto out;
	dir = w.at->vnode;
	mutex_lock(&dir->lock);
	d = dentry_lookup_locked(w.at, w.name, w.len);
	if (!IS_ERR(d)) {
		dentry_put(d);
		err = -EEXIST;
	} else {
		err = (int)PTR_ERR(d);
	}
	if (err == -ENOENT)
		err = vnode_permission(dir, c, W_OK | X_OK);
	if (!err)
		err = dir->ops->symlink ? dir->ops->symlink(dir, w.name, w.len, target) : -EPERM;
	if (!err && (c->uid || c->gid)) {
		d = dentry_lookup_locked(w.at, w.name, w.len);
		if (!IS_ERR(d)) {
			d->vnode->uid = c->uid;
			d->vnode->gid = c->gid;
			dentry_put(d);
		}
	}
	mutex_unlock(&dir->lock);
	if (!err)
		notify_child(w.at, w.name, w.len, IN_CREATE, 0);
out:
	walk_end(&w);
	return err;
}

int fs_link(
	const struct path_context *c, struct dentry *from, struct dentry *start, const char *path)
{
	struct vnode *v = from->vnode, *dir;
	struct walk w;
	struct dentry *d;
	int err = start_create(&w, c, start, path, false);

	if (err)
		goto out;
	dir = w.at->vnode;
	mutex_lock(&dir->lock);
	d = dentry_lookup_locked(w.at, w.name, w.len);
	if (!IS_ERR(d)) {
		dentry_put(d);
		err = -EEXIST;
	} else {
		err = PTR_ERR(d) == -ENOENT ? 0 : (int)PTR_ERR(d);
	}
	if (!err && dir->fs != v->fs)
		err = -EXDEV;
	if (!err)
		err = vnode_permission(dir, c, W_OK | X_OK);
	if (!err && (S_ISDIR(vnode_mode(v)) || !dir->ops->link))
		err = -EPERM;
	if (!err)
		err = dir->ops->link(dir, w.name, w.len, v);
	mutex_unlock(&dir->lock);
	if (!err) {
		notify_child(w.at, w.name, w.len, IN_CREATE, 0);
		notify_vnode(v, IN_ATTRIB);
	}
out:
	walk_end(&w);
	return err;
}

/* May c take the name d out of its directory? */
static int may_delete(const struct path_context *c, struct dentry *dir, struct dentry *d)
{
	int err = vnode_permission(dir->vnode, c, W_OK | X_OK);

	if (!err && (vnode_mode(dir->vnode) & S_ISVTX) && !vnode_owned(d->vnode, c) &&
		!vnode_owned(dir->vnode, c))
		err = -EPERM;
	return err;
}

int fs_unlink(const struct path_context *c, struct dentry *start, const char *path, bool is_dir)
{
	struct walk w;
	struct dentry *d = NULL;
	struct vnode *dir;
	int err = walk_start(&w, c, start, path, 0);

	if (!err)
		err = walk_to_parent(&w);
	if (err)
		goto out;
	if (w.len == 0)
		err = is_dir ? -EBUSY : -EISDIR;
	else if (walk_is_dots(&w))
		err = !is_dir ? -EISDIR : w.len == 1 ? -EINVAL : -ENOTEMPTY;
	if (err)
		goto out;
	dir = w.at->vnode;
	if (is_dir)
		mutex_lock(&rename_lock);
	mutex_lock(&dir->lock);
	d = dentry_lookup_locked(w.at, w.name, w.len);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
		d = NULL;
	} else if (w.slash && !is_dir) {
		err = S_ISDIR(vnode_mode(d->vnode)) ? -EISDIR : -ENOTDIR;
	} else {
		err = may_delete(c, w.at, d);
	}
	if (!err && is_dir != S_ISDIR(vnode_mode(d->vnode)))
		err = is_dir ? -ENOTDIR : -EISDIR;
	if (!err && d->mounted)
		err = -EBUSY;
	if (!err)
		err = dir->ops->unlink ? dir->ops->unlink(dir, w.name, w.len, is_dir) : -EPERM;
	if (!err)
		dentry_uncache(d);
	mutex_unlock(&dir->lock);
	if (is_dir)
		mutex_unlock(&rename_lock);
	if (!err) {
		if (!is_dir)
			notify_vnode(d->vnode, IN_ATTRIB);
		notify_child(w.at, w.name, w.len, IN_DELETE | (is_dir ? IN_ISDIR : 0), 0);
		if (!load_relaxed(&d->vnode->nlink))
			notify_gone(d->vnode);
	}
	if (d)
		dentry_put(d);
out:
	walk_end(&w);
	return err;
}

/* --- rename --- */

static bool is_ancestor(const struct dentry *a, const struct dentry *d)
{
	for (; d; d = d->name->parent)
		if (d == a)
			return true;
	return false;
}

/* rename_lock is held: the tree's shape stands still. */
static void lock_two(struct dentry *a, struct dentry *b)
{
	if (a == b) {
		mutex_lock(&a->vnode->lock);
		return;
	}
	mutex_lock(&a->vnode->lock);
	mutex_lock(&b->vnode->lock);
}

static void unlock_two(struct dentry *a, struct dentry *b)
{
	mutex_unlock(&a->vnode->lock);
	if (a != b)
		mutex_unlock(&b->vnode->lock);
}

/* What rename(2) forbids, with the errors in Linux's order. from and maybe to are referenced. */
static int check_rename(const struct path_context *c, struct walk *ow, struct walk *nw,
	struct dentry *from, struct dentry *to, unsigned flags)
{
	bool dir = S_ISDIR(vnode_mode(from->vnode));
	int err;

	if (to && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!to && (flags & RENAME_EXCHANGE))
		return -ENOENT;
	if (!dir && (ow->slash || (nw->slash && !(flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if (is_ancestor(from, nw->at))
		return -EINVAL;
	if (to && is_ancestor(to, ow->at))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (to && to->vnode == from->vnode)
		return 0;
	err = may_delete(c, ow->at, from);
	if (!err)
		err = to ? may_delete(c, nw->at, to)
			 : vnode_permission(nw->at->vnode, c, W_OK | X_OK);
	if (err)
		return err;
	if (to && !(flags & RENAME_EXCHANGE)) {
		bool to_dir = S_ISDIR(vnode_mode(to->vnode));

		if (dir != to_dir)
			return dir ? -ENOTDIR : -EISDIR;
	}
	if (from->mounted || (to && to->mounted))
		return -EBUSY;
	if (!ow->at->vnode->ops->rename)
		return -EPERM;
	return 0;
}

static void rename_notify(struct walk *ow, struct walk *nw, struct dentry *from, struct dentry *to)
{
	static uint32_t last_cookie;
	uint32_t cookie = atomic_add(&last_cookie, 1) + 1;
	uint32_t dir = S_ISDIR(vnode_mode(from->vnode)) ? IN_ISDIR : 0;

	notify_child(ow->at, ow->name, ow->len, IN_MOVED_FROM | dir, cookie);
	notify_child(nw->at, nw->name, nw->len, IN_MOVED_TO | dir, cookie);
	notify_vnode(from->vnode, IN_MOVE_SELF);
	if (to)
		notify_vnode(
			to->vnode, S_ISDIR(vnode_mode(to->vnode)) ? IN_DELETE_SELF : IN_ATTRIB);
}

static int rename_locked(const struct path_context *c, struct walk *ow, struct walk *nw,
	struct dentry **from, struct dentry **to, unsigned flags)
{
	struct vnode *od = ow->at->vnode, *nd = nw->at->vnode;
	struct dname *from_name, *to_name = NULL;
	bool exchange = flags & RENAME_EXCHANGE;
	struct dentry *d;
	int err;

	d = dentry_lookup_locked(ow->at, ow->name, ow->len);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	*from = d;
	d = dentry_lookup_locked(nw->at, nw->name, nw->len);
	if (!IS_ERR(d))
		*to = d;
	else if (PTR_ERR(d) != -ENOENT)
		return (int)PTR_ERR(d);
	err = check_rename(c, ow, nw, *from, *to, flags);
	if (err)
		return err;
	if (*to && (*to)->vnode == (*from)->vnode)
		return 1; /* nothing to do */
	/* What needs memory comes first: afterwards nothing fails. */
	from_name = dname_create(nw->at, nw->name, nw->len);
	if (exchange)
		to_name = dname_create(ow->at, ow->name, ow->len);
	err = !from_name || (exchange && !to_name) ? -ENOMEM : children_reserve(nw->at);
	if (!err)
		err = od->ops->rename(od, ow->name, ow->len, nd, nw->name, nw->len, flags);
	if (err) {
		dname_free(from_name);
		dname_free(to_name);
		return err;
	}
	if (*to && !exchange)
		dentry_uncache(*to);
	dentry_move(*from, from_name, exchange ? *to : NULL, to_name);
	return 0;
}

int fs_rename(const struct path_context *c, struct dentry *old_start, const char *old_path,
	struct dentry *new_start, const char *new_path, unsigned flags)
{
	struct dentry *from = NULL, *to = NULL;
	struct walk ow = { 0 }, nw = { 0 };
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
		(flags & RENAME_NOREPLACE && flags & RENAME_EXCHANGE))
		return -EINVAL;
	err = walk_start(&ow, c, old_start, old_path, 0);
	if (!err)
		err = walk_to_parent(&ow);
	if (!err)
		err = walk_start(&nw, c, new_start, new_path, 0);
	if (!err)
		err = walk_to_parent(&nw);
	if (!err && ow.at->vnode->fs != nw.at->vnode->fs)
		err = -EXDEV;
	if (!err && walk_is_dots(&ow))
		err = -EBUSY;
	if (!err && walk_is_dots(&nw))
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (err)
		goto out;
	mutex_lock(&rename_lock);
	lock_two(ow.at, nw.at);
	err = rename_locked(c, &ow, &nw, &from, &to, flags);
	unlock_two(ow.at, nw.at);
	mutex_unlock(&rename_lock);
	if (!err)
		rename_notify(&ow, &nw, from, flags & RENAME_EXCHANGE ? NULL : to);
	if (err == 1)
		err = 0;
	if (from)
		dentry_put(from);
	if (to)
		dentry_put(to);
out:
	walk_end(&ow);
	walk_end(&nw);
	return err;
}
