/* SPDX-License-Identifier: BSD-2-Clause */
/* The EROFS reader. Offsets are checked by image_at() alone: nothing else turns one into a pointer.
 */

#include "fs/erofs.h"

#include "abi/errno.h"
#include "abi/stat.h"
#include "lib/string.h"

/* [offset, offset + len) of the image, or NULL. */
static const void *image_at(const struct erofs_image *image, uint64_t offset, uint64_t len)
{
	if (offset > image->size || len > image->size - offset)
		return NULL;
	return image->base + offset;
}

static int refuse(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

int erofs_open(struct erofs_image *image, const void *base, size_t size, const char **why)
{
	struct erofs_super super;
	const void *p;

	*image = (struct erofs_image){ .base = base, .size = size };
	p = image_at(image, EROFS_SUPER_OFFSET, sizeof(super));
	if (!p)
		return refuse(why, "the image is too small", -EINVAL);
	memcpy(&super, p, sizeof(super));
	if (super.magic != EROFS_MAGIC)
		return refuse(why, "the image is no EROFS", -EINVAL);
	if (super.feature_incompat & ~(EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_CHUNKED))
		return refuse(why, "the image uses compression or several devices", -EOPNOTSUPP);
	if (super.block_bits < 9 || super.block_bits > 16)
		return refuse(why, "the image has an impossible block size", -EIO);
	if (super.dir_block_bits)
		return refuse(why, "the image has directory blocks of another size", -EOPNOTSUPP);
	image->block_bits = super.block_bits;
	image->meta = (uint64_t)super.meta_block << super.block_bits;
	if (image->meta >= image->size)
		return refuse(why, "the image is cut off", -EIO);
	image->max_nid = (image->size - image->meta) >> EROFS_NID_SHIFT;
	image->root = super.root_nid;
	image->build_time = (int64_t)(super.build_time * NSEC_PER_SEC + super.build_time_nsec);
	return 0;
}

/* EROFS holds Linux's new_encode_dev, the same bits as stat(2) below 2^32. */
static int decode_inode(const struct erofs_image *image, const void *p, struct erofs_inode *out)
{
	uint16_t format;

	memcpy(&format, p, sizeof(format));
	if (format & 1) {
		struct erofs_inode_extended e;

		memcpy(&e, p, sizeof(e));
		out->mode = e.mode;
		out->uid = e.uid;
		out->gid = e.gid;
		out->nlink = e.nlink;
		out->size = e.size;
		out->mtime = (int64_t)(e.mtime * NSEC_PER_SEC + e.mtime_nsec);
		out->u = e.u;
		out->ino = e.ino;
	} else {
		struct erofs_inode_compact c;

		memcpy(&c, p, sizeof(c));
		out->mode = c.mode;
		out->uid = c.uid;
		out->gid = c.gid;
		out->nlink = c.nlink;
		out->size = c.size;
		out->mtime = image->build_time;
		out->u = c.u;
		out->ino = c.ino;
	}
	return format;
}

int erofs_read_inode(const struct erofs_image *image, uint64_t nid, struct erofs_inode *out)
{
	uint64_t offset;
	unsigned format, len;
	uint16_t head[2]; /* format, xattr_count */
	const void *p;

	if (nid > image->max_nid)
		return -EIO;
	offset = image->meta + (nid << EROFS_NID_SHIFT);
	p = image_at(image, offset, sizeof(struct erofs_inode_compact));
	if (!p)
		return -EIO;
	memcpy(head, p, sizeof(head));
	len = head[0] & 1 ? sizeof(struct erofs_inode_extended)
			  : sizeof(struct erofs_inode_compact);
	if (head[0] >> 4 || !image_at(image, offset, len))
		return -EIO;
	*out = (struct erofs_inode){ .nid = nid };
	format = decode_inode(image, p, out);
	out->layout = (format >> 1) & 7;
	if (out->layout != EROFS_FLAT_PLAIN && out->layout != EROFS_FLAT_INLINE &&
		out->layout != EROFS_CHUNK_BASED)
		return -EOPNOTSUPP;
	out->tail = offset + len;
	if (head[1])
		out->tail += EROFS_XATTR_HEADER + (head[1] - 1) * 4u;
	if ((int64_t)out->size < 0)
		return -EIO;
	switch (out->mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		out->rdev = out->u;
		out->size = 0;
		return 0;
	case S_IFIFO:
	case S_IFSOCK: out->size = 0; return 0;
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK: return 0;
	}
	return -EIO;
}

static int map_flat(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, const void **data, size_t *len)
{
	uint64_t block = 1ull << image->block_bits, inline_start = inode->size;
	uint64_t at, left;

	if (inode->layout == EROFS_FLAT_INLINE)
		inline_start = ALIGN_DOWN(inode->size, block);
	if (offset >= inline_start) {
		left = inode->size - offset;
		at = inode->tail + (offset - inline_start);
	} else {
		left = inline_start - offset;
		at = ((uint64_t)inode->u << image->block_bits) + offset;
	}
	*data = image_at(image, at, left);
	*len = left;
	return *data ? 0 : -EIO;
}

static int map_chunk(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, const void **data, size_t *len)
{
	unsigned bits = image->block_bits + (inode->u & EROFS_CHUNK_BITS_MASK);
	bool indexes = inode->u & EROFS_CHUNK_INDEXES;
	uint64_t index = offset >> bits, inside = offset & ((1ull << bits) - 1);
	uint64_t left = MIN((1ull << bits) - inside, inode->size - offset);
	uint64_t unit = indexes ? sizeof(struct erofs_chunk_index) : sizeof(uint32_t);
	struct erofs_chunk_index entry = { 0 };
	const void *p;

	if (index > image->size) /* keeps the product below from overflowing */
		return -EIO;
	p = image_at(image, ALIGN_UP(inode->tail, unit) + index * unit, unit);
	if (!p)
		return -EIO;
	if (indexes)
		memcpy(&entry, p, sizeof(entry));
	else
		memcpy(&entry.block, p, sizeof(entry.block));
	if (entry.device)
		return -EIO;
	*len = left;
	*data = NULL;
	if (entry.block == EROFS_NULL_BLOCK)
		return 0;
	*data = image_at(image, ((uint64_t)entry.block << image->block_bits) + inside, left);
	return *data ? 0 : -EIO;
}

int erofs_map(const struct erofs_image *image, const struct erofs_inode *inode, uint64_t offset,
	const void **data, size_t *len)
{
	if (offset >= inode->size)
		return -EIO;
	if (inode->layout == EROFS_CHUNK_BASED)
		return map_chunk(image, inode, offset, data, len);
	return map_flat(image, inode, offset, data, len);
}

ssize_t erofs_read(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n && offset + done < inode->size) {
		const void *data;
		size_t len;
		int err = erofs_map(image, inode, offset + done, &data, &len);

		if (err)
			return err;
		len = MIN(len, n - done);
		if (data)
			memcpy((char *)buf + done, data, len);
		else
			memset((char *)buf + done, 0, len);
		done += len;
	}
	return (ssize_t)done;
}

