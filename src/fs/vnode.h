/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file tree: vnodes (inodes), dentries (a name in a directory, cached), mounts, path walk.
 * All calls may sleep. Errors are what the Linux call gives.
 */
#pragma once

#include "abi/stat.h"
#include "file/file.h"
#include "lib/types.h"
#include "vm/vm.h"

struct vnode;
struct dentry;

struct vnode_attr { /* what setattr changes; valid says which */
	enum {
		ATTR_MODE = 1,
		ATTR_UID = 2,
		ATTR_GID = 4,
		ATTR_SIZE = 8,
		ATTR_ATIME = 16,
		ATTR_MTIME = 32
	} valid;
	uint32_t mode, uid, gid;
	uint64_t size;
	struct timespec atime, mtime;
};

/* Collects getdents64 records. Returns false when full: readdir stops and resumes at that position.
 */
struct dirent_sink {
	bool (*emit)(struct dirent_sink *s, const char *name, size_t len, uint64_t inode,
		uint8_t type, int64_t next_pos);
};

struct vnode_ops {
	/* Directories. lookup fills *out with a referenced vnode; -ENOENT. */
	int (*lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **out);
	int (*create)(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev,
		struct vnode **out); /* file, fifo, socket, device, directory: by S_IFMT of mode */
	int (*symlink)(struct vnode *dir, const char *name, size_t len, const char *target);
	int (*link)(struct vnode *dir, const char *name, size_t len, struct vnode *target);
	int (*unlink)(struct vnode *dir, const char *name, size_t len, bool is_dir);
	int (*rename)(struct vnode *old_dir, const char *old_name, size_t old_len,
		struct vnode *new_dir, const char *new_name, size_t new_len, unsigned flags);
	int (*readdir)(struct vnode *dir, int64_t *pos, struct dirent_sink *sink);
	/* Symbolic link: the target into buf, not terminated; its length. */
	ssize_t (*readlink)(struct vnode *v, char *buf, size_t size);
	/* magic links (/proc/self/fd/N, exe): a referenced dentry to go to instead; may be NULL */
	struct dentry *(*follow)(struct vnode *v);
	int (*getattr)(struct vnode *v, struct stat *st);
	int (*setattr)(struct vnode *v, const struct vnode_attr *attr);
	/* Gives a struct file for open(2). NULL: regular file through the page cache. */
	struct file *(*open)(struct vnode *v, uint32_t flags);
	void (*evict)(struct vnode
			*v); /* the last reference is gone and nlink is 0, or memory is wanted */
};

/* Path resolution. Relative paths start at the process's cwd: callers pass it. */
struct path_context {
	struct dentry *root, *cwd;
	uint32_t uid, gid, umask;
	uint32_t resolve;	/* RESOLVE_* of openat2(2) */
	const uint32_t *groups; /* supplementary ones */
	unsigned group_count;
};
enum {
	WALK_FOLLOW = 1,
	WALK_PARENT = 2,
	WALK_DIRECTORY = 4,
	WALK_EMPTY = 8,
	WALK_NO_SYMLINKS = 16
};

void fs_init(
	const void *erofs_image, size_t size); /* mounts everything; image NULL: empty ramfs root */
struct dentry *fs_root(void);

int path_walk(const struct path_context *c, struct dentry *start, const char *path, unsigned flags,
	struct dentry **out); /* a referenced dentry that has a vnode */
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* A reference on what *place holds, which others replace (rcu_store, then dentry_put of the old).
 */
struct dentry *dentry_get_from(struct dentry **place);
struct vnode *dentry_vnode(struct dentry *d); /* no reference taken */
/* The absolute path; -ENAMETOOLONG. " (deleted)" is appended when it is gone. */
ssize_t dentry_path(struct dentry *d, char *buf, size_t size);

/* Each does the whole call on a kernel path string; 'start' for relative paths (AT_FDCWD: c->cwd).
 */
struct file *fs_open(const struct path_context *c, struct dentry *start, const char *path,
	uint32_t flags, uint32_t mode);
/* For file_ops: to any position from the start or the present one; an end there is none. */
int64_t fs_seek_no_end(struct file *f, int64_t offset, int whence);
int fs_stat(const struct path_context *c, struct dentry *start, const char *path, unsigned walk,
	struct stat *st);
int fs_mkdir(const struct path_context *c, struct dentry *start, const char *path, uint32_t mode);
int fs_mknod(const struct path_context *c, struct dentry *start, const char *path, uint32_t mode,
	uint64_t rdev);
int fs_unlink(const struct path_context *c, struct dentry *start, const char *path, bool is_dir);
int fs_symlink(
	const struct path_context *c, const char *target, struct dentry *start, const char *path);
