/* SPDX-License-Identifier: BSD-2-Clause */
/* What the calls on paths share: the path copied from the program, and where it starts. */
#pragma once

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "fs/vnode.h"
#include "process/process.h"

struct user_path {
	struct path_context c; /* root and cwd referenced */
	struct dentry *start;  /* of dirfd, referenced; NULL: cwd */
	struct file *file; /* of dirfd, referenced, when the path is empty and that is allowed */
	const char *text;
	char *heap;
	char small[192];
};

struct path_context call_context(void); /* referenced: put_context */
void put_context(struct path_context *c);
/*
 * Prepares a call on (dirfd, upath). empty: an empty path means dirfd itself (then u->file is set,
 * unless dirfd is AT_FDCWD). -EFAULT, -ENOENT, -ENAMETOOLONG, -EBADF, -ENOTDIR, -ENOMEM.
 * On success user_path_put must follow.
 */
int user_path_get(struct user_path *u, int dirfd, const char *upath, bool empty);
void user_path_put(struct user_path *u);
/* The dentry that (dirfd, upath, flags) names; AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH are heeded. */
int user_path_walk(struct user_path *u, unsigned walk, struct dentry **out);
/* For calls on a descriptor: its dentry, referenced. path_too: O_PATH descriptors will do. -EBADF.
 */
int fd_dentry(int fd, bool path_too, struct dentry **out);
