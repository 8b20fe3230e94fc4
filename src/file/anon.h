/* SPDX-License-Identifier: BSD-2-Clause */
/* What files without a place in the tree (eventfd, timerfd, epoll, signalfd) have in common. */
#pragma once

struct file;
struct stat;

/* As Linux's anon_inode: no file type, mode 0600. */
int anon_file_stat(struct file *f, struct stat *st);
