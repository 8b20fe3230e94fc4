/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files without what else file.c does at their end. */
#ifndef TEST_HOST_FILE_HOST_H
#define TEST_HOST_FILE_HOST_H

#include "file/file.h"
#include "t.h"

struct file *file_create(const struct file_ops *ops, void *private, uint32_t flags)
{
	struct file *f = t_calloc(sizeof(*f));

	if (f) {
		f->refcount = 1;
		f->ops = ops;
		f->private = private;
		f->flags = flags;
	}
	return f;
}
void file_get(struct file *f)
{
	atomic_add(&f->refcount, 1);
}
void file_put(struct file *f)
{
	if (atomic_sub(&f->refcount, 1) == 1) {
		f->ops->release(f);
		t_free(f);
	}
}
#endif
