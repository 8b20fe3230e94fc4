/* SPDX-License-Identifier: BSD-2-Clause */
/* The file systems of the tree, mounted once at boot: this file is the list of them. */

#include "diag/log.h"
#include "fs/erofs.h"
#include "fs/impl.h"
#include "fs/stdio.h"

struct list_node mounts = LIST_INIT(mounts);
static struct filesystem *root_fs;
static struct erofs_image root_image;

void filesystem_init(struct filesystem *fs, const char *type, const char *source, uint32_t magic)
{
	static uint32_t count; /* atomic */
	uint32_t n = atomic_add(&count, 1) + 1;

	*fs = (struct filesystem){
		.type = type, .source = source, .options = "rw", .magic = magic
	};
	fs->dev = DEV_MAKE(0, 20 + n);
	fs->mount_id = 20 + n;
	fs->next_ino = 1;
	list_init(&fs->link);
}

bool filesystem_charge(struct filesystem *fs, uint64_t pages)
{
	uint64_t old = atomic_add(&fs->pages, pages);

	if (!fs->page_limit || old + pages <= fs->page_limit)
		return true;
	atomic_sub(&fs->pages, pages);
	return false;
}

void filesystem_uncharge(struct filesystem *fs, uint64_t pages)
{
	atomic_sub(&fs->pages, pages);
}

void filesystem_mount(struct filesystem *fs, struct dentry *at, const char *options)
{
	fs->options = options;
	fs->root->is_mount = true;
	if (!at) {
		root_fs = fs;
		str_copy(fs->path, "/", sizeof(fs->path));
	} else {
		if (dentry_path(at, fs->path, sizeof(fs->path)) < 0)
			fs->path[0] = 0;
		fs->covered = at;
		at->mounted = fs->root;
	}
	list_add_tail(&mounts, &fs->link);
}

struct dentry *fs_root(void)
{
	return root_fs->root;
}

/* Makes the directory if the image lacks it; NULL: it cannot be. The reference stays with the
 * mount. */
static struct dentry *directory(const char *path, uint32_t mode)
{
	struct path_context c = { .root = fs_root(), .cwd = fs_root() };
	struct dentry *d;

	if (path_walk(&c, NULL, path, WALK_FOLLOW | WALK_DIRECTORY, &d) == 0)
		return d;
	if (fs_mkdir(&c, NULL, path, mode) == 0 &&
		path_walk(&c, NULL, path, WALK_FOLLOW | WALK_DIRECTORY, &d) == 0) {
		d->vnode->mode = S_IFDIR | mode; /* the sticky bit and all */
		return d;
	}
	log_err("cannot make %s in the root file system", path);
	return NULL;
}

static void make(const char *path, uint32_t mode)
{
	struct dentry *d = directory(path, mode);

	if (d)
		dentry_put(d);
}

static void mount_on(struct filesystem *fs, const char *path, const char *options)
{
	struct dentry *d = directory(path, 0755);

	if (fs && d)
		filesystem_mount(fs, d, options);
	else
		log_err("cannot mount %s", path);
}

static struct filesystem *root_create(const void *image, size_t size)
{
	const char *why = "no memory";
	struct filesystem *fs;

	if (image && size && erofs_open(&root_image, image, size, &why) == 0) {
		fs = ramfs_create("erofs", STATFS_TMPFS_MAGIC, 0755, &root_image);
		if (fs)
			return fs;
	}
	if (image && size)
		log_err("root image not usable: %s; starting with an empty root", why);
	return ramfs_create("tmpfs", STATFS_TMPFS_MAGIC, 0755, NULL);
}

void fs_init(const void *erofs_image, size_t size)
{
	struct filesystem *root = root_create(erofs_image, size);

	BUG_ON(!root);
	root->type = "rootfs";
	root->source = "rootfs";
	filesystem_mount(root, NULL, "rw");
	make("/tmp", 01777); /* part of the root: what the image holds there stays visible */
	make("/run", 0755);
	make("/var", 0755);
	make("/var/tmp", 01777);
	make("/root", 0700);
	make("/etc", 0755);
	mount_on(ramfs_create("devtmpfs", STATFS_TMPFS_MAGIC, 0755, NULL), "/dev", "rw,nosuid");
	mount_on(ramfs_create("tmpfs", STATFS_TMPFS_MAGIC, 01777, NULL), "/dev/shm",
		"rw,nosuid,nodev");
	mount_on(procfs_create(), "/proc", "rw,nosuid,nodev,noexec");
	mount_on(sysfs_create(), "/sys", "rw,nosuid,nodev,noexec");
	devfs_init();
	stdio_init();
}

bool fs_mount_info(unsigned n, struct mount_info *out)
{
	struct filesystem *fs;

	list_for_each_entry (fs, &mounts, link) {
		if (n--)
			continue;
		*out = (struct mount_info){ .type = fs->type,
			.source = fs->source,
			.options = fs->options,
			.path = fs->path,
			.id = fs->mount_id,
			.dev = fs->dev,
			.parent_id =
				fs->covered ? fs->covered->vnode->fs->mount_id : fs->mount_id };
		return true;
	}
	return false;
}

int fs_may_search(const struct path_context *c, struct dentry *d)
{
	return vnode_permission(d->vnode, c, X_OK);
}

int fs_may_own(const struct path_context *c, struct dentry *d)
{
	return vnode_owned(d->vnode, c) ? 0 : -EPERM;
}

int fs_may_write(const struct path_context *c, struct dentry *d)
{
	return vnode_permission(d->vnode, c, W_OK);
}

void fs_statx_extra(struct dentry *d, int64_t *btime_ns, uint64_t *mount_id)
{
	*btime_ns = load_relaxed(&d->vnode->btime);
	*mount_id = d->vnode->fs->mount_id;
}

bool dentry_gone(struct dentry *d)
{
	return load_acquire(&d->gone);
}
