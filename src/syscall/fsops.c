/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that open, name, make and remove files. */

#include "syscall/fsops.h"

#include "abi/dirent.h"
#include "abi/memfd.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/rcu.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

/* --- open --- */

static long at_open(int dirfd, const char *upath, uint32_t flags, uint32_t mode, uint64_t resolve)
{
	struct user_path u;
	struct file *f;
	int err;

	if ((flags & O_TMPFILE & ~O_DIRECTORY) &&
		((flags & O_TMPFILE) != O_TMPFILE || flags & O_CREAT || !(flags & O_ACCMODE)))
		return -EINVAL;
	err = user_path_get(&u, dirfd, upath, false);
	if (err)
		return err;
	if (resolve) {
		u.c.resolve = (uint32_t)resolve;
		if (resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)) {
			dentry_put(u.c.root);
			u.c.root = u.start ? u.start : u.c.cwd;
			dentry_get(u.c.root);
		}
	}
	f = fs_open(&u.c, u.start, u.text, flags, mode);
	user_path_put(&u);
	return install_file(f, flags & O_CLOEXEC);
}

SYSCALL_DEFINE3(open, const char *, path, uint32_t, flags, uint32_t, mode)
{
	return at_open(AT_FDCWD, path, flags | O_LARGEFILE, mode, 0);
}

SYSCALL_DEFINE4(openat, int, dirfd, const char *, path, uint32_t, flags, uint32_t, mode)
{
	return at_open(dirfd, path, flags | O_LARGEFILE, mode, 0);
}

SYSCALL_DEFINE2(creat, const char *, path, uint32_t, mode)
{
	return at_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC | O_LARGEFILE, mode, 0);
}

