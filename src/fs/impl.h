/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to fs/: what a vnode, a dentry and a mounted file system are made of.
 *
 * Locks, in the order in which they are taken:
 *	rename_lock		global; rename and rmdir only: so these alone hold two directories
 *	vnode->lock		of a directory: its entries, changes of its table of children
 *	vnode->write_lock	of a regular file: writers among themselves, size changes
 *	pagecache.lock		of a regular file: the page tree; never held over a copy or a fault
 * Names and parents of dentries are read without a lock (dentry.c), children are found without
 * one (children.h). vnode->write_lock is held over copies from the program and so over page
 * faults: a fault takes only pagecache.lock (get_page), never the other two.
 */
#pragma once

#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "cpu/barrier.h"
#include "cpu/refcount.h"
#include "abi/inotify.h"
#include "fs/children.h"
#include "fs/vnode.h"
#include "lib/bug.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/mutex.h"
#include "fs/pagecache.h"

struct filesystem {			     /* one mounted instance; never goes away */
	const char *type, *source, *options; /* as in /proc/mounts */
	char path[64];			     /* where it is mounted */
	uint64_t dev;			     /* st_dev */
	uint32_t magic;			     /* statfs f_type */
	unsigned mount_id;
	bool keep_dentries;	       /* what was looked up stays cached until it is unlinked */
	struct dentry *root, *covered; /* covered: the mount point's dentry in the parent */
	uint64_t next_ino;	       /* atomic */
	uint64_t pages, page_limit;    /* atomic; limit 0: none */
	uint64_t nodes;		       /* atomic */
	struct list_node link;	       /* mounts, fixed after boot */
};

struct vnode {
	uint32_t refcount; /* atomic */
	uint32_t mode;	   /* type fixed; permissions atomic, as are the following */
	uint32_t uid, gid, nlink;
	uint64_t ino, rdev;		    /* fixed */
	int64_t atime, mtime, ctime, btime; /* ns since 1970, atomic */
	const struct vnode_ops *ops;	    /* fixed */
	struct filesystem *fs;		    /* fixed */
	struct mutex lock;
	struct mutex write_lock;
	uint32_t seals; /* F_SEAL_*, guarded by write_lock; memfd only, else F_SEAL_SEAL */
	uint32_t writable_maps;
	bool linkable; /* guarded by write_lock: O_TMPFILE without O_EXCL, until it has a name */
	struct pagecache *cache; /* regular files on pages, else NULL */
	void *watches;		 /* inotify.c, guarded by its lock; NULL: nobody watches (atomic) */
	void *extra;		 /* fifo: the pipe (file/); file locks */
};

struct dentry {
	uint32_t refcount;	   /* atomic */
	struct vnode *vnode;	   /* referenced, fixed: there are no negative dentries */
	struct dname *name;	   /* RCU; changed with rename_lock and the parents' vnode->locks */
	bool cached;		   /* in the parent's table, which holds one reference; its lock */
	bool gone;		   /* unlinked or replaced: atomic */
	bool is_mount;		   /* a mounted file system's root, fixed after boot */
	struct dentry *mounted;	   /* root of what is mounted here; fixed after boot */
	struct dentry *next;	   /* RCU; in the parent's table, its lock */
	struct children *children; /* RCU; vnode->lock, as is the count */
	unsigned child_count;
	struct rcu_node rcu;
	struct dname first_name; /* last: the text follows */
};

/* vnode.c */
void vnode_init(struct vnode *v, struct filesystem *fs, const struct vnode_ops *ops, uint32_t mode);
void vnode_get(struct vnode *v);
void vnode_put(struct vnode *v);
int vnode_permission(
	const struct vnode *v, const struct path_context *c, int mask); /* R_OK|W_OK|X_OK */
int vnode_getattr(struct vnode *v, struct stat *st);
int vnode_setattr(struct vnode *v, const struct vnode_attr *attr);
bool vnode_owned(const struct vnode *v, const struct path_context *c);
int64_t time_now(void);
int64_t time_from_timespec(const struct timespec *t);
struct timespec time_to_timespec(int64_t ns);
void vnode_touch(struct vnode *v, bool mtime); /* ctime and perhaps mtime are now */
uint32_t vnode_mode(const struct vnode *v);

