/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/<pid>, /proc/self and /proc/thread-self: the directories, their links and short texts. */

#include "syscall/procfs.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "cpu/uaccess.h"
#include "fs/vnode.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "process/process.h"

/* --- texts; each runs with the process referenced --- */

static void print_user_range(struct text *t, struct process *p, uintptr_t start, uintptr_t end)
{
	char buf[512];

	if (p != process_current()) /* another address space: not readable from here */
		return;
	while (start < end) {
		size_t n = MIN(sizeof(buf), end - start);

		if (copy_from_user(buf, (void *)start, n))
			return;
		text_write(t, buf, n);
		start += n;
	}
}

static int show_cmdline(struct text *t, struct process *p, struct task *task)
{
	print_user_range(t, p, p->arg_start, p->arg_end);
	return 0;
}

static int show_environ(struct text *t, struct process *p, struct task *task)
{
	print_user_range(t, p, p->env_start, p->env_end);
	return 0;
}

static int show_auxv(struct text *t, struct process *p, struct task *task)
{
	text_write(
		t, p->auxv, MIN(p->auxv_count, (unsigned)ARRAY_SIZE(p->auxv)) * sizeof(uint64_t));
	return 0;
}

static int show_comm(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%.15s\n", task->thread.name);
	return 0;
}

static int show_mounts(struct text *t, struct process *p, struct task *task)
{
	struct mount_info m;

	for (unsigned i = 0; fs_mount_info(i, &m); i++)
		text_printf(t, "%s %s %s %s,relatime 0 0\n", m.source, m.path, m.type, m.options);
	return 0;
}

static int show_mountinfo(struct text *t, struct process *p, struct task *task)
{
	struct mount_info m;

	for (unsigned i = 0; fs_mount_info(i, &m); i++)
		text_printf(t, "%u %u %u:%u / %s %s,relatime - %s %s rw\n", m.id, m.parent_id,
			DEV_MAJOR(m.dev), DEV_MINOR(m.dev), m.path, m.options, m.type, m.source);
	return 0;
}

static int show_mountstats(struct text *t, struct process *p, struct task *task)
{
	struct mount_info m;

	for (unsigned i = 0; fs_mount_info(i, &m); i++)
		text_printf(
			t, "device %s mounted on %s with fstype %s\n", m.source, m.path, m.type);
	return 0;
}

static int32_t oom_score_adj; /* there is one process to choose from */

static int show_oom_score_adj(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%d\n", oom_score_adj);
	return 0;
}

static ssize_t store_oom_score_adj(const char *data, size_t n, void *arg)
{
	bool negative = *data == '-';
	uint64_t v;

	if (!str_to_u64(data + negative, 10, &v) || v > 1000)
		return -EINVAL;
	oom_score_adj = negative ? -(int32_t)v : (int32_t)v;
	return (ssize_t)n;
}

static int show_oom_score(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%d\n", 666 + oom_score_adj * 2 / 3);
	return 0;
}

static ssize_t store_comm(const char *data, size_t n, void *arg)
{
	struct task *t = task_find(procfs_low(arg) ? procfs_low(arg) : procfs_pid(arg));
	size_t len = 0;

	if (!t)
		return -ESRCH;
	while (len < n && len < 15 && data[len] && data[len] != '\n')
		len++;
	memcpy(t->thread.name, data, len);
	t->thread.name[len] = 0;
	task_put(t);
	return (ssize_t)n;
}

static int show_io(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
		       "cancelled_write_bytes: 0\n");
	return 0;
}

#define FIXED(name, value)                                                                         \
	static int show_##name(struct text *t, struct process *p, struct task *task)               \
	{                                                                                          \
		text_printf(t, value);                                                             \
		return 0;                                                                          \
	}
FIXED(cgroup, "0::/\n")
FIXED(wchan, "0")
FIXED(zero, "0\n")
FIXED(no_id, "4294967295")
FIXED(id_map, "         0          0 4294967295\n")
FIXED(allow, "allow\n")
FIXED(personality, "00000000\n")
FIXED(coredump, "00000033\n")
FIXED(cpuset, "/\n")

/* --- the directory of a process or thread --- */

static ssize_t store_clear_refs(const char *data, size_t n, void *arg)
{
	return procfs_clear_refs(procfs_pid(arg), data, n);
}

static struct file *open_pagemap(void *arg, uint32_t flags)
{
	return procfs_open_pagemap(procfs_pid(arg), flags);
}

