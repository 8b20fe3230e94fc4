/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor tables. Writers hold the table's lock. fd_get takes none:
 *
 *   F1 the array that a reader loads stays allocated until the table goes: growing makes a new,
 *      twice as large one and keeps the old (together at most as large as the new).
 *   F2 a struct file is type-stable (file.c), so its reference count may be read after it was
 *      closed; a reference is only taken if the count is not 0.
 *   F3 having taken it, the reader looks at the slot again: if it still holds the same pointer the
 *      file was open at that moment, which is all that read(2) promises; if not, it gives the
 *      reference back and starts over.
 * The recheck pairs with the slot's exchange in take_slot (both sequentially consistent).
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/barrier.h"
#include "file/file.h"
#include "cpu/refcount.h"
#include "file/impl.h"
#include "file/lock.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/heap.h"

#define FIRST_SIZE 64u
#define MAX_SIZE   (1u << 20)

static struct fd_array *array_create(unsigned size)
{
	size_t slots = sizeof(struct fd_array) + size * sizeof(struct file *);
	struct fd_array *a = heap_alloc_zeroed(slots + size / 64 * 8 * 2);

	if (!a)
		return NULL;
	a->size = size;
	a->open = (uint64_t *)((char *)a + slots);
	a->cloexec = a->open + size / 64;
	return a;
}

struct fdtable *fdtable_create(void)
{
	struct fdtable *t = heap_alloc_zeroed(sizeof(*t));

	if (!t)
		return NULL;
	t->array = array_create(FIRST_SIZE);
	if (!t->array) {
		heap_free(t);
		return NULL;
	}
	t->refcount = 1;
	t->limit = 1024;
	mutex_init(&t->lock, "fdtable.lock");
	return t;
}

static bool bit(const uint64_t *map, unsigned fd)
{
	return map[fd / 64] >> (fd % 64) & 1;
}

static void set_bit(uint64_t *map, unsigned fd, bool on)
{
	if (on)
		map[fd / 64] |= 1ull << (fd % 64);
	else
		map[fd / 64] &= ~(1ull << (fd % 64));
}

/* Lock held. An array that has a slot for fd. */
static struct fd_array *array_for(struct fdtable *t, unsigned fd)
{
	struct fd_array *old = t->array, *a;
	unsigned size = old->size;

	if (fd < size)
		return old;
	while (size <= fd)
		size *= 2;
	a = array_create(size);
	if (!a)
		return NULL;
	a->older = old;
	memcpy(a->slot, old->slot, old->size * sizeof(a->slot[0]));
	memcpy(a->open, old->open, old->size / 8);
	memcpy(a->cloexec, old->cloexec, old->size / 8);
	store_release(&t->array, a); /* F1; pairs with load_acquire in fd_get */
	return a;
}

struct fdtable *fdtable_copy(struct fdtable *t)
{
	struct fdtable *c = fdtable_create();
	struct fd_array *a;

	if (!c)
		return NULL;
	mutex_lock(&t->lock);
	c->limit = t->limit;
	c->first_free = t->first_free;
	a = array_for(c, t->array->size - 1);
	if (a) {
		for (unsigned fd = 0; fd < t->array->size; fd++) {
			a->slot[fd] = t->array->slot[fd];
			if (a->slot[fd])
				file_get(a->slot[fd]);
		}
		memcpy(a->open, t->array->open, t->array->size / 8);
		memcpy(a->cloexec, t->array->cloexec, t->array->size / 8);
	}
	mutex_unlock(&t->lock);
	if (a)
		return c;
	fdtable_put(c);
	return NULL;
}

void fdtable_get(struct fdtable *t)
{
	atomic_add(&t->refcount, 1);
}

void fdtable_put(struct fdtable *t)
{
	struct fd_array *a, *older;

	if (atomic_sub(&t->refcount, 1) != 1)
		return;
	for (unsigned fd = 0; fd < t->array->size; fd++)
		if (t->array->slot[fd])
			fd_close(t, fd);
	for (a = t->array; a; a = older) {
		older = a->older;
		heap_free(a);
	}
	heap_free(t);
}

void fdtable_set_limit(struct fdtable *t, unsigned limit)
{
	mutex_lock(&t->lock);
	t->limit = MIN(limit, MAX_SIZE);
	mutex_unlock(&t->lock);
}

/* F2 and F3 from the start, until they hold. */
static __noinline struct file *get_again(struct fdtable *t, int fd, struct file *stale)
{
	for (;;) {
		struct file *f;

		if (stale)
			file_put(stale);
		f = fd_peek(t, fd);
		if (!f)
			return NULL;
		stale = NULL;
		if (!refcount_get_live(&f->refcount))
			continue; /* F2: closed between the two reads, so the slot has changed */
		if (__atomic_load_n(&load_acquire(&t->array)->slot[fd], __ATOMIC_SEQ_CST) == f)
			return f; /* F3 */
		stale = f;
	}
}

struct file *fd_get(struct fdtable *t, int fd)
{
	struct file *f = fd_peek(t, fd);
	uint32_t n;

