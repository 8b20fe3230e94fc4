/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify instances, for syscall/. Errors as of the calls of the same names. */
#pragma once

#include "abi/inotify.h"
#include "lib/types.h"

struct dentry;
struct file;

struct file *inotify_create(uint32_t flags); /* ERR_PTR */
int inotify_add(struct file *f, struct dentry *d, uint32_t mask);
int inotify_remove(struct file *f, int wd);