int fs_link(
	const struct path_context *c, struct dentry *from, struct dentry *start, const char *path);
int fs_rename(const struct path_context *c, struct dentry *old_start, const char *old_path,
	struct dentry *new_start, const char *new_path, unsigned flags);
int fs_setattr(struct dentry *d, const struct vnode_attr *attr);
ssize_t fs_readlink(const struct path_context *c, struct dentry *start, const char *path, char *buf,
	size_t size);
int fs_access(const struct path_context *c, struct dentry *start, const char *path, int mode,
	unsigned walk);
struct statfs;
int fs_statfs(struct dentry *d, struct statfs *out);
struct dentry *file_dentry(struct file *f); /* or NULL */

/* Anonymous RAM file for memfd_create and shared anonymous mappings, with seals. ERR_PTR. */
struct file *memfd_create_file(const char *name, uint32_t memfd_flags);

/* procfs: content comes from above through generators. Each writes text into an auto-growing
 * buffer. */
struct text;
void text_printf(struct text *t, const char *fmt, ...) __printf(2, 3);
void text_write(struct text *t, const void *data, size_t n);
/* Adds a file /proc/PATH (directories are made). write may be NULL. mode e.g. 0444. */
int procfs_add(const char *path, uint32_t mode, int (*show)(struct text *t, void *arg),
	ssize_t (*store)(const char *data, size_t n, void *arg), void *arg);
/* Dynamic directories: /proc/<pid>, task/, fd/: process/ and syscall/ register providers. */
struct procfs_entry;
struct procfs_dir_ops {
	/* Entry 'name': sets exactly one of show / link / dir. -ENOENT. */
	int (*lookup)(void *arg, const char *name, struct procfs_entry *out);
	/* The n-th name (terminated, into buf), with DT_* type; -ENOENT past the last. */
	int (*list)(void *arg, unsigned n, char *buf, size_t size, uint8_t *type);
};
struct procfs_entry {
	uint32_t mode; /* with S_IFMT */
	int (*show)(struct text *t, void *arg);
	ssize_t (*store)(const char *data, size_t n, void *arg);
	ssize_t (*readlink)(void *arg, char *buf, size_t size);
	struct dentry *(*follow)(
		void *arg); /* referenced, or ERR_PTR; NULL: go by readlink's text */
	struct file *(*open)(
		void *arg, uint32_t flags); /* for /proc/self/fd/N, self/mem, pagemap */
	const struct procfs_dir_ops *dir;
	void *arg;
};
int procfs_add_dir(const char *path, const struct procfs_dir_ops *ops, void *arg);
int procfs_add_link(const char *path, const char *target);
/* sysfs: same shape, below /sys. */
int sysfs_add(const char *path, uint32_t mode, int (*show)(struct text *t, void *arg),
	ssize_t (*store)(const char *data, size_t n, void *arg), void *arg);
int sysfs_add_dir(const char *path, const struct procfs_dir_ops *ops, void *arg);
/* devfs: a device node /dev/PATH whose open makes a file of these ops. */
int devfs_add(const char *path, uint32_t mode_with_type, uint32_t major, uint32_t minor,
	struct file *(*open)(void *arg, uint32_t flags), void *arg);

extern int fs_tty_group; /* the terminal's foreground process group; process/ sets the first */
/* For .release and .stat of files that a procfs_entry's open made: gives the vnode back; its
 * status. */
void file_detach(struct file *f);
int file_stat_vnode(struct file *f, struct stat *st);
/* The program's descriptor 0, 1 or 2 on the stdio ports: a terminal or a plain stream. ERR_PTR. */
struct file *fs_stdio_open(int fd);
/* A dentry that stands for a file without a name (pipe, socket), for /proc/self/fd/N: opening it
 * gives the file again, stat its status. ERR_PTR. */
struct dentry *dentry_for_file(struct file *f);

/* The n-th mount, for /proc/mounts; false past the last. */
struct mount_info {
	const char *type, *source, *options, *path;
	unsigned id, parent_id;
	uint64_t dev;
};
bool fs_mount_info(unsigned n, struct mount_info *out);
/* What statx(2) tells beyond stat(2). */
void fs_statx_extra(struct dentry *d, int64_t *btime_ns, uint64_t *mount_id);
bool dentry_gone(struct dentry *d); /* unlinked, or never had a name */
/* chdir(2) and friends: may c search this directory? */
int fs_may_search(const struct path_context *c, struct dentry *d);
bool fs_in_group(const struct path_context *c, uint32_t gid);
/* 0 or -EPERM: does the file belong to c (or is c root)? And -EACCES: may c write it? */
int fs_may_own(const struct path_context *c, struct dentry *d);
int fs_may_write(const struct path_context *c, struct dentry *d);