	if (unlikely(!f))
		return NULL;
	n = load_relaxed(&f->refcount);
	if (unlikely(!n || !atomic_cas(&f->refcount, &n, n + 1)))
		return get_again(t, fd, NULL);
	if (likely(__atomic_load_n(
			   &load_acquire(&t->array)->slot[(unsigned)fd], __ATOMIC_SEQ_CST) == f))
		return f;
	return get_again(t, fd, f);
}

/* Lock held. The lowest free descriptor >= min, or -EMFILE. */
static int find_free(struct fdtable *t, unsigned min)
{
	unsigned fd = MAX(min, t->first_free), words = t->array->size / 64;

	for (unsigned w = fd / 64; w < words; w++) {
		uint64_t busy = t->array->open[w];

		if (w == fd / 64)
			busy |= (1ull << (fd % 64)) - 1;
		if (~busy) {
			fd = w * 64 + __builtin_ctzll(~busy);
			return fd < t->limit ? (int)fd : -EMFILE;
		}
	}
	fd = MAX(fd, t->array->size);
	return fd < t->limit ? (int)fd : -EMFILE;
}

/* Lock held; the slot is free. */
static void fill_slot(
	struct fdtable *t, struct fd_array *a, unsigned fd, struct file *f, bool cloexec)
{
	set_bit(a->open, fd, true);
	set_bit(a->cloexec, fd, cloexec);
	store_release(&a->slot[fd], f);
	if (fd == t->first_free)
		t->first_free = fd + 1;
}

/* Lock held. Empties a slot; the table's reference passes to the caller. */
static struct file *take_slot(struct fdtable *t, unsigned fd)
{
	struct fd_array *a = t->array;
	struct file *f;

	if (fd >= a->size)
		return NULL;
	f = atomic_xchg(&a->slot[fd], NULL);
	if (!f)
		return NULL;
	set_bit(a->open, fd, false);
	set_bit(a->cloexec, fd, false);
	t->first_free = MIN(t->first_free, fd);
	return f;
}

static void close_file(struct fdtable *t, struct file *f)
{
	/* fcntl(2): closing any descriptor of a file ends all of the process's record locks on it.
	 */
	if (load_relaxed(&lock_records_used))
		lock_release_owner(f, false, t);
	if (f->ops->close)
		f->ops->close(f, t);
	file_put(f);
}

int fd_install(struct fdtable *t, struct file *f, int min, bool cloexec)
{
	struct fd_array *a;
	int fd;

	mutex_lock(&t->lock);
	fd = find_free(t, min);
	if (fd >= 0) {
		a = array_for(t, fd);
		if (a)
			fill_slot(t, a, fd, f, cloexec);
		else
			fd = -ENOMEM;
	}
	mutex_unlock(&t->lock);
	return fd;
}

int fd_install_at(struct fdtable *t, struct file *f, int fd, bool cloexec)
{
	struct file *old = NULL;
	struct fd_array *a;
	int err = 0;

	mutex_lock(&t->lock);
	if (fd < 0 || (unsigned)fd >= t->limit)
		err = -EBADF;
	else if (!(a = array_for(t, fd)))
		err = -ENOMEM;
	else {
		old = take_slot(t, fd);
		fill_slot(t, a, fd, f, cloexec);
	}
	mutex_unlock(&t->lock);
	if (old)
		close_file(t, old);
	return err ? err : fd;
}

int fd_close(struct fdtable *t, int fd)
{
	struct file *f;

	if (fd < 0)
		return -EBADF;
	mutex_lock(&t->lock);
	f = take_slot(t, fd);
	mutex_unlock(&t->lock);
	if (!f)
		return -EBADF;
	close_file(t, f);
	return 0;
}

int fd_close_range(struct fdtable *t, unsigned first, unsigned last, bool cloexec_only)
{
	if (first > last)
		return -EINVAL;
	for (unsigned fd = first; fd <= last && fd < load_acquire(&t->array)->size; fd++) {
		if (cloexec_only)
			fd_set_cloexec(t, fd, true);
		else
			fd_close(t, fd);
	}
	return 0;
}

int fd_get_cloexec(struct fdtable *t, int fd)
{
	int on = -EBADF;

	mutex_lock(&t->lock);
	if ((unsigned)fd < t->array->size && t->array->slot[fd])
		on = bit(t->array->cloexec, fd);
	mutex_unlock(&t->lock);
	return on;
}

int fd_set_cloexec(struct fdtable *t, int fd, bool on)
{
	int err = -EBADF;

	mutex_lock(&t->lock);
	if ((unsigned)fd < t->array->size && t->array->slot[fd]) {
		set_bit(t->array->cloexec, fd, on);
		err = 0;
	}
	mutex_unlock(&t->lock);
	return err;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	for (unsigned fd = 0; fd < load_acquire(&t->array)->size; fd++)
		if (fd_get_cloexec(t, fd) == 1)
			fd_close(t, fd);
}

int fd_next(struct fdtable *t, int fd)
{
	struct fd_array *a = load_acquire(&t->array);

	for (unsigned n = MAX(fd, 0); n < a->size; n++)
		if (load_relaxed(&a->slot[n]))
			return n;
	return -1;
}
