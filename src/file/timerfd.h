/* SPDX-License-Identifier: BSD-2-Clause */
/* timerfd_settime(2) and timerfd_gettime(2); timerfd_create is in file/file.h. */
#pragma once

#include "abi/time.h"
#include "lib/types.h"

struct file;

/* flags: TIMER_ABSTIME (1). old may be NULL. -EINVAL: not a timerfd, or a bad time. */
int timerfd_set(struct file *f, int flags, const struct itimerspec *new, struct itimerspec *old);
int timerfd_get(struct file *f, struct itimerspec *now);
