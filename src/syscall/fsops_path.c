/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths from the program. */

#include "syscall/fsops.h"

#include "abi/errno.h"
#include "cpu/uaccess.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "syscall/file_util.h"

enum { PATH_SIZE = 4096 };

struct path_context call_context(void)
{
	struct process *p = process_current();
	struct path_context c = process_path_context();

	c.root = dentry_get_from(&p->root);
	c.cwd = dentry_get_from(&p->cwd);
	return c;
}

void put_context(struct path_context *c)
{
	dentry_put(c->root);
	dentry_put(c->cwd);
}

static int copy_path(struct user_path *u, const char *upath)
{
	ssize_t n = copy_string_from_user(u->small, upath, sizeof(u->small));

	u->text = u->small;
	if (n != -ENAMETOOLONG)
		return n < 0 ? (int)n : 0;
	u->heap = heap_alloc(PATH_SIZE);
	if (!u->heap)
		return -ENOMEM;
	u->text = u->heap;
	n = copy_string_from_user(u->heap, upath, PATH_SIZE);
	return n < 0 ? (int)n : 0;
}

int user_path_get(struct user_path *u, int dirfd, const char *upath, bool empty)
{
	struct file *f;
	int err;

	u->start = NULL;
	u->file = NULL;
	u->heap = NULL;
	u->text = "";
	if (upath || !empty)
		err = copy_path(u, upath);
	else
		err = -EFAULT;
	if (!err && !*u->text && !empty)
		err = -ENOENT;
	if (!err && u->text[0] != '/' && dirfd != AT_FDCWD) {
		f = get_file(dirfd);
		if (!f) {
			err = -EBADF;
		} else if (!*u->text) {
			u->file = f;
		} else {
			u->start = file_dentry(f);
			if (u->start)
				dentry_get(u->start);
			else
				err = -ENOTDIR;
			file_put(f);
		}
	}
	if (err) {
		heap_free(u->heap);
		return err;
	}
	u->c = call_context();
	return 0;
}

void user_path_put(struct user_path *u)
{
	put_context(&u->c);
	if (u->start)
		dentry_put(u->start);
	if (u->file)
		file_put(u->file);
	heap_free(u->heap);
}

int user_path_walk(struct user_path *u, unsigned walk, struct dentry **out)
{
	if (u->file) {
		*out = file_dentry(u->file);
		if (!*out)
			*out = dentry_for_file(u->file);
		else
			dentry_get(*out);
		return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
	}
	return path_walk(&u->c, u->start, u->text, walk | WALK_EMPTY, out);
}

int fd_dentry(int fd, bool path_too, struct dentry **out)
{
	struct file *f = get_file(fd);

	if (!f)
		return -EBADF;
	*out = !path_too && (f->flags & O_PATH) ? ERR_PTR(-EBADF) : dentry_for_file(f);
	file_put(f);
	return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}
