/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of this folder. */
#pragma once

#include "file/file.h"

/* Takes a file whose last reference is gone out of every epoll set; before ops->release. */
void epoll_forget_file(struct file *f);

/* A reference if the object still has one. */
static inline bool refcount_get_live(uint32_t *refcount)
{
	uint32_t n = __atomic_load_n(refcount, __ATOMIC_RELAXED);

	do {
		if (!n)
			return false;
	} while (!__atomic_compare_exchange_n(
		refcount, &n, n + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}
