/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading an EROFS image that lies in memory, page-aligned and as a whole. Every byte of it is
 * hostile: each access is checked against the image, -EIO where it is broken (one log line says
 * how). Pure: no allocation, no lock, no global; the image never changes. Builds on the host.
 */
#pragma once

#include "abi/erofs.h"

struct erofs_image {
	const uint8_t *base;
	uint64_t size;
	uint64_t meta;	  /* byte offset of inode number 0 */
	uint64_t root;	  /* inode number of the root directory */
	uint64_t max_nid; /* no inode number is above this */
	unsigned block_bits;
	int64_t build_time; /* ns since 1970 */
};

struct erofs_inode {
	uint64_t nid;
	uint32_t mode, uid, gid, nlink;
	uint64_t rdev; /* as stat(2) gives it */
	uint64_t size;
	int64_t mtime; /* ns since 1970 */
	uint32_t ino;
	/* where the data is */
	unsigned layout;
	uint32_t u;
	uint64_t tail; /* byte offset of what follows inode and attributes */
};

/* 0; -EINVAL: no EROFS; -EOPNOTSUPP: a feature we do not have; -EIO: broken. Says why in *why. */
int erofs_open(struct erofs_image *image, const void *base, size_t size, const char **why);
int erofs_read_inode(const struct erofs_image *image, uint64_t nid, struct erofs_inode *out);
/*
 * The file's bytes at 'offset' in place: *len is how many follow contiguously (at most up to the
 * end of the block or, where data is flat, of its contiguous part). NULL *data: a hole. -EIO.
 */
int erofs_map(const struct erofs_image *image, const struct erofs_inode *inode, uint64_t offset,
	const void **data, size_t *len);
/* Copies up to n bytes; returns how many (short at the end of the file) or -EIO. */
ssize_t erofs_read(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, void *buf, size_t n);
/* Calls fn for every name ("." and ".." left out), in order, until it returns non-zero: that is
 * returned. */
int erofs_list(const struct erofs_image *image, const struct erofs_inode *dir,
	int (*fn)(void *arg, const char *name, size_t len, uint64_t nid, uint8_t dt_type),
	void *arg);
