/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/<pid>/fd and fdinfo: a process's descriptors as links and as texts. */

#include "syscall/procfs.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "file/file.h"
#include "fs/vnode.h"
#include "lib/format.h"
#include "lib/string.h"
#include "process/process.h"

static struct file *file_of_arg(void *arg)
{
	struct process *p = process_find(procfs_pid(arg));
	struct file *f = NULL;

	if (p) {
		f = fd_get(p->fds, (int)procfs_low(arg));
		process_put(p);
	}
	return f;
}

static struct dentry *fd_follow(void *arg)
{
	struct file *f = file_of_arg(arg);
	struct dentry *d;

	if (!f)
		return ERR_PTR(-ENOENT);
	d = dentry_for_file(f);
	file_put(f);
	return d;
}

static ssize_t fd_readlink(void *arg, char *buf, size_t size)
{
	struct file *f = file_of_arg(arg);
	char text[64];
	ssize_t n;

	if (!f)
		return -ENOENT;
	if (file_dentry(f)) {
		n = procfs_path(file_dentry(f), buf, size);
	} else {
		if (f->ops->describe)
			f->ops->describe(f, text, sizeof(text));
		else
			str_copy(text, f->ops->kind ? f->ops->kind : "anon_inode:[file]",
				sizeof(text));
		n = (ssize_t)MIN(strlen(text), size);
		memcpy(buf, text, (size_t)n);
	}
	file_put(f);
	return n;
}

static int show_fdinfo(struct text *t, void *arg)
{
	struct file *f = file_of_arg(arg);
	struct stat st = { 0 };

	if (!f)
		return -ENOENT;
	if (f->ops->stat)
		f->ops->stat(f, &st);
	text_printf(t, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->pos, f->flags, 21u,
		st.st_ino);
	file_put(f);
	return 0;
}

static int fd_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	struct process *p = process_find(procfs_pid(arg));
	bool info = procfs_file(arg);
	const char *end;
	struct file *f = NULL;
	uint64_t fd;

	if (!p)
		return -ENOENT;
	end = str_to_u64(name, 10, &fd);
	if (end && !*end && fd < 0x1000000 && (name[0] != '0' || !name[1]))
		f = fd_get(p->fds, (int)fd);
	process_put(p);
	if (!f)
		return -ENOENT;
	*out = (struct procfs_entry){ .arg = procfs_arg(procfs_pid(arg), (uint32_t)fd, 0) };
	if (info) {
		out->mode = S_IFREG | 0444;
		out->show = show_fdinfo;
	} else {
		uint32_t mode = f->flags & O_ACCMODE;

		out->mode = S_IFLNK | 0100 | (mode != O_WRONLY ? 0400 : 0) |
			    (mode != O_RDONLY ? 0200 : 0);
		out->readlink = fd_readlink;
		out->follow = fd_follow;
	}
	file_put(f);
	return 0;
}

static int fd_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	struct process *p = process_find(procfs_pid(arg));
	int fd = -1;

	if (!p)
		return -ENOENT;
	do
		fd = fd_next(p->fds, fd + 1);
	while (fd >= 0 && n--);
	process_put(p);
	if (fd < 0)
		return -ENOENT;
	format(buf, size, "%d", fd);
	*type = procfs_file(arg) ? DT_REG : DT_LNK;
	return 0;
}

const struct procfs_dir_ops procfs_fd_ops = { .lookup = fd_lookup, .list = fd_list };
