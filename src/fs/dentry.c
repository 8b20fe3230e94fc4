/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dentries: names that were looked up.
 *
 * A cached dentry is held by its directory's table (children.h) and stays until it is unlinked,
 * where the file system says so (ramfs: its nodes are in memory anyway); elsewhere it goes with its
 * last user. Each dentry's name holds the parent, so a chain of parents is always valid.
 *
 * Parents and names are read without a lock. One of them is an immutable struct dname, which a
 * rename replaces. A whole path needs several to belong together: names_seq is odd while names
 * change, and a reader that sees it change reads again with names_lock, under which it does not.
 */

#include "fs/impl.h"

DEFINE_MUTEX(rename_lock);
static DEFINE_MUTEX(names_lock); /* a rename's change of names */
static uint64_t names_seq;	 /* atomic; written under names_lock */

uint64_t name_hash(const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return (h ^ h >> 32) >> 2; /* 62 bits: a directory position is this plus 2 */
}

static void dname_fill(struct dname *n, struct dentry *parent, const char *name, size_t len)
{
	n->parent = parent;
	if (parent)
		dentry_get(parent);
	n->hash = name_hash(name, len);
	n->len = len;
	memcpy(n->text, name, len);
	n->text[len] = 0;
}

struct dname *dname_create(struct dentry *parent, const char *name, size_t len)
{
	struct dname *n = heap_alloc(sizeof(*n) + len + 1);

	if (n)
		dname_fill(n, parent, name, len);
	return n;
}

void dname_free(struct dname *n)
{
	if (n && n->parent)
		dentry_put(n->parent);
	heap_free(n);
}

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len, struct vnode *v)
{
	struct dentry *d = heap_alloc(sizeof(*d) + len + 1);

	if (!d)
		return NULL;
	*d = (struct dentry){ .refcount = 1, .vnode = v };
	vnode_get(v);
	dname_fill(&d->first_name, parent, name, len);
	d->name = &d->first_name;
	return d;
}

/* A mounted root is not counted: it never goes, and every walk would write its line. */
void dentry_get(struct dentry *d)
{
	if (!d->is_mount)
		atomic_add(&d->refcount, 1);
}

bool dentry_get_live(struct dentry *d)
{
	return d->is_mount || refcount_get_live(&d->refcount);
}

static void dname_reclaim(struct rcu_node *n)
{
	heap_free(container_of(n, struct dname, rcu));
}

static void dentry_reclaim(struct rcu_node *n)
{
	struct dentry *d = container_of(n, struct dentry, rcu);

	if (d->name != &d->first_name)
		heap_free(d->name);
	heap_free(d->children);
	heap_free(d);
}

/* Who walks without a lock may still look at it, but finds no reference to take. */
void dentry_put(struct dentry *d)
{
	while (d && !d->is_mount) {
		uint32_t old = atomic_sub(&d->refcount, 1);
		struct dentry *parent;

		BUG_ON(old == 0);
		if (old > 1)
			return;
		BUG_ON(d->cached);
		parent = d->name->parent; /* nobody can rename it any more */
		vnode_put(d->vnode);
		rcu_call(&d->rcu, dentry_reclaim);
		d = parent; /* its name's reference was ours */
	}
}

struct dentry *dentry_get_from(struct dentry **place)
{
	struct dentry *d;
	bool live;

	do { /* again only if another was put there and this one ended */
		rcu_read_lock();
		d = rcu_load(place);
		live = dentry_get_live(d);
		rcu_read_unlock();
	} while (!live);
	return d;
}

struct vnode *dentry_vnode(struct dentry *d)
{
	return d->vnode;
}

/* The table's reference is taken here. The directory's lock is held, there is room. */
static void cache(struct dentry *d)
{
	children_insert(d->name->parent, d);
	d->cached = true;
	dentry_get(d);
}

static void uncache(struct dentry *d)
{
	if (!d->cached)
		return;
	children_remove(d->name->parent, d);
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
	struct dentry *d = children_find(dir, name_hash(name, len), name, len);
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
	d = NULL;
	if (!v->fs->keep_dentries || !children_reserve(dir))
		d = dentry_create(dir, name, len, v);
	if (d && v->fs->keep_dentries)
		cache(d);
	vnode_put(v);
	return d ? d : ERR_PTR(-ENOMEM);
}

struct dentry *dentry_lookup(struct dentry *dir, const char *name, size_t len)
{
	uint64_t hash = name_hash(name, len);
	struct dentry *d;

	rcu_read_lock();
	d = children_find(dir, hash, name, len);
	if (d && !dentry_get_live(d))
		d = NULL;
	rcu_read_unlock();
	if (d)
		return d;
	mutex_lock(&dir->vnode->lock);
	d = dentry_lookup_locked(dir, name, len);
	mutex_unlock(&dir->vnode->lock);
	return d;
}

