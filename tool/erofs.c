/* SPDX-License-Identifier: BSD-2-Clause */
/* A small EROFS reader; see erofs.h. */
#include "erofs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUPER_OFFSET	1024
#define SUPER_SIZE	128
#define MAGIC		0xE0F5E1E2u
#define SB_CHECKSUM	4 /* offsets in the superblock */
#define SB_COMPAT	8
#define SB_BLOCK_BITS	12
#define SB_ROOT_NID	14
#define SB_BUILD_TIME	24
#define SB_BUILD_NSEC	32
#define SB_BLOCKS	36
#define SB_META_BLOCK	40
#define COMPAT_CHECKSUM 1
#define LAYOUT_PLAIN	0
#define LAYOUT_INLINE	2
#define NO_BLOCK	0xffffffffu
#define DIRENT_SIZE	12
#define MAX_DEPTH	64
#define MAX_NODES	(1u << 20)

static uint64_t get(const uint8_t *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

bool erofs_probe(const char *path)
{
	uint8_t magic[4];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool hit;

	if (fd < 0)
		return false;
	hit = pread(fd, magic, 4, SUPER_OFFSET) == 4 && get(magic, 4) == MAGIC;
	close(fd);
	return hit;
}

int erofs_init(struct erofs *fs, const void *data, size_t size)
{
	const uint8_t *sb = (const uint8_t *)data + SUPER_OFFSET;

	*fs = (struct erofs){ .data = data, .size = size };
	if (size < SUPER_OFFSET + SUPER_SIZE || get(sb, 4) != MAGIC)
		return -EINVAL;
	fs->block_bits = sb[SB_BLOCK_BITS];
	if (fs->block_bits < 9 || fs->block_bits > 16)
		return -EINVAL;
	if (get(sb + SB_BLOCKS, 4) << fs->block_bits > size)
		return -EINVAL; /* cut off */
	fs->root = get(sb + SB_ROOT_NID, 2);
	fs->meta = get(sb + SB_META_BLOCK, 4) << fs->block_bits;
	return 0;
}

int erofs_open(const char *path, struct erofs *fs)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	struct stat st;
	void *p;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size < SUPER_OFFSET + SUPER_SIZE) {
		close(fd);
		return -EINVAL;
	}
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	err = p == MAP_FAILED ? -errno : 0;
	close(fd);
	if (err)
		return err;
	err = erofs_init(fs, p, st.st_size);
	if (err)
		munmap(p, st.st_size);
	return err;
}

void erofs_close(struct erofs *fs)
{
	munmap((void *)fs->data, fs->size);
	*fs = (struct erofs){};
}

int erofs_inode(const struct erofs *fs, uint64_t nid, struct erofs_inode *in)
{
	uint64_t at, xattrs, whole, blocks;
	const uint8_t *p;
	bool extended;
	size_t size;

	if (nid > fs->size / 32)
		return -EINVAL;
	at = fs->meta + nid * 32;
	if (at > fs->size || fs->size - at < 32)
		return -EINVAL;
	p = fs->data + at;
	extended = p[0] & 1;
	size = extended ? 64 : 32;
	if (fs->size - at < size)
		return -EINVAL;
	*in = (struct erofs_inode){ .nid = nid };
	in->layout = get(p, 2) >> 1 & 7;
	in->mode = get(p + 4, 2);
	in->size = get(p + 8, extended ? 8 : 4);
	in->mtime = extended ? get(p + 32, 8) : 0;
	xattrs = get(p + 2, 2);
	in->data = get(p + 16, 4) << fs->block_bits;
	in->tail = at + size + (xattrs ? 12 + (xattrs - 1) * 4 : 0);
	if (!S_ISREG(in->mode) && !S_ISDIR(in->mode) && !S_ISLNK(in->mode)) {
		in->size = 0;
		return 0;
	}
	if (in->layout != LAYOUT_PLAIN && in->layout != LAYOUT_INLINE)
		return -EINVAL; /* compressed or in chunks: not ours */
	if (in->size > fs->size)
		return -EINVAL;
	blocks = in->size >> fs->block_bits;
	whole = in->layout == LAYOUT_INLINE ? blocks << fs->block_bits : in->size;
	if (whole && (in->data > fs->size || fs->size - in->data < whole))
		return -EINVAL;
	if (in->size - whole && (in->tail > fs->size || fs->size - in->tail < in->size - whole))
		return -EINVAL;
	return 0;
}

int erofs_read(
	const struct erofs *fs, const struct erofs_inode *in, size_t max, char **data, size_t *len)
{
	uint64_t whole = in->size;

	if (in->size > max)
		return -EFBIG;
	if (in->layout == LAYOUT_INLINE)
		whole = in->size >> fs->block_bits << fs->block_bits;
	*data = xmalloc(in->size + 1);
	if (whole)
		memcpy(*data, fs->data + in->data, whole);
	if (in->size - whole)
		memcpy(*data + whole, fs->data + in->tail, in->size - whole);
	(*data)[in->size] = 0;
	*len = in->size;
	return 0;
}

