/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of one regular file: a radix tree of struct page over an optional read-only lower
 * store (the root image), whose pages are shown in place until they are written.
 *
 * Guard: the tree, size and lower_end by 'lock', which is held only for the tree's own work, never
 * over a copy. Who writes, truncates or punches holds the file's write_lock, so there is one such
 * at a time; readers and page faults hold nothing but 'lock', briefly.
 */
#pragma once

#include "lib/types.h"
#include "mem/page.h"
#include "sched/mutex.h"
#include "vm/vm.h"

struct filesystem;
struct vnode;

struct pagecache_node {
	void *slot[64];
	unsigned used;
};

struct pagecache {
	struct vm_backing backing;
	struct vnode *vnode;
	struct mutex lock;
	uint64_t size;	 /* bytes; atomic for readers */
	uint64_t pages;	 /* of our own; atomic for readers */
	unsigned height; /* levels; 0: empty */
	struct pagecache_node *root;
	char *path; /* where it was opened for its last mmap, for /proc/self/maps; may be NULL */
	/*
	 * The lower store; lower_page NULL: none. Bytes from lower_end on are not shown from it.
	 * lower_page: the page in place, NULL for a hole; -EAGAIN: only lower_copy can give it.
	 */
	int (*lower_page)(struct vnode *v, uint64_t index, const void **page);
	int (*lower_copy)(struct vnode *v, uint64_t index, void *buf); /* fills a whole page */
	uint64_t lower_end;
	bool all_own; /* nothing of the lower store is shown any more */
};

void pagecache_init(struct pagecache *c, struct vnode *v);
/* Shows a lower store of this size; before anybody else knows the file. */
void pagecache_set_lower(struct pagecache *c, uint64_t size,
	int (*page)(struct vnode *v, uint64_t index, const void **page),
	int (*copy)(struct vnode *v, uint64_t index, void *buf));
void pagecache_set_path(struct pagecache *c, const char *path);
void pagecache_destroy(struct pagecache *c); /* nobody maps or reads it any more */
static inline uint64_t pagecache_size(const struct pagecache *c)
{
	return __atomic_load_n(&c->size, __ATOMIC_ACQUIRE);
}
static inline uint64_t pagecache_pages(const struct pagecache *c)
{
	uint64_t own = __atomic_load_n(&c->pages, __ATOMIC_RELAXED);
	uint64_t lower = DIV_ROUND_UP(__atomic_load_n(&c->lower_end, __ATOMIC_RELAXED), PAGE_SIZE);

	return own > lower ? own : lower;
}

/* The page to read from, referenced; NULL: a hole (or past the end). ERR_PTR(-EIO). */
struct page *pagecache_find(struct pagecache *c, uint64_t index);
/* The file's own page, made if absent (zero, or copied from below); referenced. write_lock held.
 * -ENOSPC, -ENOMEM, -EIO. */
int pagecache_own(struct pagecache *c, uint64_t index, struct page **out);
int pagecache_own_all(struct pagecache *c); /* before a shared writable mapping. write_lock held. */
/* write_lock held. Growing leaves a hole. */
int pagecache_truncate(struct pagecache *c, uint64_t size);
void pagecache_grow(struct pagecache *c, uint64_t size); /* size = max(size, size) */
int pagecache_punch(struct pagecache *c, uint64_t start, uint64_t end);
/* Whether the page at index holds data; for SEEK_DATA and SEEK_HOLE. */
bool pagecache_present(struct pagecache *c, uint64_t index);
