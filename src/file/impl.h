/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of this folder. */
#pragma once

#include "file/file.h"

/* Takes a file whose last reference is gone out of every epoll set; before ops->release. */
void epoll_forget_file(struct file *f);
