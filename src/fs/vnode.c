/* SPDX-License-Identifier: BSD-2-Clause */
/* Vnodes: references, permissions, attributes. */

#include "fs/impl.h"
#include "sched/clock.h"

void vnode_init(struct vnode *v, struct filesystem *fs, const struct vnode_ops *ops, uint32_t mode)
{
	*v = (struct vnode){
		.refcount = 1, .mode = mode, .ops = ops, .fs = fs, .seals = F_SEAL_SEAL
	};
	mutex_init(&v->lock, "vnode.lock");
	mutex_init(&v->write_lock, "vnode.write_lock");
	v->atime = v->mtime = v->ctime = v->btime = time_now();
	v->nlink = S_ISDIR(mode) ? 2 : 1;
	v->ino = atomic_add(&fs->next_ino, 1);
}

void vnode_get(struct vnode *v)
{
	atomic_add(&v->refcount, 1);
}

void vnode_put(struct vnode *v)
{
	uint32_t old = atomic_sub(&v->refcount, 1);

	BUG_ON(old == 0);
	if (old > 1)
		return;
	v->ops->evict(v);
}

uint32_t vnode_mode(const struct vnode *v)
{
	return load_relaxed(&v->mode);
}

bool vnode_owned(const struct vnode *v, const struct path_context *c)
{
	return c->uid == 0 || c->uid == load_relaxed(&v->uid);
}

bool fs_in_group(const struct path_context *c, uint32_t gid)
{
	if (c->gid == gid)
		return true;
	for (unsigned i = 0; i < c->group_count; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

int vnode_permission(const struct vnode *v, const struct path_context *c, int mask)
{
	uint32_t mode = vnode_mode(v);

	if (c->uid == 0) /* everything, but a file that nobody may execute is no program */
		return (mask & X_OK) && !S_ISDIR(mode) && !(mode & 0111) ? -EACCES : 0;
	if (c->uid == load_relaxed(&v->uid))
		mode >>= 6;
	else if (fs_in_group(c, load_relaxed(&v->gid)))
		mode >>= 3;
	return (mode & mask) == (uint32_t)mask ? 0 : -EACCES;
}

int64_t time_now(void)
{
	return (int64_t)clock_realtime();
}

/* Years 1677 to 2262; what lies outside is clamped. */
int64_t time_from_timespec(const struct timespec *t)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)t->tv_sec, (int64_t)NSEC_PER_SEC, &ns) ||
		__builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
		return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

struct timespec time_to_timespec(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / (int64_t)NSEC_PER_SEC,
		.tv_nsec = ns % (int64_t)NSEC_PER_SEC };

	if (t.tv_nsec < 0) {
		t.tv_nsec += NSEC_PER_SEC;
		t.tv_sec--;
	}
	return t;
}

void vnode_touch(struct vnode *v, bool mtime)
{
	int64_t now = time_now();

	if (mtime)
		store_relaxed(&v->mtime, now);
	store_relaxed(&v->ctime, now);
}

int vnode_getattr(struct vnode *v, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = v->fs->dev;
	st->st_ino = v->ino;
	st->st_mode = vnode_mode(v);
	st->st_nlink = load_relaxed(&v->nlink);
	st->st_uid = load_relaxed(&v->uid);
	st->st_gid = load_relaxed(&v->gid);
	st->st_rdev = v->rdev;
	st->st_blksize = PAGE_SIZE;
	st->st_atim = time_to_timespec(load_relaxed(&v->atime));
	st->st_mtim = time_to_timespec(load_relaxed(&v->mtime));
	st->st_ctim = time_to_timespec(load_relaxed(&v->ctime));
	if (v->cache) {
		st->st_size = (int64_t)pagecache_size(v->cache);
		st->st_blocks = (int64_t)pagecache_pages(v->cache) * (PAGE_SIZE / 512);
	}
	return v->ops->getattr ? v->ops->getattr(v, st) : 0;
}

int vnode_setattr(struct vnode *v, const struct vnode_attr *attr)
{
	int err;

	if (v->ops->setattr)
		return v->ops->setattr(v, attr);
	if (attr->valid & ATTR_SIZE) {
		if (!v->cache)
			return S_ISDIR(vnode_mode(v)) ? -EISDIR : -EINVAL;
		mutex_lock(&v->write_lock);
		err = v->seals & F_SEAL_WRITE ? -EPERM : 0;
		if (attr->size < pagecache_size(v->cache) && (v->seals & F_SEAL_SHRINK))
			err = -EPERM;
		if (attr->size > pagecache_size(v->cache) && (v->seals & F_SEAL_GROW))
			err = -EPERM;
		if (!err)
			err = pagecache_truncate(v->cache, attr->size);
		mutex_unlock(&v->write_lock);
		if (err)
			return err;
		vnode_touch(v, true);
	}
	if (attr->valid & ATTR_MODE)
		store_relaxed(&v->mode, (vnode_mode(v) & S_IFMT) | (attr->mode & 07777));
	if (attr->valid & ATTR_UID)
		store_relaxed(&v->uid, attr->uid);
	if (attr->valid & ATTR_GID)
		store_relaxed(&v->gid, attr->gid);
	if (attr->valid & ATTR_ATIME)
		store_relaxed(&v->atime, time_from_timespec(&attr->atime));
	if (attr->valid & ATTR_MTIME)
		store_relaxed(&v->mtime, time_from_timespec(&attr->mtime));
	store_relaxed(&v->ctime, time_now());
	return 0;
}
