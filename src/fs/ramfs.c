/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory file system, which is also the writable root over the read-only image.
 *
 * A node may have a lower inode in an EROFS image. A directory's names are read from there when it
 * is first used, and are plain entries from then on: unlink, rename and link work on them like on
 * any other, without whiteouts, and inode numbers do not change. A lower name gets its node when it
 * is first looked up; a lower inode with several names is found again through a table. File data is
 * shown in place and copied page by page when written (pagecache.c).
 */

#include "fs/ramfs.h"

#include "diag/log.h"

static const struct vnode_ops ramfs_ops;

static struct ramfs *ramfs_of(struct filesystem *fs)
{
	return container_of(fs, struct ramfs, fs);
}

static struct ramfs_node *node_of(const struct vnode *v)
{
	return container_of(v, struct ramfs_node, v);
}

bool vnode_is_ramfs(const struct vnode *v)
{
	return v->ops == &ramfs_ops;
}

/* --- nodes --- */

static struct ramfs_node *node_create(struct filesystem *fs, uint32_t mode)
{
	struct ramfs_node *n = heap_alloc_zeroed(sizeof(*n));

	if (!n)
		return NULL;
	vnode_init(&n->v, fs, &ramfs_ops, mode);
	if (S_ISREG(mode)) {
		pagecache_init(&n->cache, &n->v);
		n->v.cache = &n->cache;
	}
	atomic_add(&fs->nodes, 1);
	return n;
}

/* Looked at once: programs read small files again and again, and the image does not change. */
static enum ramfs_tail lower_tail(struct ramfs_node *n, const uint8_t *data, size_t len)
{
	enum ramfs_tail tail = load_relaxed(&n->lower_tail);

	if (tail == RAMFS_TAIL_UNKNOWN) {
		tail = RAMFS_TAIL_ZERO;
		for (size_t i = len; i < PAGE_SIZE; i++)
			if (data[i])
				tail = RAMFS_TAIL_OTHER;
		store_relaxed(&n->lower_tail, (uint8_t)tail);
	}
	return tail;
}

static int lower_page(struct vnode *v, uint64_t index, const void **page)
{
	struct ramfs_node *n = node_of(v);
	uint64_t offset = index * PAGE_SIZE, end = n->lower->size;
	const uint8_t *data;
	size_t len;
	int err = erofs_map(ramfs_of(v->fs)->lower, n->lower, offset, (const void **)&data, &len);

	*page = NULL;
	if (err)
		return err;
	if (!data)
		return len >= PAGE_SIZE || offset + len >= end ? 0 : -EAGAIN;
	if ((uintptr_t)data % PAGE_SIZE)
		return -EAGAIN;
	if (len < PAGE_SIZE) { /* in place only if what follows the last byte is zero */
		const struct erofs_image *image = ramfs_of(v->fs)->lower;

		if (offset + len < end || (uint64_t)(data - image->base) + PAGE_SIZE > image->size)
			return -EAGAIN;
		if (lower_tail(n, data, len) != RAMFS_TAIL_ZERO)
			return -EAGAIN;
	}
	*page = data;
	return 0;
}

static int lower_copy(struct vnode *v, uint64_t index, void *buf)
{
	struct ramfs_node *n = node_of(v);
	ssize_t got =
		erofs_read(ramfs_of(v->fs)->lower, n->lower, index * PAGE_SIZE, buf, PAGE_SIZE);

	if (got < 0)
		return (int)got;
	memset((char *)buf + got, 0, PAGE_SIZE - got);
	return 0;
}

static int lower_symlink(struct ramfs *fs, struct ramfs_node *n)
{
	ssize_t got;

	if (n->lower->size == 0 || n->lower->size >= PATH_MAX_LEN)
		return -EIO;
	n->target = heap_alloc(n->lower->size + 1);
	if (!n->target)
		return -ENOMEM;
	got = erofs_read(fs->lower, n->lower, 0, n->target, n->lower->size);
	if (got != (ssize_t)n->lower->size)
		return got < 0 ? (int)got : -EIO;
	n->target[got] = 0;
	n->target_len = strlen(n->target);
	return 0;
}

