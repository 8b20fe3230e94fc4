/* SPDX-License-Identifier: BSD-2-Clause */
/* stat(2), statx(2), statfs(2), getdents64(2): modes and structs of Linux x86-64. */
#pragma once

#include "abi/time.h"
#include "lib/types.h"

#ifdef SKIFF_HOST
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/stat.h>
#include <sys/vfs.h>
#else
struct stat {
	uint64_t st_dev, st_ino, st_nlink;
	uint32_t st_mode, st_uid, st_gid, __pad0;
	uint64_t st_rdev;
	int64_t st_size, st_blksize, st_blocks; /* blocks of 512 bytes */
	struct timespec st_atim, st_mtim, st_ctim;
	int64_t __unused[3];
};
_Static_assert(sizeof(struct stat) == 144, "stat(2)");

struct statx_timestamp {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t __reserved;
};
struct statx {
	uint32_t stx_mask, stx_blksize;
	uint64_t stx_attributes;
	uint32_t stx_nlink, stx_uid, stx_gid;
	uint16_t stx_mode, __spare0;
	uint64_t stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	uint64_t stx_mnt_id;
	uint32_t stx_dio_mem_align, stx_dio_offset_align;
	uint64_t __spare3[12];
};
_Static_assert(sizeof(struct statx) == 256, "statx(2)");

#define STATX_TYPE	  0x0001u
#define STATX_MODE	  0x0002u
#define STATX_NLINK	  0x0004u
#define STATX_UID	  0x0008u
#define STATX_GID	  0x0010u
#define STATX_ATIME	  0x0020u
#define STATX_MTIME	  0x0040u
#define STATX_CTIME	  0x0080u
#define STATX_INO	  0x0100u
#define STATX_SIZE	  0x0200u
#define STATX_BLOCKS	  0x0400u
#define STATX_BASIC_STATS 0x07ffu
#define STATX_BTIME	  0x0800u
#define STATX_MNT_ID	  0x1000u
#define STATX__RESERVED	  0x80000000u

struct statfs {
	int64_t f_type, f_bsize;
	uint64_t f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	struct {
		int32_t val[2];
	} f_fsid;
	int64_t f_namelen, f_frsize, f_flags, f_spare[4];
};
_Static_assert(sizeof(struct statfs) == 120, "statfs(2)");

#define S_IFMT	 0170000
#define S_IFSOCK 0140000
#define S_IFLNK	 0120000
#define S_IFREG	 0100000
#define S_IFBLK	 0060000
#define S_IFDIR	 0040000
#define S_IFCHR	 0020000
#define S_IFIFO	 0010000
#define S_ISUID	 0004000
#define S_ISGID	 0002000
#define S_ISVTX	 0001000
#define S_IRUSR	 0000400
#define S_IWUSR	 0000200
#define S_IXUSR	 0000100
#define S_IRWXU	 0000700
#define S_IRWXG	 0000070
#define S_IRWXO	 0000007

#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

#define UTIME_NOW  ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)
#endif

/* st_dev and st_rdev as stat(2) encodes major and minor. */
#define DEV_MAKE(major, minor)                                                                     \
	((((uint64_t)(minor)&0xffu) | (((uint64_t)(major)&0xfffu) << 8) |                          \
		(((uint64_t)(minor) & ~0xffull) << 12) | (((uint64_t)(major) & ~0xfffull) << 32)))
#define DEV_MAJOR(d) ((uint32_t)((((d) >> 8) & 0xfff) | (((d) >> 32) & ~0xfffu)))
#define DEV_MINOR(d) ((uint32_t)(((d)&0xff) | (((d) >> 12) & ~0xffu)))

#ifndef DT_UNKNOWN
#define DT_UNKNOWN 0
#define DT_FIFO	   1
#define DT_CHR	   2
#define DT_DIR	   4
#define DT_BLK	   6
#define DT_REG	   8
#define DT_LNK	   10
#define DT_SOCK	   12
#endif

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
} __packed;

#define STATFS_RAMFS_MAGIC  0x858458f6
#define STATFS_TMPFS_MAGIC  0x01021994
#define STATFS_PROC_MAGIC   0x9fa0
#define STATFS_SYSFS_MAGIC  0x62656572
#define STATFS_DEVPTS_MAGIC 0x1cd1
#define STATFS_EROFS_MAGIC  0xe0f5e1e2
#define STATFS_PIPE_MAGIC   0x50495045
#define STATFS_SOCK_MAGIC   0x534f434b
#define STATFS_ANON_MAGIC   0x09041934
