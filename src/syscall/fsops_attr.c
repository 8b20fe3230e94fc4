/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls on the attributes of files: stat, access, chmod, chown, times, truncate, statfs, xattr. */

#include "syscall/fsops.h"

#include "fs/inotify.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

/* --- stat --- */

static int file_status(struct file *f, struct stat *st)
{
	if (f->ops->stat)
		return f->ops->stat(f, st);
	memset(st, 0, sizeof(*st));
	st->st_mode = 0600;
	st->st_nlink = 1;
	st->st_blksize = PAGE_SIZE;
	return 0;
}

/* *extra (may be NULL): the dentry, referenced, when there is one. */
static long at_stat(int dirfd, const char *upath, int flags, struct stat *st, struct dentry **extra)
{
	struct user_path u;
	struct dentry *d;
	long err = user_path_get(&u, dirfd, upath, flags & AT_EMPTY_PATH);

	if (extra)
		*extra = NULL;
	if (err)
		return err;
	if (u.file) {
		err = file_status(u.file, st);
		d = file_dentry(u.file);
		if (d)
			dentry_get(d);
	} else {
		err = user_path_walk(&u, flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &d);
		if (!err)
			err = fs_stat(&u.c, d, "", WALK_EMPTY, st);
		else
			d = NULL;
	}
	if (extra && !err)
		*extra = d;
	else if (d)
		dentry_put(d);
	user_path_put(&u);
	return err;
}

static long stat_to_user(int dirfd, const char *path, int flags, struct stat *ust)
{
	struct stat st;
	long err = at_stat(dirfd, path, flags, &st, NULL);

	return err ? err : put_user(st, ust);
}

SYSCALL_DEFINE2(stat, const char *, path, struct stat *, st)
{
	return stat_to_user(AT_FDCWD, path, 0, st);
}

SYSCALL_DEFINE2(lstat, const char *, path, struct stat *, st)
{
	return stat_to_user(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, st);
}

SYSCALL_DEFINE4(newfstatat, int, dirfd, const char *, path, struct stat *, st, int, flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	return stat_to_user(dirfd, path, flags, st);
}

SYSCALL_DEFINE2(fstat, int, fd, struct stat *, ust)
{
	struct file *f = get_file(fd);
	struct stat st;
	long err;

	if (!f)
		return -EBADF;
	err = file_status(f, &st);
	file_put(f);
	return err ? err : put_user(st, ust);
}

static struct statx_timestamp statx_time(const struct timespec *t)
{
	return (struct statx_timestamp){ .tv_sec = t->tv_sec, .tv_nsec = (uint32_t)t->tv_nsec };
}

SYSCALL_DEFINE5(
	statx, int, dirfd, const char *, path, int, flags, unsigned, mask, struct statx *, ux)
{
	struct dentry *d;
	struct stat st;
	struct statx x;
	long err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (mask & STATX__RESERVED))
		return -EINVAL;
	err = at_stat(dirfd, path, flags, &st, &d);
	if (err)
		return err;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS;
	x.stx_blksize = (uint32_t)st.st_blksize;
	x.stx_nlink = (uint32_t)st.st_nlink;
	x.stx_uid = st.st_uid;
	x.stx_gid = st.st_gid;
	x.stx_mode = (uint16_t)st.st_mode;
	x.stx_ino = st.st_ino;
	x.stx_size = (uint64_t)st.st_size;
	x.stx_blocks = (uint64_t)st.st_blocks;
	x.stx_attributes_mask = 0x203000; /* automount, mount root, DAX */
	x.stx_atime = statx_time(&st.st_atim);
	x.stx_mtime = statx_time(&st.st_mtim);
	x.stx_ctime = statx_time(&st.st_ctim);
	x.stx_rdev_major = DEV_MAJOR(st.st_rdev);
	x.stx_rdev_minor = DEV_MINOR(st.st_rdev);
	x.stx_dev_major = DEV_MAJOR(st.st_dev);
	x.stx_dev_minor = DEV_MINOR(st.st_dev);
	if (d) {
		int64_t btime;

		fs_statx_extra(d, &btime, &x.stx_mnt_id);
		x.stx_btime.tv_sec = btime / (int64_t)NSEC_PER_SEC;
		x.stx_btime.tv_nsec = (uint32_t)(btime % (int64_t)NSEC_PER_SEC);
		x.stx_mask |= STATX_MNT_ID | (mask & STATX_BTIME);
		dentry_put(d);
	}
	return put_user(x, ux);
}

