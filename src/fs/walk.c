/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path resolution, one component after the other, without recursion: a symbolic link replaces the
 * text that is left by its target and what followed it (at most SYMLINK_MAX times).
 *
 * Most walks find all their names in the cache. These go through it in one RCU read section,
 * without a lock, without a reference on what lies on the way, and without sleeping: go_down and
 * walk_cached. Where something is not there, or is not simply a directory's child (links, "..",
 * "."), the long way takes over from there: step by step, with references, and with the
 * directory's lock for names that are not in the cache. As every step of the short way was true at
 * its moment (children.h), the result is one that the long way might have had, too.
 */

#include "fs/impl.h"

int walk_start(struct walk *w, const struct path_context *c, struct dentry *start, const char *path,
	unsigned flags)
{
	*w = (struct walk){ .c = c, .rest = path, .flags = flags };
	if (strnlen(path, PATH_MAX_LEN) >= PATH_MAX_LEN)
		return -ENAMETOOLONG;
	if (!*path && !(flags & WALK_EMPTY))
		return -ENOENT;
	if (c->resolve & RESOLVE_NO_SYMLINKS)
		w->flags |= WALK_NO_SYMLINKS;
	if (*path == '/' && (c->resolve & RESOLVE_BENEATH))
		return -EXDEV;
	w->at = *path == '/' ? c->root : start ? start : c->cwd;
	dentry_get(w->at);
	if (*path && !S_ISDIR(vnode_mode(w->at->vnode)))
		return -ENOTDIR;
	return 0;
}

void walk_end(struct walk *w)
{
	if (w->at)
		dentry_put(w->at);
	heap_free(w->buf);
	w->at = NULL;
	w->buf = NULL;
}

static void move_to(struct walk *w, struct dentry *d) /* consumes d */
{
	dentry_put(w->at);
	w->at = d;
}

/* The directory's child of this name, across mounts. */
static struct dentry *step(struct walk *w, const char *name, size_t len)
{
	struct dentry *dir = w->at, *d;
	int err;

	if (!S_ISDIR(vnode_mode(dir->vnode)))
		return ERR_PTR(-ENOTDIR);
	err = vnode_permission(dir->vnode, w->c, X_OK);
	if (err)
		return ERR_PTR(err);
	if (len > NAME_MAX_LEN)
		return ERR_PTR(-ENAMETOOLONG);
	if (name[0] == '.' && len == 1) {
		dentry_get(dir);
		return dir;
	}
	if (name[0] == '.' && name[1] == '.' && len == 2) {
		if (dir == w->c->root) {
			if (w->c->resolve & RESOLVE_BENEATH)
				return ERR_PTR(-EXDEV);
			dentry_get(dir);
			return dir;
		}
		return dentry_parent(dir);
	}
	d = dentry_lookup(dir, name, len);
	if (IS_ERR(d) || !d->mounted)
		return d;
	if (w->c->resolve & RESOLVE_NO_XDEV) {
		dentry_put(d);
		return ERR_PTR(-EXDEV);
	}
	return dentry_across(d);
}

/* Takes the next component's name; false when only the last one is left. */
static void split(struct walk *w)
{
	const char *p = w->rest, *end;

	while (*p == '/')
		p++;
	for (end = p; *end && *end != '/'; end++)
		;
	w->name = p;
	w->len = (size_t)(end - p);
	w->slash = *end == '/';
	while (*end == '/')
		end++;
	w->rest = end;
}

/* In a read section. The child if it is in the cache and c may search dir; else ask the long way.
 */
static struct dentry *cached_child(
	const struct path_context *c, struct dentry *dir, const char *name, size_t len)
{
	struct dentry *d;

	if (len == 0 || len > NAME_MAX_LEN || (name[0] == '.' && len <= 2) ||
		!S_ISDIR(vnode_mode(dir->vnode)) || vnode_permission(dir->vnode, c, X_OK))
		return NULL;
	d = children_find(dir, name_hash(name, len), name, len);
	while (d && d->mounted) /* mounts are for ever */
		d = d->mounted;
	return d;
}

/*
 * In a read section. From dir down through directories in the cache, until one component is left,
 * which w then holds, or until the cache has no more: w's text begins there then.
 */
static struct dentry *go_down(struct walk *w, struct dentry *dir)
{
	for (;;) {
		const char *rest = w->rest;
		struct dentry *d;

		split(w);
		if (!*w->rest)
			return dir;
		d = cached_child(w->c, dir, w->name, w->len);
		if (!d || !S_ISDIR(vnode_mode(d->vnode))) {
			w->rest = rest;
			return dir;
		}
		dir = d;
	}
}

struct dentry *walk_cached(
	const struct path_context *c, struct dentry *start, const char *path, unsigned flags)
{
	struct walk w = { .c = c, .rest = path };
	struct dentry *d = NULL;

	if (c->resolve || !*path)
		return NULL;
	rcu_read_lock();
	w.at = go_down(&w, *path == '/' ? c->root : start ? start : c->cwd);
	if (!*w.rest && !w.slash && w.rest - path < PATH_MAX_LEN)
		d = cached_child(c, w.at, w.name, w.len);
	if (d && ((S_ISLNK(vnode_mode(d->vnode)) && (flags & WALK_FOLLOW)) ||
			 ((flags & WALK_DIRECTORY) && !S_ISDIR(vnode_mode(d->vnode))) ||
			 !dentry_get_live(d)))
		d = NULL;
	rcu_read_unlock();
	return d;
}

