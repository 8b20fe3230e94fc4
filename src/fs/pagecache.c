/* SPDX-License-Identifier: BSD-2-Clause */
/* The page tree of a regular file, and its face towards mmap. */

#include "fs/impl.h"

enum {
	BITS = 6,
	FANOUT = 1 << BITS,
	MAX_HEIGHT = 9
}; /* 9 * 6 bits cover every page index of 2^63 */

/* The slot of index, or NULL. create: makes the way to it (NULL: no memory). lock held. */
static void **slot_of(struct pagecache *c, uint64_t index, bool create)
{
	struct pagecache_node *n;

	while (c->height < MAX_HEIGHT && (c->height == 0 || index >> (c->height * BITS))) {
		if (!create)
			return NULL;
		n = heap_alloc_zeroed(sizeof(*n));
		if (!n)
			return NULL;
		if (c->root) {
			n->slot[0] = c->root;
			n->used = 1;
		}
		c->root = n;
		c->height++;
	}
	n = c->root;
	for (unsigned level = c->height - 1; level > 0; level--) {
		void **slot = &n->slot[(index >> (level * BITS)) % FANOUT];

		if (!*slot) {
			if (!create)
				return NULL;
			*slot = heap_alloc_zeroed(sizeof(*n));
			if (!*slot)
				return NULL;
			n->used++;
		}
		n = *slot;
	}
	return &n->slot[index % FANOUT];
}

static struct page *tree_get(struct pagecache *c, uint64_t index)
{
	void **slot = slot_of(c, index, false);

	return slot ? *slot : NULL;
}

static struct pagecache_node *leaf_of(void **slot, uint64_t index)
{
	return container_of(slot - index % FANOUT, struct pagecache_node, slot[0]);
}

/* Takes every page with first <= index < last out of the subtree; true when it is empty and freed.
 */
static bool prune(struct pagecache *c, struct pagecache_node *n, unsigned level, uint64_t base,
	uint64_t first, uint64_t last)
{
	uint64_t span = 1ull << (level * BITS);

	for (unsigned i = 0; i < FANOUT; i++) {
		uint64_t start = base + i * span;

		if (!n->slot[i] || start >= last || start + span <= first)
			continue;
		if (level == 0) {
			page_put(n->slot[i]);
			store_relaxed(&c->pages, c->pages - 1);
			filesystem_uncharge(c->vnode->fs, 1);
		} else if (!prune(c, n->slot[i], level - 1, start, first, last)) {
			continue;
		}
		n->slot[i] = NULL;
		n->used--;
	}
	if (n->used)
		return false;
	heap_free(n);
	return true;
}

static void remove_range(struct pagecache *c, uint64_t first, uint64_t last)
{
	if (c->root && first < last && prune(c, c->root, c->height - 1, 0, first, last)) {
		c->root = NULL;
		c->height = 0;
	}
}

/* What the lower store shows at index, in place; NULL: nothing. -EAGAIN: there, but not in place.
 */
static int lower_at(struct pagecache *c, uint64_t index, const void **page)
{
	*page = NULL;
	if (!c->lower_page || index >= DIV_ROUND_UP(c->lower_end, PAGE_SIZE))
		return 0;
	return c->lower_page(c->vnode, index, page);
}

/* lock held. *replaced: the lower page was shown in place before. */
static int own_locked(struct pagecache *c, uint64_t index, struct page **out, bool *replaced)
{
	const void *lower = NULL;
	struct page *page;
	void **slot = slot_of(c, index, true);
	int below;

	*replaced = false;
	if (!slot)
		return -ENOMEM;
	page = *slot;
	if (!page) {
		below = lower_at(c, index, &lower);
		if (below && below != -EAGAIN)
			return below;
		if (!filesystem_charge(c->vnode->fs, 1))
			return -ENOSPC;
		page = lower || below ? page_alloc(0) : page_alloc_zeroed(0);
		if (page && lower)
			memcpy(page_to_virt(page), lower, PAGE_SIZE);
		else if (page && below &&
			 (below = c->lower_copy(c->vnode, index, page_to_virt(page))))
			page_put(page);
		if (!page || below) {
			filesystem_uncharge(c->vnode->fs, 1);
			return page ? below : -ENOMEM;
		}
		*replaced = lower != NULL;
		*slot = page;
		leaf_of(slot, index)->used++;
		store_relaxed(&c->pages, c->pages + 1);
	}
	page_get(page);
	*out = page;
	return 0;
}

