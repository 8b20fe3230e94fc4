/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS on-disk format (Linux: Documentation/filesystems/erofs.rst). Little endian. */
#pragma once

#include "lib/types.h"

#define EROFS_SUPER_OFFSET 1024
#define EROFS_MAGIC	   0xe0f5e1e2u
#define EROFS_NID_SHIFT	   5 /* an inode's address is meta_blkaddr + (nid << 5) */

/* feature_incompat: 4 (chunks) is the only one that an uncompressed single-device image needs;
 * 1 (zero padding) only speaks of compressed data and is set by default. */
#define EROFS_INCOMPAT_ZERO_PADDING 0x01u
#define EROFS_INCOMPAT_CHUNKED	    0x04u

enum erofs_layout {
	EROFS_FLAT_PLAIN = 0,
	EROFS_COMPRESSED_FULL = 1,
	EROFS_FLAT_INLINE = 2, /* the last, partial block follows the inode */
	EROFS_COMPRESSED_COMPACT = 3,
	EROFS_CHUNK_BASED = 4,
};

struct erofs_super {
	uint32_t magic, checksum, feature_compat;
	uint8_t block_bits, ext_slots;
	uint16_t root_nid;
	uint64_t inodes;
	uint64_t build_time;
	uint32_t build_time_nsec;
	uint32_t blocks;
	uint32_t meta_block;
	uint32_t xattr_block;
	uint8_t uuid[16], volume_name[16];
	uint32_t feature_incompat;
	uint16_t compression;
	uint16_t extra_devices;
	uint16_t device_table;
	uint8_t dir_block_bits;
	uint8_t reserved[37];
} __packed;
_Static_assert(sizeof(struct erofs_super) == 128, "EROFS superblock");

/* i_format: bit 0 is 1 for the extended inode, bits 1 to 3 hold enum erofs_layout. */
struct erofs_inode_compact {
	uint16_t format, xattr_count, mode, nlink;
	uint32_t size, reserved;
	uint32_t u; /* first block, device number, or chunk format */
	uint32_t ino;
	uint16_t uid, gid;
	uint32_t reserved2;
} __packed;
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "EROFS compact inode");

struct erofs_inode_extended {
	uint16_t format, xattr_count, mode, reserved;
	uint64_t size;
	uint32_t u;
	uint32_t ino, uid, gid;
	uint64_t mtime;
	uint32_t mtime_nsec, nlink;
	uint8_t reserved2[16];
} __packed;
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "EROFS extended inode");

/* Inline extended attributes take 12 + (xattr_count - 1) * 4 bytes behind the inode, if any. */
#define EROFS_XATTR_HEADER 12

#define EROFS_CHUNK_BITS_MASK 0x1fu /* chunk size = block size << this */
#define EROFS_CHUNK_INDEXES   0x20u /* 8-byte indexes, else 4-byte block numbers */
#define EROFS_NULL_BLOCK      0xffffffffu

struct erofs_chunk_index {
	uint16_t advise, device;
	uint32_t block;
} __packed;

/* A directory block: records, then names; the first record's name_offset tells how many. */
struct erofs_dirent {
	uint64_t nid;
	uint16_t name_offset;
	uint8_t type; /* 1 regular, 2 directory, 3 char, 4 block, 5 fifo, 6 socket, 7 symlink */
	uint8_t reserved;
} __packed;
_Static_assert(sizeof(struct erofs_dirent) == 12, "EROFS directory record");