static const struct process_file {
	const char *name;
	uint32_t mode;
	show_process *show;
	ssize_t (*store)(const char *data, size_t n, void *arg);
	struct file *(*open)(void *arg, uint32_t flags);
} process_files[] = {
	{ "auxv", 0400, show_auxv },
	{ "cgroup", 0444, show_cgroup },
	{ "clear_refs", 0200, NULL, store_clear_refs },
	{ "cmdline", 0444, show_cmdline },
	{ "comm", 0644, show_comm, store_comm },
	{ "coredump_filter", 0444, show_coredump },
	{ "cpuset", 0444, show_cpuset },
	{ "environ", 0400, show_environ },
	{ "gid_map", 0444, show_id_map },
	{ "io", 0400, show_io },
	{ "limits", 0444, procfs_show_limits },
	{ "loginuid", 0444, show_no_id },
	{ "maps", 0444, procfs_show_maps },
	{ "mountinfo", 0444, show_mountinfo },
	{ "mounts", 0444, show_mounts },
	{ "mountstats", 0400, show_mountstats },
	{ "oom_adj", 0444, show_zero },
	{ "oom_score", 0444, show_oom_score },
	{ "oom_score_adj", 0644, show_oom_score_adj, store_oom_score_adj },
	{ "pagemap", 0400, NULL, NULL, open_pagemap },
	{ "personality", 0400, show_personality },
	{ "schedstat", 0444, procfs_show_schedstat },
	{ "sessionid", 0444, show_no_id },
	{ "setgroups", 0444, show_allow },
	{ "smaps", 0444, procfs_show_smaps },
	{ "smaps_rollup", 0444, procfs_show_smaps_rollup },
	{ "stat", 0444, procfs_show_stat },
	{ "statm", 0444, procfs_show_statm },
	{ "status", 0444, procfs_show_status },
	{ "uid_map", 0444, show_id_map },
	{ "wchan", 0444, show_wchan },
};

/* The process and thread that arg names, referenced. -ESRCH. */
static int find(void *arg, struct process **p, struct task **t)
{
	*p = process_find(procfs_pid(arg));
	*t = task_find(procfs_low(arg) ? procfs_low(arg) : procfs_pid(arg));
	if (!*t && *p && *p == process_current()) /* the first thread ended before the others */
		*t = task_find(thread_current()->id);
	if (*p && *t)
		return 0;
	if (*t)
		task_put(*t);
	if (*p)
		process_put(*p);
	return -ESRCH;
}

static int show_file(struct text *t, void *arg)
{
	struct process *p;
	struct task *task;
	int err = find(arg, &p, &task);

	if (err)
		return err;
	err = process_files[procfs_file(arg)].show(t, p, task);
	task_put(task);
	process_put(p);
	return err;
}

/* --- links --- */

enum link { LINK_EXE, LINK_CWD, LINK_ROOT };

static struct dentry *link_target(void *arg)
{
	struct process *p = process_find(procfs_pid(arg));
	struct dentry *d = NULL;

	if (!p)
		return ERR_PTR(-ESRCH);
	mutex_lock(&p->lock);
	switch (procfs_file(arg)) {
	case LINK_EXE: d = p->exe; break;
	case LINK_CWD: d = p->cwd; break;
	case LINK_ROOT: d = p->root; break;
	}
	if (d)
		dentry_get(d);
	mutex_unlock(&p->lock);
	process_put(p);
	return d ? d : ERR_PTR(-ENOENT);
}

ssize_t procfs_path(struct dentry *d, char *buf, size_t size)
{
	char *path = heap_alloc(4096);
	ssize_t n = -ENOMEM;

	if (path) {
		n = dentry_path(d, path, 4096);
		if (n > 0) {
			n = MIN(n, (ssize_t)size);
			memcpy(buf, path, (size_t)n);
		}
	}
	heap_free(path);
	return n;
}

static ssize_t link_read(void *arg, char *buf, size_t size)
{
	struct dentry *d = link_target(arg);
	ssize_t n;

	if (IS_ERR(d))
		return PTR_ERR(d);
	n = procfs_path(d, buf, size);
	dentry_put(d);
	return n;
}

/* --- task --- */

static const struct procfs_dir_ops process_ops;

static bool parse_id(const char *name, uint32_t *id)
{
	uint64_t v;
	const char *end = str_to_u64(name, 10, &v);

	if (!end || *end || !v || v > 0x3fffff || name[0] == '0')
		return false;
	*id = (uint32_t)v;
	return true;
}

static int task_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	struct task *t;
	uint32_t tid;
	bool ours;

	if (!parse_id(name, &tid))
		return -ENOENT;
	t = task_find(tid);
	if (!t)
		return -ENOENT;
	ours = t->process->pid == procfs_pid(arg);
	task_put(t);
	if (!ours)
		return -ENOENT;
	*out = (struct procfs_entry){ .mode = S_IFDIR | 0555,
		.dir = &process_ops,
		.arg = procfs_arg(procfs_pid(arg), tid, 0) };
	return 0;
}

