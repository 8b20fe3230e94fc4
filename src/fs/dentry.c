/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dentries: names that were looked up, in a tree per directory ordered by (hash, name).
 *
 * A cached dentry is held by its parent's table and stays until it is unlinked, where the file
 * system says so (ramfs: its nodes are in memory anyway); elsewhere it goes with its last user.
 * Each dentry holds its parent, so a chain of parents is always valid.
 */

#include "fs/impl.h"

struct mutex rename_lock = MUTEX_INIT, names_lock = MUTEX_INIT;

uint64_t name_hash(const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return (h ^ h >> 32) >> 2; /* 62 bits: a directory position is this plus 2 */
}

static int compare(uint64_t hash, const char *name, size_t len, const struct dentry *d)
{
	if (hash != d->hash)
		return hash < d->hash ? -1 : 1;
	if (len != d->len)
		return len < d->len ? -1 : 1;
	return memcmp(name, d->name, len);
}

static int set_name(struct dentry *d, const char *name, size_t len)
{
	char *p = d->small;

	if (len >= sizeof(d->small)) {
		p = heap_alloc(len + 1);
		if (!p)
			return -ENOMEM;
	}
	memcpy(p, name, len);
	p[len] = 0;
	d->name = p;
	d->len = len;
	d->hash = name_hash(name, len);
	return 0;
}

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len, struct vnode *v)
{
	struct dentry *d = heap_alloc_zeroed(sizeof(*d));

	if (!d || set_name(d, name, len)) {
		heap_free(d);
		return NULL;
	}
	d->refcount = 1;
	d->vnode = v;
	vnode_get(v);
	d->parent = parent;
	if (parent)
		dentry_get(parent);
	return d;
}

void dentry_get(struct dentry *d)
{
	atomic_add(&d->refcount, 1);
}

void dentry_put(struct dentry *d)
{
	while (d) {
		uint32_t old = atomic_sub(&d->refcount, 1);
		struct dentry *parent;

		BUG_ON(old == 0);
		if (old > 1)
			return;
		BUG_ON(d->cached);
		parent = d->parent; /* nobody can rename it any more */
		vnode_put(d->vnode);
		if (d->name != d->small)
			heap_free(d->name);
		heap_free(d);
		d = parent; /* its reference was ours */
	}
}

struct vnode *dentry_vnode(struct dentry *d)
{
	return d->vnode;
}

static struct dentry *find(struct dentry *dir, uint64_t hash, const char *name, size_t len)
{
	struct rb_node *n = dir->children.root;

	while (n) {
		struct dentry *d = rb_entry(n, struct dentry, node);
		int order = compare(hash, name, len, d);

		if (order == 0)
			return d;
		n = order < 0 ? n->left : n->right;
	}
	return NULL;
}

/* The table's reference is taken here. */
static void cache(struct dentry *dir, struct dentry *d)
{
	struct rb_node **link = &dir->children.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = compare(d->hash, d->name, d->len, rb_entry(parent, struct dentry, node)) < 0
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&dir->children, &d->node, parent, link);
	d->cached = true;
	dentry_get(d);
}

static void uncache(struct dentry *d)
{
	if (!d->cached)
		return;
	rb_erase(&d->parent->children, &d->node);
	d->cached = false;
	dentry_put(d);
}

void dentry_uncache(struct dentry *d)
{
	store_release(&d->gone, true);
	uncache(d);
}

struct dentry *dentry_lookup_locked(struct dentry *dir, const char *name, size_t len)
{
	struct dentry *d = find(dir, name_hash(name, len), name, len);
	struct vnode *v;
	int err;

	if (d) {
		dentry_get(d);
		return d;
	}
	if (load_acquire(&dir->gone) || !dir->vnode->ops->lookup)
		return ERR_PTR(-ENOENT);
	err = dir->vnode->ops->lookup(dir->vnode, name, len, &v);
	if (err)
		return ERR_PTR(err);
	d = dentry_create(dir, name, len, v);
	vnode_put(v);
	if (!d)
		return ERR_PTR(-ENOMEM);
	if (v->fs->keep_dentries)
		cache(dir, d);
	return d;
}

struct dentry *dentry_lookup(struct dentry *dir, const char *name, size_t len)
{
	struct dentry *d;

