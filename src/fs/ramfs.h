/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to fs/: nodes and directory entries of the memory file system. */
#pragma once

#include "fs/erofs.h"
#include "fs/impl.h"
#include "lib/hash.h"

#define RAMFS_BUCKETS 64

struct ramfs {
	struct filesystem fs;
	const struct erofs_image *lower; /* or NULL */
	struct mutex linked_lock;
	struct list_node linked[RAMFS_BUCKETS]; /* nodes of lower inodes with several names */
};

enum ramfs_tail {
	RAMFS_TAIL_UNKNOWN,
	RAMFS_TAIL_ZERO, /* nothing but zeros behind the last byte: the page can be shown in place
			  */
	RAMFS_TAIL_OTHER,
};

struct ramfs_node {
	struct vnode v;
	struct rcu_node rcu;	   /* the memory stays for who walks without a lock */
	struct erofs_inode *lower; /* or NULL; fixed */
	struct list_node linked;   /* linked_lock; next NULL: in no list */
	/* a directory's, guarded by v.lock */
	struct rb_tree entries; /* by (hash, name) */
	unsigned count;
	bool imported; /* entries hold the lower names */
	bool dead;     /* removed: takes no names any more */
	/* a symbolic link's, fixed */
	size_t target_len;
	char *target;
	/* a regular file's */
	struct pagecache cache;
	uint8_t lower_tail; /* enum ramfs_tail of the lower last page; relaxed: all find the same */
};

struct ramfs_entry {
	struct rb_node node;
	uint64_t hash;
	struct vnode *v; /* referenced; NULL: lower inode nid, not looked up yet */
	uint64_t nid;
	uint8_t type, len;
	char name[];
};