static uint8_t dirent_type(uint8_t erofs_type)
{
	static const uint8_t types[] = { DT_UNKNOWN, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO,
		DT_SOCK, DT_LNK };

	return erofs_type < ARRAY_SIZE(types) ? types[erofs_type] : DT_UNKNOWN;
}

/* One directory block of len bytes. */
static int list_block(const uint8_t *block, size_t len,
	int (*fn)(void *arg, const char *name, size_t len, uint64_t nid, uint8_t dt_type),
	void *arg)
{
	struct erofs_dirent d, next;
	unsigned count;

	if (len < sizeof(d))
		return -EIO;
	memcpy(&d, block, sizeof(d));
	if (d.name_offset < sizeof(d) || d.name_offset >= len || d.name_offset % sizeof(d))
		return -EIO;
	count = d.name_offset / sizeof(d);
	for (unsigned i = 0; i < count; i++, d = next) {
		size_t end = len, name_len;
		const char *name = (const char *)block + d.name_offset;
		int err;

		if (i + 1 < count) {
			memcpy(&next, block + (i + 1) * sizeof(d), sizeof(d));
			end = next.name_offset;
		}
		if (end > len || d.name_offset >= end)
			return -EIO;
		name_len = strnlen(name, end - d.name_offset);
		if (name_len == 0 || name_len > 255 || memchr(name, '/', name_len))
			return -EIO;
		if (name[0] == '.' && (name_len == 1 || (name_len == 2 && name[1] == '.')))
			continue;
		err = fn(arg, name, name_len, d.nid, dirent_type(d.type));
		if (err)
			return err;
	}
	return 0;
}

int erofs_list(const struct erofs_image *image, const struct erofs_inode *dir,
	int (*fn)(void *arg, const char *name, size_t len, uint64_t nid, uint8_t dt_type),
	void *arg)
{
	uint64_t block = 1ull << image->block_bits;

	for (uint64_t offset = 0; offset < dir->size; offset += block) {
		const void *data;
		size_t len;
		int err = erofs_map(image, dir, offset, &data, &len);

		if (!err && !data)
			err = -EIO;
		if (!err)
			err = list_block(data, MIN(len, (size_t)block), fn, arg);
		if (err)
			return err;
	}
	return 0;
}