static long at_access(int dirfd, const char *upath, int mode, int flags)
{
	struct credentials *cred = &process_current()->cred;
	struct user_path u;
	struct dentry *d;
	long err;

	if ((mode & ~(R_OK | W_OK | X_OK)) ||
		(flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	err = user_path_get(&u, dirfd, upath, flags & AT_EMPTY_PATH);
	if (err)
		return err;
	if (!(flags & AT_EACCESS)) {
		u.c.uid = cred->uid;
		u.c.gid = cred->gid;
	}
	err = user_path_walk(&u, flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &d);
	if (!err) {
		err = fs_access(&u.c, d, "", mode, WALK_EMPTY);
		dentry_put(d);
	}
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE2(access, const char *, path, int, mode)
{
	return at_access(AT_FDCWD, path, mode, 0);
}

SYSCALL_DEFINE3(faccessat, int, dirfd, const char *, path, int, mode)
{
	return at_access(dirfd, path, mode, 0);
}

SYSCALL_DEFINE4(faccessat2, int, dirfd, const char *, path, int, mode, int, flags)
{
	return at_access(dirfd, path, mode, flags);
}

/* --- changes --- */

static long change_mode(const struct path_context *c, struct dentry *d, uint32_t mode)
{
	struct vnode_attr attr = { .valid = ATTR_MODE, .mode = mode & 07777 };
	long err = fs_may_own(c, d);

	return err ? err : fs_setattr(d, &attr);
}

static long at_chmod(int dirfd, const char *upath, uint32_t mode)
{
	struct user_path u;
	struct dentry *d;
	long err = user_path_get(&u, dirfd, upath, false);

	if (err)
		return err;
	err = user_path_walk(&u, WALK_FOLLOW, &d);
	if (!err) {
		err = change_mode(&u.c, d, mode);
		dentry_put(d);
	}
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE2(chmod, const char *, path, uint32_t, mode)
{
	return at_chmod(AT_FDCWD, path, mode);
}

SYSCALL_DEFINE3(fchmodat, int, dirfd, const char *, path, uint32_t, mode)
{
	return at_chmod(dirfd, path, mode);
}

SYSCALL_DEFINE2(fchmod, int, fd, uint32_t, mode)
{
	struct path_context c;
	struct dentry *d;
	long err = fd_dentry(fd, false, &d);

	if (err)
		return err;
	c = call_context();
	err = change_mode(&c, d, mode);
	put_context(&c);
	dentry_put(d);
	return err;
}

static long change_owner(const struct path_context *c, struct dentry *d, uint32_t uid, uint32_t gid)
{
	struct vnode_attr attr = { .uid = uid, .gid = gid };
	struct stat st;
	long err = fs_stat(c, d, "", WALK_EMPTY, &st);

	if (err)
		return err;
	if (uid != UINT32_MAX)
		attr.valid |= ATTR_UID;
	if (gid != UINT32_MAX)
		attr.valid |= ATTR_GID;
	if (c->uid != 0 &&
		((uid != UINT32_MAX && (uid != st.st_uid || c->uid != st.st_uid)) ||
			(gid != UINT32_MAX && (c->uid != st.st_uid || !fs_in_group(c, gid)))))
		return -EPERM;
	if (S_ISREG(st.st_mode) && (st.st_mode & (S_ISUID | S_ISGID))) {
		attr.valid |=
			ATTR_MODE; /* a new owner's program does not keep the old privileges */
		attr.mode = st.st_mode & ~(S_ISUID | (st.st_mode & 010 ? S_ISGID : 0));
	}
	return fs_setattr(d, &attr);
}

static long at_chown(int dirfd, const char *upath, uint32_t uid, uint32_t gid, int flags)
{
	struct user_path u;
	struct dentry *d;
	long err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_get(&u, dirfd, upath, flags & AT_EMPTY_PATH);
	if (err)
		return err;
	err = user_path_walk(&u, flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &d);
	if (!err) {
		err = change_owner(&u.c, d, uid, gid);
		dentry_put(d);
	}
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE3(chown, const char *, path, uint32_t, uid, uint32_t, gid)
{
	return at_chown(AT_FDCWD, path, uid, gid, 0);
}

SYSCALL_DEFINE3(lchown, const char *, path, uint32_t, uid, uint32_t, gid)
{
	return at_chown(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

SYSCALL_DEFINE5(fchownat, int, dirfd, const char *, path, uint32_t, uid, uint32_t, gid, int, flags)
{
	return at_chown(dirfd, path, uid, gid, flags);
}

SYSCALL_DEFINE3(fchown, int, fd, uint32_t, uid, uint32_t, gid)
{
	struct path_context c;
	struct dentry *d;
	long err = fd_dentry(fd, false, &d);

	if (err)
		return err;
	c = call_context();
	err = change_owner(&c, d, uid, gid);
	put_context(&c);
	dentry_put(d);
	return err;
}

/* times: two timespecs of the kernel's, or NULL for now. */
static long change_times(const struct path_context *c, struct dentry *d, const struct timespec *t)
{
	struct vnode_attr attr = { 0 };
	struct timespec now;
	uint64_t ns = clock_realtime();
	bool touch = !t || (t[0].tv_nsec == UTIME_NOW && t[1].tv_nsec == UTIME_NOW);
	long err;

	if (t && t[0].tv_nsec == UTIME_OMIT && t[1].tv_nsec == UTIME_OMIT)
		return 0;
	err = fs_may_own(c, d);
	if (err && touch)
		err = fs_may_write(c, d);
	if (err)
		return err;
	now = (struct timespec){ .tv_sec = (int64_t)(ns / NSEC_PER_SEC),
		.tv_nsec = (int64_t)(ns % NSEC_PER_SEC) };
	if (!t || t[0].tv_nsec != UTIME_OMIT) {
		attr.valid |= ATTR_ATIME;
		attr.atime = !t || t[0].tv_nsec == UTIME_NOW ? now : t[0];
	}
	if (!t || t[1].tv_nsec != UTIME_OMIT) {
		attr.valid |= ATTR_MTIME;
		attr.mtime = !t || t[1].tv_nsec == UTIME_NOW ? now : t[1];
	}
	return fs_setattr(d, &attr);
}

static bool time_valid(const struct timespec *t)
{
	return (t->tv_nsec >= 0 && t->tv_nsec < (int64_t)NSEC_PER_SEC) || t->tv_nsec == UTIME_NOW ||
	       t->tv_nsec == UTIME_OMIT;
}

static long at_utimes(int dirfd, const char *upath, const struct timespec *t, int flags)
{
	struct user_path u;
	struct dentry *d;
	long err;

	if (t && (!time_valid(&t[0]) || !time_valid(&t[1])))
		return -EINVAL;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!upath && dirfd != AT_FDCWD) { /* futimens(3) */
		struct path_context c;

		if (flags)
			return -EINVAL;
		err = fd_dentry(dirfd, false, &d);
		if (err)
			return err;
		c = call_context();
		err = change_times(&c, d, t);
		put_context(&c);
		dentry_put(d);
		return err;
	}
	err = user_path_get(&u, dirfd, upath, flags & AT_EMPTY_PATH);
	if (err)
		return err;
	err = user_path_walk(&u, flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW, &d);
	if (!err) {
		err = change_times(&u.c, d, t);
		dentry_put(d);
	}
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE4(utimensat, int, dirfd, const char *, path, const struct timespec *, ut, int, flags)
{
	struct timespec t[2];

	if (ut && copy_from_user(t, ut, sizeof(t)))
		return -EFAULT;
	return at_utimes(dirfd, path, ut ? t : NULL, flags);
}

static long at_timeval(int dirfd, const char *path, const struct timeval *uv)
{
	struct timeval v[2];
	struct timespec t[2];

	if (!uv)
		return at_utimes(dirfd, path, NULL, 0);
	if (copy_from_user(v, uv, sizeof(v)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (v[i].tv_usec < 0 || v[i].tv_usec >= 1000000)
			return -EINVAL;
		t[i] = (struct timespec){ .tv_sec = v[i].tv_sec, .tv_nsec = v[i].tv_usec * 1000 };
	}
	return at_utimes(dirfd, path, t, 0);
}

SYSCALL_DEFINE2(utimes, const char *, path, const struct timeval *, v)
{
	return at_timeval(AT_FDCWD, path, v);
}

SYSCALL_DEFINE3(futimesat, int, dirfd, const char *, path, const struct timeval *, v)
{
	return at_timeval(dirfd, path, v);
}

SYSCALL_DEFINE2(utime, const char *, path, const int64_t *, uv)
{
	struct timespec t[2] = { 0 };
	int64_t v[2];

	if (!uv)
		return at_utimes(AT_FDCWD, path, NULL, 0);
	if (copy_from_user(v, uv, sizeof(v)))
		return -EFAULT;
	t[0].tv_sec = v[0];
	t[1].tv_sec = v[1];
	return at_utimes(AT_FDCWD, path, t, 0);
}

SYSCALL_DEFINE2(truncate, const char *, upath, int64_t, size)
{
	struct vnode_attr attr = { .valid = ATTR_SIZE, .size = (uint64_t)size };
	struct user_path u;
	struct dentry *d;
	struct stat st;
	long err;

	if (size < 0)
		return -EINVAL;
	err = user_path_get(&u, AT_FDCWD, upath, false);
	if (err)
		return err;
	err = user_path_walk(&u, WALK_FOLLOW, &d);
	if (!err) {
		err = fs_stat(&u.c, d, "", WALK_EMPTY, &st);
		if (!err && !S_ISREG(st.st_mode))
			err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
		if (!err)
			err = fs_may_write(&u.c, d);
		if (!err)
			err = limit_new_size(st.st_size, size);
		if (!err)
			err = fs_setattr(d, &attr);
		dentry_put(d);
	}
	user_path_put(&u);
	return err;
}

/* --- file systems --- */

SYSCALL_DEFINE2(statfs, const char *, upath, struct statfs *, ust)
{
	struct user_path u;
	struct dentry *d;
	struct statfs st;
	long err = user_path_get(&u, AT_FDCWD, upath, false);

	if (err)
		return err;
	err = user_path_walk(&u, WALK_FOLLOW, &d);
	if (!err) {
		err = fs_statfs(d, &st);
		dentry_put(d);
	}
	user_path_put(&u);
	return err ? err : put_user(st, ust);
}

SYSCALL_DEFINE2(fstatfs, int, fd, struct statfs *, ust)
{
	struct file *f = get_file(fd);
	struct dentry *d;
	struct statfs st;
	long err = 0;

	if (!f)
		return -EBADF;
	d = file_dentry(f);
	if (d) {
		err = fs_statfs(d, &st);
	} else {
		const char *kind = f->ops->kind ? f->ops->kind : "";

		memset(&st, 0, sizeof(st));
		st.f_type = !strcmp(kind, "pipe")	? STATFS_PIPE_MAGIC
			    : !strncmp(kind, "sock", 4) ? STATFS_SOCK_MAGIC
							: STATFS_ANON_MAGIC;
		st.f_bsize = st.f_frsize = PAGE_SIZE;
		st.f_namelen = 255;
		st.f_flags = 0x20;
	}
	file_put(f);
	return err ? err : put_user(st, ust);
}

/* The tree is made at boot; nobody mounts. */
SYSCALL_DEFINE5(mount, const char *, source, const char *, target, const char *, type,
	unsigned long, flags, const void *, data)
{
	return -EPERM;
}

SYSCALL_DEFINE2(umount2, const char *, target, int, flags)
{
	return -EPERM;
}

SYSCALL_DEFINE2(pivot_root, const char *, new_root, const char *, put_old)
{
	return -EPERM;
}

SYSCALL_DEFINE5(name_to_handle_at, int, dirfd, const char *, path, void *, handle, int *, mount_id,
	int, flags)
{
	return -EOPNOTSUPP;
}

SYSCALL_DEFINE3(open_by_handle_at, int, mount_fd, void *, handle, int, flags)
{
	return -EOPNOTSUPP;
}

/* --- extended attributes: none are kept --- */

enum xattr_call { XATTR_GET, XATTR_SET, XATTR_REMOVE, XATTR_LIST };

static long xattr_answer(enum xattr_call call, const char *uname)
{
	char name[257];
	ssize_t n;

	if (call == XATTR_LIST)
		return 0;
	n = copy_string_from_user(name, uname, sizeof(name));
	if (n == -ENAMETOOLONG || n == 0 || n > 255)
		return -ERANGE;
	if (n < 0)
		return n;
	if (call != XATTR_SET && (!strncmp(name, "security.", 9) || !strncmp(name, "trusted.", 8)))
		return -ENODATA;
	return -EOPNOTSUPP;
}

static long xattr_path(enum xattr_call call, const char *upath, const char *uname, bool follow)
{
	struct user_path u;
	struct dentry *d;
	long err = user_path_get(&u, AT_FDCWD, upath, false);

	if (err)
		return err;
	err = user_path_walk(&u, follow ? WALK_FOLLOW : 0, &d);
	if (!err)
		dentry_put(d);
	user_path_put(&u);
	return err ? err : xattr_answer(call, uname);
}

static long xattr_fd(enum xattr_call call, int fd, const char *uname)
{
	struct file *f = get_file(fd);

	long err = f && !(f->flags & O_PATH) ? 0 : -EBADF;

	if (f)
		file_put(f);
	return err ? err : xattr_answer(call, uname);
}

#define XATTR_CALLS(verb, CALL)                                                                    \
	SYSCALL_DEFINE2(verb##xattr, const char *, path, const char *, name)                       \
	{                                                                                          \
		return xattr_path(CALL, path, name, true);                                         \
	}                                                                                          \
	SYSCALL_DEFINE2(l##verb##xattr, const char *, path, const char *, name)                    \
	{                                                                                          \
		return xattr_path(CALL, path, name, false);                                        \
	}                                                                                          \
	SYSCALL_DEFINE2(f##verb##xattr, int, fd, const char *, name)                               \
	{                                                                                          \
		return xattr_fd(CALL, fd, name);                                                   \
	}
XATTR_CALLS(get, XATTR_GET)
XATTR_CALLS(set, XATTR_SET)
XATTR_CALLS(list, XATTR_LIST)
XATTR_CALLS(remove, XATTR_REMOVE)

/* --- inotify --- */

static long at_inotify_init(int flags)
{
	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return install_file(inotify_create((uint32_t)flags & O_NONBLOCK), flags & O_CLOEXEC);
}

SYSCALL_DEFINE0(inotify_init)
{
	return at_inotify_init(0);
}

SYSCALL_DEFINE1(inotify_init1, int, flags)
{
	return at_inotify_init(flags);
}

SYSCALL_DEFINE3(inotify_add_watch, int, fd, const char *, upath, uint32_t, mask)
{
	unsigned walk = (mask & IN_DONT_FOLLOW ? 0 : WALK_FOLLOW) |
			(mask & IN_ONLYDIR ? WALK_DIRECTORY : 0);
	struct file *f = get_file(fd);
	struct user_path u;
	struct dentry *d;
	long err;

	if (!f)
		return -EBADF;
	err = user_path_get(&u, AT_FDCWD, upath, false);
	if (!err) {
		err = user_path_walk(&u, walk, &d);
		if (!err) {
			err = fs_access(&u.c, d, "", R_OK, WALK_EMPTY);
			if (!err)
				err = inotify_add(f, d, mask);
			dentry_put(d);
		}
		user_path_put(&u);
	}
	file_put(f);
	return err;
}

SYSCALL_DEFINE2(inotify_rm_watch, int, fd, int, wd)
{
	struct file *f = get_file(fd);
	long err;

	if (!f)
		return -EBADF;
	err = inotify_remove(f, wd);
	file_put(f);
	return err;
}