/* dentry.c */
extern struct mutex rename_lock;
uint64_t name_hash(const char *name, size_t len);
bool dentry_get_live(struct dentry *d); /* in a read section; false: it is at its end */
struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len, struct vnode *v);
/* dir->vnode->lock held. A referenced dentry or ERR_PTR. */
struct dentry *dentry_lookup_locked(struct dentry *dir, const char *name, size_t len);
struct dentry *dentry_lookup(struct dentry *dir, const char *name, size_t len);
void dentry_uncache(struct dentry *d); /* parent's lock held: gone for good */
struct dname *dname_create(
	struct dentry *parent, const char *name, size_t len); /* NULL: no memory */
void dname_free(struct dname *n); /* one that no dentry got; NULL is fine */
void dentry_move(struct dentry *a, struct dname *name_a, struct dentry *b, struct dname *name_b);
/* The directory d is in now, referenced, or NULL; and if name is not NULL, the name there. */
struct dentry *dentry_place(struct dentry *d, char *name, size_t *len);
struct dentry *dentry_across(struct dentry *d); /* consumes d: the root of what is mounted on it */
struct dentry *dentry_parent(struct dentry *d); /* referenced; across mounts */
struct dentry *dentry_anonymous(struct vnode *v, const char *name); /* consumes v's reference */

/* walk.c */
struct walk {
	const struct path_context *c;
	struct dentry *at; /* referenced */
	char *buf;	   /* heap, once a link was followed */
	const char *rest;
	unsigned links, flags;
	const char *name; /* the last component after walk_to_parent; len 0: the path was "/" */
	size_t len;
	bool slash; /* it had a trailing slash */
};
int walk_start(struct walk *w, const struct path_context *c, struct dentry *start, const char *path,
	unsigned flags);
void walk_end(struct walk *w);
int walk_to_parent(struct walk *w);
/* A path's goal, referenced, if it is in the cache as all that leads there; NULL: go the long way.
 */
struct dentry *walk_cached(
	const struct path_context *c, struct dentry *start, const char *path, unsigned flags);
/* Looks the last component up (also "." and ".."); a referenced dentry or ERR_PTR. */
struct dentry *walk_last(struct walk *w);
/* Goes on with the target of link d (consumed); then walk_to_parent again. *jumped: a magic link's
 * goal (referenced), and the walk is over. */
int walk_follow(struct walk *w, struct dentry *d, struct dentry **jumped);
static inline bool walk_is_dots(const struct walk *w)
{
	return w->len == 0 ||
	       (w->name[0] == '.' && (w->len == 1 || (w->len == 2 && w->name[1] == '.')));
}

/* ramfs.c */
struct erofs_image;
struct filesystem *ramfs_create(
	const char *type, uint32_t magic, uint32_t root_mode, const struct erofs_image *lower);
struct vnode *ramfs_anonymous(struct filesystem *fs, uint32_t mode); /* nlink 0; NULL: no memory */
bool vnode_is_ramfs(const struct vnode *v);

/* mount.c */
extern struct list_node mounts;
void filesystem_init(struct filesystem *fs, const char *type, const char *source, uint32_t magic);
void filesystem_mount(struct filesystem *fs, struct dentry *at, const char *options);
bool filesystem_charge(struct filesystem *fs, uint64_t pages); /* false: full */
void filesystem_uncharge(struct filesystem *fs, uint64_t pages);

/* open.c, regular.c, dirfile.c, devfs.c, special.c */
struct dentry *create_at(
	const struct path_context *c, struct walk *w, uint32_t mode, uint64_t rdev);
struct file *vnode_open(struct dentry *d, uint32_t flags); /* permission was checked */
void file_attach(struct file *f, struct dentry *d);	   /* takes references of d and its vnode */
extern const struct file_ops regular_ops, directory_ops, path_ops;
/* A regular file's 'private': opened by somebody but root, so writing takes set-id bits away. */
#define REGULAR_UNPRIVILEGED ((void *)1)
struct file *device_open(struct vnode *v, uint32_t flags);
struct file *fifo_open(struct vnode *v, uint32_t flags);
void special_evict(struct vnode *v); /* frees a fifo's pipe and the like */
void devfs_init(void);
struct filesystem *procfs_create(void);
struct filesystem *sysfs_create(void);

/* A dentry that stands for a file without a name (pipe, socket): for /proc/self/fd/N. ERR_PTR. */
struct dentry *dentry_for_file(struct file *f);

/* inotify.c: events, told by whoever made the change. name NULL: the vnode itself only. */
void notify_vnode(struct vnode *v, uint32_t mask);
void notify_dentry(struct dentry *d, uint32_t mask); /* the vnode and its parent */
void notify_child(struct dentry *dir, const char *name, size_t len, uint32_t mask, uint32_t cookie);
void notify_gone(struct vnode *v);