static int node_from_lower(struct ramfs *fs, uint64_t nid, struct ramfs_node **out)
{
	struct erofs_inode inode;
	struct ramfs_node *n;
	int err = erofs_read_inode(fs->lower, nid, &inode);

	if (err) {
		log_once(LOG_ERR, "root image: inode %lu cannot be read (error %d)", nid, -err);
		return err;
	}
	n = node_create(&fs->fs, inode.mode);
	if (!n)
		return -ENOMEM;
	n->v.ino = nid + 1; /* 0 would hide the name from readdir's users */
	n->v.uid = inode.uid;
	n->v.gid = inode.gid;
	n->v.nlink = inode.nlink ? inode.nlink : 1;
	n->v.rdev = inode.rdev;
	n->v.atime = n->v.mtime = n->v.ctime = n->v.btime = inode.mtime;
	if (S_ISREG(inode.mode) || S_ISDIR(inode.mode) || S_ISLNK(inode.mode)) {
		n->lower = heap_alloc(sizeof(inode));
		if (!n->lower) {
			vnode_put(&n->v);
			return -ENOMEM;
		}
		*n->lower = inode;
	}
	if (S_ISREG(inode.mode)) {
		pagecache_set_lower(&n->cache, inode.size, lower_page, lower_copy);
	} else if (S_ISLNK(inode.mode)) {
		err = lower_symlink(fs, n);
		if (err) {
			vnode_put(&n->v);
			return err;
		}
	}
	*out = n;
	return 0;
}

/* The node of a lower inode; one with several names is kept in the table while names are left. */
static int node_get_lower(struct ramfs *fs, uint64_t nid, struct ramfs_node **out)
{
	struct list_node *bucket = &fs->linked[hash_u64(nid) % RAMFS_BUCKETS];
	struct ramfs_node *n;
	int err = 0;

	mutex_lock(&fs->linked_lock);
	list_for_each_entry (n, bucket, linked) {
		if (n->lower && n->lower->nid == nid) {
			vnode_get(&n->v);
			*out = n;
			goto out;
		}
	}
	err = node_from_lower(fs, nid, out);
	if (!err && (*out)->lower && !S_ISDIR((*out)->v.mode) && (*out)->v.nlink > 1) {
		list_add(bucket, &(*out)->linked);
		vnode_get(&(*out)->v);
	}
out:
	mutex_unlock(&fs->linked_lock);
	return err;
}

/* A name went. */
static void node_unlinked(struct ramfs_node *n)
{
	struct ramfs *fs = ramfs_of(n->v.fs);
	bool was_linked = false;

	store_relaxed(&n->v.ctime, time_now());
	if (load_relaxed(&n->v.nlink) && atomic_sub(&n->v.nlink, 1) == 1 && n->linked.next) {
		mutex_lock(&fs->linked_lock);
		was_linked = n->linked.next != NULL;
		if (was_linked)
			list_del(&n->linked);
		n->linked.next = NULL;
		mutex_unlock(&fs->linked_lock);
	}
	if (was_linked)
		vnode_put(&n->v);
}

static void entry_free(struct ramfs_entry *e)
{
	if (e->v)
		vnode_put(e->v);
	heap_free(e);
}

static void node_reclaim(struct rcu_node *r)
{
	heap_free(container_of(r, struct ramfs_node, rcu));
}

static void ramfs_evict(struct vnode *v)
{
	struct ramfs_node *n = node_of(v);
	struct rb_node *r;

	if (S_ISDIR(v->mode)) {
		while ((r = n->entries.root)) {
			rb_erase(&n->entries, r);
			entry_free(rb_entry(r, struct ramfs_entry, node));
		}
	} else if (S_ISREG(v->mode)) {
		pagecache_destroy(&n->cache);
	}
	special_evict(v);
	atomic_sub(&v->fs->nodes, 1);
	heap_free(n->target);
	heap_free(n->lower);
	rcu_call(&n->rcu, node_reclaim);
}

/* --- entries; the directory's vnode->lock is held --- */

static int entry_order(uint64_t hash, const char *name, size_t len, const struct ramfs_entry *e)
{
	if (hash != e->hash)
		return hash < e->hash ? -1 : 1;
	if (len != e->len)
		return len < e->len ? -1 : 1;
	return memcmp(name, e->name, len);
}

static struct ramfs_entry *entry_find(struct ramfs_node *dir, const char *name, size_t len)
{
	uint64_t hash = name_hash(name, len);
	struct rb_node *r = dir->entries.root;

	while (r) {
		struct ramfs_entry *e = rb_entry(r, struct ramfs_entry, node);
		int order = entry_order(hash, name, len, e);

		if (order == 0)
			return e;
		r = order < 0 ? r->left : r->right;
	}
	return NULL;
}