static struct page *find_locked(struct pagecache *c, uint64_t index)
{
	struct page *page = tree_get(c, index);
	const void *lower;
	bool replaced;
	int err;

	if (!page) {
		err = lower_at(c, index, &lower);
		if (err == -EAGAIN) {
			err = own_locked(c, index, &page, &replaced);
			return err ? ERR_PTR(err) : page;
		}
		if (err)
			return ERR_PTR(err);
		if (lower)
			page = virt_to_page(lower);
	}
	if (page)
		page_get(page);
	return page;
}

struct page *pagecache_find(struct pagecache *c, uint64_t index)
{
	struct page *page;

	mutex_lock(&c->lock);
	page = find_locked(c, index);
	mutex_unlock(&c->lock);
	return page;
}

bool pagecache_present(struct pagecache *c, uint64_t index)
{
	struct page *page = pagecache_find(c, index);

	if (!page || IS_ERR(page))
		return false;
	page_put(page);
	return true;
}

int pagecache_own(struct pagecache *c, uint64_t index, struct page **out)
{
	bool replaced;
	int err;

	mutex_lock(&c->lock);
	err = own_locked(c, index, out, &replaced);
	mutex_unlock(&c->lock);
	if (replaced) /* mappings still show the image's page */
		vm_backing_unmap(&c->backing, index, index + 1, false);
	return err;
}

int pagecache_own_all(struct pagecache *c)
{
	uint64_t last = DIV_ROUND_UP(c->lower_end, PAGE_SIZE);
	struct page *page;

	if (!c->lower_page || c->all_own)
		return 0;
	for (uint64_t index = 0; index < last; index++) {
		int err = pagecache_own(c, index, &page);

		if (err)
			return err;
		page_put(page);
		cond_resched();
	}
	c->all_own = true;
	return 0;
}

static void zero_tail(struct pagecache *c, uint64_t from, uint64_t to)
{
	struct page *page;

	mutex_lock(&c->lock);
	page = tree_get(c, from / PAGE_SIZE);
	if (page)
		memset((char *)page_to_virt(page) + from % PAGE_SIZE, 0, to - from);
	mutex_unlock(&c->lock);
}

int pagecache_truncate(struct pagecache *c, uint64_t size)
{
	uint64_t first = DIV_ROUND_UP(size, PAGE_SIZE), old = c->size;
	struct page *page;
	int err;

	if (size < old && size % PAGE_SIZE && size < c->lower_end) {
		err = pagecache_own(c, size / PAGE_SIZE, &page);
		if (err)
			return err;
		page_put(page);
	}
	mutex_lock(&c->lock);
	store_release(&c->size, size);
	if (size < c->lower_end)
		store_relaxed(&c->lower_end, size);
	mutex_unlock(&c->lock);
	if (size >= old) {
		/* What a mapping wrote behind the end must not come to light. */
		if (old % PAGE_SIZE)
			zero_tail(c, old, MIN(size, ALIGN_UP(old, PAGE_SIZE)));
		return 0;
	}
	/* A fault that found a page before the size changed may map it until the second unmap. */
	vm_backing_unmap(&c->backing, first, UINT64_MAX >> PAGE_SHIFT, true);
	mutex_lock(&c->lock);
	remove_range(c, first, UINT64_MAX);
	mutex_unlock(&c->lock);
	vm_backing_unmap(&c->backing, first, UINT64_MAX >> PAGE_SHIFT, true);
	if (size % PAGE_SIZE)
		zero_tail(c, size, ALIGN_UP(size, PAGE_SIZE));
	return 0;
}

void pagecache_grow(struct pagecache *c, uint64_t size)
{
	mutex_lock(&c->lock);
	if (size > c->size)
		store_release(&c->size, size);
	mutex_unlock(&c->lock);
}

/* Bytes [start, end) read as zero afterwards. Whole pages are freed, unless the image shows
 * through. */
int pagecache_punch(struct pagecache *c, uint64_t start, uint64_t end)
{
	uint64_t first = DIV_ROUND_UP(start, PAGE_SIZE), last = end / PAGE_SIZE;
	int err;

	err = start < c->lower_end ? pagecache_own_all(c) : 0;
	if (err)
		return err;
	mutex_lock(&c->lock);
	if (c->all_own)
		store_relaxed(&c->lower_end, 0);
	mutex_unlock(&c->lock);
	if (first > last) { /* within one page */
		zero_tail(c, start, end);
		return 0;
	}
	if (start % PAGE_SIZE)
		zero_tail(c, start, first * PAGE_SIZE);
	if (end % PAGE_SIZE)
		zero_tail(c, last * PAGE_SIZE, end);
	if (first < last) {
		vm_backing_unmap(&c->backing, first, last, false);
		mutex_lock(&c->lock);
		remove_range(c, first, last);
		mutex_unlock(&c->lock);
		vm_backing_unmap(&c->backing, first, last, false);
	}
	return 0;
}

