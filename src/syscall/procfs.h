/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills /proc and /sys; called once by syscall_init. */
#pragma once

#include "lib/types.h"

struct file;

void procfs_system_init(void);	/* procfs_system.c: what is about the machine */
void procfs_skiff_init(void);	/* procfs_skiff.c: /proc/skiff */
void procfs_process_init(void); /* procfs_process.c: /proc/<pid>, self, thread-self */
void sysfs_init(void);		/* sysfs.c */

/* procfs_memory.c */
struct file *procfs_open_pagemap(uint32_t pid, uint32_t flags); /* or ERR_PTR, NULL: no memory */
ssize_t procfs_clear_refs(uint32_t pid, const char *data, size_t n);
