/* SPDX-License-Identifier: BSD-2-Clause */
/* Files without data of their own: memfd, and the dentries that stand for pipes and sockets. */

#include "abi/memfd.h"
#include "file/pipe.h"
#include "fs/impl.h"
#include "lib/format.h"

static struct filesystem nameless;
static DEFINE_MUTEX(nameless_lock);

static struct filesystem *nameless_fs(void)
{
	mutex_lock(&nameless_lock);
	if (!nameless.type) {
		filesystem_init(&nameless, "tmpfs", "tmpfs", STATFS_TMPFS_MAGIC);
		nameless.page_limit = 0;
	}
	mutex_unlock(&nameless_lock);
	return &nameless;
}

struct file *memfd_create_file(const char *name, uint32_t flags)
{
	struct vnode *v = ramfs_anonymous(nameless_fs(), S_IFREG | 0777);
	char full[NAME_MAX_LEN + 1];
	struct dentry *d;
	struct file *f;

	if (!v)
		return ERR_PTR(-ENOMEM);
	if (flags & MFD_ALLOW_SEALING)
		v->seals = 0;
	format(full, sizeof(full), "memfd:%s", name);
	d = dentry_anonymous(v, full);
	if (!d)
		return ERR_PTR(-ENOMEM);
	f = vnode_open(d, O_RDWR | O_LARGEFILE);
	dentry_put(d);
	return f;
}

/* --- a dentry for a file --- */

struct file_vnode {
	struct vnode v;
	struct file *file; /* referenced */
};

static struct file *file_vnode_open(struct vnode *v, uint32_t flags)
{
	struct file *f = container_of(v, struct file_vnode, v)->file;

	if (S_ISSOCK(v->mode))
		return ERR_PTR(-ENXIO);
	file_get(f);
	return f;
}

static int file_vnode_getattr(struct vnode *v, struct stat *st)
{
	struct file *f = container_of(v, struct file_vnode, v)->file;

	return f->ops->stat ? f->ops->stat(f, st) : 0;
}

static int file_vnode_setattr(struct vnode *v, const struct vnode_attr *attr)
{
	return attr->valid & ATTR_SIZE ? -EINVAL : 0;
}

static void file_vnode_evict(struct vnode *v)
{
	struct file_vnode *fv = container_of(v, struct file_vnode, v);

	file_put(fv->file);
	heap_free(fv);
}

static const struct vnode_ops file_vnode_ops = {
	.open = file_vnode_open,
	.getattr = file_vnode_getattr,
	.setattr = file_vnode_setattr,
	.evict = file_vnode_evict,
};

struct dentry *dentry_for_file(struct file *f)
{
	struct stat st = { .st_mode = 0600 };
	struct file_vnode *fv;
	struct dentry *d;

	if (f->path) {
		dentry_get(f->path);
		return f->path;
	}
	fv = heap_alloc_zeroed(sizeof(*fv));
	if (!fv)
		return ERR_PTR(-ENOMEM);
	if (f->ops->stat)
		f->ops->stat(f, &st);
	vnode_init(&fv->v, nameless_fs(), &file_vnode_ops, st.st_mode);
	fv->file = f;
	file_get(f);
	d = dentry_anonymous(&fv->v, f->ops->kind ? f->ops->kind : "file");
	return d ? d : ERR_PTR(-ENOMEM);
}

/* --- fifos: the pipe's operations, with the name's attributes --- */

static struct file_ops fifo_ops;
static const struct file_ops *bare_ops; /* atomic: set once */

static void fifo_release(struct file *f)
{
	struct file bare = { .vnode = f->vnode, .path = f->path };

	f->vnode = NULL;
	f->path = NULL;
	bare_ops->release(f);
	file_detach(&bare);
}

struct file *fifo_open(struct vnode *v, uint32_t flags)
{
	struct pipe *p, *none = NULL;
	struct file *f;

	p = load_acquire((struct pipe **)&v->extra);
	if (!p) {
		p = pipe_object_create();
		if (!p)
			return ERR_PTR(-ENOMEM);
		if (!atomic_cas((struct pipe **)&v->extra, &none, p)) {
			pipe_object_put(p);
			p = none;
		}
	}
	f = pipe_object_open(p, flags);
	if (!f || IS_ERR(f))
		return f;
	mutex_lock(&nameless_lock);
	if (!bare_ops) {
		fifo_ops = *f->ops;
		fifo_ops.stat = file_stat_vnode;
		fifo_ops.release = fifo_release;
		store_release(&bare_ops, f->ops);
	}
	mutex_unlock(&nameless_lock);
	f->ops = &fifo_ops;
	return f;
}

void special_evict(struct vnode *v)
{
	if (S_ISFIFO(v->mode) && v->extra)
		pipe_object_put(v->extra);
}