/* The same for the directories only. */
static void skip_cached(struct walk *w)
{
	const char *rest = w->rest;
	struct dentry *d;
	bool live;

	if (w->c->resolve)
		return;
	rcu_read_lock();
	d = go_down(w, w->at);
	live = d == w->at || dentry_get_live(d);
	rcu_read_unlock();
	if (!live)
		w->rest = rest;
	else if (!*w->rest)
		w->rest = w->name; /* the last one is split off again */
	if (live && d != w->at)
		move_to(w, d);
}

int walk_to_parent(struct walk *w)
{
	for (;;) {
		struct dentry *d, *jumped = NULL;
		int err;

		skip_cached(w);
		split(w);
		if (!*w->rest) {
			if (w->len > NAME_MAX_LEN)
				return -ENAMETOOLONG;
			return S_ISDIR(vnode_mode(w->at->vnode)) || w->len == 0 ? 0 : -ENOTDIR;
		}
		d = step(w, w->name, w->len);
		if (IS_ERR(d))
			return (int)PTR_ERR(d);
		if (S_ISLNK(vnode_mode(d->vnode))) {
			err = walk_follow(w, d, &jumped);
			if (err)
				return err;
			if (jumped)
				move_to(w, jumped);
			continue;
		}
		move_to(w, d);
		if (!S_ISDIR(vnode_mode(d->vnode)))
			return -ENOTDIR;
	}
}

struct dentry *walk_last(struct walk *w)
{
	if (w->len == 0) {
		dentry_get(w->at);
		return w->at;
	}
	return step(w, w->name, w->len);
}

int walk_follow(struct walk *w, struct dentry *d, struct dentry **jumped)
{
	const struct vnode_ops *ops = d->vnode->ops;
	size_t rest_len = strlen(w->rest);
	char *buf;
	ssize_t n;
	int err = -ELOOP;

	*jumped = NULL;
	if (w->flags & WALK_NO_SYMLINKS || ++w->links > SYMLINK_MAX)
		goto out;
	if (ops->follow && (w->c->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH)))
		goto out;
	if (ops->follow) {
		struct dentry *goal = ops->follow(d->vnode);

		if (goal) {
			err = IS_ERR(goal) ? (int)PTR_ERR(goal) : 0;
			*jumped = err ? NULL : goal;
			goto out;
		}
	}
	err = -ENOMEM;
	buf = heap_alloc(PATH_MAX_LEN + rest_len + 2);
	if (!buf)
		goto out;
	n = ops->readlink(d->vnode, buf, PATH_MAX_LEN);
	if (n <= 0 || n >= PATH_MAX_LEN) {
		err = n < 0 ? (int)n : n ? -ENAMETOOLONG : -ENOENT;
		heap_free(buf);
		goto out;
	}
	if (w->slash)
		buf[n++] = '/';
	memcpy(buf + n, w->rest, rest_len + 1);
	heap_free(w->buf);
	w->buf = buf;
	w->rest = buf;
	err = buf[0] == '/' && (w->c->resolve & RESOLVE_BENEATH) ? -EXDEV : 0;
	if (buf[0] == '/') {
		dentry_get(w->c->root);
		move_to(w, w->c->root);
	}
out:
	dentry_put(d);
	return err;
}

int path_walk(const struct path_context *c, struct dentry *start, const char *path, unsigned flags,
	struct dentry **out)
{
	struct walk w;
	struct dentry *d, *jumped = NULL;
	bool must_be_dir = flags & WALK_DIRECTORY;
	int err;

	if (!(flags & (WALK_PARENT | WALK_NO_SYMLINKS))) {
		*out = walk_cached(c, start, path, flags);
		if (*out)
			return 0;
	}
	err = walk_start(&w, c, start, path, flags);
	if (!err && !*path) { /* WALK_EMPTY */
		*out = w.at;
		w.at = NULL;
		goto out;
	}
	while (!err) {
		err = walk_to_parent(&w);
		if (err)
			break;
		if (flags & WALK_PARENT) {
			*out = w.at;
			w.at = NULL;
			break;
		}
		must_be_dir |= w.slash;
		d = walk_last(&w);
		if (IS_ERR(d)) {
			err = (int)PTR_ERR(d);
			break;
		}
		if (S_ISLNK(vnode_mode(d->vnode)) && ((flags & WALK_FOLLOW) || w.slash)) {
			err = walk_follow(&w, d, &jumped);
			if (err || !jumped)
				continue;
			d = jumped;
		}
		if (must_be_dir && !S_ISDIR(vnode_mode(d->vnode))) {
			dentry_put(d);
			err = -ENOTDIR;
			break;
		}
		*out = d;
		break;
	}
out:
	walk_end(&w);
	return err;
}