static struct ramfs_entry *entry_create(const char *name, size_t len)
{
	struct ramfs_entry *e = heap_alloc(sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	*e = (struct ramfs_entry){ .hash = name_hash(name, len), .len = (uint8_t)len };
	memcpy(e->name, name, len);
	e->name[len] = 0;
	return e;
}

static bool entry_insert(struct ramfs_node *dir, struct ramfs_entry *e)
{
	struct rb_node **link = &dir->entries.root, *parent = NULL;

	while (*link) {
		int order;

		parent = *link;
		order = entry_order(
			e->hash, e->name, e->len, rb_entry(parent, struct ramfs_entry, node));
		if (order == 0)
			return false;
		link = order < 0 ? &parent->left : &parent->right;
	}
	rb_insert(&dir->entries, &e->node, parent, link);
	dir->count++;
	return true;
}

static void entry_remove(struct ramfs_node *dir, struct ramfs_entry *e)
{
	rb_erase(&dir->entries, &e->node);
	dir->count--;
}

static int import_name(void *arg, const char *name, size_t len, uint64_t nid, uint8_t type)
{
	struct ramfs_entry *e = entry_create(name, len);

	if (!e)
		return -ENOMEM;
	e->nid = nid;
	e->type = type;
	if (!entry_insert(arg, e))
		heap_free(e); /* a broken image names it twice */
	return 0;
}

/* Reads the lower directory's names, once. */
static int import(struct ramfs_node *dir)
{
	int err;

	if (!dir->lower || dir->imported)
		return 0;
	err = erofs_list(ramfs_of(dir->v.fs)->lower, dir->lower, import_name, dir);
	if (err == -EIO)
		log_err("root image: directory inode %lu is broken", dir->lower->nid);
	if (err) {
		struct rb_node *r;

		while ((r = dir->entries.root)) {
			entry_remove(dir, rb_entry(r, struct ramfs_entry, node));
			heap_free(rb_entry(r, struct ramfs_entry, node));
		}
		return err;
	}
	dir->imported = true;
	return 0;
}

/* The entry's node, made if it is still only a lower name. */
static int entry_node(struct ramfs_node *dir, struct ramfs_entry *e)
{
	struct ramfs_node *n;
	int err;

	if (e->v)
		return 0;
	err = node_get_lower(ramfs_of(dir->v.fs), e->nid, &n);
	if (!err)
		e->v = &n->v;
	return err;
}

static uint8_t type_of_mode(uint32_t mode)
{
	return (mode & S_IFMT) >> 12; /* DT_* are defined that way */
}

static int find_node(struct ramfs_node *dir, const char *name, size_t len, struct ramfs_entry **out)
{
	int err = import(dir);

	if (err)
		return err;
	*out = entry_find(dir, name, len);
	return *out ? entry_node(dir, *out) : -ENOENT;
}

/* --- operations --- */

static int ramfs_lookup(struct vnode *v, const char *name, size_t len, struct vnode **out)
{
	struct ramfs_entry *e;
	int err = find_node(node_of(v), name, len, &e);

	if (err)
		return err;
	vnode_get(e->v);
	*out = e->v;
	return 0;
}

/* Consumes the reference of n on success. */
static int add_name(struct ramfs_node *dir, const char *name, size_t len, struct vnode *v)
{
	struct ramfs_entry *e;
	int err = import(dir);

	if (err)
		return err;
	e = entry_create(name, len);
	if (!e)
		return -ENOMEM;
	e->v = v;
	e->type = type_of_mode(v->mode);
	if (!entry_insert(dir, e)) {
		heap_free(e);
		return -EEXIST;
	}
	vnode_touch(&dir->v, true);
	return 0;
}

static int ramfs_create_node(struct vnode *v, const char *name, size_t len, uint32_t mode,
	uint64_t rdev, struct vnode **out)
{
	struct ramfs_node *dir = node_of(v), *n;
	int err;

	if (dir->dead)
		return -ENOENT;
	n = node_create(v->fs, mode);
	if (!n)
		return -ENOSPC;
	n->v.rdev = rdev;
	vnode_get(&n->v);
	err = add_name(dir, name, len, &n->v);
	if (err) {
		vnode_put(&n->v);
		vnode_put(&n->v);
		return err;
	}
	if (S_ISDIR(mode))
		atomic_add(&v->nlink, 1);
	*out = &n->v;
	return 0;
}

static int ramfs_symlink(struct vnode *v, const char *name, size_t len, const char *target)
{
	struct ramfs_node *n;
	int err;

	if (node_of(v)->dead)
		return -ENOENT;
	n = node_create(v->fs, S_IFLNK | 0777);
	if (!n)
		return -ENOSPC;
	n->target = heap_strdup(target);
	n->target_len = strlen(target);
	err = n->target ? add_name(node_of(v), name, len, &n->v) : -ENOMEM;
	if (err)
		vnode_put(&n->v);
	return err;
}

/* v->write_lock held. */
static int link_locked(struct vnode *dir, const char *name, size_t len, struct vnode *v)
{
	uint32_t nlink = load_relaxed(&v->nlink);
	int err;

	if (node_of(dir)->dead || (nlink == 0 && !v->linkable))
		return -ENOENT;
	if (nlink >= 65000)
		return -EMLINK;
	vnode_get(v);
	err = add_name(node_of(dir), name, len, v);
	if (err) {
		vnode_put(v);
		return err;
	}
	v->linkable = false;
	atomic_add(&v->nlink, 1);
	store_relaxed(&v->ctime, time_now());
	return 0;
}

static int ramfs_link(struct vnode *dir, const char *name, size_t len, struct vnode *v)
{
	int err;

	mutex_lock(&v->write_lock);
	err = link_locked(dir, name, len, v);
	mutex_unlock(&v->write_lock);
	return err;
}

/* Directory n is empty; it is dead afterwards. Its own lock is not held. */
static int kill_directory(struct ramfs_node *n)
{
	int err;

	mutex_lock(&n->v.lock);
	err = import(n);
	if (!err && n->count)
		err = -ENOTEMPTY;
	if (!err)
		n->dead = true;
	mutex_unlock(&n->v.lock);
	return err;
}

/* Drops what the name stood for; *e is gone. */
static void drop_entry(struct ramfs_node *dir, struct ramfs_entry *e)
{
	struct ramfs_node *n = node_of(e->v);

	entry_remove(dir, e);
	if (S_ISDIR(n->v.mode)) {
		atomic_sub(&dir->v.nlink, 1);
		store_relaxed(&n->v.nlink, 0);
		store_relaxed(&n->v.ctime, time_now());
	} else {
		node_unlinked(n);
	}
	entry_free(e);
}

static int ramfs_unlink(struct vnode *v, const char *name, size_t len, bool is_dir)
{
	struct ramfs_node *dir = node_of(v);
	struct ramfs_entry *e;
	int err = find_node(dir, name, len, &e);

	if (err)
		return err;
	if (is_dir != S_ISDIR(e->v->mode))
		return is_dir ? -ENOTDIR : -EISDIR;
	if (is_dir) {
		err = kill_directory(node_of(e->v));
		if (err)
			return err;
	}
	drop_entry(dir, e);
	vnode_touch(v, true);
	return 0;
}

/* Both directories are locked. What rename(2) forbids about paths was checked before. */
static int ramfs_rename(struct vnode *old_v, const char *old_name, size_t old_len,
	struct vnode *new_v, const char *new_name, size_t new_len, unsigned flags)
{
	struct ramfs_node *od = node_of(old_v), *nd = node_of(new_v);
	struct ramfs_entry *from, *to = NULL, *fresh;
	int err = find_node(od, old_name, old_len, &from);
	bool dir, to_dir;

