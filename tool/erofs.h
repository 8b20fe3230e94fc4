/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads uncompressed EROFS images, for skiff inspect and for starting an image. An image is
 * foreign: every offset is checked, loops end, and what is broken gives -EINVAL. Layout: Linux
 * Documentation/filesystems/erofs.rst and the on-disk structures named there.
 */
#ifndef TOOL_EROFS_H
#define TOOL_EROFS_H

#include "util.h"

struct erofs {
	const uint8_t *data;
	size_t size;
	uint64_t meta; /* byte offset of inode 0 */
	uint64_t root;
	unsigned int block_bits;
	int error; /* set by a walk that met something broken */
};

struct erofs_inode {
	uint64_t nid, size, mtime;
	unsigned int mode, layout;
	uint64_t data, tail; /* byte offsets: whole blocks, inline end */
};

/* Whether the file starts like an EROFS image. */
bool erofs_probe(const char *path);
/* Maps the image; 0 or -errno. erofs_init() does the same for memory. */
int erofs_open(const char *path, struct erofs *fs);
int erofs_init(struct erofs *fs, const void *data, size_t size);
void erofs_close(struct erofs *fs);

int erofs_inode(const struct erofs *fs, uint64_t nid, struct erofs_inode *in);
/* All bytes of a file or link, malloced with a NUL behind them; -EFBIG over @max. */
int erofs_read(
	const struct erofs *fs, const struct erofs_inode *in, size_t max, char **data, size_t *len);
/* By path, no links followed. */
int erofs_lookup(const struct erofs *fs, const char *path, struct erofs_inode *in);

/* Calls fn for everything below the root, a folder before what is in it. */
typedef void erofs_walk_fn(void *ctx, const char *path, const struct erofs_inode *in);
int erofs_walk(struct erofs *fs, erofs_walk_fn *fn, void *ctx);

/* Sets the time of making to 0, so that equal trees give equal images; 0 or -errno. */
int erofs_clear_time(const char *path);

#endif