/* --- the face towards mmap --- */

static int backing_get_page(struct vm_backing *b, uint64_t index, bool write, struct page **out)
{
	struct pagecache *c = container_of(b, struct pagecache, backing);
	struct page *page;
	bool replaced = false;
	int err = 0;

	mutex_lock(&c->lock);
	if (index >= DIV_ROUND_UP(c->size, PAGE_SIZE)) {
		err = -EFAULT;
		goto out;
	}
	page = find_locked(c, index);
	if (IS_ERR(page)) {
		err = (int)PTR_ERR(page);
		goto out;
	}
	/* A hole gets its page now, as the mapping must see later writes. Shared writable mappings
	 * own all pages beforehand (regular_mmap), so nothing of the lower store is replaced here.
	 */
	if (!page)
		err = own_locked(c, index, &page, &replaced);
	if (err == -ENOSPC)
		err = -EFAULT; /* SIGBUS, as a full tmpfs gives */
	*out = page;
out:
	mutex_unlock(&c->lock);
	return err;
}

static void backing_get(struct vm_backing *b)
{
	vnode_get(container_of(b, struct pagecache, backing)->vnode);
}

static void backing_put(struct vm_backing *b)
{
	vnode_put(container_of(b, struct pagecache, backing)->vnode);
}

static void backing_describe(
	struct vm_backing *b, char *buf, size_t size, uint64_t *device, uint64_t *inode)
{
	struct pagecache *c = container_of(b, struct pagecache, backing);
	size_t len;

	*device = c->vnode->fs->dev;
	*inode = c->vnode->ino;
	mutex_lock(&c->lock);
	len = str_copy(buf, c->path ? c->path : "", size);
	mutex_unlock(&c->lock);
	if (len < size && !load_relaxed(&c->vnode->nlink) && !strstr(buf, " (deleted)"))
		str_copy(buf + len, " (deleted)", size - len);
}

static int backing_punch(struct vm_backing *b, uint64_t first, uint64_t last)
{
	struct pagecache *c = container_of(b, struct pagecache, backing);
	struct vnode *v = c->vnode;
	uint64_t size;
	int err = 0;

	mutex_lock(&v->write_lock);
	size = ALIGN_UP(pagecache_size(c), PAGE_SIZE);
	if (v->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		err = -EPERM;
	else if (first << PAGE_SHIFT < size)
		err = pagecache_punch(c, first << PAGE_SHIFT, MIN(last << PAGE_SHIFT, size));
	mutex_unlock(&v->write_lock);
	return err;
}

static const struct vm_backing_ops backing_ops = {
	.get_page = backing_get_page,
	.get = backing_get,
	.put = backing_put,
	.describe = backing_describe,
	.punch = backing_punch,
};

/* Of the root image: the pages around a fault are there already and may be mapped along. */
static const struct vm_backing_ops lower_backing_ops = {
	.get_page = backing_get_page,
	.get = backing_get,
	.put = backing_put,
	.describe = backing_describe,
	.punch = backing_punch,
	.contiguous = true,
};

void pagecache_set_lower(struct pagecache *c, uint64_t size,
	int (*page)(struct vnode *v, uint64_t index, const void **page),
	int (*copy)(struct vnode *v, uint64_t index, void *buf))
{
	c->size = c->lower_end = size;
	c->lower_page = page;
	c->lower_copy = copy;
	c->backing.ops = &lower_backing_ops;
}

void pagecache_init(struct pagecache *c, struct vnode *v)
{
	*c = (struct pagecache){ .vnode = v };
	vm_backing_init(&c->backing, &backing_ops);
	mutex_init(&c->lock, "pagecache.lock");
}

void pagecache_set_path(struct pagecache *c, const char *path)
{
	char *copy = NULL, *old = NULL;

	mutex_lock(&c->lock);
	if (!c->path || strcmp(c->path, path)) {
		copy = heap_strdup(path);
		if (copy) {
			old = c->path;
			c->path = copy;
		}
	}
	mutex_unlock(&c->lock);
	heap_free(old);
}

void pagecache_destroy(struct pagecache *c)
{
	heap_free(c->path);
	remove_range(c, 0, UINT64_MAX);
}
