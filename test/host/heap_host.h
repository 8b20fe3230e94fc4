/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's heap is the host's, counted and made to fail by t.h. */
#ifndef TEST_HOST_HEAP_HOST_H
#define TEST_HOST_HEAP_HOST_H

#include "mem/heap.h"
#include "t.h"

void *heap_alloc(size_t size)
{
	return t_malloc(size);
}
void *heap_alloc_zeroed(size_t size)
{
	return t_calloc(size);
}
void *heap_resize(void *p, size_t size)
{
	if (t_alloc_must_fail())
		return NULL;
	if (!p)
		atomic_fetch_add(&t_alloc_live, 1);
	return realloc(p, size);
}
void heap_free(void *p)
{
	t_free(p);
}
#endif