	if (!err)
		err = find_node(nd, new_name, new_len, &to);
	if (err == -ENOENT && from && !to && !(flags & RENAME_EXCHANGE))
		err = nd->dead ? -ENOENT : 0;
	if (err)
		return err;
	dir = S_ISDIR(from->v->mode);
	to_dir = to && S_ISDIR(to->v->mode);
	if (to && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (flags & RENAME_EXCHANGE) {
		struct vnode *v = from->v;

		from->v = to->v;
		to->v = v;
		from->type = type_of_mode(from->v->mode);
		to->type = type_of_mode(to->v->mode);
		if (dir != to_dir) {
			atomic_add(&od->v.nlink, dir ? -1 : 1);
			atomic_add(&nd->v.nlink, dir ? 1 : -1);
		}
		store_relaxed(&from->v->ctime, time_now());
		store_relaxed(&to->v->ctime, time_now());
		goto done;
	}
	if (to && to->v == from->v)
		return 0; /* two names of one file: nothing happens */
	if (to) {
		if (dir != to_dir)
			return dir ? -ENOTDIR : -EISDIR;
		if (to_dir && (err = kill_directory(node_of(to->v))))
			return err;
	}
	fresh = entry_create(new_name, new_len);
	if (!fresh)
		return -ENOMEM;
	if (to)
		drop_entry(nd, to);
	fresh->v = from->v;
	fresh->type = from->type;
	from->v = NULL;
	entry_remove(od, from);
	entry_free(from);
	BUG_ON(!entry_insert(nd, fresh));
	if (dir) {
		atomic_sub(&od->v.nlink, 1);
		atomic_add(&nd->v.nlink, 1);
	}
	store_relaxed(&fresh->v->ctime, time_now());
done:
	vnode_touch(old_v, true);
	vnode_touch(new_v, true);
	return 0;
}

static int ramfs_readdir(struct vnode *v, int64_t *pos, struct dirent_sink *sink)
{
	struct ramfs_node *dir = node_of(v);
	uint64_t want = *pos < 2 ? 0 : (uint64_t)*pos - 2;
	struct rb_node *r, *first = NULL;
	int err = import(dir);

	if (err)
		return err;
	for (r = dir->entries.root; r;) {
		if (rb_entry(r, struct ramfs_entry, node)->hash >= want) {
			first = r;
			r = r->left;
		} else {
			r = r->right;
		}
	}
	for (r = first; r; r = rb_next(r)) {
		struct ramfs_entry *e = rb_entry(r, struct ramfs_entry, node);
		int64_t next = (int64_t)e->hash + 3;

		*pos = (int64_t)e->hash + 2;
		if (!sink->emit(
			    sink, e->name, e->len, e->v ? e->v->ino : e->nid + 1, e->type, next))
			return 0;
	}
	*pos = INT64_MAX;
	return 0;
}

static ssize_t ramfs_readlink(struct vnode *v, char *buf, size_t size)
{
	struct ramfs_node *n = node_of(v);
	size_t len = MIN(n->target_len, size);

	memcpy(buf, n->target, len);
	return (ssize_t)len;
}

static int ramfs_getattr(struct vnode *v, struct stat *st)
{
	struct ramfs_node *n = node_of(v);

	if (S_ISLNK(v->mode))
		st->st_size = (int64_t)n->target_len;
	else if (S_ISDIR(v->mode))
		st->st_size = n->lower && !n->imported ? (int64_t)n->lower->size
						       : (int64_t)(n->count + 2) * 20;
	return 0;
}

static const struct vnode_ops ramfs_ops = {
	.lookup = ramfs_lookup,
	.create = ramfs_create_node,
	.symlink = ramfs_symlink,
	.link = ramfs_link,
	.unlink = ramfs_unlink,
	.rename = ramfs_rename,
	.readdir = ramfs_readdir,
	.readlink = ramfs_readlink,
	.getattr = ramfs_getattr,
	.evict = ramfs_evict,
};

struct vnode *ramfs_anonymous(struct filesystem *fs, uint32_t mode)
{
	struct ramfs_node *n = node_create(fs, mode);

	if (!n)
		return NULL;
	n->v.nlink = 0;
	return &n->v;
}

struct filesystem *ramfs_create(
	const char *type, uint32_t magic, uint32_t root_mode, const struct erofs_image *lower)
{
	struct ramfs *fs = heap_alloc_zeroed(sizeof(*fs));
	struct ramfs_node *root = NULL;

	if (!fs)
		return NULL;
	filesystem_init(&fs->fs, type, type, magic);
	fs->fs.keep_dentries = true;
	fs->fs.page_limit = page_stats().total / 2;
	fs->lower = lower;
	mutex_init(&fs->linked_lock, "ramfs.linked_lock");
	for (unsigned i = 0; i < RAMFS_BUCKETS; i++)
		list_init(&fs->linked[i]);
	if (lower) {
		fs->fs.next_ino = lower->max_nid + 2;
		if (node_from_lower(fs, lower->root, &root) || !S_ISDIR(root->v.mode))
			return NULL;
	} else {
		root = node_create(&fs->fs, S_IFDIR | root_mode);
	}
	if (root)
		fs->fs.root = dentry_create(NULL, "", 0, &root->v);
	return fs->fs.root ? &fs->fs : NULL;
}
