/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc and /sys, a file for each part. */
#pragma once

#include "lib/types.h"

struct dentry;
struct file;
struct process;
struct procfs_dir_ops;
struct task;
struct text;

/* Each fills in its part; called once by syscall_init. */
void procfs_system_init(void);	/* procfs_system.c: what is about the machine */
void procfs_skiff_init(void);	/* procfs_skiff.c: /proc/skiff */
void procfs_process_init(void); /* procfs_process.c: /proc/<pid>, self, thread-self */
void sysfs_init(void);		/* sysfs.c */

/*
 * The argument of an entry of /proc/<pid>: the pid, then a thread's id (0: the process) or a
 * descriptor, then which file it is. Nothing is held while a directory is only looked at.
 */
static inline void *procfs_arg(uint32_t pid, uint32_t low, uint32_t file)
{
	return (void *)((uintptr_t)pid << 40 | (uintptr_t)low << 16 | file);
}
static inline uint32_t procfs_pid(const void *arg)
{
	return (uint32_t)((uintptr_t)arg >> 40);
}
static inline uint32_t procfs_low(const void *arg)
{
	return (uintptr_t)arg >> 16 & 0xffffff;
}
static inline uint32_t procfs_file(const void *arg)
{
	return (uintptr_t)arg & 0xffff;
}

/* The texts of /proc/<pid>: 0 or -errno. Process and thread are referenced. */
typedef int show_process(struct text *t, struct process *p, struct task *task);
show_process procfs_show_stat, procfs_show_statm, procfs_show_status, procfs_show_limits,
	procfs_show_schedstat;
show_process procfs_show_maps, procfs_show_smaps, procfs_show_smaps_rollup;

extern const struct procfs_dir_ops procfs_fd_ops; /* procfs_fd.c: fd, and fdinfo if file is not 0 */

/* What a link to d says, as readlink(2). */
ssize_t procfs_path(struct dentry *d, char *buf, size_t size);

/* procfs_memory.c */
struct file *procfs_open_pagemap(uint32_t pid, uint32_t flags); /* or ERR_PTR, NULL: no memory */
ssize_t procfs_clear_refs(uint32_t pid, const char *data, size_t n);
