/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel heap. Never sleeps. Any CPU may free what another allocated. Not callable from
 * interrupt handlers. Alignment: 16, or the size itself for powers of two up to a page.
 */
#pragma once

#include "lib/types.h"

void heap_init(void);
void *heap_alloc(size_t size); /* undefined contents; NULL: no memory. Up to 2 MiB. */
void *heap_alloc_zeroed(size_t size);
void *heap_resize(void *p, size_t size); /* like realloc; p may be NULL */
void heap_free(void *p);		 /* NULL is fine */
size_t heap_usable_size(const void *p);
char *heap_strdup(const char *s);
uint64_t heap_bytes_in_use(void);
