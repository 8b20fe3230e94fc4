/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll_ctl(2) and epoll_wait(2); epoll_create is in file/file.h. */
#pragma once

#include "abi/epoll.h"
#include "lib/types.h"

struct file;

/* ep must be an epoll file (-EINVAL). fd only names the entry. -EEXIST, -ENOENT, -EPERM, -ELOOP,
 * -ENOMEM. */
int epoll_control(struct file *ep, int op, struct file *f, int fd, const struct epoll_event *event);
/*
 * Up to max events to the program's array. deadline: monotonic ns, 0 = do not wait. The number of
 * events, 0 at the deadline, -EINTR when interrupted, -EFAULT, -EINVAL.
 */
int epoll_wait_events(struct file *ep, struct epoll_event *user_events, int max, uint64_t deadline);