/*
 * rename_lock and the locks of both directories are held. The new names hold their parents.
 * Pairs with dentry_path: who reads a name that is set here also reads the odd number, or a later
 * one; who reads the even number at its start reads all names that were set before.
 */
static void set_names(
	struct dentry *a, struct dname *name_a, struct dentry *b, struct dname *name_b)
{
	mutex_lock(&names_lock);
	store_relaxed(&names_seq, names_seq + 1);
	rcu_store(&a->name, name_a);
	if (b)
		rcu_store(&b->name, name_b);
	store_release(&names_seq, names_seq + 1);
	mutex_unlock(&names_lock);
}

static void drop_name(struct dentry *d, struct dname *old)
{
	dentry_put(old->parent);
	if (old != &d->first_name) /* that goes with the dentry */
		rcu_call(&old->rcu, dname_reclaim);
}

/*
 * a gets name_a (consumed), and with b not NULL b gets name_b: they change places then. The caller
 * holds references, rename_lock and the directories' locks; there is room in their tables.
 */
void dentry_move(struct dentry *a, struct dname *name_a, struct dentry *b, struct dname *name_b)
{
	struct dname *old_a = a->name, *old_b = b ? b->name : NULL;
	bool cached_a = a->cached, cached_b = b && b->cached;

	uncache(a);
	if (b)
		uncache(b);
	set_names(a, name_a, b, name_b);
	if (cached_a)
		cache(a);
	if (cached_b)
		cache(b);
	drop_name(a, old_a);
	if (b)
		drop_name(b, old_b);
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

/* The directory d is in, or NULL; not referenced. In a read section, or under names_lock. */
static struct dentry *parent_of(struct dentry *d, char *name, size_t *len)
{
	const struct dname *n = rcu_load(&d->name);

	if (name) {
		memcpy(name, n->text, n->len);
		*len = n->len;
	}
	return n->parent;
}

struct dentry *dentry_place(struct dentry *d, char *name, size_t *len)
{
	struct dentry *parent;
	bool live;

	rcu_read_lock();
	parent = parent_of(d, name, len);
	live = !parent || dentry_get_live(parent);
	rcu_read_unlock();
	if (live)
		return parent;
	mutex_lock(&names_lock); /* it was moved away this moment, and its directory is gone */
	parent = parent_of(d, name, len);
	if (parent)
		dentry_get(parent);
	mutex_unlock(&names_lock);
	return parent;
}

struct dentry *dentry_parent(struct dentry *d)
{
	struct dentry *parent;

	while (!(parent = dentry_place(d, NULL, NULL)) && d->vnode->fs->covered)
		d = d->vnode->fs->covered; /* a root: nobody renames it, it never goes */
	if (parent)
		return parent;
	dentry_get(d);
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

/* Where the text begins now; -ENAMETOOLONG. */
static ssize_t put_front(char *buf, ssize_t at, const struct dname *n)
{
	if (at < (ssize_t)n->len + 1)
		return -ENAMETOOLONG;
	at -= (ssize_t)n->len;
	memcpy(buf + at, n->text, n->len);
	buf[--at] = '/';
	return at;
}

/* Writes backwards from buf + end. In a read section, or under names_lock. */
static ssize_t write_path(struct dentry *d, char *buf, ssize_t end)
{
	ssize_t at = end;

	while (at >= 0) {
		const struct dname *n = rcu_load(&d->name);

		if (n->parent) {
			at = put_front(buf, at, n);
			d = n->parent;
		} else if (n->len) { /* a file that never had a place */
			return put_front(buf, at, n);
		} else if (d->vnode->fs->covered) {
			d = d->vnode->fs->covered;
		} else {
			break;
		}
	}
	if (at == end && at > 0)
		buf[--at] = '/';
	return at;
}

/* From the end of buf, then the text is moved to the front. */
ssize_t dentry_path(struct dentry *d, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	uint64_t seq = load_acquire(&names_seq);
	bool gone = load_acquire(&d->gone);
	ssize_t at = 0, end = (ssize_t)(size - (gone ? sizeof(deleted) : 1));

	if (end < 1)
		return -ENAMETOOLONG;
	if (seq % 2 == 0) {
		rcu_read_lock();
		at = write_path(d, buf, end);
		rcu_read_unlock();
	}
	if (seq % 2 || load_relaxed(&names_seq) != seq) {
		mutex_lock(&names_lock);
		at = write_path(d, buf, end);
		mutex_unlock(&names_lock);
	}
	if (at < 0)
		return at;
	memcpy(buf + end, gone ? deleted : "", gone ? sizeof(deleted) : 1);
	memmove(buf, buf + at, size - (size_t)at);
	return (ssize_t)size - at - 1;
}