SYSCALL_DEFINE4(
	openat2, int, dirfd, const char *, path, const struct open_how *, uhow, size_t, size)
{
	const uint64_t known = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
			       O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE |
			       O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |
			       O_TMPFILE;
	struct open_how how;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (get_user(how, uhow))
		return -EFAULT;
	for (size_t i = sizeof(how); i < size; i++) {
		char c;

		if (get_user(c, (const char *)uhow + i))
			return -EFAULT;
		if (c)
			return -E2BIG;
	}
	if ((how.flags & ~known) || (how.resolve & ~0x3full) || (how.mode & ~07777ull))
		return -EINVAL;
	if (how.mode && !(how.flags & O_CREAT) && (how.flags & O_TMPFILE) != O_TMPFILE)
		return -EINVAL;
	if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if ((how.flags & O_PATH) &&
		(how.flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
		return -EINVAL;
	return at_open(
		dirfd, path, (uint32_t)how.flags | O_LARGEFILE, (uint32_t)how.mode, how.resolve);
}

SYSCALL_DEFINE2(memfd_create, const char *, uname, unsigned, flags)
{
	char name[250];
	struct file *f;
	ssize_t n;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	n = copy_string_from_user(name, uname, sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	f = memfd_create_file(name, flags);
	return install_file(f, flags & MFD_CLOEXEC);
}

/* --- names --- */

static long at_mknod(int dirfd, const char *upath, uint32_t mode, uint64_t rdev)
{
	struct user_path u;
	long err;

	if (S_ISDIR(mode))
		return -EPERM;
	err = user_path_get(&u, dirfd, upath, false);
	if (err)
		return err;
	err = fs_mknod(&u.c, u.start, u.text, mode, rdev);
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE3(mknod, const char *, path, uint32_t, mode, uint32_t, rdev)
{
	return at_mknod(AT_FDCWD, path, mode, rdev);
}

SYSCALL_DEFINE4(mknodat, int, dirfd, const char *, path, uint32_t, mode, uint32_t, rdev)
{
	return at_mknod(dirfd, path, mode, rdev);
}

static long at_mkdir(int dirfd, const char *upath, uint32_t mode)
{
	struct user_path u;
	long err = user_path_get(&u, dirfd, upath, false);

	if (err)
		return err;
	err = fs_mkdir(&u.c, u.start, u.text, mode);
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE2(mkdir, const char *, path, uint32_t, mode)
{
	return at_mkdir(AT_FDCWD, path, mode);
}

SYSCALL_DEFINE3(mkdirat, int, dirfd, const char *, path, uint32_t, mode)
{
	return at_mkdir(dirfd, path, mode);
}

static long at_remove(int dirfd, const char *upath, bool is_dir)
{
	struct user_path u;
	long err = user_path_get(&u, dirfd, upath, false);

	if (err)
		return err;
	err = fs_unlink(&u.c, u.start, u.text, is_dir);
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE1(rmdir, const char *, path)
{
	return at_remove(AT_FDCWD, path, true);
}

SYSCALL_DEFINE1(unlink, const char *, path)
{
	return at_remove(AT_FDCWD, path, false);
}

SYSCALL_DEFINE3(unlinkat, int, dirfd, const char *, path, int, flags)
{
	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	return at_remove(dirfd, path, flags & AT_REMOVEDIR);
}

static long at_rename(int old_fd, const char *old, int new_fd, const char *new, unsigned flags)
{
	struct user_path a, b;
	long err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = user_path_get(&a, old_fd, old, false);
	if (err)
		return err;
	err = user_path_get(&b, new_fd, new, false);
	if (!err) {
		err = fs_rename(&a.c, a.start, a.text, b.start, b.text, flags);
		user_path_put(&b);
	}
	user_path_put(&a);
	return err;
}

SYSCALL_DEFINE2(rename, const char *, old, const char *, new)
{
	return at_rename(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SYSCALL_DEFINE4(renameat, int, old_fd, const char *, old, int, new_fd, const char *, new)
{
	return at_rename(old_fd, old, new_fd, new, 0);
}

SYSCALL_DEFINE5(
	renameat2, int, old_fd, const char *, old, int, new_fd, const char *, new, unsigned, flags)
{
	return at_rename(old_fd, old, new_fd, new, flags);
}

static long at_link(int old_fd, const char *old, int new_fd, const char *new, int flags)
{
	struct user_path a, b;
	struct dentry *d;
	long err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_get(&a, old_fd, old, flags & AT_EMPTY_PATH);
	if (err)
		return err;
	err = user_path_get(&b, new_fd, new, false);
	if (!err) {
		err = user_path_walk(&a, flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0, &d);
		if (!err) {
			err = fs_link(&a.c, d, b.start, b.text);
			dentry_put(d);
		}
		user_path_put(&b);
	}
	user_path_put(&a);
	return err;
}

SYSCALL_DEFINE2(link, const char *, old, const char *, new)
{
	return at_link(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SYSCALL_DEFINE5(linkat, int, old_fd, const char *, old, int, new_fd, const char *, new, int, flags)
{
	return at_link(old_fd, old, new_fd, new, flags);
}

static long at_symlink(const char *utarget, int dirfd, const char *upath)
{
	struct user_path target, u;
	long err = user_path_get(&target, AT_FDCWD, utarget, false);

	if (err)
		return err;
	err = user_path_get(&u, dirfd, upath, false);
	if (!err) {
		err = fs_symlink(&u.c, target.text, u.start, u.text);
		user_path_put(&u);
	}
	user_path_put(&target);
	return err;
}

SYSCALL_DEFINE2(symlink, const char *, target, const char *, path)
{
	return at_symlink(target, AT_FDCWD, path);
}

SYSCALL_DEFINE3(symlinkat, const char *, target, int, dirfd, const char *, path)
{
	return at_symlink(target, dirfd, path);
}

static long at_readlink(int dirfd, const char *upath, char *ubuf, int size)
{
	struct user_path u;
	struct dentry *d;
	char *buf;
	long n;

	if (size <= 0)
		return -EINVAL;
	n = user_path_get(&u, dirfd, upath, true);
	if (n)
		return n;
	buf = heap_alloc(PATH_MAX_LEN);
	if (!buf) {
		n = -ENOMEM;
	} else if (u.file) { /* readlinkat(fd of O_PATH | O_NOFOLLOW, "") */
		n = user_path_walk(&u, 0, &d);
		if (!n) {
			n = fs_readlink(&u.c, d, "", buf, MIN(size, PATH_MAX_LEN));
			dentry_put(d);
		}
	} else {
		n = *u.text ? fs_readlink(&u.c, u.start, u.text, buf, MIN(size, PATH_MAX_LEN))
			    : -ENOENT;
	}
	user_path_put(&u);
	if (n > 0 && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	heap_free(buf);
	return n;
}

SYSCALL_DEFINE3(readlink, const char *, path, char *, buf, int, size)
{
	return at_readlink(AT_FDCWD, path, buf, size);
}

SYSCALL_DEFINE4(readlinkat, int, dirfd, const char *, path, char *, buf, int, size)
{
	return at_readlink(dirfd, path, buf, size);
}

/* --- directories of the process --- */

/* d, whose reference passes, becomes *which, p's cwd or root, unless err says why not. */
static long set_directory(struct process *p, struct dentry **which, struct dentry *d, long err)
{
	struct dentry *old = d;

	if (!err) {
		mutex_lock(&p->lock);
		old = *which;
		rcu_store(which, d);
		mutex_unlock(&p->lock);
	}
	dentry_put(old);
	return err;
}

SYSCALL_DEFINE1(chdir, const char *, upath)
{
	struct process *p = process_current();
	struct dentry *d;
	struct user_path u;
	long err = user_path_get(&u, AT_FDCWD, upath, false);

	if (err)
		return err;
	err = user_path_walk(&u, WALK_FOLLOW | WALK_DIRECTORY, &d);
	if (!err)
		err = set_directory(p, &p->cwd, d, fs_may_search(&u.c, d));
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE1(fchdir, int, fd)
{
	struct process *p = process_current();
	struct path_context c;
	struct dentry *d;
	struct stat st;
	long err = fd_dentry(fd, true, &d);

	if (err)
		return err;
	c = call_context();
	err = fs_stat(&c, d, "", WALK_EMPTY, &st);
	if (!err && !S_ISDIR(st.st_mode))
		err = -ENOTDIR;
	if (!err)
		err = fs_may_search(&c, d);
	err = set_directory(p, &p->cwd, d, err);
	put_context(&c);
	return err;
}

SYSCALL_DEFINE1(chroot, const char *, upath)
{
	struct process *p = process_current();
	struct dentry *d;
	struct user_path u;
	long err = user_path_get(&u, AT_FDCWD, upath, false);

	if (err)
		return err;
	err = user_path_walk(&u, WALK_FOLLOW | WALK_DIRECTORY, &d);
	if (!err)
		err = set_directory(p, &p->root, d, p->cred.euid == 0 ? 0 : -EPERM);
	user_path_put(&u);
	return err;
}

SYSCALL_DEFINE2(getcwd, char *, ubuf, size_t, size)
{
	struct path_context c = call_context();
	char *buf = heap_alloc(2 * PATH_MAX_LEN), *root = buf + PATH_MAX_LEN, *text = buf;
	ssize_t n = -ENOMEM, root_len;

	if (!buf)
		goto out;
	n = dentry_gone(c.cwd) ? -ENOENT : dentry_path(c.cwd, buf, PATH_MAX_LEN);
	if (n > 0 && c.root != fs_root()) {
		root_len = dentry_path(c.root, root, PATH_MAX_LEN);
		if (root_len > 1 && !strncmp(text, root, (size_t)root_len)) {
			text += root_len;
			n -= root_len;
			if (!*text) {
				text = "/";
				n = 1;
			}
		}
	}
	if (n > 0 && (size_t)n + 1 > size)
		n = -ERANGE;
	if (n > 0)
		n = copy_to_user(ubuf, text, (size_t)n + 1) ? -EFAULT : n + 1;
out:
	heap_free(buf);
	put_context(&c);
	return n;
}

SYSCALL_DEFINE1(umask, uint32_t, mask)
{
	return __atomic_exchange_n(&process_current()->umask, mask & 0777, __ATOMIC_RELAXED);
}

/* --- reading directories --- */

struct getdents {
	struct dirent_sink sink;
	char *buf;
	size_t size, used;
	bool old, too_small; /* old: struct linux_dirent */
};

static bool emit(struct dirent_sink *sink, const char *name, size_t len, uint64_t inode,
	uint8_t type, int64_t next)
{
	struct getdents *g = container_of(sink, struct getdents, sink);
	size_t head = g->old ? sizeof(struct linux_dirent) : sizeof(struct linux_dirent64);
	size_t record = ALIGN_UP(head + len + 1 + g->old, (size_t)8);
	char *p = g->buf + g->used;

	if (g->used + record > g->size) {
		g->too_small = g->used == 0;
		return false;
	}
	memset(p, 0, record);
	if (g->old) {
		struct linux_dirent d = { inode, next, (uint16_t)record };

		memcpy(p, &d, sizeof(d));
		p[record - 1] = (char)type;
	} else {
		struct linux_dirent64 d = { inode, next, (uint16_t)record, type };

		memcpy(p, &d, head);
	}
	memcpy(p + head, name, len);
	g->used += record;
	return true;
}

static long at_getdents(int fd, void *ubuf, unsigned size, bool old)
{
	struct getdents g = { .sink.emit = emit, .size = MIN(size, 32768u), .old = old };
	struct file *f = get_file(fd);
	long err;

	if (!f)
		return -EBADF;
	if (!f->ops->readdir || (f->flags & O_PATH)) {
		file_put(f);
		return f->flags & O_PATH ? -EBADF : -ENOTDIR;
	}
	g.buf = heap_alloc(g.size ? g.size : 1);
	if (!g.buf) {
		file_put(f);
		return -ENOMEM;
	}
	mutex_lock(&f->pos_lock);
	err = f->ops->readdir(f, &g.sink);
	mutex_unlock(&f->pos_lock);
	if (g.used && copy_to_user(ubuf, g.buf, g.used))
		err = -EFAULT;
	else if (g.used)
		err = (long)g.used;
	else if (!err && g.too_small)
		err = -EINVAL;
	heap_free(g.buf);
	file_put(f);
	return err;
}

SYSCALL_DEFINE3(getdents, int, fd, void *, buf, unsigned, size)
{
	return at_getdents(fd, buf, size, true);
}

SYSCALL_DEFINE3(getdents64, int, fd, void *, buf, unsigned, size)
{
	return at_getdents(fd, buf, size, false);
}