	mutex_lock(&dir->vnode->lock);
	d = dentry_lookup_locked(dir, name, len);
	mutex_unlock(&dir->vnode->lock);
	return d;
}

/* Both directories are locked, rename_lock is held. d is cached or not; its name changes place. */
int dentry_move(struct dentry *d, struct dentry *new_parent, const char *name, size_t len)
{
	char *long_name = NULL, *old_name;
	struct dentry *old_parent = d->parent;
	bool was_cached = d->cached;

	if (len >= sizeof(d->small)) {
		long_name = heap_alloc(len + 1);
		if (!long_name)
			return -ENOMEM;
	}
	if (was_cached) {
		dentry_get(d); /* the caller has one too; this keeps the count honest */
		uncache(d);
	}
	mutex_lock(&names_lock);
	old_name = d->name == d->small ? NULL : d->name;
	d->name = long_name ? long_name : d->small;
	memcpy(d->name, name, len);
	d->name[len] = 0;
	d->len = len;
	d->hash = name_hash(name, len);
	dentry_get(new_parent);
	d->parent = new_parent;
	mutex_unlock(&names_lock);
	heap_free(old_name);
	dentry_put(old_parent);
	if (was_cached) {
		cache(new_parent, d);
		dentry_put(d);
	}
	return 0;
}

/* Swaps parents and names of two dentries under the same guards. */
void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *pa = a->parent, *pb = b->parent;
	char small[sizeof(a->small)];
	char *name_a = a->name == a->small ? NULL : a->name;
	char *name_b = b->name == b->small ? NULL : b->name;
	size_t len = a->len;
	uint64_t hash = a->hash;

	dentry_get(a);
	dentry_get(b);
	uncache(a);
	uncache(b);
	mutex_lock(&names_lock);
	memcpy(small, a->small, sizeof(small));
	memcpy(a->small, b->small, sizeof(small));
	memcpy(b->small, small, sizeof(small));
	a->name = name_b ? name_b : a->small;
	b->name = name_a ? name_a : b->small;
	a->len = b->len;
	a->hash = b->hash;
	b->len = len;
	b->hash = hash;
	a->parent = pb;
	b->parent = pa;
	mutex_unlock(&names_lock);
	cache(pb, a);
	cache(pa, b);
	dentry_put(a);
	dentry_put(b);
}

struct dentry *dentry_across(struct dentry *d)
{
	while (d->mounted) {
		struct dentry *root = d->mounted;

		dentry_get(root);
		dentry_put(d);
		d = root;
	}
	return d;
}

struct dentry *dentry_parent(struct dentry *d)
{
	mutex_lock(&names_lock);
	while (!d->parent && d->vnode->fs->covered)
		d = d->vnode->fs->covered;
	if (d->parent)
		d = d->parent;
	dentry_get(d);
	mutex_unlock(&names_lock);
	return d;
}

struct dentry *dentry_anonymous(struct vnode *v, const char *name)
{
	struct dentry *d = dentry_create(NULL, name, strlen(name), v);

	vnode_put(v);
	if (d)
		d->gone = true;
	return d;
}

/* Writes backwards from the end of buf, then moves the text to the front. */
ssize_t dentry_path(struct dentry *d, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t at = size;
	int err = -ENAMETOOLONG;

	if (size < 2)
		return err;
	buf[--at] = 0;
	mutex_lock(&names_lock);
	if (load_acquire(&d->gone)) {
		if (at < sizeof(deleted) - 1)
			goto out;
		at -= sizeof(deleted) - 1;
		memcpy(buf + at, deleted, sizeof(deleted) - 1);
	}
	if (!d->parent && !d->vnode->fs->covered && at == size - 1)
		buf[--at] = '/';
	for (;;) {
		if (!d->parent) {
			if (d->gone && d->len) { /* a file that never had a place */
				if (at < d->len + 1)
					goto out;
				at -= d->len;
				memcpy(buf + at, d->name, d->len);
				buf[--at] = '/';
				break;
			}
			if (!d->vnode->fs->covered)
				break;
			d = d->vnode->fs->covered;
			continue;
		}
		if (at < d->len + 1)
			goto out;
		at -= d->len;
		memcpy(buf + at, d->name, d->len);
		buf[--at] = '/';
		d = d->parent;
	}
	memmove(buf, buf + at, size - at);
	err = (int)(size - at - 1);
out:
	mutex_unlock(&names_lock);
	return err;
}