static int task_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	struct process *p = process_find(procfs_pid(arg));
	struct task *t;
	int err = -ENOENT;

	if (!p)
		return -ENOENT;
	mutex_lock(&p->lock);
	list_for_each_entry (t, &p->tasks, link) {
		if (n-- == 0) {
			format(buf, size, "%u", t->thread.id);
			*type = DT_DIR;
			err = 0;
			break;
		}
	}
	mutex_unlock(&p->lock);
	process_put(p);
	return err;
}

static const struct procfs_dir_ops task_ops = { .lookup = task_lookup, .list = task_list };

/* --- the directory of a process or thread --- */

static const struct {
	const char *name;
	uint32_t mode;
	const struct procfs_dir_ops *dir;
	unsigned file; /* for the argument */
} process_dirs[] = {
	{ "exe", S_IFLNK | 0777, NULL, LINK_EXE }, { "cwd", S_IFLNK | 0777, NULL, LINK_CWD },
	{ "root", S_IFLNK | 0777, NULL, LINK_ROOT }, { "fd", S_IFDIR | 0500, &procfs_fd_ops, 0 },
	{ "fdinfo", S_IFDIR | 0555, &procfs_fd_ops, 1 },
	{ "task", S_IFDIR | 0555, &task_ops, 0 }, /* the last: threads have none */
};

static int process_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	uint32_t pid = procfs_pid(arg), tid = procfs_low(arg);

	for (unsigned i = 0; i < ARRAY_SIZE(process_dirs) - (tid != 0); i++) {
		if (strcmp(name, process_dirs[i].name))
			continue;
		*out = (struct procfs_entry){ .mode = process_dirs[i].mode,
			.dir = process_dirs[i].dir,
			.arg = procfs_arg(pid, 0, process_dirs[i].file) };
		if (!out->dir) {
			out->readlink = link_read;
			out->follow = link_target;
		}
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(process_files); i++) {
		if (strcmp(name, process_files[i].name))
			continue;
		*out = (struct procfs_entry){ .mode = S_IFREG | process_files[i].mode,
			.show = process_files[i].show ? show_file : NULL,
			.store = process_files[i].store,
			.open = process_files[i].open,
			.arg = procfs_arg(pid, tid, i) };
		return 0;
	}
	return -ENOENT;
}

static int process_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	unsigned dirs = ARRAY_SIZE(process_dirs) - (procfs_low(arg) != 0);

	if (n < dirs) {
		str_copy(buf, process_dirs[n].name, size);
		*type = (process_dirs[n].mode & S_IFMT) >> 12;
		return 0;
	}
	n -= dirs;
	if (n >= ARRAY_SIZE(process_files))
		return -ENOENT;
	str_copy(buf, process_files[n].name, size);
	*type = DT_REG;
	return 0;
}

static const struct procfs_dir_ops process_ops = { .lookup = process_lookup, .list = process_list };

/* --- /proc itself --- */

static ssize_t self_readlink(void *arg, char *buf, size_t size)
{
	uint32_t pid = process_current()->pid;
	char text[40];
	int n = arg ? format(text, sizeof(text), "%u/task/%u", pid, thread_current()->id)
		    : format(text, sizeof(text), "%u", pid);

	n = MIN(n, (int)size);
	memcpy(buf, text, (size_t)n);
	return n;
}

static int root_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	struct task *t;
	uint32_t id;

	if (!strcmp(name, "self") || !strcmp(name, "thread-self")) {
		*out = (struct procfs_entry){ .mode = S_IFLNK | 0777,
			.readlink = self_readlink,
			.arg = name[0] == 't' ? (void *)1 : NULL };
		return 0;
	}
	if (!parse_id(name, &id))
		return -ENOENT;
	t = task_find(id);
	if (!t)
		return process_current()->pid == id ? -ESRCH : -ENOENT;
	*out = (struct procfs_entry){ .mode = S_IFDIR | 0555,
		.dir = &process_ops,
		.arg = procfs_arg(t->process->pid, 0, 0) };
	task_put(t);
	return 0;
}

static int root_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	static const char *const links[] = { "self", "thread-self" };

	if (n < ARRAY_SIZE(links)) {
		str_copy(buf, links[n], size);
		*type = DT_LNK;
		return 0;
	}
	if (n > ARRAY_SIZE(links))
		return -ENOENT;
	format(buf, size, "%u", process_current()->pid);
	*type = DT_DIR;
	return 0;
}

static const struct procfs_dir_ops root_ops = { .lookup = root_lookup, .list = root_list };

void procfs_process_init(void)
{
	procfs_add_dir("", &root_ops, NULL);
}
