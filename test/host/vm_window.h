/* SPDX-License-Identifier: BSD-2-Clause */
/* One address space, of which a test looks at the pages from BASE on, and one file. */
#ifndef TEST_HOST_VM_WINDOW_H
#define TEST_HOST_VM_WINDOW_H

#include "vm_env.h"

#define BASE   0x10000000ul
#define WINDOW 2600 /* pages: five 2 MiB blocks */

static struct test_file file;
static struct vm_space *space;

static uintptr_t va_of(unsigned page)
{
	return BASE + page * PAGE_SIZE;
}

static void window_start(uint64_t memory)
{
	start(memory);
	file_start(&file);
}

/* The summaries in the tree of areas are right. */
static uintptr_t check_subtree(struct rb_node *n)
{
	if (!n)
		return 0;
	struct vma *v = rb_entry(n, struct vma, node);
	uintptr_t l = check_subtree(n->left), r = check_subtree(n->right);
	CHECK_EQ(v->max_gap, MAX(v->gap, MAX(l, r)));
	return v->max_gap;
}
#endif