/* One block of a folder: fn(ctx, name, length, nid) until it returns true. */
typedef bool dirent_fn(void *ctx, const char *name, size_t len, uint64_t nid);

static int each_in_block(const uint8_t *b, size_t size, dirent_fn *fn, void *ctx, bool *done)
{
	size_t first, count;

	if (size < DIRENT_SIZE)
		return -EINVAL;
	first = get(b + 8, 2);
	count = first / DIRENT_SIZE;
	if (!count || first % DIRENT_SIZE || first > size)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		size_t from = get(b + i * DIRENT_SIZE + 8, 2);
		size_t to = i + 1 < count ? get(b + (i + 1) * DIRENT_SIZE + 8, 2) : size;

		if (from < first || from >= to || to > size)
			return -EINVAL;
		if (fn(ctx, (const char *)b + from, strnlen((const char *)b + from, to - from),
			    get(b + i * DIRENT_SIZE, 8))) {
			*done = true;
			return 0;
		}
	}
	return 0;
}

static int each_entry(
	const struct erofs *fs, const struct erofs_inode *dir, dirent_fn *fn, void *ctx)
{
	size_t block = (size_t)1 << fs->block_bits, len;
	bool done = false;
	char *data;
	int err;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	err = erofs_read(fs, dir, 64 << 20, &data, &len);
	for (size_t at = 0; !err && !done && at < len; at += block)
		err = each_in_block(
			(uint8_t *)data + at, len - at < block ? len - at : block, fn, ctx, &done);
	if (err != -EFBIG)
		free(data);
	return err;
}

struct find {
	const char *name;
	size_t len;
	uint64_t nid;
	bool found;
};

static bool find_entry(void *ctx, const char *name, size_t len, uint64_t nid)
{
	struct find *f = ctx;

	if (len != f->len || memcmp(name, f->name, len))
		return false;
	f->nid = nid;
	f->found = true;
	return true;
}

int erofs_lookup(const struct erofs *fs, const char *path, struct erofs_inode *in)
{
	int err = erofs_inode(fs, fs->root, in);

	while (!err) {
		struct find f = {};

		path += strspn(path, "/");
		if (!*path)
			return 0;
		f.name = path;
		f.len = strcspn(path, "/");
		path += f.len;
		err = each_entry(fs, in, find_entry, &f);
		if (!err && !f.found)
			err = -ENOENT;
		if (!err)
			err = erofs_inode(fs, f.nid, in);
	}
	return err;
}

struct walk {
	struct erofs *fs;
	erofs_walk_fn *fn;
	void *ctx;
	const char *path;
	unsigned int depth, *nodes;
};

static int walk_dir(struct walk *w, const struct erofs_inode *dir);

static bool walk_entry(void *ctx, const char *name, size_t len, uint64_t nid)
{
	struct walk *w = ctx, below = *w;
	struct erofs_inode in;
	char *path;

	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return false;
	if (!len || memchr(name, '/', len) || ++*w->nodes > MAX_NODES || w->depth > MAX_DEPTH) {
		w->fs->error = -EINVAL;
		return true;
	}
	w->fs->error = erofs_inode(w->fs, nid, &in);
	if (w->fs->error)
		return true;
	path = xasprintf("%s/%.*s", w->path, (int)len, name);
	w->fn(w->ctx, path, &in);
	if (S_ISDIR(in.mode)) {
		below.path = path;
		below.depth++;
		w->fs->error = walk_dir(&below, &in);
	}
	free(path);
	return w->fs->error;
}

static int walk_dir(struct walk *w, const struct erofs_inode *dir)
{
	int err = each_entry(w->fs, dir, walk_entry, w);

	return err ? err : w->fs->error;
}

int erofs_walk(struct erofs *fs, erofs_walk_fn *fn, void *ctx)
{
	unsigned int nodes = 0;
	struct walk w = { .fs = fs, .fn = fn, .ctx = ctx, .path = "", .nodes = &nodes };
	struct erofs_inode root;
	int err = erofs_inode(fs, fs->root, &root);

	fs->error = 0;
	return err ? err : walk_dir(&w, &root);
}

static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

int erofs_clear_time(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), err = 0;
	uint8_t block[4096], *sb = block + SUPER_OFFSET;

	if (fd < 0)
		return -errno;
	if (pread(fd, block, sizeof(block), 0) != sizeof(block) || get(sb, 4) != MAGIC) {
		err = -EINVAL;
	} else {
		memset(sb + SB_BUILD_TIME, 0, SB_BUILD_NSEC + 4 - SB_BUILD_TIME);
		memset(sb + SB_CHECKSUM, 0, 4);
		if (get(sb + SB_COMPAT, 4) & COMPAT_CHECKSUM) {
			uint32_t crc = crc32c(~0u, sb, sizeof(block) - SUPER_OFFSET);

			memcpy(sb + SB_CHECKSUM, &crc, 4);
		}
		if (pwrite(fd, block, sizeof(block), 0) != sizeof(block))
			err = -errno;
	}
	close(fd);
	return err;
}
